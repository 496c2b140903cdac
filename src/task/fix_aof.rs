//! Makes the files of a log loadable: what goes, what stays, what is then in doubt.

mod after;
mod census;
mod doubt;
mod skip;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::aof::manifest::Manifest;
use crate::aof::resp;
use crate::aof::set::{SetProblem, Start};
use crate::bytes::Problem;
use crate::command::{Like, ServerLine};
use crate::error::{Error, ErrorKind, Hint, Place, Result, What};
use crate::io::output::Existing;
use crate::report::aof::{AofReport, Fate, FileReport};
use crate::report::check::Verdict;
use crate::report::finding::Severity;
use crate::report::fix::{Done, FileFix, FixReport, KeysReport, Loss, Outcome, Strategy, Why};
use crate::task::check_aof::{self, AnyServer, AofOptions};
use crate::task::fix_aof::census::Census;
use crate::task::fix_aof::doubt::KeysInDoubt;
use crate::task::fix_aof::skip::{Pass, Rules, Scan};
use crate::task::logs::{self, LogFile, LogSet, Logs};
use crate::task::mend::{self, Applied, FilePlan, Inserted, Keep, Plan, Removed, SetPlan};
use crate::task::{InputPath, Run};

pub use after::{needs_second_look, still_refused};

/// How to mend.
#[derive(Clone, Debug, Default)]
pub struct FixOptions {
    /// What counts as well: the server, and names that are taken for a module's.
    pub check: AofOptions,
    /// How; else by truncation where nothing intact stands behind the first fault.
    pub strategy: Option<Strategy>,
    /// Commands of unknown names go.
    pub drop_unknown: bool,
    /// Commands between two damages without a chain stay.
    pub keep_uncertain: bool,
    /// The database that is selected behind damage that could hide a SELECT.
    pub assume_db: Option<u32>,
    /// Bytes that may go.
    pub max_loss: Option<u64>,
    /// Commands that may go.
    pub max_lost_commands: Option<u64>,
    /// Everything from the first annotation of a later time on goes as well, Unix seconds.
    pub until: Option<u64>,
}

/// What is to be done.
#[derive(Debug)]
pub struct Mending {
    /// What the check says of the files as they are.
    pub report: AofReport,
    /// What goes and what stays; nothing where the files are fit as they are.
    pub fix: Option<FixReport>,
    /// The same for those who carry it out; nothing where it must not be carried out. Where the
    /// files are fit as they are, it changes nothing.
    pub plan: Option<Plan>,
    /// Why it must not be carried out.
    pub refused: Option<Refusal>,
    /// The bytes of an input that is no plain file: they cannot be had again.
    content: Option<LogFile>,
}

/// Why nothing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Both strategies can be had, and they differ: one must be chosen.
    Choose,
    /// Commands that the server does not know would stay.
    Unknown,
    /// More would go than may.
    Limit,
    /// Damage could hide a SELECT, and other databases than one are in use.
    Select,
}

/// Finds out what to do about a log or set.
///
/// # Errors
/// As [`check_aof`](check_aof::check_aof); and where nothing can be done: a snapshot that is damaged
/// with no log behind it, a file that is missing, names from which no manifest can be made.
pub fn plan(input: &InputPath, options: &FixOptions, run: &Run<'_>) -> Result<Mending> {
    let found = logs::logs(input, run)?;
    let report = check_aof::of_logs(&found, &options.check, run)?;
    let like: Like = report
        .like
        .parse()
        .map_err(|_| Error::usage(format!("{} is no server", report.like)))?;
    let mut set = None;
    let files = match found {
        Logs::One(log) => vec![log],
        Logs::Set(found) => {
            let plan = SetToMend::of(&found, &report)?;
            if !plan.rebuilt {
                refuse_missing(&report)?;
            }
            let files = plan.open(&found, run)?;
            set = Some(plan);
            files
        }
    };
    let mut mender = Mender {
        options,
        run,
        like,
        report,
        set,
        files,
    };
    // A manifest that is made anew names other files than the check saw.
    if let Some(set) = mender.set.as_ref().filter(|set| set.rebuilt) {
        mender.report.files = mender.check_rebuilt(set)?;
    }
    mender.fit_for_mending()?;
    mender.mend()
}

