//! The bytes of a HyperLogLog.
//!
//! ```text
//! "HYLL"  encoding  0 0 0  count (8 bytes, little endian; the top bit says that it is not known)
//! then 16384 registers: dense, 6 bits each, the lowest first; or sparse, runs of equal ones:
//!   00llllll            1 to 64 zeros
//!   01llllll llllllll   1 to 16384 zeros
//!   1vvvvvll            1 to 4 of a value from 1 to 32
//! ```

use std::fmt::Write as _;

const REGISTERS: usize = 1 << 14;
const HEADER: usize = 16;
const DENSE: usize = HEADER + REGISTERS * 6 / 8;
/// Byte of the header that holds the encoding.
const ENCODING: usize = 4;
/// Byte of the header whose top bit says that the count is not known.
const UNKNOWN: usize = 15;
/// Greatest value of a register in sparse form.
const SPARSE_VALUE: u8 = 32;
/// Bits of a hash behind those that choose the register.
const RANKS: usize = 64 - 14;
/// Opcodes that are looked at for merging behind a change.
const SCAN: usize = 5;

/// The runs do not make up the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Corrupt;

/// Whether these bytes are taken for a HyperLogLog.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER
        && bytes.starts_with(b"HYLL")
        && match bytes.get(ENCODING) {
            Some(0) => bytes.len() == DENSE,
            Some(1) => true,
            _ => false,
        }
}

/// Whether it is in dense form.
pub(super) fn is_dense(bytes: &[u8]) -> bool {
    bytes.get(ENCODING) == Some(&0)
}

/// The count that stands in it, where it is one.
pub(super) fn known_count(bytes: &[u8]) -> Option<u64> {
    let (_, count) = bytes.get(..HEADER)?.split_last_chunk::<8>()?;
    (bytes.get(UNKNOWN)? & 0x80 == 0).then_some(u64::from_le_bytes(*count))
}

/// Puts a count into it.
pub(super) fn put_count(bytes: &mut [u8], count: u64) {
    if let Some(to) = bytes.get_mut(8..HEADER) {
        to.copy_from_slice(&count.to_le_bytes());
    }
}

/// How many elements it stands for, about.
pub(super) fn count(bytes: &[u8]) -> Result<u64, Corrupt> {
    let mut all = Registers::new(Behind::Refused);
    all.merge(bytes)?;
    Ok(all.count())
}

/// The runs of one in sparse form, in the words of PFDEBUG DECODE.
pub(super) fn told(bytes: &[u8]) -> String {
    let mut told = String::new();
    let mut at = HEADER;
    while let Some(run) = Run::at(bytes, at) {
        let len = run.len;
        let _ = match (run.value, run.bytes) {
            (0, 1) => write!(told, "z:{len} "),
            (0, _) => write!(told, "Z:{len} "),
            (value, _) => write!(told, "v:{value},{len} "),
        };
        at += run.bytes;
    }
    told.truncate(told.trim_end().len());
    told
}

/// What is made of values behind the last register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    Refused,
    /// Nothing: so Redis 6.2, but for a count of one.
    Ignored,
}

/// Registers, each in a byte.
pub(super) struct Registers {
    values: Box<[u8; REGISTERS]>,
    behind: Behind,
}

impl Registers {
    /// All zero.
    pub(super) fn new(behind: Behind) -> Self {
        Registers {
            values: Box::new([0; REGISTERS]),
            behind,
        }
    }

