//! A snapshot as JSON.

use std::sync::Mutex;

use crate::bytes::Problem;
use crate::command::Like;
use crate::encoding::crc64;
use crate::error::{Error, ErrorKind, Hint, Place, Result, What};
use crate::io::ordered::{Chunk, Piece, Pieces, Wanted, ordered};
use crate::io::source::Content;
use crate::rdb::Scratch;
use crate::rdb::batch::{Batch, Batches};
use crate::rdb::parser::State;
use crate::rdb::value::count;
use crate::record::filter::{Filter, FilterOptions};
use crate::record::room::Room;
use crate::record::{Checksum, Entry, Flow, Record};
use crate::report::finding::{Finding, Findings, Severity, severity};
use crate::report::json::{JsonOptions, JsonRecords, JsonText, Select, Shape, StringStyle};
use crate::task::key_index::KeyIndex;
use crate::task::logs::Logs;
use crate::task::open::{self, Dumpable};
use crate::task::replay::{self, ReplayOptions, Replayed};
use crate::task::{InputPath, Run};

/// Bytes of the index that are held before they are spilled.
const INDEX_IN_MEMORY: usize = 32 << 20;
/// Keys of a sorted dump that one job formats, and bytes of them at the most.
const SORTED_JOB: (usize, u64) = (1024, 1 << 20);

/// What a dump adds to each key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct With {
    /// AUX fields, functions and module records as objects of their own.
    pub meta: bool,
    /// The size of the value in the file.
    pub size: bool,
    /// The offset of the record.
    pub offset: bool,
    /// The time to live, counted from `now`.
    pub ttl: bool,
}

/// How a snapshot is dumped.
#[derive(Clone, Debug, Default)]
pub struct DumpOptions {
    /// One document instead of one object a line.
    pub document: bool,
    /// How strings are written.
    pub strings: StringStyle,
    /// Hashes as lists of pairs.
    pub pairs: bool,
    /// Values of modules as their bytes.
    pub raw_modules: bool,
    /// Ordered by database and key, elements within a value as well.
    pub sort: bool,
    /// How much of a key is written.
    pub select: Select,
    /// What is added.
    pub with: With,
    /// Ends with a line that says how many keys there were and whether they are all.
    pub with_end: bool,
    /// Goes on behind a value that cannot be read.
    pub keep_going: bool,
    /// The time that `with.ttl` counts from, Unix ms.
    pub now: Option<i64>,
    /// The server that a log is replayed as; else the one that it seems to be of.
    pub like: Option<Like>,
    /// Which keys are written.
    pub filter: FilterOptions,
}

impl DumpOptions {
    /// How a log is replayed before it is dumped.
    pub(crate) fn replay(&self) -> ReplayOptions {
        ReplayOptions {
            like: self.like,
            now: self.now,
            ..ReplayOptions::default()
        }
    }
}

/// Takes the text.
pub trait ChunkSink {
    /// Takes a chunk.
    ///
    /// # Errors
    /// Output that fails.
    fn chunk(&mut self, chunk: &[u8]) -> Result<()>;
}

impl ChunkSink for crate::io::output::Output {
    fn chunk(&mut self, chunk: &[u8]) -> Result<()> {
        self.write_all(chunk)
    }
}

/// What a dump came to.
#[derive(Clone, Debug, Default)]
pub struct DumpOutcome {
    /// Keys written.
    pub keys: u64,
    /// Whether all that the file should hold was read.
    pub complete: bool,
    /// What was wrong.
    pub findings: Findings,
    /// Function libraries that were not written.
    pub functions_left_out: u64,
    /// Module records outside the keys that were not written.
    pub module_records_left_out: u64,
}

