//! ReJSON-RL, the documents of RedisJSON; and a check of JSON text.
//!
//! ```text
//! version 0    a node: UINT kind, then by kind
//!                01 null     nothing              02 string   STRING
//!                04 number   DOUBLE               08 integer  SINT
//!                10 boolean  STRING "1" or "0"
//!                20 object   UINT n, n times: UINT 80, STRING name, node
//!                40 array    UINT n, n times: node
//! version 2    STRING JSON text, UINT u, where u > 0 two strings that mean nothing any more
//! version 3    STRING JSON text
//! version 4    STRING CBOR: null, booleans, integers, floats, text, arrays, maps with text as
//!              names; arrays of numbers of one type as byte strings under the little-endian
//!              tags of RFC 8746 and, for bfloat16, under 0x10000
//! ```
//!
//! Defined by `rdb_load` of RedisJSON. The value that is told is the document itself. Of versions
//! 2 and 3 it is the text as it stands, one [`Node::Json`]: members keep their order, numbers
//! their digits, and there may be white space, line breaks included, between tokens. Text that is
//! not JSON, that nests deeper than [`JSON_DEPTH`], or that escapes half of a surrogate pair, which
//! strict readers refuse, is told raw with the rest of the value.

use crate::bytes::limits::JSON_DEPTH;
use crate::record::value::Node;

use super::cbor;
use super::decode::{Cursor, Decoded, Decoding, Miss};

const NULL: u64 = 0x01;
const STRING: u64 = 0x02;
const NUMBER: u64 = 0x04;
const INTEGER: u64 = 0x08;
const BOOLEAN: u64 = 0x10;
const OBJECT: u64 = 0x20;
const ARRAY: u64 = 0x40;
const MEMBER: u64 = 0x80;

/// An object or array that has begun.
struct Open {
    object: bool,
    left: u64,
}

/// Version 0.
pub(super) fn nodes(cx: &mut Decoding<'_, '_>, _: u16) -> Decoded<()> {
    let mut open: Vec<Open> = Vec::new();
    loop {
        match cx.items.uint()? {
            NULL => cx.tell.node(Node::Null)?,
            STRING => {
                let text = cx.items.string()?;
                cx.string(text)?;
            }
            NUMBER => {
                let n = cx.items.double()?;
                cx.tell.node(Node::Double(n))?;
            }
            INTEGER => {
                let n = cx.items.sint()?;
                cx.tell.node(Node::Int(n))?;
            }
            BOOLEAN => {
                let truth = match cx.strings.resolve(cx.items.string()?)? {
                    b"1" => true,
                    b"0" => false,
                    _ => return Err(Miss::Layout),
                };
                cx.tell.node(Node::Bool(truth))?;
            }
            kind @ (OBJECT | ARRAY) => {
                if open.len() >= JSON_DEPTH as usize {
                    return Err(Miss::Layout);
                }
                let object = kind == OBJECT;
                let left = cx.items.uint()?;
                cx.tell
                    .node(if object { Node::Object } else { Node::Array })?;
                open.push(Open { object, left });
            }
            _ => return Err(Miss::Layout),
        }
        while open.last().is_some_and(|level| level.left == 0) {
            cx.tell.node(Node::End)?;
            open.pop();
        }
        let Some(level) = open.last_mut() else {
            return cx.items.end();
        };
        level.left -= 1;
        if level.object {
            if cx.items.uint()? != MEMBER {
                return Err(Miss::Layout);
            }
            let name = cx.strings.resolve(cx.items.string()?)?;
            cx.tell.node(Node::Name(name))?;
        }
    }
}

/// What follows the text in versions 2 and 3.
pub(super) fn after_text(items: &mut Cursor<'_>, version: u16) -> Decoded<()> {
    if version == 2 && items.uint()? > 0 {
        items.string()?.verify()?;
        items.string()?.verify()?;
    }
    items.end()
}

/// Version 4.
pub(super) fn cbor(cx: &mut Decoding<'_, '_>, _: u16) -> Decoded<()> {
    let document = cx.items.string()?;
    cx.items.end()?;
    cbor::decode(cx.strings.resolve(document)?, &mut cx.tell)
}

/// Whether `text` is one JSON document as RFC 8259 has it, in UTF-8, its nesting at most
/// [`JSON_DEPTH`] and its escaped surrogates in pairs. Names may stand twice in an object.
pub fn is_valid(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok() && Scanner { rest: text }.document().is_some()
}

/// Walks over JSON text; `None` where it is none.
struct Scanner<'t> {
    rest: &'t [u8],
}

