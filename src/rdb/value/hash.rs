//! Hashes: types 4, 9, 13, 16, those with expiries of fields (22 to 25 of Redis, 22 of Valkey),
//! those by template (29 to 32), and Dragonfly's.

use std::sync::Arc;

use crate::bytes::parse::{self, Parsed};
use crate::bytes::{Element, Fault, Problem, number};
use crate::encoding::zipmap::Zipmap;
use crate::error::{Encoding, Result, printable};
use crate::rdb::string::{self, StringWriter};
use crate::rdb::value::encode::{Body, PackedWriter, cannot_hold, empty};
use crate::rdb::value::{Packed, Reader, Scratch};
use crate::record::{DataType, RdbType, ValueVisitor};

/// Latest expiry of a field that the file format allows, Unix ms.
pub(crate) const LATEST_FIELD_EXPIRY: i64 = (1 << 48) - 1;
/// "No expiry" in Valkey's table form.
const VALKEY_NONE: i64 = -1;

/// Passes over the types that are more than strings.
pub(super) fn extent(rdb_type: RdbType, input: &[u8]) -> Parsed<'_, ()> {
    match rdb_type {
        RdbType::HashListpackExpiry => {
            let (input, _) = parse::take(input, 8)?;
            string::skip(input)
        }
        RdbType::HashNamesListpack => {
            let (input, _) = parse::byte(input)?;
            let (input, ()) = string::skip(input)?;
            string::skip(input)
        }
        RdbType::HashNames => {
            let (input, _) = parse::byte(input)?;
            let (input, count) = string::number(input)?;
            let Some(strings) = count.checked_mul(2) else {
                let most = u64::MAX / 2;
                return Err(Fault::at(
                    input,
                    Problem::LengthRange { found: count, most },
                ));
            };
            skip_strings(input, strings)
        }
        RdbType::HashTemplate => {
            // How many values follow is the template's business; the parser that knows it frames
            // this type itself, see `extent_template`.
            let (input, _) = string::number(input)?;
            Ok((input, ()))
        }
        _ => {
            let input = match rdb_type {
                RdbType::HashExpiry => parse::take(input, 8)?.0,
                _ => input,
            };
            let (mut input, count) = string::number(input)?;
            for _ in 0..count {
                if rdb_type != RdbType::HashValkey {
                    (input, _) = string::number(input)?;
                }
                (input, ()) = string::skip(input)?;
                (input, ()) = string::skip(input)?;
                if rdb_type == RdbType::HashValkey {
                    (input, _) = parse::take(input, 8)?;
                }
            }
            Ok((input, ()))
        }
    }
}

/// Passes over a hash of type 32, whose number of values its template says.
pub(crate) fn extent_template<'d>(
    input: &'d [u8],
    fields: impl FnOnce(u64) -> Option<u64>,
) -> Parsed<'d, ()> {
    let (rest, id) = string::number(input)?;
    match fields(id) {
        Some(count) => skip_strings(rest, count),
        None => Err(Fault::at(input, Problem::TemplateUnknown { id })),
    }
}

fn skip_strings(mut input: &[u8], count: u64) -> Parsed<'_, ()> {
    for _ in 0..count {
        (input, ()) = string::skip(input)?;
    }
    Ok((input, ()))
}

