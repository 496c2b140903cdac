//! Checks a snapshot: everything that a server checks while loading, and what it should.

pub(in crate::task) mod deep;
mod outcome;
mod tally;
mod worker;

use std::collections::HashSet;
use std::sync::mpsc;

use crate::bytes::Problem;
use crate::error::{Error, Hint, Place, Result, What};
use crate::io::ordered::{Chunk, Piece, Pieces, Wanted, ordered};
use crate::io::source::{Content, Map, Origin};
use crate::rdb::batch::{Batch, Batches, Sheet};
use crate::rdb::parser::{State, opcode};
use crate::rdb::segments::{INHERITED, SEGMENT, Segments, Work};
use crate::rdb::string;
use crate::record::target::{Target, Used};
use crate::record::{Checksum, Flow, Record};
use crate::report::check::{CheckReport, ChecksumState, LoadsOn, Uses, Verdict};
use crate::report::finding::Finding;
use crate::task::check_rdb::outcome::Outcome;
use crate::task::check_rdb::tally::{Keys, Tally};
use crate::task::check_rdb::worker::{Worker, shared_fingerprinters};
use crate::task::duplicates::{KeyPrint, KeysTwice, SameKey, SumsTwice, sum};
use crate::task::open;
use crate::task::{InputPath, Run};

/// What to check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Judge the structure alone.
    pub ignore_checksum: bool,
    /// Stop at the first error.
    pub first: bool,
    /// Look for keys that stand twice.
    pub duplicates: bool,
    /// Something else follows the snapshot, which is no fault of its.
    pub followed: bool,
    /// Whoever asks decodes all strings, lists and streams himself, and looks for what is wrong inside:
    /// of those only the frame is looked at.
    pub values_later: bool,
}

/// Checks a snapshot.
///
/// # Errors
/// Input that cannot be read or is no snapshot. Damage is a finding.
pub fn check_rdb(input: &InputPath, options: &CheckOptions, run: &Run<'_>) -> Result<CheckReport> {
    let (origin, mut content) = open::snapshot(input, run)?;
    of_content(&origin, &mut content, options, run)
}

/// The same of what is open.
pub(crate) fn of_content(
    origin: &Origin,
    content: &mut Content,
    options: &CheckOptions,
    run: &Run<'_>,
) -> Result<CheckReport> {
    let batches = Batches::of_content(content, run.max_spool);
    let blank = blank(&batches, *options);
    let batches = batches.noting(blank);
    let mut report = check_batches(origin.name(), batches, *options, run, SEGMENT)?;
    report.compressed = origin.codec().map(|codec| codec.name());
    if let (Some(size), None) = (origin.content_size(), report.compressed) {
        report.size = report.size.max(size);
    }
    Ok(report)
}

/// Checks the snapshot that stands at the start of bytes that are all at hand.
///
/// # Errors
/// As [`check_rdb`].
pub fn check_bytes(
    name: &str,
    data: &[u8],
    options: CheckOptions,
    run: &Run<'_>,
) -> Result<CheckReport> {
    let batches = Batches::of_map(data);
    let blank = blank(&batches, options);
    let batches = batches.noting(blank);
    check_batches(name, batches, options, run, SEGMENT)
}

/// The same, where several threads read segments of another length, for tests: the report does not
/// depend on it.
///
/// # Errors
/// As [`check_rdb`].
#[doc(hidden)]
pub fn check_bytes_in_segments(
    name: &str,
    data: &[u8],
    options: CheckOptions,
    run: &Run<'_>,
    segment: u64,
) -> Result<CheckReport> {
    let batches = Batches::of_map(data);
    let blank = blank(&batches, options);
    let batches = batches.noting(blank);
    check_batches(name, batches, options, run, segment)
}

/// The same of a map, whose pages are let go of behind the check.
///
/// # Errors
/// As [`check_rdb`].
pub(crate) fn check_map(
    name: &str,
    map: &Map,
    options: CheckOptions,
    run: &Run<'_>,
) -> Result<CheckReport> {
    let batches = Batches::over(map);
    let blank = blank(&batches, options);
    let batches = batches.noting(blank);
    check_batches(name, batches, options, run, SEGMENT)
}

/// Bytes of a segment where something is done beside the check. Tests have small ones.
const BESIDE: u64 = match cfg!(any(fuzzing, debug_assertions)) {
    true => 4 << 10,
    false => SEGMENT,
};

/// What is to be noted about keys.
fn blank(batches: &Batches<'_>, options: CheckOptions) -> Tally {
    Tally::new(match (options.duplicates, batches.whole()) {
        (false, _) => Keys::Nothing,
        (true, Some(_)) => Keys::Sums(shared_fingerprinters().0),
        (true, None) => Keys::Marks,
    })
}

