//! Commands on bits of strings.

mod field;

use crate::bytes::number::parse_canonical_i64;
use crate::keyspace::{NEVER, Text, Value};
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::read("bitcount", bitcount),
    Row::one("bitfield", field::bitfield),
    Row::read("bitfield_ro", field::bitfield_ro),
    Row::many("bitop", bitop),
    Row::read("bitpos", bitpos),
    Row::read("getbit", getbit),
    Row::one("setbit", setbit),
];

/// Reads the offset of a bit; that of a field of so many bits may count fields (`#2`).
fn offset(cx: &Context<'_>, text: &[u8], width: Option<u32>) -> Result<u64, Rejection> {
    let (text, unit) = match (width, text) {
        (Some(width), [b'#', text @ ..]) => (text, i64::from(width)),
        _ => (text, 1),
    };
    // Servers do not look whether the product overflows. Those since Redis 7.0 believe their log.
    let limited = !cx.rules.since((7, 0), (0, 0));
    parse_canonical_i64(text)
        .map(|offset| offset.wrapping_mul(unit))
        .and_then(|offset| u64::try_from(offset).ok())
        .filter(|offset| !limited || offset >> 3 < cx.rules.longest_string)
        .ok_or_else(|| Rejection::error("ERR bit offset is not an integer or out of range"))
}

/// The string at a key, made and lengthened so that it has the bit at an offset.
fn with_bit<'a>(
    cx: &'a mut Context<'_>,
    key: &[u8],
    offset: u64,
) -> Result<&'a mut Text, Rejection> {
    let len = (offset >> 3) + 1;
    let has = cx.string(key)?.map_or(0, Text::len);
    if len > has as u64 {
        cx.claim(len)?;
    }
    let text = cx.string_or_new(key)?;
    // More than memory holds was refused above.
    text.pad_to(len as usize);
    Ok(text)
}

fn setbit(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, at, bit] = args.exactly()?;
    let at = offset(cx, at, None)?;
    let bit = match parse_canonical_i64(bit) {
        Some(0) => 0,
        Some(1) => 1u8,
        _ => {
            let text = "ERR bit is not an integer or out of range";
            return Err(Rejection::error(text));
        }
    };
    let text = with_bit(cx, key, at)?;
    let mut old = 0;
    if let Some(byte) = text.as_mut_bytes().get_mut((at >> 3) as usize) {
        let shift = 7 - (at & 7) as u32;
        old = *byte >> shift & 1;
        *byte = *byte & !(1 << shift) | bit << shift;
    }
    Ok(Reply::Int(i64::from(old)))
}

fn getbit(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, at] = args.exactly()?;
    let at = offset(cx, at, None)?;
    let bytes = cx.string(key)?.map_or(&[] as &[u8], Text::as_bytes);
    let byte = usize::try_from(at >> 3).ok().and_then(|at| bytes.get(at));
    let bit = byte.map_or(0, |byte| *byte >> (7 - (at & 7)) & 1);
    Ok(Reply::Int(i64::from(bit)))
}

/// A stretch of a string as BITCOUNT and BITPOS take it, in words.
#[derive(Clone, Copy, Default)]
struct Stretch {
    start: i64,
    end: Option<i64>,
    of_bits: bool,
}

impl Stretch {
    /// Reads it. `open` says that a start may stand alone.
    fn parse(cx: &Context<'_>, words: Args<'_>, open: bool) -> Result<Self, Rejection> {
        let most = if cx.rules.since((7, 0), (0, 0)) { 3 } else { 2 };
        if words.len() > most || words.len() == 1 && !open {
            return Err(Rejection::syntax());
        }
        let number = |at: usize| words.get(at).map(|text| integer(text)).transpose();
        let of_bits = match words.get(2) {
            Some(unit) if is(unit, "bit") => true,
            Some(unit) if !is(unit, "byte") => return Err(Rejection::syntax()),
            _ => false,
        };
        Ok(Stretch {
            start: number(0)?.unwrap_or(0),
            end: number(1)?,
            of_bits,
        })
    }

    /// First and last bit within these bytes; none where there is none.
    fn within(self, bytes: &[u8]) -> Option<(u64, u64)> {
        let unit = if self.of_bits { 1 } else { 8 };
        let len = bytes.len() as i64 * 8 / unit;
        let end = self.end.unwrap_or(-1);
        let from_end = |at: i64| if at < 0 { (len + at).max(0) } else { at };
        let (first, last) = (from_end(self.start), from_end(end).min(len - 1));
        (first <= last).then(|| ((first * unit) as u64, ((last + 1) * unit - 1) as u64))
    }
}

/// Servers before Redis 7.2 look at the key before they look at the other arguments.
fn key_first(cx: &Context<'_>) -> bool {
    !cx.rules.since((7, 2), (0, 0))
}

/// Whether an end from behind is before a start from behind.
fn turned(start: i64, end: i64) -> bool {
    start < 0 && end < 0 && start > end
}

fn bitcount(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], words) = args.first()?;
    if key_first(cx) && cx.string(key)?.is_none() {
        return Ok(Reply::Int(0));
    }
    // Redis 7.0 finds that there is nothing between them before it looks at the unit.
    if let [start, end, _] = words.slice()
        && key_first(cx)
        && cx.rules.since((7, 0), (0, 0))
        && turned(integer(start)?, integer(end)?)
    {
        return Ok(Reply::Int(0));
    }
    let stretch = Stretch::parse(cx, words, cx.rules.since(NEVER, (8, 0)))?;
    let bytes = cx.string(key)?.map_or(&[] as &[u8], Text::as_bytes);
    if stretch.end.is_some_and(|end| turned(stretch.start, end)) {
        return Ok(Reply::Int(0));
    }
    let Some((first, last)) = stretch.within(bytes) else {
        return Ok(Reply::Int(0));
    };
    let ones = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| u64::from(byte.count_ones()))
            .sum::<u64>()
    };
    let (from, to) = ((first >> 3) as usize, (last >> 3) as usize);
    let mut count = ones(bytes.get(from..=to).unwrap_or_default());
    let part = |at: usize, mask: u8| {
        let byte = bytes.get(at).copied().unwrap_or(0);
        u64::from((byte & mask).count_ones())
    };
    // What is before the first and behind the last bit.
    count -= part(from, !(0xff >> (first & 7)));
    count -= part(to, 0x7f >> (last & 7));
    Ok(Reply::Int(count as i64))
}

