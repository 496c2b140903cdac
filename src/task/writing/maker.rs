//! Makes the bytes of keys for a target, on worker threads.

use crate::error::{Error, Place, Result, What};
use crate::keyspace::digest::{Digest, FullDigest, ValueDigest};
use crate::keyspace::module::Module;
use crate::keyspace::{Slot, Value};
use crate::rdb::Scratch;
use crate::rdb::value::{count, walk};
use crate::record::filter::Filter;
use crate::record::room::Room;
use crate::record::{DataType, Entry, RawValue, RdbType, Stored, Walk};
use crate::task::writing::proof::{Sum, detail, unlike};
use crate::task::writing::{Lacking, Layout, ModuleAux};
use crate::write::{Allowed, Commands, Entries, Format, Lack, Written};

/// What a job came to.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Bytes of keys, by database, in order.
    pub(crate) runs: Vec<(u32, Vec<u8>)>,
    /// Records that are no keys, in order.
    pub(crate) others: Vec<Other>,
    /// Commands that can only stand behind a snapshot, by database.
    pub(crate) behind: Vec<(u32, Vec<u8>)>,
    /// Keys.
    pub(crate) keys: u64,
    /// Those with an expiry.
    pub(crate) expires: u64,
    /// What the target cannot hold.
    pub(crate) lacking: Vec<Lacking>,
    /// The sum of what was written.
    pub(crate) sum: Sum,
    /// As many keys as were wanted are there.
    pub(crate) enough: bool,
    /// Where the input was read to.
    pub(crate) end: u64,
    /// What ended the job.
    pub(crate) failed: Option<Error>,
}

/// A record that is no key.
#[derive(Debug)]
pub(crate) enum Other {
    /// The source of a function library.
    Function(Vec<u8>),
    /// What a module keeps outside the keys.
    ModuleAux(ModuleAux),
}

impl Made {
    /// The bytes of a database's keys under way.
    pub(crate) fn run(&mut self, db: u32) -> &mut Vec<u8> {
        run_of(&mut self.runs, db)
    }
}

fn run_of(runs: &mut Vec<(u32, Vec<u8>)>, db: u32) -> &mut Vec<u8> {
    if runs.last().is_none_or(|(own, _)| *own != db) {
        runs.push((db, Vec::new()));
    }
    let last = runs.len() - 1;
    // There is one: it was just looked at or put there.
    &mut runs[last].1
}

/// Room and tools of one thread.
pub(crate) struct Maker<'f> {
    format: &'f Format,
    layout: Layout,
    filter: &'f Filter,
    allowed: Allowed,
    entries: Entries<'f>,
    commands: Commands<'f>,
    pub(crate) scratch: Scratch,
    room: Room,
    payload: Vec<u8>,
    /// Keys that are still wanted.
    left: u64,
    /// What is summed.
    summing: Summing,
}

/// What is summed of what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Summing {
    /// Every key, to be held against all of the output.
    All,
    /// A value that is encoded anew, which is decoded again at once.
    Encoded,
}

impl<'f> Maker<'f> {
    /// For a target; keys are filtered, and summed where what is written will be read back.
    pub(crate) fn new(
        format: &'f Format,
        layout: Layout,
        allowed: Allowed,
        filter: &'f Filter,
        summing: Summing,
    ) -> Self {
        Maker {
            format,
            layout,
            filter,
            allowed,
            entries: Entries::new(format, allowed),
            commands: Commands::new(format, allowed),
            scratch: Scratch::default(),
            room: Room::default(),
            payload: Vec::new(),
            left: filter.limit().unwrap_or(u64::MAX),
            summing,
        }
    }

    /// Adds a key of a keyspace.
    pub(crate) fn slot(&mut self, db: u32, slot: &Slot, made: &mut Made) -> Result<()> {
        if !self.filter.is_everything() && !self.wants_slot(db, slot)? {
            return Ok(());
        }
        if self.left == 0 {
            made.enough = true;
            return Ok(());
        }
        let mut is_behind = false;
        let mut written = match self.layout {
            Layout::Resp => self.commands.slot(slot, made.run(db))?,
            _ => self.entries.slot(slot, made.run(db))?,
        };
        if written == Written::Not(Lack::Graph) && self.layout.has_commands() {
            // A server makes the graph as it adds the elements.
            is_behind = true;
            written = self.commands.slot(slot, run_of(&mut made.behind, db))?;
        }
        let is_written = self.note(db, slot.name(), slot.expires_at(), &written, made);
        if is_written {
            self.sum_slot(db, slot, &written, is_behind, made)?;
        }
        Ok(())
    }

