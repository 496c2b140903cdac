//! Keys by the beginnings of their names.
//!
//! Of each depth the first prefixes are counted exactly, up to an equal part of a bound; keys whose prefix comes later
//! are counted together. Which come first is a matter of the file alone, not of how it is read.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use memchr::memmem::Finder;

use crate::record::DataType;
use crate::report::stats::{Prefix, Sum};

/// Prefixes that are counted, of all depths together.
const PREFIXES: usize = 65_536;
/// A longer prefix has no place.
const LONGEST: usize = 256;
const TYPES: usize = DataType::ALL.len();

/// Prefixes with what their keys come to.
#[derive(Debug)]
pub(super) struct Prefixes {
    /// Prefixes of a depth that have a place; nothing: all.
    room: Option<usize>,
    index: HashMap<Box<[u8]>, usize, RandomState>,
    list: Vec<Counted>,
    /// How many of the list have each depth.
    counts: Vec<usize>,
    without: Sum,
    /// By depth: what found no place.
    other: Vec<Sum>,
}

/// A prefix and its keys.
#[derive(Debug)]
struct Counted {
    name: Box<[u8]>,
    depth: usize,
    parent: Option<usize>,
    sum: Sum,
    types: [(u64, u64); TYPES],
}

impl Prefixes {
    /// Of the names of a batch, which are as few as fit into it.
    pub(super) fn of_batch(depth: usize) -> Prefixes {
        Prefixes::new(depth, None)
    }

    /// Of a whole input.
    pub(super) fn of_input(depth: usize) -> Prefixes {
        Prefixes::new(depth, Some(PREFIXES / depth.max(1)))
    }

    fn new(depth: usize, room: Option<usize>) -> Prefixes {
        Prefixes {
            room,
            index: HashMap::default(),
            list: Vec::new(),
            counts: vec![0; depth],
            without: Sum::default(),
            other: vec![Sum::default(); depth],
        }
    }

    /// Counts a key.
    pub(super) fn key(&mut self, name: &[u8], separator: &Finder<'_>, of: DataType, sum: &Sum) {
        let mut parent = None;
        let mut end = 0;
        for depth in 0..self.other.len() {
            let rest = name.get(end..).unwrap_or_default();
            let Some(found) = separator.find(rest) else {
                if depth == 0 {
                    self.without.add(sum);
                }
                return;
            };
            end += found + separator.needle().len();
            let prefix = name.get(..end).unwrap_or_default();
            let placed = match (depth, parent) {
                (1.., None) => None,
                _ if prefix.len() > LONGEST => None,
                _ => self.place(prefix, depth, parent),
            };
            match placed.and_then(|at| self.list.get_mut(at)) {
                Some(counted) => {
                    counted.sum.add(sum);
                    if let Some((keys, bytes)) = counted.types.get_mut(of as usize) {
                        *keys += sum.keys;
                        *bytes += sum.bytes;
                    }
                }
                None => self.rest(depth, sum),
            }
            parent = placed;
        }
    }

    /// Counts a key whose name cannot be read.
    pub(super) fn nameless(&mut self, sum: &Sum) {
        self.rest(0, sum);
    }

    fn rest(&mut self, depth: usize, sum: &Sum) {
        if let Some(other) = self.other.get_mut(depth) {
            other.add(sum);
        }
    }

    /// Where a prefix stands, if there is room for it.
    fn place(&mut self, name: &[u8], depth: usize, parent: Option<usize>) -> Option<usize> {
        if let Some(&at) = self.index.get(name) {
            return Some(at);
        }
        let count = self.counts.get_mut(depth)?;
        if self.room.is_some_and(|room| *count >= room) {
            return None;
        }
        *count += 1;
        let at = self.list.len();
        self.index.insert(name.into(), at);
        self.list.push(Counted {
            name: name.into(),
            depth,
            parent,
            sum: Sum::default(),
            types: [(0, 0); TYPES],
        });
        Some(at)
    }

