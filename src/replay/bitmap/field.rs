//! BITFIELD: integers of any width at any bit of a string.

use super::{offset, with_bit};
use crate::bytes::number::parse_canonical_i64;
use crate::keyspace::Text;
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};

/// A type: its sign and its width.
#[derive(Clone, Copy)]
struct Kind {
    signed: bool,
    bits: u32,
}

#[derive(Clone, Copy)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

#[derive(Clone, Copy)]
enum Act {
    Get,
    Set(i64),
    Add(i64),
}

struct Step {
    kind: Kind,
    offset: u64,
    act: Act,
    overflow: Overflow,
}

pub(super) fn bitfield(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], words) = args.first()?;
    let (steps, last) = parse(cx, words)?;
    let Some(last) = last else {
        return read(cx, key, &steps);
    };
    let wants_reply = cx.wants_reply;
    let text = with_bit(cx, key, last)?;
    let mut replies = Vec::new();
    for step in &steps {
        let reply = step.apply(text.as_mut_bytes());
        if wants_reply {
            replies.push(reply);
        }
    }
    Ok(Reply::Array(replies))
}

pub(super) fn bitfield_ro(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], words) = args.first()?;
    let (steps, last) = parse(cx, words)?;
    if last.is_some() {
        let text = "ERR BITFIELD_RO only supports the GET subcommand";
        return Err(Rejection::error(text));
    }
    read(cx, key, &steps)
}

fn read(cx: &Context<'_>, key: &[u8], steps: &[Step]) -> Outcome {
    let bytes = cx.string(key)?.map_or(&[] as &[u8], Text::as_bytes);
    let value = |step: &Step| Reply::Int(step.kind.get(bytes, step.offset));
    Ok(Reply::Array(steps.iter().map(value).collect()))
}

/// The steps, and the last bit that one of them writes.
fn parse(cx: &Context<'_>, words: Args<'_>) -> Result<(Vec<Step>, Option<u64>), Rejection> {
    let (mut steps, mut last, mut overflow) = (Vec::new(), None, Overflow::Wrap);
    let mut at = 0;
    while let Some(&word) = words.get(at) {
        let left = words.len() - at - 1;
        if is(word, "overflow") && left >= 1 {
            let word = words.at(at + 1)?;
            overflow = if is(word, "wrap") {
                Overflow::Wrap
            } else if is(word, "sat") {
                Overflow::Saturate
            } else if is(word, "fail") {
                Overflow::Fail
            } else {
                return Err(Rejection::error("ERR Invalid OVERFLOW type specified"));
            };
            at += 2;
            continue;
        }
        let reads = is(word, "get") && left >= 2;
        let sets = is(word, "set") && left >= 3;
        if !reads && !sets && !(is(word, "incrby") && left >= 3) {
            return Err(Rejection::syntax());
        }
        let kind = Kind::parse(words.at(at + 1)?)?;
        let offset = offset(cx, words.at(at + 2)?, Some(kind.bits))?;
        at += 3;
        let act = if reads {
            Act::Get
        } else {
            let end = offset.saturating_add(u64::from(kind.bits) - 1);
            last = last.max(Some(end));
            at += 1;
            let number = integer(words.at(at - 1)?)?;
            if sets {
                Act::Set(number)
            } else {
                Act::Add(number)
            }
        };
        steps.push(Step {
            kind,
            offset,
            act,
            overflow,
        });
    }
    Ok((steps, last))
}

impl Step {
    fn apply(&self, bytes: &mut [u8]) -> Reply {
        let old = self.kind.get(bytes, self.offset);
        let (value, by, told_old) = match self.act {
            Act::Get => return Reply::Int(old),
            Act::Set(value) => (value, 0, true),
            Act::Add(by) => (old, by, false),
        };
        let new = match (self.kind.overflow(value, by), self.overflow) {
            (None, _) => value.wrapping_add(by),
            (Some(_), Overflow::Wrap) => self.kind.wrap(value.wrapping_add(by)),
            (Some(limit), Overflow::Saturate) => limit,
            (Some(_), Overflow::Fail) => return Reply::Nil,
        };
        self.kind.set(bytes, self.offset, new);
        Reply::Int(if told_old { old } else { new })
    }
}

impl Kind {
    fn parse(text: &[u8]) -> Result<Kind, Rejection> {
        let (signed, most, digits) = match text {
            [b'i', digits @ ..] => (true, 64, digits),
            [b'u', digits @ ..] => (false, 63, digits),
            _ => (false, 0, text),
        };
        parse_canonical_i64(digits)
            .filter(|bits| (1..=most).contains(bits))
            .map(|bits| Kind {
                signed,
                bits: bits as u32,
            })
            .ok_or_else(|| {
                Rejection::error(
                    "ERR Invalid bitfield type. Use something like i16 u8. \
                     Note that u64 is not supported but i64 is.",
                )
            })
    }

    /// The value at a bit; beyond the end there are zeros.
    fn get(self, bytes: &[u8], offset: u64) -> i64 {
        let first = usize::try_from(offset >> 3).unwrap_or(usize::MAX);
        let mut window = [0; 16];
        let there = bytes.get(first..).unwrap_or_default();
        for (to, byte) in window.iter_mut().zip(there.iter().take(9)) {
            *to = *byte;
        }
        let value = u128::from_be_bytes(window) << (offset & 7) >> (128 - self.bits);
        self.wrap(value as i64)
    }

    /// Puts the low bits of a value at a bit; the bytes are there.
    fn set(self, bytes: &mut [u8], offset: u64, value: i64) {
        let first = usize::try_from(offset >> 3).unwrap_or(usize::MAX);
        let down = 128 - self.bits - (offset & 7) as u32;
        let ones = (1u128 << self.bits) - 1;
        let value = ((value as u128 & ones) << down).to_be_bytes();
        let mask = (ones << down).to_be_bytes();
        let there = bytes.get_mut(first..).unwrap_or_default();
        for ((to, value), mask) in there.iter_mut().zip(value).zip(mask).take(9) {
            *to = *to & !mask | value;
        }
    }

    /// The low bits of a value, with their sign.
    fn wrap(self, value: i64) -> i64 {
        let unused = 64 - self.bits;
        if self.signed {
            value << unused >> unused
        } else {
            ((value as u64) << unused >> unused) as i64
        }
    }

    /// The end of the range at which a sum leaves it, if it does. The arithmetic is the servers',
    /// which wraps where a value that is set is far outside of the range.
    fn overflow(self, value: i64, by: i64) -> Option<i64> {
        if !self.signed {
            let most = (1u64 << self.bits) - 1;
            let value = value as u64;
            let (up, down) = (most.wrapping_sub(value) as i64, value.wrapping_neg() as i64);
            return if value > most || (by > 0 && by > up) {
                Some(most as i64)
            } else {
                (by < 0 && by < down).then_some(0)
            };
        }
        let all = self.bits == 64;
        let most = i64::MAX >> (64 - self.bits);
        let least = -most - 1;
        let (up, down) = (most.wrapping_sub(value), least.wrapping_sub(value));
        if value > most || (!all && by > up) || (value >= 0 && by > 0 && by > up) {
            return Some(most);
        }
        let under = value < least || (!all && by < down) || (value < 0 && by < 0 && by < down);
        under.then_some(least)
    }
}
