//! Sets: types 2, 11, 20, and Dragonfly's set with expiries.

use crate::bytes::{Element, Problem, number};
use crate::encoding::intset::{self, Intset};
use crate::error::{Encoding, Result, printable};
use crate::rdb::string::StringWriter;
use crate::rdb::value::encode::{Body, PackedWriter, cannot_hold, empty, too_large};
use crate::rdb::value::{Packed, Reader, Scratch};
use crate::record::{DataType, RdbType, ValueVisitor};

pub(super) fn walk<V: ValueVisitor + ?Sized>(
    rdb_type: RdbType,
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    let seen = match rdb_type {
        RdbType::SetTable | RdbType::DragonflySet => {
            let count = reader.number()?;
            to.begin(DataType::Set, Some(count))?;
            for _ in 0..count {
                let at = reader.offset();
                let stored = reader.stored()?;
                to.element(scratch.first.resolve(stored, at)?)?;
                if rdb_type == RdbType::DragonflySet {
                    reader.stored()?;
                }
            }
            count
        }
        RdbType::SetIntset => {
            let (blob, place) = reader.blob(&mut scratch.blob)?;
            let set = Intset::open(blob)
                .map_err(|fault| place.error(fault, blob.len(), Encoding::Intset))?;
            to.begin(DataType::Set, Some(set.count()))?;
            set.for_each(|member| to.element(Element::Int(member)))?;
            if let Some(fault) = set.flaw() {
                to.flaw(fault.problem, place.of(fault, blob.len(), Encoding::Intset))?;
            }
            set.count()
        }
        _ => {
            let (mut pack, count) = Packed::listpack(reader.blob(&mut scratch.blob)?)?;
            to.begin(DataType::Set, count)?;
            while let Some(element) = pack.next()? {
                to.element(element)?;
            }
            pack.finish(to)?;
            pack.seen()
        }
    };
    if seen == 0 {
        let problem = match rdb_type {
            RdbType::SetIntset => Problem::EmptyBlob,
            _ => Problem::EmptyCollection,
        };
        to.flaw(problem, reader.place())?;
    }
    to.end(DataType::Set)
}

/// Writes sets. Members keep the order they are told in; those of an intset are sorted, and one
/// told twice is written once there.
#[derive(Debug)]
pub(super) struct SetEncoder {
    rdb_type: RdbType,
    body: Body,
    pack: PackedWriter,
    integers: Vec<i64>,
    blob: Vec<u8>,
}

