//! Sorts a snapshot's keys in bounded memory, for a dump in the order of databases and keys.
//!
//! ```text
//! record   offset, length, db and key length, key       in the arena and in the file alike
//!          8       8       8                  ...
//! ```
//!
//! Records are collected in one arena. When the memory is used up they are sorted and go to a
//! temporary file as a run; at the end the runs are merged.

mod merge;

use std::io::Write;
use std::vec;

use self::merge::{Merge, Runs};
use crate::error::{Error, Result};

/// Up to here whole keys are compared with each other.
const SMALL: usize = 16;
/// Records whose headers are read before the first of them is copied: they lie all over the arena,
/// and so several are fetched from memory at a time.
const AHEAD: usize = 32;

/// Collects keys and where their records stand.
#[derive(Debug)]
pub(crate) struct KeyIndex {
    in_memory: usize,
    arena: Vec<u8>,
    slots: Vec<Slot>,
    runs: Runs,
}

/// Where a record stands in the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its database.
    pub(crate) db: u32,
    /// Its offset in bytes.
    pub(crate) at: u64,
    /// Its length in bytes.
    pub(crate) len: u64,
}

/// A record in the arena, and the part of it that it is sorted by at the moment.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// A `u128`, which as itself would be aligned to its size.
    word: [u8; 16],
    start: usize,
}

impl Slot {
    #[inline]
    fn word(&self) -> u128 {
        u128::from_ne_bytes(self.word)
    }
}

impl KeyIndex {
    /// An index that holds about `in_memory` bytes before it goes on in a temporary file, of at
    /// most `max_spool` bytes.
    pub(crate) fn new(in_memory: usize, max_spool: u64) -> Self {
        KeyIndex {
            in_memory,
            arena: Vec::new(),
            slots: Vec::new(),
            runs: Runs::new(max_spool),
        }
    }

    /// Adds the record of `len` bytes at offset `at`.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`](crate::error::ErrorKind::Limit) where the file would outgrow
    /// `max_spool` or the key has 4 GiB or more, [`ErrorKind::Io`](crate::error::ErrorKind::Io)
    /// where the temporary folder is full.
    #[inline]
    pub(crate) fn push(&mut self, db: u32, key: &[u8], at: u64, len: u64) -> Result<()> {
        let key_len = u32::try_from(key.len())
            .map_err(|_| Error::limit("a key of 4 GiB or more cannot be sorted"))?;
        let held = self.arena.len() + self.slots.len() * size_of::<Slot>();
        let more = HEADER + key.len() + size_of::<Slot>();
        let fits = more <= self.in_memory.saturating_sub(held);
        if !fits {
            self.spill()?;
        }
        let (word, start) = ([0; 16], self.arena.len());
        for word in [at, len, u64::from(db) << 32 | u64::from(key_len)] {
            self.arena.extend_from_slice(&word.to_le_bytes());
        }
        if !fits && more > self.in_memory {
            // A run of its own, straight from where the key stands.
            let result = self.runs.append(HEADER + key.len(), |to| {
                to.write_all(&self.arena)?;
                to.write_all(key)
            });
            self.arena.clear();
            return result;
        }
        self.arena.extend_from_slice(key);
        self.slots.push(Slot { word, start });
        Ok(())
    }

    /// Ends collecting: everything in the order of database, key and offset.
    ///
    /// # Errors
    /// As [`KeyIndex::push`], and what was spilled cannot be read again.
    pub(crate) fn sorted(mut self) -> Result<Sorted> {
        let mut merge = None;
        if self.runs.is_empty() {
            sort(&self.arena, &mut self.slots);
        } else {
            self.spill()?;
            (self.arena, self.slots) = (Vec::new(), Vec::new());
            merge = Some(self.runs.merge(self.in_memory)?);
        }
        Ok(Sorted {
            arena: self.arena,
            slots: self.slots.into_iter(),
            merge,
        })
    }

    /// What is held becomes a run.
    #[cold]
    fn spill(&mut self) -> Result<()> {
        if self.slots.is_empty() {
            return Ok(());
        }
        sort(&self.arena, &mut self.slots);
        let bytes = |slot: &Slot| {
            let rest = self.arena.get(slot.start..).unwrap_or_default();
            rest.get(..Header::of(rest).record_len()).unwrap_or(rest)
        };
        self.runs.append(self.arena.len(), |to| {
            let mut ahead = Vec::with_capacity(AHEAD);
            for slots in self.slots.chunks(AHEAD) {
                ahead.clear();
                ahead.extend(slots.iter().map(bytes));
                ahead.iter().try_for_each(|record| to.write_all(record))?;
            }
            Ok(())
        })?;
        self.arena.clear();
        self.slots.clear();
        Ok(())
    }
}

