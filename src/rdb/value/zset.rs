//! Sorted sets: types 3, 5, 12, 17.

use std::cmp::Ordering;

use crate::bytes::number::{self, ScoreText};
use crate::bytes::parse::{self, Parsed};
use crate::bytes::{Element, Problem};
use crate::error::Result;
use crate::rdb::string::{self, StringWriter};
use crate::rdb::value::encode::{Body, PackedWriter, cannot_hold, empty};
use crate::rdb::value::{Packed, Reader, Scratch};
use crate::record::{DataType, RdbType, ValueVisitor};

const TEXT_NAN: u8 = 253;
const TEXT_INF: u8 = 254;
const TEXT_NEG_INF: u8 = 255;

/// A count, then members each with a score.
pub(super) fn extent(rdb_type: RdbType, input: &[u8]) -> Parsed<'_, ()> {
    let (mut input, count) = string::number(input)?;
    for _ in 0..count {
        (input, ()) = string::skip(input)?;
        (input, _) = match rdb_type {
            RdbType::ZsetText => score_text(input)?,
            _ => parse::take(input, 8)?,
        };
    }
    Ok((input, ()))
}

/// A double as text: a length byte and that many characters; three lengths stand for a value.
fn score_text(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, len) = parse::byte(input)?;
    match len {
        TEXT_NAN => Ok((rest, b"nan")),
        TEXT_INF => Ok((rest, b"inf")),
        TEXT_NEG_INF => Ok((rest, b"-inf")),
        _ => parse::take(rest, usize::from(len)),
    }
}

pub(super) fn walk<V: ValueVisitor + ?Sized>(
    rdb_type: RdbType,
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    let seen = match rdb_type {
        RdbType::ZsetText | RdbType::ZsetBinary => {
            let count = reader.number()?;
            to.begin(DataType::ZSet, Some(count))?;
            for _ in 0..count {
                let at = reader.offset();
                let stored = reader.stored()?;
                let place = reader.place();
                let (score, problem) = match rdb_type {
                    RdbType::ZsetText => score_of(Element::Bytes(reader.run(score_text)?)),
                    _ => {
                        let score = reader.run(parse::le_f64)?;
                        (score, score.is_nan().then_some(Problem::ScoreNan))
                    }
                };
                if let Some(problem) = problem {
                    to.flaw(problem, place)?;
                }
                to.member(scratch.first.resolve(stored, at)?, score)?;
            }
            count
        }
        _ => {
            let blob = reader.blob(&mut scratch.blob)?;
            let (mut pack, count) = match rdb_type {
                RdbType::ZsetZiplist => Packed::ziplist(blob)?,
                _ => Packed::listpack(blob)?,
            };
            to.begin(DataType::ZSet, count.map(|n| n / 2))?;
            let mut order = Order::default();
            while let Some(member) = pack.next()? {
                let count = pack.seen();
                let text = pack.expect(Problem::EntryGroups { count, group: 2 })?;
                let (score, problem) = score_of(text);
                if let Some(problem) = problem {
                    to.flaw(problem, pack.here())?;
                }
                if !order.follows(member, score) {
                    to.flaw(Problem::ScoreOrder, pack.here())?;
                }
                to.member(member, score)?;
            }
            pack.finish(to)?;
            pack.seen()
        }
    };
    if seen == 0 {
        to.flaw(Problem::EmptyCollection, reader.place())?;
    }
    to.end(DataType::ZSet)
}

/// The number that a packed score means, and what is wrong with it.
fn score_of(text: Element<'_>) -> (f64, Option<Problem>) {
    match text {
        // Exact: servers store an integer score only where the double holds it.
        Element::Int(n) => (n as f64, None),
        Element::Bytes(bytes) => match number::parse_double(bytes) {
            Some(score) if score.is_nan() => (score, Some(Problem::ScoreNan)),
            Some(score) => (score, None),
            None => (0.0, Some(Problem::ScoreText)),
        },
    }
}

/// Whether members come in the order that servers rely on: by score, then by bytes.
#[derive(Default)]
struct Order<'d> {
    last: Option<(Element<'d>, f64)>,
}

