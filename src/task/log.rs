//! A log as readable lines or as JSON: its commands one by one, with where they stand, when they
//! were written and in which database they run.
//!
//! One thread frames the log and cuts it into jobs, each with the position that it begins at; others
//! format them. So the output does not depend on how many there are.

mod job;
mod line;

use crate::aof::log::{Damage, Event, LogReader};
use crate::aof::position::Position;
use crate::error::{Place, Result};
use crate::io::ordered::{Chunk, Piece, Pieces, Wanted, ordered};
use crate::io::source::Behind;
use crate::record::glob::Glob;
use crate::report::finding::{Finding, Findings, Severity};
use crate::task::check_aof::{AnyServer, LogStart};
use crate::task::dump::ChunkSink;
use crate::task::front::Front;
use crate::task::log::job::{Job, Worker};
use crate::task::log_files::LogFiles;
use crate::task::place::FileOffset;
use crate::task::{InputPath, Run};

/// The form that a log is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogForm {
    /// A line for people for each command, annotation and damage.
    #[default]
    Text,
    /// An object a line for each command and damage.
    Lines,
    /// The same objects in one document.
    Document,
}

/// What of a log is written, and how.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// The form.
    pub form: LogForm,
    /// Text: arguments as long as they are, and all of them.
    pub full: bool,
    /// Only commands of these names, in any case, if there are any.
    pub names: Vec<Vec<u8>>,
    /// Only commands with a key that matches one of these patterns, if there are any.
    pub keys: Vec<Vec<u8>>,
    /// Only commands that run in these databases, if there are any.
    pub dbs: Vec<u32>,
    /// Only what was written at this time or later, Unix ms.
    pub from_time: Option<i64>,
    /// Only what was written at this time or before, Unix ms.
    pub to_time: Option<i64>,
    /// Only what begins here or later.
    pub from: Option<FileOffset>,
    /// Only what ends here or before.
    pub to: Option<FileOffset>,
    /// So many commands at the most.
    pub limit: Option<u64>,
}

/// A snapshot that stands in front of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInFront {
    /// The file.
    pub file: String,
    /// Its bytes in that file.
    pub bytes: u64,
}

/// What the writing of a log came to.
#[derive(Clone, Debug, Default)]
pub struct LogOutcome {
    /// Commands written.
    pub commands: u64,
    /// Damage that was met, and files that are missing.
    pub findings: Findings,
    /// What was passed over.
    pub snapshots: Vec<SnapshotInFront>,
    /// Where damage may hide a SELECT: the database of what follows in that file is in doubt.
    pub doubtful_db: Vec<(String, u64)>,
}

/// Writes a log. Damage is in the outcome, and in its place in the text; it goes on behind it.
///
/// # Errors
/// Input that cannot be read or is no log, a snapshot in front of a version that is not known,
/// output that fails, offsets that name no place.
pub fn log(
    input: &InputPath,
    options: &LogOptions,
    run: &Run<'_>,
    out: &mut dyn ChunkSink,
) -> Result<LogOutcome> {
    let files = LogFiles::open(input, run)?;
    run.progress.size(Some(files.size()));
    let picks = Picks::new(options, &files, run)?;
    let mut collector = Collector::new(options, out);
    let problems = files.problems();
    let errors = problems.list().iter();
    for finding in errors.filter(|finding| finding.severity == Severity::Error) {
        collector.outcome.findings.push(finding.clone());
    }
    let mut position = Position::default();
    let mut done = 0;
    for index in 0..files.count() {
        if collector.enough {
            break;
        }
        let Some(range) = picks.range(index) else {
            break;
        };
        let Some(file) = files.get(index, run)? else {
            continue;
        };
        position.next_file();
        let mut behind = Behind::new(Some(&file.map));
        let mut reached = |at: u64| {
            behind.reach(at);
            run.progress.at(done + at);
        };
        let listed = Listed {
            name: files.name(index),
            in_set: files.set().is_some(),
            data: &file.map,
            range,
        };
        collector.file(&listed, &picks, &mut position, run, &mut reached)?;
        done += file.map.len() as u64;
    }
    collector.finish()
}

/// A file that is being listed.
struct Listed<'d> {
    name: String,
    in_set: bool,
    data: &'d [u8],
    range: Range,
}

/// The offsets that are asked for in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: u64,
    to: u64,
}

/// What is asked for.
struct Picks<'o> {
    options: &'o LogOptions,
    keys: Vec<Glob>,
    from: Option<(usize, u64)>,
    to: Option<(usize, u64)>,
}

