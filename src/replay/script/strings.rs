//! The functions of `string` that match patterns or make long strings.

use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::host::{Arguments, Fail, Given, MEMORY, Run, function, out_of_memory};
use super::number::text;
use super::pattern::{Capture, Matcher, is_plain};

/// Adds them to the host's table.
pub(super) fn open(lua: &Lua, run: &Rc<Run>, host: &Table) -> mlua::Result<()> {
    let add = |name: &str, f: fn(&Lua, &Run, &Arguments) -> Given| {
        let inner = Rc::clone(run);
        host.raw_set(
            name,
            function(lua, run, move |lua, args| f(lua, &inner, &args))?,
        )
    };
    add("find", |lua, run, args| search(lua, run, args, "find"))?;
    add("match", |lua, run, args| search(lua, run, args, "match"))?;
    add("check", check)?;
    add("gmatch", gmatch)?;
    add("seek", seek)?;
    add("gsub", gsub)?;
    add("rep", rep)
}

/// Runs a search and pays for it.
fn with<T>(
    run: &Run,
    text: &[u8],
    pattern: &[u8],
    search: impl FnOnce(&mut Matcher<'_>) -> Result<T, Fail>,
) -> Result<T, Fail> {
    let limit = u64::try_from(run.left.get()).unwrap_or(0);
    let mut matcher = Matcher::new(text, pattern, limit);
    let found = search(&mut matcher);
    run.spend(matcher.steps())?;
    found
}

fn captured(lua: &Lua, text: &[u8], capture: Capture) -> mlua::Result<Value> {
    Ok(match capture {
        Capture::Text(from, to) => {
            Value::String(lua.create_string(text.get(from..to).unwrap_or_default())?)
        }
        Capture::Position(at) | Capture::Open(at) => Value::Integer(at as i64 + 1),
    })
}

/// What was captured; the whole of a match without captures, where that is asked for.
fn captures(
    lua: &Lua,
    text: &[u8],
    matcher: &Matcher<'_>,
    whole: Option<(usize, usize)>,
    to: &mut Vec<Value>,
) -> Result<(), Fail> {
    let captures = matcher.captures()?;
    if let (true, Some((from, end))) = (captures.is_empty(), whole) {
        to.push(captured(lua, text, Capture::Text(from, end))?);
    }
    for capture in captures {
        to.push(captured(lua, text, *capture)?);
    }
    Ok(())
}

fn search(lua: &Lua, run: &Run, args: &Arguments, name: &str) -> Given {
    let text = args.bytes(1, name)?;
    let pattern = args.bytes(2, name)?;
    let size = text.len() as i64;
    let first = match args.integer_or(3, name, 1)? {
        back if back < 0 => back.saturating_add(size + 1).max(0),
        first => first,
    };
    let start = usize::try_from(first.saturating_sub(1))
        .unwrap_or(0)
        .min(text.len());
    let find = name == "find";
    let plain = !matches!(args.some(4), None | Some(Value::Boolean(false)));
    if find && (plain || is_plain(&pattern)) {
        run.spend(1 + text.len() as u64 / 64)?;
        let rest = text.get(start..).unwrap_or_default();
        return Ok(match memchr::memmem::find(rest, &pattern) {
            Some(at) => vec![
                Value::Integer((start + at) as i64 + 1),
                Value::Integer((start + at + pattern.len()) as i64),
            ],
            None => vec![Value::Nil],
        });
    }
    with(run, &text, &pattern, |matcher| {
        let found = match matcher.anchor() {
            true => matcher.at(start)?.map(|end| (start, end)),
            false => matcher.from(start)?,
        };
        let Some((from, end)) = found else {
            return Ok(vec![Value::Nil]);
        };
        let mut values = Vec::new();
        if find {
            values.push(Value::Integer(from as i64 + 1));
            values.push(Value::Integer(end as i64));
        }
        let whole = (!find).then_some((from, end));
        captures(lua, &text, matcher, whole, &mut values)?;
        Ok(values)
    })
}

/// Whether the arguments of `gmatch` and `gsub` are strings; the size of the text, and how often
/// it may be replaced.
fn check(_: &Lua, _: &Run, args: &Arguments) -> Given {
    let name = if args.len() == 2 { "gmatch" } else { "gsub" };
    let size = args.bytes(1, name)?.len() as i64;
    args.bytes(2, name)?;
    let most = args.integer_or(3, name, size + 1)?;
    Ok(vec![Value::Integer(size), Value::Integer(most)])
}

fn offset(args: &Arguments) -> Result<usize, Fail> {
    Ok(usize::try_from(args.integer(3, "gmatch")?).unwrap_or(0))
}

/// The next match from an offset: the offset behind it, and what it captured.
fn gmatch(lua: &Lua, run: &Run, args: &Arguments) -> Given {
    let (text, pattern) = (args.bytes(1, "gmatch")?, args.bytes(2, "gmatch")?);
    let at = offset(args)?;
    with(run, &text, &pattern, |matcher| {
        let Some((from, end)) = matcher.from(at)? else {
            return Ok(vec![Value::Integer(text.len() as i64 + 1)]);
        };
        let next = if end == from { end + 1 } else { end };
        let mut values = vec![Value::Integer(next as i64)];
        captures(lua, &text, matcher, Some((from, end)), &mut values)?;
        Ok(values)
    })
}

/// The next match to replace from an offset: where it is, and what it captured.
fn seek(lua: &Lua, run: &Run, args: &Arguments) -> Given {
    let (text, pattern) = (args.bytes(1, "gsub")?, args.bytes(2, "gsub")?);
    let at = offset(args)?;
    with(run, &text, &pattern, |matcher| {
        let found = match matcher.anchor() {
            true if at > 0 => None,
            true => matcher.at(0)?.map(|end| (0, end)),
            false => matcher.from(at)?,
        };
        let Some((from, end)) = found else {
            return Ok(vec![Value::Nil]);
        };
        let mut values = vec![Value::Integer(from as i64), Value::Integer(end as i64)];
        captures(lua, &text, matcher, Some((from, end)), &mut values)?;
        Ok(values)
    })
}

/// `gsub` by a string.
fn gsub(lua: &Lua, run: &Run, args: &Arguments) -> Given {
    let (source, pattern) = (args.bytes(1, "gsub")?, args.bytes(2, "gsub")?);
    let by = match args.get(3) {
        Some(Value::String(_) | Value::Integer(_) | Value::Number(_)) => args.bytes(3, "gsub")?,
        _ => {
            let why = "string/function/table expected";
            return Err(Fail::argument(3, "gsub", why));
        }
    };
    let most = args.integer_or(4, "gsub", source.len() as i64 + 1)?;
    with(run, &source, &pattern, |matcher| {
        let anchored = matcher.anchor();
        let (mut out, mut at, mut count) = (Vec::new(), 0, 0);
        while count < most {
            let end = matcher.at(at)?;
            if let Some(end) = end {
                count += 1;
                replace(&source, matcher, &by, (at, end), &mut out)?;
            }
            match end.filter(|end| *end > at) {
                Some(end) => at = end,
                None => match source.get(at) {
                    Some(byte) => {
                        out.push(*byte);
                        at += 1;
                    }
                    None => break,
                },
            }
            if out.len() > MEMORY {
                return Err(Fail::End(out_of_memory()));
            }
            if anchored {
                break;
            }
        }
        out.extend_from_slice(source.get(at..).unwrap_or_default());
        let out = Value::String(lua.create_string(&out)?);
        Ok(vec![out, Value::Integer(count)])
    })
}

fn replace(
    source: &[u8],
    matcher: &Matcher<'_>,
    by: &[u8],
    (from, end): (usize, usize),
    out: &mut Vec<u8>,
) -> Result<(), Fail> {
    let mut bytes = by.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        // A string of Lua has a zero behind it.
        let escaped = bytes.next().unwrap_or(0);
        if !escaped.is_ascii_digit() {
            out.push(escaped);
            continue;
        }
        let captures = matcher.captures()?;
        let index = usize::from(escaped - b'0');
        let capture = match index.checked_sub(1) {
            None => Some(Capture::Text(from, end)),
            Some(0) if captures.is_empty() => Some(Capture::Text(from, end)),
            Some(index) => captures.get(index).copied(),
        };
        match capture {
            Some(Capture::Text(from, end)) => {
                out.extend_from_slice(source.get(from..end).unwrap_or_default());
            }
            Some(Capture::Position(at) | Capture::Open(at)) => {
                out.extend_from_slice(&text(at as f64 + 1.0));
            }
            None => return Err(Fail::text("invalid capture index")),
        }
    }
    Ok(())
}

fn rep(lua: &Lua, run: &Run, args: &Arguments) -> Given {
    let unit = args.bytes(1, "rep")?;
    // The C library takes it for a 32-bit integer.
    let count = args.integer(2, "rep")? as i32;
    let count = usize::try_from(count).unwrap_or(0);
    let size = unit.len().checked_mul(count);
    let Some(size) = size.filter(|size| *size <= MEMORY) else {
        return Err(Fail::End(out_of_memory()));
    };
    run.spend(1 + size as u64 / 64)?;
    let out = if unit.is_empty() {
        Vec::new()
    } else {
        unit.repeat(count)
    };
    Ok(vec![Value::String(lua.create_string(&out)?)])
}
