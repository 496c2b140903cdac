//! The listpack, the packed form of small collections since Redis 7 (in streams since 5).
//!
//! ```text
//! u32 LE   bytes of the whole, header and end mark included
//! u16 LE   entries; 65535: count them
//! entries  encoding and data, then their size as a backward length
//! ff
//!
//! 0xxxxxxx            integer 0 to 127
//! 10xxxxxx            string of x bytes
//! 110xxxxx y          integer of 13 bits, signed
//! 1110xxxx y          string of up to 4095 bytes
//! f0 + u32 LE         string
//! f1 f2 f3 f4         integer of 2, 3, 4, 8 bytes LE
//! ```
//!
//! The backward length has seven bits a byte, the most significant group first, and the high bit
//! set in all but the first byte. Its size follows from the entry's size by limits that are
//! exclusive: 16383 itself takes three bytes. Defined by the servers' `listpack.c`.

use crate::bytes::number::parse_canonical_i64;
use crate::bytes::{Element, Fault, Problem};

/// Bytes in front of the entries.
pub(crate) const HEADER: usize = 6;
/// The count in the header where it says nothing.
pub(crate) const UNKNOWN_COUNT: u16 = u16::MAX;
/// The end mark.
pub(crate) const END: u8 = 0xff;

/// A listpack whose header has been read.
#[derive(Clone, Copy, Debug)]
pub struct Listpack<'d> {
    entries: &'d [u8],
    count: u16,
    flaw: Option<Fault>,
}

impl<'d> Listpack<'d> {
    /// Reads the header.
    ///
    /// # Errors
    /// A blob too short for header and end mark, or of another size than it says: what servers
    /// refuse even without deep checks.
    #[inline]
    pub fn open(blob: &'d [u8]) -> Result<Self, Fault> {
        let short = Fault {
            rest: blob.len(),
            problem: Problem::BlobShort {
                actual: blob.len() as u64,
            },
        };
        let (&size, rest) = blob.split_first_chunk::<4>().ok_or(short)?;
        let (&count, entries) = rest.split_first_chunk::<2>().ok_or(short)?;
        let last = entries.last().ok_or(short)?;
        let claimed = u64::from(u32::from_le_bytes(size));
        if claimed != blob.len() as u64 {
            let problem = Problem::BlobSize {
                claimed,
                actual: blob.len() as u64,
            };
            return Err(Fault {
                rest: blob.len(),
                problem,
            });
        }
        if *last != END {
            return Err(Fault {
                rest: 1,
                problem: Problem::BlobEnd { found: *last },
            });
        }
        Ok(Listpack {
            entries,
            count: u16::from_le_bytes(count),
            flaw: None,
        })
    }

    /// How many entries there are, where the header says.
    pub fn count(&self) -> Option<u16> {
        (self.count != UNKNOWN_COUNT).then_some(self.count)
    }

    /// The entries from one on whose offset in the blob is known, to be read alone: their number is
    /// not held against the header.
    pub(crate) fn entries_at(&self, offset: usize) -> Entries<'d> {
        let before = offset.saturating_sub(HEADER);
        Entries {
            rest: self.entries.get(before..).unwrap_or_default(),
            seen: 0,
            claimed: UNKNOWN_COUNT,
            flaw: self.flaw,
        }
    }

    /// The entries in order.
    pub fn entries(&self) -> Entries<'d> {
        Entries {
            rest: self.entries,
            seen: 0,
            claimed: self.count,
            flaw: self.flaw,
        }
    }
}

/// Walks the entries of a listpack.
#[derive(Clone, Debug)]
pub struct Entries<'d> {
    rest: &'d [u8],
    seen: u64,
    claimed: u16,
    flaw: Option<Fault>,
}

