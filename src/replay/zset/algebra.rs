//! Unions, intersections and differences, of sets too.

use crate::bytes::Element;
use crate::error::Result as Walked;
use crate::keyspace::set::Set;
use crate::keyspace::zset::{Builder, ZSet};
use crate::keyspace::{Rules, Value};
use crate::record::ValueVisitor;
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::zset::{double, members_reply};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    #[inline]
    fn join(self, old: f64, new: f64) -> f64 {
        match self {
            Aggregate::Sum => zero_if_nan(old + new),
            Aggregate::Min if new < old => new,
            Aggregate::Max if new > old => new,
            Aggregate::Min | Aggregate::Max => old,
        }
    }
}

/// What the servers make of infinity less infinity, and of nothing times infinity.
#[inline]
fn zero_if_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// What is joined: a set's members all have score 1.
#[derive(Clone, Copy)]
enum Source<'a> {
    Missing,
    Set(&'a Set),
    ZSet(&'a ZSet),
}

impl Source<'_> {
    fn len(self) -> usize {
        match self {
            Source::Missing => 0,
            Source::Set(set) => set.len(),
            Source::ZSet(zset) => zset.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Missing => None,
            Source::Set(set) => set.contains(member).then_some(1.0),
            Source::ZSet(zset) => zset.get(member),
        }
    }

    fn each(self, to: &mut dyn FnMut(&[u8], f64)) -> Result<(), Rejection> {
        match self {
            Source::Missing => {}
            Source::Set(set) => set
                .walk(&mut Each(to))
                .map_err(|why| Rejection::unplayable(why.to_string()))?,
            Source::ZSet(zset) => zset.iter().for_each(|(member, score)| to(member, score)),
        }
        Ok(())
    }
}

/// Tells the members of a set.
struct Each<'f>(&'f mut dyn FnMut(&[u8], f64));

impl ValueVisitor for Each<'_> {
    fn element(&mut self, element: Element<'_>) -> Walked<()> {
        (self.0)(element.bytes(&mut itoa::Buffer::new()), 1.0);
        Ok(())
    }
}

/// What a command asks for, behind the key of its result.
struct Asked<'a> {
    sources: Vec<(Source<'a>, f64, &'a [u8])>,
    aggregate: Aggregate,
    scores: bool,
    limit: usize,
}

/// Who wants the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Store,
    Reply,
    Count,
}

pub(super) fn zunionstore(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store(cx, args, Operation::Union)
}

pub(super) fn zinterstore(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store(cx, args, Operation::Inter)
}

pub(super) fn zdiffstore(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    store(cx, args, Operation::Diff)
}

pub(super) fn zunion(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Operation::Union)
}

pub(super) fn zinter(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Operation::Inter)
}

pub(super) fn zdiff(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Operation::Diff)
}

pub(super) fn zintercard(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let asked = parse(cx, args, Operation::Inter, For::Count)?;
    let found = join(cx, &asked, Operation::Inter)?.finish(cx.rules).len();
    Ok(Reply::count(match asked.limit {
        0 => found,
        limit => found.min(limit),
    }))
}

fn store(cx: &mut Context<'_>, args: Args<'_>, operation: Operation) -> Outcome {
    let ([to], rest) = args.first()?;
    let asked = parse(cx, rest, operation, For::Store)?;
    let stored = join(cx, &asked, operation)?.finish(cx.rules);
    let count = stored.len();
    if count > 0 {
        cx.put(to, Value::ZSet(stored), None);
    } else {
        cx.remove(to);
    }
    Ok(Reply::count(count))
}

fn tell(cx: &mut Context<'_>, args: Args<'_>, operation: Operation) -> Outcome {
    let asked = parse(cx, args, operation, For::Reply)?;
    let found = join(cx, &asked, operation)?.unpacked();
    Ok(members_reply(found.iter(), asked.scores, cx.rules))
}

