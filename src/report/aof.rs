//! What a check of a log found: plain data.

use std::collections::BTreeMap;

use crate::report::check::{CheckReport, LoadsOn, Verdict};
use crate::report::finding::Findings;

/// The commands of a log, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTally {
    /// Commands, those that no server would reach included.
    pub commands: u64,
    /// How often each name stands there, in lower case; names that nobody knows as they stand.
    pub names: BTreeMap<String, u64>,
    /// Whole transactions.
    pub transactions: u64,
    /// Annotations of any kind.
    pub annotations: u64,
    /// The first and the last time that an annotation names, Unix seconds.
    pub times: Option<(u64, u64)>,
    /// Stretches of damage.
    pub damages: u64,
    /// Bytes in them.
    pub damaged_bytes: u64,
    /// Commands that stand behind the first damage.
    pub behind_damage: u64,
}

/// What the server does with the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It loads all of it.
    Loads,
    /// It takes it for cut here, and with `aof-load-truncated yes` cuts it back to this offset.
    CutBack(u64),
    /// It refuses to start, for what stands at this offset.
    Refuses(u64, String),
    /// It crashes on what stands at this offset.
    Crashes(u64, String),
}

impl Fate {
    /// The word in reports.
    pub fn verdict(&self) -> Verdict {
        match self {
            Fate::Loads => Verdict::Loads,
            Fate::CutBack(_) => Verdict::LoadsTruncated,
            Fate::Refuses(..) => Verdict::Refused,
            Fate::Crashes(..) => Verdict::Crashes,
        }
    }
}

/// The report of `check-aof` about one log.
#[derive(Clone, Debug)]
pub struct AofReport {
    /// The input's name as given.
    pub input: String,
    /// Size in bytes, decompressed.
    pub size: u64,
    /// How the file is compressed as a whole, if it is.
    pub compressed: Option<&'static str>,
    /// The snapshot that the log begins with, if it does.
    pub preamble: Option<Box<CheckReport>>,
    /// Where the commands begin.
    pub log_start: u64,
    /// Just behind the last item that a server reads before the first damage, or before the
    /// transaction that has no end.
    pub good_until: u64,
    /// What the log holds.
    pub tally: LogTally,
    /// Everything found.
    pub findings: Findings,
    /// The server that it was judged for.
    pub like: String,
    /// What that server does.
    pub fate: Fate,
    /// Which servers load it.
    pub loads_on: Vec<LoadsOn>,
}

impl AofReport {
    /// What the server does, as a word.
    pub fn verdict(&self) -> Verdict {
        self.fate.verdict()
    }
}