impl<'d> Entries<'d> {
    /// The next entry, `None` at the end mark.
    ///
    /// # Errors
    /// An entry that runs past the end or has an undefined encoding; nothing more can be read then.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Element<'d>>, Fault> {
        let input = self.rest;
        let Some((&first, after)) = input.split_first() else {
            return Err(self.past_end());
        };
        let (element, size) = match first {
            0..=0x7f => (Element::Int(i64::from(first)), 1),
            0x80..=0xbf => {
                let len = usize::from(first & 0x3f);
                match after.get(..len) {
                    Some(bytes) => (Element::Bytes(bytes), 1 + len),
                    None => return Err(self.past_end()),
                }
            }
            _ => match self.wide(first, after)? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        if size <= 127 {
            match input.get(size..).and_then(<[u8]>::split_first) {
                Some((&back, rest)) => {
                    if usize::from(back) != size {
                        self.backlen_flaw(u64::from(back), size);
                    }
                    self.rest = rest;
                }
                None => return Err(self.past_end()),
            }
        } else {
            self.skip_long_backlen(size)?;
        }
        self.seen += 1;
        Ok(Some(element))
    }

    /// The next entry, where it is an integer of 7 bits as most of a stream node's are; anything
    /// else is left for [`Entries::next`].
    #[inline]
    pub fn next_small(&mut self) -> Option<u8> {
        match self.rest {
            &[n @ 0..=0x7f, 1, ref rest @ ..] => {
                self.rest = rest;
                self.seen += 1;
                Some(n)
            }
            _ => None,
        }
    }

    /// Passes over entries of the ordinary forms, `most` at most; how many those were. What stops it
    /// is left for [`Entries::next`].
    #[inline]
    pub(crate) fn skip_plain(&mut self, most: u64) -> u64 {
        let mut pack = Plain {
            rest: self.rest,
            claimed: self.claimed,
        };
        let mut passed = 0;
        while passed < most && pack.next().is_some() {
            passed += 1;
        }
        self.rest = pack.rest;
        self.seen += passed;
        passed
    }

    /// Entries read so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Bytes not read yet, end mark included.
    pub fn rest(&self) -> usize {
        self.rest.len()
    }

    /// The first thing wrong that did not keep the entries from being read, once all are.
    pub fn flaw(&self) -> Option<Fault> {
        if let flaw @ Some(_) = self.flaw {
            return flaw;
        }
        let claimed = u64::from(self.claimed);
        if self.claimed != UNKNOWN_COUNT && claimed != self.seen {
            let problem = Problem::BlobCount {
                claimed,
                actual: self.seen,
            };
            return Some(Fault {
                rest: self.rest.len(),
                problem,
            });
        }
        None
    }

