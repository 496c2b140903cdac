//! JSON text: strings, numbers and punctuation appended to a buffer.
//!
//! A server string is bytes. Valid UTF-8 becomes a JSON string; anything else an object with one
//! member that says how the bytes are written, so that no byte is lost:
//!
//! ```text
//! {"$b64":"a/8A/g=="}     base64 (RFC 4648, padded)
//! {"$hex":"6bff00fe"}     hexadecimal
//! {"$esc":"k\\xff\\x00"}  printable ASCII as it is, a backslash doubled, other bytes as \xHH
//! ```
//!
//! Where JSON allows only a string, as the name of an object's member, the same is a string that
//! begins with a NUL: `"\u0000b64:a/8A/g=="`; so does any name that begins with a NUL itself.

use crate::bytes::Element;
use crate::bytes::number::{ScoreText, integer_score, write_double};
use crate::io::ordered::Chunk;

/// How server strings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StringStyle {
    /// JSON strings where the bytes are UTF-8, base64 where not.
    #[default]
    Auto,
    /// All in base64.
    Base64,
    /// All in hexadecimal.
    Hex,
    /// All with `\xHH` for what is not printable ASCII.
    Escape,
}

/// A buffer of JSON text. Its bytes are initialised beyond the text, so that short pieces are
/// written as whole words into what is there.
#[derive(Debug, Default)]
pub struct JsonText {
    bytes: Vec<u8>,
    len: usize,
    style: StringStyle,
    number: Vec<u8>,
}

/// A string that is appended part by part, see [`JsonText::long`].
#[derive(Debug)]
pub struct LongString<'a> {
    rest: &'a [u8],
    text: bool,
    open: bool,
}

/// Most bytes of JSON that one byte of a string can become: `\u00XX`.
const WORST: usize = 6;
/// What a buffer has room for at the least.
const LEAST: usize = 512 << 10;
/// Strings longer than this are escaped in parts, so that the room made is in proportion.
const PART: usize = 64 << 10;
/// Strings longer than this are looked at as a whole before they are written.
const LOOK_FIRST: usize = 48;
/// Strings up to this length are mostly names and words, with nothing to escape.
const SHORT: usize = 40;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

impl JsonText {
    /// An empty text that writes strings in this style.
    pub fn new(style: StringStyle) -> Self {
        JsonText {
            style,
            ..JsonText::default()
        }
    }

    /// Bytes so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The text so far.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Forgets what was written behind the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Takes the text out and goes on in `next`, whatever it holds.
    pub fn take(&mut self, next: Vec<u8>) -> Chunk {
        let full = std::mem::replace(&mut self.bytes, next);
        Chunk::new(full, std::mem::take(&mut self.len))
    }

    /// Makes sure of room for `more` bytes.
    #[inline]
    fn room(&mut self, more: usize) {
        if self.bytes.len() - self.len < more {
            self.grow(more);
        }
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let need = self.len + more;
        self.bytes
            .resize(need.max(self.bytes.len() * 2).max(LEAST), 0);
    }

    /// Appends bytes as they are.
    #[inline]
    pub fn raw(&mut self, text: &[u8]) {
        self.room(text.len());
        if let Some(to) = self.bytes.get_mut(self.len..self.len + text.len()) {
            to.copy_from_slice(text);
        }
        self.len += text.len();
    }

