//! Listpacks and ziplists as the servers' deep checks walk them. What those pass over counts here:
//! a backward length is read backwards, into the bytes in front of it if it leads there, and some
//! servers do not look behind an end mark.

use crate::bytes::Element;

/// Elements that are told one by one; false ends it.
pub(super) type Each<'e, 'd> = &'e mut dyn FnMut(Element<'d>) -> bool;

/// What is wrong is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrong;

/// Walks a listpack.
#[derive(Clone, Debug)]
pub(super) struct Listpack<'d> {
    blob: &'d [u8],
    at: usize,
    seen: usize,
}

impl<'d> Listpack<'d> {
    /// Looks at header and last byte.
    pub(super) fn open(blob: &'d [u8]) -> Option<Self> {
        let size = usize::try_from(u32::from_le_bytes(*blob.first_chunk()?)).ok()?;
        let is_one =
            blob.len() > LISTPACK_HEADER && size == blob.len() && blob.last() == Some(&END);
        is_one.then_some(Listpack {
            blob,
            at: LISTPACK_HEADER,
            seen: 0,
        })
    }

    /// The next entry; none at an end mark, wherever it stands.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Element<'d>>, Wrong> {
        // The last byte is an end mark, and belongs to no entry.
        let rest = self.blob.get(self.at..self.blob.len() - 1).unwrap_or(&[]);
        let (element, size) = match *rest {
            [] | [END, ..] => return Ok(None),
            [n @ 0..=0x7f, 1, ..] => {
                self.at += 2;
                self.seen += 1;
                return Ok(Some(Element::Int(i64::from(n))));
            }
            [n @ 0..=0x7f, ..] => (Element::Int(i64::from(n)), 1),
            [first @ 0x80..=0xbf, ref rest @ ..] => text(rest, usize::from(first & 0x3f), 1)?,
            [first @ 0xc0..=0xdf, low, ..] => {
                let n = i64::from(first & 0x1f) << 8 | i64::from(low);
                (
                    Element::Int(if n >= 1 << 12 { n - (1 << 13) } else { n }),
                    2,
                )
            }
            [first @ 0xe0..=0xef, low, ref rest @ ..] => {
                text(rest, usize::from(first & 0x0f) << 8 | usize::from(low), 2)?
            }
            [0xf0, a, b, c, d, ref rest @ ..] => {
                let len = u32::from_le_bytes([a, b, c, d]);
                text(rest, usize::try_from(len).unwrap_or(usize::MAX), 5)?
            }
            [first, ref rest @ ..] => wide(first, rest)?,
        };
        let back = backward_size(size);
        let whole = size + back;
        if rest.len() < whole || self.backward(self.at + whole - 1) != Some(size) {
            return Err(Wrong);
        }
        self.at += whole;
        self.seen += 1;
        Ok(Some(element))
    }

    /// The length that ends at this place, the last byte first.
    fn backward(&self, last: usize) -> Option<usize> {
        let mut size = 0;
        for (group, byte) in self.blob.get(..=last)?.iter().rev().take(5).enumerate() {
            size |= usize::from(byte & 0x7f) << (7 * group);
            if byte & 0x80 == 0 {
                return Some(size);
            }
        }
        None
    }

    /// Whether what was walked is all there is, and as much as the header says.
    pub(super) fn is_whole(&self) -> bool {
        self.at + 1 == self.blob.len() && self.has_count()
    }

    /// Whether there were as many entries as the header says.
    fn has_count(&self) -> bool {
        match *self.blob {
            [_, _, _, _, low, high, ..] => {
                let count = u16::from_le_bytes([low, high]);
                count == UNKNOWN || usize::from(count) == self.seen
            }
            _ => false,
        }
    }
}

/// Walks a listpack that is in order.
pub(super) fn listpack<'d>(blob: &'d [u8], each: Each<'_, 'd>) -> bool {
    let Some(mut pack) = Listpack::open(blob) else {
        return false;
    };
    loop {
        match pack.next() {
            Ok(Some(element)) if each(element) => {}
            Ok(None) => return pack.is_whole(),
            _ => return false,
        }
    }
}

/// Bytes of the length behind an entry of this size. The bounds are exclusive.
fn backward_size(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// Walks a ziplist that is in order. Redis 6.2 looks neither behind the end mark nor whether there
/// are no entries at all: then it does not find the last one.
pub(super) fn ziplist<'d>(blob: &'d [u8], old: bool, each: Each<'_, 'd>) -> bool {
    let [a, b, c, d, e, f, g, h, low, high, inner @ .., END] = blob else {
        return false;
    };
    let size = u32::from_le_bytes([*a, *b, *c, *d]);
    let tail = u32::from_le_bytes([*e, *f, *g, *h]) as usize;
    if usize::try_from(size) != Ok(blob.len()) || tail >= blob.len() {
        return false;
    }
    let (mut rest, mut last, mut last_size, mut seen) = (inner, None, 0, 0usize);
    while !matches!(rest, [] | [END, ..]) {
        let Ok((element, behind)) = ziplist_entry(rest, last_size) else {
            return false;
        };
        if !each(element) {
            return false;
        }
        last = Some(blob.len() - 1 - rest.len());
        last_size = rest.len() - behind.len();
        rest = behind;
        seen += 1;
    }
    let count = u16::from_le_bytes([*low, *high]);
    let has_tail = match last {
        Some(last) => last == tail,
        None => !old,
    };
    has_tail && (old || rest.is_empty()) && (count == UNKNOWN || usize::from(count) == seen)
}

