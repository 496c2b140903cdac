//! Says whether a backup restores: goes through it, plays what a server would play, and holds what
//! comes out against what was asked for.
//!
//! A snapshot is checked in flat memory, and becomes a keyspace only where a digest is asked for; a log
//! is replayed. A server's data folder is judged as the start of a server on it, an archive as what is
//! in it.

pub(super) mod archive;
mod assertions;
pub mod conf;
pub(super) mod folder;

use std::io::{Cursor, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::bytes::Problem;
use crate::command::{Like, ServerLine};
use crate::error::{Error, ErrorKind, Hint, Place, Result};
use crate::io::decompress;
use crate::io::kind::Kind;
use crate::io::source::{Content, Origin, Source};
use crate::keyspace::Keyspace;
use crate::keyspace::digest::{self, Digest, Summed};
use crate::rdb::batch::Batches;
use crate::record::glob::Glob;
use crate::record::target::Target;
use crate::record::{Flow, Record};
use crate::report::Severity;
use crate::report::aof::AofReport;
use crate::report::check::{CheckReport, Verdict};
use crate::report::finding::{Finding, Findings};
use crate::report::info::{self, Writer};
use crate::report::replay::DbKeys;
use crate::report::verify::{
    Age, AgeFrom, Baseline, Loaded, Start, StartReport, VerifyReport, finding,
};
use crate::task::check_rdb::{self, CheckOptions};
use crate::task::logs::{self, LogSet, Logs};
use crate::task::replay::{self, ReplayOptions};
use crate::task::{InputPath, Run, open};
use conf::Conf;

/// How old a backup may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxAge {
    /// Milliseconds, at most.
    pub most: i64,
    /// The time now, Unix ms.
    pub now: i64,
}

/// What must be so.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The server to follow; else the one that the input seems to be of.
    pub like: Option<Like>,
    /// Servers that must load it.
    pub targets: Vec<&'static Target>,
    /// The time that the server's clock shows while it loads, Unix ms.
    pub now: Option<i64>,
    /// Keys, at least.
    pub min_keys: Option<u64>,
    /// How old it may be.
    pub max_age: Option<MaxAge>,
    /// Patterns that some key must match, each of them.
    pub require_keys: Vec<Vec<u8>>,
    /// Whether the server's digest is wanted.
    pub digest: bool,
    /// Whether the full digest is wanted.
    pub full_digest: bool,
    /// What the full digest must be where that is wanted, else the server's.
    pub expect_digest: Option<Digest>,
    /// An earlier report.
    pub baseline: Option<Baseline>,
    /// How many of a hundred keys there may be less than in that.
    pub max_drop: f64,
    /// The server's configuration, where the input is its data folder.
    pub conf: Option<Conf>,
    /// Warnings count as damage.
    pub strict: bool,
}

impl VerifyOptions {
    /// The same, with the one report of the baseline that an input is held against: the only one, or
    /// that of its name.
    fn for_input(&self, name: &str) -> VerifyOptions {
        let mut options = self.clone();
        if let Some(baseline) = &mut options.baseline {
            if baseline.reports.len() != 1 {
                baseline.reports.retain(|(input, _)| input == name);
                baseline.reports.truncate(1);
            }
            if baseline.reports.is_empty() {
                baseline.reports.push((name.to_owned(), Default::default()));
            }
        }
        options
    }

    fn needs_keyspace(&self) -> bool {
        self.digest || self.full_digest || self.expect_digest.is_some()
    }
}

/// Judges a backup; an archive with several of them gives several reports.
///
/// # Errors
/// Input that cannot be read or is of no kind that a server loads. Damage is in the report.
pub fn verify(
    input: &InputPath,
    options: &VerifyOptions,
    run: &Run<'_>,
) -> Result<Vec<VerifyReport>> {
    if let InputPath::File(path) = input
        && path.is_dir()
    {
        let name = path.display().to_string();
        return folder::verify(path, name, options, run).map(|report| vec![report]);
    }
    let name = match input {
        InputPath::Stdin => "stdin".to_owned(),
        InputPath::File(path) => path.display().to_string(),
    };
    let source = match opened(input, &name, options, run)? {
        Opened::Source(source) => source,
        Opened::Damaged(report) => return Ok(vec![*report]),
    };
    if source.kind() == Kind::Tar {
        return archive::verify(source, options, run);
    }
    if options.conf.is_some() {
        let text = "`--conf` belongs to a server's data folder, or to an archive of one";
        return Err(Error::usage(text));
    }
    file(input, source, name, options, run).map(|report| vec![report])
}

