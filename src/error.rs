//! The library's only error type: what is wrong, where, in which key, and what helps.

use std::fmt;
use std::io;

#[doc(inline)]
pub use crate::bytes::Problem;

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;

/// An error that ends a task. One word wide; everything it knows is behind a box.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    place: Option<Place>,
    what: Option<What>,
    db: Option<u32>,
    key: Option<Box<[u8]>>,
    value_type: Option<(u8, &'static str)>,
    hint: Option<Hint>,
    file: Option<String>,
}

/// What is wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are.
    Bytes(Problem),
    /// The text is: JSON that cannot be read, or says what cannot be.
    Text(String),
    /// The system said no.
    Io(io::Error),
    /// The input is of a kind that this task does not read.
    WrongKind {
        /// What the input is.
        found: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// This program cannot do it, although the bytes may be sound.
    Unsupported(String),
    /// A limit that the caller set, or that keeps memory bounded, was reached.
    Limit(String),
    /// The caller's options contradict each other or the input.
    Usage(String),
    /// The reader of our output went away: not an error of ours.
    ClosedPipe,
}

/// Where in the file. Offsets inside a decompressed blob are not file offsets, hence `inside`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// The packed form and the byte within it, where the fault lies inside one.
    pub inside: Option<(Encoding, u32)>,
}

impl Place {
    /// A plain offset in the file.
    pub fn at(offset: u64) -> Self {
        Place {
            offset,
            inside: None,
        }
    }
}

/// The packed forms that have bytes of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// A listpack.
    Listpack,
    /// A ziplist.
    Ziplist,
    /// An intset.
    Intset,
    /// A zipmap.
    Zipmap,
    /// A string compressed by LZF.
    Lzf,
    /// A run of records compressed by Dragonfly.
    Run,
    /// A module's own serialisation.
    Module,
}

impl Encoding {
    /// The name in words.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Listpack => "listpack",
            Encoding::Ziplist => "ziplist",
            Encoding::Intset => "intset",
            Encoding::Zipmap => "zipmap",
            Encoding::Lzf => "LZF string",
            Encoding::Run => "compressed run",
            Encoding::Module => "module value",
        }
    }
}

/// What was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// Magic and version.
    Header,
    /// A snapshot, wherever in it.
    Snapshot,
    /// A record's first byte.
    Record,
    /// An AUX field.
    Aux,
    /// A database's number or sizes.
    Database,
    /// An expiry, idle time or frequency.
    KeyAttribute,
    /// A key's name.
    Key,
    /// A key's value.
    Value,
    /// A function library.
    Function,
    /// A module's record outside the keys.
    ModuleAux,
    /// A command of a log.
    Command,
    /// The checksum.
    Checksum,
    /// A hash template.
    Template,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Header => "the header",
            What::Snapshot => "the snapshot",
            What::Record => "the start of a record",
            What::Aux => "an AUX field",
            What::Database => "a database's header",
            What::KeyAttribute => "a key's expiry or access data",
            What::Key => "a key's name",
            What::Value => "the value",
            What::Function => "a function library",
            What::ModuleAux => "a module's AUX record",
            What::Command => "a command",
            What::Checksum => "the checksum",
            What::Template => "a hash template",
        }
    }
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// The file was cut: fetch it again.
    CopyAgain,
    /// Only this key is lost.
    OneKey,
    /// Everything before is good.
    KeepGoing,
    /// A newer version may know it.
    NewerVersion,
    /// The checksum alone can be ignored.
    IgnoreChecksum,
    /// Another command reads this kind of file.
    UseCommand(&'static str),
    /// Remove what stands after the end.
    TrailingBytes,
    /// The server drops such keys.
    ServerDrops,
    /// Free some room.
    FreeSpace,
    /// Any other advice, as one sentence part.
    Other(&'static str),
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::CopyAgain => f.write_str("the file was cut short: copy or save it again"),
            Hint::OneKey => f.write_str("`salvage` saves every other key"),
            Hint::KeepGoing => f.write_str("`salvage` saves every key that is whole"),
            Hint::NewerVersion => f.write_str("a newer redkit may know it"),
            Hint::IgnoreChecksum => {
                f.write_str("some byte changed after the file was written; `check-rdb --ignore-checksum` judges the structure alone")
            }
            Hint::UseCommand(name) => write!(f, "use `redkit {name}` for this kind of file"),
            Hint::TrailingBytes => f.write_str("servers ignore them; a second file may have been appended"),
            Hint::ServerDrops => f.write_str("harmless, but no server writes this"),
            Hint::FreeSpace => f.write_str("free some space, or write elsewhere with `-o`"),
            Hint::Other(text) => f.write_str(text),
        }
    }
}

impl Error {
    /// An error of this kind, nothing else known yet.
    #[cold]
    pub fn new(kind: ErrorKind) -> Self {
        Error(Box::new(Inner {
            kind,
            place: None,
            what: None,
            db: None,
            key: None,
            value_type: None,
            hint: None,
            file: None,
        }))
    }

    /// Bytes that are wrong at a place.
    #[cold]
    pub fn bytes(problem: Problem, place: Place, what: What) -> Self {
        let mut error = Error::new(ErrorKind::Bytes(problem));
        error.0.place = Some(place);
        error.0.what = Some(what);
        error
    }

    /// Text that is wrong at a place.
    #[cold]
    pub fn text(text: impl Into<String>, place: Place) -> Self {
        let mut error = Error::new(ErrorKind::Text(text.into()));
        error.0.place = Some(place);
        error
    }

