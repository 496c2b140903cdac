//! How the words on a command line are read.

use std::ffi::OsStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::bytes::time;
use crate::command::Like;
use crate::error::{Error, Hint, Result};
use crate::record::DataType;
use crate::record::filter::{Comparison, TtlClass, parse_size};
use crate::record::target::Target;
use crate::record::types::RdbVersion;
use crate::report::json::StringStyle;
use crate::task::cut::Match;
use crate::task::place::FileOffset;

pub(super) fn threads(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=MOST_THREADS) => Ok(n),
        _ => Err(format!("expected a number from 1 to {MOST_THREADS}")),
    }
}

/// More would be a slip of the finger.
const MOST_THREADS: usize = 1024;

/// The name of a server.
pub(super) fn like(text: &str) -> std::result::Result<Like, String> {
    text.parse()
        .map_err(|_| "a server is named as in redis-7.0 or valkey-9.1.2".to_owned())
}

/// A server that a file is written for.
pub(super) fn target(text: &str) -> std::result::Result<&'static Target, String> {
    Target::from_name(text).ok_or_else(|| {
        let names: Vec<_> = Target::ALL.iter().map(|target| target.name).collect();
        format!("the servers known are {}", names.join(", "))
    })
}

/// Magic and version of a snapshot, as its first nine bytes.
pub(super) fn rdb_version(text: &str) -> std::result::Result<RdbVersion, String> {
    let version = RdbVersion::from_magic(text.as_bytes());
    version.ok_or_else(|| "expected a magic and a version as in REDIS0011 or VALKEY080".to_owned())
}

pub(super) fn size(text: &str) -> std::result::Result<u64, String> {
    parse_size(text).ok_or_else(|| "expected a size like 4096, 4KiB or 10MB".to_owned())
}

pub(super) fn comparison(text: &str) -> std::result::Result<Comparison, String> {
    Comparison::parse(text).map_err(|error| error.to_string())
}

/// A stretch of time in ms: numbers with units, as in 26h or 1d12h.
pub(super) fn duration(text: &str) -> std::result::Result<i64, String> {
    let wrong = || "expected a time like 26h, 90min, 7d or 1d12h".to_owned();
    let mut rest = text;
    let mut sum: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, behind) = rest.split_at(digits);
        let unit = behind
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let ms = match unit {
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return Err(wrong()),
        };
        let number: i64 = number.parse().map_err(|_| wrong())?;
        let part = number.checked_mul(ms);
        sum = part
            .and_then(|part| sum.checked_add(part))
            .ok_or_else(wrong)?;
        rest = behind;
    }
    match text.is_empty() {
        true => Err(wrong()),
        false => Ok(sum),
    }
}

/// A share, with or without its sign: 20%, 2.5.
pub(super) fn percent(text: &str) -> std::result::Result<f64, String> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let share: Option<f64> = digits.parse().ok().filter(|_| plain);
    let share = share.filter(|share| *share <= 100.0);
    share.ok_or_else(|| "expected a share from 0% to 100%".to_owned())
}

/// RFC 3339, or a number: seconds, or from [`FIRST_MS`] on milliseconds.
pub(super) fn moment(text: &str) -> std::result::Result<i64, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let number: Option<i64> = text.parse().ok();
        let ms = number.and_then(|n| {
            if n < FIRST_MS {
                n.checked_mul(1000)
            } else {
                Some(n)
            }
        });
        return ms.ok_or_else(|| "the number is too large for a time".to_owned());
    }
    time::parse_rfc3339(text).ok_or_else(|| {
        "expected a time like 2026-11-21T05:00:00Z, or seconds or milliseconds since 1970"
            .to_owned()
    })
}

/// The first bare number that is taken for milliseconds: 1973 as such, the year 5138 as seconds.
const FIRST_MS: i64 = 100_000_000_000;

pub(super) fn file_offset(text: &str) -> std::result::Result<FileOffset, &'static str> {
    text.parse()
}

/// `NAME` or `NAME:GLOB`.
pub(super) fn drop_match(text: &str) -> std::result::Result<Match, &'static str> {
    let (name, key) = match text.split_once(':') {
        Some((name, key)) => (name, Some(key.as_bytes().to_vec())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err("expected the name of a command, as in DEL or DEL:user:*");
    }
    let name = name.to_owned();
    Ok(Match { name, key })
}

