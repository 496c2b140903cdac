//! Which keys a command is asked for: by name, type, database, slot, expiry, size and elements.
//!
//! Every kind of test must pass; within a kind one of its values is enough. What costs nothing is
//! asked first, the key's name only then, and how many elements a value has only at the end.

use regex::bytes::Regex;

use crate::error::{Error, Result};
use crate::record::glob::Glob;
use crate::record::room::Room;
use crate::record::{DataType, Entry, Stored, slot};

/// What is asked for, as the command line says it. The default asks for everything.
#[derive(Clone, Debug, Default)]
pub struct FilterOptions {
    /// Patterns as in `KEYS`; a key must match one of them, if there are any.
    pub keys: Vec<Vec<u8>>,
    /// A regular expression that must match somewhere in the key.
    pub key_regex: Option<String>,
    /// Patterns as in `KEYS`; a key must match none of them.
    pub not_keys: Vec<Vec<u8>>,
    /// Data types, if there are any.
    pub types: Vec<DataType>,
    /// Databases, if there are any.
    pub dbs: Vec<u32>,
    /// First and last slot of ranges, both included, if there are any.
    pub slots: Vec<(u16, u16)>,
    /// What the expiry must be.
    pub ttl: Option<TtlClass>,
    /// How many bytes the value must have in the file, as it stands there: compressed strings and
    /// packed forms count as they are, the key does not count.
    pub size: Option<Comparison>,
    /// How many elements, fields, members or entries the value must have; strings and module values
    /// have one.
    pub elements: Option<Comparison>,
    /// How many keys to take at the most. Not a matter of one key: see [`Filter::limit`].
    pub limit: Option<u64>,
    /// The time that expiries are judged by, Unix ms.
    pub now: Option<i64>,
}

/// Classes of expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlClass {
    /// The key has no expiry.
    None,
    /// It has one.
    Any,
    /// It has one that has passed: it lies before now, as the servers judge it.
    Expired,
    /// It has one that has not passed.
    Live,
}

impl TtlClass {
    /// The class of this name.
    pub fn from_name(name: &str) -> Option<TtlClass> {
        match name {
            "none" => Some(TtlClass::None),
            "any" => Some(TtlClass::Any),
            "expired" => Some(TtlClass::Expired),
            "live" => Some(TtlClass::Live),
            _ => None,
        }
    }

    fn needs_now(self) -> bool {
        matches!(self, TtlClass::Expired | TtlClass::Live)
    }

    fn holds(self, expires_at: Option<i64>, now: i64) -> bool {
        match self {
            TtlClass::None => expires_at.is_none(),
            TtlClass::Any => expires_at.is_some(),
            TtlClass::Expired => expires_at.is_some_and(|at| at < now),
            TtlClass::Live => expires_at.is_some_and(|at| at >= now),
        }
    }
}

/// How a number is to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `<`
    Less,
    /// `<=`
    LessEq,
    /// `=`, `==`, or nothing
    Equal,
    /// `>=`
    GreaterEq,
    /// `>`
    Greater,
}

/// A condition on a number, as `>1000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How the number is to compare.
    pub op: CompareOp,
    /// With what.
    pub value: u64,
}

impl Comparison {
    /// From `>1000`, `>=1MiB`, `<5`, `<=5`, `=3` or `3`, which means `=3`.
    ///
    /// # Errors
    /// Text that is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        const OPS: [(&str, CompareOp); 6] = [
            (">=", CompareOp::GreaterEq),
            ("<=", CompareOp::LessEq),
            ("==", CompareOp::Equal),
            (">", CompareOp::Greater),
            ("<", CompareOp::Less),
            ("=", CompareOp::Equal),
        ];
        let text = text.trim();
        let (op, number) = OPS
            .iter()
            .find_map(|&(sign, op)| Some((op, text.strip_prefix(sign)?)))
            .unwrap_or((CompareOp::Equal, text));
        match parse_size(number) {
            Some(value) => Ok(Comparison { op, value }),
            None => Err(Error::usage(format!(
                "`{text}` is no condition on a number: expected one like `>1000`, `>=1MiB`, `<5` or `=3`"
            ))),
        }
    }

    /// Whether the number is as asked.
    pub fn matches(self, number: u64) -> bool {
        match self.op {
            CompareOp::Less => number < self.value,
            CompareOp::LessEq => number <= self.value,
            CompareOp::Equal => number == self.value,
            CompareOp::GreaterEq => number >= self.value,
            CompareOp::Greater => number > self.value,
        }
    }
}

