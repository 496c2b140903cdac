//! What only scripts ask.

use crate::keyspace::hash::{FieldRef, Hash};
use crate::record::glob::Glob;
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::hash::{bulk, has_passed, live, nils};
use crate::replay::reply::{Outcome, Rejection, Reply};

pub(super) fn hget(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, field] = args.exactly()?;
    let hash = cx.hash(key)?;
    let found = hash.and_then(|hash| live(hash, field, cx.rules));
    Ok(bulk(found.map(|(value, _)| value)))
}

pub(super) fn hmget(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], fields) = args.first()?;
    let Some(hash) = cx.hash(key)? else {
        return Ok(nils(cx.wants_reply, fields.slice()));
    };
    let values = fields.iter().map(|field| {
        let found = live(hash, field, cx.rules);
        bulk(found.map(|(value, _)| value))
    });
    Ok(Reply::Array(values.collect()))
}

pub(super) fn hexists(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, field] = args.exactly()?;
    let hash = cx.hash(key)?;
    let found = hash.is_some_and(|hash| live(hash, field, cx.rules).is_some());
    Ok(Reply::Int(i64::from(found)))
}

pub(super) fn hstrlen(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, field] = args.exactly()?;
    let hash = cx.hash(key)?;
    let found = hash.and_then(|hash| live(hash, field, cx.rules));
    Ok(Reply::count(found.map_or(0, |(value, _)| value.len())))
}

pub(super) fn hlen(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    Ok(Reply::count(cx.hash(key)?.map_or(0, Hash::len)))
}

pub(super) fn hkeys(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    all(cx, args, |(name, _, _), to| to.push(bulk(Some(name))))
}

pub(super) fn hvals(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    all(cx, args, |(_, value, _), to| to.push(bulk(Some(value))))
}

pub(super) fn hgetall(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    all(cx, args, |(name, value, _), to| {
        to.extend([bulk(Some(name)), bulk(Some(value))]);
    })
}

fn all(cx: &Context<'_>, args: Args<'_>, tell: impl Fn(FieldRef<'_>, &mut Vec<Reply>)) -> Outcome {
    let [key] = args.exactly()?;
    let mut told = Vec::new();
    if let Some(hash) = cx.hash(key)? {
        let live = hash.fields().filter(|field| !has_passed(field.2, cx.rules));
        live.for_each(|field| tell(field, &mut told));
    }
    Ok(Reply::Array(told))
}

/// Which fields come is chance, but for those that ask for all.
pub(super) fn hrandfield(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    let chance = || Rejection::unplayable("answers with fields taken at random");
    let Some((count, words)) = rest.split_first() else {
        return match cx.hash(key)? {
            None => Ok(Reply::Nil),
            Some(_) => Err(chance()),
        };
    };
    let count = integer(count)?;
    let values = match words {
        [] => false,
        [word] if is(word, "withvalues") => true,
        _ => return Err(Rejection::syntax()),
    };
    let Some(hash) = cx.hash(key)?.filter(|_| count != 0) else {
        return Ok(Reply::Array(Vec::new()));
    };
    if usize::try_from(count).is_ok_and(|count| count >= hash.len()) {
        return match values {
            true => hgetall(cx, Args::new(&[key])),
            false => hkeys(cx, Args::new(&[key])),
        };
    }
    Err(chance())
}

/// All fields at once, which is one of the orders that a server may choose.
pub(super) fn hscan(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, cursor], mut rest) = args.first()?;
    if cursor.is_empty() || !cursor.iter().all(u8::is_ascii_digit) || cursor.len() > 20 {
        return Err(Rejection::error("ERR invalid cursor"));
    }
    let mut pattern = None;
    let mut values = true;
    while let Some(word) = rest.slice().first() {
        if is(word, "novalues") && cx.rules.since((7, 4), (8, 0)) {
            values = false;
            rest = rest.from(1);
            continue;
        }
        let value = rest.at(1)?;
        match word {
            word if is(word, "match") => pattern = Some(Glob::new(value)),
            word if is(word, "count") => {
                if integer(value)? < 1 {
                    return Err(Rejection::syntax());
                }
            }
            _ => return Err(Rejection::syntax()),
        }
        rest = rest.from(2);
    }
    let mut found = Vec::new();
    if let Some(hash) = cx.hash(key)? {
        for (name, value, expires_at) in hash.fields() {
            let text = name.to_bytes();
            if has_passed(expires_at, cx.rules)
                || pattern.as_ref().is_some_and(|glob| !glob.matches(&text))
            {
                continue;
            }
            found.push(bulk(Some(name)));
            if values {
                found.push(bulk(Some(value)));
            }
        }
    }
    Ok(Reply::Array(vec![
        Reply::Bulk(b"0".to_vec()),
        Reply::Array(found),
    ]))
}
