//! The report of `replay` for people.

use crate::report::aof::Fate;
use crate::report::replay::ReplayReport;
use crate::report::text::{Facts, Paint, bytes, counted, findings, grouped, shown, verdict_with};

/// The report of `replay`.
pub fn replay(report: &ReplayReport, paint: Paint) -> String {
    let check = &report.check;
    let mut out = format!("{}\n", paint.strong(&shown(&check.input)));
    let mut facts = Facts::default();
    facts.add("like", check.like.clone());
    facts.add(
        "commands",
        format!(
            "{}, {} refused",
            grouped(report.commands),
            grouped(report.refused)
        ),
    );
    let (keys, expires) = (counted(report.keys(), "key"), grouped(report.expires()));
    facts.add("keyspace", format!("{keys}, {expires} with an expiry"));
    for (db, counts) in &report.dbs {
        let types: Vec<_> = counts
            .types
            .iter()
            .map(|(of, keys)| format!("{} {}", of.name(), grouped(*keys)))
            .collect();
        facts.add(&format!("db {db}"), types.join(", "));
    }
    facts.add_count("functions", report.functions);
    facts.add("memory", format!("about {}", bytes(report.memory)));
    if let Some((digest, partial)) = &report.digest {
        facts.add("digest", with_partial(digest, *partial));
    }
    if let Some(digest) = &report.full_digest {
        facts.add("full digest", digest.clone());
    }
    out.push_str(&facts.finish());
    for list in check.lists() {
        out.push_str(&findings(list, paint));
    }
    out.push_str(&findings(&report.findings, paint));
    out.push_str(&format!("\n{}\n", verdict(report, paint)));
    out
}

fn with_partial(digest: &str, partial: bool) -> String {
    match partial {
        true => format!("{digest} (partial: values of modules are in it that only they can sum)"),
        false => digest.to_owned(),
    }
}

/// The digests behind offsets: a line each.
pub fn digests_at(report: &ReplayReport) -> String {
    let mut out = String::new();
    for one in &report.digests {
        if let Some(file) = &one.file {
            out.push_str(&format!("{}:", shown(file)));
        }
        out.push_str(&format!("{} {}\n", one.at, one.digest));
    }
    out
}

fn verdict(report: &ReplayReport, paint: Paint) -> String {
    let check = &report.check;
    let why = match &check.fate {
        Fate::Loads if report.complete && report.unplayable > 0 => format!(
            "the server may have something else once it has loaded it: {} could not be played here",
            counted(report.unplayable, "command")
        ),
        Fate::Loads if report.complete && report.relative > 0 => {
            "this is what the server has once it has loaded it, but for the times of keys that are told above"
                .to_owned()
        }
        Fate::Loads if report.complete => {
            "this is what the server has once it has loaded it".to_owned()
        }
        Fate::Loads => "only part of it was replayed".to_owned(),
        Fate::CutBack(at) => format!("the server cuts it back to {at}; this is what it has then"),
        fate => {
            let why = fate.why_not().unwrap_or_default();
            match fate {
                Fate::Refuses(Some(_), _) | Fate::Crashes(..) => {
                    format!("{why}; this is what stands before")
                }
                _ => why,
            }
        }
    };
    let errors = check.errors() + report.findings.errors();
    let warnings = check.warnings() + report.findings.warnings();
    let verdict = verdict_with(check.verdict(), errors, warnings, paint);
    format!("{verdict}\n{why}")
}
