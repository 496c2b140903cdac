//! The framing of a snapshot: a record a step. Finds where a value ends, not what it says.

use std::sync::Arc;

use crate::bytes::limits::{DATABASES, TEMPLATE_FIELDS};
use crate::bytes::parse::{self, Parsed};
use crate::bytes::{Element, Fault, Problem, Step};
use crate::error::{Error, Hint, Place, Result, What};
use crate::rdb::string;
use crate::rdb::value::{self, Templates, module};
use crate::record::types::{Dialect, Family, RdbType, RdbVersion};
use crate::record::{Checksum, Entry, RawValue, Record, RunCodec, Stored};

/// The bytes that stand where a type may stand and are none.
pub mod opcode {
    #![allow(missing_docs)]
    pub const EOF: u8 = 255;
    pub const SELECTDB: u8 = 254;
    pub const EXPIRETIME: u8 = 253;
    pub const EXPIRETIME_MS: u8 = 252;
    pub const RESIZEDB: u8 = 251;
    pub const AUX: u8 = 250;
    pub const FREQ: u8 = 249;
    pub const IDLE: u8 = 248;
    pub const MODULE_AUX: u8 = 247;
    pub const FUNCTION_PRE_GA: u8 = 246;
    pub const FUNCTION2: u8 = 245;
    pub const SLOT_INFO: u8 = 244;
    /// Redis: KEY_META. Valkey: SLOT_IMPORT.
    pub const KEY_META_OR_SLOT_IMPORT: u8 = 243;
    /// Redis: HASH_TEMPLATE. Valkey: UPDATE.
    pub const HASH_TEMPLATE_OR_UPDATE: u8 = 242;
    pub const DRAGONFLY_FLAGS: u8 = 220;
    pub const DRAGONFLY_RUN_END: u8 = 203;
    pub const DRAGONFLY_LZ4: u8 = 202;
    pub const DRAGONFLY_ZSTD: u8 = 201;
    pub const DRAGONFLY_FULL_SYNC_END: u8 = 200;
    pub const ENTERPRISE: [u8; 2] = [107, 121];
}

/// Lowest version with a checksum at the end.
const CHECKSUM_SINCE: u32 = 5;
const MAGIC_LEN: usize = 9;
/// The version that KeyDB writes; its own types are believed in no other.
const KEYDB: u32 = 9;
/// Name length of a slot import job.
const SLOT_IMPORT_NAME: u64 = 40;
/// Most module classes that a key's metadata may have.
const KEY_META_CLASSES: u64 = 7;
/// Bytes of field names that all templates together may have.
const TEMPLATE_BYTES: usize = 64 << 20;

/// What the file said about the next key before naming it.
#[derive(Clone, Copy, Debug, Default)]
struct Attributes<'d> {
    expires_at: Option<i64>,
    idle: Option<u64>,
    freq: Option<u8>,
    meta: Option<&'d [u8]>,
}

/// Everything that decides how the next byte is read; small, so that a stretch of records can be
/// handed to another thread together with it.
#[derive(Clone, Debug, Default)]
pub struct State {
    version: Option<RdbVersion>,
    dialect: Dialect,
    db: u32,
    pending: Option<Attributes<'static>>,
    templates: Arc<Templates>,
    template_bytes: usize,
    in_run: bool,
    ended: bool,
}

impl State {
    /// Magic and version, once they were read.
    pub fn version(&self) -> Option<RdbVersion> {
        self.version
    }
    /// The database that the next key belongs to.
    pub fn db(&self) -> u32 {
        self.db
    }
    /// True behind the end mark and checksum.
    pub fn ended(&self) -> bool {
        self.ended
    }
    /// The same, for records of another database and as long as the snapshot goes on.
    pub(crate) fn at_db(&self, db: u32) -> State {
        State {
            db,
            pending: None,
            ended: false,
            ..self.clone()
        }
    }

    /// The same in another database.
    pub(crate) fn in_db(&self, db: u32) -> State {
        State { db, ..self.clone() }
    }

    /// True where a record like any other comes next, which owes nothing to the one before.
    pub(crate) fn is_plain(&self) -> bool {
        self.version.is_some()
            && self.pending.is_none()
            && !self.in_run
            && !self.ended
            && self.dialect != Dialect::Dragonfly
    }

