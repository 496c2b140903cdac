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
    /// A sum under the range of 64 bits goes unnoticed: so servers before Redis 7.0, by a test that
    /// the compiler removes.
    blind: bool,
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
            blind: !cx.rules.since((7, 0), (0, 0)),
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
        let over = self.kind.overflow(value, by);
        let over = over.filter(|limit| !(self.blind && self.kind.bits == 64 && *limit < 0));
        let new = match (over, self.overflow) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_at_a_bit_is_found_there_and_nothing_else_changes() {
        let mut seed = 1u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed >> 7
        };
        for _ in 0..20_000 {
            let signed = next() % 2 == 0;
            let bits = 1 + (next() % if signed { 64 } else { 63 }) as u32;
            let kind = Kind { signed, bits };
            let mut bytes: Vec<u8> = (0..24).map(|_| next() as u8).collect();
            let before = bytes.clone();
            let offset = next() % (24 * 8 - u64::from(bits));
            let value = kind.wrap((next() ^ next() << 20) as i64);
            kind.set(&mut bytes, offset, value);
            assert_eq!(kind.get(&bytes, offset), value);
            let bit = |bytes: &[u8], at: u64| bytes[(at / 8) as usize] >> (7 - at % 8) & 1;
            for at in 0..24 * 8 {
                let inside = (offset..offset + u64::from(bits)).contains(&at);
                let expected = match inside {
                    true => (value >> (offset + u64::from(bits) - 1 - at)) as u8 & 1,
                    false => bit(&before, at),
                };
                assert_eq!(bit(&bytes, at), expected);
            }
        }
    }

    #[test]
    fn a_sum_leaves_the_range_where_it_does_in_larger_integers() {
        let kinds = (1..=64).flat_map(|bits| [true, false].map(|signed| Kind { signed, bits }));
        let mut seed = 3u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed ^ seed << 31) as i64
        };
        for kind in kinds.filter(|kind| kind.signed || kind.bits < 64) {
            let (least, most) = match kind.signed {
                true => (-(1i128 << (kind.bits - 1)), (1i128 << (kind.bits - 1)) - 1),
                false => (0, (1i128 << kind.bits) - 1),
            };
            for n in 0..2000 {
                let value = kind.wrap(next() >> (n % 64));
                let by = next() >> (n % 63);
                let sum = i128::from(value) + i128::from(by);
                let expected = match sum {
                    sum if sum > most => Some(most as i64),
                    sum if sum < least => Some(least as i64),
                    _ => None,
                };
                assert_eq!(kind.overflow(value, by), expected, "{value} {by}");
            }
        }
    }
}
