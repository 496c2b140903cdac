//! Writes values: is told what a value consists of and gives the bytes of it in a chosen type.
//!
//! What a type's bytes are stands in the file of its data type, beside their reader; here is what
//! those files share, and the choice between them.

use crate::bytes::number::ScoreText;
use crate::bytes::{Element, Problem};
use crate::encoding::listpack::ListpackWriter;
use crate::encoding::ziplist::ZiplistWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::rdb::string::{self, Compress, StringWriter};
use crate::rdb::value::stream::StreamEncoder;
use crate::rdb::value::{hash, list, set, zset};
use crate::record::value::{ArrayItem, ModuleEvent, StreamEvent};
use crate::record::{DataType, RdbType, ValueVisitor};

/// Bytes of room that a buffer keeps for the next value; more was for one giant.
const KEEP: usize = 1 << 20;

/// Writes values of one type, one after the other. Holds one value in encoded form at a time.
///
/// It is a visitor: [`walk`](super::walk) tells it a value, or whoever else has one. The order of
/// lists is kept, as is that of sets and hashes where the type has none of its own.
#[derive(Debug)]
pub struct Encoder {
    rdb_type: RdbType,
    kind: Kind,
    told: Told,
}

#[derive(Debug)]
enum Kind {
    String(Body),
    List(list::ListEncoder),
    Set(set::SetEncoder),
    ZSet(zset::ZSetEncoder),
    Hash(hash::HashEncoder),
    Stream(Box<StreamEncoder>),
}

/// How much of the current value was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Part,
    Whole,
}

impl Encoder {
    /// An encoder of values of type `rdb_type`.
    ///
    /// # Errors
    /// A type that is read but not written here: those of zipmaps, of release candidates, of
    /// Redis 8.10's templates, of KeyDB and Dragonfly; module values, which are copied instead.
    pub fn new(rdb_type: RdbType, compress: Compress) -> Result<Self> {
        let strings = StringWriter::new(compress);
        let kind = match rdb_type {
            RdbType::String => Kind::String(Body::new(strings)),
            RdbType::ListLinked
            | RdbType::ListZiplist
            | RdbType::Quicklist
            | RdbType::Quicklist2 => Kind::List(list::ListEncoder::new(rdb_type, strings)),
            RdbType::SetTable | RdbType::SetIntset | RdbType::SetListpack => {
                Kind::Set(set::SetEncoder::new(rdb_type, strings))
            }
            RdbType::ZsetText
            | RdbType::ZsetBinary
            | RdbType::ZsetZiplist
            | RdbType::ZsetListpack => Kind::ZSet(zset::ZSetEncoder::new(rdb_type, strings)),
            RdbType::HashTable
            | RdbType::HashZiplist
            | RdbType::HashListpack
            | RdbType::HashExpiry
            | RdbType::HashListpackExpiry
            | RdbType::HashValkey => Kind::Hash(hash::HashEncoder::new(rdb_type, strings)),
            RdbType::Stream1
            | RdbType::Stream2
            | RdbType::Stream3
            | RdbType::Stream4
            | RdbType::Stream5 => Kind::Stream(Box::new(StreamEncoder::new(rdb_type, compress))),
            // What a module value means is told, not what its bytes are.
            RdbType::Module => return Err(unwritten(rdb_type)),
            RdbType::HashZipmap
            | RdbType::HashExpiryRc
            | RdbType::HashListpackExpiryRc
            | RdbType::HashNamesListpack
            | RdbType::HashTemplateListpack
            | RdbType::HashNames
            | RdbType::HashTemplate
            | RdbType::Array
            | RdbType::Cron
            | RdbType::DragonflyJson
            | RdbType::DragonflyHash
            | RdbType::DragonflySet => return Err(unwritten(rdb_type)),
        };
        Ok(Encoder {
            rdb_type,
            kind,
            told: Told::Nothing,
        })
    }

    /// The same with scores as text of a given style, where the type holds them as text. Without
    /// this it is that of the servers that write the type: [`ScoreText::G17`] in types 3 and 12,
    /// [`ScoreText::Grisu2`] in type 17, although Redis 7.0 writes that one with `G17`.
    #[must_use]
    pub fn with_score_text(mut self, style: ScoreText) -> Self {
        if let Kind::ZSet(zset) = &mut self.kind {
            zset.set_score_text(style);
        }
        self
    }

