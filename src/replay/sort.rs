//! SORT, which orders a list, a set or a sorted set by its elements or by what other keys say of
//! them, and may store what came out.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::bytes::number::parse_double;
use crate::bytes::{Element, number};
use crate::keyspace::list::{End, List};
use crate::keyspace::zset::Members;
use crate::keyspace::{NEVER, Rules, Text, Value};
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::hash::live;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::many("sort", |cx, args| sort(cx, args, true)),
    Row::read("sort_ro", |cx, args| sort(cx, args, false)),
];

/// What is asked for.
struct Options<'a> {
    descending: bool,
    alpha: bool,
    /// First element and number of elements of the outcome.
    limit: Option<(i64, i64)>,
    store: Option<&'a [u8]>,
    by: Option<&'a [u8]>,
    /// Some pattern of BY names no key by an element.
    keeps_order: bool,
    get: Vec<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, may_store: bool) -> Result<Self, Rejection> {
        let mut options = Options {
            descending: false,
            alpha: false,
            limit: None,
            store: None,
            by: None,
            keeps_order: false,
            get: Vec::new(),
        };
        let mut rest = args.slice();
        while let Some((&word, after)) = rest.split_first() {
            rest = after;
            match after {
                _ if is(word, "asc") => options.descending = false,
                _ if is(word, "desc") => options.descending = true,
                _ if is(word, "alpha") => options.alpha = true,
                [start, count, after @ ..] if is(word, "limit") => {
                    options.limit = Some((integer(start)?, integer(count)?));
                    rest = after;
                }
                [key, after @ ..] if is(word, "store") && may_store => {
                    options.store = Some(key);
                    rest = after;
                }
                [pattern, after @ ..] if is(word, "by") => {
                    options.by = Some(pattern);
                    options.keeps_order |= !until_nul(pattern).contains(&b'*');
                    rest = after;
                }
                [pattern, after @ ..] if is(word, "get") => {
                    options.get.push(pattern);
                    rest = after;
                }
                _ => return Err(Rejection::syntax()),
            }
        }
        Ok(options)
    }

    /// Where the outcome begins among so many elements, and how many it has.
    fn range(&self, len: usize) -> (usize, usize) {
        let Some((start, count)) = self.limit else {
            return (0, len);
        };
        let start = usize::try_from(start.max(0)).map_or(len, |start| start.min(len));
        match usize::try_from(count) {
            Ok(count) => (start, count.min(len - start)),
            Err(_) => (start, len - start),
        }
    }
}

impl Options<'_> {
    /// Servers before 7.0 add up a LIMIT without care. Where that overflows, the number of strings
    /// that they then believe to have, of none.
    fn beyond(&self, len: usize, rules: &Rules) -> Option<u32> {
        let (start, count) = self.limit.filter(|_| !rules.since((7, 0), (0, 0)))?;
        let start = start.max(0);
        let overflows = count > 0 && start.checked_add(count - 1).is_none();
        let per_element = self.get.len().max(1) as u32;
        (overflows && (start as u64) < len as u64).then(|| (count as u32).wrapping_mul(per_element))
    }
}

/// An element and what it is ordered by.
struct Item {
    element: Text,
    score: f64,
    text: Option<Text>,
}

impl Item {
    fn new(element: Element<'_>) -> Self {
        let mut text = itoa::Buffer::new();
        Item {
            element: Text::new(element.bytes(&mut text)),
            score: 0.0,
            text: None,
        }
    }
}

fn sort(cx: &mut Context<'_>, args: Args<'_>, may_store: bool) -> Outcome {
    let ([key], options) = args.first()?;
    let mut options = Options::parse(options, may_store)?;
    // A sorted set is a table from then on, also where it was packed.
    let rules = cx.rules;
    if let Some(Value::ZSet(zset)) = cx.value_mut(key) {
        zset.expect(usize::MAX, 0, rules);
    }
    let value = cx.value(key);
    // Sets have no order that they could keep.
    if options.keeps_order && matches!(value, Some(Value::Set(_))) {
        options.keeps_order = false;
        options.alpha = true;
        options.by = None;
    }
    let (items, (start, count)) = collect(cx, value, &options)?;
    let items = ordered(cx, items, &options)?;
    if let Some(count) = options.beyond(items.len(), rules) {
        return store_nothing(cx, options.store, count);
    }
    let outcome = items.get(start..start + count).unwrap_or_default();
    match options.store {
        Some(target) => store(cx, outcome, &options.get, target),
        None if !cx.wants_reply => Ok(Reply::Nil),
        None => answer(cx, outcome, &options.get),
    }
}

