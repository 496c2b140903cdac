//! Consumer groups, and whose the pending entries are.
//!
//! A group lists its pending entries, and behind them each consumer lists the IDs of its own: to
//! name an entry's consumer, the lists must be joined. They may be longer than memory, so the
//! group's list is read in windows; for each of them, every consumer's list is looked through for
//! the IDs of the window. Servers write all lists ascending: then a window is a range of IDs that
//! is found in each list by bisection, and every list is gone through once in all.

use std::hash::{BuildHasher, RandomState};

use crate::bytes::{Element, Problem};
use crate::error::{Error, Place, Result};
use crate::rdb::value::stream::{self, Consumer, GroupHead, PendingEntry, RAW_ID};
use crate::rdb::value::{Reader, Room, Scratch};
use crate::record::{RdbType, Stored, StreamId, ValueVisitor, value::StreamEvent};

/// Pending entries in a window when all lists ascend: room for them stays in the caches.
const WINDOW: u64 = 1 << 14;

/// And when some list does not, or when there are more consumers than [`WINDOW`], all of which are
/// looked through for each window: 15 MiB.
const WIDE_WINDOW: u64 = 1 << 18;

/// Decompressed names of consumers kept for a window. Names are words, not data.
const NAMES_IN_MEMORY: u64 = 16 << 20;

/// Names compared with each other to find one that stands twice: 16 MiB of fingerprints.
const NAMES_COMPARED: usize = 1 << 20;

/// Tells the visitor each group with its pending entries and its consumers.
pub(super) fn walk<V: ValueVisitor + ?Sized>(
    rdb_type: RdbType,
    reader: &mut Reader<'_>,
    count: u64,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    let mut names = Fingerprints::new(count);
    let from = reader.fork();
    for _ in 0..count {
        let group = Group::read(rdb_type, reader)?;
        let name = scratch.first.resolve(group.head.name, group.at)?;
        names.add(name, group.at);
        to.stream(StreamEvent::Group {
            name,
            last_id: group.head.last_id,
            entries_read: group.head.entries_read,
            pending: group.pending,
            consumers: group.consumers,
        })?;
        group.tell_pending(&mut scratch.first, to)?;
        group.tell_consumers(scratch, to)?;
    }
    names.tell_repeats(&from, scratch, to)
}

/// A group, with readers at its lists.
struct Group<'d> {
    rdb_type: RdbType,
    head: GroupHead<'d>,
    /// Offset of the name.
    at: u64,
    pending: u64,
    /// Stands at the first pending entry.
    pending_list: Reader<'d>,
    consumers: u64,
    /// Stands at the first consumer.
    consumer_list: Reader<'d>,
    /// IDs in the lists of all consumers, and of those that no consumer owns.
    owned: u64,
    /// Where a list stops ascending.
    disorder: Option<Place>,
}

impl<'d> Group<'d> {
    /// Reads a group to its end, its lists only to see whether they ascend.
    fn read(rdb_type: RdbType, reader: &mut Reader<'d>) -> Result<Self> {
        let at = reader.offset();
        let head = reader.run(|input| stream::group(rdb_type, input))?;
        let pending = reader.number()?;
        let pending_list = reader.fork();
        let mut disorder = None;
        let mut last = StreamId::default();
        for _ in 0..pending {
            let place = reader.place();
            let entry = reader.run(stream::pending)?;
            if entry.id < last {
                disorder.get_or_insert(place);
            }
            last = entry.id;
        }
        let consumers = reader.number()?;
        let consumer_list = reader.fork();
        let mut owned = 0;
        for _ in 0..consumers {
            let consumer = reader.run(|input| stream::consumer(rdb_type, input))?;
            owned += consumer.ids.len() as u64;
            if !consumer.ids.is_sorted() {
                disorder.get_or_insert(reader.place());
            }
        }
        let unowned = reader.run(|input| stream::unowned(rdb_type, input))?;
        owned += unowned.len() as u64;
        if !unowned.is_sorted() {
            disorder.get_or_insert(reader.place());
        }
        Ok(Group {
            rdb_type,
            head,
            at,
            pending,
            pending_list,
            consumers,
            consumer_list,
            owned,
            disorder,
        })
    }

