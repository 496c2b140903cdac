//! Keys and commands of an input, counted by what they have in common: plain data.

use std::collections::BTreeMap;

use crate::record::types::RdbVersion;
use crate::record::{DataType, RdbType};
use crate::report::aof::AofReport;
use crate::report::finding::Findings;

/// Keys, and what they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Keys.
    pub keys: u64,
    /// Those with an expiry.
    pub expires: u64,
    /// Elements, fields, members and entries; a string has one.
    pub elements: u64,
    /// Bytes of their records in the file: expiry, type, name and value.
    pub bytes: u64,
    /// Bytes of their values in the file.
    pub value_bytes: u64,
}

impl Sum {
    /// Adds what another counted.
    pub fn add(&mut self, other: &Sum) {
        self.keys += other.keys;
        self.expires += other.expires;
        self.elements += other.elements;
        self.bytes += other.bytes;
        self.value_bytes += other.value_bytes;
    }
}

/// A range of a histogram, and what lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Where it begins; nothing where it has no lower end.
    pub from: Option<i64>,
    /// Where it ends: just behind its last number.
    pub below: Option<i64>,
    /// What lies in it.
    pub sum: Sum,
}

/// The upper ends of the ranges of sizes, in bytes of the value.
pub const SIZES: [i64; 11] = [
    64,
    256,
    1 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    1 << 20,
    4 << 20,
    16 << 20,
    64 << 20,
];

/// The upper ends of the ranges of times to live, in seconds: passed, a minute, an hour, a day, a
/// week, thirty days, a year.
pub const TTLS: [i64; 7] = [0, 60, 3600, 86_400, 604_800, 2_592_000, 31_536_000];

/// Where the moment comes from that times to live are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The caller has said what time it is.
    Now,
    /// The snapshot says when it was made.
    Snapshot,
    /// The last `#TS:` of the log.
    Log,
}

impl Since {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Since::Now => "now",
            Since::Snapshot => "ctime",
            Since::Log => "timestamp",
        }
    }
}

/// The keys whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Their beginning, with the separator that ends it.
    pub name: Vec<u8>,
    /// How many separators it has.
    pub depth: usize,
    /// The prefix that it is part of, by its place in the list.
    pub parent: Option<usize>,
    /// What the keys come to.
    pub sum: Sum,
    /// Keys and bytes of their records by data type.
    pub types: BTreeMap<DataType, (u64, u64)>,
}

/// A key that stands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Database.
    pub db: u32,
    /// Name, or the beginning of a very long one.
    pub key: Vec<u8>,
    /// Length of the name in bytes.
    pub key_len: u64,
    /// Data type.
    pub data_type: DataType,
    /// Form in the file.
    pub encoding: &'static str,
    /// Elements.
    pub elements: u64,
    /// Bytes of the record.
    pub bytes: u64,
    /// Bytes of the value.
    pub value_bytes: u64,
    /// Expiry, Unix ms.
    pub expires_at: Option<i64>,
    /// LFU counter.
    pub freq: Option<u8>,
}

/// What an input's keys are counted by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// All of them.
    pub total: Sum,
    /// By data type.
    pub types: BTreeMap<DataType, Sum>,
    /// By data type, type of the file and encoding.
    pub encodings: BTreeMap<(DataType, RdbType, &'static str), Sum>,
    /// By database; of very many only the first.
    pub dbs: BTreeMap<u32, Sum>,
    /// Those in the other databases.
    pub other_dbs: Sum,
    /// By expiry: `none`, and `any`, or `live` and `expired` where the time is known.
    pub ttl: Vec<(&'static str, Sum)>,
    /// The moment that times to live are counted from, Unix ms, and where it comes from.
    pub since: Option<(i64, Since)>,
    /// By time to live in seconds; nothing where there is no moment to count from.
    pub ttls: Vec<Bucket>,
    /// By size of the value in bytes.
    pub sizes: Vec<Bucket>,
    /// What ends a prefix.
    pub separator: Vec<u8>,
    /// How many separators a prefix has at most.
    pub depth: usize,
    /// Prefixes, those of many bytes first.
    pub prefixes: Vec<Prefix>,
    /// How many prefixes there are in the list or would be but for its length.
    pub prefixes_counted: u64,
    /// Keys without a separator.
    pub without_prefix: Sum,
    /// By depth: keys with a prefix of this depth that found no place among the prefixes.
    pub other_prefixes: Vec<Sum>,
    /// Keys with the largest values.
    pub biggest: Vec<KeyFacts>,
    /// Keys with the most elements, of those with more than one.
    pub longest: Vec<KeyFacts>,
    /// Keys with the highest LFU counters.
    pub hottest: Vec<KeyFacts>,
    /// Keys that have one.
    pub with_freq: u64,
}

/// How often a command stands in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandCount {
    /// Its name in lower case; names that nobody knows as they stand.
    pub name: String,
    /// How often.
    pub count: u64,
    /// Bytes in the log.
    pub bytes: u64,
}

/// A key that many commands work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusyKey {
    /// Database.
    pub db: u32,
    /// Name, or the beginning of a very long one.
    pub key: Vec<u8>,
    /// Length of the name in bytes.
    pub key_len: u64,
    /// Commands, at least.
    pub commands: u64,
    /// Commands, at most: more than at least only where there are more keys than can be held.
    pub at_most: u64,
    /// Their bytes in the log; those of a command with several keys in equal parts.
    pub bytes: u64,
}

/// What a rewrite would make of a log, by a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// Bytes of its files.
    pub now: u64,
    /// Bytes of a snapshot of what it comes to, in the form of the server that is followed.
    pub then: u64,
}

impl Rewrite {
    /// Bytes that it would save.
    pub fn saved(&self) -> u64 {
        self.now.saturating_sub(self.then)
    }
}

/// What is known of a log beyond its keys.
#[derive(Clone, Debug)]
pub struct LogStats {
    /// What a check of it found.
    pub check: AofReport,
    /// Commands by name, the most frequent first.
    pub commands: Vec<CommandCount>,
    /// Commands whose names found no place there.
    pub other_commands: CommandCount,
    /// The keys that most commands work on.
    pub busiest: Vec<BusyKey>,
    /// What a rewrite would make of it.
    pub rewrite: Rewrite,
    /// Commands that were replayed.
    pub replayed: u64,
    /// Those without effect.
    pub refused: u64,
    /// Those that cannot be run here.
    pub unplayable: u64,
}

/// What kind of input it is.
#[derive(Clone, Debug)]
pub enum Of {
    /// A snapshot: its version and its bytes, as far as they were read.
    Snapshot(Option<RdbVersion>, u64),
    /// A log or a set.
    Log(Box<LogStats>),
}

/// The report of `stats`.
#[derive(Clone, Debug)]
pub struct StatsReport {
    /// The input's name as given.
    pub input: String,
    /// What it is.
    pub of: Of,
    /// Its keys; of a log those that it comes to.
    pub stats: Stats,
    /// What was wrong.
    pub findings: Findings,
    /// Whether everything is counted that the input should hold.
    pub complete: bool,
}

impl StatsReport {
    /// What is known of it as a log.
    pub fn log(&self) -> Option<&LogStats> {
        match &self.of {
            Of::Log(log) => Some(log),
            Of::Snapshot(..) => None,
        }
    }

    /// Bytes of the input's files.
    pub fn size(&self) -> u64 {
        match &self.of {
            Of::Log(log) => log.rewrite.now,
            Of::Snapshot(_, size) => *size,
        }
    }
}