    /// Adds a key of a snapshot, whose record there is given.
    pub(crate) fn entry(
        &mut self,
        entry: &Entry<'_>,
        record: &[u8],
        made: &mut Made,
    ) -> Result<()> {
        if !self.filter.is_everything() {
            let scratch = &mut self.scratch;
            let elements = || count::elements(&entry.value, scratch);
            if !self.filter.matches(entry, &mut self.room, elements)? {
                return Ok(());
            }
        }
        if self.left == 0 {
            made.enough = true;
            return Ok(());
        }
        let key = entry.key.to_bytes();
        let key = key.map_err(|p| Error::bytes(p, Place::at(entry.at), What::Key))?;
        let run = made.run(entry.db);
        let start = run.len();
        let result = match self.layout {
            Layout::Resp => self.commands.entry(entry, &mut self.scratch, run),
            _ => self.entries.entry(entry, record, &mut self.scratch, run),
        };
        if result.is_err() {
            run.truncate(start);
        }
        let written = result?;
        let is_written = self.note(entry.db, &key, entry.expires_at, &written, made);
        if is_written && (self.layout == Layout::Resp || self.summing == Summing::All) {
            let keeps = keeps_expiry(&written);
            let full = sum_entry(entry, &key, &mut self.scratch, self.format, keeps)?;
            made.sum.full.join(full);
        } else if is_written && let Some((rdb_type, at)) = self.entries.encoded_value() {
            self.decode_again(
                entry,
                &key,
                &written,
                rdb_type,
                made.run(entry.db).get(at..),
            )?;
        }
        Ok(())
    }

    /// Sees that an encoded value is the one that it was made from.
    fn decode_again(
        &mut self,
        entry: &Entry<'_>,
        key: &[u8],
        written: &Written,
        rdb_type: RdbType,
        bytes: Option<&[u8]>,
    ) -> Result<()> {
        let meant = sum_entry(
            entry,
            key,
            &mut self.scratch,
            self.format,
            keeps_expiry(written),
        )?;
        let encoded = Entry {
            value: RawValue {
                rdb_type,
                bytes: bytes.unwrap_or_default(),
                at: 0,
            },
            ..*entry
        };
        let found = sum_entry(&encoded, key, &mut self.scratch, self.format, true);
        match found {
            Ok(found) if found == meant => Ok(()),
            _ => {
                let text = "a value is another one once it is encoded anew".to_owned();
                Err(unlike(text).in_key(entry.db, key))
            }
        }
    }

    /// Counts a key; false where it was not written.
    fn note(
        &mut self,
        db: u32,
        key: &[u8],
        expires_at: Option<i64>,
        written: &Written,
        made: &mut Made,
    ) -> bool {
        let (lack, is_written) = match written {
            Written::Whole => (None, true),
            Written::Without(lack) => (Some(lack), true),
            Written::Not(lack) => (Some(lack), false),
        };
        if let Some(lack) = lack {
            made.lacking.push(Lacking {
                db,
                key: key.to_vec(),
                lack: lack.clone(),
                written: is_written,
            });
        }
        if is_written {
            self.left -= 1;
            made.keys += 1;
            made.expires += u64::from(expires_at.is_some());
        }
        is_written
    }

