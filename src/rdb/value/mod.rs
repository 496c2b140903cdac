//! Values: where one ends, what it consists of, and how it is written, per data type.
//!
//! `extent` reads lengths only and finds the end; `walk` decodes and tells a visitor. A value that
//! is walked was framed before, so running out of bytes inside it is a fault like any other.

pub mod count;
pub mod encode;
pub(crate) mod hash;
mod list;
pub mod module;
mod other;
mod set;
pub(crate) mod sound;
mod stream;
#[cfg(test)]
pub(crate) mod testing;
mod zset;

use std::sync::Arc;

use crate::bytes::parse::Parsed;
use crate::bytes::{Element, Fault, Problem};
use crate::encoding::{listpack, ziplist};
use crate::error::{Encoding, Error, Place, Result, What};
use crate::rdb::string;
use crate::record::room::Room;
use crate::record::{RawValue, RdbType, Stored, ValueVisitor};

pub use encode::Encoder;
pub(crate) use stream::nodes as stream_nodes;

/// Field names of the hash templates seen so far (Redis 8.10), by number.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    all: std::collections::BTreeMap<u64, Arc<[Box<[u8]>]>>,
}

impl Templates {
    /// The field names of a template.
    pub fn get(&self, id: u64) -> Option<&Arc<[Box<[u8]>]>> {
        self.all.get(&id)
    }

    /// Adds a template; false when the number is taken.
    pub fn insert(&mut self, id: u64, fields: Vec<Box<[u8]>>) -> bool {
        self.all.insert(id, fields.into()).is_none()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// The room a walk needs; one a thread, used again for every value.
#[derive(Debug, Default)]
pub struct Scratch {
    /// For a packed blob or stream node.
    pub(crate) blob: Room,
    /// For a string, element, field or member.
    pub(crate) first: Room,
    /// For what stands beside it.
    pub(crate) second: Room,
    /// For telling members apart.
    pub(crate) members: sound::Members,
    /// What hashes of types 30 and 32 refer to.
    pub templates: Arc<Templates>,
}

impl Scratch {
    /// A key's name, decompressed if need be; `at` is where the record stands.
    ///
    /// # Errors
    /// A compressed name that does not decompress.
    #[inline]
    pub fn key<'a>(&'a mut self, key: Stored<'a>, at: u64) -> Result<Element<'a>> {
        self.first.resolve_key(key, at)
    }
}

/// Reads a framed value from its start to its end and turns faults into errors with offsets.
#[derive(Debug)]
pub(crate) struct Reader<'d> {
    rest: &'d [u8],
    end: u64,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(value: &RawValue<'d>) -> Self {
        Reader {
            rest: value.bytes,
            end: value.at + value.bytes.len() as u64,
        }
    }

    /// Offset in the file of the next byte.
    #[inline]
    pub(crate) fn offset(&self) -> u64 {
        self.end - self.rest.len() as u64
    }

    /// Runs one parser.
    #[inline]
    pub(crate) fn run<T>(&mut self, parser: impl FnOnce(&'d [u8]) -> Parsed<'d, T>) -> Result<T> {
        match parser(self.rest) {
            Ok((rest, item)) => {
                self.rest = rest;
                Ok(item)
            }
            Err(error) => Err(self.error(error)),
        }
    }

    /// A second reader at the same place.
    pub(crate) fn fork(&self) -> Reader<'d> {
        Reader {
            rest: self.rest,
            end: self.end,
        }
    }

    /// A count, an ID's half, a time to live.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64> {
        self.run(string::number)
    }

