//! Checks a snapshot: everything that a server checks while loading, and what it should.

mod deep;
mod tally;
mod worker;

use std::collections::BTreeMap;

use crate::bytes::Problem;
use crate::encoding::crc64;
use crate::error::{Error, Hint, Place, Result, What};
use crate::io::ordered::{Piece, Pieces, Wanted, ordered};
use crate::rdb::batch::Batches;
use crate::rdb::parser::opcode;
use crate::rdb::string;
use crate::record::Checksum;
use crate::record::target::{Target, Used};
use crate::record::types::RdbVersion;
use crate::report::check::{CheckReport, ChecksumState, DbTally, LoadsOn, Uses, Verdict};
use crate::report::finding::{Finding, Findings};
use crate::task::check_rdb::tally::Tally;
use crate::task::check_rdb::worker::{AUX_LISTED, Worker};
use crate::task::duplicates::{KeyPrint, KeysTwice, SameKey};
use crate::task::open::{self, Unrecognised};
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
}

/// Checks a snapshot.
///
/// # Errors
/// Input that cannot be read or is no snapshot. Damage is a finding.
pub fn check_rdb(input: &InputPath, options: &CheckOptions, run: &Run<'_>) -> Result<CheckReport> {
    let (origin, mut content) = open::snapshot(input, run, Unrecognised::IsSnapshot)?;
    let mut batches =
        Batches::of_content(&mut content, run.max_spool).noting(Tally::new(options.duplicates));
    let mut report = check_batches(origin.name(), &mut batches, *options, run)?;
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
    let mut batches = Batches::of_map(data).noting(Tally::new(options.duplicates));
    check_batches(name, &mut batches, options, run)
}

/// Checks what `batches` yields.
///
/// # Errors
/// Only what keeps the check itself from working: input that cannot be read, no room to spill.
/// Damage is a finding.
fn check_batches(
    name: &str,
    batches: &mut Batches<'_, Tally>,
    options: CheckOptions,
    run: &Run<'_>,
) -> Result<CheckReport> {
    let mut collector = Collector::new(options);
    let mut ended = false;
    let mut behind = batches.behind();
    {
        let batches = &mut *batches;
        let next = move || {
            if ended {
                return None;
            }
            match batches.next_batch() {
                Ok(Some(batch)) => Some(Ok(batch)),
                Ok(None) => None,
                Err(error) => {
                    ended = true;
                    Some(Err(error))
                }
            }
        };
        ordered(
            run.threads,
            next,
            || Worker::new(options.duplicates),
            |worker, job, _: &mut Pieces<'_>| match job {
                Ok(batch) => worker.check(&batch),
                Err(error) => Outcome::failed(error),
            },
            |piece| {
                let Piece::Done(outcome) = piece else {
                    return (Wanted::More, None);
                };
                let wanted = collector.take(outcome);
                behind.reach(collector.good_until);
                run.progress.at(collector.good_until);
                (wanted, None)
            },
        );
    }
    collector.finish(name, batches)
}

/// What one batch yields.
#[derive(Default)]
struct Outcome {
    crc: u64,
    summed: u64,
    end: u64,
    version: Option<RdbVersion>,
    dbs: BTreeMap<u32, DbTally>,
    aux: Vec<(Vec<u8>, Vec<u8>)>,
    functions: u64,
    module_aux: u64,
    uses: Uses,
    checksum: Option<Checksum>,
    findings: Findings,
    prints: Vec<KeyPrint>,
    failed: Option<Error>,
}

impl Outcome {
    fn failed(error: Error) -> Self {
        Outcome {
            failed: Some(error),
            ..Outcome::default()
        }
    }
}

/// Puts the batches' outcomes together, in order.
struct Collector {
    options: CheckOptions,
    crc: u64,
    good_until: u64,
    sum: Outcome,
    keys: KeysTwice,
    damaged: bool,
    failed: Option<Error>,
}

impl Collector {
    fn new(options: CheckOptions) -> Self {
        Collector {
            options,
            crc: 0,
            good_until: 0,
            sum: Outcome::default(),
            keys: KeysTwice::default(),
            damaged: false,
            failed: None,
        }
    }

    fn take(&mut self, outcome: Outcome) -> Wanted {
        let sum = &mut self.sum;
        if let Some(error) = outcome.failed {
            match Finding::from_error(&error, 0) {
                Some(finding) => {
                    self.damaged = true;
                    sum.findings.push(finding);
                }
                None => self.failed = Some(error),
            }
            return Wanted::Nothing;
        }
        self.crc = crc64::combine(self.crc, outcome.crc, outcome.summed);
        self.good_until = self.good_until.max(outcome.end);
        sum.version = sum.version.or(outcome.version);
        for (db, tally) in outcome.dbs {
            let to = sum.dbs.entry(db).or_default();
            to.keys += tally.keys;
            to.expires += tally.expires;
            for (form, tally) in tally.types {
                let to = to.types.entry(form).or_default();
                to.keys += tally.keys;
                to.bytes += tally.bytes;
            }
        }
        let room = AUX_LISTED.saturating_sub(sum.aux.len());
        sum.aux.extend(outcome.aux.into_iter().take(room));
        sum.functions += outcome.functions;
        sum.module_aux += outcome.module_aux;
        sum.uses.types.extend(outcome.uses.types);
        sum.uses.opcodes.extend(outcome.uses.opcodes);
        for (name, count) in outcome.uses.modules {
            *sum.uses.modules.entry(name).or_default() += count;
        }
        sum.uses.highest_db = sum.uses.highest_db.max(outcome.uses.highest_db);
        sum.uses.dragonfly |= outcome.uses.dragonfly;
        sum.checksum = sum.checksum.or(outcome.checksum);
        sum.findings.append(outcome.findings);
        if let Err(error) = self.keys.add(&outcome.prints) {
            self.failed = Some(error);
            return Wanted::Nothing;
        }
        if self.options.first && sum.findings.errors() > 0 {
            Wanted::Nothing
        } else {
            Wanted::More
        }
    }

    fn finish(mut self, name: &str, batches: &mut Batches<'_, Tally>) -> Result<CheckReport> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let stopped = self.options.first && self.sum.findings.errors() > 0;
        let trailing = match self.sum.checksum {
            Some(_) if !stopped && !self.options.followed => batches.count_trailing()?,
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
            Some(Checksum::Stored(stored)) if stored == self.crc => ChecksumState::Matches(stored),
            Some(Checksum::Stored(stored)) => ChecksumState::Differs {
                stored,
                computed: self.crc,
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
            for same in self.keys.finish()? {
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
