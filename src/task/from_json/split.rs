//! Cuts JSON text into records, and bundles of them into jobs.
//!
//! A record is a value at the top, one a line or not, or an element of a document's `keys`. Only
//! quotes and brackets are looked at, so that the values can be read side by side. Where a text is
//! damaged, a new record begins at the latest with a line that begins with `{` where no value may
//! stand.

use std::io::Read;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::io::source::{Behind, Content, Map};

/// Bytes of records that make a job.
const JOB: usize = 256 << 10;
/// Bytes that are read at once.
const READ: usize = 256 << 10;

/// Records to be read.
pub(super) struct Job<'d> {
    /// Their text.
    pub(super) text: Text<'d>,
    /// Where each stands in it.
    pub(super) items: Vec<Item>,
    /// Where the text begins.
    pub(super) start: Start,
}

/// The text of a job.
pub(super) enum Text<'d> {
    Borrowed(&'d [u8]),
    Owned(Vec<u8>),
}

impl std::ops::Deref for Text<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Text::Borrowed(text) => text,
            Text::Owned(text) => text,
        }
    }
}

/// Where a text begins in the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// Offset.
    pub(super) at: u64,
    /// Lines before it.
    pub(super) line: u64,
    /// Bytes before it on its line.
    pub(super) column: u64,
}

impl Start {
    /// Where the text behind these bytes begins.
    pub(super) fn behind(self, bytes: &[u8]) -> Start {
        let lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
        let last = memchr::memrchr(b'\n', bytes);
        Start {
            at: self.at + bytes.len() as u64,
            line: self.line + lines,
            column: match last {
                Some(last) => (bytes.len() - last - 1) as u64,
                None => self.column + bytes.len() as u64,
            },
        }
    }
}

/// A value in a job's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) range: Range<usize>,
    pub(super) is: Is,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    /// A record.
    Record,
    /// What a document says of its source.
    Meta,
    /// Whether a document is complete.
    Complete,
    /// Text that is no whole value.
    Broken(&'static str),
}

/// Makes jobs of a text.
pub(super) struct Splitter<'d> {
    input: Input<'d>,
    scan: Scan,
    start: Start,
    /// Bytes that one value may have.
    most: usize,
    failed: Option<Error>,
    done: bool,
}

enum Input<'d> {
    Map(&'d Map),
    Stream {
        stream: &'d mut Box<dyn Read + Send>,
        /// What was read from the start of the next job on.
        buffer: Vec<u8>,
        ended: bool,
    },
}

impl<'d> Splitter<'d> {
    /// Of a content, whose values have at most so many bytes.
    pub(super) fn new(content: &'d mut Content, most: u64) -> Self {
        let input = match content {
            Content::Map(map) => Input::Map(map),
            Content::Stream(stream) => Input::Stream {
                stream,
                buffer: Vec::new(),
                ended: false,
            },
        };
        Splitter {
            input,
            scan: Scan::default(),
            start: Start::default(),
            most: usize::try_from(most).unwrap_or(usize::MAX),
            failed: None,
            done: false,
        }
    }

    /// What lets go of the pages of a map behind what was read.
    pub(super) fn behind(&self) -> Behind<'d> {
        Behind::new(match self.input {
            Input::Map(map) => Some(map),
            Input::Stream { .. } => None,
        })
    }

    /// The next job; none at the end.
    ///
    /// # Errors
    /// Input that cannot be read, behind what could; a value that is too large.
    pub(super) fn next_job(&mut self) -> Result<Option<Job<'d>>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.done {
            return Ok(None);
        }
        loop {
            let (window, whole): (&[u8], bool) = match &self.input {
                Input::Map(map) => {
                    let from = usize::try_from(self.start.at).unwrap_or(usize::MAX);
                    (map.get(from..).unwrap_or_default(), true)
                }
                Input::Stream { buffer, ended, .. } => (buffer, *ended),
            };
            let cut = self.scan.run(window, whole);
            if self.scan.value_len() > self.most {
                return Err(self.too_large());
            }
            if let Some((cut, last)) = cut {
                self.done = last;
                return self.job(cut).map(Some);
            }
            if let Input::Stream {
                stream,
                buffer,
                ended,
            } = &mut self.input
            {
                let read = stream.by_ref().take(READ as u64).read_to_end(buffer);
                match read {
                    Ok(0) => *ended = true,
                    Ok(_) => {}
                    Err(error) => {
                        *ended = true;
                        self.failed = Some(error.into());
                    }
                }
            }
        }
    }

    #[cold]
    fn too_large(&self) -> Error {
        Error::limit(format!(
            "a value of more than {} bytes of JSON, a quarter of what `--max-memory` allows",
            self.most
        ))
    }

    fn job(&mut self, cut: usize) -> Result<Job<'d>> {
        let text = match &mut self.input {
            Input::Map(map) => {
                let map: &'d [u8] = map;
                let from = usize::try_from(self.start.at).unwrap_or(usize::MAX);
                let rest = map.get(from..).unwrap_or_default();
                Text::Borrowed(rest.get(..cut).unwrap_or(rest))
            }
            Input::Stream { buffer, .. } => {
                let rest = buffer.split_off(cut.min(buffer.len()));
                Text::Owned(std::mem::replace(buffer, rest))
            }
        };
        let start = self.start;
        self.start = start.behind(&text);
        let items = self.scan.cut(cut);
        if items.iter().any(|item| item.range.len() > self.most) {
            return Err(self.too_large());
        }
        Ok(Job { text, items, start })
    }
}

