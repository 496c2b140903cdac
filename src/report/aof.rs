//! What a check of a log or of a set of logs found: plain data.

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

impl LogTally {
    /// Adds what the next file of a set holds.
    pub fn add(&mut self, next: &LogTally) {
        if self.damages > 0 {
            self.behind_damage += next.commands;
        } else {
            self.behind_damage += next.behind_damage;
        }
        self.commands += next.commands;
        for (name, count) in &next.names {
            *self.names.entry(name.clone()).or_default() += count;
        }
        self.transactions += next.transactions;
        self.annotations += next.annotations;
        self.times = match (self.times, next.times) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (one, other) => one.or(other),
        };
        self.damages += next.damages;
        self.damaged_bytes += next.damaged_bytes;
    }
}

/// What the server does with a log or set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It loads all of it.
    Loads,
    /// It takes it for cut here, and with `aof-load-truncated yes` cuts it back to this offset.
    CutBack(u64),
    /// It starts without any of it, for the reason given.
    StartsEmpty(String),
    /// It refuses to start, for what stands at this offset; without one where no byte is at fault.
    Refuses(Option<u64>, String),
    /// It crashes on what stands at this offset.
    Crashes(u64, String),
}

impl Fate {
    /// Why it does not load all of it, as a sentence about the server; none where it does.
    pub fn why_not(&self) -> Option<String> {
        Some(match self {
            Fate::Loads => return None,
            Fate::CutBack(at) => format!("the server takes it for cut at {at}"),
            Fate::StartsEmpty(why) => format!("the server starts without any of it: {why}"),
            Fate::Refuses(Some(at), why) => format!("the server refuses it at {at}: {why}"),
            Fate::Refuses(None, why) => format!("the server refuses it: {why}"),
            Fate::Crashes(at, why) => format!("the server crashes at {at}: {why}"),
        })
    }

    /// The word in reports.
    pub fn verdict(&self) -> Verdict {
        match self {
            Fate::Loads => Verdict::Loads,
            Fate::CutBack(_) | Fate::StartsEmpty(_) => Verdict::LoadsTruncated,
            Fate::Refuses(..) => Verdict::Refused,
            Fate::Crashes(..) => Verdict::Crashes,
        }
    }

    /// The offset that it names.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Fate::Loads | Fate::StartsEmpty(_) => None,
            Fate::CutBack(at) | Fate::Crashes(at, _) => Some(*at),
            Fate::Refuses(at, _) => *at,
        }
    }

    /// The reason that it gives.
    pub fn why(&self) -> Option<&str> {
        match self {
            Fate::Loads | Fate::CutBack(_) => None,
            Fate::StartsEmpty(why) | Fate::Refuses(_, why) | Fate::Crashes(_, why) => Some(why),
        }
    }
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// A log by itself.
    Log,
    /// What a set starts from.
    Base,
    /// What was written since.
    Incremental,
}

impl FileRole {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            FileRole::Log => "log",
            FileRole::Base => "base",
            FileRole::Incremental => "incr",
        }
    }
}

/// One file of a log or set.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// Its name: the input's as given, or in a set the bare name.
    pub name: String,
    /// What it is for.
    pub role: FileRole,
    /// Its sequence number in a set.
    pub seq: Option<i64>,
    /// Size in bytes, decompressed.
    pub size: u64,
    /// The snapshot that it begins with, if it does.
    pub preamble: Option<Box<CheckReport>>,
    /// Where the commands begin.
    pub log_start: u64,
    /// Just behind the last item that a server reads before the first damage, or before the
    /// transaction that has no end.
    pub good_until: u64,
    /// What its log holds.
    pub tally: LogTally,
    /// Everything found in it.
    pub findings: Findings,
}

/// What is known of a set besides its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFacts {
    /// The folder.
    pub folder: String,
    /// The manifest's bare name, if there is one.
    pub manifest: Option<String>,
    /// True where servers take the old single file that lies beside the folder for the base.
    pub upgrade: bool,
}

/// The report of `check-aof` about one log or one set.
#[derive(Clone, Debug)]
pub struct AofReport {
    /// The input's name as given.
    pub input: String,
    /// How the file is compressed as a whole, if it is.
    pub compressed: Option<&'static str>,
    /// Of a set: what is known of it.
    pub set: Option<SetFacts>,
    /// Its files in the order in which servers load them.
    pub files: Vec<FileReport>,
    /// What was found about the set as such.
    pub findings: Findings,
    /// The server that it was judged for.
    pub like: String,
    /// What that server does.
    pub fate: Fate,
    /// Which file decides that, by its index.
    pub at_file: Option<usize>,
    /// Which servers load it.
    pub loads_on: Vec<LoadsOn>,
}

impl AofReport {
    /// Gives it the name of what it is about, where that lies elsewhere than it was read.
    pub fn name(&mut self, name: &str) {
        self.input = name.to_owned();
        match (&mut self.set, self.files.as_mut_slice()) {
            (Some(set), _) => set.folder = name.to_owned(),
            (None, [file]) => file.name = name.to_owned(),
            (None, _) => {}
        }
    }

    /// What the server does, as a word.
    pub fn verdict(&self) -> Verdict {
        self.fate.verdict()
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// What all files hold together.
    pub fn tally(&self) -> LogTally {
        let mut all = LogTally::default();
        for file in &self.files {
            all.add(&file.tally);
        }
        all
    }

    /// Everything found, in one list.
    pub fn all_findings(&self) -> Findings {
        let mut all = Findings::default();
        for file in &self.files {
            for finding in file.findings.list() {
                let mut finding = finding.clone();
                if self.set.is_some() {
                    finding.file.get_or_insert_with(|| file.name.clone());
                }
                all.push(finding);
            }
        }
        all.append(self.findings.clone());
        all
    }

    /// Errors in all lists of findings.
    pub fn errors(&self) -> u64 {
        self.lists().map(Findings::errors).sum()
    }

    /// Warnings in all lists of findings.
    pub fn warnings(&self) -> u64 {
        self.lists().map(Findings::warnings).sum()
    }

    /// The set's findings, then those of each file.
    pub fn lists(&self) -> impl Iterator<Item = &Findings> {
        std::iter::once(&self.findings).chain(self.files.iter().map(|file| &file.findings))
    }
}
