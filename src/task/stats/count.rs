//! What keys are counted by, of a batch and of all.

use std::collections::BTreeMap;

use memchr::memmem::Finder;

use crate::record::DataType;
use crate::record::{Entry, RdbType};
use crate::report::stats::{Bucket, KeyFacts, SIZES, Since, Stats, Sum, TTLS};
use crate::task::stats::StatsOptions;
use crate::task::stats::prefix::Prefixes;
use crate::task::stats::top::Top;

/// Databases that are counted apart.
const DATABASES: usize = 65_536;
/// Bytes of a key's name that a list of keys keeps.
const NAME: usize = 1024;
const TYPES: usize = DataType::ALL.len();
/// Forms of a type that are counted apart: raw, integer and compressed strings.
const FORMS: [&str; 3] = ["", "int", "lzf"];

/// The lowest scores that have a place in the lists.
pub(super) type Least = [u64; 3];

/// Keys, counted.
#[derive(Debug)]
pub(super) struct Counts {
    total: Sum,
    types: [Sum; TYPES],
    encodings: Vec<Sum>,
    dbs: BTreeMap<u32, Sum>,
    other_dbs: Sum,
    /// Without an expiry, with one that has not passed, with one that has.
    ttl: [Sum; 3],
    ttls: [Sum; TTLS.len() + 1],
    sizes: [Sum; SIZES.len() + 1],
    prefixes: Prefixes,
    tops: [Top; 3],
    with_freq: u64,
}

/// What counting needs to know.
pub(super) struct Ways<'o> {
    pub(super) options: &'o StatsOptions,
    pub(super) separator: Finder<'o>,
    /// The moment that times to live are counted from.
    pub(super) since: Option<(i64, Since)>,
    /// Keys under these have no place in the lists.
    pub(super) least: Least,
}

impl Counts {
    /// Of one batch.
    pub(super) fn of_batch(options: &StatsOptions) -> Counts {
        Counts::new(options, Prefixes::of_batch(options.depth))
    }

    /// Of all batches.
    pub(super) fn of_input(options: &StatsOptions) -> Counts {
        Counts::new(options, Prefixes::of_input(options.depth))
    }

    fn new(options: &StatsOptions, prefixes: Prefixes) -> Counts {
        Counts {
            total: Sum::default(),
            types: [Sum::default(); TYPES],
            encodings: vec![Sum::default(); RdbType::ALL.len() * FORMS.len()],
            dbs: BTreeMap::new(),
            other_dbs: Sum::default(),
            ttl: [Sum::default(); 3],
            ttls: [Sum::default(); TTLS.len() + 1],
            sizes: [Sum::default(); SIZES.len() + 1],
            prefixes,
            tops: [(); 3].map(|()| Top::new(options.top)),
            with_freq: 0,
        }
    }

    /// Counts a key; its name is none where it cannot be read.
    pub(super) fn key(
        &mut self,
        entry: &Entry<'_>,
        name: Option<&[u8]>,
        elements: u64,
        ways: &Ways<'_>,
    ) {
        let rdb_type = entry.value.rdb_type;
        let data_type = rdb_type.data_type();
        let encoding = entry.value.encoding();
        let sum = Sum {
            keys: 1,
            expires: u64::from(entry.expires_at.is_some()),
            elements,
            bytes: entry.end() - entry.at,
            value_bytes: entry.value.bytes.len() as u64,
        };
        self.total.add(&sum);
        add_at(&mut self.types, data_type as usize, &sum);
        let form = FORMS.iter().position(|form| *form == encoding).unwrap_or(0);
        let place = rdb_type as usize * FORMS.len() + form;
        add_at(&mut self.encodings, place, &sum);
        self.in_db(entry.db, &sum);
        self.expiry(entry.expires_at, &sum, ways);
        let size = i64::try_from(sum.value_bytes).unwrap_or(i64::MAX);
        add_at(&mut self.sizes, place_in(&SIZES, size), &sum);
        match name {
            Some(name) => self.prefixes.key(name, &ways.separator, data_type, &sum),
            None => self.prefixes.nameless(&sum),
        }
        self.with_freq += u64::from(entry.freq.is_some());
        let facts = || {
            let name = name.unwrap_or_default();
            KeyFacts {
                db: entry.db,
                key: name.get(..NAME).unwrap_or(name).to_vec(),
                key_len: name.len() as u64,
                data_type,
                encoding,
                elements,
                bytes: sum.bytes,
                value_bytes: sum.value_bytes,
                expires_at: entry.expires_at,
                freq: entry.freq,
            }
        };
        let scores = [
            Some(sum.value_bytes),
            (elements > 1).then_some(elements),
            entry.freq.map(u64::from),
        ];
        for ((top, score), least) in self.tops.iter_mut().zip(scores).zip(ways.least) {
            if let Some(score) = score.filter(|score| *score >= least) {
                top.offer(score, entry.at, facts);
            }
        }
    }

