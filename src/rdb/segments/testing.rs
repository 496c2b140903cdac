//! Snapshots that make it hard to guess where a record begins.

use crate::bytes::Element;
use crate::encoding::crc64;
use crate::encoding::listpack::ListpackWriter;
use crate::rdb::parser::opcode;
use crate::rdb::string::{Compress, StringWriter, write_number};

/// Numbers that are the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % n
    }
}

/// What a snapshot is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Keys of ordinary sizes in one database.
    Plain,
    /// Everything that may stand between keys as well, and values that look like records.
    Tricky,
}

/// A sound snapshot of about `size` bytes, if nothing in the mix is unsound.
pub(crate) fn snapshot(dice: &mut Dice, mix: Mix, size: usize) -> Vec<u8> {
    let magics: [&[u8]; 4] = [b"REDIS0009", b"REDIS0012", b"REDIS0013", b"VALKEY080"];
    let magic = dice.below(if mix == Mix::Plain { 2 } else { 4 });
    let mut out = magics[magic].to_vec();
    out.extend_from_slice(b"\xfa\x09redis-ver\x057.4.0\xfe\x00");
    while out.len() < size {
        match (mix, dice.below(100)) {
            (Mix::Plain, _) | (_, 0..70) => key(dice, &mut out, mix),
            (_, 70..80) => {
                out.push(opcode::SELECTDB);
                write_number(dice.below(4) as u64, &mut out);
                if dice.below(2) == 0 {
                    out.extend_from_slice(&[opcode::RESIZEDB, 7, 1]);
                }
            }
            (_, 80..84) => {
                // Its expiry waits for the key.
                if dice.below(2) == 0 {
                    out.push(opcode::EXPIRETIME_MS);
                    out.extend_from_slice(&[1; 8]);
                }
                out.extend_from_slice(b"\xfa\x03aux\x05value");
            }
            (_, 84) => out.extend_from_slice(b"\xf5\x13#!lua name=l\nreturn"),
            (_, 85) => out.extend_from_slice(&[opcode::SLOT_INFO, 3, 4, 0]),
            // A function whose compressed text is broken.
            (_, 86) => out.extend_from_slice(b"\xf5\xc3\x04\x20\xe0\x00\x05\x00"),
            (_, 87) if magic == 2 => {
                out.push(opcode::HASH_TEMPLATE_OR_UPDATE);
                write_number(dice.below(1 << 14) as u64, &mut out);
                out.extend_from_slice(b"\x02\x01a\x01b");
            }
            (_, 88) if dice.below(20) == 0 => {
                out.extend_from_slice(b"\xfa\x06df-ver\x05v1.30");
            }
            (_, 88..92) => decoy(dice, &mut out),
            (_, 92) if dice.below(8) == 0 => large(dice, &mut out),
            _ => key(dice, &mut out, mix),
        }
    }
    out.push(opcode::EOF);
    let sum = match dice.below(5) {
        0 if mix == Mix::Tricky => 0,
        1 if mix == Mix::Tricky => 77,
        _ => crc64::checksum(&out),
    };
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// Damages a snapshot at one place or a few.
pub(crate) fn damage(dice: &mut Dice, data: &mut Vec<u8>) {
    match dice.below(5) {
        0 => data.truncate(dice.below(data.len())),
        1 => data.extend_from_slice(b"and something behind it"),
        2 => {
            let (at, with) = (dice.below(data.len()), dice.below(256) as u8);
            let end = data.len().min(at + 1 + dice.below(40_000));
            data[at..end].fill(with);
        }
        _ => {
            for _ in 0..1 + dice.below(4) {
                let at = dice.below(data.len());
                data[at] ^= 1 << dice.below(8);
            }
        }
    }
}

fn name(dice: &mut Dice, out: &mut Vec<u8>) {
    let name = format!("key:{}", dice.below(1 << 30));
    write_number(name.len() as u64, out);
    out.extend_from_slice(name.as_bytes());
}

fn key(dice: &mut Dice, out: &mut Vec<u8>, mix: Mix) {
    if dice.below(5) == 0 {
        out.push(opcode::EXPIRETIME_MS);
        out.extend_from_slice(&(dice.below(1 << 40) as u64).to_le_bytes());
    }
    let mut strings = StringWriter::new(Compress::AsServer);
    let twice = mix == Mix::Tricky && dice.below(40) == 0;
    match dice.below(6) {
        0 => {
            out.push(16);
            name(dice, out);
            let mut writer = ListpackWriter::new();
            for i in 0..1 + dice.below(20) as i64 {
                writer.push(Element::Int(if twice { 5 } else { i * 300 }));
                writer.push(Element::Bytes(b"some value"));
            }
            let mut blob = Vec::new();
            writer.finish(&mut blob).unwrap();
            strings.bytes(&blob, out);
        }
        1 => {
            out.push(2);
            name(dice, out);
            let members = 1 + dice.below(30);
            write_number(members as u64, out);
            for i in 0..members {
                out.push(3);
                out.extend_from_slice(&[b'm', if twice { 0 } else { i as u8 }, b'x']);
            }
        }
        2 => {
            out.push(0);
            name(dice, out);
            let text = "a compressible text ".repeat(1 + dice.below(60));
            strings.bytes(text.as_bytes(), out);
            if twice && let Some(byte) = out.iter_mut().rev().nth(3) {
                *byte ^= 0xe0;
            }
        }
        3 => {
            out.extend_from_slice(&[0]);
            name(dice, out);
            out.extend_from_slice(&[0xc1, dice.below(256) as u8, dice.below(256) as u8]);
        }
        _ => {
            out.push(0);
            name(dice, out);
            let bytes: Vec<u8> = (0..dice.below(60)).map(|_| dice.below(256) as u8).collect();
            write_number(bytes.len() as u64, out);
            out.extend_from_slice(&bytes);
        }
    }
}

/// A string that consists of records, long enough to be taken for the snapshot itself.
pub(crate) fn decoy(dice: &mut Dice, out: &mut Vec<u8>) {
    let mut records: Vec<u8> = vec![b'x'; dice.below(20)];
    for _ in 0..40 + dice.below(1000) {
        key(dice, &mut records, Mix::Plain);
    }
    if dice.below(4) == 0 {
        records.push(opcode::EOF);
        records.extend_from_slice(&[0; 8]);
    }
    out.push(0);
    name(dice, out);
    write_number(records.len() as u64, out);
    out.extend_from_slice(&records);
}

/// A value in which no record seems to begin.
fn large(dice: &mut Dice, out: &mut Vec<u8>) {
    out.push(1);
    name(dice, out);
    let count = 10_000 + dice.below(20_000);
    write_number(count as u64, out);
    for i in 0..count {
        out.push(8);
        out.extend_from_slice(format!("m{i:07}").as_bytes());
    }
}
