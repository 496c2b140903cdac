//! Commands on strings.

mod lcs;
mod options;
#[cfg(test)]
mod tests;

use crate::bytes::number::LongDouble;
use crate::keyspace::{NEVER, Text, Value};
use crate::replay::args::{Args, integer};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;
use options::{Options, Ttl, When};

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::one("append", append),
    Row::one("decr", |cx, args| add(cx, args.exactly()?, -1)),
    Row::one("decrby", decrby),
    Row::one("delifeq", delifeq),
    Row::read("get", get),
    Row::one("getdel", getdel),
    Row::one("getex", getex),
    Row::read("getrange", getrange),
    Row::one("getset", getset),
    Row::one("incr", |cx, args| add(cx, args.exactly()?, 1)),
    Row::one("incrby", incrby),
    Row::one("incrbyfloat", incrbyfloat),
    Row::read("lcs", lcs::lcs),
    Row::read("mget", mget),
    Row::many("mset", mset),
    Row::many("msetex", msetex),
    Row::many("msetnx", msetnx),
    Row::one("psetex", |cx, args| setex(cx, args, "psetex")),
    Row::one("set", set),
    Row::one("setex", |cx, args| setex(cx, args, "setex")),
    Row::one("setnx", setnx),
    Row::one("setrange", setrange),
    Row::read("stralgo", lcs::stralgo),
    Row::read("strlen", strlen),
    Row::read("substr", getrange),
];

fn set(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, value], words) = args.first()?;
    if words.is_empty() {
        cx.put(key, Value::String(Text::new(value)), None);
        return Ok(Reply::OK);
    }
    let options = Options::of_set(words, cx.rules)?;
    let when = options.ttl.when(cx, "set")?;
    let mut old = Reply::Nil;
    if options.looks() {
        let mut found = cx.exists(key);
        if options.get || options.if_equal.is_some() {
            let text = cx.string(key)?;
            if options.get && cx.wants_reply {
                old = Reply::bulk(text.map(Text::as_bytes));
            }
            if let Some(equal) = options.if_equal {
                found = text.is_some_and(|text| text.as_bytes() == equal);
            }
        }
        if found && options.if_missing || !found && options.needs_one() {
            return Ok(old);
        }
    }
    store(cx, key, value, when);
    Ok(if options.get { old } else { Reply::OK })
}

/// Puts a string at a key with this expiry.
fn store(cx: &mut Context<'_>, key: &[u8], value: &[u8], when: When) {
    let value = Value::String(Text::new(value));
    if when == When::Keep
        && let Some(slot) = cx.slot_mut(key)
    {
        slot.value = value.into();
        return;
    }
    let expires_at = match when {
        When::At(at) => Some(at),
        When::In(ms) => cx.from_now(ms),
        _ => None,
    };
    cx.put(key, value, expires_at);
}

fn setex(cx: &mut Context<'_>, args: Args<'_>, name: &str) -> Outcome {
    let [key, time, value] = args.exactly()?;
    let ttl = match name {
        "setex" => Ttl::Seconds(time),
        _ => Ttl::Milliseconds(time),
    };
    let when = ttl.when(cx, name)?;
    store(cx, key, value, when);
    Ok(Reply::OK)
}

fn setnx(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, value] = args.exactly()?;
    if cx.exists(key) {
        return Ok(Reply::Int(0));
    }
    cx.put(key, Value::String(Text::new(value)), None);
    Ok(Reply::Int(1))
}

fn get(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    Ok(Reply::bulk(cx.string(key)?.map(Text::as_bytes)))
}

/// What stands at a key, where someone asks.
fn old(cx: &Context<'_>, key: &[u8]) -> Outcome {
    Ok(match cx.string(key)? {
        Some(text) if cx.wants_reply => Reply::Bulk(text.to_vec()),
        _ => Reply::Nil,
    })
}

fn getset(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, value] = args.exactly()?;
    let old = old(cx, key)?;
    cx.put(key, Value::String(Text::new(value)), None);
    Ok(old)
}

fn getdel(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    let old = old(cx, key)?;
    cx.remove(key);
    Ok(old)
}

fn getex(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], words) = args.first()?;
    let ttl = Options::of_getex(words)?;
    if cx.rules.since(NEVER, (9, 1)) {
        ttl.when(cx, "getex")?;
    }
    let reply = old(cx, key)?;
    if !cx.exists(key) {
        return Ok(reply);
    }
    let expires_at = match ttl.when(cx, "getex")? {
        When::Never if matches!(ttl, Ttl::Persist) => None,
        When::At(at) => Some(at),
        When::In(ms) => match cx.from_now(ms) {
            Some(at) => Some(at),
            None => return Ok(reply),
        },
        _ => return Ok(reply),
    };
    if let Some(slot) = cx.slot_mut(key) {
        slot.set_expiry(expires_at);
    }
    Ok(reply)
}

fn delifeq(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, value] = args.exactly()?;
    let equal = cx.string(key)?.is_some_and(|text| text.as_bytes() == value);
    if equal {
        cx.remove(key);
    }
    Ok(Reply::Int(i64::from(equal)))
}

fn pairs<'a>(
    cx: &Context<'_>,
    args: Args<'a>,
    name: &str,
) -> Result<&'a [[&'a [u8]; 2]], Rejection> {
    args.pairs().map_err(|_| {
        let seven = cx.rules.since((7, 0), (0, 0));
        let name = if seven {
            format!("'{name}' command")
        } else {
            "MSET".to_owned()
        };
        Rejection::error(format!("ERR wrong number of arguments for {name}"))
    })
}

