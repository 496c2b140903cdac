//! Checks the records of batches, one batch after the other, on one thread.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bytes::Problem;
use crate::encoding::{crc64, lzf};
use crate::error::{self, Error, ErrorKind, Hint, Place, Result, What};
use crate::io::ordered::Wanted;
use crate::rdb::batch::{self, Batches};
use crate::rdb::parser::opcode;
use crate::rdb::value::sound::{framed_string, sound, sound_strings};
use crate::rdb::value::{self, module};
use crate::rdb::{Scratch, string};
use crate::record::types::{Dialect, RdbType};
use crate::record::{DataType, Entry, RawValue, Record, Stored};
use crate::report::finding::Finding;
use crate::task::check_rdb::deep::{DeepCheck, SecondLook};
use crate::task::check_rdb::outcome::{AUX_LISTED, Outcome};
use crate::task::check_rdb::tally::Tally;
use crate::task::duplicates::{Fingerprinter, KeyPrint};

/// Bytes of an AUX field that a report shows.
const AUX_BYTES: u64 = 4096;

/// Bytes of a record that are not all looked at when it is framed.
const LARGE_RECORD: u64 = 512;

type Batch<'d> = batch::Batch<'d, Tally>;

/// What one thread keeps from batch to batch.
pub(super) struct Worker {
    scratch: Scratch,
    checker: DeepCheck,
    prints: Option<(Fingerprinter, Fingerprinter)>,
    /// Records were large in what was framed last.
    sparse: bool,
    /// Values without members are decoded by somebody else.
    values_later: bool,
}

impl Worker {
    /// One that takes the fingerprints of keys, or not, and may leave values without members to somebody
    /// else.
    pub(super) fn new(prints: bool, values_later: bool) -> Self {
        Worker {
            scratch: Scratch::default(),
            checker: DeepCheck::default(),
            prints: prints.then(shared_fingerprinters),
            values_later,
            sparse: false,
        }
    }

    /// Frames and checks all of some batches; `after` is told each, and whether it is in order, and says
    /// whether more are wanted.
    pub(super) fn check_all(
        &mut self,
        batches: &mut Batches<'_, Tally>,
        mut after: impl FnMut(&Batch<'_>, bool) -> Wanted,
    ) -> Outcome {
        let mut all = Outcome::default();
        let mut wanted = Wanted::More;
        while wanted == Wanted::More {
            // Few large records are summed before they are framed: a pass from end to end brings
            // them close faster than steps from record to record. Among many small ones framing
            // itself is such a pass.
            let near = match self.sparse {
                true => batches.near(),
                false => &[],
            };
            let crc = crc64::checksum(near);
            match batches.next_batch() {
                Ok(Some(mut batch)) => {
                    self.sparse = batch.sheet.keys() * LARGE_RECORD < batch.block.len() as u64;
                    let outcome = self.check(&mut batch, Some((near.len(), crc)));
                    wanted = after(&batch, outcome.is_sound());
                    all.append(outcome);
                }
                Ok(None) => break,
                Err(error) => all.append(Outcome::failed(error)),
            }
            if all.failed.is_some() {
                break;
            }
        }
        all
    }

    /// Checks the records of one batch, of whose first bytes the checksum may be known.
    pub(super) fn check(&mut self, batch: &mut Batch<'_>, near: Option<(usize, u64)>) -> Outcome {
        let sums = batch.sheet.sums();
        let batch = &*batch;
        let bytes: &[u8] = &batch.block;
        let summed = bytes.get(..batch.summed).unwrap_or_default();
        let outcome = Outcome {
            crc: match near.and_then(|(len, crc)| Some((crc, summed.get(len..)?))) {
                Some((crc, rest)) => crc64::continued(crc, rest),
                None => crc64::checksum(summed),
            },
            summed: summed.len() as u64,
            end: match batch.run {
                None => batch.at + bytes.len() as u64,
                Some(_) => 0,
            },
            sums,
            ..Outcome::default()
        };
        self.scratch.templates = Arc::clone(batch.state().templates());
        let mut pass = Pass {
            outcome,
            worker: self,
            batch,
        };
        let result = batch.visit(
            &mut pass,
            Pass::value,
            |pass, values| match pass.worker.values_later {
                true => values.map(framed_string),
                false => sound_strings(values),
            },
            Pass::key,
            Pass::other,
        );
        let mut outcome = pass.outcome;
        outcome.dbs = batch.sheet.dbs();
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

    /// Checks what of a key can be wrong once its record is framed.
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
            // Whether it decompresses shows without doing so.
            if let Ok((_, Stored::Lzf { data, len })) = string::stored(entry.value.bytes)
                && let Err(problem) = lzf::verify(data, len)
            {
                let error = Error::bytes(problem, Place::at(entry.value.at), What::Value);
                note(batch, entry, error.with_hint(Hint::OneKey), outcome);
            }
            return Ok(());
        }
        // Else the value was tried before the key was looked at.
        if self.prints.is_some() && sound(&entry.value, &mut self.scratch) {
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
                    error::printable(member)
                );
                outcome.findings.push(finding);
            }
        }
        Ok(())
    }
}

/// One pass of a worker over a batch.
struct Pass<'w, 'b, 'd> {
    worker: &'w mut Worker,
    batch: &'b Batch<'d>,
    outcome: Outcome,
}

impl Pass<'_, '_, '_> {
    /// True where there is nothing to say about a value.
    fn value(&mut self, value: &RawValue<'_>) -> bool {
        if self.worker.values_later {
            match value.rdb_type.data_type() {
                DataType::String => return framed_string(value),
                DataType::List | DataType::Stream => return true,
                _ => {}
            }
        }
        sound(value, &mut self.worker.scratch)
    }

    fn key(&mut self, entry: Entry<'_>) -> Result<()> {
        self.worker.entry(self.batch, &entry, &mut self.outcome)
    }

    fn other(&mut self, record: &Record<'_>, at: u64) -> Result<()> {
        let outcome = &mut self.outcome;
        match record {
            Record::Header(version) => outcome.version = Some(*version),
            Record::SelectDb(db) => outcome.uses.highest_db = outcome.uses.highest_db.max(*db),
            Record::Aux { name, value } => aux(name, value, at, self.batch, outcome),
            Record::Function(source) => {
                outcome.functions += 1;
                outcome.uses.opcodes.insert(opcode::FUNCTION2);
                stored(source, at, self.batch, What::Function, outcome);
            }
            Record::ModuleAux { id, .. } => {
                outcome.module_aux += 1;
                let name = module::split_id(*id).0;
                let name = String::from_utf8_lossy(&name).into_owned();
                outcome.uses.modules.entry(name).or_default();
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
            Record::Entry(_)
            | Record::ResizeDb { .. }
            | Record::Run { .. }
            | Record::Skipped { .. } => {}
        }
        Ok(())
    }
}

/// All workers must agree on the keys' fingerprints, which are compared with each other.
pub(super) fn shared_fingerprinters() -> (Fingerprinter, Fingerprinter) {
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

fn stored(text: &Stored<'_>, at: u64, batch: &Batch<'_>, what: What, outcome: &mut Outcome) {
    if let Stored::Lzf { data, len } = *text
        && let Err(problem) = lzf::verify(data, len)
    {
        let error = Error::bytes(problem, batch.place(Place::at(at)), what);
        outcome.findings.push_all(Finding::from_error(&error, at));
    }
}

fn aux(name: &Stored<'_>, value: &Stored<'_>, at: u64, batch: &Batch<'_>, outcome: &mut Outcome) {
    stored(name, at, batch, What::Aux, outcome);
    stored(value, at, batch, What::Aux, outcome);
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
