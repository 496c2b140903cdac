//! Ranges by rank, score and bytes: told, stored and removed.

use crate::keyspace::zset::{Bound, Lex, ZSet};
use crate::keyspace::{NEVER, Rules, Value};
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::zset::{bounds, members_reply};

/// By what a range is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// What a range command asks for.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    ends: Ends<'a>,
    reversed: bool,
    scores: bool,
    offset: i64,
    /// Negative: all.
    limit: i64,
}

#[derive(Clone, Copy, Debug)]
enum Ends<'a> {
    Rank(i64, i64),
    Score(Bound<f64>, Bound<f64>),
    Lex(Bound<Lex<'a>>, Bound<Lex<'a>>),
}

pub(super) fn zrange(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, None, None)
}

pub(super) fn zrevrange(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Some(By::Rank), Some(true))
}

pub(super) fn zrangebyscore(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Some(By::Score), Some(false))
}

pub(super) fn zrevrangebyscore(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Some(By::Score), Some(true))
}

pub(super) fn zrangebylex(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Some(By::Lex), Some(false))
}

pub(super) fn zrevrangebylex(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Some(By::Lex), Some(true))
}

pub(super) fn zrangestore(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([to, from], rest) = args.first()?;
    let rules = cx.rules;
    let asked = parse(rest, None, None, true, rules)?;
    let mut stored = ZSet::new();
    if let Some(zset) = cx.zset(from)? {
        let (first, end) = ranks(zset, &asked, rules);
        let count = end - first;
        cx.claim(count as u64 * 48)?;
        if matches!(asked.ends, Ends::Rank(..)) {
            stored.expect(count, 0, rules);
        }
        let members = zset.range(first, end);
        if asked.reversed {
            fill(&mut stored, members.rev(), rules);
        } else {
            fill(&mut stored, members, rules);
        }
    }
    let count = stored.len();
    if count > 0 {
        cx.put(to, Value::ZSet(stored), None);
    } else {
        cx.remove(to);
    }
    Ok(Reply::count(count))
}

fn fill<'a>(zset: &mut ZSet, members: impl Iterator<Item = (&'a [u8], f64)>, rules: &Rules) {
    for (member, score) in members {
        zset.insert(member, score, rules);
    }
}

pub(super) fn zremrangebyrank(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, start, end] = args.exactly()?;
    let (start, end) = (integer(start)?, integer(end)?);
    remove(cx, key, |zset| {
        bounds::ranks(start, end, zset.len()).unwrap_or((0, 0))
    })
}

pub(super) fn zremrangebyscore(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, min, max] = args.exactly()?;
    let (min, max) = bounds::scores(min, max, cx.rules)?;
    remove(cx, key, |zset| zset.score_range(min, max))
}

pub(super) fn zremrangebylex(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, min, max] = args.exactly()?;
    let (min, max) = bounds::members(min, max)?;
    remove(cx, key, |zset| zset.lex_range(min, max, 0))
}

fn remove(
    cx: &mut Context<'_>,
    key: &[u8],
    ranks: impl FnOnce(&ZSet) -> (usize, usize),
) -> Outcome {
    let Some(zset) = cx.zset_mut(key)? else {
        return Ok(Reply::Int(0));
    };
    let (from, to) = ranks(zset);
    let gone = zset.remove_range(from, to);
    if zset.is_empty() {
        cx.remove(key);
    }
    Ok(Reply::count(gone))
}

fn tell(cx: &mut Context<'_>, args: Args<'_>, by: Option<By>, reversed: Option<bool>) -> Outcome {
    let ([key], rest) = args.first()?;
    let asked = parse(rest, by, reversed, false, cx.rules)?;
    let Some(zset) = cx.zset(key)? else {
        return Ok(Reply::Array(Vec::new()));
    };
    let (from, to) = ranks(zset, &asked, cx.rules);
    let members = zset.range(from, to);
    Ok(if asked.reversed {
        members_reply(members.rev(), asked.scores, cx.rules)
    } else {
        members_reply(members, asked.scores, cx.rules)
    })
}

