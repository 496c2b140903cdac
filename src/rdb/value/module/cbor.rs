//! The part of CBOR (RFC 8949) that JSON documents are written in, and typed arrays (RFC 8746).
//!
//! ```text
//! a head: 3 bits of major type, 5 bits of info: 0-23 the argument itself,
//!         24 25 26 27 the argument in 1 2 4 8 bytes BE behind it, 31 no length
//!   0 unsigned        1 negative, -1 - argument
//!   2 bytes           3 text                     argument bytes
//!   4 array           5 map                      argument items, or pairs; up to ff without length
//!   6 tag             the argument says what the item behind it means
//!   7 info 20 21 22 false true null; 25 26 27 a float of 2 4 8 bytes BE
//! ```

use crate::bytes::limits::JSON_DEPTH;
use crate::record::value::Node;

use super::decode::{Decoded, Miss, Teller};

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const FLOAT16: u8 = 0xf9;
const FLOAT32: u8 = 0xfa;
const FLOAT64: u8 = 0xfb;
const BREAK: u8 = 0xff;

/// An array or map that has begun.
struct Open {
    map: bool,
    /// Items or pairs to come; `None`: up to the break.
    left: Option<u64>,
}

/// Tells the one document that `data` is.
pub(super) fn decode(data: &[u8], tell: &mut Teller<'_>) -> Decoded<()> {
    let mut input = Input { rest: data };
    let mut open: Vec<Open> = Vec::new();
    loop {
        let head = input.byte()?;
        match head {
            FALSE => tell.node(Node::Bool(false))?,
            TRUE => tell.node(Node::Bool(true))?,
            NULL => tell.node(Node::Null)?,
            FLOAT16 => tell.node(Node::Double(float16(u16::from_be_bytes(input.array()?))))?,
            FLOAT32 => {
                let n = f32::from_be_bytes(input.array()?);
                tell.node(Node::Double(f64::from(n)))?;
            }
            FLOAT64 => tell.node(Node::Double(f64::from_be_bytes(input.array()?)))?,
            _ => match (head >> 5, input.argument(head)?) {
                (UNSIGNED, Some(n)) => tell.node(Node::Uint(n))?,
                (NEGATIVE, Some(n)) => match i64::try_from(n) {
                    Ok(n) => tell.node(Node::Int(-1 - n))?,
                    Err(_) => return Err(Miss::Layout),
                },
                (TEXT, Some(len)) => tell.node(Node::Bytes(input.text(len)?))?,
                (TAG, Some(tag)) => {
                    let head = input.byte()?;
                    match (head >> 5, input.argument(head)?) {
                        (BYTES, Some(len)) => typed_array(tag, input.take(len)?, tell)?,
                        _ => return Err(Miss::Layout),
                    }
                }
                (major @ (ARRAY | MAP), left) => {
                    if open.len() >= JSON_DEPTH as usize {
                        return Err(Miss::Layout);
                    }
                    let map = major == MAP;
                    tell.node(if map { Node::Object } else { Node::Array })?;
                    open.push(Open { map, left });
                }
                _ => return Err(Miss::Layout),
            },
        }
        loop {
            let Some(level) = open.last_mut() else {
                return match input.rest {
                    [] => Ok(()),
                    _ => Err(Miss::Layout),
                };
            };
            let ended = match &mut level.left {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => input.eat(BREAK),
            };
            if !ended {
                if level.map {
                    let head = input.byte()?;
                    match (head >> 5, input.argument(head)?) {
                        (TEXT, Some(len)) => tell.node(Node::Name(input.text(len)?))?,
                        _ => return Err(Miss::Layout),
                    }
                }
                break;
            }
            tell.node(Node::End)?;
            open.pop();
        }
    }
}

/// Bytes that were resolved from a string: running out of them is a misfit like any other.
struct Input<'t> {
    rest: &'t [u8],
}

impl<'t> Input<'t> {
    fn byte(&mut self) -> Decoded<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Miss::Layout)?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, len: u64) -> Decoded<&'t [u8]> {
        let len = usize::try_from(len).map_err(|_| Miss::Layout)?;
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Miss::Layout)?;
        self.rest = rest;
        Ok(head)
    }

    fn text(&mut self, len: u64) -> Decoded<&'t [u8]> {
        let text = self.take(len)?;
        match std::str::from_utf8(text) {
            Ok(_) => Ok(text),
            Err(_) => Err(Miss::Layout),
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// The argument of a head whose first byte was read; `None` for "no length".
    fn argument(&mut self, head: u8) -> Decoded<Option<u64>> {
        Ok(Some(match head & 0x1f {
            info @ 0..=23 => u64::from(info),
            24 => u64::from(self.byte()?),
            25 => u64::from(u16::from_be_bytes(self.array()?)),
            26 => u64::from(u32::from_be_bytes(self.array()?)),
            27 => u64::from_be_bytes(self.array()?),
            31 => return Ok(None),
            _ => return Err(Miss::Layout),
        }))
    }
}