/// Everything in order, once.
#[derive(Debug)]
pub(crate) struct Sorted {
    arena: Vec<u8>,
    slots: vec::IntoIter<Slot>,
    merge: Option<Merge>,
}

impl Sorted {
    /// The next record; after an error there is no more to ask for.
    ///
    /// # Errors
    /// What was spilled cannot be read again.
    pub(crate) fn next(&mut self) -> Result<Option<Item>> {
        match &mut self.merge {
            Some(merge) => merge.next(),
            None => {
                let slot = self.slots.next();
                Ok(slot.map(|slot| record(&self.arena, slot).0.item))
            }
        }
    }
}

/// What stands before a key.
#[derive(Clone, Copy, Debug)]
struct Header {
    item: Item,
    key_len: usize,
}

const HEADER: usize = 24;

impl Header {
    /// The header at the start of `bytes`; one of zeros where they are too few.
    #[inline]
    fn of(bytes: &[u8]) -> Self {
        let words = bytes.as_chunks::<8>().0.first_chunk::<3>();
        let [at, len, sizes] = words.map_or([0; 3], |words| words.map(u64::from_le_bytes));
        let [a, b, c, d, db @ ..] = sizes.to_le_bytes();
        let db = u32::from_le_bytes(db);
        Header {
            item: Item { db, at, len },
            key_len: u32::from_le_bytes([a, b, c, d]) as usize,
        }
    }

    /// Bytes of header and key.
    fn record_len(&self) -> usize {
        HEADER + self.key_len
    }
}

#[inline]
fn record(arena: &[u8], slot: Slot) -> (Header, &[u8]) {
    let bytes = arena.get(slot.start..).unwrap_or_default();
    let header = Header::of(bytes);
    let key = bytes.get(HEADER..header.record_len());
    (header, key.unwrap_or_default())
}

/// Sorts by words that stand in the slots, and by the next word where those are alike: most
/// comparisons look at no key, whatever prefix the keys share, and each byte of a key is looked
/// at a few times only.
fn sort(arena: &[u8], slots: &mut [Slot]) {
    let mut todo = vec![(0..slots.len(), By::Db)];
    while let Some((range, by)) = todo.pop() {
        let mut start = range.start;
        let part = slots.get_mut(range).unwrap_or_default();
        for slot in part.iter_mut() {
            slot.word = by.word(arena, *slot).to_ne_bytes();
        }
        part.sort_unstable_by_key(Slot::word);
        for alike in part.chunk_by_mut(|a, b| a.word() == b.word()) {
            let range = start..start + alike.len();
            start = range.end;
            let next = alike.first().and_then(|slot| by.after(slot.word()));
            match (next, range.len()) {
                (None, _) | (_, 1) => {}
                (_, ..=SMALL) => alike.sort_unstable_by(|a, b| {
                    let ((a, a_key), (b, b_key)) = (record(arena, *a), record(arena, *b));
                    a_key.cmp(b_key).then(a.item.at.cmp(&b.item.at))
                }),
                (Some(next), _) => todo.push((range, next)),
            }
        }
    }
}

/// What records are sorted by that are alike in all that comes before it.
#[derive(Clone, Copy, Debug)]
enum By {
    Db,
    /// The key from this byte on.
    Key(usize),
    At,
}

/// Bytes of a key in a word. One byte more tells how many of them the key has, which makes `ab`
/// and `ab\0` differ, or that it goes on.
const STEP: usize = 15;
const MORE: u128 = 0xff;

impl By {
    #[inline]
    fn word(self, arena: &[u8], slot: Slot) -> u128 {
        let bytes = arena.get(slot.start..).unwrap_or_default();
        let header = Header::of(bytes);
        match self {
            By::Db => header.item.db.into(),
            By::At => header.item.at.into(),
            By::Key(from) => {
                let len = header.key_len.saturating_sub(from);
                let rest = bytes.get(HEADER + from..).unwrap_or_default();
                let end = if len > STEP { MORE } else { len as u128 };
                beginning(rest, len) | end
            }
        }
    }

    fn after(self, word: u128) -> Option<Self> {
        match self {
            By::Db => Some(By::Key(0)),
            By::Key(from) if word & MORE == MORE => Some(By::Key(from + STEP)),
            By::Key(_) => Some(By::At),
            By::At => None,
        }
    }
}

