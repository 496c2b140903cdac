//! The manifest of a multi-part AOF: which files make the data set, and in which order.
//!
//! ```text
//! # a comment
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.1.incr.aof seq 1 type h
//! file appendonly.aof.2.incr.aof seq 2 type i startoffset 0
//! ```
//!
//! Read as `aofLoadManifestFromFile` of the servers reads it, with each of its oddities, since what
//! it refuses keeps a server from starting: lines are taken in pieces of 1024 bytes (`fgets`), words
//! are C strings, numbers are what `atoll` makes of them. Tried on Redis 7.0.15 and 8.2.3 and on
//! Valkey 8.1.8 and 9.1.2.

mod problem;
mod words;

use crate::record::target::Target;
use crate::record::types::Family;

pub use problem::{ManifestFault, ManifestProblem, Unwritable};

/// The files of a data set, as a manifest names them.
///
/// Its rules hold once it exists: at most one base, incremental files in rising sequence, and no
/// name that is a path. Two are equal when they name the same files in the same way, whatever the
/// order of their lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    base: Option<FileEntry>,
    history: Vec<FileEntry>,
    incrementals: Vec<FileEntry>,
    comments: Vec<Vec<u8>>,
}

/// A file that a manifest names.
#[derive(Clone, Debug, Eq)]
pub struct FileEntry {
    /// Its bare name, in the folder of the manifest. May be empty; no server can open that.
    pub name: Vec<u8>,
    /// Its sequence number: not 0, and above 0 for an incremental file. Servers take a negative one
    /// for the others.
    pub seq: i64,
    /// What it is for.
    pub role: Role,
    /// Replication offset of its first byte (Redis 8.0 and later).
    pub start_offset: Option<i64>,
    /// Replication offset of its end (Redis 8.0 and later).
    pub end_offset: Option<i64>,
    /// Further pairs of key and value, in order; servers ignore them, and forget them when they
    /// write the manifest anew.
    pub others: Vec<(Vec<u8>, Vec<u8>)>,
    /// The comments above it, each from `#` on and without its line feed.
    pub comments: Vec<Vec<u8>>,
    /// Where it was read: the line as servers count, from 1. Not part of what is compared.
    pub line: Option<usize>,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The data set at one time, as a snapshot or as commands; loaded first.
    Base,
    /// Superseded: never loaded, and removed when a server starts.
    History,
    /// Commands since then.
    Incremental,
}

impl Role {
    /// The letter in a manifest.
    pub fn letter(self) -> char {
        match self {
            Role::Base => 'b',
            Role::History => 'h',
            Role::Incremental => 'i',
        }
    }

    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Role::Base => "base",
            Role::History => "history",
            Role::Incremental => "incremental",
        }
    }
}

/// Whose reading of a manifest is meant: they differ in quoting, and only on lines that no server
/// writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Redis: a closing quote ends its word and must be followed by a blank. The strictest.
    #[default]
    Redis,
    /// Valkey 8.1: the same, but a byte `ff` that is not escaped is lost.
    Valkey8,
    /// Valkey 9.1: that, and a word may go on behind a closing quote, as in a shell.
    Valkey9,
}

impl Dialect {
    /// How this server reads.
    pub fn of(target: &Target) -> Dialect {
        match (target.family, target.major, target.minor) {
            (Family::Valkey, 9.., 1..) | (Family::Valkey, 10.., _) => Dialect::Valkey9,
            (Family::Valkey, 9.., _) | (Family::Valkey, 8, 1..) => Dialect::Valkey8,
            _ => Dialect::Redis,
        }
    }
}