    fn wide(&mut self, first: u8, after: &'d [u8]) -> Result<Option<(Element<'d>, usize)>, Fault> {
        let string = |len: usize, from: usize, this: &Self| match after
            .get(from..)
            .and_then(|s| s.get(..len))
        {
            Some(bytes) => Ok(Some((Element::Bytes(bytes), 1 + from + len))),
            None => Err(this.past_end()),
        };
        let integer = |n: i64, size: usize| Ok(Some((Element::Int(n), 1 + size)));
        match first {
            0xc0..=0xdf => {
                let Some(&low) = after.first() else {
                    return Err(self.past_end());
                };
                let n = i64::from(first & 0x1f) << 8 | i64::from(low);
                integer(if n >= 1 << 12 { n - (1 << 13) } else { n }, 1)
            }
            0xe0..=0xef => {
                let Some(&low) = after.first() else {
                    return Err(self.past_end());
                };
                string(usize::from(first & 0x0f) << 8 | usize::from(low), 1, self)
            }
            0xf0 => match after.first_chunk::<4>() {
                Some(len) => string(
                    usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX),
                    4,
                    self,
                ),
                None => Err(self.past_end()),
            },
            0xf1 => match after.first_chunk::<2>() {
                Some(n) => integer(i64::from(i16::from_le_bytes(*n)), 2),
                None => Err(self.past_end()),
            },
            0xf2 => match after.first_chunk::<3>() {
                Some(&[a, b, c]) => integer(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8), 3),
                None => Err(self.past_end()),
            },
            0xf3 => match after.first_chunk::<4>() {
                Some(n) => integer(i64::from(i32::from_le_bytes(*n)), 4),
                None => Err(self.past_end()),
            },
            0xf4 => match after.first_chunk::<8>() {
                Some(n) => integer(i64::from_le_bytes(*n), 8),
                None => Err(self.past_end()),
            },
            END if after.is_empty() => Ok(None),
            END => {
                let problem = Problem::BlobTrailing {
                    count: after.len() as u64,
                };
                Err(Fault {
                    rest: after.len(),
                    problem,
                })
            }
            _ => Err(Fault {
                rest: self.rest.len(),
                problem: Problem::EntryEncoding { found: first },
            }),
        }
    }

    fn skip_long_backlen(&mut self, size: usize) -> Result<(), Fault> {
        let Some((back, rest)) = self
            .rest
            .get(size..)
            .and_then(|r| r.split_at_checked(backlen_size(size)))
        else {
            return Err(self.past_end());
        };
        let claimed = back.iter().fold(0u64, |n, b| n << 7 | u64::from(b & 0x7f));
        let marked = back.iter().skip(1).all(|b| b & 0x80 != 0)
            && back.first().is_some_and(|b| b & 0x80 == 0);
        if claimed != size as u64 || !marked {
            self.backlen_flaw(claimed, size);
        }
        self.rest = rest;
        Ok(())
    }

    #[cold]
    fn backlen_flaw(&mut self, claimed: u64, size: usize) {
        let problem = Problem::BackLen {
            claimed,
            actual: size as u64,
        };
        self.flaw.get_or_insert(Fault {
            rest: self.rest.len(),
            problem,
        });
    }

    #[cold]
    fn past_end(&self) -> Fault {
        Fault {
            rest: self.rest.len(),
            problem: Problem::EntryPastEnd,
        }
    }
}

/// Encoding and data of an entry by its first byte, in bytes; 0 where it does not tell.
static SIZES: [u8; 256] = {
    let mut sizes = [0; 256];
    let mut first = 0;
    while first < 0x80 {
        sizes[first] = 1;
        first += 1;
    }
    while first < 0xc0 {
        sizes[first] = 1 + (first as u8 & 0x3f);
        first += 1;
    }
    while first < 0xe0 {
        sizes[first] = 2;
        first += 1;
    }
    sizes[0xf1] = 3;
    sizes[0xf2] = 4;
    sizes[0xf3] = 5;
    sizes[0xf4] = 9;
    sizes
};

/// Walks the entries of a listpack as long as there is nothing to say about them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain<'d> {
    rest: &'d [u8],
    claimed: u16,
}

impl<'d> Plain<'d> {
    /// The entries, where the header is in order.
    #[inline]
    pub(crate) fn of(blob: &'d [u8]) -> Option<Self> {
        let (&size, rest) = blob.split_first_chunk::<4>()?;
        let (&count, rest) = rest.split_first_chunk::<2>()?;
        (u32::from_le_bytes(size) as usize == blob.len() && rest.last() == Some(&END)).then_some(
            Plain {
                rest,
                claimed: u16::from_le_bytes(count),
            },
        )
    }

    /// True at an end mark that is the last byte, with the count that the header says.
    #[inline]
    pub(crate) fn ends(&self, seen: usize) -> bool {
        self.rest == [END] && (self.claimed == UNKNOWN_COUNT || usize::from(self.claimed) == seen)
    }

