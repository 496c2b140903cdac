//! Saves what is whole of a damaged snapshot.
//!
//! The bytes are read twice: a first pass tells which records are whole, where they stand and to
//! which database they belong; a second one copies them, byte for byte, behind a new header and in
//! front of a new checksum. What is kept in memory is a list of stretches, which is as long as the
//! damages are many, not as the keys are.

mod gap;
mod head;
mod header;
mod keys;
mod ledger;
mod near;
mod second;
mod settle;
mod survey;
mod walk;
mod write;
mod zeros;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::aof::log::{Event, LogReader};
use crate::aof::resync;
use crate::bytes::Problem;
use crate::error::{Error, ErrorKind, Hint, Place, Result, What};
use crate::io::kind::Kind as FileKind;
use crate::io::origin::Identity;
use crate::io::output::{Existing, Output};
use crate::io::source::{Behind, Content, Map, Origin};
use crate::rdb::resync::ends;
use crate::record::Checksum;
use crate::record::types::RdbVersion;
use crate::report::check::ChecksumState;
use crate::report::finding::Finding;
use crate::report::salvage::{LogBehind, Loss, Reason, SalvageReport};
use crate::task::check_aof::AnyServer;
use crate::task::salvage::header::Start;
use crate::task::salvage::ledger::Kind;
use crate::task::salvage::survey::{CHUNK, Ending, Known, Survey, survey};
use crate::task::{InputPath, Run, open};

/// Which of several records of a key stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The one that stands first.
    First,
    /// The one that stands last.
    Last,
}

/// What to save, and how to read what is damaged.
#[derive(Clone, Copy, Debug, Default)]
pub struct SalvageOptions {
    /// Save what may not be what it was, too.
    pub keep_doubtful: bool,
    /// The database of keys of which it is not known.
    pub assume_db: Option<u32>,
    /// Magic and version, whatever the header says.
    pub assume_version: Option<RdbVersion>,
    /// Which of several records of a key stays, where they differ.
    pub keep: Option<Keep>,
}

/// Where to write to.
#[derive(Clone, Copy, Debug)]
pub struct Outputs<'a> {
    /// The snapshot.
    pub to: &'a Path,
    /// The list of what was lost or is in doubt.
    pub lost: Option<&'a Path>,
    /// What to do where they exist.
    pub existing: Existing,
}

/// Saves what is whole. Gives the report, and what there is to say about the files written.
///
/// # Errors
/// Input that cannot be read or is no snapshot; [`ErrorKind::Bytes`] where nothing in it can be
/// saved; an output that exists or cannot be written. Then there is no output.
pub fn salvage(
    input: &InputPath,
    options: &SalvageOptions,
    outputs: Outputs<'_>,
    run: &Run<'_>,
) -> Result<(SalvageReport, Vec<String>)> {
    let (origin, content) = snapshot(input, run)?;
    for path in [Some(outputs.to), outputs.lost].into_iter().flatten() {
        refuse_input(&origin, path)?;
    }
    let mut to = Output::create(outputs.to, outputs.existing)?;
    to.refuse_terminal()?;
    let mut lost = match outputs.lost {
        Some(path) => Some(Output::create(path, outputs.existing)?),
        None => None,
    };
    let map = match content {
        Content::Map(map) => map,
        Content::Stream(mut stream) => open::spooled(&mut stream, run.max_spool)?,
    };
    let data: &[u8] = &map;
    let start = header::start(data, options.assume_version)?;
    let (mut survey, start) = read(&map, start, options, run)?;
    settle::duplicates(&mut survey, options)?;
    settle::save(&mut survey, options);
    let log = log_behind(&mut survey)?;
    let mut report = report(&survey, &start, log);
    report.input = origin.name().to_owned();
    report.compressed = origin.codec().map(|codec| codec.name());
    if report.saved() == 0 && report.others == 0 && !is_sound_and_empty(&survey) {
        return Err(nothing(&survey));
    }
    write::write(&survey, start.version, &report.dbs, run.max_spool, &mut to)?;
    if let Some(log) = log {
        let start = usize::try_from(log.start).unwrap_or(data.len());
        to.write_all(data.get(start..).unwrap_or_default())?;
    }
    let mut warnings = Vec::new();
    for out in [Some(&to), lost.as_ref()].into_iter().flatten() {
        let lost = out.lost().iter();
        warnings.extend(lost.map(|what| format!("{}: its {what} could not be kept", out.name())));
    }
    if let Some(mut out) = lost.take() {
        write::list(&survey, &mut out)?;
        out.finish()?;
    }
    let name = to.name().to_owned();
    let size = to.finish()?;
    report.output = Some((name, size));
    Ok((report, warnings))
}

