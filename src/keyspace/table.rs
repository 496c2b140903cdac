//! A table of things that have a name: keys, fields, members.
//!
//! An index of 9 bytes an entry over a slab of entries. The index holds 32 bits of each hash, so
//! that it grows without looking at an entry; the slab grows by pieces, so that nothing is copied
//! and no memory is held twice. An entry keeps its place until it is removed, so that a place can
//! stand for it elsewhere (in the order of a sorted set).

use std::sync::LazyLock;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// What stands in a [`Table`].
pub trait Keyed {
    /// Its name; does not change while it is in the table.
    fn key(&self) -> &[u8];
}

/// Entries of a piece of the slab.
const PIECE: usize = 1024;
/// From so many entries on, the first piece is no longer doubled.
const GROWN: usize = 16;

/// Hash of a name. Differs from run to run, so that nobody can write a file of names that collide;
/// nothing that leaves the program may depend on it.
#[inline]
pub fn hash(name: &[u8]) -> u64 {
    static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    let mut hasher = STATE.build_hasher();
    hasher.write(name);
    hasher.finish()
}

#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    at: u32,
}

/// The 64 bits that the index wants, from those that it keeps.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Entries by name.
#[derive(Clone, Debug)]
pub struct Table<E> {
    index: HashTable<Place>,
    pieces: Vec<Vec<Option<E>>>,
    free: Vec<u32>,
}

impl<E> Default for Table<E> {
    fn default() -> Self {
        Table {
            index: HashTable::new(),
            pieces: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<E: Keyed> Table<E> {
    /// Entries in it.
    #[inline]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True without entries.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The place of this name.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        self.find_hashed(hash(name), name)
    }

    /// The same where the hash is known.
    #[inline]
    pub fn find_hashed(&self, hash: u64, name: &[u8]) -> Option<u32> {
        let short = hash as u32;
        self.index
            .find(spread(short), |place| {
                place.hash == short && self.at(place.at).is_some_and(|entry| entry.key() == name)
            })
            .map(|place| place.at)
    }

    /// Where the first entry of this hash is, which is nearly always the one looked for. No entry is
    /// looked at.
    #[inline]
    pub fn likely(&self, hash: u64) -> Option<u32> {
        let short = hash as u32;
        let found = self.index.find(spread(short), |place| place.hash == short);
        found.map(|place| place.at)
    }

    /// The entry at a place.
    #[inline]
    pub fn at(&self, at: u32) -> Option<&E> {
        let at = at as usize;
        self.pieces.get(at / PIECE)?.get(at % PIECE)?.as_ref()
    }

    /// The entry at a place, to be changed. Its name must stay.
    #[inline]
    pub fn at_mut(&mut self, at: u32) -> Option<&mut E> {
        let at = at as usize;
        let piece = self.pieces.get_mut(at / PIECE)?;
        piece.get_mut(at % PIECE)?.as_mut()
    }

    /// The entry of this name.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&E> {
        self.at(self.find(name)?)
    }

    /// The entry of this name, to be changed. Its name must stay.
    #[inline]
    pub fn get_mut(&mut self, name: &[u8]) -> Option<&mut E> {
        self.at_mut(self.find(name)?)
    }

    /// True where there is an entry of this name.
    #[inline]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.find(name).is_some()
    }

    /// Adds an entry whose name is not in the table, and says where.
    ///
    /// # Panics
    /// With four thousand million entries in one table, which memory does not hold.
    #[inline]
    pub fn add(&mut self, entry: E) -> u32 {
        self.add_hashed(hash(entry.key()), entry)
    }

    /// The same where the hash is known.
    ///
    /// # Panics
    /// As [`add`](Self::add).
    #[inline]
    pub fn add_hashed(&mut self, hash: u64, entry: E) -> u32 {
        debug_assert!(self.find_hashed(hash, entry.key()).is_none());
        let at = match self.free.pop() {
            Some(at) => {
                let piece = self.pieces.get_mut(at as usize / PIECE);
                if let Some(slot) = piece.and_then(|piece| piece.get_mut(at as usize % PIECE)) {
                    *slot = Some(entry);
                }
                at
            }
            None => self.push(entry),
        };
        let short = hash as u32;
        let place = Place { hash: short, at };
        self.index
            .insert_unique(spread(short), place, |place| spread(place.hash));
        at
    }

