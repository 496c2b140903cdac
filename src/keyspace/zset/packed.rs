//! The packed form of a sorted set: members in order, each with its score, in one block.
//!
//! ```text
//! u32 LE        members
//! members       length of the name (7 bits a byte, low ones first), name, score, size of all that
//!
//! score 0..=199       the integer
//! 200 + n (1 to 7)    an integer in n bytes LE, signed
//! 208 + 4 bytes LE    a double that a single is
//! 209 + 8 bytes LE    a double
//! ```
//!
//! It stands for the servers' listpack or ziplist of members and scores, and is a little smaller; what
//! those do to a score (a listpack has no negative zero) is done before it comes here. The size at the
//! end is there to be read backwards: 7 bits a byte, the last byte the low ones, the high bit says
//! that there is another before it.

use crate::keyspace::zset::{Change, order};

const HEADER: usize = 4;
const INT: u8 = 200;
const SINGLE: u8 = 208;
const DOUBLE: u8 = 209;

/// Members in order in one block; nothing at all without any.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed(Vec<u8>);

/// A member where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) member: &'a [u8],
    pub(super) score: f64,
    start: usize,
    end: usize,
}

impl Packed {
    #[inline]
    pub(super) fn len(&self) -> usize {
        let count = self.0.first_chunk::<HEADER>();
        count.map_or(0, |count| u32::from_le_bytes(*count) as usize)
    }

    /// Looks at the first few lines of the processor's cache that it takes. Means nothing.
    #[inline]
    pub(super) fn fetch(&self) -> usize {
        let lines = self.0.iter().step_by(64).take(16);
        lines.map(|byte| usize::from(*byte)).sum()
    }

    /// A member, which is looked for without a look at scores.
    pub(super) fn find(&self, member: &[u8]) -> Option<Entry<'_>> {
        let bytes = &*self.0;
        let last = member.last();
        let mut start = HEADER;
        while start < bytes.len() {
            let (name, len) = read_length(bytes, start)?;
            let behind = name + len;
            let score = bytes.get(behind..)?;
            let body = behind + size(score)?;
            let end = body + back_length_size(body - start);
            // Names are often of one length and begin alike.
            if len == member.len()
                && (last.is_none() || bytes.get(behind - 1) == last)
                && bytes.get(name..behind) == Some(member)
            {
                let (score, _) = decode(score)?;
                let member = bytes.get(name..behind)?;
                return Some(Entry {
                    member,
                    score,
                    start,
                    end,
                });
            }
            start = end;
        }
        None
    }

    /// Gives a member a score.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) -> Change {
        let Some(old) = self.find(member) else {
            let at = self.place(HEADER, member, score);
            self.count(|count| count + 1);
            self.put(at.max(HEADER), member, score);
            return Change::New;
        };
        if old.score == score {
            return Change::None;
        }
        let (start, end) = (old.start, old.end);
        let at = if old.score < score {
            self.place(end, member, score) - (end - start)
        } else {
            self.place(HEADER, member, score)
        };
        self.0.copy_within(end.., start);
        self.0.truncate(self.0.len() - (end - start));
        self.put(at, member, score);
        Change::Score
    }

    /// Where a member with this score belongs, at an entry's start `from` or behind it.
    fn place(&self, from: usize, member: &[u8], score: f64) -> usize {
        let mut entries = self.iter();
        entries.front = from;
        let greater = |entry: &Entry<'_>| order(entry.score, entry.member, score, member).is_gt();
        // Many are added at the end.
        match entries.clone().next_back() {
            Some(last) if greater(&last) => {}
            _ => return self.0.len(),
        }
        let found = entries.find(greater);
        found.map_or(self.0.len(), |entry| entry.start)
    }

    /// Puts a member behind all others, in whatever order.
    pub(super) fn push(&mut self, member: &[u8], score: f64) {
        self.count(|count| count + 1);
        self.put(self.0.len(), member, score);
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        let Some(entry) = self.find(member) else {
            return false;
        };
        let (start, end) = (entry.start, entry.end);
        self.cut(start, end, 1);
        true
    }

    /// Removes the members of these ranks.
    pub(super) fn remove_range(&mut self, from: usize, to: usize) {
        let mut entries = self.iter().skip(from).take(to.saturating_sub(from));
        let Some(first) = entries.next() else {
            return;
        };
        let (mut end, mut count) = (first.end, 1);
        for entry in entries {
            (end, count) = (entry.end, count + 1);
        }
        let start = first.start;
        self.cut(start, end, count);
    }

    #[inline]
    pub(super) fn iter(&self) -> Entries<'_> {
        Entries {
            bytes: &self.0,
            front: HEADER,
            back: self.0.len().max(HEADER),
        }
    }

    pub(super) fn heap(&self) -> usize {
        self.0.capacity()
    }

    fn cut(&mut self, start: usize, end: usize, members: u32) {
        self.count(|count| count - members);
        if self.len() == 0 {
            self.0 = Vec::new();
            return;
        }
        self.0.copy_within(end.., start);
        self.0.truncate(self.0.len() - (end - start));
        if self.0.capacity() > 64 && self.0.len() < self.0.capacity() / 2 {
            self.0.shrink_to_fit();
        }
    }

    fn count(&mut self, new: impl FnOnce(u32) -> u32) {
        if self.0.is_empty() {
            self.0.extend_from_slice(&[0; HEADER]);
        }
        if let Some(count) = self.0.first_chunk_mut::<HEADER>() {
            *count = new(u32::from_le_bytes(*count)).to_le_bytes();
        }
    }

    /// Puts an entry at a place between two others.
    fn put(&mut self, at: usize, member: &[u8], score: f64) {
        let (head, head_len) = length(member.len());
        let (score, score_len) = encode(score);
        let body = head_len + member.len() + score_len;
        let (tail, tail_len) = back_length(body);
        let (old, size) = (self.0.len(), body + tail_len);
        if self.0.capacity() - old < size {
            // A little room, for what grows once often does again.
            self.0.reserve_exact(size + (old + size) / 8);
        }
        if at == old {
            self.0.extend_from_slice(&head[..head_len]);
            self.0.extend_from_slice(member);
            self.0.extend_from_slice(&score[..score_len]);
            self.0.extend_from_slice(&tail[..tail_len]);
            return;
        }
        self.0.resize(old + size, 0);
        self.0.copy_within(at..old, at + size);
        let mut rest = &mut self.0[at..at + size];
        for part in [
            &head[..head_len],
            member,
            &score[..score_len],
            &tail[..tail_len],
        ] {
            let (to, behind) = rest.split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = behind;
        }
    }
}

