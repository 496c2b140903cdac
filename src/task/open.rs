//! Opens what a task works on.

use std::io::Read;

use crate::error::{Error, ErrorKind, Hint, Result};
use crate::io::kind::Kind;
use crate::io::source::{Content, Map, OpenOptions, Origin, Source};
use crate::io::spool::SpoolFile;
use crate::task::logs::{self, LogFile, Logs};
use crate::task::{InputPath, Run};

/// Opens whatever it is.
pub(crate) fn source(input: &InputPath, run: &Run<'_>) -> Result<Source> {
    match input {
        InputPath::Stdin => Source::stdin(),
        InputPath::File(path) => Source::open(path, OpenOptions { mmap: run.mmap }),
    }
}

/// Opens a snapshot: any other known kind is refused by name.
pub(crate) fn snapshot(input: &InputPath, run: &Run<'_>) -> Result<(Origin, Content)> {
    snapshot_of(source(input, run)?, run)
}

/// The same of a source that is open.
pub(crate) fn snapshot_of(source: Source, run: &Run<'_>) -> Result<(Origin, Content)> {
    match source.kind() {
        // What is of no known kind is a snapshot with a bad magic.
        Kind::Rdb | Kind::Empty | Kind::Unknown => {}
        kind => return Err(wrong(kind, "an RDB file")),
    }
    run.progress.size(source.origin().content_size());
    Ok(source.into_parts())
}

/// The error about an input of a kind that the command does not read; a hint where another does.
#[cold]
pub(crate) fn wrong(kind: Kind, expected: &'static str) -> Error {
    let error = Error::new(ErrorKind::WrongKind {
        found: kind.name(),
        expected,
    });
    match kind {
        Kind::Tar => error.with_hint(Hint::UseCommand("verify")),
        _ => error,
    }
}

/// What can be written as JSON.
pub(crate) enum Dumpable {
    /// A snapshot.
    Snapshot(Content),
    /// A log or a set, which is replayed first.
    Logs(Logs),
}

/// Opens a snapshot, or says that it is a log: content decides.
pub(crate) fn dumpable(input: &InputPath, run: &Run<'_>) -> Result<Dumpable> {
    if let InputPath::File(path) = input
        && path.is_dir()
    {
        return Ok(Dumpable::Logs(logs::logs(input, run)?));
    }
    dumpable_of(input, source(input, run)?, run)
}

fn dumpable_of(input: &InputPath, source: Source, run: &Run<'_>) -> Result<Dumpable> {
    match source.kind() {
        Kind::Rdb if !has_log_behind(&source) => {}
        Kind::Rdb | Kind::Aof | Kind::Manifest => {
            return Ok(Dumpable::Logs(logs::of_source(input, source, run)?));
        }
        Kind::Empty => {}
        kind => return Err(wrong(kind, "an RDB file or an AOF")),
    }
    run.progress.size(source.origin().content_size());
    Ok(Dumpable::Snapshot(source.into_parts().1))
}

/// The same, but that a stream is looked at as well: one that begins with the base of a log is a log.
pub(crate) fn countable(input: &InputPath, run: &Run<'_>) -> Result<Dumpable> {
    if matches!(input, InputPath::File(path) if path.is_dir()) {
        return dumpable(input, run);
    }
    let source = source(input, run)?;
    if source.kind() != Kind::Rdb {
        return dumpable_of(input, source, run);
    }
    let (origin, content) = match source.content() {
        Content::Map(_) => return dumpable_of(input, source, run),
        Content::Stream(_) => source.into_parts(),
    };
    let Content::Stream(mut stream) = content else {
        return Ok(Dumpable::Snapshot(content));
    };
    let mut near = Vec::new();
    std::io::Read::by_ref(&mut stream)
        .take(BASE_SEEN as u64)
        .read_to_end(&mut near)?;
    let is_base = is_base(&near);
    let mut stream: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(near).chain(stream));
    if is_base {
        let map = spooled(&mut stream, run.max_spool)?;
        return Ok(Dumpable::Logs(Logs::One(LogFile {
            origin,
            map: map.into(),
        })));
    }
    run.progress.size(origin.content_size());
    Ok(Dumpable::Snapshot(Content::Stream(stream)))
}

/// True for a mapped snapshot whose AUX fields say that it is the base of a log: commands may follow.
/// A stream is taken for a snapshot, since that can be read as it comes.
fn has_log_behind(source: &Source) -> bool {
    match source.content() {
        Content::Map(map) => is_base(map),
        Content::Stream(_) => false,
    }
}

/// Bytes among which the AUX fields are that tell.
pub(crate) const BASE_SEEN: usize = 4096;

/// True for a snapshot whose AUX fields say that it is the base of a log.
pub(crate) fn is_base(data: &[u8]) -> bool {
    let near = data.get(..data.len().min(BASE_SEEN)).unwrap_or_default();
    let mut parser = crate::rdb::parser::RdbParser::new();
    let mut rest = near;
    while let Ok(crate::bytes::Step::Parsed { consumed, item }) = parser.parse(rest, false) {
        match item {
            crate::record::Record::Header(_) => {}
            crate::record::Record::Aux { name, value } => {
                let is = |stored: crate::record::Stored<'_>, wanted: &[&[u8]]| {
                    stored
                        .to_bytes()
                        .is_ok_and(|bytes| wanted.contains(&&*bytes))
                };
                if is(name, &[b"aof-preamble", b"aof-base"]) && is(value, &[b"1"]) {
                    return true;
                }
            }
            _ => return false,
        }
        rest = rest.get(consumed..).unwrap_or_default();
    }
    false
}

/// All of a stream, in a temporary file.
pub(crate) fn spooled(stream: &mut Box<dyn std::io::Read + Send>, max_spool: u64) -> Result<Map> {
    let mut spool = SpoolFile::new(max_spool)?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return Ok(spool.map()?),
            Ok(n) => spool.write_all(piece.get(..n).unwrap_or_default())?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Refuses what is certainly no log. Content of no known kind is a log damaged at its start, and an
/// empty file a log without commands.
pub(crate) fn is_log(kind: Kind) -> Result<()> {
    match kind {
        Kind::Aof | Kind::Rdb | Kind::Empty | Kind::Unknown => Ok(()),
        kind => Err(wrong(kind, "an AOF")),
    }
}
