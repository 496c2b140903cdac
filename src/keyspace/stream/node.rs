//! A node: entries near each other in one listpack, in the layout of the file
//! (`rdb::value::stream::node`), so that nodes fill up, empty and go as a server's do.

use crate::bytes::{Element, number};
use crate::encoding::listpack::{self, Listpack};
use crate::record::StreamId;

/// A pair of a field's name and value.
pub type Pair<'a> = [&'a [u8]; 2];

/// Where the first entry of a listpack stands.
const FIRST: usize = 6;
/// Where a listpack's header counts entries.
const COUNT: usize = 4;
const UNKNOWN_COUNT: u16 = u16::MAX;
const END: u8 = 0xff;

const DELETED: u8 = 1;
const SAME_FIELDS: u8 = 2;
/// The greatest integer that is one byte in a listpack.
const SMALL: u8 = 0x7f;

/// Entries in one listpack, ascending.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// What the IDs of its entries count from; its key.
    pub(super) master: StreamId,
    /// ID of its last entry, deleted or not.
    pub(super) last: StreamId,
    blob: Vec<u8>,
    /// Where the first entry begins that is not deleted; the end mark where all are.
    start: u32,
    /// Tells it from every other node that its stream ever had; 0 once entries have moved.
    pub(super) serial: u32,
}

/// Where an entry was found, so that the next is looked for from there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seek {
    /// The node.
    serial: u32,
    /// Where the entry begins.
    at: u32,
    id: StreamId,
}

/// An entry of a node.
#[derive(Clone, Debug)]
pub(super) struct Record<'d> {
    pub(super) id: StreamId,
    /// Where it begins in the listpack.
    pub(super) at: usize,
    pub(super) deleted: bool,
    /// Pairs that it has.
    pub(super) fields: u64,
    /// Stands at its names and values, or its values alone.
    items: listpack::Entries<'d>,
    /// Stands at the names that the master entry has, where those are its own.
    names: Option<listpack::Entries<'d>>,
}

impl<'d> Record<'d> {
    /// Its names and values.
    pub(super) fn pairs(&self) -> Pairs<'d> {
        Pairs {
            left: self.fields,
            items: self.items.clone(),
            names: self.names.clone(),
        }
    }
}

/// Walks the names and values of an entry.
#[derive(Clone, Debug)]
pub struct Pairs<'d> {
    left: u64,
    items: listpack::Entries<'d>,
    names: Option<listpack::Entries<'d>>,
}

impl<'d> Iterator for Pairs<'d> {
    type Item = (Element<'d>, Element<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.next(),
            None => self.items.next(),
        };
        Some((name.ok()??, self.items.next().ok()??))
    }
}

