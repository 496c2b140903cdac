//! The table form of a sorted set: scores by name, and the order beside it.
//!
//! The order is a sorted vector in chunks, each of the scores and of the members' places in the table.
//! A chunk is found by its first score, a place in it by halving; the counts of chunks are summed by
//! blocks of chunks, so that ranks cost little with millions of members.

use crate::keyspace::members::Members;
use crate::keyspace::zset::Change;

/// Most members of a chunk. More would be moved with each change, fewer make more chunks, which are
/// moved with each that is put between them.
const CHUNK: usize = 256;
/// A chunk with fewer is joined with its neighbour, where both are small.
const SMALL: usize = CHUNK / 8;
/// Chunks of a block.
const BLOCK: usize = 64;

#[derive(Clone, Debug, Default)]
struct Chunk {
    scores: Vec<f64>,
    places: Vec<u32>,
}

/// Members by name and in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranked {
    /// Members and their scores.
    table: Members<f64>,
    /// Boxed, so that little is moved where one is put between others.
    #[allow(clippy::vec_box)]
    chunks: Vec<Box<Chunk>>,
    /// The first score of each chunk.
    firsts: Vec<f64>,
    /// Members of each chunk.
    counts: Vec<u16>,
    /// Members of each block of chunks.
    blocks: Vec<u32>,
}

