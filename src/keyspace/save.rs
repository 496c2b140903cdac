//! A keyspace as a snapshot: what the server that is followed would save, but for the graphs of vector
//! sets, which are not kept.

use std::collections::BTreeMap;

use crate::command::ServerLine;
use crate::encoding::crc64;
use crate::error::Result;
use crate::keyspace::module::Module;
use crate::keyspace::{Keyspace, NEVER, Rules, Slot, Value, vector_items};
use crate::rdb::string::Compress;
use crate::rdb::value::{Encoder, Scratch};
use crate::rdb::writer::{Attributes, RdbWriter};
use crate::record::{Family, RdbType, RdbVersion, Walk};

/// Bytes that are written at once.
const CHUNK: usize = 1 << 20;

/// The version of the format that this server writes.
pub fn version(rules: &Rules) -> RdbVersion {
    let redis = |number| RdbVersion {
        family: Family::Redis,
        number,
    };
    if rules.since(NEVER, (9, 0)) {
        return RdbVersion {
            family: Family::Valkey,
            number: 80,
        };
    }
    match rules.like.line() {
        ServerLine::Redis62 => redis(9),
        _ if rules.since((7, 4), NEVER) => redis(12),
        _ if rules.since((7, 2), (7, 2)) => redis(11),
        _ => redis(10),
    }
}

/// Writes all of a keyspace, databases in order and their keys sorted.
///
/// # Errors
/// A value that the format cannot hold, or what `to` returned.
pub fn save(keyspace: &Keyspace, mut to: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut saver = Saver::new(&keyspace.rules);
    for source in keyspace.functions.values() {
        saver.writer.function(source);
    }
    for db in keyspace.dbs() {
        let keys = keyspace.sorted_keys(db);
        let expires = keys.iter().filter(|slot| slot.expires_at().is_some());
        saver
            .writer
            .select(db, Some((keys.len() as u64, expires.count() as u64)));
        for slot in keys {
            saver.entry(slot)?;
            if saver.writer.len() > CHUNK {
                saver.writer.take(&mut to)?;
            }
        }
    }
    saver.writer.end();
    saver.writer.take(&mut to)
}

/// Writes one key as a snapshot of its own.
///
/// # Errors
/// A value that the format cannot hold, or what `to` returned.
pub fn save_one(
    rules: &Rules,
    db: u32,
    slot: &Slot,
    to: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut saver = Saver::new(rules);
    saver
        .writer
        .select(db, Some((1, u64::from(slot.expires_at().is_some()))));
    saver.entry(slot)?;
    saver.writer.end();
    saver.writer.take(to)
}

/// What DUMP gives of a value, but that servers may compress its strings into other bytes.
///
/// # Errors
/// A value that the format cannot hold.
pub fn payload(rules: &Rules, value: &Value) -> Result<Vec<u8>> {
    let mut saver = Saver::part(rules);
    saver.value(b"", &Attributes::default(), value)?;
    let mut bytes = Vec::new();
    saver.writer.take(|written| {
        bytes.extend_from_slice(written);
        Ok::<(), crate::error::Error>(())
    })?;
    // Behind the type stands the name of the key, which is a length of 0 alone.
    bytes.remove(1);
    let version = u16::try_from(version(rules).number).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&version.to_le_bytes());
    let sum = crc64::checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

/// Writes keys as the server of `rules` does.
#[derive(Debug)]
pub struct Saver<'r> {
    rules: &'r Rules,
    /// Where they are written to.
    pub writer: RdbWriter,
    encoders: BTreeMap<RdbType, Encoder>,
    scratch: Scratch,
}

impl<'r> Saver<'r> {
    /// Writes a snapshot.
    pub fn new(rules: &'r Rules) -> Self {
        Saver::to(rules, RdbWriter::new(version(rules), Compress::AsServer))
    }

    /// Writes part of a snapshot, without header and end.
    pub fn part(rules: &'r Rules) -> Self {
        Saver::to(rules, RdbWriter::part(Compress::AsServer))
    }

    fn to(rules: &'r Rules, writer: RdbWriter) -> Self {
        Saver {
            rules,
            writer,
            encoders: BTreeMap::new(),
            scratch: Scratch::default(),
        }
    }

    fn entry(&mut self, slot: &Slot) -> Result<()> {
        let attributes = Attributes {
            expires_at: slot.expires_at(),
            ..Attributes::default()
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let value = slot.value.look(self.rules, &mut scratch)?;
        let written = self.value(slot.name(), &attributes, &value);
        drop(value);
        self.scratch = scratch;
        written
    }

    /// Writes a key. What cannot be encoded leaves nothing of itself behind.
    ///
    /// # Errors
    /// A value that the format cannot hold.
    pub fn value(&mut self, name: &[u8], attributes: &Attributes, value: &Value) -> Result<()> {
        let rdb_type = value.rdb_type(self.rules);
        if let Value::Module(module) = value {
            self.writer.attributes(attributes);
            return self
                .writer
                .entry(name, None, rdb_type, |out| match &**module {
                    Module::Opaque { bytes, .. } => {
                        out.extend_from_slice(bytes);
                        Ok(())
                    }
                    Module::Vectors(set) => {
                        vector_items::encode(set, out);
                        Ok(())
                    }
                });
        }
        let encoder = match self.encoders.entry(rdb_type) {
            std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
            std::collections::btree_map::Entry::Vacant(none) => {
                let encoder = Encoder::new(rdb_type, Compress::AsServer)?;
                none.insert(encoder.with_score_text(self.rules.scores))
            }
        };
        value.walk(encoder)?;
        let start = self.writer.len();
        self.writer.attributes(attributes);
        let written = self
            .writer
            .entry(name, None, rdb_type, |out| encoder.finish(out));
        if written.is_err() {
            self.writer.truncate(start);
        }
        written
    }
}
