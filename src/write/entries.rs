//! Keys with their values as records of a snapshot that a target loads.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use crate::bytes::Element;
use crate::error::Result;
use crate::keyspace::Value;
use crate::keyspace::module::Module;
use crate::rdb::Scratch;
use crate::rdb::string::{Compress, StringWriter, number, write_number};
use crate::rdb::value::hash::LATEST_FIELD_EXPIRY;
use crate::rdb::value::module::split_id;
use crate::rdb::value::{Encoder, walk};
use crate::rdb::writer::EXPIRE_MS;
use crate::record::value::{ModuleEvent, StreamEvent};
use crate::record::{DataType, Entry, RawValue, RdbType, ValueVisitor, Walk};
use crate::write::format::{Allowed, Format, Lack, Written};

const IDLE: u8 = 248;
const FREQ: u8 = 249;

/// Writes keys with their values, one after the other, each into a buffer of the caller's.
#[derive(Debug)]
pub struct Entries<'f> {
    format: &'f Format,
    allowed: Allowed,
    encoders: BTreeMap<RdbType, Encoder>,
    strings: StringWriter,
    /// The value that was encoded last: its type, and where it begins in the buffer.
    encoded: Option<(RdbType, usize)>,
}

/// How a key of a snapshot is written.
#[derive(Clone, Copy)]
enum Form<'r> {
    /// As this record, where that can be.
    Record(&'r [u8]),
    /// As a record that is put together anew.
    Anew,
    /// As type and value alone.
    Bare,
}

/// What stands before the value of a record.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    expires_at: Option<i64>,
    idle: Option<u64>,
    freq: Option<u8>,
    /// Only the type is written: what follows is no record.
    bare: bool,
}

impl<'f> Entries<'f> {
    /// For a target, with what may be left out.
    pub fn new(format: &'f Format, allowed: Allowed) -> Self {
        Entries {
            format,
            allowed,
            encoders: BTreeMap::new(),
            strings: StringWriter::new(Compress::AsServer),
            encoded: None,
        }
    }

    /// Where in the buffer the value begins that the last call has encoded, and its type; none where
    /// the value was copied.
    pub fn encoded_value(&self) -> Option<(RdbType, usize)> {
        self.encoded
    }