impl Ranked {
    /// From members in any order; the first of several of one name counts.
    pub(super) fn from_members<'a>(members: impl Iterator<Item = (&'a [u8], f64)>) -> Self {
        let mut loading = Loading::default();
        for (member, score) in members {
            loading.push(member, score);
        }
        loading.finish()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        let place = self.table.find(member)?;
        self.table.at(place).map(|(_, score)| *score)
    }

    /// Gives a member a score.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) -> Change {
        let hash = crate::keyspace::table::hash(member);
        let Some(place) = self.table.find_hashed(hash, member) else {
            let (chunk, at) = self.lower(score, member);
            let place = self.table.add_hashed(hash, member, score);
            self.put(chunk, at, score, place);
            return Change::New;
        };
        let old = self.table.at(place).map_or(score, |(_, old)| *old);
        if old == score {
            return Change::None;
        }
        if let Some(found) = self.table.at_mut(place) {
            *found = score;
        }
        let (chunk, at) = self.lower(old, member);
        if !self.shift(chunk, at, score, member) {
            self.take(chunk, at);
            let (chunk, at) = self.lower(score, member);
            self.put(chunk, at, score, place);
        }
        Change::Score
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        let Some(score) = self.score(member) else {
            return false;
        };
        let (chunk, at) = self.lower(score, member);
        self.take(chunk, at);
        self.table.remove(member)
    }

    /// Removes the members of these ranks.
    pub(super) fn remove_range(&mut self, from: usize, to: usize) {
        let to = to.min(self.len());
        if from >= to {
            return;
        }
        if from == 0 && to == self.len() {
            *self = Ranked::default();
            return;
        }
        let (mut chunk, mut at) = self.at_rank(from);
        let mut left = to - from;
        let first = chunk;
        while left > 0 {
            let Some(found) = self.chunks.get_mut(chunk) else {
                break;
            };
            let count = left.min(found.places.len() - at);
            for place in found.places.get(at..at + count).unwrap_or_default() {
                self.table.remove_at(*place);
            }
            found.scores.drain(at..at + count);
            found.places.drain(at..at + count);
            left -= count;
            (chunk, at) = (chunk + 1, 0);
        }
        // Those that are empty now stand together.
        let full = |chunks: &[Box<Chunk>], at: usize| {
            chunks.get(at).is_some_and(|chunk| !chunk.places.is_empty())
        };
        let mut begin = first;
        while begin < chunk && full(&self.chunks, begin) {
            begin += 1;
        }
        let mut end = begin;
        while end < chunk && !full(&self.chunks, end) {
            end += 1;
        }
        self.chunks.drain(begin..end);
        self.firsts.drain(begin..end);
        self.counts.drain(begin..end);
        for near in [first, begin.saturating_sub(1), begin] {
            self.note(near);
        }
        self.sum(first.saturating_sub(1));
        self.join(begin.min(self.chunks.len().saturating_sub(1)));
    }

    /// The rank of a member and its score.
    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        let (chunk, at) = self.lower(score, member);
        Some((self.before(chunk) + at, score))
    }

    /// Members that a test holds for; it must hold for a first part of them in order.
    pub(super) fn partition(&self, holds: impl Fn(&[u8], f64) -> bool) -> usize {
        let holds = |chunk: &Chunk, at: usize| {
            let (score, place) = (chunk.scores.get(at), chunk.places.get(at));
            score
                .zip(place)
                .is_some_and(|(score, place)| holds(self.name(*place), *score))
        };
        let chunk = self.chunks.partition_point(|chunk| holds(chunk, 0));
        let Some(last) = chunk.checked_sub(1) else {
            return 0;
        };
        let Some(found) = self.chunks.get(last) else {
            return 0;
        };
        let (mut from, mut to) = (1, found.places.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            if holds(found, middle) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        self.before(last) + from
    }

    /// Members with a score that is lower, or lower or equal.
    pub(super) fn below(&self, score: f64, or_equal: bool) -> usize {
        let below = |other: &f64| *other < score || (or_equal && *other == score);
        let Some(last) = self.firsts.partition_point(below).checked_sub(1) else {
            return 0;
        };
        let found = self.chunks.get(last);
        self.before(last) + found.map_or(0, |chunk| chunk.scores.partition_point(below))
    }

    /// Those of these ranks, in order.
    pub(super) fn range(&self, from: usize, to: usize) -> Range<'_> {
        let to = to.min(self.len());
        let left = to.saturating_sub(from);
        let (front, back) = if left == 0 {
            ((0, 0), (0, 0))
        } else if left == self.len() {
            let last = self.chunks.len() - 1;
            ((0, 0), (last, usize::from(self.counts[last])))
        } else {
            let (chunk, at) = self.at_rank(to - 1);
            (self.at_rank(from), (chunk, at + 1))
        };
        Range {
            ranked: self,
            left,
            front,
            back,
        }
    }

    pub(super) fn heap(&self) -> usize {
        let order: usize = if self.chunks.len() == 1 {
            self.chunks[0].scores.capacity() * 12
        } else {
            // What is in use, and about as much room as is left by halving full chunks.
            self.len() * 12 * 4 / 3
        };
        let each = size_of::<Box<Chunk>>() + size_of::<Chunk>() + 8 + 2;
        size_of::<Ranked>() + self.table.heap() + order + self.chunks.capacity() * each
    }

    #[inline]
    fn name(&self, place: u32) -> &[u8] {
        self.table.at(place).map_or(&[], |(name, _)| name)
    }

    /// Where a member with this score is or would be.
    fn lower(&self, score: f64, member: &[u8]) -> (usize, usize) {
        let chunk = {
            let from = self.firsts.partition_point(|first| *first < score);
            let mut to = from;
            if self.firsts.get(from) == Some(&score) {
                let rest = self.chunks.get(from..).unwrap_or_default();
                to += rest.partition_point(|chunk| {
                    let first = chunk.scores.first().zip(chunk.places.first());
                    first.is_some_and(|(first, place)| {
                        *first == score && self.name(*place) <= member
                    })
                });
            }
            to.saturating_sub(1)
        };
        let Some(found) = self.chunks.get(chunk) else {
            return (0, 0);
        };
        (chunk, self.lower_in(found, score, member))
    }

    /// The same within its chunk.
    fn lower_in(&self, found: &Chunk, score: f64, member: &[u8]) -> usize {
        let mut at = found.scores.partition_point(|other| *other < score);
        if found.scores.get(at) == Some(&score) {
            let same = found.scores.get(at..).unwrap_or_default();
            let same = same.partition_point(|other| *other == score);
            let places = found.places.get(at..at + same).unwrap_or_default();
            at += places.partition_point(|place| self.name(*place) < member);
        }
        at
    }

    /// Puts a place into the order.
    fn put(&mut self, chunk: usize, at: usize, score: f64, place: u32) {
        let (mut chunk, mut at) = (chunk, at);
        if self.chunks.is_empty() {
            self.chunks.push(Box::default());
            self.firsts.push(score);
            self.counts.push(0);
            self.blocks.push(0);
        }
        if self.chunks[chunk].places.len() >= CHUNK {
            let last = chunk + 1 == self.chunks.len() && at == CHUNK;
            let half = if last { CHUNK } else { CHUNK / 2 };
            let full = &mut self.chunks[chunk];
            let rest = Chunk {
                scores: full.scores.split_off(half),
                places: full.places.split_off(half),
            };
            self.chunks.insert(chunk + 1, Box::new(rest));
            self.firsts.insert(chunk + 1, score);
            self.counts.insert(chunk + 1, 0);
            self.note(chunk);
            self.note(chunk + 1);
            self.sum(chunk);
            if at > half || last {
                (chunk, at) = (chunk + 1, at - half);
            }
        }
        let to = &mut self.chunks[chunk];
        if to.places.len() == to.places.capacity() && to.places.len() >= 32 {
            let more = (to.places.len() / 8).min(CHUNK - to.places.len());
            to.scores.reserve_exact(more);
            to.places.reserve_exact(more);
        }
        to.scores.insert(at, score);
        to.places.insert(at, place);
        if at == 0 {
            self.firsts[chunk] = score;
        }
        self.counts[chunk] += 1;
        self.blocks[chunk / BLOCK] += 1;
    }

    /// Moves a member within its chunk, where it stays in it with another score.
    fn shift(&mut self, chunk: usize, at: usize, score: f64, member: &[u8]) -> bool {
        let Some(found) = self.chunks.get(chunk) else {
            return false;
        };
        let ends = found.scores.first().zip(found.scores.last());
        if !ends.is_some_and(|(first, last)| *first < score && score < *last) {
            return false;
        }
        let to = self.lower_in(found, score, member);
        let found = &mut self.chunks[chunk];
        let to = if to > at {
            found.scores[at..to].rotate_left(1);
            found.places[at..to].rotate_left(1);
            to - 1
        } else {
            found.scores[to..=at].rotate_right(1);
            found.places[to..=at].rotate_right(1);
            to
        };
        found.scores[to] = score;
        self.firsts[chunk] = found.scores[0];
        true
    }

    /// Takes a member out of the order.
    fn take(&mut self, chunk: usize, at: usize) {
        let Some(found) = self.chunks.get_mut(chunk) else {
            return;
        };
        if at >= found.places.len() {
            return;
        }
        found.scores.remove(at);
        found.places.remove(at);
        self.counts[chunk] -= 1;
        self.blocks[chunk / BLOCK] -= 1;
        if found.places.is_empty() {
            self.chunks.remove(chunk);
            self.firsts.remove(chunk);
            self.counts.remove(chunk);
            self.sum(chunk);
            return;
        }
        if at == 0 {
            self.firsts[chunk] = found.scores[0];
        }
        if found.places.len() < SMALL {
            self.join(chunk);
        }
    }

    /// Joins a small chunk with a neighbour.
    fn join(&mut self, chunk: usize) {
        let size = |at: usize| self.counts.get(at).map(|count| usize::from(*count));
        let Some(own) = size(chunk).filter(|own| *own < SMALL) else {
            return;
        };
        let fits = |other: Option<usize>| other.is_some_and(|other| own + other <= CHUNK / 2);
        let into = if fits(size(chunk + 1)) {
            chunk
        } else if chunk > 0 && fits(size(chunk - 1)) {
            chunk - 1
        } else {
            return;
        };
        let mut rest = self.chunks.remove(into + 1);
        self.firsts.remove(into + 1);
        self.counts.remove(into + 1);
        let to = &mut self.chunks[into];
        to.scores.append(&mut rest.scores);
        to.places.append(&mut rest.places);
        to.scores.shrink_to(to.places.len() * 2);
        to.places.shrink_to(to.places.len() * 2);
        self.note(into);
        self.sum(into);
    }

    /// Notes first score and count of a chunk anew.
    fn note(&mut self, chunk: usize) {
        if let Some(found) = self.chunks.get(chunk)
            && let Some(first) = found.scores.first()
        {
            self.firsts[chunk] = *first;
            self.counts[chunk] = found.places.len() as u16;
        }
    }

    /// Sums the blocks from that of a chunk on.
    fn sum(&mut self, chunk: usize) {
        let from = chunk / BLOCK;
        self.blocks.truncate(from);
        let rest = self.counts.get(from * BLOCK..).unwrap_or_default();
        let sums = rest.chunks(BLOCK);
        self.blocks
            .extend(sums.map(|block| block.iter().map(|n| u32::from(*n)).sum::<u32>()));
    }

    /// Members before a chunk.
    fn before(&self, chunk: usize) -> usize {
        let block = chunk / BLOCK;
        let blocks = self.blocks.iter().take(block).map(|n| *n as usize);
        let counts = self.counts.get(block * BLOCK..chunk).unwrap_or_default();
        blocks.sum::<usize>() + counts.iter().map(|n| usize::from(*n)).sum::<usize>()
    }

    /// Chunk and place of a rank, which there is.
    fn at_rank(&self, rank: usize) -> (usize, usize) {
        let mut left = rank;
        let mut block = 0;
        for count in &self.blocks {
            if left < *count as usize {
                break;
            }
            left -= *count as usize;
            block += 1;
        }
        let mut chunk = block * BLOCK;
        for count in self.counts.get(chunk..).unwrap_or_default() {
            if left < usize::from(*count) {
                break;
            }
            left -= usize::from(*count);
            chunk += 1;
        }
        (chunk, left)
    }
}

