//! Numbers as the C library reads them, and text as it cuts it.

use crate::bytes::number::parse_double;

/// What `strtol` makes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Long {
    /// The value, held at the ends of the range.
    pub(super) value: i64,
    /// Bytes that it took; 0 where there is no number.
    pub(super) len: usize,
    /// The value did not fit.
    pub(super) overflow: bool,
}

/// Reads a decimal number at the start of a text: blanks, a sign, digits.
pub(super) fn strtol(text: &[u8]) -> Long {
    let blanks = text.iter().take_while(|c| is_space(**c)).count();
    let rest = text.get(blanks..).unwrap_or_default();
    let (negative, sign) = match rest.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        _ => (false, 0),
    };
    let digits = rest.get(sign..).unwrap_or_default();
    let count = digits.iter().take_while(|c| c.is_ascii_digit()).count();
    if count == 0 {
        return Long {
            value: 0,
            len: 0,
            overflow: false,
        };
    }
    let mut value: i64 = 0;
    let mut overflow = false;
    for digit in digits.iter().take(count) {
        let digit = i64::from(digit - b'0');
        let step = if negative { -digit } else { digit };
        let next = value.checked_mul(10).and_then(|v| v.checked_add(step));
        overflow |= next.is_none();
        value = next.unwrap_or(if negative { i64::MIN } else { i64::MAX });
        if overflow {
            break;
        }
    }
    Long {
        value,
        len: blanks + sign + count,
        overflow,
    }
}

/// `atoi`, which keeps the low 32 bits of what `strtol` makes of it.
pub(super) fn atoi(text: &[u8]) -> i64 {
    let [low @ .., _, _, _, _] = strtol(text).value.to_le_bytes();
    i64::from(i32::from_le_bytes(low))
}

/// What `sscanf` makes of a number with a fraction: the longest part that is one.
pub(super) fn strtod_prefix(text: &[u8]) -> Option<f64> {
    let text = c_string(text);
    let blanks = text.iter().take_while(|c| is_space(**c)).count();
    let text = text.get(blanks..)?;
    (1..=text.len())
        .rev()
        .find_map(|len| parse_double(text.get(..len)?))
}

/// `isspace` in the C locale.
pub(super) fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t'..=b'\r')
}

/// Up to the first NUL, where a C string ends.
pub(super) fn c_string(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or(bytes)
}

/// A line of parts as it comes out of a buffer of `room` bytes, its ending NUL included.
pub(super) fn clipped(parts: &[&[u8]], room: usize) -> Vec<u8> {
    let mut line = parts.concat();
    line.truncate(room.saturating_sub(1));
    line
}

/// The size of the buffers that the tools make their lines in.
pub(super) const LINE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_c_library_reads_them() {
        for (text, value, len) in [
            ("", 0, 0),
            ("x", 0, 0),
            ("-", 0, 0),
            (" \t\r\n12\r\n", 12, 6),
            ("-7x", -7, 2),
            ("+007", 7, 4),
            ("9223372036854775807", i64::MAX, 19),
            ("9223372036854775808", i64::MAX, 19),
            ("-9223372036854775808", i64::MIN, 20),
            ("-99999999999999999999 ", i64::MIN, 21),
        ] {
            let long = strtol(text.as_bytes());
            assert_eq!((long.value, long.len), (value, len), "{text:?}");
        }
        assert!(strtol(b"9223372036854775808").overflow);
        assert!(!strtol(b"-9223372036854775808").overflow);
        assert_eq!(atoi(b"4294967297"), 1);
    }
}