/// Mends the files in place.
///
/// # Errors
/// As [`mend::apply_in_place`]; [`Usage`](ErrorKind::Usage) for what is no plain file.
pub fn apply(mending: &Mending, keep: &Keep, force: bool, run: &Run<'_>) -> Result<Done> {
    let Some(plan) = &mending.plan else {
        return Ok(Done::default());
    };
    if mending.content.is_some() {
        return Err(Error::usage(
            "this is no plain file, and cannot be changed in place: write the result with -o",
        ));
    }
    mend::apply_in_place(plan, keep, force, run.progress).map(done)
}

/// Writes the mended log or set elsewhere.
///
/// # Errors
/// As [`mend::write_to`].
pub fn write_to(
    mending: &Mending,
    output: &Path,
    existing: Existing,
    keep: &Keep,
    run: &Run<'_>,
) -> Result<Done> {
    let Some(plan) = &mending.plan else {
        return Ok(Done::default());
    };
    let applied = match (plan, &mending.content) {
        (Plan::File(plan), Some(content)) => {
            mend::write_bytes(plan, &content.map, output, existing)?
        }
        _ => mend::write_to(plan, output, existing, keep, run.progress)?,
    };
    Ok(done(applied))
}

/// What was done, for reports.
pub(super) fn done(applied: Applied) -> Done {
    let name = |path: &Path| path.display().to_string();
    let files = applied.files.iter();
    let kept = applied.kept.iter().map(|piece| name(&piece.path));
    let warnings = applied.warnings.iter().map(|lost| {
        let what = lost.what.join(", ");
        format!(
            "{}: could not be given the old file's {what}",
            name(&lost.path)
        )
    });
    let leftover = applied.leftover.iter();
    let leftover = leftover.map(|path| format!("{} could not be removed", name(path)));
    let manifest = applied.manifest.as_ref();
    Done {
        written: files.map(|file| (name(&file.path), file.size)).collect(),
        removed: kept.chain(applied.index.iter().map(|p| name(p))).collect(),
        manifest: manifest.map(|manifest| name(&manifest.path)),
        old_manifest: manifest.and_then(|manifest| Some(name(manifest.old.as_ref()?))),
        warnings: warnings.chain(leftover).collect(),
    }
}

/// The set whose files are mended.
struct SetToMend {
    folder: PathBuf,
    manifest_name: Vec<u8>,
    old_manifest: Option<Vec<u8>>,
    manifest: Manifest,
    rebuilt: bool,
    /// The file that a server would move into the folder first.
    upgrade: bool,
}

impl SetToMend {
    fn of(set: &LogSet, report: &AofReport) -> Result<SetToMend> {
        let listing = &set.listing;
        let found = set.report();
        let mut name = listing.stem.clone();
        name.extend_from_slice(b".manifest");
        let (manifest_name, old_manifest) = match &listing.manifest {
            Some((name, bytes)) => (name.clone(), Some(bytes.clone())),
            None => (name, None),
        };
        let lost = found.problems.iter().any(|problem| {
            matches!(
                problem,
                SetProblem::NoManifest { .. } | SetProblem::NothingNamed
            )
        });
        let refused = report
            .findings
            .list()
            .iter()
            .any(|finding| finding.code.starts_with("aof-manifest-"));
        let read = set.any_manifest().filter(|_| !refused);
        // Where the manifest cannot be read, a server does not get to look at an old file.
        let upgrade = found.start == Start::Upgrade && !refused;
        let (manifest, rebuilt) = match read {
            Some((_, manifest)) if !lost => (manifest.clone(), false),
            _ if upgrade => (Manifest::default(), false),
            _ => {
                // Without a manifest the stem is a guess; with one, its name says it.
                let stem = listing.manifest.as_ref().map(|_| listing.stem.as_slice());
                match Manifest::rebuild(&listing.files, stem) {
                    Ok((_, manifest)) => (manifest, true),
                    Err(fault) => {
                        return Err(Error::usage(format!(
                            "no manifest can be made from the names of the files: {fault}"
                        )));
                    }
                }
            }
        };
        Ok(SetToMend {
            folder: listing.folder.clone(),
            manifest_name,
            old_manifest,
            manifest,
            rebuilt,
            upgrade,
        })
    }

