//! Checks a snapshot: everything that a server checks while loading, and what it should.

use std::collections::BTreeMap;

use crate::bytes::{Element, Problem};
use crate::encoding::{crc64, lzf};
use crate::error::{Error, ErrorKind, Hint, Place, Result, What};
use crate::io::ordered::{Piece, Pieces, Wanted, ordered};
use crate::rdb::batch::{Batch, Batches};
use crate::rdb::parser::opcode;
use crate::rdb::value::{self, module};
use crate::rdb::{Scratch, string};
use crate::record::target::{Target, Used};
use crate::record::types::{Dialect, RdbType, RdbVersion};
use crate::record::value::{ArrayItem, ModuleEvent, StreamEvent};
use crate::record::{Checksum, DataType, Entry, Flow, Record, Stored, ValueVisitor};
use crate::report::check::{CheckReport, ChecksumState, DbTally, LoadsOn, Uses, Verdict};
use crate::report::finding::{Finding, Findings};
use crate::task::duplicates::{Fingerprinter, KeyPrint, KeysTwice, SameKey, Twice};
use crate::task::open::{self, Unrecognised};
use crate::task::{InputPath, Run};

/// AUX fields that a report lists.
const AUX_LISTED: usize = 64;
/// Bytes of an AUX field that a report shows.
const AUX_BYTES: u64 = 4096;

/// What to check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Judge the structure alone.
    pub ignore_checksum: bool,
    /// Stop at the first error.
    pub first: bool,
    /// Look for keys that stand twice.
    pub duplicates: bool,
}

/// Checks a snapshot.
///
/// # Errors
/// Input that cannot be read or is no snapshot. Damage is a finding.
pub fn check_rdb(input: &InputPath, options: &CheckOptions, run: &Run<'_>) -> Result<CheckReport> {
    let (origin, mut content) = open::snapshot(input, run, Unrecognised::IsSnapshot)?;
    let mut batches = Batches::of_content(&mut content, run.max_spool);
    let mut report = check_batches(origin.name(), &mut batches, *options, run)?;
    report.compressed = origin.codec().map(|codec| codec.name());
    if let (Some(size), None) = (origin.content_size(), report.compressed) {
        report.size = report.size.max(size);
    }
    Ok(report)
}

