//! The keyspace: live values in memory.
//!
//! Built from the records of a snapshot and by the commands of a log, and told as records again.
//! It is more compact than a server's: see `docs/performance.md`.
//!
//! Collections have two forms, as in the servers, because some results depend on it (the sign of a
//! zero score is lost in a listpack), and so that what is told says which form a server would save.

mod build;
mod db;
pub mod digest;
pub mod hash;
mod held;
mod ints;
pub mod list;
mod members;
pub mod module;
mod node;
pub mod pack;
pub mod rules;
pub mod save;
pub mod set;
pub mod stream;
pub mod table;
pub mod text;
pub mod told;
mod value;
pub mod vector;
mod vector_items;
mod vector_sum;
pub mod zset;

use std::collections::{BTreeMap, BTreeSet};

pub use build::load;
pub(crate) use build::may_be_empty;
pub use db::{Db, Shard, Slot};
pub use held::{Files, Held};
pub use rules::{NEVER, Rules};
pub use text::Text;
pub use value::Value;

/// Every database of a server, its function libraries, and the rules that the server follows.
#[derive(Debug)]
pub struct Keyspace {
    /// The server's ways.
    pub rules: Rules,
    /// Function libraries by name: their sources.
    pub functions: BTreeMap<Vec<u8>, Vec<u8>>,
    shards: Vec<Shard>,
}

impl Keyspace {
    /// An empty one, in as many parts as threads will work on it, at least one. What it holds and
    /// what is told of it does not depend on their number.
    pub fn new(rules: Rules, shards: usize) -> Self {
        Keyspace {
            rules,
            functions: BTreeMap::new(),
            shards: (0..shards.max(1)).map(|_| Shard::default()).collect(),
        }
    }

    /// Its parts; a key is in the one that [`shard_of`] gives.
    #[inline]
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Its parts, to be changed.
    #[inline]
    pub fn shards_mut(&mut self) -> &mut [Shard] {
        &mut self.shards
    }

    /// Its parts, to be taken away for a while and put back in the same order.
    #[inline]
    pub fn parts_mut(&mut self) -> &mut Vec<Shard> {
        &mut self.shards
    }

    /// Rules and parts, apart.
    #[inline]
    pub fn split(&mut self) -> (&Rules, &mut [Shard], &mut BTreeMap<Vec<u8>, Vec<u8>>) {
        (&self.rules, &mut self.shards, &mut self.functions)
    }

    /// A key.
    pub fn get(&self, db: u32, key: &[u8]) -> Option<&Slot> {
        let hash = table::hash(key);
        let db = self.shards.get(shard_of(hash, self.shards.len()))?.db(db)?;
        db.at(db.find_hashed(hash, key)?)
    }

    /// Puts a key with its value, in place of one that may be there; true where there was none.
    pub fn insert(&mut self, db: u32, slot: Slot) -> bool {
        let hash = table::hash(slot.name());
        let index = shard_of(hash, self.shards.len());
        let Some(shard) = self.shards.get_mut(index) else {
            return false;
        };
        let db = shard.db_mut(db);
        match db
            .find_hashed(hash, slot.name())
            .and_then(|at| db.at_mut(at))
        {
            Some(found) => {
                *found = slot;
                false
            }
            None => {
                db.add_hashed(hash, slot);
                true
            }
        }
    }

    /// The databases with keys, in order.
    pub fn dbs(&self) -> Vec<u32> {
        let dbs = self
            .shards
            .iter()
            .flat_map(|shard| shard.dbs().map(|(n, _)| n));
        dbs.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Every key of a database, in an order that means nothing.
    pub fn keys(&self, db: u32) -> impl Iterator<Item = &Slot> {
        let parts = self.shards.iter().filter_map(move |shard| shard.db(db));
        parts.flat_map(Db::iter)
    }

    /// Every key of a database, sorted.
    pub fn sorted_keys(&self, db: u32) -> Vec<&Slot> {
        // The first bytes decide nearly always, and lie at hand while the keys themselves do not.
        let mut keys: Vec<(u128, &Slot)> = self.keys(db).map(|slot| (front(slot), slot)).collect();
        keys.sort_unstable_by(|(front, slot), (other_front, other)| {
            front
                .cmp(other_front)
                .then_with(|| slot.name().cmp(other.name()))
        });
        keys.into_iter().map(|(_, slot)| slot).collect()
    }

    /// Keys in a database.
    pub fn count(&self, db: u32) -> usize {
        let parts = self.shards.iter().filter_map(|shard| shard.db(db));
        parts.map(Db::len).sum()
    }
}

/// The first bytes of a key, as a number that orders as they do.
fn front(slot: &Slot) -> u128 {
    let mut bytes = [0; 16];
    let name = slot.name();
    let len = name.len().min(bytes.len());
    if let (Some(to), Some(from)) = (bytes.get_mut(..len), name.get(..len)) {
        to.copy_from_slice(from);
    }
    u128::from_be_bytes(bytes)
}

/// Which of `shards` parts a key of this hash is in.
#[inline]
pub fn shard_of(hash: u64, shards: usize) -> usize {
    // The low half of the hash is the tables'.
    (((hash >> 32) * shards as u64) >> 32) as usize
}

/// The name of a function library, from the first line of its source: `#!lua name=NAME`.
pub fn library_name(source: &[u8]) -> Option<&[u8]> {
    let line = source.split(|b| *b == b'\n').next()?;
    let mut words = line.split(|b| b.is_ascii_whitespace());
    words.find_map(|word| word.strip_prefix(b"name="))
}