    /// Appends the bytes of the value that was told, without type and key, and starts over.
    ///
    /// # Errors
    /// No whole value was told, or it is beyond what the type can hold: nothing is appended then.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.told != Told::Whole {
            self.clear();
            let text = "no whole value was told that could be written";
            return Err(Error::new(ErrorKind::Usage(text.into())));
        }
        let start = out.len();
        let result = match &mut self.kind {
            Kind::String(body) => {
                body.move_to(out);
                Ok(())
            }
            Kind::List(list) => list.finish(out),
            Kind::Set(set) => set.finish(out),
            Kind::ZSet(zset) => zset.finish(out),
            Kind::Hash(hash) => hash.finish(out),
            Kind::Stream(stream) => stream.finish(out),
        };
        if result.is_err() {
            out.truncate(start);
            self.clear();
        }
        self.told = Told::Nothing;
        result
    }

    /// The type that is written.
    pub fn rdb_type(&self) -> RdbType {
        self.rdb_type
    }

    /// Begins a value of `of`, forgetting one that was told in part.
    #[inline]
    fn start(&mut self, of: DataType) -> Result<()> {
        if self.told != Told::Nothing {
            self.clear();
        }
        if of != self.rdb_type.data_type() {
            return Err(cannot_hold(self.rdb_type, format_args!("a {}", of.name())));
        }
        self.told = Told::Part;
        Ok(())
    }

    fn clear(&mut self) {
        self.told = Told::Nothing;
        match &mut self.kind {
            Kind::String(body) => body.clear(),
            Kind::List(list) => list.clear(),
            Kind::Set(set) => set.clear(),
            Kind::ZSet(zset) => zset.clear(),
            Kind::Hash(hash) => hash.clear(),
            Kind::Stream(stream) => stream.clear(),
        }
    }

    #[cold]
    fn misplaced<T>(&self, what: &str) -> Result<T> {
        Err(cannot_hold(self.rdb_type, format_args!("{what}")))
    }
}

impl ValueVisitor for Encoder {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        self.start(DataType::String)?;
        if let Kind::String(body) = &mut self.kind {
            body.string(value);
        }
        self.told = Told::Whole;
        Ok(())
    }

    fn begin(&mut self, of: DataType, _count: Option<u64>) -> Result<()> {
        self.start(of)?;
        if let Kind::Stream(stream) = &mut self.kind {
            stream.clear();
        }
        Ok(())
    }

    #[inline]
    fn element(&mut self, element: Element<'_>) -> Result<()> {
        match &mut self.kind {
            Kind::List(list) => list.element(element),
            Kind::Set(set) => set.element(element),
            _ => self.misplaced("an element"),
        }
    }

    #[inline]
    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        match &mut self.kind {
            Kind::Hash(hash) => hash.field(name, value, expires_at),
            _ => self.misplaced("a field"),
        }
    }

    #[inline]
    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        match &mut self.kind {
            Kind::ZSet(zset) => zset.member(member, score),
            _ => self.misplaced("a member with a score"),
        }
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        match &mut self.kind {
            Kind::Stream(stream) => stream.stream(event),
            _ => self.misplaced("part of a stream"),
        }
    }

    fn module(&mut self, _event: ModuleEvent<'_>) -> Result<()> {
        self.misplaced("a module value")
    }

    fn slot(&mut self, _index: u64, _item: ArrayItem<'_>) -> Result<()> {
        self.misplaced("an array's element")
    }

    fn end(&mut self, of: DataType) -> Result<()> {
        if self.told != Told::Part || of != self.rdb_type.data_type() {
            return self.misplaced("the end of a value that did not begin");
        }
        self.told = Told::Whole;
        Ok(())
    }
}

/// Strings and numbers one after the other: what types that are no blob consist of.
#[derive(Debug)]
pub(super) struct Body {
    strings: StringWriter,
    bytes: Vec<u8>,
    count: u64,
}

impl Body {
    pub(super) fn new(strings: StringWriter) -> Self {
        Body {
            strings,
            bytes: Vec::new(),
            count: 0,
        }
    }