impl<'o> Picks<'o> {
    fn new(options: &'o LogOptions, files: &LogFiles, run: &Run<'_>) -> Result<Picks<'o>> {
        let mut named = Vec::new();
        if options.from.is_some() || options.to.is_some() {
            let bare = [&options.from, &options.to];
            let bare = bare
                .into_iter()
                .flatten()
                .any(|offset| offset.file.is_none());
            named = files_with_logs(files, bare, run)?;
        }
        let resolve = |offset: &Option<FileOffset>| -> Result<Option<(usize, u64)>> {
            let Some(offset) = offset else {
                return Ok(None);
            };
            Ok(Some((offset.index(&named)?, offset.at)))
        };
        Ok(Picks {
            options,
            keys: options.keys.iter().map(|key| Glob::new(key)).collect(),
            from: resolve(&options.from)?,
            to: resolve(&options.to)?,
        })
    }

    /// What is asked for of a file; nothing where it and all behind it are not.
    fn range(&self, index: usize) -> Option<Range> {
        let from = match self.from {
            Some((file, at)) if file == index => at,
            Some((file, _)) if file > index => u64::MAX,
            _ => 0,
        };
        let to = match self.to {
            Some((file, _)) if file < index => return None,
            Some((file, at)) if file == index => at,
            _ => u64::MAX,
        };
        Some(Range { from, to })
    }

    /// Whether annotations are shown: not where only certain commands are asked for.
    fn annotations(&self) -> bool {
        let options = self.options;
        options.names.is_empty() && self.keys.is_empty() && options.dbs.is_empty()
    }

    /// Whether what is written at this time is asked for. What stands before the first time in a
    /// log was written before it.
    fn in_time(&self, time: Option<u64>) -> bool {
        let (from, to) = (self.options.from_time, self.options.to_time);
        if from.is_none() && to.is_none() {
            return true;
        }
        let ms = time.map(|seconds| {
            i64::try_from(seconds)
                .unwrap_or(i64::MAX)
                .saturating_mul(1000)
        });
        let after = from.is_none_or(|from| ms.is_some_and(|ms| ms >= from));
        let before = to.is_none_or(|to| ms.is_none_or(|ms| ms <= to));
        after && before
    }
}

/// The names of the files, each with whether it holds a log; only where `look` says so they are
/// looked at for it.
pub(crate) fn files_with_logs(
    files: &LogFiles,
    look: bool,
    run: &Run<'_>,
) -> Result<Vec<(String, bool)>> {
    let mut named = Vec::new();
    for index in 0..files.count() {
        let mut is_log = true;
        if look && files.count() > 1 {
            is_log = match files.get(index, run)? {
                None => false,
                Some(file) => {
                    let mut behind = Behind::new(Some(&file.map));
                    let reached = |at| behind.reach(at);
                    let front = Front::of(&file.map, &AnyServer::default(), reached)?;
                    front.len(&file.map) < file.map.len() || file.map.is_empty()
                }
            };
        }
        named.push((files.name(index), is_log));
    }
    Ok(named)
}

/// Puts text and outcomes together, in order.
struct Collector<'a> {
    options: &'a LogOptions,
    out: &'a mut dyn ChunkSink,
    outcome: LogOutcome,
    opened: bool,
    any: bool,
    enough: bool,
}

/// What a job yields besides text.
#[derive(Default)]
struct Done {
    written: u64,
    finding: Option<Finding>,
    /// What follows may run in another database.
    hides_select: bool,
    end: u64,
}

impl<'a> Collector<'a> {
    fn new(options: &'a LogOptions, out: &'a mut dyn ChunkSink) -> Self {
        Collector {
            options,
            out,
            outcome: LogOutcome::default(),
            opened: false,
            any: false,
            enough: options.limit == Some(0),
        }
    }

