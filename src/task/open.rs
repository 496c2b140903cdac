//! Opens what a task works on.

use crate::error::{Error, ErrorKind, Result};
use crate::io::kind::Kind;
use crate::io::source::{Content, OpenOptions, Origin, Source};
use crate::task::{InputPath, Run};

/// What to do with content that is of no known kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unrecognised {
    /// Read it as a snapshot with a bad magic.
    IsSnapshot,
    /// Refuse it.
    Refused,
}

/// Opens a snapshot: any other known kind is refused by name.
pub(crate) fn snapshot(
    input: &InputPath,
    run: &Run<'_>,
    unrecognised: Unrecognised,
) -> Result<(Origin, Content)> {
    let source = match input {
        InputPath::Stdin => Source::stdin()?,
        InputPath::File(path) => Source::open(path, OpenOptions { mmap: run.mmap })?,
    };
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
