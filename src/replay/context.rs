//! What a handler works on: the keys, the rules, the time.

use std::collections::BTreeMap;

use crate::keyspace::hash::Hash;
use crate::keyspace::list::List;
use crate::keyspace::set::Set;
use crate::keyspace::stream::Stream;
use crate::keyspace::zset::ZSet;
use crate::keyspace::{Db, Held, Rules, Shard, Slot, Text, Value, shard_of, table};
use crate::replay::memory::Memory;
use crate::replay::reply::Rejection;
use crate::replay::script::Scripts;

/// What a handler works on. It reads no clock and draws no random number; which key it may touch is
/// said in its row.
pub struct Context<'a> {
    /// The server's ways.
    pub rules: &'a Rules,
    /// The selected database.
    pub db: u32,
    /// The time from which relative times count, Unix ms: that of the last `#TS:`, else `--now`.
    pub time: Option<i64>,
    /// Someone looks at the reply.
    pub wants_reply: bool,
    /// Function libraries; none on a thread that owns only part of the keys.
    pub functions: Option<&'a mut BTreeMap<Vec<u8>, Vec<u8>>>,
    /// Scripts; none on a thread that owns only part of the keys.
    pub scripts: Option<&'a mut Scripts>,
    /// Relative times that could not be placed, so that the key was left as it is.
    pub relative: u64,
    shards: &'a mut [Shard],
    /// The number of the first of them, and how many there are in all.
    first: usize,
    total: usize,
    /// A key whose hash is known, by its address and length, and the hash.
    known: (*const u8, usize, u64),
    memory: &'a Memory,
}

/// The typed look-ups of one data type.
macro_rules! typed {
    ($get:ident, $get_mut:ident, $or_new:ident, $variant:ident, $type:ty, $new:expr, $what:literal) => {
        #[doc = concat!("The ", $what, " at a key of the selected database.")]
        ///
        /// # Errors
        /// The key holds another type.
        #[inline]
        pub fn $get(&self, key: &[u8]) -> Result<Option<&$type>, Rejection> {
            match self.value(key) {
                None => Ok(None),
                Some(Value::$variant(value)) => Ok(Some(value)),
                Some(_) => Err(Rejection::wrong_type()),
            }
        }

        #[doc = concat!("The ", $what, " at a key of the selected database, to be changed.")]
        ///
        /// Where it may end up empty, call [`Context::drop_empty`] behind the change.
        ///
        /// # Errors
        /// The key holds another type.
        #[inline]
        pub fn $get_mut(&mut self, key: &[u8]) -> Result<Option<&mut $type>, Rejection> {
            match self.value_mut(key) {
                None => Ok(None),
                Some(Value::$variant(value)) => Ok(Some(value)),
                Some(_) => Err(Rejection::wrong_type()),
            }
        }

        #[doc = concat!("The ", $what, " at a key of the selected database, made where there is no such key.")]
        ///
        /// # Errors
        /// The key holds another type.
        #[inline]
        pub fn $or_new(&mut self, key: &[u8]) -> Result<&mut $type, Rejection> {
            match self.value_or_insert(key, || Value::$variant($new)) {
                Value::$variant(value) => Ok(value),
                _ => Err(Rejection::wrong_type()),
            }
        }
    };
}

impl<'a> Context<'a> {
    /// On all parts of a keyspace, with database 0 selected.
    pub fn new(rules: &'a Rules, shards: &'a mut [Shard], memory: &'a Memory) -> Self {
        let total = shards.len();
        Self::of_part(rules, shards, (0, total), memory)
    }

    /// On some parts of a keyspace: the number of the first, and how many there are in all.
    pub(super) fn of_part(
        rules: &'a Rules,
        shards: &'a mut [Shard],
        (first, total): (usize, usize),
        memory: &'a Memory,
    ) -> Self {
        Context {
            rules,
            db: 0,
            time: None,
            wants_reply: false,
            functions: None,
            scripts: None,
            relative: 0,
            shards,
            first,
            total,
            known: (std::ptr::null(), 0, 0),
            memory,
        }
    }

