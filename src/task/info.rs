//! What the first bytes of a snapshot or log say, in milliseconds whatever its size.

use std::time::UNIX_EPOCH;

use crate::bytes::Step;
use crate::error::{Error, Result};
use crate::io::decompress;
use crate::io::kind::Kind;
use crate::io::source::{Content, Origin};
use crate::io::window::Window;
use crate::rdb::parser::{RdbParser, opcode};
use crate::record::types::{Family, RdbVersion};
use crate::record::{Record, Stored};
use crate::report::info::{Ending, FirstDb};
use crate::report::log_info::LogInfo;
use crate::report::{Finding, Findings, InfoReport};
use crate::task::{InputPath, Run, log_info, open};

/// What an input says of itself.
#[derive(Clone, Debug)]
pub enum Info {
    /// A snapshot, or one with a log behind it.
    Snapshot(Box<InfoReport>),
    /// A log, or the files of a set.
    Log(LogInfo),
}

impl Info {
    /// Gives it the name of what it is about, where that lies elsewhere than it was read.
    pub fn name(&mut self, name: &str) {
        match self {
            Info::Snapshot(report) => report.input = name.to_owned(),
            Info::Log(report) => {
                report.input = name.to_owned();
                match (&mut report.set, report.files.as_mut_slice()) {
                    (Some(set), _) => set.folder = name.to_owned(),
                    (None, [file]) => file.name = name.to_owned(),
                    (None, _) => {}
                }
            }
        }
    }

    /// What was found.
    pub fn findings(&self) -> &Findings {
        match self {
            Info::Snapshot(report) => &report.findings,
            Info::Log(report) => &report.findings,
        }
    }
}

/// Reads the header of a snapshot and what stands before its first key, or the first and last bytes
/// of a log, or of each file of a set.
///
/// # Errors
/// The input cannot be read, or is of another kind. Damage before the first key is in the report.
pub fn info(input: &InputPath, run: &Run<'_>) -> Result<Info> {
    if let InputPath::File(path) = input
        && path.is_dir()
    {
        return log_info::of_set(input, run).map(Info::Log);
    }
    let source = open::source(input, run)?;
    let kind = source.kind();
    let from_file = matches!(input, InputPath::File(_)) && source.origin().codec().is_none();
    if kind == Kind::Manifest && from_file {
        return log_info::of_set(input, run).map(Info::Log);
    }
    if !matches!(kind, Kind::Rdb | Kind::Empty | Kind::Aof) {
        return Err(open::wrong(kind, "an RDB file or an AOF"));
    }
    let (origin, content) = source.into_parts();
    if kind == Kind::Aof {
        return log_info::of_log(&origin, content).map(Info::Log);
    }
    let report = match content {
        Content::Map(map) => of_map(&origin, &map),
        Content::Stream(stream) => {
            let mut report = about(&origin);
            let mut parser = RdbParser::new();
            let read = from_stream(&mut parser, Window::new(stream), &mut report);
            finish(read, &parser, report)
        }
    };
    Ok(Info::Snapshot(Box::new(report?)))
}

/// A snapshot that lies there whole.
pub(super) fn of_map(origin: &Origin, data: &[u8]) -> Result<InfoReport> {
    let mut report = about(origin);
    let mut parser = RdbParser::new();
    let read = from_map(&mut parser, data, &mut report);
    report.ending = report.version.and_then(|version| ending(version, data));
    report.behind = log_info::behind_snapshot(data, report.ending);
    finish(read, &parser, report)
}

fn finish(read: Result<()>, parser: &RdbParser, mut report: InfoReport) -> Result<InfoReport> {
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
    InfoReport {
        input: origin.name().to_owned(),
        size: origin.size(),
        compressed: origin.codec().map(|codec| codec.name()),
        modified: modified(origin),
        version: None,
        aux: Vec::new(),
        aux_left_out: 0,
        functions: 0,
        module_aux: 0,
        first_db: None,
        ending: None,
        behind: None,
        findings: Findings::default(),
    }
}