/// Reads the ends and the options; `by` and `reversed` where the name of the command says them.
fn parse<'a>(
    args: Args<'a>,
    by: Option<By>,
    reversed: Option<bool>,
    store: bool,
    rules: &Rules,
) -> Result<Asked<'a>, Rejection> {
    let ([min, max], options) = args.first()?;
    let (mut chosen, mut back) = (by, reversed);
    let (mut scores, mut offset, mut limit) = (false, 0, -1);
    let mut words = options.iter();
    while let Some(word) = words.next() {
        match *word {
            word if !store && is(word, "withscores") => scores = true,
            word if is(word, "limit") && words.len() >= 2 => {
                let mut number = || integer(words.next().copied().unwrap_or_default());
                offset = number()?;
                limit = number()?;
            }
            word if reversed.is_none() && is(word, "rev") && back.is_none() => back = Some(true),
            word if chosen.is_none() && is(word, "bylex") => chosen = Some(By::Lex),
            word if chosen.is_none() && is(word, "byscore") => chosen = Some(By::Score),
            _ => return Err(Rejection::syntax()),
        }
    }
    let (by, reversed) = (chosen.unwrap_or(By::Rank), back.unwrap_or(false));
    if limit != -1 && by == By::Rank {
        return Err(Rejection::error(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ));
    }
    if scores && by == By::Lex {
        return Err(Rejection::error(
            "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
        ));
    }
    let (min, max) = match by {
        By::Score | By::Lex if reversed => (max, min),
        _ => (min, max),
    };
    let ends = match by {
        By::Rank => Ends::Rank(integer(min)?, integer(max)?),
        By::Score => {
            let (min, max) = bounds::scores(min, max, rules)?;
            Ends::Score(min, max)
        }
        By::Lex => {
            let (min, max) = bounds::members(min, max)?;
            Ends::Lex(min, max)
        }
    };
    Ok(Asked {
        ends,
        reversed,
        scores,
        offset,
        limit,
    })
}

/// The ranks asked for: the first, and the one behind the last.
fn ranks(zset: &ZSet, asked: &Asked<'_>, rules: &Rules) -> (usize, usize) {
    let len = zset.len();
    let skipped = usize::try_from(asked.offset).map_or(0, |offset| offset.min(len));
    let (from, to) = match asked.ends {
        Ends::Rank(start, end) => {
            let Some((from, to)) = bounds::ranks(start, end, len) else {
                return (0, 0);
            };
            return match asked.reversed {
                true => (len - to, len - from),
                false => (from, to),
            };
        }
        Ends::Score(min, max) => zset.score_range(min, max),
        Ends::Lex(min, max) if asked.reversed => zset.lex_range_back(min, max, skipped),
        Ends::Lex(min, max) => zset.lex_range(min, max, skipped),
    };
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let count = to - from;
    let skip = match usize::try_from(asked.offset) {
        Ok(_) if matches!(asked.ends, Ends::Lex(..)) => 0,
        Ok(offset) => offset.min(count),
        Err(_) => match negative_offset(zset, asked.offset, count, rules) {
            Some(skip) => skip,
            None => return (0, 0),
        },
    };
    let count = (count - skip).min(limit);
    match asked.reversed {
        true => (to - skip - count, to - skip),
        false => (from + skip, from + skip + count),
    }
}

/// How many of `count` members a negative offset skips; none where nothing is left. Valkey counts from
/// the end of the range in a table, others find nothing.
fn negative_offset(zset: &ZSet, offset: i64, count: usize, rules: &Rules) -> Option<usize> {
    let counts_back = !zset.is_packed() && rules.since(NEVER, (8, 0));
    let back = usize::try_from(offset.unsigned_abs()).ok()?;
    counts_back.then(|| count.checked_sub(back))?
}
