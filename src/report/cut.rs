//! What a cut takes out of a log, and what it leaves: plain data.

use std::collections::BTreeMap;

use crate::report::aof::FileRole;
use crate::report::finding::Findings;
use crate::report::fix::Done;

/// Commands and bytes that stay and that go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// What stays.
    pub kept: u64,
    /// What goes.
    pub removed: u64,
}

impl Split {
    /// Counts so many.
    pub fn add(&mut self, goes: bool, count: u64) {
        match goes {
            true => self.removed += count,
            false => self.kept += count,
        }
    }
}

/// The place that everything from there on goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutPlace {
    /// Its file, named as in the report.
    pub file: String,
    /// The first byte that goes.
    pub at: u64,
    /// The place that was asked for: behind `at` where it stands in a transaction, which goes whole.
    pub asked: u64,
    /// What stands there: the name of a command, in its case, or an annotation.
    pub what: String,
    /// The last time before it, Unix seconds.
    pub time: Option<u64>,
}

/// What goes from one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCut {
    /// Its name: the input's as given, or in a set the bare name.
    pub name: String,
    /// What it is for.
    pub role: FileRole,
    /// Its sequence number in a set.
    pub seq: Option<i64>,
    /// `resp`, or the magic of the snapshot that it begins with.
    pub format: String,
    /// Bytes that stay and that go.
    pub bytes: Split,
    /// Whether it is left out of the set altogether.
    pub left_out: bool,
}

/// The plan of a cut, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct CutReport {
    /// The input's name as given.
    pub input: String,
    /// Whether it is a set of files.
    pub is_set: bool,
    /// From where on everything goes; nothing where single commands go.
    pub place: Option<CutPlace>,
    /// The files in the order in which servers load them.
    pub files: Vec<FileCut>,
    /// Commands by name, in lower case.
    pub names: BTreeMap<String, Split>,
    /// All commands.
    pub commands: Split,
    /// Transactions that begin in the log.
    pub transactions: Split,
    /// Single commands that go out of transactions, which lose nothing else.
    pub out_of_transactions: u64,
    /// Commands that go by one of their keys, and have others too.
    pub with_other_keys: u64,
    /// Keys that a replay has, before and after, where they were counted.
    pub keys: Option<(u64, u64)>,
    /// Damage that would stay.
    pub findings: Findings,
    /// What was done, once it was.
    pub done: Option<Done>,
}
