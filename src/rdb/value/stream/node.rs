//! A node of a stream: one listpack of entries near each other.
//!
//! ```text
//! live, deleted            how many records of each follow
//! n, name x n              the fields of the master entry
//! 0
//! record x (live + deleted):
//!   flags                  1: deleted; 2: has the fields of the master entry
//!   ms, seq                to be added to the node's key, wrapping
//!   value x n              with flag 2
//!   m, (name, value) x m   without
//!   back                   how many entries of the listpack the record has before this one
//! ```

use crate::bytes::{Element, Problem, number};
use crate::encoding::listpack::{self, Listpack};
use crate::error::{Encoding, Error, Place, Result, What};
use crate::rdb::value::{BlobPlace, Reader, Room};
use crate::record::StreamId;

pub(super) const DELETED: i64 = 1;
pub(super) const SAME_FIELDS: i64 = 2;

/// Names kept beside the listpack. More than so many fields are rare; theirs are read anew for
/// every record, so that no node can ask for memory.
const KEPT: usize = 32;

/// The key of the node that comes next: the ID that its records count from.
pub(super) fn key(reader: &mut Reader<'_>, room: &mut Room) -> Result<StreamId> {
    let place = reader.place();
    let stored = reader.stored()?;
    // The length is looked at first, so that a long string is not decompressed for nothing.
    let len = stored.len();
    if len == 16
        && let Element::Bytes(bytes) = room.resolve(stored, place.offset)?
        && let Some((&raw, _)) = bytes.split_first_chunk::<16>()
    {
        return Ok(StreamId::from_be_bytes(raw));
    }
    Err(Error::bytes(
        Problem::StreamNodeKey { len },
        place,
        What::Value,
    ))
}

/// The entries of a node's listpack, with what is needed to say where one is wrong.
pub(super) struct Pack<'d> {
    entries: listpack::Entries<'d>,
    len: usize,
    place: BlobPlace,
}

impl<'d> Pack<'d> {
    pub(super) fn open((blob, place): (&'d [u8], BlobPlace)) -> Result<Self> {
        let pack = Listpack::open(blob)
            .map_err(|fault| place.error(fault, blob.len(), Encoding::Listpack))?;
        Ok(Pack {
            entries: pack.entries(),
            len: blob.len(),
            place,
        })
    }

    #[inline]
    fn next(&mut self) -> Result<Option<Element<'d>>> {
        match self.entries.next() {
            Ok(element) => Ok(element),
            Err(fault) => Err(self.place.error(fault, self.len, Encoding::Listpack)),
        }
    }

    /// The next entry of a record or of the head: the end mark in its place is an error.
    #[inline]
    pub(super) fn element(&mut self) -> Result<Element<'d>> {
        match self.next()? {
            Some(element) => Ok(element),
            None => Err(self.broken()),
        }
    }

    /// The next entry, which must be a number.
    #[inline]
    fn integer(&mut self) -> Result<i64> {
        match self.entries.next_small() {
            Some(n) => Ok(i64::from(n)),
            None => self.wide_integer(),
        }
    }

    fn wide_integer(&mut self) -> Result<i64> {
        let element = self.element()?;
        self.integer_of(element)
    }

    fn integer_of(&self, element: Element<'_>) -> Result<i64> {
        match integer_of(element) {
            Some(n) => Ok(n),
            None => Err(self.broken()),
        }
    }

    /// Passes over entries.
    pub(super) fn skip(&mut self, count: u64) -> Result<()> {
        for _ in self.entries.skip_plain(count)..count {
            self.element()?;
        }
        Ok(())
    }

    /// Where the next entry stands.
    #[cold]
    pub(super) fn here(&self) -> Place {
        let fault = crate::bytes::Fault {
            rest: self.entries.rest(),
            problem: Problem::StreamNode,
        };
        self.place.of(fault, self.len, Encoding::Listpack)
    }

    /// What is wrong with the listpack as a whole, once all its entries were read.
    pub(super) fn flaw(&self) -> Option<(Problem, Place)> {
        let fault = self.entries.flaw()?;
        let place = self.place.of(fault, self.len, Encoding::Listpack);
        Some((fault.problem, place))
    }

    #[cold]
    fn broken(&self) -> Error {
        Error::bytes(Problem::StreamNode, self.here(), What::Value)
    }
}

/// Servers take the text of a number for the number.
#[inline]
fn integer_of(element: Element<'_>) -> Option<i64> {
    match element {
        Element::Int(n) => Some(n),
        Element::Bytes(text) => number::parse_canonical_i64(text),
    }
}

/// What stands before the records of a node.
pub(super) struct Head<'d> {
    /// Live records, as the node says.
    pub(super) live: i64,
    /// Deleted records, as the node says.
    pub(super) deleted: i64,
    /// Fields of the master entry.
    pub(super) names: Names<'d>,
    /// Whether they end with the mark that must stand there.
    pub(super) terminated: bool,
}