    /// Appends one byte as it is.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.room(1);
        if let Some(to) = self.bytes.get_mut(self.len) {
            *to = byte;
        }
        self.len += 1;
    }

    /// Appends a signed number.
    #[inline]
    pub fn int(&mut self, n: i64) {
        self.raw(itoa::Buffer::new().format(n).as_bytes());
    }

    /// Appends an unsigned number.
    #[inline]
    pub fn uint(&mut self, n: u64) {
        self.raw(itoa::Buffer::new().format(n).as_bytes());
    }

    /// Appends a double as the servers of today print it, which is a JSON number; one that is not
    /// finite becomes `"inf"`, `"-inf"` or `"nan"`.
    pub fn double(&mut self, n: f64) {
        if let Some(whole) = integer_score(n)
            && (whole != 0 || n.is_sign_positive())
        {
            return self.int(whole);
        }
        self.number.clear();
        write_double(&mut self.number, n, ScoreText::Grisu2);
        let number = std::mem::take(&mut self.number);
        if n.is_finite() {
            self.raw(&number);
        } else {
            self.byte(b'"');
            self.raw(&number);
            self.byte(b'"');
        }
        self.number = number;
    }

    /// Appends a server string as a value.
    #[inline]
    pub fn string(&mut self, element: Element<'_>) {
        match element {
            Element::Bytes(bytes) => self.string_bytes(bytes),
            Element::Int(n) if self.style == StringStyle::Auto => {
                self.byte(b'"');
                self.int(n);
                self.byte(b'"');
            }
            Element::Int(n) => self.string_bytes(itoa::Buffer::new().format(n).as_bytes()),
        }
    }

    /// Appends a server string as a value.
    #[inline]
    pub fn string_bytes(&mut self, bytes: &[u8]) {
        match self.style {
            StringStyle::Auto => {
                let start = self.len;
                if !self.try_text(bytes) {
                    self.truncate(start);
                    self.raw(b"{\"$b64\":\"");
                    self.base64(bytes);
                    self.raw(b"\"}");
                }
            }
            style => {
                self.raw(match style {
                    StringStyle::Hex => b"{\"$hex\":\"",
                    StringStyle::Escape => b"{\"$esc\":\"",
                    _ => b"{\"$b64\":\"",
                });
                self.styled(bytes);
                self.raw(b"\"}");
            }
        }
    }

    /// Appends a server string as the name of an object's member.
    #[inline]
    pub fn name(&mut self, element: Element<'_>) {
        match element {
            Element::Bytes(bytes) => self.name_bytes(bytes),
            Element::Int(n) => self.name_bytes(itoa::Buffer::new().format(n).as_bytes()),
        }
    }

    fn name_bytes(&mut self, bytes: &[u8]) {
        let start = self.len;
        let mark: &[u8] = match self.style {
            StringStyle::Auto => {
                if bytes.first() != Some(&0) && self.try_text(bytes) {
                    return;
                }
                self.truncate(start);
                b"\"\\u0000b64:"
            }
            StringStyle::Base64 => b"\"\\u0000b64:",
            StringStyle::Hex => b"\"\\u0000hex:",
            StringStyle::Escape => b"\"\\u0000esc:",
        };
        self.raw(mark);
        self.styled(bytes);
        self.byte(b'"');
    }

    /// Appends bytes in the style chosen, without quotes.
    fn styled(&mut self, bytes: &[u8]) {
        match self.style {
            StringStyle::Auto | StringStyle::Base64 => self.base64(bytes),
            StringStyle::Hex => {
                for part in bytes.chunks(PART) {
                    self.room(part.len() * 2);
                    for &b in part {
                        self.byte(hex(b >> 4));
                        self.byte(hex(b & 15));
                    }
                }
            }
            StringStyle::Escape => {
                for &b in bytes {
                    match b {
                        b'\\' => self.raw(b"\\\\\\\\"),
                        b'"' => self.raw(b"\\\""),
                        b' '..=b'~' => self.byte(b),
                        _ => self.raw(&[b'\\', b'\\', b'x', hex(b >> 4), hex(b & 15)]),
                    }
                }
            }
        }
    }

    /// Appends bytes in base64, without quotes.
    pub fn raw_base64(&mut self, bytes: &[u8]) {
        self.base64(bytes);
    }

    /// Begins a string that is appended part by part.
    pub fn long<'a>(&mut self, bytes: &'a [u8]) -> LongString<'a> {
        let text = self.style == StringStyle::Auto && simdutf8::basic::from_utf8(bytes).is_ok();
        self.raw(match self.style {
            StringStyle::Auto if text => b"\"",
            StringStyle::Auto | StringStyle::Base64 => b"{\"$b64\":\"",
            StringStyle::Hex => b"{\"$hex\":\"",
            StringStyle::Escape => b"{\"$esc\":\"",
        });
        LongString {
            rest: bytes,
            text,
            open: true,
        }
    }

    /// Appends the next part; false when the string is complete.
    pub fn long_part(&mut self, string: &mut LongString<'_>) -> bool {
        if string.rest.is_empty() {
            if std::mem::replace(&mut string.open, false) {
                self.raw(if string.text { b"\"" } else { b"\"}" });
            }
            return false;
        }
        let part = PART / 3 * 3;
        let (part, rest) = string.rest.split_at(part.min(string.rest.len()));
        string.rest = rest;
        if string.text {
            self.room(part.len() * WORST + 16);
            self.escape(part);
        } else {
            self.styled(part);
        }
        true
    }

    fn base64(&mut self, bytes: &[u8]) {
        // Parts of a length divisible by three need no padding but at the end.
        for part in bytes.chunks(PART / 3 * 3) {
            let encoder = base64_simd::STANDARD;
            let len = encoder.encoded_length(part.len());
            self.room(len);
            if let Some(to) = self.bytes.get_mut(self.len..self.len + len) {
                let _ = encoder.encode(part, base64_simd::Out::from_slice(to));
            }
            self.len += len;
        }
    }

    /// Appends a JSON string; false when the bytes are not UTF-8, and then what was appended is of
    /// no use.
    #[inline]
    fn try_text(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > LOOK_FIRST {
            // Whether all of it is text is found out faster than it is escaped.
            if simdutf8::basic::from_utf8(bytes).is_err() {
                return false;
            }
            if bytes.len() > PART {
                self.long_text(bytes);
            } else {
                self.room(bytes.len() * WORST + 16);
                self.byte(b'"');
                self.escape(bytes);
                self.byte(b'"');
            }
            return true;
        }
        self.room(bytes.len() * WORST + 16);
        self.byte(b'"');
        let ascii = self.escape(bytes);
        self.byte(b'"');
        ascii || simdutf8::basic::from_utf8(bytes).is_ok()
    }

    #[cold]
    fn long_text(&mut self, bytes: &[u8]) {
        self.byte(b'"');
        for part in bytes.chunks(PART) {
            self.room(part.len() * WORST + 16);
            self.escape(part);
        }
        self.byte(b'"');
    }

    /// Appends bytes with JSON's escapes; true when all are ASCII. The room is there: eight bytes
    /// are copied before they are looked at, and what follows an escape is written over.
    #[inline]
    fn escape(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() <= SHORT
            && let Some(ascii) = self.copy_clean(bytes)
        {
            return ascii;
        }
        let mut seen = 0u64;
        let mut rest = bytes;
        let mut len = self.len;
        let out = self.bytes.as_mut_slice();
        while let Some((word, after)) = rest.split_first_chunk::<8>() {
            let Some(to) = out.get_mut(len..len + 8) else {
                break;
            };
            to.copy_from_slice(word);
            let word = u64::from_le_bytes(*word);
            seen |= word;
            let special = special(word);
            if special == 0 {
                len += 8;
                rest = after;
                continue;
            }
            let clean = (special.trailing_zeros() / 8) as usize;
            len += clean;
            let (_, tail) = rest.split_at(clean);
            let Some((&b, tail)) = tail.split_first() else {
                break;
            };
            len += escape_byte(b, out, len);
            rest = tail;
        }
        for &b in rest {
            seen |= u64::from(b);
            if b >= 0x20 && b != b'"' && b != b'\\' {
                if let Some(to) = out.get_mut(len) {
                    *to = b;
                }
                len += 1;
            } else {
                len += escape_byte(b, out, len);
            }
        }
        self.len = len;
        seen & HIGH == 0
    }
}

