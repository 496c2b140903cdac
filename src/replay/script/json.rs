//! The library `cjson`, with its settings.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::host::{
    Arguments, Fail, Given, MEMORY, Run, bytes_of, function, one, out_of_memory, type_name,
};
use super::number::{strtod, to_long, write_g};

/// Tables in tables that are written or read whatever the settings say: the servers' bound is the
/// stack of a C function.
const DEPTH: i32 = 3990;

/// What scripts can set.
#[derive(Debug)]
struct Settings {
    sparse_convert: Cell<bool>,
    sparse_ratio: Cell<i32>,
    sparse_safe: Cell<i32>,
    encode_depth: Cell<i32>,
    decode_depth: Cell<i32>,
    /// 0: refused, 1: written, 2: written as null.
    encode_invalid: Cell<usize>,
    decode_invalid: Cell<bool>,
    keep_buffer: Cell<bool>,
    precision: Cell<i32>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sparse_convert: Cell::new(false),
            sparse_ratio: Cell::new(2),
            sparse_safe: Cell::new(10),
            encode_depth: Cell::new(1000),
            decode_depth: Cell::new(1000),
            encode_invalid: Cell::new(0),
            decode_invalid: Cell::new(true),
            keep_buffer: Cell::new(true),
            precision: Cell::new(14),
        }
    }
}

/// Makes the library, with settings of its own.
pub(super) fn open(lua: &Lua, run: &Rc<Run>) -> mlua::Result<Table> {
    let lib = lua.create_table()?;
    let settings = Rc::new(Settings::default());
    let add = |name: &'static str, f: fn(&Lua, &Run, &Settings, &Arguments) -> Given| {
        let (inner, settings) = (Rc::clone(run), Rc::clone(&settings));
        let f = function(lua, run, move |lua, args| f(lua, &inner, &settings, &args));
        lib.raw_set(name, f?)
    };
    add("encode", encode)?;
    add("decode", decode)?;
    add("encode_sparse_array", |_, _, settings, args| {
        let name = "encode_sparse_array";
        at_most(args, 3, name)?;
        Ok(vec![
            switch(args, 1, &settings.sparse_convert, name)?,
            number(args, 2, &settings.sparse_ratio, 0..=i32::MAX, name)?,
            number(args, 3, &settings.sparse_safe, 0..=i32::MAX, name)?,
        ])
    })?;
    add("encode_max_depth", |_, _, settings, args| {
        at_most(args, 1, "encode_max_depth")?;
        let depth = number(
            args,
            1,
            &settings.encode_depth,
            1..=i32::MAX,
            "encode_max_depth",
        )?;
        Ok(vec![depth])
    })?;
    add("decode_max_depth", |_, _, settings, args| {
        at_most(args, 1, "decode_max_depth")?;
        let depth = number(
            args,
            1,
            &settings.decode_depth,
            1..=i32::MAX,
            "decode_max_depth",
        )?;
        Ok(vec![depth])
    })?;
    add("encode_number_precision", |_, _, settings, args| {
        at_most(args, 1, "encode_number_precision")?;
        let name = "encode_number_precision";
        Ok(vec![number(args, 1, &settings.precision, 1..=14, name)?])
    })?;
    add("encode_keep_buffer", |_, _, settings, args| {
        at_most(args, 1, "encode_keep_buffer")?;
        Ok(vec![switch(
            args,
            1,
            &settings.keep_buffer,
            "encode_keep_buffer",
        )?])
    })?;
    add("encode_invalid_numbers", encode_invalid_numbers)?;
    add("decode_invalid_numbers", |_, _, settings, args| {
        at_most(args, 1, "decode_invalid_numbers")?;
        let on = switch(args, 1, &settings.decode_invalid, "decode_invalid_numbers")?;
        Ok(vec![on])
    })?;
    lib.raw_set("null", Value::NULL)?;
    lib.raw_set("_NAME", "cjson")?;
    lib.raw_set("_VERSION", "2.1.0")?;
    Ok(lib)
}

