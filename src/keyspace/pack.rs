//! A listpack that is edited in place: the packed form of small collections.

use std::fmt;

use crate::bytes::Element;
use crate::bytes::number::parse_canonical_i64;
use crate::encoding::listpack::{
    END, HEADER, Listpack, Made, UNKNOWN_COUNT, element, entry_size, last_entry_size,
};

/// The empty listpack.
const EMPTY: &[u8] = &[7, 0, 0, 0, 0, 0, END];

/// Most bytes of a listpack that servers still add to.
const SAFE: usize = 1 << 30;

/// A sound listpack at the start of a heap block of about its size; no block while nothing is in it.
/// Its header says how much of the block it takes.
///
/// An entry is named by its position, the bytes in front of it. Positions behind a change move with
/// it.
#[derive(Clone, Default)]
pub struct Pack(Box<[u8]>);

impl Pack {
    /// An empty one.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of a blob, if it is a listpack with nothing wrong.
    pub fn verified(blob: &[u8]) -> Option<Self> {
        let mut entries = Listpack::open(blob).ok()?.entries();
        loop {
            entries.skip_plain(u64::MAX);
            if entries.next().ok()?.is_none() {
                break;
            }
        }
        entries.flaw().is_none().then(|| Pack(blob.into()))
    }

    /// A pack of these elements.
    pub fn of<'a>(elements: impl Iterator<Item = Element<'a>> + Clone) -> Self {
        let mut pack = Pack::new();
        pack.splice(HEADER, HEADER, 0, elements);
        pack
    }

    /// Puts elements in front of the entry at a position, or at the end.
    #[inline]
    pub fn insert<const N: usize>(&mut self, at: usize, elements: [Element<'_>; N]) {
        self.splice(at, at, 0, elements.into_iter());
    }

    /// Puts elements in place of the entry at a position and those behind it, `old` in all.
    #[inline]
    pub fn replace<const N: usize>(&mut self, at: usize, old: usize, elements: [Element<'_>; N]) {
        let (behind, gone) = self.skip(at, old);
        self.splice(at, behind, gone, elements.into_iter());
    }

    /// Takes the entry at a position out and those behind it, `count` in all.
    #[inline]
    pub fn remove(&mut self, at: usize, count: usize) {
        self.replace(at, count, []);
    }

    /// Puts elements behind all others.
    #[inline]
    pub fn push<const N: usize>(&mut self, elements: [Element<'_>; N]) {
        self.insert(self.end(), elements);
    }

    /// Puts any number of elements in front of the entry at a position, or at the end.
    pub fn insert_all<'a>(
        &mut self,
        at: usize,
        elements: impl Iterator<Item = Element<'a>> + Clone,
    ) {
        self.splice(at, at, 0, elements);
    }

    /// Takes all entries at a position and behind it out.
    pub fn truncate(&mut self, at: usize) {
        let (behind, gone) = self.skip(at, usize::MAX);
        self.splice(at, behind, gone, [].into_iter());
    }

    /// The listpack.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self.0.first_chunk() {
            Some(size) => {
                let size = u32::from_le_bytes(*size) as usize;
                self.0.get(..size).unwrap_or(&self.0)
            }
            None => EMPTY,
        }
    }

    /// Looks at the first few lines of the processor's cache that it takes. Means nothing.
    #[inline]
    pub fn fetch(&self) -> usize {
        let lines = self.0.iter().step_by(64).take(16);
        lines.map(|byte| usize::from(*byte)).sum()
    }

    /// Entries in it.
    #[inline]
    pub fn len(&self) -> usize {
        match self.count() {
            UNKNOWN_COUNT => self.skip(HEADER, usize::MAX).1,
            count => usize::from(count),
        }
    }

    /// True without entries.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.end() == HEADER
    }

    /// Whether servers would still add so many bytes.
    #[inline]
    pub fn fits(&self, more: usize) -> bool {
        self.bytes().len().saturating_add(more) <= SAFE
    }

    /// Bytes that it takes on the heap.
    #[inline]
    pub fn heap(&self) -> usize {
        self.0.len()
    }

    /// The elements in order.
    #[inline]
    pub fn entries(&self) -> Elements<'_> {
        self.entries_from(HEADER)
    }

    /// The elements from a position on, in order.
    #[inline]
    pub fn entries_from(&self, at: usize) -> Elements<'_> {
        Elements {
            rest: self.bytes().get(at..).unwrap_or_default(),
        }
    }

    /// The position of the first entry, or the end.
    #[inline]
    pub fn start(&self) -> usize {
        HEADER
    }

    /// The position behind the last entry.
    #[inline]
    pub fn end(&self) -> usize {
        self.bytes().len() - 1
    }

    /// The element at a position; none at the end.
    #[inline]
    pub fn at(&self, at: usize) -> Option<Element<'_>> {
        element(self.bytes().get(at..)?)
    }

    /// The position behind the entry at one; none at the end.
    #[inline]
    pub fn next(&self, at: usize) -> Option<usize> {
        Some(at + entry_size(self.bytes().get(at..)?)?)
    }

    /// The position of the entry in front of a position; none at the first.
    #[inline]
    pub fn prev(&self, at: usize) -> Option<usize> {
        let before = self.bytes().get(HEADER..at)?;
        at.checked_sub(last_entry_size(before)?)
    }

    /// The position of an entry by its index, from whichever end is nearer; the end for their number.
    pub fn seek(&self, index: usize) -> Option<usize> {
        let len = self.len();
        if index <= len / 2 {
            let (at, passed) = self.skip(HEADER, index);
            return (passed == index).then_some(at);
        }
        let mut at = self.end();
        for _ in index..len {
            at = self.prev(at)?;
        }
        (index <= len).then_some(at)
    }

    /// The position of the entry that says these bytes, among those from a position on, `stride`
    /// apart.
    #[inline]
    pub fn find(&self, mut at: usize, stride: usize, wanted: &[u8]) -> Option<usize> {
        let number = match wanted {
            [b'0'..=b'9' | b'-', ..] => parse_canonical_i64(wanted),
            _ => None,
        };
        let bytes = self.bytes();
        loop {
            let rest = bytes.get(at..)?;
            let size = entry_size(rest)?;
            let found = match element(rest)? {
                Element::Bytes(text) => text == wanted,
                Element::Int(n) => number == Some(n),
            };
            if found {
                return Some(at);
            }
            at += size;
            for _ in 1..stride {
                at += entry_size(bytes.get(at..)?)?;
            }
        }
    }

    /// The position behind so many entries, or the end, and how many those were.
    #[inline]
    pub fn skip(&self, mut at: usize, most: usize) -> (usize, usize) {
        let bytes = self.bytes();
        let mut passed = 0;
        while passed < most
            && let Some(size) = bytes.get(at..).and_then(entry_size)
        {
            at += size;
            passed += 1;
        }
        (at, passed)
    }

    #[inline]
    fn count(&self) -> u16 {
        match self.bytes() {
            &[_, _, _, _, low, high, ..] => u16::from_le_bytes([low, high]),
            _ => 0,
        }
    }

    /// Puts elements in place of `gone` entries that stand from one position to another.
    fn splice<'a>(
        &mut self,
        from: usize,
        to: usize,
        gone: usize,
        elements: impl Iterator<Item = Element<'a>> + Clone,
    ) {
        let (mut more, mut new) = (0, 0);
        for element in elements.clone() {
            more += Made::of(element).len();
            new += 1;
        }
        let before = self.count();
        let mut old = self.bytes().len();
        let mut bytes = std::mem::take(&mut self.0).into_vec();
        if bytes.is_empty() {
            bytes.reserve_exact(room(EMPTY.len() + more));
            bytes.extend_from_slice(EMPTY);
            bytes.resize(bytes.capacity(), 0);
            old = EMPTY.len();
        }
        let (from, to) = (from.min(old - 1), to.min(old - 1));
        let behind = from + more;
        let len = behind + old - to;
        if len > bytes.len() {
            bytes.reserve_exact(room(len) - bytes.len());
            bytes.resize(room(len), 0);
        }
        if behind != to {
            bytes.copy_within(to..old, behind);
        }
        let mut gap = bytes.get_mut(from..behind).unwrap_or_default();
        for element in elements {
            let size = Made::of(element).write(gap);
            gap = gap.split_at_mut_checked(size).unwrap_or_default().1;
        }
        if bytes.len() - len > len / 4 + SPARE {
            bytes.truncate(room(len));
        }
        let size = u32::try_from(len).unwrap_or(u32::MAX);
        if let Some(header) = bytes.first_chunk_mut::<4>() {
            *header = size.to_le_bytes();
        }
        self.0 = bytes.into_boxed_slice();
        let count = match before {
            UNKNOWN_COUNT => self.skip(HEADER, usize::MAX).1,
            count => usize::from(count).saturating_sub(gone) + new,
        };
        let count = u16::try_from(count).unwrap_or(UNKNOWN_COUNT);
        if let [_, _, _, _, low, high, ..] = &mut *self.0 {
            [*low, *high] = count.to_le_bytes();
        }
    }
}

