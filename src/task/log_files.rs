//! The files of a log in the order in which servers load them, opened one at a time.

use std::ops::Deref;

use crate::aof::set::{SetFile, SetReport, Start};
use crate::error::{Result, printable};
use crate::report::Findings;
use crate::task::check_aof::set::{is_missing, of_manifest, of_set};
use crate::task::logs::{self, LogFile, LogSet, Logs};
use crate::task::{InputPath, Run};

/// A log, or the files of a set.
#[derive(Debug)]
pub(crate) struct LogFiles {
    logs: Logs,
    found: Option<SetReport>,
}

/// An opened file.
pub(crate) enum Opened<'a> {
    /// The only one.
    One(&'a LogFile),
    /// One of several.
    Of(LogFile),
}

impl Deref for Opened<'_> {
    type Target = LogFile;
    fn deref(&self) -> &LogFile {
        match self {
            Opened::One(file) => file,
            Opened::Of(file) => file,
        }
    }
}

impl LogFiles {
    /// Opens what a path names.
    ///
    /// # Errors
    /// As [`logs::logs`].
    pub(crate) fn open(input: &InputPath, run: &Run<'_>) -> Result<LogFiles> {
        Ok(Self::of(logs::logs(input, run)?))
    }

    /// The files of what was found at a path.
    pub(crate) fn of(logs: Logs) -> LogFiles {
        let found = match &logs {
            Logs::One(_) => None,
            Logs::Set(set) => Some(set.report()),
        };
        LogFiles { logs, found }
    }

    /// What was found at the path.
    pub(crate) fn logs(&self) -> &Logs {
        &self.logs
    }

    /// How many files there are.
    pub(crate) fn count(&self) -> usize {
        self.found.as_ref().map_or(1, |found| found.files.len())
    }

    /// The set, where it is one.
    pub(crate) fn set(&self) -> Option<(&LogSet, &SetReport)> {
        match (&self.logs, &self.found) {
            (Logs::Set(set), Some(found)) => Some((set, found)),
            _ => None,
        }
    }

    /// Their names: the input's as given, or in a set the bare names.
    pub(crate) fn name(&self, index: usize) -> String {
        match (&self.logs, self.set_file(index)) {
            (_, Some(file)) => printable(&file.name),
            (Logs::One(log), None) => log.origin.name().to_owned(),
            (Logs::Set(_), None) => String::new(),
        }
    }

    /// Its name as it stands in the manifest.
    pub(crate) fn set_file(&self, index: usize) -> Option<&SetFile> {
        self.found.as_ref()?.files.get(index)
    }

    /// Bytes of all of them.
    pub(crate) fn size(&self) -> u64 {
        match (&self.logs, &self.found) {
            (Logs::One(log), _) => log.map.len() as u64,
            (_, Some(found)) => found.files.iter().filter_map(|file| file.size).sum(),
            (Logs::Set(_), None) => 0,
        }
    }

    /// The log, where it is no set.
    pub(crate) fn into_only(self) -> Option<LogFile> {
        match self.logs {
            Logs::One(log) => Some(log),
            Logs::Set(_) => None,
        }
    }

    /// Opens one; nothing where it is missing, which is among the [`problems`](Self::problems).
    ///
    /// # Errors
    /// It cannot be read, or is compressed, which no server reads.
    pub(crate) fn get(&self, index: usize, run: &Run<'_>) -> Result<Option<Opened<'_>>> {
        let set = match &self.logs {
            Logs::One(log) => return Ok(Some(Opened::One(log))),
            Logs::Set(set) => set,
        };
        let Some(file) = self.set_file(index).filter(|file| file.size.is_some()) else {
            return Ok(None);
        };
        let upgrade = self
            .found
            .as_ref()
            .is_some_and(|f| f.start == Start::Upgrade);
        match set.open(file, upgrade, run) {
            Ok(log) => Ok(Some(Opened::Of(log))),
            // Removed meanwhile, or a link that leads nowhere.
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All that is odd about the set as such: what keeps a server from loading it is an error.
    pub(crate) fn problems(&self) -> Findings {
        let mut findings = Findings::default();
        let Some((set, found)) = self.set() else {
            return findings;
        };
        let manifest = set.listing.manifest.as_ref();
        let manifest = manifest.map_or(String::new(), |(name, _)| printable(name));
        let fault = set.manifest(crate::aof::manifest::Dialect::Redis);
        if let (Some(Err(fault)), None) = (fault, set.any_manifest()) {
            findings.push(of_manifest(fault, manifest));
            return findings;
        }
        for problem in &found.problems {
            findings.push(of_set(problem, &manifest));
        }
        findings
    }
}
