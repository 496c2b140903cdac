//! Snapshots, written key by key.

use std::fmt;
use std::io::Write;

use crate::error::{Error, ErrorKind, Result};
use crate::face::snapshot::Entry;
use crate::face::target::Target;
use crate::face::value::Value;
use crate::rdb::string::Compress;
use crate::rdb::writer::RdbWriter;
use crate::record::Family;
use crate::task::duplicates::{Fingerprinter, KeyPrint, KeysTwice};
use crate::write::{Allowed, Entries, Lack, Written};

/// Bytes that are handed on at once.
const CHUNK: usize = 1 << 20;
/// Keys whose fingerprints are handed on at once.
const PRINTS: usize = 4096;

/// Writes a snapshot for a [`Target`]: its version, its types, its thresholds.
///
/// Databases and keys may come in any order, but each key once: servers refuse a file that has one
/// twice, and so does [`finish`](SnapshotWriter::finish). What was written is no snapshot before that.
pub struct SnapshotWriter<'t, W: Write> {
    out: W,
    target: &'t Target,
    writer: RdbWriter,
    entries: Entries<'t>,
    /// The record that is being made.
    record: Vec<u8>,
    db: Option<u32>,
    prints: (Fingerprinter, Fingerprinter),
    new: Vec<KeyPrint>,
    twice: KeysTwice,
    keys: u64,
}

impl<'t, W: Write> SnapshotWriter<'t, W> {
    /// Writes to `out`, in pieces of about a MiB.
    pub fn new(out: W, target: &'t Target) -> Self {
        let mut writer = RdbWriter::new(target.0.version, Compress::AsServer);
        // Readers judge a file by the server that it names.
        let server = target.0.target;
        let name: &[u8] = match server.family {
            Family::Redis => b"redis-ver",
            Family::Valkey => b"valkey-ver",
        };
        let version = format!("{}.{}.0", server.major, server.minor);
        writer.aux(name, version.as_bytes());
        writer.aux(b"redis-bits", b"64");
        SnapshotWriter {
            out,
            target,
            writer,
            entries: Entries::new(&target.0, Allowed::default()),
            record: Vec::new(),
            db: None,
            prints: Default::default(),
            new: Vec::new(),
            twice: KeysTwice::default(),
            keys: 0,
        }
    }

    /// Writes a key. Of an element that stands twice in a set, sorted set or hash, the last counts.
    ///
    /// # Errors
    /// A value that no server holds (a collection without elements, a score that is no number), or
    /// that this target cannot hold: then nothing of the key is written. Output that fails.
    pub fn insert(
        &mut self,
        db: u32,
        key: &[u8],
        value: &Value,
        expires_at: Option<i64>,
    ) -> Result<()> {
        self.record.clear();
        let built = value.build(&self.target.0.rules)?;
        let written = self
            .entries
            .value(key, expires_at, &built, &mut self.record)?;
        self.add(db, key, written)
    }

    /// Copies a key of another snapshot, of any type: byte for byte where the target knows its form,
    /// else encoded anew.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); a value that is damaged.
    pub fn copy(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.record.clear();
        let written = self.entries.entry(
            &entry.as_record(),
            entry.record(),
            &mut entry.scratch(),
            &mut self.record,
        )?;
        self.add(entry.db(), entry.key(), written)
    }

    /// Writes the end and the checksum, and gives back where it was written to.
    ///
    /// # Errors
    /// A key that stands twice; output that fails.
    pub fn finish(mut self) -> Result<W> {
        self.twice.add(&self.new)?;
        let twice = std::mem::take(&mut self.twice).finish()?;
        if let Some(same) = twice.first() {
            let text = format!(
                "{} of the keys written stand twice, the first as number {} and number {}",
                twice.len(),
                same.earlier,
                same.later
            );
            return Err(Error::usage(text));
        }
        self.writer.end();
        self.hand_on()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn add(&mut self, db: u32, key: &[u8], written: Written) -> Result<()> {
        match written {
            Written::Whole => {}
            Written::Empty => return Ok(()),
            Written::Without(lack) | Written::Not(lack) => {
                return Err(self.lacking(&lack).in_key(db, key));
            }
        }
        if self.db != Some(db) {
            self.writer.select(db, None);
            self.db = Some(db);
        }
        self.writer.append(&self.record);
        self.keys += 1;
        self.new.push(KeyPrint {
            first: self.prints.0.of_key(db, key),
            second: self.prints.1.of_key(db, key),
            at: self.keys,
            db: u64::from(db),
        });
        if self.new.len() == PRINTS {
            self.twice.add(&self.new)?;
            self.new.clear();
        }
        if self.writer.len() >= CHUNK {
            self.hand_on()?;
        }
        Ok(())
    }

    #[cold]
    fn lacking(&self, lack: &Lack) -> Error {
        let name = self.target.name();
        Error::new(ErrorKind::Unsupported(format!("{name} cannot hold {lack}")))
    }

    fn hand_on(&mut self) -> Result<()> {
        let out = &mut self.out;
        self.writer.take(|bytes| Ok(out.write_all(bytes)?))
    }
}

impl<W: Write> fmt::Debug for SnapshotWriter<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotWriter")
            .field("target", &self.target.name())
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
