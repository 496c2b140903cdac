//! JSON text back to what it says: the way back of [`text`](super::text).
//!
//! The text of one record is at hand as a whole. Members of an object come in any order, so they
//! are looked up first and read then; nothing here calls itself, however deep a text is nested.

use std::borrow::Cow;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Byte of the text.
    pub at: usize,
    /// What is wrong.
    pub text: Cow<'static, str>,
    /// The text is sound, but says what cannot be had.
    pub unfit: bool,
}

/// What was read, or what was wrong.
pub type Read<T> = Result<T, Flaw>;

/// Room for strings that do not stand in the text as they are.
#[derive(Debug, Default)]
pub struct StringRoom {
    text: Vec<u8>,
    bytes: Vec<u8>,
}

/// A place in a JSON text, which moves on behind what is read.
#[derive(Clone, Debug)]
pub struct Cursor<'d> {
    text: &'d [u8],
    at: usize,
}

impl<'d> Cursor<'d> {
    /// At the start of a text.
    ///
    /// # Errors
    /// Bytes that are no UTF-8.
    pub fn new(text: &'d [u8]) -> Read<Cursor<'d>> {
        if simdutf8::basic::from_utf8(text).is_err() {
            let at = text.utf8_chunks().next().map_or(0, |c| c.valid().len());
            return Err(flaw(at, "bytes that are no UTF-8: JSON is text"));
        }
        Ok(Cursor { text, at: 0 })
    }

    /// The same text from another place on.
    pub fn from(&self, at: usize) -> Cursor<'d> {
        Cursor {
            text: self.text,
            at,
        }
    }

    /// Where the next token begins.
    pub fn place(&mut self) -> usize {
        self.blanks();
        self.at
    }

    /// The first byte of what comes next.
    pub fn peek(&mut self) -> Option<u8> {
        self.blanks();
        self.text.get(self.at).copied()
    }