/// Opens a snapshot, or what may once have been one.
fn snapshot(input: &InputPath, run: &Run<'_>) -> Result<(Origin, Content)> {
    if let InputPath::File(path) = input
        && path.is_dir()
    {
        let text = format!("{} is a folder", path.display());
        return Err(Error::usage(text).with_hint(Hint::Other(
            "salvage works on one file: the base file of a multi-part AOF is a snapshot",
        )));
    }
    let source = open::source(input, run)?;
    match source.kind() {
        FileKind::Rdb | FileKind::Empty | FileKind::Unknown => {}
        kind => {
            let found = kind.name();
            let expected = "an RDB file, or a log that begins with one";
            let error = Error::new(ErrorKind::WrongKind { found, expected });
            return Err(match kind {
                FileKind::Aof => {
                    error.with_hint(Hint::Other("`redkit check-aof --fix` mends logs"))
                }
                _ => error,
            });
        }
    }
    run.progress.size(source.origin().content_size());
    Ok(source.into_parts())
}

fn refuse_input(origin: &Origin, path: &Path) -> Result<()> {
    let there = fs::metadata(path)
        .ok()
        .and_then(|there| Identity::of(&there));
    if there.is_some() && there == origin.identity() {
        return Err(Error::usage(format!("{} is the input", path.display())));
    }
    Ok(())
}

/// Reads it, and again with what the first pass came to know.
fn read<'d>(
    map: &'d Map,
    mut start: Start,
    options: &SalvageOptions,
    run: &Run<'_>,
) -> Result<(Survey<'d>, Start)> {
    let again = |start: &Start, known| survey(map, (start.state.clone(), start.at), known, run);
    let mut known = Known::default();
    let mut found = again(&start, known.clone())?;
    if !found.is_proven()
        && let Some(other) = header::against_writer(map, &start)
    {
        start = other;
        found = again(&start, known.clone())?;
    }
    let mut second = second::Found::default();
    if !found.is_proven() {
        second = second::holders(&found, run);
        known.holders.extend(std::mem::take(&mut second.holders));
        known
            .holders
            .extend(settle::swallowed_selections(&found, &second.selections));
        if !known.holders.is_empty() {
            found = again(&start, known.clone())?;
        }
    }
    around(&mut found, &second);
    let doubtful = settle::databases(&mut found);
    if let Some(db) = options.assume_db
        && !doubtful.is_empty()
    {
        known.dbs = doubtful.into_iter().map(|at| (at, db)).collect();
        found = again(&start, known)?;
        around(&mut found, &second);
        settle::databases(&mut found);
    }
    if let Some(problem) = found.checksum_differs()
        && found.unbroken
    {
        found.note_checksum(problem);
    }
    Ok((found, start))
}

/// Marks what is in doubt because of what stands around it.
fn around(found: &mut Survey<'_>, second: &second::Found) {
    if found.is_proven() {
        return;
    }
    settle::between_gaps(found);
    near::near_gaps(found);
    near::holding_others(found, &second.foreign);
    near::with_zeros(found);
    near::expiries(found, &second.expiries);
}

fn has_no_losses(survey: &Survey<'_>) -> bool {
    let pieces = survey.ledger.pieces();
    !pieces.iter().any(|piece| piece.is_unsaved())
}

/// Finds the log behind a snapshot.
fn log_behind(survey: &mut Survey<'_>) -> Result<Option<LogBehind>> {
    let data = survey.data;
    let start = match survey.ending {
        Ending::Mark(_, behind) => match survey.data.get(behind..) {
            Some([b'*' | b'#', ..]) => Some(behind),
            Some(rest) if !rest.is_empty() => {
                let problem = Problem::TrailingBytes {
                    count: rest.len() as u64,
                };
                let place = Place::at(behind as u64);
                let error = Error::bytes(problem, place, What::Record);
                survey.note(&error, data.len());
                None
            }
            _ => None,
        },
        Ending::None(_) => {
            let names = AnyServer::default();
            // A damaged record may have taken the first commands for its own.
            let from = usize::try_from(survey.ledger.end_of_kept()).unwrap_or(data.len());
            let found = match begins_a_log(data) && has_commands(survey, from) {
                true => {
                    let mut resync = resync::Resync::new(data.len().saturating_sub(from));
                    resync.next_chain(data, from, &names)
                }
                false => None,
            };
            let from = match found {
                Some(_) => survey.ledger.end_of_whole(),
                None => survey.ledger.end().unwrap_or(0),
            };
            let end = found.map_or(data.len(), |found| found.at);
            let db = survey.ledger.db();
            let reason = match (survey.lost_end, found) {
                (true, None) => Reason::Truncated,
                _ => Reason::Framing,
            };
            survey.ledger.lost(from, end as u64, db, reason)?;
            found.map(|found| found.at)
        }
    };
    let Some(start) = start else {
        return Ok(None);
    };
    let log = data.get(start..).unwrap_or_default();
    let names = AnyServer::default();
    let mut reader = LogReader::new(log, &names);
    let damage = loop {
        match reader.next() {
            None => break None,
            Some((at, Event::Damage(_))) => break Some((start + at) as u64),
            Some(_) => {}
        }
    };
    Ok(Some(LogBehind {
        start: start as u64,
        size: log.len() as u64,
        damage,
    }))
}

