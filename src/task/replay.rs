//! Replays a snapshot, a log or a set: the keyspace that a server has once it has started on it.

mod load;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aof::resp::{self, Ending, Item};
use crate::bytes::Problem;
use crate::command::{self, CommandSpec, Like, ServerLine};
use crate::error::{Error, ErrorKind, Hint, Place, Result};
use crate::io::kind::Kind;
use crate::io::source::{Behind, Map};
use crate::keyspace::digest::{self, Summed};
use crate::keyspace::{Files, Keyspace, Rules, Slot, save};
use crate::replay::{Player, Reason, Refused, Stopped, Why, play};
use crate::report::aof::{AofReport, Fate, FileReport};
use crate::report::check::Verdict;
use crate::report::finding::{Finding, Findings};
use crate::report::replay::{DbKeys, DigestAt, ReplayReport};
use crate::task::check_aof::{self, AofOptions};
use crate::task::log_files::{LogFiles, Opened};
use crate::task::logs::{self, Logs};
use crate::task::place::FileOffset;
use crate::task::{InputPath, Run, open};
use load::load;

/// Bytes between two words on how far a log is played.
const TELL_EVERY: u64 = 256 << 10;
/// Bytes in front of the one that is read that threads may not have played yet, as a rule.
const IN_FLIGHT: u64 = 512 << 10;
/// Bytes of a key in the index of its table: 9, and three quarters of the index are full.
const INDEX_ENTRY: usize = 12;
/// Databases that a server has unless it is told otherwise.
const DATABASES: u32 = 16;

/// Whether a command that a server would answer with an error ends the replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It is counted, and the replay goes on, as servers do.
    #[default]
    Count,
    /// The replay ends there.
    Stop,
}

/// How an input is replayed.
#[derive(Clone, Debug, Default)]
pub struct ReplayOptions {
    /// The server to follow; else the one that the input seems to be of.
    pub like: Option<Like>,
    /// The time that the server's clock shows, Unix ms.
    pub now: Option<i64>,
    /// Names of commands that are taken for a module's, in any case.
    pub allowed: Vec<Vec<u8>>,
    /// Only what ends at this offset or before it.
    pub to_offset: Option<FileOffset>,
    /// Only the first so many commands.
    pub to_command: Option<u64>,
    /// Only what stands before the first `#TS:` later than this, Unix ms.
    pub to_time: Option<i64>,
    /// What a refused command leads to.
    pub errors: OnError,
    /// Offsets behind which the digest is wanted.
    pub digest_at: Vec<FileOffset>,
    /// Whether the server's digest of the end is wanted.
    pub digest: bool,
    /// Whether the full digest of the end is wanted.
    pub full_digest: bool,
    /// Keys whose time has passed by `now` are removed at the end.
    pub drop_expired: bool,
}

/// What a replay leaves.
#[derive(Debug)]
pub struct Replayed {
    /// What it came to.
    pub report: ReplayReport,
    /// The keyspace.
    pub keyspace: Keyspace,
}

/// Replays an input.
///
/// # Errors
/// Input that cannot be read, or is neither snapshot nor log; a limit on memory. Damage is a finding,
/// and what stands before it is in the keyspace.
pub fn replay(input: &InputPath, options: &ReplayOptions, run: &Run<'_>) -> Result<Replayed> {
    of_logs(opened(input, run)?, options, run)
}

/// Opens what can be replayed.
pub(crate) fn opened(input: &InputPath, run: &Run<'_>) -> Result<Logs> {
    if let InputPath::File(path) = input
        && path.is_dir()
    {
        return logs::logs(input, run);
    }
    let source = open::source(input, run)?;
    if source.kind() == Kind::Unknown {
        return Err(Error::new(ErrorKind::WrongKind {
            found: Kind::Unknown.name(),
            expected: "an RDB file or an AOF",
        }));
    }
    logs::of_source(input, source, run)
}

/// The same of what was found at a path.
pub(crate) fn of_logs(logs: Logs, options: &ReplayOptions, run: &Run<'_>) -> Result<Replayed> {
    of_files(&LogFiles::of(logs), options, run)
}

