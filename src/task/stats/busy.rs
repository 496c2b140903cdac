//! The keys that most commands work on, in bounded memory.
//!
//! Counts are exact as long as no more keys come than can be held. Else those with the lowest counts
//! are given up from time to time, and what a key may have lost that way is kept beside its count: of
//! each key it is known how many commands it has at least and at most.

use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::report::stats::BusyKey;

/// Keys that are kept when some must go; twice as many are held.
const KEPT: usize = 32_768;
/// Of a longer name the beginning and the length tell it from others.
pub(super) const LONGEST: usize = 256;

/// Keys with their commands.
#[derive(Debug)]
pub(super) struct Busy {
    kept: usize,
    /// By database, beginning of the name, length of the name, one after the other.
    keys: HashMap<Box<[u8]>, Count, RandomState>,
    /// Commands that a key may have had before it was held.
    lost: u64,
    name: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    commands: u64,
    bytes: u64,
    lost: u64,
}

impl Count {
    fn at_most(&self) -> u64 {
        self.commands + self.lost
    }
}

impl Default for Busy {
    fn default() -> Self {
        Busy::new(KEPT)
    }
}

impl Busy {
    fn new(kept: usize) -> Busy {
        Busy {
            kept,
            keys: HashMap::default(),
            lost: 0,
            name: Vec::new(),
        }
    }

    /// Counts a command that works on a key.
    pub(super) fn add(&mut self, db: u32, key: &[u8], bytes: u64) {
        self.name.clear();
        self.name.extend_from_slice(&db.to_be_bytes());
        self.name
            .extend_from_slice(key.get(..LONGEST).unwrap_or(key));
        self.name
            .extend_from_slice(&(key.len() as u64).to_be_bytes());
        if let Some(count) = self.keys.get_mut(self.name.as_slice()) {
            count.commands += 1;
            count.bytes += bytes;
            return;
        }
        if self.keys.len() >= self.kept * 2 {
            self.give_up();
        }
        let count = Count {
            commands: 1,
            bytes,
            lost: self.lost,
        };
        self.keys.insert(self.name.as_slice().into(), count);
    }

    /// Gives up half of the keys or more, those with the fewest commands.
    fn give_up(&mut self) {
        let mut counts: Vec<u64> = self.keys.values().map(Count::at_most).collect();
        let place = counts.len().saturating_sub(self.kept).min(counts.len() - 1);
        let (_, &mut least, _) = counts.select_nth_unstable(place);
        self.keys.retain(|_, count| count.at_most() > least);
        self.lost = self.lost.max(least);
    }

    /// The busiest, in order.
    pub(super) fn finish(self, top: usize) -> Vec<BusyKey> {
        let mut keys: Vec<BusyKey> = self
            .keys
            .iter()
            .filter_map(|(name, count)| {
                let (db, rest) = name.split_first_chunk()?;
                let (key, len) = rest.split_last_chunk()?;
                Some(BusyKey {
                    db: u32::from_be_bytes(*db),
                    key: key.to_vec(),
                    key_len: u64::from_be_bytes(*len),
                    commands: count.commands,
                    at_most: count.at_most(),
                    bytes: count.bytes,
                })
            })
            .collect();
        let order = |one: &BusyKey| (Reverse(one.commands), one.db);
        keys.sort_by(|a, b| {
            let names = (&a.key, a.key_len).cmp(&(&b.key, b.key_len));
            order(a).cmp(&order(b)).then(names)
        });
        keys.truncate(top);
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_keys_are_counted_exactly_and_equals_are_in_order() {
        let mut busy = Busy::new(8);
        for (db, key) in [(0, "b"), (1, "a"), (0, "a"), (0, "b"), (0, "")] {
            busy.add(db, key.as_bytes(), 10);
        }
        let found: Vec<_> = busy
            .finish(3)
            .into_iter()
            .map(|one| (one.db, one.key, one.commands, one.at_most, one.bytes))
            .collect();
        let expected = [
            (0, b"b".to_vec(), 2, 2, 20),
            (0, b"".to_vec(), 1, 1, 10),
            (0, b"a".to_vec(), 1, 1, 10),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn of_too_many_keys_the_truth_lies_between_least_and_most() {
        let mut busy = Busy::new(16);
        let mut truth: HashMap<u64, u64> = HashMap::new();
        let mut state = 7u64;
        for _ in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Half of the commands work on three keys, the others on thousands.
            let key = match (state >> 33) % 6 {
                low @ 0..3 => low,
                _ => (state >> 40) % 5000,
            };
            *truth.entry(key).or_default() += 1;
            busy.add(0, &key.to_be_bytes(), 1);
            assert!(busy.keys.len() <= 32);
        }
        let found = busy.finish(3);
        for one in &found {
            let key = u64::from_be_bytes(one.key.as_slice().try_into().unwrap());
            assert!(
                one.commands <= truth[&key] && truth[&key] <= one.at_most,
                "{one:?}"
            );
            assert!(key < 3, "{one:?}");
        }
    }

    #[test]
    fn a_long_name_is_told_by_its_beginning_and_its_length() {
        let mut busy = Busy::default();
        busy.add(0, &[b'x'; 1000], 1);
        busy.add(0, &[b'x'; 1001], 1);
        let found = busy.finish(9);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].key.len(), found[0].key_len), (LONGEST, 1000));
    }
}