impl Node {
    /// One with a first entry.
    pub(super) fn new(id: StreamId, pairs: &[Pair<'_>], serial: u32) -> Self {
        let mut node = Node {
            master: id,
            last: id,
            blob: vec![0, 0, 0, 0, 0, 0],
            start: 0,
            serial,
        };
        let out = &mut node.blob;
        push(out, Element::Int(0));
        push(out, Element::Int(0));
        push(out, count(pairs.len()));
        for [name, _] in pairs {
            push(out, Element::Bytes(name));
        }
        push(out, Element::Int(0));
        node.start = out.len() as u32;
        out.push(END);
        node.close(4 + pairs.len());
        node.push(id, pairs);
        node
    }

    /// A copy of one that stands in a file and is known to be well-formed; none where it is not of
    /// the form that can be edited here, which no server's fails to be.
    pub(super) fn from_blob(master: StreamId, blob: &[u8], serial: u32) -> Option<Self> {
        let mut node = Node {
            master,
            last: master,
            blob: blob.to_vec(),
            start: 0,
            serial,
        };
        let (live, deleted, _) = node.counts()?;
        let mut entries = Listpack::open(&node.blob).ok()?.entries();
        skip(&mut entries, 2)?;
        let fields = u64::try_from(integer(&mut entries)?).ok()?;
        skip(&mut entries, fields.checked_add(1)?)?;
        node.start = u32::try_from(node.blob.len() - entries.rest()).ok()?;
        let (mut found, mut last) = ((0u64, 0u64), None);
        for record in node.records() {
            // Flags are changed in place.
            if *node.blob.get(record.at)? > SMALL {
                return None;
            }
            match record.deleted {
                false => found.0 += 1,
                true => found.1 += 1,
            }
            last = Some(record.id);
        }
        node.last = last?;
        node.advance();
        (found == (live, deleted)).then_some(node)
    }

    /// Bytes of its listpack.
    pub(super) fn len(&self) -> usize {
        self.blob.len()
    }

    /// Bytes that it has asked for.
    pub(super) fn capacity(&self) -> usize {
        self.blob.capacity()
    }

    /// Gives back what it does not use; nothing will be added.
    pub(super) fn shrink(&mut self) {
        self.blob.shrink_to_fit();
    }

    /// Entries that are not deleted.
    pub(super) fn live(&self) -> u64 {
        self.counts().map_or(0, |(live, _, _)| live)
    }

    /// Entries, deleted ones too.
    pub(super) fn all(&self) -> u64 {
        self.counts().map_or(0, |(live, deleted, _)| live + deleted)
    }

    /// Adds an entry behind the others.
    pub(super) fn push(&mut self, id: StreamId, pairs: &[Pair<'_>]) {
        let same = self.has_names(pairs);
        self.blob.pop();
        let out = &mut self.blob;
        push(out, Element::Int(if same { 2 } else { 0 }));
        for (n, master) in [(id.ms, self.master.ms), (id.seq, self.master.seq)] {
            push(out, Element::Int(n.wrapping_sub(master).cast_signed()));
        }
        let items = if same {
            for [_, value] in pairs {
                push(out, Element::Bytes(value));
            }
            3 + pairs.len()
        } else {
            push(out, count(pairs.len()));
            for item in pairs.iter().flatten() {
                push(out, Element::Bytes(item));
            }
            4 + 2 * pairs.len()
        };
        push(out, count(items));
        out.push(END);
        self.close(items + 1);
        self.last = id;
        self.recount(1, 0);
    }

    /// Marks the entries that begin there as deleted.
    pub(super) fn delete(&mut self, entries: &[usize]) {
        for &at in entries {
            if let Some(flags) = self.blob.get_mut(at) {
                *flags |= DELETED;
            }
        }
        // The counts may take more bytes than before, so that entries move: they come last.
        let count = entries.len() as i64;
        self.recount(-count, count);
        self.advance();
    }

    /// Its entries in order, deleted ones too but for those before the first live one.
    pub(super) fn records(&self) -> Records<'_> {
        self.records_at(self.start)
    }

    /// The same from the one on that begins there.
    fn records_at(&self, start: u32) -> Records<'_> {
        self.open(start).unwrap_or(Records {
            master: self.master,
            len: 0,
            parts: None,
        })
    }