    fn wants_slot(&mut self, db: u32, slot: &Slot) -> Result<bool> {
        // Size and elements are those of the value as it will stand in the file.
        self.payload.clear();
        let allowed = Allowed {
            drop_field_ttl: true,
            drop_meta: true,
            ..self.allowed
        };
        let written = match self.allowed == allowed {
            true => self.entries.payload_of(slot, &mut self.payload)?,
            false => Entries::new(self.format, allowed).payload_of(slot, &mut self.payload)?,
        };
        let (rdb_type, bytes) = match (&written, self.payload.split_first()) {
            (Written::Whole | Written::Without(_), Some((number, bytes))) => {
                let types = RdbType::ALL.iter();
                let of = slot.value.data_type();
                let mut fitting = types.filter(|t| t.number() == *number && t.data_type() == of);
                let fallback = slot.value.rdb_type(&self.format.rules);
                (fitting.next().copied().unwrap_or(fallback), bytes)
            }
            _ => (slot.value.rdb_type(&self.format.rules), &[][..]),
        };
        let entry = Entry {
            db,
            at: 0,
            key: Stored::Plain(crate::bytes::Element::Bytes(slot.name())),
            expires_at: slot.expires_at(),
            idle: None,
            freq: None,
            meta: None,
            value: RawValue {
                rdb_type,
                bytes,
                at: 0,
            },
        };
        let elements = || elements_of(slot);
        self.filter.matches(&entry, &mut self.room, elements)
    }

    fn sum_slot(
        &mut self,
        db: u32,
        slot: &Slot,
        written: &Written,
        is_behind: bool,
        made: &mut Made,
    ) -> Result<()> {
        if is_behind || is_vectors(&slot.value) {
            made.sum.vectors.join(vectors_sum(db, slot, self.format)?);
            return Ok(());
        }
        let full = sum_slot(db, slot, self.format, keeps_expiry(written))?;
        made.sum.full.join(full);
        Ok(())
    }
}

fn keeps_expiry(written: &Written) -> bool {
    *written != Written::Without(Lack::FieldExpiry)
}

/// Elements of a value, as filters count them.
fn elements_of(slot: &Slot) -> Result<u64> {
    Ok(match &slot.value {
        Value::String(_) | Value::Module(_) => 1,
        Value::List(list) => list.len() as u64,
        Value::Set(set) => set.len() as u64,
        Value::ZSet(zset) => zset.len() as u64,
        Value::Hash(hash) => hash.len() as u64,
        Value::Stream(stream) => stream.len(),
    })
}

/// Whether a value is a vector set whose graph is not kept.
pub(super) fn is_vectors(value: &Value) -> bool {
    matches!(value, Value::Module(module) if matches!(**module, Module::Vectors(_)))
}

/// The sum of a vector set as the server sums it: its graph is another each time it is made.
pub(super) fn vectors_sum(db: u32, slot: &Slot, format: &Format) -> Result<Digest> {
    let mut value = ValueDigest::new(&format.rules);
    value.digest.mix(&db.to_be_bytes());
    value.digest.mix(slot.name());
    value
        .digest
        .mix(format!("{:?}", slot.expires_at()).as_bytes());
    slot.value.walk(&mut value)?;
    Ok(value.digest)
}

/// The full digest of a key of a keyspace, as far as the target can hold it.
pub(super) fn sum_slot(
    db: u32,
    slot: &Slot,
    format: &Format,
    keeps_expiry: bool,
) -> Result<Digest> {
    let full = FullDigest::new(db, slot.name(), slot.expires_at());
    let mut full = full.with(detail(format, keeps_expiry));
    match &slot.value {
        Value::Module(module) if let Some(bytes) = module.bytes() => {
            full.raw(module.rdb_type(), bytes);
        }
        value => value.walk(&mut full)?,
    }
    Ok(full.finish())
}

/// The full digest of a key of a snapshot, as far as the target can hold it.
pub(super) fn sum_entry(
    entry: &Entry<'_>,
    key: &[u8],
    scratch: &mut Scratch,
    format: &Format,
    keeps_expiry: bool,
) -> Result<Digest> {
    let full = FullDigest::new(entry.db, key, entry.expires_at);
    let mut full = full.with(detail(format, keeps_expiry));
    let value = &entry.value;
    match value.rdb_type.data_type() {
        DataType::Module | DataType::Array | DataType::Cron | DataType::Json => {
            full.raw(value.rdb_type, value.bytes);
        }
        _ => walk(value, scratch, &mut full)?,
    }
    Ok(full.finish())
}
