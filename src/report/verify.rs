//! Whether a backup restores: plain data.

use std::collections::BTreeMap;

use crate::report::aof::AofReport;
use crate::report::check::{CheckReport, LoadsOn, Verdict};
use crate::report::finding::{Finding, Findings};
use crate::report::replay::DbKeys;

/// Codes of the findings that only `verify` has.
pub const CODES: [&str; 5] = [
    "age-from-mtime",
    "archive-damaged",
    "archive-left-out",
    "compressed-damaged",
    "server-starts-empty",
];

/// How a server is started on what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It is given this file or set.
    Input,
    /// On the data folder, with `appendonly yes`.
    AofOn,
    /// On the data folder, with `appendonly no`.
    AofOff,
}

impl Start {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Start::Input => "input",
            Start::AofOn => "aof-on",
            Start::AofOff => "aof-off",
        }
    }
}

/// What a start loads, gone through.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// A snapshot.
    Snapshot(Box<CheckReport>),
    /// A log or a set.
    Log(Box<AofReport>),
    /// Nothing, or nothing that can be read: why.
    Nothing(String),
}

/// What an age was told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgeFrom {
    /// The AUX field `ctime` of a snapshot.
    Ctime,
    /// The last `#TS:` of a log.
    Annotation,
    /// The time of the file's last modification.
    Modified,
}

impl AgeFrom {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            AgeFrom::Ctime => "ctime",
            AgeFrom::Annotation => "annotation",
            AgeFrom::Modified => "mtime",
        }
    }
}

/// When data was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// Unix time in ms.
    pub at: i64,
    /// What says so.
    pub from: AgeFrom,
}

/// What a failed assertion means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Something that was asked for is not so.
    Limit,
    /// It does not restore.
    Damage,
    /// This program or the target cannot read it.
    Unsupported,
}

impl How {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            How::Limit => "limit",
            How::Damage => "damage",
            How::Unsupported => "unsupported",
        }
    }
}

/// One thing that must be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// What, as `restores` or `min-keys`.
    pub name: String,
    /// Why it is not, if it is not.
    pub failed: Option<(How, String)>,
}

/// A start on what was found, judged.
#[derive(Clone, Debug)]
pub struct StartReport {
    /// How the server is started.
    pub start: Start,
    /// The server that it was judged as.
    pub like: String,
    /// What it loads, by name; in a folder or archive the path from there.
    pub name: Option<String>,
    /// What that is.
    pub loaded: Loaded,
    /// Databases with keys.
    pub dbs: BTreeMap<u32, DbKeys>,
    /// What was found besides, while it was played and about the start as such.
    pub findings: Findings,
    /// When it was written.
    pub age: Option<Age>,
    /// `DEBUG DIGEST` of the server, where asked for, and whether modules are missing in it.
    pub digest: Option<(String, bool)>,
    /// The full digest, where asked for.
    pub full_digest: Option<String>,
    /// What must be so.
    pub assertions: Vec<Assertion>,
}

impl StartReport {
    /// Keys in all databases.
    pub fn keys(&self) -> u64 {
        self.dbs.values().map(|db| db.keys).sum()
    }

    /// Those with an expiry.
    pub fn expires(&self) -> u64 {
        self.dbs.values().map(|db| db.expires).sum()
    }

    /// What the server does.
    pub fn verdict(&self) -> Verdict {
        match &self.loaded {
            Loaded::Snapshot(check) if self.findings.errors() > 0 => worse(check.verdict),
            Loaded::Snapshot(check) => check.verdict,
            Loaded::Log(check) if self.findings.errors() > 0 => worse(check.verdict()),
            Loaded::Log(check) => check.verdict(),
            // What cannot be read is refused; else it starts without any data.
            Loaded::Nothing(_) if self.name.is_some() => Verdict::Refused,
            Loaded::Nothing(_) => Verdict::LoadsTruncated,
        }
    }

    /// Which servers load it.
    pub fn loads_on(&self) -> &[LoadsOn] {
        match &self.loaded {
            Loaded::Snapshot(check) => &check.loads_on,
            Loaded::Log(check) => &check.loads_on,
            Loaded::Nothing(_) => &[],
        }
    }

    /// Everything found, each with its file where the input is not that file.
    pub fn all_findings(&self) -> Findings {
        let mut all = Findings::default();
        let own = (self.start != Start::Input).then_some(self.name.as_ref());
        let own = own.flatten();
        let mut take = |findings: &Findings, file: Option<&String>| {
            let mut findings = findings.clone();
            findings.name(|finding| {
                if let (None, Some(file)) = (&finding.file, file) {
                    finding.file = Some(file.clone());
                }
            });
            all.append(findings);
        };
        match &self.loaded {
            Loaded::Snapshot(check) => take(&check.findings, own),
            Loaded::Log(check) => {
                take(&check.findings, own);
                for file in &check.files {
                    let named = check.set.is_some().then_some(&file.name);
                    take(&file.findings, named.or(own));
                }
            }
            Loaded::Nothing(_) => {}
        }
        take(&self.findings, own);
        all
    }
}

