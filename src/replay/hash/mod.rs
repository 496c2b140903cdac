//! Commands on hashes and on the expiry of their fields.
//!
//! Whether a field whose time has passed is alive depends on the family. Valkey takes it for alive
//! while it loads; Redis goes by the clock also then, which here is [`Rules::now`], and where that
//! is not given, nothing has passed. Nobody takes such a field out before the log says so.

mod expiry;
mod read;

use crate::bytes::Element;
use crate::bytes::number::{LongDouble, parse_canonical_i64};
use crate::keyspace::Rules;
use crate::keyspace::hash::{Hash, OldExpiry};
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::one("hdel", hdel),
    Row::read("hexists", read::hexists),
    Row::one("hexpire", expiry::hexpire),
    Row::one("hexpireat", expiry::hexpireat),
    Row::read("hexpiretime", expiry::hexpiretime),
    Row::read("hget", read::hget),
    Row::read("hgetall", read::hgetall),
    Row::one("hgetdel", hgetdel),
    Row::one("hgetex", expiry::hgetex),
    Row::one("hincrby", hincrby),
    Row::one("hincrbyfloat", hincrbyfloat),
    Row::read("hkeys", read::hkeys),
    Row::read("hlen", read::hlen),
    Row::read("hmget", read::hmget),
    Row::one("hmset", hmset),
    Row::one("hpersist", expiry::hpersist),
    Row::one("hpexpire", expiry::hpexpire),
    Row::one("hpexpireat", expiry::hpexpireat),
    Row::read("hpexpiretime", expiry::hpexpiretime),
    Row::read("hpttl", expiry::hpttl),
    Row::read("hrandfield", read::hrandfield),
    Row::read("hscan", read::hscan),
    Row::one("hset", hset),
    Row::one("hsetex", expiry::hsetex),
    Row::one("hsetnx", hsetnx),
    Row::read("hstrlen", read::hstrlen),
    Row::read("httl", expiry::httl),
    Row::read("hvals", read::hvals),
];

fn hset(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    set_all(cx, key, rest, "hset").map(Reply::count)
}

fn hmset(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    set_all(cx, key, rest, "hmset").map(|_| Reply::OK)
}

/// Sets fields; how many were not there.
fn set_all(
    cx: &mut Context<'_>,
    key: &[u8],
    strings: Args<'_>,
    name: &str,
) -> Result<usize, Rejection> {
    let pairs = strings.pairs().map_err(|_| arity(name))?;
    let rules = cx.rules;
    let hash = cx.hash_or_new(key)?;
    hash.make_room(strings.slice(), rules);
    let mut new = 0;
    for [field, value] in pairs {
        new += usize::from(hash.set(field, value, OldExpiry::Dropped, rules));
    }
    Ok(new)
}

fn hsetnx(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    let [field, value] = rest.exactly()?;
    let rules = cx.rules;
    let hash = cx.hash_or_new(key)?;
    if !rules.since((7, 0), (0, 0)) {
        hash.make_room(rest.slice(), rules);
    }
    if live(hash, field, rules).is_some() {
        return Ok(Reply::Int(0));
    }
    hash.make_room(rest.slice(), rules);
    hash.set(field, value, OldExpiry::Dropped, rules);
    Ok(Reply::Int(1))
}

fn hdel(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], fields) = args.first()?;
    let Some(hash) = cx.hash_mut(key)? else {
        return Ok(Reply::Int(0));
    };
    let mut gone = 0;
    for field in fields.iter() {
        gone += usize::from(hash.remove(field));
        if hash.is_empty() {
            break;
        }
    }
    // One that was empty before stays.
    if gone > 0 {
        cx.drop_empty(key);
    }
    Ok(Reply::count(gone))
}

fn hgetdel(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    let fields = typed_fields(cx, key, rest)?;
    let (rules, wants_reply) = (cx.rules, cx.wants_reply);
    let Some(hash) = cx.hash_mut(key)? else {
        return Ok(nils(wants_reply, fields));
    };
    let mut values = Vec::new();
    for field in fields {
        let found = live(hash, field, rules).map(|(value, _)| value);
        if wants_reply {
            values.push(bulk(found));
        }
        if found.is_some() {
            hash.remove(field);
        }
    }
    cx.drop_empty(key);
    Ok(Reply::Array(values))
}