impl Scanner<'_> {
    fn document(&mut self) -> Option<()> {
        let mut open = Levels::default();
        loop {
            self.space();
            match self.next()? {
                b'{' => {
                    open.push(true)?;
                    self.space();
                    if !self.eat(b'}') {
                        self.name()?;
                        continue;
                    }
                    open.pop();
                }
                b'[' => {
                    open.push(false)?;
                    self.space();
                    if !self.eat(b']') {
                        continue;
                    }
                    open.pop();
                }
                b'"' => self.string()?,
                b'-' => {
                    let first = self.next()?;
                    self.number(first)?;
                }
                digit @ b'0'..=b'9' => self.number(digit)?,
                b't' => self.word(b"rue")?,
                b'f' => self.word(b"alse")?,
                b'n' => self.word(b"ull")?,
                _ => return None,
            }
            // A value has ended, and with it perhaps what it stands in.
            loop {
                self.space();
                let Some(object) = open.last() else {
                    return self.rest.is_empty().then_some(());
                };
                match (self.next()?, object) {
                    (b',', false) => break,
                    (b',', true) => {
                        self.space();
                        self.name()?;
                        break;
                    }
                    (b']', false) | (b'}', true) => open.pop(),
                    _ => return None,
                }
            }
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn space(&mut self) {
        while let Some((b' ' | b'\t' | b'\n' | b'\r', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
    }

    fn word(&mut self, rest: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(rest)?;
        Some(())
    }

    /// A member's name and the colon behind it.
    fn name(&mut self) -> Option<()> {
        if !self.eat(b'"') {
            return None;
        }
        self.string()?;
        self.space();
        self.eat(b':').then_some(())
    }

    /// The rest of a string whose quotation mark was read.
    fn string(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => match self.hex()? {
                        0xd800..=0xdbff => {
                            self.word(b"\\u")?;
                            if !(0xdc00..=0xdfff).contains(&self.hex()?) {
                                return None;
                            }
                        }
                        0xdc00..=0xdfff => return None,
                        _ => {}
                    },
                    _ => return None,
                },
                0..=0x1f => return None,
                _ => {}
            }
        }
    }

    fn hex(&mut self) -> Option<u32> {
        let mut n = 0;
        for _ in 0..4 {
            n = n << 4 | char::from(self.next()?).to_digit(16)?;
        }
        Some(n)
    }

    /// The rest of a number whose first digit was read.
    fn number(&mut self, first: u8) -> Option<()> {
        match first {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.eat(b'.') {
            self.some_digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.some_digits()?;
        }
        Some(())
    }

    fn some_digits(&mut self) -> Option<()> {
        if !self.next()?.is_ascii_digit() {
            return None;
        }
        self.digits();
        Some(())
    }

    fn digits(&mut self) {
        while let Some((b'0'..=b'9', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
    }
}

/// Which of the open levels are objects: one bit each, no allocation.
#[derive(Default)]
struct Levels {
    bits: [u64; JSON_DEPTH as usize / 64],
    depth: u32,
}

impl Levels {
    /// `None` when it gets too deep.
    fn push(&mut self, object: bool) -> Option<()> {
        let (word, bit) = Levels::place(self.depth);
        let word = self.bits.get_mut(word)?;
        *word = *word & !bit | if object { bit } else { 0 };
        self.depth += 1;
        Some(())
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Whether the innermost level is an object; `None` outside all of them.
    fn last(&self) -> Option<bool> {
        let (word, bit) = Levels::place(self.depth.checked_sub(1)?);
        Some(self.bits.get(word)? & bit != 0)
    }

    fn place(level: u32) -> (usize, u64) {
        (level as usize / 64, 1 << (level % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Tree, build, build_as, is_total, shows, string, told};
    use super::*;
    use crate::rdb::string::Compress;
    use crate::record::value::ModuleItem::{self, Double, Sint, Uint};

    const NAME: &[u8; 9] = b"ReJSON-RL";

    #[test]
    fn a_tree_of_nodes_becomes_the_document() {
        let items = [
            Uint(OBJECT),
            Uint(4),
            Uint(MEMBER),
            string(b"12"),
            Uint(ARRAY),
            Uint(5),
            Uint(NULL),
            Uint(BOOLEAN),
            string(b"1"),
            Uint(BOOLEAN),
            string(b"0"),
            Uint(INTEGER),
            Sint(-5),
            Uint(NUMBER),
            Double(0.1),
            Uint(MEMBER),
            string(b"e"),
            Uint(OBJECT),
            Uint(0),
            Uint(MEMBER),
            string(b"e"),
            Uint(ARRAY),
            Uint(0),
            Uint(MEMBER),
            string(b"\xff"),
            Uint(STRING),
            string(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ];
        assert_eq!(
            shows(NAME, 0, &items),
            "{12:[null,true,false,-5,0.1],e:{},e:[],\\xff:'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}"
        );
        assert_eq!(shows(NAME, 0, &[Uint(STRING), string(b"-7")]), "'-7'");
        for cut in 1..items.len() {
            let value = build(NAME, 0, items.get(..cut).unwrap());
            assert!(told(&value).is_raw(), "{cut} items");
        }
    }

    #[test]
    fn nodes_that_are_none_are_told_raw() {
        for items in [
            [Uint(3)].as_slice(),
            &[Uint(NULL), Uint(NULL)],
            &[Uint(BOOLEAN), string(b"true")],
            &[Uint(INTEGER), Uint(1)],
            &[Uint(OBJECT), Uint(1), string(b"a"), Uint(NULL)],
            &[Uint(MEMBER), string(b"a"), Uint(NULL)],
            &[Uint(ARRAY), Uint(u64::MAX), Uint(NULL)],
            &[Uint(OBJECT), Uint(u64::MAX)],
        ] {
            assert_eq!(shows(NAME, 0, items), "raw");
        }
    }

    #[test]
    fn nesting_is_followed_to_its_limit_in_every_version() {
        let deep = |depth: usize| {
            let mut items = Vec::new();
            for _ in 0..depth {
                items.extend([Uint(ARRAY), Uint(1)]);
            }
            items.push(Uint(NULL));
            let nodes = build(NAME, 0, &items);
            let text = ["[".repeat(depth), "]".repeat(depth)].concat();
            let text = build(NAME, 3, &[string(text.as_bytes())]);
            let mut cbor = vec![0x81; depth];
            cbor.push(0xf6);
            let cbor = build(NAME, 4, &[string(&cbor)]);
            [nodes, text, cbor].map(|value| told(&value).is_raw())
        };
        let limit = JSON_DEPTH as usize;
        assert_eq!(deep(limit), [false; 3]);
        assert_eq!(deep(limit + 1), [true; 3]);
        assert_eq!(deep(200_000), [true; 3]);
    }

    #[test]
    fn text_is_told_as_it_stands() {
        let text = b"{ \"a\" : [1.50, -0, 1e400],\n\"a\":\"\\u00e9\xc3\xa9\" }";
        let expected = Tree::Json(text.to_vec());
        for compress in [Compress::Never, Compress::AsServer] {
            let three = build_as(compress, NAME, 3, &[string(text)]);
            assert_eq!(*told(&three).tree(), expected);
            is_total(&three);
            let two = build_as(compress, NAME, 2, &[string(text), Uint(0)]);
            assert_eq!(*told(&two).tree(), expected);
            let path = [string(text), Uint(1), string(b"index"), string(b"$")];
            let two = build_as(compress, NAME, 2, &path);
            assert_eq!(*told(&two).tree(), expected);
        }
        // Servers store the text of an integer as one.
        assert_eq!(shows(NAME, 3, &[string(b"-120")]), "<-120>");
        let long = format!("[{}1]", "123456789,".repeat(1000));
        assert_eq!(shows_text(long.as_bytes()), format!("<{long}>"));
    }

    fn shows_text(text: &[u8]) -> String {
        let value = build_as(Compress::AsServer, NAME, 3, &[string(text)]);
        told(&value).tree().to_string()
    }

    #[test]
    fn text_that_is_not_json_is_told_raw() {
        for items in [
            [string(b"{\"a\":}")].as_slice(),
            &[string(b"")],
            &[string(b"\"\xff\"")],
            &[string(b"007")],
            &[string(b"1"), string(b"1")],
            &[Uint(1)],
        ] {
            assert_eq!(shows(NAME, 3, items), "raw");
        }
        let text: ModuleItem<'_> = string(b"{}");
        assert_eq!(shows(NAME, 2, &[text]), "raw");
        assert_eq!(shows(NAME, 2, &[text, Uint(1), text]), "raw");
    }

    #[test]
    fn valid_text_is_told_from_invalid() {
        for text in [
            "null",
            " true\t",
            "\r\nfalse\n",
            "0",
            "-0",
            "-0.0e-0",
            "10",
            "1.5",
            "1E5",
            "1e+5",
            "1.25e-300",
            "\"\"",
            r#""\"\\\/\b\f\n\r\t\u0000\uABCD\ud83d\uDE00""#,
            "\"\u{7f}\u{e9}\u{1f600}\"",
            "[]",
            "[ ]",
            "{}",
            "{ }",
            "[1,[2,{\"a\":[]}],{}]",
            "{\"a\":1,\"a\":{\"b\":null} , \"c\" : [ 1 , 2 ] }",
        ] {
            assert!(is_valid(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            " ",
            "nul",
            "nulll",
            "True",
            "+1",
            "-",
            "01",
            "-01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "1.e1",
            "0x1",
            "NaN",
            "Infinity",
            "'a'",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"\\ud800x\"",
            "\"\n\"",
            "\"\u{1f}\"",
            "[",
            "]",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1}",
            "{",
            "}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{1:2}",
            "{a:1}",
            "{\"a\" 1}",
            "{\"a\":1]",
            "1 1",
            "{}{}",
            "[]]",
            "/**/1",
            "1//",
            "\u{feff}1",
            "\u{a0}1",
        ] {
            assert!(!is_valid(text.as_bytes()), "{text}");
        }
        for bytes in [
            b"\"\xc3\"".as_slice(),
            b"\"\xed\xa0\x80\"",
            b"\xff",
            b"\"\xc0\x80\"",
        ] {
            assert!(!is_valid(bytes));
        }
    }
}