fn mset(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    for [key, value] in pairs(cx, args, "mset")? {
        cx.put(key, Value::String(Text::new(value)), None);
    }
    Ok(Reply::OK)
}

fn msetnx(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let pairs = pairs(cx, args, "msetnx")?;
    if pairs.iter().any(|[key, _]| cx.exists(key)) {
        return Ok(Reply::Int(0));
    }
    for [key, value] in pairs {
        cx.put(key, Value::String(Text::new(value)), None);
    }
    Ok(Reply::Int(1))
}

fn msetex(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([count], rest) = args.first()?;
    let count = integer(count).ok().and_then(|n| i32::try_from(n).ok());
    let count = count
        .filter(|n| *n > 0)
        .and_then(|n| usize::try_from(n).ok());
    let count =
        count.ok_or_else(|| Rejection::error("ERR invalid numkeys value or out of range"))?;
    let words = count.saturating_mul(2);
    if rest.len() < words {
        return Err(Rejection::syntax());
    }
    let pairs = rest.until(words).pairs()?;
    let options = Options::of_msetex(rest.from(words))?;
    let when = options.ttl.when(cx, "msetex")?;
    let refused = pairs.iter().any(|[key, _]| match cx.exists(key) {
        true => options.if_missing,
        false => options.if_there,
    });
    if refused {
        return Ok(Reply::Int(0));
    }
    for [key, value] in pairs {
        store(cx, key, value, when);
    }
    Ok(Reply::Int(1))
}

fn mget(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let value = |key: &&[u8]| match cx.value(key) {
        Some(Value::String(text)) => Reply::Bulk(text.to_vec()),
        _ => Reply::Nil,
    };
    Ok(Reply::Array(args.iter().map(value).collect()))
}

fn strlen(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    Ok(Reply::count(cx.string(key)?.map_or(0, Text::len)))
}

/// Refuses a string that would be too long. Servers since Redis 7.0 believe their log.
fn check_length(cx: &Context<'_>, len: u64) -> Result<(), Rejection> {
    if len > cx.rules.longest_string && !cx.rules.since((7, 0), (0, 0)) {
        let text = "ERR string exceeds maximum allowed size (512MB)";
        return Err(Rejection::error(text));
    }
    Ok(())
}

fn append(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, more] = args.exactly()?;
    if more.len() > 4096 {
        let len = cx.string(key)?.map_or(0, Text::len);
        if len > 0 {
            check_length(cx, (len + more.len()) as u64)?;
        }
        // Room that is made behind it counts as well.
        cx.claim(2 * more.len() as u64)?;
    }
    let text = cx.string_or_new(key)?;
    text.append(more);
    Ok(Reply::count(text.len()))
}

fn setrange(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, offset, value] = args.exactly()?;
    let offset = u64::try_from(integer(offset)?)
        .map_err(|_| Rejection::error("ERR offset is out of range"))?;
    let len = cx.string(key)?.map_or(0, Text::len);
    if value.is_empty() {
        return Ok(Reply::count(len));
    }
    let end = offset.saturating_add(value.len() as u64);
    check_length(cx, end)?;
    if end > len as u64 {
        cx.claim(end)?;
    }
    // More than memory holds was refused above.
    let (start, end) = (offset as usize, end as usize);
    let text = cx.string_or_new(key)?;
    text.pad_to(end);
    if let Some(to) = text.as_mut_bytes().get_mut(start..end) {
        to.copy_from_slice(value);
    }
    Ok(Reply::count(text.len()))
}

fn getrange(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, start, end] = args.exactly()?;
    let (start, end) = (integer(start)?, integer(end)?);
    let text = cx.string(key)?.map_or(&[] as &[u8], Text::as_bytes);
    let len = text.len() as i64;
    if start < 0 && end < 0 && start > end {
        return Ok(Reply::Bulk(Vec::new()));
    }
    let from_end = |at: i64| if at < 0 { (len + at).max(0) } else { at };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    let range = start as usize..(end + 1) as usize;
    Ok(Reply::Bulk(text.get(range).unwrap_or_default().to_vec()))
}

fn incrby(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, by] = args.exactly()?;
    let by = integer(by)?;
    add(cx, [key], by)
}

fn decrby(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, by] = args.exactly()?;
    let by = integer(by)?;
    if by == i64::MIN && cx.rules.since((7, 0), (0, 0)) {
        return Err(Rejection::error("ERR decrement would overflow"));
    }
    add(cx, [key], by.wrapping_neg())
}

fn add(cx: &mut Context<'_>, [key]: [&[u8]; 1], by: i64) -> Outcome {
    let mut buffer = itoa::Buffer::new();
    let Some(text) = cx.string_mut(key)? else {
        let text = Text::new(buffer.format(by).as_bytes());
        cx.put(key, Value::String(text), None);
        return Ok(Reply::Int(by));
    };
    let sum = integer(text)?
        .checked_add(by)
        .ok_or_else(|| Rejection::error("ERR increment or decrement would overflow"))?;
    *text = Text::new(buffer.format(sum).as_bytes());
    Ok(Reply::Int(sum))
}

fn incrbyfloat(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, by] = args.exactly()?;
    let read = |text: &[u8]| LongDouble::parse(text).ok_or_else(Rejection::not_a_float);
    let old = match cx.string(key)? {
        Some(text) => read(text)?,
        None => LongDouble::from(0),
    };
    let sum = old
        .checked_add(read(by)?)
        .ok_or_else(|| Rejection::error("ERR increment would produce NaN or Infinity"))?;
    let mut text = Vec::new();
    sum.write(&mut text);
    *cx.string_or_new(key)? = Text::new(&text);
    Ok(Reply::Bulk(text))
}