/// An entry, behind one of this size; and what follows.
#[inline]
fn ziplist_entry(rest: &[u8], before: usize) -> Result<(Element<'_>, &[u8]), Wrong> {
    let (size, body) = match *rest {
        [LONG, a, b, c, d, ref body @ ..] => (u32::from_le_bytes([a, b, c, d]) as usize, body),
        [LONG, ..] | [] => return Err(Wrong),
        [size, ref body @ ..] => (usize::from(size), body),
    };
    if size != before {
        return Err(Wrong);
    }
    let (element, size) = match *body {
        [first @ 0..=0x3f, ref rest @ ..] => text(rest, usize::from(first), 1)?,
        [first @ 0x40..=0x7f, low, ref rest @ ..] => {
            text(rest, usize::from(first & 0x3f) << 8 | usize::from(low), 2)?
        }
        [0x80..=0xbf, a, b, c, d, ref rest @ ..] => {
            let len = u32::from_be_bytes([a, b, c, d]);
            text(rest, usize::try_from(len).unwrap_or(usize::MAX), 5)?
        }
        [0xc0, ref rest @ ..] => integer(rest, i16::from_le_bytes)?,
        [0xd0, ref rest @ ..] => integer(rest, i32::from_le_bytes)?,
        [0xe0, ref rest @ ..] => integer(rest, i64::from_le_bytes)?,
        [0xf0, ref rest @ ..] => integer(rest, three)?,
        [0xfe, ref rest @ ..] => integer(rest, i8::from_le_bytes)?,
        [first @ 0xf1..=0xfd, ..] => (Element::Int(i64::from(first - 0xf1)), 1),
        _ => return Err(Wrong),
    };
    let behind = body.get(size..).ok_or(Wrong)?;
    Ok((element, behind))
}

/// A string of so many bytes behind a head, and the size of both.
#[inline]
fn text(rest: &[u8], len: usize, head: usize) -> Result<(Element<'_>, usize), Wrong> {
    let bytes = rest.get(..len).ok_or(Wrong)?;
    Ok((Element::Bytes(bytes), head + len))
}

/// An integer of a listpack that has bytes of its own.
fn wide(first: u8, rest: &[u8]) -> Result<(Element<'_>, usize), Wrong> {
    match first {
        0xf1 => integer(rest, i16::from_le_bytes),
        0xf2 => integer(rest, three),
        0xf3 => integer(rest, i32::from_le_bytes),
        0xf4 => integer(rest, i64::from_le_bytes),
        _ => Err(Wrong),
    }
}

fn integer<const N: usize, T: Into<i64>>(
    rest: &[u8],
    of: impl FnOnce([u8; N]) -> T,
) -> Result<(Element<'_>, usize), Wrong> {
    let bytes = rest.first_chunk::<N>().ok_or(Wrong)?;
    Ok((Element::Int(of(*bytes).into()), 1 + N))
}

fn three([a, b, c]: [u8; 3]) -> i32 {
    i32::from_le_bytes([0, a, b, c]) >> 8
}

/// The mark of the end.
const END: u8 = 0xff;
/// Opens the long form of the size of the entry before.
const LONG: u8 = 0xfe;
/// The count of those that are too many to be counted.
const UNKNOWN: u16 = u16::MAX;
const LISTPACK_HEADER: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::listpack::ListpackWriter;
    use crate::encoding::ziplist::ZiplistWriter;

    fn all<'d>(walk: impl FnOnce(Each<'_, 'd>) -> bool) -> (bool, Vec<Element<'d>>) {
        let mut elements = Vec::new();
        let sound = walk(&mut |element| {
            elements.push(element);
            true
        });
        (sound, elements)
    }

    fn edges() -> Vec<i64> {
        let mut edges = vec![i64::MIN, i64::MAX, 0];
        for bits in [6, 7, 12, 13, 15, 23, 31, 47] {
            let edge = 1i64 << bits;
            edges.extend([edge - 1, edge, -edge, -edge - 1]);
        }
        edges
    }

    #[test]
    fn what_the_writers_write_is_walked() {
        let text = vec![b'x'; 70_000];
        let mut elements: Vec<_> = edges().into_iter().map(Element::Int).collect();
        for len in [0, 1, 63, 64, 126, 127, 128, 4095, 4096, 16_380, 70_000] {
            elements.push(Element::Bytes(&text[..len]));
        }
        let mut blob = Vec::new();
        let mut writer = ListpackWriter::new();
        elements.iter().for_each(|&element| writer.push(element));
        writer.finish(&mut blob).unwrap();
        assert_eq!(all(|each| listpack(&blob, each)), (true, elements.clone()));
        let mut blob = Vec::new();
        let mut writer = ZiplistWriter::new();
        elements.iter().for_each(|&element| writer.push(element));
        writer.finish(&mut blob).unwrap();
        for old in [true, false] {
            assert_eq!(
                all(|each| ziplist(&blob, old, each)),
                (true, elements.clone())
            );
        }
    }

    #[test]
    fn a_backward_length_may_lead_into_what_stands_before() {
        // An entry 0, whose backward length of 1 goes on into the entry itself.
        let blob = [9, 0, 0, 0, 1, 0, 0, 0x81, END];
        assert_eq!(all(|each| listpack(&blob, each)).0, true);
        let blob = [9, 0, 0, 0, 1, 0, 1, 0x81, END];
        assert_eq!(all(|each| listpack(&blob, each)).0, false);
    }

    #[test]
    fn behind_an_end_mark_only_some_look() {
        let blob = [13, 0, 0, 0, 10, 0, 0, 0, 0, 0, END, 7, END];
        assert!(!ziplist(&blob, false, &mut |_| true));
        let blob = [16, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 1, b'a', END, 7, END];
        assert!(ziplist(&blob, true, &mut |_| true));
        assert!(!ziplist(&blob, false, &mut |_| true));
    }
}