impl Manifest {
    /// Reads a manifest as the strictest servers do.
    ///
    /// # Errors
    /// The first line that a server refuses.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, ManifestFault> {
        Manifest::parse_as(bytes, Dialect::Redis)
    }

    /// Reads a manifest as this server does.
    ///
    /// # Errors
    /// The first line that it refuses.
    pub fn parse_as(bytes: &[u8], dialect: Dialect) -> Result<Manifest, ManifestFault> {
        let mut manifest = Manifest::default();
        let mut offset = 0;
        let mut number = 0;
        let mut rest = bytes;
        while let Some((line, behind)) = take_line(rest) {
            number += 1;
            rest = behind;
            if line.first() == Some(&b'#') {
                let text = line.strip_suffix(b"\n").unwrap_or(line);
                manifest.comments.push(text.to_vec());
            } else if let Err(problem) = manifest.take_entry(line, number, dialect) {
                return Err(ManifestFault {
                    line: number,
                    offset,
                    text: trim(line).to_vec(),
                    problem,
                });
            }
            offset += line.len() as u64;
        }
        if number == 0 {
            return Err(ManifestFault {
                line: 0,
                offset: 0,
                text: Vec::new(),
                problem: ManifestProblem::Empty,
            });
        }
        Ok(manifest)
    }

    /// The names that stand in what was a manifest: those of each line that a server could read if the
    /// others were not there.
    pub fn names_in(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        let mut rest = bytes;
        while let Some((line, behind)) = take_line(rest) {
            rest = behind;
            if let Ok(entry) = FileEntry::from_line(trim(line), Dialect::Redis) {
                names.push(entry.name);
            }
        }
        names
    }

    /// The manifest of these files, in this order, with these comments behind the last.
    ///
    /// # Errors
    /// The rule that it would break, and the index of the file (their number, for a comment).
    pub fn from_entries(
        entries: Vec<FileEntry>,
        comments: Vec<Vec<u8>>,
    ) -> Result<Manifest, (usize, ManifestProblem)> {
        let mut manifest = Manifest::default();
        let count = entries.len();
        for (index, entry) in entries.into_iter().enumerate() {
            manifest.push(entry).map_err(|problem| (index, problem))?;
        }
        check_comments(&comments).map_err(|problem| (count, problem))?;
        manifest.comments = comments;
        Ok(manifest)
    }

    /// Adds a file.
    ///
    /// # Errors
    /// The rule that it would break.
    pub fn push(&mut self, entry: FileEntry) -> Result<(), ManifestProblem> {
        entry.check()?;
        match entry.role {
            Role::Base if self.base.is_some() => return Err(ManifestProblem::SecondBase),
            Role::Base => self.base = Some(entry),
            Role::History => self.history.push(entry),
            Role::Incremental => {
                let previous = self.incrementals.last().map_or(0, |last| last.seq);
                if entry.seq <= previous {
                    let found = entry.seq;
                    return Err(ManifestProblem::SeqOrder { previous, found });
                }
                self.incrementals.push(entry);
            }
        }
        Ok(())
    }

    fn take_entry(
        &mut self,
        line: &[u8],
        number: usize,
        dialect: Dialect,
    ) -> Result<(), ManifestProblem> {
        // `strchr` looks for the line feed, and no further than a NUL.
        if memchr::memchr(0, line).is_some() {
            return Err(ManifestProblem::Nul);
        }
        if line.last() != Some(&b'\n') {
            return Err(match line.len() {
                LINE => ManifestProblem::LineTooLong,
                _ => ManifestProblem::NoLineFeed,
            });
        }
        let mut entry = FileEntry::from_line(trim(line), dialect)?;
        entry.line = Some(number);
        // Taken back on an error, but then the manifest is not used.
        entry.comments = std::mem::take(&mut self.comments);
        self.push(entry)
    }

    /// The base file.
    pub fn base(&self) -> Option<&FileEntry> {
        self.base.as_ref()
    }

    /// The incremental files, in the order in which they are loaded.
    pub fn incrementals(&self) -> &[FileEntry] {
        &self.incrementals
    }

    /// The superseded files.
    pub fn history(&self) -> &[FileEntry] {
        &self.history
    }

    /// The files that make the data set, in the order in which they are loaded.
    pub fn in_load_order(&self) -> impl DoubleEndedIterator<Item = &FileEntry> {
        self.base.iter().chain(&self.incrementals)
    }

    /// All files, in the order in which servers write them: base, history, incremental.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &FileEntry> {
        self.base
            .iter()
            .chain(&self.history)
            .chain(&self.incrementals)
    }

    /// The same, with the comments behind the last file, to make another manifest of.
    pub fn into_entries(self) -> (Vec<FileEntry>, Vec<Vec<u8>>) {
        let entries = self.base.into_iter().chain(self.history);
        (entries.chain(self.incrementals).collect(), self.comments)
    }

    /// The comments behind the last file.
    pub fn comments(&self) -> &[Vec<u8>] {
        &self.comments
    }

    /// Writes it in the servers' form: base, then history, then incremental files, each below its
    /// comments.
    ///
    /// A line that would get too long that way is written with as few escapes as can be.
    ///
    /// # Errors
    /// When it is too long even so. `out` may then have got some lines.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        for entry in self.entries() {
            write_comments(out, &entry.comments);
            let start = out.len();
            entry.write(out, words::write);
            if out.len() - start > LINE {
                out.truncate(start);
                entry.write(out, words::write_short);
            }
            if out.len() - start > LINE {
                let name = entry.name.clone();
                return Err(Unwritable { name });
            }
        }
        write_comments(out, &self.comments);
        Ok(())
    }
}