    /// Appends a key that stands in a snapshot; `record` is all of its record there. A value whose
    /// type the target knows is copied, any other encoded anew in the type that comes nearest.
    ///
    /// # Errors
    /// A value that cannot be decoded.
    pub fn entry(
        &mut self,
        entry: &Entry<'_>,
        record: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Written> {
        self.any_entry(entry, Form::Record(record), scratch, out)
    }

    /// The same of a key whose record does not stand there, but is to be written anew.
    ///
    /// # Errors
    /// A value that cannot be decoded.
    pub fn entry_anew(
        &mut self,
        entry: &Entry<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Written> {
        self.any_entry(entry, Form::Anew, scratch, out)
    }

    /// Appends only type and value of a key that stands in a snapshot, as `DUMP` and `RESTORE` hold
    /// them.
    ///
    /// # Errors
    /// A value that cannot be decoded.
    pub fn payload(
        &mut self,
        entry: &Entry<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Written> {
        self.any_entry(entry, Form::Bare, scratch, out)
    }

    /// The same of a value of a keyspace.
    ///
    /// # Errors
    /// A value that cannot be decoded or encoded.
    pub fn payload_of(&mut self, value: &Value, out: &mut Vec<u8>) -> Result<Written> {
        let head = Head {
            bare: true,
            ..Head::default()
        };
        self.any_value(b"", value, &head, out)
    }

    fn any_entry(
        &mut self,
        entry: &Entry<'_>,
        form: Form<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Written> {
        self.encoded = None;
        let value = &entry.value;
        let head = Head {
            expires_at: entry.expires_at,
            idle: entry.idle,
            freq: entry.freq,
            bare: matches!(form, Form::Bare),
        };
        let mut lack = None;
        if entry.meta.is_some() && !self.format.has_key_meta() {
            lack = Some(Lack::KeyMeta);
            if !self.allowed.drop_meta {
                return Ok(Written::Not(Lack::KeyMeta));
            }
        }
        // What an old stream does not say, servers estimate when they load it from a snapshot, and so
        // from a snapshot only.
        let says_less = head.bare && value.rdb_type.data_type() == DataType::Stream;
        if self.format.takes(value.rdb_type) && !says_less {
            if let Some(lack) = self.module_lack(value) {
                return Ok(Written::Not(lack));
            }
            match (form, &lack) {
                (Form::Record(record), None) => out.extend_from_slice(record),
                _ => {
                    let key = entry.key.to_bytes();
                    let key = key.map_err(|problem| at_key(problem, entry))?;
                    self.head(&head, value.rdb_type, &key, out);
                    out.extend_from_slice(value.bytes);
                }
            }
            return Ok(lack.map_or(Written::Whole, Written::Without));
        }
        let key = entry.key.to_bytes();
        let key = key.map_err(|problem| at_key(problem, entry))?;
        let told = |to: &mut dyn ValueVisitor| walk(value, scratch, to);
        let written = self.encoded(&key, &head, value.rdb_type, told, out)?;
        Ok(match (written, lack) {
            (Written::Whole, Some(lack)) => Written::Without(lack),
            (written, _) => written,
        })
    }

    /// Appends a key of a keyspace.
    ///
    /// # Errors
    /// A value that cannot be decoded or encoded.
    pub fn value(
        &mut self,
        key: &[u8],
        expires_at: Option<i64>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<Written> {
        let head = Head {
            expires_at,
            ..Head::default()
        };
        self.any_value(key, value, &head, out)
    }

    fn any_value(
        &mut self,
        key: &[u8],
        value: &Value,
        head: &Head,
        out: &mut Vec<u8>,
    ) -> Result<Written> {
        self.encoded = None;
        let rdb_type = value.rdb_type(&self.format.rules);
        if let Value::Module(module) = value {
            let Module::Opaque { bytes, .. } = &**module else {
                return Ok(Written::Not(Lack::Graph));
            };
            let raw = RawValue {
                rdb_type,
                bytes,
                at: 0,
            };
            if !self.format.takes(rdb_type) {
                return Ok(Written::Not(Lack::Type(rdb_type)));
            }
            if let Some(lack) = self.module_lack(&raw) {
                return Ok(Written::Not(lack));
            }
            self.head(head, rdb_type, key, out);
            out.extend_from_slice(bytes);
            return Ok(Written::Whole);
        }
        let told = |to: &mut dyn ValueVisitor| value.walk(to);
        self.encoded(key, head, rdb_type, told, out)
    }

    /// Why a module's value cannot be copied.
    fn module_lack(&self, value: &RawValue<'_>) -> Option<Lack> {
        if value.rdb_type != RdbType::Module {
            return None;
        }
        let (_, id) = number(value.bytes).ok()?;
        let (name, _) = split_id(id);
        let lacks = !self.format.may_have_module(&name);
        lacks.then(|| Lack::Module(String::from_utf8_lossy(&name).into_owned()))
    }

    /// Appends a value that is encoded anew, from a type.
    fn encoded(
        &mut self,
        key: &[u8],
        head: &Head,
        from: RdbType,
        mut told: impl FnMut(&mut dyn ValueVisitor) -> Result<()>,
        out: &mut Vec<u8>,
    ) -> Result<Written> {
        let mut written = Written::Whole;
        let mut shape = Shape::default();
        let is_stream = from.data_type() == DataType::Stream;
        if needs_shape(from) && (is_stream || !self.format.takes(from)) {
            told(&mut shape)?;
        }
        let (earliest, latest) = (shape.earliest, shape.latest);
        let takes = self
            .format
            .takes_field_expiry(earliest, latest, LATEST_FIELD_EXPIRY);
        if shape.expiring > 0 && !takes {
            if !self.allowed.drop_field_ttl {
                return Ok(Written::Not(Lack::FieldExpiry));
            }
            written = Written::Without(Lack::FieldExpiry);
            shape.expiring = 0;
        }
        if shape.producers > 0 && !self.format.has_producers() {
            if !self.allowed.drop_meta {
                return Ok(Written::Not(Lack::Producers));
            }
            written = Written::Without(Lack::Producers);
        }
        let Some(to) = self.nearest(from, &shape) else {
            return Ok(Written::Not(Lack::Type(from)));
        };
        let encoder = match self.encoders.entry(to) {
            Place::Occupied(found) => found.into_mut(),
            Place::Vacant(none) => {
                let encoder = Encoder::new(to, Compress::AsServer)?;
                none.insert(encoder.with_score_text(self.format.rules.scores))
            }
        };
        match written {
            Written::Without(Lack::FieldExpiry) => told(&mut Lasting(encoder))?,
            _ => told(encoder)?,
        }
        let start = out.len();
        write_head(&mut self.strings, head, to, key, out);
        let value = out.len();
        if let Err(error) = encoder.finish(out) {
            out.truncate(start);
            return Err(error);
        }
        self.encoded = Some((to, value));
        Ok(written)
    }

    fn head(&mut self, head: &Head, rdb_type: RdbType, key: &[u8], out: &mut Vec<u8>) {
        write_head(&mut self.strings, head, rdb_type, key, out);
    }

    /// The type of the target that comes nearest.
    fn nearest(&self, from: RdbType, shape: &Shape) -> Option<RdbType> {
        let rules = &self.format.rules;
        let is_small = shape.count <= rules.hash_entries && shape.longest <= rules.packed_string;
        let has_expiry = shape.expiring > 0 && self.format.has_field_expiry();
        let packed = |listpack, ziplist| match self.format.takes(listpack) {
            true => listpack,
            false => ziplist,
        };
        Some(match from {
            other if other.data_type() != DataType::Stream && self.format.takes(other) => other,
            RdbType::HashExpiryRc
            | RdbType::HashListpackExpiryRc
            | RdbType::HashExpiry
            | RdbType::HashListpackExpiry
            | RdbType::HashValkey
            | RdbType::HashNamesListpack
            | RdbType::HashTemplateListpack
            | RdbType::HashNames
            | RdbType::HashTemplate
            | RdbType::DragonflyHash => match (has_expiry, rules.is_valkey(), is_small) {
                (true, true, _) => RdbType::HashValkey,
                (true, false, true) => RdbType::HashListpackExpiry,
                (true, false, false) => RdbType::HashExpiry,
                (false, _, true) => packed(RdbType::HashListpack, RdbType::HashZiplist),
                (false, _, false) => RdbType::HashTable,
            },
            RdbType::HashListpack => packed(from, RdbType::HashZiplist),
            RdbType::ZsetListpack => packed(from, RdbType::ZsetZiplist),
            RdbType::SetListpack => packed(from, RdbType::SetTable),
            RdbType::DragonflySet => RdbType::SetTable,
            RdbType::Quicklist2 => packed(from, RdbType::Quicklist),
            RdbType::Stream1
            | RdbType::Stream2
            | RdbType::Stream3
            | RdbType::Stream4
            | RdbType::Stream5 => {
                let newest = [
                    RdbType::Stream5,
                    RdbType::Stream4,
                    RdbType::Stream3,
                    RdbType::Stream2,
                    RdbType::Stream1,
                ];
                // Where nobody told the settings of idempotent producers, the server has its own.
                let most = match shape.idempotence {
                    true => from,
                    false => RdbType::Stream3,
                };
                let mut fitting = newest.into_iter().filter(|of| *of <= most);
                fitting.find(|of| self.format.takes(*of))?
            }
            _ => return None,
        })
    }
}

pub(super) fn at_key(problem: crate::bytes::Problem, entry: &Entry<'_>) -> crate::error::Error {
    use crate::error::{Error, Place, What};
    Error::bytes(problem, Place::at(entry.at), What::Key)
}

fn write_head(
    strings: &mut StringWriter,
    head: &Head,
    rdb_type: RdbType,
    key: &[u8],
    out: &mut Vec<u8>,
) {
    if head.bare {
        out.push(rdb_type.number());
        return;
    }
    if let Some(at) = head.expires_at {
        out.push(EXPIRE_MS);
        out.extend_from_slice(&at.to_le_bytes());
    }
    if let Some(idle) = head.idle {
        out.push(IDLE);
        write_number(idle, out);
    }
    if let Some(freq) = head.freq {
        out.extend_from_slice(&[FREQ, freq]);
    }
    out.push(rdb_type.number());
    strings.write(Element::Bytes(key), out);
}

/// Whether what a value consists of decides about the type that it is written in.
fn needs_shape(from: RdbType) -> bool {
    match from.data_type() {
        DataType::Hash => !matches!(from, RdbType::HashListpack | RdbType::HashZiplist),
        DataType::Stream => from >= RdbType::Stream4,
        _ => false,
    }
}

/// What decides about the form of a value.
pub(super) struct Shape {
    count: usize,
    longest: usize,
    expiring: usize,
    /// The first and the last expiry of a field.
    pub(super) earliest: i64,
    pub(super) latest: i64,
    /// The state of idempotent producers is told, and how many there are.
    idempotence: bool,
    producers: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            count: 0,
            longest: 0,
            expiring: 0,
            earliest: i64::MAX,
            latest: 0,
            idempotence: false,
            producers: 0,
        }
    }
}

impl ValueVisitor for Shape {
    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        self.count += 1;
        self.longest = self.longest.max(name.len()).max(value.len());
        self.expiring += usize::from(expires_at.is_some());
        if let Some(at) = expires_at {
            self.earliest = self.earliest.min(at);
            self.latest = self.latest.max(at);
        }
        Ok(())
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        if let StreamEvent::Producers { count, .. } = event {
            self.idempotence = true;
            self.producers += count;
        }
        Ok(())
    }

    fn wants_fields(&self) -> bool {
        false
    }
}

/// Passes a value on without the expiry of its fields.
struct Lasting<'v>(&'v mut dyn ValueVisitor);

impl ValueVisitor for Lasting<'_> {
    fn begin(&mut self, of: DataType, count: Option<u64>) -> Result<()> {
        self.0.begin(of, count)
    }

    fn field(&mut self, name: Element<'_>, value: Element<'_>, _: Option<i64>) -> Result<()> {
        self.0.field(name, value, None)
    }

    fn module(&mut self, event: ModuleEvent<'_>) -> Result<()> {
        self.0.module(event)
    }

    fn end(&mut self, of: DataType) -> Result<()> {
        self.0.end(of)
    }
}