fn at_most(args: &Arguments, most: usize, name: &str) -> Result<(), Fail> {
    match args.len() <= most {
        true => Ok(()),
        false => Err(Fail::argument(most + 1, name, "found too many arguments")),
    }
}

/// Sets a number where one is given, and tells it.
fn number(
    args: &Arguments,
    n: usize,
    setting: &Cell<i32>,
    allowed: std::ops::RangeInclusive<i32>,
    name: &str,
) -> Result<Value, Fail> {
    if args.some(n).is_some() {
        let value = args.integer(n, name)? as i32;
        if !allowed.contains(&value) {
            let (least, most) = (allowed.start(), allowed.end());
            let why = format!("expected integer between {least} and {most}");
            return Err(Fail::argument(1, name, why));
        }
        setting.set(value);
    }
    Ok(Value::Integer(i64::from(setting.get())))
}

fn option(args: &Arguments, n: usize, options: &[&str], name: &str) -> Result<usize, Fail> {
    let given = args.bytes(n, name)?;
    let found = options
        .iter()
        .position(|option| option.as_bytes() == &*given);
    found.ok_or_else(|| {
        let given = String::from_utf8_lossy(&given);
        Fail::argument(n, name, format!("invalid option '{given}'"))
    })
}

/// Sets a switch where it is given, and tells it.
fn switch(args: &Arguments, n: usize, setting: &Cell<bool>, name: &str) -> Result<Value, Fail> {
    match args.some(n) {
        None => {}
        Some(Value::Boolean(on)) => setting.set(*on),
        Some(_) => setting.set(option(args, n, &["off", "on"], name)? == 1),
    }
    Ok(Value::Boolean(setting.get()))
}

fn encode_invalid_numbers(lua: &Lua, _: &Run, settings: &Settings, args: &Arguments) -> Given {
    let name = "encode_invalid_numbers";
    at_most(args, 1, name)?;
    match args.some(1) {
        None => {}
        Some(Value::Boolean(on)) => settings.encode_invalid.set(usize::from(*on)),
        Some(_) => {
            let chosen = option(args, 1, &["off", "on", "null"], name)?;
            settings.encode_invalid.set(chosen);
        }
    }
    match settings.encode_invalid.get() {
        2 => one(lua, "null"),
        on => one(lua, on == 1),
    }
}

fn encode(lua: &Lua, run: &Run, settings: &Settings, args: &Arguments) -> Given {
    let [value] = args.0.as_slice() else {
        return Err(Fail::argument(1, "encode", "expected 1 argument"));
    };
    let mut writer = Writer {
        run,
        settings,
        out: Vec::new(),
    };
    writer.value(value, 0)?;
    one(lua, lua.create_string(&writer.out)?)
}