    /// Raises each to what it is in these bytes.
    pub(super) fn merge(&mut self, bytes: &[u8]) -> Result<(), Corrupt> {
        if is_dense(bytes) {
            // Four registers stand in three bytes.
            let groups = bytes.get(HEADER..).unwrap_or_default().as_chunks::<3>().0;
            for (to, &[a, b, c]) in self.values.as_chunks_mut::<4>().0.iter_mut().zip(groups) {
                let packed = u32::from_le_bytes([a, b, c, 0]);
                for (n, to) in to.iter_mut().enumerate() {
                    *to = (*to).max((packed >> (6 * n)) as u8 & 63);
                }
            }
            return Ok(());
        }
        let (mut index, mut at) = (0, HEADER);
        while let Some(run) = Run::at(bytes, at) {
            let behind = index == REGISTERS && run.value > 0;
            if behind && self.behind == Behind::Ignored {
                break;
            }
            let run_of = self.values.get_mut(index..index + run.len);
            let run_of = run_of.ok_or(Corrupt)?;
            if run.value > 0 {
                run_of.iter_mut().for_each(|to| *to = (*to).max(run.value));
            }
            index += run.len;
            at += run.bytes;
        }
        if index == REGISTERS {
            Ok(())
        } else {
            Err(Corrupt)
        }
    }

    /// All of them.
    pub(super) fn values(&self) -> impl Iterator<Item = u8> {
        self.values.iter().copied()
    }