    /// Appends a string in the form the server would choose.
    #[inline]
    pub(super) fn string(&mut self, element: Element<'_>) {
        self.strings.write(element, &mut self.bytes);
    }

    /// Appends a string that is never an integer.
    pub(super) fn blob(&mut self, bytes: &[u8]) {
        self.strings.bytes(bytes, &mut self.bytes);
    }

    /// Appends a number in its shortest form.
    #[inline]
    pub(super) fn number(&mut self, n: u64) {
        string::write_number(n, &mut self.bytes);
    }

    /// Appends bytes as they are.
    #[inline]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Counts an item.
    #[inline]
    pub(super) fn count(&mut self) {
        self.count += 1;
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Part of the bytes so far.
    pub(super) fn part(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Appends the count of items and everything else, and starts over.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        string::write_number(self.count, out);
        self.move_to(out);
    }

    /// Appends everything but the count, and starts over.
    pub(super) fn move_to(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.bytes);
        self.clear();
    }

    pub(super) fn clear(&mut self) {
        empty(&mut self.bytes);
        self.count = 0;
    }
}

/// A listpack or a ziplist being written, and the string that holds it.
#[derive(Debug)]
pub(super) struct PackedWriter {
    entries: Entries,
    blob: Vec<u8>,
}

#[derive(Debug)]
enum Entries {
    Listpack(ListpackWriter),
    Ziplist(ZiplistWriter),
}

impl PackedWriter {
    pub(super) fn listpack() -> Self {
        PackedWriter {
            entries: Entries::Listpack(ListpackWriter::new()),
            blob: Vec::new(),
        }
    }

    pub(super) fn ziplist() -> Self {
        PackedWriter {
            entries: Entries::Ziplist(ZiplistWriter::new()),
            blob: Vec::new(),
        }
    }

    /// Appends an entry.
    #[inline]
    pub(super) fn push(&mut self, element: Element<'_>) {
        match &mut self.entries {
            Entries::Listpack(entries) => entries.push(element),
            Entries::Ziplist(entries) => entries.push(element),
        }
    }

    /// Bytes that the blob has now.
    pub(super) fn len(&self) -> usize {
        match &self.entries {
            Entries::Listpack(entries) => entries.len(),
            Entries::Ziplist(entries) => entries.len(),
        }
    }

    /// True without entries.
    pub(super) fn is_empty(&self) -> bool {
        match &self.entries {
            Entries::Listpack(entries) => entries.is_empty(),
            Entries::Ziplist(entries) => entries.is_empty(),
        }
    }

