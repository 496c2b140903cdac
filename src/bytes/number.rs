//! Integers and doubles to and from text, digit for digit as the servers do it.
//!
//! The text of a number is data here: a dataset digest hashes scores as text, a listpack keeps a
//! number as an integer only when its text is canonical, and an old dump or a log holds scores as
//! text. So "a number that reads back equal" is not enough, it has to be the same bytes.
//!
//! A server prints a score in one of two styles, see [`ScoreText`]. The layouts are here, the
//! digits are found in `digits.rs`. Nothing allocates, but for an output that has to grow.

mod digits;
mod long_double;
mod strtod;

use std::ops::Deref;

pub use long_double::LongDouble;
pub use strtod::{parse_double, parse_nearly};

use digits::{Decimal, grisu2, round_to_17};

/// Length of the longest 64-bit integer as text: `-9223372036854775808`, `18446744073709551615`.
const MAX_INT_TEXT: usize = 20;

/// Length of the longest 32-bit integer as text, `-2147483648`. `rdbTryIntegerEncoding` does not
/// look at longer strings.
const MAX_INT32_TEXT: usize = 11;

/// The decimal text of a 64-bit integer, held in place.
///
/// ```
/// use redkit::bytes::number::IntText;
/// assert_eq!(&*IntText::new(-42), b"-42");
/// assert_eq!(&*IntText::unsigned(u64::MAX), b"18446744073709551615");
/// ```
#[derive(Clone, Copy)]
pub struct IntText {
    text: [u8; MAX_INT_TEXT],
    len: usize,
}

impl IntText {
    /// The text of a signed integer.
    #[inline]
    #[must_use]
    pub fn new(value: i64) -> Self {
        Self::of(itoa::Buffer::new().format(value).as_bytes())
    }

    /// The text of an unsigned integer.
    #[inline]
    #[must_use]
    pub fn unsigned(value: u64) -> Self {
        Self::of(itoa::Buffer::new().format(value).as_bytes())
    }

    #[inline]
    fn of(digits: &[u8]) -> Self {
        let mut text = [0; MAX_INT_TEXT];
        if let Some(to) = text.get_mut(..digits.len()) {
            to.copy_from_slice(digits);
        }
        Self {
            text,
            len: digits.len(),
        }
    }
}

impl Deref for IntText {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }
}

impl std::fmt::Debug for IntText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(self).unwrap_or_default())
    }
}

/// Reads an integer whose text is the one a server itself would write for it (`string2ll`).
///
/// No plus sign, no leading zero, no space, not `-0`; the whole range of `i64`. Whatever is
/// refused stays a byte string: turning `007` into 7 would lose two bytes.
#[inline]
#[must_use]
pub fn parse_canonical_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let (&first, rest) = digits.split_first()?;
    if !matches!(first, b'1'..=b'9') {
        return (first == b'0' && text.len() == 1).then_some(0);
    }
    // The last byte is looked at early: most strings that begin with a digit (dates, ids,
    // addresses) end in something else.
    if text.len() > MAX_INT_TEXT || rest.last().is_some_and(|last| !last.is_ascii_digit()) {
        return None;
    }
    // At most 20 digits: the first 19 cannot overflow a u64, the last one can.
    let mut magnitude = u64::from(first - b'0');
    for &byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Reads an integer that an RDB string may hold in its 8, 16 or 32-bit form
/// (`rdbTryIntegerEncoding`): canonical as in [`parse_canonical_i64`], at most 11 bytes, and in
/// the range of `i32`.
#[inline]
#[must_use]
pub fn parse_canonical_i32(text: &[u8]) -> Option<i32> {
    if text.len() > MAX_INT32_TEXT {
        return None;
    }
    i32::try_from(parse_canonical_i64(text)?).ok()
}

/// How a server version prints a score: in digests and in the commands of a rewritten log, always;
/// in listpacks and replies, see [`integer_score`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScoreText {
    /// Redis up to 7.0: C's `%.17g`. Correctly rounded to 17 significant digits, trailing zeros
    /// dropped; scientific below 10^-4 and from 10^17 on, the exponent at least two digits
    /// (`1e-05`).
    G17,
    /// Redis since 7.2 and every Valkey: the digits of Grisu2 (Loitsch, "Printing floating-point
    /// numbers quickly and accurately with integers", 2010), the variant without a proof that
    /// they are the fewest. About one double in a thousand gets a digit more than it needs, or
    /// not the closest digits, and has to get them here too.
    Grisu2,
}

