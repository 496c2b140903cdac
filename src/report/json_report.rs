//! Reports for programs: one JSON object a report, on one line, as `docs/schemas` publishes it.
//!
//! Fields come in the order of the schema, so that a report can be read by people as well; hence
//! a small tree of our own instead of the sorted maps of `serde_json`, which quotes the strings.

mod cut;
mod diff;
mod fix;
mod formats;
pub mod removed;
mod replay;
mod salvage;
mod stats;
mod verify;
mod written;

use std::fmt::{self, Write};

use base64_simd::STANDARD;

use crate::error::{Error, ErrorKind};
use crate::record::types::{Family, RdbVersion};
use crate::report::aof::{AofReport, FileReport, FileRole, LogTally, SetFacts};
use crate::report::check::{CheckReport, ChecksumState, DbTally, LoadsOn};
use crate::report::finding::{Finding, Findings};
use crate::report::fix::FixReport;
use crate::report::info::{InfoReport, Writer};
use crate::report::log_info::{LogFileInfo, LogInfo, Times};

pub use cut::cut;
pub use diff::{difference, library_difference};
pub use formats::server_format;
pub use replay::replay;
pub use salvage::{lost_place, salvage};
pub use stats::stats;
pub use verify::{baseline, verify};
pub use written::written;

/// The name and version of the schema; it changes when a field changes its meaning.
pub const SCHEMA: &str = "redkit.report/1";

/// The report of `check-rdb`, with the exit status that it leads to.
pub fn check(report: &CheckReport, exit: u8) -> String {
    let mut object = head(
        "check-rdb",
        &report.input,
        Some("rdb"),
        report.verdict.name(),
    );
    object.push((
        "files",
        files(&report.input, "snapshot", Some(report.size), report.version),
    ));
    object.extend(found(&report.findings, &report.input));
    object.push(("loads_on", Json::list(&report.loads_on, loads_on)));
    object.push(("exit", Json::from(exit)));
    object.push(("format", format(report.version)));
    object.push(("compressed", Json::from(report.compressed)));
    object.push(("writer", writer(Writer::of(report.version, &report.aux))));
    object.push(("aux", aux(&report.aux)));
    object.push(("keys", Json::from(report.keys())));
    object.push(("expires", Json::from(report.expires())));
    object.push((
        "dbs",
        Json::list(&report.dbs, |(db, tally)| self::db(*db, tally)),
    ));
    object.push(("functions", Json::from(report.functions)));
    object.push(("module_aux", Json::from(report.module_aux)));
    let modules = Json::list(&report.uses.modules, |(name, values)| {
        Json::Object(vec![
            ("name", Json::from(name.as_str())),
            ("values", Json::from(*values)),
        ])
    });
    object.push(("modules", modules));
    object.push(("checksum", checksum(report.checksum)));
    object.push(("good_until", Json::from(report.good_until)));
    object.push(("duplicates_checked", Json::Bool(report.duplicates_checked)));
    Json::Object(object).to_string()
}

/// The report of `check-aof`, with the exit status that it leads to.
pub fn aof(report: &AofReport, exit: u8) -> String {
    let object = of_log("check-aof", report, &Findings::default(), exit);
    Json::Object(object).to_string()
}

/// The same with the plan of a fix, and what came of it: why nothing was written, if so, and whether
/// nothing should be.
pub fn aof_fix(
    report: &AofReport,
    fix: Option<&FixReport>,
    refused: Option<&'static str>,
    dry_run: bool,
    exit: u8,
) -> String {
    let mut object = of_log("check-aof", report, &Findings::default(), exit);
    let fix = fix.map(|fix| fix::fix(fix, refused, dry_run));
    object.push(("fix", Json::from(fix)));
    Json::Object(object).to_string()
}

