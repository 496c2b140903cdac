//! Commands that tell of single members, and count.

use crate::bytes::number::{ScoreText, integer_score, write_double};
use crate::keyspace::zset::ZSet;
use crate::keyspace::{NEVER, Rules};
use crate::record::glob::Glob;
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::zset::{bounds, members_reply, score_reply};

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
    let (from, to) = zset.map_or((0, 0), |zset| zset.lex_range(min, max, 0));
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

/// Members by chance: what no chance decides is answered.
pub(super) fn zrandmember(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    let by_chance = || Err(Rejection::unplayable("answers with members by chance"));
    let rules = cx.rules;
    let (count, scores) = match rest.slice() {
        [] => {
            let Some(zset) = cx.zset(key)? else {
                return Ok(Reply::Nil);
            };
            let mut members = zset.iter();
            return match (members.next(), members.next()) {
                (Some((member, _)), None) => Ok(Reply::Bulk(member.to_vec())),
                _ => by_chance(),
            };
        }
        [count] => (integer(count)?, false),
        [count, word] => {
            let count = integer(count)?;
            if !is(word, "withscores") {
                return Err(Rejection::syntax());
            }
            (count, true)
        }
        _ => return Err(Rejection::syntax()),
    };
    let most = if scores { i64::MAX / 2 } else { i64::MAX };
    if rules.since((7, 0), (0, 0)) && !(-most..=most).contains(&count) {
        return Err(Rejection::error("ERR value is out of range"));
    }
    let Some(zset) = cx.zset(key)?.filter(|_| count != 0) else {
        return Ok(Reply::Array(Vec::new()));
    };
    let times = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if zset.len() == 1 && (count < 0 || count == 1) {
        let only = zset.iter().next().unwrap_or_default();
        cx.claim((times as u64).saturating_mul(64 + only.0.len() as u64))?;
        return Ok(members_reply(
            std::iter::repeat_n(only, times),
            scores,
            rules,
        ));
    }
    if count > 1 && times >= zset.len() {
        return Ok(members_reply(zset.iter().rev(), scores, rules));
    }
    by_chance()
}

/// All members at once, which is one of the ways that a server may choose.
pub(super) fn zscan(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, cursor], mut rest) = args.first()?;
    let number = std::str::from_utf8(cursor).ok();
    let number = number.filter(|_| cursor.iter().all(u8::is_ascii_digit));
    if number.is_none_or(|number| number.parse::<u64>().is_err()) {
        return Err(Rejection::error("ERR invalid cursor"));
    }
    let (mut pattern, mut scores) = (None, true);
    let zset = cx.zset(key)?;
    while let (Some(_), [word, behind @ ..]) = (zset, rest.slice()) {
        match (word, behind) {
            (word, _) if is(word, "noscores") && cx.rules.since(NEVER, (8, 0)) => {
                scores = false;
                rest = rest.from(1);
                continue;
            }
            (word, [value, ..]) if is(word, "match") => pattern = Some(Glob::new(value)),
            (word, [value, ..]) if is(word, "count") => {
                if integer(value)? < 1 {
                    return Err(Rejection::syntax());
                }
            }
            _ => return Err(Rejection::syntax()),
        }
        rest = rest.from(2);
    }
    let mut found = Vec::new();
    for (member, score) in zset.into_iter().flat_map(ZSet::iter) {
        if pattern.as_ref().is_none_or(|glob| glob.matches(member)) {
            found.push(Reply::Bulk(member.to_vec()));
            if scores {
                found.push(scanned(score, zset.is_some_and(ZSet::is_packed), cx.rules));
            }
        }
    }
    Ok(Reply::Array(vec![
        Reply::Bulk(b"0".to_vec()),
        Reply::Array(found),
    ]))
}

/// A score as it is scanned: of a packed set as that has it, of a table always in 17 digits.
fn scanned(score: f64, packed: bool, rules: &Rules) -> Reply {
    let mut text = Vec::new();
    let style = if packed { rules.scores } else { ScoreText::G17 };
    match integer_score(score).filter(|n| packed && (*n != 0 || score.is_sign_positive())) {
        Some(n) => text.extend_from_slice(itoa::Buffer::new().format(n).as_bytes()),
        None => write_double(&mut text, score, style),
    }
    Reply::Bulk(text)
}
