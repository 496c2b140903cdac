//! Doubles from text, as the servers' `strtod` reads them.

use super::digits::FRACTION_BITS;

/// Reads a double as the servers read a score (`strtod`, all of the text, nothing before it).
///
/// Decimal with or without point and exponent (`1`, `+.5`, `5.`, `1E-7`), `inf` and `infinity`
/// in any case and with either sign, and hexadecimal as in C (`0x1p3`, `0x.8`), which Valkey 9.1
/// alone refuses in commands. Rounds to nearest, ties to even, at any length of text.
///
/// `None` for the empty text, a space anywhere, trailing bytes, and, as in the servers, for a
/// number that is not zero but rounds to zero, or is finite but rounds to infinity. `nan` (any
/// case, any sign) is read; a server goes on to refuse it as a score, and so must the caller.
/// C's `nan(...)` is not read.
#[must_use]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let (negative, unsigned) = match text {
        [b'-', unsigned @ ..] => (true, unsigned),
        [b'+', unsigned @ ..] => (false, unsigned),
        unsigned => (false, unsigned),
    };
    if let Some(magnitude) = parse_short(unsigned) {
        return Some(if negative { -magnitude } else { magnitude });
    }
    let magnitude = match unsigned {
        [b'0', b'x' | b'X', hex @ ..] => parse_hex_double(hex)?,
        [b'0'..=b'9' | b'.' | b'i' | b'I' | b'n' | b'N', ..] => {
            let value: f64 = std::str::from_utf8(unsigned).ok()?.parse().ok()?;
            let of_digits = unsigned
                .last()
                .is_some_and(|last| matches!(last, b'0'..=b'9' | b'.'));
            let mut significand = unsigned
                .iter()
                .take_while(|byte| !matches!(byte, b'e' | b'E'));
            let lost = match value {
                0.0 => significand.any(|byte| matches!(byte, b'1'..=b'9')),
                f64::INFINITY => of_digits,
                _ => false,
            };
            (!lost).then_some(value)?
        }
        _ => return None,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// Powers of ten that are doubles.
const POWERS: [f64; 20] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19,
];

/// Digits with at most one point, at most 19 of them, and how many stand behind the point.
#[inline]
fn parse_digits(text: &[u8]) -> Option<(u64, usize)> {
    if text.len() > 20 {
        return None;
    }
    let (mut digits, mut point, mut behind) = (0u64, false, 0usize);
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
            behind += usize::from(point);
        } else if byte == b'.' && !point {
            point = true;
        } else {
            return None;
        }
    }
    let count = text.len() - usize::from(point);
    (1..=19).contains(&count).then_some((digits, behind))
}

/// The value where both the digits and the power of ten below them are doubles: one division,
/// which rounds as it should. `None` says nothing.
#[inline]
fn parse_short(text: &[u8]) -> Option<f64> {
    if text.len() > 17 {
        return None;
    }
    let (digits, behind) = parse_digits(text)?;
    (digits <= 1 << 53).then_some(digits as f64 / POWERS.get(behind)?)
}

/// Reads a plain decimal of at most 19 digits to within four parts in 2^53, and says whether it is
/// the very double that [`parse_double`] reads. For asking which of two scores is larger, where
/// that is mostly clear. `None` says nothing.
#[inline]
#[must_use]
pub fn parse_nearly(text: &[u8]) -> Option<(f64, bool)> {
    let (negative, unsigned) = match text {
        [b'-', unsigned @ ..] => (true, unsigned),
        unsigned => (false, unsigned),
    };
    let (digits, behind) = parse_digits(unsigned)?;
    let value = digits as f64 / POWERS.get(behind)?;
    Some((if negative { -value } else { value }, digits <= 1 << 53))
}

