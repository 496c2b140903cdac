//! Commands on sets.

use crate::bytes::Element;
use crate::keyspace::set::Set;
use crate::keyspace::{Rules, Value};
use crate::record::glob::Glob;
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::one("sadd", sadd),
    Row::read("scard", scard),
    Row::read("sdiff", |cx, args| read(cx, args, diff)),
    Row::many("sdiffstore", |cx, args| store(cx, args, diff)),
    Row::read("sinter", |cx, args| read(cx, args, inter)),
    Row::read("sintercard", sintercard),
    Row::many("sinterstore", |cx, args| store(cx, args, inter)),
    Row::read("sismember", sismember),
    Row::read("smembers", smembers),
    Row::read("smismember", smismember),
    Row::many("smove", smove),
    Row::one("spop", spop),
    Row::read("srandmember", srandmember),
    Row::one("srem", srem),
    Row::read("sscan", sscan),
    Row::read("sunion", |cx, args| read(cx, args, union)),
    Row::many("sunionstore", |cx, args| store(cx, args, union)),
];

fn sadd(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], members) = args.first()?;
    let rules = cx.rules;
    let set = cx.set_or_new(key)?;
    if set.is_empty() {
        *set = Set::expecting(members.at(0)?, members.len(), rules);
    } else {
        set.expect(members.len(), rules);
    }
    let added = members.iter().filter(|member| set.add(member, rules));
    Ok(Reply::count(added.count()))
}

fn srem(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], members) = args.first()?;
    let Some(set) = cx.set_mut(key)? else {
        return Ok(Reply::Int(0));
    };
    let removed = members.iter().filter(|member| set.remove(member)).count();
    // One that had no members before, as 6.2 may have it, stays.
    if removed > 0 && set.is_empty() {
        cx.remove(key);
    }
    Ok(Reply::count(removed))
}

fn smove(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [source, target, member] = args.exactly()?;
    let Some(from) = cx.set(source)? else {
        return Ok(Reply::Int(0));
    };
    let is_member = from.contains(member);
    cx.set(target)?;
    if !is_member || source == target {
        return Ok(Reply::Int(is_member.into()));
    }
    if let Some(set) = cx.set_mut(source)? {
        set.remove(member);
        if set.is_empty() {
            cx.remove(source);
        }
    }
    let rules = cx.rules;
    let set = cx.set_or_new(target)?;
    if set.is_empty() {
        *set = Set::expecting(member, 1, rules);
    }
    set.add(member, rules);
    Ok(Reply::Int(1))
}

/// Servers log what they popped as SREM or DEL. As it stands, it can be done where nothing is left
/// to chance.
fn spop(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    let count = match *rest.slice() {
        [] => None,
        [count] => match integer(count) {
            Ok(count @ 0..) => Some(usize::try_from(count).unwrap_or(usize::MAX)),
            _ => {
                return Err(Rejection::error(
                    "ERR value is out of range, must be positive",
                ));
            }
        },
        _ => return Err(Rejection::syntax()),
    };
    let nothing = match count {
        Some(_) => Reply::Array(Vec::new()),
        None => Reply::Nil,
    };
    let Some(set) = cx.set(key)? else {
        return Ok(nothing);
    };
    if count == Some(0) {
        return Ok(nothing);
    }
    if count.unwrap_or(1) < set.len() {
        return Err(Rejection::unplayable("takes members by chance"));
    }
    let reply = match count {
        _ if !cx.wants_reply => Reply::Nil,
        Some(_) => members(set.iter()),
        None => set.iter().next().map_or(Reply::Nil, bulk),
    };
    cx.remove(key);
    Ok(reply)
}

fn bulk(member: Element<'_>) -> Reply {
    Reply::Bulk(member.to_bytes().into_owned())
}

fn members<'a>(all: impl Iterator<Item = Element<'a>>) -> Reply {
    Reply::Array(all.map(bulk).collect())
}

/// The sets of these keys.
fn sets<'a>(cx: &'a Context<'_>, keys: &[&[u8]]) -> Result<Vec<Option<&'a Set>>, Rejection> {
    keys.iter().map(|key| cx.set(key)).collect()
}