impl JsonText {
    /// Appends a short string in which nothing needs an escape, in words that may overlap; whether
    /// it is ASCII. `None`, and nothing appended, where something needs one.
    #[inline]
    fn copy_clean(&mut self, bytes: &[u8]) -> Option<bool> {
        let to = self.bytes.get_mut(self.len..self.len + bytes.len())?;
        let mut seen = 0u64;
        if let Some(last) = bytes.last_chunk::<8>() {
            for (word, to) in bytes
                .as_chunks::<8>()
                .0
                .iter()
                .zip(to.as_chunks_mut::<8>().0)
            {
                let n = u64::from_le_bytes(*word);
                if special(n) != 0 {
                    return None;
                }
                seen |= n;
                *to = *word;
            }
            let n = u64::from_le_bytes(*last);
            if special(n) != 0 {
                return None;
            }
            seen |= n;
            *to.last_chunk_mut::<8>()? = *last;
        } else if let (Some(first), Some(last)) =
            (bytes.first_chunk::<4>(), bytes.last_chunk::<4>())
        {
            let n =
                u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
            if special(n) != 0 {
                return None;
            }
            seen |= n;
            *to.first_chunk_mut::<4>()? = *first;
            *to.last_chunk_mut::<4>()? = *last;
        } else {
            for (&b, to) in bytes.iter().zip(to) {
                if b < 0x20 || b == b'"' || b == b'\\' {
                    return None;
                }
                seen |= u64::from(b);
                *to = b;
            }
        }
        self.len += bytes.len();
        Some(seen & HIGH == 0)
    }
}

/// Marks with their high bit the bytes that JSON escapes; the lowest mark is exact.
#[inline]
fn special(word: u64) -> u64 {
    let below = |limit: u64, w: u64| w.wrapping_sub(ONES * limit) & !w & HIGH;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    below(0x20, word) | below(1, quote) | below(1, backslash)
}

