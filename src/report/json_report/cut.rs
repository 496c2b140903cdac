//! The report of `cut`.

use crate::report::cut::{CutReport, FileCut, Split};
use crate::report::json_report::{Json, fix, found, head};

/// The report of `cut`, with the exit status that it leads to.
pub fn cut(report: &CutReport, dry_run: bool, exit: u8) -> String {
    let kind = match report.is_set {
        true => "set",
        false => "aof",
    };
    let mut object = head("cut", &report.input, Some(kind), "unknown");
    let file = |file: &FileCut| {
        Json::Object(vec![
            ("name", Json::from(file.name.as_str())),
            ("role", Json::from(file.role.name())),
            ("seq", Json::from(file.seq)),
            ("size", Json::from(file.bytes.kept + file.bytes.removed)),
            ("format", Json::from(file.format.as_str())),
            ("kept_bytes", Json::from(file.bytes.kept)),
            ("removed_bytes", Json::from(file.bytes.removed)),
            ("left_out", Json::Bool(file.left_out)),
        ])
    };
    object.push(("files", Json::list(&report.files, file)));
    object.extend(found(&report.findings, &report.input));
    object.push(("loads_on", Json::Array(Vec::new())));
    object.push(("exit", Json::from(exit)));
    let place = report.place.as_ref().map(|place| {
        Json::Object(vec![
            ("file", Json::from(place.file.as_str())),
            ("offset", Json::from(place.at)),
            ("asked", Json::from(place.asked)),
            ("what", Json::from(place.what.as_str())),
            ("time", Json::from(place.time)),
        ])
    });
    let names = Json::list(&report.names, |(name, count)| {
        let mut object = vec![("name", Json::from(name.as_str()))];
        object.extend(split(*count));
        Json::Object(object)
    });
    let cut = vec![
        ("dry_run", Json::Bool(dry_run)),
        ("before", Json::from(place)),
        ("commands", Json::Object(split(report.commands))),
        ("transactions", Json::Object(split(report.transactions))),
        (
            "keys_before",
            Json::from(report.keys.map(|(before, _)| before)),
        ),
        (
            "keys_after",
            Json::from(report.keys.map(|(_, after)| after)),
        ),
        ("names", names),
        (
            "out_of_transactions",
            Json::from(report.out_of_transactions),
        ),
        ("with_other_keys", Json::from(report.with_other_keys)),
        ("done", Json::from(report.done.as_ref().map(fix::done))),
    ];
    object.push(("cut", Json::Object(cut)));
    Json::Object(object).to_string()
}

fn split(split: Split) -> Vec<(&'static str, Json)> {
    vec![
        ("removed", Json::from(split.removed)),
        ("kept", Json::from(split.kept)),
    ]
}