/// Members of some ranks, from both ends.
#[derive(Clone, Debug)]
pub(super) struct Range<'a> {
    ranked: &'a Ranked,
    left: usize,
    front: (usize, usize),
    back: (usize, usize),
}

impl<'a> Range<'a> {
    #[inline]
    fn get(&self, chunk: usize, at: usize) -> Option<(&'a [u8], f64)> {
        let chunk = self.ranked.chunks.get(chunk)?;
        Some((
            self.ranked.name(*chunk.places.get(at)?),
            *chunk.scores.get(at)?,
        ))
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (chunk, at) = self.front;
        let found = match self.get(chunk, at) {
            Some(found) => {
                self.front = (chunk, at + 1);
                found
            }
            None => {
                self.front = (chunk + 1, 1);
                self.get(chunk + 1, 0)?
            }
        };
        Some(found)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for Range<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if self.back.1 == 0 {
            let chunk = self.back.0.checked_sub(1)?;
            self.back = (chunk, usize::from(*self.ranked.counts.get(chunk)?));
        }
        self.back.1 -= 1;
        self.get(self.back.0, self.back.1)
    }
}

/// Takes members in any order, which are ordered at the end.
#[derive(Debug, Default)]
pub(super) struct Loading {
    table: Members<f64>,
    order: Vec<(f64, u32)>,
}