fn bitpos(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, bit], words) = args.first()?;
    let bit = match integer(bit)? {
        0 => false,
        1 => true,
        _ => return Err(Rejection::error("ERR The bit argument must be 1 or 0.")),
    };
    let missing = Ok(Reply::Int(if bit { -1 } else { 0 }));
    if key_first(cx) && cx.string(key)?.is_none() {
        return missing;
    }
    let stretch = Stretch::parse(cx, words, true)?;
    let Some(text) = cx.string(key)? else {
        return missing;
    };
    let Some((first, last)) = stretch.within(text) else {
        return Ok(Reply::Int(-1));
    };
    let found = find(text, bit, first, last).map(|at| at as i64);
    // Behind a string whose end was not asked for there are zeros.
    let behind = if bit || stretch.end.is_some() {
        -1
    } else {
        last as i64 + 1
    };
    Ok(Reply::Int(found.unwrap_or(behind)))
}

/// The first such bit from one place to another, that one too.
fn find(bytes: &[u8], bit: bool, first: u64, last: u64) -> Option<u64> {
    let none = if bit { 0 } else { 0xff };
    let (from, to) = ((first >> 3) as usize, (last >> 3) as usize);
    let looked = bytes.get(from..=to)?.iter().enumerate();
    for (n, &byte) in looked {
        let mut sought = byte ^ none;
        if n == 0 {
            sought &= 0xff >> (first & 7);
        }
        if sought != 0 {
            let at = (from + n) as u64 * 8 + u64::from(sought.leading_zeros());
            return (at <= last).then_some(at);
        }
    }
    None
}

/// What BITOP does with its sources.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    And,
    Or,
    Xor,
    Not,
    /// What the first has and none of the others.
    Diff,
    /// What one of the others has and the first has not.
    Diff1,
    /// What the first has and one of the others.
    AndOr,
    /// What exactly one has.
    One,
}

fn bitop(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([name, dest], sources) = args.first()?;
    let ops = [
        ("and", Op::And),
        ("or", Op::Or),
        ("xor", Op::Xor),
        ("not", Op::Not),
        ("diff", Op::Diff),
        ("diff1", Op::Diff1),
        ("andor", Op::AndOr),
        ("one", Op::One),
    ];
    let known = if cx.rules.since((8, 2), NEVER) { 8 } else { 4 };
    let op = ops.iter().take(known).find(|(op, _)| is(name, op));
    let &(name, op) = op.ok_or_else(Rejection::syntax)?;
    if op == Op::Not && sources.len() != 1 {
        let text = "ERR BITOP NOT must be called with a single source key.";
        return Err(Rejection::error(text));
    }
    if matches!(op, Op::Diff | Op::Diff1 | Op::AndOr) && sources.len() < 2 {
        let name = name.to_uppercase();
        let text = format!("ERR BITOP {name} must be called with at least two source keys.");
        return Err(Rejection::error(text));
    }
    let mut len = 0;
    for source in sources.iter() {
        len = len.max(cx.string(source)?.map_or(0, Text::len));
    }
    cx.claim(2 * len as u64)?;
    let mut texts = sources.iter().map(|source| match cx.value(source) {
        Some(Value::String(text)) => text.as_bytes(),
        _ => &[],
    });
    let mut first = texts.next().unwrap_or_default().to_vec();
    first.resize(len, 0);
    let result = combine(op, first, texts);
    if result.is_empty() {
        cx.remove(dest);
    } else {
        cx.put(dest, Value::String(result.into()), None);
    }
    Ok(Reply::count(len))
}

/// The result, as long as the first, which is as long as the longest.
fn combine<'a>(op: Op, mut first: Vec<u8>, others: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let apply = |to: &mut [u8], from: &[u8], f: fn(u8, u8) -> u8| {
        for (to, from) in to.iter_mut().zip(from) {
            *to = f(*to, *from);
        }
    };
    match op {
        Op::Not => first.iter_mut().for_each(|byte| *byte = !*byte),
        Op::Or => others.for_each(|other| apply(&mut first, other, |a, b| a | b)),
        Op::Xor => others.for_each(|other| apply(&mut first, other, |a, b| a ^ b)),
        Op::And => others.for_each(|other| {
            apply(&mut first, other, |a, b| a & b);
            first.get_mut(other.len()..).unwrap_or_default().fill(0);
        }),
        Op::Diff | Op::Diff1 | Op::AndOr => {
            let mut any = vec![0; first.len()];
            others.for_each(|other| apply(&mut any, other, |a, b| a | b));
            apply(
                &mut first,
                &any,
                match op {
                    Op::Diff => |a, b| a & !b,
                    Op::Diff1 => |a, b| !a & b,
                    _ => |a, b| a & b,
                },
            );
        }
        Op::One => {
            // Those that more than one has.
            let mut more = vec![0; first.len()];
            for other in others {
                for ((one, more), other) in first.iter_mut().zip(&mut more).zip(other) {
                    *more |= *one & other;
                    *one |= other;
                }
            }
            apply(&mut first, &more, |one, more| one & !more);
        }
    }
    first
}