/// Writes the escape of a byte and returns its length.
#[inline]
fn escape_byte(b: u8, out: &mut [u8], at: usize) -> usize {
    let short = match b {
        b'"' | b'\\' => b,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        8 => b'b',
        12 => b'f',
        _ => {
            if let Some(to) = out.get_mut(at..at + 6) {
                to.copy_from_slice(&[b'\\', b'u', b'0', b'0', hex(b >> 4), hex(b & 15)]);
            }
            return 6;
        }
    };
    if let Some(to) = out.get_mut(at..at + 2) {
        to.copy_from_slice(&[b'\\', short]);
    }
    2
}

#[inline]
fn hex(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &[u8], style: StringStyle) -> String {
        let mut text = JsonText::new(style);
        text.string_bytes(bytes);
        String::from_utf8(text.as_bytes().to_vec()).unwrap()
    }

    fn name(bytes: &[u8]) -> String {
        let mut text = JsonText::new(StringStyle::Auto);
        text.name(Element::Bytes(bytes));
        String::from_utf8(text.as_bytes().to_vec()).unwrap()
    }

    /// Every byte at every place of a word, among bytes that need no escape.
    #[test]
    fn a_byte_is_escaped_wherever_it_stands() {
        for b in 0..=0x7fu8 {
            for at in 0..20 {
                let mut bytes = vec![b'x'; 20];
                bytes[at] = b;
                let parsed: String =
                    serde_json::from_str(&value(&bytes, StringStyle::Auto)).unwrap();
                assert_eq!(parsed.as_bytes(), bytes, "{b:#x} at {at}");
            }
        }
    }

    #[test]
    fn what_is_not_utf8_is_base64_as_a_value_and_as_a_name() {
        assert_eq!(
            value(b"k\xff\0\xfe", StringStyle::Auto),
            r#"{"$b64":"a/8A/g=="}"#
        );
        assert_eq!(name(b"k\xff\0\xfe"), r#""\u0000b64:a/8A/g==""#);
        assert_eq!(name(b"\0b64:"), r#""\u0000b64:AGI2NDo=""#);
        assert_eq!(
            value("žluť 日本 😀".as_bytes(), StringStyle::Auto),
            "\"žluť 日本 😀\""
        );
        assert_eq!(name("é".as_bytes()), "\"é\"");
    }

    #[test]
    fn the_other_styles_write_all_strings_alike() {
        assert_eq!(value(b"a\xff", StringStyle::Hex), r#"{"$hex":"61ff"}"#);
        assert_eq!(value(b"a", StringStyle::Base64), r#"{"$b64":"YQ=="}"#);
        assert_eq!(
            value(b"a\\\"\n", StringStyle::Escape),
            r#"{"$esc":"a\\\\\"\\x0a"}"#
        );
        assert_eq!(value(b"", StringStyle::Auto), r#""""#);
    }

    #[test]
    fn doubles_are_numbers_or_words() {
        let double = |n| {
            let mut text = JsonText::default();
            text.double(n);
            String::from_utf8(text.as_bytes().to_vec()).unwrap()
        };
        assert_eq!(double(1.1), "1.1");
        assert_eq!(double(1e21), "1e+21");
        assert_eq!(double(1e8), "100000000");
        assert_eq!(double(-0.0), "-0");
        assert_eq!(double(f64::NEG_INFINITY), "\"-inf\"");
        assert_eq!(double(f64::NAN), "\"nan\"");
    }

    proptest::proptest! {
        #[test]
        fn any_utf8_comes_back_from_a_parser(text in "\\PC*", tail in proptest::collection::vec(0u8..0x80, 0..40)) {
            let mut bytes = text.into_bytes();
            bytes.extend(tail);
            let parsed: String = serde_json::from_str(&value(&bytes, StringStyle::Auto)).unwrap();
            proptest::prop_assert_eq!(parsed.as_bytes(), &bytes[..]);
        }

        #[test]
        fn any_bytes_are_valid_json(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            for style in [StringStyle::Auto, StringStyle::Hex, StringStyle::Escape, StringStyle::Base64] {
                serde_json::from_str::<serde_json::Value>(&value(&bytes, style)).unwrap();
            }
            serde_json::from_str::<String>(&name(&bytes)).unwrap();
        }
    }

    #[test]
    fn long_strings_are_written_in_parts_and_come_out_whole() {
        let mut bytes: Vec<u8> = (0..PART * 3 + 17).map(|i| (i % 94) as u8 + 32).collect();
        let parsed: String = serde_json::from_str(&value(&bytes, StringStyle::Auto)).unwrap();
        assert_eq!(parsed.as_bytes(), bytes);
        bytes.push(0xff);
        let parsed: serde_json::Value =
            serde_json::from_str(&value(&bytes, StringStyle::Auto)).unwrap();
        let text = parsed["$b64"].as_str().unwrap();
        assert_eq!(base64_simd::STANDARD.decode_to_vec(text).unwrap(), bytes);
    }
}
