//! Findings: what a task can carry on after.

use crate::bytes::Problem;
use crate::error::{Error, Hint, Place};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// The file loads, but something is not as it should be.
    Warning,
    /// A server refuses the file, or would lose or misread data.
    Error,
}

impl Severity {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One thing found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Stable word; `explain` tells more.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// First byte concerned.
    pub start: u64,
    /// Just behind the last byte concerned: the whole value's end where a value is at fault.
    pub end: u64,
    /// The place itself, inside a packed form where it lies in one.
    pub place: Place,
    /// Database of the key concerned.
    pub db: Option<u32>,
    /// Key concerned.
    pub key: Option<Vec<u8>>,
    /// Type of its value, in the checkers' words.
    pub value_type: Option<&'static str>,
    /// What is wrong, in words.
    pub message: String,
    /// What helps.
    pub hint: Option<Hint>,
    /// The file, where it is another than the report's.
    pub file: Option<String>,
}

impl Finding {
    /// A problem at a place, nothing more known of it.
    pub fn at(problem: Problem, place: Place) -> Finding {
        Finding {
            code: problem.code(),
            severity: severity(problem),
            start: place.offset,
            end: place.offset,
            place,
            db: None,
            key: None,
            value_type: None,
            message: problem.to_string(),
            hint: None,
            file: None,
        }
    }

    /// What an error found, as a finding about the bytes up to `end`.
    pub fn from_error(error: &Error, end: u64) -> Option<Finding> {
        let (problem, place) = (error.problem()?, error.place()?);
        Some(Finding {
            end: end.max(place.offset),
            db: error.db(),
            key: error.key().map(<[u8]>::to_vec),
            value_type: error.value_type().map(|(_, name)| name),
            hint: error.hint(),
            ..Finding::at(problem, place)
        })
    }
}

/// How bad a problem of the bytes is for a server that loads the file.
pub fn severity(problem: Problem) -> Severity {
    match problem {
        // Servers load these, and mean what the file says (or drop what is empty anyway).
        Problem::TrailingBytes { .. }
        | Problem::EmptyCollection
        | Problem::StreamOrder
        | Problem::StreamLastId
        | Problem::ScoreOrder
        | Problem::ScoreText
        | Problem::ArrayOrder
        | Problem::AofLax
        | Problem::AofRefused
        | Problem::AofUnplayable
        | Problem::TargetDropped
        | Problem::AofRelative
        | Problem::AofNestedMulti
        | Problem::AofStrayExec => Severity::Warning,
        _ => Severity::Error,
    }
}

/// Findings, counted exactly and listed up to a bound.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    list: Vec<Finding>,
    errors: u64,
    warnings: u64,
    infos: u64,
}

impl Findings {
    /// How many are listed at most.
    pub const LISTED: usize = 10_000;

    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Info => self.infos += 1,
        }
        if self.list.len() < Self::LISTED {
            self.list.push(finding);
        }
    }

    /// Adds one if there is one.
    pub fn push_all(&mut self, finding: Option<Finding>) {
        if let Some(finding) = finding {
            self.push(finding);
        }
    }

    /// Adds all of another list, behind these.
    pub fn append(&mut self, other: Findings) {
        self.errors += other.errors;
        self.warnings += other.warnings;
        self.infos += other.infos;
        let room = Self::LISTED.saturating_sub(self.list.len());
        self.list.extend(other.list.into_iter().take(room));
    }

    /// Puts one database in the place of another in those listed.
    pub fn settle(&mut self, from: u32, to: u32) {
        for finding in &mut self.list {
            if finding.db == Some(from) {
                finding.db = Some(to);
            }
        }
    }

    /// Puts more into those listed.
    pub(crate) fn name(&mut self, each: impl FnMut(&mut Finding)) {
        self.list.iter_mut().for_each(each);
    }

    /// Puts those listed into the order of the file.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|finding| finding.start);
    }

    /// Those listed, in the order of the file.
    pub fn list(&self) -> &[Finding] {
        &self.list
    }
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.errors + self.warnings + self.infos
    }
    /// How many make the file unfit.
    pub fn errors(&self) -> u64 {
        self.errors
    }
    /// How many do not.
    pub fn warnings(&self) -> u64 {
        self.warnings
    }
    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_counted_beyond_what_is_listed() {
        let finding = Finding {
            code: "x",
            severity: Severity::Warning,
            start: 0,
            end: 1,
            place: Place::at(0),
            db: None,
            key: None,
            value_type: None,
            message: String::new(),
            hint: None,
            file: None,
        };
        let mut all = Findings::default();
        for _ in 0..Findings::LISTED + 5 {
            all.push(finding.clone());
        }
        assert_eq!(all.list().len(), Findings::LISTED);
        assert_eq!(all.warnings(), Findings::LISTED as u64 + 5);
        assert_eq!(all.errors(), 0);
    }
}
