//! Module values: type 7, and the items of opcode 247.
//!
//! ```text
//! LEN id             54 bits of name, nine characters of 6 bits; 10 bits of encoding version
//! item, item, ...    each LEN opcode and what belongs to it:
//!   1 SINT           LEN, a 64-bit number in two's complement
//!   2 UINT           LEN
//!   3 FLOAT          4 bytes LE
//!   4 DOUBLE         8 bytes LE
//!   5 STRING         STR
//! LEN 0              the end
//! ```
//!
//! Defined by `rdbLoadCheckModuleValue` and `moduleTypeEncodeId` of the server. Because items have
//! types, a value can be passed over, copied and shown without its module.
//!
//! # What is told
//!
//! A walk tells `Start`, then the value's meaning as the tree of a JSON document where the module
//! is known, else its bytes. Which documents: [`json`] (ReJSON-RL: the document itself),
//! [`vectorset`], [`bloom`] (Bloom and cuckoo filters, count-min sketches, top-k lists,
//! t-digests) and [`timeseries`]. Everywhere in them
//!
//! * a string of the module is [`Node::Bytes`], also where it is the text of a number;
//! * a member that the file's encoding version does not have is null, never absent;
//! * a double is told as it is stored, NaN and infinities included, and a 32-bit float as the
//!   double of the same value.
//!
//! A value whose items are not those that its module and version write is told as bytes, like one
//! of an unknown module, and never half decoded: it is looked through before anything is told.
//! Compressed strings are tried in any case, and damage to one is an error.

pub mod bloom;
mod cbor;
mod decode;
pub mod json;
#[cfg(test)]
mod testing;
pub mod timeseries;
pub mod vectorset;

use crate::bytes::parse::{self, Parsed};
use crate::bytes::{Element, Fault, Problem};
use crate::error::Result;
use crate::rdb::string::{self, Compress, StringWriter};
use crate::rdb::value::{Reader, Scratch, truncated};
use crate::record::value::{ModuleEvent, ModuleItem, Node};
use crate::record::{DataType, Stored, ValueVisitor};

use decode::{Cursor, Decoded, Decoding, Miss, Strings, Teller, Text};

const END: u64 = 0;
const SINT: u64 = 1;
const UINT: u64 = 2;
const FLOAT: u64 = 3;
const DOUBLE: u64 = 4;
const STRING: u64 = 5;
/// Opens a compressed string.
const LZF: u8 = 0xc3;

/// The characters of type names, in the order of their 6-bit numbers.
const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Bits of the encoding version.
const VERSION_BITS: u32 = 10;
/// Bits of a character of the name.
const CHARACTER_BITS: u32 = 6;

/// Splits a module's id into the name of the type and the version of its encoding, 0 to 1023.
///
/// ```
/// use redkit::rdb::value::module::split_id;
/// assert_eq!(split_id(0xbde7_2da2_bb1e_b400), (*b"vectorset", 0));
/// ```
pub fn split_id(id: u64) -> ([u8; 9], u16) {
    let mut name = [0; 9];
    let mut left = id >> VERSION_BITS;
    for to in name.iter_mut().rev() {
        let character = usize::try_from(left % (1 << CHARACTER_BITS)).unwrap_or_default();
        *to = CHARACTERS.get(character).copied().unwrap_or_default();
        left >>= CHARACTER_BITS;
    }
    let version = u16::try_from(id % (1 << VERSION_BITS)).unwrap_or_default();
    (name, version)
}

/// The id of a type name and encoding version; `None` for a character that names cannot have, or
/// a version above 1023.
pub fn join_id(name: &[u8; 9], version: u16) -> Option<u64> {
    let mut id = 0;
    for character in name {
        let number = CHARACTERS.iter().position(|c| c == character)?;
        id = id << CHARACTER_BITS | number as u64;
    }
    (version < 1 << VERSION_BITS).then_some(id << VERSION_BITS | u64::from(version))
}

/// The items of a module value or of a module's record outside the keys, up to their end mark.
#[derive(Clone, Debug)]
pub struct Items<'d> {
    rest: &'d [u8],
    ended: bool,
}

impl<'d> Items<'d> {
    /// The items that begin here.
    pub fn new(items: &'d [u8]) -> Self {
        Items {
            rest: items,
            ended: false,
        }
    }