    /// The files in load order.
    fn open(&self, set: &LogSet, run: &Run<'_>) -> Result<Vec<LogFile>> {
        let files = match self.rebuilt {
            false => set.report().files,
            true => set.files_of(&self.manifest),
        };
        let files = files.iter();
        files
            .map(|file| set.open(file, self.upgrade, run))
            .collect()
    }
}

/// Ends where a file is not there.
fn refuse_missing(report: &AofReport) -> Result<()> {
    let Fate::Refuses(None, why) = &report.fate else {
        return Ok(());
    };
    let error = std::io::Error::new(std::io::ErrorKind::NotFound, why.clone());
    Err(Error::new(ErrorKind::Io(error)).with_hint(Hint::Other(
        "take the file from where the others came from: no fix can make up for it",
    )))
}

struct Mender<'a> {
    options: &'a FixOptions,
    run: &'a Run<'a>,
    like: Like,
    report: AofReport,
    set: Option<SetToMend>,
    /// In load order, as the files of the report.
    files: Vec<LogFile>,
}

impl Mender<'_> {
    fn check_rebuilt(&self, set: &SetToMend) -> Result<Vec<FileReport>> {
        let mut reports = Vec::new();
        for (entry, file) in set.manifest.in_load_order().zip(&self.files) {
            let name = crate::error::printable(&entry.name);
            let mut of_one =
                check_aof::check_bytes(&name, &file.map, &self.options.check, self.run)?.files;
            reports.append(&mut of_one);
        }
        Ok(reports)
    }

    /// Ends where a fix can do nothing.
    fn fit_for_mending(&self) -> Result<()> {
        let annotated = |file: &&FileReport| file.tally.annotations > 0;
        if self.like.line() == ServerLine::Redis62
            && let Some(file) = self.report.files.iter().find(annotated)
        {
            let (name, like) = (&file.name, &self.report.like);
            let text = format!("{name}: {like} does not know annotations, which this log has");
            return Err(Error::new(ErrorKind::Unsupported(text)));
        }
        for file in &self.report.files {
            let Some(preamble) = &file.preamble else {
                continue;
            };
            match preamble.verdict {
                Verdict::Loads => {
                    let own = check_aof::judge::reader(preamble, self.like);
                    let settings = check_aof::judge::settings_for(preamble, self.like);
                    let settings = settings.map(|settings| format!("it needs {settings}"));
                    if let Some(why) = own.and_then(|own| own.why.clone()).or(settings) {
                        let text = format!(
                            "{}: {} does not load the snapshot: {why}",
                            file.name, self.report.like
                        );
                        return Err(Error::new(ErrorKind::Unsupported(text)));
                    }
                }
                Verdict::Unknown => {
                    let text = format!("{}: the snapshot is of an unknown version", file.name);
                    return Err(Error::new(ErrorKind::Unsupported(text)));
                }
                _ if file.log_start >= file.size => {
                    let findings = preamble.findings.list().iter();
                    let first = findings
                        .filter(|finding| finding.severity == Severity::Error)
                        .map(|finding| finding.start)
                        .min();
                    let place = Place::at(first.unwrap_or(preamble.good_until));
                    let error = Error::bytes(Problem::AofNoLog, place, What::Snapshot);
                    let error = match &self.set {
                        Some(_) => error.in_file(Path::new(&file.name)),
                        None => error,
                    };
                    return Err(error.with_hint(Hint::Other(
                        "no log stands behind the damaged snapshot: `dump-to-json --keep-going` \
                         reads its keys, a fix can do nothing",
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn mend(self) -> Result<Mending> {
        let mut keys = KeysInDoubt::default();
        let mut scans = Vec::new();
        let mut done = 0;
        for (report, file) in self.report.files.iter().zip(&self.files) {
            scans.push(self.scan(report, &file.map, &mut keys, done));
            done += file.map.len() as u64;
        }
        let cut = match self.options.until {
            Some(_) => Some(self.cut_by_time(&scans)?),
            None => first_loss(&scans),
        };
        let rebuilt = self.set.as_ref().is_some_and(|set| set.rebuilt);
        let unknown =
            scans.iter().any(|scan| !scan.unknown.is_empty()) && !self.options.drop_unknown;
        if cut.is_none() && !rebuilt && !unknown {
            let plan = self.plan(&[])?;
            return Ok(self.mending(None, Some(plan), None));
        }
        let skip = self.outcome(&scans, None);
        let truncate = self.outcome(&scans, cut);
        let snapshot_goes = scans
            .iter()
            .any(|scan| scan.losses.iter().any(|loss| loss.why == Why::Snapshot));
        let differ = skip.kept_commands != truncate.kept_commands || snapshot_goes;
        let strategy = match (self.options.until, self.options.strategy) {
            (Some(_), _) => Strategy::Truncate,
            (None, Some(strategy)) => strategy,
            (None, None) if differ => Strategy::Skip,
            (None, None) => Strategy::Truncate,
        };
        if strategy == Strategy::Truncate && snapshot_goes && self.options.until.is_none() {
            return Err(Error::usage(
                "the snapshot in front is damaged: to truncate there would leave nothing",
            )
            .with_hint(Hint::Other(
                "`--strategy skip` keeps the commands behind it, without the snapshot",
            )));
        }
        let (mut outcome, mut other, other_cut) = match strategy {
            Strategy::Truncate => (truncate, skip, None),
            Strategy::Skip => (skip, truncate, cut),
        };
        let cut = cut.filter(|_| strategy == Strategy::Truncate);
        let several_dbs = self.dbs(&scans).len() > 1;
        if differ {
            other.keys = self.keys(&self.file_fixes(scans.clone(), other_cut, several_dbs));
        }
        let files = self.file_fixes(scans, cut, several_dbs);
        outcome.keys = self.keys(&files);
        let fix = FixReport {
            strategy,
            outcome,
            other: (differ && self.options.until.is_none()).then_some(other),
            keys: match strategy {
                Strategy::Skip => keys.report(),
                Strategy::Truncate => KeysReport::default(),
            },
            has_transactions: self.report.tally().names.contains_key("multi"),
            rebuilt_manifest: rebuilt,
            files,
            done: None,
        };
        let chosen = self.options.strategy.is_some() || self.options.until.is_some();
        let refused = self.refusal(&fix, differ && !chosen);
        let plan = match refused {
            Some(_) => None,
            None => Some(self.plan(&fix.files)?),
        };
        Ok(self.mending(Some(fix), plan, refused))
    }

    fn mending(
        mut self,
        fix: Option<FixReport>,
        plan: Option<Plan>,
        refused: Option<Refusal>,
    ) -> Mending {
        let plain = |file: &LogFile| FilePlan::of(&file.origin).is_some();
        let content = match &self.set {
            None => self.files.pop().filter(|file| !plain(file)),
            Some(_) => None,
        };
        Mending {
            report: self.report,
            fix,
            plan,
            refused,
            content,
        }
    }

    fn scan(&self, file: &FileReport, map: &[u8], keys: &mut KeysInDoubt, done: u64) -> Scan {
        let rules = Rules {
            like: self.like,
            allowed: &self.options.check.allowed,
            drop_unknown: self.options.drop_unknown,
            keep_uncertain: self.options.keep_uncertain,
        };
        let mut pass = Pass::new(rules, file.log_start, self.options.until);
        // What the check has found of commands that the server does not take, all of them being listed.
        let findings = &file.findings;
        let all_listed = findings.count() == findings.list().len() as u64;
        let of_commands = ["aof-arity", "aof-crash", "aof-discard", "unknown-command"];
        let mut list = findings.list().iter();
        if all_listed && !list.any(|finding| of_commands.contains(&finding.code)) {
            pass.taken_until(file.good_until);
        }
        if let Some(preamble) = &file.preamble
            && preamble.verdict != Verdict::Loads
        {
            keys.all();
            pass.lose_front(Loss {
                damaged: file.log_start,
                ..Loss::of(0, file.log_start, Why::Snapshot, 0)
            });
        }
        let from = usize::try_from(file.log_start).unwrap_or(map.len());
        let log = map.get(from..).unwrap_or_default();
        let names = AnyServer {
            allowed: &self.options.check.allowed,
        };
        let progress = self.run.progress;
        pass.run(log, &names, keys, |at| progress.at(done + at))
    }

    /// Where to cut so that nothing later than a time is left.
    fn cut_by_time(&self, scans: &[Scan]) -> Result<(usize, u64)> {
        let mut earlier = false;
        for (index, scan) in scans.iter().enumerate() {
            if let Some(at) = scan.later {
                if let Some((file, damage)) = first_loss(scans)
                    && (file, damage) < (index, at)
                {
                    return Err(Error::usage(
                        "there is damage before that time: mend the log first, without a time",
                    ));
                }
                if !earlier && !scan.earlier {
                    return Err(Error::usage("the log has nothing before that time"));
                }
                return Ok((index, at));
            }
            earlier |= scan.earlier;
        }
        Err(Error::usage("the log has no annotation of a later time"))
    }

    /// What is left when all losses go, or when all goes from a place on.
    fn outcome(&self, scans: &[Scan], cut: Option<(usize, u64)>) -> Outcome {
        let at_a_time = self.options.until.is_some();
        let mut outcome = Outcome::default();
        for (index, (scan, file)) in scans.iter().zip(&self.files).enumerate() {
            let size = file.map.len() as u64;
            let (kept, gone) = match cut {
                Some((file, _)) if index > file => (0, size),
                Some((file, at)) if index == file => (scan.kept_by_cut(at_a_time), size - at),
                _ => (scan.kept, scan.losses.iter().map(|l| l.end - l.start).sum()),
            };
            let places = scan.losses.iter().filter(|loss| loss.damaged > 0).count() as u64;
            outcome.kept_commands += kept;
            outcome.lost_commands += scan.commands - kept.min(scan.commands) + places;
            outcome.kept_bytes += size - gone;
            outcome.lost_bytes += gone;
        }
        outcome
    }

    /// The databases that the set uses, those of its snapshots included.
    fn dbs(&self, scans: &[Scan]) -> BTreeSet<u32> {
        let mut dbs: BTreeSet<u32> = scans.iter().flat_map(|scan| scan.dbs.clone()).collect();
        for file in &self.report.files {
            dbs.extend(file.preamble.iter().flat_map(|p| p.dbs.keys().copied()));
        }
        dbs
    }

    fn file_fixes(
        &self,
        scans: Vec<Scan>,
        cut: Option<(usize, u64)>,
        several_dbs: bool,
    ) -> Vec<FileFix> {
        let mut files = Vec::new();
        let named = self.report.files.iter().zip(&self.files);
        for (index, (scan, (report, file))) in scans.into_iter().zip(named).enumerate() {
            let size = file.map.len() as u64;
            let name = report.name.clone();
            let kept_by_cut = scan.kept_by_cut(self.options.until.is_some());
            let unknown = scan.unknown.into_iter();
            files.push(match cut {
                None => FileFix {
                    name,
                    losses: scan.losses,
                    uncertain: scan.uncertain,
                    singles: scan.singles,
                    ambiguous: scan.ambiguous,
                    selects: {
                        let mut selects = scan.selects;
                        selects.retain(|doubt| several_dbs || doubt.likely);
                        selects
                    },
                    unknown: unknown.filter(|_| !self.options.drop_unknown).collect(),
                    left_out: false,
                },
                Some((cut_file, at)) => {
                    let from = match index.cmp(&cut_file) {
                        std::cmp::Ordering::Less => size,
                        std::cmp::Ordering::Equal => at,
                        std::cmp::Ordering::Greater => 0,
                    };
                    let why = match scan.losses.first() {
                        Some(loss) if loss.start == from => loss.why,
                        _ => Why::Behind,
                    };
                    let commands = match index.cmp(&cut_file) {
                        std::cmp::Ordering::Equal => scan.commands - kept_by_cut,
                        _ => scan.commands,
                    };
                    let loss = Loss {
                        damaged: scan.losses.iter().map(|loss| loss.damaged).sum(),
                        ..Loss::of(from, size, why, commands)
                    };
                    FileFix {
                        name,
                        losses: (from < size).then_some(loss).into_iter().collect(),
                        unknown: unknown
                            .filter(|(_, unknown)| unknown.first < from)
                            .collect(),
                        left_out: index > cut_file,
                        ..FileFix::default()
                    }
                }
            });
        }
        files
    }

    fn refusal(&self, fix: &FixReport, must_choose: bool) -> Option<Refusal> {
        let over = |limit: Option<u64>, value: u64| limit.is_some_and(|limit| value > limit);
        if must_choose {
            return Some(Refusal::Choose);
        }
        if fix.files.iter().any(|file| !file.unknown.is_empty()) {
            return Some(Refusal::Unknown);
        }
        if over(self.options.max_loss, fix.outcome.lost_bytes)
            || over(self.options.max_lost_commands, fix.outcome.lost_commands)
        {
            return Some(Refusal::Limit);
        }
        let mut selects = fix.files.iter().flat_map(|file| &file.selects);
        if self.options.assume_db.is_none() && selects.any(|select| select.commands > 0) {
            return Some(Refusal::Select);
        }
        None
    }

    /// The plan for those who carry it out; of no files: nothing changes.
    fn plan(&self, fixes: &[FileFix]) -> Result<Plan> {
        let mut plans = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            plans.push(self.file_plan(file, fixes.get(index)));
        }
        let Some(set) = &self.set else {
            return plans
                .pop()
                .map(Plan::File)
                .ok_or_else(|| Error::usage("there is nothing to mend"));
        };
        if set.upgrade {
            // The old file lies beside the folder, and is all that a server would load.
            return plans
                .pop()
                .map(Plan::File)
                .ok_or_else(|| Error::usage("there is nothing to mend"));
        }
        let mut manifest = set.manifest.clone();
        let left_out = fixes.iter().filter(|file| file.left_out).count();
        if left_out > 0 {
            manifest = without_last(&manifest, left_out)?;
            plans.truncate(plans.len() - left_out);
        }
        Ok(Plan::Set(SetPlan {
            folder: set.folder.clone(),
            manifest_name: set.manifest_name.clone(),
            old_manifest: set.old_manifest.clone(),
            manifest,
            rebuilt: set.rebuilt || left_out > 0,
            files: plans,
        }))
    }

    fn file_plan(&self, file: &LogFile, fix: Option<&FileFix>) -> FilePlan {
        let nowhere = || FilePlan::new("-", file.map.len() as u64);
        let mut plan = FilePlan::of(&file.origin).unwrap_or_else(nowhere);
        if let Some(fix) = fix {
            let removed = fix.losses.iter().map(|loss| Removed {
                start: loss.start,
                end: loss.end,
                why: loss.why.name(),
            });
            plan.removed = removed.collect();
            plan.inserted = self.selects_to_write(fix);
        }
        plan
    }

    /// Keys that are there in the end, where the commands alone tell.
    fn keys(&self, fixes: &[FileFix]) -> Option<u64> {
        let mut census = Census::new();
        for (index, (file, fix)) in self.files.iter().zip(fixes).enumerate() {
            let report = self.report.files.get(index)?;
            if fix.left_out {
                continue;
            }
            let plan = self.file_plan(file, Some(fix));
            let snapshot_stays = report.preamble.is_some()
                && plan.removed.first().is_none_or(|removed| removed.start > 0);
            if snapshot_stays {
                return None;
            }
            census.file(&plan, &file.map);
        }
        census.count()
    }

    /// The SELECT behind each damage that could hide one, where another database is to be assumed
    /// than the one that is selected.
    fn selects_to_write(&self, file: &FileFix) -> Vec<Inserted> {
        let Some(db) = self.options.assume_db else {
            return Vec::new();
        };
        let doubts = file.selects.iter();
        doubts
            .filter(|doubt| doubt.commands > 0 && doubt.db != db)
            .map(|doubt| {
                let around = file
                    .losses
                    .iter()
                    .find(|loss| loss.start < doubt.at && doubt.at <= loss.end);
                let mut bytes = Vec::new();
                let db = db.to_string();
                resp::write_command([&b"SELECT"[..], db.as_bytes()].into_iter(), &mut bytes);
                Inserted {
                    at: around.map_or(doubt.at, |loss| loss.end),
                    bytes,
                }
            })
            .collect()
    }
}

/// The place of the first loss.
fn first_loss(scans: &[Scan]) -> Option<(usize, u64)> {
    scans
        .iter()
        .enumerate()
        .find_map(|(index, scan)| Some((index, scan.losses.first()?.start)))
}

/// A manifest without the last files in load order.
fn without_last(manifest: &Manifest, count: usize) -> Result<Manifest> {
    let gone: Vec<Vec<u8>> = manifest
        .in_load_order()
        .rev()
        .take(count)
        .map(|entry| entry.name.clone())
        .collect();
    let (entries, comments) = manifest.clone().into_entries();
    let left = entries
        .into_iter()
        .filter(|entry| !gone.contains(&entry.name));
    Manifest::from_entries(left.collect(), comments)
        .map_err(|(_, problem)| Error::usage(format!("the manifest cannot be written: {problem}")))
}
