//! The library `cmsgpack`: values to and from MessagePack, as the servers' library does it.

use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::host::{Arguments, Fail, Given, MEMORY, Run, function, one, out_of_memory};
use super::number::to_long;

/// Tables in tables that are written; deeper ones are nil.
const NESTING: usize = 16;

/// Values on the stack of a C function.
const STACK: usize = 8000;

/// Makes the library.
pub(super) fn open(lua: &Lua, run: &Rc<Run>, valkey: bool) -> mlua::Result<Table> {
    let lib = lua.create_table()?;
    let add = |name: &str, f: fn(&Lua, &Run, &Arguments) -> Given| {
        let inner = Rc::clone(run);
        lib.raw_set(
            name,
            function(lua, run, move |lua, args| f(lua, &inner, &args))?,
        )
    };
    add("pack", pack)?;
    add("unpack", |lua, run, args| unpack(lua, run, args, 0, 0))?;
    add("unpack_one", |lua, run, args| {
        let offset = args.integer_or(2, "unpack_one", 0)?;
        unpack(lua, run, args, 1, offset)
    })?;
    add("unpack_limit", |lua, run, args| {
        let limit = args.integer(2, "unpack_limit")?;
        let offset = args.integer_or(3, "unpack_limit", 0)?;
        unpack(lua, run, args, limit, offset)
    })?;
    let owner = if valkey {
        "Redis Ltd."
    } else {
        "Salvatore Sanfilippo"
    };
    lib.raw_set("_NAME", "cmsgpack")?;
    lib.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    lib.raw_set("_COPYRIGHT", format!("Copyright (C) 2012, {owner}"))?;
    lib.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(lib)
}