/// Bytes of the heap block for a pack of so many. What is in it changes its length often by a little:
/// a block that is a little larger need not be changed each time, and leaves no gaps between others.
#[inline]
fn room(len: usize) -> usize {
    let unit = if len < 128 { 16 } else { 64 };
    (len + OVERHEAD).next_multiple_of(unit) - OVERHEAD
}

/// What an allocator has in front of a block.
const OVERHEAD: usize = 8;
/// Unused bytes that a pack may have at any length.
const SPARE: usize = 128;

impl PartialEq for Pack {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Pack {}

impl fmt::Debug for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

/// The elements of a [`Pack`].
#[derive(Clone, Debug)]
pub struct Elements<'d> {
    rest: &'d [u8],
}

impl<'d> Elements<'d> {
    /// Two elements: field and value, member and score.
    #[inline]
    pub fn next_pair(&mut self) -> Option<(Element<'d>, Element<'d>)> {
        Some((self.next()?, self.next()?))
    }
}

impl<'d> Iterator for Elements<'d> {
    type Item = Element<'d>;

    #[inline]
    fn next(&mut self) -> Option<Element<'d>> {
        let found = element(self.rest)?;
        self.rest = self.rest.get(entry_size(self.rest)?..)?;
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Random(u64);

    impl Random {
        fn below(&mut self, n: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % n
        }

