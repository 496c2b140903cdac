//! What a snapshot is a sequence of: records, the strings and values in them. Data, no parsing.

pub mod filter;
pub mod glob;
pub mod room;
pub mod sink;
pub mod slot;
pub mod target;
pub mod types;
pub mod value;

use std::borrow::Cow;

use crate::bytes::Element;
use crate::encoding::lzf;

pub use sink::{Flow, Sink};
pub use types::{Dialect, Family, RdbType, RdbVersion};
pub use value::{DataType, StreamId, ValueVisitor, Walk};

/// A string in file form: an [`Element`], or one that LZF has compressed.
#[derive(Clone, Copy, Debug)]
pub enum Stored<'d> {
    /// Bytes or an integer.
    Plain(Element<'d>),
    /// Compressed bytes.
    Lzf {
        /// The compressed bytes.
        data: &'d [u8],
        /// Length after decompression, in bytes; believed only when decompression agrees.
        len: u64,
    },
}

impl Stored<'_> {
    /// The bytes of a *short* string (a key, an AUX value), for words and comparison.
    ///
    /// # Errors
    /// A compressed string that does not decompress to its stated length.
    pub fn to_bytes(&self) -> std::result::Result<Cow<'_, [u8]>, crate::bytes::Problem> {
        match *self {
            Stored::Plain(element) => Ok(element.to_bytes()),
            Stored::Lzf { data, len } => {
                let mut out = Vec::new();
                lzf::decompress_into(data, len, &mut out)?;
                Ok(Cow::Owned(out))
            }
        }
    }

    /// Length of the string itself in bytes, as stated where compressed.
    pub fn len(&self) -> u64 {
        match *self {
            Stored::Plain(element) => element.len() as u64,
            Stored::Lzf { len, .. } => len,
        }
    }

    /// True for the empty string.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One record of a snapshot, borrowed from its bytes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Record<'d> {
    /// Magic and version.
    Header(RdbVersion),
    /// A named fact about the writer, the save or (KeyDB) the key before it.
    Aux {
        /// Name.
        name: Stored<'d>,
        /// Value; always text, also where stored as an integer.
        value: Stored<'d>,
    },
    /// The entries that follow belong to this database.
    SelectDb(u32),
    /// How many keys the database has; a hint only.
    ResizeDb {
        /// Keys.
        keys: u64,
        /// Keys that expire.
        expires: u64,
    },
    /// How many keys the next cluster slot has; a hint only.
    SlotInfo {
        /// Slot.
        slot: u64,
        /// Keys.
        keys: u64,
        /// Keys that expire.
        expires: u64,
    },
    /// A slot migration under way when the snapshot was taken (Valkey 9).
    SlotImport {
        /// Name of the job, 40 bytes.
        job: Stored<'d>,
        /// First and last slot of each range, as RDB lengths.
        ranges: &'d [u8],
    },
    /// The source of a function library.
    Function(Stored<'d>),
    /// What a module keeps outside the keys.
    ModuleAux {
        /// Module type name and version, packed in 64 bits.
        id: u64,
        /// 1: before the keys, 2: after them.
        when: u64,
        /// The typed items with their end mark.
        items: &'d [u8],
        /// Offset of the items in the file.
        at: u64,
    },
    /// Field names shared by hashes of types 30 and 32.
    HashTemplate {
        /// Number that the hashes name.
        id: u64,
    },
    /// A compressed run of records (Dragonfly).
    Run {
        /// How the run is compressed.
        codec: RunCodec,
        /// The compressed bytes.
        data: &'d [u8],
    },
    /// An opcode that carries nothing for us, kept so that offsets add up.
    Skipped {
        /// The opcode.
        opcode: u8,
    },
    /// A key with its value.
    Entry(Entry<'d>),
    /// The end.
    Eof(Checksum),
}

/// How Dragonfly compresses a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunCodec {
    /// A zstd frame.
    Zstd,
    /// An LZ4 frame.
    Lz4,
}

/// What stands behind the end mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Formats before version 5 have none.
    Absent,
    /// Eight zero bytes: the writer did not compute it.
    Disabled,
    /// CRC-64 of everything up to and with the end mark.
    Stored(u64),
}

/// A key with its value and what the file says about it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'d> {
    /// Database.
    pub db: u32,
    /// Offset of the record's first byte, its expiry included.
    pub at: u64,
    /// Name.
    pub key: Stored<'d>,
    /// Expiry as Unix time in ms.
    pub expires_at: Option<i64>,
    /// Seconds since the last access.
    pub idle: Option<u64>,
    /// LFU counter.
    pub freq: Option<u8>,
    /// Module metadata of the key (Redis 8.6), as in the file: count and classes.
    pub meta: Option<&'d [u8]>,
    /// The value.
    pub value: RawValue<'d>,
}

impl Entry<'_> {
    /// Offset just behind the record.
    pub fn end(&self) -> u64 {
        self.value.at + self.value.bytes.len() as u64
    }
}

/// A value still in file form.
#[derive(Clone, Copy, Debug)]
pub struct RawValue<'d> {
    /// Its type.
    pub rdb_type: RdbType,
    /// Its bytes, without type and key.
    pub bytes: &'d [u8],
    /// Offset of its first byte in the file.
    pub at: u64,
}

impl RawValue<'_> {
    /// The form of the value in the file, in the words of `OBJECT ENCODING` where the server has one.
    pub fn encoding(&self) -> &'static str {
        if self.rdb_type == RdbType::String {
            return match self.bytes.first() {
                Some(0xc0..=0xc2) => "int",
                Some(0xc3) => "lzf",
                _ => "raw",
            };
        }
        self.rdb_type.encoding()
    }
}