/// What is open, or what is to be said of compressed data of which not even the start can be read.
enum Opened {
    Source(Source),
    Damaged(Box<VerifyReport>),
}

fn opened(input: &InputPath, name: &str, options: &VerifyOptions, run: &Run<'_>) -> Result<Opened> {
    match open::source(input, run) {
        Err(error) if compressed_damage(&error).is_some() => {
            let options = options.for_input(name);
            let report = of_start(name.to_owned(), damaged(name, &error, &options));
            Ok(Opened::Damaged(Box::new(report)))
        }
        source => source.map(Opened::Source),
    }
}

/// Judges a file that is no archive.
fn file(
    input: &InputPath,
    source: Source,
    name: String,
    options: &VerifyOptions,
    run: &Run<'_>,
) -> Result<VerifyReport> {
    let options = &options.for_input(&name);
    let compressed = source.origin().codec().map(|codec| codec.name());
    let subject = Subject::Open(input, source, Role::Any);
    let start = judge(subject, Start::Input, &name, options.like, options, run)?;
    let mut report = of_start(name, start);
    report.compressed = compressed;
    report.now = options.max_age.map(|age| age.now);
    Ok(report)
}

fn of_start(input: String, start: StartReport) -> VerifyReport {
    let mut report = VerifyReport::new(input);
    report.kind = Some(match &start.loaded {
        Loaded::Log(check) if check.set.is_some() => "set",
        Loaded::Log(_) => "aof",
        Loaded::Snapshot(_) | Loaded::Nothing(_) => "rdb",
    });
    report.starts.push(start);
    report
}

/// What a server is made to load.
enum Subject<'a> {
    /// A file, and what for.
    Open(&'a InputPath, Source, Role),
    /// A set.
    Set(Box<LogSet>),
}

/// What a file is loaded as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// As what it is.
    Any,
    /// As a snapshot.
    Snapshot,
    /// As a log.
    Log,
}

/// Goes through what a start loads, and holds it against what was asked for.
fn judge(
    subject: Subject<'_>,
    start: Start,
    name: &str,
    like: Option<Like>,
    options: &VerifyOptions,
    run: &Run<'_>,
) -> Result<StartReport> {
    let gone_through = match subject {
        Subject::Set(set) => of_logs(Logs::Set(set), name, like, options, run),
        Subject::Open(input, source, role) => {
            of_source(input, source, role, name, like, options, run)
        }
    };
    let mut judged = match gone_through {
        Err(error) if compressed_damage(&error).is_some() => {
            return Ok(StartReport {
                start,
                ..damaged(name, &error, options)
            });
        }
        judged => judged?,
    };
    judged.report.start = start;
    assertions::hold(&mut judged, options);
    Ok(judged.report)
}

/// A report, and what was found of the keys that must be there.
struct Judged {
    report: StartReport,
    /// Of each pattern whether some key matches.
    required: Vec<bool>,
    /// Commands that cannot be played here.
    unplayable: u64,
}

impl Judged {
    fn new(name: &str, like: String, loaded: Loaded) -> Judged {
        Judged {
            report: StartReport {
                start: Start::Input,
                like,
                name: Some(name.to_owned()),
                loaded,
                dbs: Default::default(),
                findings: Findings::default(),
                age: None,
                digest: None,
                full_digest: None,
                assertions: Vec::new(),
            },
            required: Vec::new(),
            unplayable: 0,
        }
    }
}