fn hincrby(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, field, by] = args.exactly()?;
    let by = integer(by)?;
    let rules = cx.rules;
    let hash = cx.hash_or_new(key)?;
    let old = match live(hash, field, rules) {
        None => 0,
        Some((Element::Int(n), _)) => n,
        Some((Element::Bytes(text), _)) => parse_canonical_i64(text)
            .ok_or_else(|| Rejection::error("ERR hash value is not an integer"))?,
    };
    let new = old
        .checked_add(by)
        .ok_or_else(|| Rejection::error("ERR increment or decrement would overflow"))?;
    let mut text = itoa::Buffer::new();
    let text = text.format(new).as_bytes();
    hash.set(field, text, OldExpiry::Kept, rules);
    Ok(Reply::Int(new))
}

fn hincrbyfloat(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, field, by] = args.exactly()?;
    let by = LongDouble::parse(by).ok_or_else(Rejection::not_a_float)?;
    let rules = cx.rules;
    if !by.is_finite() && rules.since((7, 0), (0, 0)) {
        return Err(Rejection::error("ERR value is NaN or Infinity"));
    }
    if !by.is_finite() {
        // It is refused below, but the hash is made before.
        cx.hash_or_new(key)?;
    }
    let old = cx.hash(key)?.and_then(|hash| live(hash, field, rules));
    let old = old.map_or(Element::Int(0), |(value, _)| value);
    let sum = LongDouble::parse(old.bytes(&mut itoa::Buffer::new()))
        .ok_or_else(|| Rejection::error("ERR hash value is not a float"))?
        .checked_add(by)
        .ok_or_else(|| Rejection::error("ERR increment would produce NaN or Infinity"))?;
    let mut text = Vec::new();
    sum.write(&mut text);
    cx.hash_or_new(key)?
        .set(field, &text, OldExpiry::Kept, rules);
    Ok(Reply::Bulk(text))
}

/// A field that is there for the server: Redis passes over those whose time has passed.
#[inline]
pub(super) fn live<'h>(
    hash: &'h Hash,
    field: &[u8],
    rules: &Rules,
) -> Option<(Element<'h>, Option<i64>)> {
    hash.get(field)
        .filter(|(_, expires_at)| !has_passed(*expires_at, rules))
}

#[inline]
fn has_passed(expires_at: Option<i64>, rules: &Rules) -> bool {
    match (expires_at, rules.now) {
        (Some(time), Some(now)) => time < now && !rules.is_valkey(),
        _ => false,
    }
}

/// The fields behind `FIELDS` and their number, all that is left of the arguments.
fn fields<'a>(args: Args<'a>) -> Result<&'a [&'a [u8]], Rejection> {
    let ([word, count], fields) = args.first()?;
    if !is(word, "fields") {
        return Err(Rejection::error(
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ));
    }
    match integer(count) {
        Ok(count) if usize::try_from(count) == Ok(fields.len()) && count > 0 => Ok(fields.slice()),
        _ => Err(Rejection::error(
            "ERR The `numfields` parameter must match the number of arguments",
        )),
    }
}

/// The same; Redis looks at the type of the key before it does at the arguments, Valkey behind.
fn typed_fields<'a>(
    cx: &Context<'_>,
    key: &[u8],
    args: Args<'a>,
) -> Result<&'a [&'a [u8]], Rejection> {
    if !cx.rules.is_valkey() {
        cx.hash(key)?;
    }
    let fields = fields(args)?;
    cx.hash(key)?;
    Ok(fields)
}

fn arity(name: &str) -> Rejection {
    Rejection::error(format!(
        "ERR wrong number of arguments for '{name}' command"
    ))
}

/// A string or nil.
fn bulk(element: Option<Element<'_>>) -> Reply {
    element.map_or(Reply::Nil, |element| {
        Reply::Bulk(element.to_bytes().into_owned())
    })
}

/// A nil for each field.
fn nils(wants_reply: bool, fields: &[&[u8]]) -> Reply {
    let count = if wants_reply { fields.len() } else { 0 };
    Reply::Array(vec![Reply::Nil; count])
}