    /// Encoding and data of the next entry, if it is there and its backward length is right.
    #[inline(always)]
    #[allow(clippy::should_implement_trait)]
    pub(crate) fn next(&mut self) -> Option<&'d [u8]> {
        let first = *self.rest.first()?;
        let size = SIZES[usize::from(first)];
        if size == 0 {
            return self.next_long(first);
        }
        let (entry, after) = self.rest.split_at_checked(usize::from(size))?;
        let (&back, after) = after.split_first()?;
        if back != size {
            return None;
        }
        self.rest = after;
        Some(entry)
    }

    /// A string with a length of 12 bits.
    #[inline]
    fn next_long(&mut self, first: u8) -> Option<&'d [u8]> {
        if !matches!(first, 0xe0..=0xef) {
            return None;
        }
        let size = 2 + (usize::from(first & 0x0f) << 8 | usize::from(*self.rest.get(1)?));
        let (entry, after) = self.rest.split_at_checked(size)?;
        let after = if size <= 127 {
            let (&back, after) = after.split_first()?;
            (usize::from(back) == size).then_some(after)?
        } else {
            let (&[high, low], after) = after.split_first_chunk::<2>()?;
            (usize::from(high) == size >> 7 && usize::from(low) == (size & 127 | 128))
                .then_some(after)?
        };
        self.rest = after;
        Some(entry)
    }
}

/// What an entry says, where it is in the one form that servers choose for it, so that entries
/// which say the same are the same bytes.
#[inline(always)]
pub(crate) fn canonical(entry: &[u8]) -> Option<Element<'_>> {
    let (&first, data) = entry.split_first()?;
    let (n, narrower) = match first {
        0..=0x7f => return Some(Element::Int(i64::from(first))),
        0x80..=0xbf => return canonical_text(data),
        0xc0..=0xdf => {
            let n = i64::from(first & 0x1f) << 8 | i64::from(*data.first()?);
            (n - (n >> 12 << 13), 0..=127)
        }
        0xe0..=0xef => return canonical_text(data.get(1..)?).filter(|_| data.len() > 64),
        0xf1 => {
            let n = i64::from(i16::from_le_bytes(*data.first_chunk()?));
            (n, -(1 << 12)..=(1 << 12) - 1)
        }
        0xf2 => {
            let &[a, b, c] = data.first_chunk()?;
            let n = i64::from(i32::from_le_bytes([0, a, b, c]) >> 8);
            (n, -(1 << 15)..=(1 << 15) - 1)
        }
        0xf3 => {
            let n = i64::from(i32::from_le_bytes(*data.first_chunk()?));
            (n, -(1 << 23)..=(1 << 23) - 1)
        }
        0xf4 => {
            let n = i64::from_le_bytes(*data.first_chunk()?);
            (n, -(1 << 31)..=(1 << 31) - 1)
        }
        _ => return None,
    };
    (!narrower.contains(&n)).then_some(Element::Int(n))
}

/// Text that is no integer.
#[inline(always)]
fn canonical_text(text: &[u8]) -> Option<Element<'_>> {
    match text {
        [b'0'..=b'9' | b'-', ..] if parse_canonical_i64(text).is_some() => None,
        _ => Some(Element::Bytes(text)),
    }
}

/// Bytes of the backward length of an entry of `size` bytes.
#[inline]
fn backlen_size(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// Bytes of the entry that `rest` begins with, backward length included; none at the end mark.
/// For blobs that are known to be sound: backward lengths are not looked at.
#[inline]
pub(crate) fn entry_size(rest: &[u8]) -> Option<usize> {
    let first = *rest.first()?;
    match SIZES[usize::from(first)] {
        0 => {
            let size = match first {
                0xe0..=0xef => 2 + (usize::from(first & 0x0f) << 8 | usize::from(*rest.get(1)?)),
                0xf0 => {
                    let len = u32::from_le_bytes(*rest.get(1..)?.first_chunk()?);
                    5 + usize::try_from(len).ok()?
                }
                _ => return None,
            };
            Some(size + backlen_size(size))
        }
        size => Some(usize::from(size) + 1),
    }
}

/// Bytes of the entry that `before` ends with, backward length included. For blobs that are known
/// to be sound, without their header; none at the beginning.
#[inline]
pub(crate) fn last_entry_size(before: &[u8]) -> Option<usize> {
    let mut size = 0;
    for (i, &byte) in before.iter().rev().take(5).enumerate() {
        size |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some(size + i + 1);
        }
    }
    None
}

