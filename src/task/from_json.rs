//! A snapshot from JSON: the way back of [`dump`](super::dump).
//!
//! Memory stays flat: what is held is the records that are being read, and of each key a
//! fingerprint, spilled to a temporary file where there are many.

mod goal;
mod record;
mod split;
mod value;

use crate::error::{Error, ErrorKind, Place, Result};
use crate::io::kind::Kind;
use crate::io::ordered::{Piece, Pieces, Wanted, ordered};
use crate::rdb::string::Compress;
use crate::rdb::writer::RdbWriter;
use crate::record::target::Target;
use crate::report::json::read::{Cursor, Flaw, Read, StringRoom, flaw};
use crate::task::dump::ChunkSink;
use crate::task::duplicates::{Fingerprinter, KeyPrint, KeysTwice};
use crate::task::{InputPath, Run, open};
use crate::write::Format;

use record::{Records, Wrote};
use split::{Is, Job, Splitter, Start};

/// Bytes that are written at once.
const CHUNK: usize = 1 << 20;
/// Errors that are told; more of them are counted.
const TOLD: usize = 100;

/// How a snapshot is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct FromJsonOptions {
    /// The server that shall load it; without one the source says which wrote it.
    pub target: Option<&'static Target>,
    /// Goes on behind a record that cannot be read.
    pub keep_going: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct FromJsonOutcome {
    /// The server that it is written for.
    pub target: &'static str,
    /// Keys written.
    pub keys: u64,
    /// Collections without elements, left out as the target does: servers before 7.0 keep them.
    pub empty: u64,
    /// What could not be read, the first of it.
    pub errors: Vec<Error>,
    /// How many errors there were.
    pub faults: u64,
    /// Keys that stand twice in a database: servers refuse such a file.
    pub twice: Vec<Error>,
    /// How many of them there are.
    pub twice_count: u64,
    /// What the source says is not all that it should hold.
    pub incomplete: bool,
    /// Keys that its last record speaks of, where they are not as many.
    pub expected_keys: Option<u64>,
}

/// Writes a snapshot from JSON. Damage is in the outcome.
///
/// # Errors
/// Input that cannot be read or is no JSON; what the target cannot hold; output that fails, a limit.
pub fn from_json(
    input: &InputPath,
    options: &FromJsonOptions,
    run: &Run<'_>,
    out: &mut dyn ChunkSink,
) -> Result<FromJsonOutcome> {
    let source = open::source(input, run)?;
    match source.kind() {
        Kind::Unknown | Kind::Empty => {}
        kind => {
            return Err(Error::new(ErrorKind::WrongKind {
                found: kind.name(),
                expected: "JSON as `dump-to-json` writes it",
            }));
        }
    }
    if source.kind() == Kind::Empty {
        let text = "the input is empty: a dump of no keys has at least its end with `--with-end`";
        return Err(Error::text(text, Place::at(0)));
    }
    run.progress.size(source.origin().content_size());
    let mut content = source.into_content();
    let mut splitter = Splitter::new(&mut content, run.max_memory / 4);
    let mut behind = splitter.behind();
    let first = splitter.next_job();
    let goal = match (options.target, &first) {
        (Some(target), _) => Format::named(target.name)?,
        (None, Ok(Some(job))) => goal::of_writer(&facts(job))?,
        (None, _) => goal::of_writer(&[])?,
    };
    let prints = (Fingerprinter::default(), Fingerprinter::default());
    let mut collector = Collector::new(&goal, options, out);
    {
        let mut next = Some(first.transpose());
        let next = move || {
            let job = match next.take() {
                Some(first) => first,
                None => splitter.next_job().transpose(),
            };
            // Nothing can be read behind an error.
            if !matches!(job, Some(Ok(_))) {
                next = Some(None);
            }
            job
        };
        let worker = || Worker {
            records: Records::new(&goal, (&prints.0, &prints.1)),
            keep_going: options.keep_going,
        };
        let work = |worker: &mut Worker<'_>, job: Result<Job<'_>>, _: &mut Pieces<'_>| match job {
            Ok(job) => worker.job(&job),
            Err(error) => Outcome {
                failed: Some(error),
                ..Outcome::default()
            },
        };
        ordered(run.threads, next, worker, work, |piece| {
            let wanted = match piece {
                Piece::Chunk(_) => Wanted::More,
                Piece::Done(outcome) => {
                    run.progress.at(outcome.end);
                    behind.reach(outcome.end);
                    collector.take(outcome)
                }
            };
            (wanted, None)
        });
    }
    collector.finish()
}

/// What a dump says of its source before the first key.
fn facts(job: &Job<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut facts = Vec::new();
    for item in &job.items {
        let text = job.text.get(item.range.clone()).unwrap_or_default();
        let read = match item.is {
            Is::Record => aux(text).map(|fact| fact.into_iter().collect()),
            Is::Meta => meta(text),
            Is::Complete => continue,
            Is::Broken(_) => break,
        };
        // What cannot be read is told where it is read for good.
        match read {
            Ok(read) if !read.is_empty() || item.is == Is::Meta => facts.extend(read),
            _ => break,
        }
    }
    facts
}

