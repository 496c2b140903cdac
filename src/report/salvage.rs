//! What could be saved of a damaged snapshot: plain data.

use std::collections::BTreeMap;

use crate::record::types::RdbVersion;
use crate::report::check::ChecksumState;
use crate::report::finding::Findings;

/// Why bytes are lost or doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The magic or version.
    Header,
    /// Where records begin cannot be told.
    Framing,
    /// The end of the file cuts a record short.
    Truncated,
    /// The value or name of a key that could be framed.
    BadValue,
    /// A record that is no key.
    BadRecord,
    /// The same key as another, with the same bytes.
    Copy,
    /// The same key as another, with other bytes.
    Duplicate,
    /// Stands right before a gap: its end may be missing.
    BeforeGap,
    /// The first behind a gap: it may have lost what stood in front of it, as its expiry.
    FirstOfChain,
    /// Few records between two gaps.
    ShortChain,
    /// A block of a disk away from a gap: such a block may have come there from elsewhere.
    NearGap,
    /// Records stand inside of its value: a block of a disk may have come there from elsewhere.
    Foreign,
    /// A block of zeros such as a disk leaves reaches into it.
    Zeros,
    /// What may be the next key's expiry stands at the end of a value: this is that value or that key.
    Expiry,
    /// A snapshot inside a value that lost its frame.
    Embedded,
    /// The gap before it may have hidden the selection of another database.
    Database,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 16] = [
        Reason::Header,
        Reason::Framing,
        Reason::Truncated,
        Reason::BadValue,
        Reason::BadRecord,
        Reason::Copy,
        Reason::Duplicate,
        Reason::BeforeGap,
        Reason::FirstOfChain,
        Reason::ShortChain,
        Reason::NearGap,
        Reason::Foreign,
        Reason::Zeros,
        Reason::Expiry,
        Reason::Embedded,
        Reason::Database,
    ];

    /// The word in reports and lists.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Header => "header",
            Reason::Framing => "lost-framing",
            Reason::Truncated => "truncated",
            Reason::BadValue => "bad-value",
            Reason::BadRecord => "bad-record",
            Reason::Copy => "copy",
            Reason::Duplicate => "duplicate-key",
            Reason::BeforeGap => "before-gap",
            Reason::FirstOfChain => "first-behind-gap",
            Reason::ShortChain => "between-gaps",
            Reason::NearGap => "near-gap",
            Reason::Foreign => "foreign-block",
            Reason::Zeros => "zeroed-block",
            Reason::Expiry => "expiry-unknown",
            Reason::Embedded => "embedded-snapshot",
            Reason::Database => "database-unknown",
        }
    }

    /// The same for people.
    pub fn words(self) -> &'static str {
        match self {
            Reason::Header => "the header is damaged",
            Reason::Framing => "no record can be told there",
            Reason::Truncated => "the file ends inside a record",
            Reason::BadValue => "the key's value or name is damaged",
            Reason::BadRecord => "the record is damaged",
            Reason::Copy => "the same record stands elsewhere too",
            Reason::Duplicate => "the key stands elsewhere too, with other bytes",
            Reason::BeforeGap => "right before a gap: its end may be missing",
            Reason::FirstOfChain => "first behind a gap: its expiry may be missing",
            Reason::ShortChain => "few records between two gaps",
            Reason::NearGap => "within a disk block of a gap: may have come from elsewhere",
            Reason::Foreign => "records in its value: a block may have come from elsewhere",
            Reason::Zeros => "a disk block of zeros in it: may have held something else",
            Reason::Expiry => "a value ends in what may be the next key's expiry",
            Reason::Embedded => "part of a snapshot inside a value",
            Reason::Database => "the gap before may have hidden another database",
        }
    }
}

/// What became of keys and bytes for one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Places in the file.
    pub places: u64,
    /// Keys as far as they can be told.
    pub keys: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of the keys were saved all the same.
    pub saved: u64,
}