    /// True where what comes next means the same in both states, but for the database of its keys.
    pub(crate) fn reads_as(&self, other: &State) -> bool {
        self.is_plain()
            && other.is_plain()
            && self.version == other.version
            && self.dialect == other.dialect
            && Arc::ptr_eq(&self.templates, &other.templates)
            && self.template_bytes == other.template_bytes
    }

    /// True where an expiry or access data wait for the key that they belong to.
    pub(crate) fn awaits_key(&self) -> bool {
        self.pending.is_some()
    }

    /// At the start of a snapshot whose header says this, or should.
    pub(crate) fn of_version(version: RdbVersion) -> State {
        State {
            version: Some(version),
            dialect: Dialect::of(version),
            ..State::default()
        }
    }

    /// Whose additions to the format are in force.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }
    /// The hash templates seen so far.
    pub fn templates(&self) -> &Arc<Templates> {
        &self.templates
    }
}

/// Reads a snapshot record by record. Owns no bytes: it is handed what is there, and says what it
/// took or that it needs more.
#[derive(Clone, Debug, Default)]
pub struct RdbParser {
    state: State,
    at: u64,
}

/// Why bytes are no record, where one was guessed at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Miss {
    /// Something is wrong behind so many of them.
    Wrong(usize),
    /// So many more are needed at the least.
    Short(usize),
}

/// The expiry that is meant by a number of Unix ms: -1 is how servers say none.
#[inline(always)]
fn expiry(ms: i64) -> Option<i64> {
    (ms != -1).then_some(ms)
}

impl RdbParser {
    /// At the start of a snapshot.
    pub fn new() -> Self {
        Self::default()
    }

    /// In the middle of one, at this offset.
    pub fn resume(state: State, at: u64) -> Self {
        RdbParser { state, at }
    }

    /// What decides how the next byte is read.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// Goes on at another offset, in the same state.
    pub(crate) fn seek(&mut self, at: u64) {
        self.at = at;
    }

    /// True inside a compressed run of records.
    pub(crate) fn in_run(&self) -> bool {
        self.state.in_run
    }

    /// Starts over inside a compressed run of records, keeping what the run shares with its file.
    pub(crate) fn enter_run(&self) -> Self {
        let mut state = self.state.clone();
        state.in_run = true;
        RdbParser { state, at: 0 }
    }

    /// Goes on behind a run with what the run changed.
    pub(crate) fn leave_run(&mut self, inner: &RdbParser) {
        let mut state = inner.state.clone();
        state.in_run = false;
        state.ended = false;
        self.state = state;
    }