    fn tell_consumers<V: ValueVisitor + ?Sized>(
        &self,
        scratch: &mut Scratch,
        to: &mut V,
    ) -> Result<()> {
        let mut names = Fingerprints::new(self.consumers);
        let mut reader = self.consumer_list.fork();
        for _ in 0..self.consumers {
            let at = reader.offset();
            let consumer = self.next_consumer(&mut reader)?;
            let name = scratch.first.resolve(consumer.name, at)?;
            names.add(name, at);
            to.stream(StreamEvent::Consumer {
                name,
                seen_at: consumer.seen_at,
                active_at: consumer.active_at,
                pending: consumer.ids.len() as u64,
            })?;
        }
        names.tell_repeats(&self.consumer_list, scratch, to)
    }

    fn tell_pending<V: ValueVisitor + ?Sized>(&self, room: &mut Room, to: &mut V) -> Result<()> {
        if let Some(place) = self.disorder {
            to.flaw(Problem::StreamOrder, place)?;
        }
        let size = match self.disorder {
            None => self.consumers.clamp(WINDOW, WIDE_WINDOW),
            Some(_) => WIDE_WINDOW,
        };
        if self.pending == 0 && self.owned > 0 {
            return to.flaw(Problem::PendingUnknown, Place::at(self.at));
        }
        let mut reader = self.pending_list.fork();
        let mut window = Window::new(size.min(self.pending));
        let (mut left, mut found) = (self.pending, 0);
        while left > 0 {
            let count = left.min(size);
            left -= count;
            window.fill(count, &mut reader)?;
            let search = match self.disorder {
                None => window.next_range(left == 0),
                Some(_) => {
                    window.sort();
                    Search::All {
                        alone: self.pending <= size,
                    }
                }
            };
            found += self.find_owners(&mut window, search, room, to)?;
            window.tell(to)?;
        }
        // Only where several windows look through whole lists has nobody said so yet.
        if self.disorder.is_some() && self.pending > size && found < self.owned {
            to.flaw(Problem::PendingUnknown, Place::at(self.at))?;
        }
        Ok(())
    }

    /// Looks through the lists of consumers for the window's IDs; how many of theirs are in it.
    fn find_owners<V: ValueVisitor + ?Sized>(
        &self,
        window: &mut Window<'d>,
        search: Search,
        room: &mut Room,
        to: &mut V,
    ) -> Result<u64> {
        let mut reader = self.consumer_list.fork();
        let mut found = 0;
        for _ in 0..self.consumers {
            let at = reader.offset();
            let consumer = self.next_consumer(&mut reader)?;
            let list = Claims {
                name: Some((consumer.name, at)),
                ids: consumer.ids,
                end: reader.offset(),
            };
            found += window.claim(&list, search, room, to)?;
        }
        let ids = reader.run(|input| stream::unowned(self.rdb_type, input))?;
        let list = Claims {
            name: None,
            ids,
            end: reader.offset(),
        };
        found += window.claim(&list, search, room, to)?;
        Ok(found)
    }

    #[inline]
    fn next_consumer(&self, reader: &mut Reader<'d>) -> Result<Consumer<'d>> {
        reader.run(|input| stream::consumer(self.rdb_type, input))
    }
}

/// The IDs that a consumer claims, or that no consumer does.
struct Claims<'d> {
    /// The consumer's name and its offset.
    name: Option<(Stored<'d>, u64)>,
    ids: &'d [[u8; RAW_ID]],
    /// Offset of the end of the IDs.
    end: u64,
}

/// Which IDs of a list are looked for in a window.
#[derive(Clone, Copy)]
enum Search {
    /// The list ascends: those above the first and up to the second; what is not found there is
    /// nowhere.
    Range(Option<u128>, Option<u128>),
    /// All of them.
    All {
        /// The window holds the whole group: what is not found there is nowhere.
        alone: bool,
    },
}

/// Some of a group's pending entries, ascending.
struct Window<'d> {
    slots: Vec<Slot>,
    /// The IDs of the slots, apart because they are what is searched.
    ids: Vec<u128>,
    /// For each slot the index of its owner, or one of the two marks below.
    owned_by: Vec<u32>,
    owners: Vec<Owner<'d>>,
    /// Decompressed names of owners.
    names: Vec<u8>,
    /// Last ID of the windows before.
    before: Option<u128>,
}

