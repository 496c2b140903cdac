//! The report of `replay`.

use crate::report::json_report::{Json, of_log};
use crate::report::replay::{DbKeys, ReplayReport};

/// The report of `replay`, with the exit status that it leads to.
pub fn replay(report: &ReplayReport, exit: u8) -> String {
    let mut object = of_log("replay", &report.check, &report.findings, exit);
    object.push(("keys", Json::from(report.keys())));
    object.push(("expires", Json::from(report.expires())));
    let dbs = Json::list(&report.dbs, |(db, counts)| self::db(*db, counts));
    object.push(("dbs", dbs));
    object.push(("functions", Json::from(report.functions)));
    object.push(("memory", Json::from(report.memory)));
    object.push(("replayed", Json::from(report.commands)));
    object.push(("refused", Json::from(report.refused)));
    object.push(("unplayable", Json::from(report.unplayable)));
    object.push(("relative", Json::from(report.relative)));
    object.push(("complete", Json::Bool(report.complete)));
    let digest = report.digest.as_ref();
    object.push(("digest", Json::from(digest.map(|(hex, _)| hex.as_str()))));
    let partial = digest.map(|(_, partial)| Json::Bool(*partial));
    object.push(("digest_partial", Json::from(partial)));
    let full = report.full_digest.as_deref();
    object.push(("full_digest", Json::from(full)));
    let digests = Json::list(&report.digests, |one| {
        Json::Object(vec![
            ("file", Json::from(one.file.as_deref())),
            ("offset", Json::from(one.at)),
            ("digest", Json::from(one.digest.as_str())),
            ("partial", Json::Bool(one.partial)),
        ])
    });
    object.push(("digests", digests));
    Json::Object(object).to_string()
}

fn db(db: u32, counts: &DbKeys) -> Json {
    let types = Json::list(&counts.types, |(of, keys)| {
        Json::Object(vec![
            ("type", Json::from(of.name())),
            ("keys", Json::from(*keys)),
        ])
    });
    Json::Object(vec![
        ("db", Json::from(db)),
        ("keys", Json::from(counts.keys)),
        ("expires", Json::from(counts.expires)),
        ("types", types),
    ])
}
