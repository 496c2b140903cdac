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
const RESIZE_DB: u8 = 0xfb;
const EXPIRE_MS: u8 = 0xfc;
const SELECT_DB: u8 = 0xfe;
const EOF: u8 = 0xff;

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

    /// What follows belongs to this database, which has so many keys, so many of them with expiry.
    pub fn select(&mut self, db: u32, keys: u64, expires: u64) {
        self.out.push(SELECT_DB);
        write_number(u64::from(db), &mut self.out);
        self.out.push(RESIZE_DB);
        write_number(keys, &mut self.out);
        write_number(expires, &mut self.out);
    }

    /// The same where no counts are known, or the version has no room for them.
    pub fn select_only(&mut self, db: u32) {
        self.out.push(SELECT_DB);
        write_number(u64::from(db), &mut self.out);
    }

    /// Whole records in file form.
    pub fn records(&mut self, records: &[u8]) {
        self.out.extend_from_slice(records);
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
        if let Some(at) = expires_at {
            self.out.push(EXPIRE_MS);
            self.out.extend_from_slice(&at.to_le_bytes());
        }
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

    /// True with an empty buffer.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
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
