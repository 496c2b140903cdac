//! Snapshots, read key by key.

use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::bytes::Element;
use crate::error::{Error, Place, Result, What};
use crate::face::value::{self, Value};
use crate::face::{Options, run};
use crate::io::source::{Content, Source};
use crate::rdb::Scratch;
use crate::rdb::batch::{Batch, Batches};
use crate::rdb::value::walk;
use crate::record::{self, DataType, Flow, RawValue, RdbType, Record, Stored};
use crate::task::{InputPath, open};

/// A snapshot (RDB file) to be read; gzip, zstd, lz4 and xz are seen through.
pub struct Snapshot {
    content: Content,
    max_spool: u64,
}

impl Snapshot {
    /// Opens a file. What it is, is told by its first bytes and never by its name; `-` is the
    /// standard input.
    ///
    /// # Errors
    /// What the system says; an input that is no snapshot.
    pub fn open(path: impl AsRef<Path>) -> Result<Snapshot> {
        let options = Options::default();
        let input = InputPath::File(path.as_ref().to_path_buf());
        let (_, content) = open::snapshot(&input, &run(&options))?;
        Ok(Snapshot {
            content,
            max_spool: options.max_spool,
        })
    }

    /// Reads from anything.
    ///
    /// # Errors
    /// What the reader says; an input that is no snapshot.
    pub fn from_reader(reader: impl Read + Send + 'static) -> Result<Snapshot> {
        let options = Options::default();
        let source = Source::of_reader(Box::new(reader))?;
        let (_, content) = open::snapshot_of(source, &run(&options))?;
        Ok(Snapshot {
            content,
            max_spool: options.max_spool,
        })
    }

    /// Its keys, in the order of the file. They are read as they are asked for: memory stays flat
    /// whatever the size of the file, but for what is kept of the entries.
    ///
    /// The checksum is not looked at here: [`check`](crate::check) does that. A stream is used up by
    /// this: a second call gives nothing.
    pub fn entries(&mut self) -> Entries<'_> {
        Entries {
            batches: Batches::of_content(&mut self.content, self.max_spool),
            waiting: Vec::new().into_iter(),
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Snapshot").field(&self.content).finish()
    }
}

/// The keys of a [`Snapshot`].
///
/// Damage is an error behind every key that stands before it. Where only the name of one key cannot
/// be read the iteration goes on behind it; where the framing breaks, nothing comes after.
pub struct Entries<'s> {
    batches: Batches<'s>,
    waiting: std::vec::IntoIter<Result<Entry<'s>>>,
}

impl<'s> Iterator for Entries<'s> {
    type Item = Result<Entry<'s>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.waiting.next() {
                return Some(entry);
            }
            let batch = match self.batches.next_batch() {
                Ok(Some(batch)) => Arc::new(batch),
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            };
            let mut entries = Vec::new();
            let done = batch.for_each(|record| {
                if let Record::Entry(entry) = record {
                    entries.push(Entry::new(&batch, entry));
                }
                Ok(Flow::Continue)
            });
            if let Err(error) = done {
                entries.push(Err(error));
            }
            self.waiting = entries.into_iter();
        }
    }
}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").finish_non_exhaustive()
    }
}

/// A key of a snapshot. Its value stays in file form until it is asked for.
#[derive(Clone)]
pub struct Entry<'s> {
    batch: Arc<Batch<'s>>,
    /// Where in the batch the whole record stands, and the value.
    record: Range<usize>,
    value: Range<usize>,
    rdb_type: RdbType,
    key: Vec<u8>,
    db: u32,
    expires_at: Option<i64>,
    idle: Option<u64>,
    freq: Option<u8>,
    meta: Option<Box<[u8]>>,
}

impl<'s> Entry<'s> {
    fn new(batch: &Arc<Batch<'s>>, entry: &record::Entry<'_>) -> Result<Entry<'s>> {
        let key = entry.key.to_bytes();
        let key = key.map_err(|problem| Error::bytes(problem, Place::at(entry.at), What::Key))?;
        // Both stand in the batch, whose bytes are in memory: the offsets fit.
        let within = |at: u64| usize::try_from(at.saturating_sub(batch.at)).unwrap_or(usize::MAX);
        Ok(Entry {
            record: within(entry.at)..within(entry.end()),
            value: within(entry.value.at)..within(entry.end()),
            rdb_type: entry.value.rdb_type,
            key: key.into_owned(),
            db: entry.db,
            expires_at: entry.expires_at,
            idle: entry.idle,
            freq: entry.freq,
            meta: entry.meta.map(Box::from),
            batch: Arc::clone(batch),
        })
    }

    /// The name of the key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The database it is in.
    pub fn db(&self) -> u32 {
        self.db
    }

    /// When it expires, as Unix time in ms.
    pub fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }

    /// The type of its value.
    pub fn data_type(&self) -> DataType {
        self.rdb_type.data_type()
    }

    /// The form of the value in the file: `raw`, `int`, `listpack`, `quicklist` …
    pub fn encoding(&self) -> &'static str {
        self.raw().encoding()
    }

    /// Bytes that the value takes in the file.
    pub fn size(&self) -> usize {
        self.value.len()
    }

    /// Offset of its record in the decompressed file; of a key in one of Dragonfly's compressed runs,
    /// the offset in that run.
    pub fn offset(&self) -> u64 {
        self.batch.at + self.record.start as u64
    }

    /// The value, decoded.
    ///
    /// # Errors
    /// A value that is damaged inside.
    pub fn value(&self) -> Result<Value> {
        let mut scratch = self.scratch();
        let raw = self.raw();
        let mut other = Scratch::default();
        std::mem::swap(&mut other.templates, &mut self.scratch().templates);
        value::whole(
            self.data_type(),
            |to| walk(&raw, &mut scratch, to),
            || value::json(&self.as_record(), &mut other),
        )
        .map_err(|error| error.in_key(self.db, &self.key))
    }

    /// As the reader gave it.
    pub(super) fn as_record(&self) -> record::Entry<'_> {
        record::Entry {
            db: self.db,
            at: self.offset(),
            key: Stored::Plain(Element::Bytes(&self.key)),
            expires_at: self.expires_at,
            idle: self.idle,
            freq: self.freq,
            meta: self.meta.as_deref(),
            value: self.raw(),
        }
    }

    /// The bytes of its record.
    pub(super) fn record(&self) -> &[u8] {
        let block: &[u8] = &self.batch.block;
        block.get(self.record.clone()).unwrap_or_default()
    }

    /// The room to decode it in.
    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            templates: Arc::clone(self.batch.state().templates()),
            ..Scratch::default()
        }
    }

    fn raw(&self) -> RawValue<'_> {
        let block: &[u8] = &self.batch.block;
        RawValue {
            rdb_type: self.rdb_type,
            bytes: block.get(self.value.clone()).unwrap_or_default(),
            at: self.batch.at + self.value.start as u64,
        }
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("db", &self.db)
            .field("key", &crate::error::printable(&self.key))
            .field("type", &self.data_type().name())
            .field("expires_at", &self.expires_at)
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
