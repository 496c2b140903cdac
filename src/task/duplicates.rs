//! Finds what stands twice, in flat memory: by 64-bit keyed fingerprints, spilled to an unlinked
//! file beyond a bound. Equal strings always meet; who meets by chance is told apart by reading
//! again, which is the caller's part.

mod sums;

use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Seek, SeekFrom, Write};

use foldhash::quality::RandomState;

use crate::bytes::Element;
use crate::bytes::number::parse_canonical_i64;
use crate::error::Result;

pub(crate) use sums::{KeySums, SumsTwice, sum};

/// Entries held in memory before they are spilled.
const IN_MEMORY: usize = 1 << 21;
/// Up to here every pair is compared.
const PAIRWISE: usize = 24;
/// Entries of a part that one small table is made for.
const PART: usize = 2048;
/// Parts of the spilled file, by the topmost bits of the fingerprint.
const SPILL_BITS: u32 = 8;
/// Hits that are remembered; more of them change nothing about the verdict.
pub(crate) const HITS: usize = 10_000;

/// Makes fingerprints. The key is drawn anew in each run, so that no file can be made to collide.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprinter(RandomState);

impl Fingerprinter {
    /// The fingerprint of a string; the canonical text of an integer has that of the integer.
    #[inline]
    pub(crate) fn of(&self, element: Element<'_>) -> u64 {
        match element {
            Element::Int(n) => self.of_int(n),
            Element::Bytes(bytes) => match parse_canonical_i64(bytes) {
                Some(n) => self.of_int(n),
                None => self.of_bytes(bytes),
            },
        }
    }

    #[inline]
    fn of_int(&self, n: i64) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_i64(n);
        hasher.finish()
    }

    #[inline]
    fn of_bytes(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    /// The fingerprint of a key, whatever its database.
    #[inline]
    pub(crate) fn of_name(&self, key: &[u8]) -> u64 {
        self.of_bytes(key)
    }

    /// The fingerprint of a key in its database.
    pub(crate) fn of_key(&self, db: u32, key: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(key);
        hasher.write_u32(db);
        hasher.finish()
    }
}

/// Collects fingerprints and tells which of them came twice.
#[derive(Debug, Default)]
pub(crate) struct Twice {
    list: Vec<u64>,
    sorted: Vec<u64>,
    table: Vec<u64>,
    ends: Vec<usize>,
    spill: Option<Spill>,
}

/// What did not fit into memory: runs of fingerprints of one part, one after the other.
#[derive(Debug)]
struct Spill {
    file: File,
    runs: Vec<(usize, u64, usize)>,
    len: u64,
}

impl Spill {
    fn new() -> io::Result<Self> {
        Ok(Spill {
            file: tempfile::tempfile()?,
            runs: Vec::new(),
            len: 0,
        })
    }

    /// Adds a run of so many entries of a part.
    fn write(&mut self, part: usize, count: usize, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.runs.push((part, self.len, count));
        self.len += bytes.len() as u64;
        Ok(())
    }
}

impl Twice {
    /// Adds a fingerprint.
    ///
    /// # Errors
    /// No room for the spilled ones.
    #[inline]
    pub(crate) fn add(&mut self, fingerprint: u64) -> Result<()> {
        if self.list.len() == IN_MEMORY {
            self.spill()?;
        }
        // Zero marks an empty place in the table.
        self.list.push(fingerprint.max(1));
        Ok(())
    }

    /// The fingerprints that came more than once, sorted, and starts over.
    ///
    /// # Errors
    /// What was spilled cannot be read again.
    #[inline]
    pub(crate) fn finish(&mut self) -> Result<Vec<u64>> {
        let mut hits = Vec::new();
        if self.spill.is_some() {
            self.finish_spilled(&mut hits)?;
        } else if self.list.len() <= PAIRWISE {
            let mut rest = self.list.as_slice();
            while let Some((first, others)) = rest.split_first() {
                // Without an early end, so that the comparisons run side by side.
                if others
                    .iter()
                    .fold(false, |hit, other| hit | (other == first))
                {
                    hits.push(*first);
                }
                rest = others;
            }
        } else {
            self.in_parts(&mut hits);
        }
        self.list.clear();
        hits.sort_unstable();
        hits.dedup();
        Ok(hits)
    }

    /// Splits the list by its topmost bits so that each part's table stays in the nearest cache.
    fn in_parts(&mut self, hits: &mut Vec<u64>) {
        let bits = (self.list.len() / PART)
            .checked_ilog2()
            .map_or(0, |b| b + 1)
            .min(12);
        if bits == 0 {
            twice_in(&self.list, &mut self.table, hits);
            return;
        }
        self.partition(bits);
        let mut start = 0;
        for &end in &self.ends {
            twice_in(
                self.sorted.get(start..end).unwrap_or_default(),
                &mut self.table,
                hits,
            );
            start = end;
        }
    }

