//! Numbers as the C library reads and writes them for scripts.

/// Appends `%.{precision}g` of a double; `precision` is at least 1.
pub(super) fn write_g(out: &mut Vec<u8>, value: f64, precision: usize) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_nan() {
        out.extend_from_slice(b"nan");
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(b"inf");
        return;
    }
    let scientific = format!("{:.*e}", precision - 1, value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: Vec<u8> = mantissa.bytes().filter(|b| *b != b'.').collect();
    let kept = digits
        .iter()
        .rposition(|b| *b != b'0')
        .map_or(1, |at| at + 1);
    let digits = digits.get(..kept).unwrap_or(&digits);
    let zeros = |out: &mut Vec<u8>, n: usize| out.resize(out.len() + n, b'0');
    if exponent < -4 || exponent >= precision as i32 {
        point(out, digits, 1);
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        let size = exponent.unsigned_abs();
        if size < 10 {
            out.push(b'0');
        }
        out.extend_from_slice(size.to_string().as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        zeros(out, exponent.unsigned_abs() as usize - 1);
        out.extend_from_slice(digits);
    } else {
        let whole = exponent as usize + 1;
        point(out, digits, whole);
        zeros(out, whole.saturating_sub(digits.len()));
    }
}

fn point(out: &mut Vec<u8>, digits: &[u8], at: usize) {
    let (whole, fraction) = digits.split_at_checked(at).unwrap_or((digits, &[]));
    out.extend_from_slice(whole);
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

/// The text of a number as Lua writes it: `%.14g`.
pub(super) fn text(value: f64) -> Vec<u8> {
    let mut out = Vec::new();
    write_g(&mut out, value, 14);
    out
}

/// A double as a `long`, as processors convert it: what does not fit is the least.
pub(super) fn to_long(value: f64) -> i64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

/// What `strtod` reads at the start of a text, and how many bytes it took.
pub(super) fn strtod(text: &[u8]) -> Option<(f64, usize)> {
    let mut at = text.iter().take_while(|b| is_space(**b)).count();
    let negative = text.get(at) == Some(&b'-');
    if matches!(text.get(at), Some(b'-' | b'+')) {
        at += 1;
    }
    let rest = text.get(at..)?;
    let (value, taken) = word(rest)
        .or_else(|| hexadecimal(rest))
        .or_else(|| decimal(rest))?;
    Some((if negative { -value } else { value }, at + taken))
}

/// A whole text as a number, as Lua reads one: spaces around it are allowed.
pub(super) fn to_number(text: &[u8]) -> Option<f64> {
    let (value, taken) = strtod(text)?;
    let rest = text.get(taken..)?;
    rest.iter().all(|b| is_space(*b)).then_some(value)
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn word(text: &[u8]) -> Option<(f64, usize)> {
    let starts = |word: &str| {
        let start = text.get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    if starts("infinity") {
        return Some((f64::INFINITY, 8));
    }
    if starts("inf") {
        return Some((f64::INFINITY, 3));
    }
    if !starts("nan") {
        return None;
    }
    let payload = text.get(3..).unwrap_or_default();
    let taken = payload.strip_prefix(b"(").and_then(|inner| {
        let name = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_';
        let length = inner.iter().take_while(name).count();
        (inner.get(length) == Some(&b')')).then_some(length + 2)
    });
    Some((f64::NAN, 3 + taken.unwrap_or(0)))
}

fn hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    if text.first() != Some(&b'0') || !matches!(text.get(1), Some(b'x' | b'X')) {
        return None;
    }
    let (mut mantissa, mut exponent, mut at, mut seen, mut fraction) =
        (0u64, 0i64, 2, false, false);
    loop {
        match text.get(at) {
            Some(b'.') if !fraction => fraction = true,
            Some(digit) if digit.is_ascii_hexdigit() => {
                seen = true;
                let value = (*digit as char).to_digit(16).unwrap_or(0);
                if mantissa >> 59 == 0 {
                    mantissa = mantissa << 4 | u64::from(value);
                    exponent -= if fraction { 4 } else { 0 };
                } else {
                    // Beyond what a double keeps: only whether there is anything counts.
                    mantissa |= u64::from(value != 0);
                    exponent += if fraction { 0 } else { 4 };
                }
            }
            _ => break,
        }
        at += 1;
    }
    if !seen {
        return Some((0.0, 1)); // the zero before the x
    }
    if matches!(text.get(at), Some(b'p' | b'P'))
        && let Some((power, taken)) = signed(text.get(at + 1..)?)
    {
        exponent = exponent.saturating_add(power);
        at += 1 + taken;
    }
    let exponent = exponent.clamp(-5000, 5000) as i32;
    let value = (mantissa as f64) * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2);
    Some((value, at))
}

fn signed(text: &[u8]) -> Option<(i64, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = text.get(sign..)?;
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let digits = digits.get(..count)?.iter();
    let size = digits.fold(0i64, |n, b| {
        n.saturating_mul(10).saturating_add(i64::from(b - b'0'))
    });
    let negative = text.first() == Some(&b'-');
    Some((if negative { -size } else { size }, sign + count))
}

fn decimal(text: &[u8]) -> Option<(f64, usize)> {
    let count = |from: usize| {
        let digits = text.get(from..).unwrap_or_default();
        digits.iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let whole = count(0);
    let mut at = whole;
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        fraction = count(at + 1);
        if whole + fraction > 0 {
            at += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(text.get(at), Some(b'e' | b'E'))
        && let Some((_, taken)) = signed(text.get(at + 1..)?)
    {
        at += 1 + taken;
    }
    let value = std::str::from_utf8(text.get(..at)?).ok()?.parse().ok()?;
    Some((value, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn g(value: f64, precision: usize) -> String {
        let mut out = Vec::new();
        write_g(&mut out, value, precision);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_the_c_library_writes_them() {
        for (value, precision, expected) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (1.0, 14, "1"),
            (100.0, 14, "100"),
            (1e13, 14, "10000000000000"),
            (1e14, 14, "1e+14"),
            (123_456_789_012_345.0, 14, "1.2345678901234e+14"),
            (0.1, 14, "0.1"),
            (0.1, 17, "0.10000000000000001"),
            (0.0001, 14, "0.0001"),
            (0.00001, 14, "1e-05"),
            (1.5e300, 14, "1.5e+300"),
            (99_999_999_999_999.9, 14, "1e+14"),
            (3.999_999_999_999_999_9, 14, "4"),
            (std::f64::consts::PI, 3, "3.14"),
            (1234.5, 1, "1e+03"),
            (f64::INFINITY, 14, "inf"),
            (f64::NEG_INFINITY, 14, "-inf"),
        ] {
            assert_eq!(g(value, precision), expected);
        }
    }

    #[test]
    fn numbers_are_read_as_the_c_library_reads_them() {
        for (text, expected) in [
            ("1", Some((1.0, 1))),
            ("  -1.5e3x", Some((-1500.0, 8))),
            ("1e", Some((1.0, 1))),
            ("1e+", Some((1.0, 1))),
            (".5", Some((0.5, 2))),
            ("5.", Some((5.0, 2))),
            (".", None),
            ("", None),
            ("-", None),
            ("0x10", Some((16.0, 4))),
            ("0x1p4", Some((16.0, 5))),
            ("0x.8", Some((0.5, 4))),
            ("0x", Some((0.0, 1))),
            (
                "0x1fffffffffffffff",
                Some((2_305_843_009_213_693_952.0, 18)),
            ),
            ("inf", Some((f64::INFINITY, 3))),
            ("-Infinityx", Some((f64::NEG_INFINITY, 9))),
            ("1e999", Some((f64::INFINITY, 5))),
        ] {
            assert_eq!(strtod(text.as_bytes()), expected, "{text}");
        }
        assert!(strtod(b"nan(12)x").is_some_and(|(v, n)| v.is_nan() && n == 7));
        assert_eq!(to_number(b" 12 "), Some(12.0));
        assert_eq!(to_number(b"12a"), None);
        assert_eq!(to_number(b" "), None);
    }

    #[test]
    fn doubles_become_longs_as_processors_do_it() {
        assert_eq!(to_long(1.9), 1);
        assert_eq!(to_long(-1.9), -1);
        assert_eq!(to_long(f64::NAN), i64::MIN);
        assert_eq!(to_long(1e300), i64::MIN);
        assert_eq!(to_long(-9_223_372_036_854_775_808.0), i64::MIN);
    }
}