impl<'d> Head<'d> {
    pub(super) fn read(pack: &mut Pack<'d>) -> Result<Self> {
        let live = pack.integer()?;
        let deleted = pack.integer()?;
        let Ok(count) = u64::try_from(pack.integer()?) else {
            return Err(pack.broken());
        };
        let names = Names::read(count, pack)?;
        let terminated = integer_of(pack.element()?) == Some(0);
        Ok(Head {
            live,
            deleted,
            names,
            terminated,
        })
    }
}

/// The names of a master entry's fields.
pub(super) struct Names<'d> {
    pub(super) count: u64,
    kept: [Element<'d>; KEPT],
    /// Stands behind those that are kept.
    more: listpack::Entries<'d>,
}

impl<'d> Names<'d> {
    fn read(count: u64, pack: &mut Pack<'d>) -> Result<Self> {
        let mut kept = [Element::Int(0); KEPT];
        let keep = usize::try_from(count).map_or(KEPT, |n| n.min(KEPT));
        for name in kept.iter_mut().take(keep) {
            *name = pack.element()?;
        }
        let more = pack.entries.clone();
        pack.skip(count - keep as u64)?;
        Ok(Names { count, kept, more })
    }

    /// Calls `each` for every name in order.
    #[inline]
    pub(super) fn each(&self, mut each: impl FnMut(Element<'d>) -> Result<()>) -> Result<()> {
        let keep = usize::try_from(self.count).unwrap_or(KEPT);
        for &name in self.kept.iter().take(keep) {
            each(name)?;
        }
        if self.count > KEPT as u64 {
            let mut more = self.more.clone();
            for _ in KEPT as u64..self.count {
                // They were passed over while the head was read, so they are there.
                if let Ok(Some(name)) = more.next() {
                    each(name)?;
                }
            }
        }
        Ok(())
    }
}

/// What stands before the values of a record.
pub(super) struct Record {
    pub(super) id: StreamId,
    pub(super) flags: i64,
    /// Pairs of names and values.
    pub(super) fields: u64,
}

impl Record {
    /// The record that comes next, `None` at the end mark.
    #[inline]
    pub(super) fn read(
        pack: &mut Pack<'_>,
        master: StreamId,
        master_fields: u64,
    ) -> Result<Option<Self>> {
        let flags = match pack.entries.next_small() {
            Some(flags) => i64::from(flags),
            None => match pack.next()? {
                Some(flags) => pack.integer_of(flags)?,
                None => return Ok(None),
            },
        };
        let id = StreamId {
            ms: master.ms.wrapping_add_signed(pack.integer()?),
            seq: master.seq.wrapping_add_signed(pack.integer()?),
        };
        let fields = if flags & SAME_FIELDS != 0 {
            master_fields
        } else {
            match u64::try_from(pack.integer()?) {
                Ok(fields) => fields,
                Err(_) => return Err(pack.broken()),
            }
        };
        Ok(Some(Record { id, flags, fields }))
    }

    #[inline]
    pub(super) fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }

    #[inline]
    pub(super) fn has_own_names(&self) -> bool {
        self.flags & SAME_FIELDS == 0
    }

    /// Entries of the listpack between the record's head and its backward count.
    #[inline]
    pub(super) fn items(&self) -> u64 {
        if self.has_own_names() {
            self.fields.saturating_mul(2)
        } else {
            self.fields
        }
    }

    /// Reads the backward count; what is wrong with it.
    #[inline]
    pub(super) fn close(&self, pack: &mut Pack<'_>) -> Result<Option<Problem>> {
        let claimed = pack.integer()?;
        let head = if self.has_own_names() { 4 } else { 3 };
        let actual = i64::try_from(self.items().saturating_add(head)).unwrap_or(i64::MAX);
        Ok((claimed != actual).then_some(Problem::StreamRecordCount { claimed, actual }))
    }
}

/// The first live entry of a stream whose nodes come next in `reader`. Stops quietly at what
/// cannot be read: the walk that follows says so.
pub(super) fn first_live(
    mut reader: Reader<'_>,
    nodes: u64,
    key_room: &mut Room,
    blob_room: &mut Room,
) -> Option<StreamId> {
    for _ in 0..nodes {
        let master = key(&mut reader, key_room).ok()?;
        let mut pack = Pack::open(reader.blob(blob_room).ok()?).ok()?;
        let names = Head::read(&mut pack).ok()?.names;
        while let Some(record) = Record::read(&mut pack, master, names.count).ok()? {
            if !record.is_deleted() {
                return Some(record.id);
            }
            pack.skip(record.items()).ok()?;
            record.close(&mut pack).ok()?;
        }
    }
    None
}