/// A number of bytes: `4096`, `4KiB` (times 1024) or `10MB` (times a million), in any case. `K` alone
/// is none, since half of all programs mean the one by it and half the other.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The options, made ready for asking.
#[derive(Clone, Debug)]
pub struct Filter {
    keys: Vec<Glob>,
    key_regex: Option<Regex>,
    not_keys: Vec<Glob>,
    /// One bit a data type.
    types: Option<u32>,
    dbs: Vec<u32>,
    slots: Vec<(u16, u16)>,
    ttl: Option<TtlClass>,
    now: i64,
    size: Option<Comparison>,
    elements: Option<Comparison>,
    limit: Option<u64>,
}

impl Filter {
    /// Makes the options ready.
    ///
    /// # Errors
    /// A regular expression that is none, a class of expiry that needs the time, a range of slots
    /// that ends before it begins or beyond the last slot.
    pub fn new(options: &FilterOptions) -> Result<Self> {
        let globs = |patterns: &[Vec<u8>]| patterns.iter().map(|p| Glob::new(p)).collect();
        let key_regex = match &options.key_regex {
            None => None,
            Some(text) => Some(Regex::new(text).map_err(|error| {
                Error::usage(format!("`{text}` is no regular expression: {error}"))
            })?),
        };
        if options.ttl.is_some_and(TtlClass::needs_now) && options.now.is_none() {
            return Err(Error::usage(
                "which keys are expired or live depends on the time: say it with `--now TIME`",
            ));
        }
        for &(first, last) in &options.slots {
            if first > last || last >= slot::SLOTS {
                return Err(Error::usage(format!(
                    "`{first}-{last}` is no range of slots: they go from 0 to {}",
                    slot::SLOTS - 1
                )));
            }
        }
        let types = options.types.iter().map(|&t| type_bit(t));
        Ok(Filter {
            keys: globs(&options.keys),
            key_regex,
            not_keys: globs(&options.not_keys),
            types: types.reduce(|a, b| a | b),
            dbs: options.dbs.clone(),
            slots: options.slots.clone(),
            ttl: options.ttl,
            now: options.now.unwrap_or_default(),
            size: options.size,
            elements: options.elements,
            limit: options.limit,
        })
    }

    /// True when every key passes: nothing needs to be asked. The limit does not count here.
    pub fn is_everything(&self) -> bool {
        self.types.is_none()
            && self.dbs.is_empty()
            && self.ttl.is_none()
            && self.size.is_none()
            && self.elements.is_none()
            && !self.asks_for_key()
    }

    /// How many of the keys that pass are wanted, the first in the order of the output. One filter
    /// serves many threads, so whoever joins their output counts.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Whether the key is asked for. `elements` counts what its value consists of, and is called
    /// only if all else is as asked.
    ///
    /// # Errors
    /// A key's name that does not decompress, or what `elements` returned.
    pub fn matches(
        &self,
        entry: &Entry<'_>,
        room: &mut Room,
        elements: impl FnOnce() -> Result<u64>,
    ) -> Result<bool> {
        if !self.matches_record(entry) {
            return Ok(false);
        }
        if self.asks_for_key() && !self.matches_key(entry, room)? {
            return Ok(false);
        }
        match self.elements {
            Some(asked) => Ok(asked.matches(elements()?)),
            None => Ok(true),
        }
    }

    /// Whether a key of this name is asked for: by patterns, regular expression and slot.
    pub fn matches_name(&self, name: &[u8]) -> bool {
        let in_slot = || {
            let slot = slot::of_key(name);
            let mut ranges = self.slots.iter();
            ranges.any(|&(first, last)| (first..=last).contains(&slot))
        };
        (self.keys.is_empty() || self.keys.iter().any(|glob| glob.matches(name)))
            && !self.not_keys.iter().any(|glob| glob.matches(name))
            && self.key_regex.as_ref().is_none_or(|re| re.is_match(name))
            && (self.slots.is_empty() || in_slot())
    }

    /// What the record says without looking into key or value.
    #[inline]
    fn matches_record(&self, entry: &Entry<'_>) -> bool {
        let data_type = entry.value.rdb_type.data_type();
        (self.dbs.is_empty() || self.dbs.contains(&entry.db))
            && self
                .types
                .is_none_or(|types| types & type_bit(data_type) != 0)
            && self
                .ttl
                .is_none_or(|class| class.holds(entry.expires_at, self.now))
            && self
                .size
                .is_none_or(|asked| asked.matches(entry.value.bytes.len() as u64))
    }

    fn matches_key(&self, entry: &Entry<'_>, room: &mut Room) -> Result<bool> {
        // A compressed name stands right before the value.
        let at = match entry.key {
            Stored::Lzf { data, .. } => entry.value.at.saturating_sub(data.len() as u64),
            Stored::Plain(_) => entry.at,
        };
        let name = room.resolve_key(entry.key, at)?;
        Ok(self.matches_name(name.bytes(&mut itoa::Buffer::new())))
    }