struct Slot {
    entry: PendingEntry,
    /// Offset in the file.
    at: u64,
}

/// No list has claimed the entry yet.
const UNCLAIMED: u32 = u32::MAX;
/// The list of those without consumer has.
const UNOWNED: u32 = u32::MAX - 1;

/// The name of a consumer that has an entry in the window.
enum Owner<'d> {
    Plain(Element<'d>),
    /// Lies among the window's names.
    Unpacked(std::ops::Range<usize>),
}

impl<'d> Window<'d> {
    fn new(size: u64) -> Self {
        // The caller has passed over that many entries already.
        let size = usize::try_from(size).unwrap_or(0);
        Window {
            slots: Vec::with_capacity(size),
            ids: Vec::with_capacity(size),
            owned_by: Vec::with_capacity(size),
            owners: Vec::new(),
            names: Vec::new(),
            before: None,
        }
    }

    fn fill(&mut self, count: u64, reader: &mut Reader<'d>) -> Result<()> {
        self.slots.clear();
        self.ids.clear();
        self.owned_by.clear();
        self.owners.clear();
        self.names.clear();
        for _ in 0..count {
            let at = reader.offset();
            let entry = reader.run(stream::pending)?;
            self.ids.push(number(&entry.id.to_be_bytes()));
            self.owned_by.push(UNCLAIMED);
            self.slots.push(Slot { entry, at });
        }
        Ok(())
    }

    fn sort(&mut self) {
        self.slots.sort_by_key(|slot| slot.entry.id);
        for (id, slot) in self.ids.iter_mut().zip(&self.slots) {
            *id = number(&slot.entry.id.to_be_bytes());
        }
    }

    /// The IDs for which this window stands, so that every ID belongs to one window.
    fn next_range(&self, is_last: bool) -> Search {
        Search::Range(self.before, self.ids.last().copied().filter(|_| !is_last))
    }

    /// Gives the window's entries that the list claims to its owner; how many there are.
    fn claim<V: ValueVisitor + ?Sized>(
        &mut self,
        list: &Claims<'d>,
        search: Search,
        room: &mut Room,
        to: &mut V,
    ) -> Result<u64> {
        let (skipped, ids, sure) = match search {
            Search::All { alone } => (0, list.ids, alone),
            Search::Range(above, up_to) => {
                let skipped = match above {
                    Some(above) => list.ids.partition_point(|raw| number(raw) <= above),
                    None => 0,
                };
                let ids = list.ids.get(skipped..).unwrap_or_default();
                let ids = match up_to {
                    Some(last) => ids
                        .get(..ids.partition_point(|raw| number(raw) <= last))
                        .unwrap_or_default(),
                    None => ids,
                };
                (skipped, ids, true)
            }
        };
        let place_of = |index: usize| {
            let left = list.ids.len() - skipped - index;
            Place::at(list.end - (left * RAW_ID) as u64)
        };
        let mut owner = UNCLAIMED;
        let (mut slot, mut last, mut found) = (0, 0, 0);
        for (index, raw) in ids.iter().enumerate() {
            let id = number(raw);
            slot = self.seek(if id < last { 0 } else { slot }, id);
            last = id;
            if self.ids.get(slot) != Some(&id) {
                if sure {
                    to.flaw(Problem::PendingUnknown, place_of(index))?;
                }
                continue;
            }
            found += 1;
            let Some(&claimed_by) = self.owned_by.get(slot) else {
                continue;
            };
            if claimed_by == UNCLAIMED {
                if owner == UNCLAIMED {
                    owner = self.add_owner(list.name, room)?;
                }
                if let Some(slot) = self.owned_by.get_mut(slot) {
                    *slot = owner;
                }
            } else {
                // Servers refuse the first; of the second they believe one list or the other.
                let problem = if claimed_by == owner {
                    Problem::PendingTwice
                } else {
                    Problem::PendingShared
                };
                to.flaw(problem, place_of(index))?;
            }
        }
        Ok(found)
    }

    /// Index of the first slot from `from` on whose ID is not below `id`; gallops, because the next
    /// one is near where lists ascend.
    #[inline]
    fn seek(&self, from: usize, id: u128) -> usize {
        let rest = self.ids.get(from..).unwrap_or_default();
        let mut end = 1;
        while rest.get(end - 1).is_some_and(|&other| other < id) {
            end *= 2;
        }
        let below = end / 2;
        let part = rest
            .get(below..end.min(rest.len()))
            .unwrap_or_default()
            .partition_point(|&other| other < id);
        from + below + part
    }

