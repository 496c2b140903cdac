//! The statistics of Valkey 9.1's checker of snapshots: per database and type, how many keys and
//! elements, and how large.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::compat::value::types;

/// How they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Table,
    Info,
    Csv,
}

/// Figures of every database and type.
#[derive(Debug, Default)]
pub(super) struct Stats {
    dbs: BTreeMap<u32, [Figures; TYPES.len()]>,
    /// The value that is being read.
    open: Measure,
}

/// What is in a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Measure {
    /// Its elements, as the server counts them.
    pub(super) count: u64,
    bytes: u64,
    longest: u64,
    sizes: Histogram,
}

impl Measure {
    /// Takes the size of something that is measured, without counting it.
    pub(super) fn size(&mut self, size: u64) {
        self.bytes = self.bytes.saturating_add(size);
        self.longest = self.longest.max(size);
        self.sizes.add(size, 1);
    }
}

/// Figures of one type in one database.
#[derive(Clone, Debug, Default)]
struct Figures {
    keys: u64,
    expire_keys: u64,
    expired: u64,
    key_bytes: u64,
    most: u64,
    elements: Measure,
    counts: Histogram,
}

impl Stats {
    /// Begins a value.
    pub(super) fn begin(&mut self) -> &mut Measure {
        self.open = Measure::default();
        &mut self.open
    }

    /// Ends it.
    pub(super) fn end(&mut self, db: u64, number: u8, key: u64, expires: bool, expired: bool) {
        // Numbers of databases are integers of 32 bits there, and what is below 0 has no place.
        let [low @ .., _, _, _, _] = db.to_le_bytes();
        let Ok(db) = u32::try_from(i32::from_le_bytes(low)) else {
            return;
        };
        let value = std::mem::take(&mut self.open);
        let figures = self.dbs.entry(db).or_default();
        let Some(figures) = figures.get_mut(column(number)) else {
            return;
        };
        figures.keys += 1;
        figures.expire_keys += u64::from(expires);
        figures.expired += u64::from(expired);
        figures.key_bytes = figures.key_bytes.saturating_add(key);
        figures.most = figures.most.max(value.count);
        figures.counts.add(value.count, 1);
        let all = &mut figures.elements;
        all.count = all.count.saturating_add(value.count);
        all.bytes = all.bytes.saturating_add(value.bytes);
        all.longest = all.longest.max(value.longest);
        for (size, count) in value.sizes.0 {
            all.sizes.add(size, count);
        }
    }

    /// All of it as text.
    pub(super) fn text(&self, form: Form) -> String {
        let mut out = String::new();
        let last = self.dbs.last_key_value().map_or(0, |(db, _)| *db);
        let none = Default::default();
        for db in 0..=last.min(EMPTY_SHOWN) {
            write_db(&mut out, db, self.dbs.get(&db).unwrap_or(&none), form);
        }
        for (db, figures) in self.dbs.range(EMPTY_SHOWN.saturating_add(1)..) {
            write_db(&mut out, *db, figures, form);
        }
        out
    }
}

fn write_db(out: &mut String, db: u32, figures: &[Figures; TYPES.len()], form: Form) {
    if form != Form::Info {
        write_row(out, db, "type.name", TYPES.map(str::to_owned), form);
    }
    for (name, tell) in ROWS {
        let values = std::array::from_fn(|at| figures.get(at).map(tell).unwrap_or_default());
        write_row(out, db, name, values, form);
    }
}

fn write_row(out: &mut String, db: u32, name: &str, values: [String; TYPES.len()], form: Form) {
    // Writing to a string cannot fail.
    match form {
        Form::Table => {
            let _ = write!(out, "{:<30}", format!("db.{db}.{name}"));
            for value in values {
                let _ = write!(out, "\t{value:<5}");
            }
            out.push('\n');
        }
        Form::Csv => {
            let _ = writeln!(out, "db.{db}.{name},{}", values.join(","));
        }
        Form::Info => {
            for (of, value) in TYPES.iter().zip(values) {
                let _ = writeln!(out, "[info] db.{db}.type.{of}.{name}:{value}");
            }
        }
    }
}

