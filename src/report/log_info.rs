//! What the first and last bytes of a log, or of the files of a set, say: plain data.

use crate::report::InfoReport;
use crate::report::aof::{FileRole, SetFacts};
use crate::report::finding::Findings;

/// The times in a log, as far as they are seen without reading all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The first `#TS:`, Unix seconds.
    pub first: Option<u64>,
    /// The last one.
    pub last: Option<u64>,
}

/// One file of a log or set.
#[derive(Clone, Debug)]
pub struct LogFileInfo {
    /// Its name: the input's as given, or in a set the bare name.
    pub name: String,
    /// What it is for.
    pub role: FileRole,
    /// Its sequence number in a set.
    pub seq: Option<i64>,
    /// Bytes as it lies there; unknown for a pipe, and where it is missing.
    pub size: Option<u64>,
    /// What the snapshot says that it begins with.
    pub snapshot: Option<Box<InfoReport>>,
    /// The times in its log.
    pub times: Times,
}

/// The report of `info` about a log or a set.
#[derive(Clone, Debug)]
pub struct LogInfo {
    /// The input's name as given.
    pub input: String,
    /// How the file is compressed as a whole, if it is.
    pub compressed: Option<&'static str>,
    /// Time of the last modification, Unix time in ms.
    pub modified: Option<i64>,
    /// Of a set: what is known of it.
    pub set: Option<SetFacts>,
    /// Its files in the order in which servers load them.
    pub files: Vec<LogFileInfo>,
    /// What is odd about the set.
    pub findings: Findings,
}

impl LogInfo {
    /// Bytes of all files; nothing where that of one is not known.
    pub fn size(&self) -> Option<u64> {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The first and the last time of all files.
    pub fn times(&self) -> Times {
        let times = || self.files.iter().map(|file| file.times);
        Times {
            first: times().find_map(|times| times.first),
            // Of a file with a first time there is a last one, seen or not.
            last: times()
                .rev()
                .find(|times| *times != Times::default())
                .and_then(|times| times.last),
        }
    }
}
