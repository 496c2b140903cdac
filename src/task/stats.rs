//! Counts the keys of a snapshot, or of what a log comes to, by what they have in common, and the
//! commands of a log.
//!
//! One thread frames, others count batches, and what they counted is put together in the order of the
//! file: tables of bounded length come out the same for any number of threads.

mod busy;
mod count;
mod log;
mod prefix;
mod top;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memmem::Finder;

use crate::bytes::Problem;
use crate::command::Like;
use crate::encoding::crc64;
use crate::error::{Error, ErrorKind, Hint, Place, Result, What};
use crate::io::ordered::{Piece, Pieces, Wanted, ordered};
use crate::io::progress::Quiet;
use crate::io::source::{Behind, Content};
use crate::rdb::Scratch;
use crate::rdb::batch::{Batch, Batches};
use crate::rdb::value::count as values;
use crate::record::filter::{Filter, FilterOptions};
use crate::record::room::Room;
use crate::record::types::RdbVersion;
use crate::record::{Checksum, Entry, Flow, Record};
use crate::report::aof::AofReport;
use crate::report::finding::{Finding, Findings};
use crate::report::stats::{LogStats, Of, Rewrite, Since, Stats, StatsReport};
use crate::task::log_files::LogFiles;
use crate::task::open::{self, Dumpable};
use crate::task::replay::{self, ReplayOptions, Replayed};
use crate::task::stats::count::{Counts, Least, Ways};
use crate::task::stats::log::Commands;
use crate::task::{InputPath, Run};

/// The longest list of keys that stand out.
pub const MOST_LISTED: usize = 10_000;
/// The deepest prefix.
pub const DEEPEST: usize = 16;

/// How keys are counted.
#[derive(Clone, Debug)]
pub struct StatsOptions {
    /// What ends a prefix; not empty.
    pub separator: Vec<u8>,
    /// How many separators a prefix has at most.
    pub depth: usize,
    /// How long the lists are of keys that stand out.
    pub top: usize,
    /// The time that expiries are judged by, Unix ms.
    pub now: Option<i64>,
    /// The server that a log is replayed as; else the one that it seems to be of.
    pub like: Option<Like>,
    /// Names of commands that are taken for a module's, in any case.
    pub allowed: Vec<Vec<u8>>,
    /// Which keys are counted.
    pub filter: FilterOptions,
}

impl Default for StatsOptions {
    fn default() -> Self {
        StatsOptions {
            separator: b":".to_vec(),
            depth: 1,
            top: 10,
            now: None,
            like: None,
            allowed: Vec::new(),
            filter: FilterOptions::default(),
        }
    }
}

/// Counts an input. Damage is in the report, and what could be read is counted.
///
/// # Errors
/// Input that cannot be read or is neither snapshot nor log; a limit; options that make no sense.
pub fn stats(
    name: &str,
    input: &InputPath,
    options: &StatsOptions,
    run: &Run<'_>,
) -> Result<StatsReport> {
    if options.separator.is_empty() {
        return Err(Error::usage("a prefix needs a separator that ends it"));
    }
    if options.depth > DEEPEST || options.top > MOST_LISTED {
        let text = format!("at most {DEEPEST} prefixes of a key, and {MOST_LISTED} keys a list");
        return Err(Error::usage(text));
    }
    let filter = Filter::new(&options.filter)?;
    let since = options.now.map(|now| (now, Since::Now));
    match open::countable(input, run)? {
        Dumpable::Snapshot(content) => {
            let counted = counted(content, options, &filter, since, run)?;
            Ok(StatsReport {
                input: name.to_owned(),
                of: Of::Snapshot(counted.version, counted.size),
                complete: counted.findings.errors() == 0,
                stats: counted.stats,
                findings: counted.findings,
            })
        }
        Dumpable::Logs(logs) => of_log(name, &LogFiles::of(logs), options, &filter, run),
    }
}

