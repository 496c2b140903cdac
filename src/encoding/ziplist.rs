//! The ziplist, the packed form of small collections up to Redis 6.2.
//!
//! ```text
//! u32 LE   bytes of the whole, header and end mark included
//! u32 LE   offset of the last entry; of the end mark when there is none
//! u16 LE   entries; 65535: count them
//! entries  size of the entry before, then encoding and data
//! ff
//!
//! x                   size of the entry before, up to 253; 0 for the first
//! fe + u32 LE         the same, any size
//!
//! 00xxxxxx            string of x bytes
//! 01xxxxxx y          string of up to 16383 bytes
//! 10______ + u32 BE   string
//! c0 d0 e0            integer of 2, 4, 8 bytes LE
//! f0                  integer of 3 bytes LE
//! f1 to fd            integer 0 to 12
//! fe                  integer of 1 byte
//! ```
//!
//! Lengths are big endian, integers little endian. The forms `f0` to `fe` came with Redis 2.6.
//! Defined by the servers' `ziplist.c`.

use crate::bytes::{Element, Fault, Problem, number};

const HEADER: usize = 10;
const UNKNOWN_COUNT: u16 = u16::MAX;
const END: u8 = 0xff;
/// Opens the long form of the size of the entry before.
const LONG_SIZE: u8 = 0xfe;
/// Sizes from this one on need the long form.
const LONG_SIZE_FROM: usize = 254;
const INT16: u8 = 0xc0;
const INT32: u8 = 0xd0;
const INT64: u8 = 0xe0;
const INT24: u8 = 0xf0;
const INT8: u8 = 0xfe;
/// The integer 0; those up to 12 follow it.
const IMMEDIATE: u8 = 0xf1;
const STRING_32: u8 = 0x80;

/// A ziplist whose header has been read.
#[derive(Clone, Copy, Debug)]
pub struct Ziplist<'d> {
    entries: &'d [u8],
    tail: u32,
    count: u16,
}

impl<'d> Ziplist<'d> {
    /// Reads the header.
    ///
    /// # Errors
    /// A blob too short for header and end mark, of another size than it says, or whose last entry
    /// would lie outside: what servers refuse even without deep checks.
    #[inline]
    pub fn open(blob: &'d [u8]) -> Result<Self, Fault> {
        let actual = blob.len() as u64;
        let fail = |rest, problem| Fault { rest, problem };
        let short = fail(blob.len(), Problem::BlobShort { actual });
        let (&size, rest) = blob.split_first_chunk::<4>().ok_or(short)?;
        let (&tail, rest) = rest.split_first_chunk::<4>().ok_or(short)?;
        let (&count, entries) = rest.split_first_chunk::<2>().ok_or(short)?;
        let &last = entries.last().ok_or(short)?;
        let claimed = u64::from(u32::from_le_bytes(size));
        if claimed != actual {
            return Err(fail(blob.len(), Problem::BlobSize { claimed, actual }));
        }
        if last != END {
            return Err(fail(1, Problem::BlobEnd { found: last }));
        }
        let tail = u32::from_le_bytes(tail);
        let claimed = u64::from(tail);
        if claimed >= actual {
            let problem = Problem::ZiplistTailRange {
                claimed,
                size: actual,
            };
            return Err(fail(blob.len() - 4, problem));
        }
        Ok(Ziplist {
            entries,
            tail,
            count: u16::from_le_bytes(count),
        })
    }

    /// How many entries there are, where the header says.
    pub fn count(&self) -> Option<u16> {
        (self.count != UNKNOWN_COUNT).then_some(self.count)
    }

    /// The entries in order.
    pub fn entries(&self) -> Entries<'d> {
        Entries {
            rest: self.entries,
            last: self.entries.len(),
            size: 0,
            seen: 0,
            whole: HEADER + self.entries.len(),
            tail: self.tail,
            claimed: self.count,
            flaw: None,
        }
    }
}