/// Keys of one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SavedDb {
    /// Keys saved.
    pub keys: u64,
    /// How many of them expire.
    pub expires: u64,
    /// Keys that the source says it had, where it does.
    pub announced: Option<u64>,
}

/// Where the version that is written comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionFrom {
    /// The header.
    Header,
    /// What the writer says of itself in an AUX field.
    Writer,
    /// What is left of the header.
    Remains,
    /// The caller.
    Assumed,
    /// Nothing: the newest one that could be meant.
    Guess,
}

impl VersionFrom {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            VersionFrom::Header => "header",
            VersionFrom::Writer => "writer",
            VersionFrom::Remains => "remains",
            VersionFrom::Assumed => "assumed",
            VersionFrom::Guess => "guess",
        }
    }
}

/// The log behind a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBehind {
    /// Where it begins in the source.
    pub start: u64,
    /// Its bytes.
    pub size: u64,
    /// Where damage begins in it, if there is some.
    pub damage: Option<u64>,
}

/// The report of `salvage`.
#[derive(Clone, Debug)]
pub struct SalvageReport {
    /// The input's name as given.
    pub input: String,
    /// Size in bytes, decompressed.
    pub size: u64,
    /// How the file is compressed as a whole, if it is.
    pub compressed: Option<&'static str>,
    /// Magic and version of the output.
    pub version: RdbVersion,
    /// Where they come from.
    pub version_from: VersionFrom,
    /// The source's checksum.
    pub checksum: ChecksumState,
    /// The checksum differs, and nothing else is wrong: some bytes that were saved are not what they
    /// were, and nobody can tell which.
    pub hidden: bool,
    /// Databases.
    pub dbs: BTreeMap<u32, SavedDb>,
    /// Records saved that are no keys.
    pub others: u64,
    /// What cannot be kept.
    pub lost: BTreeMap<Reason, Loss>,
    /// What may not be what it was.
    pub doubtful: BTreeMap<Reason, Loss>,
    /// Copies of keys that stand elsewhere too, left out.
    pub copies: Loss,
    /// The log behind the snapshot.
    pub log: Option<LogBehind>,
    /// Looking for records was given up, since it would have taken too long.
    pub gave_up: bool,
    /// What was found on the way.
    pub findings: Findings,
    /// Name and size of the output.
    pub output: Option<(String, u64)>,
}

impl SalvageReport {
    /// Keys saved.
    pub fn saved(&self) -> u64 {
        self.dbs.values().map(|db| db.keys).sum()
    }

    /// Keys saved that expire.
    pub fn expires(&self) -> u64 {
        self.dbs.values().map(|db| db.expires).sum()
    }

    /// What is not in the output, or may be other than it was.
    pub fn is_complete(&self) -> bool {
        let whole = match self.checksum {
            ChecksumState::Matches(_) | ChecksumState::Absent | ChecksumState::Disabled => true,
            ChecksumState::NotReached | ChecksumState::Differs { .. } | ChecksumState::Ignored => {
                false
            }
        };
        whole && self.lost.is_empty() && self.doubtful.is_empty() && !self.hidden
    }
}

/// One place of the file that was lost, or of which it is in doubt what it held.
#[derive(Clone, Debug)]
pub struct LostPlace<'a> {
    /// First byte.
    pub start: u64,
    /// Just behind the last byte.
    pub end: u64,
    /// Where the compressed run begins that the others count in, if they do.
    pub run: Option<u64>,
    /// Whether it may be right.
    pub doubtful: bool,
    /// Whether it is in the output.
    pub saved: bool,
    /// Why.
    pub reason: Reason,
    /// The database, as far as it is known.
    pub db: Option<u32>,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The type of its value, in the checkers' words.
    pub value_type: Option<&'static str>,
    /// Keys that stand there, where they can be told.
    pub keys: u64,
}
