//! What can be wrong with a manifest, in our words and in the servers'.

use std::fmt;

use crate::error::printable;

use super::LINE;

/// Why a manifest is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFault {
    /// The line as servers count, from 1: one that is too long counts once every 1024 bytes. 0 when
    /// there is none.
    pub line: usize,
    /// Offset of the line's first byte.
    pub offset: u64,
    /// The line without blanks around it, at most 1024 bytes.
    pub text: Vec<u8>,
    /// What is wrong with it.
    pub problem: ManifestProblem,
}

/// What can be wrong with a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestProblem {
    /// No byte at all.
    Empty,
    /// A line longer than 1024 bytes with its line feed.
    LineTooLong,
    /// The last line has no line feed: the file may have been cut.
    NoLineFeed,
    /// A line with a NUL byte, which ends the line for a server.
    Nul,
    /// A line of blanks only.
    BlankLine,
    /// A quote is not closed, or is followed by something other than a blank.
    Quotes,
    /// Not pairs, or fewer than three.
    WordCount {
        /// How many words there are.
        count: usize,
    },
    /// The name is a path.
    Path,
    /// No name.
    NoName,
    /// No sequence number, or 0, or text that is no number.
    NoSeq,
    /// No type.
    NoRole,
    /// A second base file.
    SecondBase,
    /// An incremental file's sequence number is not above the one before.
    SeqOrder {
        /// The one before, 0 for the first.
        previous: i64,
        /// The one found.
        found: i64,
    },
    /// A type that starts with another letter than `b`, `h` or `i`.
    UnknownRole {
        /// The letter.
        found: u8,
    },
}

impl ManifestProblem {
    /// Every stable word that [`code`](Self::code) gives.
    pub const CODES: [&'static str; 7] = [
        "aof-manifest-empty",
        "aof-manifest-format",
        "aof-manifest-line",
        "aof-manifest-order",
        "aof-manifest-path",
        "aof-manifest-two-bases",
        "aof-manifest-type",
    ];

    /// The stable word for it, as reports carry it.
    pub fn code(self) -> &'static str {
        match self {
            ManifestProblem::Empty => "aof-manifest-empty",
            ManifestProblem::LineTooLong | ManifestProblem::NoLineFeed | ManifestProblem::Nul => {
                "aof-manifest-line"
            }
            ManifestProblem::BlankLine
            | ManifestProblem::Quotes
            | ManifestProblem::WordCount { .. }
            | ManifestProblem::NoName
            | ManifestProblem::NoSeq
            | ManifestProblem::NoRole => "aof-manifest-format",
            ManifestProblem::Path => "aof-manifest-path",
            ManifestProblem::SecondBase => "aof-manifest-two-bases",
            ManifestProblem::SeqOrder { .. } => "aof-manifest-order",
            ManifestProblem::UnknownRole { .. } => "aof-manifest-type",
        }
    }

    /// What a server and its checker say, word for word.
    pub fn reason(self) -> &'static str {
        match self {
            ManifestProblem::Empty => "Found an empty AOF manifest",
            ManifestProblem::LineTooLong | ManifestProblem::NoLineFeed | ManifestProblem::Nul => {
                "The AOF manifest file contains too long line"
            }
            ManifestProblem::BlankLine
            | ManifestProblem::Quotes
            | ManifestProblem::WordCount { .. }
            | ManifestProblem::NoName
            | ManifestProblem::NoSeq
            | ManifestProblem::NoRole => "Invalid AOF manifest file format",
            ManifestProblem::Path => "File can't be a path, just a filename",
            ManifestProblem::SecondBase => "Found duplicate base file information",
            ManifestProblem::SeqOrder { .. } => "Found a non-monotonic sequence number",
            ManifestProblem::UnknownRole { .. } => "Unknown AOF file type",
        }
    }

    /// Whether a server shows the line and its number before the reason.
    pub fn shows_line(self) -> bool {
        !matches!(
            self,
            ManifestProblem::Empty
                | ManifestProblem::LineTooLong
                | ManifestProblem::NoLineFeed
                | ManifestProblem::Nul
        )
    }
}

impl fmt::Display for ManifestProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ManifestProblem::Empty => f.write_str("the manifest is empty"),
            ManifestProblem::LineTooLong => {
                write!(f, "the line is longer than {} bytes", LINE - 1)
            }
            ManifestProblem::NoLineFeed => {
                f.write_str("the last line does not end with a line feed")
            }
            ManifestProblem::Nul => f.write_str("the line holds a NUL byte"),
            ManifestProblem::BlankLine => f.write_str("a blank line"),
            ManifestProblem::Quotes => {
                f.write_str("a quote is not closed, or is closed in the middle of a word")
            }
            ManifestProblem::WordCount { count } => {
                write!(f, "expected at least 3 pairs of words, found {count} words")
            }
            ManifestProblem::Path => {
                f.write_str("the file is named by a path, where a bare name must stand")
            }
            ManifestProblem::NoName => f.write_str("the line names no file"),
            ManifestProblem::NoSeq => f.write_str("the line has no sequence number, or 0"),
            ManifestProblem::NoRole => f.write_str("the line has no type"),
            ManifestProblem::SecondBase => f.write_str("a second base file"),
            ManifestProblem::SeqOrder { previous, found } => write!(
                f,
                "sequence number {found} of an incremental file is not above {previous}"
            ),
            ManifestProblem::UnknownRole { found } => {
                write!(f, "type \"{}\" is not b, h or i", printable(&[*found]))
            }
        }
    }
}

impl fmt::Display for ManifestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for ManifestFault {}

/// A manifest cannot be written so that a server reads it: the line of this file would be too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritable {
    /// The file's name.
    pub name: Vec<u8>,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = printable(&self.name);
        write!(
            f,
            "the line of \"{name}\" would be longer than a server reads"
        )
    }
}

impl std::error::Error for Unwritable {}
