//! Keys that stand twice where the input can be read again: eight bytes a key are compared, and only
//! where two are equal is it looked up whose they are.

use std::collections::HashSet;

use crate::error::Result;
use crate::task::duplicates::{SPILL_BITS, Spill, read_run, twice_in};

/// Sums held in memory before they are spilled.
const IN_MEMORY: usize = 1 << 23;
/// Parts of them, by the topmost bits: the table of one stays in a near cache.
const PARTS: usize = 1 << SPILL_BITS;

/// The sums of a stretch's keys, in order. Those in front may be of a database that is not known yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySums {
    list: Vec<u64>,
    unsettled: usize,
}

impl KeySums {
    /// Adds a key by its fingerprint; no database stands for one that is not known yet, which no
    /// known one may come before.
    #[inline(always)]
    pub(crate) fn add(&mut self, print: u64, db: Option<u32>) {
        match db {
            Some(db) => self.list.push(print ^ turn(db)),
            None => {
                debug_assert_eq!(self.unsettled, self.list.len());
                self.list.push(print);
                self.unsettled += 1;
            }
        }
    }

    /// Adds those of the stretch behind.
    pub(crate) fn append(&mut self, mut next: KeySums) {
        debug_assert!(next.unsettled == 0 || self.unsettled == self.list.len());
        self.unsettled += next.unsettled;
        if self.list.is_empty() {
            self.list = next.list;
        } else {
            self.list.append(&mut next.list);
        }
    }

    /// Puts a database in the place of the one that was not known.
    pub(crate) fn settle(&mut self, db: u32) {
        for print in self.list.iter_mut().take(self.unsettled) {
            *print ^= turn(db);
        }
        self.unsettled = 0;
    }
}

/// The sum of a key from its fingerprint.
#[inline]
pub(crate) fn sum(print: u64, db: u32) -> u64 {
    (print ^ turn(db)).max(1)
}

/// What tells keys of the same name in two databases apart.
#[inline]
fn turn(db: u32) -> u64 {
    u64::from(db).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Collects the sums of keys and tells which of them came twice.
#[derive(Debug)]
pub(crate) struct SumsTwice {
    parts: Vec<Vec<u64>>,
    held: usize,
    in_memory: usize,
    spill: Option<Spill>,
}

impl Default for SumsTwice {
    fn default() -> Self {
        SumsTwice::holding(IN_MEMORY)
    }
}

impl SumsTwice {
    /// Holds so many in memory.
    fn holding(in_memory: usize) -> Self {
        SumsTwice {
            parts: vec![Vec::new(); PARTS],
            held: 0,
            in_memory,
            spill: None,
        }
    }

    /// Adds those of a stretch.
    ///
    /// # Errors
    /// No room for what is spilled.
    pub(crate) fn add(&mut self, sums: &KeySums) -> Result<()> {
        debug_assert_eq!(sums.unsettled, 0);
        for &sum in &sums.list {
            // Zero marks an empty place in a table.
            let sum = sum.max(1);
            if let Some(part) = self.parts.get_mut((sum >> (64 - SPILL_BITS)) as usize) {
                part.push(sum);
            }
        }
        self.held += sums.list.len();
        if self.held > self.in_memory {
            self.write_out()?;
        }
        Ok(())
    }

    /// The sums that came more than once; of very many only some.
    ///
    /// # Errors
    /// What was spilled cannot be read again.
    pub(crate) fn finish(mut self, threads: usize) -> Result<HashSet<u64>> {
        if let Some(mut spill) = self.spill.take() {
            let (mut hits, mut table) = (Vec::new(), Vec::new());
            for (index, part) in self.parts.iter_mut().enumerate() {
                for &(_, at, count) in spill.runs.iter().filter(|run| run.0 == index) {
                    read_run(&mut spill.file, at, count, part)?;
                }
                twice_in(part, &mut table, &mut hits);
                *part = Vec::new();
            }
            return Ok(hits.into_iter().collect());
        }
        let each = PARTS.div_ceil(threads.max(1));
        let hits = std::thread::scope(|scope| {
            let found = self.parts.chunks(each).map(|parts| {
                scope.spawn(move || {
                    let (mut hits, mut table) = (Vec::new(), Vec::new());
                    for part in parts {
                        twice_in(part, &mut table, &mut hits);
                    }
                    hits
                })
            });
            let found: Vec<_> = found.collect();
            let joined = found.into_iter().map(|one| match one.join() {
                Ok(hits) => hits,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.flatten().collect()
        });
        Ok(hits)
    }

    #[cold]
    fn write_out(&mut self) -> Result<()> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            None => self.spill.insert(Spill::new()?),
        };
        let mut bytes = Vec::new();
        for (index, part) in self.parts.iter_mut().enumerate() {
            bytes.clear();
            bytes.extend(part.iter().flat_map(|sum| sum.to_le_bytes()));
            spill.write(index, part.len(), &bytes)?;
            part.clear();
        }
        self.held = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_come_twice_in_a_database_are_found_however_they_come() {
        let print = |i: u64| (i + 3).wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(31);
        for in_memory in [1 << 20, 5_000] {
            for threads in [1, 3] {
                let mut twice = SumsTwice::holding(in_memory);
                for stretch in 0..20u64 {
                    let mut sums = KeySums::default();
                    for part in 0..2 {
                        let mut next = KeySums::default();
                        for i in 0..1_000 {
                            let name = stretch * 1_000 + i;
                            // The same names stand in two databases.
                            match part {
                                0 => next.add(print(name), None),
                                _ => next.add(print(name), Some(9)),
                            }
                        }
                        sums.append(next);
                    }
                    sums.settle(4);
                    twice.add(&sums).unwrap();
                }
                let mut sums = KeySums::default();
                for (name, db) in [(7, 4), (19_999, 9), (5, 3), (700, 4), (700, 4)] {
                    sums.add(print(name), Some(db));
                }
                twice.add(&sums).unwrap();
                let expected = [(7, 4), (19_999, 9), (700, 4)].map(|(i, db)| sum(print(i), db));
                assert_eq!(twice.finish(threads).unwrap(), HashSet::from(expected));
            }
        }
    }
}