    /// The next item; `None` at the end mark and from then on.
    ///
    /// # Errors
    /// An opcode that is not defined, or bytes that end inside an item or without an end mark.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> std::result::Result<Option<ModuleItem<'d>>, Fault> {
        if self.ended {
            return Ok(None);
        }
        match item(self.rest) {
            Ok((rest, item)) => {
                self.rest = rest;
                self.ended = item.is_none();
                Ok(item)
            }
            Err(nom::Err::Incomplete(needed)) => Err(Fault {
                rest: 0,
                problem: truncated(needed),
            }),
            Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(fault),
        }
    }

    /// Bytes from the next item to the end of the slice.
    pub fn rest(&self) -> usize {
        self.rest.len()
    }
}

/// One item; `None` is the end mark.
fn item(input: &[u8]) -> Parsed<'_, Option<ModuleItem<'_>>> {
    let (rest, opcode) = string::number(input)?;
    let (rest, item) = match opcode {
        END => return Ok((rest, None)),
        SINT => {
            let (rest, n) = string::number(rest)?;
            (rest, ModuleItem::Sint(n.cast_signed()))
        }
        UINT => {
            let (rest, n) = string::number(rest)?;
            (rest, ModuleItem::Uint(n))
        }
        FLOAT => {
            let (rest, bytes) = parse::array(rest)?;
            (rest, ModuleItem::Float(f32::from_le_bytes(bytes)))
        }
        DOUBLE => {
            let (rest, n) = parse::le_f64(rest)?;
            (rest, ModuleItem::Double(n))
        }
        STRING => {
            let (rest, stored) = string::stored(rest)?;
            (rest, ModuleItem::String(stored))
        }
        found => return Err(Fault::at(input, Problem::ModuleOpcode { found })),
    };
    Ok((rest, Some(item)))
}

/// Passes over a module value.
///
/// # Errors
/// An opcode that is not defined, a length that is none; running out of bytes is `Incomplete`.
pub(crate) fn extent(input: &[u8]) -> Parsed<'_, ()> {
    let (input, _) = string::number(input)?;
    skip_items(input)
}

/// Passes over items and their end mark.
pub(crate) fn skip_items(mut input: &[u8]) -> Parsed<'_, ()> {
    loop {
        let (rest, opcode) = string::number(input)?;
        input = match opcode {
            END => return Ok((rest, ())),
            SINT | UINT => string::number(rest)?.0,
            FLOAT => parse::take(rest, 4)?.0,
            DOUBLE => parse::take(rest, 8)?.0,
            STRING => string::skip(rest)?.0,
            found => return Err(Fault::at(input, Problem::ModuleOpcode { found })),
        };
    }
}