/// What else is done with batches while they are checked, where their bytes are close at hand.
pub(crate) trait Beside: Sync {
    /// What one thread keeps from batch to batch.
    type Tool;
    /// What a part of the snapshot comes to.
    type Made: Default + Send;

    /// For one thread.
    fn tool(&self) -> Self::Tool;

    /// Does it with the next batch of a part.
    fn batch<S: Sheet>(
        &self,
        tool: &mut Self::Tool,
        batch: &Batch<'_, S>,
        made: &mut Self::Made,
        pieces: &mut Pieces<'_>,
    );

    /// A part is over.
    fn end(&self, tool: &mut Self::Tool, made: &mut Self::Made, pieces: &mut Pieces<'_>);
}

/// Nothing else is done.
impl Beside for () {
    type Tool = ();
    type Made = ();
    fn tool(&self) {}
    fn batch<S: Sheet>(&self, (): &mut (), _: &Batch<'_, S>, (): &mut (), _: &mut Pieces<'_>) {}
    fn end(&self, (): &mut (), (): &mut (), _: &mut Pieces<'_>) {}
}

/// Checks a map up to the first error and does something else beside it. `take` is told what comes of
/// that, in order, and the database that is selected where a part begins: [`INHERITED`] stands for it
/// there. Nothing comes behind the first error, and what came before may be of a file that no server
/// takes.
///
/// # Errors
/// As [`check_rdb`].
pub(crate) fn check_map_beside<B: Beside>(
    name: &str,
    map: &Map,
    options: CheckOptions,
    run: &Run<'_>,
    beside: &B,
    take: impl FnMut(Piece<B::Made>, u32) -> (Wanted, Option<Chunk>),
) -> Result<CheckReport> {
    let batches = Batches::over(map);
    let blank = blank(&batches, options);
    let batches = batches.noting(blank);
    let options = CheckOptions {
        first: true,
        ..options
    };
    let segment = (run.threads > 1).then_some(BESIDE);
    check_beside(name, batches, options, run, segment, beside, take)
}

/// Checks what `batches` yields, where several places are read at once in segments of this length.
///
/// # Errors
/// Only what keeps the check itself from working: input that cannot be read, no room to spill.
/// Damage is a finding.
fn check_batches(
    name: &str,
    batches: Batches<'_, Tally>,
    options: CheckOptions,
    run: &Run<'_>,
    segment: u64,
) -> Result<CheckReport> {
    // What the first error is depends on the order.
    let several = run.threads > 1 && !options.first;
    let segment = several.then_some(segment);
    let take = |_: Piece<()>, _| (Wanted::More, None);
    check_beside(name, batches, options, run, segment, &(), take)
}

fn check_beside<B: Beside>(
    name: &str,
    batches: Batches<'_, Tally>,
    options: CheckOptions,
    run: &Run<'_>,
    segment: Option<u64>,
    beside: &B,
    mut take: impl FnMut(Piece<B::Made>, u32) -> (Wanted, Option<Chunk>),
) -> Result<CheckReport> {
    let mut behind = batches.behind();
    let prints = options.duplicates && batches.whole().is_none();
    let mut segments = Segments::new(batches, segment);
    let mut collector = Collector::new(options);
    loop {
        // Where parts are assumed to begin, in their order: it must be known before their first piece
        // is taken.
        let (begins, begun) = mpsc::channel();
        // The part of the piece before is under way.
        let mut in_line = false;
        ordered(
            run.threads,
            || {
                let part = segments.next_part()?;
                begins.send(part.assumed).ok()?;
                Some(part.work)
            },
            || (Worker::new(prints, options.values_later), beside.tool()),
            |(worker, tool), work, pieces: &mut Pieces<'_>| {
                let mut made = B::Made::default();
                let (outcome, state) = match work {
                    Work::Framed(mut batch, state) => {
                        let outcome = worker.check(&mut batch, None);
                        if outcome.is_sound() {
                            beside.batch(tool, &batch, &mut made, pieces);
                        }
                        (outcome, Some(state))
                    }
                    Work::Segment(mut batches) => {
                        let outcome = worker.check_all(&mut batches, |batch, is_sound| {
                            if is_sound {
                                beside.batch(tool, batch, &mut made, pieces);
                            }
                            pieces.wanted()
                        });
                        (outcome, Some(batches.state().clone()))
                    }
                    Work::Failed(error) => (Outcome::failed(error), None),
                };
                beside.end(tool, &mut made, pieces);
                (outcome, state, made)
            },
            |piece| {
                if !in_line {
                    in_line = begun.recv().is_ok_and(|assumed| collector.follows(assumed));
                }
                if !in_line {
                    return (Wanted::Nothing, None);
                }
                let db = collector.db;
                let (outcome, state, made) = match piece {
                    Piece::Chunk(chunk) => return take(Piece::Chunk(chunk), db),
                    Piece::Done(done) => done,
                };
                in_line = false;
                let mut wanted = collector.take(outcome, state);
                if wanted == Wanted::More {
                    wanted = take(Piece::Done(made), db).0;
                }
                behind.reach(collector.good_until);
                run.progress.at(collector.good_until);
                (wanted, None)
            },
        );
        match collector.next_from() {
            Some((at, state)) => segments.restart(at, &state),
            None => break,
        }
    }
    collector.finish(name, segments.batches(), run.threads)
}

/// Puts the parts' outcomes together, in order.
struct Collector {
    options: CheckOptions,
    good_until: u64,
    /// The state there, and the database that is selected.
    state: State,
    db: u32,
    sum: Outcome,
    keys: KeysTwice,
    /// The same of input that can be read again.
    sums: SumsTwice,
    failed: Option<Error>,
    /// A part began elsewhere than the one before it ended.
    astray: bool,
}

impl Collector {
    fn new(options: CheckOptions) -> Self {
        Collector {
            options,
            good_until: 0,
            state: State::default(),
            db: 0,
            sum: Outcome::default(),
            keys: KeysTwice::default(),
            sums: SumsTwice::default(),
            failed: None,
            astray: false,
        }
    }

