//! What the first bytes of a snapshot say, in milliseconds whatever its size.

use std::time::UNIX_EPOCH;

use crate::bytes::Step;
use crate::error::{Error, Result};
use crate::io::decompress;
use crate::io::source::{Content, Origin};
use crate::io::window::Window;
use crate::rdb::parser::{RdbParser, opcode};
use crate::record::types::{Family, RdbVersion};
use crate::record::{Record, Stored};
use crate::report::info::{Ending, FirstDb};
use crate::report::{Finding, Findings, InfoReport};
use crate::task::open::{self, Unrecognised};
use crate::task::{InputPath, Run};

/// Reads the header of a snapshot and what stands before its first key.
///
/// # Errors
/// The input cannot be read, or is of another kind. Damage before the first key is in the report.
pub fn info(input: &InputPath, run: &Run<'_>) -> Result<InfoReport> {
    let (origin, content) = open::snapshot(input, run, Unrecognised::Refused)?;
    let mut report = about(&origin);
    let mut parser = RdbParser::new();
    let read = match content {
        Content::Map(map) => {
            let read = from_map(&mut parser, &map, &mut report);
            report.ending = report.version.and_then(|version| ending(version, &map));
            read
        }
        Content::Stream(stream) => from_stream(&mut parser, Window::new(stream), &mut report),
    };
    match read {
        Err(error) if error.problem().is_some() => {
            let end = parser.offset();
            if let Some(finding) = Finding::from_error(&error, end) {
                report.findings.push(finding);
            }
            Ok(report)
        }
        Err(error) => Err(error),
        Ok(()) => Ok(report),
    }
}

/// What is known without reading.
fn about(origin: &Origin) -> InfoReport {
    let modified = origin.modified().and_then(|time| {
        // Before 1970 the error holds how long before.
        let ms = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).ok()?,
            Err(before) => -i64::try_from(before.duration().as_millis()).ok()?,
        };
        Some(ms)
    });
    InfoReport {
        input: origin.name().to_owned(),
        size: origin.size(),
        compressed: origin.codec().map(|codec| codec.name()),
        modified,
        version: None,
        aux: Vec::new(),
        aux_left_out: 0,
        functions: 0,
        module_aux: 0,
        first_db: None,
        ending: None,
        findings: Findings::default(),
    }
}

fn from_map(parser: &mut RdbParser, data: &[u8], report: &mut InfoReport) -> Result<()> {
    let mut rest = data;
    while !at_a_key(parser, rest) {
        match parser.parse(rest, true)? {
            Step::Parsed { consumed, item } => {
                if take(&item, report) == Wanted::Nothing {
                    break;
                }
                rest = rest.get(consumed..).unwrap_or_default();
            }
            Step::NeedMore { .. } => break,
        }
    }
    Ok(())
}

fn from_stream(parser: &mut RdbParser, mut window: Window, report: &mut InfoReport) -> Result<()> {
    let mut ended = fill(&mut window, 1)?;
    while !at_a_key(parser, window.data()) {
        let missing = match parser.parse(window.data(), ended)? {
            Step::Parsed { consumed, item } => {
                if take(&item, report) == Wanted::Nothing {
                    break;
                }
                window.consume(consumed);
                usize::from(window.data().is_empty())
            }
            Step::NeedMore { at_least } => at_least,
        };
        if window.data().len().saturating_add(missing) > MOST_IN_MEMORY {
            return Err(Error::limit(
                "a record before the first key is larger than 64 MiB",
            ));
        }
        if missing > 0 && !ended {
            ended = fill(&mut window, missing)?;
        }
    }
    Ok(())
}

/// Has so many more bytes at hand, or all that there are; true at the end of the stream. Compressed
/// data that is damaged ends at the damage: what came before counts.
fn fill(window: &mut Window, missing: usize) -> Result<bool> {
    match window.fill(missing) {
        Err(error) if decompress::is_damage(&error) => Ok(true),
        filled => Ok(filled?),
    }
}

/// Whether a key stands next, or the end, or anything else that is of no interest here.
fn at_a_key(parser: &RdbParser, data: &[u8]) -> bool {
    let Some(version) = parser.state().version() else {
        return false;
    };
    match data.first() {
        None => false,
        Some(&opcode::KEY_META_OR_SLOT_IMPORT) => version.family == Family::Redis,
        Some(&first) => !BEFORE_KEYS.contains(&first),
    }
}

/// Whether the next record is wanted.
#[derive(PartialEq, Eq)]
enum Wanted {
    More,
    Nothing,
}

fn take(record: &Record<'_>, report: &mut InfoReport) -> Wanted {
    match *record {
        Record::Header(version) => report.version = Some(version),
        Record::Aux { name, value } => take_aux(name, value, report),
        Record::Function(_) => report.functions += 1,
        Record::ModuleAux { .. } => report.module_aux += 1,
        Record::SelectDb(db) if report.first_db.is_none() => {
            report.first_db = Some(FirstDb {
                db,
                keys: 0,
                expires: 0,
            });
        }
        Record::ResizeDb { keys, expires } => {
            let db = report.first_db.map_or(0, |first| first.db);
            report.first_db = Some(FirstDb { db, keys, expires });
            return Wanted::Nothing;
        }
        _ => {}
    }
    Wanted::More
}

fn take_aux(name: Stored<'_>, value: Stored<'_>, report: &mut InfoReport) {
    let held: usize = report.aux.iter().map(|(n, v)| n.len() + v.len()).sum();
    let more = name.len().saturating_add(value.len());
    let fits = u64::try_from(held).is_ok_and(|held| held.saturating_add(more) <= MOST_AUX);
    match (name.to_bytes(), value.to_bytes()) {
        (Ok(name), Ok(value)) if fits => report.aux.push((name.into_owned(), value.into_owned())),
        _ => report.aux_left_out += 1,
    }
}

/// How a file that lies there whole ends.
fn ending(version: RdbVersion, data: &[u8]) -> Option<Ending> {
    if version.family == Family::Redis && version.number < CHECKSUM_SINCE {
        let ends = data.last() == Some(&opcode::EOF);
        return Some(if ends { Ending::Whole } else { Ending::Other });
    }
    let (mark, checksum) = data.last_chunk::<9>()?.split_first()?;
    Some(match (*mark, checksum) {
        (opcode::EOF, [0, 0, 0, 0, 0, 0, 0, 0]) => Ending::WithoutChecksum,
        (opcode::EOF, _) => Ending::Whole,
        _ => Ending::Other,
    })
}

/// The records that may stand before the first key and its database's size.
const BEFORE_KEYS: [u8; 7] = [
    opcode::AUX,
    opcode::MODULE_AUX,
    opcode::FUNCTION2,
    opcode::SELECTDB,
    opcode::RESIZEDB,
    opcode::KEY_META_OR_SLOT_IMPORT,
    opcode::HASH_TEMPLATE_OR_UPDATE,
];
/// Lowest version with a checksum at the end.
const CHECKSUM_SINCE: u32 = 5;
/// Bytes of AUX fields that are kept: a few dozen short ones are usual, scripts may stand there too.
const MOST_AUX: u64 = 1 << 20;
/// Bytes of one record that are read into memory from a stream.
const MOST_IN_MEMORY: usize = 64 << 20;
