//! What a replay came to: plain data.

use std::collections::BTreeMap;

use crate::record::DataType;
use crate::report::aof::AofReport;
use crate::report::finding::Findings;

/// Keys of a database, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DbKeys {
    /// Keys.
    pub keys: u64,
    /// Those with an expiry.
    pub expires: u64,
    /// Keys by data type.
    pub types: BTreeMap<DataType, u64>,
}

/// A digest of the state behind an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestAt {
    /// The file, where there are several.
    pub file: Option<String>,
    /// The offset that was asked for.
    pub at: u64,
    /// 40 hexadecimal digits.
    pub digest: String,
    /// Values of modules whose digest cannot be computed are in it.
    pub partial: bool,
}

/// The report of `replay`.
#[derive(Clone, Debug)]
pub struct ReplayReport {
    /// What a check of the same input found, and what a server does with it.
    pub check: AofReport,
    /// Databases with keys.
    pub dbs: BTreeMap<u32, DbKeys>,
    /// Function libraries.
    pub functions: u64,
    /// Bytes that the keyspace takes in memory, about.
    pub memory: u64,
    /// Commands that were read.
    pub commands: u64,
    /// Commands without effect, or not all of it: what the server answers with an error, and what
    /// cannot be done here.
    pub refused: u64,
    /// How many of those cannot be done here.
    pub unplayable: u64,
    /// Times relative to an unknown moment; the keys are kept without expiry.
    pub relative: u64,
    /// What was found while it was played.
    pub findings: Findings,
    /// Whether all of the input is in it.
    pub complete: bool,
    /// `DEBUG DIGEST` of the server, where asked for, and whether modules are missing in it.
    pub digest: Option<(String, bool)>,
    /// The full digest, where asked for.
    pub full_digest: Option<String>,
    /// Digests behind offsets, in the order asked for.
    pub digests: Vec<DigestAt>,
}

impl ReplayReport {
    /// Keys in all databases.
    pub fn keys(&self) -> u64 {
        self.dbs.values().map(|db| db.keys).sum()
    }

    /// Those with an expiry.
    pub fn expires(&self) -> u64 {
        self.dbs.values().map(|db| db.expires).sum()
    }

    /// Everything found, by the check and while it was played.
    pub fn all_findings(&self) -> Findings {
        let mut all = self.check.all_findings();
        all.append(self.findings.clone());
        all
    }
}