    /// Sorts the list by its topmost bits into `sorted`; `ends` says where each part ends there.
    fn partition(&mut self, bits: u32) {
        let part = |fingerprint: u64| (fingerprint >> (64 - bits)) as usize;
        self.ends.clear();
        self.ends.resize(1 << bits, 0);
        for &fingerprint in &self.list {
            if let Some(count) = self.ends.get_mut(part(fingerprint)) {
                *count += 1;
            }
        }
        let mut start = 0;
        for end in &mut self.ends {
            start += std::mem::replace(end, start);
        }
        self.sorted.clear();
        self.sorted.resize(self.list.len(), 0);
        for &fingerprint in &self.list {
            if let Some(end) = self.ends.get_mut(part(fingerprint)) {
                if let Some(to) = self.sorted.get_mut(*end) {
                    *to = fingerprint;
                }
                *end += 1;
            }
        }
    }

    #[cold]
    fn spill(&mut self) -> Result<()> {
        self.partition(SPILL_BITS);
        let spill = match &mut self.spill {
            Some(spill) => spill,
            None => self.spill.insert(Spill::new()?),
        };
        let mut start = 0;
        let mut bytes = Vec::new();
        for (part, &end) in self.ends.iter().enumerate() {
            let run = self.sorted.get(start..end).unwrap_or_default();
            bytes.clear();
            bytes.extend(run.iter().flat_map(|f| f.to_le_bytes()));
            spill.write(part, run.len(), &bytes)?;
            start = end;
        }
        self.list.clear();
        Ok(())
    }

    #[cold]
    fn finish_spilled(&mut self, hits: &mut Vec<u64>) -> Result<()> {
        self.spill()?;
        let Some(mut spill) = self.spill.take() else {
            return Ok(());
        };
        for part in 0..1usize << SPILL_BITS {
            self.list.clear();
            for &(_, at, count) in spill.runs.iter().filter(|run| run.0 == part) {
                read_run(&mut spill.file, at, count, &mut self.list)?;
            }
            // The part's own bits are all alike: turn them away so that the next ones count.
            for fingerprint in &mut self.list {
                *fingerprint = fingerprint.rotate_left(SPILL_BITS);
            }
            let from = hits.len();
            self.in_parts(hits);
            for hit in hits.iter_mut().skip(from) {
                *hit = hit.rotate_right(SPILL_BITS);
            }
        }
        Ok(())
    }
}

fn read_run(file: &mut File, at: u64, count: usize, to: &mut Vec<u64>) -> io::Result<()> {
    use std::io::Read;
    let mut bytes = vec![0; count * 8];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    to.extend(
        bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|chunk| u64::from_le_bytes(*chunk)),
    );
    Ok(())
}

/// Which fingerprints stand twice in `list`: open addressing in a table of twice the size.
fn twice_in(list: &[u64], table: &mut Vec<u64>, hits: &mut Vec<u64>) {
    let size = (list.len() * 2).next_power_of_two().max(16);
    let mask = size - 1;
    table.clear();
    table.resize(size, 0);
    for &fingerprint in list {
        let mut at = fingerprint as usize & mask;
        loop {
            match table.get_mut(at) {
                Some(place) if *place == 0 => {
                    *place = fingerprint;
                    break;
                }
                Some(place) if *place == fingerprint => {
                    if hits.len() < HITS {
                        hits.push(fingerprint);
                    }
                    break;
                }
                _ => at = (at + 1) & mask,
            }
        }
    }
}

/// A key's fingerprints and where its record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyPrint {
    /// Decides where it is compared.
    pub(crate) first: u64,
    /// Under another key: both together are conclusive even where nothing can be read again.
    pub(crate) second: u64,
    /// Offset of the key's record.
    pub(crate) at: u64,
    /// Database.
    pub(crate) db: u64,
}

const KEY_PRINT: usize = 32;

/// A key that stands twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SameKey {
    /// Offset of the earlier record.
    pub(crate) earlier: u64,
    /// Offset of the later record.
    pub(crate) later: u64,
    /// Database of both.
    pub(crate) db: u64,
}

/// Finds keys that stand twice in a snapshot.
#[derive(Debug)]
pub(crate) struct KeysTwice {
    list: Vec<KeyPrint>,
    spill: Option<Spill>,
    most: usize,
}

impl Default for KeysTwice {
    fn default() -> Self {
        KeysTwice::listing(HITS)
    }
}

impl KeysTwice {
    /// Tells of so many pairs of records at the most.
    pub(crate) fn listing(most: usize) -> Self {
        KeysTwice {
            list: Vec::new(),
            spill: None,
            most,
        }
    }

    /// Adds a stretch of keys in the order of the file.
    ///
    /// # Errors
    /// No room for what is spilled.
    pub(crate) fn add(&mut self, prints: &[KeyPrint]) -> Result<()> {
        self.list.extend_from_slice(prints);
        if self.list.len() > IN_MEMORY {
            self.write_out()?;
        }
        Ok(())
    }

