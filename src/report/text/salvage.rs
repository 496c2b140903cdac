//! What could be saved, for people.

use crate::report::salvage::{Loss, Reason, SalvageReport, VersionFrom};
use crate::report::text::{
    Facts, Paint, bytes, checksum, counted, findings, format_words, grouped, indented, offset,
    plain_table, shown, to_the_right,
};

/// What was saved and what was not.
pub fn salvage(report: &SalvageReport, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    let mut facts = Facts::default();
    let mut format = format!(
        "{}, {}",
        format_words(Some(report.version)),
        bytes(report.size)
    );
    if let Some(codec) = report.compressed {
        format.push_str(&format!(", decompressed from {codec}"));
    }
    facts.add("format", format);
    let from = match report.version_from {
        VersionFrom::Header => None,
        VersionFrom::Writer => Some("the version is that of the server that wrote the file"),
        VersionFrom::Remains => Some("the version is told by what is left of the header"),
        VersionFrom::Assumed => Some("the version is the one that was given"),
        VersionFrom::Guess => Some("the version is a guess: `--assume-version` says it better"),
    };
    if let Some(words) = from {
        facts.add("header", words.to_owned());
    }
    facts.add("checksum", checksum(report.checksum));
    let mut saved = counted(report.saved(), "key");
    if report.expires() > 0 {
        saved.push_str(&format!(", {} of them expire", grouped(report.expires())));
    }
    if report.others > 0 {
        saved.push_str(&format!("; {}", counted(report.others, "other record")));
    }
    facts.add("saved", saved);
    for (number, db) in &report.dbs {
        let mut words = counted(db.keys, "key");
        if let Some(announced) = db.announced.filter(|all| *all != db.keys) {
            words.push_str(&format!(" of {}", grouped(announced)));
        }
        facts.add(&format!("db {number}"), words);
    }
    if report.copies.places > 0 {
        let copies = counted(report.copies.places, "record");
        facts.add(
            "copies",
            format!("{copies} left out that stand elsewhere with the same bytes"),
        );
    }
    if let Some(log) = report.log {
        let mut words = format!(
            "{} from {} on, as they are",
            bytes(log.size),
            offset(log.start)
        );
        if let Some(at) = log.damage {
            words.push_str(&format!(
                "; damaged at {}: `redkit check-aof --fix` mends the output",
                offset(at)
            ));
        }
        facts.add("log", words);
    }
    if let Some((name, size)) = &report.output {
        facts.add("output", format!("{}, {}", shown(name), bytes(*size)));
    }
    out.push_str(&facts.finish());
    out.push_str(&losses(report, paint));
    if report.hidden {
        out.push_str(&format!(
            "\n{}: the checksum does not match, and every record is in order: some key, value or expiry\n\
             is not what it was, and nothing says which. All keys were saved.\n",
            paint.doubtful("hidden change")
        ));
    }
    if report.gave_up {
        out.push_str(&format!(
            "\n{}: the damage is so intricate that the search for whole records was given up; there may be more\n",
            paint.doubtful("gave up")
        ));
    }
    out.push_str(&findings(&report.findings, paint));
    out
}

fn losses(report: &SalvageReport, paint: Paint) -> String {
    if report.lost.is_empty() && report.doubtful.is_empty() {
        return String::new();
    }
    let mut table = plain_table();
    table.set_header(["", "places", "keys", "saved", "bytes", "why"]);
    let lost = report.lost.iter().map(|loss| (paint.bad("lost"), loss));
    let doubtful = report.doubtful.iter();
    let doubtful = doubtful.map(|loss| (paint.doubtful("doubtful"), loss));
    for (state, (reason, loss)) in lost.chain(doubtful) {
        let keys = match reason {
            Reason::Framing | Reason::Header | Reason::Truncated => "?".to_owned(),
            _ => grouped(loss.keys),
        };
        table.add_row([
            state,
            grouped(loss.places),
            keys,
            grouped(loss.saved),
            grouped(loss.bytes),
            format!("{}: {}", reason.name(), reason.words()),
        ]);
    }
    to_the_right(&mut table, &[1, 2, 3, 4]);
    let mut out = format!("\n{}", indented(&mut table));
    let unsaved = report
        .doubtful
        .values()
        .any(|loss: &Loss| loss.saved < loss.keys);
    if unsaved {
        out.push_str(
            "  what is doubtful is saved with `--keep-doubtful`, and listed with `--lost FILE`\n",
        );
    }
    out
}