/// How far the text of a job was looked through.
#[derive(Default)]
struct Scan {
    at: usize,
    items: Vec<Item>,
    within: Within,
    /// The value that is being looked through.
    value: Option<Open>,
}

/// What values stand in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Top,
    /// A document, among its members.
    Document,
    /// The list of a document's keys.
    Keys,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    start: usize,
    depth: usize,
    quoted: bool,
    is: Is,
}

/// What a scan came to at a place.
enum Found {
    /// It goes on.
    Next,
    /// The window ends before it can be told.
    Short,
}

impl Scan {
    /// Bytes of the value that has begun.
    fn value_len(&self) -> usize {
        self.value
            .map_or(0, |open| self.at.saturating_sub(open.start))
    }

    /// Goes on to where a job may end, and says whether it is the last; none where more text is
    /// needed for that.
    fn run(&mut self, window: &[u8], whole: bool) -> Option<(usize, bool)> {
        loop {
            if let Some(open) = self.value {
                if !self.value_ends(open, window) {
                    if !whole {
                        return None;
                    }
                    let open = self.value.take().unwrap_or(open);
                    self.at = window.len();
                    self.push(
                        open.start..window.len(),
                        Is::Broken("the text ends in the middle of a value"),
                    );
                }
                continue;
            }
            if self.at >= JOB {
                return Some((self.at, false));
            }
            if let Found::Short = self.between(window, whole) {
                if !whole {
                    return None;
                }
                if self.within != Within::Top {
                    self.within = Within::Top;
                    let end = window.len();
                    self.push(end..end, Is::Broken("the text ends before its document"));
                }
                return Some((window.len(), true));
            }
        }
    }

    fn push(&mut self, range: Range<usize>, is: Is) {
        self.items.push(Item { range, is });
    }

    /// Hands over what was found before `cut`, and starts anew there.
    fn cut(&mut self, cut: usize) -> Vec<Item> {
        self.at -= cut.min(self.at);
        std::mem::take(&mut self.items)
    }

    fn begin(&mut self, start: usize, is: Is) {
        self.value = Some(Open {
            start,
            depth: 0,
            quoted: false,
            is,
        });
    }

    /// Between values.
    fn between(&mut self, window: &[u8], whole: bool) -> Found {
        let comma = self.within != Within::Top;
        let rest = window.get(self.at..).unwrap_or_default();
        let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n') || (comma && *b == b',');
        let Some(n) = rest.iter().position(|b| !blank(b)) else {
            self.at = window.len().max(self.at);
            return Found::Short;
        };
        let (_, rest) = rest.split_at(n);
        self.at += n;
        match (self.within, rest.first()) {
            (Within::Top, Some(b'{')) => match first_name(rest) {
                Name::Short if !whole => return Found::Short,
                Name::Is("meta" | "keys" | "complete") => {
                    self.within = Within::Document;
                    self.at += 1;
                }
                _ => self.begin(self.at, Is::Record),
            },
            (Within::Keys, Some(b']')) => {
                self.within = Within::Document;
                self.at += 1;
            }
            (Within::Document, Some(b'}')) => {
                self.within = Within::Top;
                self.at += 1;
            }
            (Within::Document, Some(b'"')) => return self.member(rest, whole),
            (Within::Document, _) => {
                self.within = Within::Top;
                self.begin(
                    self.at,
                    Is::Broken("the document goes on with no member of it"),
                );
            }
            _ => self.begin(self.at, Is::Record),
        }
        Found::Next
    }