impl<'d> Order<'d> {
    #[inline]
    fn follows(&mut self, member: Element<'d>, score: f64) -> bool {
        let ordered = match self.last {
            None => true,
            Some((_, before)) if before < score => true,
            Some((last, before)) => before == score && last.to_bytes() <= member.to_bytes(),
        };
        self.last = Some((member, score));
        ordered
    }
}

/// Writes sorted sets. Members come out in the servers' order: ascending by score and bytes in a
/// blob, the other way round in type 5; in the order they were told in type 3.
#[derive(Debug)]
pub(super) struct ZSetEncoder {
    rdb_type: RdbType,
    score_text: ScoreText,
    body: Body,
    pack: PackedWriter,
    members: Vec<Member>,
    /// The members' bytes, one after the other.
    bytes: Vec<u8>,
    /// The members were told in the order in which they are written.
    in_order: bool,
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    score: f64,
    start: usize,
    end: usize,
}

impl ZSetEncoder {
    pub(super) fn new(rdb_type: RdbType, strings: StringWriter) -> Self {
        ZSetEncoder {
            rdb_type,
            score_text: match rdb_type {
                RdbType::ZsetListpack => ScoreText::Grisu2,
                _ => ScoreText::G17,
            },
            body: Body::new(strings),
            pack: match rdb_type {
                RdbType::ZsetListpack => PackedWriter::listpack(),
                _ => PackedWriter::ziplist(),
            },
            members: Vec::new(),
            bytes: Vec::new(),
            in_order: true,
            text: Vec::new(),
        }
    }

    pub(super) fn set_score_text(&mut self, style: ScoreText) {
        self.score_text = style;
    }

    #[inline]
    pub(super) fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        if score.is_nan() {
            let what = format_args!("a score that is not a number (NaN)");
            return Err(cannot_hold(self.rdb_type, what));
        }
        if self.rdb_type == RdbType::ZsetText {
            self.body.string(member);
            self.body.count();
            self.text_score(score);
            return Ok(());
        }
        let start = self.bytes.len();
        self.bytes
            .extend_from_slice(member.bytes(&mut itoa::Buffer::new()));
        let end = self.bytes.len();
        let next = Member { score, start, end };
        if let (true, Some(&last)) = (self.in_order, self.members.last()) {
            self.in_order = order(self.rdb_type, &self.bytes, &last, &next).is_le();
        }
        self.members.push(next);
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.rdb_type == RdbType::ZsetText {
            self.body.finish(out);
            return Ok(());
        }
        if !self.in_order {
            let (rdb_type, bytes) = (self.rdb_type, &self.bytes);
            self.members
                .sort_unstable_by(|a, b| order(rdb_type, bytes, a, b));
        }
        for member in &self.members {
            let element = Element::Bytes(member.bytes(&self.bytes));
            if self.rdb_type == RdbType::ZsetBinary {
                self.body.string(element);
                self.body.raw(&member.score.to_le_bytes());
                self.body.count();
                continue;
            }
            self.pack.push(element);
            self.pack
                .push(match packed_score(self.rdb_type, member.score) {
                    Some(n) => Element::Int(n),
                    None => {
                        self.text.clear();
                        number::write_double(&mut self.text, member.score, self.score_text);
                        Element::Bytes(&self.text)
                    }
                });
        }
        if self.rdb_type == RdbType::ZsetBinary {
            self.body.finish(out);
        } else {
            self.pack.finish(self.rdb_type, &mut self.body)?;
            self.body.move_to(out);
        }
        self.forget();
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.body.clear();
        self.pack.clear();
        self.forget();
    }

    fn forget(&mut self) {
        empty(&mut self.members);
        empty(&mut self.bytes);
        self.in_order = true;
    }

    /// The score of type 3; its length is at most 25.
    fn text_score(&mut self, score: f64) {
        if score.is_infinite() {
            let mark = if score > 0.0 { TEXT_INF } else { TEXT_NEG_INF };
            self.body.raw(&[mark]);
            return;
        }
        self.text.clear();
        number::write_double(&mut self.text, score, self.score_text);
        let len = u8::try_from(self.text.len()).unwrap_or_default();
        self.body.raw(&[len]);
        self.body.raw(&self.text);
    }
}

