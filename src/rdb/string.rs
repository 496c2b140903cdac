//! Lengths and strings of the RDB file, reader and writer.
//!
//! ```text
//! 00xxxxxx            length of 6 bits
//! 01xxxxxx y          length of 14 bits
//! 80 + u32 BE         length
//! 81 + u64 BE         length
//! 11xxxxxx            not a length: c0 c1 c2 an integer of 1, 2, 4 bytes LE;
//!                     c3 LZF: compressed length, length, compressed bytes
//! ```

use crate::bytes::parse::{self, Parsed};
use crate::bytes::{Element, Fault, Problem, number};
use crate::encoding::lzf;
use crate::record::Stored;

const INT8: u8 = 0xc0;
const INT16: u8 = 0xc1;
const INT32: u8 = 0xc2;
/// First byte of a string that LZF has compressed.
pub(crate) const LZF: u8 = 0xc3;

/// Strings up to this length are never compressed by servers.
const COMPRESS_ABOVE: usize = 20;

/// A plain number: a count, a database, part of a stream ID.
///
/// # Errors
/// A string encoding in its place, or a byte that is not defined.
#[inline]
pub fn number(input: &[u8]) -> Parsed<'_, u64> {
    let (rest, first) = parse::byte(input)?;
    match first {
        0..=0x3f => Ok((rest, u64::from(first))),
        0x40..=0x7f => {
            let (rest, low) = parse::byte(rest)?;
            Ok((rest, u64::from(first & 0x3f) << 8 | u64::from(low)))
        }
        _ => wide_number(input, rest, first),
    }
}

fn wide_number<'d>(input: &'d [u8], rest: &'d [u8], first: u8) -> Parsed<'d, u64> {
    match first {
        0x80 => {
            let (rest, n) = parse::array::<4>(rest)?;
            Ok((rest, u64::from(u32::from_be_bytes(n))))
        }
        0x81 => {
            let (rest, n) = parse::array::<8>(rest)?;
            Ok((rest, u64::from_be_bytes(n)))
        }
        0xc0.. => Err(Fault::at(input, Problem::EncodedLength { found: first })),
        _ => Err(Fault::at(input, Problem::LengthByte { found: first })),
    }
}

/// A string in any of its forms.
///
/// # Errors
/// A byte that opens neither length nor string encoding.
#[inline]
pub fn stored(input: &[u8]) -> Parsed<'_, Stored<'_>> {
    let (rest, first) = parse::byte(input)?;
    if first < 0x40 {
        let (rest, bytes) = parse::take(rest, usize::from(first))?;
        return Ok((rest, Stored::Plain(Element::Bytes(bytes))));
    }
    wide_stored(input, rest, first)
}

fn wide_stored<'d>(input: &'d [u8], rest: &'d [u8], first: u8) -> Parsed<'d, Stored<'d>> {
    let integer = |rest, n: i64| Ok((rest, Stored::Plain(Element::Int(n))));
    match first {
        INT8 => {
            let (rest, n) = parse::array::<1>(rest)?;
            integer(rest, i64::from(i8::from_le_bytes(n)))
        }
        INT16 => {
            let (rest, n) = parse::array::<2>(rest)?;
            integer(rest, i64::from(i16::from_le_bytes(n)))
        }
        INT32 => {
            let (rest, n) = parse::array::<4>(rest)?;
            integer(rest, i64::from(i32::from_le_bytes(n)))
        }
        LZF => {
            let (rest, compressed) = number(rest)?;
            let (rest, len) = number(rest)?;
            let (rest, data) = parse::take_u64(rest, compressed)?;
            Ok((rest, Stored::Lzf { data, len }))
        }
        0xc4.. => Err(Fault::at(input, Problem::StringEncoding { found: first })),
        _ => {
            let (rest, len) = number(input)?;
            let (rest, bytes) = parse::take_u64(rest, len)?;
            Ok((rest, Stored::Plain(Element::Bytes(bytes))))
        }
    }
}

/// Passes over a string.
///
/// # Errors
/// As [`stored`].
#[inline]
pub fn skip(input: &[u8]) -> Parsed<'_, ()> {
    let (rest, _) = stored(input)?;
    Ok((rest, ()))
}

/// What the first byte of a string says about its size.
#[derive(Clone, Copy)]
struct Form {
    /// Bytes of the whole, as far as this byte tells; 0 where it does not tell.
    fixed: u8,
    /// Bits of this byte that count for the length, in units of 256.
    high: u8,
    /// Bits of the next byte that count for the length.
    low: u8,
}

/// By the first byte, so that short strings, long ones and integers take the same path: which of
/// them comes next is a coin's throw, and a wrong guess costs more than all else here.
static FORMS: [Form; 256] = {
    let mut forms = [Form {
        fixed: 0,
        high: 0,
        low: 0,
    }; 256];
    let mut first = 0;
    while first < 0x40 {
        forms[first] = Form {
            fixed: first as u8 + 1,
            high: 0,
            low: 0,
        };
        forms[first | 0x40] = Form {
            fixed: 2,
            high: 0x3f,
            low: 0xff,
        };
        first += 1;
    }
    forms[INT8 as usize].fixed = 2;
    forms[INT16 as usize].fixed = 3;
    forms[INT32 as usize].fixed = 5;
    forms
};