    fn in_db(&mut self, db: u32, sum: &Sum) {
        if self.dbs.len() < DATABASES || self.dbs.contains_key(&db) {
            self.dbs.entry(db).or_default().add(sum);
        } else {
            self.other_dbs.add(sum);
        }
    }

    fn expiry(&mut self, expires_at: Option<i64>, sum: &Sum, ways: &Ways<'_>) {
        let Some(at) = expires_at else {
            add_at(&mut self.ttl, 0, sum);
            return;
        };
        let passed = ways.options.now.is_some_and(|now| at < now);
        add_at(&mut self.ttl, 1 + usize::from(passed), sum);
        if let Some((since, _)) = ways.since {
            let seconds = at.saturating_sub(since).div_euclid(1000);
            add_at(&mut self.ttls, place_in(&TTLS, seconds), sum);
        }
    }

    /// Adds those of the batch that comes next.
    pub(super) fn add(&mut self, next: Counts) {
        self.total.add(&next.total);
        add_all(&mut self.types, &next.types);
        add_all(&mut self.encodings, &next.encodings);
        for (db, sum) in &next.dbs {
            self.in_db(*db, sum);
        }
        self.other_dbs.add(&next.other_dbs);
        add_all(&mut self.ttl, &next.ttl);
        add_all(&mut self.ttls, &next.ttls);
        add_all(&mut self.sizes, &next.sizes);
        self.prefixes.add(next.prefixes);
        for (top, next) in self.tops.iter_mut().zip(next.tops) {
            top.add(next);
        }
        self.with_freq += next.with_freq;
    }

    /// The lowest scores that still have a place.
    pub(super) fn least(&self) -> Least {
        let mut least = [0; 3];
        for (least, top) in least.iter_mut().zip(&self.tops) {
            *least = top.least();
        }
        least
    }

    /// All of it.
    pub(super) fn finish(self, options: &StatsOptions, since: Option<(i64, Since)>) -> Stats {
        let types = DataType::ALL.iter().copied().zip(self.types);
        let encodings = self.encodings.iter().enumerate();
        let encoding = |(place, sum): (usize, &Sum)| {
            let rdb_type = *RdbType::ALL.get(place / FORMS.len())?;
            let form = match FORMS.get(place % FORMS.len())? {
                &"" => rdb_type.encoding(),
                form => form,
            };
            (sum.keys > 0).then_some(((rdb_type.data_type(), rdb_type, form), *sum))
        };
        let (prefixes, without_prefix, other_prefixes) = self.prefixes.finish();
        let classes: &[&'static str] = match options.now {
            Some(_) => &["none", "live", "expired"],
            None => &["none", "any"],
        };
        let [biggest, longest, hottest] = self.tops.map(Top::finish);
        Stats {
            total: self.total,
            types: types.filter(|(_, sum)| sum.keys > 0).collect(),
            encodings: encodings.filter_map(encoding).collect(),
            dbs: self.dbs,
            other_dbs: self.other_dbs,
            ttl: classes.iter().copied().zip(self.ttl).collect(),
            since,
            ttls: match since {
                Some(_) => buckets(&TTLS, None, &self.ttls),
                None => Vec::new(),
            },
            sizes: buckets(&SIZES, Some(0), &self.sizes),
            separator: options.separator.clone(),
            depth: options.depth,
            prefixes_counted: prefixes.len() as u64,
            prefixes,
            without_prefix,
            other_prefixes,
            biggest,
            longest,
            hottest,
            with_freq: self.with_freq,
        }
    }
}

fn add_at(sums: &mut [Sum], place: usize, sum: &Sum) {
    if let Some(into) = sums.get_mut(place) {
        into.add(sum);
    }
}

fn add_all(sums: &mut [Sum], next: &[Sum]) {
    for (into, next) in sums.iter_mut().zip(next) {
        into.add(next);
    }
}

/// In which range a number lies, the upper ends of which are given.
fn place_in(ends: &[i64], number: i64) -> usize {
    ends.partition_point(|end| *end <= number)
}

fn buckets(ends: &[i64], first: Option<i64>, sums: &[Sum]) -> Vec<Bucket> {
    let from = std::iter::once(first).chain(ends.iter().copied().map(Some));
    let below = ends.iter().copied().map(Some).chain([None]);
    let bucket = |((from, below), sum): ((_, _), &Sum)| Bucket {
        from,
        below,
        sum: *sum,
    };
    from.zip(below).zip(sums).map(bucket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_before_its_upper_end() {
        for (number, place) in [(-1, 0), (0, 1), (59, 1), (60, 2), (i64::MAX, 7)] {
            assert_eq!(place_in(&TTLS, number), place, "{number}");
        }
        let sums = [Sum::default(); SIZES.len() + 1];
        let all = buckets(&SIZES, Some(0), &sums);
        assert_eq!(all.len(), sums.len());
        assert_eq!((all[0].from, all[0].below), (Some(0), Some(64)));
        assert_eq!((all[11].from, all[11].below), (Some(64 << 20), None));
    }
}