    /// Nothing but blanks may follow.
    ///
    /// # Errors
    /// Something does.
    pub fn end(&mut self) -> Read<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail("something stands behind the value"),
        }
    }

    /// A text of JSON's own: the name of a member of a record, a word.
    ///
    /// # Errors
    /// No string, or one with a character that may not stand in it.
    #[inline]
    pub fn text<'a>(&mut self, room: &'a mut Vec<u8>) -> Read<&'a [u8]>
    where
        'd: 'a,
    {
        let (content, at, escaped) = self.content()?;
        if !escaped {
            return Ok(content);
        }
        room.clear();
        unescape(content, at, room)?;
        Ok(room)
    }

    /// A server string: text, or an object that says how its bytes are written.
    ///
    /// # Errors
    /// Neither.
    #[inline]
    pub fn bytes<'a>(&mut self, room: &'a mut StringRoom) -> Read<&'a [u8]>
    where
        'd: 'a,
    {
        match self.peek() {
            Some(b'"') => self.text(&mut room.text),
            Some(b'{') => self.marked(room),
            _ => self.fail("a string was expected"),
        }
    }

    fn marked<'a>(&mut self, room: &'a mut StringRoom) -> Read<&'a [u8]>
    where
        'd: 'a,
    {
        let StringRoom { text, bytes } = room;
        self.take(b'{')?;
        let at = self.place();
        let Some(style) = self.text(text)?.strip_prefix(b"$").and_then(Style::of) else {
            return Err(flaw(
                at,
                "a string was expected, or an object with the one member $b64, $hex or $esc",
            ));
        };
        self.take(b':')?;
        let at = self.place();
        let written = self.text(text)?;
        bytes.clear();
        style.decode(written, at, bytes)?;
        self.take(b'}')?;
        Ok(bytes)
    }

    /// A server string as the name of a member.
    ///
    /// # Errors
    /// No string, or one that begins with a NUL and does not say how its bytes are written.
    #[inline]
    pub fn name<'a>(&mut self, room: &'a mut StringRoom) -> Read<&'a [u8]>
    where
        'd: 'a,
    {
        let at = self.place();
        let StringRoom { text, bytes } = room;
        let name = self.text(text)?;
        let Some((0, marked)) = name.split_first() else {
            return Ok(name);
        };
        let split = marked.split_at_checked(4);
        let style = split.and_then(|(mark, rest)| {
            let mark = mark.strip_suffix(b":")?;
            Some((Style::of(mark)?, rest))
        });
        let Some((style, written)) = style else {
            let text = "a name that begins with a NUL goes on with b64:, hex: or esc:";
            return Err(flaw(at, text));
        };
        bytes.clear();
        style.decode(written, at, bytes)?;
        Ok(bytes)
    }

    /// A number without sign.
    ///
    /// # Errors
    /// No number, or one that is not whole or too large.
    #[inline]
    pub fn uint(&mut self) -> Read<u64> {
        self.whole("a whole number from 0 on was expected")
    }

    /// A whole number.
    ///
    /// # Errors
    /// As [`uint`](Self::uint).
    #[inline]
    pub fn int(&mut self) -> Read<i64> {
        self.whole("a whole number was expected")
    }

    fn whole<T: std::str::FromStr>(&mut self, expected: &'static str) -> Read<T> {
        let at = self.place();
        let token = self.token();
        let number = Some(token).filter(|token| is_number(token.as_bytes()));
        let number = number.and_then(|token| token.parse().ok());
        number.ok_or_else(|| flaw(at, expected))
    }

    /// A double: a number, or `"inf"`, `"-inf"`, `"nan"`.
    ///
    /// # Errors
    /// Neither, or a number beyond the largest double.
    pub fn double(&mut self, room: &mut Vec<u8>) -> Read<f64> {
        let at = self.place();
        let expected = || flaw(at, "a number was expected, or \"inf\", \"-inf\" or \"nan\"");
        if self.peek() == Some(b'"') {
            return match self.text(room)? {
                b"inf" => Ok(f64::INFINITY),
                b"-inf" => Ok(f64::NEG_INFINITY),
                b"nan" => Ok(f64::NAN),
                _ => Err(expected()),
            };
        }
        let token = self.token();
        if !is_number(token.as_bytes()) {
            return Err(expected());
        }
        match token.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(flaw(at, "a number beyond the largest double")),
        }
    }

    /// Whether the number that comes next is written with a fraction or an exponent.
    pub fn is_fraction(&mut self) -> bool {
        self.blanks();
        let token = self.clone().token();
        token.bytes().any(|b| matches!(b, b'.' | b'e' | b'E'))
    }

    /// True, and behind it, where null comes next.
    pub fn is_null(&mut self) -> bool {
        self.blanks();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let null = rest.starts_with(b"null");
        if null {
            self.at += 4;
        }
        null
    }

    /// True or false.
    ///
    /// # Errors
    /// Neither.
    pub fn truth(&mut self) -> Read<bool> {
        let at = self.place();
        match self.word() {
            b"true" => Ok(true),
            b"false" => Ok(false),
            _ => Err(flaw(at, "true or false was expected")),
        }
    }

    /// Passes this byte, with blanks before it.
    ///
    /// # Errors
    /// Something else stands there.
    #[inline]
    pub fn take(&mut self, byte: u8) -> Read<()> {
        if self.is_next(byte) {
            return Ok(());
        }
        let what = format!("`{}` was expected", char::from(byte));
        Err(flaw(self.at.min(self.text.len()), what))
    }

    /// True, and behind it, where this byte comes next.
    #[inline]
    pub fn is_next(&mut self, byte: u8) -> bool {
        self.blanks();
        let next = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(next);
        next
    }

    /// Reads an array: `item` reads one element.
    ///
    /// # Errors
    /// No array, or what `item` found.
    #[inline]
    pub fn each(&mut self, item: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.between(b'[', b']', item)
    }

    /// Reads an object: `member` reads name, colon and value of one member.
    ///
    /// # Errors
    /// No object, or what `member` found.
    #[inline]
    pub fn each_member(&mut self, member: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.between(b'{', b'}', member)
    }

    #[inline]
    fn between(
        &mut self,
        open: u8,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Read<()>,
    ) -> Read<()> {
        self.take(open)?;
        if self.is_next(close) {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.is_next(close) {
                return Ok(());
            }
            self.take(b',')?;
        }
    }

    /// Passes an object and says where the values of these members stand.
    ///
    /// # Errors
    /// No object, a member that is not among them, or one that stands twice.
    #[inline]
    pub fn members<const N: usize>(
        &mut self,
        names: &[&str; N],
        room: &mut Vec<u8>,
    ) -> Read<[Option<usize>; N]> {
        let mut found = [None; N];
        self.each_member(|cursor| {
            let at = cursor.place();
            let name = cursor.text(room)?;
            let known = names.iter().position(|known| known.as_bytes() == name);
            let Some(slot) = known.and_then(|n| found.get_mut(n)) else {
                let name = String::from_utf8_lossy(name);
                return Err(flaw(at, format!("a member {name:?} is not known here")));
            };
            if slot.is_some() {
                let name = String::from_utf8_lossy(name);
                return Err(flaw(at, format!("the member {name:?} stands twice")));
            }
            cursor.take(b':')?;
            *slot = Some(cursor.place());
            cursor.skip()
        })?;
        Ok(found)
    }

    /// Passes a value. What it is made of is not looked at but for strings and brackets.
    ///
    /// # Errors
    /// No value, or one that does not end.
    #[inline]
    pub fn skip(&mut self) -> Read<()> {
        match self.peek() {
            Some(b'"') => self.content().map(drop),
            Some(b'{' | b'[') => self.skip_nest(),
            _ => {
                let at = self.at;
                if self.word().is_empty() {
                    return Err(flaw(at, "a value was expected"));
                }
                Ok(())
            }
        }
    }

    fn skip_nest(&mut self) -> Read<()> {
        let mut depth = 0usize;
        while let Some(&b) = self.text.get(self.at) {
            match b {
                b'"' => {
                    self.content()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        self.fail("the text ends inside a value")
    }

    /// What stands between the quotes, where it begins, and whether it has escapes.
    #[inline]
    fn content(&mut self) -> Read<(&'d [u8], usize, bool)> {
        if !self.is_next(b'"') {
            return self.fail("a string was expected");
        }
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let found = memchr::memchr2(b'"', b'\\', rest);
            let Some((n, byte)) = found.and_then(|n| Some((n, *rest.get(n)?))) else {
                return Err(flaw(start - 1, "a string does not end"));
            };
            if byte == b'\\' {
                escaped = true;
                self.at += n + 2;
                continue;
            }
            let content = self.text.get(start..self.at + n).unwrap_or_default();
            self.at += n + 1;
            if let Some(n) = content.iter().position(|&b| b < b' ') {
                return Err(flaw(start + n, "a control character in a string"));
            }
            return Ok((content, start, escaped));
        }
    }

    fn token(&mut self) -> &'d str {
        self.blanks();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = rest
            .iter()
            .take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        self.at += len;
        let token = rest.get(..len).unwrap_or_default();
        std::str::from_utf8(token).unwrap_or_default()
    }

    fn word(&mut self) -> &'d [u8] {
        self.blanks();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = rest
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.'))
            .count();
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    #[inline]
    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    #[cold]
    fn fail<T>(&self, text: &'static str) -> Read<T> {
        Err(flaw(self.at.min(self.text.len()), text))
    }
}

