//! Opens what a task works on.

use crate::error::{Error, ErrorKind, Result};
use crate::io::kind::Kind;
use crate::io::source::{Content, Map, OpenOptions, Origin, Source};
use crate::io::spool::SpoolFile;
use crate::task::{InputPath, Run};

/// What to do with content that is of no known kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unrecognised {
    /// Read it as a snapshot with a bad magic.
    IsSnapshot,
    /// Refuse it.
    Refused,
}

/// Opens whatever it is.
pub(crate) fn source(input: &InputPath, run: &Run<'_>) -> Result<Source> {
    match input {
        InputPath::Stdin => Source::stdin(),
        InputPath::File(path) => Source::open(path, OpenOptions { mmap: run.mmap }),
    }
}

/// Opens a snapshot: any other known kind is refused by name.
pub(crate) fn snapshot(
    input: &InputPath,
    run: &Run<'_>,
    unrecognised: Unrecognised,
) -> Result<(Origin, Content)> {
    let source = source(input, run)?;
    match (source.kind(), unrecognised) {
        (Kind::Rdb | Kind::Empty, _) | (Kind::Unknown, Unrecognised::IsSnapshot) => {}
        (kind, _) => {
            return Err(Error::new(ErrorKind::WrongKind {
                found: kind.name(),
                expected: "an RDB file",
            }));
        }
    }
    run.progress.size(source.origin().content_size());
    Ok(source.into_parts())
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
        kind => Err(Error::new(ErrorKind::WrongKind {
            found: kind.name(),
            expected: "an AOF",
        })),
    }
}