/// Writes a snapshot as JSON, or what a log comes to. Damage is in the outcome, and what stands before
/// it is written.
///
/// # Errors
/// Input that cannot be read or is no snapshot, output that fails, a limit.
pub fn dump(
    input: &InputPath,
    options: &DumpOptions,
    run: &Run<'_>,
    out: &mut dyn ChunkSink,
) -> Result<DumpOutcome> {
    if options.with.ttl && options.now.is_none() {
        return Err(Error::usage(
            "`--with ttl` needs `--now TIME` to count from",
        ));
    }
    let filter = Filter::new(&options.filter)?;
    let mut content = match open::dumpable(input, run)? {
        Dumpable::Snapshot(content) => content,
        Dumpable::Logs(logs) => return dump_logs(logs, options, &filter, run, out),
    };
    if options.sort {
        if let Content::Stream(stream) = &mut content {
            content = Content::Map(open::spooled(stream, run.max_spool)?);
        }
        return dump_sorted(
            &mut content,
            options,
            &filter,
            run,
            Collector::new(options, out),
        );
    }
    dump_in_order(
        &mut content,
        options,
        &filter,
        run,
        Collector::new(options, out),
    )
}

/// Replays a log, and writes what the server would save then.
fn dump_logs(
    logs: Logs,
    options: &DumpOptions,
    filter: &Filter,
    run: &Run<'_>,
    out: &mut dyn ChunkSink,
) -> Result<DumpOutcome> {
    if options.with.offset {
        return Err(Error::usage(
            "`--with offset` is for snapshots: what a log comes to stands nowhere in it",
        ));
    }
    let Replayed { report, keyspace } = replay::of_logs(logs, &options.replay(), run)?;
    let mut content = Content::Map(replay::spooled(&keyspace, run)?);
    drop(keyspace);
    let mut collector = Collector::new(options, out);
    collector.outcome.findings = report.all_findings();
    collector.short = !report.complete;
    let quiet = Run {
        progress: &crate::io::progress::Quiet,
        ..*run
    };
    match options.sort {
        true => dump_sorted(&mut content, options, filter, &quiet, collector),
        false => dump_in_order(&mut content, options, filter, &quiet, collector),
    }
}

fn dump_in_order(
    content: &mut Content,
    options: &DumpOptions,
    filter: &Filter,
    run: &Run<'_>,
    mut collector: Collector<'_>,
) -> Result<DumpOutcome> {
    let mut batches = Batches::of_content(content, run.max_spool);
    // Counting keys up to a limit is a matter of their order: one worker does it.
    let threads = if options.filter.limit.is_some() {
        1
    } else {
        run.threads
    };
    let mut behind = batches.behind();
    {
        let batches = &mut batches;
        let mut ended = false;
        let next = move || {
            if ended {
                return None;
            }
            let next = batches.next_batch();
            ended = next.is_err();
            next.transpose()
        };
        let work =
            |worker: &mut Worker<'_>, job: Result<Batch<'_>>, pieces: &mut Pieces<'_>| match job {
                Ok(batch) => worker.batch(&batch, pieces),
                Err(error) => Outcome {
                    failed: Some(error),
                    ..Outcome::default()
                },
            };
        ordered(
            threads,
            next,
            || Worker::new(options, filter),
            work,
            |piece| {
                let taken = collector.take(piece, run);
                behind.reach(collector.end);
                taken
            },
        );
    }
    collector.finish()
}

pub(crate) fn json_options(options: &DumpOptions, run: Option<&Run<'_>>) -> JsonOptions {
    JsonOptions {
        strings: options.strings,
        shape: if options.document {
            Shape::Array
        } else {
            Shape::Lines
        },
        select: options.select,
        pairs: options.pairs,
        raw_modules: options.raw_modules,
        with_size: options.with.size,
        with_offset: options.with.offset,
        with_ttl: options.now.filter(|_| options.with.ttl),
        sort: options.sort,
        max_memory: run.map_or(0, |run| run.max_memory),
    }
}