/// Checks what `batches` yields.
///
/// # Errors
/// Only what keeps the check itself from working: input that cannot be read, no room to spill.
/// Damage is a finding.
pub(crate) fn check_batches(
    name: &str,
    batches: &mut Batches<'_>,
    options: CheckOptions,
    run: &Run<'_>,
) -> Result<CheckReport> {
    let mut collector = Collector::new(options);
    let mut ended = false;
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

    fn finish(mut self, name: &str, batches: &mut Batches<'_>) -> Result<CheckReport> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let stopped = self.options.first && self.sum.findings.errors() > 0;
        let trailing = match self.sum.checksum {
            Some(_) if !stopped => batches.count_trailing()?,
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

/// Checks batches, one after the other, on one thread.
struct Worker {
    scratch: Scratch,
    checker: DeepCheck,
    prints: Option<(Fingerprinter, Fingerprinter)>,
}

/// Forms of a type that are counted apart: raw, integer and compressed strings.
const FORMS: usize = 3;

impl Worker {
    fn new(duplicates: bool) -> Self {
        Worker {
            scratch: Scratch::default(),
            checker: DeepCheck::default(),
            prints: duplicates.then(shared_fingerprinters),
        }
    }

    fn check(&mut self, batch: &Batch<'_>) -> Outcome {
        let bytes: &[u8] = &batch.block;
        let summed = bytes.get(..batch.summed).unwrap_or_default();
        let mut outcome = Outcome {
            crc: crc64::checksum(summed),
            summed: summed.len() as u64,
            end: match batch.run {
                None => batch.at + bytes.len() as u64,
                Some(_) => 0,
            },
            ..Outcome::default()
        };
        self.scratch.templates = std::sync::Arc::clone(batch.state().templates());
        let mut tallies = Tallies::new(batch.state().db());
        let result = batch.for_each(|record| {
            match record {
                Record::Entry(entry) => {
                    tallies.count(entry, &mut outcome.dbs);
                    self.entry(batch, entry, &mut outcome)?;
                }
                Record::Header(version) => outcome.version = Some(*version),
                Record::SelectDb(db) => outcome.uses.highest_db = outcome.uses.highest_db.max(*db),
                Record::Aux { name, value } => aux(name, value, batch, &mut outcome),
                Record::Function(source) => {
                    outcome.functions += 1;
                    outcome.uses.opcodes.insert(opcode::FUNCTION2);
                    stored(source, batch, What::Function, &mut outcome);
                }
                Record::ModuleAux { id, .. } => {
                    outcome.module_aux += 1;
                    let name = module::split_id(*id).0;
                    outcome
                        .uses
                        .modules
                        .entry(String::from_utf8_lossy(&name).into_owned())
                        .or_default();
                }
                Record::SlotInfo { .. } => {
                    outcome.uses.opcodes.insert(opcode::SLOT_INFO);
                }
                Record::SlotImport { .. } => {
                    outcome.uses.opcodes.insert(opcode::KEY_META_OR_SLOT_IMPORT);
                }
                Record::HashTemplate { .. } => {
                    outcome.uses.opcodes.insert(opcode::HASH_TEMPLATE_OR_UPDATE);
                }
                Record::Eof(checksum) => outcome.checksum = Some(*checksum),
                Record::ResizeDb { .. } | Record::Run { .. } | Record::Skipped { .. } => {}
            }
            Ok(Flow::Continue)
        });
        tallies.flush(&mut outcome.dbs);
        outcome.uses.types.extend(
            outcome
                .dbs
                .values()
                .flat_map(|db| db.types.keys().map(|(t, _)| *t)),
        );
        if let Err(error) = result {
            outcome.failed = Some(error);
        }
        outcome
    }

    #[inline]
    fn entry(&mut self, batch: &Batch<'_>, entry: &Entry<'_>, outcome: &mut Outcome) -> Result<()> {
        if let Stored::Lzf { data, len } = entry.key
            && let Err(problem) = lzf::verify(data, len)
        {
            let error = Error::bytes(problem, batch.place(Place::at(entry.at)), What::Key);
            outcome
                .findings
                .push_all(Finding::from_error(&error, entry.end()));
        }
        if let Some((first, second)) = &self.prints
            && let Ok(key) = entry.key.to_bytes()
        {
            let print = KeyPrint {
                first: first.of_key(entry.db, &key),
                second: second.of_key(entry.db, &key),
                at: entry.at,
                db: u64::from(entry.db),
            };
            outcome.prints.push(print);
        }
        if entry.meta.is_some() {
            outcome.uses.opcodes.insert(opcode::KEY_META_OR_SLOT_IMPORT);
        }
        if entry.value.rdb_type == RdbType::String {
            // Nothing inside a string can be wrong but its compression, and that shows without
            // decompressing it.
            if let Ok((_, Stored::Lzf { data, len })) = string::stored(entry.value.bytes)
                && let Err(problem) = lzf::verify(data, len)
            {
                let error = Error::bytes(problem, Place::at(entry.value.at), What::Value);
                note(batch, entry, error.with_hint(Hint::OneKey), outcome);
            }
            return Ok(());
        }
        let result = value::walk(&entry.value, &mut self.scratch, &mut self.checker);
        let module = self.checker.module.take();
        if let Some(name) = module {
            *outcome.uses.modules.entry(name).or_default() += 1;
        }
        for (problem, place) in self.checker.flaws.drain(..) {
            note(
                batch,
                entry,
                Error::bytes(problem, place, What::Value),
                outcome,
            );
        }
        if !self.checker.hits.is_empty() {
            let hits = std::mem::take(&mut self.checker.hits);
            self.confirm(batch, entry, hits, outcome)?;
        }
        match result {
            Ok(()) => Ok(()),
            Err(error) => {
                self.checker.twice.finish()?;
                match error.kind() {
                    ErrorKind::Bytes(_) => {
                        note(batch, entry, error.with_hint(Hint::OneKey), outcome)
                    }
                    _ => return Err(error),
                }
                Ok(())
            }
        }
    }

    /// Reads the value again to see which members really stand twice.
    #[cold]
    fn confirm(
        &mut self,
        batch: &Batch<'_>,
        entry: &Entry<'_>,
        hits: Vec<u64>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let mut second = SecondLook {
            prints: self.checker.prints.clone(),
            hits,
            seen: BTreeMap::new(),
            skip: false,
        };
        value::walk(&entry.value, &mut self.scratch, &mut second)?;
        let doubled: Vec<&Vec<u8>> = second
            .seen
            .iter()
            .filter(|(_, count)| **count > 1)
            .map(|(m, _)| m)
            .collect();
        if let Some(member) = doubled.first() {
            let error = Error::bytes(
                Problem::DuplicateMember,
                Place::at(entry.value.at),
                What::Value,
            );
            let error = name(batch, entry, error.with_hint(Hint::OneKey));
            if let Some(mut finding) = Finding::from_error(&error, entry.end()) {
                let more = match doubled.len() {
                    1 => String::new(),
                    n => format!(" and {} more", n - 1),
                };
                finding.message = format!(
                    "{}: \"{}\"{more}",
                    finding.message,
                    crate::error::printable(member)
                );
                outcome.findings.push(finding);
            }
        }
        Ok(())
    }
}

/// All workers must agree on the keys' fingerprints, which are compared with each other.
fn shared_fingerprinters() -> (Fingerprinter, Fingerprinter) {
    static SHARED: std::sync::OnceLock<(Fingerprinter, Fingerprinter)> = std::sync::OnceLock::new();
    SHARED
        .get_or_init(|| (Fingerprinter::default(), Fingerprinter::default()))
        .clone()
}

#[cold]
fn note(batch: &Batch<'_>, entry: &Entry<'_>, error: Error, outcome: &mut Outcome) {
    let error = name(batch, entry, error);
    outcome
        .findings
        .push_all(Finding::from_error(&error, entry.end()).map(|mut finding| {
            finding.place = batch.place(finding.place);
            if batch.run.is_some() {
                finding.start = finding.place.offset;
                finding.end = finding.place.offset;
            }
            finding
        }));
}

fn name(_: &Batch<'_>, entry: &Entry<'_>, error: Error) -> Error {
    let rdb_type = entry.value.rdb_type;
    let error = error.in_type(rdb_type.number(), rdb_type.name());
    match entry.key.to_bytes() {
        Ok(key) => error.in_key(entry.db, &key),
        Err(_) => error,
    }
}

fn stored(text: &Stored<'_>, batch: &Batch<'_>, what: What, outcome: &mut Outcome) {
    if let Stored::Lzf { data, len } = *text
        && let Err(problem) = lzf::verify(data, len)
    {
        let error = Error::bytes(problem, batch.place(Place::at(batch.at)), what);
        outcome
            .findings
            .push_all(Finding::from_error(&error, batch.at));
    }
}

fn aux(name: &Stored<'_>, value: &Stored<'_>, batch: &Batch<'_>, outcome: &mut Outcome) {
    stored(name, batch, What::Aux, outcome);
    stored(value, batch, What::Aux, outcome);
    if outcome.aux.len() < AUX_LISTED
        && name.len() <= AUX_BYTES
        && value.len() <= AUX_BYTES
        && let (Ok(name), Ok(value)) = (name.to_bytes(), value.to_bytes())
        && name.as_ref() != b"slot-info"
        && name.as_ref() != b"mvcc-tstamp"
    {
        if matches!(name.as_ref(), b"df-ver" | b"snapshot-id") {
            outcome.uses.dragonfly = batch.state().dialect() != Dialect::Valkey;
        }
        outcome.aux.push((name.into_owned(), value.into_owned()));
    }
}

/// Counts keys of one database without looking anything up for each.
struct Tallies {
    db: u32,
    keys: u64,
    expires: u64,
    types: [(u64, u64); RdbType::ALL.len() * FORMS],
}

impl Tallies {
    fn new(db: u32) -> Self {
        Tallies {
            db,
            keys: 0,
            expires: 0,
            types: [(0, 0); RdbType::ALL.len() * FORMS],
        }
    }

    #[inline]
    fn count(&mut self, entry: &Entry<'_>, dbs: &mut BTreeMap<u32, DbTally>) {
        if entry.db != self.db {
            self.flush(dbs);
            self.db = entry.db;
        }
        self.keys += 1;
        self.expires += u64::from(entry.expires_at.is_some());
        let form = match entry.value.bytes.first() {
            Some(0xc0..=0xc2) if entry.value.rdb_type == RdbType::String => 1,
            Some(0xc3) if entry.value.rdb_type == RdbType::String => 2,
            _ => 0,
        };
        if let Some((keys, bytes)) = self
            .types
            .get_mut(entry.value.rdb_type as usize * FORMS + form)
        {
            *keys += 1;
            *bytes += entry.end() - entry.at;
        }
    }

    fn flush(&mut self, dbs: &mut BTreeMap<u32, DbTally>) {
        if self.keys == 0 {
            return;
        }
        let to = dbs.entry(self.db).or_default();
        to.keys += self.keys;
        to.expires += self.expires;
        for (i, (keys, bytes)) in self
            .types
            .iter_mut()
            .enumerate()
            .filter(|(_, tally)| tally.0 > 0)
        {
            if let Some(&rdb_type) = RdbType::ALL.get(i / FORMS) {
                let encoding = match i % FORMS {
                    1 => "int",
                    2 => "lzf",
                    _ => rdb_type.encoding(),
                };
                let tally = to.types.entry((rdb_type, encoding)).or_default();
                tally.keys += *keys;
                tally.bytes += *bytes;
            }
            (*keys, *bytes) = (0, 0);
        }
        (self.keys, self.expires) = (0, 0);
    }
}

/// Collects what is wrong inside a value: flaws that the walk tells, members that stand twice.
#[derive(Default)]
struct DeepCheck {
    flaws: Vec<(Problem, Place)>,
    prints: Fingerprinter,
    twice: Twice,
    hits: Vec<u64>,
    unique: bool,
    module: Option<String>,
}

impl ValueVisitor for DeepCheck {
    #[inline]
    fn begin(&mut self, of: DataType, _: Option<u64>) -> Result<()> {
        self.unique = of == DataType::Set;
        Ok(())
    }

    #[inline]
    fn element(&mut self, element: Element<'_>) -> Result<()> {
        if self.unique {
            self.twice.add(self.prints.of(element))
        } else {
            Ok(())
        }
    }

    #[inline]
    fn field(&mut self, name: Element<'_>, _: Element<'_>, _: Option<i64>) -> Result<()> {
        self.twice.add(self.prints.of(name))
    }

    #[inline]
    fn member(&mut self, member: Element<'_>, _: f64) -> Result<()> {
        self.twice.add(self.prints.of(member))
    }

    #[inline]
    fn stream(&mut self, _: StreamEvent<'_>) -> Result<()> {
        Ok(())
    }

    fn module(&mut self, event: ModuleEvent<'_>) -> Result<()> {
        if let ModuleEvent::Start { name, .. } = event {
            self.module = Some(String::from_utf8_lossy(&name).into_owned());
        }
        Ok(())
    }

    fn slot(&mut self, _: u64, _: ArrayItem<'_>) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn end(&mut self, of: DataType) -> Result<()> {
        match of {
            DataType::Set | DataType::ZSet | DataType::Hash => self.hits = self.twice.finish()?,
            // A scheduled script names its keys and arguments as fields, which may repeat.
            DataType::Cron => drop(self.twice.finish()?),
            _ => {}
        }
        Ok(())
    }

    #[cold]
    fn flaw(&mut self, problem: Problem, place: Place) -> Result<()> {
        // One of a kind says enough about a value.
        if !self.flaws.iter().any(|(p, _)| p.code() == problem.code()) {
            self.flaws.push((problem, place));
        }
        Ok(())
    }
}

/// Counts the members whose fingerprints came twice.
struct SecondLook {
    prints: Fingerprinter,
    hits: Vec<u64>,
    seen: BTreeMap<Vec<u8>, u64>,
    skip: bool,
}

impl SecondLook {
    fn look(&mut self, element: Element<'_>) {
        if !self.skip
            && self
                .hits
                .binary_search(&self.prints.of(element).max(1))
                .is_ok()
        {
            *self
                .seen
                .entry(element.to_bytes().into_owned())
                .or_default() += 1;
        }
    }
}

impl ValueVisitor for SecondLook {
    fn begin(&mut self, of: DataType, _: Option<u64>) -> Result<()> {
        self.skip = of == DataType::List;
        Ok(())
    }
    fn element(&mut self, element: Element<'_>) -> Result<()> {
        self.look(element);
        Ok(())
    }
    fn field(&mut self, name: Element<'_>, _: Element<'_>, _: Option<i64>) -> Result<()> {
        self.look(name);
        Ok(())
    }
    fn member(&mut self, member: Element<'_>, _: f64) -> Result<()> {
        self.look(member);
        Ok(())
    }
}