/// The same of its files.
pub(crate) fn of_files(
    files: &LogFiles,
    options: &ReplayOptions,
    run: &Run<'_>,
) -> Result<Replayed> {
    if options.drop_expired && options.now.is_none() {
        return Err(Error::usage(
            "`--drop-expired` needs `--now TIME` to judge by",
        ));
    }
    let checked = AofOptions {
        like: options.like,
        allowed: options.allowed.clone(),
    };
    let check = check_aof::of_logs(files.logs(), &checked, run)?;
    let like: Like = check.like.parse().map_err(|_| {
        Error::new(ErrorKind::Unsupported(format!(
            "the server \"{}\" is not known",
            check.like
        )))
    })?;
    let mut rules = Rules::new(like, options.now);
    rules.databases = databases(&check);
    let opened = open_all(files, run)?;
    let plan = Plan::new(files, &check, options, &opened)?;
    rules.files = Arc::new(kept_in(&check, &opened));
    let shards = if run.threads > 1 { run.threads * 8 } else { 1 };
    let mut keyspace = Keyspace::new(rules, shards);
    let mut session = Session {
        options,
        run,
        plan: &plan,
        findings: Findings::default(),
        digests: vec![None; options.digest_at.len()],
        summed: 0,
        done: 0,
    };
    // Where it ends is exact only with one thread.
    let threads = match options.errors {
        OnError::Stop => 1,
        OnError::Count => run.threads,
    };
    let (result, played) = play(
        &mut keyspace,
        threads,
        run.max_memory,
        |player| match check.fate {
            Fate::StartsEmpty(_) => Ok(()),
            _ => session.play(player, &opened),
        },
    );
    result?;
    if let Some(error) = keyspace.rules.files.fault() {
        return Err(error);
    }
    let Session {
        mut findings,
        digests,
        ..
    } = session;
    for one in &played.listed {
        findings.push(refused(one, &plan));
    }
    if played.relative > 0 {
        findings.push(Finding {
            message: format!(
                "{} with a time to live that counts from an unknown moment: their keys are kept \
                 without expiry",
                crate::report::text::counted(played.relative, "command")
            ),
            ..Finding::at(Problem::AofRelative, Place::at(0))
        });
    }
    if options.drop_expired
        && let Some(now) = options.now
    {
        drop_expired(&mut keyspace, now);
    }
    let complete = check.fate == Fate::Loads && !plan.is_partial() && findings.errors() == 0;
    let mut report = ReplayReport {
        dbs: count(&keyspace),
        functions: keyspace.functions.len() as u64,
        memory: memory(&keyspace),
        commands: played.commands,
        refused: played.refused,
        unplayable: played.unplayable,
        relative: played.relative,
        findings,
        complete,
        digest: None,
        full_digest: None,
        digests: digests.into_iter().flatten().collect(),
        check,
    };
    if options.digest {
        let Summed { digest, unknown } = digest::of_keyspace(&keyspace)?;
        report.digest = Some((digest.to_string(), unknown > 0));
    }
    if options.full_digest {
        report.full_digest = Some(digest::full(&keyspace)?.to_string());
    }
    Ok(Replayed { report, keyspace })
}

/// The keyspace of a snapshot alone, that is all at hand, as this server has it; `highest_db` is the
/// highest database in it. What is damaged ends it.
///
/// # Errors
/// A limit on memory.
pub(crate) fn of_snapshot(
    data: &[u8],
    like: Like,
    now: Option<i64>,
    highest_db: u32,
    run: &Run<'_>,
) -> Result<(Keyspace, Option<Finding>)> {
    let mut rules = Rules::new(like, now);
    rules.databases = DATABASES.max(highest_db.saturating_add(1));
    let shards = if run.threads > 1 { run.threads * 8 } else { 1 };
    let mut keyspace = Keyspace::new(rules, shards);
    let damage = load(&mut keyspace, data, None, run, |at| run.progress.at(at))?;
    Ok((keyspace, damage))
}

/// The keyspace as the bytes of a snapshot, in a temporary file.
///
/// # Errors
/// No room for it, or a value that the format cannot hold.
pub(crate) fn spooled(keyspace: &Keyspace, run: &Run<'_>) -> Result<Map> {
    let mut file = crate::io::spool::SpoolFile::new(run.max_spool)?;
    save::save(keyspace, |bytes| file.write_all(bytes))?;
    Ok(file.map()?)
}

