//! Ends of ranges, as arguments say them.

use crate::bytes::number::parse_double;
use crate::keyspace::Rules;
use crate::keyspace::zset::{Bound, Lex};
use crate::replay::reply::Rejection;

/// Reads the ends of a range of scores: `1`, `(1`, `-inf`.
pub(super) fn scores(
    min: &[u8],
    max: &[u8],
    rules: &Rules,
) -> Result<(Bound<f64>, Bound<f64>), Rejection> {
    let end = |text: &[u8]| {
        let (excluded, number) = match text {
            [b'(', number @ ..] => (true, number),
            number => (false, number),
        };
        let at = score(number, rules).filter(|score| !score.is_nan())?;
        Some(Bound { at, excluded })
    };
    let ends = end(min).zip(end(max));
    ends.ok_or_else(|| Rejection::error("ERR min or max is not a float"))
}

/// A score as ranges say it: a C string, of which an empty one is 0; too large is infinite, too small
/// is zero. Before Redis 8 and Valkey 9 with space in front, and hexadecimal.
fn score(text: &[u8], rules: &Rules) -> Option<f64> {
    let end = text.iter().position(|byte| *byte == 0);
    let mut text = text.get(..end.unwrap_or(text.len()))?;
    let strict = rules.since((8, 0), (9, 0));
    if text.is_empty() {
        return Some(0.0);
    }
    if !strict {
        let space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
        let start = text.iter().position(|byte| !space(byte));
        text = text.get(start.unwrap_or(0)..)?;
    }
    if strict && super::is_hexadecimal(text) {
        return None;
    }
    if let Some(value) = parse_double(text) {
        return Some(value);
    }
    // What is left is too large or too small, or is no number.
    let last = text.last()?;
    let decimal = last.is_ascii_digit() || *last == b'.';
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    decimal.then_some(value)
}

/// Reads the ends of a range by bytes: `[a`, `(a`, `-`, `+`.
pub(super) fn members<'a>(
    min: &'a [u8],
    max: &'a [u8],
) -> Result<(Bound<Lex<'a>>, Bound<Lex<'a>>), Rejection> {
    let end = |text: &'a [u8]| {
        let (at, excluded) = match text {
            [b'-'] | [b'-', 0, ..] => (Lex::Lowest, false),
            [b'+'] | [b'+', 0, ..] => (Lex::Highest, false),
            [b'[', member @ ..] => (Lex::At(member), false),
            [b'(', member @ ..] => (Lex::At(member), true),
            _ => return None,
        };
        Some(Bound { at, excluded })
    };
    let ends = end(min).zip(end(max));
    ends.ok_or_else(|| Rejection::error("ERR min or max not valid string range item"))
}

/// The ranks that two indexes mean, which count from the end where they are negative: the first, and
/// the one behind the last; none for an empty range.
pub(super) fn ranks(start: i64, end: i64, len: usize) -> Option<(usize, usize)> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let start = if start < 0 {
        len.saturating_add(start)
    } else {
        start
    }
    .max(0);
    let end = if end < 0 {
        len.saturating_add(end)
    } else {
        end
    };
    if start > end || start >= len {
        return None;
    }
    Some((start as usize, end.min(len - 1) as usize + 1))
}