/// Appends the text of `value`, at most 25 bytes.
///
/// Infinities are `inf` and `-inf`, every NaN is `nan`, zeros are `0` and `-0`. What is written
/// reads back as the same bits, a NaN's sign and payload excepted. The [`ScoreText::Grisu2`] text
/// of a finite double is a JSON number as it stands.
#[inline]
pub fn write_double(out: &mut Vec<u8>, value: f64, style: ScoreText) {
    if let Some(integer) = plain_integer(value, style) {
        out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
    } else {
        write_any_double(out, value, style);
    }
}

/// The integer that `value` is, if its text in `style` is all of its digits and nothing else.
#[inline]
fn plain_integer(value: f64, style: ScoreText) -> Option<i64> {
    const EXACT: u64 = 1 << 53;
    const EIGHT_ZEROS: i64 = 100_000_000;
    let integer = value as i64; // saturates; what is lost is noticed in the next line
    let exact = integer as f64 == value && integer.unsigned_abs() < EXACT;
    if !exact || (integer == 0 && value.is_sign_negative()) {
        return None;
    }
    // Grisu2 finds the digits before the trailing zeros, and the layout adds seven zeros at most.
    let scientific = style == ScoreText::Grisu2 && integer != 0 && integer % EIGHT_ZEROS == 0;
    (!scientific).then_some(integer)
}