    /// Those that are not zero, with their indexes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, u8)> {
        self.values().enumerate().filter(|(_, value)| *value > 0)
    }

    /// How many elements they stand for, about (Ertl, "New cardinality estimation algorithms for
    /// HyperLogLog sketches", 2017), in the servers' order of operations.
    pub(super) fn count(&self) -> u64 {
        let mut of = [0u32; 64];
        for value in self.values() {
            if let Some(of) = of.get_mut(usize::from(value)) {
                *of += 1;
            }
        }
        let of = |value: usize| f64::from(of.get(value).copied().unwrap_or(0));
        let m = REGISTERS as f64;
        let mut z = m * tau((m - of(RANKS + 1)) / m);
        for value in (1..=RANKS).rev() {
            z += of(value);
            z *= 0.5;
        }
        z += m * sigma(of(0) / m);
        const ALPHA: f64 = 0.721_347_520_444_481_7;
        (ALPHA * m * m / z).round() as u64
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

/// A run of equal registers in sparse form.
#[derive(Clone, Copy)]
struct Run {
    value: u8,
    len: usize,
    bytes: usize,
}

impl Run {
    /// The one that begins at a byte.
    #[inline]
    fn at(bytes: &[u8], at: usize) -> Option<Run> {
        let &byte = bytes.get(at)?;
        let low = usize::from(byte & 63);
        Some(match byte >> 6 {
            0 => Run {
                value: 0,
                len: low + 1,
                bytes: 1,
            },
            1 => {
                // A server reads the zero behind its string.
                let next = bytes.get(at + 1).copied().unwrap_or(0);
                Run {
                    value: 0,
                    len: (low << 8 | usize::from(next)) + 1,
                    bytes: 2,
                }
            }
            _ => Run {
                value: (byte >> 2 & 31) + 1,
                len: usize::from(byte & 3) + 1,
                bytes: 1,
            },
        })
    }
}

/// Opcodes that take the place of one.
#[derive(Default)]
struct Opcodes {
    bytes: [u8; 5],
    len: usize,
}

impl Opcodes {
    fn push(&mut self, byte: u8) {
        if let Some(to) = self.bytes.get_mut(self.len) {
            *to = byte;
            self.len += 1;
        }
    }

    fn zeros(&mut self, len: usize) {
        match len {
            0 => {}
            1..=64 => self.push((len - 1) as u8),
            _ => {
                self.push(0x40 | ((len - 1) >> 8) as u8);
                self.push((len - 1) as u8);
            }
        }
    }

    fn values(&mut self, value: u8, len: usize) {
        if len > 0 {
            self.push(values(value, len));
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

fn values(value: u8, len: usize) -> u8 {
    0x80 | (value - 1) << 2 | (len - 1) as u8
}

/// One that is changed.
pub(super) struct HyperLogLog {
    bytes: Vec<u8>,
    /// Most bytes in sparse form.
    longest: usize,
    behind: Behind,
}

impl HyperLogLog {
    /// Without elements.
    pub(super) fn new(longest: usize, behind: Behind) -> Self {
        let mut bytes = b"HYLL\x01".to_vec();
        bytes.resize(HEADER, 0);
        bytes.extend_from_slice(&[0x7f, 0xff]);
        HyperLogLog::over(bytes, longest, behind)
    }

    /// Of these bytes, which [are one](is_one).
    pub(super) fn over(bytes: Vec<u8>, longest: usize, behind: Behind) -> Self {
        HyperLogLog {
            bytes,
            longest,
            behind,
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Says that the count is not known.
    pub(super) fn forget_count(&mut self) {
        if let Some(byte) = self.bytes.get_mut(UNKNOWN) {
            *byte |= 0x80;
        }
    }

    /// Adds an element; whether a register changed.
    pub(super) fn add(&mut self, element: &[u8]) -> Result<bool, Corrupt> {
        let hash = murmur64a(element, 0xadc8_3b19);
        let index = hash as usize & (REGISTERS - 1);
        let rank = (hash >> 14 | 1 << RANKS).trailing_zeros() + 1;
        self.raise(index, rank as u8)
    }

    /// Raises a register to a value; whether it was less.
    pub(super) fn raise(&mut self, index: usize, value: u8) -> Result<bool, Corrupt> {
        if is_dense(&self.bytes) {
            return Ok(self.raise_dense(index, value));
        }
        if value > SPARSE_VALUE {
            return self.raise_as_dense(index, value);
        }
        // The run with the register, and the one before.
        let (mut at, mut first, mut before) = (HEADER, 0, None);
        let run = loop {
            let run = Run::at(&self.bytes, at).ok_or(Corrupt)?;
            if index < first + run.len {
                break run;
            }
            before = Some(at);
            at += run.bytes;
            first += run.len;
        };
        if run.value >= value {
            return Ok(false);
        }
        let last = first + run.len - 1;
        let mut new = Opcodes::default();
        if run.value == 0 {
            new.zeros(index - first);
            new.values(value, 1);
            new.zeros(last - index);
        } else {
            new.values(run.value, index - first);
            new.values(value, 1);
            new.values(run.value, last - index);
        }
        // Of one register in one byte nothing grows, so that no limit is looked at.
        if new.len > run.bytes && self.bytes.len() + new.len - run.bytes > self.longest {
            return self.raise_as_dense(index, value);
        }
        // Where half an opcode stands at the end, a server goes by the byte behind its string.
        let cut = at + run.bytes > self.bytes.len();
        if cut {
            self.bytes.push(0);
        }
        self.bytes
            .splice(at..at + run.bytes, new.as_bytes().iter().copied());
        if cut {
            self.bytes.pop();
        }
        self.merge_values(before.unwrap_or(HEADER));
        self.forget_count();
        Ok(true)
    }

    /// Makes one of runs of the same value beside each other, in a few from a place on.
    fn merge_values(&mut self, mut at: usize) {
        for _ in 0..SCAN {
            let Some(run) = Run::at(&self.bytes, at) else {
                return;
            };
            let next = Run::at(&self.bytes, at + 1).filter(|next| next.value == run.value);
            match next {
                Some(next) if run.value > 0 && run.len + next.len <= 4 => {
                    self.bytes.remove(at);
                    if let Some(byte) = self.bytes.get_mut(at) {
                        *byte = values(run.value, run.len + next.len);
                    }
                }
                _ => at += run.bytes,
            }
        }
    }

    fn raise_as_dense(&mut self, index: usize, value: u8) -> Result<bool, Corrupt> {
        self.make_dense()?;
        Ok(self.raise_dense(index, value))
    }

    fn raise_dense(&mut self, index: usize, value: u8) -> bool {
        let at = HEADER + index / 4 * 3;
        let Some([a, b, c]) = self.bytes.get_mut(at..at + 3) else {
            return false;
        };
        let packed = u32::from_le_bytes([*a, *b, *c, 0]);
        let shift = 6 * (index % 4);
        if (packed >> shift) as u8 & 63 >= value {
            return false;
        }
        let packed = packed & !(63 << shift) | u32::from(value) << shift;
        [*a, *b, *c, _] = packed.to_le_bytes();
        true
    }

    /// Turns it into dense form; the count stays.
    pub(super) fn make_dense(&mut self) -> Result<(), Corrupt> {
        if is_dense(&self.bytes) {
            return Ok(());
        }
        let mut all = Registers::new(self.behind);
        all.merge(&self.bytes)?;
        let mut bytes = Vec::with_capacity(DENSE);
        bytes.extend_from_slice(self.bytes.get(..HEADER).unwrap_or_default());
        bytes.resize(DENSE, 0);
        self.bytes = bytes;
        if let Some(encoding) = self.bytes.get_mut(ENCODING) {
            *encoding = 0;
        }
        for (index, value) in all.iter() {
            self.raise_dense(index, value);
        }
        Ok(())
    }
}

/// MurmurHash64A (Appleby), little endian.
fn murmur64a(bytes: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(M);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mut word = u64::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> 47;
        hash = (hash ^ word.wrapping_mul(M)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        for (to, byte) in word.iter_mut().zip(rest) {
            *to = *byte;
        }
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(M);
    hash ^ hash >> 47
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_the_same_registers_and_the_sparse_one_is_turned_at_its_limit() {
        let mut sparse = HyperLogLog::new(usize::MAX, Behind::Refused);
        let mut limited = HyperLogLog::new(3000, Behind::Refused);
        let mut dense = HyperLogLog::new(3000, Behind::Refused);
        dense.make_dense().unwrap();
        let mut model = Registers::new(Behind::Refused);
        for n in 0..6000u32 {
            let element = format!("element {n}");
            let hash = murmur64a(element.as_bytes(), 0xadc8_3b19);
            let register = model.values.get_mut(hash as usize % REGISTERS).unwrap();
            let rank = ((hash >> 14).trailing_zeros() + 1).min(51) as u8;
            let raised = rank > *register;
            *register = rank.max(*register);
            for one in [&mut sparse, &mut limited, &mut dense] {
                assert_eq!(one.add(element.as_bytes()), Ok(raised));
            }
            assert!(is_dense(&limited.bytes) || limited.bytes.len() <= 3000);
        }
        // The count of registers that were raised is far from any limit of the sparse form.
        assert!(is_dense(&limited.bytes) && is_dense(&dense.bytes));
        for bytes in [&sparse.bytes, &limited.bytes, &dense.bytes] {
            assert!(is_one(bytes));
            let mut all = Registers::new(Behind::Refused);
            all.merge(bytes).unwrap();
            assert!(all.values().eq(model.values()));
            assert_eq!(count(bytes), Ok(model.count()));
        }
        let count = model.count() as f64;
        assert!((count - 6000.0).abs() < 6000.0 * 0.03, "{count}");
    }

    #[test]
    fn runs_that_do_not_make_up_the_registers_are_told() {
        let whole = HyperLogLog::new(3000, Behind::Refused).into_bytes();
        for cut in HEADER..whole.len() - 1 {
            assert_eq!(count(&whole[..cut]), Err(Corrupt));
        }
        let with = |more: &[u8]| [&whole[..], more].concat();
        assert_eq!(count(&with(&[0])), Err(Corrupt));
        assert_eq!(count(&with(&[0x80])), Err(Corrupt));
        let merged = |behind, bytes: &[u8]| Registers::new(behind).merge(bytes);
        assert_eq!(merged(Behind::Ignored, &with(&[0x80])), Ok(()));
        assert_eq!(merged(Behind::Ignored, &with(&[0])), Err(Corrupt));
        let mut empty = HyperLogLog::over(whole[..HEADER].to_vec(), 3000, Behind::Refused);
        assert_eq!(empty.add(b"a"), Err(Corrupt));
        assert_eq!(empty.make_dense(), Err(Corrupt));
    }
}
