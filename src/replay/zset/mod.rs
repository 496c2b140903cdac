//! Commands on sorted sets.

mod add;
mod algebra;
mod bounds;
mod pop;
mod range;
mod read;

use crate::bytes::number::{ScoreText, integer_score, parse_double, write_double};
use crate::keyspace::Rules;
use crate::replay::reply::{Rejection, Reply};
use crate::replay::table::Row;

pub(super) use add::{How, add};

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::many("bzmpop", pop::bzmpop),
    Row::many("bzpopmax", pop::bzpopmax),
    Row::many("bzpopmin", pop::bzpopmin),
    Row::one("zadd", add::zadd),
    Row::read("zcard", read::zcard),
    Row::read("zcount", read::zcount),
    Row::read("zdiff", algebra::zdiff),
    Row::many("zdiffstore", algebra::zdiffstore),
    Row::one("zincrby", add::zincrby),
    Row::read("zinter", algebra::zinter),
    Row::read("zintercard", algebra::zintercard),
    Row::many("zinterstore", algebra::zinterstore),
    Row::read("zlexcount", read::zlexcount),
    Row::many("zmpop", pop::zmpop),
    Row::read("zmscore", read::zmscore),
    Row::one("zpopmax", pop::zpopmax),
    Row::one("zpopmin", pop::zpopmin),
    Row::read("zrandmember", read::zrandmember),
    Row::read("zrange", range::zrange),
    Row::read("zrangebylex", range::zrangebylex),
    Row::read("zrangebyscore", range::zrangebyscore),
    Row::many("zrangestore", range::zrangestore),
    Row::read("zrank", read::zrank),
    Row::one("zrem", add::zrem),
    Row::one("zremrangebylex", range::zremrangebylex),
    Row::one("zremrangebyrank", range::zremrangebyrank),
    Row::one("zremrangebyscore", range::zremrangebyscore),
    Row::read("zrevrange", range::zrevrange),
    Row::read("zrevrangebylex", range::zrevrangebylex),
    Row::read("zrevrangebyscore", range::zrevrangebyscore),
    Row::read("zrevrank", read::zrevrank),
    Row::read("zscan", read::zscan),
    Row::read("zscore", read::zscore),
    Row::read("zunion", algebra::zunion),
    Row::many("zunionstore", algebra::zunionstore),
];

/// Reads a double of an argument. Valkey 9 takes no hexadecimal.
#[inline]
pub(super) fn double(text: &[u8], rules: &Rules) -> Result<f64, Rejection> {
    match parse_double(text) {
        Some(value) if !value.is_nan() && !(is_hexadecimal(text) && refuses_hexadecimal(rules)) => {
            Ok(value)
        }
        _ => Err(Rejection::not_a_float()),
    }
}

fn is_hexadecimal(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+"));
    matches!(unsigned.unwrap_or(text), [b'0', b'x' | b'X', ..])
}

fn refuses_hexadecimal(rules: &Rules) -> bool {
    rules.since(crate::keyspace::NEVER, (9, 0))
}

/// A score as it stands in an answer.
pub(super) fn score_reply(score: f64, rules: &Rules) -> Reply {
    let mut text = Vec::new();
    let whole = integer_score(score).filter(|n| *n != 0 && rules.scores == ScoreText::Grisu2);
    match whole {
        Some(n) => text.extend_from_slice(itoa::Buffer::new().format(n).as_bytes()),
        None => write_double(&mut text, score, rules.scores),
    }
    Reply::Bulk(text)
}

/// Members, with their scores where those are asked for, one behind the other.
fn members_reply<'a>(
    members: impl Iterator<Item = (&'a [u8], f64)>,
    scores: bool,
    rules: &Rules,
) -> Reply {
    let mut all = Vec::new();
    for (member, score) in members {
        all.push(Reply::Bulk(member.to_vec()));
        if scores {
            all.push(score_reply(score, rules));
        }
    }
    Reply::Array(all)
}