/// How a known module lays its items out.
#[derive(Clone, Copy)]
enum Layout {
    /// One string that holds JSON text; told as soon as it is found to be valid.
    JsonText(fn(&mut Cursor<'_>, u16) -> Decoded<()>),
    /// Anything else: run once to see whether it fits, once to tell.
    Tree(fn(&mut Decoding<'_, '_>, u16) -> Decoded<()>),
}

fn layout(name: &[u8; 9], version: u16) -> Option<Layout> {
    Some(match (name, version) {
        (b"ReJSON-RL", 0) => Layout::Tree(json::nodes),
        (b"ReJSON-RL", 2 | 3) => Layout::JsonText(json::after_text),
        (b"ReJSON-RL", 4) => Layout::Tree(json::cbor),
        (b"vectorset", 0) => Layout::Tree(vectorset::decode),
        (b"MBbloom--", 0..=4) => Layout::Tree(bloom::bloom),
        (b"MBbloomCF", 0..=4) => Layout::Tree(bloom::cuckoo),
        (b"CMSk-TYPE", 0) => Layout::Tree(bloom::count_min),
        (b"TopK-TYPE", 0) => Layout::Tree(bloom::top_k),
        (b"TDIS-TYPE", 0) => Layout::Tree(bloom::t_digest),
        (b"TSDB-TYPE", 0..=9) => Layout::Tree(timeseries::decode),
        _ => return None,
    })
}

pub(super) fn walk<V: ValueVisitor + ?Sized>(
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    let (name, version) = split_id(reader.number()?);
    to.begin(DataType::Module, None)?;
    let start = |decoded| ModuleEvent::Start {
        name,
        version,
        decoded,
    };
    let told = match layout(&name, version) {
        Some(Layout::JsonText(rest)) => {
            let mut strings = Strings::new(&mut scratch.first);
            match json_text(reader, version, rest, &mut strings) {
                Ok(text) => {
                    to.module(start(true))?;
                    to.module(ModuleEvent::Node(Node::Json(text)))?;
                    true
                }
                Err(Miss::Error(error)) => return Err(error),
                Err(Miss::Layout) => false,
            }
        }
        Some(Layout::Tree(decode)) => {
            match decode(
                &mut Decoding::new(reader, scratch, Teller::silent()),
                version,
            ) {
                Ok(()) => {
                    to.module(start(true))?;
                    let mut forward = |node: Node<'_>| to.module(ModuleEvent::Node(node));
                    let tell = Teller::new(&mut forward);
                    match decode(&mut Decoding::new(reader, scratch, tell), version) {
                        Ok(()) => true,
                        Err(Miss::Error(error)) => return Err(error),
                        // It did fit a moment ago; told in part, it can no longer be told raw.
                        Err(Miss::Layout) => return Err(reader.fail(Problem::Malformed)),
                    }
                }
                Err(Miss::Error(error)) => return Err(error),
                Err(Miss::Layout) => false,
            }
        }
        None => false,
    };
    let items = reader.rest;
    if !told {
        verify_strings(Cursor::new(reader))?;
        to.module(start(false))?;
        to.module(ModuleEvent::Raw(items))?;
    }
    reader.run(skip_items)?;
    to.end(DataType::Module)
}

/// The valid JSON text that the one string of a value holds.
fn json_text<'a>(
    reader: &Reader<'a>,
    version: u16,
    rest: fn(&mut Cursor<'_>, u16) -> Decoded<()>,
    strings: &'a mut Strings<'_>,
) -> Decoded<&'a [u8]> {
    let mut items = Cursor::new(reader);
    let text = items.string()?;
    rest(&mut items, version)?;
    let text = strings.resolve(text)?;
    if json::is_valid(text) {
        Ok(text)
    } else {
        Err(Miss::Layout)
    }
}

/// Tries every compressed string, as servers do with values of modules they do not have.
fn verify_strings(mut items: Cursor<'_>) -> Result<()> {
    while let Some(item) = items.next()? {
        if let ModuleItem::String(stored) = item {
            Text::new(stored, &items).verify()?;
        }
    }
    Ok(())
}

/// Writes the items of a module value, or of a module's record outside the keys.
///
/// Values of known modules are copied as they stand in the file; this is for building new ones.
#[derive(Debug)]
pub struct ItemsWriter<'o> {
    out: &'o mut Vec<u8>,
    strings: StringWriter,
}

impl<'o> ItemsWriter<'o> {
    /// Begins a value of the module type with this id.
    pub fn value(id: u64, compress: Compress, out: &'o mut Vec<u8>) -> Self {
        string::write_number(id, out);
        ItemsWriter::items(compress, out)
    }

    /// Begins a list of items without an id.
    pub fn items(compress: Compress, out: &'o mut Vec<u8>) -> Self {
        ItemsWriter {
            out,
            strings: StringWriter::new(compress),
        }
    }

    /// Appends an item. A string that is compressed already is copied as it is.
    pub fn push(&mut self, item: ModuleItem<'_>) {
        match item {
            ModuleItem::Sint(n) => {
                string::write_number(SINT, self.out);
                string::write_number(n.cast_unsigned(), self.out);
            }
            ModuleItem::Uint(n) => {
                string::write_number(UINT, self.out);
                string::write_number(n, self.out);
            }
            ModuleItem::Float(n) => {
                string::write_number(FLOAT, self.out);
                self.out.extend_from_slice(&n.to_le_bytes());
            }
            ModuleItem::Double(n) => {
                string::write_number(DOUBLE, self.out);
                self.out.extend_from_slice(&n.to_le_bytes());
            }
            ModuleItem::String(Stored::Plain(element)) => {
                string::write_number(STRING, self.out);
                self.strings.write(element, self.out);
            }
            ModuleItem::String(Stored::Lzf { data, len }) => {
                string::write_number(STRING, self.out);
                self.out.push(LZF);
                string::write_number(data.len() as u64, self.out);
                string::write_number(len, self.out);
                self.out.extend_from_slice(data);
            }
        }
    }

