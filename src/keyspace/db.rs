//! Databases: keys with their values and expiries.

use std::collections::BTreeMap;

use crate::keyspace::held::Held;
use crate::keyspace::table::{Keyed, Table};
use crate::keyspace::text::Text;

/// A key with its value: one line of the processor's cache.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Slot {
    key: Text,
    /// The value.
    pub value: Held,
    /// Expiry, Unix ms; [`NO_EXPIRY`] for none.
    expires_at: i64,
}

/// Stands for no expiry. No server lets a key have this time.
const NO_EXPIRY: i64 = i64::MIN;

impl Slot {
    /// A key with a value and an expiry (Unix ms) or none.
    #[inline]
    pub fn new(key: &[u8], value: impl Into<Held>, expires_at: Option<i64>) -> Self {
        Slot {
            key: Text::new(key),
            value: value.into(),
            expires_at: expires_at.unwrap_or(NO_EXPIRY),
        }
    }

    /// The key.
    #[inline]
    pub fn name(&self) -> &[u8] {
        &self.key
    }

    /// When it expires, Unix ms.
    #[inline]
    pub fn expires_at(&self) -> Option<i64> {
        (self.expires_at != NO_EXPIRY).then_some(self.expires_at)
    }

    /// Lets it expire at a time (Unix ms), or never.
    #[inline]
    pub fn set_expiry(&mut self, expires_at: Option<i64>) {
        self.expires_at = expires_at.unwrap_or(NO_EXPIRY);
    }

    /// Bytes on the heap that key and value take, about.
    pub fn heap(&self) -> usize {
        self.key.heap() + self.value.heap()
    }
}

impl Keyed for Slot {
    #[inline]
    fn key(&self) -> &[u8] {
        &self.key
    }
}

/// The keys of a database that are in one shard.
pub type Db = Table<Slot>;

/// The part of every database whose keys' hashes fall into one range, so that several threads may
/// each own one.
#[derive(Debug, Default)]
pub struct Shard {
    /// Database 0, which is nearly always the one.
    first: Db,
    /// The others.
    dbs: BTreeMap<u32, Db>,
}

impl Shard {
    /// A database, where it has keys here.
    #[inline]
    pub fn db(&self, db: u32) -> Option<&Db> {
        match db {
            0 => Some(&self.first),
            _ => self.dbs.get(&db),
        }
    }

    /// A database.
    #[inline]
    pub fn db_mut(&mut self, db: u32) -> &mut Db {
        match db {
            0 => &mut self.first,
            _ => self.dbs.entry(db).or_default(),
        }
    }

    /// Takes a database out, with all its keys.
    pub fn take(&mut self, db: u32) -> Db {
        match db {
            0 => std::mem::take(&mut self.first),
            _ => self.dbs.remove(&db).unwrap_or_default(),
        }
    }

    /// Puts keys in place of a database's.
    pub fn put(&mut self, db: u32, keys: Db) {
        match db {
            0 => self.first = keys,
            _ => drop(self.dbs.insert(db, keys)),
        }
    }

    /// The databases with keys, in order.
    pub fn dbs(&self) -> impl Iterator<Item = (u32, &Db)> {
        let others = self.dbs.iter().map(|(n, db)| (*n, db));
        let all = std::iter::once((0, &self.first)).chain(others);
        all.filter(|(_, db)| !db.is_empty())
    }

    /// The databases, to be changed.
    pub fn dbs_mut(&mut self) -> impl Iterator<Item = &mut Db> {
        std::iter::once(&mut self.first).chain(self.dbs.values_mut())
    }

    /// Removes every key of every database.
    pub fn clear(&mut self) {
        *self = Shard::default();
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;

    #[test]
    fn a_slot_is_a_line_of_the_cache_and_so_is_one_that_may_be_missing() {
        assert_eq!(size_of::<Slot>(), 64);
        assert_eq!(size_of::<Option<Slot>>(), 64);
    }
}
