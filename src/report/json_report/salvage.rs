//! The report of `salvage`, and the list of what was lost.

use crate::report::json_report::{Json, checksum, files, format, found, head};
use crate::report::salvage::{Loss, LostPlace, Reason, SalvageReport};

/// The report of `salvage`, with the exit status that it leads to.
pub fn salvage(report: &SalvageReport, exit: u8) -> String {
    let verdict = match report.is_complete() {
        true => "loads",
        false => "refused",
    };
    let kind = match report.log {
        Some(_) => "aof",
        None => "rdb",
    };
    let mut object = head("salvage", &report.input, Some(kind), verdict);
    let version = Some(report.version);
    let all = files(&report.input, "snapshot", Some(report.size), version);
    object.push(("files", all));
    object.extend(found(&report.findings, &report.input));
    object.push(("loads_on", Json::Array(Vec::new())));
    object.push(("exit", Json::from(exit)));
    object.push(("format", format(version)));
    object.push(("compressed", Json::from(report.compressed)));
    object.push(("checksum", checksum(report.checksum)));
    let dbs = Json::list(&report.dbs, |(number, db)| {
        Json::Object(vec![
            ("db", Json::from(*number)),
            ("keys", Json::from(db.keys)),
            ("expires", Json::from(db.expires)),
            ("announced", Json::from(db.announced)),
        ])
    });
    let losses = |losses: &std::collections::BTreeMap<Reason, Loss>| {
        Json::list(losses, |(reason, loss)| {
            let mut object = vec![("reason", Json::from(reason.name()))];
            object.extend(fields(*loss));
            Json::Object(object)
        })
    };
    let log = report.log.map(|log| {
        Json::Object(vec![
            ("start", Json::from(log.start)),
            ("size", Json::from(log.size)),
            ("damage", Json::from(log.damage)),
        ])
    });
    let output = report.output.as_ref().map(|(name, size)| {
        Json::Object(vec![
            ("name", Json::from(name.as_str())),
            ("size", Json::from(*size)),
        ])
    });
    let salvage = vec![
        ("version_from", Json::from(report.version_from.name())),
        ("keys", Json::from(report.saved())),
        ("expires", Json::from(report.expires())),
        ("dbs", dbs),
        ("others", Json::from(report.others)),
        ("hidden_change", Json::Bool(report.hidden)),
        ("lost", losses(&report.lost)),
        ("doubtful", losses(&report.doubtful)),
        ("copies", Json::Object(fields(report.copies))),
        ("gave_up", Json::Bool(report.gave_up)),
        ("log", Json::from(log)),
        ("output", Json::from(output)),
    ];
    object.push(("salvage", Json::Object(salvage)));
    Json::Object(object).to_string()
}

fn fields(loss: Loss) -> Vec<(&'static str, Json)> {
    vec![
        ("places", Json::from(loss.places)),
        ("keys", Json::from(loss.keys)),
        ("bytes", Json::from(loss.bytes)),
        ("saved", Json::from(loss.saved)),
    ]
}

/// One place that was lost or is in doubt, as a JSON object on one line without its end.
pub fn lost_place(place: &LostPlace<'_>) -> String {
    let state = match place.doubtful {
        true => "doubtful",
        false => "lost",
    };
    Json::Object(vec![
        ("start", Json::from(place.start)),
        ("end", Json::from(place.end)),
        ("run", Json::from(place.run)),
        ("state", Json::from(state)),
        ("saved", Json::Bool(place.saved)),
        ("reason", Json::from(place.reason.name())),
        ("db", Json::from(place.db)),
        ("key", Json::from(place.key.map(Json::bytes))),
        ("type", Json::from(place.value_type)),
        ("keys", Json::from(place.keys)),
    ])
    .to_string()
}
