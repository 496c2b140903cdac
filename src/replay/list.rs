//! Commands on lists.
//!
//! Those that block do what a server does with them while it loads: what they would do at once, or
//! nothing.

use crate::bytes::Element;
use crate::keyspace::Text;
use crate::keyspace::list::{End, List};
use crate::replay::args::{Args, double, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::many("blmove", blmove),
    Row::many("blmpop", blmpop),
    Row::many("blpop", |cx, args| blocking_pop(cx, args, End::Head)),
    Row::many("brpop", |cx, args| blocking_pop(cx, args, End::Tail)),
    Row::many("brpoplpush", brpoplpush),
    Row::read("lindex", lindex),
    Row::one("linsert", linsert),
    Row::read("llen", llen),
    Row::many("lmove", lmove),
    Row::many("lmpop", lmpop),
    Row::one("lpop", |cx, args| pop(cx, args, End::Head, "lpop")),
    Row::read("lpos", lpos),
    Row::one("lpush", |cx, args| push(cx, args, End::Head)),
    Row::one("lpushx", |cx, args| push_existing(cx, args, End::Head)),
    Row::read("lrange", lrange),
    Row::one("lrem", lrem),
    Row::one("lset", lset),
    Row::one("ltrim", ltrim),
    Row::one("rpop", |cx, args| pop(cx, args, End::Tail, "rpop")),
    Row::many("rpoplpush", rpoplpush),
    Row::one("rpush", |cx, args| push(cx, args, End::Tail)),
    Row::one("rpushx", |cx, args| push_existing(cx, args, End::Tail)),
];

fn push(cx: &mut Context<'_>, args: Args<'_>, end: End) -> Outcome {
    let ([key], elements) = args.first()?;
    let list = cx.list_or_new(key)?;
    push_all(list, elements, end)
}

fn push_existing(cx: &mut Context<'_>, args: Args<'_>, end: End) -> Outcome {
    let ([key], elements) = args.first()?;
    match cx.list_mut(key)? {
        Some(list) => push_all(list, elements, end),
        None => Ok(Reply::Int(0)),
    }
}

fn push_all(list: &mut List, elements: Args<'_>, end: End) -> Outcome {
    for element in elements.iter() {
        list.push(element, end);
    }
    Ok(Reply::count(list.len()))
}

fn pop(cx: &mut Context<'_>, args: Args<'_>, end: End, name: &str) -> Outcome {
    let ([key], rest) = args.first()?;
    let count = match *rest.slice() {
        [] => None,
        [count] => Some(natural(
            count,
            "ERR value is out of range, must be positive",
        )?),
        _ => {
            let text = format!("ERR wrong number of arguments for '{name}' command");
            return Err(Rejection::error(text));
        }
    };
    let is_new = cx.rules.since((7, 0), (0, 0));
    if count == Some(0) && !is_new {
        return Ok(Reply::NilArray);
    }
    let wants_reply = cx.wants_reply;
    let Some(list) = cx.list_mut(key)? else {
        return Ok(match count {
            Some(_) if is_new => Reply::NilArray,
            _ => Reply::Nil,
        });
    };
    let most = count.unwrap_or(1);
    let reply = match count {
        _ if !wants_reply => Reply::Nil,
        Some(_) => edge_reply(list, most, end),
        None => list.edge(end).map_or(Reply::Nil, bulk),
    };
    take(cx, key, most, end);
    Ok(reply)
}

/// Takes so many elements from a list that is there, and the key with the last.
fn take(cx: &mut Context<'_>, key: &[u8], count: usize, end: End) {
    if let Ok(Some(list)) = cx.list_mut(key) {
        list.drop(count, end);
        if list.is_empty() {
            cx.remove(key);
        }
    }
}

/// The elements at an end, in the order in which they are taken.
fn edge_reply(list: &List, most: usize, end: End) -> Reply {
    Reply::Array(match end {
        End::Head => list.iter().take(most).map(bulk).collect(),
        End::Tail => list.iter().rev().take(most).map(bulk).collect(),
    })
}

fn bulk(element: Element<'_>) -> Reply {
    Reply::Bulk(element.to_bytes().into_owned())
}

/// A count that must not be negative; beyond what memory holds it is all.
fn natural(text: &[u8], otherwise: &'static str) -> Result<usize, Rejection> {
    match integer(text) {
        Ok(n @ 0..) => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
        _ => Err(Rejection::error(otherwise)),
    }
}

/// A count that must be at least one.
fn positive(text: &[u8], otherwise: &'static str) -> Result<usize, Rejection> {
    natural(text, otherwise).and_then(|n| match n {
        0 => Err(Rejection::error(otherwise)),
        n => Ok(n),
    })
}

fn end(word: &[u8]) -> Result<End, Rejection> {
    if is(word, "left") {
        Ok(End::Head)
    } else if is(word, "right") {
        Ok(End::Tail)
    } else {
        Err(Rejection::syntax())
    }
}

fn lmove(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [source, target, from, to] = args.exactly()?;
    let (from, to) = (end(from)?, end(to)?);
    shift(cx, source, target, from, to)
}