    fn open(&self, start: u32) -> Option<Records<'_>> {
        let pack = Listpack::open(&self.blob).ok()?;
        let mut names = pack.entries();
        integer(&mut names)?;
        integer(&mut names)?;
        let fields = u64::try_from(integer(&mut names)?).ok()?;
        Some(Records {
            master: self.master,
            len: self.blob.len(),
            parts: Some((fields, names, pack.entries_at(start as usize))),
        })
    }

    /// The live entry of this ID, looked for from where another was found, if it is behind that.
    pub(super) fn find(&self, id: StreamId, seek: &mut Seek) -> Option<Record<'_>> {
        if id > self.last {
            return None;
        }
        let near = self.serial != 0 && seek.serial == self.serial && seek.id <= id;
        let from = if near { seek.at } else { 0 };
        let mut records = self.records_at(from.max(self.start));
        let record = records.find(|record| record.id >= id)?;
        *seek = Seek {
            serial: self.serial,
            at: record.at as u32,
            id: record.id,
        };
        Some(record).filter(|record| record.id == id && !record.deleted)
    }

    /// Goes on to the first entry that is not deleted.
    fn advance(&mut self) {
        let first = self.records().find(|record| !record.deleted);
        let end = self.blob.len().saturating_sub(1);
        self.start = first.map_or(end, |record| record.at) as u32;
    }

    /// Live and deleted entries, and where the listpack goes on behind these counts.
    fn counts(&self) -> Option<(u64, u64, usize)> {
        if let Some(&[live @ ..=SMALL, 1, deleted @ ..=SMALL, 1]) =
            self.blob.get(FIRST..).and_then(<[u8]>::first_chunk)
        {
            return Some((live.into(), deleted.into(), FIRST + 4));
        }
        let mut entries = Listpack::open(&self.blob).ok()?.entries();
        let live = u64::try_from(integer(&mut entries)?).ok()?;
        let deleted = u64::try_from(integer(&mut entries)?).ok()?;
        Some((live, deleted, self.blob.len() - entries.rest()))
    }

    fn recount(&mut self, live: i64, deleted: i64) {
        let Some((was_live, was_deleted, end)) = self.counts() else {
            return;
        };
        let live = was_live.saturating_add_signed(live);
        let deleted = was_deleted.saturating_add_signed(deleted);
        if live <= SMALL.into()
            && deleted <= SMALL.into()
            && end == FIRST + 4
            && let Some(head) = self.blob.get_mut(FIRST..end)
        {
            head.copy_from_slice(&[live as u8, 1, deleted as u8, 1]);
            return;
        }
        let mut counts = Vec::with_capacity(4);
        push(&mut counts, Element::Int(live.cast_signed()));
        push(&mut counts, Element::Int(deleted.cast_signed()));
        let moved = FIRST + counts.len();
        self.blob.splice(FIRST..end, counts);
        self.start = (self.start as usize + moved).saturating_sub(end) as u32;
        self.serial = 0;
        self.close(0);
    }

    /// Whether the entry has the names of the master entry.
    fn has_names(&self, pairs: &[Pair<'_>]) -> bool {
        let Some((fields, mut names, _)) = self.records().parts else {
            return false;
        };
        let mut text = itoa::Buffer::new();
        fields == pairs.len() as u64
            && pairs.iter().all(
                |[own, _]| matches!(names.next(), Ok(Some(name)) if name.bytes(&mut text) == *own),
            )
    }

    /// Puts the header right behind a change that added so many entries to the listpack.
    fn close(&mut self, added: usize) {
        let len = self.blob.len() as u32;
        if let Some(size) = self.blob.first_chunk_mut::<4>() {
            *size = len.to_le_bytes();
        }
        let count = self.blob.get_mut(COUNT..);
        if let Some(count) = count.and_then(<[u8]>::first_chunk_mut::<2>) {
            let was = u16::from_le_bytes(*count);
            if was != UNKNOWN_COUNT {
                let now = u16::try_from(usize::from(was) + added).unwrap_or(UNKNOWN_COUNT);
                *count = now.to_le_bytes();
            }
        }
    }
}

/// Walks the entries of a node.
#[derive(Clone, Debug)]
pub(super) struct Records<'d> {
    master: StreamId,
    len: usize,
    /// Fields of the master entry, their names, and what comes next.
    parts: Option<(u64, listpack::Entries<'d>, listpack::Entries<'d>)>,
}

impl<'d> Iterator for Records<'d> {
    type Item = Record<'d>;

    fn next(&mut self) -> Option<Record<'d>> {
        let (master_fields, names, entries) = self.parts.as_mut()?;
        let at = self.len - entries.rest();
        let flags = integer(entries)?;
        let same = flags & i64::from(SAME_FIELDS) != 0;
        let id = StreamId {
            ms: self.master.ms.wrapping_add_signed(integer(entries)?),
            seq: self.master.seq.wrapping_add_signed(integer(entries)?),
        };
        let fields = match same {
            true => *master_fields,
            false => u64::try_from(integer(entries)?).ok()?,
        };
        let record = Record {
            id,
            at,
            deleted: flags & i64::from(DELETED) != 0,
            fields,
            items: entries.clone(),
            names: same.then(|| names.clone()),
        };
        skip(entries, if same { fields } else { fields.checked_mul(2)? })?;
        integer(entries)?;
        Some(record)
    }
}

#[inline]
fn integer(entries: &mut listpack::Entries<'_>) -> Option<i64> {
    if let Some(n) = entries.next_small() {
        return Some(n.into());
    }
    match entries.next().ok()?? {
        Element::Int(n) => Some(n),
        Element::Bytes(text) => number::parse_canonical_i64(text),
    }
}

fn skip(entries: &mut listpack::Entries<'_>, items: u64) -> Option<()> {
    for _ in entries.skip_plain(items)..items {
        entries.next().ok()??;
    }
    Some(())
}

fn push(out: &mut Vec<u8>, element: Element<'_>) {
    listpack::append(out, element);
}

/// A count of things in memory, which fits.
fn count(n: usize) -> Element<'static> {
    Element::Int(n as i64)
}
