//! Checks the files of a multi-part AOF: each by itself, and what a server makes of all of them.

use crate::aof::manifest::{Dialect, ManifestFault, Role};
use crate::aof::set::{Effect, SetProblem, SetReport, Start};
use crate::command::{Like, ServerLine};
use crate::error::{Error, ErrorKind, Place, Result, printable};
use crate::io::source::Behind;
use crate::record::target::Target;
use crate::report::aof::{AofReport, Fate, FileRole, SetFacts};
use crate::report::check::LoadsOn;
use crate::report::finding::{Finding, Findings, Severity};
use crate::task::Run;
use crate::task::check_aof::judge::{self, Last, needs_of};
use crate::task::check_aof::{AofOptions, Checked};
use crate::task::logs::LogSet;

/// Checks a set.
///
/// # Errors
/// A file that cannot be read. Damage, and what is missing, is a finding.
pub(super) fn check(set: &LogSet, options: &AofOptions, run: &Run<'_>) -> Result<AofReport> {
    let found = set.report();
    let upgrade = found.start == Start::Upgrade;
    let sizes = found.files.iter().map(|file| file.size.unwrap_or(0));
    run.progress.size(Some(sizes.sum()));
    let mut files = Vec::new();
    let mut done = 0;
    for file in &found.files {
        if file.size.is_none() {
            files.push(None);
            continue;
        }
        let log = match set.open(file, upgrade, run) {
            // Removed meanwhile, or a link that leads nowhere.
            Err(error) if is_missing(&error) => {
                files.push(None);
                continue;
            }
            opened => opened?,
        };
        let name = printable(&file.name);
        let mut behind = Behind::new(Some(&log.map));
        let checked = Checked::of(&name, &log.map, options, run, |offset| {
            behind.reach(offset);
            run.progress.at(done + offset);
        })?;
        done += log.map.len() as u64;
        files.push(Some(checked));
    }
    let judged = Judged {
        set,
        found: &found,
        files: &files,
    };
    let like = options.like.unwrap_or_else(|| judged.likely());
    let (fate, at_file) = judged.fate(like);
    let loads_on = judged.loads_on();
    let findings = judged.findings(like);
    let (input, facts) = facts(set, upgrade);
    let mut reports = Vec::new();
    let mut at_report = None;
    for (index, (file, checked)) in found.files.iter().zip(files).enumerate() {
        let Some(mut checked) = checked else {
            continue;
        };
        if at_file == Some(index) {
            at_report = Some(reports.len());
        }
        checked.tell(like);
        let role = match file.role {
            Role::Base => FileRole::Base,
            _ => FileRole::Incremental,
        };
        reports.push(checked.report(role, Some(file.seq)));
    }
    Ok(AofReport {
        input,
        compressed: None,
        set: Some(facts),
        files: reports,
        findings,
        like: like.to_string(),
        fate,
        at_file: at_report,
        loads_on,
    })
}

/// The name of the set for people, and what is known of it.
pub(crate) fn facts(set: &LogSet, upgrade: bool) -> (String, SetFacts) {
    let folder = set.listing.folder.display().to_string();
    let manifest = set.listing.manifest.as_ref();
    let manifest = manifest.map(|(name, _)| printable(name));
    let facts = SetFacts {
        folder: folder.clone(),
        manifest,
        upgrade,
    };
    (folder, facts)
}

pub(crate) fn is_missing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::NotFound)
}

/// A set whose files were gone through.
struct Judged<'a> {
    set: &'a LogSet,
    found: &'a SetReport,
    /// In load order; none for a file that is not there.
    files: &'a [Option<Checked>],
}