/// A server that loads the input has at least so many databases.
fn databases(check: &AofReport) -> u32 {
    let snapshots = check.files.iter().filter_map(|f| f.preamble.as_deref());
    let highest = snapshots.map(|p| p.uses.highest_db).max().unwrap_or(0);
    DATABASES.max(highest.saturating_add(1))
}

/// The snapshots that values may stay in: those without any fault.
fn kept_in(check: &AofReport, opened: &[(usize, Opened<'_>)]) -> Files {
    let sound = |file: &FileReport| {
        let preamble = file.preamble.as_ref();
        preamble.is_some_and(|report| report.verdict == Verdict::Loads)
    };
    let files = check.files.iter().zip(opened);
    let maps = files.map(|(report, (_, file))| sound(report).then(|| Arc::clone(&file.map)));
    Files::new(maps.collect())
}

fn open_all<'f>(files: &'f LogFiles, run: &Run<'_>) -> Result<Vec<(usize, Opened<'f>)>> {
    let mut opened = Vec::new();
    for index in 0..files.count() {
        if let Some(file) = files.get(index, run)? {
            opened.push((index, file));
        }
    }
    Ok(opened)
}

/// How far each file is played.
struct Plan {
    /// Of each opened file: where its commands begin, where the server stops in it, and where the
    /// caller wants to stop.
    files: Vec<FilePlan>,
    /// Digests that are wanted, in the order of the log: file, offset, place in the list asked for.
    digests: Vec<(usize, u64, usize)>,
    /// Names, where there are several files.
    names: Vec<Option<String>>,
    partial: bool,
}

#[derive(Clone, Copy)]
struct FilePlan {
    log_start: u64,
    /// Nothing that begins here or behind it is played, and nothing of the files behind.
    stop: Option<u64>,
    /// Nothing that ends behind this.
    to: Option<u64>,
    /// Nothing at all of it.
    beyond: bool,
}

impl Plan {
    fn new(
        files: &LogFiles,
        check: &AofReport,
        options: &ReplayOptions,
        opened: &[(usize, Opened<'_>)],
    ) -> Result<Plan> {
        // What was checked is what was opened, in the same order.
        let reports = &check.files;
        let named: Vec<(String, bool)> = reports
            .iter()
            .map(|file| {
                (
                    file.name.clone(),
                    file.log_start < file.size || file.size == 0,
                )
            })
            .collect();
        let to = match &options.to_offset {
            Some(offset) => Some((offset.index(&named)?, offset.at)),
            None => None,
        };
        let mut digests = Vec::new();
        for (place, offset) in options.digest_at.iter().enumerate() {
            digests.push((offset.index(&named)?, offset.at, place));
        }
        digests.sort_unstable();
        let several = files.set().is_some();
        let mut plan = Plan {
            files: Vec::new(),
            digests,
            names: reports
                .iter()
                .map(|file| several.then(|| file.name.clone()))
                .collect(),
            partial: to.is_some() || options.to_command.is_some() || options.to_time.is_some(),
        };
        for (index, (report, _)) in reports.iter().zip(opened).enumerate() {
            let at_fault = check.at_file.is_none_or(|at| at == index);
            let stop = match &check.fate {
                Fate::Refuses(Some(at), _) | Fate::Crashes(at, _) if at_fault => Some(*at),
                // No byte is at fault, and the server does not begin.
                Fate::Refuses(None, _) => Some(0),
                _ => None,
            };
            plan.files.push(FilePlan {
                log_start: report.log_start,
                stop,
                to: to.filter(|(file, _)| *file == index).map(|(_, at)| at),
                beyond: to.is_some_and(|(file, _)| file < index),
            });
        }
        Ok(plan)
    }

    fn is_partial(&self) -> bool {
        self.partial
    }
}

/// A replay under way.
struct Session<'s, 'r> {
    options: &'s ReplayOptions,
    run: &'s Run<'r>,
    plan: &'s Plan,
    findings: Findings,
    /// Digests asked for, as far as they are known, each in its place.
    digests: Vec<Option<DigestAt>>,
    /// How many of the plan's digests are.
    summed: usize,
    /// Bytes of the files before.
    done: u64,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Go {
    On,
    Stop,
}

impl Session<'_, '_> {
    fn play<'d>(
        &mut self,
        player: &mut Player<'_, 'd>,
        opened: &'d [(usize, Opened<'_>)],
    ) -> Result<()> {
        for (index, ((_, file), plan)) in opened.iter().zip(&self.plan.files).enumerate() {
            if plan.beyond {
                break;
            }
            let go = self.file(player, index, *plan, &file.map)?;
            // What ends the load may be among the last commands of the file.
            if let Err(stopped) = player.settle() {
                self.stopped(index, &stopped)?;
                break;
            }
            if go == Go::Stop {
                break;
            }
            self.done += file.map.len() as u64;
        }
        self.digests_before(player, usize::MAX, u64::MAX)
    }

    /// Plays one file.
    fn file<'d>(
        &mut self,
        player: &mut Player<'_, 'd>,
        index: usize,
        plan: FilePlan,
        map: &'d Map,
    ) -> Result<Go> {
        let data: &'d [u8] = map;
        let mut behind = Behind::new(Some(map));
        player.begin_file();
        let start = usize::try_from(plan.log_start)
            .unwrap_or(data.len())
            .min(data.len());
        if start > 0 {
            let snapshot = data.get(..start).unwrap_or_default();
            let (run, done) = (self.run, self.done);
            let number = u16::try_from(index).ok();
            let damage = load(player.keyspace(), snapshot, number, run, |at| {
                behind.reach(at);
                run.progress.at(done + at);
            })?;
            if let Some(damage) = damage {
                let damage = self.named(index, damage);
                self.findings.push(damage);
                return Ok(Go::Stop);
            }
        }
        let mut rest = data.get(start..).unwrap_or_default();
        let mut behind = Behind::closely(map, start as u64, TELL_EVERY);
        let mut told = start as u64;
        let mut args = Vec::new();
        while !rest.is_empty() {
            let at = (data.len() - rest.len()) as u64;
            if at >= told + TELL_EVERY {
                if let Err(stopped) = player.claim(at, at - told) {
                    self.stopped(index, &stopped)?;
                }
                if player.keyspace_is_spoilt() {
                    return Ok(Go::Stop);
                }
                told = at;
                behind.reach(at.saturating_sub(IN_FLIGHT));
                self.run.progress.at(self.done + at);
            }
            if plan.stop.is_some_and(|stop| at >= stop) {
                return Ok(Go::Stop);
            }
            let (after, item) = match resp::collect(rest, &mut args) {
                Some(after) => (after, None),
                None => match resp::item(rest) {
                    Ok((after, Item::Command(command))) => {
                        args.clear();
                        args.extend(command.args());
                        (after, None)
                    }
                    Ok((after, Item::Annotation(text))) => (after, Some(text)),
                    // To servers an annotation without its line end is the end of the file.
                    Err(_) if resp::at_end(rest) == Ending::Annotation => break,
                    // What is wrong there, the check has found.
                    Err(_) => return Ok(Go::Stop),
                },
            };
            let end = (data.len() - after.len()) as u64;
            if plan.to.is_some_and(|to| end > to) {
                return Ok(Go::Stop);
            }
            match item {
                Some(text) => {
                    if self.is_too_late(text) {
                        return Ok(Go::Stop);
                    }
                    player.annotation(text);
                }
                None => {
                    if self.digests_wanted_before(index, end) {
                        self.digests_before(player, index, end)?;
                    }
                    let enough = self.options.to_command;
                    if enough.is_some_and(|enough| player.commands() >= enough) {
                        return Ok(Go::Stop);
                    }
                    if let Err(stopped) = player.play(at, &args) {
                        self.stopped(index, &stopped)?;
                        return Ok(Go::Stop);
                    }
                    if self.options.errors == OnError::Stop && player.played().refused > 0 {
                        return Ok(Go::Stop);
                    }
                }
            }
            rest = after;
        }
        Ok(Go::On)
    }

    fn is_too_late(&self, annotation: &[u8]) -> bool {
        let Some((to, time)) = self.options.to_time.zip(resp::timestamp(annotation)) else {
            return false;
        };
        let ms = i64::try_from(time).unwrap_or(i64::MAX).saturating_mul(1000);
        ms > to
    }

    /// Whether a digest is wanted of what ends before a command that ends at this offset.
    fn digests_wanted_before(&self, file: usize, end: u64) -> bool {
        let next = self.plan.digests.get(self.summed);
        next.is_some_and(|(own, at, _)| (*own, *at) < (file, end))
    }

    fn digests_before(&mut self, player: &mut Player<'_, '_>, file: usize, end: u64) -> Result<()> {
        while self.digests_wanted_before(file, end) {
            let Some(&(own, at, place)) = self.plan.digests.get(self.summed) else {
                break;
            };
            self.summed += 1;
            let Summed { digest, unknown } = digest::of_keyspace(player.keyspace())?;
            let file = self.plan.names.get(own).cloned().flatten();
            if let Some(slot) = self.digests.get_mut(place) {
                *slot = Some(DigestAt {
                    file,
                    at,
                    digest: digest.to_string(),
                    partial: unknown > 0,
                });
            }
        }
        Ok(())
    }

    /// The server ends there, which the check has not seen.
    fn stopped(&mut self, index: usize, stopped: &Stopped) -> Result<()> {
        let (problem, message) = match &stopped.why {
            Why::Memory(bytes) => {
                return Err(Error::limit(format!(
                    "the command at offset {} needs {bytes} bytes more memory than there may be",
                    stopped.at
                ))
                .with_hint(Hint::Other("`--max-memory` sets this limit")));
            }
            Why::Unknown(name) => (
                Problem::AofUnknownCommand,
                format!("the server knows no command {name}"),
            ),
            Why::Arity(why) => (Problem::AofArity { found: 0 }, why.clone()),
            Why::Crash(why) => (Problem::AofCrash, format!("servers crash: {why}")),
        };
        let finding = Finding {
            message,
            ..Finding::at(problem, Place::at(stopped.at))
        };
        let finding = self.named(index, finding);
        self.findings.push(finding);
        Ok(())
    }

    /// Puts the file's name to what was found in it.
    fn named(&self, index: usize, finding: Finding) -> Finding {
        Finding {
            file: self.plan.names.get(index).cloned().flatten(),
            ..finding
        }
    }
}