impl SetEncoder {
    pub(super) fn new(rdb_type: RdbType, strings: StringWriter) -> Self {
        SetEncoder {
            rdb_type,
            body: Body::new(strings),
            pack: PackedWriter::listpack(),
            integers: Vec::new(),
            blob: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn element(&mut self, member: Element<'_>) -> Result<()> {
        match self.rdb_type {
            RdbType::SetTable => {
                self.body.string(member);
                self.body.count();
            }
            RdbType::SetIntset => {
                let integer = match member {
                    Element::Int(n) => Some(n),
                    Element::Bytes(bytes) => number::parse_canonical_i64(bytes),
                };
                match integer {
                    Some(n) => self.integers.push(n),
                    None => {
                        let text = printable(&member.to_bytes());
                        let what = format_args!("the member \"{text}\", which is no integer");
                        return Err(cannot_hold(self.rdb_type, what));
                    }
                }
            }
            _ => self.pack.push(member),
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match self.rdb_type {
            RdbType::SetTable => self.body.finish(out),
            RdbType::SetIntset => {
                if self.integers.is_empty() {
                    // Servers drop other empty collections while loading, but refuse this one.
                    return Err(cannot_hold(self.rdb_type, format_args!("no members")));
                }
                intset::write(&mut self.integers, &mut self.blob)
                    .map_err(|problem| too_large(self.rdb_type, problem))?;
                self.body.blob(&self.blob);
                self.body.move_to(out);
                empty(&mut self.integers);
                empty(&mut self.blob);
            }
            _ => {
                self.pack.finish(self.rdb_type, &mut self.body)?;
                self.body.move_to(out);
            }
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.body.clear();
        self.pack.clear();
        empty(&mut self.integers);
        empty(&mut self.blob);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::rdb::value::testing::{
        Told, encoded, random, random_string, round_trip, survives_damage,
    };

    const ALL: [RdbType; 3] = [RdbType::SetTable, RdbType::SetIntset, RdbType::SetListpack];

    fn set<T: AsRef<[u8]>>(members: &[T]) -> Vec<Told> {
        members.iter().map(Told::element).collect()
    }

    #[test]
    fn what_is_written_reads_back_at_every_edge() {
        let mut numbers: Vec<i64> = Vec::new();
        for bits in [7, 8, 12, 13, 15, 16, 23, 24, 31, 32, 63] {
            let edge = if bits == 63 { i64::MAX } else { 1i64 << bits };
            for n in [edge - 1, edge, edge.wrapping_add(1)] {
                numbers.extend([n, n.wrapping_neg()]);
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
        for rdb_type in ALL {
            round_trip(rdb_type, &set(&texts));
            for text in &texts {
                round_trip(rdb_type, &set(&[text]));
            }
        }
        for len in [0, 1, 20, 21, 63, 64, 4095, 4096, 16_383, 16_384, 70_000] {
            let members = ["x".repeat(len), "y".repeat(len), "z".into()];
            round_trip(RdbType::SetTable, &set(&members));
            round_trip(RdbType::SetListpack, &set(&members));
        }
        for count in [63, 64, 16_383, 16_384, 65_534, 65_535, 65_536] {
            let members: Vec<String> = (0..count).map(|n| n.to_string()).collect();
            ALL.iter()
                .for_each(|&t| drop(round_trip(t, &set(&members))));
        }
    }

    #[test]
    fn random_sets_read_back() {
        let mut seed = 2;
        for round in 0..40 {
            let count = [1, 5, 40, 300][round % 4];
            let members: Vec<_> = (0..count).map(|_| random_string(&mut seed)).collect();
            round_trip(RdbType::SetTable, &set(&members));
            round_trip(RdbType::SetListpack, &set(&members));
            let shift = random(&mut seed) % 64;
            let mut numbers: Vec<i64> = (0..count)
                .map(|_| random(&mut seed).cast_signed() >> shift)
                .collect();
            numbers.sort_unstable();
            numbers.dedup();
            let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
            round_trip(RdbType::SetIntset, &set(&texts));
        }
    }

    /// From Redis 6.2.5 (2, 11) and 8.2.3 (20), `rdbcompression no`; Valkey 9.1.2 writes the same.
    #[test]
    fn writes_what_the_servers_write() {
        let written = |rdb_type, members: &[Told]| encoded(rdb_type, members).unwrap();
        assert_eq!(
            written(RdbType::SetIntset, &set(&["3", "-1", "2"])),
            b"\x0e\x02\0\0\0\x03\0\0\0\xff\xff\x02\0\x03\0"
        );
        assert_eq!(
            written(RdbType::SetListpack, &set(&["b"])),
            b"\x0a\x0a\0\0\0\x01\0\x81b\x02\xff"
        );
        assert_eq!(
            written(RdbType::SetTable, &set(&["w".repeat(65)])),
            [b"\x01\x40\x41", &[b'w'; 65][..]].concat()
        );
    }

    #[test]
    fn damage_is_an_error_inside_the_value_or_none() {
        for rdb_type in ALL {
            survives_damage(
                rdb_type,
                &encoded(rdb_type, &set(&["-5", "300", "70000"])).unwrap(),
            );
        }
        let members = set(&["abc", "", "2147483648", &"x".repeat(70)]);
        survives_damage(
            RdbType::SetTable,
            &encoded(RdbType::SetTable, &members).unwrap(),
        );
        survives_damage(
            RdbType::SetListpack,
            &encoded(RdbType::SetListpack, &members).unwrap(),
        );
    }

    #[test]
    fn an_intset_takes_integers_only_sorts_them_and_is_never_empty() {
        let sorted = encoded(RdbType::SetIntset, &set(&["1", "2"])).unwrap();
        assert_eq!(
            encoded(RdbType::SetIntset, &set(&["2", "1", "2"])).unwrap(),
            sorted
        );
        for members in [&["1", "01"][..], &["x"], &["9223372036854775808"], &[]] {
            let error = encoded(RdbType::SetIntset, &set(members)).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
        }
    }
}
