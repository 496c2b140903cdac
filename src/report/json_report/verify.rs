//! The report of `verify`, and how an earlier one is read.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::report::finding::Findings;
use crate::report::json_report::{Json, SCHEMA, found, head, loads_on, log_file, magic, set_facts};
use crate::report::replay::DbKeys;
use crate::report::verify::{Age, Assertion, Baseline, Loaded, StartReport, VerifyReport};

/// The report of `verify`, with the exit status that it leads to.
pub fn verify(report: &VerifyReport, exit: u8) -> String {
    let mut object = head(
        "verify",
        &report.input,
        report.kind,
        report.verdict().name(),
    );
    for (name, value) in &mut object {
        if *name == "like" {
            *value = Json::from(report.starts.first().map(|start| start.like.as_str()));
        }
    }
    let files = report.starts.iter().flat_map(files).collect();
    object.push(("files", Json::Array(files)));
    object.extend(found(&report.all_findings(), &report.input));
    object.push(("loads_on", Json::list(&report.loads_on(), loads_on)));
    object.push(("exit", Json::from(exit)));
    object.push(("compressed", Json::from(report.compressed)));
    object.push(("archived", Json::Bool(report.archived)));
    object.push(("now_ms", Json::from(report.now)));
    object.push(("assertions", assertions(&report.assertions)));
    let starts = Json::list(&report.starts, |one| start(one, &report.input, report.now));
    object.push(("starts", starts));
    let holdings = Json::list(&report.holdings, |holding| {
        Json::Object(vec![
            ("name", Json::from(holding.name.as_str())),
            (
                "age",
                Json::from(holding.age.map(|one| age(one, report.now))),
            ),
            ("used", Json::Bool(holding.used)),
        ])
    });
    object.push(("holdings", holdings));
    let loss = report.loss.as_ref().map(|loss| {
        Json::Object(vec![
            ("log", Json::from(loss.log.as_str())),
            ("snapshot", Json::from(loss.snapshot.as_str())),
            ("only_in_log", Json::from(loss.only_in_log)),
            ("only_in_snapshot", Json::from(loss.only_in_snapshot)),
            ("changed", Json::from(loss.changed)),
        ])
    });
    object.push(("loss", Json::from(loss)));
    Json::Object(object).to_string()
}

fn files(start: &StartReport) -> Vec<Json> {
    let name = start.name.as_deref().unwrap_or_default();
    match &start.loaded {
        Loaded::Log(check) => check.files.iter().map(log_file).collect(),
        Loaded::Snapshot(check) => vec![Json::Object(vec![
            ("name", Json::from(name)),
            ("role", Json::from("snapshot")),
            ("seq", Json::Null),
            ("size", Json::from(check.size)),
            ("format", Json::from(check.version.map(magic))),
        ])],
        Loaded::Nothing(_) => Vec::new(),
    }
}

fn start(start: &StartReport, input: &str, now: Option<i64>) -> Json {
    let what = match &start.loaded {
        Loaded::Snapshot(_) => Some("rdb"),
        Loaded::Log(check) if check.set.is_some() => Some("set"),
        Loaded::Log(_) => Some("aof"),
        Loaded::Nothing(_) => None,
    };
    let set = match &start.loaded {
        Loaded::Log(check) => check.set.as_ref().map(set_facts),
        _ => None,
    };
    let findings: Findings = start.all_findings();
    let mut object = vec![
        ("start", Json::from(start.start.name())),
        ("like", Json::from(start.like.as_str())),
        ("loads", Json::from(start.name.as_deref())),
        ("kind", Json::from(what)),
        ("verdict", Json::from(start.verdict().name())),
        ("files", Json::Array(files(start))),
        ("set", Json::from(set)),
    ];
    object.extend(found(&findings, input));
    object.push(("loads_on", Json::list(start.loads_on(), loads_on)));
    object.push(("keys", Json::from(start.keys())));
    object.push(("expires", Json::from(start.expires())));
    object.push((
        "dbs",
        Json::list(&start.dbs, |(db, counts)| self::db(*db, counts)),
    ));
    object.push(("age", Json::from(start.age.map(|one| age(one, now)))));
    let digest = start.digest.as_ref();
    object.push(("digest", Json::from(digest.map(|(hex, _)| hex.as_str()))));
    let partial = digest.map(|(_, partial)| Json::Bool(*partial));
    object.push(("digest_partial", Json::from(partial)));
    object.push(("full_digest", Json::from(start.full_digest.as_deref())));
    object.push(("assertions", assertions(&start.assertions)));
    Json::Object(object)
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

fn age(age: Age, now: Option<i64>) -> Json {
    Json::Object(vec![
        ("at_ms", Json::from(age.at)),
        ("from", Json::from(age.from.name())),
        (
            "age_ms",
            Json::from(now.map(|now| now.saturating_sub(age.at))),
        ),
    ])
}

fn assertions(assertions: &[Assertion]) -> Json {
    Json::list(assertions, |one| {
        let failed = one.failed.as_ref();
        Json::Object(vec![
            ("name", Json::from(one.name.as_str())),
            ("ok", Json::Bool(failed.is_none())),
            ("how", Json::from(failed.map(|(how, _)| how.name()))),
            ("why", Json::from(failed.map(|(_, why)| why.as_str()))),
        ])
    })
}

/// Reads earlier reports of `verify`, an object a line.
///
/// # Errors
/// A usage error about a line that is no such report, or of a backup that did not restore: that is
/// nothing to hold another one against.
pub fn baseline(text: &[u8]) -> Result<Baseline> {
    let mut baseline = Baseline::default();
    for (index, line) in text.split(|&b| b == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |what: &str| Error::usage(format!("the baseline, line {}: {what}", index + 1));
        let report: Value =
            serde_json::from_slice(line).map_err(|error| wrong(&error.to_string()))?;
        if report["schema"] != SCHEMA || report["command"] != "verify" {
            return Err(wrong("this is no report of `verify`"));
        }
        let input = report["input"].as_str().unwrap_or_default().to_owned();
        let mut starts = BTreeMap::new();
        for start in report["starts"].as_array().into_iter().flatten() {
            let name = start["start"].as_str().unwrap_or_default().to_owned();
            let mut counts = BTreeMap::new();
            for db in start["dbs"].as_array().into_iter().flatten() {
                let number = db["db"].as_u64().and_then(|db| u32::try_from(db).ok());
                let number = number.ok_or_else(|| wrong("a database has no number"))?;
                for of in db["types"].as_array().into_iter().flatten() {
                    let (Some(name), Some(keys)) = (of["type"].as_str(), of["keys"].as_u64())
                    else {
                        return Err(wrong("a type has no count"));
                    };
                    counts.insert((number, name.to_owned()), keys);
                }
            }
            if start["verdict"] != "loads" {
                return Err(wrong("it is of a backup that did not restore"));
            }
            starts.insert(name, counts);
        }
        if starts.is_empty() {
            return Err(wrong("it has no counts of keys"));
        }
        baseline.reports.push((input, starts));
    }
    match baseline.reports.is_empty() {
        true => Err(Error::usage("the baseline has no report")),
        false => Ok(baseline),
    }
}