fn of_log(command: &'static str, report: &AofReport, more: &Findings, exit: u8) -> Fields {
    let kind = match report.set {
        Some(_) => "set",
        None => "aof",
    };
    let verdict = report.verdict().name();
    let mut object = head(command, &report.input, Some(kind), verdict);
    for (name, value) in &mut object {
        if *name == "like" {
            *value = Json::from(report.like.as_str());
        }
    }
    object.push(("files", Json::list(&report.files, log_file)));
    let mut all = Vec::new();
    let mut counts = (0, 0, 0);
    let files = report.files.iter().map(|file| (&file.findings, &file.name));
    let own = std::iter::once((&report.findings, &report.input));
    let more = std::iter::once((more, &report.input));
    for (findings, name) in own.chain(files).chain(more) {
        counts.0 += findings.count();
        counts.1 += findings.errors();
        counts.2 += findings.warnings();
        let room = Findings::LISTED.saturating_sub(all.len());
        all.extend(findings.list().iter().take(room).map(|f| finding(f, name)));
    }
    object.push(("findings", Json::Array(all)));
    object.push(("counts", counted(counts)));
    object.push(("loads_on", Json::list(&report.loads_on, loads_on)));
    object.push(("exit", Json::from(exit)));
    object.push(("compressed", Json::from(report.compressed)));
    let at_file = report.at_file.and_then(|index| report.files.get(index));
    let server = Json::Object(vec![
        ("does", Json::from(verdict)),
        ("file", Json::from(at_file.map(|file| file.name.as_str()))),
        ("offset", Json::from(report.fate.offset())),
        ("why", Json::from(report.fate.why())),
    ]);
    object.push(("server", server));
    object.push(("set", Json::from(report.set.as_ref().map(set_facts))));
    let tally = report.tally();
    let names = Json::list(&tally.names, |(name, count)| {
        Json::Object(vec![
            ("name", Json::from(name.as_str())),
            ("count", Json::from(*count)),
        ])
    });
    object.extend(log_tally(&tally));
    object.push(("names", names));
    object
}

fn log_file(file: &FileReport) -> Json {
    let preamble = file.preamble.as_deref();
    let format = match preamble {
        Some(preamble) => preamble.version.map(magic),
        None => Some("resp".to_owned()),
    };
    let mut object = vec![
        ("name", Json::from(file.name.as_str())),
        ("role", Json::from(file.role.name())),
        ("seq", Json::from(file.seq)),
        ("size", Json::from(file.size)),
        ("format", Json::from(format)),
    ];
    let preamble = preamble.map(|preamble| {
        Json::Object(vec![
            ("format", self::format(preamble.version)),
            ("verdict", Json::from(preamble.verdict.name())),
            ("keys", Json::from(preamble.keys())),
            ("expires", Json::from(preamble.expires())),
            ("checksum", checksum(preamble.checksum)),
        ])
    });
    object.push(("preamble", Json::from(preamble)));
    object.push(("log_start", Json::from(file.log_start)));
    object.push(("good_until", Json::from(file.good_until)));
    object.extend(log_tally(&file.tally));
    Json::Object(object)
}

fn log_tally(tally: &LogTally) -> Fields {
    vec![
        ("commands", Json::from(tally.commands)),
        ("transactions", Json::from(tally.transactions)),
        ("annotations", Json::from(tally.annotations)),
        ("first_time", Json::from(tally.times.map(|times| times.0))),
        ("last_time", Json::from(tally.times.map(|times| times.1))),
        ("damages", Json::from(tally.damages)),
        ("damaged_bytes", Json::from(tally.damaged_bytes)),
        ("behind_damage", Json::from(tally.behind_damage)),
    ]
}

/// The report of `info`, with the exit status that it leads to.
pub fn info(report: &InfoReport, exit: u8) -> String {
    let kind = match report.behind {
        Some(_) => "aof",
        None => "rdb",
    };
    let mut object = head("info", &report.input, Some(kind), "unknown");
    let role = match report.behind {
        Some(_) => FileRole::Log.name(),
        None => "snapshot",
    };
    object.push((
        "files",
        files(&report.input, role, report.size, report.version),
    ));
    object.extend(found(&report.findings, &report.input));
    object.push(("loads_on", Json::Array(Vec::new())));
    object.push(("exit", Json::from(exit)));
    object.push(("format", format(report.version)));
    object.push(("compressed", Json::from(report.compressed)));
    object.push(("writer", writer(report.writer())));
    object.push(("aux", aux(&report.aux)));
    object.push(("aux_left_out", Json::from(report.aux_left_out)));
    object.push(("functions", Json::from(report.functions)));
    object.push(("module_aux", Json::from(report.module_aux)));
    let first_db = report.first_db.map(|first| {
        Json::Object(vec![
            ("db", Json::from(first.db)),
            ("keys", Json::from(first.keys)),
            ("expires", Json::from(first.expires)),
        ])
    });
    object.push(("first_db", Json::from(first_db)));
    object.push(("ending", Json::from(report.ending.map(|e| e.name()))));
    object.push(("modified_at_ms", Json::from(report.modified)));
    if let Some(times) = report.behind {
        object.extend(self::times(times));
    }
    Json::Object(object).to_string()
}