    /// Appends a string.
    pub fn string(&mut self, bytes: &[u8]) {
        self.push(ModuleItem::String(Stored::Plain(Element::Bytes(bytes))));
    }

    /// Appends the end mark.
    pub fn finish(self) {
        string::write_number(END, self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{build, is_total, shows, string, told, try_told, unhex};
    use super::*;
    use ModuleItem::{Double, Float, Sint, Uint};

    const EVERY_ITEM: [ModuleItem<'static>; 9] = [
        Sint(-1),
        Sint(i64::MIN),
        Sint(63),
        Uint(u64::MAX),
        Uint(64),
        Float(1.5),
        Double(-0.25),
        ModuleItem::String(Stored::Plain(Element::Int(-70_000))),
        ModuleItem::String(Stored::Plain(Element::Bytes(b"text"))),
    ];

    #[test]
    fn an_id_is_nine_characters_and_a_version() {
        for (name, version) in [
            (b"AAAAAAAAA", 0),
            (b"---------", 1023),
            (b"_________", 1),
            (b"aZ09-_zA5", 512),
        ] {
            let id = join_id(name, version).unwrap();
            assert_eq!(split_id(id), (*name, version));
        }
        assert_eq!(split_id(u64::MAX), (*b"_________", 1023));
        assert_eq!(split_id(0), (*b"AAAAAAAAA", 0));
        assert_eq!(join_id(b"vectorset", 0), Some(0xbde7_2da2_bb1e_b400));
        assert_eq!(join_id(b"vectorset", 1024), None);
        assert_eq!(join_id(b"vector.et", 0), None);
    }

    #[test]
    fn items_round_trip() {
        let mut out = Vec::new();
        let mut writer = ItemsWriter::items(Compress::Never, &mut out);
        for item in EVERY_ITEM {
            writer.push(item);
        }
        writer.finish();
        let mut items = Items::new(&out);
        for expected in EVERY_ITEM {
            let found = items.next().unwrap().unwrap();
            assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        }
        assert!(items.next().unwrap().is_none());
        assert!(items.next().unwrap().is_none());
        assert_eq!(items.rest(), 0);
    }

    /// The items of two vector sets as Redis 8.2.3 dumps them, one with a compressed string.
    #[test]
    fn writes_what_the_server_writes() {
        for captured in [vectorset::tests::F32, vectorset::tests::PROJECTED_F32] {
            let captured = unhex(captured);
            let (rest, id) = string::number(&captured).unwrap();
            let mut items = Items::new(rest);
            let mut out = Vec::new();
            let mut writer = ItemsWriter::value(id, Compress::AsServer, &mut out);
            while let Some(item) = items.next().unwrap() {
                writer.push(item);
            }
            writer.finish();
            assert_eq!(out, captured);
        }
    }

    #[test]
    fn a_value_ends_at_its_end_mark_and_nothing_before_it_does() {
        let mut value = build(b"unknownXX", 7, &EVERY_ITEM);
        is_total(&value);
        value.extend_from_slice(b"next");
        assert_eq!(extent(&value).unwrap().0, b"next");
    }

    #[test]
    fn an_unknown_module_is_told_with_name_version_and_bytes() {
        let value = build(b"unknownXX", 7, &EVERY_ITEM);
        let told = told(&value);
        assert_eq!((&told.name, told.version), (b"unknownXX", 7));
        let items = string::number(&value).unwrap().0;
        assert!(told.meaning == testing::Meaning::Raw(items.to_vec()));
    }

    #[test]
    fn a_known_module_of_an_unknown_version_is_told_raw() {
        for (name, version) in [
            (b"ReJSON-RL", 1),
            (b"ReJSON-RL", 5),
            (b"vectorset", 1),
            (b"MBbloom--", 5),
            (b"TSDB-TYPE", 10),
        ] {
            assert_eq!(shows(name, version, &[string(b"{}")]), "raw");
        }
    }

    #[test]
    fn an_opcode_that_is_not_defined_is_a_fault_where_it_stands() {
        let value = unhex("81bde72da2bb1eb400 0205 06 00");
        let Err(nom::Err::Failure(fault)) = extent(&value) else {
            panic!("a fault was expected");
        };
        assert_eq!(fault.rest, 2);
        assert_eq!(fault.problem, Problem::ModuleOpcode { found: 6 });
        let items = string::number(&value).unwrap().0;
        let mut items = Items::new(items);
        assert!(matches!(items.next(), Ok(Some(Uint(5)))));
        assert_eq!(items.next().unwrap_err(), fault);
    }

    #[test]
    fn items_without_an_end_mark_are_truncated() {
        let mut items = Items::new(&[2, 5]);
        assert!(items.next().is_ok());
        let fault = items.next().unwrap_err();
        assert_eq!(fault.problem, Problem::Truncated { missing: 1 });
    }

    #[test]
    fn damage_to_a_compressed_string_is_an_error_in_raw_and_known_values_alike() {
        // A back reference before the start of the output.
        let data = b"\x00a\x20\x09";
        for name in [b"unknownXX", b"ReJSON-RL", b"TSDB-TYPE"] {
            let items = [ModuleItem::String(Stored::Lzf { data, len: 4 })];
            let value = build(name, 3, &items);
            let error = try_told(&value).err().expect("an error");
            assert_eq!(error.problem(), Some(Problem::LzfReference));
            assert_eq!(error.place().unwrap().offset, 1000 + 9 + 4);
        }
    }

    const KNOWN: [(&[u8; 9], u16); 12] = [
        (b"ReJSON-RL", 0),
        (b"ReJSON-RL", 2),
        (b"ReJSON-RL", 4),
        (b"vectorset", 0),
        (b"MBbloom--", 0),
        (b"MBbloom--", 4),
        (b"MBbloomCF", 4),
        (b"CMSk-TYPE", 0),
        (b"TopK-TYPE", 0),
        (b"TDIS-TYPE", 0),
        (b"TSDB-TYPE", 1),
        (b"TSDB-TYPE", 9),
    ];

    /// Items of any type in any order, mostly small numbers so that counts are often met.
    #[test]
    fn any_items_under_a_known_name_are_a_whole_tree_or_raw() {
        let pool = [
            Uint(0),
            Uint(1),
            Uint(2),
            Uint(0x20),
            Uint(0x40),
            Uint(0x80),
            Uint(1 << 24),
            Uint(u64::MAX),
            Sint(1),
            Double(1.0),
            string(b""),
            string(b"1"),
            string(b"{}"),
            string(b"\x81\xf6"),
        ];
        let mut state = 1u64;
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut trees = 0;
        for _ in 0..30_000 {
            let (name, version) = KNOWN[random(KNOWN.len())];
            let items: Vec<_> = (0..random(12)).map(|_| pool[random(pool.len())]).collect();
            trees += u32::from(!told(&build(name, version, &items)).is_raw());
        }
        assert!(trees > 10, "{trees}");
    }

    struct Stopping {
        after: u32,
    }

    impl ValueVisitor for Stopping {
        fn module(&mut self, _: ModuleEvent<'_>) -> Result<()> {
            self.after = match self.after.checked_sub(1) {
                Some(left) => left,
                None => return Err(crate::error::Error::limit("enough")),
            };
            Ok(())
        }
    }

    #[test]
    fn an_error_of_the_visitor_ends_the_walk() {
        let values = [
            unhex(vectorset::tests::F32),
            build(b"ReJSON-RL", 3, &[string(b"{}")]),
            build(b"unknownXX", 0, &[]),
        ];
        for value in &values {
            let value = crate::record::RawValue {
                rdb_type: crate::record::RdbType::Module,
                bytes: value,
                at: 0,
            };
            let walk = |after| {
                let mut visitor = Stopping { after };
                let walked = crate::rdb::value::walk(&value, &mut Scratch::default(), &mut visitor);
                (walked.is_ok(), visitor.after)
            };
            let (_, left) = walk(1000);
            let events = 1000 - left;
            assert!(events >= 2);
            for after in 0..=events {
                assert_eq!(walk(after).0, after == events, "after {after}");
            }
        }
    }
}