    /// Where the key of this hash most likely is.
    #[inline]
    pub(super) fn likely(&self, db: u32, hash: u64) -> Option<u32> {
        self.shard(hash)?.db(db)?.likely(hash)
    }

    /// The key at a place, of the part that this hash belongs to.
    #[inline]
    pub(super) fn at(&self, db: u32, hash: u64, at: u32) -> Option<&Slot> {
        self.shard(hash)?.db(db)?.at(at)
    }

    /// Takes note of the hash of a key, so that it need not be computed again for the very same bytes.
    #[inline]
    pub(super) fn know(&mut self, key: &[u8], hash: u64) {
        self.known = (key.as_ptr(), key.len(), hash);
    }

    #[inline]
    fn hash_of(&self, key: &[u8]) -> u64 {
        let (at, len, hash) = self.known;
        if std::ptr::eq(at, key.as_ptr()) && len == key.len() {
            return hash;
        }
        table::hash(key)
    }

    typed!(
        string,
        string_mut,
        string_or_new,
        String,
        Text,
        Text::default(),
        "string"
    );
    typed!(list, list_mut, list_or_new, List, List, List::new(), "list");
    typed!(set, set_mut, set_or_new, Set, Set, Set::new(), "set");
    typed!(
        zset,
        zset_mut,
        zset_or_new,
        ZSet,
        ZSet,
        ZSet::new(),
        "sorted set"
    );
    typed!(hash, hash_mut, hash_or_new, Hash, Hash, Hash::new(), "hash");
    typed!(
        stream,
        stream_mut,
        stream_or_new,
        Stream,
        Stream,
        Box::new(Stream::new()),
        "stream"
    );

    /// The value at a key of the selected database.
    #[inline]
    pub fn value(&self, key: &[u8]) -> Option<&Value> {
        self.slot(key).map(|slot| self.ready(&slot.value))
    }

    /// The same, to be changed.
    #[inline]
    pub fn value_mut(&mut self, key: &[u8]) -> Option<&mut Value> {
        let (rules, memory) = (self.rules, self.memory);
        let held = &mut self.slot_mut(key)?.value;
        allow(held, rules, memory);
        Some(held.get_mut(rules))
    }

    /// A key of the selected database with its value and expiry.
    #[inline]
    pub fn slot(&self, key: &[u8]) -> Option<&Slot> {
        self.slot_in(self.db, key)
    }

    /// A key of any database.
    #[inline]
    pub fn slot_in(&self, db: u32, key: &[u8]) -> Option<&Slot> {
        let hash = self.hash_of(key);
        let db = self.shard(hash)?.db(db)?;
        db.at(db.find_hashed(hash, key)?)
    }

    /// A key of the selected database, to be changed.
    #[inline]
    pub fn slot_mut(&mut self, key: &[u8]) -> Option<&mut Slot> {
        let hash = self.hash_of(key);
        let db = self.db;
        let db = self.shard_mut(hash)?.db_mut(db);
        db.at_mut(db.find_hashed(hash, key)?)
    }

    /// The value at a key of the selected database; one without expiry is put there first where
    /// there is none.
    #[inline]
    pub fn value_or_insert(&mut self, key: &[u8], new: impl FnOnce() -> Value) -> &mut Value {
        let hash = self.hash_of(key);
        let (db, rules, memory) = (self.db, self.rules, self.memory);
        let db = self
            .shard_mut(hash)
            .expect("keys go to the shard that owns them")
            .db_mut(db);
        let at = match db.find_hashed(hash, key) {
            Some(at) => at,
            None => db.add_hashed(hash, Slot::new(key, new(), None)),
        };
        let held = &mut db.at_mut(at).expect("it was just found").value;
        allow(held, rules, memory);
        held.get_mut(rules)
    }