/// What a job yields besides text.
#[derive(Default)]
struct Outcome {
    keys: u64,
    functions: u64,
    modules: u64,
    crc: u64,
    summed: u64,
    end: u64,
    checksum: Option<Checksum>,
    findings: Findings,
    failed: Option<Error>,
    enough: bool,
}

/// Formats batches on one thread.
struct Worker<'o> {
    options: &'o DumpOptions,
    filter: &'o Filter,
    json: JsonRecords,
    scratch: Scratch,
    room: Room,
    written: u64,
}

impl<'o> Worker<'o> {
    fn new(options: &'o DumpOptions, filter: &'o Filter) -> Self {
        Worker {
            options,
            filter,
            json: JsonRecords::new(json_options(options, None)),
            scratch: Scratch::default(),
            room: Room::default(),
            written: 0,
        }
    }

    fn batch(&mut self, batch: &Batch<'_>, pieces: &mut Pieces<'_>) -> Outcome {
        let bytes: &[u8] = &batch.block;
        let summed = bytes.get(..batch.summed).unwrap_or_default();
        let mut outcome = Outcome {
            crc: crc64::checksum(summed),
            summed: summed.len() as u64,
            end: if batch.run.is_none() {
                batch.at + bytes.len() as u64
            } else {
                0
            },
            ..Outcome::default()
        };
        if self.options.document && batch.at == 0 && batch.run.is_none() {
            match meta(batch, self.options.strings) {
                Ok(meta) => {
                    pieces.chunk(meta);
                }
                Err(error) => {
                    return Outcome {
                        failed: Some(error),
                        ..outcome
                    };
                }
            }
        }
        self.scratch.templates = std::sync::Arc::clone(batch.state().templates());
        let result = batch.for_each(|record| self.record(batch, record, &mut outcome, pieces));
        if let Err(error) = result {
            outcome.failed = Some(error);
        }
        self.json.take(pieces);
        outcome
    }