pub(super) fn walk<V: ValueVisitor + ?Sized>(
    rdb_type: RdbType,
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    let seen = match rdb_type {
        RdbType::HashTable | RdbType::DragonflyHash => table(rdb_type, reader, scratch, to)?,
        RdbType::HashExpiryRc | RdbType::HashExpiry | RdbType::HashValkey => {
            table_with_expiry(rdb_type, reader, scratch, to)?
        }
        RdbType::HashZipmap => {
            let (blob, place) = reader.blob(&mut scratch.blob)?;
            let error = |fault| place.error(fault, blob.len(), Encoding::Zipmap);
            let map = Zipmap::open(blob).map_err(error)?;
            to.begin(DataType::Hash, map.count().map(u64::from))?;
            let mut entries = map.entries();
            while let Some((name, value)) = entries.next().map_err(error)? {
                to.field(Element::Bytes(name), Element::Bytes(value), None)?;
            }
            if let Some(fault) = entries.flaw() {
                to.flaw(fault.problem, place.of(fault, blob.len(), Encoding::Zipmap))?;
            }
            entries.seen()
        }
        RdbType::HashZiplist | RdbType::HashListpack => {
            let blob = reader.blob(&mut scratch.blob)?;
            let (mut pack, count) = match rdb_type {
                RdbType::HashZiplist => Packed::ziplist(blob)?,
                _ => Packed::listpack(blob)?,
            };
            to.begin(DataType::Hash, count.map(|n| n / 2))?;
            while let Some(name) = pack.next()? {
                let count = pack.seen();
                let value = pack.expect(Problem::EntryGroups { count, group: 2 })?;
                to.field(name, value, None)?;
            }
            pack.finish(to)?;
            pack.seen()
        }
        RdbType::HashListpackExpiry | RdbType::HashListpackExpiryRc => {
            if rdb_type == RdbType::HashListpackExpiry {
                reader.run(parse::le_i64)?;
            }
            let (mut pack, count) = Packed::listpack(reader.blob(&mut scratch.blob)?)?;
            to.begin(DataType::Hash, count.map(|n| n / 3))?;
            triples(&mut pack, to)?;
            pack.finish(to)?;
            pack.seen()
        }
        _ => by_names(rdb_type, reader, scratch, to)?,
    };
    if seen == 0 {
        let problem = match rdb_type {
            RdbType::HashZipmap => Problem::EmptyBlob,
            _ => Problem::EmptyCollection,
        };
        to.flaw(problem, reader.place())?;
    }
    to.end(DataType::Hash)
}