/// Replays a log, counts what the server would save then, and the commands.
fn of_log(
    name: &str,
    files: &LogFiles,
    options: &StatsOptions,
    filter: &Filter,
    run: &Run<'_>,
) -> Result<StatsReport> {
    let replayed = ReplayOptions {
        like: options.like,
        now: options.now,
        allowed: options.allowed.clone(),
        ..ReplayOptions::default()
    };
    let Replayed { report, keyspace } = replay::of_files(files, &replayed, run)?;
    let map = replay::spooled(&keyspace, run)?;
    drop(keyspace);
    let then = map.len() as u64;
    let since = options.now.map(|now| (now, Since::Now));
    let since = since.or_else(|| moment_of(&report.check));
    let quiet = Run {
        progress: &Quiet,
        ..*run
    };
    let counted = counted(Content::Map(map), options, filter, since, &quiet)?;
    let mut commands = Commands::new(filter, &options.filter);
    let starts = report.check.files.iter().map(|file| file.log_start);
    // What was checked is what is opened, in the same order.
    let mut starts = starts.map(|at| usize::try_from(at).unwrap_or(usize::MAX));
    for index in 0..files.count() {
        let Some(file) = files.get(index, run)? else {
            continue;
        };
        let start = starts.next().unwrap_or(0);
        let mut behind = Behind::new(Some(&file.map));
        let log = file.map.get(start..).unwrap_or_default();
        commands.log(log, &options.allowed, |at| behind.reach(start as u64 + at));
    }
    let (names, other_commands, busiest) = commands.finish(options.top);
    let mut findings = report.all_findings();
    findings.append(counted.findings);
    Ok(StatsReport {
        input: name.to_owned(),
        of: Of::Log(Box::new(LogStats {
            commands: names,
            other_commands,
            busiest,
            rewrite: Rewrite {
                now: files.size(),
                then,
            },
            replayed: report.commands,
            refused: report.refused,
            unplayable: report.unplayable,
            check: report.check,
        })),
        complete: report.complete && findings.errors() == 0,
        stats: counted.stats,
        findings,
    })
}

/// The last moment that a log names, else that of the snapshot in front.
fn moment_of(check: &AofReport) -> Option<(i64, Since)> {
    let times = check.files.iter().filter_map(|file| file.tally.times);
    if let Some(last) = times.map(|(_, last)| last).max() {
        return Some((i64::try_from(last).ok()?.checked_mul(1000)?, Since::Log));
    }
    let snapshots = check
        .files
        .iter()
        .filter_map(|file| file.preamble.as_deref());
    let mut aux = snapshots.flat_map(|snapshot| &snapshot.aux);
    let (_, ctime) = aux.find(|(name, _)| name == b"ctime")?;
    Some((seconds(ctime)?, Since::Snapshot))
}

/// Seconds since 1970, in ms.
fn seconds(text: &[u8]) -> Option<i64> {
    let seconds: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    seconds.checked_mul(1000)
}

/// What a snapshot comes to.
struct Counted {
    stats: Stats,
    version: Option<RdbVersion>,
    size: u64,
    findings: Findings,
}

/// Facts in front of the keys, which the framing thread finds before anybody counts.
#[derive(Clone, Copy, Debug, Default)]
struct Front {
    version: Option<RdbVersion>,
    ctime: Option<i64>,
}

impl Front {
    fn of(batch: &Batch<'_>) -> Front {
        let mut front = Front::default();
        // What is wrong there, whoever counts the batch finds as well.
        let _ = batch.for_each(|record| {
            match record {
                Record::Header(version) => front.version = Some(*version),
                Record::Aux { name, value } => {
                    let is_ctime = name.to_bytes().is_ok_and(|name| *name == *b"ctime");
                    if let (true, Ok(value)) = (is_ctime, value.to_bytes()) {
                        front.ctime = front.ctime.or_else(|| seconds(&value));
                    }
                }
                Record::Entry(_) | Record::Run { .. } => return Ok(Flow::Stop),
                _ => {}
            }
            Ok(Flow::Continue)
        });
        front
    }
}