/// What is wrong at a byte.
#[cold]
pub fn flaw(at: usize, text: impl Into<Cow<'static, str>>) -> Flaw {
    Flaw {
        at,
        text: text.into(),
        unfit: false,
    }
}

/// What is said at a byte, and cannot be had.
#[cold]
pub fn unfit(at: usize, text: impl Into<Cow<'static, str>>) -> Flaw {
    Flaw {
        at,
        text: text.into(),
        unfit: true,
    }
}

/// How bytes are written.
#[derive(Clone, Copy)]
enum Style {
    Base64,
    Hex,
    Escape,
}

impl Style {
    fn of(mark: &[u8]) -> Option<Style> {
        Some(match mark {
            b"b64" => Style::Base64,
            b"hex" => Style::Hex,
            b"esc" => Style::Escape,
            _ => return None,
        })
    }

    fn decode(self, written: &[u8], at: usize, to: &mut Vec<u8>) -> Read<()> {
        match self {
            Style::Base64 => base64_simd::STANDARD
                .decode_append(written, to)
                .map_err(|_| flaw(at, "this is no base64")),
            Style::Hex => {
                let (pairs, rest) = written.as_chunks::<2>();
                for pair in pairs {
                    match hex(*pair) {
                        Some(byte) => to.push(byte),
                        None => return Err(flaw(at, NO_HEX)),
                    }
                }
                match rest {
                    [] => Ok(()),
                    _ => Err(flaw(at, NO_HEX)),
                }
            }
            Style::Escape => unescape_bytes(written, to)
                .ok_or_else(|| flaw(at, "expected printable ASCII, \\\\ and \\xHH")),
        }
    }
}