/// When a file was last modified, Unix ms.
pub(super) fn modified(origin: &Origin) -> Option<i64> {
    // Before 1970 the error holds how long before.
    let ms = match origin.modified()?.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).ok()?,
        Err(before) => -i64::try_from(before.duration().as_millis()).ok()?,
    };
    Some(ms)
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
pub(super) fn fill(window: &mut Window, missing: usize) -> Result<bool> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Read};

    const FEW: &[u8] = include_bytes!("../../testdata/rdb/redis-7.0.15/few.rdb");

    fn nothing_yet() -> InfoReport {
        InfoReport {
            input: String::new(),
            size: None,
            compressed: None,
            modified: None,
            version: None,
            aux: Vec::new(),
            aux_left_out: 0,
            functions: 0,
            module_aux: 0,
            first_db: None,
            ending: None,
            behind: None,
            findings: Findings::default(),
        }
    }

    /// A stream that gives a few bytes at a time.
    struct Slow(&'static [u8], usize);

    impl Read for Slow {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(buf.len());
            (&mut self.0).take(n as u64).read(buf)
        }
    }

    fn outcome(read: Result<()>, report: &InfoReport) -> String {
        format!(
            "{:?} {:?} {} {:?} {read:?}",
            report.version, report.aux, report.functions, report.first_db
        )
    }

    #[test]
    fn a_stream_cut_anywhere_says_what_the_map_says() {
        for end in 0..=FEW.len() {
            let data = &FEW[..end];
            let mut mapped = nothing_yet();
            let read = from_map(&mut RdbParser::new(), data, &mut mapped);
            let expected = outcome(read, &mapped);
            for piece in [1, 7, 1000] {
                let mut report = nothing_yet();
                let window = Window::new(Box::new(Slow(data, piece)));
                let read = from_stream(&mut RdbParser::new(), window, &mut report);
                assert_eq!(outcome(read, &report), expected, "{end} bytes by {piece}");
            }
        }
    }

    #[test]
    fn what_stands_before_the_first_key_is_told() {
        let mut report = nothing_yet();
        from_map(&mut RdbParser::new(), FEW, &mut report).unwrap();
        assert_eq!(report.aux.len(), 5);
        assert_eq!(report.functions, 1);
        let first = FirstDb {
            db: 0,
            keys: 11,
            expires: 1,
        };
        assert_eq!(report.first_db, Some(first));
    }

    #[test]
    fn how_a_file_ends_is_seen_without_reading_it() {
        let version = |number| RdbVersion {
            family: Family::Redis,
            number,
        };
        let cut = &FEW[..FEW.len() - 1];
        let disabled = [&FEW[..FEW.len() - 8], &[0; 8]].concat();
        for (number, data, expected) in [
            (10, FEW, Some(Ending::Whole)),
            (10, cut, Some(Ending::Other)),
            (10, &disabled, Some(Ending::WithoutChecksum)),
            (10, b"REDIS", None),
            (4, b"REDIS0004\xff", Some(Ending::Whole)),
            (4, b"REDIS0004", Some(Ending::Other)),
        ] {
            assert_eq!(ending(version(number), data), expected);
        }
    }

    #[test]
    fn aux_fields_are_kept_up_to_a_bound() {
        let mut rdb = b"REDIS0011".to_vec();
        for _ in 0..3 {
            rdb.extend_from_slice(b"\xfa\x01n\x80\x00\x08\x00\x00");
            rdb.extend_from_slice(&vec![b'v'; 0x8_0000]);
        }
        rdb.extend_from_slice(b"\xff");
        let mut report = nothing_yet();
        from_map(&mut RdbParser::new(), &rdb, &mut report).unwrap();
        assert_eq!((report.aux.len(), report.aux_left_out), (1, 2));
    }
}
