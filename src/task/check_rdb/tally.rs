//! Counts keys by database and type, while they are framed.

use std::collections::BTreeMap;

use crate::bytes::Element;
use crate::rdb::batch::{Look, Sheet};
use crate::rdb::segments::INHERITED;
use crate::rdb::string::LZF;
use crate::record::{Entry, RdbType, Stored};
use crate::report::check::DbTally;
use crate::task::duplicates::{Fingerprinter, KeySums};

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
    keys_wanted: Keys,
    sums: KeySums,
}

/// What is wanted of every key, for finding those that stand twice.
#[derive(Clone, Debug)]
pub(super) enum Keys {
    /// Nothing.
    Nothing,
    /// Its sum, which is told as it is passed: the input can be read again.
    Sums(Fingerprinter),
    /// That a worker looks at it.
    Marks,
}

impl Tally {
    /// Nothing counted.
    pub(super) fn new(keys_wanted: Keys) -> Self {
        Tally {
            db: 0,
            keys: 0,
            expires: 0,
            types: [(0, 0); TYPES],
            before: BTreeMap::new(),
            keys_wanted,
            sums: KeySums::default(),
        }
    }

    /// The sums of the keys, where they are wanted.
    pub(super) fn sums(&mut self) -> KeySums {
        std::mem::take(&mut self.sums)
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
        *self = Tally {
            before,
            db,
            sums: self.sums(),
            ..Tally::new(self.keys_wanted.clone())
        };
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
        if let Keys::Sums(prints) = &self.keys_wanted {
            let db = (entry.db != INHERITED).then_some(entry.db);
            match &entry.key {
                Stored::Plain(Element::Bytes(key)) => self.sums.add(prints.of_name(key), db),
                key => {
                    // One that does not decompress is the worker's to find.
                    if let Ok(key) = key.to_bytes() {
                        self.sums.add(prints.of_name(&key), db);
                    }
                }
            }
        }
        if matches!(self.keys_wanted, Keys::Marks) || matches!(entry.key, Stored::Lzf { .. }) {
            Look::Record
        } else if string && first != LZF {
            // Nothing can be wrong with it.
            Look::Nowhere
        } else {
            Look::Value
        }
    }
}
