//! A server's data folder: which files a server would load at its start.
//!
//! With `appendonly yes` the log counts and the snapshot is not looked at, be it ever so good; with
//! `appendonly no` it is the other way round. From Redis 7.0 on the log is a folder with a manifest, and
//! without a manifest an old single file beside it is taken over; before, it is that single file.

use std::path::{Path, PathBuf};

use crate::aof::set::{AofName, path_in};
use crate::bytes::Problem;
use crate::command::{Like, ServerLine};
use crate::error::{Error, ErrorKind, Hint, Result, printable};
use crate::report::Severity;
use crate::report::finding::Finding;
use crate::report::verify::{
    Age, Holding, Loaded, Loss, Start, StartReport, VerifyReport, finding,
};
use crate::task::diff::{DiffOptions, diff};
use crate::task::info::{Info, info};
use crate::task::verify::conf::Conf;
use crate::task::verify::{
    Judged, Role, Subject, VerifyOptions, age, assertions, judge, like_of, of_start, refusal,
};
use crate::task::{InputPath, Run, logs, open};

/// Judges a folder: of a server's data, or of a set.
pub(super) fn verify(
    path: &Path,
    name: String,
    options: &VerifyOptions,
    run: &Run<'_>,
) -> Result<VerifyReport> {
    let options = options.for_input(&name);
    let conf = options.conf.clone();
    let is_data = is_data(path, None);
    let mut report = match conf {
        Some(conf) => data(path, name, &conf, true, &options, run)?,
        None if is_data => data(path, name, &Conf::default(), false, &options, run)?,
        None => {
            let set = logs::folder(path).map_err(|error| match error.hint() {
                None => error.with_hint(Hint::Other(
                    "`--conf redis.conf` tells how the files of a server are called",
                )),
                Some(_) => error,
            })?;
            let subject = Subject::Set(Box::new(set));
            let start = judge(subject, Start::Input, &name, options.like, &options, run)?;
            of_start(name, start)
        }
    };
    report.now = options.max_age.map(|age| age.now);
    Ok(report)
}

/// True for a folder that is a server's: with the names that servers use by themselves, and no set, or
/// with those of a configuration.
pub(in crate::task) fn is_data(path: &Path, conf: Option<&Conf>) -> bool {
    match conf {
        Some(conf) => names_of(path, conf) > 0,
        None => !is_set(path) && names_of(path, &Conf::default()) > 0,
    }
}

/// True for a folder that is more than a place for files: a set, or a server's with a log and a
/// snapshot or two logs.
pub(super) fn is_backup(path: &Path) -> bool {
    is_set(path) || has_files_of_a_set(path) || names_of(path, &Conf::default()) > 1
}

/// True for a folder with something that the configuration names.
pub(super) fn has_data(path: &Path, conf: &Conf) -> bool {
    names_of(path, conf) > 0
}

/// How many of the three names of data are there.
fn names_of(path: &Path, conf: &Conf) -> usize {
    [
        path_in(path, &conf.snapshot).is_file(),
        path_in(path, &conf.log).is_file(),
        path_in(path, &conf.folder).is_dir(),
    ]
    .into_iter()
    .filter(|there| *there)
    .count()
}

/// True for a folder with a manifest.
fn is_set(path: &Path) -> bool {
    has_name(path, |name| name.ends_with(b".aof.manifest"))
}

fn has_files_of_a_set(path: &Path) -> bool {
    has_name(path, |name| AofName::parse(name).is_some())
}

fn has_name(path: &Path, is: impl Fn(&[u8]) -> bool) -> bool {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .take(100_000)
        .any(|entry| is(entry.file_name().as_encoded_bytes()))
}

/// What lies in the folder.
pub(in crate::task) struct Here<'a> {
    conf: &'a Conf,
    snapshot: Option<PathBuf>,
    log: Option<PathBuf>,
    /// The manifest of the set.
    manifest: Option<PathBuf>,
    /// Files of a set without a manifest.
    strays: Option<PathBuf>,
}

