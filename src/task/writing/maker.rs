//! Makes the bytes of keys for a target, on worker threads.

use std::borrow::Cow;

use crate::bytes::{Element, Problem, short};
use crate::error::{Error, ErrorKind, Place, Result, What};
use crate::io::ordered::{Chunk, Pieces};
use crate::keyspace::digest::{Detail, Digest, FullDigest, ValueDigest};
use crate::keyspace::module::Module;
use crate::keyspace::{Rules, Slot, Value, load};
use crate::rdb::Scratch;
use crate::rdb::value::{count, text, walk};
use crate::record::filter::Filter;
use crate::record::room::Room;
use crate::record::{DataType, Entry, RawValue, RdbType, Stored, ValueVisitor, Walk};
use crate::task::Run;
use crate::task::writing::back::{self, ReadBack, Telling};
use crate::task::writing::print::{Print, Quick};
use crate::task::writing::proof::{Sum, detail, unlike};
use crate::task::writing::reader;
use crate::task::writing::{Lacking, Layout, ModuleAux};
use crate::write::{Allowed, Commands, Entries, Format, Lack, Nobody, PIECE, Written};

/// Bytes of commands of a key from which on they are not copied to be run later.
const RUN_NOW: usize = 1 << 20;

/// What a job came to.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Bytes of keys, by database, in order.
    pub(crate) runs: Vec<(u32, Vec<u8>)>,
    /// Records that are no keys, in order.
    pub(crate) others: Vec<Other>,
    /// Commands that can only stand behind a snapshot, by database.
    pub(crate) behind: Vec<(u32, Vec<u8>)>,
    /// Function libraries among the keys.
    pub(crate) functions: u64,
    /// Keys.
    pub(crate) keys: u64,
    /// Those with an expiry.
    pub(crate) expires: u64,
    /// What the target cannot hold.
    pub(crate) lacking: Vec<Lacking>,
    /// The sum of what was written.
    pub(crate) sum: Sum,
    /// The full digest of the vector sets that `sum` has only as servers sum them.
    pub(crate) vectors: Digest,
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
    /// Those of the keyspace that is written.
    rules: &'f Rules,
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
    /// Reads commands back.
    back: ReadBack,
    /// What is wrong inside a string, list or stream that becomes commands is an error.
    pub(crate) looks_inside: bool,
}

/// What is summed of what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Summing {
    /// Every key by the full digest, to be held against all of the output.
    Full,
    /// What is not copied: a value that is encoded anew is decoded again at once, and the commands that
    /// a key becomes are read back.
    Anew,
}

impl<'f> Maker<'f> {
    /// For a target; keys are filtered, and summed where what is written will be read back.
    pub(crate) fn new(
        format: &'f Format,
        rules: &'f Rules,
        layout: Layout,
        allowed: Allowed,
        filter: &'f Filter,
        summing: Summing,
    ) -> Self {
        Maker {
            format,
            rules,
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
            back: ReadBack::new(format),
            looks_inside: false,
        }
    }