fn rpoplpush(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [source, target] = args.exactly()?;
    shift(cx, source, target, End::Tail, End::Head)
}

fn blmove(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [source, target, from, to, wait] = args.exactly()?;
    let (from, to) = (end(from)?, end(to)?);
    timeout(wait)?;
    shift(cx, source, target, from, to)
}

fn brpoplpush(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [source, target, wait] = args.exactly()?;
    timeout(wait)?;
    shift(cx, source, target, End::Tail, End::Head)
}

/// Moves an element from an end of a list to an end of another, or of the same.
fn shift(cx: &mut Context<'_>, source: &[u8], target: &[u8], from: End, to: End) -> Outcome {
    let Some(list) = cx.list(source)? else {
        return Ok(Reply::Nil);
    };
    let Some(element) = list.edge(from) else {
        return Ok(Reply::Nil);
    };
    let mut text = itoa::Buffer::new();
    let element = Text::new(element.bytes(&mut text));
    cx.list(target)?;
    let reply = match cx.wants_reply {
        true => Reply::bulk(Some(&element)),
        false => Reply::Nil,
    };
    if source == target {
        if let Some(list) = cx.list_mut(source)? {
            list.drop(1, from);
            list.push(&element, to);
        }
    } else {
        take(cx, source, 1, from);
        cx.list_or_new(target)?.push(&element, to);
    }
    Ok(reply)
}

/// Checks how long a command may wait, which it never does here.
fn timeout(text: &[u8]) -> Result<(), Rejection> {
    let seconds =
        double(text).map_err(|_| Rejection::error("ERR timeout is not a float or out of range"))?;
    let ms = (seconds * 1000.0).ceil();
    if ms > i64::MAX as f64 {
        return Err(Rejection::error("ERR timeout is out of range"));
    }
    if ms < 0.0 {
        return Err(Rejection::error("ERR timeout is negative"));
    }
    Ok(())
}

fn blocking_pop(cx: &mut Context<'_>, args: Args<'_>, end: End) -> Outcome {
    let last = args.len().saturating_sub(1);
    timeout(args.at(last)?)?;
    for &key in args.until(last).slice() {
        let Some(list) = cx.list(key)? else { continue };
        let reply = match list.edge(end) {
            Some(element) if cx.wants_reply => {
                Reply::Array(vec![Reply::bulk(Some(key)), bulk(element)])
            }
            _ => Reply::Nil,
        };
        take(cx, key, 1, end);
        return Ok(reply);
    }
    Ok(Reply::NilArray)
}

fn lmpop(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Named { keys, end, count } = named(args)?;
    pop_named(cx, keys, end, count)
}

fn blmpop(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([wait], rest) = args.first()?;
    // Servers look at the wait last.
    let Named { keys, end, count } = named(rest)?;
    timeout(wait)?;
    pop_named(cx, keys, end, count)
}

/// What LMPOP is told.
struct Named<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: usize,
}

/// Reads `numkeys key... LEFT|RIGHT [COUNT n]`.
fn named(args: Args<'_>) -> Result<Named<'_>, Rejection> {
    let ([keys], rest) = args.first()?;
    let keys = positive(keys, "ERR numkeys should be greater than 0")?;
    let end = end(rest.at(keys)?)?;
    let count = match *rest.from(keys + 1).slice() {
        [] => 1,
        [word, count, ref more @ ..] if is(word, "count") => {
            let count = positive(count, "ERR count should be greater than 0")?;
            if !more.is_empty() {
                return Err(Rejection::syntax());
            }
            count
        }
        _ => return Err(Rejection::syntax()),
    };
    Ok(Named {
        keys: rest.until(keys).slice(),
        end,
        count,
    })
}

/// Takes elements from the first of these lists that is there.
fn pop_named(cx: &mut Context<'_>, keys: &[&[u8]], end: End, count: usize) -> Outcome {
    for &key in keys {
        let Some(list) = cx.list(key)? else { continue };
        let reply = match cx.wants_reply {
            true => Reply::Array(vec![Reply::bulk(Some(key)), edge_reply(list, count, end)]),
            false => Reply::Nil,
        };
        take(cx, key, count, end);
        return Ok(reply);
    }
    Ok(Reply::NilArray)
}

fn linsert(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, side, pivot, element] = args.exactly()?;
    let behind = match side {
        _ if is(side, "after") => 1,
        _ if is(side, "before") => 0,
        _ => return Err(Rejection::syntax()),
    };
    let Some(list) = cx.list_mut(key)? else {
        return Ok(Reply::Int(0));
    };
    match list.find(pivot) {
        Some(index) => {
            list.insert(index + behind, element);
            Ok(Reply::count(list.len()))
        }
        None => Ok(Reply::Int(-1)),
    }
}

fn lset(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, index, element] = args.exactly()?;
    // Servers that have small lists in a listpack keep 32 bits of the index.
    let is_cut = cx.rules.since((7, 2), (0, 0));
    let Some(list) = cx.list_mut(key)? else {
        return Err(Rejection::no_such_key());
    };
    let index = match integer(index)? {
        index if is_cut => i64::from(index as i32),
        index => index,
    };
    match place(index, list.len()) {
        Some(index) => {
            list.set(index, element);
            Ok(Reply::OK)
        }
        None => Err(Rejection::out_of_range()),
    }
}

