//! ZADD, ZINCRBY, ZREM.

use crate::keyspace::zset::{Change, ZSet};
use crate::keyspace::{NEVER, Rules};
use crate::replay::args::{Args, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::zset::{double, score_reply};

/// Options of ZADD.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::replay) struct How {
    pub(in crate::replay) nx: bool,
    pub(in crate::replay) xx: bool,
    pub(in crate::replay) gt: bool,
    pub(in crate::replay) lt: bool,
    pub(in crate::replay) ch: bool,
    pub(in crate::replay) incr: bool,
}

pub(super) fn zadd(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    generic(cx, args, How::default())
}

pub(super) fn zincrby(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let how = How {
        incr: true,
        ..How::default()
    };
    generic(cx, args, how)
}

pub(super) fn zrem(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], members) = args.first()?;
    let Some(zset) = cx.zset_mut(key)? else {
        return Ok(Reply::Int(0));
    };
    let mut gone = 0;
    for member in members.iter() {
        gone += usize::from(zset.remove(member));
        if zset.is_empty() {
            break;
        }
    }
    if zset.is_empty() {
        cx.remove(key);
    }
    Ok(Reply::count(gone))
}

fn generic(cx: &mut Context<'_>, args: Args<'_>, how: How) -> Outcome {
    let ([key], mut rest) = args.first()?;
    let mut how = how;
    while let Some(word) = rest.slice().first() {
        let flag = match word {
            word if is(word, "nx") => &mut how.nx,
            word if is(word, "xx") => &mut how.xx,
            word if is(word, "ch") => &mut how.ch,
            word if is(word, "incr") => &mut how.incr,
            word if is(word, "gt") => &mut how.gt,
            word if is(word, "lt") => &mut how.lt,
            _ => break,
        };
        *flag = true;
        rest = rest.from(1);
    }
    let pairs = rest.pairs()?;
    if pairs.is_empty() {
        return Err(Rejection::syntax());
    }
    if how.nx && how.xx {
        return Err(Rejection::error(
            "ERR XX and NX options at the same time are not compatible",
        ));
    }
    if (how.nx && (how.gt || how.lt)) || (how.gt && how.lt) {
        return Err(Rejection::error(
            "ERR GT, LT, and/or NX options at the same time are not compatible",
        ));
    }
    if how.incr && pairs.len() > 1 {
        return Err(Rejection::error(
            "ERR INCR option supports a single increment-element pair",
        ));
    }
    // All scores are read before anything is done.
    if let [[score, member]] = pairs {
        let score = double(score, cx.rules)?;
        return add(cx, key, &[(score, member)], how);
    }
    let members: Result<Vec<(f64, &[u8])>, Rejection> = pairs
        .iter()
        .map(|[score, member]| Ok((double(score, cx.rules)?, *member)))
        .collect();
    add(cx, key, &members?, how)
}

/// Gives members their scores; at least one.
pub(in crate::replay) fn add(
    cx: &mut Context<'_>,
    key: &[u8],
    members: &[(f64, &[u8])],
    how: How,
) -> Outcome {
    let (rules, wants_reply) = (cx.rules, cx.wants_reply);
    if how.xx && cx.zset(key)?.is_none() {
        return Ok(answer(how, Tally::default(), None, rules));
    }
    let zset = cx.zset_or_new(key)?;
    expect(zset, members, rules);
    let mut tally = Tally::default();
    let mut last = None;
    for (score, member) in members {
        last = one(zset, member, *score, how, &mut tally, rules)?;
    }
    let told = last.filter(|_| wants_reply);
    Ok(answer(how, tally, told, rules))
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    new: usize,
    changed: usize,
}

fn answer(how: How, tally: Tally, last: Option<f64>, rules: &Rules) -> Reply {
    if how.incr {
        return last.map_or(Reply::Nil, |score| score_reply(score, rules));
    }
    Reply::count(tally.new + if how.ch { tally.changed } else { 0 })
}

/// The form that a server gives a set in view of what is to come.
fn expect(zset: &mut ZSet, members: &[(f64, &[u8])], rules: &Rules) {
    let new = zset.is_empty();
    if !new && members.len() == 1 && !zset.is_packed() {
        return;
    }
    let first = members.first().map_or(0, |(_, member)| member.len());
    let longest = || members.iter().map(|(_, member)| member.len()).max();
    let (count, length) = if rules.since(NEVER, (8, 0)) {
        (members.len(), longest().unwrap_or(0))
    } else if rules.since((7, 2), (0, 0)) {
        (members.len(), if new { first } else { 0 })
    } else {
        (0, if new { first } else { 0 })
    };
    zset.expect(count, length, rules);
}

/// One member; the score that it has then, if the options let it be.
fn one(
    zset: &mut ZSet,
    member: &[u8],
    score: f64,
    how: How,
    tally: &mut Tally,
    rules: &Rules,
) -> Result<Option<f64>, Rejection> {
    let mut score = score;
    if how.nx || how.xx || how.gt || how.lt || how.incr {
        match zset.get(member) {
            Some(_) if how.nx => return Ok(None),
            Some(old) => {
                if how.incr {
                    score += old;
                    if score.is_nan() {
                        return Err(Rejection::error(
                            "ERR resulting score is not a number (NaN)",
                        ));
                    }
                }
                if (how.lt && score >= old) || (how.gt && score <= old) {
                    return Ok(None);
                }
            }
            None if how.xx => return Ok(None),
            None => {}
        }
    }
    match zset.insert(member, score, rules) {
        Change::New => tally.new += 1,
        Change::Score => tally.changed += 1,
        Change::None => {}
    }
    Ok(Some(score))
}
