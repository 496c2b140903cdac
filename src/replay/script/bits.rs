//! The library `bit`: operations on 32-bit integers.

use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::host::{Arguments, Fail, Given, Run, function, one};

/// Makes the library.
pub(super) fn open(lua: &Lua, run: &Rc<Run>) -> mlua::Result<Table> {
    let lib = lua.create_table()?;
    let add = |name: &'static str, f: fn(&Arguments, &str) -> Result<u32, Fail>| {
        let f = function(lua, run, move |_, args| result(f(&args, name)?));
        lib.raw_set(name, f?)
    };
    add("tobit", |args, name| bits(args, 1, name))?;
    add("bnot", |args, name| Ok(!bits(args, 1, name)?))?;
    add("band", |args, name| fold(args, name, |a, b| a & b))?;
    add("bor", |args, name| fold(args, name, |a, b| a | b))?;
    add("bxor", |args, name| fold(args, name, |a, b| a ^ b))?;
    add("lshift", |args, name| shift(args, name, |a, n| a << n))?;
    add("rshift", |args, name| shift(args, name, |a, n| a >> n))?;
    add("arshift", |args, name| {
        shift(args, name, |a, n| (a.cast_signed() >> n).cast_unsigned())
    })?;
    add("rol", |args, name| shift(args, name, u32::rotate_left))?;
    add("ror", |args, name| shift(args, name, u32::rotate_right))?;
    add("bswap", |args, name| Ok(bits(args, 1, name)?.swap_bytes()))?;
    lib.raw_set("tohex", function(lua, run, tohex)?)?;
    Ok(lib)
}

/// The bits of a number: those of its integer, modulo 2^32, halves to even.
fn bits(args: &Arguments, n: usize, name: &str) -> Result<u32, Fail> {
    // So large that a double's last bit is one, and more would be lost.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    Ok((args.number(n, name)? + SHIFT).to_bits() as u32)
}

fn result(bits: u32) -> Given {
    Ok(vec![Value::Integer(i64::from(bits.cast_signed()))])
}

fn fold(args: &Arguments, name: &str, f: fn(u32, u32) -> u32) -> Result<u32, Fail> {
    let mut all = bits(args, 1, name)?;
    for n in 2..=args.len() {
        all = f(all, bits(args, n, name)?);
    }
    Ok(all)
}

fn shift(args: &Arguments, name: &str, f: fn(u32, u32) -> u32) -> Result<u32, Fail> {
    let value = bits(args, 1, name)?;
    Ok(f(value, bits(args, 2, name)? & 31))
}

fn tohex(lua: &Lua, args: Arguments) -> Given {
    let value = bits(&args, 1, "tohex")?;
    let digits = match args.len() {
        0 | 1 => 8,
        _ => bits(&args, 2, "tohex")?.cast_signed(),
    };
    let text = match digits {
        ..0 => format!("{value:08X}"),
        _ => format!("{value:08x}"),
    };
    let kept = digits.unsigned_abs().min(8) as usize;
    one(lua, text.get(8 - kept..).unwrap_or_default())
}