fn of_source(
    input: &InputPath,
    source: Source,
    role: Role,
    name: &str,
    like: Option<Like>,
    options: &VerifyOptions,
    run: &Run<'_>,
) -> Result<Judged> {
    let kind = source.kind();
    match (role, kind) {
        (Role::Any, Kind::Unknown) => {
            return Err(Error::new(ErrorKind::WrongKind {
                found: kind.name(),
                expected: "a snapshot, a log, a data folder or an archive of them",
            }));
        }
        (Role::Log, _) | (Role::Any, Kind::Aof | Kind::Manifest) => {
            let logs = logs::of_source(input, source, run)?;
            return of_logs(logs, name, like, options, run);
        }
        (_, Kind::Rdb | Kind::Empty) | (Role::Snapshot, Kind::Unknown) => {}
        (_, kind) => {
            return Err(Error::new(ErrorKind::WrongKind {
                found: kind.name(),
                expected: "an RDB file",
            }));
        }
    }
    let (origin, content) = source.into_parts();
    let (is_base, content) = with_base_told(content)?;
    let mut content = match content {
        Content::Stream(mut stream)
            if is_base || options.needs_keyspace() || !options.require_keys.is_empty() =>
        {
            Content::Map(open::spooled(&mut stream, run.max_spool)?)
        }
        content => content,
    };
    if role == Role::Any && is_base {
        let Content::Map(map) = content else {
            return Err(Error::usage(
                "a log that begins with a snapshot was not spooled",
            ));
        };
        let logs = Logs::One(logs::LogFile {
            origin,
            map: map.into(),
        });
        return of_logs(logs, name, like, options, run);
    }
    run.progress.size(origin.content_size());
    let checked = CheckOptions {
        duplicates: true,
        ..CheckOptions::default()
    };
    let mut check = check_rdb::of_content(&origin, &mut content, &checked, run)?;
    check.input = name.to_owned();
    let like = like.unwrap_or_else(|| writer(&check).unwrap_or(ServerLine::Redis82.into()));
    let age = age(&check.aux, None, modified(&origin));
    let dbs = count(&check);
    let highest_db = check.uses.highest_db;
    let sound = check.verdict == Verdict::Loads;
    let loaded = Loaded::Snapshot(Box::new(check));
    let mut judged = Judged::new(name, like.to_string(), loaded);
    judged.report.dbs = dbs;
    judged.report.age = age;
    if let Content::Map(map) = &content {
        judged.required = matching(map, &options.require_keys);
        if options.needs_keyspace() && sound {
            let loaded = replay::of_snapshot(map, like, options.now, highest_db, run)?;
            let (keyspace, damage) = loaded;
            judged.report.findings.push_all(damage);
            sum(&keyspace, &mut judged.report, options)?;
        }
    }
    Ok(judged)
}

/// Whether a file is the base of a log, whose commands may stand behind the snapshot.
fn with_base_told(content: Content) -> Result<(bool, Content)> {
    match content {
        Content::Map(map) => Ok((open::is_base(&map), Content::Map(map))),
        Content::Stream(mut stream) => {
            let mut near = Vec::new();
            let mut first = stream.by_ref().take(open::BASE_SEEN as u64);
            first.read_to_end(&mut near)?;
            let is_base = open::is_base(&near);
            Ok((
                is_base,
                Content::Stream(Box::new(Cursor::new(near).chain(stream))),
            ))
        }
    }
}

fn of_logs(
    logs: Logs,
    name: &str,
    like: Option<Like>,
    options: &VerifyOptions,
    run: &Run<'_>,
) -> Result<Judged> {
    let changed = match &logs {
        Logs::One(log) => modified(&log.origin),
        Logs::Set(set) => {
            let files = set.report().files;
            let times = files.iter().flat_map(|file| {
                let beside = [false, true].map(|beside| set.path(&file.name, beside));
                beside.into_iter().filter_map(|path| modified_at(&path))
            });
            times.max()
        }
    };
    let played = ReplayOptions {
        like,
        now: options.now,
        digest: options.digest || (options.expect_digest.is_some() && !options.full_digest),
        full_digest: options.full_digest,
        ..ReplayOptions::default()
    };
    let replay::Replayed { report, keyspace } = replay::of_logs(logs, &played, run)?;
    let mut check = report.check;
    check.name(name);
    let age = age_of(&check, changed);
    let mut judged = Judged::new(name, check.like.clone(), Loaded::Log(Box::new(check)));
    judged.unplayable = report.unplayable;
    judged.required = required_of(&keyspace, &options.require_keys);
    judged.report.dbs = report.dbs;
    judged.report.findings = report.findings;
    judged.report.age = age;
    judged.report.digest = report.digest;
    judged.report.full_digest = report.full_digest;
    Ok(judged)
}

fn sum(keyspace: &Keyspace, report: &mut StartReport, options: &VerifyOptions) -> Result<()> {
    if options.digest || !options.full_digest {
        let Summed { digest, unknown } = digest::of_keyspace(keyspace)?;
        report.digest = Some((digest.to_string(), unknown > 0));
    }
    if options.full_digest {
        report.full_digest = Some(digest::full(keyspace)?.to_string());
    }
    Ok(())
}

/// Keys of a snapshot, by type.
fn count(check: &CheckReport) -> std::collections::BTreeMap<u32, DbKeys> {
    let each = check.dbs.iter().map(|(db, tally)| {
        let mut counted = DbKeys {
            keys: tally.keys,
            expires: tally.expires,
            ..DbKeys::default()
        };
        for ((rdb_type, _), of) in &tally.types {
            *counted.types.entry(rdb_type.data_type()).or_default() += of.keys;
        }
        (*db, counted)
    });
    each.filter(|(_, counted)| counted.keys > 0).collect()
}