fn counted(
    mut content: Content,
    options: &StatsOptions,
    filter: &Filter,
    since: Option<(i64, Since)>,
    run: &Run<'_>,
) -> Result<Counted> {
    let mut batches = Batches::of_content(&mut content, run.max_spool);
    let mut behind = batches.behind();
    // Counting keys up to a limit is a matter of their order: one worker does it.
    let threads = match filter.limit() {
        Some(_) => 1,
        None => run.threads,
    };
    let front: OnceLock<Front> = OnceLock::new();
    let since = |front: Option<&Front>| {
        let ctime = front.and_then(|front| front.ctime);
        since.or(ctime.map(|at| (at, Since::Snapshot)))
    };
    let least = [const { AtomicU64::new(0) }; 3];
    let mut collector = Collector::new(options);
    {
        let (batches, front, least) = (&mut batches, &front, &least);
        let mut ended = false;
        let next = move || {
            if ended {
                return None;
            }
            let next = batches.next_batch();
            ended = next.is_err();
            if let Ok(Some(batch)) = &next {
                front.get_or_init(|| Front::of(batch));
            }
            next.transpose()
        };
        let work = |worker: &mut Worker<'_>, job: Result<Batch<'_>>, _: &mut Pieces<'_>| {
            let batch = match job {
                Ok(batch) => batch,
                Err(error) => {
                    return Outcome {
                        failed: Some(error),
                        ..Outcome::new(options)
                    };
                }
            };
            worker.ways.since = since(front.get());
            // What has no place now will have none later.
            let least = least.each_ref();
            worker.ways.least = least.map(|least| least.load(Ordering::Relaxed));
            worker.batch(&batch)
        };
        ordered(
            threads,
            next,
            || Worker::new(options, filter),
            work,
            |piece| {
                let Piece::Done(outcome) = piece else {
                    return (Wanted::More, None);
                };
                let wanted = collector.take(outcome);
                for (shared, own) in least.iter().zip(collector.least()) {
                    shared.store(own, Ordering::Relaxed);
                }
                behind.reach(collector.end);
                run.progress.at(collector.end);
                (wanted, None)
            },
        );
    }
    let trailing = match collector.has_ended() {
        true => match batches.whole() {
            Some(whole) => (whole.len() as u64).saturating_sub(collector.end),
            None => batches.count_trailing()?,
        },
        false => 0,
    };
    let size = match batches.whole() {
        Some(whole) => whole.len() as u64,
        None => collector.end + trailing,
    };
    let version = front.get().and_then(|front| front.version);
    collector.finish(trailing, since(front.get()), version, size)
}

/// What a job yields.
struct Outcome {
    counts: Counts,
    crc: u64,
    summed: u64,
    end: u64,
    checksum: Option<Checksum>,
    findings: Findings,
    failed: Option<Error>,
    enough: bool,
}

impl Outcome {
    fn new(options: &StatsOptions) -> Outcome {
        Outcome {
            counts: Counts::of_batch(options),
            crc: 0,
            summed: 0,
            end: 0,
            checksum: None,
            findings: Findings::default(),
            failed: None,
            enough: false,
        }
    }

    /// Takes note of a fault inside a record, which keeps nobody from reading the next one.
    #[cold]
    fn flaw(&mut self, batch: &Batch<'_>, entry: &Entry<'_>, error: Error) -> Result<()> {
        if !matches!(error.kind(), ErrorKind::Bytes(_)) {
            return Err(error);
        }
        let Some(mut finding) = Finding::from_error(&error, entry.end()) else {
            return Err(error);
        };
        finding.db = Some(entry.db);
        finding.key = entry.key.to_bytes().ok().map(|key| key.into_owned());
        finding.value_type = Some(entry.value.rdb_type.name());
        finding.place = batch.place(finding.place);
        if batch.run.is_some() {
            (finding.start, finding.end) = (finding.place.offset, finding.place.offset);
        }
        self.findings.push(finding);
        Ok(())
    }
}

/// Counts batches on one thread.
struct Worker<'o> {
    options: &'o StatsOptions,
    filter: &'o Filter,
    ways: Ways<'o>,
    scratch: Scratch,
    room: Room,
    counted: u64,
}

impl<'o> Worker<'o> {
    fn new(options: &'o StatsOptions, filter: &'o Filter) -> Self {
        Worker {
            options,
            filter,
            ways: Ways {
                options,
                separator: Finder::new(&options.separator),
                since: None,
                least: [0; 3],
            },
            scratch: Scratch::default(),
            room: Room::default(),
            counted: 0,
        }
    }

    fn batch(&mut self, batch: &Batch<'_>) -> Outcome {
        let bytes: &[u8] = &batch.block;
        let summed = bytes.get(..batch.summed).unwrap_or_default();
        let mut outcome = Outcome {
            crc: crc64::checksum(summed),
            summed: summed.len() as u64,
            end: match batch.run {
                None => batch.at + bytes.len() as u64,
                Some(_) => 0,
            },
            ..Outcome::new(self.options)
        };
        self.scratch.templates = std::sync::Arc::clone(batch.state().templates());
        let result = batch.for_each(|record| {
            match record {
                Record::Entry(entry) => return self.entry(batch, entry, &mut outcome),
                Record::Eof(checksum) => outcome.checksum = Some(*checksum),
                _ => {}
            }
            Ok(Flow::Continue)
        });
        if let Err(error) = result {
            outcome.failed = Some(error);
        }
        outcome
    }