/// Walks the entries of a ziplist.
#[derive(Clone, Debug)]
pub struct Entries<'d> {
    rest: &'d [u8],
    /// What was left before the entry read last.
    last: usize,
    /// Size of the entry read last.
    size: usize,
    seen: u64,
    whole: usize,
    tail: u32,
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
        let (before, body) = match input {
            [END, after @ ..] => return self.end(after),
            [LONG_SIZE, after @ ..] => match after.split_first_chunk::<4>() {
                Some((&before, body)) => (u32::from_le_bytes(before), body),
                None => return Err(self.past_end()),
            },
            [before, body @ ..] => (u32::from(*before), body),
            [] => return Err(self.past_end()),
        };
        let (element, rest) = match body {
            [first @ 0..=0x3f, after @ ..] => self.string(after, usize::from(*first))?,
            [first @ 0x40..=0x7f, low, after @ ..] => {
                self.string(after, usize::from(first & 0x3f) << 8 | usize::from(*low))?
            }
            [0x40..=0x7f] | [] => return Err(self.past_end()),
            [first, after @ ..] => self.wide(*first, after)?,
        };
        if before as usize != self.size {
            self.size_flaw(before);
        }
        self.last = input.len();
        self.size = input.len() - rest.len();
        self.rest = rest;
        self.seen += 1;
        Ok(Some(element))
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
        let claimed = u64::from(self.tail);
        let actual = (self.whole - self.last) as u64;
        if claimed != actual {
            return Some(Fault {
                rest: self.whole - 4,
                problem: Problem::ZiplistTail { claimed, actual },
            });
        }
        let claimed = u64::from(self.claimed);
        if self.claimed != UNKNOWN_COUNT && claimed != self.seen {
            let actual = self.seen;
            return Some(Fault {
                rest: self.whole - 8,
                problem: Problem::BlobCount { claimed, actual },
            });
        }
        None
    }

    #[inline]
    fn string(&self, after: &'d [u8], len: usize) -> Result<(Element<'d>, &'d [u8]), Fault> {
        match after.split_at_checked(len) {
            Some((bytes, rest)) => Ok((Element::Bytes(bytes), rest)),
            None => Err(self.past_end()),
        }
    }

    fn wide(&self, first: u8, after: &'d [u8]) -> Result<(Element<'d>, &'d [u8]), Fault> {
        let found = match first {
            STRING_32..=0xbf => match after.split_first_chunk::<4>() {
                Some((&len, rest)) => {
                    let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
                    return self.string(rest, len);
                }
                None => None,
            },
            INT16 => integer(after, |n| i64::from(i16::from_le_bytes(n))),
            INT32 => integer(after, |n| i64::from(i32::from_le_bytes(n))),
            INT64 => integer(after, i64::from_le_bytes),
            INT24 => integer(after, |[a, b, c]: [u8; 3]| {
                i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)
            }),
            INT8 => integer(after, |n| i64::from(i8::from_le_bytes(n))),
            IMMEDIATE..=0xfd => Some((i64::from(first - IMMEDIATE), after)),
            found => {
                let problem = Problem::EntryEncoding { found };
                let rest = self.rest.len();
                return Err(Fault { rest, problem });
            }
        };
        match found {
            Some((n, rest)) => Ok((Element::Int(n), rest)),
            None => Err(self.past_end()),
        }
    }

    fn end(&self, after: &[u8]) -> Result<Option<Element<'d>>, Fault> {
        if after.is_empty() {
            return Ok(None);
        }
        let count = after.len() as u64;
        Err(Fault {
            rest: after.len(),
            problem: Problem::BlobTrailing { count },
        })
    }

    #[cold]
    fn size_flaw(&mut self, before: u32) {
        let problem = Problem::PrevLen {
            claimed: u64::from(before),
            actual: self.size as u64,
        };
        self.flaw.get_or_insert(Fault {
            rest: self.rest.len(),
            problem,
        });
    }

    /// The fault of an entry that is not whole: the next one, or the last one when it has taken the
    /// end mark with it.
    #[cold]
    fn past_end(&self) -> Fault {
        let rest = if self.rest.is_empty() {
            self.last
        } else {
            self.rest.len()
        };
        Fault {
            rest,
            problem: Problem::EntryPastEnd,
        }
    }
}