    /// Lists a file; `position` is that at its start, and then that at its end.
    fn file(
        &mut self,
        file: &Listed<'_>,
        picks: &Picks<'_>,
        position: &mut Position,
        run: &Run<'_>,
        reached: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let names = AnyServer::default();
        let front = Front::of(file.data, &names, &mut *reached)?;
        let start = front.len(file.data);
        if start > 0 && front.damage.is_none() {
            self.outcome.snapshots.push(SnapshotInFront {
                file: file.name.clone(),
                bytes: start as u64,
            });
        }
        let log = file.data.get(start..).unwrap_or_default();
        let mut cutter = Cutter {
            reader: LogReader::new(log, &names),
            log,
            offset: start as u64,
            next: (0, *position),
            position: *position,
            held: None,
            until: file.range.to,
            waiting: front_job(&front, *position),
        };
        // A limit is a matter of order: one worker counts.
        let limit = self.options.limit;
        let left = limit.map(|limit| limit.saturating_sub(self.outcome.commands));
        let threads = if left.is_some() { 1 } else { run.threads };
        let mut failed = Ok(());
        {
            let options = self.options;
            let cutter = &mut cutter;
            ordered(
                threads,
                move || cutter.next_job(),
                || Worker::new(options, picks, file, left),
                |worker: &mut Worker<'_>, job: Job<'_>, pieces: &mut Pieces<'_>| {
                    worker.job(&job, pieces)
                },
                |piece| {
                    let (result, chunk) = self.take(piece, &file.name, reached);
                    let wanted = match &result {
                        Ok(()) if self.enough => Wanted::Nothing,
                        Ok(()) => Wanted::More,
                        Err(_) => Wanted::Nothing,
                    };
                    if result.is_err() {
                        failed = result;
                    }
                    (wanted, chunk)
                },
            );
        }
        *position = cutter.position;
        failed
    }

    fn take(
        &mut self,
        piece: Piece<Done>,
        file: &str,
        reached: &mut dyn FnMut(u64),
    ) -> (Result<()>, Option<Chunk>) {
        match piece {
            Piece::Chunk(chunk) => (self.text(&chunk), Some(chunk)),
            Piece::Done(done) => {
                self.outcome.commands += done.written;
                let limit = self.options.limit;
                self.enough |= limit.is_some_and(|limit| self.outcome.commands >= limit);
                if let Some(finding) = done.finding {
                    let known = &mut self.outcome.doubtful_db;
                    if done.hides_select && known.iter().all(|(name, _)| name != file) {
                        known.push((file.to_owned(), finding.end));
                    }
                    self.outcome.findings.push(finding);
                }
                reached(done.end);
                (Ok(()), None)
            }
        }
    }

    fn text(&mut self, chunk: &[u8]) -> Result<()> {
        if self.options.form != LogForm::Document || chunk.is_empty() {
            return self.out.chunk(chunk);
        }
        self.open()?;
        // Every element begins with a comma; the first one has none.
        let from = usize::from(!std::mem::replace(&mut self.any, true));
        self.out.chunk(chunk.get(from..).unwrap_or_default())
    }

    fn open(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.opened, true) {
            true => Ok(()),
            false => self.out.chunk(b"{\"commands\":["),
        }
    }

    fn finish(mut self) -> Result<LogOutcome> {
        if self.options.form == LogForm::Document {
            self.open()?;
            let complete: &[u8] = match self.outcome.findings.errors() {
                0 => b"],\"complete\":true}\n",
                _ => b"],\"complete\":false}\n",
            };
            self.out.chunk(complete)?;
        }
        Ok(self.outcome)
    }
}

/// Cuts a log into jobs. The last command read is held back: damage behind it may show that it is
/// none.
struct Cutter<'d, 'n> {
    reader: LogReader<'d, 'n, AnyServer<'n>>,
    log: &'d [u8],
    /// Of the log in its file.
    offset: u64,
    /// Where the next job begins, and the position there.
    next: (usize, Position),
    /// Behind what was read.
    position: Position,
    /// The command that was read last, if it was no annotation: where it begins, and the position
    /// there.
    held: Option<(usize, Position)>,
    /// What begins here or later is not asked for.
    until: u64,
    /// Comes before anything else.
    waiting: Option<Job<'d>>,
}

impl<'d> Cutter<'d, '_> {
    fn next_job(&mut self) -> Option<Job<'d>> {
        if let Some(waiting) = self.waiting.take() {
            return Some(waiting);
        }
        let (start, before) = self.next;
        let mut damage = None;
        let mut end = loop {
            let at = self.reader.offset();
            let known = self.held.map_or(at, |(held, _)| held);
            if known - start >= JOB {
                break known;
            }
            if self.offset + (at as u64) >= self.until {
                self.held = None;
                break at;
            }
            match self.reader.next() {
                None => {
                    self.held = None;
                    break at;
                }
                Some((at, Event::Command(command))) => {
                    self.held = Some((at, self.position));
                    self.position.command(&command);
                }
                Some((_, Event::Annotation(text))) => {
                    self.held = None;
                    self.position.annotation(text);
                }
                Some((_, Event::Damage(found))) => {
                    damage = Some(found);
                    break at;
                }
            }
        };
        let damage = damage.map(|damage| {
            if damage.swallowed.is_some()
                && let Some((held, position)) = self.held
            {
                (end, self.position) = (held, position);
            }
            self.held = None;
            self.damage(&damage)
        });
        self.next = match (&damage, self.held) {
            (Some(_), _) | (None, None) => (self.reader.offset(), self.position),
            (None, Some(held)) => held,
        };
        if start == end {
            return damage;
        }
        self.waiting = damage;
        Some(Job {
            at: self.offset + start as u64,
            bytes: self.log.get(start..end).unwrap_or_default(),
            before,
            damage: None,
        })
    }

    #[cold]
    fn damage(&self, damage: &Damage) -> Job<'d> {
        let start = self.offset + damage.start as u64;
        let mut finding = Finding::at(damage.problem, Place::at(start));
        finding.end = self.offset + damage.end as u64;
        finding.place = Place::at(self.offset + damage.at as u64);
        Job {
            at: start,
            bytes: &[],
            before: self.position,
            damage: Some((damage.cause.name(), finding)),
        }
    }
}

/// Damage of the snapshot in front.
fn front_job<'d>(front: &Front, position: Position) -> Option<Job<'d>> {
    let mut finding = front.damage.clone()?;
    finding.start = match front.start {
        LogStart::Found(from, _) => from,
        LogStart::Known(_) | LogStart::Unknown => finding.start,
    };
    Some(Job {
        at: finding.start,
        bytes: &[],
        before: position,
        damage: Some(("damaged-snapshot", finding)),
    })
}

/// Bytes of a log that one job formats, at the least.
const JOB: usize = 256 << 10;