/// Whether a snapshot says that a log follows it, or cannot say so any more.
fn begins_a_log(data: &[u8]) -> bool {
    let near = data.get(..data.len().min(4096)).unwrap_or_default();
    let has = |name: &[u8]| near.windows(name.len()).any(|bytes| bytes == name);
    has(b"aof-preamble") || has(b"aof-base") || !has(b"redis-bits")
}

/// Whether a command may begin behind a place. Nearly all snapshots have none, and all of such a one
/// would be mapped by the search for those that follow each other.
fn has_commands(survey: &Survey<'_>, from: usize) -> bool {
    let mut behind = Behind::from(survey.map, from as u64);
    let mut at = from;
    for part in survey.data.get(from..).unwrap_or_default().chunks(CHUNK) {
        if memchr::memchr_iter(b'*', part).any(|star| ends(survey.data, at + star)) {
            return true;
        }
        at += part.len();
        behind.reach(at as u64);
    }
    false
}

fn is_sound_and_empty(survey: &Survey<'_>) -> bool {
    survey.unbroken && matches!(survey.ending, Ending::Mark(..)) && has_no_losses(survey)
}

#[cold]
fn nothing(survey: &Survey<'_>) -> Error {
    let first = survey.findings.list().first();
    let at = first.map_or(0, |finding: &Finding| finding.start);
    Error::bytes(Problem::Malformed, Place::at(at), What::Snapshot).with_hint(Hint::Other(
        "nothing in it can be saved for certain: no file was written; see `--keep-doubtful` and `--assume-version`",
    ))
}

fn report(survey: &Survey<'_>, start: &Start, log: Option<LogBehind>) -> SalvageReport {
    let mut report = SalvageReport {
        input: String::new(),
        size: survey.data.len() as u64,
        compressed: None,
        version: start.version,
        version_from: start.from,
        checksum: checksum(survey),
        hidden: false,
        dbs: write::saved(survey),
        others: 0,
        lost: BTreeMap::new(),
        doubtful: BTreeMap::new(),
        copies: Loss::default(),
        log,
        gave_up: survey.resync.is_exhausted(),
        findings: survey.findings.clone(),
        output: None,
    };
    for piece in survey.ledger.pieces() {
        report.others += u64::from(piece.saved && piece.kind == Kind::Other);
        let (keys, _) = piece.keys();
        let (loss, keys) = match (piece.kind, piece.doubt) {
            (Kind::Lost(Reason::Copy), _) => (&mut report.copies, 1),
            (Kind::Lost(reason), _) => {
                let one = matches!(reason, Reason::BadValue | Reason::Duplicate);
                (report.lost.entry(reason).or_default(), u64::from(one))
            }
            (Kind::Keys { .. } | Kind::Other | Kind::Run, Some(reason)) => {
                (report.doubtful.entry(reason).or_default(), keys)
            }
            _ => continue,
        };
        loss.places += 1;
        loss.keys += keys;
        loss.bytes += piece.end - piece.start;
        loss.saved += match piece.saved {
            true => keys,
            false => 0,
        };
    }
    let differs = matches!(report.checksum, ChecksumState::Differs { .. });
    report.hidden = differs
        && report.lost.is_empty()
        && report.doubtful.is_empty()
        && report.copies.places == 0;
    report
}

fn checksum(survey: &Survey<'_>) -> ChecksumState {
    match survey.ending {
        Ending::None(_) => ChecksumState::NotReached,
        Ending::Mark(Checksum::Absent, _) => ChecksumState::Absent,
        Ending::Mark(Checksum::Disabled, _) => ChecksumState::Disabled,
        Ending::Mark(Checksum::Stored(stored), _) if !survey.unbroken => ChecksumState::Differs {
            stored,
            computed: survey.whole_crc(),
        },
        Ending::Mark(Checksum::Stored(stored), _) if stored == survey.crc => {
            ChecksumState::Matches(stored)
        }
        Ending::Mark(Checksum::Stored(stored), _) => ChecksumState::Differs {
            stored,
            computed: survey.crc,
        },
    }
}
