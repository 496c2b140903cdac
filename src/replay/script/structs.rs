//! The library `struct`: numbers and strings in and out of bytes, by a format.

use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::host::{Arguments, Fail, Given, MEMORY, Run, function, number_of, one, out_of_memory};
use super::number::to_long;
use super::pattern::until_zero;

/// Most bytes of an integer.
const LONGEST: usize = 32;

/// Values that a function may give.
const RESULTS: usize = 7990;

/// Makes the library.
pub(super) fn open(lua: &Lua, run: &Rc<Run>) -> mlua::Result<Table> {
    let lib = lua.create_table()?;
    let packs = function(lua, run, |lua, mut args| {
        // The library has a nil behind the arguments, which errors name.
        if args.len() > 0 {
            args.0.push(Value::Nil);
        }
        pack(lua, &args)
    })?;
    lib.raw_set("pack", packs)?;
    lib.raw_set(
        "unpack",
        function(lua, run, |lua, args| unpack(lua, &args))?,
    )?;
    lib.raw_set("size", function(lua, run, |lua, args| size(lua, &args))?)?;
    Ok(lib)
}

/// A format, and how it says that values are laid out.
struct Format<'a> {
    text: &'a [u8],
    function: &'static str,
    big: bool,
    align: usize,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8], function: &'static str) -> Self {
        Format {
            text: until_zero(text),
            function,
            big: false,
            align: 1,
        }
    }

    /// The next option with its size: 0 for what has none, or takes it from a value.
    fn next(&mut self) -> Result<Option<(u8, usize)>, Fail> {
        let Some((option, rest)) = self.text.split_first() else {
            return Ok(None);
        };
        self.text = rest;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.number(1)?,
            b'i' | b'I' => match self.number(4)? {
                size if size > LONGEST => {
                    let why = format!("integral size {size} is larger than limit of {LONGEST}");
                    return Err(Fail::text(why));
                }
                size => size,
            },
            _ => 0,
        };
        Ok(Some((*option, size)))
    }

    fn number(&mut self, or: usize) -> Result<usize, Fail> {
        let count = self.text.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.text.split_at(count);
        self.text = rest;
        if digits.is_empty() {
            return Ok(or);
        }
        let number = std::str::from_utf8(digits)
            .ok()
            .and_then(|d| d.parse::<i32>().ok());
        let number = number.ok_or_else(|| Fail::text("integral size overflow"))?;
        Ok(usize::try_from(number).unwrap_or(0))
    }

    /// Bytes between what ends at a position and an item of this size.
    fn padding(&self, at: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        // Not for powers of two only: this is what the library does.
        size.wrapping_sub(at & (size - 1)) & (size - 1)
    }

    /// An option that is no item.
    fn control(&mut self, option: u8) -> Result<(), Fail> {
        match option {
            b' ' => {}
            b'>' => self.big = true,
            b'<' => self.big = false,
            b'!' => {
                let align = self.number(8)?;
                if !align.is_power_of_two() {
                    return Err(Fail::text(format!("alignment {align} is not a power of 2")));
                }
                self.align = align;
            }
            _ => {
                let why = format!("invalid format option '{}'", option as char);
                return Err(Fail::argument(1, self.function, why));
            }
        }
        Ok(())
    }
}

fn is_integer(option: u8) -> bool {
    matches!(
        option,
        b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I'
    )
}

/// As processors convert a double to an unsigned long.
fn to_unsigned(value: f64) -> u64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if value >= BOUND {
        to_long(value - BOUND).cast_unsigned() ^ 1 << 63
    } else {
        to_long(value).cast_unsigned()
    }
}

fn pack(lua: &Lua, args: &Arguments) -> Given {
    let format = args.bytes(1, "pack")?;
    let mut format = Format::new(&format, "pack");
    let mut out = Vec::new();
    let mut arg = 2;
    // In the order of the format, lowest byte first, or turned round.
    let ordered = |out: &mut Vec<u8>, bytes: &[u8], big: bool| match big {
        true => out.extend(bytes.iter().rev()),
        false => out.extend(bytes),
    };
    while let Some((option, size)) = format.next()? {
        let padding = format.padding(out.len(), option, size);
        out.resize(out.len() + padding, 0);
        match option {
            _ if is_integer(option) => {
                let value = to_unsigned(args.number(arg, "pack")?);
                let mut bytes = [0; LONGEST];
                for (slot, byte) in bytes.iter_mut().zip(value.to_le_bytes()) {
                    *slot = byte;
                }
                ordered(&mut out, bytes.get(..size).unwrap_or(&bytes), format.big);
                arg += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                let value = args.number(arg, "pack")? as f32;
                ordered(&mut out, &value.to_le_bytes(), format.big);
                arg += 1;
            }
            b'd' => {
                let value = args.number(arg, "pack")?;
                ordered(&mut out, &value.to_le_bytes(), format.big);
                arg += 1;
            }
            b'c' | b's' => {
                let text = args.bytes(arg, "pack")?;
                arg += 1;
                let size = if size == 0 { text.len() } else { size };
                let Some(text) = text.get(..size) else {
                    return Err(Fail::argument(arg, "pack", "string too short"));
                };
                out.extend_from_slice(text);
                if option == b's' {
                    out.push(0);
                }
            }
            _ => format.control(option)?,
        }
        if out.len() > MEMORY {
            return Err(Fail::End(out_of_memory()));
        }
    }
    one(lua, lua.create_string(&out)?)
}