    fn push(&mut self, entry: E) -> u32 {
        if self.pieces.last().is_none_or(|last| last.len() == PIECE) {
            // The first piece grows as it must, for most tables are small; those behind it are whole.
            let room = if self.pieces.is_empty() { 0 } else { PIECE };
            if room == 0 {
                self.pieces.reserve_exact(1);
            }
            self.pieces.push(Vec::with_capacity(room));
        }
        let before = (self.pieces.len() - 1) * PIECE;
        let mut at = before;
        if let Some(last) = self.pieces.last_mut() {
            at += last.len();
            // By a quarter: doubled, a quarter of all that such tables take would be unused.
            if last.len() == last.capacity() && last.len() >= GROWN {
                last.reserve_exact((last.len() / 4).min(PIECE - last.len()));
            }
            last.push(Some(entry));
        }
        u32::try_from(at).expect("no memory holds so many entries")
    }

    /// Takes the entry of this name out.
    #[inline]
    pub fn remove(&mut self, name: &[u8]) -> Option<E> {
        self.remove_hashed(hash(name), name)
    }

    /// The same where the hash is known.
    pub fn remove_hashed(&mut self, hash: u64, name: &[u8]) -> Option<E> {
        let at = self.find_hashed(hash, name)?;
        self.take(hash, at)
    }

    /// Takes the entry at a place out.
    pub fn remove_at(&mut self, at: u32) -> Option<E> {
        let hash = hash(self.at(at)?.key());
        self.take(hash, at)
    }

    fn take(&mut self, hash: u64, at: u32) -> Option<E> {
        let found = self
            .index
            .find_entry(spread(hash as u32), |place| place.at == at);
        if let Ok(entry) = found {
            entry.remove();
        }
        let piece = self.pieces.get_mut(at as usize / PIECE)?;
        let entry = piece.get_mut(at as usize % PIECE)?.take();
        if self.index.is_empty() {
            *self = Table::default();
        } else {
            self.free.push(at);
            // What was removed is given back once it is most of it.
            if self.index.capacity() > 64 && self.index.len() < self.index.capacity() / 8 {
                self.index.shrink_to_fit(|place| spread(place.hash));
            }
        }
        entry
    }

    /// Every entry, in an order that means nothing.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.pieces.iter().flatten().flatten()
    }

    /// Every entry, to be changed, in an order that means nothing. Names must stay.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut E> {
        self.pieces.iter_mut().flatten().flatten()
    }

    /// Every entry, taken out, in an order that means nothing.
    pub fn into_entries(self) -> impl Iterator<Item = E> {
        self.pieces.into_iter().flatten().flatten()
    }

    /// Places that have an entry or had one: each is below this.
    pub fn places(&self) -> u32 {
        let full = self.pieces.len().saturating_sub(1) * PIECE;
        (full + self.pieces.last().map_or(0, Vec::len)) as u32
    }

    /// Bytes that index and slab take, without what the entries have on the heap.
    pub fn heap(&self) -> usize {
        let slab: usize = self.pieces.iter().map(Vec::capacity).sum();
        self.index.capacity() * 8 / 7 * 9 + slab * size_of::<Option<E>>() + self.free.capacity() * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Text;
    use std::collections::BTreeMap;

    #[derive(Debug)]
    struct Pair(Text, u32);

    impl Keyed for Pair {
        fn key(&self) -> &[u8] {
            &self.0
        }
    }

    #[test]
    fn it_holds_what_a_map_holds_and_places_stay() {
        let mut table = Table::<Pair>::default();
        let mut map: BTreeMap<Vec<u8>, (u32, u32)> = BTreeMap::new();
        let mut seed = 7u32;
        for step in 0..60_000u32 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // It grows, then shrinks.
            let grows = step < 30_000;
            let name = format!("name:{}", (seed >> 8) % 5000).into_bytes();
            match map.get_mut(&name) {
                Some((at, value)) if !grows || seed.is_multiple_of(3) => {
                    assert_eq!(table.find(&name), Some(*at));
                    assert_eq!(table.remove(&name).unwrap().1, *value);
                    map.remove(&name);
                }
                Some((at, value)) => {
                    let pair = table.get_mut(&name).unwrap();
                    assert_eq!(pair.1, *value);
                    (pair.1, *value) = (step, step);
                    assert_eq!(table.at(*at).unwrap().0.as_bytes(), name);
                }
                None if grows => {
                    let at = table.add(Pair(Text::new(&name), step));
                    map.insert(name, (at, step));
                }
                None => assert!(table.remove(&name).is_none()),
            }
            assert_eq!(table.len(), map.len());
        }
        let mut all: Vec<_> = table.iter().map(|pair| (pair.0.to_vec(), pair.1)).collect();
        all.sort();
        let expected: Vec<_> = map
            .into_iter()
            .map(|(name, (_, value))| (name, value))
            .collect();
        assert_eq!(all, expected);
    }
}