fn table<V: ValueVisitor + ?Sized>(
    rdb_type: RdbType,
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<u64> {
    let count = reader.number()?;
    to.begin(DataType::Hash, Some(count))?;
    for _ in 0..count {
        let at = reader.offset();
        let name = reader.stored()?;
        let value_at = reader.offset();
        let value = reader.stored()?;
        let mut expires_at = None;
        if rdb_type == RdbType::DragonflyHash {
            let place = reader.place();
            let text = reader
                .stored()?
                .to_bytes()
                .ok()
                .and_then(|t| number::parse_canonical_i64(&t));
            match text {
                Some(-1) => {}
                Some(seconds) => expires_at = seconds.checked_mul(1000),
                None => to.flaw(Problem::FieldExpiry, place)?,
            }
        }
        let name = scratch.first.resolve(name, at)?;
        let value = scratch.second.resolve(value, value_at)?;
        to.field(name, value, expires_at)?;
    }
    Ok(count)
}

fn table_with_expiry<V: ValueVisitor + ?Sized>(
    rdb_type: RdbType,
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<u64> {
    let least = match rdb_type {
        RdbType::HashExpiry => reader.run(parse::le_i64)?,
        _ => 0,
    };
    let count = reader.number()?;
    to.begin(DataType::Hash, Some(count))?;
    for _ in 0..count {
        let place = reader.place();
        let ttl = match rdb_type {
            RdbType::HashValkey => 0,
            _ => reader.number()?,
        };
        let at = reader.offset();
        let name = reader.stored()?;
        let value_at = reader.offset();
        let value = reader.stored()?;
        let expiry = match rdb_type {
            RdbType::HashValkey => Some(reader.run(parse::le_i64)?).filter(|&t| t != VALKEY_NONE),
            _ if ttl == 0 => None,
            // Relative to the least one, and one more, so that 0 stays free for "none".
            RdbType::HashExpiry => Some(
                i64::try_from(ttl - 1)
                    .ok()
                    .and_then(|t| t.checked_add(least))
                    .unwrap_or(-1),
            ),
            _ => Some(i64::try_from(ttl).unwrap_or(-1)),
        };
        // Redis takes the time 0 for none, also where it comes of adding up.
        let expiry = expiry.filter(|&t| t != 0 || rdb_type == RdbType::HashValkey);
        // Valkey takes any time that is not negative.
        let latest = match rdb_type {
            RdbType::HashValkey => i64::MAX,
            _ => LATEST_FIELD_EXPIRY,
        };
        if expiry.is_some_and(|t| !(0..=latest).contains(&t)) {
            to.flaw(Problem::FieldExpiry, place)?;
        }
        let name = scratch.first.resolve(name, at)?;
        let value = scratch.second.resolve(value, value_at)?;
        to.field(name, value, expiry)?;
    }
    Ok(count)
}

/// Field, value and expiry in a listpack; ascending by expiry, those without one at the end.
fn triples<V: ValueVisitor + ?Sized>(pack: &mut Packed<'_>, to: &mut V) -> Result<()> {
    let mut last = 0;
    while let Some(name) = pack.next()? {
        let count = pack.seen();
        let value = pack.expect(Problem::EntryGroups { count, group: 3 })?;
        let expiry = pack.expect(Problem::EntryGroups {
            count: count + 1,
            group: 3,
        })?;
        let expiry = match expiry {
            Element::Int(t @ 0..=LATEST_FIELD_EXPIRY) => t,
            _ => {
                to.flaw(Problem::FieldExpiry, pack.here())?;
                0
            }
        };
        let rank = if expiry == 0 { i64::MAX } else { expiry };
        if rank < last {
            to.flaw(Problem::FieldExpiryOrder, pack.here())?;
        }
        last = rank;
        to.field(name, value, (expiry != 0).then_some(expiry))?;
    }
    Ok(())
}

/// The forms of Redis 8.10, whose field names stand apart from their values. Read from the sources
/// of other readers, not confirmed on bytes of a server.
fn by_names<V: ValueVisitor + ?Sized>(
    rdb_type: RdbType,
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<u64> {
    match rdb_type {
        RdbType::HashTemplate => {
            let place = reader.place();
            let id = reader.number()?;
            let names = template(scratch, id, place)?;
            to.begin(DataType::Hash, Some(names.len() as u64))?;
            for name in names.iter() {
                let at = reader.offset();
                let value = reader.stored()?;
                to.field(
                    Element::Bytes(name),
                    scratch.second.resolve(value, at)?,
                    None,
                )?;
            }
            Ok(names.len() as u64)
        }
        RdbType::HashTemplateListpack => {
            let place = reader.place();
            let blob = reader.blob(&mut scratch.blob)?;
            let (mut values, _) = Packed::listpack(blob)?;
            let id = match values.expect(Problem::TemplateUnknown { id: 0 })? {
                Element::Int(id) if id >= 0 => id.unsigned_abs(),
                _ => return Err(values.fail(Problem::TemplateUnknown { id: 0 })),
            };
            let Some(names) = scratch.templates.get(id).map(Arc::clone) else {
                let problem = Problem::TemplateUnknown { id };
                return Err(crate::error::Error::bytes(
                    problem,
                    place,
                    crate::error::What::Value,
                ));
            };
            to.begin(DataType::Hash, Some(names.len() as u64))?;
            for name in names.iter() {
                let count = values.seen();
                let value = values.expect(Problem::EntryGroups {
                    count,
                    group: names.len() as u64 + 1,
                })?;
                to.field(Element::Bytes(name), value, None)?;
            }
            if values.next()?.is_some() {
                let count = values.seen();
                to.flaw(
                    Problem::EntryGroups {
                        count,
                        group: names.len() as u64 + 1,
                    },
                    values.here(),
                )?;
            }
            values.finish(to)?;
            Ok(names.len() as u64)
        }
        RdbType::HashNamesListpack => {
            reader.run(parse::byte)?;
            let (mut names, count) = Packed::listpack(reader.blob(&mut scratch.first)?)?;
            let (mut values, _) = Packed::listpack(reader.blob(&mut scratch.blob)?)?;
            // The first entry is the template's number, always 0 where the names stand beside it.
            values.expect(Problem::EntryGroups { count: 0, group: 1 })?;
            to.begin(DataType::Hash, count)?;
            while let Some(name) = names.next()? {
                let count = values.seen();
                let value = values.expect(Problem::EntryGroups { count, group: 1 })?;
                to.field(name, value, None)?;
            }
            names.finish(to)?;
            if values.next()?.is_some() {
                let count = values.seen();
                to.flaw(
                    Problem::EntryGroups {
                        count,
                        group: names.seen() + 1,
                    },
                    values.here(),
                )?;
            }
            values.finish(to)?;
            Ok(names.seen())
        }
        _ => {
            reader.run(parse::byte)?;
            let count = reader.number()?;
            to.begin(DataType::Hash, Some(count))?;
            // The names stand first and the values behind them: two readers side by side.
            let mut names = reader.fork();
            for _ in 0..count {
                reader.stored()?;
            }
            for _ in 0..count {
                let at = names.offset();
                let name = names.stored()?;
                let value_at = reader.offset();
                let value = reader.stored()?;
                let name = scratch.first.resolve(name, at)?;
                to.field(name, scratch.second.resolve(value, value_at)?, None)?;
            }
            Ok(count)
        }
    }
}

fn template(scratch: &Scratch, id: u64, place: crate::error::Place) -> Result<Arc<[Box<[u8]>]>> {
    match scratch.templates.get(id) {
        Some(names) => Ok(Arc::clone(names)),
        None => Err(crate::error::Error::bytes(
            Problem::TemplateUnknown { id },
            place,
            crate::error::What::Value,
        )),
    }
}

/// Writes hashes. Fields keep the order they are told in, but for type 25, which has them by
/// expiry.
#[derive(Debug)]
pub(super) struct HashEncoder {
    rdb_type: RdbType,
    body: Body,
    pack: PackedWriter,
    /// What the forms of Redis 7.4 need to see whole before they can be written.
    fields: Vec<Field>,
    /// Names and values of those that are sorted.
    bytes: Vec<u8>,
}

/// A field with the room of its name and value in a buffer.
#[derive(Clone, Copy, Debug)]
struct Field {
    expires_at: Option<i64>,
    start: usize,
    middle: usize,
    end: usize,
}

impl HashEncoder {
    pub(super) fn new(rdb_type: RdbType, strings: StringWriter) -> Self {
        HashEncoder {
            rdb_type,
            body: Body::new(strings),
            pack: match rdb_type {
                RdbType::HashZiplist => PackedWriter::ziplist(),
                _ => PackedWriter::listpack(),
            },
            fields: Vec::new(),
            bytes: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        if let Some(t) = expires_at
            && !can_expire_at(self.rdb_type, t)
        {
            return Err(self.no_expiry(name, t));
        }
        match self.rdb_type {
            RdbType::HashTable => {
                self.body.string(name);
                self.body.string(value);
                self.body.count();
            }
            RdbType::HashValkey => {
                self.body.string(name);
                self.body.string(value);
                self.body
                    .raw(&expires_at.unwrap_or(VALKEY_NONE).to_le_bytes());
                self.body.count();
            }
            RdbType::HashExpiry => {
                let start = self.body.len();
                self.body.string(name);
                let middle = self.body.len();
                self.body.string(value);
                self.fields.push(Field {
                    expires_at,
                    start,
                    middle,
                    end: self.body.len(),
                });
            }
            RdbType::HashListpackExpiry => {
                let start = self.bytes.len();
                self.bytes
                    .extend_from_slice(name.bytes(&mut itoa::Buffer::new()));
                let middle = self.bytes.len();
                self.bytes
                    .extend_from_slice(value.bytes(&mut itoa::Buffer::new()));
                self.fields.push(Field {
                    expires_at,
                    start,
                    middle,
                    end: self.bytes.len(),
                });
            }
            _ => {
                self.pack.push(name);
                self.pack.push(value);
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match self.rdb_type {
            RdbType::HashTable | RdbType::HashValkey => self.body.finish(out),
            RdbType::HashExpiry => {
                let least = self.least();
                out.extend_from_slice(&least.to_le_bytes());
                string::write_number(self.fields.len() as u64, out);
                for field in &self.fields {
                    let ttl = field.expires_at.map_or(0, |t| t.abs_diff(least) + 1);
                    string::write_number(ttl, out);
                    out.extend_from_slice(self.body.part(field.start..field.end));
                }
            }
            RdbType::HashListpackExpiry => {
                out.extend_from_slice(&self.least().to_le_bytes());
                self.fields
                    .sort_by_key(|field| field.expires_at.unwrap_or(i64::MAX));
                for field in &self.fields {
                    let part = |range| Element::Bytes(self.bytes.get(range).unwrap_or_default());
                    self.pack.push(part(field.start..field.middle));
                    self.pack.push(part(field.middle..field.end));
                    self.pack.push(Element::Int(field.expires_at.unwrap_or(0)));
                }
                self.pack.finish(self.rdb_type, &mut self.body)?;
                self.body.move_to(out);
            }
            _ => {
                self.pack.finish(self.rdb_type, &mut self.body)?;
                self.body.move_to(out);
            }
        }
        self.forget();
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.pack.clear();
        self.forget();
    }

    fn forget(&mut self) {
        self.body.clear();
        empty(&mut self.fields);
        empty(&mut self.bytes);
    }

    /// The least expiry of a field.
    fn least(&self) -> i64 {
        let expiries = self.fields.iter().filter_map(|field| field.expires_at);
        expiries.min().unwrap_or(0)
    }

    #[cold]
    fn no_expiry(&self, name: Element<'_>, t: i64) -> crate::error::Error {
        let name = printable(&name.to_bytes());
        let what = format_args!("the expiry {t} of field \"{name}\"");
        cannot_hold(self.rdb_type, what)
    }
}

/// Whether a type can hold an expiry of a field, Unix ms.
fn can_expire_at(rdb_type: RdbType, t: i64) -> bool {
    match rdb_type {
        // 0 stands for "none"; Redis takes an expiry of 0 for that in its table form as well.
        RdbType::HashExpiry | RdbType::HashListpackExpiry => (1..=LATEST_FIELD_EXPIRY).contains(&t),
        RdbType::HashValkey => t >= 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::rdb::value::testing::{
        Told, encoded, random, random_string, round_trip, survives_damage,
    };

    const PLAIN: [RdbType; 3] = [
        RdbType::HashTable,
        RdbType::HashZiplist,
        RdbType::HashListpack,
    ];
    const EXPIRING: [RdbType; 3] = [
        RdbType::HashExpiry,
        RdbType::HashListpackExpiry,
        RdbType::HashValkey,
    ];

    /// Three fields, the form of the first value an integer's.
    fn plain() -> [Told; 3] {
        [
            Told::field("a", "1"),
            Told::field("b", "x"),
            Told::field("c", "300"),
        ]
    }

    fn long(len: usize) -> String {
        "f".repeat(len)
    }

    #[test]
    fn what_is_written_reads_back_at_every_edge() {
        for rdb_type in PLAIN.into_iter().chain(EXPIRING) {
            for len in [
                0, 1, 20, 21, 63, 64, 253, 254, 4095, 4096, 16_383, 16_384, 70_000,
            ] {
                let fields = [
                    Told::field(long(len), "2147483648"),
                    Told::field("x", long(len)),
                    Told::field("-9223372036854775808", ""),
                ];
                round_trip(rdb_type, &fields);
            }
        }
        // Each the first and the second field of its hash: the least expiry is none's own.
        for rdb_type in EXPIRING {
            for at in [1, 62, 63, 64, 16_384, 1 << 32, LATEST_FIELD_EXPIRY] {
                round_trip(
                    rdb_type,
                    &[
                        Told::expiring("a", "1", 1),
                        Told::expiring("b", "2", at),
                        Told::field("c", "3"),
                    ],
                );
                round_trip(rdb_type, &[Told::expiring("b", "2", at)]);
            }
        }
        for at in [0, LATEST_FIELD_EXPIRY] {
            round_trip(RdbType::HashValkey, &[Told::expiring("b", "2", at)]);
        }
    }

    #[test]
    fn random_hashes_read_back() {
        let mut seed = 4;
        for round in 0..40 {
            let count = [1, 5, 40, 300][round % 4];
            let fields: Vec<Told> = (0..count)
                .map(|_| Told::field(random_string(&mut seed), random_string(&mut seed)))
                .collect();
            let mut expiring = fields.clone();
            for told in &mut expiring {
                if let Told::Field(_, _, expires_at) = told
                    && random(&mut seed).is_multiple_of(2)
                {
                    let at = random(&mut seed) >> (16 + random(&mut seed) % 40);
                    *expires_at = Some(at.cast_signed().max(1));
                }
            }
            PLAIN.iter().for_each(|&t| drop(round_trip(t, &fields)));
            round_trip(RdbType::HashExpiry, &expiring);
            round_trip(RdbType::HashValkey, &expiring);
            expiring.sort_by_key(|told| match told {
                Told::Field(_, _, Some(at)) => *at,
                _ => i64::MAX,
            });
            round_trip(RdbType::HashListpackExpiry, &expiring);
        }
    }

    /// From Redis 6.2.5 (13), 7.0.15 (4, 16) and 8.2.3 (24, 25), Valkey 9.1.2 (22), `rdbcompression
    /// no`.
    #[test]
    fn writes_what_the_servers_write() {
        let written = |rdb_type, fields: &[Told]| encoded(rdb_type, fields).unwrap();
        assert_eq!(
            written(RdbType::HashZiplist, &plain()),
            b"\x1d\x1d\0\0\0\x18\0\0\0\x06\0\0\x01a\x03\xf2\x02\x01b\x03\x01x\x03\x01c\x03\xc0\x2c\x01\xff"
        );
        assert_eq!(
            written(RdbType::HashListpack, &plain()),
            b"\x18\x18\0\0\0\x06\0\x81a\x02\x01\x01\x81b\x02\x81x\x02\x81c\x02\xc1\x2c\x02\xff"
        );
        let f65 = [b"\x40\x41", &[b'f'; 65][..]].concat();
        assert_eq!(
            written(RdbType::HashTable, &[Told::field(long(65), "12")]),
            [b"\x01", &f65[..], b"\xc0\x0c"].concat()
        );
        let (early, late) = (4_102_444_800_000, 4_102_444_800_500);
        let (a, b) = (Told::field("a", "1"), Told::expiring("b", "2", late));
        let c = Told::expiring("c", "x", early);
        let early = b"\0\xd8\xc3\x2c\xbb\x03\0\0";
        let late = b"\xf4\xd9\xc3\x2c\xbb\x03\0\0";
        assert_eq!(
            written(
                RdbType::HashListpackExpiry,
                &[a.clone(), b.clone(), c.clone()]
            ),
            [
                early,
                &b"\x2d\x2d\0\0\0\x09\0\x81c\x02\x81x\x02\xf4"[..],
                early,
                b"\x09\x81b\x02\x02\x01\xf4",
                late,
                b"\x09\x81a\x02\x01\x01\0\x01\xff"
            ]
            .concat()
        );
        assert_eq!(
            written(RdbType::HashValkey, &[a.clone(), b, c]),
            [
                b"\x03\x01a\xc0\x01\xff\xff\xff\xff\xff\xff\xff\xff\x01b\xc0\x02",
                &late[..],
                b"\x01c\x01x",
                early
            ]
            .concat()
        );
        let b = Told::expiring("b", "2", 4_102_444_800_000);
        let f = Told::expiring(long(65), "v", 4_102_444_800_500);
        assert_eq!(
            written(RdbType::HashExpiry, &[b, a, f]),
            [
                &early[..],
                b"\x03\x01\x01b\xc0\x02\0\x01a\xc0\x01\x41\xf5",
                &f65,
                b"\x01v"
            ]
            .concat()
        );
    }

    #[test]
    fn damage_is_an_error_inside_the_value_or_none() {
        for rdb_type in PLAIN {
            survives_damage(rdb_type, &encoded(rdb_type, &plain()).unwrap());
        }
        let fields = [
            Told::expiring("a", "1", 1000),
            Told::expiring("bb", "xyz", 70_000),
            Told::field("c", "-300"),
        ];
        for rdb_type in EXPIRING {
            survives_damage(rdb_type, &encoded(rdb_type, &fields).unwrap());
        }
        survives_damage(
            RdbType::HashZipmap,
            b"\x11\x02\x01a\x01\x001\x02bc\x03\x02xyz??\xff",
        );
    }

    #[test]
    fn an_expiry_that_a_type_cannot_hold_is_refused_with_its_field() {
        let refused = |rdb_type, at| {
            let fields = [Told::field("a", "1"), Told::expiring("b", "2", at)];
            let error = encoded(rdb_type, &fields).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unsupported(_)));
            error.to_string()
        };
        for rdb_type in PLAIN {
            refused(rdb_type, 5);
        }
        for at in [i64::MIN, -1, 0, LATEST_FIELD_EXPIRY + 1] {
            refused(RdbType::HashExpiry, at);
            refused(RdbType::HashListpackExpiry, at);
        }
        refused(RdbType::HashValkey, -1);
        assert_eq!(
            refused(RdbType::HashListpack, 5),
            "type 16 (hash-listpack) cannot hold the expiry 5 of field \"b\""
        );
    }
}