const NO_HEX: &str = "expected pairs of hexadecimal digits";

fn hex([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |b| char::from(b).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// `\\` and `\xHH`.
fn unescape_bytes(mut written: &[u8], to: &mut Vec<u8>) -> Option<()> {
    loop {
        match written {
            [] => return Some(()),
            [b'\\', b'\\', rest @ ..] => {
                to.push(b'\\');
                written = rest;
            }
            [b'\\', b'x', high, low, rest @ ..] => {
                to.push(hex([*high, *low])?);
                written = rest;
            }
            [b @ b' '..=b'~', rest @ ..] if *b != b'\\' => {
                to.push(*b);
                written = rest;
            }
            _ => return None,
        }
    }
}

/// JSON's own escapes; `at` is where `content` begins.
fn unescape(content: &[u8], at: usize, to: &mut Vec<u8>) -> Read<()> {
    let mut rest = content;
    while let Some(n) = memchr::memchr(b'\\', rest) {
        let (clean, escape) = rest.split_at(n);
        to.extend_from_slice(clean);
        let here = || at + (content.len() - escape.len());
        let (byte, after) = match escape {
            [b'\\', b @ (b'"' | b'\\' | b'/'), after @ ..] => (*b, after),
            [b'\\', b'n', after @ ..] => (b'\n', after),
            [b'\\', b'r', after @ ..] => (b'\r', after),
            [b'\\', b't', after @ ..] => (b'\t', after),
            [b'\\', b'b', after @ ..] => (8, after),
            [b'\\', b'f', after @ ..] => (12, after),
            [b'\\', b'u', after @ ..] => {
                let Some((c, after)) = unicode(after) else {
                    return Err(flaw(here(), "this \\u escape is no character"));
                };
                let mut utf8 = [0; 4];
                to.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                rest = after;
                continue;
            }
            _ => return Err(flaw(here(), "there is no such escape in JSON")),
        };
        to.push(byte);
        rest = after;
    }
    to.extend_from_slice(rest);
    Ok(())
}

/// The character behind `\u`, with the other half of its pair.
fn unicode(text: &[u8]) -> Option<(char, &[u8])> {
    let (first, rest) = unit(text)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, rest));
    }
    let (second, rest) = unit(rest.strip_prefix(b"\\u")?)?;
    let pair = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
    let mut decoded = char::decode_utf16(pair);
    match (decoded.next(), decoded.next()) {
        (Some(Ok(c)), None) => Some((c, rest)),
        _ => None,
    }
}

fn unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (&[a, b, c, d], rest) = text.split_first_chunk::<4>()?;
    let (high, low) = (hex([a, b])?, hex([c, d])?);
    Some((u32::from(high) << 8 | u32::from(low), rest))
}