/// The elements, or where nothing is to be ordered only those of the outcome; and which of them are
/// the outcome.
fn collect(
    cx: &Context<'_>,
    value: Option<&Value>,
    options: &Options<'_>,
) -> Result<(Vec<Item>, (usize, usize)), Rejection> {
    let Some(value) = value else {
        return Ok((Vec::new(), (0, 0)));
    };
    let len = match value {
        Value::List(list) => list.len(),
        Value::Set(set) => set.len(),
        Value::ZSet(zset) => zset.len(),
        _ => return Err(Rejection::wrong_type()),
    };
    if options.keeps_order && options.beyond(len, cx.rules).is_some() {
        return Err(Rejection::crash(
            "SORT with a LIMIT that goes beyond 64 bits",
        ));
    }
    let (start, count) = options.range(len);
    let wanted = if options.keeps_order { count } else { len };
    let strings = if wanted == len { value.heap() } else { 0 };
    cx.claim((wanted * size_of::<Item>() + strings) as u64)?;
    let items = match value {
        Value::List(list) if !options.keeps_order => list.iter().map(Item::new).collect(),
        Value::List(list) if options.descending => {
            let all = list.iter().rev().skip(start);
            all.take(count).map(Item::new).collect()
        }
        Value::List(list) => list.iter_from(start).take(count).map(Item::new).collect(),
        Value::Set(set) => set.iter().map(Item::new).collect(),
        Value::ZSet(zset) if !options.keeps_order => of_members(zset.iter()),
        Value::ZSet(zset) if options.descending => {
            let mut items = of_members(zset.range(len - start - count, len - start));
            items.reverse();
            items
        }
        Value::ZSet(zset) => of_members(zset.range(start, start + count)),
        _ => Vec::new(),
    };
    let range = match options.keeps_order {
        true => (0, count),
        false => (start, count),
    };
    Ok((items, range))
}

fn of_members(members: Members<'_>) -> Vec<Item> {
    members
        .map(|(member, _)| Item::new(Element::Bytes(member)))
        .collect()
}