    /// A string in any form.
    #[inline]
    pub(crate) fn stored(&mut self) -> Result<Stored<'d>> {
        self.run(string::stored)
    }

    /// A string that holds a packed blob, decompressed into `room` if need be, and where it lies.
    #[inline]
    pub(crate) fn blob<'a>(&mut self, room: &'a mut Room) -> Result<(&'a [u8], BlobPlace)>
    where
        'd: 'a,
    {
        let stored = self.stored()?;
        self.resolve_blob(stored, room)
    }

    /// The bytes of a blob string that was just read.
    pub(crate) fn resolve_blob<'a>(
        &self,
        stored: Stored<'d>,
        room: &'a mut Room,
    ) -> Result<(&'a [u8], BlobPlace)>
    where
        'd: 'a,
    {
        let end = self.offset();
        match stored {
            Stored::Plain(Element::Bytes(bytes)) => Ok((
                bytes,
                BlobPlace {
                    at: end - bytes.len() as u64,
                    compressed: false,
                },
            )),
            Stored::Plain(Element::Int(_)) => Err(self.fail(Problem::BlobShort {
                actual: stored.len(),
            })),
            Stored::Lzf { data, .. } => {
                let at = end - data.len() as u64;
                let place = BlobPlace {
                    at,
                    compressed: true,
                };
                match room.resolve(stored, at)? {
                    Element::Bytes(bytes) => Ok((bytes, place)),
                    Element::Int(_) => Err(self.fail(Problem::Malformed)),
                }
            }
        }
    }

    /// Where a fault just behind what was read lies.
    pub(crate) fn place(&self) -> Place {
        Place::at(self.offset())
    }

    /// An error at the next byte.
    #[cold]
    pub(crate) fn fail(&self, problem: Problem) -> Error {
        Error::bytes(problem, self.place(), What::Value)
    }

    #[cold]
    fn error(&self, error: nom::Err<Fault>) -> Error {
        let (rest, problem) = match error {
            nom::Err::Incomplete(needed) => (0, truncated(needed)),
            nom::Err::Error(fault) | nom::Err::Failure(fault) => (fault.rest, fault.problem),
        };
        Error::bytes(problem, Place::at(self.end - rest as u64), What::Value)
    }
}

/// The problem of a parser that wanted more where there is no more.
pub(crate) fn truncated(needed: nom::Needed) -> Problem {
    let missing = match needed {
        nom::Needed::Size(n) => n.get() as u64,
        nom::Needed::Unknown => 1,
    };
    Problem::Truncated { missing }
}

/// Where a blob lies in the file: its content, or the compressed string that holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlobPlace {
    at: u64,
    compressed: bool,
}

impl BlobPlace {
    /// The place of a fault in a blob of `len` bytes.
    pub(crate) fn of(self, fault: Fault, len: usize, encoding: Encoding) -> Place {
        let byte = len.saturating_sub(fault.rest);
        let offset = if self.compressed {
            self.at
        } else {
            self.at + byte as u64
        };
        Place {
            offset,
            inside: Some((encoding, u32::try_from(byte).unwrap_or(u32::MAX))),
        }
    }

    /// The error for a fault in a blob of `len` bytes.
    #[cold]
    pub(crate) fn error(self, fault: Fault, len: usize, encoding: Encoding) -> Error {
        Error::bytes(fault.problem, self.of(fault, len, encoding), What::Value)
    }
}

/// The entries of a listpack or a ziplist, with what is needed to say where one is wrong.
#[derive(Debug)]
pub(crate) struct Packed<'d> {
    entries: Entries<'d>,
    len: usize,
    place: BlobPlace,
}