/// What may follow `0x`: hex digits with at most one point, then `p` and a decimal exponent.
fn parse_hex_double(text: &[u8]) -> Option<f64> {
    let at = text.iter().position(|byte| matches!(byte, b'p' | b'P'));
    let (significand, power) = match at {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, b"0".as_slice()),
    };

    // The first 61 bits or more of the significand; what falls off is remembered in bit 0.
    let (mut bits, mut exponent, mut digits, mut point) = (0u64, 0i64, 0u64, false);
    for &byte in significand {
        if byte == b'.' && !point {
            point = true;
            continue;
        }
        let digit = u64::from(char::from(byte).to_digit(16)?);
        digits += 1;
        if bits >> 60 == 0 {
            bits = bits << 4 | digit;
            exponent -= if point { 4 } else { 0 };
        } else {
            bits |= u64::from(digit != 0);
            exponent += if point { 0 } else { 4 };
        }
    }
    let (falls, power) = match power {
        [b'-', power @ ..] => (true, power),
        [b'+', power @ ..] => (false, power),
        power => (false, power),
    };
    if digits == 0 || power.is_empty() {
        return None;
    }
    let mut size = 0i64;
    for byte in power {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        size = size.saturating_mul(10).saturating_add(digit);
    }
    let exponent = exponent.saturating_add(if falls { -size } else { size });
    if bits == 0 {
        return Some(0.0);
    }
    from_binary(bits, exponent)
}

