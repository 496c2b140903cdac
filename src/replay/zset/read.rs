//! Commands that tell of single members, and count.

use crate::replay::args::{Args, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::zset::{bounds, score_reply};

pub(super) fn zcard(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    Ok(Reply::count(cx.zset(key)?.map_or(0, |zset| zset.len())))
}

pub(super) fn zcount(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, min, max] = args.exactly()?;
    let (min, max) = bounds::scores(min, max, cx.rules)?;
    let zset = cx.zset(key)?;
    let (from, to) = zset.map_or((0, 0), |zset| zset.score_range(min, max));
    Ok(Reply::count(to - from))
}

pub(super) fn zlexcount(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, min, max] = args.exactly()?;
    let (min, max) = bounds::members(min, max)?;
    let zset = cx.zset(key)?;
    let (from, to) = zset.map_or((0, 0), |zset| zset.lex_range(min, max));
    Ok(Reply::count(to - from))
}

pub(super) fn zscore(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, member] = args.exactly()?;
    let score = cx.zset(key)?.and_then(|zset| zset.get(member));
    Ok(score.map_or(Reply::Nil, |score| score_reply(score, cx.rules)))
}

pub(super) fn zmscore(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], members) = args.first()?;
    let zset = cx.zset(key)?;
    let scores = members.iter().map(|member| {
        let score = zset.and_then(|zset| zset.get(member));
        score.map_or(Reply::Nil, |score| score_reply(score, cx.rules))
    });
    Ok(Reply::Array(scores.collect()))
}

pub(super) fn zrank(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    rank(cx, args, false)
}

pub(super) fn zrevrank(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    rank(cx, args, true)
}

fn rank(cx: &mut Context<'_>, args: Args<'_>, reversed: bool) -> Outcome {
    let ([key, member], rest) = args.first()?;
    let with_score = match rest.slice() {
        [] => false,
        [word] if is(word, "withscore") => true,
        [_] => return Err(Rejection::syntax()),
        _ => return Err(Rejection::error("ERR wrong number of arguments")),
    };
    let zset = cx.zset(key)?;
    let found = zset.and_then(|zset| {
        let (rank, score) = zset.rank(member)?;
        let rank = if reversed {
            zset.len() - 1 - rank
        } else {
            rank
        };
        Some((Reply::count(rank), score))
    });
    Ok(match found {
        None if with_score => Reply::NilArray,
        None => Reply::Nil,
        Some((rank, score)) if with_score => Reply::Array(vec![rank, score_reply(score, cx.rules)]),
        Some((rank, _)) => rank,
    })
}