impl FileEntry {
    /// A file with nothing else known of it.
    pub fn new(role: Role, seq: i64, name: impl Into<Vec<u8>>) -> FileEntry {
        FileEntry {
            name: name.into(),
            seq,
            role,
            start_offset: None,
            end_offset: None,
            others: Vec::new(),
            comments: Vec::new(),
            line: None,
        }
    }

    fn from_line(line: &[u8], dialect: Dialect) -> Result<FileEntry, ManifestProblem> {
        if line.is_empty() {
            return Err(ManifestProblem::BlankLine);
        }
        let mut words = words::split(line, dialect).ok_or(ManifestProblem::Quotes)?;
        let count = words.len();
        if count < 6 || !count.is_multiple_of(2) {
            return Err(ManifestProblem::WordCount { count });
        }
        let (mut name, mut seq, mut role) = (None, 0, None);
        let mut entry = FileEntry::new(Role::History, 0, Vec::new());
        let mut words = words.drain(..);
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            // Of a key that stands twice, the last counts.
            match Key::of(&key) {
                Some(Key::File) => {
                    let bare = c_string(&value).to_vec();
                    if is_path(&bare) {
                        return Err(ManifestProblem::Path);
                    }
                    name = Some(bare);
                }
                Some(Key::Seq) => seq = c_number(&value),
                Some(Key::Role) => role = c_string(&value).first().copied(),
                Some(Key::StartOffset) => entry.start_offset = Some(c_number(&value)),
                Some(Key::EndOffset) => entry.end_offset = Some(c_number(&value)),
                None => entry.others.push((key, value)),
            }
        }
        entry.name = name.ok_or(ManifestProblem::NoName)?;
        if seq == 0 {
            return Err(ManifestProblem::NoSeq);
        }
        entry.seq = seq;
        entry.role = match role.ok_or(ManifestProblem::NoRole)? {
            b'b' => Role::Base,
            b'h' => Role::History,
            b'i' => Role::Incremental,
            found => return Err(ManifestProblem::UnknownRole { found }),
        };
        Ok(entry)
    }

    /// The rules of a line that hold whatever the other lines say.
    fn check(&self) -> Result<(), ManifestProblem> {
        if is_path(&self.name) {
            return Err(ManifestProblem::Path);
        }
        if memchr::memchr(0, &self.name).is_some() {
            return Err(ManifestProblem::Nul);
        }
        if self.seq == 0 {
            return Err(ManifestProblem::NoSeq);
        }
        if self.others.iter().any(|(key, _)| Key::of(key).is_some()) {
            let count = self.others.len();
            return Err(ManifestProblem::WordCount { count });
        }
        check_comments(&self.comments)
    }

    fn write(&self, out: &mut Vec<u8>, word: fn(&mut Vec<u8>, &[u8])) {
        out.extend_from_slice(b"file ");
        word(out, &self.name);
        let (seq, role) = (self.seq, self.role.letter());
        out.extend_from_slice(format!(" seq {seq} type {role}").as_bytes());
        if let Some(offset) = self.start_offset {
            out.extend_from_slice(format!(" startoffset {offset}").as_bytes());
        }
        if let Some(offset) = self.end_offset {
            out.extend_from_slice(format!(" endoffset {offset}").as_bytes());
        }
        for (key, value) in &self.others {
            out.push(b' ');
            word(out, key);
            out.push(b' ');
            word(out, value);
        }
        out.push(b'\n');
    }
}