/// [`write_double`] without its shortcut for integers.
fn write_any_double(out: &mut Vec<u8>, value: f64, style: ScoreText) {
    if value.is_nan() {
        out.extend_from_slice(b"nan");
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_infinite() {
        out.extend_from_slice(b"inf");
    } else if value == 0.0 {
        out.push(b'0');
    } else {
        match style {
            ScoreText::G17 => write_g17(out, value.abs()),
            ScoreText::Grisu2 => write_grisu2(out, value.abs()),
        }
    }
}

/// `%.17g` of a positive finite double.
fn write_g17(out: &mut Vec<u8>, value: f64) {
    let decimal = round_to_17(value).without_trailing_zeros();
    match decimal.scientific_exponent() {
        -4..17 => decimal.write_plain(out),
        _ => decimal.write_scientific(out, 2),
    }
}

/// The text that Redis since 7.2 and Valkey give a positive finite double.
fn write_grisu2(out: &mut Vec<u8>, value: f64) {
    let decimal = grisu2(value);
    let size = decimal.scientific_exponent().abs();
    let plain = if decimal.exponent >= 0 {
        size < decimal.count + 7
    } else {
        decimal.exponent > -7 || size < 4
    };
    if plain {
        decimal.write_plain(out);
    } else {
        decimal.write_scientific(out, 1);
    }
}

impl Decimal {
    fn write_plain(self, out: &mut Vec<u8>) {
        const ZEROS: &[u8] = b"00000000000000000000";
        let zeros = |n: i32| {
            let n = usize::try_from(n).unwrap_or(0);
            ZEROS.get(..n).unwrap_or(ZEROS) // the layouts ask for 17 at most
        };
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(self.digits).as_bytes();
        let point = self.count + self.exponent;
        if self.exponent >= 0 {
            out.extend_from_slice(digits);
            out.extend_from_slice(zeros(self.exponent));
        } else if point <= 0 {
            out.extend_from_slice(b"0.");
            out.extend_from_slice(zeros(-point));
            out.extend_from_slice(digits);
        } else {
            write_with_point(out, digits, usize::try_from(point).unwrap_or(0));
        }
    }

    /// `width` is the least number of digits in the exponent.
    fn write_scientific(self, out: &mut Vec<u8>, width: usize) {
        let mut buffer = itoa::Buffer::new();
        write_with_point(out, buffer.format(self.digits).as_bytes(), 1);
        let exponent = self.scientific_exponent();
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        let exponent = exponent.unsigned_abs();
        if exponent < 10 && width > 1 {
            out.push(b'0');
        }
        out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
    }
}

/// Writes `digits` with a point after the first `at` of them, or none if no digit follows.
fn write_with_point(out: &mut Vec<u8>, digits: &[u8], at: usize) {
    let (whole, fraction) = digits.split_at_checked(at).unwrap_or((digits, &[]));
    out.extend_from_slice(whole);
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

/// The integer as which servers since Redis 7.0 keep a score in a listpack (`double2ll`): that of
/// a whole number from -2^62 to 2^62, so that a negative zero loses its sign.
///
/// Any other score is kept as its text, which the listpack turns into an integer in turn if it
/// is the canonical text of one, the same or not: since Redis 7.2 2^62 + 1024 is kept as
/// 4611686018427389000. Servers since 7.2 also send whole scores to clients in this form, where
/// logs and digests have [`ScoreText::Grisu2`] text: 100000000 in a reply is `1e+8` in a log.
#[must_use]
pub fn integer_score(value: f64) -> Option<i64> {
    const LIMIT: u64 = 1 << 62;
    let integer = value as i64; // saturates; what is lost is noticed in the next line
    (integer as f64 == value && integer.unsigned_abs() <= LIMIT).then_some(integer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next number of a splitmix64 sequence.
    pub(super) fn next(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Doubles of four kinds: any bits, small integers over powers of ten, integers, any decimal.
    /// `REDKIT_FULL` in the environment asks for a hundred times as many.
    pub(super) fn doubles(mut seed: u64, count: u64) -> impl Iterator<Item = f64> {
        let full = std::env::var_os("REDKIT_FULL").is_some();
        (0..if full { count * 100 } else { count }).map(move |n| {
            let bits = next(&mut seed);
            let tens = i32::try_from(next(&mut seed) % 40).unwrap();
            match n % 4 {
                0 | 1 => f64::from_bits(bits),
                2 => (bits >> (11 + tens)) as f64,
                _ => (bits >> 32) as f64 / 10f64.powi(tens),
            }
        })
    }

    pub(super) fn power_of_2(e: i32) -> f64 {
        // In two steps: the inverse of the least doubles is infinite.
        2f64.powi(e / 2) * 2f64.powi(e - e / 2)
    }

    /// Every power of two and of ten, each with its neighbours on both sides, in both signs.
    pub(super) fn edge_doubles() -> impl Iterator<Item = f64> {
        let twos = (-1074..=1023).map(power_of_2);
        let tens = (-323..=308).map(|e| format!("1e{e}").parse().unwrap());
        let ends = [0.0, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY];
        let near = |x: f64| {
            [x.next_down(), x, x.next_up()]
                .into_iter()
                .flat_map(|x| [x, -x])
        };
        twos.chain(tens).chain(ends).flat_map(near)
    }

    fn text(value: f64, style: ScoreText) -> String {
        let mut out = b"before ".to_vec();
        write_double(&mut out, value, style);
        assert_eq!(&out[..7], b"before ");
        String::from_utf8(out.split_off(7)).unwrap()
    }

    #[test]
    fn integers_are_written_in_full_and_read_back() {
        let edges = (0..64).flat_map(|bit| [-1, 0, 1].map(|off| (1i64 << bit).wrapping_add(off)));
        let mut seed = 3;
        let random = (0..100_000).map(|_| next(&mut seed).cast_signed() >> (seed % 64));
        for n in edges.chain([0, i64::MIN, i64::MAX]).chain(random) {
            assert_eq!(*IntText::new(n), *n.to_string().into_bytes());
            assert_eq!(parse_canonical_i64(&IntText::new(n)), Some(n));
            assert_eq!(parse_canonical_i32(&IntText::new(n)), i32::try_from(n).ok());
            let unsigned = n.cast_unsigned();
            assert_eq!(
                *IntText::unsigned(unsigned),
                *unsigned.to_string().into_bytes()
            );
        }
        assert_eq!(format!("{:?}", IntText::new(-7)), "-7");
    }

    #[test]
    fn only_canonical_integers_are_integers() {
        for not in [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            "1 ",
            " 1",
            "1.0",
            "1e3",
            "0x1",
            "1-",
            "--1",
            "1a2",
            "12a",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "99999999999999999999",
            "-99999999999999999999",
            "100000000000000000000",
            "2024-01-01",
            "1\0",
        ] {
            assert_eq!(parse_canonical_i64(not.as_bytes()), None, "{not:?}");
            assert_eq!(parse_canonical_i32(not.as_bytes()), None, "{not:?}");
        }
        for not in [
            "2147483648",
            "-2147483649",
            "99999999999",
            "-9999999999",
            "100000000000",
        ] {
            assert_eq!(parse_canonical_i32(not.as_bytes()), None, "{not:?}");
        }
        // Whatever differs from an integer by one byte is that other integer, or none.
        for n in [0, 7, -7, 10, 99, -1000, i64::MAX, i64::MIN] {
            for at in 0..IntText::new(n).len() {
                for byte in 0..=255u8 {
                    let mut bytes = IntText::new(n).to_vec();
                    bytes[at] = byte;
                    let canonical = parse_canonical_i64(&bytes).map(|n| n.to_string().into_bytes());
                    let standard = str::from_utf8(&bytes)
                        .ok()
                        .and_then(|s| s.parse::<i64>().ok());
                    let expect = standard
                        .map(|n| n.to_string().into_bytes())
                        .filter(|s| *s == bytes);
                    assert_eq!(canonical, expect, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn scores_have_the_text_the_servers_give_them() {
        // What rewriting a log wrote: Redis 6.2.5 and 7.0.15; Redis 8.2.3 and Valkey 9.1.2.
        const SEEN: &[(f64, &str, &str)] = &[
            (0.1, "0.10000000000000001", "0.1"),
            (0.3, "0.29999999999999999", "0.3"),
            (0.5, "0.5", "0.5"),
            (-2.5, "-2.5", "-2.5"),
            (4.35, "4.3499999999999996", "4.35"),
            (
                0.30000000000000004,
                "0.30000000000000004",
                "0.30000000000000004",
            ),
            (1e7, "10000000", "10000000"),
            (1e8, "100000000", "1e+8"),
            (1.7e8, "170000000", "170000000"),
            (1.2e9, "1200000000", "1.2e+9"),
            (-1e8, "-100000000", "-1e+8"),
            (1e16, "10000000000000000", "1e+16"),
            (1e17, "1e+17", "1e+17"),
            (9007199254740993.0, "9007199254740992", "9007199254740992"),
            (
                123456789012345680.0,
                "1.2345678901234568e+17",
                "123456789012345680",
            ),
            (
                4611686018427387904.0,
                "4.6116860184273879e+18",
                "4611686018427388000",
            ),
            (4503599627370497.5, "4503599627370498", "4503599627370498"),
            (1e20, "1e+20", "1e+20"),
            (1e22, "1e+22", "1e+22"),
            (-1e23, "-9.9999999999999992e+22", "-99999999999999990000000"),
            (6.02214076e23, "6.0221407599999999e+23", "6.02214076e+23"),
            (0.0001, "0.0001", "0.0001"),
            (0.00012345, "0.00012344999999999999", "1.2345e-4"),
            (1e-5, "1.0000000000000001e-05", "0.00001"),
            (1.23e-5, "1.2300000000000001e-05", "1.23e-5"),
            (1e-6, "9.9999999999999995e-07", "0.000001"),
            (1e-7, "9.9999999999999995e-08", "1e-7"),
            (-1.6e-19, "-1.5999999999999999e-19", "-1.6e-19"),
            (1e100, "1e+100", "1e+100"),
            (5e-324, "4.9406564584124654e-324", "5e-324"),
            (9.4e-323, "9.3872472709836843e-323", "9.4e-323"),
            (
                f64::MIN_POSITIVE,
                "2.2250738585072014e-308",
                "2.2250738585072014e-308",
            ),
            (
                2.225073858507201e-308,
                "2.2250738585072009e-308",
                "2.225073858507201e-308",
            ),
            (
                f64::MIN,
                "-1.7976931348623157e+308",
                "-1.7976931348623157e+308",
            ),
            (
                f64::from_bits(0x4367_8856_d867_c466),
                "52990648348713776",
                "52990648348713776",
            ),
            (
                f64::from_bits(0x64db_c8d3_0aaa_af81),
                "7.0368708395477454e+177",
                "7.0368708395477454e+177",
            ),
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (f64::INFINITY, "inf", "inf"),
            (f64::NEG_INFINITY, "-inf", "-inf"),
        ];
        for &(value, g17, grisu2) in SEEN {
            assert_eq!(text(value, ScoreText::G17), g17);
            assert_eq!(text(value, ScoreText::Grisu2), grisu2);
        }
        assert_eq!(text(f64::NAN, ScoreText::G17), "nan"); // no server keeps one as a score
        assert_eq!(text(-f64::NAN, ScoreText::Grisu2), "nan");
    }

    #[test]
    fn a_double_reads_back_as_the_same_bits() {
        for value in edge_doubles()
            .chain(doubles(1, 500_000))
            .filter(|value| !value.is_nan())
        {
            for style in [ScoreText::G17, ScoreText::Grisu2] {
                let written = text(value, style);
                let read = parse_double(written.as_bytes()).unwrap_or(f64::NAN);
                assert_eq!(read.to_bits(), value.to_bits(), "{style:?} {written}");
                assert!(written.len() <= 25, "{written}");
            }
        }
    }

    #[test]
    fn the_shortcut_for_integers_changes_no_text() {
        let edges = (0..54).flat_map(|bit| [-1, 0, 1].map(|off| (1i64 << bit) + off));
        let rounds = (0..16u32).flat_map(|k| (1..200).map(move |n| n * 10i64.pow(k)));
        let mut seed = 9;
        let random = (0..200_000).map(|_| next(&mut seed).cast_signed() >> (10 + seed % 54));
        for n in edges
            .chain(rounds)
            .chain(random)
            .filter(|n| n.unsigned_abs() <= 1 << 53)
        {
            for (value, style) in [(n as f64, ScoreText::G17), (-n as f64, ScoreText::Grisu2)] {
                let mut slow = Vec::new();
                write_any_double(&mut slow, value, style);
                assert_eq!(text(value, style).as_bytes(), slow);
            }
        }
    }

    /// Whether `text` is a number of RFC 8259: no sign but minus, no needless zero in front,
    /// digits on both sides of a point.
    fn is_json_number(text: &str) -> bool {
        let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|byte| byte.is_ascii_digit());
        let text = text.strip_prefix('-').unwrap_or(text);
        let (significand, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = significand.split_once('.').unwrap_or((significand, "0"));
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let padded = whole.len() > 1 && whole.starts_with('0');
        !padded && all_digits(whole) && all_digits(fraction) && all_digits(exponent)
    }

    #[test]
    fn the_text_of_a_finite_double_is_a_json_number() {
        for not in [
            "", "-", "+1", "01", "1.", ".1", "1e", "1.e1", "inf", "0x1", "1e1.0",
        ] {
            assert!(!is_json_number(not), "{not}");
        }
        for value in edge_doubles()
            .chain(doubles(5, 200_000))
            .filter(|value| value.is_finite())
        {
            for style in [ScoreText::G17, ScoreText::Grisu2] {
                let text = text(value, style);
                assert!(is_json_number(&text), "{text}");
            }
        }
    }

    #[test]
    fn whole_scores_are_kept_as_integers_within_two_to_the_62() {
        // Seen in the DUMP of one-member zsets of Redis 7.0.15, 8.2.3 and Valkey 9.1.2.
        let limit = 1i64 << 62;
        for n in [
            0,
            3,
            -3,
            100_000_000,
            1 << 52,
            1 << 53,
            100_000_000_000_000_000,
            limit,
            -limit,
        ] {
            assert_eq!(integer_score(n as f64), Some(n));
        }
        assert_eq!(integer_score(-0.0), Some(0));
        for not in [
            0.1,
            -1.5,
            5e18,
            -9e18,
            (limit as f64).next_up(),
            f64::INFINITY,
            f64::NAN,
            5e-324,
        ] {
            assert_eq!(integer_score(not), None, "{not}");
        }
    }
}
