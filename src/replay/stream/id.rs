//! IDs as they are typed.

use crate::bytes::number::parse_canonical_i64;
use crate::keyspace::stream::{next_id, previous_id};
use crate::record::StreamId;
use crate::replay::args::integer;
use crate::replay::reply::{Rejection, Reply};

/// The lowest ID there is.
pub(super) const LOWEST: StreamId = StreamId { ms: 0, seq: 0 };
/// The highest.
pub(super) const HIGHEST: StreamId = StreamId {
    ms: u64::MAX,
    seq: u64::MAX,
};

/// The longest text that servers look at.
const LONGEST: usize = 127;

/// An ID of which the sequence number may be left to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it is given.
    Exactly(StreamId),
    /// The next in this millisecond.
    NextIn(u64),
}

/// Reads an ID; without sequence number it is `missing`.
///
/// # Errors
/// It is none; `-` and `+` are none.
#[inline]
pub(super) fn exact(text: &[u8], missing: u64) -> Result<StreamId, Rejection> {
    match parse(text, missing, false) {
        Some(Wanted::Exactly(id)) => Ok(id),
        _ => Err(invalid()),
    }
}

/// The same, where the sequence number may be `*`, if the server knows that.
///
/// # Errors
/// It is none.
#[inline]
pub(super) fn wanted(text: &[u8], open: bool) -> Result<Wanted, Rejection> {
    parse(text, 0, open).ok_or_else(invalid)
}

/// The same, where `-` and `+` stand for the lowest and the highest ID.
///
/// # Errors
/// It is none.
pub(super) fn loose(text: &[u8], missing: u64) -> Result<StreamId, Rejection> {
    match text {
        [b'-'] | [b'-', 0, ..] => Ok(LOWEST),
        [b'+'] | [b'+', 0, ..] => Ok(HIGHEST),
        _ => exact(text, missing),
    }
}

/// The start of a range; behind `(` the one after it.
///
/// # Errors
/// It is none, or there is none after it.
pub(super) fn range_start(text: &[u8]) -> Result<StreamId, Rejection> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => next_id(exact(rest, 0)?)
            .ok_or_else(|| Rejection::error("ERR invalid start ID for the interval")),
        _ => loose(text, 0),
    }
}

/// The end of a range; behind `(` the one before it.
///
/// # Errors
/// It is none, or there is none before it.
pub(super) fn range_end(text: &[u8]) -> Result<StreamId, Rejection> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => previous_id(exact(rest, u64::MAX)?)
            .ok_or_else(|| Rejection::error("ERR invalid end ID for the interval")),
        _ => loose(text, u64::MAX),
    }
}

/// Reads several IDs.
///
/// # Errors
/// One of them is none.
pub(super) fn all(texts: &[&[u8]]) -> Result<Vec<StreamId>, Rejection> {
    texts.iter().map(|text| exact(text, 0)).collect()
}

/// An ID as it is answered.
pub(super) fn id_reply(id: StreamId) -> Reply {
    Reply::Bulk(id.to_string().into_bytes())
}

/// Reads an integer; of what is below 0 it makes 0.
pub(super) fn natural(text: &[u8]) -> Result<u64, Rejection> {
    Ok(u64::try_from(integer(text)?).unwrap_or(0))
}

#[cold]
fn invalid() -> Rejection {
    Rejection::error("ERR Invalid stream ID specified as stream command argument")
}

fn parse(text: &[u8], missing: u64, open: bool) -> Option<Wanted> {
    if text.len() > LONGEST {
        return None;
    }
    let end = text.iter().position(|byte| *byte == 0);
    let text = text.get(..end.unwrap_or(text.len()))?;
    match text.iter().position(|byte| *byte == b'-') {
        None => Some(Wanted::Exactly(StreamId {
            ms: number(text)?,
            seq: missing,
        })),
        Some(dash) => {
            let (ms, seq) = (number(text.get(..dash)?)?, text.get(dash + 1..)?);
            if open && seq == b"*" {
                return Some(Wanted::NextIn(ms));
            }
            let seq = number(seq)?;
            Some(Wanted::Exactly(StreamId { ms, seq }))
        }
    }
}

/// An unsigned number as the servers' `string2ull` reads it: what is no canonical integer is left
/// to C's `strtoull`, which takes blanks before it, a sign and leading zeros.
#[inline]
fn number(text: &[u8]) -> Option<u64> {
    if let Some(n) = plain(text) {
        return Some(n);
    }
    if let Some(n) = parse_canonical_i64(text) {
        return u64::try_from(n).ok();
    }
    let blanks = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let text = text.get(text.iter().take_while(|byte| blanks(byte)).count()..)?;
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let mut n = 0u64;
    for digit in digits {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        n = n.checked_mul(10)?.checked_add(digit.into())?;
    }
    Some(if negative { n.wrapping_neg() } else { n })
}

/// Digits that cannot overflow, the first of them not 0, or 0 alone: what IDs are as a rule.
#[inline]
fn plain(text: &[u8]) -> Option<u64> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] if text.len() <= 19 => {
            let mut n = 0;
            for byte in text {
                let digit = byte.wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                n = n * 10 + u64::from(digit);
            }
            Some(n)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_the_servers_read_them() {
        let id = |ms, seq| Some(StreamId { ms, seq });
        for (text, expected) in [
            ("5", id(5, 7)),
            ("5-1", id(5, 1)),
            ("0-0", id(0, 0)),
            ("18446744073709551615-18446744073709551615", Some(HIGHEST)),
            ("18446744073709551616-0", None),
            ("007-+3", id(7, 3)),
            (" 5-\t1", id(5, 1)),
            ("5--1", None),
            ("5--01", id(5, u64::MAX)),
            ("-5", None),
            ("5-", None),
            ("", None),
            ("5 ", None),
            ("5-*", None),
            ("5\0x", id(5, 7)),
            ("5-1-1", None),
            ("9223372036854775808", id(1 << 63, 7)),
        ] {
            assert_eq!(exact(text.as_bytes(), 7).ok(), expected, "{text}");
        }
        assert_eq!(wanted(b"5-*", true), Ok(Wanted::NextIn(5)));
        assert!(wanted(b"5-**", true).is_err());
        assert!(exact(&[b'0'; 128], 0).is_err());
        assert_eq!(exact(&[b'0'; 127], 0), Ok(LOWEST));
        assert_eq!(range_start(b"(5-1").ok(), id(5, 2));
        assert_eq!(range_end(b"(5").ok(), id(5, u64::MAX - 1));
        assert!(range_start(b"(-").is_err());
        assert!(range_end(b"(0-0").is_err());
        assert_eq!(loose(b"+", 0), Ok(HIGHEST));
    }
}