    /// What cannot be had, asked for at a place.
    #[cold]
    pub fn unsupported(text: impl Into<String>, place: Place) -> Self {
        let mut error = Error::new(ErrorKind::Unsupported(text.into()));
        error.0.place = Some(place);
        error
    }

    /// Options that do not go together.
    #[cold]
    pub fn usage(text: impl Into<String>) -> Self {
        Error::new(ErrorKind::Usage(text.into()))
    }

    /// A limit that was reached.
    #[cold]
    pub fn limit(text: impl Into<String>) -> Self {
        Error::new(ErrorKind::Limit(text.into()))
    }

    /// Adds the database and key, unless they are known already.
    #[must_use]
    pub fn in_key(mut self, db: u32, key: &[u8]) -> Self {
        if self.0.key.is_none() {
            self.0.db = Some(db);
            self.0.key = Some(key.into());
        }
        self
    }

    /// Adds the value's type.
    #[must_use]
    pub fn in_type(mut self, number: u8, name: &'static str) -> Self {
        self.0.value_type.get_or_insert((number, name));
        self
    }

    /// Adds the file, where the input has several, unless it is known already.
    #[must_use]
    pub fn in_file(mut self, path: &std::path::Path) -> Self {
        self.0
            .file
            .get_or_insert_with(|| path.display().to_string());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: Hint) -> Self {
        self.0.hint.get_or_insert(hint);
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }
    /// The problem, where the bytes are wrong.
    pub fn problem(&self) -> Option<Problem> {
        match self.0.kind {
            ErrorKind::Bytes(problem) => Some(problem),
            _ => None,
        }
    }
    /// Where, if it is a matter of bytes.
    pub fn place(&self) -> Option<Place> {
        self.0.place
    }
    /// What was being read.
    pub fn what(&self) -> Option<What> {
        self.0.what
    }
    /// The database of the key at fault.
    pub fn db(&self) -> Option<u32> {
        self.0.db
    }
    /// The key at fault.
    pub fn key(&self) -> Option<&[u8]> {
        self.0.key.as_deref()
    }
    /// Number and name of the type of the value at fault.
    pub fn value_type(&self) -> Option<(u8, &'static str)> {
        self.0.value_type
    }
    /// What helps.
    pub fn hint(&self) -> Option<Hint> {
        self.0.hint
    }
    /// True when the reader of our output went away.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self.0.kind, ErrorKind::ClosedPipe)
    }
}

impl From<io::Error> for Error {
    #[cold]
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Error::new(ErrorKind::ClosedPipe);
        }
        let full = error.kind() == io::ErrorKind::StorageFull;
        let error = Error::new(ErrorKind::Io(error));
        if full {
            error.with_hint(Hint::FreeSpace)
        } else {
            error
        }
    }
}

/// A key or name for people: printable text as it is, other bytes as `\xHH`.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                c if c.is_control() => {
                    let mut utf8 = [0; 4];
                    for b in c.encode_utf8(&mut utf8).bytes() {
                        text.push_str(&format!("\\x{b:02x}"));
                    }
                }
                c => text.push(c),
            }
        }
        for b in chunk.invalid() {
            text.push_str(&format!("\\x{b:02x}"));
        }
    }
    text
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Bytes(problem) => problem.fmt(f),
            ErrorKind::Io(error) => error.fmt(f),
            ErrorKind::WrongKind { found, expected } => {
                write!(f, "this is {found}, not {expected}")
            }
            ErrorKind::Text(text)
            | ErrorKind::Unsupported(text)
            | ErrorKind::Limit(text)
            | ErrorKind::Usage(text) => f.write_str(text),
            ErrorKind::ClosedPipe => f.write_str("the reader of the output went away"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            place,
            what,
            db,
            key,
            value_type,
            hint,
            file,
        } = &*self.0;
        if let Some(file) = file {
            write!(f, "{file}: ")?;
        }
        write!(f, "{kind}")?;
        if let Some(place) = place {
            write!(f, "\n  at offset {:#x} ({})", place.offset, place.offset)?;
            if let Some((encoding, byte)) = place.inside {
                write!(f, ", byte {byte} of the {}", encoding.name())?;
            }
        }
        if let Some(what) = what {
            write!(f, "\n  while reading {}", what.name())?;
            if let (Some(db), Some(key)) = (db, key) {
                write!(f, " of key \"{}\" in db {db}", printable(key))?;
            }
            if let Some((number, name)) = value_type {
                write!(f, " (type {number}, {name})")?;
            }
        } else if let (Some(db), Some(key), Some(_)) = (db, key, place) {
            write!(f, "\n  in key \"{}\" of db {db}", printable(key))?;
        }
        if let Some(hint) = hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_and_says_place_key_and_hint() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        let place = Place {
            offset: 107_255,
            inside: Some((Encoding::Listpack, 37)),
        };
        let error = Error::bytes(Problem::EntryPastEnd, place, What::Value)
            .in_key(0, b"user:\xff\"")
            .in_type(16, "hash-listpack")
            .with_hint(Hint::OneKey);
        assert_eq!(
            error.to_string(),
            "an entry runs past the end of its blob\n  at offset 0x1a2f7 (107255), byte 37 of the listpack\n  \
             while reading the value of key \"user:\\xff\\\"\" in db 0 (type 16, hash-listpack)\n  \
             hint: `salvage` saves every other key"
        );
    }

    #[test]
    fn a_closed_pipe_is_not_an_error_of_ours() {
        assert!(Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_closed_pipe());
    }
}