    /// Offsets of two records of the same key, earlier and later, for every key that stands twice,
    /// in the order of the later one; at most as many as are worth listing.
    ///
    /// # Errors
    /// What was spilled cannot be read again.
    pub(crate) fn finish(mut self) -> Result<Vec<SameKey>> {
        let mut hits = Vec::new();
        if self.spill.is_none() {
            pairs(&mut self.list, self.most, &mut hits);
        } else {
            self.write_out()?;
            if let Some(mut spill) = self.spill.take() {
                for part in 0..1usize << SPILL_BITS {
                    let mut words = Vec::new();
                    for &(_, at, count) in spill.runs.iter().filter(|run| run.0 == part) {
                        read_run(&mut spill.file, at, count * KEY_PRINT / 8, &mut words)?;
                    }
                    let mut list: Vec<KeyPrint> = words
                        .as_chunks::<4>()
                        .0
                        .iter()
                        .map(|&[first, second, at, db]| KeyPrint {
                            first,
                            second,
                            at,
                            db,
                        })
                        .collect();
                    pairs(&mut list, self.most, &mut hits);
                }
            }
        }
        hits.sort_unstable_by_key(|hit: &SameKey| hit.later);
        Ok(hits)
    }

    fn write_out(&mut self) -> Result<()> {
        let part = |print: &KeyPrint| (print.first >> (64 - SPILL_BITS)) as usize;
        self.list.sort_unstable();
        let spill = match &mut self.spill {
            Some(spill) => spill,
            None => self.spill.insert(Spill::new()?),
        };
        let mut bytes = Vec::new();
        for run in self.list.chunk_by(|a, b| part(a) == part(b)) {
            bytes.clear();
            for print in run {
                for word in [print.first, print.second, print.at, print.db] {
                    bytes.extend_from_slice(&word.to_le_bytes());
                }
            }
            spill.write(run.first().map_or(0, part), run.len(), &bytes)?;
        }
        self.list.clear();
        Ok(())
    }
}

fn pairs(list: &mut [KeyPrint], most: usize, hits: &mut Vec<SameKey>) {
    list.sort_unstable();
    for same in list.chunk_by(|a, b| a.first == b.first && a.second == b.second) {
        if let [first, others @ ..] = same {
            for other in others {
                if hits.len() < most {
                    hits.push(SameKey {
                        earlier: first.at,
                        later: other.at,
                        db: other.db,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(i: u64) -> u64 {
        (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn exactly_those_that_come_twice_are_found_at_every_size() {
        let mut twice = Twice::default();
        for count in [
            0,
            1,
            2,
            3,
            PAIRWISE,
            PAIRWISE + 1,
            100,
            PART,
            PART * 2,
            PART * 33,
            300_000,
        ] {
            for doubled in [&[][..], &[0], &[1, 7], &[0, 1, 2, 3, 50]] {
                let doubled: Vec<u64> = doubled
                    .iter()
                    .copied()
                    .filter(|&i| i < count as u64)
                    .collect();
                for i in 0..count as u64 {
                    twice.add(spread(i)).unwrap();
                }
                for &i in &doubled {
                    twice.add(spread(i)).unwrap();
                }
                let mut expected: Vec<u64> = doubled.iter().map(|&i| spread(i)).collect();
                expected.sort_unstable();
                assert_eq!(twice.finish().unwrap(), expected, "{count} {doubled:?}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_into_memory_is_compared_all_the_same() {
        let mut twice = Twice::default();
        for i in 0..IN_MEMORY as u64 * 2 + 5 {
            twice.add(spread(i)).unwrap();
        }
        twice.add(spread(3)).unwrap();
        twice.add(spread(IN_MEMORY as u64 + 9)).unwrap();
        let mut expected = vec![spread(3), spread(IN_MEMORY as u64 + 9)];
        expected.sort_unstable();
        assert_eq!(twice.finish().unwrap(), expected);
        twice.add(5).unwrap();
        assert!(twice.finish().unwrap().is_empty(), "nothing is left over");
    }

    #[test]
    fn an_integer_meets_its_text() {
        let prints = Fingerprinter::default();
        assert_eq!(
            prints.of(Element::Int(-12)),
            prints.of(Element::Bytes(b"-12"))
        );
        assert_ne!(prints.of_key(0, b"k"), prints.of_key(1, b"k"));
    }

    #[test]
    fn keys_that_stand_twice_are_found_with_both_places() {
        for extra in [0, IN_MEMORY as u64] {
            let mut keys = KeysTwice::default();
            let print = |i: u64, at| KeyPrint {
                first: spread(i),
                second: i,
                at,
                db: 3,
            };
            let all: Vec<KeyPrint> = (0..1000 + extra).map(|i| print(i, i * 10)).collect();
            keys.add(&all).unwrap();
            keys.add(&[print(7, 1 << 40), print(500, 1 << 41)]).unwrap();
            keys.add(&[KeyPrint {
                second: 999_999_999,
                ..print(8, 5)
            }])
            .unwrap();
            let same = |earlier, later| SameKey {
                earlier,
                later,
                db: 3,
            };
            assert_eq!(
                keys.finish().unwrap(),
                [same(70, 1 << 40), same(5000, 1 << 41)]
            );
        }
    }
}
