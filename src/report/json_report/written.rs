//! The report of what writes keys for a target.

use crate::report::json_report::{Json, counted, finding, head};
use crate::report::written::WriteReport;

/// The report, with the exit status that it leads to.
pub fn written(report: &WriteReport, exit: u8) -> String {
    let verdict = match report.complete {
        true => "loads",
        false => "refused",
    };
    let mut object = head(report.command, &report.input, None, verdict);
    for (name, value) in &mut object {
        if *name == "like" && !report.like.is_empty() {
            *value = Json::from(report.like.as_str());
        }
    }
    object.push(("files", Json::Array(Vec::new())));
    let found = &report.findings;
    object.push((
        "findings",
        Json::list(found.list(), |f| finding(f, &report.input)),
    ));
    object.push((
        "counts",
        counted((found.count(), found.errors(), found.warnings())),
    ));
    object.push(("loads_on", Json::Array(Vec::new())));
    object.push(("exit", Json::from(exit)));
    object.push(("target", Json::from(report.target)));
    object.push(("layout", Json::from(report.layout)));
    object.push(("input_size", Json::from(report.input_size)));
    object.push(("replayed", Json::from(report.commands)));
    object.push(("keys", Json::from(report.keys)));
    object.push(("expires", Json::from(report.expires)));
    object.push(("functions", Json::from(report.functions)));
    object.push(("dropped", Json::from(report.dropped)));
    object.push(("reduced", Json::from(report.reduced)));
    object.push(("complete", Json::Bool(report.complete)));
    object.push(("full_digest", Json::from(report.full_digest.as_deref())));
    object.push(("proven", Json::Bool(report.proven)));
    let written = Json::list(&report.files, |(name, size)| {
        Json::Object(vec![
            ("name", Json::from(name.as_str())),
            ("size", Json::from(*size)),
        ])
    });
    object.push(("written", written));
    let warnings = Json::list(&report.warnings, |text| Json::from(text.as_str()));
    object.push(("warnings", warnings));
    Json::Object(object).to_string()
}