/// What a refused command is among the findings.
fn refused(one: &Refused, plan: &Plan) -> Finding {
    let problem = match one.note.why.reason() {
        Reason::Unplayable(_) => Problem::AofUnplayable,
        _ => Problem::AofRefused,
    };
    // The first argument of some is no key: that of EVAL is its script.
    let signatures = |spec: &'static CommandSpec| {
        let lines = ServerLine::ALL.iter();
        lines.filter_map(|line| spec.said_by(*line))
    };
    let spec = command::lookup(one.note.name.as_bytes());
    let is_key = spec.is_some_and(|spec| signatures(spec).any(|one| one.first_key == 1));
    Finding {
        db: Some(one.note.db),
        key: one.note.key.clone().filter(|_| is_key),
        file: plan.names.get(one.file).cloned().flatten(),
        message: format!(
            "command {}, {}: {}",
            one.note.number, one.note.name, one.note.why
        ),
        ..Finding::at(problem, Place::at(one.note.at))
    }
}

fn count(keyspace: &Keyspace) -> BTreeMap<u32, DbKeys> {
    let mut dbs = BTreeMap::new();
    for db in keyspace.dbs() {
        let mut counted = DbKeys::default();
        for slot in keyspace.keys(db) {
            counted.keys += 1;
            counted.expires += u64::from(slot.expires_at().is_some());
            *counted.types.entry(slot.value.data_type()).or_default() += 1;
        }
        dbs.insert(db, counted);
    }
    dbs
}

/// Bytes that keys and values take, about: the same for any number of parts.
fn memory(keyspace: &Keyspace) -> u64 {
    let dbs = keyspace.shards().iter().flat_map(|shard| shard.dbs());
    let slots = dbs.flat_map(|(_, db)| db.iter());
    let bytes = slots.map(|slot| size_of::<Slot>() + INDEX_ENTRY + slot.heap());
    bytes.sum::<usize>() as u64
}

/// Removes what has passed, as a server does once it has started.
fn drop_expired(keyspace: &mut Keyspace, now: i64) {
    for shard in keyspace.shards_mut() {
        for db in shard.dbs_mut() {
            let passed: Vec<Vec<u8>> = db
                .iter()
                .filter(|slot| slot.expires_at().is_some_and(|at| at < now))
                .map(|slot| slot.name().to_vec())
                .collect();
            for key in passed {
                db.remove(&key);
            }
        }
    }
}
