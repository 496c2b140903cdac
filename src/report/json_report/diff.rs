//! Differences for programs.

use crate::report::diff::{Difference, LibraryDifference, Side};
use crate::report::json_report::Json;

/// One difference, as a JSON object on one line without its end.
pub fn difference(one: &Difference) -> String {
    Json::Object(vec![
        ("db", Json::from(one.db)),
        ("key", Json::bytes(&one.key)),
        ("change", Json::from(one.change.name())),
        ("old", Json::from(one.old.as_ref().map(side))),
        ("new", Json::from(one.new.as_ref().map(side))),
    ])
    .to_string()
}

/// One function library that differs, as a JSON object on one line without its end.
pub fn library_difference(one: &LibraryDifference) -> String {
    Json::Object(vec![
        ("function", Json::bytes(&one.name)),
        ("change", Json::from(one.change.name())),
    ])
    .to_string()
}

fn side(side: &Side) -> Json {
    Json::Object(vec![
        ("type", Json::from(side.of.name())),
        ("elements", Json::from(side.elements)),
        ("bytes", Json::from(side.bytes)),
        ("expire_at_ms", Json::from(side.expires_at)),
    ])
}