/// Walks the members, from both ends.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    bytes: &'a [u8],
    front: usize,
    back: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.front >= self.back {
            return None;
        }
        let start = self.front;
        let entry = read(self.bytes, start)?;
        self.front = entry.end;
        Some(entry)
    }
}

impl DoubleEndedIterator for Entries<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        let (mut size, mut shift, mut at) = (0usize, 0, self.back);
        loop {
            at -= 1;
            let byte = *self.bytes.get(at)?;
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let entry = read(self.bytes, at - size)?;
        self.back = entry.start;
        Some(entry)
    }
}

#[inline]
fn read(bytes: &[u8], start: usize) -> Option<Entry<'_>> {
    let (name, len) = read_length(bytes, start)?;
    let behind = name + len;
    let member = bytes.get(name..behind)?;
    let (score, size) = decode(bytes.get(behind..)?)?;
    let body = behind + size;
    let end = body + back_length_size(body - start);
    Some(Entry {
        member,
        score,
        start,
        end,
    })
}

/// Where the name of the entry at `start` begins, and its length.
#[inline]
fn read_length(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let first = *bytes.get(start)?;
    if first < 0x80 {
        return Some((start + 1, usize::from(first)));
    }
    let (mut at, mut len, mut shift) = (start, 0, 0);
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        len |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some((at, len));
        }
    }
}

/// A length in front, low bits first.
#[inline]
fn length(len: usize) -> ([u8; 10], usize) {
    let (mut bytes, mut size, mut rest) = ([0; 10], 0, len);
    loop {
        let byte = (rest & 0x7f) as u8;
        rest >>= 7;
        bytes[size] = byte | if rest > 0 { 0x80 } else { 0 };
        size += 1;
        if rest == 0 {
            return (bytes, size);
        }
    }
}

/// Bytes of a size behind.
#[inline]
fn back_length_size(size: usize) -> usize {
    if size < 0x80 {
        return 1;
    }
    (usize::BITS - size.leading_zeros()).div_ceil(7) as usize
}

