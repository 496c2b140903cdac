//! What was written for a target, for people.

use crate::report::text::{Facts, Paint, bytes, counted, findings, grouped, shown};
use crate::report::written::WriteReport;

/// The report of what writes keys for a target.
pub fn written(report: &WriteReport, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    let mut facts = Facts::default();
    facts.add("target", format!("{}, {}", report.target, report.layout));
    if let Some(commands) = report.commands {
        let like = shown(&report.like);
        facts.add(
            "replayed",
            format!("{} as {like}", counted(commands, "command")),
        );
    }
    let (keys, expires) = (counted(report.keys, "key"), grouped(report.expires));
    let verb = match report.files.is_empty() {
        true => "would write",
        false => "wrote",
    };
    // Of an input that was not gone on with, nothing is known.
    if report.complete || !report.files.is_empty() {
        facts.add(verb, format!("{keys}, {expires} with an expiry"));
    }
    facts.add_count("functions", report.functions);
    facts.add_count("left out", report.dropped);
    facts.add_count("reduced", report.reduced);
    if !report.files.is_empty() {
        let size = report.files.iter().map(|(_, size)| size).sum();
        facts.add(
            "size",
            format!("{} from {}", bytes(size), bytes(report.input_size)),
        );
    }
    if let Some(digest) = &report.full_digest {
        facts.add("full digest", digest.clone());
    }
    for (name, size) in &report.files {
        facts.add("file", format!("{}, {}", shown(name), bytes(*size)));
    }
    out.push_str(&facts.finish());
    out.push_str(&findings(&report.findings, paint));
    out.push_str(&format!("\n{}\n", verdict(report, paint)));
    out
}

fn verdict(report: &WriteReport, paint: Paint) -> String {
    let lacks = report.findings.list().iter();
    let lacking = lacks.filter(|f| f.code == "target-lacks").count();
    if report.files.is_empty() {
        let why = match (report.complete, lacking) {
            (false, _) => {
                "the input is damaged or cannot be replayed whole; `--keep-going` writes what there is"
            }
            (true, _) => {
                "the target cannot hold all of it; `--on-unsupported` says what may be left out"
            }
        };
        return paint.bad(&format!("nothing was written: {why}"));
    }
    let proof = match report.proven {
        true => "written, and read back the same",
        false => "written",
    };
    match report.complete && report.dropped == 0 && report.reduced == 0 {
        true => paint.good(proof),
        false => paint.bad(&format!("{proof}, but not all of it could be kept")),
    }
}
