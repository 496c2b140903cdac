//! The table of targets.

use crate::report::formats::ServerFormat;
use crate::report::json_report::{Json, SCHEMA};

/// One server: an object a line.
pub fn server_format(one: &ServerFormat) -> String {
    let types = Json::list(&one.new_types, |of| {
        Json::Object(vec![
            ("number", Json::from(of.number())),
            ("name", Json::from(of.name())),
        ])
    });
    let thresholds = Json::list(&one.thresholds, |(name, value)| {
        Json::Object(vec![
            ("setting", Json::from(*name)),
            ("value", Json::from(*value)),
        ])
    });
    Json::Object(vec![
        ("schema", Json::from(SCHEMA)),
        ("command", Json::from("formats")),
        ("server", Json::from(one.target.name)),
        ("writes", Json::from(one.writes.as_str())),
        ("reads_redis", Json::from(one.reads_redis)),
        ("reads_valkey", Json::from(one.reads_valkey)),
        ("relaxed", Json::from(one.relaxed)),
        ("new_types", types),
        ("functions", Json::Bool(one.functions)),
        ("field_expiry", Json::Bool(one.field_expiry)),
        ("multi_part_aof", Json::Bool(one.multi_part)),
        ("thresholds", thresholds),
    ])
    .to_string()
}
