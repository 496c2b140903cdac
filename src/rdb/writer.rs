//! Writes a snapshot record by record.
//!
//! ```text
//! magic and version     REDIS0012
//! 0xfa name value       AUX fields
//! 0xf5 source           function libraries
//! 0xfe db               the database of what follows
//! 0xfb keys expires     how many keys it has
//! 0xfc ms type key value, or without 0xfc and the time
//! 0xff checksum         CRC-64 of all before it, from version 5 on
//! ```

use crate::bytes::Element;
use crate::encoding::crc64::Crc64;
use crate::rdb::string::{Compress, StringWriter, write_number};
use crate::record::{RdbType, RdbVersion};

const FUNCTION: u8 = 0xf5;
const AUX: u8 = 0xfa;
const MODULE_AUX: u8 = 0xf7;
const IDLE: u8 = 0xf8;
const FREQ: u8 = 0xf9;
const RESIZE_DB: u8 = 0xfb;
/// Opens an expiry in milliseconds.
pub(crate) const EXPIRE_MS: u8 = 0xfc;
const SELECT_DB: u8 = 0xfe;
const EOF: u8 = 0xff;

/// The mark of the number that says when a module's record is for.
const MODULE_UINT: u64 = 2;

/// What a file says of a key besides its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Expiry as Unix time in ms.
    pub expires_at: Option<i64>,
    /// Seconds since the last access.
    pub idle: Option<u64>,
    /// LFU counter.
    pub freq: Option<u8>,
}

/// Writes records into a buffer that its owner empties ([`RdbWriter::take`]).
#[derive(Debug)]
pub struct RdbWriter {
    out: Vec<u8>,
    crc: Crc64,
    strings: StringWriter,
    has_checksum: bool,
}

impl RdbWriter {
    /// A snapshot of this version; its header is in the buffer.
    pub fn new(version: RdbVersion, compress: Compress) -> Self {
        RdbWriter {
            out: version.magic().to_vec(),
            crc: Crc64::new(),
            strings: StringWriter::new(compress),
            has_checksum: version.number >= 5,
        }
    }

    /// Part of a snapshot, without header and end, which another writer [appends](Self::append).
    pub fn part(compress: Compress) -> Self {
        RdbWriter {
            out: Vec::new(),
            crc: Crc64::new(),
            strings: StringWriter::new(compress),
            has_checksum: false,
        }
    }

    /// Records that were written before.
    pub fn append(&mut self, records: &[u8]) {
        self.out.extend_from_slice(records);
    }

    /// What a module keeps outside the keys: its items with their end mark.
    pub fn module_aux(&mut self, id: u64, when: u64, items: &[u8]) {
        self.out.push(MODULE_AUX);
        for number in [id, MODULE_UINT, when] {
            write_number(number, &mut self.out);
        }
        self.out.extend_from_slice(items);
    }

    /// A named fact about the writer.
    pub fn aux(&mut self, name: &[u8], value: &[u8]) {
        self.out.push(AUX);
        self.strings.write(Element::Bytes(name), &mut self.out);
        self.strings.write(Element::Bytes(value), &mut self.out);
    }

    /// The source of a function library.
    pub fn function(&mut self, source: &[u8]) {
        self.out.push(FUNCTION);
        self.strings.bytes(source, &mut self.out);
    }

    /// What follows belongs to this database. Its sizes, where known, are how many keys it has and
    /// how many of them have an expiry; they are only a hint.
    pub fn select(&mut self, db: u32, sizes: Option<(u64, u64)>) {
        self.out.push(SELECT_DB);
        write_number(u64::from(db), &mut self.out);
        if let Some((keys, expires)) = sizes {
            self.out.push(RESIZE_DB);
            write_number(keys, &mut self.out);
            write_number(expires, &mut self.out);
        }
    }

    /// What is known of the key that comes next; its expiry need not be given again with it.
    pub fn attributes(&mut self, attributes: &Attributes) {
        if let Some(at) = attributes.expires_at {
            self.out.push(EXPIRE_MS);
            self.out.extend_from_slice(&at.to_le_bytes());
        }
        if let Some(idle) = attributes.idle {
            self.out.push(IDLE);
            write_number(idle, &mut self.out);
        }
        if let Some(freq) = attributes.freq {
            self.out.extend_from_slice(&[FREQ, freq]);
        }
    }

    /// A string value with its key.
    pub fn string(&mut self, key: &[u8], value: &[u8]) {
        self.out.push(RdbType::String.number());
        self.strings.write(Element::Bytes(key), &mut self.out);
        self.strings.write(Element::Bytes(value), &mut self.out);
    }

    /// A key with its value, which `write` appends without type and key.
    ///
    /// # Errors
    /// What `write` returned.
    pub fn entry<E>(
        &mut self,
        key: &[u8],
        expires_at: Option<i64>,
        rdb_type: RdbType,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.attributes(&Attributes {
            expires_at,
            ..Attributes::default()
        });
        self.out.push(rdb_type.number());
        self.strings.write(Element::Bytes(key), &mut self.out);
        write(&mut self.out)
    }

    /// The end. Nothing may follow.
    pub fn end(&mut self) {
        self.out.push(EOF);
        if self.has_checksum {
            self.crc.update(&self.out);
            let sum = self.crc.value().to_le_bytes();
            self.crc = Crc64::new();
            // What stands before the sum is not summed again.
            self.has_checksum = false;
            self.out.extend_from_slice(&sum);
        }
    }

    /// Bytes in the buffer.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Takes back what was written behind the first `len` bytes of the buffer.
    pub fn truncate(&mut self, len: usize) {
        self.out.truncate(len);
    }

    /// True with an empty buffer.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Hands over what is in the buffer, and then records that are not put there first.
    ///
    /// # Errors
    /// What `to` returned.
    pub fn pass<E>(
        &mut self,
        records: &[u8],
        mut to: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.take(&mut to)?;
        if self.has_checksum {
            self.crc.update(records);
        }
        to(records)
    }

    /// Hands over what is in the buffer, and empties it.
    ///
    /// # Errors
    /// What `to` returned.
    pub fn take<E>(&mut self, to: impl FnOnce(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if self.has_checksum {
            self.crc.update(&self.out);
        }
        let result = to(&self.out);
        self.out.clear();
        result
    }
}