pub(super) fn slots(text: &str) -> std::result::Result<(u16, u16), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last && last <= LAST_SLOT => Ok((first, last)),
        _ => Err("expected slots like 42 or 0-5460, at most 16383".to_owned()),
    }
}

/// Clusters have 16,384 slots.
const LAST_SLOT: u16 = 16_383;

pub(super) fn types() -> impl TypedValueParser<Value = DataType> {
    PossibleValuesParser::new(DataType::ALL.iter().map(|t| t.name())).try_map(|name| {
        let found = DataType::from_name(&name);
        found.ok_or("no such type")
    })
}

pub(super) fn ttl_classes() -> impl TypedValueParser<Value = TtlClass> {
    PossibleValuesParser::new(["none", "any", "expired", "live"])
        .try_map(|name| TtlClass::from_name(&name).ok_or("no such class"))
}

pub(super) fn strings() -> impl TypedValueParser<Value = StringStyle> {
    PossibleValuesParser::new(["auto", "base64", "hex", "escape"]).map(|name| match name.as_str() {
        "base64" => StringStyle::Base64,
        "hex" => StringStyle::Hex,
        "escape" => StringStyle::Escape,
        _ => StringStyle::Auto,
    })
}

/// The bytes of a key: text, `\xHH` for any byte, `\\` for a backslash, `\n`, `\r`, `\t`, `\"`.
///
/// # Errors
/// A backslash before anything else.
pub(super) fn key(text: &OsStr) -> Result<Vec<u8>> {
    let mut key = Vec::new();
    let mut rest = text.as_encoded_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'\\' {
            key.push(first);
            rest = after;
            continue;
        }
        let (byte, after) = escape(after).ok_or_else(|| {
            Error::usage(
                "a backslash in KEY stands before x and two hexadecimal digits, n, r, t, \" or \\",
            )
            .with_hint(Hint::Other("`\\\\` is a backslash itself"))
        })?;
        key.push(byte);
        rest = after;
    }
    Ok(key)
}

fn escape(after: &[u8]) -> Option<(u8, &[u8])> {
    let (first, rest) = after.split_first()?;
    let byte = match first {
        b'x' => {
            let (digits, rest) = rest.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok()?;
            if digits.starts_with('+') {
                return None;
            }
            return Some((u8::from_str_radix(digits, 16).ok()?, rest));
        }
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'"' | b'\\' => *first,
        _ => return None,
    };
    Some((byte, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_takes_any_byte() {
        let key = |text: &str| key(OsStr::new(text)).ok();
        assert_eq!(key("user:1000").unwrap(), b"user:1000");
        assert_eq!(key(r"\x00\xfF\\\n\r\t\x").as_deref(), None);
        assert_eq!(key(r#"\x00\xfF\\\n\r\t\""#).unwrap(), b"\x00\xff\\\n\r\t\"");
        assert_eq!(key("").unwrap(), b"");
        for bad in [r"\", r"\x", r"\x1", r"\xg0", r"\x+1", r"\q"] {
            assert_eq!(key(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_key_that_is_shown_can_be_typed() {
        for bytes in [&b"a\\b\"c\n\x00\xff"[..], "ü\u{85}€".as_bytes()] {
            let shown = crate::error::printable(bytes);
            assert_eq!(key(OsStr::new(&shown)).unwrap(), bytes, "{shown}");
        }
    }

    #[test]
    fn a_bare_number_is_seconds_or_milliseconds() {
        assert_eq!(moment("0"), Ok(0));
        assert_eq!(moment("1795239963"), Ok(1_795_239_963_000));
        assert_eq!(moment("99999999999"), Ok(99_999_999_999_000));
        assert_eq!(moment("100000000000"), Ok(100_000_000_000));
        assert_eq!(moment("2026-11-21T05:46:03Z"), Ok(1_795_239_963_000));
        for bad in ["", "now", "-1", "1e9", "99999999999999999999", "2026-11-21"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn slots_are_one_or_a_range() {
        assert_eq!(slots("42"), Ok((42, 42)));
        assert_eq!(slots("0-16383"), Ok((0, 16_383)));
        for bad in ["", "-", "5-", "-5", "7-5", "0-16384", "a-b", "1-2-3"] {
            assert!(slots(bad).is_err(), "{bad}");
        }
    }
}