/// Passes over a string that is all there; `None` where it is not, or is none: [`skip`] says which.
/// Also where it is the last byte at hand, which the last byte of a snapshot never is.
#[inline(always)]
pub(crate) fn pass(input: &[u8]) -> Option<&[u8]> {
    let &[first, low] = input.first_chunk::<2>()?;
    let Form {
        fixed,
        high,
        low: mask,
    } = FORMS[usize::from(first)];
    if fixed == 0 {
        return pass_wide(first, input);
    }
    let size = usize::from(fixed) + (usize::from(first & high) << 8 | usize::from(low & mask));
    input.get(size..)
}

/// The same among many strings of one value, which are alike: here the guess of what comes next is
/// right as a rule, and nothing has to wait for a look-up.
#[inline(always)]
pub(crate) fn pass_alike(input: &[u8]) -> Option<&[u8]> {
    match input.split_first()? {
        (&first @ 0..0x40, rest) if !rest.is_empty() => rest.get(usize::from(first)..),
        _ => pass(input),
    }
}

#[inline]
fn pass_wide(first: u8, input: &[u8]) -> Option<&[u8]> {
    if first != LZF {
        return skip(input).ok().map(|(rest, ())| rest);
    }
    let (compressed, rest) = short_number(input.get(1..)?)?;
    let (_, rest) = short_number(rest)?;
    rest.get(compressed..)
}

/// Passes over a string that is all there and not compressed.
#[inline(always)]
pub(crate) fn pass_plain(input: &[u8]) -> Option<&[u8]> {
    pass(input).filter(|_| input.first() != Some(&LZF))
}

/// Whether a string, framed before, is in the form that servers choose for what it says, and not
/// compressed: then those that say the same are the same bytes.
#[inline(always)]
pub(crate) fn is_canonical(stored: &[u8]) -> bool {
    match *stored {
        [0..=0x3f, ref text @ ..] => is_text(text),
        [0x40..=0x7f, _, ref text @ ..] => text.len() > 63 && is_text(text),
        [INT8, _] => true,
        [INT16, a, b] => i8::try_from(i16::from_le_bytes([a, b])).is_err(),
        [INT32, a, b, c, d] => i16::try_from(i32::from_le_bytes([a, b, c, d])).is_err(),
        _ => false,
    }
}

/// Not what an integer form would say.
#[inline(always)]
fn is_text(text: &[u8]) -> bool {
    !matches!(text, [b'0'..=b'9' | b'-', ..]) || number::parse_canonical_i32(text).is_none()
}

/// A number below 2^32 that is all there.
#[inline(always)]
pub(crate) fn short_number(input: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = input.split_first()?;
    match first {
        0..=0x3f => Some((usize::from(first), rest)),
        0x40..=0x7f => {
            let (&low, rest) = rest.split_first()?;
            Some((usize::from(first & 0x3f) << 8 | usize::from(low), rest))
        }
        0x80 => {
            let (n, rest) = rest.split_first_chunk::<4>()?;
            Some((usize::try_from(u32::from_be_bytes(*n)).ok()?, rest))
        }
        _ => None,
    }
}

/// A short string that is all there: what keys are as a rule.
#[inline(always)]
pub(crate) fn short_stored(input: &[u8]) -> Option<(Stored<'_>, &[u8])> {
    let (&first, rest) = input.split_first()?;
    if first < 0x40 {
        let (bytes, rest) = rest.split_at_checked(usize::from(first))?;
        return Some((Stored::Plain(Element::Bytes(bytes)), rest));
    }
    stored(input).ok().map(|(rest, stored)| (stored, rest))
}

/// Appends a length or number in its shortest form.
pub fn write_number(n: u64, out: &mut Vec<u8>) {
    match n {
        0..=0x3f => out.push(n as u8),
        0x40..=0x3fff => out.extend_from_slice(&(n as u16 | 0x4000).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(n as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&n.to_be_bytes());
        }
    }
}

/// Whether strings are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compress {
    /// Where the server would: above 20 bytes, when it saves at least four.
    AsServer,
    /// Never.
    Never,
}

/// Writes strings; holds the room for compression.
#[derive(Debug)]
pub struct StringWriter {
    compress: Compress,
    packed: Vec<u8>,
}

impl StringWriter {
    /// A writer that compresses as told.
    pub fn new(compress: Compress) -> Self {
        StringWriter {
            compress,
            packed: Vec::new(),
        }
    }

    /// Appends a string in the form the server would choose: an integer where the text is the
    /// canonical decimal of 32 bits and at most 11 bytes, LZF where it pays, else plain bytes.
    pub fn write(&mut self, element: Element<'_>, out: &mut Vec<u8>) {
        match element {
            Element::Int(n) if i32::try_from(n).is_ok() => write_integer(n, out),
            Element::Int(n) => self.bytes(itoa::Buffer::new().format(n).as_bytes(), out),
            Element::Bytes(bytes) => match number::parse_canonical_i64(bytes) {
                Some(n) if i32::try_from(n).is_ok() => write_integer(n, out),
                _ => self.bytes(bytes, out),
            },
        }
    }

