//! Reports for people: a few lines, a few tables, every finding with what helps.

mod aof;
mod cut;
mod diff;
mod fix;
mod formats;
mod log_info;
mod replay;
mod salvage;
mod stats;
mod verify;
mod written;

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::bytes::time;
use crate::error::printable;
use crate::record::types::{Family, RdbVersion};
use crate::report::check::{CheckReport, ChecksumState, LoadsOn, Verdict};
use crate::report::finding::{Finding, Findings, Severity};
use crate::report::findings_doc::FindingDoc;
use crate::report::info::{self, Ending, InfoReport, Writer};

pub use aof::{aof, aof_briefly};
pub use cut::cut;
pub use diff::{difference, library_difference};
pub use fix::{done as fix_done, plan as fix_plan};
pub use formats::formats;
pub use log_info::log_info;
pub use replay::{digests_at, replay};
pub use salvage::salvage;
pub use stats::stats;
pub(in crate::report) use stats::{name as key_name, size_words, ttl_words};
pub use verify::verify;
pub use written::written;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// No.
    Plain,
    /// With the escape sequences of terminals.
    Colours,
}

impl Paint {
    /// What is wrong.
    pub fn bad(self, text: &str) -> String {
        self.put("1;31", text)
    }
    /// What is doubtful.
    pub fn doubtful(self, text: &str) -> String {
        self.put("1;33", text)
    }
    /// What is well.
    pub fn good(self, text: &str) -> String {
        self.put("1;32", text)
    }
    /// Names of things.
    pub fn strong(self, text: &str) -> String {
        self.put("1", text)
    }
    /// Advice.
    pub fn advice(self, text: &str) -> String {
        self.put("36", text)
    }