    /// Whether the next part begins where the one before it ended, if that had to be assumed.
    fn follows(&mut self, assumed: Option<(u64, State)>) -> bool {
        if let Some((at, before)) = assumed
            && (at != self.good_until || !before.reads_as(&self.state))
        {
            self.astray = true;
            return false;
        }
        true
    }

    /// Takes what the next part yielded, which ended in this state.
    fn take(&mut self, mut outcome: Outcome, state: Option<State>) -> Wanted {
        outcome.settle(self.db);
        let sum = &mut self.sum;
        let prints = std::mem::take(&mut outcome.prints);
        let sums = std::mem::take(&mut outcome.sums);
        sum.append(outcome);
        self.good_until = sum.end;
        if let Some(state) = state {
            if state.db() != INHERITED {
                self.db = state.db();
            }
            self.state = state;
        }
        if let Some(error) = sum.failed.take() {
            match Finding::from_error(&error, 0) {
                Some(finding) => {
                    sum.findings.push(finding);
                    sum.findings.settle(INHERITED, self.db);
                }
                None => self.failed = Some(error),
            }
            return Wanted::Nothing;
        }
        let added = self.keys.add(&prints);
        if let Err(error) = added.and_then(|()| self.sums.add(&sums)) {
            self.failed = Some(error);
            return Wanted::Nothing;
        }
        if self.options.first && sum.findings.errors() > 0 {
            Wanted::Nothing
        } else {
            Wanted::More
        }
    }

    /// Where reading must go on, and in what state, because what was read behind it is of no use.
    fn next_from(&mut self) -> Option<(u64, State)> {
        std::mem::take(&mut self.astray).then(|| (self.good_until, self.state.in_db(self.db)))
    }

    fn finish(
        mut self,
        name: &str,
        batches: &mut Batches<'_, Tally>,
        threads: usize,
    ) -> Result<CheckReport> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let stopped = self.options.first && self.sum.findings.errors() > 0;
        let trailing = match self.sum.checksum {
            Some(_) if !stopped && !self.options.followed => match batches.whole() {
                Some(whole) => (whole.len() as u64).saturating_sub(self.good_until),
                None => batches.count_trailing()?,
            },
            _ => 0,
        };
        let whole = batches.whole();
        let sum = &mut self.sum;
        let end = self.good_until;
        let checksum = match sum.checksum {
            None => ChecksumState::NotReached,
            Some(Checksum::Absent) => ChecksumState::Absent,
            Some(Checksum::Disabled) => ChecksumState::Disabled,
            Some(Checksum::Stored(_)) if self.options.ignore_checksum => ChecksumState::Ignored,
            Some(Checksum::Stored(stored)) if stored == sum.crc => ChecksumState::Matches(stored),
            Some(Checksum::Stored(stored)) => ChecksumState::Differs {
                stored,
                computed: sum.crc,
            },
        };
        if let ChecksumState::Differs { stored, computed } = checksum {
            let error = Error::bytes(
                Problem::Checksum { stored, computed },
                Place::at(end.saturating_sub(8)),
                What::Checksum,
            )
            .with_hint(Hint::IgnoreChecksum);
            sum.findings.push_all(Finding::from_error(&error, end));
        }
        if trailing > 0 {
            let problem = Problem::TrailingBytes { count: trailing };
            let error =
                Error::bytes(problem, Place::at(end), What::Record).with_hint(Hint::TrailingBytes);
            sum.findings
                .push_all(Finding::from_error(&error, end + trailing));
        }
        if self.options.duplicates && !stopped {
            let twice = match whole {
                Some(whole) => look_again(whole, end, &self.sums.finish(threads)?)?,
                None => self.keys.finish()?,
            };
            for same in twice {
                sum.findings.push_all(duplicate_key(whole, same));
            }
        }
        let unknown = sum
            .findings
            .list()
            .iter()
            .any(|f| matches!(f.code, "rdb-future-version" | "rdb-unreadable-type"));
        let verdict = match (unknown, sum.findings.errors()) {
            (true, _) => Verdict::Unknown,
            (false, 0) => Verdict::Loads,
            _ => Verdict::Refused,
        };
        let outcome = self.sum;
        let loads_on = loads_on(&outcome, verdict);
        Ok(CheckReport {
            input: name.to_owned(),
            size: end + trailing,
            compressed: None,
            version: outcome.version,
            aux: outcome.aux,
            dbs: outcome.dbs,
            functions: outcome.functions,
            module_aux: outcome.module_aux,
            uses: outcome.uses,
            checksum,
            good_until: end,
            duplicates_checked: self.options.duplicates,
            findings: outcome.findings,
            verdict,
            loads_on,
        })
    }
}