fn lrem(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, count, element] = args.exactly()?;
    let count = integer(count)?;
    if count == i64::MIN && cx.rules.since((7, 2), (0, 0)) {
        return Err(Rejection::error("ERR value is out of range"));
    }
    let Some(list) = cx.list_mut(key)? else {
        return Ok(Reply::Int(0));
    };
    // The least integer has no positive counterpart: older servers then never stop counting.
    let most = match count {
        0 | i64::MIN => usize::MAX,
        count => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
    };
    let end = if count < 0 { End::Tail } else { End::Head };
    let removed = list.remove(element, most, end);
    if list.is_empty() {
        cx.remove(key);
    }
    Ok(Reply::count(removed))
}

fn ltrim(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, first, last] = args.exactly()?;
    let (first, last) = (integer(first)?, integer(last)?);
    let Some(list) = cx.list_mut(key)? else {
        return Ok(Reply::OK);
    };
    match range(first, last, list.len()) {
        Some((first, count)) => {
            let behind = list.len() - first - count;
            list.drop(first, End::Head);
            list.drop(behind, End::Tail);
        }
        None => {
            cx.remove(key);
        }
    }
    Ok(Reply::OK)
}

/// The element at an index, which counts from the tail where it is negative.
fn place(index: i64, len: usize) -> Option<usize> {
    let index = match index {
        0.. => index,
        _ => index + len as i64,
    };
    usize::try_from(index).ok().filter(|index| *index < len)
}

/// The first element of a range and how many there are, if any.
fn range(first: i64, last: i64, len: usize) -> Option<(usize, usize)> {
    let len = len as i64;
    let from = |index: i64| if index < 0 { index + len } else { index };
    let (first, last) = (from(first).max(0), from(last).min(len - 1));
    let count = last.checked_sub(first)?.checked_add(1)?;
    match usize::try_from(count) {
        Ok(count @ 1..) => Some((usize::try_from(first).ok()?, count)),
        _ => None,
    }
}

fn llen(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    Ok(Reply::count(cx.list(key)?.map_or(0, List::len)))
}

fn lindex(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, index] = args.exactly()?;
    let Some(list) = cx.list(key)? else {
        return Ok(Reply::Nil);
    };
    let found = place(integer(index)?, list.len()).and_then(|index| list.get(index));
    Ok(found.map_or(Reply::Nil, bulk))
}

fn lrange(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, first, last] = args.exactly()?;
    let (first, last) = (integer(first)?, integer(last)?);
    let found = match cx.list(key)? {
        Some(list) if cx.wants_reply => {
            let range = range(first, last, list.len());
            range.map(|(first, count)| list.iter_from(first).take(count).map(bulk).collect())
        }
        _ => None,
    };
    Ok(Reply::Array(found.unwrap_or_default()))
}

fn lpos(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, element], options) = args.first()?;
    let (mut rank, mut count, mut most) = (1i64, None, 0);
    let (pairs, odd) = options.slice().as_chunks::<2>();
    for &[word, value] in pairs {
        if is(word, "rank") {
            rank = integer(value)?;
            if rank == i64::MIN && cx.rules.since((7, 2), (0, 0)) {
                return Err(Rejection::error("ERR value is out of range"));
            }
            if rank == 0 {
                return Err(Rejection::error(
                    "ERR RANK can't be zero: use 1 to start from the first match",
                ));
            }
        } else if is(word, "count") {
            count = Some(natural(value, "ERR COUNT can't be negative")?);
        } else if is(word, "maxlen") {
            most = natural(value, "ERR MAXLEN can't be negative")?;
        } else {
            return Err(Rejection::syntax());
        }
    }
    if !odd.is_empty() {
        return Err(Rejection::syntax());
    }
    let missing = match count {
        Some(_) => Reply::Array(Vec::new()),
        None => Reply::Nil,
    };
    let Some(list) = cx.list(key)? else {
        return Ok(missing);
    };
    let most = if most == 0 { usize::MAX } else { most };
    let skip = match rank {
        // As in a server that negates it: it is below every rank.
        i64::MIN => 0,
        _ => usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX),
    };
    let wanted = match count {
        None => 1,
        Some(0) => usize::MAX,
        Some(count) => count,
    };
    let found: Vec<usize> = if rank > 0 {
        let matches = list.matches(element).take(most).enumerate();
        let matches = matches.filter(|(_, found)| *found).map(|(at, _)| at);
        matches.skip(skip).take(wanted).collect()
    } else {
        let matches = list.matches(element).rev().take(most).enumerate();
        let last = list.len() - 1;
        let matches = matches.filter(|(_, found)| *found).map(|(at, _)| last - at);
        matches.skip(skip).take(wanted).collect()
    };
    Ok(match count {
        Some(_) => Reply::Array(found.into_iter().map(Reply::count).collect()),
        None => found.first().map_or(Reply::Nil, |at| Reply::count(*at)),
    })
}