type Fact = (Vec<u8>, Vec<u8>);

fn aux(text: &[u8]) -> Read<Option<Fact>> {
    let mut names = Vec::new();
    let mut room = StringRoom::default();
    let mut cursor = Cursor::new(text)?;
    let members = cursor.members(&["type", "name", "value"], &mut names)?;
    let [Some(kind), Some(name), Some(value)] = members else {
        return Ok(None);
    };
    if cursor.from(kind).text(&mut names)? != b"aux" {
        return Ok(None);
    }
    let name = cursor.from(name).bytes(&mut room)?.to_vec();
    let value = cursor.from(value).bytes(&mut room)?.to_vec();
    Ok(Some((name, value)))
}

/// The AUX fields that a document begins with.
fn meta(text: &[u8]) -> Read<Vec<Fact>> {
    let mut names = Vec::new();
    let mut room = StringRoom::default();
    let mut cursor = Cursor::new(text)?;
    let known = ["family", "rdb_version", "aux"];
    let mut facts = Vec::new();
    let [family, version, aux] = cursor.members(&known, &mut names)?;
    cursor.end()?;
    if let Some(family) = family {
        cursor.from(family).text(&mut names)?;
    }
    if let Some(version) = version {
        cursor.from(version).uint()?;
    }
    if let Some(aux) = aux {
        cursor.from(aux).each_member(|cursor| {
            let name = cursor.name(&mut room)?.to_vec();
            cursor.take(b':')?;
            let value = cursor.bytes(&mut room)?.to_vec();
            facts.push((name, value));
            Ok(())
        })?;
    }
    Ok(facts)
}

/// What a job yields.
#[derive(Default)]
struct Outcome {
    bytes: Vec<u8>,
    /// Of them, those before the first key.
    head: usize,
    first_db: Option<u32>,
    last_db: Option<u32>,
    keys: u64,
    empty: u64,
    prints: Vec<KeyPrint>,
    errors: Vec<Error>,
    faults: u64,
    incomplete: bool,
    expected_keys: Option<u64>,
    /// Where the job ends.
    end: u64,
    failed: Option<Error>,
}

struct Worker<'g> {
    records: Records<'g>,
    keep_going: bool,
}

impl Worker<'_> {
    fn job(&mut self, job: &Job<'_>) -> Outcome {
        let mut outcome = Outcome {
            end: job.start.at + job.text.len() as u64,
            ..Outcome::default()
        };
        self.records.db = None;
        let (mut line, mut counted) = (job.start.line + 1, 0);
        for item in &job.items {
            let text = job.text.get(item.range.clone()).unwrap_or_default();
            let passed = job.text.get(counted..item.range.start).unwrap_or_default();
            line += lines(passed);
            counted = item.range.start;
            let before = self.records.saver.writer.len();
            let done = match item.is {
                Is::Record => self
                    .records
                    .record(text, line)
                    .map(|wrote| self.wrote(wrote, &mut outcome, before)),
                Is::Meta => meta(text).map(drop),
                Is::Complete => Cursor::new(text)
                    .and_then(|mut cursor| cursor.truth())
                    .map(|complete| outcome.incomplete |= !complete),
                Is::Broken(what) => Err(flaw(text.len(), what)),
            };
            let Err(flaw) = done else { continue };
            self.records.saver.writer.truncate(before);
            let at = item.range.start + flaw.at;
            let error = error(job, at, flaw, self.records.current.take());
            if self.keep_going && matches!(item.is, Is::Record | Is::Broken(_)) {
                self.last_line(text, line, &mut outcome);
            }
            if !self.keep_going || matches!(error.kind(), ErrorKind::Unsupported(_)) {
                outcome.failed = Some(error);
                break;
            }
            outcome.faults += 1;
            if outcome.errors.len() < TOLD {
                outcome.errors.push(error);
            }
        }
        let writer = &mut self.records.saver.writer;
        if outcome.first_db.is_none() {
            outcome.head = writer.len();
        }
        let taken = writer.take(|bytes| {
            outcome.bytes = bytes.to_vec();
            Ok::<(), std::convert::Infallible>(())
        });
        let Ok(()) = taken;
        outcome
    }

    /// Of text that is no record, its last line may be one: a line that was cut behind a colon or a
    /// comma seems to go on in the next.
    fn last_line(&mut self, text: &[u8], line: u64, outcome: &mut Outcome) {
        let Some(n) = memchr::memmem::rfind(text, b"\n{") else {
            return;
        };
        let before = self.records.saver.writer.len();
        let (passed, last) = text.split_at(n + 1);
        match self.records.record(last, line + lines(passed)) {
            Ok(wrote) => self.wrote(wrote, outcome, before),
            // Then it is part of what is told as broken already.
            Err(_) => self.records.saver.writer.truncate(before),
        }
    }

    fn wrote(&mut self, wrote: Wrote, outcome: &mut Outcome, before: usize) {
        match wrote {
            Wrote::Key => {
                outcome.keys += 1;
                outcome.prints.extend(self.records.print.take());
                let db = self.records.db;
                if outcome.first_db.is_none() {
                    (outcome.first_db, outcome.head) = (db, before);
                }
                outcome.last_db = db;
            }
            Wrote::Empty => outcome.empty += 1,
            Wrote::Outside => {}
            Wrote::End { keys, complete } => {
                outcome.expected_keys = Some(outcome.expected_keys.unwrap_or(0) + keys);
                outcome.incomplete |= !complete;
            }
        }
    }
}