/// Of each pattern whether some key of a snapshot matches, as far as it can be read: what is wrong
/// behind that, the check has found.
fn matching(data: &[u8], patterns: &[Vec<u8>]) -> Vec<bool> {
    let globs: Vec<Glob> = patterns.iter().map(|pattern| Glob::new(pattern)).collect();
    let mut found = vec![false; globs.len()];
    let mut batches = Batches::of_map(data);
    while found.contains(&false) {
        let Ok(Some(batch)) = batches.next_batch() else {
            break;
        };
        let looked_at = batch.for_each(|record| {
            if let Record::Entry(entry) = record
                && let Ok(key) = entry.key.to_bytes()
            {
                note(&globs, &key, &mut found);
            }
            Ok(Flow::Continue)
        });
        if looked_at.is_err() {
            break;
        }
    }
    found
}

fn required_of(keyspace: &Keyspace, patterns: &[Vec<u8>]) -> Vec<bool> {
    let globs: Vec<Glob> = patterns.iter().map(|pattern| Glob::new(pattern)).collect();
    let mut found = vec![false; globs.len()];
    if globs.is_empty() {
        return found;
    }
    for db in keyspace.dbs() {
        for slot in keyspace.keys(db) {
            note(&globs, slot.name(), &mut found);
        }
    }
    found
}

fn note(globs: &[Glob], key: &[u8], found: &mut [bool]) {
    for (glob, found) in globs.iter().zip(found) {
        *found = *found || glob.matches(key);
    }
}

/// The server that wrote a snapshot, where it says so.
fn writer(check: &CheckReport) -> Option<Like> {
    like_of(Writer::of(check.version, &check.aux)?)
}

fn like_of(writer: Writer<'_>) -> Option<Like> {
    let family = writer.software.name().to_ascii_lowercase();
    let version = std::str::from_utf8(writer.version?).ok()?;
    format!("{family}-{version}").parse().ok()
}

/// When something was written: what the file says of itself, else its time of modification. Of a
/// snapshot with a log behind it the later of both, since the log was written on.
fn age(aux: &[(Vec<u8>, Vec<u8>)], last: Option<u64>, modified: Option<i64>) -> Option<Age> {
    let ctime = info::value(aux, "ctime").and_then(|text| std::str::from_utf8(text).ok());
    let ctime = ctime.and_then(|text| text.parse::<i64>().ok());
    let ctime = ctime.and_then(|seconds| seconds.checked_mul(1000));
    let last = last.and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000));
    let told = match (ctime, last) {
        (Some(ctime), Some(last)) if last > ctime => Some((last, AgeFrom::Annotation)),
        (Some(ctime), _) => Some((ctime, AgeFrom::Ctime)),
        (None, Some(last)) => Some((last, AgeFrom::Annotation)),
        (None, None) => modified.map(|at| (at, AgeFrom::Modified)),
    };
    told.map(|(at, from)| Age { at, from })
}

fn age_of(check: &AofReport, modified: Option<i64>) -> Option<Age> {
    let preambles = check
        .files
        .iter()
        .filter_map(|file| file.preamble.as_deref());
    let mut aux = preambles.map(|preamble| preamble.aux.as_slice());
    let aux = aux.next_back().unwrap_or_default();
    age(aux, check.tally().times.map(|(_, last)| last), modified)
}

fn modified(origin: &Origin) -> Option<i64> {
    origin.modified().and_then(in_ms)
}

fn modified_at(path: &Path) -> Option<i64> {
    in_ms(std::fs::metadata(path).ok()?.modified().ok()?)
}

fn in_ms(time: SystemTime) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).ok(),
        Err(before) => i64::try_from(before.duration().as_millis())
            .ok()
            .map(|ms| -ms),
    }
}

/// What is wrong with compressed data, where that is what an error is about.
fn compressed_damage(error: &Error) -> Option<String> {
    match error.kind() {
        ErrorKind::Io(error) if decompress::is_damage(error) => Some(error.to_string()),
        _ => None,
    }
}

/// The report about compressed data that cannot be decompressed.
fn damaged(name: &str, error: &Error, options: &VerifyOptions) -> StartReport {
    let message = compressed_damage(error).unwrap_or_default();
    let mut judged = Judged::new(
        name,
        "redis-8.2".to_owned(),
        Loaded::Nothing(message.clone()),
    );
    judged.report.findings.push(finding(
        "compressed-damaged",
        Severity::Error,
        message,
        Some(Hint::CopyAgain),
    ));
    assertions::hold(&mut judged, options);
    judged.report
}

/// A problem of the file as such, in other words.
fn refusal(problem: Problem, message: String) -> Finding {
    Finding {
        message,
        ..Finding::at(problem, Place::at(0))
    }
}