    fn add_owner(&mut self, name: Option<(Stored<'d>, u64)>, room: &mut Room) -> Result<u32> {
        let owner = match name {
            None => return Ok(UNOWNED),
            Some((Stored::Plain(name), _)) => Owner::Plain(name),
            Some((name, at)) => {
                let start = self.names.len();
                if name.len().saturating_add(start as u64) > NAMES_IN_MEMORY {
                    return Err(Error::limit(
                        "the names of a stream's consumers are too long to hold in memory",
                    ));
                }
                let mut text = itoa::Buffer::new();
                let name = room.resolve(name, at)?;
                self.names.extend_from_slice(name.bytes(&mut text));
                Owner::Unpacked(start..self.names.len())
            }
        };
        // Each owner has a slot, and there are far fewer than 2^32 of those.
        let index = u32::try_from(self.owners.len()).unwrap_or(UNOWNED);
        self.owners.push(owner);
        Ok(index)
    }

    fn tell<V: ValueVisitor + ?Sized>(&mut self, to: &mut V) -> Result<()> {
        for ((slot, &id), &owner) in self.slots.iter().zip(&self.ids).zip(&self.owned_by) {
            if self.before == Some(id) {
                to.flaw(Problem::PendingTwice, Place::at(slot.at))?;
            } else if owner == UNCLAIMED {
                to.flaw(Problem::PendingOwner, Place::at(slot.at))?;
            }
            self.before = Some(id);
            let owner = usize::try_from(owner).unwrap_or(usize::MAX);
            let consumer = self.owners.get(owner).map(|owner| match owner {
                Owner::Plain(name) => *name,
                Owner::Unpacked(range) => {
                    Element::Bytes(self.names.get(range.clone()).unwrap_or_default())
                }
            });
            to.stream(StreamEvent::Pending {
                id: slot.entry.id,
                consumer,
                delivered_at: slot.entry.delivered_at,
                deliveries: slot.entry.deliveries,
            })?;
        }
        Ok(())
    }
}

/// An ID as one number, which orders it.
#[inline]
fn number(raw: &[u8; RAW_ID]) -> u128 {
    u128::from_be_bytes(*raw)
}

/// Finds names that stand twice. Holds a keyed hash of each and where it stands; a hit is confirmed
/// by reading both names again.
struct Fingerprints {
    /// Not needed for a single name.
    state: Option<RandomState>,
    seen: Vec<(u64, u64)>,
}

impl Fingerprints {
    fn new(count: u64) -> Self {
        Fingerprints {
            state: (count > 1).then(RandomState::new),
            seen: Vec::new(),
        }
    }

    fn add(&mut self, name: Element<'_>, at: u64) {
        if let Some(state) = &self.state
            && self.seen.len() < NAMES_COMPARED
        {
            let hash = state.hash_one(name.bytes(&mut itoa::Buffer::new()));
            self.seen.push((hash, at));
        }
    }

    /// `from` is a reader before the names.
    fn tell_repeats<V: ValueVisitor + ?Sized>(
        mut self,
        from: &Reader<'_>,
        scratch: &mut Scratch,
        to: &mut V,
    ) -> Result<()> {
        self.seen.sort_unstable();
        for same in self.seen.chunk_by(|a, b| a.0 == b.0) {
            let Some((&(_, first), others)) = same.split_first() else {
                continue;
            };
            for &(_, other) in others {
                let a = reader_at(from, first).stored()?;
                let b = reader_at(from, other).stored()?;
                let a = scratch.first.resolve(a, first)?;
                if a == scratch.second.resolve(b, other)? {
                    to.flaw(Problem::StreamNameTwice, Place::at(other))?;
                }
            }
        }
        Ok(())
    }
}

/// A reader further on.
fn reader_at<'d>(from: &Reader<'d>, offset: u64) -> Reader<'d> {
    let ahead = usize::try_from(offset.saturating_sub(from.offset())).unwrap_or(usize::MAX);
    Reader {
        rest: from.rest.get(ahead..).unwrap_or_default(),
        end: from.end,
    }
}
