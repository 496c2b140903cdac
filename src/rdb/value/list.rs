//! Lists: types 1, 10, 14, 18.

use crate::bytes::parse::Parsed;
use crate::bytes::{Element, Problem};
use crate::error::Result;
use crate::rdb::string::{self, StringWriter};
use crate::rdb::value::encode::{Body, PackedWriter};
use crate::rdb::value::{Packed, Reader, Scratch};
use crate::record::{DataType, RdbType, ValueVisitor};

pub(super) const PLAIN: u64 = 1;
pub(super) const PACKED: u64 = 2;

/// Bytes of a node of a quicklist at most, unless its one element is longer: what servers keep to
/// by default (`list-max-listpack-size -2`).
const NODE: usize = 8192;
/// What servers add to an element's length when they ask whether it fits into a listpack.
const LISTPACK_OVERHEAD: usize = 8;

/// A count of nodes, each a container number and a string.
pub(super) fn extent_nodes(input: &[u8]) -> Parsed<'_, ()> {
    let (mut input, nodes) = string::number(input)?;
    for _ in 0..nodes {
        (input, _) = string::number(input)?;
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
    let mut seen = 0;
    match rdb_type {
        RdbType::ListLinked => {
            let count = reader.number()?;
            to.begin(DataType::List, Some(count))?;
            for _ in 0..count {
                let at = reader.offset();
                let stored = reader.stored()?;
                to.element(scratch.first.resolve(stored, at)?)?;
            }
            seen = count;
        }
        RdbType::ListZiplist => {
            let (mut pack, count) = Packed::ziplist(reader.blob(&mut scratch.blob)?)?;
            to.begin(DataType::List, count)?;
            seen += entries(&mut pack, to)?;
        }
        RdbType::Quicklist => {
            let nodes = reader.number()?;
            to.begin(DataType::List, None)?;
            for _ in 0..nodes {
                let (mut pack, _) = Packed::ziplist(reader.blob(&mut scratch.blob)?)?;
                seen += entries(&mut pack, to)?;
            }
        }
        _ => {
            let nodes = reader.number()?;
            to.begin(DataType::List, None)?;
            for _ in 0..nodes {
                let place = reader.place();
                match reader.number()? {
                    PLAIN => {
                        let at = reader.offset();
                        let stored = reader.stored()?;
                        let element = scratch.first.resolve(stored, at)?;
                        if element.is_empty() {
                            to.flaw(Problem::EmptyPlainNode, place)?;
                        }
                        to.element(element)?;
                        seen += 1;
                    }
                    PACKED => {
                        let (mut pack, _) = Packed::listpack(reader.blob(&mut scratch.blob)?)?;
                        seen += entries(&mut pack, to)?;
                    }
                    found => {
                        return Err(crate::error::Error::bytes(
                            Problem::Container { found },
                            place,
                            crate::error::What::Value,
                        ));
                    }
                }
            }
        }
    }
    if seen == 0 {
        to.flaw(Problem::EmptyCollection, reader.place())?;
    }
    to.end(DataType::List)
}

fn entries<V: ValueVisitor + ?Sized>(pack: &mut Packed<'_>, to: &mut V) -> Result<u64> {
    while let Some(element) = pack.next()? {
        to.element(element)?;
    }
    pack.finish(to)?;
    Ok(pack.seen())
}

/// Writes lists.
#[derive(Debug)]
pub(super) struct ListEncoder {
    rdb_type: RdbType,
    /// Elements or nodes, which are what it counts.
    body: Body,
    /// The node being filled, or the whole.
    pack: PackedWriter,
    /// No node is complete yet.
    first: bool,
}

impl ListEncoder {
    pub(super) fn new(rdb_type: RdbType, strings: StringWriter) -> Self {
        ListEncoder {
            rdb_type,
            body: Body::new(strings),
            pack: match rdb_type {
                RdbType::Quicklist2 => PackedWriter::listpack(),
                _ => PackedWriter::ziplist(),
            },
            first: true,
        }
    }

