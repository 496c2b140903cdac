//! Commands that take members from the ends. Those that wait do not wait in a log.

use crate::bytes::number::parse_double;
use crate::keyspace::Rules;
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::zset::score_reply;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

pub(super) fn zpopmin(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(cx, args, End::Min)
}

pub(super) fn zpopmax(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(cx, args, End::Max)
}

pub(super) fn bzpopmin(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    blocking(cx, args, End::Min)
}

pub(super) fn bzpopmax(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    blocking(cx, args, End::Max)
}

pub(super) fn zmpop(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (keys, end, count) = many(args)?;
    pop_first(cx, keys, end, count)
}

pub(super) fn bzmpop(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([timeout], rest) = args.first()?;
    let (keys, end, count) = many(rest)?;
    check_timeout(timeout, cx.rules)?;
    pop_first(cx, keys, end, count)
}

fn pop(cx: &mut Context<'_>, args: Args<'_>, end: End) -> Outcome {
    let ([key], rest) = args.first()?;
    let none = || Ok(Reply::Array(Vec::new()));
    let count = match rest.slice() {
        [] => 1,
        [count] => {
            let count = integer(count)?;
            let old = !cx.rules.since((7, 0), (0, 0));
            match usize::try_from(count) {
                Ok(0) if old => return none(),
                Ok(count) => count,
                Err(_) if old => return none(),
                Err(_) => {
                    return Err(Rejection::error(
                        "ERR value is out of range, must be positive",
                    ));
                }
            }
        }
        _ => return Err(Rejection::syntax()),
    };
    if cx.zset(key)?.is_none() {
        return none();
    }
    Ok(Reply::Array(
        take(cx, key, end, count)?.into_iter().flatten().collect(),
    ))
}

fn blocking(cx: &mut Context<'_>, args: Args<'_>, end: End) -> Outcome {
    let (timeout, keys) = args.slice().split_last().ok_or_else(Rejection::syntax)?;
    check_timeout(timeout, cx.rules)?;
    let Some(key) = first_with_members(cx, keys)? else {
        return Ok(Reply::NilArray);
    };
    let mut reply = vec![Reply::Bulk(key.to_vec())];
    reply.extend(take(cx, key, end, 1)?.into_iter().flatten());
    Ok(Reply::Array(reply))
}

/// Keys, end and count of ZMPOP.
fn many(args: Args<'_>) -> Result<(&[&[u8]], End, usize), Rejection> {
    let ([keys], rest) = args.first()?;
    let keys = positive(keys, "ERR numkeys should be greater than 0")?;
    let names = rest.slice().get(..keys).ok_or_else(Rejection::syntax)?;
    let ([end], options) = rest.from(keys).first()?;
    let end = match end {
        end if is(end, "min") => End::Min,
        end if is(end, "max") => End::Max,
        _ => return Err(Rejection::syntax()),
    };
    let count = match options.slice() {
        [] => 1,
        [word, count, rest @ ..] if is(word, "count") => {
            let count = positive(count, "ERR count should be greater than 0")?;
            if !rest.is_empty() {
                return Err(Rejection::syntax());
            }
            count
        }
        _ => return Err(Rejection::syntax()),
    };
    Ok((names, end, count))
}

fn positive(text: &[u8], error: &'static str) -> Result<usize, Rejection> {
    let number = integer(text).ok().filter(|n| *n > 0);
    let number = number.and_then(|n| usize::try_from(n).ok());
    number.ok_or_else(|| Rejection::error(error))
}

fn pop_first(cx: &mut Context<'_>, keys: &[&[u8]], end: End, count: usize) -> Outcome {
    let Some(key) = first_with_members(cx, keys)? else {
        return Ok(Reply::NilArray);
    };
    let members = take(cx, key, end, count)?;
    let members = members.into_iter().map(|pair| Reply::Array(pair.into()));
    Ok(Reply::Array(vec![
        Reply::Bulk(key.to_vec()),
        Reply::Array(members.collect()),
    ]))
}

fn first_with_members<'k>(
    cx: &Context<'_>,
    keys: &[&'k [u8]],
) -> Result<Option<&'k [u8]>, Rejection> {
    for key in keys {
        if cx.zset(key)?.is_some() {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// Takes members from an end of a set, which there is; they are told where someone looks.
fn take(
    cx: &mut Context<'_>,
    key: &[u8],
    end: End,
    count: usize,
) -> Result<Vec<[Reply; 2]>, Rejection> {
    let (rules, wants_reply) = (cx.rules, cx.wants_reply);
    let Some(zset) = cx.zset_mut(key)? else {
        return Ok(Vec::new());
    };
    let count = count.min(zset.len());
    let (from, to) = match end {
        End::Min => (0, count),
        End::Max => (zset.len() - count, zset.len()),
    };
    let mut told = Vec::new();
    if wants_reply {
        let members = zset.range(from, to);
        told.extend(
            members
                .map(|(member, score)| [Reply::Bulk(member.to_vec()), score_reply(score, rules)]),
        );
        if end == End::Max {
            told.reverse();
        }
    }
    zset.remove_range(from, to);
    if zset.is_empty() {
        cx.remove(key);
    }
    Ok(told)
}

/// A time to wait in seconds; only whether it is one is of interest.
fn check_timeout(text: &[u8], rules: &Rules) -> Result<(), Rejection> {
    /// Later than any clock says, in ms.
    const CLOCK: i128 = 1 << 42;
    let seconds = parse_double(text).filter(|seconds| seconds.is_finite());
    let Some(seconds) = seconds else {
        return Err(Rejection::error(
            "ERR timeout is not a float or out of range",
        ));
    };
    // The servers count in more bits than a double has.
    let ms = match integer(text) {
        Ok(seconds) => i128::from(seconds) * 1000,
        Err(_) => (seconds * 1000.0).ceil() as i128,
    };
    let most = i128::from(i64::MAX);
    if ms > most || (rules.since((7, 2), (0, 0)) && ms > most - CLOCK) {
        return Err(Rejection::error("ERR timeout is out of range"));
    }
    if ms < 0 {
        return Err(Rejection::error("ERR timeout is negative"));
    }
    Ok(())
}