impl Judged<'_> {
    /// The server that the set seems to be of: the writer of its base, else what its commands tell.
    fn likely(&self) -> Like {
        let mut there = self.files.iter().flatten();
        let writer = there.find_map(|file| file.preamble.as_deref().and_then(judge::writer));
        writer.unwrap_or_else(|| {
            let mut there = self.files.iter().flatten();
            judge::likely(there.any(|file| file.walk.used.is_valkeys()))
        })
    }

    /// What a server does with the set, and the index of the file that decides it.
    fn fate(&self, like: Like) -> (Fate, Option<usize>) {
        if like.line() == ServerLine::Redis62 {
            let why = "it does not know multi-part AOFs".to_owned();
            return (Fate::StartsEmpty(why), None);
        }
        if let Some(Err(fault)) = self.set.manifest(dialect(like)) {
            return (Fate::Refuses(None, format!("the manifest: {fault}")), None);
        }
        if self.found.start == Start::Empty {
            let lost = self.found.problems.iter().find(|problem| {
                matches!(
                    problem,
                    SetProblem::NoManifest { .. } | SetProblem::NothingNamed
                )
            });
            return match lost {
                Some(problem) => (Fate::StartsEmpty(problem.to_string()), None),
                None => (Fate::Loads, None),
            };
        }
        let mut missing = self.found.files.iter().zip(self.files).enumerate();
        if let Some((index, (file, _))) = missing.find(|(_, (_, checked))| checked.is_none()) {
            let why = format!("{} is missing", printable(&file.name));
            return (Fate::Refuses(None, why), Some(index));
        }
        for (index, checked) in self.files.iter().enumerate() {
            let last = self.last(index);
            match checked.as_ref().map(|checked| checked.fate(like, last)) {
                None | Some(Fate::Loads) => {}
                Some(fate) => return (fate, Some(index)),
            }
        }
        (Fate::Loads, None)
    }

    fn last(&self, index: usize) -> Last {
        match index + 1 == self.files.len() {
            true => Last::Yes,
            false => Last::No,
        }
    }

    /// Which servers load it.
    fn loads_on(&self) -> Vec<LoadsOn> {
        let judge = |target: &'static Target| {
            let like = target.name.parse::<Like>().ok()?;
            let mut needs = Vec::new();
            let why = match self.fate(like) {
                (fate @ (Fate::StartsEmpty(_) | Fate::Refuses(None, _)), _) => {
                    needs_of(&fate, &mut needs)
                }
                _ => self.files.iter().enumerate().find_map(|(index, checked)| {
                    let checked = checked.as_ref()?;
                    let why = checked.needs(target, like, self.last(index), &mut needs)?;
                    Some(format!("{}, {why}", checked.name))
                }),
            };
            if why.is_some() {
                needs.clear();
            }
            needs.dedup();
            Some(LoadsOn {
                server: target.name,
                ok: why.is_none(),
                needs,
                why,
            })
        };
        Target::ALL.iter().filter_map(judge).collect()
    }

    /// What is wrong with the set as such: its manifest, then its files by name.
    fn findings(&self, like: Like) -> Findings {
        let mut findings = Findings::default();
        let listing = &self.set.listing;
        let name = match &listing.manifest {
            Some((name, _)) => printable(name),
            None => format!("{}.manifest", printable(&listing.stem)),
        };
        if let Some(Err(fault)) = self.set.manifest(dialect(like)) {
            findings.push(of_manifest(fault, name.clone()));
            if self.set.any_manifest().is_none() {
                // Without a manifest that can be read, nothing can be said of what it names.
                return findings;
            }
        }
        for problem in &self.found.problems {
            findings.push(of_set(problem, &name));
        }
        findings
    }
}

/// How the server reads manifests.
pub(crate) fn dialect(like: Like) -> Dialect {
    let name = like.line().name();
    let target = Target::ALL.iter().find(|target| target.name == name);
    target.map_or(Dialect::Redis, Dialect::of)
}

pub(crate) fn of_manifest(fault: &ManifestFault, manifest: String) -> Finding {
    Finding {
        code: fault.problem.code(),
        severity: Severity::Error,
        start: fault.offset,
        end: fault.offset + fault.text.len() as u64,
        place: Place::at(fault.offset),
        db: None,
        key: None,
        value_type: None,
        message: fault.to_string(),
        hint: None,
        file: Some(manifest),
    }
}

pub(crate) fn of_set(problem: &SetProblem, manifest: &str) -> Finding {
    let size = match problem {
        SetProblem::Orphan { size, .. }
        | SetProblem::Temporary { size, .. }
        | SetProblem::OldFileBeside { size, .. } => *size,
        SetProblem::History { size, .. } => size.unwrap_or(0),
        _ => 0,
    };
    let severity = match (problem, problem.effect()) {
        (SetProblem::NoManifest { .. } | SetProblem::NothingNamed, _) => Severity::Error,
        (_, Effect::Refuses) => Severity::Error,
        (_, Effect::Misleads) => Severity::Warning,
        (_, Effect::Harmless) => Severity::Info,
    };
    let file = problem.name().map(printable);
    Finding {
        code: problem.code(),
        severity,
        start: 0,
        end: size,
        place: Place::at(0),
        db: None,
        key: None,
        value_type: None,
        message: problem.to_string(),
        hint: None,
        file: Some(file.unwrap_or_else(|| manifest.to_owned())),
    }
}