/// The report of `info` about a log or a set, with the exit status that it leads to.
pub fn log_info(report: &LogInfo, exit: u8) -> String {
    let kind = match report.set {
        Some(_) => "set",
        None => "aof",
    };
    let mut object = head("info", &report.input, Some(kind), "unknown");
    let file = |file: &LogFileInfo| {
        let snapshot = file.snapshot.as_deref();
        let format = match snapshot {
            Some(snapshot) => snapshot.version.map(magic),
            None => Some("resp".to_owned()),
        };
        let mut object = vec![
            ("name", Json::from(file.name.as_str())),
            ("role", Json::from(file.role.name())),
            ("seq", Json::from(file.seq)),
            ("size", Json::from(file.size)),
            ("format", Json::from(format)),
            ("writer", writer(snapshot.and_then(InfoReport::writer))),
        ];
        object.extend(times(file.times));
        Json::Object(object)
    };
    object.push(("files", Json::list(&report.files, file)));
    object.extend(found(&report.findings, &report.input));
    object.push(("loads_on", Json::Array(Vec::new())));
    object.push(("exit", Json::from(exit)));
    object.push(("compressed", Json::from(report.compressed)));
    object.push(("set", Json::from(report.set.as_ref().map(set_facts))));
    object.extend(times(report.times()));
    object.push(("modified_at_ms", Json::from(report.modified)));
    Json::Object(object).to_string()
}

fn times(times: Times) -> Fields {
    vec![
        ("first_time", Json::from(times.first)),
        ("last_time", Json::from(times.last)),
    ]
}

fn set_facts(set: &SetFacts) -> Json {
    Json::Object(vec![
        ("folder", Json::from(set.folder.as_str())),
        ("manifest", Json::from(set.manifest.as_deref())),
        ("upgrade", Json::Bool(set.upgrade)),
    ])
}

/// What stands in the place of a report where there is none: the input could not be read, or is
/// not of the kind that the command reads.
pub fn failure(command: &'static str, input: &str, error: &Error, exit: u8) -> String {
    let mut object = head(command, input, None, "unknown");
    object.push(("files", Json::Array(Vec::new())));
    object.extend(found(&Findings::default(), input));
    object.push(("loads_on", Json::Array(Vec::new())));
    object.push(("exit", Json::from(exit)));
    let kind = match error.kind() {
        ErrorKind::Bytes(_) | ErrorKind::Text(_) => "damage",
        ErrorKind::Io(_) | ErrorKind::ClosedPipe => "io",
        ErrorKind::WrongKind { .. } => "wrong-kind",
        ErrorKind::Unsupported(_) => "unsupported",
        ErrorKind::Limit(_) => "limit",
        ErrorKind::Usage(_) => "usage",
    };
    let error = Json::Object(vec![
        ("kind", Json::from(kind)),
        ("message", Json::from(error.kind().to_string())),
        ("hint", Json::from(error.hint().map(|h| h.to_string()))),
    ]);
    object.push(("error", error));
    Json::Object(object).to_string()
}

/// One entry of the list of findings and what they mean.
pub fn explanation(doc: &crate::report::findings_doc::FindingDoc) -> String {
    Json::Object(vec![
        ("schema", Json::from("redkit.explanation/1")),
        ("code", Json::from(doc.code)),
        ("title", Json::from(doc.title)),
        ("meaning", Json::from(doc.meaning)),
        ("example", Json::from(doc.example)),
        ("remedy", Json::from(doc.remedy)),
    ])
    .to_string()
}