    fn put(self, code: &str, text: &str) -> String {
        match self {
            Paint::Plain => text.to_owned(),
            Paint::Colours => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    fn severity(self, severity: Severity) -> String {
        match severity {
            Severity::Error => self.bad(severity.name()),
            Severity::Warning => self.doubtful(severity.name()),
            Severity::Info => self.advice(severity.name()),
        }
    }
}

/// The report of `check-rdb`.
pub fn check(report: &CheckReport, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    let mut facts = Facts::default();
    let mut format = format_words(report.version);
    format.push_str(&format!(", {}", bytes(report.size)));
    if let Some(codec) = report.compressed {
        format.push_str(&format!(", decompressed from {codec}"));
    }
    facts.add("format", format);
    writer(
        &mut facts,
        Writer::of(report.version, &report.aux),
        &report.aux,
    );
    let dbs = counted(report.dbs.len() as u64, "database");
    let (keys, expires) = (grouped(report.keys()), grouped(report.expires()));
    facts.add("keys", format!("{keys} in {dbs}, {expires} with an expiry"));
    facts.add_count("functions", report.functions);
    facts.add_count("module records", report.module_aux);
    for (name, values) in &report.uses.modules {
        let values = counted(*values, "value");
        facts.add("module", format!("{}, {values}", shown(name)));
    }
    facts.add("checksum", checksum(report.checksum));
    if report.good_until < report.size {
        facts.add("good until", offset(report.good_until));
    }
    out.push_str(&facts.finish());
    if let Some(table) = types(report) {
        out.push_str(&format!("\n{table}"));
    }
    out.push_str(&findings(&report.findings, paint));
    if let Some(table) = loads_on(&report.loads_on) {
        out.push_str(&format!("\n{table}"));
    }
    out.push_str(&format!("\n{}\n", verdict(report, paint)));
    out
}

/// What is left of the report of `check-rdb` when only what is wrong is asked for: the findings
/// that are at least so bad, and the verdict.
pub fn check_briefly(report: &CheckReport, least: Severity, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    for finding in report.findings.list() {
        if finding.severity >= least {
            out.push_str(&self::finding(finding, paint, "  "));
        }
    }
    out.push_str(&format!("  {}\n", verdict(report, paint)));
    out
}

/// The report of `info`.
pub fn info(report: &InfoReport, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    let mut facts = Facts::default();
    let mut format = format_words(report.version);
    if let Some(size) = report.size {
        format.push_str(&format!(", {}", bytes(size)));
    }
    if let Some(codec) = report.compressed {
        format.push_str(&format!(" of {codec}"));
    }
    facts.add("format", format);
    if let Some(modified) = report.modified {
        facts.add("modified", moment(modified));
    }
    writer(&mut facts, report.writer(), &report.aux);
    if report.aux_left_out > 0 {
        let more = counted(report.aux_left_out, "more AUX field");
        facts.add("aux", format!("and {more}, not shown for their size"));
    }
    facts.add_count("functions", report.functions);
    facts.add_count("module records", report.module_aux);
    if let Some(first) = report.first_db {
        let (keys, expires) = (grouped(first.keys), grouped(first.expires));
        let words = format!("{keys} keys, {expires} with an expiry, says its header");
        facts.add(&format!("db {}", first.db), words);
    }
    match report.ending {
        Some(Ending::Whole) => facts.add("end", "end mark"),
        Some(Ending::WithoutChecksum) => facts.add("end", "end mark without a checksum"),
        Some(Ending::Other) if report.behind.is_some() => {
            facts.add("end", "commands: a log stands behind the snapshot");
            log_info::times(&mut facts, report.behind.unwrap_or_default());
        }
        Some(Ending::Other) => facts.add(
            "end",
            "no end mark where it should be: cut short, or other bytes behind it",
        ),
        None => {}
    }
    out.push_str(&facts.finish());
    out.push_str(&findings(&report.findings, paint));
    out
}

/// What a finding means, for people.
pub fn explanation(doc: &FindingDoc, paint: Paint) -> String {
    let mut out = format!(
        "{}: {}\n\n{}\n",
        paint.strong(doc.code),
        doc.title,
        wrapped(doc.meaning)
    );
    for (name, text) in [("Example", doc.example), ("Remedy", doc.remedy)] {
        let text = wrapped(&format!("{name}: {text}"));
        out.push_str(&format!(
            "\n{}\n",
            text.replacen(name, &paint.advice(name), 1)
        ));
    }
    out
}

/// Every finding in a few words.
pub fn explanations(docs: &[FindingDoc]) -> String {
    let mut facts = Facts::default();
    for doc in docs {
        facts.add(doc.code, doc.title);
    }
    facts.finish()
}

/// Text in lines of at most 80 characters.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split(' ') {
        let len = word.chars().count();
        if width > 0 && width + 1 + len > 80 {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += len;
    }
    out
}

/// One finding: what, where, in which key, and what helps; a line each, the later ones indented
/// below the first.
pub fn finding(finding: &Finding, paint: Paint, indent: &str) -> String {
    let severity = paint.severity(finding.severity);
    let code = paint.strong(finding.code);
    let mut out = format!("{indent}{severity} {code}: {}\n", finding.message);
    circumstances(finding, paint, indent, &mut out);
    out
}

/// The same where no report names the file.
pub fn finding_in(file: &str, finding: &Finding, paint: Paint) -> String {
    let severity = paint.severity(finding.severity);
    let code = paint.strong(finding.code);
    let file = shown(file);
    let mut out = format!("{severity}: {file}: {code}: {}\n", finding.message);
    circumstances(finding, paint, "", &mut out);
    out
}

fn circumstances(finding: &Finding, paint: Paint, indent: &str, out: &mut String) {
    let mut line = |text: String| out.push_str(&format!("{indent}  {text}\n"));
    let mut place = match finding.end.saturating_sub(finding.start) {
        0 => format!("at byte {}", offset(finding.start)),
        _ => {
            let (start, end) = (offset(finding.start), offset(finding.end));
            format!("in bytes {start} to {end}")
        }
    };
    if finding.place.offset != finding.start {
        place.push_str(&format!(", at {}", offset(finding.place.offset)));
    }
    if let Some((encoding, byte)) = finding.place.inside {
        place.push_str(&format!(", byte {byte} of the {}", encoding.name()));
    }
    match &finding.file {
        // The file as such, whatever its bytes.
        Some(_) if finding.start == 0 => {}
        Some(file) => line(format!("{place} of {}", shown(file))),
        None => line(place),
    }
    if let Some(key) = &finding.key {
        let mut words = format!("key \"{}\"", printable(key));
        if let Some(db) = finding.db {
            words.push_str(&format!(" in db {db}"));
        }
        if let Some(value_type) = finding.value_type {
            words.push_str(&format!(", {value_type}"));
        }
        line(words);
    }
    if let Some(hint) = finding.hint {
        line(format!("{} {hint}", paint.advice("hint:")));
    }
}

/// A name for a terminal: as it is, but control characters, which a terminal would obey, escaped.
pub fn shown(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A number in groups of three digits.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with its noun, which takes an "s" for all but one.
pub fn counted(n: u64, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", grouped(n))
}

/// Two columns, a name and what there is to say.
#[derive(Default)]
struct Facts(Vec<[String; 2]>);

impl Facts {
    fn add(&mut self, name: &str, words: impl Into<String>) {
        self.0.push([name.to_owned(), words.into()]);
    }

    /// Nothing is said of what is not there.
    fn add_count(&mut self, name: &str, count: u64) {
        if count > 0 {
            self.add(name, grouped(count));
        }
    }

    fn finish(self) -> String {
        let mut table = plain_table();
        table.add_rows(self.0);
        indented(&mut table)
    }
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table
}

/// Puts columns of numbers to the right.
fn to_the_right(table: &mut Table, columns: &[usize]) {
    for index in columns {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Two spaces before the first column and between any two, none at the ends of lines.
fn indented(table: &mut Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((2, 0));
    }
    let mut out = table.trim_fmt();
    out.push('\n');
    out
}

fn format_words(version: Option<RdbVersion>) -> String {
    let Some(version) = version else {
        return "not recognised".to_owned();
    };
    let family = match version.family {
        Family::Redis => "RDB",
        Family::Valkey => "Valkey RDB",
    };
    let magic = version.magic();
    let magic = String::from_utf8_lossy(&magic);
    format!("{family} version {} ({magic})", version.number)
}

/// Who wrote the file and when, and then every field as it stands there.
fn writer(facts: &mut Facts, writer: Option<Writer<'_>>, aux: &[(Vec<u8>, Vec<u8>)]) {
    if let Some(writer) = writer {
        let mut words = writer.software.name().to_owned();
        if let Some(version) = writer.version {
            words.push_str(&format!(" {}", printable(version)));
        }
        let ctime = info::value(aux, "ctime").and_then(number);
        if let Some(ctime) = ctime.and_then(|seconds| seconds.checked_mul(1000)) {
            words.push_str(&format!(", at {}", moment(ctime)));
        }
        facts.add("written by", words);
    }
    for (name, value) in aux {
        facts.add("aux", format!("{} = {}", printable(name), printable(value)));
    }
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn checksum(state: ChecksumState) -> String {
    match state {
        ChecksumState::NotReached => "not reached".to_owned(),
        ChecksumState::Absent => "none in this version".to_owned(),
        ChecksumState::Disabled => "none: disabled by its writer".to_owned(),
        ChecksumState::Matches(sum) => format!("ok, {sum:016x}"),
        ChecksumState::Differs { stored, computed } => {
            format!("differs: the file says {stored:016x}, its bytes give {computed:016x}")
        }
        ChecksumState::Ignored => "ignored".to_owned(),
    }
}

/// Keys and bytes by database, type and encoding.
fn types(report: &CheckReport) -> Option<String> {
    let mut table = plain_table();
    table.set_header(["db", "type", "encoding", "layout", "keys", "bytes"]);
    for (db, tally) in &report.dbs {
        for ((rdb_type, encoding), of) in &tally.types {
            table.add_row([
                db.to_string(),
                rdb_type.data_type().name().to_owned(),
                (*encoding).to_owned(),
                format!("{} ({})", rdb_type.name(), rdb_type.number()),
                grouped(of.keys),
                grouped(of.bytes),
            ]);
        }
    }
    if table.is_empty() {
        return None;
    }
    to_the_right(&mut table, &[0, 4, 5]);
    Some(indented(&mut table))
}

fn findings(findings: &Findings, paint: Paint) -> String {
    let mut out = String::new();
    if findings.is_empty() {
        return out;
    }
    out.push('\n');
    for finding in findings.list() {
        out.push_str(&self::finding(finding, paint, "  "));
    }
    let listed = findings.list().len() as u64;
    if findings.count() > listed {
        let more = grouped(findings.count() - listed);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  and {more} more, counted and not listed");
    }
    out
}

/// Who loads it; neighbours of one family that agree share a line.
fn loads_on(loads_on: &[LoadsOn]) -> Option<String> {
    if loads_on.is_empty() {
        return None;
    }
    let mut table = plain_table();
    table.set_header(["server", "loads", "needs, or why not"]);
    let same = |a: &LoadsOn, b: &LoadsOn| {
        (a.ok, &a.needs, &a.why) == (b.ok, &b.needs, &b.why)
            && server_name(a.server).0 == server_name(b.server).0
    };
    for servers in loads_on.chunk_by(same) {
        let (Some(first), Some(last)) = (servers.first(), servers.last()) else {
            continue;
        };
        let name = match servers.len() {
            1 => first.server.to_owned(),
            _ => format!("{} to {}", first.server, server_name(last.server).1),
        };
        let mut words = first.needs.join(", ");
        if let Some(why) = &first.why {
            if !words.is_empty() {
                words.push_str("; ");
            }
            words.push_str(why);
        }
        let ok = if first.ok { "yes" } else { "no" };
        table.add_row([&name, ok, &words]);
    }
    Some(indented(&mut table))
}

/// Family and version of a server, as in `redis-8.2`.
fn server_name(name: &str) -> (&str, &str) {
    name.split_once('-').unwrap_or(("", name))
}

fn verdict(report: &CheckReport, paint: Paint) -> String {
    let (errors, warnings) = (report.findings.errors(), report.findings.warnings());
    let mut out = verdict_with(report.verdict, errors, warnings, paint);
    if !report.duplicates_checked {
        out.push_str("; duplicate keys not checked");
    }
    out
}

fn verdict_with(verdict: Verdict, errors: u64, warnings: u64, paint: Paint) -> String {
    let name = verdict.name();
    let name = match verdict {
        Verdict::Loads if warnings > 0 => paint.doubtful(name),
        Verdict::Loads => paint.good(name),
        Verdict::LoadsTruncated | Verdict::Refused | Verdict::Crashes => paint.bad(name),
        Verdict::Unknown => paint.doubtful(name),
    };
    let mut out = format!("verdict: {name}");
    for (count, noun) in [(errors, "error"), (warnings, "warning")] {
        if count > 0 {
            out.push_str(&format!(", {}", counted(count, noun)));
        }
    }
    out
}

fn bytes(n: u64) -> String {
    counted(n, "byte")
}

fn offset(n: u64) -> String {
    format!("{n} ({n:#x})")
}

/// A Unix time in ms.
pub fn moment(ms: i64) -> String {
    time::rfc3339(ms).unwrap_or_else(|| format!("{ms} ms since 1970"))
}

/// A stretch of time in ms: its two largest units.
pub fn span(ms: i64) -> String {
    let seconds = ms / 1000;
    let units = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let parts = units.iter().scan(seconds, |rest, (name, unit)| {
        let (n, left) = (*rest / unit, *rest % unit);
        *rest = left;
        Some((n, *name))
    });
    let from_first = parts.skip_while(|(n, _)| *n == 0).take(2);
    let shown: Vec<String> = from_first
        .filter(|(n, _)| *n > 0)
        .map(|(n, name)| format!("{n} {name}"))
        .collect();
    match shown.is_empty() {
        true => "0 s".to_owned(),
        false => shown.join(" "),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::error::{Encoding, Hint, Place};
    use crate::record::types::RdbType;
    use crate::report::check::{DbTally, LoadsOn, Tally, Uses};

    pub(in crate::report) fn sample() -> CheckReport {
        let mut findings = Findings::default();
        findings.push(Finding {
            code: "blob-entry",
            severity: Severity::Error,
            start: 100,
            end: 200,
            place: Place {
                offset: 110,
                inside: Some((Encoding::Listpack, 37)),
            },
            db: Some(3),
            key: Some(b"user:\xff\x1b".to_vec()),
            value_type: Some("hash-listpack"),
            message: "an entry runs past the end of its blob".to_owned(),
            hint: Some(Hint::OneKey),
            file: None,
        });
        let mut db = DbTally {
            keys: 1_234_567,
            expires: 1,
            ..DbTally::default()
        };
        let tally = Tally {
            keys: 1_234_567,
            bytes: 7,
        };
        db.types.insert((RdbType::HashListpack, "listpack"), tally);
        CheckReport {
            input: "dump.rdb".to_owned(),
            size: 1000,
            compressed: Some("gzip"),
            version: Some(RdbVersion {
                family: Family::Redis,
                number: 10,
            }),
            aux: vec![
                (b"redis-ver".to_vec(), b"7.0.15".to_vec()),
                (b"ctime".to_vec(), b"1795236363".to_vec()),
            ],
            dbs: [(3, db)].into(),
            functions: 2,
            module_aux: 0,
            uses: Uses {
                modules: [("ReJSON-RL".to_owned(), 4)].into(),
                ..Uses::default()
            },
            checksum: ChecksumState::Differs {
                stored: 1,
                computed: 0xab,
            },
            good_until: 900,
            duplicates_checked: false,
            findings,
            verdict: Verdict::Refused,
            loads_on: ["redis-7.0", "redis-7.2", "redis-8.2", "valkey-8.0"]
                .map(|server| LoadsOn {
                    server,
                    ok: server == "redis-7.0",
                    needs: Vec::new(),
                    why: (server != "redis-7.0").then(|| "it is damaged".to_owned()),
                })
                .to_vec(),
        }
    }

    #[test]
    fn the_report_of_a_check_tells_everything() {
        let expected = r#"dump.rdb
  format      RDB version 10 (REDIS0010), 1,000 bytes, decompressed from gzip
  written by  Redis 7.0.15, at 2026-11-21T04:46:03Z
  aux         redis-ver = 7.0.15
  aux         ctime = 1795236363
  keys        1,234,567 in 1 database, 1 with an expiry
  functions   2
  module      ReJSON-RL, 4 values
  checksum    differs: the file says 0000000000000001, its bytes give 00000000000000ab
  good until  900 (0x384)

  db  type  encoding  layout                   keys  bytes
   3  hash  listpack  hash-listpack (16)  1,234,567      7

  error blob-entry: an entry runs past the end of its blob
    in bytes 100 (0x64) to 200 (0xc8), at 110 (0x6e), byte 37 of the listpack
    key "user:\xff\x1b" in db 3, hash-listpack
    hint: `salvage` saves every other key

  server            loads  needs, or why not
  redis-7.0         yes
  redis-7.2 to 8.2  no     it is damaged
  valkey-8.0        no     it is damaged

verdict: refused, 1 error; duplicate keys not checked
"#;
        assert_eq!(check(&sample(), Paint::Plain), expected);
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let mut plain = check(&sample(), Paint::Colours);
        assert!(plain.contains("\x1b[1;31mrefused\x1b[0m"));
        while let Some(start) = plain.find('\x1b') {
            let end = start + plain[start..].find('m').unwrap();
            plain.replace_range(start..=end, "");
        }
        assert_eq!(plain, check(&sample(), Paint::Plain));
    }

    #[test]
    fn a_brief_report_has_only_what_is_bad_enough() {
        let mut warning = sample().findings.list()[0].clone();
        (warning.severity, warning.code) = (Severity::Warning, "zset-order");
        let mut report = sample();
        report.findings.push(warning);
        let errors = check_briefly(&report, Severity::Error, Paint::Plain);
        assert!(errors.contains("blob-entry") && !errors.contains("zset-order"));
        let all = check_briefly(&report, Severity::Warning, Paint::Plain);
        assert!(all.contains("blob-entry") && all.contains("zset-order"));
        assert!(errors.contains("verdict: refused") && !errors.contains("redis-ver"));
    }

    #[test]
    fn a_name_cannot_command_a_terminal() {
        assert_eq!(shown("a\x1b[2J\nb ü"), "a\\u{1b}[2J\\nb ü");
        let mut report = sample();
        report.input = "\x1b]0;x".to_owned();
        report.uses.modules = [("\x1b".to_owned(), 1)].into();
        report.aux = vec![(b"\x1b".to_vec(), b"\x07".to_vec())];
        assert!(!check(&report, Paint::Plain).contains(|c: char| c.is_control() && c != '\n'));
    }

    #[test]
    fn numbers_are_grouped_from_the_right() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1234567, "1,234,567"),
        ] {
            assert_eq!(grouped(n), text);
        }
        assert_eq!(counted(1, "key"), "1 key");
        assert_eq!(counted(0, "key"), "0 keys");
    }
}