fn worse(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Loads => Verdict::Refused,
        verdict => verdict,
    }
}

/// Data that lies in a server's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Its name in the folder.
    pub name: String,
    /// When it was written.
    pub age: Option<Age>,
    /// Whether a start that was judged loads it.
    pub used: bool,
}

/// What would be lost if only one of two were left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The log.
    pub log: String,
    /// The snapshot.
    pub snapshot: String,
    /// Keys that only the log comes to.
    pub only_in_log: u64,
    /// Keys that only the snapshot has.
    pub only_in_snapshot: u64,
    /// Keys in both that differ in value or expiry.
    pub changed: u64,
}

/// The report of `verify` about one backup.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// The input's name as given; of an archive with several backups, with the path inside.
    pub input: String,
    /// `rdb`, `aof`, `set` or `data-directory`; nothing where an archive has none of them.
    pub kind: Option<&'static str>,
    /// How the input is compressed as a whole, if it is.
    pub compressed: Option<&'static str>,
    /// True where it comes from a tar archive.
    pub archived: bool,
    /// Starts, judged.
    pub starts: Vec<StartReport>,
    /// Of a data folder: what lies there.
    pub holdings: Vec<Holding>,
    /// Of a data folder with a log and a snapshot: what differs between them.
    pub loss: Option<Loss>,
    /// What was found about the folder or archive as such.
    pub findings: Findings,
    /// What must be so of the archive as such.
    pub assertions: Vec<Assertion>,
    /// The time that ages were judged by, Unix ms.
    pub now: Option<i64>,
}

impl VerifyReport {
    /// A report of nothing yet.
    pub fn new(input: String) -> VerifyReport {
        VerifyReport {
            input,
            kind: None,
            compressed: None,
            archived: false,
            starts: Vec::new(),
            holdings: Vec::new(),
            loss: None,
            findings: Findings::default(),
            assertions: Vec::new(),
            now: None,
        }
    }

    /// The worst of all starts; what is cut short or damaged as such does not restore, whatever is whole
    /// in it.
    pub fn verdict(&self) -> Verdict {
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Loads => 0,
            Verdict::LoadsTruncated => 1,
            Verdict::Unknown => 2,
            Verdict::Refused => 3,
            Verdict::Crashes => 4,
        };
        let lacks = self.starts.is_empty() || self.findings.errors() > 0;
        let own = lacks.then_some(Verdict::Refused);
        let starts = self.starts.iter().map(StartReport::verdict);
        let worst = starts.chain(own).max_by_key(rank);
        worst.unwrap_or(Verdict::Refused)
    }

    /// Everything that must be so, with the start that it is about.
    pub fn assertions(&self) -> impl Iterator<Item = (Option<&StartReport>, &Assertion)> {
        let own = self.assertions.iter().map(|assertion| (None, assertion));
        let starts = self.starts.iter().flat_map(|start| {
            let each = start.assertions.iter();
            each.map(move |assertion| (Some(start), assertion))
        });
        own.chain(starts)
    }

    /// The worst of what failed.
    pub fn failed(&self) -> Option<How> {
        let failed = self.assertions().filter_map(|(_, one)| one.failed.as_ref());
        failed.map(|(how, _)| *how).max()
    }

    /// Everything found.
    pub fn all_findings(&self) -> Findings {
        let mut all = self.findings.clone();
        for start in &self.starts {
            all.append(start.all_findings());
        }
        all
    }

    /// Which servers load it, however they are started.
    pub fn loads_on(&self) -> Vec<LoadsOn> {
        let mut all: Vec<LoadsOn> = Vec::new();
        for own in self.starts.iter().flat_map(StartReport::loads_on) {
            match all.iter_mut().find(|one| one.server == own.server) {
                None => all.push(own.clone()),
                Some(one) => {
                    one.ok &= own.ok;
                    one.needs.extend(own.needs.iter().cloned());
                    one.needs.dedup();
                    one.why = one.why.take().or_else(|| own.why.clone());
                }
            }
        }
        all
    }
}

/// Keys by start, database and type, as an earlier report has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Of each report: the input, and each start by its name.
    pub reports: Vec<(String, BTreeMap<String, Counts>)>,
}

/// Keys by database and type.
pub type Counts = BTreeMap<(u32, String), u64>;

/// One finding about the whole of something.
pub fn finding(
    code: &'static str,
    severity: crate::report::Severity,
    message: String,
    hint: Option<crate::error::Hint>,
) -> Finding {
    Finding {
        code,
        severity,
        start: 0,
        end: 0,
        place: crate::error::Place::at(0),
        db: None,
        key: None,
        value_type: None,
        message,
        hint,
        file: None,
    }
}
