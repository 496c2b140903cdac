//! The plan of a cut for people.

use crate::bytes::time::rfc3339;
use crate::report::cut::{CutPlace, CutReport, Split};
use crate::report::text::{
    Facts, Paint, bytes, counted, findings, grouped, indented, offset, plain_table, shown,
    to_the_right,
};

/// What goes and what stays.
pub fn cut(report: &CutReport, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    let mut facts = Facts::default();
    if let Some(place) = &report.place {
        facts.add("cut before", before(place, report.is_set));
        if place.at < place.asked {
            let multi = offset(place.at);
            facts.add(
                "transaction",
                format!("it stands in the one that begins at {multi}, which goes whole"),
            );
        }
    }
    let total = report
        .files
        .iter()
        .fold(Split::default(), |all, file| Split {
            kept: all.kept + file.bytes.kept,
            removed: all.removed + file.bytes.removed,
        });
    let both =
        |commands: u64, size: u64| format!("{}, {}", counted(commands, "command"), bytes(size));
    facts.add("removes", both(report.commands.removed, total.removed));
    facts.add("keeps", both(report.commands.kept, total.kept));
    if let Some((before, after)) = report.keys {
        facts.add(
            "keys",
            format!("{} before, {} after", grouped(before), grouped(after)),
        );
    }
    if report.transactions.removed > 0 {
        let (gone, all) = (
            report.transactions.removed,
            report.transactions.removed + report.transactions.kept,
        );
        facts.add(
            "transactions",
            format!("{} of {} removed", grouped(gone), grouped(all)),
        );
    }
    if report.out_of_transactions > 0 {
        let commands = counted(report.out_of_transactions, "command");
        facts.add(
            "transactions",
            format!("{commands} removed from inside of them; what else they hold stays"),
        );
    }
    if report.with_other_keys > 0 {
        let commands = counted(report.with_other_keys, "command");
        facts.add(
            "other keys",
            format!("{commands} removed with other keys that do not match"),
        );
    }
    for file in report.files.iter().filter(|_| report.is_set) {
        let words = match (file.left_out, file.bytes.removed) {
            (true, size) => format!("left out of the set, {}", bytes(size)),
            (false, 0) => "stays as it is".to_owned(),
            (false, size) => format!("loses {}", bytes(size)),
        };
        facts.add("file", format!("{}: {words}", shown(&file.name)));
    }
    out.push_str(&facts.finish());
    out.push_str(&names(report));
    out.push_str(&findings(&report.findings, paint));
    out
}

fn before(place: &CutPlace, is_set: bool) -> String {
    let mut words = String::new();
    if is_set {
        words.push_str(&format!("{}:", shown(&place.file)));
    }
    words.push_str(&format!("{}, {}", offset(place.asked), shown(&place.what)));
    let ms = place
        .time
        .and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000));
    if let Some(time) = ms.and_then(rfc3339) {
        words.push_str(&format!(", behind the annotation of {time}"));
    }
    words
}

/// Commands by name: first those of which most go.
fn names(report: &CutReport) -> String {
    let mut names: Vec<_> = report.names.iter().collect();
    names.sort_by_key(|(name, split)| {
        use std::cmp::Reverse;
        (Reverse(split.removed), Reverse(split.kept), name.as_str())
    });
    let mut table = plain_table();
    table.set_header(["command", "removed", "kept"]);
    for (name, split) in names.iter().take(NAMES_SHOWN) {
        table.add_row([shown(name), grouped(split.removed), grouped(split.kept)]);
    }
    to_the_right(&mut table, &[1, 2]);
    let mut out = format!("\n{}", indented(&mut table));
    if names.len() > NAMES_SHOWN {
        let more = counted((names.len() - NAMES_SHOWN) as u64, "other");
        out.push_str(&format!("  and {more}\n"));
    }
    out
}

/// Names of commands that a report shows.
const NAMES_SHOWN: usize = 20;