        fn string(&mut self) -> Vec<u8> {
            match self.below(12) {
                0 => Vec::new(),
                1 => vec![b'x'; [62, 63, 64, 65, 126, 127, 4095, 4096][self.below(8)]],
                2 => vec![b'y'; [16_376, 16_377, 16_378, 16_379, 20_000][self.below(5)]],
                3..=6 => {
                    let bits = self.below(64) as u32;
                    let n = (self.0 as i64) >> bits;
                    n.to_string().into_bytes()
                }
                7 => ["01", "-0", "-", "+1", "9223372036854775808", "1.5"][self.below(6)].into(),
                _ => format!("f{}", self.below(30)).into_bytes(),
            }
        }
    }

    fn same(pack: &Pack, model: &[Vec<u8>]) {
        let all: Vec<_> = pack.entries().map(|e| e.to_bytes().into_owned()).collect();
        assert_eq!(all, model);
        assert_eq!(pack.len(), model.len());
        assert_eq!(pack.is_empty(), model.is_empty());
        assert_eq!(Pack::verified(pack.bytes()).unwrap().bytes(), pack.bytes());
    }

    /// Where the entries of a model stand: positions by index, the end included.
    fn places(pack: &Pack) -> Vec<usize> {
        let mut at = pack.start();
        let mut all = vec![at];
        while let Some(next) = pack.next(at) {
            all.push(next);
            at = next;
        }
        all
    }