impl<'a> Here<'a> {
    pub(in crate::task) fn of(path: &Path, conf: &'a Conf) -> Here<'a> {
        let there = |path: PathBuf| path.is_file().then_some(path);
        let folder = path_in(path, &conf.folder);
        let mut manifest = conf.log.clone();
        manifest.extend_from_slice(b".manifest");
        Here {
            conf,
            snapshot: there(path_in(path, &conf.snapshot)),
            log: there(path_in(path, &conf.log)),
            manifest: there(path_in(&folder, &manifest)),
            strays: Some(folder).filter(|folder| has_files_of_a_set(folder)),
        }
    }

    /// The log that counts from Redis 7.0 on, or what there is of one.
    pub(in crate::task) fn log_path(&self) -> Option<PathBuf> {
        let set = self.manifest.as_ref().or(self.log.as_ref());
        set.or(self.strays.as_ref()).cloned()
    }

    /// The snapshot.
    pub(in crate::task) fn snapshot_path(&self) -> Option<PathBuf> {
        self.snapshot.clone()
    }

    fn snapshot_name(&self) -> String {
        printable(&self.conf.snapshot)
    }

    fn log_name(&self) -> String {
        printable(&self.conf.log)
    }

    fn folder_name(&self) -> String {
        printable(&self.conf.folder)
    }

    /// What a server loads that is started like this.
    fn loaded(&self, on: bool, multi_part: bool) -> Choice<'_> {
        match (on, multi_part, &self.snapshot, &self.log, &self.manifest) {
            (false, _, Some(path), ..) => Choice::File(path, Role::Snapshot, self.snapshot_name()),
            (false, ..) => Choice::Nothing(format!("there is no {}", self.snapshot_name())),
            (true, true, _, _, Some(path)) => Choice::Set(path, self.folder_name()),
            (true, _, _, Some(path), _) => Choice::File(path, Role::Log, self.log_name()),
            (true, true, ..) => {
                let (folder, log) = (self.folder_name(), self.log_name());
                Choice::Nothing(format!("there is no {folder}/{log}.manifest"))
            }
            (true, false, ..) => Choice::Nothing(format!("there is no {}", self.log_name())),
        }
    }

    /// What lies here beside what is loaded.
    fn others(&self, chosen: Option<&Path>) -> Vec<String> {
        let mut others = Vec::new();
        let mut add = |path: &Option<PathBuf>, name: String| {
            let empty = |path: &PathBuf| path.metadata().is_ok_and(|data| data.len() == 0);
            if let Some(path) = path.as_ref().filter(|path| !empty(path))
                && Some(path.as_path()) != chosen
            {
                others.push(name);
            }
        };
        add(&self.snapshot, self.snapshot_name());
        add(&self.log, self.log_name());
        add(&self.manifest, self.folder_name());
        if self.manifest.is_none() && self.strays.is_some() {
            others.push(format!("files of a log in {}", self.folder_name()));
        }
        others
    }
}

