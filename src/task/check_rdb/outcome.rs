//! What a stretch of a snapshot yields.

use std::collections::BTreeMap;

use crate::encoding::crc64;
use crate::error::Error;
use crate::rdb::segments::INHERITED;
use crate::record::Checksum;
use crate::record::types::RdbVersion;
use crate::report::check::{DbTally, Uses};
use crate::report::finding::Findings;
use crate::task::duplicates::{KeyPrint, KeySums};

/// AUX fields that a report lists.
pub(super) const AUX_LISTED: usize = 64;

/// What the records of a stretch yield, counted and found.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) crc: u64,
    pub(super) summed: u64,
    pub(super) end: u64,
    pub(super) version: Option<RdbVersion>,
    pub(super) dbs: BTreeMap<u32, DbTally>,
    pub(super) aux: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) functions: u64,
    pub(super) module_aux: u64,
    pub(super) uses: Uses,
    pub(super) checksum: Option<Checksum>,
    pub(super) findings: Findings,
    pub(super) prints: Vec<KeyPrint>,
    pub(super) sums: KeySums,
    /// Why there is nothing behind it.
    pub(super) failed: Option<Error>,
}

impl Outcome {
    /// Of nothing, because of this.
    pub(super) fn failed(error: Error) -> Self {
        Outcome {
            failed: Some(error),
            ..Outcome::default()
        }
    }

    /// Whether nothing is wrong with it.
    pub(super) fn is_sound(&self) -> bool {
        self.failed.is_none() && self.findings.errors() == 0
    }

    /// Adds that of the stretch behind, but for the keys' prints.
    pub(super) fn append(&mut self, next: Outcome) {
        self.crc = crc64::combine(self.crc, next.crc, next.summed);
        self.summed += next.summed;
        self.end = self.end.max(next.end);
        self.version = self.version.or(next.version);
        for (db, tally) in next.dbs {
            add_tally(self.dbs.entry(db).or_default(), tally);
        }
        let room = AUX_LISTED.saturating_sub(self.aux.len());
        self.aux.extend(next.aux.into_iter().take(room));
        self.functions += next.functions;
        self.module_aux += next.module_aux;
        self.uses.types.extend(next.uses.types);
        self.uses.opcodes.extend(next.uses.opcodes);
        for (name, count) in next.uses.modules {
            *self.uses.modules.entry(name).or_default() += count;
        }
        self.uses.highest_db = self.uses.highest_db.max(next.uses.highest_db);
        self.uses.dragonfly |= next.uses.dragonfly;
        self.checksum = self.checksum.or(next.checksum);
        self.sums.append(next.sums);
        self.findings.append(next.findings);
        self.failed = self.failed.take().or(next.failed);
    }

    /// Puts a database in the place of the one that was not known.
    pub(super) fn settle(&mut self, db: u32) {
        if let Some(tally) = self.dbs.remove(&INHERITED) {
            add_tally(self.dbs.entry(db).or_default(), tally);
        }
        self.findings.settle(INHERITED, db);
        self.sums.settle(db);
    }
}

fn add_tally(to: &mut DbTally, tally: DbTally) {
    to.keys += tally.keys;
    to.expires += tally.expires;
    for (form, tally) in tally.types {
        let to = to.types.entry(form).or_default();
        to.keys += tally.keys;
        to.bytes += tally.bytes;
    }
}