/// An integer of `N` bytes and what follows it.
#[inline]
fn integer<const N: usize>(
    after: &[u8],
    value: impl FnOnce([u8; N]) -> i64,
) -> Option<(i64, &[u8])> {
    let (&bytes, rest) = after.split_first_chunk::<N>()?;
    Some((value(bytes), rest))
}

/// Writes a ziplist entry by entry, as servers up to 6.2 do.
#[derive(Debug, Default)]
pub struct ZiplistWriter {
    entries: Vec<u8>,
    last: usize,
    count: usize,
}

impl ZiplistWriter {
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
        let before = self.entries.len() - self.last;
        self.last = self.entries.len();
        match u8::try_from(before) {
            Ok(size) if before < LONG_SIZE_FROM => self.entries.push(size),
            _ => {
                self.entries.push(LONG_SIZE);
                // Beyond 32 bits `finish` refuses the whole.
                let size = u32::try_from(before).unwrap_or(u32::MAX);
                self.entries.extend_from_slice(&size.to_le_bytes());
            }
        }
        match element {
            Element::Int(n) => self.integer(n),
            Element::Bytes(bytes) => match number::parse_canonical_i64(bytes) {
                Some(n) => self.integer(n),
                None => self.string(bytes),
            },
        }
        self.count += 1;
    }

    /// Appends the whole ziplist to `out` and starts over.
    ///
    /// # Errors
    /// More than four GiB, which no ziplist can be.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Problem> {
        let found = self.len() as u64;
        let result = match (u32::try_from(self.len()), u32::try_from(HEADER + self.last)) {
            (Ok(size), Ok(tail)) => {
                out.extend_from_slice(&size.to_le_bytes());
                out.extend_from_slice(&tail.to_le_bytes());
                let count = u16::try_from(self.count).unwrap_or(UNKNOWN_COUNT);
                out.extend_from_slice(&count.to_le_bytes());
                out.append(&mut self.entries);
                out.push(END);
                Ok(())
            }
            _ => Err(Problem::LengthRange {
                found,
                most: u64::from(u32::MAX),
            }),
        };
        self.clear();
        result
    }

    /// Forgets what was pushed.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.last = 0;
        self.count = 0;
    }

    fn integer(&mut self, n: i64) {
        let out = &mut self.entries;
        let [a, b, c, ..] = n.to_le_bytes();
        if let Ok(small @ 0..=12) = u8::try_from(n) {
            out.push(IMMEDIATE + small);
        } else if i8::try_from(n).is_ok() {
            out.extend_from_slice(&[INT8, a]);
        } else if i16::try_from(n).is_ok() {
            out.extend_from_slice(&[INT16, a, b]);
        } else if (-(1 << 23)..1 << 23).contains(&n) {
            out.extend_from_slice(&[INT24, a, b, c]);
        } else if let Ok(n) = i32::try_from(n) {
            out.push(INT32);
            out.extend_from_slice(&n.to_le_bytes());
        } else {
            out.push(INT64);
            out.extend_from_slice(&n.to_le_bytes());
        }
    }

    fn string(&mut self, bytes: &[u8]) {
        let out = &mut self.entries;
        let len = bytes.len();
        match (u8::try_from(len), u16::try_from(len)) {
            (Ok(len @ 0..=0x3f), _) => out.push(len),
            (_, Ok(len @ 0..=0x3fff)) => out.extend_from_slice(&(0x4000 | len).to_be_bytes()),
            _ => {
                out.push(STRING_32);
                // Beyond 32 bits `finish` refuses the whole.
                out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
            }
        }
        out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All forms of integers and the two short ones of strings, as Redis 6.2.5 wrote them.
    const SERVER: &[u8] = b"\x27\x01\0\0\xe3\0\0\0\x1c\0\
        \0\xf1\x02\xfd\x02\xfe\x0d\x03\xfe\xff\x03\xfe\x7f\x03\xc0\x80\0\x04\xfe\x80\
        \x03\xc0\x7f\xff\x04\xc0\xff\x7f\x04\xf0\0\x80\0\x05\xc0\0\x80\x04\xf0\xff\x7f\xff\
        \x05\xf0\xff\xff\x7f\x05\xd0\0\0\x80\0\x06\xf0\0\0\x80\x05\xd0\xff\xff\x7f\xff\
        \x06\xd0\xff\xff\xff\x7f\x06\xe0\0\0\0\x80\0\0\0\0\x0a\xd0\0\0\0\x80\
        \x06\xe0\xff\xff\xff\x7f\xff\xff\xff\xff\x0a\xe0\xff\xff\xff\xff\xff\xff\xff\x7f\
        \x0a\xe0\0\0\0\0\0\0\0\x80\x0a\x03007\x05\0\x02\x02-0\
        \x04\x1712345678901234567890123\
        \x19\x3fyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\
        \x41\x40\x40zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\xff";

    fn server_elements() -> Vec<Vec<u8>> {
        let numbers = "0 12 13 -1 127 128 -128 -129 32767 32768 -32768 -32769 8388607 8388608 \
            -8388608 -8388609 2147483647 2147483648 -2147483648 -2147483649 \
            9223372036854775807 -9223372036854775808 007";
        let mut all: Vec<_> = numbers.split(' ').map(|n| n.as_bytes().to_vec()).collect();
        all.extend([&b""[..], b"-0", b"12345678901234567890123"].map(<[u8]>::to_vec));
        all.extend([vec![b'y'; 63], vec![b'z'; 64]]);
        all
    }

    fn write(elements: &[Element<'_>]) -> Vec<u8> {
        let mut writer = ZiplistWriter::new();
        for &element in elements {
            writer.push(element);
        }
        let len = writer.len();
        let mut blob = Vec::new();
        writer.finish(&mut blob).unwrap();
        assert_eq!(blob.len(), len);
        assert!(writer.is_empty());
        blob
    }

    fn read(blob: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        let mut entries = Ziplist::open(blob)?.entries();
        let mut all = Vec::new();
        while let Some(element) = entries.next()? {
            all.push(element.to_bytes().into_owned());
        }
        assert_eq!(entries.seen(), all.len() as u64);
        match entries.flaw() {
            Some(flaw) => Err(flaw),
            None => Ok(all),
        }
    }

    #[test]
    fn round_trips_at_every_widths_edge() {
        let mut numbers: Vec<i64> = (-2..16).collect();
        for bits in [7, 8, 15, 16, 23, 24, 31, 32, 63] {
            let edge = if bits == 63 { i64::MAX } else { 1i64 << bits };
            numbers.extend([edge - 1, edge, edge.wrapping_add(1)]);
            numbers.extend([-edge - 1, -edge, -edge + 1]);
        }
        for n in numbers {
            let text = n.to_string().into_bytes();
            let blob = write(&[Element::Int(n), Element::Bytes(b"x")]);
            assert_eq!(read(&blob).unwrap(), [text.clone(), b"x".to_vec()], "{n}");
            assert_eq!(
                write(&[Element::Bytes(&text), Element::Bytes(b"x")]),
                blob,
                "{n}"
            );
        }
        for len in [
            0, 1, 63, 64, 250, 251, 252, 253, 254, 16_383, 16_384, 70_000,
        ] {
            let string = vec![b'x'; len];
            let elements = [
                Element::Bytes(&string),
                Element::Int(5),
                Element::Bytes(&string),
            ];
            let expected = [string.clone(), b"5".to_vec(), string.clone()];
            assert_eq!(read(&write(&elements)).unwrap(), expected, "{len}");
        }
        assert_eq!(read(&write(&[])).unwrap(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn writes_what_the_server_writes() {
        let all = server_elements();
        let elements: Vec<Element<'_>> = all.iter().map(|e| Element::Bytes(e)).collect();
        assert_eq!(write(&elements), SERVER);
        assert_eq!(read(SERVER).unwrap(), all);
        // Redis 6.2.5: the hash {a: 1, b: "x", c: 300}.
        let hash = [b"a" as &[u8], b"1", b"b", b"x", b"c", b"300"].map(Element::Bytes);
        assert_eq!(
            write(&hash),
            b"\x1d\0\0\0\x18\0\0\0\x06\0\0\x01a\x03\xf2\x02\x01b\x03\x01x\x03\x01c\x03\xc0\x2c\x01\xff"
        );
    }

    #[test]
    fn every_truncation_is_an_error_with_an_offset() {
        for cut in 0..SERVER.len() {
            let short = SERVER.get(..cut).unwrap();
            assert!(read(short).unwrap_err().rest <= cut, "cut at {cut}");
            // With a header that agrees the entries themselves must notice, or the count.
            if cut >= 11 {
                let mut short = short.to_vec();
                short[..4].copy_from_slice(&u32::try_from(cut).unwrap().to_le_bytes());
                short[4..8].copy_from_slice(&10u32.to_le_bytes());
                short[cut - 1] = END;
                assert!(read(&short).unwrap_err().rest <= cut, "cut at {cut}");
            }
        }
    }

    #[test]
    fn no_byte_makes_it_panic() {
        for at in 0..SERVER.len() {
            for byte in 0..=u8::MAX {
                let mut blob = SERVER.to_vec();
                blob[at] = byte;
                if let Err(fault) = read(&blob) {
                    assert!(fault.rest <= blob.len(), "{byte:02x} at {at}");
                }
            }
        }
    }

    #[test]
    fn wrong_sizes_tails_and_counts_are_flaws_not_ends() {
        let sound = write(&[
            Element::Bytes(b"abc"),
            Element::Int(1000),
            Element::Bytes(b""),
        ]);
        let problem = |at: usize, byte: u8| {
            let mut blob = sound.clone();
            blob[at] = byte;
            let mut entries = Ziplist::open(&blob)?.entries();
            while entries.next()?.is_some() {}
            assert_eq!(entries.seen(), 3);
            entries.flaw().map_or(Ok(()), Err)
        };
        let flaw = |rest, problem| Err(Fault { rest, problem });
        let (claimed, actual) = (9, 5);
        assert_eq!(
            problem(15, 9),
            flaw(7, Problem::PrevLen { claimed, actual })
        );
        let (claimed, actual) = (10, 19);
        assert_eq!(
            problem(4, 10),
            flaw(18, Problem::ZiplistTail { claimed, actual })
        );
        let (claimed, actual) = (4, 3);
        assert_eq!(
            problem(8, 4),
            flaw(14, Problem::BlobCount { claimed, actual })
        );
        let (claimed, size) = (22, 22);
        assert_eq!(
            problem(4, 22),
            flaw(18, Problem::ZiplistTailRange { claimed, size })
        );
        assert_eq!(problem(4, 19), Ok(()));
    }

    #[test]
    fn a_long_size_may_hold_a_small_one_and_longer_forms_of_strings_are_read() {
        let blob = b"\x1b\0\0\0\x10\0\0\0\x02\0\0\x80\0\0\0\x00\xfe\x06\0\0\0\x8f\0\0\0\0\xff";
        assert_eq!(read(blob).unwrap(), [b"".to_vec(), b"".to_vec()]);
    }

    #[test]
    fn undefined_encodings_are_errors_where_they_stand() {
        for found in (0xc0..=0xff).filter(|b| !matches!(b, 0xc0 | 0xd0 | 0xe0 | 0xf0..=0xfe)) {
            let mut blob = write(&[Element::Bytes(b"abcdefgh"), Element::Bytes(b"abcdefgh")]);
            blob[21] = found;
            let problem = Problem::EntryEncoding { found };
            assert_eq!(read(&blob), Err(Fault { rest: 11, problem }));
        }
    }

    #[test]
    fn an_unknown_count_is_counted() {
        let mut blob = write(&[Element::Int(1), Element::Int(2)]);
        blob[8..10].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(read(&blob).unwrap().len(), 2);
        assert_eq!(Ziplist::open(&blob).unwrap().count(), None);
        let many = vec![Element::Int(0); 65_535];
        let blob = write(&many);
        assert_eq!(Ziplist::open(&blob).unwrap().count(), None);
        assert_eq!(read(&blob).unwrap().len(), 65_535);
    }
}