    /// Reads the record at the start of `data`; `eof` says that nothing follows `data`.
    ///
    /// # Errors
    /// Bytes that are no record, or that end inside one although nothing follows.
    #[inline]
    pub fn parse<'d>(&mut self, data: &'d [u8], eof: bool) -> Result<Step<Record<'d>>> {
        match self.record(data) {
            Ok((rest, item)) => {
                let consumed = data.len() - rest.len();
                if !matches!(item, Record::Entry(_)) || self.state.pending.is_some() {
                    self.apply(&item, data)?;
                }
                self.at += consumed as u64;
                Ok(Step::Parsed { consumed, item })
            }
            Err(nom::Err::Incomplete(needed)) if !eof => {
                let at_least = match needed {
                    nom::Needed::Size(n) => n.get(),
                    nom::Needed::Unknown => 1,
                };
                Ok(Step::NeedMore { at_least })
            }
            Err(error) => Err(self.explain(data, error)),
        }
    }

    /// Reads the key at the start of `data` if it is all there and nothing about it is out of the
    /// ordinary: what nearly every record is. `None` says nothing; [`parse`](Self::parse) does.
    #[inline(always)]
    pub(crate) fn next_key<'d>(&mut self, data: &'d [u8]) -> Option<(Entry<'d>, &'d [u8])> {
        if self.state.version.is_none() || self.state.pending.is_some() || self.state.ended {
            return None;
        }
        let (mut entry, body) = self.next_name(data)?;
        let end = value::pass(entry.value.rdb_type, body)?;
        entry.value.bytes = body.get(..body.len() - end.len())?;
        self.at += (data.len() - end.len()) as u64;
        Some((entry, end))
    }

    /// The record at the start of `data`, where one is only guessed at: says nothing of what is
    /// wrong, and so copies nothing to say it. Gives how many bytes it has as well.
    pub(crate) fn guess<'d>(
        &mut self,
        data: &'d [u8],
    ) -> std::result::Result<(Record<'d>, usize), Miss> {
        if let Some((entry, after)) = self.next_key(data) {
            return Ok((Record::Entry(entry), data.len() - after.len()));
        }
        let (rest, item) = self.record(data).map_err(|error| match error {
            nom::Err::Error(fault) | nom::Err::Failure(fault) => {
                Miss::Wrong(data.len().saturating_sub(fault.rest))
            }
            nom::Err::Incomplete(nom::Needed::Size(missing)) => Miss::Short(missing.get()),
            nom::Err::Incomplete(nom::Needed::Unknown) => Miss::Short(1),
        })?;
        let consumed = data.len() - rest.len();
        if !matches!(item, Record::Entry(_)) || self.state.pending.is_some() {
            self.apply(&item, data).map_err(|_| Miss::Wrong(consumed))?;
        }
        self.at += consumed as u64;
        Ok((item, consumed))
    }

    /// The same for a key whose value was framed before.
    pub(crate) fn key_of<'d>(&self, data: &'d [u8], value: RawValue<'d>) -> Option<Entry<'d>> {
        let (entry, _) = self.next_name(data)?;
        (entry.value.at == value.at && entry.value.rdb_type == value.rdb_type)
            .then_some(Entry { value, ..entry })
    }

    /// A key without its value, which comes next.
    #[inline(always)]
    fn next_name<'d>(&self, data: &'d [u8]) -> Option<(Entry<'d>, &'d [u8])> {
        let (mut expires_at, mut idle, mut freq) = (None, None, None);
        let (mut first, mut rest) = data.split_first()?;
        if *first == opcode::EXPIRETIME_MS {
            let (ms, after) = rest.split_first_chunk::<8>()?;
            expires_at = expiry(i64::from_le_bytes(*ms));
            (first, rest) = after.split_first()?;
        }
        if *first == opcode::FREQ {
            let (&value, after) = rest.split_first()?;
            freq = Some(value);
            (first, rest) = after.split_first()?;
        } else if *first == opcode::IDLE {
            let (seconds, after) = string::short_number(rest)?;
            idle = Some(seconds as u64);
            (first, rest) = after.split_first()?;
        }
        let rdb_type = RdbType::common(*first)?;
        let (key, body) = string::short_stored(rest)?;
        let at = self.at;
        let entry = Entry {
            db: self.state.db,
            at,
            key,
            expires_at,
            idle,
            freq,
            meta: None,
            value: RawValue {
                rdb_type,
                bytes: &[],
                at: at + (data.len() - body.len()) as u64,
            },
        };
        Some((entry, body))
    }

    #[inline]
    fn record<'d>(&self, input: &'d [u8]) -> Parsed<'d, Record<'d>> {
        if self.state.version.is_none() {
            return header(input);
        }
        let mut attributes = self.state.pending.unwrap_or_default();
        let mut rest = input;
        loop {
            let (after, first) = parse::byte(rest)?;
            match first {
                opcode::EXPIRETIME_MS => {
                    let (after, ms) = parse::le_i64(after)?;
                    attributes.expires_at = expiry(ms);
                    rest = after;
                }
                opcode::EXPIRETIME => {
                    let (after, seconds) = parse::array::<4>(after)?;
                    attributes.expires_at = Some(i64::from(i32::from_le_bytes(seconds)) * 1000);
                    rest = after;
                }
                opcode::IDLE => {
                    let (after, seconds) = string::number(after)?;
                    attributes.idle = Some(seconds);
                    rest = after;
                }
                opcode::FREQ => {
                    let (after, freq) = parse::byte(after)?;
                    attributes.freq = Some(freq);
                    rest = after;
                }
                _ if first < 100 => {
                    let rdb_type = match RdbType::from_number(first, self.state.dialect) {
                        Ok(rdb_type) => rdb_type,
                        Err(problem) => return Err(Fault::at(rest, problem)),
                    };
                    if rdb_type == RdbType::Cron
                        && self.state.version.is_none_or(|v| v.number != KEYDB)
                    {
                        return Err(Fault::at(rest, Problem::UnknownType { found: first }));
                    }
                    let (body, key) = string::stored(after)?;
                    let (end, ()) = if rdb_type == RdbType::HashTemplate {
                        value::hash::extent_template(body, |id| {
                            self.state
                                .templates
                                .get(id)
                                .map(|fields| fields.len() as u64)
                        })?
                    } else {
                        value::extent(rdb_type, body)?
                    };
                    let (bytes, _) = body.split_at(body.len() - end.len());
                    let value_at = self.at + (input.len() - body.len()) as u64;
                    let entry = Entry {
                        db: self.state.db,
                        at: self.at,
                        key,
                        expires_at: attributes.expires_at,
                        idle: attributes.idle,
                        freq: attributes.freq,
                        meta: attributes.meta,
                        value: RawValue {
                            rdb_type,
                            bytes,
                            at: value_at,
                        },
                    };
                    return Ok((end, Record::Entry(entry)));
                }
                opcode::KEY_META_OR_SLOT_IMPORT if self.state.dialect == Dialect::Redis13 => {
                    let (end, ()) = key_meta(after)?;
                    attributes.meta = after.get(..after.len() - end.len());
                    rest = end;
                }
                opcode::DRAGONFLY_FLAGS if self.state.dialect == Dialect::Dragonfly => {
                    let (after, flags) = parse::array::<4>(after)?;
                    let more = if u32::from_le_bytes(flags) & 2 == 0 {
                        0
                    } else {
                        4
                    };
                    rest = parse::take(after, more)?.0;
                }
                // Another record stands between a key's attributes and the key: they wait.
                _ if rest.len() < input.len() => {
                    return Ok((
                        rest,
                        Record::Skipped {
                            opcode: opcode::EXPIRETIME_MS,
                        },
                    ));
                }
                _ => return self.other(rest, after, first),
            }
        }
    }

    /// A record that is not a key.
    fn other<'d>(&self, input: &'d [u8], rest: &'d [u8], first: u8) -> Parsed<'d, Record<'d>> {
        let dialect = self.state.dialect;
        match first {
            opcode::EOF => {
                if self
                    .state
                    .version
                    .is_some_and(|v| v.number < CHECKSUM_SINCE)
                {
                    return Ok((rest, Record::Eof(Checksum::Absent)));
                }
                let (rest, stored) = parse::array::<8>(rest)?;
                let checksum = match u64::from_le_bytes(stored) {
                    0 => Checksum::Disabled,
                    stored => Checksum::Stored(stored),
                };
                Ok((rest, Record::Eof(checksum)))
            }
            opcode::SELECTDB => {
                let (rest, db) = string::number(rest)?;
                match u32::try_from(db) {
                    Ok(db) if u64::from(db) <= DATABASES => Ok((rest, Record::SelectDb(db))),
                    _ => Err(Fault::at(input, Problem::Database { found: db })),
                }
            }
            opcode::RESIZEDB => {
                let (rest, keys) = string::number(rest)?;
                let (rest, expires) = string::number(rest)?;
                Ok((rest, Record::ResizeDb { keys, expires }))
            }
            opcode::AUX => {
                let (rest, name) = string::stored(rest)?;
                let (rest, value) = string::stored(rest)?;
                Ok((rest, Record::Aux { name, value }))
            }
            opcode::MODULE_AUX => {
                let (rest, id) = string::number(rest)?;
                let (rest, mark) = string::number(rest)?;
                if mark != 2 {
                    return Err(Fault::at(rest, Problem::ModuleAux { found: mark }));
                }
                let (items, when) = string::number(rest)?;
                let (end, ()) = module::skip_items(items)?;
                let at = self.at + (input.len() - items.len()) as u64;
                let (items, _) = items.split_at(items.len() - end.len());
                Ok((
                    end,
                    Record::ModuleAux {
                        id,
                        when,
                        items,
                        at,
                    },
                ))
            }
            opcode::FUNCTION2 => {
                let (rest, source) = string::stored(rest)?;
                Ok((rest, Record::Function(source)))
            }
            opcode::FUNCTION_PRE_GA => Err(Fault::at(input, Problem::RefusedType { found: first })),
            opcode::SLOT_INFO => {
                let (rest, slot) = string::number(rest)?;
                let (rest, keys) = string::number(rest)?;
                let (rest, expires) = string::number(rest)?;
                Ok((
                    rest,
                    Record::SlotInfo {
                        slot,
                        keys,
                        expires,
                    },
                ))
            }
            opcode::KEY_META_OR_SLOT_IMPORT if dialect == Dialect::Valkey => slot_import(rest),
            opcode::HASH_TEMPLATE_OR_UPDATE if dialect == Dialect::Redis13 => {
                let (rest, id) = string::number(rest)?;
                let (mut end, count) = string::number(rest)?;
                if count == 0 || count > TEMPLATE_FIELDS {
                    return Err(Fault::at(rest, Problem::TemplateBad { id }));
                }
                for _ in 0..count {
                    (end, ()) = string::skip(end)?;
                }
                Ok((end, Record::HashTemplate { id }))
            }
            opcode::DRAGONFLY_ZSTD | opcode::DRAGONFLY_LZ4 if dialect == Dialect::Dragonfly => {
                let (rest, len) = string::number(rest)?;
                let (rest, data) = parse::take_u64(rest, len)?;
                let codec = match first {
                    opcode::DRAGONFLY_ZSTD => RunCodec::Zstd,
                    _ => RunCodec::Lz4,
                };
                Ok((rest, Record::Run { codec, data }))
            }
            opcode::DRAGONFLY_RUN_END if self.state.in_run => {
                Ok((rest, Record::Skipped { opcode: first }))
            }
            opcode::DRAGONFLY_FULL_SYNC_END if dialect == Dialect::Dragonfly => {
                Ok((rest, Record::Skipped { opcode: first }))
            }
            _ if dialect == Dialect::Redis && opcode::ENTERPRISE.contains(&first) => {
                let (rest, _) = string::number(rest)?;
                Ok((rest, Record::Skipped { opcode: first }))
            }
            opcode::HASH_TEMPLATE_OR_UPDATE => {
                Err(Fault::at(input, Problem::UnreadableType { found: first }))
            }
            210 | 211 | 222..=224 if dialect == Dialect::Dragonfly => {
                Err(Fault::at(input, Problem::UnreadableType { found: first }))
            }
            _ => Err(Fault::at(input, Problem::UnknownType { found: first })),
        }
    }

    /// Takes in what a record changes about those behind it.
    #[cold]
    fn apply(&mut self, record: &Record<'_>, data: &[u8]) -> Result<()> {
        match *record {
            Record::Header(version) => {
                self.state.version = Some(version);
                self.state.dialect = Dialect::of(version);
            }
            Record::SelectDb(db) => self.state.db = db,
            Record::Aux {
                name: Stored::Plain(Element::Bytes(b"df-ver" | b"snapshot-id")),
                ..
            } if self.state.dialect == Dialect::Redis => {
                self.state.dialect = Dialect::Dragonfly;
            }
            Record::Skipped {
                opcode: opcode::EXPIRETIME_MS,
            } => self.keep_attributes(data),
            Record::Skipped {
                opcode: opcode::DRAGONFLY_RUN_END,
            }
            | Record::Eof(_) => {
                self.state.ended = true;
            }
            Record::HashTemplate { id } => self.add_template(id, data)?,
            Record::Entry(_) => self.state.pending = None,
            _ => {}
        }
        Ok(())
    }

    /// Reads again the attributes at the start of `data`, for the key that comes later. Module
    /// metadata stays behind: no writer puts a record between it and its key.
    fn keep_attributes(&mut self, mut data: &[u8]) {
        let mut kept = self.state.pending.unwrap_or_default();
        while let Some((&first, rest)) = data.split_first() {
            let step = match first {
                opcode::EXPIRETIME_MS => parse::le_i64(rest).map(|(rest, ms)| {
                    kept.expires_at = expiry(ms);
                    rest
                }),
                opcode::EXPIRETIME => parse::array::<4>(rest).map(|(rest, s)| {
                    kept.expires_at = Some(i64::from(i32::from_le_bytes(s)) * 1000);
                    rest
                }),
                opcode::IDLE => string::number(rest).map(|(rest, idle)| {
                    kept.idle = Some(idle);
                    rest
                }),
                opcode::FREQ => parse::byte(rest).map(|(rest, freq)| {
                    kept.freq = Some(freq);
                    rest
                }),
                _ => break,
            };
            match step {
                Ok(rest) => data = rest,
                Err(_) => break,
            }
        }
        self.state.pending = Some(kept);
    }

    fn add_template(&mut self, id: u64, data: &[u8]) -> Result<()> {
        let bad = |problem| Error::bytes(problem, Place::at(self.at), What::Template);
        let read = || -> Parsed<'_, Vec<Box<[u8]>>> {
            let (rest, _) = parse::byte(data)?;
            let (rest, _) = string::number(rest)?;
            let (mut rest, count) = string::number(rest)?;
            let mut fields = Vec::new();
            for _ in 0..count {
                let (after, field) = string::stored(rest)?;
                let bytes = field
                    .to_bytes()
                    .map_err(|problem| Fault::at(rest, problem))?;
                fields.push(bytes.into_owned().into_boxed_slice());
                rest = after;
            }
            Ok((rest, fields))
        };
        let Ok((_, fields)) = read() else {
            return Err(bad(Problem::TemplateBad { id }));
        };
        let size: usize = fields.iter().map(|f| f.len()).sum();
        let sorted = fields.windows(2).all(|pair| match pair {
            [a, b] => (a.len(), a) < (b.len(), b),
            _ => true,
        });
        if size > TEMPLATE_BYTES - self.state.template_bytes {
            return Err(Error::limit(
                "the hash templates have more than 64 MiB of field names",
            ));
        }
        if !sorted || !Arc::make_mut(&mut self.state.templates).insert(id, fields) {
            return Err(bad(Problem::TemplateBad { id }));
        }
        self.state.template_bytes += size;
        Ok(())
    }

    /// Turns a fault into an error that says what was being read: the record is read once more,
    /// step by step, now that time does not matter.
    #[cold]
    fn explain(&self, data: &[u8], error: nom::Err<Fault>) -> Error {
        let (rest, problem) = match error {
            nom::Err::Incomplete(_) if data.is_empty() && self.at == 0 => (0, Problem::Empty),
            nom::Err::Incomplete(needed) => (0, value::truncated(needed)),
            nom::Err::Error(fault) | nom::Err::Failure(fault) => (fault.rest, fault.problem),
        };
        let place = Place::at(self.at + (data.len() - rest.min(data.len())) as u64);
        let fault_at = data.len() - rest.min(data.len());
        let hint = match problem {
            Problem::Truncated { .. } | Problem::Empty => Some(Hint::CopyAgain),
            Problem::FutureVersion { .. } | Problem::UnreadableType { .. } => {
                Some(Hint::NewerVersion)
            }
            Problem::Magic | Problem::Version { .. } => None,
            _ => Some(Hint::KeepGoing),
        };
        let finish = |error: Error| match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        };
        if self.state.version.is_none() {
            return finish(Error::bytes(problem, place, What::Header));
        }
        let mut rest = data;
        loop {
            let Some((&first, after)) = rest.split_first() else {
                return finish(Error::bytes(problem, place, What::Record));
            };
            let step: Parsed<'_, ()> = match first {
                opcode::EXPIRETIME_MS => parse::take(after, 8).map(|(r, _)| (r, ())),
                opcode::EXPIRETIME => parse::take(after, 4).map(|(r, _)| (r, ())),
                opcode::IDLE => string::number(after).map(|(r, _)| (r, ())),
                opcode::FREQ => parse::byte(after).map(|(r, _)| (r, ())),
                opcode::KEY_META_OR_SLOT_IMPORT if self.state.dialect == Dialect::Redis13 => {
                    key_meta(after)
                }
                _ => break,
            };
            match step {
                Ok((next, ())) => rest = next,
                Err(_) => return finish(Error::bytes(problem, place, What::KeyAttribute)),
            }
        }
        let what = match rest.first() {
            Some(&opcode::AUX) => What::Aux,
            Some(&(opcode::SELECTDB | opcode::RESIZEDB | opcode::SLOT_INFO)) => What::Database,
            Some(&opcode::MODULE_AUX) => What::ModuleAux,
            Some(&(opcode::FUNCTION2 | opcode::FUNCTION_PRE_GA)) => What::Function,
            Some(&opcode::EOF) => What::Checksum,
            Some(&opcode::HASH_TEMPLATE_OR_UPDATE) => What::Template,
            Some(&number) if number < 100 && fault_at > data.len() - rest.len() => {
                let Ok(rdb_type) = RdbType::from_number(number, self.state.dialect) else {
                    return finish(Error::bytes(problem, place, What::Record));
                };
                let named = |error: Error| finish(error.in_type(number, rdb_type.name()));
                let after = rest.get(1..).unwrap_or_default();
                return match string::stored(after) {
                    Ok((body, key)) if data.len() - body.len() <= fault_at => {
                        let error = Error::bytes(problem, place, What::Value);
                        match key.to_bytes() {
                            Ok(key) => named(error.in_key(self.state.db, &key)),
                            Err(_) => named(error),
                        }
                    }
                    _ => named(Error::bytes(problem, place, What::Key)),
                };
            }
            _ => What::Record,
        };
        finish(Error::bytes(problem, place, what))
    }
}