    /// Appends a string that is never an integer: a packed blob.
    pub fn bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.compress == Compress::AsServer
            && bytes.len() > COMPRESS_ABOVE
            && lzf::compress_into(bytes, &mut self.packed)
        {
            out.push(LZF);
            write_number(self.packed.len() as u64, out);
            write_number(bytes.len() as u64, out);
            out.extend_from_slice(&self.packed);
            return;
        }
        write_number(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }
}

fn write_integer(n: i64, out: &mut Vec<u8>) {
    if let Ok(n) = i8::try_from(n) {
        out.push(INT8);
        out.extend_from_slice(&n.to_le_bytes());
    } else if let Ok(n) = i16::try_from(n) {
        out.push(INT16);
        out.extend_from_slice(&n.to_le_bytes());
    } else {
        out.push(INT32);
        out.extend_from_slice(&(n as i32).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(element: Element<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        StringWriter::new(Compress::AsServer).write(element, &mut out);
        let (rest, read) = stored(&out).unwrap();
        assert!(rest.is_empty());
        assert_eq!(read.to_bytes().unwrap(), element.to_bytes());
        assert_eq!(skip(&out).unwrap().0.len(), 0);
        for cut in 0..out.len() {
            assert!(
                matches!(stored(&out[..cut]), Err(nom::Err::Incomplete(_))),
                "cut at {cut}"
            );
        }
        out
    }

    #[test]
    fn numbers_round_trip_at_every_widths_edge_and_take_the_shortest_form() {
        for (n, size) in [
            (0, 1),
            (63, 1),
            (64, 2),
            (16_383, 2),
            (16_384, 5),
            (u64::from(u32::MAX), 5),
            (u64::from(u32::MAX) + 1, 9),
            (u64::MAX, 9),
        ] {
            let mut out = Vec::new();
            write_number(n, &mut out);
            assert_eq!(out.len(), size, "{n}");
            assert_eq!(number(&out).unwrap(), (&[][..], n));
            for cut in 0..size {
                assert!(matches!(number(&out[..cut]), Err(nom::Err::Incomplete(_))));
            }
        }
    }

    #[test]
    fn longer_forms_than_needed_are_read() {
        assert_eq!(number(&[0x81, 0, 0, 0, 0, 0, 0, 0, 5]).unwrap().1, 5);
        assert_eq!(number(&[0x80, 0, 0, 0, 5]).unwrap().1, 5);
        assert_eq!(number(&[0x40, 5]).unwrap().1, 5);
    }

    #[test]
    fn strings_round_trip_at_every_edge() {
        for bits in [7, 8, 15, 16, 31, 32, 63] {
            let edge = if bits == 63 { i64::MAX } else { 1i64 << bits };
            for n in [edge - 1, edge, edge.wrapping_add(1), -edge, -edge - 1] {
                let text = n.to_string();
                assert_eq!(
                    round_trip(Element::Int(n)),
                    round_trip(Element::Bytes(text.as_bytes()))
                );
            }
        }
        for len in [0, 1, 20, 21, 63, 64, 16_383, 16_384] {
            round_trip(Element::Bytes(&vec![b'x'; len]));
            let noise: Vec<u8> = (0..len as u32)
                .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
                .collect();
            round_trip(Element::Bytes(&noise));
        }
    }

    /// Captured from Redis 7.0.15 and Valkey 9.1.2. Compressed strings are not compared: there are
    /// many right ones, and `lzf` reads a server's.
    #[test]
    fn writes_what_the_server_writes() {
        let cases: [(&[u8], &[u8]); 7] = [
            (b"1000", b"\xc1\xe8\x03"),
            (b"64", b"\xc0\x40"),
            (b"-129", b"\xc1\x7f\xff"),
            (b"2147483648", b"\x0a2147483648"),
            (b"007", b"\x03007"),
            (b"-0", b"\x02-0"),
            (b"9.1.2", b"\x059.1.2"),
        ];
        for (text, expected) in cases {
            assert_eq!(round_trip(Element::Bytes(text)), expected);
        }
    }

    #[test]
    fn what_is_not_defined_is_a_fault_where_it_stands() {
        let fault = |result: Result<_, nom::Err<Fault>>| match result {
            Err(nom::Err::Failure(fault)) => fault,
            _ => panic!("a fault was expected"),
        };
        assert_eq!(
            fault(stored(&[0xc4, 1, 2]).map(drop)),
            Fault {
                rest: 3,
                problem: Problem::StringEncoding { found: 0xc4 }
            }
        );
        assert_eq!(
            fault(number(&[0x82, 1]).map(drop)).problem,
            Problem::LengthByte { found: 0x82 }
        );
        assert_eq!(
            fault(number(&[0xc0, 1]).map(drop)).problem,
            Problem::EncodedLength { found: 0xc0 }
        );
    }
}