fn lines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// What is wrong, with its place as offset, and as line and column.
#[cold]
fn error(job: &Job<'_>, at: usize, flaw: Flaw, key: Option<(u32, Vec<u8>)>) -> Error {
    let Start { at, line, column } = job.start.behind(job.text.get(..at).unwrap_or(&job.text));
    let text = format!("{}, in line {}, column {}", flaw.text, line + 1, column + 1);
    let error = match flaw.unfit {
        true => Error::unsupported(text, Place::at(at)),
        false => Error::text(text, Place::at(at)),
    };
    match key {
        Some((db, key)) => error.in_key(db, &key),
        None => error,
    }
}

/// Puts what the jobs yield together.
struct Collector<'a> {
    out: &'a mut dyn ChunkSink,
    writer: RdbWriter,
    db: Option<u32>,
    twice: KeysTwice,
    outcome: FromJsonOutcome,
    expected: Option<u64>,
    keep_going: bool,
    failed: Option<Error>,
}

impl<'a> Collector<'a> {
    fn new(goal: &Format, options: &FromJsonOptions, out: &'a mut dyn ChunkSink) -> Self {
        Collector {
            out,
            writer: RdbWriter::new(goal.version, Compress::AsServer),
            db: None,
            twice: KeysTwice::default(),
            outcome: FromJsonOutcome {
                target: goal.target.name,
                keys: 0,
                empty: 0,
                errors: Vec::new(),
                faults: 0,
                twice: Vec::new(),
                twice_count: 0,
                incomplete: false,
                expected_keys: None,
            },
            expected: None,
            keep_going: options.keep_going,
            failed: None,
        }
    }

    fn take(&mut self, outcome: Outcome) -> Wanted {
        match self.append(outcome) {
            Ok(wanted) => wanted,
            Err(error) => {
                self.failed = Some(error);
                Wanted::Nothing
            }
        }
    }

    fn append(&mut self, outcome: Outcome) -> Result<Wanted> {
        let (head, keys) = outcome
            .bytes
            .split_at(outcome.head.min(outcome.bytes.len()));
        self.writer.append(head);
        if let Some(db) = outcome.first_db {
            if self.db != Some(db) {
                self.writer.select(db, None);
            }
            self.db = outcome.last_db;
        }
        self.writer.append(keys);
        if self.writer.len() > CHUNK {
            self.flush()?;
        }
        self.twice.add(&outcome.prints)?;
        let so_far = &mut self.outcome;
        so_far.keys += outcome.keys;
        so_far.empty += outcome.empty;
        so_far.faults += outcome.faults;
        so_far.incomplete |= outcome.incomplete;
        let room = TOLD.saturating_sub(so_far.errors.len());
        so_far.errors.extend(outcome.errors.into_iter().take(room));
        if let Some(keys) = outcome.expected_keys {
            self.expected = Some(self.expected.unwrap_or(0) + keys);
        }
        match outcome.failed {
            None => Ok(Wanted::More),
            Some(error) if is_damage(&error) => {
                so_far.faults += 1;
                so_far.errors.push(error);
                Ok(Wanted::Nothing)
            }
            Some(error) => Err(error),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let Collector { writer, out, .. } = self;
        writer.take(|bytes| out.chunk(bytes))
    }

    fn finish(mut self) -> Result<FromJsonOutcome> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.outcome.faults == 0 || self.keep_going {
            self.writer.end();
            self.flush()?;
        }
        let mut outcome = self.outcome;
        let keys = outcome.keys + outcome.empty;
        outcome.expected_keys = self.expected.filter(|&expected| expected != keys);
        let twice = self.twice.finish()?;
        outcome.twice_count = twice.len() as u64;
        for same in twice.into_iter().take(TOLD) {
            let text = format!(
                "a key of db {} stands twice, in line {} and in line {}: servers refuse such a file",
                same.db, same.earlier, same.later
            );
            outcome.twice.push(Error::new(ErrorKind::Text(text)));
        }
        Ok(outcome)
    }
}

/// Whether the text is at fault, so that what was read before is worth something.
fn is_damage(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Text(_) => true,
        ErrorKind::Io(error) => crate::io::decompress::is_damage(error),
        _ => false,
    }
}
