//! A table of things that have a name: keys, fields, members.
//!
//! An index over a slab of entries. The index of a small table has 3 bytes an entry, and hashes names
//! anew where it grows; that of a larger one has 9, 32 bits of each hash among them, so that it grows
//! without looking at an entry. The slab grows by pieces, so that nothing is copied and no memory is
//! held twice. An entry keeps its place until it is removed, so that a place can stand for it elsewhere
//! (in the order of a sorted set).

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
const PIECE: usize = 256;
/// Places that a small index has.
const SMALL: u32 = 8192;
/// From so many entries on, a piece is no longer doubled.
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

/// Where the entries of each hash are.
#[derive(Clone, Debug)]
enum Index {
    /// As long as all are below [`SMALL`].
    Small(HashTable<u16>),
    /// Anywhere, with the hash.
    Large(HashTable<Place>),
}

/// The hash that the index has of an entry.
#[inline]
fn spread_of<E: Keyed>(pieces: &[Vec<Option<E>>], at: u16) -> u64 {
    let at = usize::from(at);
    let entry = pieces
        .get(at / PIECE)
        .and_then(|piece| piece.get(at % PIECE));
    let name = entry
        .and_then(Option::as_ref)
        .map_or(&[] as &[u8], Keyed::key);
    spread(hash(name) as u32)
}

/// Entries by name.
#[derive(Clone, Debug)]
pub struct Table<E> {
    index: Index,
    pieces: Vec<Vec<Option<E>>>,
    free: Vec<u32>,
}

impl<E> Default for Table<E> {
    fn default() -> Self {
        Table {
            index: Index::Small(HashTable::new()),
            pieces: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<E: Keyed> Table<E> {
    /// Entries in it.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.index {
            Index::Small(index) => index.len(),
            Index::Large(index) => index.len(),
        }
    }

    /// True without entries.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        let is_it = |at: u32| self.at(at).is_some_and(|entry| entry.key() == name);
        match &self.index {
            Index::Small(index) => {
                let found = index.find(spread(short), |at| is_it(u32::from(*at)));
                found.map(|at| u32::from(*at))
            }
            Index::Large(index) => {
                let found = index.find(spread(short), |place| {
                    place.hash == short && is_it(place.at)
                });
                found.map(|place| place.at)
            }
        }
    }

    /// Where the first entry of this hash is, which is nearly always the one looked for. No entry is
    /// looked at.
    #[inline]
    pub fn likely(&self, hash: u64) -> Option<u32> {
        let short = hash as u32;
        match &self.index {
            Index::Small(index) => index.find(spread(short), |_| true).map(|at| u32::from(*at)),
            Index::Large(index) => {
                let found = index.find(spread(short), |place| place.hash == short);
                found.map(|place| place.at)
            }
        }
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
        if at >= SMALL {
            self.enlarge();
        }
        match &mut self.index {
            Index::Small(index) => {
                let pieces = &self.pieces;
                index.insert_unique(spread(short), at as u16, |at| spread_of(pieces, *at));
            }
            Index::Large(index) => {
                let place = Place { hash: short, at };
                index.insert_unique(spread(short), place, |place| spread(place.hash));
            }
        }
        at
    }

    /// Has the index of a large table.
    #[inline]
    fn enlarge(&mut self) {
        if let Index::Small(small) = &self.index {
            self.index = Index::Large(Self::enlarged(small, &self.pieces));
        }
    }

    #[cold]
    fn enlarged(small: &HashTable<u16>, pieces: &[Vec<Option<E>>]) -> HashTable<Place> {
        let mut large = HashTable::with_capacity(small.len() + 1);
        for at in small {
            let place = usize::from(*at);
            let entry = pieces
                .get(place / PIECE)
                .and_then(|piece| piece.get(place % PIECE));
            let Some(entry) = entry.and_then(Option::as_ref) else {
                continue;
            };
            let hash = hash(entry.key()) as u32;
            let at = u32::from(*at);
            large.insert_unique(spread(hash), Place { hash, at }, |place| spread(place.hash));
        }
        large
    }

    fn push(&mut self, entry: E) -> u32 {
        if self.pieces.last().is_none_or(|last| last.len() == PIECE) {
            if self.pieces.is_empty() {
                self.pieces.reserve_exact(1);
            }
            self.pieces.push(Vec::new());
        }
        let before = (self.pieces.len() - 1) * PIECE;
        let mut at = before;
        if let Some(last) = self.pieces.last_mut() {
            at += last.len();
            // By an eighth of all: doubled, a quarter of what such tables take would be unused.
            if last.len() == last.capacity() && before + last.len() >= GROWN {
                last.reserve_exact(((before + last.len()) / 8).min(PIECE - last.len()));
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
        let spread_hash = spread(hash as u32);
        match &mut self.index {
            Index::Small(index) => {
                let found = index.find_entry(spread_hash, |place| u32::from(*place) == at);
                drop(found.map(|entry| entry.remove()));
            }
            Index::Large(index) => {
                let found = index.find_entry(spread_hash, |place| place.at == at);
                drop(found.map(|entry| entry.remove()));
            }
        }
        let piece = self.pieces.get_mut(at as usize / PIECE)?;
        let entry = piece.get_mut(at as usize % PIECE)?.take();
        if self.is_empty() {
            *self = Table::default();
            return entry;
        }
        self.free.push(at);
        // What was removed is given back once it is most of it.
        let sparse = |len: usize, capacity: usize| capacity > 64 && len < capacity / 8;
        match &mut self.index {
            Index::Small(index) if sparse(index.len(), index.capacity()) => {
                let pieces = &self.pieces;
                index.shrink_to_fit(|at| spread_of(pieces, *at));
            }
            Index::Large(index) if sparse(index.len(), index.capacity()) => {
                index.shrink_to_fit(|place| spread(place.hash));
            }
            _ => {}
        }
        entry
    }

    /// The same with other entries of the same names, at the same places.
    pub(super) fn map<F>(self, mut into: impl FnMut(E) -> F) -> Table<F> {
        let pieces = self.pieces.into_iter().map(|piece| {
            let mut mapped = Vec::with_capacity(piece.capacity());
            mapped.extend(piece.into_iter().map(|entry| entry.map(&mut into)));
            mapped
        });
        Table {
            pieces: pieces.collect(),
            index: self.index,
            free: self.free,
        }
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
        let index = match &self.index {
            Index::Small(index) => index.capacity() * 8 / 7 * 3,
            Index::Large(index) => index.capacity() * 8 / 7 * 9,
        };
        index + slab * size_of::<Option<E>>() + self.free.capacity() * 4
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