    /// Appends the blob as a string and starts over.
    ///
    /// # Errors
    /// More than the blob of a value of `rdb_type` can hold.
    pub(super) fn finish(&mut self, rdb_type: RdbType, body: &mut Body) -> Result<()> {
        self.blob.clear();
        let result = match &mut self.entries {
            Entries::Listpack(entries) => entries.finish(&mut self.blob),
            Entries::Ziplist(entries) => entries.finish(&mut self.blob),
        };
        result.map_err(|problem| too_large(rdb_type, problem))?;
        body.blob(&self.blob);
        if self.blob.len() > KEEP {
            self.clear();
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        *self = match self.entries {
            Entries::Listpack(_) => Self::listpack(),
            Entries::Ziplist(_) => Self::ziplist(),
        };
    }
}

/// Empties a buffer and gives back what only a giant value needed.
pub(super) fn empty<T>(buffer: &mut Vec<T>) {
    buffer.clear();
    buffer.shrink_to(KEEP / size_of::<T>().max(1));
}

/// The error of a value that has no place in a type.
#[cold]
pub(super) fn cannot_hold(rdb_type: RdbType, what: std::fmt::Arguments<'_>) -> Error {
    let (number, name) = (rdb_type.number(), rdb_type.name());
    let text = format!("type {number} ({name}) cannot hold {what}");
    Error::new(ErrorKind::Unsupported(text)).in_type(number, name)
}

/// The error of a value that is more than a type can hold.
#[cold]
pub(super) fn too_large(rdb_type: RdbType, problem: Problem) -> Error {
    cannot_hold(rdb_type, format_args!("so much: {problem}"))
}

#[cold]
fn unwritten(rdb_type: RdbType) -> Error {
    let (number, name) = (rdb_type.number(), rdb_type.name());
    let text = format!("values of type {number} ({name}) are read and copied, but not encoded");
    Error::new(ErrorKind::Unsupported(text)).in_type(number, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::value::testing::{Told, encoded, round_trip, survives_damage, tell};

    #[test]
    fn strings_read_back_and_are_what_the_servers_write() {
        for text in ["", "0", "-128", "128", "32768", "2147483648", "007", "-0"] {
            round_trip(RdbType::String, &[Told::string(text)]);
        }
        for len in [20, 21, 63, 64, 16_383, 16_384, 70_000] {
            let bytes = round_trip(RdbType::String, &[Told::string("x".repeat(len))]);
            if len < 100 {
                survives_damage(RdbType::String, &bytes);
            }
        }
        // From Redis 6.2.5, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2 alike.
        let written = |text| encoded(RdbType::String, &[Told::string(text)]).unwrap();
        assert_eq!(written("hello"), b"\x05hello");
        assert_eq!(written("-129"), b"\xc1\x7f\xff");
    }

    #[test]
    fn every_type_has_a_writer_or_says_that_it_has_none() {
        let mut written = Vec::new();
        for &rdb_type in RdbType::ALL {
            match Encoder::new(rdb_type, Compress::Never) {
                Ok(encoder) => {
                    assert_eq!(encoder.rdb_type(), rdb_type);
                    written.push(rdb_type.number());
                }
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
                    assert_eq!(error.value_type().unwrap().0, rdb_type.number());
                }
            }
        }
        written.sort_unstable();
        assert_eq!(
            written,
            [
                0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25, 26,
                27
            ]
        );
    }

    #[test]
    fn a_value_of_another_kind_is_refused_and_nothing_of_it_is_kept() {
        for &rdb_type in RdbType::ALL {
            let Ok(mut encoder) = Encoder::new(rdb_type, Compress::Never) else {
                continue;
            };
            let mut out = b"before".to_vec();
            let others = [
                (DataType::String, vec![Told::string("1")]),
                (DataType::List, vec![Told::element("1")]),
                (DataType::Set, vec![Told::element("1")]),
                (DataType::ZSet, vec![Told::member("1", 1.0)]),
                (DataType::Hash, vec![Told::field("1", "2")]),
                (DataType::Stream, vec![]),
            ];
            for (of, told) in &others {
                let of_this = *of == rdb_type.data_type();
                let result = tell(&mut encoder, *of, told);
                assert_eq!(result.is_ok(), of_this, "{rdb_type:?}");
                assert_eq!(encoder.finish(&mut out).is_ok(), of_this, "{rdb_type:?}");
            }
            // Only the one that fits was written; told again alone it is the same.
            let (of, told) = others
                .into_iter()
                .find(|(of, _)| *of == rdb_type.data_type())
                .unwrap();
            let mut again = b"before".to_vec();
            tell(&mut encoder, of, &told).unwrap();
            encoder.finish(&mut again).unwrap();
            assert_eq!(out, again, "{rdb_type:?}");
        }
    }

    #[test]
    fn a_value_told_in_part_is_forgotten_when_the_next_begins() {
        for (rdb_type, told) in [
            (RdbType::Quicklist2, Told::element("1")),
            (RdbType::SetIntset, Told::element("1")),
            (RdbType::SetTable, Told::element("1")),
            (RdbType::ZsetBinary, Told::member("1", 2.0)),
            (RdbType::ZsetListpack, Told::member("1", 2.0)),
            (RdbType::HashListpackExpiry, Told::expiring("a", "b", 5)),
            (RdbType::HashExpiry, Told::expiring("a", "b", 5)),
        ] {
            let of = rdb_type.data_type();
            let mut encoder = Encoder::new(rdb_type, Compress::Never).unwrap();
            let mut out = Vec::new();
            tell(&mut encoder, of, std::slice::from_ref(&told)).unwrap();
            encoder.begin(of, None).unwrap();
            encoder.begin(of, None).unwrap();
            assert!(encoder.finish(&mut out).is_err(), "{rdb_type:?}");
            assert!(out.is_empty());
            tell(&mut encoder, of, std::slice::from_ref(&told)).unwrap();
            encoder.finish(&mut out).unwrap();
            assert_eq!(out, encoded(rdb_type, &[told]).unwrap());
        }
    }
}