#[derive(Debug)]
enum Entries<'d> {
    Listpack(listpack::Entries<'d>),
    Ziplist(ziplist::Entries<'d>),
}

impl<'d> Packed<'d> {
    /// Opens a listpack.
    #[inline]
    pub(crate) fn listpack((blob, place): (&'d [u8], BlobPlace)) -> Result<(Self, Option<u64>)> {
        let pack = listpack::Listpack::open(blob)
            .map_err(|fault| place.error(fault, blob.len(), Encoding::Listpack))?;
        let entries = Entries::Listpack(pack.entries());
        Ok((
            Packed {
                entries,
                len: blob.len(),
                place,
            },
            pack.count().map(u64::from),
        ))
    }

    /// Opens a ziplist.
    #[inline]
    pub(crate) fn ziplist((blob, place): (&'d [u8], BlobPlace)) -> Result<(Self, Option<u64>)> {
        let pack = ziplist::Ziplist::open(blob)
            .map_err(|fault| place.error(fault, blob.len(), Encoding::Ziplist))?;
        let entries = Entries::Ziplist(pack.entries());
        Ok((
            Packed {
                entries,
                len: blob.len(),
                place,
            },
            pack.count().map(u64::from),
        ))
    }

    /// The next entry.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub(crate) fn next(&mut self) -> Result<Option<Element<'d>>> {
        let next = match &mut self.entries {
            Entries::Listpack(entries) => entries.next(),
            Entries::Ziplist(entries) => entries.next(),
        };
        next.map_err(|fault| self.place.error(fault, self.len, self.encoding()))
    }

    /// The next entry of a group that has begun: its absence is an error.
    #[inline]
    pub(crate) fn expect(&mut self, problem: Problem) -> Result<Element<'d>> {
        match self.next()? {
            Some(element) => Ok(element),
            None => Err(self.fail(problem)),
        }
    }

    /// Entries read so far.
    pub(crate) fn seen(&self) -> u64 {
        match &self.entries {
            Entries::Listpack(entries) => entries.seen(),
            Entries::Ziplist(entries) => entries.seen(),
        }
    }

    /// Tells what is wrong with the blob as a whole, once all its entries were read.
    pub(crate) fn finish<V: ValueVisitor + ?Sized>(&self, to: &mut V) -> Result<()> {
        let flaw = match &self.entries {
            Entries::Listpack(entries) => entries.flaw(),
            Entries::Ziplist(entries) => entries.flaw(),
        };
        match flaw {
            Some(fault) => to.flaw(
                fault.problem,
                self.place.of(fault, self.len, self.encoding()),
            ),
            None => Ok(()),
        }
    }

    /// Where the next entry stands.
    pub(crate) fn here(&self) -> Place {
        let rest = match &self.entries {
            Entries::Listpack(entries) => entries.rest(),
            Entries::Ziplist(entries) => entries.rest(),
        };
        self.place.of(
            Fault {
                rest,
                problem: Problem::Malformed,
            },
            self.len,
            self.encoding(),
        )
    }

    /// An error at the next entry.
    #[cold]
    pub(crate) fn fail(&self, problem: Problem) -> Error {
        Error::bytes(problem, self.here(), What::Value)
    }

    fn encoding(&self) -> Encoding {
        match self.entries {
            Entries::Listpack(_) => Encoding::Listpack,
            Entries::Ziplist(_) => Encoding::Ziplist,
        }
    }
}

/// Passes over a value: reads lengths only.
///
/// # Errors
/// A length that is none; running out of bytes is `Incomplete`.
#[inline]
pub fn extent(rdb_type: RdbType, input: &[u8]) -> Parsed<'_, ()> {
    match rdb_type {
        RdbType::String
        | RdbType::HashZipmap
        | RdbType::ListZiplist
        | RdbType::SetIntset
        | RdbType::ZsetZiplist
        | RdbType::HashZiplist
        | RdbType::HashListpack
        | RdbType::ZsetListpack
        | RdbType::SetListpack
        | RdbType::HashListpackExpiryRc
        | RdbType::HashTemplateListpack
        | RdbType::DragonflyJson => string::skip(input),
        RdbType::ListLinked | RdbType::SetTable | RdbType::Quicklist => strings(input, 1),
        RdbType::HashTable => strings(input, 2),
        RdbType::DragonflyHash => strings(input, 3),
        RdbType::DragonflySet => strings(input, 2),
        RdbType::Quicklist2 => list::extent_nodes(input),
        RdbType::ZsetText | RdbType::ZsetBinary => zset::extent(rdb_type, input),
        RdbType::HashExpiryRc
        | RdbType::HashExpiry
        | RdbType::HashListpackExpiry
        | RdbType::HashValkey
        | RdbType::HashNamesListpack
        | RdbType::HashNames
        | RdbType::HashTemplate => hash::extent(rdb_type, input),
        RdbType::Stream1
        | RdbType::Stream2
        | RdbType::Stream3
        | RdbType::Stream4
        | RdbType::Stream5 => stream::extent(rdb_type, input),
        RdbType::Module => module::extent(input),
        RdbType::Array | RdbType::Cron => other::extent(rdb_type, input),
    }
}