    /// Adds those of the batch that comes next.
    pub(super) fn add(&mut self, batch: Prefixes) {
        self.without.add(&batch.without);
        for (depth, other) in batch.other.iter().enumerate() {
            self.rest(depth, other);
        }
        // A prefix stands behind the one that it is part of.
        let mut places: Vec<Option<usize>> = Vec::with_capacity(batch.list.len());
        for next in batch.list {
            let parent = match next.parent {
                None => None,
                Some(parent) => places.get(parent).copied().flatten(),
            };
            let placed = match (next.depth, parent) {
                (1.., None) => None,
                _ => self.place(&next.name, next.depth, parent),
            };
            places.push(placed);
            let Some(counted) = placed.and_then(|at| self.list.get_mut(at)) else {
                self.rest(next.depth, &next.sum);
                continue;
            };
            counted.sum.add(&next.sum);
            for (into, (keys, bytes)) in counted.types.iter_mut().zip(next.types) {
                into.0 += keys;
                into.1 += bytes;
            }
        }
    }

    /// Prefixes, those of many bytes first; keys without one; by depth what found no place.
    pub(super) fn finish(self) -> (Vec<Prefix>, Sum, Vec<Sum>) {
        let mut order: Vec<usize> = (0..self.list.len()).collect();
        let of = |at: &usize| {
            self.list
                .get(*at)
                .map(|c| (std::cmp::Reverse(c.sum.bytes), &c.name))
        };
        order.sort_by(|a, b| of(a).cmp(&of(b)));
        let mut places = vec![0; order.len()];
        for (place, at) in order.iter().enumerate() {
            if let Some(slot) = places.get_mut(*at) {
                *slot = place;
            }
        }
        let prefix = |at: &usize| {
            let counted = self.list.get(*at)?;
            let types = DataType::ALL.iter().copied().zip(counted.types);
            Some(Prefix {
                name: counted.name.to_vec(),
                depth: counted.depth + 1,
                parent: counted.parent.and_then(|at| places.get(at).copied()),
                sum: counted.sum,
                types: types.filter(|(_, (keys, _))| *keys > 0).collect(),
            })
        };
        let prefixes = order.iter().filter_map(prefix).collect();
        (prefixes, self.without, self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Sum {
        Sum {
            keys: 1,
            bytes: 10,
            ..Sum::default()
        }
    }

    fn of(names: &[&[u8]], depth: usize, room: usize, batch: usize) -> Prefixes {
        let colon = Finder::new(b":");
        let mut all = Prefixes::new(depth, Some(room));
        for names in names.chunks(batch) {
            let mut part = Prefixes::of_batch(depth);
            for name in names {
                part.key(name, &colon, DataType::Hash, &one());
            }
            all.add(part);
        }
        all
    }

    #[test]
    fn what_is_counted_does_not_depend_on_batches_and_sums_to_everything() {
        let names: [&[u8]; 9] = [
            b"a:1", b"b:1:x", b"plain", b"c:1:x", b"a:2:x", b"b:1:y", b":", b"d", b"c:",
        ];
        let whole = of(&names, 2, 2, 9).finish();
        for batch in 1..9 {
            assert_eq!(of(&names, 2, 2, batch).finish(), whole);
        }
        let (prefixes, without, other) = whole;
        let listed: Vec<_> = prefixes
            .iter()
            .map(|p| (p.name.as_slice(), p.depth, p.parent, p.sum.keys))
            .collect();
        // The third of the first depth has no place, nor has what begins with it.
        let expected: [(&[u8], usize, Option<usize>, u64); 4] = [
            (b"a:", 1, None, 2),
            (b"b:", 1, None, 2),
            (b"b:1:", 2, Some(1), 2),
            (b"a:2:", 2, Some(0), 1),
        ];
        assert_eq!(listed, expected);
        assert_eq!(without.keys, 2);
        assert_eq!((other[0].keys, other[1].keys), (3, 1));
        let first: u64 = prefixes
            .iter()
            .filter(|p| p.depth == 1)
            .map(|p| p.sum.keys)
            .sum();
        assert_eq!(first + without.keys + other[0].keys, names.len() as u64);
        assert_eq!(prefixes[0].types[&DataType::Hash], (2, 20));
    }

    #[test]
    fn a_prefix_that_is_too_long_and_a_name_that_cannot_be_read_are_counted_with_the_others() {
        let long = [vec![b'x'; LONGEST], b":1".to_vec()].concat();
        let mut all = of(&[&long, b"x:1"], 1, 9, 1);
        all.nameless(&one());
        let (prefixes, without, other) = all.finish();
        assert_eq!((prefixes.len(), without.keys, other[0].keys), (1, 0, 2));
    }
}