/// A size behind, low bits last.
#[inline]
fn back_length(size: usize) -> ([u8; 10], usize) {
    if size < 0x80 {
        return ([size as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1);
    }
    let width = back_length_size(size);
    let mut bytes = [0; 10];
    for (n, byte) in bytes.iter_mut().take(width).enumerate() {
        let group = (size >> (7 * (width - 1 - n))) as u8 & 0x7f;
        *byte = group | if n > 0 { 0x80 } else { 0 };
    }
    (bytes, width)
}

#[inline]
fn encode(score: f64) -> ([u8; 9], usize) {
    let mut bytes = [0; 9];
    let n = score as i64;
    let whole = n as f64 == score && n.unsigned_abs() < 1 << 53;
    if whole && (n != 0 || score.is_sign_positive()) {
        if (0..i64::from(INT)).contains(&n) {
            bytes[0] = n as u8;
            return (bytes, 1);
        }
        let bits = 65 - (if n < 0 { !n } else { n }).leading_zeros();
        let width = bits.div_ceil(8) as usize;
        bytes[0] = INT + width as u8;
        bytes[1..].copy_from_slice(&n.to_le_bytes());
        return (bytes, 1 + width);
    }
    let single = score as f32;
    if f64::from(single) == score {
        bytes[0] = SINGLE;
        bytes[1..5].copy_from_slice(&single.to_le_bytes());
        return (bytes, 5);
    }
    bytes[0] = DOUBLE;
    bytes[1..].copy_from_slice(&score.to_le_bytes());
    (bytes, 9)
}

/// Bytes of the score that begins here.
#[inline]
fn size(score: &[u8]) -> Option<usize> {
    Some(match *score.first()? {
        0..INT => 1,
        SINGLE => 5,
        DOUBLE => 9,
        tag => 1 + usize::from(tag - INT),
    })
}

#[inline]
fn decode(bytes: &[u8]) -> Option<(f64, usize)> {
    let (&tag, rest) = bytes.split_first()?;
    if tag < INT {
        return Some((f64::from(tag), 1));
    }
    match tag {
        SINGLE => Some((f64::from(f32::from_le_bytes(*rest.first_chunk()?)), 5)),
        DOUBLE => Some((f64::from_le_bytes(*rest.first_chunk()?), 9)),
        _ => {
            let width = usize::from(tag - INT);
            let mut n = [0; 8];
            n.get_mut(..width)?.copy_from_slice(rest.get(..width)?);
            let unused = 64 - 8 * width as u32;
            Some((
                ((i64::from_le_bytes(n) << unused) >> unused) as f64,
                1 + width,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_comes_back_to_the_bit() {
        let mut scores = vec![0.0, -0.0, 0.1, 1.5, f64::INFINITY, f64::MIN_POSITIVE, 1e300];
        for bits in 0..63 {
            for add in [-1, 0, 1] {
                scores.push(((1i64 << bits) + add) as f64);
            }
        }
        scores.extend([
            199.0,
            200.0,
            201.0,
            207.0,
            208.0,
            f64::MAX,
            5e-324,
            16_777_217.0,
        ]);
        for score in scores.iter().flat_map(|score| [*score, -score]) {
            let (bytes, size) = encode(score);
            let (found, read) = decode(&bytes[..size]).unwrap();
            assert_eq!((found.to_bits(), read), (score.to_bits(), size), "{score}");
        }
    }

    #[test]
    fn members_of_any_length_are_read_from_both_ends() {
        let mut packed = Packed::default();
        let names: Vec<Vec<u8>> = [
            0, 1, 100, 117, 118, 119, 127, 128, 16_000, 16_384, 2_100_000,
        ]
        .iter()
        .map(|len| vec![b'x'; *len])
        .collect();
        for (n, name) in names.iter().enumerate() {
            assert_eq!(packed.insert(name, n as f64), Change::New);
        }
        let forward: Vec<usize> = packed.iter().map(|entry| entry.member.len()).collect();
        let mut back: Vec<usize> = packed
            .iter()
            .rev()
            .map(|entry| entry.member.len())
            .collect();
        back.reverse();
        assert_eq!(forward, back);
        assert_eq!(forward, names.iter().map(Vec::len).collect::<Vec<_>>());
        assert_eq!(packed.len(), names.len());
    }
}