fn header(input: &[u8]) -> Parsed<'_, Record<'_>> {
    let (family, digits, rest) = match input.split_at_checked(MAGIC_LEN) {
        Some((&[b'R', b'E', b'D', b'I', b'S', ref digits @ ..], rest)) => {
            (Family::Redis, digits, rest)
        }
        Some((&[b'V', b'A', b'L', b'K', b'E', b'Y', ref digits @ ..], rest)) => {
            (Family::Valkey, digits, rest)
        }
        None if b"REDIS".starts_with(input.get(..5).unwrap_or(input))
            || b"VALKEY".starts_with(input.get(..6).unwrap_or(input)) =>
        {
            return parse::incomplete(MAGIC_LEN - input.len());
        }
        _ => return Err(Fault::at(input, Problem::Magic)),
    };
    // As lenient as the servers, who read it with `atoi`: white space and a plus sign in front are
    // passed over, and what is no digit ends the number.
    let digits = digits.trim_ascii_start();
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    let number = digits
        .iter()
        .take_while(|d| d.is_ascii_digit())
        .fold(0u32, |n, d| n * 10 + u32::from(d - b'0'));
    let version = RdbVersion { family, number };
    let problem = match (family, number) {
        (_, 0) => Problem::Version { version: number },
        (Family::Redis, 1..=RdbVersion::NEWEST_REDIS) => {
            return Ok((rest, Record::Header(version)));
        }
        (Family::Redis, 80..) => Problem::Version { version: number },
        (Family::Valkey, _) if RdbVersion::VALKEY.contains(&number) => {
            return Ok((rest, Record::Header(version)));
        }
        (Family::Valkey, 0..80) => Problem::Version { version: number },
        _ => Problem::FutureVersion { version: number },
    };
    Err(Fault::at(input, problem))
}