/// Which column a type is counted in. What a module has written stands there as a text.
fn column(number: u8) -> usize {
    match number {
        types::LIST | types::LIST_ZIPLIST | types::QUICKLIST | types::QUICKLIST_2 => 1,
        types::SET | types::INTSET | types::SET_LISTPACK => 2,
        types::ZSET | types::ZSET_2 | types::ZSET_ZIPLIST | types::ZSET_LISTPACK => 3,
        types::HASH
        | types::HASH_2
        | types::ZIPMAP
        | types::HASH_ZIPLIST
        | types::HASH_LISTPACK => 4,
        types::STREAM | types::STREAM_2 | types::STREAM_3 => 6,
        _ => 0,
    }
}

/// How often each value came, to three digits: as high dynamic range histograms keep them.
#[derive(Clone, Debug, Default)]
struct Histogram(BTreeMap<u64, u64>);

impl Histogram {
    fn add(&mut self, value: u64, count: u64) {
        // What does not fit is not counted.
        if value >= BOUND {
            return;
        }
        let width = width(value);
        *self.0.entry(value / width * width).or_default() += count;
    }

    /// The value that so many of a hundred do not exceed.
    fn percentile(&self, percent: f64) -> f64 {
        let total: u64 = self.0.values().sum();
        let wanted = ((percent / 100.0 * total as f64) + 0.5) as u64;
        let mut seen = 0;
        for (value, count) in &self.0 {
            seen += count;
            if seen >= wanted.max(1) {
                return (value + width(*value) - 1) as f64;
            }
        }
        0.0
    }
}

/// How far apart values must lie to be told apart from this one.
fn width(value: u64) -> u64 {
    1 << (u64::BITS - value.leading_zeros()).saturating_sub(EXACT_BITS)
}

fn average(sum: u64, count: u64) -> String {
    match count {
        0 => "0.00".to_owned(),
        // The tool reckons with single precision here.
        _ => format!("{:.2}", sum as f32 / count as f32),
    }
}

fn percentile(histogram: &Histogram, percent: f64) -> String {
    format!("{:.2}", histogram.percentile(percent))
}

/// A row: its name, and what it tells.
type Row = (&'static str, fn(&Figures) -> String);

const ROWS: [Row; 17] = [
    ("keys.total", |f| f.keys.to_string()),
    ("expire_keys.total", |f| f.expire_keys.to_string()),
    ("already_expired.total", |f| f.expired.to_string()),
    ("keys.size", |f| f.key_bytes.to_string()),
    ("keys.value_size", |f| f.elements.bytes.to_string()),
    ("elements.total", |f| f.elements.count.to_string()),
    ("elements.size", |f| f.elements.bytes.to_string()),
    ("elements.num.max", |f| f.most.to_string()),
    ("elements.num.avg", |f| average(f.elements.count, f.keys)),
    ("elements.num.p99", |f| percentile(&f.counts, 99.0)),
    ("elements.num.p90", |f| percentile(&f.counts, 90.0)),
    ("elements.num.p50", |f| percentile(&f.counts, 50.0)),
    ("elements.size.max", |f| f.elements.longest.to_string()),
    ("elements.size.avg", |f| {
        average(f.elements.bytes, f.elements.count)
    }),
    ("elements.size.p99", |f| percentile(&f.elements.sizes, 99.0)),
    ("elements.size.p90", |f| percentile(&f.elements.sizes, 90.0)),
    ("elements.size.p50", |f| percentile(&f.elements.sizes, 50.0)),
];

const TYPES: [&str; 7] = ["string", "list", "set", "zset", "hash", "module", "stream"];
/// The histograms of the tool keep values below this.
const BOUND: u64 = 1 << 21;
/// Values of so many bits are kept as they are.
const EXACT_BITS: u32 = 11;
/// Up to this database those without keys are shown too.
const EMPTY_SHOWN: u32 = 16_383;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_tool() {
        // The squares up to 199 x 199, as measured with Valkey 9.1.2.
        let mut histogram = Histogram::default();
        for i in 1..200u64 {
            histogram.add(i * i, 1);
        }
        let told = [99.0, 90.0, 50.0].map(|p| histogram.percentile(p));
        assert_eq!(told, [38_815.0, 32_047.0, 10_007.0]);
        assert_eq!(Histogram::default().percentile(99.0), 0.0);
    }
}