struct Writer<'a> {
    run: &'a Run,
    settings: &'a Settings,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: i32) -> Result<(), Fail> {
        self.run.spend(1)?;
        if self.out.len() > MEMORY {
            return Err(Fail::End(out_of_memory()));
        }
        match value {
            Value::String(string) => self.string(&string.as_bytes()),
            Value::Integer(n) => self.number(*n as f64)?,
            Value::Number(n) => self.number(*n)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(data) if data.0.is_null() => self.out.extend_from_slice(b"null"),
            Value::Table(table) => self.table(table, depth + 1)?,
            other => return Err(refused(other, "type not supported")),
        }
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for byte in bytes {
            let short = match byte {
                b'"' | b'\\' | b'/' => *byte,
                8 => b'b',
                9 => b't',
                10 => b'n',
                12 => b'f',
                13 => b'r',
                0..32 | 127 => {
                    self.out
                        .extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                    continue;
                }
                _ => {
                    self.out.push(*byte);
                    continue;
                }
            };
            self.out.extend([b'\\', short]);
        }
        self.out.push(b'"');
    }

    fn number(&mut self, value: f64) -> Result<(), Fail> {
        match self.settings.encode_invalid.get() {
            _ if value.is_finite() => {}
            0 => return Err(refused(&Value::Number(value), "must not be NaN or Inf")),
            1 if value.is_nan() => {
                self.out.extend_from_slice(b"nan");
                return Ok(());
            }
            1 => {}
            _ => {
                self.out.extend_from_slice(b"null");
                return Ok(());
            }
        }
        let precision = usize::try_from(self.settings.precision.get()).unwrap_or(14);
        write_g(&mut self.out, value, precision);
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: i32) -> Result<(), Fail> {
        if depth > self.settings.encode_depth.get().min(DEPTH) {
            return Err(Fail::text(format!(
                "Cannot serialise, excessive nesting ({depth})"
            )));
        }
        match self.length(table)? {
            length @ 1.. => {
                self.out.push(b'[');
                for index in 1..=length {
                    if index > 1 {
                        self.out.push(b',');
                    }
                    self.value(&table.raw_get(index)?, depth)?;
                }
                self.out.push(b']');
            }
            _ => self.object(table, depth)?,
        }
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: i32) -> Result<(), Fail> {
        self.out.push(b'{');
        for (n, pair) in table.pairs::<Value, Value>().enumerate() {
            let (key, value) = pair?;
            if n > 0 {
                self.out.push(b',');
            }
            match &key {
                Value::String(string) => self.string(&string.as_bytes()),
                Value::Integer(_) | Value::Number(_) => {
                    self.out.push(b'"');
                    self.number(
                        key.as_number()
                            .or(key.as_integer().map(|n| n as f64))
                            .unwrap_or(0.0),
                    )?;
                    self.out.push(b'"');
                }
                other => return Err(refused(other, "table key must be a number or string")),
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Elements of a table that is an array, 0 or less for another one.
    fn length(&self, table: &Table) -> Result<i32, Fail> {
        let (mut largest, mut count) = (0i32, 0i64);
        for pair in table.pairs::<Value, Value>() {
            self.run.spend(1)?;
            let key = match pair?.0 {
                Value::Integer(n) => n as f64,
                Value::Number(n) => n,
                _ => return Ok(-1),
            };
            if key.floor() != key || key < 1.0 {
                return Ok(-1);
            }
            if key > f64::from(largest) {
                // As processors convert what does not fit.
                largest = i32::try_from(to_long(key)).unwrap_or(i32::MIN);
            }
            count += 1;
        }
        let ratio = i64::from(self.settings.sparse_ratio.get());
        let sparse = ratio > 0
            && i64::from(largest) > count.saturating_mul(ratio)
            && largest > self.settings.sparse_safe.get();
        match sparse {
            false => Ok(largest),
            true if self.settings.sparse_convert.get() => Ok(-1),
            true => {
                let why = "Cannot serialise table: excessively sparse array";
                Err(Fail::text(why))
            }
        }
    }
}

fn refused(value: &Value, why: &str) -> Fail {
    Fail::text(format!(
        "Cannot serialise {}: {why}",
        type_name(Some(value))
    ))
}

fn decode(lua: &Lua, run: &Run, settings: &Settings, args: &Arguments) -> Given {
    let [value] = args.0.as_slice() else {
        return Err(Fail::argument(1, "decode", "expected 1 argument"));
    };
    let Some(input) = bytes_of(value) else {
        args.bytes(1, "decode")?;
        return Ok(Vec::new());
    };
    if let [first, second, ..] = &*input
        && (*first == 0 || *second == 0)
    {
        return Err(Fail::text("JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut reader = Reader {
        lua,
        run,
        settings,
        input: &input,
        at: 0,
        depth: 0,
    };
    let token = reader.token()?;
    let value = reader.value(token)?;
    let (end, at) = reader.token()?;
    match end {
        Token::End => Ok(vec![value]),
        other => Err(unexpected("the end", &other, at)),
    }
}

#[derive(Debug)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

fn unexpected(wanted: &str, token: &Token, at: usize) -> Fail {
    let found = match token {
        Token::ObjectBegin => "T_OBJ_BEGIN",
        Token::ObjectEnd => "T_OBJ_END",
        Token::ArrayBegin => "T_ARR_BEGIN",
        Token::ArrayEnd => "T_ARR_END",
        Token::String(_) => "T_STRING",
        Token::Number(_) => "T_NUMBER",
        Token::Boolean(_) => "T_BOOLEAN",
        Token::Null => "T_NULL",
        Token::Colon => "T_COLON",
        Token::Comma => "T_COMMA",
        Token::End => "T_END",
        Token::Error(why) => why,
    };
    Fail::text(format!(
        "Expected {wanted} but found {found} at character {}",
        at + 1
    ))
}

struct Reader<'a> {
    lua: &'a Lua,
    run: &'a Run,
    settings: &'a Settings,
    input: &'a [u8],
    at: usize,
    depth: i32,
}

impl Reader<'_> {
    /// The byte at an offset from here; behind the end there is a zero.
    fn peek(&self, ahead: usize) -> u8 {
        self.input.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn starts(&self, word: &[u8]) -> bool {
        self.input
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word))
    }

    /// The next token and where it is, or where it goes wrong.
    fn token(&mut self) -> Result<(Token, usize), Fail> {
        self.run.spend(1)?;
        while matches!(self.peek(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let start = self.at;
        let single = match self.peek(0) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            0 => return Ok((Token::End, start)),
            b'"' => return Ok(self.string(start)),
            b'-' | b'0'..=b'9' => {
                if !self.settings.decode_invalid.get() && self.is_invalid_number() {
                    return Ok((Token::Error("invalid number"), start));
                }
                return Ok(self.number(start));
            }
            b't' if self.starts(b"true") => return Ok(self.word(Token::Boolean(true), 4)),
            b'f' if self.starts(b"false") => return Ok(self.word(Token::Boolean(false), 5)),
            b'n' if self.starts(b"null") => return Ok(self.word(Token::Null, 4)),
            b'i' | b'I' | b'n' | b'N' | b'+' | b't' | b'f'
                if self.settings.decode_invalid.get() && self.is_invalid_number() =>
            {
                return Ok(self.number(start));
            }
            _ => return Ok((Token::Error("invalid token"), start)),
        };
        self.at += 1;
        Ok((single, start))
    }

    fn word(&mut self, token: Token, length: usize) -> (Token, usize) {
        let start = self.at;
        self.at += length;
        (token, start)
    }

    /// Whether here is a number that C reads and JSON does not allow.
    fn is_invalid_number(&self) -> bool {
        if self.peek(0) == b'+' {
            return true;
        }
        let sign = usize::from(self.peek(0) == b'-');
        match self.peek(sign) {
            b'0' => matches!(self.peek(sign + 1), b'x' | b'X' | b'0'..=b'9'),
            ..=b'9' => false,
            _ => {
                let word = self.input.get(self.at + sign..self.at + sign + 3);
                word.is_some_and(|word| {
                    word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
                })
            }
        }
    }

    fn number(&mut self, start: usize) -> (Token, usize) {
        // Within strings of Lua there may be zeros, at which C stops.
        match strtod(self.input.get(start..).unwrap_or_default()) {
            Some((value, taken)) => {
                self.at += taken;
                (Token::Number(value), start)
            }
            None => (Token::Error("invalid number"), start),
        }
    }

    fn string(&mut self, start: usize) -> (Token, usize) {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            match self.peek(0) {
                b'"' => {
                    self.at += 1;
                    return (Token::String(text), start);
                }
                0 => return (Token::Error("unexpected end of string"), self.at),
                b'\\' => {
                    let plain = match self.peek(1) {
                        plain @ (b'"' | b'\\' | b'/') => plain,
                        b'b' => 8,
                        b't' => 9,
                        b'n' => 10,
                        b'f' => 12,
                        b'r' => 13,
                        b'u' => match self.unicode() {
                            Some((point, taken)) => {
                                let mut room = [0; 4];
                                text.extend_from_slice(utf8(point, &mut room));
                                self.at += taken;
                                continue;
                            }
                            None => {
                                let why = "invalid unicode escape code";
                                return (Token::Error(why), self.at);
                            }
                        },
                        _ => return (Token::Error("invalid escape code"), self.at),
                    };
                    text.push(plain);
                    self.at += 2;
                }
                byte => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// The code point of an escape here, and its length.
    fn unicode(&self) -> Option<(u32, usize)> {
        let hex = |ahead: usize| {
            let digits = self.input.get(self.at + ahead..self.at + ahead + 4)?;
            let digit = |n: u32, b: &u8| Some(n << 4 | (*b as char).to_digit(16)?);
            digits.iter().try_fold(0, digit)
        };
        let first = hex(2)?;
        match first {
            0xd800..0xdc00 => {
                let second = (self.peek(6) == b'\\' && self.peek(7) == b'u')
                    .then(|| hex(8))
                    .flatten()
                    .filter(|second| (0xdc00..0xe000).contains(second))?;
                Some(((first & 0x3ff) << 10 | second & 0x3ff, 12)).map(|(p, n)| (p + 0x1_0000, n))
            }
            0xdc00..0xe000 => None,
            _ => Some((first, 6)),
        }
    }

    fn descend(&mut self) -> Result<(), Fail> {
        self.depth += 1;
        if self.depth > self.settings.decode_depth.get().min(DEPTH) {
            return Err(Fail::text(format!(
                "Found too many nested data structures ({}) at character {}",
                self.depth, self.at
            )));
        }
        Ok(())
    }

    fn value(&mut self, (token, at): (Token, usize)) -> Result<Value, Fail> {
        Ok(match token {
            Token::String(text) => Value::String(self.lua.create_string(&text)?),
            Token::Number(value) => Value::Number(value),
            Token::Boolean(value) => Value::Boolean(value),
            Token::Null => Value::NULL,
            Token::ObjectBegin => Value::Table(self.object()?),
            Token::ArrayBegin => Value::Table(self.array()?),
            other => return Err(unexpected("value", &other, at)),
        })
    }

    fn object(&mut self) -> Result<Table, Fail> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.token()?;
        if matches!(token.0, Token::ObjectEnd) {
            self.depth -= 1;
            return Ok(table);
        }
        loop {
            let Token::String(name) = token.0 else {
                return Err(unexpected("object key string", &token.0, token.1));
            };
            let name = self.lua.create_string(&name)?;
            let (colon, at) = self.token()?;
            if !matches!(colon, Token::Colon) {
                return Err(unexpected("colon", &colon, at));
            }
            let first = self.token()?;
            table.raw_set(name, self.value(first)?)?;
            let (next, at) = self.token()?;
            match next {
                Token::ObjectEnd => break,
                Token::Comma => token = self.token()?,
                other => return Err(unexpected("comma or object end", &other, at)),
            }
        }
        self.depth -= 1;
        Ok(table)
    }

    fn array(&mut self) -> Result<Table, Fail> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.token()?;
        if matches!(token.0, Token::ArrayEnd) {
            self.depth -= 1;
            return Ok(table);
        }
        for index in 1i64.. {
            table.raw_set(index, self.value(token)?)?;
            let (next, at) = self.token()?;
            match next {
                Token::ArrayEnd => break,
                Token::Comma => token = self.token()?,
                other => return Err(unexpected("comma or array end", &other, at)),
            }
        }
        self.depth -= 1;
        Ok(table)
    }
}

/// A code point in UTF-8, halves of surrogate pairs aside: they never come here.
fn utf8(point: u32, room: &mut [u8; 4]) -> &[u8] {
    match char::from_u32(point) {
        Some(c) => c.encode_utf8(room).as_bytes(),
        None => &[],
    }
}