type Fields = Vec<(&'static str, Json)>;

fn head(command: &'static str, input: &str, kind: Option<&str>, verdict: &'static str) -> Fields {
    vec![
        ("schema", Json::from(SCHEMA)),
        ("command", Json::from(command)),
        ("input", Json::from(input)),
        ("kind", Json::from(kind)),
        ("like", Json::Null),
        ("verdict", Json::from(verdict)),
    ]
}

fn files(input: &str, role: &'static str, size: Option<u64>, version: Option<RdbVersion>) -> Json {
    Json::Array(vec![Json::Object(vec![
        ("name", Json::from(input)),
        ("role", Json::from(role)),
        ("seq", Json::Null),
        ("size", Json::from(size)),
        ("format", Json::from(version.map(magic))),
    ])])
}

fn magic(version: RdbVersion) -> String {
    version.magic().iter().map(|&b| char::from(b)).collect()
}

fn format(version: Option<RdbVersion>) -> Json {
    Json::from(version.map(|version| {
        let family = match version.family {
            Family::Redis => "redis",
            Family::Valkey => "valkey",
        };
        Json::Object(vec![
            ("family", Json::from(family)),
            ("version", Json::from(version.number)),
        ])
    }))
}

fn writer(writer: Option<Writer<'_>>) -> Json {
    Json::from(writer.map(|writer| {
        Json::Object(vec![
            (
                "software",
                Json::from(writer.software.name().to_ascii_lowercase()),
            ),
            ("version", Json::from(writer.version.map(Json::bytes))),
        ])
    }))
}

fn aux(aux: &[(Vec<u8>, Vec<u8>)]) -> Json {
    Json::list(aux, |(name, value)| {
        Json::Object(vec![
            ("name", Json::bytes(name)),
            ("value", Json::bytes(value)),
        ])
    })
}

fn found(findings: &Findings, file: &str) -> Fields {
    vec![
        (
            "findings",
            Json::list(findings.list(), |f| finding(f, file)),
        ),
        (
            "counts",
            counted((findings.count(), findings.errors(), findings.warnings())),
        ),
    ]
}

/// Findings of any severity, errors, warnings.
fn counted((findings, errors, warnings): (u64, u64, u64)) -> Json {
    Json::Object(vec![
        ("findings", Json::from(findings)),
        ("errors", Json::from(errors)),
        ("warnings", Json::from(warnings)),
    ])
}

fn finding(finding: &Finding, file: &str) -> Json {
    let inside = finding.place.inside.map(|(encoding, byte)| {
        Json::Object(vec![
            ("encoding", Json::from(encoding.name())),
            ("byte", Json::from(byte)),
        ])
    });
    Json::Object(vec![
        ("code", Json::from(finding.code)),
        ("severity", Json::from(finding.severity.name())),
        ("file", Json::from(finding.file.as_deref().unwrap_or(file))),
        ("start", Json::from(finding.start)),
        ("end", Json::from(finding.end)),
        ("db", Json::from(finding.db)),
        ("key", Json::from(finding.key.as_deref().map(Json::bytes))),
        ("type", Json::from(finding.value_type)),
        ("message", Json::from(finding.message.as_str())),
        ("hint", Json::from(finding.hint.map(|h| h.to_string()))),
        ("at", Json::from(finding.place.offset)),
        ("inside", Json::from(inside)),
    ])
}

fn loads_on(server: &LoadsOn) -> Json {
    Json::Object(vec![
        ("server", Json::from(server.server)),
        ("ok", Json::Bool(server.ok)),
        (
            "needs",
            Json::list(&server.needs, |n| Json::from(n.as_str())),
        ),
        ("why", Json::from(server.why.as_deref())),
    ])
}

fn db(db: u32, tally: &DbTally) -> Json {
    let types = Json::list(&tally.types, |((rdb_type, encoding), of)| {
        Json::Object(vec![
            ("type", Json::from(rdb_type.data_type().name())),
            ("encoding", Json::from(*encoding)),
            ("layout", Json::from(rdb_type.name())),
            ("number", Json::from(rdb_type.number())),
            ("keys", Json::from(of.keys)),
            ("bytes", Json::from(of.bytes)),
        ])
    });
    Json::Object(vec![
        ("db", Json::from(db)),
        ("keys", Json::from(tally.keys)),
        ("expires", Json::from(tally.expires)),
        ("types", types),
    ])
}

fn checksum(state: ChecksumState) -> Json {
    let (stored, computed) = match state {
        ChecksumState::Matches(sum) => (Some(sum), Some(sum)),
        ChecksumState::Differs { stored, computed } => (Some(stored), Some(computed)),
        _ => (None, None),
    };
    let hex = |sum: Option<u64>| Json::from(sum.map(|sum| format!("{sum:016x}")));
    Json::Object(vec![
        ("state", Json::from(state.name())),
        ("stored", hex(stored)),
        ("computed", hex(computed)),
    ])
}

/// A JSON value whose objects keep the order of their fields.
enum Json {
    Null,
    Bool(bool),
    Number(i128),
    String(String),
    Array(Vec<Json>),
    Object(Fields),
}

impl Json {
    /// Bytes as in `dump-to-json`: text where they are UTF-8, else an object with base64.
    fn bytes(bytes: &[u8]) -> Json {
        match std::str::from_utf8(bytes) {
            Ok(text) => Json::from(text),
            Err(_) => Json::Object(vec![("$b64", Json::from(STANDARD.encode_to_string(bytes)))]),
        }
    }

    fn list<T>(items: impl IntoIterator<Item = T>, each: impl FnMut(T) -> Json) -> Json {
        Json::Array(items.into_iter().map(each).collect())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Json::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Json::String(text)
    }
}

macro_rules! numbers {
    ($($ty:ty),*) => { $(impl From<$ty> for Json {
        fn from(n: $ty) -> Self {
            Json::Number(i128::from(n))
        }
    })* };
}
numbers!(u8, u32, u64, i64);

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Json::Null, Into::into)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Number(value) => write!(f, "{value}"),
            Json::String(text) => quote(f, text),
            Json::Array(items) => {
                f.write_char('[')?;
                for (i, item) in items.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma}{item}")?;
                }
                f.write_char(']')
            }
            Json::Object(fields) => {
                f.write_char('{')?;
                for (i, (name, value)) in fields.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    quote(f, name)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Place;
    use crate::report::finding::Severity;

    fn parsed(text: &str) -> serde_json::Value {
        assert!(!text.contains('\n'), "{text}");
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_report_is_one_line_with_the_fields_of_the_contract_in_front() {
        let text = check(&crate::report::text::tests::sample(), 1);
        let front = r#"{"schema":"redkit.report/1","command":"check-rdb","input":"dump.rdb","kind":"rdb","like":null,"verdict":"refused","files":[{"name":"dump.rdb","role":"snapshot","seq":null,"size":1000,"format":"REDIS0010"}],"findings":[{"code":"blob-entry","severity":"error","file":"dump.rdb","start":100,"end":200,"db":3,"key":{"$b64":"dXNlcjr/Gw=="},"type":"hash-listpack","message":"#;
        assert!(text.starts_with(front), "{text}");
        let report = parsed(&text);
        assert_eq!(report["exit"], 1);
        assert_eq!(report["findings"][0]["inside"]["byte"], 37);
        assert_eq!(report["checksum"]["computed"], "00000000000000ab");
        assert_eq!(report["dbs"][0]["types"][0]["layout"], "hash-listpack");
        assert_eq!(report["writer"]["software"], "redis");
    }

    #[test]
    fn text_that_json_must_escape_is_escaped() {
        let mut report = crate::report::text::tests::sample();
        report.input = "a\"\\\n\u{1}ü".to_owned();
        let mut findings = Findings::default();
        findings.push(Finding {
            code: "x",
            severity: Severity::Info,
            start: u64::MAX,
            end: u64::MAX,
            place: Place::at(0),
            db: None,
            key: None,
            value_type: None,
            message: "\"".to_owned(),
            hint: None,
            file: None,
        });
        report.findings = findings;
        let json = parsed(&check(&report, 0));
        assert_eq!(json["input"], report.input);
        assert_eq!(json["findings"][0]["message"], "\"");
        assert_eq!(json["findings"][0]["start"], u64::MAX);
    }

    #[test]
    fn a_failure_has_the_shape_of_a_report() {
        let error = Error::new(ErrorKind::WrongKind {
            found: "an AOF",
            expected: "an RDB file",
        });
        let json = parsed(&failure("info", "x.aof", &error, 4));
        assert_eq!(json["error"]["kind"], "wrong-kind");
        assert_eq!(json["error"]["message"], "this is an AOF, not an RDB file");
        assert_eq!(
            (&json["exit"], &json["verdict"]),
            (&4.into(), &"unknown".into())
        );
    }
}