    #[inline]
    fn entry(
        &mut self,
        batch: &Batch<'_>,
        entry: &Entry<'_>,
        outcome: &mut Outcome,
    ) -> Result<Flow> {
        let scratch = &mut self.scratch;
        if !self.filter.is_everything() {
            let elements = || values::elements(&entry.value, scratch);
            match self.filter.matches(entry, &mut self.room, elements) {
                Ok(true) => {}
                Ok(false) => return Ok(Flow::Continue),
                Err(error) => {
                    outcome.flaw(batch, entry, error)?;
                    return Ok(Flow::Continue);
                }
            }
        }
        let limit = self.filter.limit();
        if limit.is_some_and(|limit| self.counted >= limit) {
            outcome.enough = true;
            return Ok(Flow::Stop);
        }
        self.counted += 1;
        let elements = match values::elements(&entry.value, scratch) {
            Ok(elements) => elements,
            // What it consists of is not known; its bytes are.
            Err(error) => {
                outcome.flaw(batch, entry, error)?;
                0
            }
        };
        let mut text = itoa::Buffer::new();
        let name = match scratch.key(entry.key, entry.at) {
            Ok(name) => Some(name.bytes(&mut text)),
            Err(error) => {
                outcome.flaw(batch, entry, error)?;
                None
            }
        };
        outcome.counts.key(entry, name, elements, &self.ways);
        Ok(Flow::Continue)
    }
}

/// Puts counts together, in order.
struct Collector<'o> {
    options: &'o StatsOptions,
    counts: Counts,
    crc: u64,
    end: u64,
    checksum: Option<Checksum>,
    enough: bool,
    findings: Findings,
    failed: Option<Error>,
}

impl<'o> Collector<'o> {
    fn new(options: &'o StatsOptions) -> Self {
        Collector {
            options,
            counts: Counts::of_input(options),
            crc: 0,
            end: 0,
            checksum: None,
            enough: false,
            findings: Findings::default(),
            failed: None,
        }
    }

    fn take(&mut self, outcome: Outcome) -> Wanted {
        self.counts.add(outcome.counts);
        self.findings.append(outcome.findings);
        self.crc = crc64::combine(self.crc, outcome.crc, outcome.summed);
        self.end = self.end.max(outcome.end);
        self.checksum = self.checksum.or(outcome.checksum);
        self.enough |= outcome.enough;
        if let Some(error) = outcome.failed {
            let at = error.place().map_or(0, |place| place.offset);
            match Finding::from_error(&error, at) {
                Some(finding) => self.findings.push(finding),
                None => self.failed = Some(error),
            }
            return Wanted::Nothing;
        }
        match self.enough {
            true => Wanted::Nothing,
            false => Wanted::More,
        }
    }

    fn least(&self) -> Least {
        self.counts.least()
    }

    /// Whether the end mark was reached.
    fn has_ended(&self) -> bool {
        self.checksum.is_some() && !self.enough && self.failed.is_none()
    }

    fn finish(
        mut self,
        trailing: u64,
        since: Option<(i64, Since)>,
        version: Option<RdbVersion>,
        size: u64,
    ) -> Result<Counted> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let end = self.end;
        if let Some(Checksum::Stored(stored)) = self.checksum
            && !self.enough
            && stored != self.crc
        {
            let computed = self.crc;
            let problem = Problem::Checksum { stored, computed };
            let place = Place::at(end.saturating_sub(8));
            let error = Error::bytes(problem, place, What::Checksum);
            let error = error.with_hint(Hint::IgnoreChecksum);
            self.findings.push_all(Finding::from_error(&error, end));
        }
        if trailing > 0 {
            let problem = Problem::TrailingBytes { count: trailing };
            let error = Error::bytes(problem, Place::at(end), What::Record);
            let error = error.with_hint(Hint::TrailingBytes);
            self.findings
                .push_all(Finding::from_error(&error, end + trailing));
        }
        Ok(Counted {
            stats: self.counts.finish(self.options, since),
            version,
            size,
            findings: self.findings,
        })
    }
}