    #[inline]
    pub(super) fn element(&mut self, element: Element<'_>) -> Result<()> {
        match self.rdb_type {
            RdbType::ListLinked => {
                self.body.string(element);
                self.body.count();
            }
            RdbType::ListZiplist => self.pack.push(element),
            RdbType::Quicklist => {
                let len = element.len();
                self.make_room(len + ziplist_overhead(len))?;
                self.pack.push(element);
            }
            _ => {
                let len = element.len();
                if len > NODE {
                    return self.plain(element);
                }
                // A list that is one node is a listpack in memory, which is filled to the brim.
                let overhead = if self.first { 0 } else { LISTPACK_OVERHEAD };
                self.make_room(len + overhead)?;
                self.pack.push(element);
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match self.rdb_type {
            RdbType::ListLinked => self.body.finish(out),
            RdbType::ListZiplist => {
                self.pack.finish(self.rdb_type, &mut self.body)?;
                self.body.move_to(out);
            }
            _ => {
                self.end_node()?;
                self.body.finish(out);
            }
        }
        self.first = true;
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.body.clear();
        self.pack.clear();
        self.first = true;
    }

    /// Begins a new node unless the current one can take `size` more bytes.
    fn make_room(&mut self, size: usize) -> Result<()> {
        if self.pack.len() + size > NODE {
            self.end_node()?;
        }
        Ok(())
    }

    fn end_node(&mut self) -> Result<()> {
        if self.pack.is_empty() {
            return Ok(());
        }
        if self.rdb_type == RdbType::Quicklist2 {
            self.body.number(PACKED);
        }
        self.pack.finish(self.rdb_type, &mut self.body)?;
        self.body.count();
        self.first = false;
        Ok(())
    }

    fn plain(&mut self, element: Element<'_>) -> Result<()> {
        self.end_node()?;
        self.body.number(PLAIN);
        self.body.blob(element.bytes(&mut itoa::Buffer::new()));
        self.body.count();
        self.first = false;
        Ok(())
    }
}

/// What servers add to an element's length when they ask whether it fits into a ziplist.
fn ziplist_overhead(len: usize) -> usize {
    match len {
        0..64 => 2,
        64..254 => 3,
        254..16_384 => 7,
        _ => 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::crc64;
    use crate::rdb::value::testing::{Told, encoded, random_string, round_trip, survives_damage};

    const ALL: [RdbType; 4] = [
        RdbType::ListLinked,
        RdbType::ListZiplist,
        RdbType::Quicklist,
        RdbType::Quicklist2,
    ];

    fn list<T: AsRef<[u8]>>(elements: &[T]) -> Vec<Told> {
        elements.iter().map(Told::element).collect()
    }

    fn written<T: AsRef<[u8]>>(rdb_type: RdbType, elements: &[T]) -> Vec<u8> {
        encoded(rdb_type, &list(elements)).unwrap()
    }

    #[test]
    fn what_is_written_reads_back_at_every_edge() {
        for rdb_type in ALL {
            for len in [
                0, 1, 20, 21, 63, 64, 253, 254, 4095, 4096, 8176, 8177, 8184, 8185, 8186, 8191,
                8192, 8193, 16_383, 16_384, 70_000,
            ] {
                let long = "x".repeat(len);
                round_trip(rdb_type, &list(&["-1", &long, "b", &long, "", &long]));
            }
            for count in [1u64, 63, 64, 16_384, 65_534, 65_535, 65_536] {
                let elements: Vec<String> = (0..count).map(|n| (n * n).to_string()).collect();
                round_trip(rdb_type, &list(&elements));
            }
        }
    }

    #[test]
    fn random_lists_read_back() {
        let mut seed = 1;
        for round in 0..40 {
            let count = [1, 5, 40, 400][round % 4];
            let elements: Vec<_> = (0..count).map(|_| random_string(&mut seed)).collect();
            ALL.iter()
                .for_each(|&t| drop(round_trip(t, &list(&elements))));
        }
    }

    /// From Redis 6.2.5 (14) and 8.2.3 (18), `rdbcompression no`; Valkey 8.1.8 and 9.1.2 write the
    /// latter alike. Of long ones the checksums are compared.
    #[test]
    fn writes_what_the_servers_write() {
        let few = ["a", "1", "-300", "xyz", ""];
        let ziplist =
            b"\x1b\x1b\0\0\0\x18\0\0\0\x05\0\0\x01a\x03\xf2\x02\xc0\xd4\xfe\x04\x03xyz\x05\0\xff";
        let listpack = b"\x16\x16\0\0\0\x05\0\x81a\x02\x01\x01\xde\xd4\x02\x83xyz\x04\x80\x01\xff";
        assert_eq!(written(RdbType::ListZiplist, &few), ziplist);
        assert_eq!(
            written(RdbType::Quicklist, &few),
            [b"\x01", &ziplist[..]].concat()
        );
        assert_eq!(
            written(RdbType::Quicklist2, &few),
            [b"\x01\x02", &listpack[..]].concat()
        );

        let mixed: Vec<String> = (0..1000usize)
            .flat_map(|i| [(i * i).to_string(), "x".repeat(i % 300)])
            .collect();
        let checksum = |rdb_type, elements| crc64::checksum(&written(rdb_type, elements));
        assert_eq!(checksum(RdbType::Quicklist, &mixed), 0x216c_652b_c7c0_c695);
        assert_eq!(checksum(RdbType::Quicklist2, &mixed), 0x0314_96d0_261f_2120);

        // An element of a whole node and one of a byte more.
        let (whole, more) = ("y".repeat(8192), "y".repeat(8193));
        let giants = ["a", &whole, "a", &more, "b"].map(str::to_owned);
        assert_eq!(checksum(RdbType::Quicklist, &giants), 0xf8ef_ea98_db12_4a26);
        assert_eq!(
            checksum(RdbType::Quicklist2, &giants),
            0xb19d_0fa9_ae42_1a11
        );

        // Where a node ends, for elements of 22 lengths, sixty each.
        let brims = |rdb_type| {
            let lists = (180..202).map(|len| written(rdb_type, &vec!["z".repeat(len); 60]));
            crc64::checksum(&lists.collect::<Vec<_>>().concat())
        };
        assert_eq!(brims(RdbType::Quicklist), 0xcabb_3ab7_762a_675b);
        assert_eq!(brims(RdbType::Quicklist2), 0xd825_d845_c76c_7d0f);
    }

    #[test]
    fn damage_is_an_error_inside_the_value_or_none() {
        let few = ["a", "1", "-300", "xyz", "", "2147483648"];
        for rdb_type in ALL {
            survives_damage(rdb_type, &written(rdb_type, &few));
        }
        // A plain node between packed ones; short here, as a server may be set to write it.
        survives_damage(
            RdbType::Quicklist2,
            b"\x03\x02\x0a\x0a\0\0\0\x01\0\x81a\x02\xff\x01\x03abc\x02\x0a\x0a\0\0\0\x01\0\x81b\x02\xff",
        );
    }
}