    /// A member of a document.
    fn member(&mut self, rest: &[u8], whole: bool) -> Found {
        let (name, len) = match name_and_value(rest) {
            Some(found) => found,
            None if !whole && rest.len() < LONGEST_NAME => return Found::Short,
            None => (None, 0),
        };
        self.at += len;
        match name {
            Some("keys") if rest.get(len) == Some(&b'[') => {
                self.within = Within::Keys;
                self.at += 1;
            }
            Some("meta") => self.begin(self.at, Is::Meta),
            Some("complete") => self.begin(self.at, Is::Complete),
            _ => {
                self.within = Within::Top;
                let text = "a document has meta, keys (a list) and complete";
                self.begin(self.at, Is::Broken(text));
            }
        }
        Found::Next
    }

    /// Looks for the end of a value; whether it was found.
    fn value_ends(&mut self, mut open: Open, window: &[u8]) -> bool {
        let ended = loop {
            let rest = window.get(self.at..).unwrap_or_default();
            if open.quoted {
                let Some(n) = memchr::memchr3(b'"', b'\\', b'\n', rest) else {
                    self.at = self.at.max(window.len());
                    break None;
                };
                match rest.get(n) {
                    Some(b'\\') => self.at += n + 2,
                    Some(b'\n') => {
                        self.at += n;
                        open.is = Is::Broken("a string does not end on its line");
                        break Some(());
                    }
                    _ => {
                        self.at += n + 1;
                        open.quoted = false;
                        if open.depth == 0 {
                            break Some(());
                        }
                    }
                }
                continue;
            }
            if open.depth == 0 {
                match rest.first() {
                    None => break None,
                    Some(b'"') => open.quoted = true,
                    Some(b'{' | b'[') => open.depth = 1,
                    Some(_) => {
                        // A bare word, or what is no value: up to what can end it.
                        let ends = |b: &u8| {
                            matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'{' | b'}' | b']')
                        };
                        match rest.iter().skip(1).position(ends) {
                            Some(n) => {
                                self.at += n + 1;
                                break Some(());
                            }
                            None if rest.len() < LONGEST_NAME => break None,
                            None => {
                                self.at = window.len();
                                break Some(());
                            }
                        }
                    }
                }
                self.at += 1;
                continue;
            }
            let Some(n) = rest
                .iter()
                .position(|b| matches!(b, b'"' | b'{' | b'}' | b'[' | b']'))
            else {
                self.at = window.len();
                break None;
            };
            self.at += n;
            match rest.get(n) {
                Some(b'"') => open.quoted = true,
                Some(b'}' | b']') => open.depth -= 1,
                opens => {
                    if opens == Some(&b'{') && is_out_of_place(window, open.start, self.at) {
                        open.is = Is::Broken("a new record begins before this one ends");
                        break Some(());
                    }
                    open.depth += 1;
                }
            }
            self.at += 1;
            if open.depth == 0 && !open.quoted {
                break Some(());
            }
        };
        if ended.is_none() {
            self.value = Some(open);
            return false;
        }
        self.value = None;
        let end = self.at.min(window.len());
        self.push(open.start..end, open.is);
        true
    }
}

/// Whether an object that begins a line stands where no value may: then it is a new record.
fn is_out_of_place(window: &[u8], start: usize, at: usize) -> bool {
    let before = window.get(start..at).unwrap_or_default();
    let Some((b'\n', before)) = before.split_last() else {
        return false;
    };
    let last = before
        .iter()
        .rfind(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    !matches!(last, Some(b',' | b'[' | b':'))
}

/// The name of the first member of an object.
enum Name<'a> {
    Is(&'a str),
    None,
    Short,
}

/// A name that matters is found within so many bytes, blanks included.
const LONGEST_NAME: usize = 64 << 10;

fn first_name(object: &[u8]) -> Name<'_> {
    let rest = object.get(1..).unwrap_or_default();
    let Some(n) = rest.iter().position(|b| !b.is_ascii_whitespace()) else {
        return match object.len() < LONGEST_NAME {
            true => Name::Short,
            false => Name::None,
        };
    };
    match quoted(rest.get(n..).unwrap_or_default()) {
        Some((name, _)) => Name::Is(name),
        None if object.len() < LONGEST_NAME => Name::Short,
        None => Name::None,
    }
}

/// A string in quotes, and how long it is with them.
fn quoted(text: &[u8]) -> Option<(&str, usize)> {
    let inner = text.strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', inner)?;
    let name = std::str::from_utf8(inner.get(..end)?).ok()?;
    Some((name, end + 2))
}

/// The name of a member, and how far it is to its value, which has begun.
fn name_and_value(text: &[u8]) -> Option<(Option<&str>, usize)> {
    let (name, mut len) = quoted(text)?;
    let mut colon = false;
    loop {
        match text.get(len)? {
            b' ' | b'\t' | b'\r' | b'\n' => len += 1,
            b':' if !colon => {
                colon = true;
                len += 1;
            }
            _ if colon => return Some((Some(name), len)),
            _ => return Some((None, len)),
        }
    }
}
