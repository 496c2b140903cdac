//! What a check of a snapshot found: plain data.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::types::{RdbType, RdbVersion};
use crate::report::finding::Findings;

/// What a server would do with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It loads.
    Loads,
    /// It loads what stands before a place, and cuts off the rest.
    LoadsTruncated,
    /// It is refused.
    Refused,
    /// The server crashes on it.
    Crashes,
    /// It cannot be judged: the format is newer than this program.
    Unknown,
}

impl Verdict {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Loads => "loads",
            Verdict::LoadsTruncated => "loads-truncated",
            Verdict::Refused => "refused",
            Verdict::Crashes => "crashes",
            Verdict::Unknown => "unknown",
        }
    }
}

/// The state of the checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumState {
    /// The file ends before it, or was not read so far.
    NotReached,
    /// The format has none.
    Absent,
    /// Eight zero bytes: its writer did not compute it.
    Disabled,
    /// It matches.
    Matches(u64),
    /// It does not.
    Differs {
        /// In the file.
        stored: u64,
        /// Of the bytes.
        computed: u64,
    },
    /// It was not to be looked at.
    Ignored,
}

impl ChecksumState {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            ChecksumState::NotReached => "not-reached",
            ChecksumState::Absent => "absent",
            ChecksumState::Disabled => "disabled",
            ChecksumState::Matches(_) => "ok",
            ChecksumState::Differs { .. } => "differs",
            ChecksumState::Ignored => "ignored",
        }
    }
}

/// Keys and bytes of one type and encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Keys.
    pub keys: u64,
    /// Bytes of their records in the file.
    pub bytes: u64,
}

/// What a database holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DbTally {
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// By type of the file and encoding.
    pub types: BTreeMap<(RdbType, &'static str), Tally>,
}

/// Whether a server can load the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadsOn {
    /// Server, as `redis-8.2`.
    pub server: &'static str,
    /// Whether it does.
    pub ok: bool,
    /// What it needs to be told or to have, as a setting or a module.
    pub needs: Vec<String>,
    /// Why not.
    pub why: Option<String>,
}

/// What the file uses of the format, for judging who can read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// Types of values.
    pub types: BTreeSet<RdbType>,
    /// Opcodes that not every server knows.
    pub opcodes: BTreeSet<u8>,
    /// Modules that own values or AUX records, by type name, with the number of values.
    pub modules: BTreeMap<String, u64>,
    /// Highest database number.
    pub highest_db: u32,
    /// Whether it comes from Dragonfly.
    pub dragonfly: bool,
}

/// The report of `check-rdb`.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// The input's name as given.
    pub input: String,
    /// Size in bytes, decompressed; as far as it was read where reading ended early.
    pub size: u64,
    /// How the file is compressed as a whole, if it is.
    pub compressed: Option<&'static str>,
    /// Magic and version.
    pub version: Option<RdbVersion>,
    /// AUX fields in the order of the file, up to a bound; those between keys left out.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// Databases.
    pub dbs: BTreeMap<u32, DbTally>,
    /// Function libraries.
    pub functions: u64,
    /// Module AUX records.
    pub module_aux: u64,
    /// What it uses of the format.
    pub uses: Uses,
    /// The checksum.
    pub checksum: ChecksumState,
    /// Offset just behind the last record that could be framed.
    pub good_until: u64,
    /// Whether the same key twice would have been noticed.
    pub duplicates_checked: bool,
    /// Everything found.
    pub findings: Findings,
    /// What a server would do.
    pub verdict: Verdict,
    /// Which servers load it.
    pub loads_on: Vec<LoadsOn>,
}

impl CheckReport {
    /// Keys in all databases.
    pub fn keys(&self) -> u64 {
        self.dbs.values().map(|db| db.keys).sum()
    }

    /// Keys that expire in all databases.
    pub fn expires(&self) -> u64 {
        self.dbs.values().map(|db| db.expires).sum()
    }
}