fn unpack(lua: &Lua, args: &Arguments) -> Given {
    let format = args.bytes(1, "unpack")?;
    let mut format = Format::new(&format, "unpack");
    let data = args.bytes(2, "unpack")?;
    let short = || Fail::argument(2, "unpack", "data string too short");
    let mut at = match args.integer_or(3, "unpack", 1)? {
        0 => return Err(Fail::argument(3, "unpack", "offset must be 1 or greater")),
        first => usize::try_from(first - 1).unwrap_or(usize::MAX),
    };
    let mut values: Vec<Value> = Vec::new();
    while let Some((option, mut size)) = format.next()? {
        at = at.saturating_add(format.padding(at, option, size));
        let item = |at: usize, size: usize| {
            let end = at.checked_add(size).ok_or_else(short)?;
            data.get(at..end).ok_or_else(short)
        };
        let bytes = item(at, size)?;
        if values.len() > RESULTS {
            return Err(Fail::text("stack overflow (too many results)"));
        }
        match option {
            _ if is_integer(option) => {
                values.push(Value::Number(integer(bytes, option, format.big)))
            }
            b'x' => {}
            b'f' => {
                let mut four: [u8; 4] = bytes.try_into().unwrap_or_default();
                if format.big {
                    four.reverse();
                }
                values.push(Value::Number(f64::from(f32::from_le_bytes(four))));
            }
            b'd' => {
                let mut eight: [u8; 8] = bytes.try_into().unwrap_or_default();
                if format.big {
                    eight.reverse();
                }
                values.push(Value::Number(f64::from_le_bytes(eight)));
            }
            b'c' => {
                let mut bytes = bytes;
                if size == 0 {
                    let last = values.last().and_then(number_of);
                    let Some(wanted) = last else {
                        return Err(Fail::text("format 'c0' needs a previous size"));
                    };
                    values.pop();
                    size = usize::try_from(to_unsigned(wanted)).unwrap_or(usize::MAX);
                    bytes = item(at, size)?;
                }
                values.push(Value::String(lua.create_string(bytes)?));
            }
            b's' => {
                let rest = data.get(at..).unwrap_or_default();
                let Some(length) = memchr::memchr(0, rest) else {
                    return Err(Fail::text("unfinished string in data"));
                };
                let text = rest.get(..length).unwrap_or_default();
                values.push(Value::String(lua.create_string(text)?));
                size = length + 1;
            }
            _ => format.control(option)?,
        }
        at += size;
    }
    values.push(Value::Integer(at as i64 + 1));
    Ok(values)
}

/// An integer of so many bytes. Of more than eight the lowest count, and the sign is looked for
/// where a processor's shift ends up.
fn integer(bytes: &[u8], option: u8, big: bool) -> f64 {
    let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let mut value = match big {
        true => bytes.iter().fold(0, add),
        false => bytes.iter().rev().fold(0, add),
    };
    if option.is_ascii_uppercase() {
        return value as f64;
    }
    let mask = u64::MAX.wrapping_shl((bytes.len() as u32 * 8).wrapping_sub(1));
    if value & mask != 0 {
        value |= mask;
    }
    value.cast_signed() as f64
}

fn size(lua: &Lua, args: &Arguments) -> Given {
    let format = args.bytes(1, "size")?;
    let mut format = Format::new(&format, "size");
    let mut at = 0usize;
    while let Some((option, size)) = format.next()? {
        at = at.saturating_add(format.padding(at, option, size));
        match option {
            b's' => return Err(Fail::argument(1, "size", "option 's' has no fixed size")),
            b'c' if size == 0 => {
                return Err(Fail::argument(1, "size", "option 'c0' has no fixed size"));
            }
            _ if !option.is_ascii_alphanumeric() => format.control(option)?,
            _ => {}
        }
        at = at.saturating_add(size);
    }
    one(lua, at as i64)
}