/// The first 16 of `len` bytes as a number, with zeros behind what is shorter. There may be other
/// bytes after them, which spares a loop.
#[inline]
fn beginning(bytes: &[u8], len: usize) -> u128 {
    let mut word = [0; 16];
    match bytes.first_chunk() {
        Some(first) => word = *first,
        None => word
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from),
    }
    let others = u128::MAX.checked_shr(8 * len.min(16) as u32);
    u128::from_be_bytes(word) & !others.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Key = (u32, Vec<u8>, u64);

    /// Sorts with this memory and holds the result against the standard library's.
    fn check(keys: &[Key], in_memory: usize) {
        let mut index = KeyIndex::new(in_memory, u64::MAX);
        for (db, key, at) in keys {
            index.push(*db, key, *at, at / 3 + 1).unwrap();
        }
        let mut sorted = index.sorted().unwrap();
        let mut expected: Vec<&Key> = keys.iter().collect();
        expected.sort();
        for (nth, &(db, _, at)) in expected.into_iter().enumerate() {
            let len = at / 3 + 1;
            let item = sorted.next().unwrap();
            let expected = Some(Item { db, at, len });
            assert_eq!(item, expected, "{nth} with {in_memory} bytes");
        }
        assert_eq!(sorted.next().unwrap(), None);
        assert_eq!(sorted.next().unwrap(), None);
    }

    fn spread(i: u64) -> u64 {
        (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_database_key_and_offset_whatever_the_memory(
            keys in prop::collection::vec(
                (
                    prop::sample::select(vec![0, 1, 255, 256, u32::MAX]),
                    prop::collection::vec(prop::sample::select(vec![0, 1, 7, b'a', 255]), 0..24),
                    prop_oneof![0u64..20, any::<u64>()],
                ),
                0..200,
            ),
            in_memory in prop::sample::select(vec![0, 60, 500, 3_000, 1 << 20]),
        ) {
            check(&keys, in_memory);
        }
    }

    #[test]
    fn shared_prefixes_and_many_of_the_same_key_are_sorted() {
        let zeros = |len| vec![0; len];
        let keys: Vec<Key> = (0..40_000)
            .map(|i| {
                let n = spread(i);
                let db = [0, 3, 15][n as usize % 3];
                let key = match n % 7 {
                    0 => format!("user:profile:{}", n % 1000).into_bytes(),
                    1 => format!("user:profile:{n:020}").into_bytes(),
                    2 => [
                        &b"p".repeat(n as usize % 90)[..],
                        [&b"!"[..], b"z", b""][n as usize / 90 % 3],
                    ]
                    .concat(),
                    3 => b"the same".to_vec(),
                    4 => zeros(n as usize % 30),
                    5 => n.to_be_bytes().to_vec(),
                    _ => Vec::new(),
                };
                (db, key, n)
            })
            .collect();
        for in_memory in [0, 10_000, 400_000, 1 << 30] {
            check(&keys, in_memory);
        }
    }

    #[test]
    fn keys_longer_than_buffers_and_memory_are_compared_to_their_last_byte() {
        let lens = [4071, 4072, 4073, 65_536, 69_608, 69_609, 200_000, 300_000];
        let mut keys = Vec::new();
        for (nth, len) in lens.into_iter().enumerate() {
            for last in *b"xxazx\0" {
                let mut key = vec![b'x'; len];
                key.extend([last; 2]);
                keys.push((7, key, spread(nth as u64)));
                keys.push((7, vec![last], spread(len as u64)));
            }
        }
        for in_memory in [0, 100_000, 1 << 20] {
            check(&keys, in_memory);
        }
    }

    #[test]
    fn a_key_longer_than_the_memory_is_not_held() {
        let mut index = KeyIndex::new(1000, u64::MAX);
        for at in 0..100 {
            index.push(0, &[b'k'; 100_000], at, 1).unwrap();
            index.push(0, b"short", at, 1).unwrap();
            assert!(index.arena.capacity() < 2000);
        }
    }

    #[test]
    fn the_limit_is_exact_and_names_its_option() {
        let fill = |max_spool| {
            let mut index = KeyIndex::new(1000, max_spool);
            for at in 0..100 {
                index.push(0, b"twelve bytes", at, 1)?;
            }
            index.push(0, &[b'x'; 2000], 100, 1)?;
            index.sorted().map(drop)
        };
        let all = 100 * (HEADER as u64 + 12) + HEADER as u64 + 2000;
        fill(all).unwrap();
        for max_spool in [0, 700, 3_600, all - 1] {
            let error = fill(max_spool).unwrap_err();
            assert!(matches!(error.kind(), crate::error::ErrorKind::Limit(_)));
            assert!(error.to_string().contains("--max-spool"), "{error}");
        }
        let mut index = KeyIndex::new(1000, 0);
        index.push(0, b"held in memory", 0, 1).unwrap();
        index.sorted().unwrap();
    }
}
