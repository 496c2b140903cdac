//! The keys that stand out most: a list of bounded length.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::report::stats::KeyFacts;

/// A key and how much it stands out. Of equals the first by database and name comes first.
#[derive(Debug)]
struct Ranked {
    score: u64,
    at: u64,
    facts: KeyFacts,
}

impl Ranked {
    /// Where it stands among those of the same score.
    fn place(&self) -> (u32, &[u8], u64, u64) {
        let facts = &self.facts;
        (facts.db, &facts.key, facts.key_len, self.at)
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let places = other.place().cmp(&self.place());
        self.score.cmp(&other.score).then(places)
    }
}

/// The highest scores so far; the lowest of them is at hand.
#[derive(Debug)]
pub(super) struct Top {
    room: usize,
    heap: BinaryHeap<Reverse<Ranked>>,
}

impl Top {
    pub(super) fn new(room: usize) -> Top {
        Top {
            room,
            heap: BinaryHeap::new(),
        }
    }

    /// A score under this has no place in the list.
    pub(super) fn least(&self) -> u64 {
        match self.heap.peek() {
            Some(lowest) if self.heap.len() >= self.room => lowest.0.score,
            _ if self.room == 0 => u64::MAX,
            _ => 0,
        }
    }

    /// Takes a key whose record begins at an offset, if it has a place.
    pub(super) fn offer(&mut self, score: u64, at: u64, facts: impl FnOnce() -> KeyFacts) {
        if self.room == 0 || score < self.least() {
            return;
        }
        let facts = facts();
        self.take(Ranked { score, at, facts });
    }

    /// Takes all of another list.
    pub(super) fn add(&mut self, other: Top) {
        for Reverse(ranked) in other.heap {
            self.take(ranked);
        }
    }

    fn take(&mut self, ranked: Ranked) {
        if self.room == 0 {
            return;
        }
        if self.heap.len() < self.room {
            self.heap.push(Reverse(ranked));
        } else if let Some(mut lowest) = self.heap.peek_mut()
            && lowest.0 < ranked
        {
            *lowest = Reverse(ranked);
        }
    }

    /// The list, highest first.
    pub(super) fn finish(self) -> Vec<KeyFacts> {
        let sorted = self.heap.into_sorted_vec();
        sorted.into_iter().map(|one| one.0.facts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::DataType;

    fn facts(db: u32, key: &[u8]) -> KeyFacts {
        KeyFacts {
            db,
            key: key.to_vec(),
            key_len: key.len() as u64,
            data_type: DataType::String,
            encoding: "raw",
            elements: 1,
            bytes: 0,
            value_bytes: 0,
            expires_at: None,
            freq: None,
        }
    }

    fn names(top: Top) -> Vec<(u32, Vec<u8>)> {
        let list = top.finish();
        list.into_iter().map(|one| (one.db, one.key)).collect()
    }

    #[test]
    fn the_highest_stay_and_equals_are_ordered_by_database_and_name() {
        let offered = [
            (5, 1, b"b"),
            (5, 0, b"z"),
            (9, 3, b"x"),
            (5, 1, b"a"),
            (1, 0, b"a"),
        ];
        for shift in 0..offered.len() {
            let (mut one, mut other) = (Top::new(3), Top::new(3));
            for (i, &(score, db, key)) in offered.iter().cycle().skip(shift).take(5).enumerate() {
                let to = if i % 2 == 0 { &mut one } else { &mut other };
                to.offer(score, i as u64, || facts(db, key));
            }
            one.add(other);
            assert_eq!(one.least(), 5);
            let expected = [(3, b"x".to_vec()), (0, b"z".to_vec()), (1, b"a".to_vec())];
            assert_eq!(names(one), expected);
        }
    }

    #[test]
    fn a_list_without_room_takes_nothing() {
        let mut top = Top::new(0);
        top.offer(u64::MAX, 0, || facts(0, b"a"));
        assert!(names(top).is_empty());
    }
}