impl Member {
    fn bytes<'a>(&self, all: &'a [u8]) -> &'a [u8] {
        all.get(self.start..self.end).unwrap_or_default()
    }
}

/// The integer as which servers since 7.0 store a score in a listpack. A negative zero, whose sign
/// they lose by that, is written as the text `-0`, which they read as what it is.
fn packed_score(rdb_type: RdbType, score: f64) -> Option<i64> {
    let negative_zero = score == 0.0 && score.is_sign_negative();
    match rdb_type {
        RdbType::ZsetListpack if !negative_zero => number::integer_score(score),
        _ => None,
    }
}

/// The order in which a type has members; no score is NaN here.
fn order(rdb_type: RdbType, bytes: &[u8], a: &Member, b: &Member) -> Ordering {
    let ascending = a
        .score
        .partial_cmp(&b.score)
        .unwrap_or(Ordering::Equal)
        .then_with(|| a.bytes(bytes).cmp(b.bytes(bytes)));
    match rdb_type {
        RdbType::ZsetBinary => ascending.reverse(),
        _ => ascending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::rdb::value::testing::{
        Told, content, encoded, encoded_with, random, random_string, round_trip, survives_damage,
    };

    const ALL: [RdbType; 4] = [
        RdbType::ZsetText,
        RdbType::ZsetBinary,
        RdbType::ZsetZiplist,
        RdbType::ZsetListpack,
    ];
    const INF: f64 = f64::INFINITY;

    fn zset<T: AsRef<[u8]>>(members: &[(T, f64)]) -> Vec<Told> {
        members.iter().map(|(m, s)| Told::member(m, *s)).collect()
    }

    /// Tells the members in the order of the type, which is the order they read back in.
    fn check<T: AsRef<[u8]> + Clone>(rdb_type: RdbType, members: &[(T, f64)]) {
        let mut members = members.to_vec();
        members.sort_by(|(a, x), (b, y)| {
            let ascending = x.partial_cmp(y).unwrap().then(a.as_ref().cmp(b.as_ref()));
            match rdb_type {
                RdbType::ZsetBinary => ascending.reverse(),
                _ => ascending,
            }
        });
        let sorted = zset(&members);
        let bytes = round_trip(rdb_type, &sorted);
        if rdb_type != RdbType::ZsetText {
            // Told in any other order it is written in this one.
            members.reverse();
            assert_eq!(encoded(rdb_type, &zset(&members)).unwrap(), bytes);
            members.sort_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
            assert_eq!(content(rdb_type, &bytes), sorted);
        }
    }

    #[test]
    fn what_is_written_reads_back_at_every_edge() {
        let mut scores = vec![0.0, -0.0, 0.1, -2.5, 1e8, 1e17, 1e20, INF, -INF];
        scores.extend([f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::MIN, 1e-5, 1e23]);
        for bits in [7, 12, 13, 15, 16, 23, 24, 31, 32, 52, 53, 61, 62, 63] {
            let edge = 2f64.powi(bits);
            for score in [
                edge.next_down(),
                edge - 1.0,
                edge,
                edge + 1.0,
                edge.next_up(),
            ] {
                scores.extend([score, -score]);
            }
        }
        for rdb_type in ALL {
            for &score in &scores {
                check(rdb_type, &[("m", score)]);
            }
            let names: Vec<_> = (0..scores.len()).map(|n| n.to_string()).collect();
            let all: Vec<_> = names.into_iter().zip(scores.iter().copied()).collect();
            check(rdb_type, &all);
            for len in [0, 1, 63, 64, 253, 254, 4095, 4096, 16_383, 16_384, 70_000] {
                let (x, y) = ("x".repeat(len), "y".repeat(len));
                check(rdb_type, &[(x, 1.5), (y, 1.5), ("z".into(), -1.0)]);
            }
        }
    }

    #[test]
    fn random_sorted_sets_read_back() {
        let mut seed = 3;
        for round in 0..40 {
            let count = [1, 5, 40, 300][round % 4];
            let members: Vec<_> = (0..count)
                .map(|n| {
                    let score = match n % 3 {
                        0 => f64::from_bits(random(&mut seed)),
                        1 => (random(&mut seed) >> (random(&mut seed) % 64)) as f64,
                        _ => (random(&mut seed) % 7) as f64 / 2.0,
                    };
                    let score = if score.is_nan() { -0.0 } else { score };
                    (random_string(&mut seed), score)
                })
                .collect();
            ALL.iter().for_each(|&t| check(t, &members));
        }
    }

    /// From Redis 6.2.5 (5, 12), 7.0.15 (17 with `G17`) and 8.2.3 (17), `rdbcompression no`;
    /// Valkey 8.1.8 and 9.1.2 write the last alike. Type 3 was written up to Redis 3.2.
    #[test]
    fn writes_what_the_servers_write() {
        let members = zset(&[
            ("m", 1.5),
            ("a", 1.5),
            ("n", -INF),
            ("p", INF),
            ("q", 1e8),
            ("r", 0.1),
            ("s", 1e20),
            ("u", -3.0),
        ]);
        assert_eq!(
            encoded(RdbType::ZsetZiplist, &members).unwrap(),
            b"\x40\x5d\x5d\0\0\0\x57\0\0\0\x10\0\0\x01n\x03\x04-inf\x06\x01u\x03\xfe\xfd\
              \x03\x01r\x03\x130.10000000000000001\x15\x01a\x03\x031.5\x05\x01m\x03\x031.5\
              \x05\x01q\x03\xd0\0\xe1\xf5\x05\x06\x01s\x03\x051e+20\x07\x01p\x03\x03inf\xff"
        );
        let listpack = |header: &[u8], score: &[u8]| {
            [
                header,
                b"\x81n\x02\x84-inf\x05\x81u\x02\xdf\xfd\x02\x81r\x02",
                score,
                b"\x81a\x02\x831.5\x04\x81m\x02\x831.5\x04\x81q\x02\xf3\0\xe1\xf5\x05\x05\
                  \x81s\x02\x851e+20\x06\x81p\x02\x83inf\x04\xff",
            ]
            .concat()
        };
        assert_eq!(
            encoded_with(RdbType::ZsetListpack, ScoreText::G17, &members).unwrap(),
            listpack(b"\x40\x59\x59\0\0\0\x10\0", b"\x930.10000000000000001\x14")
        );
        assert_eq!(
            encoded(RdbType::ZsetListpack, &members).unwrap(),
            listpack(b"\x40\x49\x49\0\0\0\x10\0", b"\x830.1\x04")
        );
        let long = "a".repeat(65);
        let members = zset(&[
            (long.as_str(), 1.0),
            ("b", 2.0),
            ("c", 2.0),
            ("e", -0.0),
            ("f", INF),
            ("12", 1.5),
        ]);
        assert_eq!(
            encoded(RdbType::ZsetBinary, &members).unwrap(),
            [
                b"\x06\x01f\0\0\0\0\0\0\xf0\x7f\x01c\0\0\0\0\0\0\0\x40\x01b\0\0\0\0\0\0\0\x40\
                  \xc0\x0c\0\0\0\0\0\0\xf8\x3f\x40\x41",
                long.as_bytes(),
                b"\0\0\0\0\0\0\xf0\x3f\x01e\0\0\0\0\0\0\0\x80",
            ]
            .concat()
        );
        let members = zset(&[("a", 1.0), ("7", 0.1), ("b", INF), ("c", -INF)]);
        assert_eq!(
            encoded(RdbType::ZsetText, &members).unwrap(),
            b"\x04\x01a\x011\xc0\x07\x130.10000000000000001\x01b\xfe\x01c\xff"
        );
    }

    #[test]
    fn damage_is_an_error_inside_the_value_or_none() {
        let members = zset(&[("", -INF), ("abc", 1.5), ("-300", 7.0), ("n", 1e20)]);
        for rdb_type in ALL {
            survives_damage(rdb_type, &encoded(rdb_type, &members).unwrap());
        }
    }

    #[test]
    fn a_score_that_is_not_a_number_is_refused() {
        for rdb_type in ALL {
            let error = encoded(rdb_type, &zset(&[("a", f64::NAN)])).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
        }
    }
}