/// What the entry says that `rest` begins with, in a blob that is known to be sound; none at the end
/// mark.
#[inline]
pub(crate) fn element(rest: &[u8]) -> Option<Element<'_>> {
    let (&first, data) = rest.split_first()?;
    Some(match first {
        0..=0x7f => Element::Int(i64::from(first)),
        0x80..=0xbf => Element::Bytes(data.get(..usize::from(first & 0x3f))?),
        0xc0..=0xdf => {
            let n = i64::from(first & 0x1f) << 8 | i64::from(*data.first()?);
            Element::Int(n - (n >> 12 << 13))
        }
        0xe0..=0xef => {
            let (&low, data) = data.split_first()?;
            Element::Bytes(data.get(..usize::from(first & 0x0f) << 8 | usize::from(low))?)
        }
        0xf0 => {
            let (len, data) = data.split_first_chunk()?;
            let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
            Element::Bytes(data.get(..len)?)
        }
        0xf1 => Element::Int(i64::from(i16::from_le_bytes(*data.first_chunk()?))),
        0xf2 => {
            let &[a, b, c] = data.first_chunk()?;
            Element::Int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8))
        }
        0xf3 => Element::Int(i64::from(i32::from_le_bytes(*data.first_chunk()?))),
        0xf4 => Element::Int(i64::from_le_bytes(*data.first_chunk()?)),
        _ => return None,
    })
}

/// An entry as the server makes it of a string: canonical decimal text becomes an integer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made<'d> {
    head: [u8; 9],
    head_len: u8,
    text: &'d [u8],
}

impl<'d> Made<'d> {
    /// The entry of this element.
    #[inline]
    pub(crate) fn of(element: Element<'d>) -> Self {
        match element {
            Element::Int(n) => Self::integer(n),
            Element::Bytes(text @ [b'0'..=b'9' | b'-', ..]) if text.len() <= 20 => {
                match parse_canonical_i64(text) {
                    Some(n) => Self::integer(n),
                    None => Self::string(text),
                }
            }
            Element::Bytes(text) => Self::string(text),
        }
    }

    /// Bytes of it, backward length included.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        let size = usize::from(self.head_len) + self.text.len();
        size + backlen_size(size)
    }

    /// Writes it where `out` begins, which must have room for it; how long it was.
    #[inline]
    pub(crate) fn write(&self, out: &mut [u8]) -> usize {
        let head = usize::from(self.head_len);
        let size = head + self.text.len();
        let whole = self.len();
        debug_assert!(out.len() >= whole);
        for (to, from) in out.iter_mut().zip(self.head.iter().take(head)) {
            *to = *from;
        }
        if let Some(to) = out.get_mut(head..size) {
            to.copy_from_slice(self.text);
        }
        if let Some(to) = out.get_mut(size..whole) {
            put_backlen(size, to);
        }
        whole
    }

    #[inline]
    fn headed<const N: usize>(bytes: [u8; N], text: &'d [u8]) -> Self {
        let mut head = [0; 9];
        for (to, from) in head.iter_mut().zip(bytes) {
            *to = from;
        }
        Made {
            head,
            head_len: N as u8,
            text,
        }
    }

    #[inline]
    fn integer(n: i64) -> Self {
        let with = |first: u8, n: &[u8]| {
            let mut head = [0; 9];
            for (to, from) in head.iter_mut().zip([first].iter().chain(n)) {
                *to = *from;
            }
            Made {
                head,
                head_len: 1 + n.len() as u8,
                text: &[],
            }
        };
        if let Ok(n @ 0..=127) = u8::try_from(n) {
            Self::headed([n], &[])
        } else if (-4096..4096).contains(&n) {
            Self::headed(((n & 0x1fff) as u16 | 0xc000).to_be_bytes(), &[])
        } else if let Ok(n) = i16::try_from(n) {
            with(0xf1, &n.to_le_bytes())
        } else if (-(1 << 23)..1 << 23).contains(&n) {
            let [a, b, c, ..] = n.to_le_bytes();
            Self::headed([0xf2, a, b, c], &[])
        } else if let Ok(n) = i32::try_from(n) {
            with(0xf3, &n.to_le_bytes())
        } else {
            with(0xf4, &n.to_le_bytes())
        }
    }

    #[inline]
    fn string(text: &'d [u8]) -> Self {
        match text.len() {
            len @ 0..=63 => Self::headed([0x80 | len as u8], text),
            len @ 64..=4095 => Self::headed((0xe000 | len as u16).to_be_bytes(), text),
            len => {
                let [a, b, c, d] = u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
                Self::headed([0xf0, a, b, c, d], text)
            }
        }
    }
}

