//! XDEL, XDELEX, XACK, XACKDEL.

use crate::keyspace::Rules;
use crate::keyspace::stream::{References, Stream};
use crate::record::StreamId;
use crate::replay::args::{Args, integer};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::stream::add::policy;
use crate::replay::stream::id;
use crate::replay::stream::is;

/// There is no such entry.
const MISSING: i64 = -1;
/// It was removed.
const REMOVED: i64 = 1;
/// It stays, because groups still refer to it.
const REFERENCED: i64 = 2;

pub(super) fn xdel(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], ids) = args.first()?;
    let rules = cx.rules;
    let Some(stream) = cx.stream_mut(key)? else {
        return Ok(Reply::Int(0));
    };
    let ids = id::all(&ids)?;
    let removed = ids.iter().filter(|id| stream.delete(**id, rules));
    Ok(Reply::count(removed.count()))
}

pub(super) fn xack(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, group], ids) = args.first()?;
    let stream = cx.stream_mut(key)?;
    let Some(group) = stream.and_then(|stream| stream.group_mut(group)) else {
        return Ok(Reply::Int(0));
    };
    let ids = id::all(&ids)?;
    let settled = ids.iter().filter(|id| group.settle(**id));
    Ok(Reply::count(settled.count()))
}

/// Reads what may stand behind the key (and group): what becomes of references, and the IDs.
fn options<'a>(args: Args<'a>) -> Result<(References, &'a [&'a [u8]]), Rejection> {
    let (mut references, mut ids) = (None, None);
    let mut at = 0;
    while let Some(&option) = args.get(at) {
        let reference = policy(option).filter(|_| references.is_none());
        if reference.is_some() {
            references = reference;
            at += 1;
        } else if is(option, "ids") && at + 1 < args.len() {
            let positive = integer(args.at(at + 1)?)
                .ok()
                .and_then(|n| usize::try_from(n).ok())
                .filter(|n| *n > 0);
            let count = positive
                .ok_or_else(|| Rejection::error("ERR Number of IDs must be a positive integer"))?;
            let listed = args.from(at + 2).slice();
            ids = Some(listed.get(..count).ok_or_else(|| {
                Rejection::error("ERR The `numids` parameter must match the number of arguments")
            })?);
            at += 2 + count;
        } else {
            return Err(Rejection::syntax());
        }
    }
    let ids = ids.ok_or_else(|| Rejection::error("ERR IDS option is required"))?;
    Ok((references.unwrap_or_default(), ids))
}

fn all_missing(count: usize) -> Reply {
    Reply::Array(vec![Reply::Int(MISSING); count])
}

pub(super) fn xdelex(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    cx.stream(key)?;
    let (references, ids) = options(rest)?;
    let rules = cx.rules;
    let Some(stream) = cx.stream_mut(key)? else {
        return Ok(all_missing(ids.len()));
    };
    let ids = id::all(ids)?;
    let fates = ids.iter().map(|&id| {
        Reply::Int(match remove(stream, id, references, rules) {
            None => REFERENCED,
            Some(true) => REMOVED,
            Some(false) => MISSING,
        })
    });
    Ok(Reply::Array(fates.collect()))
}

pub(super) fn xackdel(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, name], rest) = args.first()?;
    cx.stream(key)?;
    let (references, ids) = options(rest)?;
    let rules = cx.rules;
    let stream = cx.stream_mut(key)?;
    let Some(stream) = stream.filter(|stream| stream.group(name).is_some()) else {
        return Ok(all_missing(ids.len()));
    };
    let ids = id::all(ids)?;
    let fates = ids.iter().map(|&id| {
        let pending = stream.group_mut(name).is_some_and(|it| it.settle(id));
        Reply::Int(match pending {
            false => MISSING,
            // What is gone from the stream counts as removed.
            true => match remove(stream, id, references, rules) {
                None => REFERENCED,
                Some(_) => REMOVED,
            },
        })
    });
    Ok(Reply::Array(fates.collect()))
}

/// Removes an entry, and says whether there was one; none where groups still refer to it and must
/// not.
fn remove(
    stream: &mut Stream,
    id: StreamId,
    references: References,
    rules: &Rules,
) -> Option<bool> {
    match references {
        References::Acknowledged if stream.is_referenced(id) => return None,
        References::Delete => stream.settle_everywhere(id),
        _ => {}
    }
    Some(stream.delete(id, rules))
}