    #[test]
    fn edited_anywhere_it_holds_what_a_vec_holds() {
        let mut random = Random(5);
        for _ in 0..40 {
            let mut pack = Pack::new();
            let mut model: Vec<Vec<u8>> = Vec::new();
            for _ in 0..150 {
                let index = random.below(model.len() + 1);
                let at = pack.seek(index).unwrap();
                let (one, two) = (random.string(), random.string());
                let new = [Element::Bytes(&one), Element::Bytes(&two)];
                match random.below(6) {
                    0 => {
                        pack.insert(at, new);
                        model.splice(index..index, [one, two]);
                    }
                    1 => {
                        let old = random.below(4);
                        pack.replace(at, old, new);
                        model.splice(index..(index + old).min(model.len()), [one, two]);
                    }
                    2 => {
                        let count = random.below(4);
                        pack.remove(at, count);
                        model.drain(index..(index + count).min(model.len()));
                    }
                    3 => {
                        pack.replace(at, 1, [new[0]]);
                        model.splice(index..(index + 1).min(model.len()), [one]);
                    }
                    4 if random.below(8) == 0 => {
                        pack.truncate(at);
                        model.truncate(index);
                    }
                    _ => {
                        pack.push([new[1]]);
                        model.push(two);
                    }
                }
                same(&pack, &model);
            }
            let places = places(&pack);
            assert_eq!(places.len(), model.len() + 1);
            for (index, &at) in places.iter().enumerate() {
                assert_eq!(pack.seek(index), Some(at));
                let before = index.checked_sub(1).and_then(|i| places.get(i)).copied();
                assert_eq!(pack.prev(at), before);
                assert_eq!(
                    pack.at(at).map(|e| e.to_bytes().into_owned()).as_ref(),
                    model.get(index)
                );
            }
            assert_eq!(pack.seek(places.len()), None);
        }
    }

    #[test]
    fn what_is_found_is_the_first_that_says_the_same() {
        let mut random = Random(9);
        for _ in 0..40 {
            let mut model: Vec<Vec<u8>> = (0..random.below(30)).map(|_| random.string()).collect();
            model.push(b"5".to_vec());
            let pack = Pack::of(model.iter().map(|text| Element::Bytes(text)));
            same(&pack, &model);
            let places = places(&pack);
            for wanted in model.iter().cloned().chain([random.string(), b"05".into()]) {
                for (start, stride) in [(0, 1), (0, 2), (1, 2), (3, 3), (model.len(), 1)] {
                    let expected = model.iter().enumerate().skip(start).step_by(stride);
                    let expected = expected
                        .filter(|(_, text)| **text == wanted)
                        .map(|(i, _)| i);
                    let from = places.get(start).copied().unwrap_or(pack.end());
                    let found = pack.find(from, stride, &wanted);
                    let expected = expected.map(|i| places.get(i).copied()).next().flatten();
                    assert_eq!(found, expected, "{}", wanted.escape_ascii());
                }
            }
        }
        // A number that stands as a string, which servers do not write but read.
        let blob = [&[0x0a, 0, 0, 0, 1, 0, 0x81, b'7', 2] as &[u8], &[END]].concat();
        let pack = Pack::verified(&blob).unwrap();
        assert_eq!(pack.find(pack.start(), 1, b"7"), Some(pack.start()));
    }

    #[test]
    fn the_header_says_nothing_of_65535_entries_and_more() {
        let elements = (0..65_540).map(Element::Int);
        let mut pack = Pack::of(elements);
        assert_eq!(pack.bytes()[4..6], [0xff, 0xff]);
        assert_eq!(pack.len(), 65_540);
        let mut left = 65_540;
        while left > 65_533 {
            pack.remove(pack.start(), 1);
            left -= 1;
            assert_eq!(pack.len(), left);
            let count = u16::try_from(left).unwrap_or(u16::MAX);
            assert_eq!(pack.bytes()[4..6], count.to_le_bytes());
        }
        pack.push([Element::Int(1), Element::Int(2)]);
        assert_eq!(
            (pack.len(), &pack.bytes()[4..6]),
            (65_535, &[0xff, 0xff][..])
        );
        assert_eq!(Pack::verified(pack.bytes()), Some(pack));
    }

    #[test]
    fn a_blob_with_anything_wrong_is_none() {
        let pack = Pack::of(
            [b"abc" as &[u8], b"300", b"-5"]
                .map(Element::Bytes)
                .into_iter(),
        );
        let blob = pack.bytes();
        for cut in 0..blob.len() {
            assert_eq!(Pack::verified(&blob[..cut]), None);
        }
        for at in [0, 4, 10, 13, blob.len() - 1] {
            let mut blob = blob.to_vec();
            blob[at] ^= 1;
            assert_eq!(Pack::verified(&blob), None, "{at}");
        }
        assert_eq!(Pack::verified(EMPTY), Some(Pack(EMPTY.into())));
    }
}