impl PartialEq for FileEntry {
    fn eq(&self, other: &FileEntry) -> bool {
        let FileEntry {
            name,
            seq,
            role,
            start_offset,
            end_offset,
            others,
            comments,
            line: _,
        } = self;
        (name, seq, role, start_offset)
            == (&other.name, &other.seq, &other.role, &other.start_offset)
            && (end_offset, others, comments) == (&other.end_offset, &other.others, &other.comments)
    }
}

/// The keys that mean something.
enum Key {
    File,
    Seq,
    Role,
    StartOffset,
    EndOffset,
}

impl Key {
    fn of(word: &[u8]) -> Option<Key> {
        match &*c_string(word).to_ascii_lowercase() {
            b"file" => Some(Key::File),
            b"seq" => Some(Key::Seq),
            b"type" => Some(Key::Role),
            b"startoffset" => Some(Key::StartOffset),
            b"endoffset" => Some(Key::EndOffset),
            _ => None,
        }
    }
}

/// Takes what `fgets` takes: up to a line feed and with it, or 1024 bytes, or the rest.
fn take_line(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    if rest.is_empty() {
        return None;
    }
    let most = rest.get(..LINE).unwrap_or(rest);
    let end = memchr::memchr(b'\n', most).map_or(most.len(), |at| at + 1);
    rest.split_at_checked(end)
}

/// Takes the blanks around it that servers take (`sdstrim`).
fn trim(mut line: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', inner @ ..]
    | [inner @ .., b' ' | b'\t' | b'\r' | b'\n'] = line
    {
        line = inner;
    }
    line
}

/// `pathIsBaseName`, turned round.
fn is_path(name: &[u8]) -> bool {
    memchr::memchr2(b'/', b'\\', name).is_some()
}

/// Up to the first NUL: an escaped one ends the word for a server.
fn c_string(word: &[u8]) -> &[u8] {
    word.split(|c| *c == 0).next().unwrap_or_default()
}

/// `atoll`: blanks, a sign, digits, and anything behind them; held at the ends of the range.
fn c_number(word: &[u8]) -> i64 {
    let mut rest = word;
    while let Some((_, behind)) = rest.split_first().filter(|(c, _)| words::is_space(**c)) {
        rest = behind;
    }
    let (negative, digits) = match rest {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let mut value: i64 = 0;
    for digit in digits.iter().take_while(|c| c.is_ascii_digit()) {
        let digit = i64::from(digit - b'0');
        let step = if negative { -digit } else { digit };
        value = value.saturating_mul(10).saturating_add(step);
    }
    value
}

fn check_comments(comments: &[Vec<u8>]) -> Result<(), ManifestProblem> {
    for comment in comments {
        if comment.first() != Some(&b'#') || memchr::memchr(b'\n', comment).is_some() {
            return Err(ManifestProblem::WordCount { count: 0 });
        }
        if comment.len() > LINE {
            return Err(ManifestProblem::LineTooLong);
        }
    }
    Ok(())
}

fn write_comments(out: &mut Vec<u8>, comments: &[Vec<u8>]) {
    for comment in comments {
        out.extend_from_slice(comment);
        // One of 1024 bytes ends without: its line feed would be read as a blank line.
        if comment.len() < LINE {
            out.push(b'\n');
        }
    }
}

/// Bytes that a server takes at a time: the longest line with its line feed
/// (`MANIFEST_MAX_LINE`).
const LINE: usize = 1024;

#[cfg(test)]
mod tests;