fn parse<'a>(
    cx: &'a Context<'_>,
    args: Args<'a>,
    operation: Operation,
    wanted: For,
) -> Result<Asked<'a>, Rejection> {
    let ([count], rest) = args.first()?;
    let count = integer(count)?;
    if count < 1 {
        return Err(Rejection::error("ERR at least 1 input key is needed"));
    }
    let keys = usize::try_from(count).ok();
    let keys = keys.and_then(|count| rest.slice().get(..count));
    let keys = keys.ok_or_else(Rejection::syntax)?;
    let mut asked = Asked {
        sources: Vec::with_capacity(keys.len()),
        aggregate: Aggregate::Sum,
        scores: false,
        limit: 0,
    };
    for key in keys {
        let source = match cx.value(key) {
            None => Source::Missing,
            Some(Value::Set(set)) => Source::Set(set),
            Some(Value::ZSet(zset)) => Source::ZSet(zset),
            Some(_) => return Err(Rejection::wrong_type()),
        };
        asked.sources.push((source, 1.0, key));
    }
    options(
        &mut asked,
        rest.from(keys.len()),
        operation,
        wanted,
        cx.rules,
    )?;
    Ok(asked)
}

fn options(
    asked: &mut Asked<'_>,
    args: Args<'_>,
    operation: Operation,
    wanted: For,
    rules: &Rules,
) -> Result<(), Rejection> {
    let weighs = operation != Operation::Diff && wanted != For::Count;
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match *word {
            word if weighs && is(word, "weights") && words.len() >= asked.sources.len() => {
                for (_, weight, _) in &mut asked.sources {
                    let text = words.next().copied().unwrap_or_default();
                    *weight = double(text, rules)
                        .map_err(|_| Rejection::error("ERR weight value is not a float"))?;
                }
            }
            word if weighs && is(word, "aggregate") && words.len() >= 1 => {
                asked.aggregate = match words.next().copied().unwrap_or_default() {
                    word if is(word, "sum") => Aggregate::Sum,
                    word if is(word, "min") => Aggregate::Min,
                    word if is(word, "max") => Aggregate::Max,
                    _ => return Err(Rejection::syntax()),
                };
            }
            word if wanted == For::Reply && is(word, "withscores") => asked.scores = true,
            word if wanted == For::Count && is(word, "limit") && words.len() >= 1 => {
                let limit = integer(words.next().copied().unwrap_or_default());
                let limit = limit.ok().and_then(|limit| usize::try_from(limit).ok());
                asked.limit =
                    limit.ok_or_else(|| Rejection::error("ERR LIMIT can't be negative"))?;
            }
            _ => return Err(Rejection::syntax()),
        }
    }
    Ok(())
}

/// Does it. The order in which scores are added is the servers', for sums of three depend on it.
fn join(cx: &Context<'_>, asked: &Asked<'_>, operation: Operation) -> Result<Builder, Rejection> {
    let mut sources: Vec<_> = asked.sources.iter().collect();
    if operation != Operation::Diff {
        sources.sort_by_key(|(source, ..)| source.len());
    }
    let mut found = Builder::table();
    let Some(((first, weight, first_key), others)) = sources.split_first() else {
        return Ok(found);
    };
    let most: usize = match operation {
        Operation::Union => sources.iter().map(|(source, ..)| source.len()).sum(),
        Operation::Inter | Operation::Diff => first.len(),
    };
    cx.claim(most as u64 * 48)?;
    let aggregate = asked.aggregate;
    match operation {
        Operation::Union => {
            for (source, weight, _) in &sources {
                source.each(&mut |member, score| {
                    let score = zero_if_nan(weight * score);
                    found.merge(member, score, |old, new| aggregate.join(old, new));
                })?;
            }
        }
        Operation::Inter => first.each(&mut |member, score| {
            let mut sum = zero_if_nan(weight * score);
            for (other, weight, _) in others {
                let Some(score) = other.score(member) else {
                    return;
                };
                sum = aggregate.join(sum, score * weight);
            }
            found.push(member, sum);
        })?,
        Operation::Diff => {
            if others.iter().any(|(_, _, key)| key == first_key) {
                return Ok(found);
            }
            first.each(&mut |member, score| {
                if others
                    .iter()
                    .all(|(other, ..)| other.score(member).is_none())
                {
                    found.push(member, score);
                }
            })?;
        }
    }
    Ok(found)
}