/// What a server loads.
enum Choice<'a> {
    File(&'a Path, Role, String),
    /// By its manifest.
    Set(&'a Path, String),
    Nothing(String),
}

fn data(
    path: &Path,
    name: String,
    conf: &Conf,
    is_told: bool,
    options: &VerifyOptions,
    run: &Run<'_>,
) -> Result<VerifyReport> {
    let here = Here::of(path, conf);
    if here.others(None).is_empty() && names_of(path, conf) == 0 {
        let text = format!(
            "none of {}, {} and {} is in this folder",
            here.snapshot_name(),
            here.log_name(),
            here.folder_name()
        );
        let error = std::io::Error::new(std::io::ErrorKind::NotFound, text);
        return Err(Error::from(error).with_hint(Hint::Other(
            "`--conf redis.conf` tells how the files of a server are called",
        )));
    }
    let mut report = VerifyReport::new(name);
    report.kind = Some("data-directory");
    let (mut holdings, writers) = holdings(&here, run)?;
    let likes = likes(options, &writers, &here);
    let settings: &[bool] = match (is_told, conf.append_only) {
        (true, true) => &[true],
        (true, false) => &[false],
        (false, _) => &[true, false],
    };
    for &on in settings {
        let mut seen = Vec::new();
        for like in &likes {
            let multi_part = is_multi_part(*like);
            if seen.contains(&(on && multi_part)) {
                continue;
            }
            seen.push(on && multi_part);
            let options = match (on, options.like) {
                (true, None) => of_generation(options, multi_part),
                _ => options.clone(),
            };
            let start = start(&here, on, *like, is_told, &options, run)?;
            for holding in &mut holdings {
                holding.used |= start.name.as_ref() == Some(&holding.name);
            }
            report.starts.push(start);
        }
    }
    report.holdings = holdings;
    report.loss = loss(&here, &report, likes.first().copied(), options, run)?;
    Ok(report)
}

/// The servers that are started: those asked for, else the newest that wrote any of it.
fn likes(options: &VerifyOptions, writers: &[Like], here: &Here<'_>) -> Vec<Like> {
    if let Some(like) = options.like {
        return vec![like];
    }
    let targets = options.targets.iter().filter_map(|t| t.name.parse().ok());
    let targets: Vec<Like> = targets.collect();
    if !targets.is_empty() {
        return targets;
    }
    let newest = writers.iter().copied().max_by_key(|like| like.version());
    let like = newest.unwrap_or(ServerLine::Redis82.into());
    // Whoever made the set can read it, though the snapshot in it may be of an older one.
    match here.manifest.is_some() && !is_multi_part(like) {
        true => vec![ServerLine::Redis70.into()],
        false => vec![like],
    }
}

/// The same for those targets alone that look for a log in the same place.
fn of_generation(options: &VerifyOptions, multi_part: bool) -> VerifyOptions {
    let mut options = options.clone();
    let same = |like: Like| is_multi_part(like) == multi_part;
    options
        .targets
        .retain(|target| target.name.parse().is_ok_and(same));
    options
}

/// Redis 7.0 and later, and every Valkey.
fn is_multi_part(like: Like) -> bool {
    like.line() != ServerLine::Redis62
}

fn start(
    here: &Here<'_>,
    on: bool,
    like: Like,
    is_told: bool,
    options: &VerifyOptions,
    run: &Run<'_>,
) -> Result<StartReport> {
    let start = match on {
        true => Start::AofOn,
        false => Start::AofOff,
    };
    let choice = match here.loaded(on, is_multi_part(like)) {
        // An empty log is a log without commands: the server starts, and has nothing.
        Choice::File(path, Role::Log, name)
            if path.metadata().is_ok_and(|data| data.len() == 0)
                && !here.others(Some(path)).is_empty() =>
        {
            Choice::Nothing(format!("{name} is empty"))
        }
        choice => choice,
    };
    let judged = match choice {
        Choice::Nothing(why) => {
            let lost = starts_empty(on, like, &why, &here.others(None), is_told);
            return Ok(assertions::nothing(
                start,
                like.to_string(),
                why,
                lost,
                options,
            ));
        }
        Choice::Set(path, name) => {
            let set = logs::of_manifest(path)?;
            let subject = Subject::Set(Box::new(set));
            (judge(subject, start, &name, Some(like), options, run), name)
        }
        Choice::File(path, role, name) => {
            let input = InputPath::File(path.to_path_buf());
            let source = open::source(&input, run)?;
            if let Some(codec) = source.origin().codec() {
                let error = Error::new(ErrorKind::WrongKind {
                    found: codec.name(),
                    expected: "what a server reads",
                });
                return Ok(refused(start, name, like, role, &error, options));
            }
            let subject = Subject::Open(&input, source, role);
            match judge(subject, start, &name, Some(like), options, run) {
                Err(error) if matches!(error.kind(), ErrorKind::WrongKind { .. }) => {
                    return Ok(refused(start, name, like, role, &error, options));
                }
                judged => (judged, name),
            }
        }
    };
    let (judged, _) = judged;
    judged
}

/// A file that no server takes for what it is there for.
fn refused(
    start: Start,
    name: String,
    like: Like,
    role: Role,
    error: &Error,
    options: &VerifyOptions,
) -> StartReport {
    let message = error.kind().to_string();
    let problem = match role {
        Role::Log => Problem::AofFormat { found: 0 },
        Role::Any | Role::Snapshot => Problem::Magic,
    };
    let loaded = Loaded::Nothing(message.clone());
    let mut judged = Judged::new(&name, like.to_string(), loaded);
    judged.report.start = start;
    judged.report.findings.push(refusal(problem, message));
    assertions::hold(&mut judged, options);
    judged.report
}

fn starts_empty(on: bool, like: Like, why: &str, others: &[String], is_told: bool) -> Finding {
    let setting = match on {
        true => "yes",
        false => "no",
    };
    let file = others.first().cloned();
    let others = match others {
        [] => "and nothing else lies there".to_owned(),
        others => format!("it does not load {}", others.join(", ")),
    };
    let message = format!("with `appendonly {setting}` {like} starts empty, since {why}: {others}");
    let hint = match is_told {
        false => "`--conf redis.conf` says how the server is started; then only that counts",
        true => "start it on a copy with the other setting, and switch with CONFIG SET appendonly",
    };
    Finding {
        file,
        ..finding(
            "server-starts-empty",
            Severity::Error,
            message,
            Some(Hint::Other(hint)),
        )
    }
}

/// What lies in the folder, and who wrote it.
fn holdings(here: &Here<'_>, run: &Run<'_>) -> Result<(Vec<Holding>, Vec<Like>)> {
    let mut holdings = Vec::new();
    let mut writers = Vec::new();
    let files = [
        (&here.snapshot, here.snapshot_name()),
        (&here.manifest, here.folder_name()),
        (&here.log, here.log_name()),
    ];
    for (path, name) in files {
        let Some(path) = path else { continue };
        let age = match info(&InputPath::File(path.clone()), run) {
            Ok(said) => {
                writers.extend(writer(&said));
                age_of(&said)
            }
            // What is wrong with it, the judgement of the start that loads it says.
            Err(_) => None,
        };
        holdings.push(Holding {
            name,
            age,
            used: false,
        });
    }
    Ok((holdings, writers))
}

fn writer(said: &Info) -> Option<Like> {
    match said {
        Info::Snapshot(report) => like_of(report.writer()?),
        Info::Log(report) => {
            let mut snapshots = report
                .files
                .iter()
                .filter_map(|file| file.snapshot.as_deref());
            snapshots.find_map(|report| like_of(report.writer()?))
        }
    }
}

fn age_of(said: &Info) -> Option<Age> {
    match said {
        Info::Snapshot(report) => {
            let last = report.behind.and_then(|times| times.last);
            age(&report.aux, last, report.modified)
        }
        Info::Log(report) => {
            let snapshots = report
                .files
                .iter()
                .filter_map(|file| file.snapshot.as_deref());
            let mut aux = snapshots.map(|report| report.aux.as_slice());
            let aux = aux.next_back();
            age(
                aux.unwrap_or_default(),
                report.times().last,
                report.modified,
            )
        }
    }
}

/// What differs between the log and the snapshot, where both are whole.
fn loss(
    here: &Here<'_>,
    report: &VerifyReport,
    like: Option<Like>,
    options: &VerifyOptions,
    run: &Run<'_>,
) -> Result<Option<Loss>> {
    let log = match (&here.manifest, &here.log) {
        (Some(manifest), _) => Some((manifest, here.folder_name())),
        (None, Some(log)) => Some((log, here.log_name())),
        (None, None) => None,
    };
    let (Some((log, log_name)), Some(snapshot)) = (log, &here.snapshot) else {
        return Ok(None);
    };
    let damaged = |start: &StartReport| start.name.is_some() && start.verdict() != LOADS;
    if report.starts.iter().any(damaged) {
        return Ok(None);
    }
    let options = DiffOptions {
        like,
        now: options.now,
        ..DiffOptions::default()
    };
    let inputs = [log, snapshot].map(|path| InputPath::File(path.clone()));
    let [first, second] = &inputs;
    let outcome = match diff([first, second], &options, run, |_| Ok(())) {
        // One of them is not what its name says: no start that was judged loads it.
        Err(error) if matches!(error.kind(), ErrorKind::WrongKind { .. }) => return Ok(None),
        outcome => outcome?,
    };
    Ok(outcome.complete.then(|| Loss {
        log: log_name,
        snapshot: here.snapshot_name(),
        only_in_log: outcome.removed,
        only_in_snapshot: outcome.added,
        changed: outcome.changed + outcome.expiry,
    }))
}

const LOADS: crate::report::check::Verdict = crate::report::check::Verdict::Loads;