/// `bits * 2^exponent` rounded to a double, `bits` not zero; `None` when that is 0 or infinite.
fn from_binary(bits: u64, exponent: i64) -> Option<f64> {
    let zeros = bits.leading_zeros();
    let bits = bits << zeros;
    let exponent = exponent.saturating_sub(i64::from(zeros));
    // In 64-bit form 2^-1022, the least normal double, has the exponent -1085. Below, fewer bits
    // of the fraction are kept; 2^-1075 and less rounds to zero.
    let below_normal = u64::try_from((-1085i64).saturating_sub(exponent)).unwrap_or(0);
    if exponent > 960 || below_normal > 53 {
        return None;
    }
    let dropped = 11 + below_normal; // 11..=64
    let (kept, rest, half) = match dropped {
        64.. => (0, bits, 1 << 63),
        _ => (
            bits >> dropped,
            bits & ((1 << dropped) - 1),
            1 << (dropped - 1),
        ),
    };
    let up = rest > half || (rest == half && kept & 1 == 1);
    let fraction = kept + u64::from(up);
    // The hidden bit adds one to the biased exponent, and a carry out of the fraction moves into
    // it by itself.
    let biased = u64::try_from(exponent + 1085).unwrap_or(0);
    let value = f64::from_bits((biased << FRACTION_BITS) + fraction);
    (value != 0.0 && value.is_finite()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::super::digits::decompose;
    use super::super::tests::{doubles, edge_doubles};
    use super::*;

    #[test]
    fn what_is_nearly_read_is_near_and_says_when_it_is_exact() {
        let mut read = 0;
        for value in doubles(7, 20_000) {
            for text in [
                format!("{value}"),
                format!("{value:.3}"),
                format!("{value:.17}"),
            ] {
                let Some((near, exact)) = parse_nearly(text.as_bytes()) else {
                    continue;
                };
                let value = parse_double(text.as_bytes()).unwrap();
                assert!(
                    (near - value).abs() <= value.abs() * 4.0 * f64::EPSILON,
                    "{text}"
                );
                assert!(!exact || near.to_bits() == value.to_bits(), "{text}");
                read += 1;
            }
        }
        assert!(read > 100, "{read}");
        for text in [
            "",
            "-",
            ".",
            "-.",
            "1e5",
            "+1",
            "nan",
            "12345678901234567890",
            "1.1.1",
        ] {
            assert_eq!(parse_nearly(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn scores_are_read_as_servers_read_them() {
        // Each given to ZADD of Redis 6.2.5, 7.0.15, 8.2.3 and Valkey 9.1.2 (hex: not to Valkey).
        #[rustfmt::skip]
        let read: &[(&str, f64)] = &[
            ("1", 1.0), ("+1", 1.0), ("-1", -1.0), (".5", 0.5), ("5.", 5.0), ("00001", 1.0),
            ("1e5", 1e5), ("1E+5", 1e5), ("1e-7", 1e-7), ("-0", -0.0), ("0e99999", 0.0),
            ("0e99999999999999999999", 0.0), ("0e-400", 0.0), ("4.9e-324", 5e-324),
            ("2.5e-324", 5e-324), ("9007199254740993", 9_007_199_254_740_992.0),
            ("inf", f64::INFINITY), ("+inf", f64::INFINITY), ("-INF", f64::NEG_INFINITY),
            ("Infinity", f64::INFINITY), ("-infinity", f64::NEG_INFINITY),
            ("0x10", 16.0), ("-0x10", -16.0), ("+0X1P-3", 0.125), ("0x1.8p+1", 3.0), ("0x.8", 0.5),
            ("0x0p2000", 0.0), ("0x1.1p-1075", 5e-324), ("0x1p-1074", 5e-324), ("-0x0", -0.0),
            ("0x1p3", 8.0), ("0x8.", 8.0), ("0xfFfF", 65535.0),
            ("0x1p-1022", f64::MIN_POSITIVE), ("0x1.fffffffffffffp1023", f64::MAX),
        ];
        for &(text, value) in read {
            let read = parse_double(text.as_bytes());
            assert_eq!(read.map(f64::to_bits), Some(value.to_bits()), "{text}");
        }
        for nan in ["nan", "NaN", "-nan", "+NAN"] {
            assert!(parse_double(nan.as_bytes()).is_some_and(f64::is_nan));
        }
        let long = format!("1{}", "0".repeat(309));
        #[rustfmt::skip]
        let refused = [
            "", ".", "-", "+", "e5", ".e5", "1e", "1e+", "1e5x", "1e5.0", "1_0", "1d5", "1f", "1,5",
            " 1", "1 ", "\t1", "1\n", "1\0", "--1", "+-1", "-+1", "infin", "in", "nanx", "na",
            "0x", "0x.", "0x1p", "0x1p+", "0x1p1.", "0xp1", "0x1.1.1", "0xg", "x1", "0x-1", "1x0",
            "0x+1", "0x1p+-1", "1e400", "-1e400", "1e-400", "2e-324", "1e99999999999999999999",
            "0x1p2000", "0x1p1024", "0x1p-2000", "0x1p-1075", "0x1p99999999999999999999",
            "0x1.fffffffffffff8p1023", "0x1p-99999999999999999999", "\u{661}", long.as_str(),
        ];
        for text in refused {
            assert_eq!(parse_double(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_double(b"1\xff"), None);
    }

    #[test]
    fn hexadecimal_doubles_are_exact_and_ties_go_to_even() {
        let positive = |value: &f64| *value > 0.0 && value.is_finite();
        for value in edge_doubles().chain(doubles(8, 50_000)).filter(positive) {
            let (fraction, exponent) = decompose(value);
            let read = |text: String| parse_double(text.as_bytes()).map(f64::to_bits);
            let finite = |bits: u64| Some(bits).filter(|bits| *bits != f64::INFINITY.to_bits());
            let (this, next) = (value.to_bits(), value.to_bits() + 1);
            let even = if fraction % 2 == 0 { this } else { next };
            for zeros in [0, 1, 40] {
                // Halves of the last bit, with digits enough that they cannot all be kept.
                let zeros = "0".repeat(zeros);
                let power = exponent - 1;
                let half = 2 * fraction + 1;
                assert_eq!(
                    read(format!("0x{:x}.{zeros}p{power}", 2 * fraction)),
                    finite(this)
                );
                assert_eq!(read(format!("0x{half:x}.{zeros}p{power}")), finite(even));
                assert_eq!(read(format!("0x{half:x}.{zeros}1p{power}")), finite(next));
                assert_eq!(
                    read(format!("0x{:x}.f{zeros}p{power}", half - 1)),
                    finite(this)
                );
            }
        }
    }
}