    /// Adds a key of a keyspace. What still stands in a snapshot is written from there.
    pub(crate) fn slot(&mut self, db: u32, slot: &Slot, made: &mut Made) -> Result<()> {
        let (name, expires_at) = (slot.name(), slot.expires_at());
        if let Some(value) = slot.value.raw(self.rules) {
            let entry = Entry {
                db,
                at: value.at,
                key: Stored::Plain(Element::Bytes(name)),
                expires_at,
                idle: None,
                freq: None,
                meta: None,
                value,
            };
            return self.entry(&entry, None, made);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let value = slot.value.look(self.rules, &mut scratch)?;
        let done = self.value(db, name, expires_at, &value, made);
        drop(value);
        self.scratch = scratch;
        done
    }

    fn value(
        &mut self,
        db: u32,
        name: &[u8],
        expires_at: Option<i64>,
        value: &Value,
        made: &mut Made,
    ) -> Result<()> {
        if !self.filter.is_everything() && !self.wants_value(db, name, expires_at, value)? {
            return Ok(());
        }
        if self.left == 0 {
            made.enough = true;
            return Ok(());
        }
        let mut written = match self.layout {
            Layout::Resp => self.commands.value(name, expires_at, value, made.run(db))?,
            _ => self.entries.value(name, expires_at, value, made.run(db))?,
        };
        if written == Written::Not(Lack::Graph) && self.layout.has_commands() {
            // A server makes the graph as it adds the elements.
            let behind = run_of(&mut made.behind, db);
            written = self.commands.value(name, expires_at, value, behind)?;
        }
        if !self.note(db, name, expires_at, &written, made) {
            return Ok(());
        }
        if is_vectors(value) {
            let sum = vectors_sum(db, name, expires_at, value, self.format)?;
            made.sum.vectors.join(sum);
            let detail = detail(self.format, true);
            made.vectors
                .join(sum_value(db, name, expires_at, value, detail)?);
        } else {
            let detail = detail(self.format, keeps_expiry(&written));
            let full = sum_value(db, name, expires_at, value, detail)?;
            made.sum.full.join(full);
        }
        Ok(())
    }

    /// Adds a key of a snapshot, with the record there where it may stay as it is.
    pub(crate) fn entry(
        &mut self,
        entry: &Entry<'_>,
        record: Option<&[u8]>,
        made: &mut Made,
    ) -> Result<()> {
        if !self.wants(entry, made)? {
            return Ok(());
        }
        let key = key_of(entry)?;
        let run = made.run(entry.db);
        let start = run.len();
        let scratch = &mut self.scratch;
        let result = match (self.layout, record) {
            (Layout::Resp, _) => self
                .commands
                .entry(entry, scratch, run, &mut Nobody)
                .map(|(written, _)| written),
            (_, Some(record)) => self.entries.entry(entry, record, scratch, run),
            (_, None) => self.entries.entry_anew(entry, scratch, run),
        };
        if result.is_err() {
            run.truncate(start);
        }
        let written = result?;
        let is_written = self.note(entry.db, &key, entry.expires_at, &written, made);
        let keeps = keeps_expiry(&written);
        if is_written && self.summing == Summing::Full {
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

    /// Adds the command that loads a function library, where this database is selected.
    pub(crate) fn tell_function(
        &mut self,
        source: &[u8],
        db: u32,
        made: &mut Made,
        pieces: &mut Pieces<'_>,
    ) {
        turn_to(db, made, pieces);
        Commands::function(source, made.run(db));
    }

    /// Adds a key of a snapshot as commands, and reads them back. Those of large values are passed on
    /// before all are there.
    pub(crate) fn tell(
        &mut self,
        entry: &Entry<'_>,
        made: &mut Made,
        pieces: &mut Pieces<'_>,
        run: &Run<'_>,
    ) -> Result<()> {
        if !self.wants(entry, made)? {
            return Ok(());
        }
        let key = key_of(entry)?;
        turn_to(entry.db, made, pieces);
        if is_plain_string(entry) && self.tell_string(entry, &key, made, pieces)? {
            return Ok(());
        }
        let out = made.run(entry.db);
        let start = out.len();
        let of = entry.value.rdb_type.data_type();
        let mut telling = Telling::new(&mut self.back, &key, of, entry.db, start, pieces);
        telling.looks_inside = self.looks_inside;
        let result = self
            .commands
            .entry(entry, &mut self.scratch, out, &mut telling);
        let end = telling.end(out);
        let (written, is_told) = match result {
            Err(error) if end.has_passed && matches!(error.kind(), ErrorKind::Bytes(_)) => {
                // What is out cannot be taken back.
                let text = format!("a value that was sound could not be written: {error}");
                return Err(unlike(text).in_key(entry.db, &key));
            }
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
            Ok(done) => done,
        };
        let has_members = matches!(of, DataType::Set | DataType::ZSet | DataType::Hash);
        if self.looks_inside && !end.is_told && !has_members {
            walk(&entry.value, &mut self.scratch, &mut Flawless)?;
        }
        if !self.note(entry.db, &key, entry.expires_at, &written, made) {
            return Ok(());
        }
        let is_stream = of == DataType::Stream;
        // Expiries of fields are in other commands, which are not read here.
        let is_plain = end.is_plain && !(end.is_dated && keeps_expiry(&written));
        if is_plain && !is_stream {
            // Its items are those that were told.
            if self.back.reader.expires_at() != entry.expires_at {
                return Err(another_key().in_key(entry.db, &key));
            }
        } else {
            // The sum of what was told is without the entries, which were held against their commands.
            let meant = match is_told && is_plain {
                true => end.told,
                false => self.print_of(&entry.value, keeps_expiry(&written))?,
            };
            if is_plain {
                if self.back.reader.found() != (meant.value(), entry.expires_at) {
                    return Err(another_key().in_key(entry.db, &key));
                }
            } else if end.has_passed {
                let text = "commands are not as they were meant".to_owned();
                return Err(unlike(text).in_key(entry.db, &key));
            } else {
                let commands = made.run(entry.db).get(start..).unwrap_or_default();
                let db = back::that_is_there(entry.db);
                let meant = meant.of_key(db, &key, entry.expires_at);
                if commands.len() >= RUN_NOW {
                    back::run_now(db, commands, meant, self.format, run)?;
                } else {
                    self.back.run_later(db, commands, meant);
                }
            }
        }
        if made.run(entry.db).len() >= PIECE {
            pass_on(made, pieces);
        }
        Ok(())
    }

    /// The same of a string, which is most of what there is: its commands are held against it. False where
    /// they could not be read, and none are there.
    fn tell_string(
        &mut self,
        entry: &Entry<'_>,
        key: &[u8],
        made: &mut Made,
        pieces: &mut Pieces<'_>,
    ) -> Result<bool> {
        let value = text(&entry.value)?;
        let out = made.run(entry.db);
        let start = out.len();
        if let Err(problem) = Commands::string(key, &value, entry.expires_at, out) {
            out.truncate(start);
            let place = Place::at(entry.value.at);
            return Err(Error::bytes(problem, place, What::Value));
        }
        let commands = out.get(start..).unwrap_or_default();
        let found = reader::string(commands, key, entry.expires_at);
        let is_meant = found.is_some_and(|found| match &value {
            Stored::Plain(value) => short::same(value.bytes(&mut itoa::Buffer::new()), found),
            // It was decompressed there.
            Stored::Lzf { len, .. } => found.len() as u64 == *len,
        });
        if !is_meant {
            out.truncate(start);
            return Ok(false);
        }
        let is_much = out.len() >= PIECE;
        self.note(entry.db, key, entry.expires_at, &Written::Whole, made);
        if is_much {
            pass_on(made, pieces);
        }
        Ok(true)
    }

    /// Ends a job of keys that were told: runs those commands of which it is not plain what they make, and
    /// passes on what is left.
    pub(crate) fn end_telling(
        &mut self,
        made: &mut Made,
        pieces: &mut Pieces<'_>,
        run: &Run<'_>,
    ) -> Result<()> {
        pass_on(made, pieces);
        self.back.run(self.format, run)
    }

    /// Whether the key is wanted.
    fn wants(&mut self, entry: &Entry<'_>, made: &mut Made) -> Result<bool> {
        if !self.filter.is_everything() {
            let scratch = &mut self.scratch;
            let elements = || count::elements(&entry.value, scratch);
            if !self.filter.matches(entry, &mut self.room, elements)? {
                return Ok(false);
            }
        }
        made.enough |= self.left == 0;
        Ok(self.left > 0)
    }

    /// The quick sum of a value as it stands in the file.
    fn print_of(&mut self, value: &RawValue<'_>, keeps: bool) -> Result<Print> {
        let mut print = Print::new(detail(self.format, keeps));
        match is_raw(value.rdb_type.data_type()) {
            true => print.raw(value.rdb_type, value.bytes),
            false => as_loaded(value, &mut self.scratch, self.format, &mut print)?,
        }
        Ok(print)
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
        let detail = detail(self.format, keeps_expiry(written));
        let mut meant = Print::new(detail);
        walk(&entry.value, &mut self.scratch, &mut meant)?;
        let encoded = RawValue {
            rdb_type,
            bytes: bytes.unwrap_or_default(),
            at: 0,
        };
        let mut found = Print::new(detail);
        match walk(&encoded, &mut self.scratch, &mut found) {
            Ok(()) if found.value() == meant.value() => Ok(()),
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
            Written::Empty => (None, false),
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

    fn wants_value(
        &mut self,
        db: u32,
        name: &[u8],
        expires_at: Option<i64>,
        value: &Value,
    ) -> Result<bool> {
        // Size and elements are those of the value as it will stand in the file.
        self.payload.clear();
        let allowed = Allowed {
            drop_field_ttl: true,
            drop_meta: true,
            ..self.allowed
        };
        let written = match self.allowed == allowed {
            true => self.entries.payload_of(value, &mut self.payload)?,
            false => Entries::new(self.format, allowed).payload_of(value, &mut self.payload)?,
        };
        let (rdb_type, bytes) = match (&written, self.payload.split_first()) {
            (Written::Whole | Written::Without(_), Some((number, bytes))) => {
                let types = RdbType::ALL.iter();
                let of = value.data_type();
                let mut fitting = types.filter(|t| t.number() == *number && t.data_type() == of);
                let fallback = value.rdb_type(&self.format.rules);
                (fitting.next().copied().unwrap_or(fallback), bytes)
            }
            _ => (value.rdb_type(&self.format.rules), &[][..]),
        };
        let entry = Entry {
            db,
            at: 0,
            key: Stored::Plain(Element::Bytes(name)),
            expires_at,
            idle: None,
            freq: None,
            meta: None,
            value: RawValue {
                rdb_type,
                bytes,
                at: 0,
            },
        };
        let elements = || Ok(elements_of(value));
        self.filter.matches(&entry, &mut self.room, elements)
    }
}

/// Finds fault with every value that is not as servers write it.
struct Flawless;

impl ValueVisitor for Flawless {
    fn flaw(&mut self, problem: Problem, place: Place) -> Result<()> {
        Err(Error::bytes(problem, place, What::Value))
    }
}

/// Whether a key becomes `SET` and perhaps `PEXPIREAT`, and nothing of it is left out.
#[inline]
fn is_plain_string(entry: &Entry<'_>) -> bool {
    let lasts = entry.expires_at.is_none_or(|at| at > 0);
    entry.value.rdb_type == RdbType::String && entry.meta.is_none() && lasts
}

/// The name of a key.
fn key_of<'e>(entry: &'e Entry<'_>) -> Result<Cow<'e, [u8]>> {
    let key = entry.key.to_bytes();
    key.map_err(|problem| Error::bytes(problem, Place::at(entry.at), What::Key))
}

#[cold]
fn another_key() -> Error {
    unlike("the commands do not make the key that is meant".to_owned())
}

/// What follows is of this database: hands out what is of another, and makes room.
#[inline]
fn turn_to(db: u32, made: &mut Made, pieces: &mut Pieces<'_>) {
    if made.runs.last().is_some_and(|(of, _)| *of != db) {
        pass_on(made, pieces);
    }
    if made.runs.is_empty() {
        let mut buffer = pieces.buffer();
        buffer.clear();
        made.runs.push((db, buffer));
    }
}

/// Hands out what is written so far.
fn pass_on(made: &mut Made, pieces: &mut Pieces<'_>) {
    for (db, bytes) in made.runs.drain(..) {
        // A database without keys is not selected.
        if bytes.is_empty() {
            continue;
        }
        let mut chunk = Chunk::from(bytes);
        chunk.db = db;
        // Where nobody wants it any more, the rest of the job is made in vain.
        let _ = pieces.chunk(chunk);
    }
}

fn keeps_expiry(written: &Written) -> bool {
    *written != Written::Without(Lack::FieldExpiry)
}

/// Elements of a value, as filters count them.
fn elements_of(value: &Value) -> u64 {
    match value {
        Value::List(list) => list.len() as u64,
        Value::Set(set) => set.len() as u64,
        Value::ZSet(zset) => zset.len() as u64,
        Value::Hash(hash) => hash.len() as u64,
        Value::Stream(stream) => stream.len(),
        // A value in hand is decoded.
        _ => 1,
    }
}

/// Whether a value is a vector set whose graph is not kept.
pub(super) fn is_vectors(value: &Value) -> bool {
    matches!(value, Value::Module(module) if matches!(**module, Module::Vectors(_)))
}

/// The sum of a vector set as the server sums it: its graph is another each time it is made.
pub(super) fn vectors_sum(
    db: u32,
    name: &[u8],
    expires_at: Option<i64>,
    value: &Value,
    format: &Format,
) -> Result<Digest> {
    let mut sum = ValueDigest::new(&format.rules);
    sum.digest.mix(&db.to_be_bytes());
    sum.digest.mix(name);
    sum.digest.mix(format!("{expires_at:?}").as_bytes());
    value.walk(&mut sum)?;
    Ok(sum.digest)
}

/// The full digest of a key of a keyspace, as far as the target can hold it.
pub(super) fn sum_value(
    db: u32,
    name: &[u8],
    expires_at: Option<i64>,
    value: &Value,
    detail: Detail,
) -> Result<Digest> {
    let mut full = FullDigest::new(db, name, expires_at).with(detail);
    match value {
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
    match is_raw(value.rdb_type.data_type()) {
        true => full.raw(value.rdb_type, value.bytes),
        false => as_loaded(value, scratch, format, &mut full)?,
    }
    Ok(full.finish())
}

/// Tells a value as the target has it once it has loaded it.
fn as_loaded<V: ValueVisitor>(
    value: &RawValue<'_>,
    scratch: &mut Scratch,
    format: &Format,
    to: &mut V,
) -> Result<()> {
    if format.estimates(value.rdb_type)
        && let Some(loaded) = load(value, scratch, &format.rules)?
    {
        return loaded.walk(to);
    }
    walk(value, scratch, to)
}

/// Types whose values are summed as they stand in the file.
fn is_raw(of: DataType) -> bool {
    matches!(
        of,
        DataType::Module | DataType::Array | DataType::Cron | DataType::Json
    )
}

/// The quick sum of a key of a keyspace, as far as the target can hold it.
pub(super) fn quick_value(
    db: u32,
    name: &[u8],
    expires_at: Option<i64>,
    value: &Value,
    detail: Detail,
) -> Result<Quick> {
    let mut print = Print::new(detail);
    match value {
        Value::Module(module) if let Some(bytes) = module.bytes() => {
            print.raw(module.rdb_type(), bytes);
        }
        value => value.walk(&mut print)?,
    }
    Ok(print.of_key(db, name, expires_at))
}