fn pack(lua: &Lua, run: &Run, args: &Arguments) -> Given {
    if args.len() == 0 {
        return Err(Fail::argument(0, "pack", "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for value in &args.0 {
        write(run, &mut out, value, 0)?;
    }
    one(lua, lua.create_string(&out)?)
}

fn write(run: &Run, out: &mut Vec<u8>, value: &Value, level: usize) -> Result<(), Fail> {
    run.spend(1)?;
    if out.len() > MEMORY {
        return Err(Fail::End(out_of_memory()));
    }
    match value {
        Value::String(string) => {
            let bytes = string.as_bytes();
            let size = bytes.len();
            match size {
                ..32 => out.push(0xa0 | size as u8),
                32..0x100 => out.extend([0xd9, size as u8]),
                0x100..0x1_0000 => sized(out, 0xda, &(size as u16).to_be_bytes()),
                _ => sized(out, 0xdb, &(size as u32).to_be_bytes()),
            }
            out.extend_from_slice(&bytes);
        }
        Value::Boolean(value) => out.push(0xc2 + u8::from(*value)),
        Value::Integer(n) => write_number(out, *n as f64),
        Value::Number(n) => write_number(out, *n),
        Value::Table(table) if level < NESTING => write_table(run, out, table, level)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

fn sized(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend_from_slice(bytes);
}

fn write_number(out: &mut Vec<u8>, value: f64) {
    let integer = to_long(value);
    if value.is_finite() && integer as f64 == value {
        write_integer(out, integer);
    } else if f64::from(value as f32) == value {
        sized(out, 0xca, &(value as f32).to_be_bytes());
    } else {
        sized(out, 0xcb, &value.to_be_bytes());
    }
}

fn write_integer(out: &mut Vec<u8>, n: i64) {
    match n {
        0..0x80 => out.push(n as u8),
        0x80..0x100 => sized(out, 0xcc, &(n as u8).to_be_bytes()),
        0x100..0x1_0000 => sized(out, 0xcd, &(n as u16).to_be_bytes()),
        0x1_0000..0x1_0000_0000 => sized(out, 0xce, &(n as u32).to_be_bytes()),
        0x1_0000_0000.. => sized(out, 0xcf, &n.to_be_bytes()),
        -32..0 => out.push(n as u8),
        -0x80..-32 => sized(out, 0xd0, &(n as i8).to_be_bytes()),
        -0x8000..-0x80 => sized(out, 0xd1, &(n as i16).to_be_bytes()),
        -0x8000_0000..-0x8000 => sized(out, 0xd2, &(n as i32).to_be_bytes()),
        _ => sized(out, 0xd3, &n.to_be_bytes()),
    }
}

fn write_table(run: &Run, out: &mut Vec<u8>, table: &Table, level: usize) -> Result<(), Fail> {
    let (mut count, mut largest, mut array) = (0usize, 0usize, true);
    for pair in table.pairs::<Value, Value>() {
        run.spend(1)?;
        count += 1;
        let index = match pair?.0 {
            Value::Integer(n) => i32::try_from(n).ok().filter(|n| *n > 0),
            _ => None,
        };
        match index {
            Some(index) => largest = largest.max(index as usize),
            None => array = false,
        }
    }
    if array && largest == count {
        heading(out, [0x90, 0xdc, 0xdd], count);
        for index in 1..=count {
            write(run, out, &table.raw_get(index)?, level + 1)?;
        }
    } else {
        heading(out, [0x80, 0xde, 0xdf], count);
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            write(run, out, &key, level + 1)?;
            write(run, out, &value, level + 1)?;
        }
    }
    Ok(())
}

fn heading(out: &mut Vec<u8>, [fix, two, four]: [u8; 3], count: usize) {
    match count {
        ..16 => out.push(fix | count as u8),
        16..0x1_0000 => sized(out, two, &(count as u16).to_be_bytes()),
        _ => sized(out, four, &(count as u32).to_be_bytes()),
    }
}

/// A table that is being read.
enum Open {
    Array {
        table: Table,
        next: i64,
        left: usize,
    },
    Map {
        table: Table,
        key: Option<Value>,
        left: usize,
    },
}

impl Open {
    /// Values that the library holds on its stack for it.
    fn stack(&self) -> usize {
        match self {
            Open::Map { key: None, .. } => 1,
            Open::Array { .. } | Open::Map { .. } => 2,
        }
    }
}

/// An item of the input: a value, or a table that so many items follow.
enum Item {
    Value(Value),
    Array(usize),
    Map(usize),
}

fn unpack(lua: &Lua, run: &Run, args: &Arguments, limit: i64, offset: i64) -> Given {
    let input = args.bytes(1, "unpack")?;
    let size = input.len();
    if offset < 0 || limit < 0 {
        return Err(Fail::text(format!(
            "Invalid request to unpack with offset of {} and limit of {}.",
            offset as i32, size as i32
        )));
    }
    let Some(mut rest) = usize::try_from(offset).ok().and_then(|at| input.get(at..)) else {
        return Err(Fail::text(format!(
            "Start offset {} greater than input length {}.",
            offset as i32, size as i32
        )));
    };
    let all = limit == 0 && offset == 0;
    let limit = if all { i64::from(i32::MAX) } else { limit };
    let mut values = Vec::new();
    while !rest.is_empty() && (values.len() as i64) < limit {
        let value = read(lua, run, &mut rest, 1 + values.len())?;
        values.push(value);
    }
    if !all {
        let next = if rest.is_empty() {
            -1
        } else {
            (size - rest.len()) as i64
        };
        values.insert(0, Value::Integer(next));
    }
    Ok(values)
}

/// Reads a value with all that is in it.
fn read(lua: &Lua, run: &Run, rest: &mut &[u8], held: usize) -> Result<Value, Fail> {
    let mut open: Vec<Open> = Vec::new();
    let mut stack = held;
    loop {
        run.spend(1)?;
        if stack + 1 > STACK {
            return Err(Fail::text(
                "stack overflow (too many return values at once; use unpack_one or unpack_limit \
                 instead.)",
            ));
        }
        let mut value = match item(lua, rest)? {
            Item::Value(value) => value,
            Item::Array(0) | Item::Map(0) => Value::Table(lua.create_table()?),
            Item::Array(left) => {
                let table = lua.create_table()?;
                open.push(Open::Array {
                    table,
                    next: 1,
                    left,
                });
                stack += 2;
                continue;
            }
            Item::Map(left) => {
                let table = lua.create_table()?;
                open.push(Open::Map {
                    table,
                    key: None,
                    left,
                });
                stack += 1;
                continue;
            }
        };
        // A value ends the tables whose last it is.
        loop {
            let Some(last) = open.last_mut() else {
                return Ok(value);
            };
            let before = last.stack();
            let left = match last {
                Open::Array { table, next, left } => {
                    table.raw_set(*next, value)?;
                    *next += 1;
                    left
                }
                Open::Map { table, key, left } => match key.take() {
                    None => {
                        *key = Some(value);
                        stack += 1;
                        break;
                    }
                    Some(name) => {
                        set(table, name, value)?;
                        stack -= 1;
                        left
                    }
                },
            };
            *left -= 1;
            if *left > 0 {
                break;
            }
            let (Open::Array { table, .. } | Open::Map { table, .. }) = last;
            value = Value::Table(table.clone());
            stack -= if before == 2 && matches!(last, Open::Array { .. }) {
                2
            } else {
                1
            };
            open.pop();
        }
    }
}

fn set(table: &Table, key: Value, value: Value) -> Result<(), Fail> {
    match key {
        Value::Nil => Err(Fail::text("table index is nil")),
        Value::Number(n) if n.is_nan() => Err(Fail::text("table index is NaN")),
        key => Ok(table.raw_set(key, value)?),
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], Fail> {
    let split = rest.split_at_checked(count);
    let (taken, left) = split.ok_or_else(|| Fail::text("Missing bytes in input."))?;
    *rest = left;
    Ok(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Fail> {
    let bytes = take(rest, N)?;
    bytes
        .try_into()
        .map_err(|_| Fail::text("Missing bytes in input."))
}

fn item(lua: &Lua, rest: &mut &[u8]) -> Result<Item, Fail> {
    let kind = take(rest, 1)?.first().copied().unwrap_or(0);
    let number = |n: f64| Item::Value(Value::Number(n));
    let integer = |n: i64| Item::Value(Value::Integer(n));
    let string = |rest: &mut &[u8], size: usize| {
        let bytes = take(rest, size)?;
        Ok::<_, Fail>(Item::Value(Value::String(lua.create_string(bytes)?)))
    };
    let two = |rest: &mut &[u8]| Ok::<_, Fail>(u16::from_be_bytes(array(rest)?));
    let four = |rest: &mut &[u8]| Ok::<_, Fail>(u32::from_be_bytes(array(rest)?));
    Ok(match kind {
        ..0x80 => integer(i64::from(kind)),
        0x80..0x90 => Item::Map(usize::from(kind & 0xf)),
        0x90..0xa0 => Item::Array(usize::from(kind & 0xf)),
        0xa0..0xc0 => string(rest, usize::from(kind & 0x1f))?,
        0xc0 => Item::Value(Value::Nil),
        0xc2 | 0xc3 => Item::Value(Value::Boolean(kind == 0xc3)),
        0xca => number(f64::from(f32::from_be_bytes(array(rest)?))),
        0xcb => number(f64::from_be_bytes(array(rest)?)),
        0xcc => integer(i64::from(u8::from_be_bytes(array(rest)?))),
        0xcd => integer(i64::from(two(rest)?)),
        0xce => integer(i64::from(four(rest)?)),
        // Beyond a signed integer it comes out negative.
        0xcf | 0xd3 => number(i64::from_be_bytes(array(rest)?) as f64),
        0xd0 => integer(i64::from(i8::from_be_bytes(array(rest)?))),
        0xd1 => integer(i64::from(two(rest)?.cast_signed())),
        0xd2 => integer(i64::from(four(rest)?.cast_signed())),
        0xd9 => {
            let [size] = array(rest)?;
            string(rest, usize::from(size))?
        }
        0xda => {
            let size = two(rest)?;
            string(rest, usize::from(size))?
        }
        0xdb => {
            let size = four(rest)?;
            string(rest, size as usize)?
        }
        0xdc => Item::Array(usize::from(two(rest)?)),
        0xdd => Item::Array(four(rest)? as usize),
        0xde => Item::Map(usize::from(two(rest)?)),
        0xdf => Item::Map(four(rest)? as usize),
        0xe0.. => integer(i64::from(kind.cast_signed())),
        _ => return Err(Fail::text("Bad data format in input.")),
    })
}