/// What an operation makes of sets, as the servers' algorithms make it: which form the result has
/// depends on them.
type Operation = fn(&[Option<&Set>], &Rules) -> Set;

fn read(cx: &mut Context<'_>, args: Args<'_>, operation: Operation) -> Outcome {
    let sets = sets(cx, args.slice())?;
    if !cx.wants_reply {
        return Ok(Reply::Nil);
    }
    claim(cx, &sets)?;
    Ok(members(operation(&sets, cx.rules).iter()))
}

fn store(cx: &mut Context<'_>, args: Args<'_>, operation: Operation) -> Outcome {
    let ([target], keys) = args.first()?;
    let sets = sets(cx, keys.slice())?;
    claim(cx, &sets)?;
    let result = operation(&sets, cx.rules);
    let count = result.len();
    match count {
        0 => {
            cx.remove(target);
        }
        _ => cx.put(target, Value::Set(result), None),
    }
    Ok(Reply::count(count))
}

/// Asks for as much memory as all of them take: the most that a result can be.
fn claim(cx: &Context<'_>, sets: &[Option<&Set>]) -> Result<(), Rejection> {
    let heaps = sets.iter().flatten().map(|set| set.heap() as u64);
    cx.claim(heaps.fold(0, u64::saturating_add))
}

fn union(sets: &[Option<&Set>], rules: &Rules) -> Set {
    let mut result = Set::new();
    for member in sets.iter().flatten().flat_map(|set| set.iter()) {
        result.add_element(member, rules);
    }
    result
}

fn inter(sets: &[Option<&Set>], rules: &Rules) -> Set {
    let Some(mut sets) = sets.iter().copied().collect::<Option<Vec<&Set>>>() else {
        return Set::new();
    };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else {
        return Set::new();
    };
    let knows_packed = rules.set_entries.is_some();
    let mut result = match knows_packed && !smallest.is_ints() {
        true => Set::packed(),
        false => Set::new(),
    };
    for member in common(smallest, others) {
        result.add_element(member, rules);
    }
    if knows_packed {
        result.make_ints(rules);
    }
    result
}

/// The members of a set that all others have.
fn common<'a>(smallest: &'a Set, others: &'a [&'a Set]) -> impl Iterator<Item = Element<'a>> {
    smallest.iter().filter(move |member| {
        let mut others = others.iter().filter(|set| !std::ptr::eq(**set, smallest));
        others.all(|set| set.contains_element(*member))
    })
}

fn diff(sets: &[Option<&Set>], rules: &Rules) -> Set {
    let mut result = Set::new();
    let Some((Some(first), others)) = sets.split_first() else {
        return result;
    };
    let mut others: Vec<&Set> = others.iter().copied().flatten().collect();
    if others.iter().any(|set| std::ptr::eq(*set, *first)) {
        return result;
    }
    let by_member = first.len().saturating_mul(others.len() + 1) / 2;
    let by_set = others.iter().map(|set| set.len()).sum::<usize>() + first.len();
    if by_member <= by_set {
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        for member in first.iter() {
            if !others.iter().any(|set| set.contains_element(member)) {
                result.add_element(member, rules);
            }
        }
        return result;
    }
    for member in first.iter() {
        result.add_element(member, rules);
    }
    for set in others {
        for member in set.iter() {
            result.remove_element(member);
        }
        if result.is_empty() {
            break;
        }
    }
    result
}