    #[inline]
    fn record(
        &mut self,
        batch: &Batch<'_>,
        record: &Record<'_>,
        outcome: &mut Outcome,
        pieces: &mut Pieces<'_>,
    ) -> Result<Flow> {
        let meta = self.options.with.meta;
        match record {
            Record::Entry(entry) => {
                if !self.filter.is_everything() && !self.wanted(entry)? {
                    return Ok(Flow::Continue);
                }
                if self
                    .options
                    .filter
                    .limit
                    .is_some_and(|limit| self.written >= limit)
                {
                    outcome.enough = true;
                    return Ok(Flow::Stop);
                }
                self.entry(batch, entry, outcome, pieces)?;
            }
            Record::Aux { name, value } if meta => self.json.aux(name, value)?,
            Record::Function(source) if meta => self.json.function(source)?,
            Record::ModuleAux {
                id, when, items, ..
            } if meta => self.json.module_aux(*id, *when, items),
            Record::Function(_) => outcome.functions += 1,
            Record::ModuleAux { .. } => outcome.modules += 1,
            Record::Eof(checksum) => outcome.checksum = Some(*checksum),
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn wanted(&mut self, entry: &Entry<'_>) -> Result<bool> {
        let scratch = &mut self.scratch;
        self.filter.matches(entry, &mut self.room, || {
            count::elements(&entry.value, scratch)
        })
    }

    #[inline]
    fn entry(
        &mut self,
        batch: &Batch<'_>,
        entry: &Entry<'_>,
        outcome: &mut Outcome,
        pieces: &mut Pieces<'_>,
    ) -> Result<()> {
        let result = self.json.entry(entry, &mut self.scratch, pieces);
        if self.json.has_flaws() {
            for (problem, place) in self.json.flaws() {
                if severity(problem) == Severity::Error {
                    let error = Error::bytes(problem, place, What::Value);
                    outcome.findings.push_all(found(batch, entry, error));
                }
            }
        }
        match result {
            Ok(()) => {
                outcome.keys += 1;
                self.written += 1;
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::Bytes(_)) => {
                let error = named(entry, error.with_hint(Hint::OneKey));
                if !self.options.keep_going {
                    return Err(error);
                }
                outcome.findings.push_all(found(batch, entry, error));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn named(entry: &Entry<'_>, error: Error) -> Error {
    let rdb_type = entry.value.rdb_type;
    let error = error.in_type(rdb_type.number(), rdb_type.name());
    match entry.key.to_bytes() {
        Ok(key) => error.in_key(entry.db, &key),
        Err(_) => error,
    }
}

fn found(batch: &Batch<'_>, entry: &Entry<'_>, error: Error) -> Option<Finding> {
    let mut finding = Finding::from_error(&named(entry, error), entry.end())?;
    finding.place = batch.place(finding.place);
    if batch.run.is_some() {
        (finding.start, finding.end) = (finding.place.offset, finding.place.offset);
    }
    Some(finding)
}

/// The beginning of a document: what the file says of itself before its first key.
fn meta(batch: &Batch<'_>, strings: StringStyle) -> Result<Chunk> {
    let mut text = JsonText::new(strings);
    let mut aux = 0;
    text.raw(b"{\"meta\":{");
    batch.for_each(|record| {
        match record {
            Record::Header(version) => {
                text.raw(b"\"family\":\"");
                text.raw(match version.family {
                    crate::record::Family::Redis => b"redis",
                    crate::record::Family::Valkey => b"valkey",
                });
                text.raw(b"\",\"rdb_version\":");
                text.uint(u64::from(version.number));
                text.raw(b",\"aux\":{");
            }
            Record::Aux { name, value } => {
                if let (Ok(name), Ok(value)) = (name.to_bytes(), value.to_bytes()) {
                    if aux > 0 {
                        text.byte(b',');
                    }
                    aux += 1;
                    text.name(crate::bytes::Element::Bytes(&name));
                    text.byte(b':');
                    text.string_bytes(&value);
                }
            }
            _ => return Ok(Flow::Stop),
        }
        Ok(Flow::Continue)
    })?;
    text.raw(b"}},\"keys\":[");
    Ok(text.take(Vec::new()))
}

/// Puts text and outcomes together, in order.
struct Collector<'a> {
    options: &'a DumpOptions,
    out: &'a mut dyn ChunkSink,
    outcome: DumpOutcome,
    /// Not all of a log was replayed.
    short: bool,
    crc: u64,
    end: u64,
    checksum: Option<Checksum>,
    opened: bool,
    any: bool,
    enough: bool,
    failed: Option<Error>,
}

impl<'a> Collector<'a> {
    fn new(options: &'a DumpOptions, out: &'a mut dyn ChunkSink) -> Self {
        Collector {
            options,
            out,
            outcome: DumpOutcome::default(),
            short: false,
            crc: 0,
            end: 0,
            checksum: None,
            opened: false,
            any: false,
            enough: false,
            failed: None,
        }
    }

    fn take(&mut self, piece: Piece<Outcome>, run: &Run<'_>) -> (Wanted, Option<Chunk>) {
        match piece {
            Piece::Chunk(chunk) => {
                let result = self.text(&chunk);
                (self.or_failed(result), Some(chunk))
            }
            Piece::Done(outcome) => {
                let result = self.done(outcome);
                run.progress.at(self.end);
                let wanted = self.or_failed(result);
                (if self.enough { Wanted::Nothing } else { wanted }, None)
            }
        }
    }

    fn or_failed(&mut self, result: Result<()>) -> Wanted {
        match result {
            Ok(()) => Wanted::More,
            Err(error) => {
                self.failed.get_or_insert(error);
                Wanted::Nothing
            }
        }
    }

    fn text(&mut self, chunk: &[u8]) -> Result<()> {
        if !self.options.document {
            return self.out.chunk(chunk);
        }
        if !std::mem::replace(&mut self.opened, true) {
            return self.out.chunk(chunk);
        }
        // Every element begins with a comma; the first one has none.
        let from = usize::from(!std::mem::replace(&mut self.any, true));
        self.out.chunk(chunk.get(from..).unwrap_or_default())
    }

    fn done(&mut self, outcome: Outcome) -> Result<()> {
        self.outcome.keys += outcome.keys;
        self.outcome.functions_left_out += outcome.functions;
        self.outcome.module_records_left_out += outcome.modules;
        self.outcome.findings.append(outcome.findings);
        self.crc = crc64::combine(self.crc, outcome.crc, outcome.summed);
        self.end = self.end.max(outcome.end);
        self.checksum = self.checksum.or(outcome.checksum);
        self.enough |= outcome.enough;
        let Some(error) = outcome.failed else {
            return Ok(());
        };
        match Finding::from_error(&error, error.place().map_or(0, |place| place.offset)) {
            Some(finding) => {
                self.outcome.findings.push(finding);
                self.enough = true;
                Ok(())
            }
            None => Err(error),
        }
    }

    fn finish(mut self) -> Result<DumpOutcome> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if let Some(Checksum::Stored(stored)) = self.checksum
            && stored != self.crc
        {
            let problem = Problem::Checksum {
                stored,
                computed: self.crc,
            };
            let error = Error::bytes(
                problem,
                Place::at(self.end.saturating_sub(8)),
                What::Checksum,
            );
            self.outcome.findings.push_all(Finding::from_error(
                &error.with_hint(Hint::IgnoreChecksum),
                self.end,
            ));
        }
        let outcome = &mut self.outcome;
        outcome.complete = outcome.findings.errors() == 0 && !self.short;
        let complete: &[u8] = if outcome.complete { b"true" } else { b"false" };
        let mut end = Vec::new();
        if self.options.document {
            if !self.opened {
                end.extend_from_slice(b"{\"meta\":{},\"keys\":[");
            }
            end.extend_from_slice(b"\n],\"complete\":");
            end.extend_from_slice(complete);
            end.extend_from_slice(b"}\n");
        } else if self.options.with_end {
            end.extend_from_slice(
                format!("{{\"$end\":{{\"keys\":{},\"complete\":", outcome.keys).as_bytes(),
            );
            end.extend_from_slice(complete);
            end.extend_from_slice(b"}}\n");
        }
        self.out.chunk(&end)?;
        Ok(self.outcome)
    }
}

/// A dump in the order of databases and keys: first an index, then every record where it stands.
fn dump_sorted(
    content: &mut Content,
    options: &DumpOptions,
    filter: &Filter,
    run: &Run<'_>,
    mut collector: Collector<'_>,
) -> Result<DumpOutcome> {
    let mut batches = Batches::of_content(content, run.max_spool);
    let Some(whole) = batches.whole() else {
        return Err(Error::usage("this input cannot be sorted"));
    };
    let mut index = KeyIndex::new(INDEX_IN_MEMORY, run.max_spool);
    // The first pass writes what is no key and collects the keys.
    let mut worker = Worker::new(options, filter);
    let mut state = State::default();
    loop {
        let batch = match batches.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error) => {
                collector.done(Outcome {
                    failed: Some(error),
                    ..Outcome::default()
                })?;
                break;
            }
        };
        if batch.run.is_some() {
            let text = "a snapshot with compressed runs of records cannot be sorted";
            return Err(Error::new(ErrorKind::Unsupported(text.to_owned())));
        }
        let outcome = sort_batch(&batch, &mut worker, &mut index, &mut collector)?;
        state = batches.state().clone();
        run.progress.at(outcome.end);
        collector.done(outcome)?;
    }
    if options.document && !collector.opened {
        collector.text(b"{\"meta\":{},\"keys\":[")?;
    }
    // The second pass reads the records in order.
    let mut sorted = index.sorted()?;
    let mut left = options.filter.limit.unwrap_or(u64::MAX);
    let broken: Mutex<Option<Error>> = Mutex::new(None);
    let next = || {
        let (mut job, mut bytes) = (Vec::new(), 0);
        while left > 0 && job.len() < SORTED_JOB.0 && bytes < SORTED_JOB.1 {
            match sorted.next() {
                Ok(Some(item)) => {
                    left -= 1;
                    bytes += item.len;
                    job.push(item);
                }
                Ok(None) => break,
                Err(error) => {
                    if let Ok(mut broken) = broken.lock() {
                        broken.get_or_insert(error);
                    }
                    break;
                }
            }
        }
        (!job.is_empty()).then_some(job)
    };
    let state = &state;
    let work = |worker: &mut Worker<'_>,
                job: Vec<crate::task::key_index::Item>,
                pieces: &mut Pieces<'_>| {
        let mut outcome = Outcome::default();
        worker.scratch.templates = std::sync::Arc::clone(state.templates());
        for item in job {
            let start = usize::try_from(item.at).unwrap_or(usize::MAX);
            let bytes = whole
                .get(start..)
                .and_then(|rest| rest.get(..usize::try_from(item.len).ok()?));
            let batch = Batch::of_records(bytes.unwrap_or_default(), item.at, state.at_db(item.db));
            let result = batch.for_each(|record| {
                if let Record::Entry(entry) = record {
                    worker.entry(&batch, entry, &mut outcome, pieces)?;
                }
                Ok(Flow::Continue)
            });
            if let Err(error) = result {
                outcome.failed = Some(error);
                break;
            }
        }
        worker.json.take(pieces);
        outcome
    };
    let second = DumpOptions {
        filter: FilterOptions::default(),
        ..options.clone()
    };
    let everything = Filter::new(&second.filter)?;
    ordered(
        run.threads,
        next,
        || {
            let mut worker = Worker::new(&second, &everything);
            worker.json = JsonRecords::new(json_options(options, Some(run)));
            worker
        },
        work,
        |piece| collector.take(piece, run),
    );
    if let Ok(Some(error)) = broken.into_inner() {
        return Err(error);
    }
    collector.finish()
}

/// Indexes a batch's keys; what is no key is written at once.
fn sort_batch(
    batch: &Batch<'_>,
    worker: &mut Worker<'_>,
    index: &mut KeyIndex,
    collector: &mut Collector<'_>,
) -> Result<Outcome> {
    let summed = batch.block.get(..batch.summed).unwrap_or_default();
    let mut outcome = Outcome {
        crc: crc64::checksum(summed),
        summed: summed.len() as u64,
        end: batch.at + batch.block.len() as u64,
        ..Outcome::default()
    };
    if worker.options.document && batch.at == 0 {
        let meta = meta(batch, worker.options.strings)?;
        collector.text(&meta)?;
    }
    worker.scratch.templates = std::sync::Arc::clone(batch.state().templates());
    let mut texts = Vec::new();
    let mut keep = |chunk| {
        texts.push(chunk);
        Wanted::More
    };
    let mut pieces = Pieces::direct(&mut keep);
    batch.for_each(|record| {
        match record {
            Record::Entry(entry) => {
                if !worker.filter.is_everything() && !worker.wanted(entry)? {
                    return Ok(Flow::Continue);
                }
                let len = entry.end() - entry.at;
                let key = entry
                    .key
                    .to_bytes()
                    .map_err(|problem| Error::bytes(problem, Place::at(entry.at), What::Key))?;
                index.push(entry.db, &key, entry.at, len)?;
            }
            other => {
                worker.record(batch, other, &mut outcome, &mut pieces)?;
            }
        }
        Ok(Flow::Continue)
    })?;
    worker.json.take(&mut pieces);
    for text in texts {
        collector.text(&text)?;
    }
    Ok(outcome)
}
