//! Counts keys by database and type, while they are framed.

use std::collections::BTreeMap;

use crate::rdb::batch::{Look, Sheet};
use crate::rdb::string::LZF;
use crate::record::{Entry, RdbType, Stored};
use crate::report::check::DbTally;

/// Forms of a type that are counted apart: raw, integer and compressed strings.
const FORMS: usize = 3;
const TYPES: usize = RdbType::ALL.len() * FORMS;

/// The keys of a batch, counted without looking anything up for each, and which of them a worker
/// must look into.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    db: u32,
    keys: u64,
    expires: u64,
    types: [(u64, u64); TYPES],
    before: BTreeMap<u32, DbTally>,
    every_key: bool,
}

impl Tally {
    /// Nothing counted; `every_key` marks all keys, not only those that can be wrong inside.
    pub(super) fn new(every_key: bool) -> Self {
        Tally {
            db: 0,
            keys: 0,
            expires: 0,
            types: [(0, 0); TYPES],
            before: BTreeMap::new(),
            every_key,
        }
    }

    /// The counts of every database.
    pub(super) fn dbs(&self) -> BTreeMap<u32, DbTally> {
        let mut dbs = self.before.clone();
        if self.keys > 0 {
            self.add_to(dbs.entry(self.db).or_default());
        }
        dbs
    }

    /// Keys since the database was turned to: all of them in nearly every batch.
    pub(super) fn keys(&self) -> u64 {
        self.keys
    }

    fn add_to(&self, to: &mut DbTally) {
        to.keys += self.keys;
        to.expires += self.expires;
        for (i, (keys, bytes)) in self.types.iter().enumerate().filter(|(_, t)| t.0 > 0) {
            if let Some(&rdb_type) = RdbType::ALL.get(i / FORMS) {
                let encoding = match i % FORMS {
                    1 => "int",
                    2 => "lzf",
                    _ => rdb_type.encoding(),
                };
                let tally = to.types.entry((rdb_type, encoding)).or_default();
                tally.keys += *keys;
                tally.bytes += *bytes;
            }
        }
    }

    #[cold]
    fn turn_to(&mut self, db: u32) {
        let before = self.dbs();
        *self = Tally::new(self.every_key);
        self.before = before;
        self.db = db;
    }
}

impl Sheet for Tally {
    const MARKS: bool = true;

    #[inline(always)]
    fn key(&mut self, entry: &Entry<'_>) -> Look {
        if entry.db != self.db {
            self.turn_to(entry.db);
        }
        self.keys += 1;
        self.expires += u64::from(entry.expires_at.is_some());
        let string = entry.value.rdb_type == RdbType::String;
        let first = entry.value.bytes.first().copied().unwrap_or_default();
        let form = match first {
            0xc0..=0xc2 if string => 1,
            LZF if string => 2,
            _ => 0,
        };
        if let Some((keys, bytes)) = self
            .types
            .get_mut(entry.value.rdb_type as usize * FORMS + form)
        {
            *keys += 1;
            *bytes += entry.end() - entry.at;
        }
        if self.every_key || matches!(entry.key, Stored::Lzf { .. }) {
            Look::Record
        } else if string && first != LZF {
            // Nothing can be wrong with it.
            Look::Nowhere
        } else {
            Look::Value
        }
    }
}