/// Writes the backward length of an entry of `size` bytes.
#[inline]
fn put_backlen(size: usize, to: &mut [u8]) {
    for (i, byte) in to.iter_mut().rev().enumerate() {
        *byte = (size >> (7 * i)) as u8 & 0x7f | 0x80;
    }
    if let Some(first) = to.first_mut() {
        *first &= 0x7f;
    }
}

/// Appends an entry, with its backward length, as the server stores it.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, element: Element<'_>) {
    if let Element::Int(n @ 0..=127) = element {
        out.extend_from_slice(&[n as u8, 1]);
        return;
    }
    let entry = Made::of(element);
    let start = out.len();
    out.resize(start + entry.len(), 0);
    entry.write(out.get_mut(start..).unwrap_or_default());
}

/// Writes a listpack entry by entry.
#[derive(Debug, Default)]
pub struct ListpackWriter {
    entries: Vec<u8>,
    count: usize,
}

impl ListpackWriter {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that the whole has now.
    pub fn len(&self) -> usize {
        HEADER + self.entries.len() + 1
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Entries so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Appends an entry as the server stores it: canonical decimal text becomes an integer.
    pub fn push(&mut self, element: Element<'_>) {
        append(&mut self.entries, element);
        self.count += 1;
    }

    /// Appends the whole listpack to `out` and starts over.
    ///
    /// # Errors
    /// More than four GiB, which no listpack can be.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Problem> {
        let len = self.len();
        let size = u32::try_from(len).map_err(|_| Problem::LengthRange {
            found: len as u64,
            most: u64::from(u32::MAX),
        })?;
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(
            &u16::try_from(self.count)
                .unwrap_or(UNKNOWN_COUNT)
                .to_le_bytes(),
        );
        out.append(&mut self.entries);
        out.push(END);
        self.count = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(elements: &[Element<'_>]) -> Vec<u8> {
        let mut writer = ListpackWriter::new();
        for &element in elements {
            writer.push(element);
        }
        let mut blob = Vec::new();
        writer.finish(&mut blob).unwrap();
        blob
    }

    fn read(blob: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        let mut entries = Listpack::open(blob)?.entries();
        let mut all = Vec::new();
        while let Some(element) = entries.next()? {
            all.push(element.to_bytes().into_owned());
        }
        match entries.flaw() {
            Some(flaw) => Err(flaw),
            None => Ok(all),
        }
    }

    #[test]
    fn round_trips_at_every_widths_edge() {
        for bits in [7, 12, 13, 15, 16, 23, 24, 31, 32, 63] {
            let edge = if bits == 63 { i64::MAX } else { 1i64 << bits };
            for n in [
                edge - 1,
                edge,
                edge.wrapping_add(1),
                -edge,
                -edge - 1,
                -edge + 1,
            ] {
                let blob = write(&[Element::Int(n), Element::Bytes(b"x")]);
                assert_eq!(
                    read(&blob).unwrap(),
                    [n.to_string().into_bytes(), b"x".to_vec()],
                    "{n}"
                );
            }
        }
        for len in [
            0, 1, 63, 64, 126, 127, 128, 4095, 4096, 16_376, 16_377, 16_378, 16_379, 70_000,
            2_097_146, 2_097_150,
        ] {
            let string = vec![b'x'; len];
            let blob = write(&[Element::Bytes(&string), Element::Int(5)]);
            assert_eq!(read(&blob).unwrap(), [string, b"5".to_vec()], "{len}");
        }
    }

    /// Captured from Redis 8.2.3: the hash {a: 1 with an expiry, b: 2} as type 25 holds it, and -1.
    #[test]
    fn writes_what_the_server_writes() {
        let expected = b"\x1d\0\0\0\x06\0\x81a\x02\x01\x01\xf4\0\xd8\xc3\x2c\xbb\x03\0\0\x09\x81b\x02\x02\x01\0\x01\xff";
        let elements =
            [b"a" as &[u8], b"1", b"4102444800000", b"b", b"2", b"0"].map(Element::Bytes);
        assert_eq!(write(&elements), expected);
        assert_eq!(
            write(&[Element::Bytes(b"-1"), Element::Bytes(b"abc")]),
            b"\x0f\0\0\0\x02\0\xdf\xff\x02\x83abc\x04\xff"
        );
    }

    #[test]
    fn every_truncation_is_an_error_with_an_offset() {
        let blob = write(&[
            Element::Bytes(b"abc"),
            Element::Int(1 << 40),
            Element::Bytes(&[b'x'; 200]),
        ]);
        for cut in 0..blob.len() {
            let fault = read(&blob[..cut]).unwrap_err();
            assert!(fault.rest <= cut, "cut at {cut}");
            // With a header that agrees the entries themselves must notice.
            if cut >= 7 {
                let mut short = blob[..cut].to_vec();
                short[..4].copy_from_slice(&(cut as u32).to_le_bytes());
                short[cut - 1] = 0xff;
                assert!(read(&short).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_wrong_count_and_a_wrong_backward_length_are_flaws_not_ends() {
        let mut blob = write(&[Element::Bytes(b"abc"), Element::Int(3)]);
        blob[4] = 3;
        assert_eq!(
            read(&blob).unwrap_err().problem,
            Problem::BlobCount {
                claimed: 3,
                actual: 2
            }
        );
        blob[4] = 2;
        blob[10] = 9;
        assert_eq!(
            read(&blob).unwrap_err().problem,
            Problem::BackLen {
                claimed: 9,
                actual: 4
            }
        );
    }

    #[test]
    fn small_integers_can_be_read_alone_and_nothing_else_is() {
        let blob = write(&[Element::Int(127), Element::Int(128), Element::Int(0)]);
        let mut entries = Listpack::open(&blob).unwrap().entries();
        assert_eq!(entries.next_small(), Some(127));
        assert_eq!(entries.next_small(), None);
        assert_eq!(entries.next().unwrap(), Some(Element::Int(128)));
        assert_eq!(entries.next_small(), Some(0));
        assert_eq!(entries.next_small(), None);
        assert_eq!(entries.next().unwrap(), None);
        assert_eq!((entries.seen(), entries.flaw()), (3, None));
        // A wrong backward length is left for the reader that tells of it.
        let mut blob = write(&[Element::Int(5)]);
        blob[7] = 2;
        let mut entries = Listpack::open(&blob).unwrap().entries();
        assert_eq!(entries.next_small(), None);
        assert_eq!(entries.next().unwrap(), Some(Element::Int(5)));
        assert!(entries.flaw().is_some());
    }

    #[test]
    fn an_unknown_count_is_counted() {
        let mut blob = write(&[Element::Int(1), Element::Int(2)]);
        blob[4..6].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(read(&blob).unwrap().len(), 2);
        assert_eq!(Listpack::open(&blob).unwrap().count(), None);
    }
}