    fn asks_for_key(&self) -> bool {
        !(self.keys.is_empty()
            && self.not_keys.is_empty()
            && self.key_regex.is_none()
            && self.slots.is_empty())
    }
}

fn type_bit(data_type: DataType) -> u32 {
    1 << data_type as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{Element, Problem};
    use crate::error::ErrorKind;
    use crate::record::{RawValue, RdbType};

    fn entry<'d>(key: &'d [u8], rdb_type: RdbType, value: &'d [u8]) -> Entry<'d> {
        Entry {
            db: 0,
            at: 100,
            key: Stored::Plain(Element::Bytes(key)),
            expires_at: None,
            idle: None,
            freq: None,
            meta: None,
            value: RawValue {
                rdb_type,
                bytes: value,
                at: 200,
            },
        }
    }

    fn filter(options: FilterOptions) -> Filter {
        Filter::new(&options).expect("the options are sound")
    }

    /// Whether it passes where nothing may be counted.
    fn passes(filter: &Filter, entry: &Entry<'_>) -> bool {
        let uncounted = || panic!("nothing asks for the number of elements");
        filter
            .matches(entry, &mut Room::default(), uncounted)
            .expect("nothing is damaged")
    }

    #[test]
    fn no_options_ask_for_everything() {
        let all = filter(FilterOptions::default());
        assert!(all.is_everything());
        assert!(passes(&all, &entry(b"k", RdbType::String, b"\x01v")));
        let limited = filter(FilterOptions {
            limit: Some(3),
            ..Default::default()
        });
        assert!(limited.is_everything());
        assert_eq!(limited.limit(), Some(3));
    }

    #[test]
    fn one_of_a_kind_is_enough_and_every_kind_must_hold() {
        let one = filter(FilterOptions {
            keys: vec![b"user:*".to_vec(), b"post:?".to_vec()],
            not_keys: vec![b"*:tmp".to_vec(), b"*:old".to_vec()],
            types: vec![DataType::Hash, DataType::List],
            dbs: vec![0, 3],
            ..Default::default()
        });
        assert!(!one.is_everything());
        let try_one = |key: &[u8], rdb_type, db| {
            passes(
                &one,
                &Entry {
                    db,
                    ..entry(key, rdb_type, b"")
                },
            )
        };
        assert!(try_one(b"user:1", RdbType::HashListpack, 0));
        assert!(try_one(b"post:1", RdbType::Quicklist2, 3));
        assert!(!try_one(b"post:10", RdbType::Quicklist2, 3));
        assert!(!try_one(b"user:1:tmp", RdbType::HashListpack, 0));
        assert!(!try_one(b"user:1:old", RdbType::HashListpack, 0));
        assert!(!try_one(b"user:1", RdbType::String, 0));
        assert!(!try_one(b"user:1", RdbType::HashListpack, 1));
    }

    #[test]
    fn names_are_the_string_whatever_its_form_in_the_file() {
        let exact = |name: &[u8]| {
            filter(FilterOptions {
                keys: vec![name.to_vec()],
                ..Default::default()
            })
        };
        let mut number = entry(b"", RdbType::String, b"");
        number.key = Stored::Plain(Element::Int(-12));
        assert!(passes(&exact(b"-12"), &number));
        assert!(!passes(&exact(b"-1"), &number));

        // "abc" forty times, as a server compressed it.
        let data = [3, b'a', b'b', b'c', b'a', 0xe0, 0x69, 2, 1, b'b', b'c'];
        let mut packed = entry(b"", RdbType::String, b"");
        packed.key = Stored::Lzf {
            data: &data,
            len: 120,
        };
        assert!(passes(&exact(&b"abc".repeat(40)), &packed));
        let tail = filter(FilterOptions {
            key_regex: Some("^a.*(abc){30}$".to_owned()),
            ..Default::default()
        });
        assert!(passes(&tail, &packed));
        packed.key = Stored::Lzf {
            data: &data,
            len: 121,
        };
        let error = tail
            .matches(&packed, &mut Room::default(), || Ok(0))
            .expect_err("the length is wrong");
        assert!(matches!(error.problem(), Some(Problem::LzfLength { .. })));
        assert_eq!(error.place().map(|place| place.offset), Some(200 - 11));
        assert_eq!(error.what(), Some(crate::error::What::Key));
    }

    #[test]
    fn expiries_are_judged_by_the_time_given_and_never_by_a_clock() {
        let class = |ttl, now| {
            filter(FilterOptions {
                ttl: Some(ttl),
                now,
                ..Default::default()
            })
        };
        let at = |expires_at| Entry {
            expires_at,
            ..entry(b"k", RdbType::String, b"")
        };
        let classes = [
            (TtlClass::None, [true, false, false, false]),
            (TtlClass::Any, [false, true, true, true]),
            (TtlClass::Expired, [false, true, false, false]),
            (TtlClass::Live, [false, false, true, true]),
        ];
        for (ttl, expected) in classes {
            let filter = class(ttl, Some(1000));
            let found = [None, Some(999), Some(1000), Some(1001)].map(|t| passes(&filter, &at(t)));
            assert_eq!(found, expected, "{ttl:?}");
        }
        assert!(passes(&class(TtlClass::Any, None), &at(Some(5))));
        for ttl in [TtlClass::Expired, TtlClass::Live] {
            let options = FilterOptions {
                ttl: Some(ttl),
                ..Default::default()
            };
            let error = Filter::new(&options).expect_err("the time is missing");
            assert!(matches!(error.kind(), ErrorKind::Usage(text) if text.contains("--now")));
        }
    }

    #[test]
    fn the_size_is_that_of_the_value_in_the_file() {
        let large = filter(FilterOptions {
            size: Some(Comparison::parse(">=5").expect("it parses")),
            ..Default::default()
        });
        assert!(passes(&large, &entry(b"k", RdbType::String, b"\x04four")));
        assert!(!passes(
            &large,
            &entry(b"a long key", RdbType::String, b"\x03two")
        ));
    }

    #[test]
    fn elements_are_counted_only_for_what_passes_all_else() {
        let many = filter(FilterOptions {
            keys: vec![b"k*".to_vec()],
            elements: Some(Comparison::parse(">10").expect("it parses")),
            ..Default::default()
        });
        let room = &mut Room::default();
        let k = entry(b"k", RdbType::HashTable, b"");
        assert!(many.matches(&k, room, || Ok(11)).expect("sound"));
        assert!(!many.matches(&k, room, || Ok(10)).expect("sound"));
        assert!(!passes(&many, &entry(b"x", RdbType::HashTable, b"")));
        let failed = many.matches(&k, room, || Err(Error::limit("too deep")));
        assert!(failed.is_err());
    }

    #[test]
    fn slots_are_ranges_with_both_ends() {
        let slots = |ranges: &[(u16, u16)]| FilterOptions {
            slots: ranges.to_vec(),
            ..Default::default()
        };
        let foo = entry(b"foo", RdbType::String, b""); // slot 12182
        assert!(passes(&filter(slots(&[(12_182, 12_182)])), &foo));
        assert!(passes(&filter(slots(&[(0, 1), (12_000, 16_383)])), &foo));
        assert!(!passes(&filter(slots(&[(0, 12_181)])), &foo));
        for bad in [(5, 4), (0, 16_384)] {
            assert!(Filter::new(&slots(&[bad])).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn comparisons_parse_with_units_and_nothing_else_passes() {
        let cases = [
            (">1000", CompareOp::Greater, 1000),
            (">=1MiB", CompareOp::GreaterEq, 1 << 20),
            ("<5", CompareOp::Less, 5),
            ("<= 10 kb", CompareOp::LessEq, 10_000),
            ("=3", CompareOp::Equal, 3),
            ("==3", CompareOp::Equal, 3),
            (" 1000 ", CompareOp::Equal, 1000),
            (
                ">18446744073709551615",
                CompareOp::Greater,
                18_446_744_073_709_551_615,
            ),
        ];
        for (text, op, value) in cases {
            let parsed = Comparison::parse(text).expect(text);
            assert_eq!(parsed, Comparison { op, value }, "{text}");
        }
        for text in [
            "",
            ">",
            "=>5",
            "-1",
            "+1",
            "1.5",
            "5K",
            "big",
            "18446744073709551616",
            "99999999999TiB",
        ] {
            assert!(Comparison::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn comparisons_hold_on_their_own_side_only() {
        let holds = |text: &str| {
            let asked = Comparison::parse(text).expect(text);
            [4, 5, 6].map(|n| asked.matches(n))
        };
        assert_eq!(holds("<5"), [true, false, false]);
        assert_eq!(holds("<=5"), [true, true, false]);
        assert_eq!(holds("5"), [false, true, false]);
        assert_eq!(holds(">=5"), [false, true, true]);
        assert_eq!(holds(">5"), [false, false, true]);
    }

    #[test]
    fn a_regular_expression_takes_bytes_and_a_bad_one_is_named() {
        let re = |text: &str| {
            Filter::new(&FilterOptions {
                key_regex: Some(text.to_owned()),
                ..Default::default()
            })
        };
        let bytes = re(r"(?-u)\xff\x00$").expect("it compiles");
        assert!(bytes.matches_name(b"a\xff\x00"));
        assert!(!bytes.matches_name(b"a\xff\x00b"));
        let error = re("a(").expect_err("it is open");
        assert!(matches!(error.kind(), ErrorKind::Usage(text) if text.contains("`a(`")));
    }
}