/// An array of numbers of one type, as its tag says.
fn typed_array(tag: u64, data: &[u8], tell: &mut Teller<'_>) -> Decoded<()> {
    match tag {
        64 => numbers(data, tell, |b| Node::Uint(u8::from_le_bytes(b).into())),
        69 => numbers(data, tell, |b| Node::Uint(u16::from_le_bytes(b).into())),
        70 => numbers(data, tell, |b| Node::Uint(u32::from_le_bytes(b).into())),
        71 => numbers(data, tell, |b| Node::Uint(u64::from_le_bytes(b))),
        72 => numbers(data, tell, |b| Node::Int(i8::from_le_bytes(b).into())),
        77 => numbers(data, tell, |b| Node::Int(i16::from_le_bytes(b).into())),
        78 => numbers(data, tell, |b| Node::Int(i32::from_le_bytes(b).into())),
        79 => numbers(data, tell, |b| Node::Int(i64::from_le_bytes(b))),
        84 => numbers(data, tell, |b| Node::Double(float16(u16::from_le_bytes(b)))),
        85 => numbers(data, tell, |b| Node::Double(f32::from_le_bytes(b).into())),
        86 => numbers(data, tell, |b| Node::Double(f64::from_le_bytes(b))),
        // bfloat16 is the upper half of a 32-bit float.
        0x1_0000 => numbers(data, tell, |b| {
            Node::Double(f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16).into())
        }),
        _ => Err(Miss::Layout),
    }
}

fn numbers<const N: usize>(
    data: &[u8],
    tell: &mut Teller<'_>,
    number: impl Fn([u8; N]) -> Node<'static>,
) -> Decoded<()> {
    let (all, rest) = data.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(Miss::Layout);
    }
    tell.node(Node::Array)?;
    for &bytes in all {
        tell.node(number(bytes))?;
    }
    tell.node(Node::End)?;
    Ok(())
}

/// A float of IEEE 754's half precision: 1 bit of sign, 5 of exponent, 10 of fraction.
fn float16(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff);
    let size = match bits >> 10 & 0x1f {
        0 => fraction * 2f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        exponent => (1024.0 + fraction) * 2f64.powi(i32::from(exponent) - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{shows, string, unhex};

    fn document(hex: &str) -> String {
        shows(b"ReJSON-RL", 4, &[string(&unhex(hex))])
    }

    /// The examples of RFC 8949's appendix A that JSON can hold.
    #[test]
    fn the_examples_of_the_standard_are_read() {
        for (hex, text) in [
            ("00", "0"),
            ("17", "23"),
            ("1818", "24"),
            ("1903e8", "1000"),
            ("1a000f4240", "1000000"),
            ("1bffffffffffffffff", "18446744073709551615"),
            ("20", "-1"),
            ("3863", "-100"),
            ("3903e7", "-1000"),
            ("3b7fffffffffffffff", "-9223372036854775808"),
            ("f90000", "0.0"),
            ("f98000", "-0.0"),
            ("f93c00", "1.0"),
            ("f93e00", "1.5"),
            ("f97bff", "65504.0"),
            ("f90001", "5.960464477539063e-8"),
            ("f90400", "6.103515625e-5"),
            ("f9c400", "-4.0"),
            ("f97c00", "inf"),
            ("f9fc00", "-inf"),
            ("f97e00", "NaN"),
            ("fa47c35000", "100000.0"),
            ("fa7f7fffff", "3.4028234663852886e38"),
            ("fb3ff199999999999a", "1.1"),
            ("fb7e37e43c8800759c", "1e300"),
            ("f4", "false"),
            ("f5", "true"),
            ("f6", "null"),
            ("60", "''"),
            ("6449455446", "'IETF'"),
            ("62c3bc", "'\u{fc}'"),
            ("80", "[]"),
            ("83010203", "[1,2,3]"),
            ("8301820203820405", "[1,[2,3],[4,5]]"),
            ("a0", "{}"),
            ("a26161016162820203", "{a:1,b:[2,3]}"),
            ("826161a161626163", "['a',{b:'c'}]"),
            ("9fff", "[]"),
            ("9f018202039f0405ffff", "[1,[2,3],[4,5]]"),
            ("83018202039f0405ff", "[1,[2,3],[4,5]]"),
            ("bf61610161629f0203ffff", "{a:1,b:[2,3]}"),
        ] {
            assert_eq!(document(hex), text, "{hex}");
        }
    }

    #[test]
    fn typed_arrays_are_read_by_their_tags() {
        for (hex, text) in [
            ("d840 42 01ff", "[1,255]"),
            ("d845 44 0100ffff", "[1,65535]"),
            ("d846 44 ffffffff", "[4294967295]"),
            ("d847 48 ffffffffffffffff", "[18446744073709551615]"),
            ("d848 42 01ff", "[1,-1]"),
            ("d84d 44 0100ffff", "[1,-1]"),
            ("d84e 44 feffffff", "[-2]"),
            ("d84f 48 0000000000000080", "[-9223372036854775808]"),
            ("d854 44 003c00c0", "[1.0,-2.0]"),
            ("d855 44 0000c03f", "[1.5]"),
            ("d856 48 9a9999999999f13f", "[1.1]"),
            ("da00010000 44 c03f80bf", "[1.5,-1.0]"),
            ("82 d840 40 a1 6161 d848 41 80", "[[],{a:[-128]}]"),
        ] {
            assert_eq!(document(hex), text, "{hex}");
        }
    }

    #[test]
    fn what_json_cannot_hold_or_the_module_does_not_write_is_told_raw() {
        for hex in [
            "",
            "0000",
            "3bffffffffffffffff",
            "f7",
            "f0",
            "f820",
            "4101",
            "d840 8101",
            "d841 420001",
            "d845 4101",
            "c1 00",
            "c0 6161",
            "7f6161ff",
            "61ff",
            "a1 01 02",
            "a1 6161",
            "bf 6161 ff",
            "ff",
            "8201",
            "9f01",
            "1c",
            "1f",
            "9bffffffffffffffff",
            "bbffffffffffffffff",
            "7bffffffffffffffff 61",
        ] {
            assert_eq!(document(hex), "raw", "{hex}");
        }
    }
}