/// Passes over a key's module metadata: classes, each four bytes and items with their end mark.
fn key_meta(input: &[u8]) -> Parsed<'_, ()> {
    let (mut rest, classes) = string::number(input)?;
    if classes > KEY_META_CLASSES {
        return Err(Fault::at(
            input,
            Problem::LengthRange {
                found: classes,
                most: KEY_META_CLASSES,
            },
        ));
    }
    for _ in 0..classes {
        (rest, _) = parse::take(rest, 4)?;
        (rest, ()) = module::skip_items(rest)?;
    }
    Ok((rest, ()))
}

fn slot_import(input: &[u8]) -> Parsed<'_, Record<'_>> {
    let (rest, job) = string::stored(input)?;
    if job.len() != SLOT_IMPORT_NAME {
        return Err(Fault::at(input, Problem::SlotImportName { len: job.len() }));
    }
    let (mut end, count) = string::number(rest)?;
    let start = end;
    for _ in 0..count {
        (end, _) = string::number(end)?;
        (end, _) = string::number(end)?;
    }
    let (ranges, _) = start.split_at(start.len() - end.len());
    Ok((end, Record::SlotImport { job, ranges }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[u8]) -> Result<Vec<String>> {
        let mut parser = RdbParser::new();
        let mut rest = data;
        let mut all = Vec::new();
        while !parser.state().ended() {
            match parser.parse(rest, true)? {
                Step::Parsed { consumed, item } => {
                    all.push(format!("{item:?}"));
                    rest = &rest[consumed..];
                }
                Step::NeedMore { .. } => unreachable!("the end was given"),
            }
        }
        Ok(all)
    }

    const SMALL: &[u8] = b"REDIS0009\xfa\x03ver\xc0\x05\xfe\x01\xfb\x02\x01\xfc\x01\0\0\0\0\0\0\0\xf8\x05\0\x01k\x01v\xf9\x07\x02\x01s\x02\x01a\x01b\xff\0\0\0\0\0\0\0\0";

    #[test]
    fn attributes_belong_to_the_next_key_only() {
        let mut parser = RdbParser::new();
        let (mut rest, mut seen) = (SMALL, Vec::new());
        while !parser.state().ended() {
            let Step::Parsed { consumed, item } = parser.parse(rest, true).unwrap() else {
                unreachable!()
            };
            if let Record::Entry(e) = item {
                seen.push((
                    e.db,
                    e.expires_at,
                    e.idle,
                    e.freq,
                    e.value.rdb_type,
                    e.value.bytes.len(),
                ));
            }
            rest = &rest[consumed..];
        }
        assert_eq!(
            seen,
            [
                (1, Some(1), Some(5), None, RdbType::String, 2),
                (1, None, None, Some(7), RdbType::SetTable, 5)
            ]
        );
        assert!(rest.is_empty());
    }

    #[test]
    fn an_aux_field_between_expiry_and_key_does_not_disturb_the_expiry() {
        let data = b"REDIS0009\xfc\x01\0\0\0\0\0\0\0\xfa\x01a\x01b\0\x01k\x01v\0\x01l\x01w\xff\0\0\0\0\0\0\0\0";
        let mut parser = RdbParser::new();
        let (mut rest, mut seen) = (&data[..], Vec::new());
        while !parser.state().ended() {
            let Step::Parsed { consumed, item } = parser.parse(rest, true).unwrap() else {
                unreachable!()
            };
            if let Record::Entry(e) = item {
                seen.push(e.expires_at);
            }
            rest = &rest[consumed..];
        }
        assert_eq!(seen, [Some(1), None]);
    }

    #[test]
    fn every_truncation_is_an_error_with_an_offset_inside_the_file() {
        for cut in 0..SMALL.len() {
            let error = read(&SMALL[..cut]).unwrap_err();
            let place = error.place().unwrap();
            assert!(place.offset <= cut as u64, "cut at {cut}: {error}");
        }
        assert_eq!(read(SMALL).unwrap().len(), 7);
    }

    #[test]
    fn any_chunking_gives_the_same_records() {
        let whole = read(SMALL).unwrap();
        for size in 1..20 {
            let mut parser = RdbParser::new();
            let (mut from, mut to, mut all) = (0, 0, Vec::new());
            while !parser.state().ended() {
                match parser.parse(&SMALL[from..to], to == SMALL.len()).unwrap() {
                    Step::NeedMore { .. } => to = (to + size).min(SMALL.len()),
                    Step::Parsed { consumed, item } => {
                        all.push(format!("{item:?}"));
                        from += consumed;
                    }
                }
            }
            assert_eq!(all, whole, "{size}");
        }
    }

    #[test]
    fn versions_and_magics_are_judged_as_the_servers_judge_them() {
        let problem = |data: &[u8]| read(data).unwrap_err().problem().unwrap();
        assert_eq!(problem(b""), Problem::Empty);
        assert_eq!(problem(b"REDI"), Problem::Truncated { missing: 5 });
        assert_eq!(problem(b"HELLO"), Problem::Magic);
        assert_eq!(problem(b"REDIS0000\xff"), Problem::Version { version: 0 });
        assert_eq!(problem(b"REDIS0080\xff"), Problem::Version { version: 80 });
        assert_eq!(problem(b"VALKEY011\xff"), Problem::Version { version: 11 });
        assert_eq!(
            problem(b"REDIS0016\xff"),
            Problem::FutureVersion { version: 16 }
        );
        assert_eq!(
            problem(b"VALKEY082\xff"),
            Problem::FutureVersion { version: 82 }
        );
        assert_eq!(read(b"REDIS 004\xff").unwrap().len(), 2);
        assert_eq!(
            read(b"REDIS0004\xff").unwrap().len(),
            2,
            "no checksum before version 5"
        );
    }

    #[test]
    fn an_error_in_a_value_names_its_key() {
        let error = read(b"REDIS0009\xfe\x03\0\x03key\x05ab").unwrap_err();
        assert_eq!(error.key(), Some(&b"key"[..]));
        assert_eq!(error.db(), Some(3));
        assert_eq!(error.what(), Some(What::Value));
        let error = read(b"REDIS0009\x28\x03key\x05ab").unwrap_err();
        assert_eq!(error.problem(), Some(Problem::UnknownType { found: 0x28 }));
        assert_eq!(error.place(), Some(Place::at(9)));
    }
}