/// Passes over a value that is all there, for the types that are strings and counts; `None` where
/// it is not, or is none, or is of another type: [`extent`] says which.
#[inline(always)]
pub(crate) fn pass(rdb_type: RdbType, input: &[u8]) -> Option<&[u8]> {
    match rdb_type {
        RdbType::String
        | RdbType::HashListpack
        | RdbType::ZsetListpack
        | RdbType::SetListpack
        | RdbType::SetIntset
        | RdbType::HashZiplist
        | RdbType::ZsetZiplist
        | RdbType::ListZiplist => string::pass(input),
        RdbType::Quicklist2 => {
            let (nodes, mut rest) = string::short_number(input)?;
            for _ in 0..nodes {
                // The container's number is one byte as writers write it.
                match rest.split_first()? {
                    (0..=0x3f, after) => rest = string::pass(after)?,
                    _ => return None,
                }
            }
            Some(rest)
        }
        RdbType::HashTable | RdbType::SetTable | RdbType::Quicklist | RdbType::ListLinked => {
            let (count, mut rest) = string::short_number(input)?;
            let group = if rdb_type == RdbType::HashTable { 2 } else { 1 };
            for _ in 0..count.checked_mul(group)? {
                rest = string::pass_alike(rest)?;
            }
            Some(rest)
        }
        RdbType::ZsetBinary => {
            let (count, mut rest) = string::short_number(input)?;
            for _ in 0..count {
                rest = string::pass_alike(rest)?.get(8..)?;
            }
            Some(rest)
        }
        _ => None,
    }
}

/// A count and that many groups of strings.
fn strings(input: &[u8], group: u64) -> Parsed<'_, ()> {
    let (mut input, count) = string::number(input)?;
    let Some(count) = count.checked_mul(group) else {
        return Err(Fault::at(
            input,
            Problem::LengthRange {
                found: count,
                most: u64::MAX / group,
            },
        ));
    };
    for _ in 0..count {
        (input, ()) = string::skip(input)?;
    }
    Ok((input, ()))
}

/// A value that is a string, as it stands in the file.
///
/// # Errors
/// As [`walk`].
#[inline]
pub(crate) fn text<'d>(value: &RawValue<'d>) -> Result<Stored<'d>> {
    let mut reader = Reader::new(value);
    let stored = reader.stored()?;
    match reader.rest {
        [] => Ok(stored),
        _ => Err(reader.fail(Problem::Malformed)),
    }
}

/// Decodes a value and tells the visitor what it consists of.
///
/// # Errors
/// Damage that keeps the rest of the value from being read (what the visitor was told before that
/// stands in the file), or what the visitor returned.
pub fn walk<V: ValueVisitor + ?Sized>(
    value: &RawValue<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    let mut reader = Reader::new(value);
    match value.rdb_type {
        RdbType::String => {
            let stored = reader.stored()?;
            let element = scratch.first.resolve(stored, value.at)?;
            to.string(element)?;
        }
        RdbType::ListLinked | RdbType::ListZiplist | RdbType::Quicklist | RdbType::Quicklist2 => {
            list::walk(value.rdb_type, &mut reader, scratch, to)?;
        }
        RdbType::SetTable | RdbType::SetIntset | RdbType::SetListpack | RdbType::DragonflySet => {
            set::walk(value.rdb_type, &mut reader, scratch, to)?;
        }
        RdbType::ZsetText | RdbType::ZsetBinary | RdbType::ZsetZiplist | RdbType::ZsetListpack => {
            zset::walk(value.rdb_type, &mut reader, scratch, to)?;
        }
        RdbType::HashTable
        | RdbType::HashZipmap
        | RdbType::HashZiplist
        | RdbType::HashListpack
        | RdbType::HashExpiryRc
        | RdbType::HashListpackExpiryRc
        | RdbType::HashExpiry
        | RdbType::HashListpackExpiry
        | RdbType::HashValkey
        | RdbType::HashNamesListpack
        | RdbType::HashTemplateListpack
        | RdbType::HashNames
        | RdbType::HashTemplate
        | RdbType::DragonflyHash => hash::walk(value.rdb_type, &mut reader, scratch, to)?,
        RdbType::Stream1
        | RdbType::Stream2
        | RdbType::Stream3
        | RdbType::Stream4
        | RdbType::Stream5 => {
            stream::walk(value.rdb_type, &mut reader, scratch, to)?;
        }
        RdbType::Module => module::walk(&mut reader, scratch, to)?,
        RdbType::Array | RdbType::Cron | RdbType::DragonflyJson => {
            other::walk(value.rdb_type, &mut reader, scratch, to)?;
        }
    }
    if reader.rest.is_empty() {
        Ok(())
    } else {
        // Framing and decoding disagree about where the value ends; neither may be believed.
        Err(reader.fail(Problem::Malformed))
    }
}