    /// The value that a key holds.
    #[inline]
    pub fn ready<'h>(&self, held: &'h Held) -> &'h Value {
        allow(held, self.rules, self.memory);
        held.get(self.rules)
    }

    /// Puts a value at a key of the selected database, in place of any other. A server's `setKey`.
    #[inline]
    pub fn put(&mut self, key: &[u8], value: impl Into<Held>, expires_at: Option<i64>) {
        self.put_in(self.db, key, value, expires_at);
    }

    /// The same in any database.
    pub fn put_in(&mut self, db: u32, key: &[u8], value: impl Into<Held>, expires_at: Option<i64>) {
        let value = value.into();
        let hash = self.hash_of(key);
        let Some(shard) = self.shard_mut(hash) else {
            return;
        };
        let db = shard.db_mut(db);
        match db.find_hashed(hash, key).and_then(|at| db.at_mut(at)) {
            Some(slot) => {
                slot.value = value;
                slot.set_expiry(expires_at);
            }
            None => {
                db.add_hashed(hash, Slot::new(key, value, expires_at));
            }
        }
    }

    /// Takes a key of the selected database out.
    #[inline]
    pub fn remove(&mut self, key: &[u8]) -> Option<Slot> {
        self.remove_in(self.db, key)
    }

    /// The same of any database.
    pub fn remove_in(&mut self, db: u32, key: &[u8]) -> Option<Slot> {
        let hash = self.hash_of(key);
        self.shard_mut(hash)?.db_mut(db).remove_hashed(hash, key)
    }

    /// Removes a key of the selected database where it holds a collection without elements.
    #[inline]
    pub fn drop_empty(&mut self, key: &[u8]) {
        if self.value(key).is_some_and(Value::is_empty) {
            self.remove(key);
        }
    }

    /// Whether the selected database has the key.
    #[inline]
    pub fn exists(&self, key: &[u8]) -> bool {
        self.slot(key).is_some()
    }

    /// Every key of a database, in an order that means nothing.
    pub fn keys(&self, db: u32) -> impl Iterator<Item = &Slot> {
        let parts = self.shards.iter().filter_map(move |shard| shard.db(db));
        parts.flat_map(Db::iter)
    }

    /// Removes every key of a database.
    pub fn flush(&mut self, db: u32) {
        for shard in self.shards.iter_mut() {
            shard.take(db);
        }
    }

    /// Removes every key of every database.
    pub fn flush_all(&mut self) {
        self.shards.iter_mut().for_each(Shard::clear);
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, one: u32, other: u32) {
        for shard in self.shards.iter_mut() {
            let (a, b) = (shard.take(one), shard.take(other));
            shard.put(one, b);
            shard.put(other, a);
        }
    }

    /// Unix ms of a time that is `ms` from when the command was run; none where that is not known,
    /// which is counted.
    pub fn from_now(&mut self, ms: i64) -> Option<i64> {
        if self.time.is_none() {
            self.relative += 1;
        }
        self.time.and_then(|time| time.checked_add(ms))
    }

    /// Asks for memory before it is used, where a short command may use much.
    ///
    /// # Errors
    /// There is not so much.
    #[inline]
    pub fn claim(&self, bytes: u64) -> Result<(), Rejection> {
        if bytes < 4096 {
            return Ok(());
        }
        self.memory.claim(bytes)
    }

    #[inline]
    fn shard(&self, hash: u64) -> Option<&Shard> {
        let index = shard_of(hash, self.total).wrapping_sub(self.first);
        debug_assert!(index < self.shards.len(), "a key of another thread");
        self.shards.get(index)
    }

    #[inline]
    fn shard_mut(&mut self, hash: u64) -> Option<&mut Shard> {
        let index = shard_of(hash, self.total).wrapping_sub(self.first);
        debug_assert!(index < self.shards.len(), "a key of another thread");
        self.shards.get_mut(index)
    }
}

/// Asks for the memory that a value takes once it is decoded, where it is not. Where there is not so
/// much, it comes to nothing, and the replay to an end.
#[inline]
fn allow(held: &Held, rules: &Rules, memory: &Memory) {
    if let Some(bytes) = held.waiting(rules)
        && memory.claim(bytes).is_err()
    {
        rules.files.close(bytes);
    }
}