fn sintercard(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([count], rest) = args.first()?;
    let count = match integer(count) {
        Ok(count @ 1..) => usize::try_from(count).unwrap_or(usize::MAX),
        _ => {
            return Err(Rejection::error("ERR numkeys should be greater than 0"));
        }
    };
    if count > rest.len() {
        return Err(Rejection::error(
            "ERR Number of keys can't be greater than number of args",
        ));
    }
    let mut most = usize::MAX;
    for &[word, value] in rest.from(count).pairs()? {
        if !is(word, "limit") {
            return Err(Rejection::syntax());
        }
        most = match integer(value) {
            Ok(0) => usize::MAX,
            Ok(limit @ 1..) => usize::try_from(limit).unwrap_or(usize::MAX),
            _ => return Err(Rejection::error("ERR LIMIT can't be negative")),
        };
    }
    let sets = sets(cx, rest.until(count).slice())?;
    let Some(mut sets) = sets.into_iter().collect::<Option<Vec<&Set>>>() else {
        return Ok(Reply::Int(0));
    };
    sets.sort_by_key(|set| set.len());
    let found = match sets.split_first() {
        Some((smallest, others)) => common(smallest, others).take(most).count(),
        None => 0,
    };
    Ok(Reply::count(found))
}

fn scard(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    Ok(Reply::count(cx.set(key)?.map_or(0, Set::len)))
}

fn sismember(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, member] = args.exactly()?;
    let found = cx.set(key)?.is_some_and(|set| set.contains(member));
    Ok(Reply::Int(found.into()))
}

fn smismember(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], members) = args.first()?;
    let set = cx.set(key)?;
    let found = |member: &&[u8]| set.is_some_and(|set| set.contains(member));
    let replies = members
        .iter()
        .map(|member| Reply::Int(found(member).into()));
    Ok(Reply::Array(replies.collect()))
}

fn smembers(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    let set = cx.set(key)?.filter(|_| cx.wants_reply);
    Ok(members(set.into_iter().flat_map(Set::iter)))
}

fn srandmember(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    let by_chance = || Err(Rejection::unplayable("answers with members by chance"));
    let count = match *rest.slice() {
        [] => {
            return match cx.set(key)? {
                Some(set) if set.len() > 1 => by_chance(),
                set => Ok(set
                    .and_then(|set| set.iter().next())
                    .map_or(Reply::Nil, bulk)),
            };
        }
        [count] => integer(count)?,
        _ => return Err(Rejection::syntax()),
    };
    if count == i64::MIN && cx.rules.since((7, 0), (0, 0)) {
        return Err(Rejection::error("ERR value is out of range"));
    }
    let Some(set) = cx.set(key)? else {
        return Ok(Reply::Array(Vec::new()));
    };
    if count == 0 {
        return Ok(Reply::Array(Vec::new()));
    }
    if count > 0 && count.unsigned_abs() >= set.len() as u64 {
        return Ok(members(set.iter()));
    }
    let times = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    match (set.len(), set.iter().next()) {
        (1, Some(member)) if cx.wants_reply => {
            cx.claim((times as u64).saturating_mul(64 + member.len() as u64))?;
            Ok(members(std::iter::repeat_n(member, times)))
        }
        _ => by_chance(),
    }
}

fn sscan(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, cursor], options) = args.first()?;
    if cursor.is_empty() || !cursor.iter().all(u8::is_ascii_digit) {
        return Err(Rejection::error("ERR invalid cursor"));
    }
    let set = cx.set(key)?;
    let answer = |found: Vec<Reply>| {
        let cursor = Reply::Bulk(b"0".to_vec());
        Ok(Reply::Array(vec![cursor, Reply::Array(found)]))
    };
    // Without a key, the options are not looked at.
    let Some(set) = set else {
        return answer(Vec::new());
    };
    let mut glob = None;
    for &[word, value] in options.pairs()? {
        if is(word, "match") {
            glob = Some(Glob::new(value));
        } else if !is(word, "count") || integer(value)? < 1 {
            return Err(Rejection::syntax());
        }
    }
    let is_first = cursor.iter().all(|digit| *digit == b'0');
    if !set.is_ints() && !set.is_packed() && (set.len() > 1 || !is_first) {
        return Err(Rejection::unplayable(
            "answers in the order of the server's table",
        ));
    }
    let wanted = |member: &Element<'_>| {
        let glob = glob.as_ref();
        glob.is_none_or(|glob| glob.matches(&member.to_bytes()))
    };
    answer(set.iter().filter(wanted).map(bulk).collect())
}