/// Puts the items in order.
fn ordered(
    cx: &Context<'_>,
    mut items: Vec<Item>,
    options: &Options<'_>,
) -> Result<Vec<Item>, Rejection> {
    if options.keeps_order {
        return Ok(items);
    }
    let by = options.by.map(Pattern::new);
    let mut is_number = true;
    for item in &mut items {
        let found = match &by {
            Some(by) => by.look_up(cx, &item.element),
            None if options.alpha => continue,
            None => Some(Cow::Borrowed(item.element.as_bytes())),
        };
        let Some(found) = found else { continue };
        if options.alpha {
            item.text = Some(Text::new(&found));
        } else {
            match score(cx, &found) {
                Some(score) => item.score = score,
                None => is_number = false,
            }
        }
    }
    if !is_number {
        return Err(Rejection::error(
            "ERR One or more scores can't be converted into double",
        ));
    }
    // Bytes where the outcome is stored; else as C compares strings.
    let compare = |one: &Text, other: &Text| match options.store {
        Some(_) => one.cmp(other),
        None => until_nul(one).cmp(until_nul(other)),
    };
    let order = |a: &Item, b: &Item| match (options.alpha, &by) {
        (false, _) => {
            let scores = a.score.partial_cmp(&b.score).unwrap_or(Ordering::Equal);
            scores.then_with(|| a.element.cmp(&b.element))
        }
        (true, None) => compare(&a.element, &b.element),
        (true, Some(_)) => match (&a.text, &b.text) {
            (Some(a), Some(b)) => compare(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        },
    };
    match options.descending {
        true => items.sort_by(|a, b| order(b, a)),
        false => items.sort_by(order),
    }
    Ok(items)
}

fn store(cx: &mut Context<'_>, items: &[Item], get: &[&[u8]], target: &[u8]) -> Outcome {
    let get: Vec<Pattern<'_>> = get.iter().map(|pattern| Pattern::new(pattern)).collect();
    let mut list = List::new();
    let mut pending = 0;
    for item in items {
        if get.is_empty() {
            list.push(&item.element, End::Tail);
            continue;
        }
        for pattern in &get {
            let found = pattern.look_up(cx, &item.element).unwrap_or_default();
            // A few patterns can make much of little.
            pending += found.len() + 8;
            if pending > 1 << 16 {
                cx.claim(pending as u64)?;
                pending = 0;
            }
            list.push(&found, End::Tail);
        }
    }
    let count = list.len();
    match count {
        0 => {
            cx.remove(target);
        }
        _ => cx.put(target, Value::List(list), None),
    }
    Ok(Reply::count(count))
}

/// What servers before 7.0 do with a LIMIT that overflows: a list without elements is stored.
fn store_nothing(cx: &mut Context<'_>, target: Option<&[u8]>, count: u32) -> Outcome {
    match target {
        Some(target) if count == 0 => {
            cx.remove(target);
        }
        Some(target) => cx.put(target, Value::List(List::new()), None),
        None => {
            return Err(Rejection::unplayable(
                "answers with an array that has no end",
            ));
        }
    }
    Ok(Reply::Int(count.into()))
}

fn answer(cx: &Context<'_>, items: &[Item], get: &[&[u8]]) -> Outcome {
    let get: Vec<Pattern<'_>> = get.iter().map(|pattern| Pattern::new(pattern)).collect();
    let mut replies = Vec::new();
    let mut pending = 0;
    for item in items {
        if get.is_empty() {
            replies.push(Reply::bulk(Some(&item.element)));
        }
        for pattern in &get {
            let found = pattern.look_up(cx, &item.element);
            pending += found.as_ref().map_or(0, |found| found.len()) + size_of::<Reply>();
            if pending > 1 << 16 {
                cx.claim(pending as u64)?;
                pending = 0;
            }
            replies.push(Reply::bulk(found.as_deref()));
        }
    }
    Ok(Reply::Array(replies))
}

/// Names a key, or a field of one, by an element.
enum Pattern<'a> {
    /// The element itself.
    Element,
    /// No key at all.
    Nothing,
    /// The element between two strings, and a field, if any.
    Key {
        before: &'a [u8],
        behind: &'a [u8],
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    /// Servers look for `#`, `*` and `->` up to the first NUL; what they then take goes beyond.
    fn new(pattern: &'a [u8]) -> Self {
        let visible = until_nul(pattern);
        if visible == b"#" {
            return Pattern::Element;
        }
        let Some(star) = visible.iter().position(|byte| *byte == b'*') else {
            return Pattern::Nothing;
        };
        let (before, behind) = pattern.split_at(star);
        let behind = behind.get(1..).unwrap_or_default();
        let arrow = until_nul(behind).windows(2).position(|two| two == b"->");
        let cut = arrow.and_then(|at| Some((behind.get(..at)?, behind.get(at + 2..)?)));
        let (behind, field) = match cut {
            Some((behind, field)) if field.first().is_some_and(|first| *first != 0) => {
                (behind, Some(field))
            }
            _ => (behind, None),
        };
        Pattern::Key {
            before,
            behind,
            field,
        }
    }

    /// What stands there for an element.
    fn look_up<'b>(&self, cx: &'b Context<'_>, element: &'b Text) -> Option<Cow<'b, [u8]>> {
        let (before, behind, field) = match self {
            Pattern::Element => return Some(Cow::Borrowed(element)),
            Pattern::Nothing => return None,
            Pattern::Key {
                before,
                behind,
                field,
            } => (before, behind, field),
        };
        let key = [before, element.as_bytes(), behind].concat();
        match (cx.value(&key)?, field) {
            (Value::String(text), None) => Some(Cow::Borrowed(text)),
            (Value::Hash(hash), Some(field)) => {
                live(hash, field, cx.rules).map(|(value, _)| value.to_bytes())
            }
            _ => None,
        }
    }
}

/// The bytes that C sees of a string.
fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Reads what elements are ordered by, as the server does: with C's `strtod`, to which the empty
/// string is zero, or with a later reader, which takes no space, nothing hexadecimal, but numbers
/// below the normal ones.
fn score(cx: &Context<'_>, text: &[u8]) -> Option<f64> {
    if let Some(n) = number::parse_canonical_i64(text) {
        return Some(n as f64);
    }
    let text = until_nul(text);
    if text.is_empty() {
        return (!cx.rules.since(NEVER, (9, 1))).then_some(0.0);
    }
    if cx.rules.since((8, 0), (9, 1)) {
        return parse_double(text).filter(|score| !score.is_nan() && !is_hex(text));
    }
    let space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let from = text.iter().position(|byte| !space(byte))?;
    let text = text.get(from..)?;
    parse_double(text).filter(|score| !score.is_nan() && (is_hex(text) || !score.is_subnormal()))
}

fn is_hex(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'x' | b'X'))
}