/// The grammar of JSON's numbers.
fn is_number(token: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let token = token.strip_prefix(b"-").unwrap_or(token);
    let whole = digits(token);
    if whole == 0 || (whole > 1 && token.first() == Some(&b'0')) {
        return false;
    }
    let mut rest = token.get(whole..).unwrap_or_default();
    if let [b'.', fraction @ ..] = rest {
        let len = digits(fraction);
        if len == 0 {
            return false;
        }
        rest = fraction.get(len..).unwrap_or_default();
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', exponent @ ..] => exponent,
            _ => exponent,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Element;
    use crate::report::json::text::{JsonText, StringStyle};

    fn value(text: &str) -> Option<Vec<u8>> {
        let mut cursor = Cursor::new(text.as_bytes()).ok()?;
        let mut room = StringRoom::default();
        let bytes = cursor.bytes(&mut room).ok()?.to_vec();
        cursor.end().ok().map(|()| bytes)
    }

    fn name(text: &str) -> Option<Vec<u8>> {
        let mut cursor = Cursor::new(text.as_bytes()).ok()?;
        let mut room = StringRoom::default();
        cursor.name(&mut room).ok().map(<[u8]>::to_vec)
    }

    proptest::proptest! {
        #[test]
        fn every_string_comes_back_in_every_style(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..100)) {
            for style in [StringStyle::Auto, StringStyle::Base64, StringStyle::Hex, StringStyle::Escape] {
                let written = |write: &dyn Fn(&mut JsonText)| {
                    let mut text = JsonText::new(style);
                    write(&mut text);
                    String::from_utf8(text.as_bytes().to_vec()).unwrap()
                };
                let as_value = written(&|text| text.string_bytes(&bytes));
                proptest::prop_assert_eq!(value(&as_value), Some(bytes.clone()));
                let as_name = written(&|text| text.name(Element::Bytes(&bytes)));
                proptest::prop_assert_eq!(name(&as_name), Some(bytes.clone()));
            }
        }

        #[test]
        fn every_double_comes_back_bit_by_bit(bits in proptest::prelude::any::<u64>()) {
            let number = f64::from_bits(bits);
            let mut text = JsonText::default();
            text.double(number);
            let text = text.as_bytes().to_vec();
            let read = Cursor::new(&text).unwrap().double(&mut Vec::new()).unwrap();
            proptest::prop_assert!(read.to_bits() == bits || (number.is_nan() && read.is_nan()));
        }

        #[test]
        fn texts_are_read_as_another_parser_reads_them(text in "\"([a-z\"\\\\/ ]|\\\\u[0-9a-fD][0-9a-f8-9D]{3}|\\\\[bfnrt/]|\u{1}|é)*\"") {
            let theirs = serde_json::from_str::<String>(&text).ok().map(String::into_bytes);
            proptest::prop_assert_eq!(value(&text), theirs);
        }

        #[test]
        fn numbers_are_read_as_another_parser_reads_them(text in "-?[0-9]{0,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,4})?") {
            let mut cursor = Cursor::new(text.as_bytes()).unwrap();
            let number = cursor.double(&mut Vec::new()).ok();
            let number = number.filter(|_| cursor.end().is_ok());
            let theirs = serde_json::from_str::<f64>(&text).ok();
            proptest::prop_assert_eq!(number.map(f64::to_bits), theirs.map(f64::to_bits));
        }
    }

    #[test]
    fn what_no_style_writes_is_refused() {
        for text in [
            r#"{"$b64":"a"}"#,
            r#"{"$b64":"YQ==","x":1}"#,
            r#"{"$hex":"6"}"#,
            r#"{"$hex":"6g"}"#,
            r#"{"$esc":"\\y"}"#,
            r#"{"$esc":"é"}"#,
            r#"{"$x":"a"}"#,
            "{}",
            "1",
            "\"a",
            "\"\\",
            r#""\ud800""#,
            "",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(name(r#""\u0000x""#), None);
        assert_eq!(value(r#""\u0000x""#), Some(b"\0x".to_vec()));
        assert!(Cursor::new(b"\"\xff\"").is_err_and(|flaw| flaw.at == 1));
    }

    #[test]
    fn members_come_in_any_order_but_once_and_none_that_is_unknown() {
        let read = |text: &str| {
            let mut cursor = Cursor::new(text.as_bytes()).unwrap();
            cursor.members(&["a", "b"], &mut Vec::new())
        };
        assert_eq!(read(r#"{"b":[1,"]"],"\u0061":2}"#), Ok([Some(22), Some(5)]));
        assert_eq!(read("{}"), Ok([None, None]));
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"c":1}"#,
            r#"{"a":[1}"#,
            r#"{"a"}"#,
            "[",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert!(read(&deep).is_ok());
    }
}