/// Which servers load the file; none where it is damaged, and nobody knows where it is not known.
fn loads_on(outcome: &Outcome, verdict: Verdict) -> Vec<LoadsOn> {
    let (Some(version), Verdict::Loads | Verdict::Refused) = (outcome.version, verdict) else {
        return Vec::new();
    };
    let Uses {
        types,
        opcodes,
        modules,
        highest_db,
        ..
    } = &outcome.uses;
    let used = Used {
        version,
        types,
        opcodes,
        modules,
        highest_db: *highest_db,
    };
    let judge = |target: &'static Target| {
        let loads = target.loads(&used);
        match verdict {
            Verdict::Loads => LoadsOn {
                server: target.name,
                ok: loads.ok,
                needs: loads.needs,
                why: loads.why,
            },
            _ => LoadsOn {
                server: target.name,
                ok: false,
                needs: Vec::new(),
                why: Some(
                    loads
                        .why
                        .unwrap_or_else(|| "the file is damaged".to_owned()),
                ),
            },
        }
    };
    Target::ALL.iter().map(judge).collect()
}

/// The keys that stand twice up to `end`, where the sums are known that came twice.
fn look_again(whole: &[u8], end: u64, sums: &HashSet<u64>) -> Result<Vec<SameKey>> {
    let mut keys = KeysTwice::default();
    if sums.is_empty() {
        return Ok(Vec::new());
    }
    let (first, second) = shared_fingerprinters();
    let mut batches = Batches::of_map(whole);
    let mut prints = Vec::new();
    while batches.offset() < end {
        // It was read before: what is damaged in it was found then.
        let Ok(Some(batch)) = batches.next_batch() else {
            break;
        };
        let read = batch.for_each(|record| {
            if let Record::Entry(entry) = record
                && let Ok(key) = entry.key.to_bytes()
                && sums.contains(&sum(first.of_name(&key), entry.db))
            {
                prints.push(KeyPrint {
                    first: first.of_key(entry.db, &key),
                    second: second.of_key(entry.db, &key),
                    at: entry.at,
                    db: u64::from(entry.db),
                });
            }
            Ok(Flow::Continue)
        });
        keys.add(&prints)?;
        prints.clear();
        // A compressed run shows only here where it is damaged.
        if read.is_err() {
            break;
        }
    }
    keys.finish()
}

/// The finding about a key whose record stands at both places; named where it can be read again.
fn duplicate_key(whole: Option<&[u8]>, same: SameKey) -> Option<Finding> {
    let mut error = Error::bytes(Problem::DuplicateKey, Place::at(same.later), What::Key);
    if let Some(key) = whole.and_then(|whole| key_at(whole, same.later)) {
        if whole
            .and_then(|whole| key_at(whole, same.earlier))
            .is_some_and(|other| other != key)
        {
            return None;
        }
        error = error.in_key(u32::try_from(same.db).unwrap_or(u32::MAX), &key);
    }
    let mut finding = Finding::from_error(&error, same.later)?;
    finding.message = format!("{} (first at offset {:#x})", finding.message, same.earlier);
    Some(finding)
}

/// The key of the record at an offset: behind its expiry and access data.
fn key_at(whole: &[u8], at: u64) -> Option<Vec<u8>> {
    let mut rest = whole.get(usize::try_from(at).ok()?..)?;
    loop {
        let (&first, after) = rest.split_first()?;
        rest = match first {
            opcode::EXPIRETIME_MS => after.get(8..)?,
            opcode::EXPIRETIME => after.get(4..)?,
            opcode::FREQ => after.get(1..)?,
            opcode::IDLE => string::number(after).ok()?.0,
            _ if first < 100 => {
                return Some(string::stored(after).ok()?.1.to_bytes().ok()?.into_owned());
            }
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests;