impl Loading {
    /// Takes one; whether it is new.
    pub(super) fn push(&mut self, member: &[u8], score: f64) -> bool {
        let hash = crate::keyspace::table::hash(member);
        if self.table.find_hashed(hash, member).is_some() {
            return false;
        }
        let place = self.table.add_hashed(hash, member, score);
        self.order.push((score, place));
        true
    }

    /// Takes one, or joins its score to that which its member has.
    pub(super) fn merge(&mut self, member: &[u8], score: f64, join: impl Fn(f64, f64) -> f64) {
        let Some(place) = self.table.find(member) else {
            self.push(member, score);
            return;
        };
        // Nothing is removed here, so that places count up as the order does.
        if let Some((found, _)) = self.order.get_mut(place as usize) {
            *found = join(*found, score);
            if let Some(entry) = self.table.at_mut(place) {
                *entry = *found;
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Orders them.
    pub(super) fn finish(mut self) -> Ranked {
        let table = &self.table;
        let name = |place: u32| table.at(place).map_or(&[] as &[u8], |(name, _)| name);
        let compare = |a: &(f64, u32), b: &(f64, u32)| super::order(a.0, name(a.1), b.0, name(b.1));
        // Servers save the highest first.
        if self.order.is_sorted_by(|a, b| compare(a, b).is_ge()) {
            self.order.reverse();
        } else if !self.order.is_sorted_by(|a, b| compare(a, b).is_le()) {
            self.order.sort_unstable_by(compare);
        }
        let mut ranked = Ranked::default();
        // Room in each, so that what is put between does not halve all of them at once.
        for part in self.order.chunks(CHUNK * 7 / 8) {
            let chunk = Chunk {
                scores: part.iter().map(|(score, _)| *score).collect(),
                places: part.iter().map(|(_, place)| *place).collect(),
            };
            ranked.firsts.extend(chunk.scores.first());
            ranked.counts.push(part.len() as u16);
            ranked.chunks.push(Box::new(chunk));
        }
        ranked.table = self.table;
        ranked.sum(0);
        ranked
    }
}
