//! C's `long double` of x86, in which servers add for INCRBYFLOAT and HINCRBYFLOAT: 64 bits of
//! fraction, 15 of exponent. Text to number, number to text and the sum are each exact, rounded once.

use std::cmp::Ordering;

/// Powers of five that fit 64 bits: one more than the greatest power.
const FIVES: [u64; 28] = {
    let mut fives = [1u64; 28];
    let mut n = 1;
    while n < fives.len() {
        fives[n] = fives[n - 1] * 5;
        n += 1;
    }
    fives
};
/// The greatest power of ten that fits 64 bits.
const TEN_TO_19: u64 = 10_000_000_000_000_000_000;
/// Exponent of the last bit of the least numbers (2^-16445).
const LEAST: i64 = -16445;
/// Exponent of the last bit of the greatest numbers.
const GREATEST: i64 = 16383 - 63;
/// Servers hold the text in a buffer of so many bytes, with a zero behind it.
const TEXT: usize = 5 * 1024;

/// A number of 64 significant bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    /// Zero for zero; else its top bit is set, unless the exponent is the least.
    bits: u64,
    exponent: i64,
    infinite: bool,
}

impl LongDouble {
    /// Reads a number as servers do (`string2ld`): decimal or hexadecimal with or without point
    /// and exponent, or an infinity; all of the text, with nothing before it.
    ///
    /// `None` also for a number that is not zero but rounds to zero, or is finite but rounds to
    /// infinity, for what is not a number, and for text of 5,120 bytes or more.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= TEXT {
            return None;
        }
        let (negative, unsigned) = match text {
            [b'-', unsigned @ ..] => (true, unsigned),
            [b'+', unsigned @ ..] => (false, unsigned),
            unsigned => (false, unsigned),
        };
        let magnitude = match unsigned {
            [b'0', b'x' | b'X', hex @ ..] => parse_hex(hex)?,
            [b'i' | b'I', ..] => {
                let named = |name: &[u8]| unsigned.eq_ignore_ascii_case(name);
                (named(b"inf") || named(b"infinity")).then_some(Self::INFINITY)?
            }
            _ => parse_decimal(unsigned)?,
        };
        Some(LongDouble {
            negative,
            ..magnitude
        })
    }

    /// Whether it is not an infinity.
    #[must_use]
    pub fn is_finite(self) -> bool {
        !self.infinite
    }

    /// The sum, rounded to nearest, ties to even. `None` where it is no finite number.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.infinite || other.infinite {
            return None;
        }
        let (big, small) = match self.cmp_magnitude(other) {
            Ordering::Less => (other, self),
            _ => (self, other),
        };
        if small.bits == 0 {
            return Some(big);
        }
        let high = u128::from(big.bits) << 63;
        let apart = u32::try_from(big.exponent - small.exponent).unwrap_or(u32::MAX);
        let low = u128::from(small.bits) << 63;
        let (shifted, lost) = match low.checked_shr(apart) {
            Some(shifted) => (shifted, shifted << apart != low),
            None => (0, true),
        };
        let sum = if big.negative == small.negative {
            high + shifted
        } else {
            // What is lost of the lesser is to be taken off too.
            high - shifted - u128::from(lost)
        };
        let sum = Self::round(sum, lost, big.exponent - 63)?;
        Some(LongDouble {
            negative: big.negative,
            ..sum
        })
    }

    /// Appends its text as servers write it: 17 digits behind the point, rounded to nearest, ties to
    /// even, then without the zeros at the end; no zero has a sign.
    pub fn write(self, out: &mut Vec<u8>) {
        if self.infinite {
            out.extend_from_slice(if self.negative { b"-inf" } else { b"inf" });
            return;
        }
        if self.bits == 0 {
            out.push(b'0');
            return;
        }
        let start = out.len();
        if self.negative {
            out.push(b'-');
        }
        if self.exponent >= 0 {
            write_whole(self.bits, self.exponent, out);
            return;
        }
        let below = u32::try_from(-self.exponent).unwrap_or(u32::MAX);
        let mut whole = self.bits.checked_shr(below).unwrap_or(0);
        let fraction = match whole.checked_shl(below) {
            Some(part) => self.bits - part,
            None => self.bits,
        };
        const UNIT: u128 = 100_000_000_000_000_000;
        let scaled = u128::from(fraction) * UNIT;
        let mut digits = scaled.checked_shr(below).unwrap_or(0);
        // Less than 2^121, so that from 128 bits on it is nearer to zero than to one.
        let rest = scaled - digits.checked_shl(below).unwrap_or(0);
        let half = 1u128.checked_shl(below - 1).unwrap_or(u128::MAX);
        if rest > half || (rest == half && digits & 1 == 1) {
            digits += 1;
            if digits == UNIT {
                digits = 0;
                whole += 1;
            }
        }
        if whole == 0 && digits == 0 {
            out.truncate(start);
            out.push(b'0');
            return;
        }
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        if digits > 0 {
            // The one in front keeps the zeros that follow it.
            let mut text = itoa::Buffer::new();
            let digits = text.format(UNIT + digits).as_bytes();
            let used = digits.iter().rposition(|digit| *digit != b'0');
            out.push(b'.');
            out.extend_from_slice(digits.get(1..=used.unwrap_or(0)).unwrap_or_default());
        }
    }

    const INFINITY: Self = LongDouble {
        negative: false,
        bits: 0,
        exponent: 0,
        infinite: true,
    };

    fn cmp_magnitude(self, other: Self) -> Ordering {
        match (self.bits, other.bits) {
            (0, _) | (_, 0) => self.bits.cmp(&other.bits),
            // Lesser bits without the top one have the least exponent.
            _ => (self.exponent, self.bits).cmp(&(other.exponent, other.bits)),
        }
    }

    /// `bits * 2^exponent` and, where more is lost, a little more, rounded to nearest, ties to even.
    /// With something lost there must be 66 bits. `None` where that is infinite.
    fn round(bits: u128, lost: bool, exponent: i64) -> Option<Self> {
        if bits == 0 {
            return Some(LongDouble::from(0));
        }
        let zeros = bits.leading_zeros();
        let bits = bits << zeros | u128::from(lost);
        let exponent = exponent.saturating_sub(i64::from(zeros));
        // 64 bits are kept, less where the exponent would be too low.
        let drop = (LEAST.saturating_sub(exponent)).max(64);
        let (kept, rest, half) = match u32::try_from(drop) {
            Ok(drop @ ..128) => {
                let rest = bits & ((1 << drop) - 1);
                (bits >> drop, rest, 1u128 << (drop - 1))
            }
            Ok(128) => (0, bits, 1 << 127),
            _ => (0, 0, 1),
        };
        let up = rest > half || (rest == half && kept & 1 == 1);
        let mut kept = kept + u128::from(up);
        let mut exponent = exponent.saturating_add(drop);
        if kept >> 64 != 0 {
            kept >>= 1;
            exponent += 1;
        }
        if exponent > GREATEST {
            return None;
        }
        Some(LongDouble {
            negative: false,
            bits: kept as u64,
            exponent,
            infinite: false,
        })
    }
}

impl From<i64> for LongDouble {
    fn from(value: i64) -> Self {
        let magnitude = value.unsigned_abs();
        let zeros = magnitude.leading_zeros();
        LongDouble {
            negative: value < 0,
            bits: magnitude.checked_shl(zeros).unwrap_or(0),
            exponent: if value == 0 { 0 } else { -i64::from(zeros) },
            infinite: false,
        }
    }
}

/// A number that must not round to zero, unless it is.
fn not_lost(read: Option<LongDouble>) -> Option<LongDouble> {
    read.filter(|read| read.bits != 0)
}

/// What stands before one of these marks, and the exponent behind it.
fn split(text: &[u8], marks: [u8; 2]) -> Option<(&[u8], i64)> {
    let mark = text.iter().position(|byte| marks.contains(byte));
    let Some((digits, power)) = mark.and_then(|at| text.split_at_checked(at)) else {
        return Some((text, 0));
    };
    let (falls, power) = match power {
        [_, b'-', power @ ..] => (true, power),
        [_, b'+', power @ ..] => (false, power),
        [_, power @ ..] => (false, power),
        [] => (false, power),
    };
    if power.is_empty() {
        return None;
    }
    let mut size = 0i64;
    for byte in power {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        // Beyond this nothing but zero is left, and the sum with a count of digits is in range.
        size = (size * 10 + digit).min(1 << 40);
    }
    Some((digits, if falls { -size } else { size }))
}

/// What stands behind `0x`.
fn parse_hex(text: &[u8]) -> Option<LongDouble> {
    let (digits, power) = split(text, [b'p', b'P'])?;
    let (mut bits, mut exponent, mut lost) = (0u128, power, false);
    let (mut count, mut point) = (0u32, false);
    for &byte in digits {
        if byte == b'.' && !point {
            point = true;
            continue;
        }
        let digit = u128::from(char::from(byte).to_digit(16)?);
        count += 1;
        if bits >> 120 == 0 {
            bits = bits << 4 | digit;
            exponent -= if point { 4 } else { 0 };
        } else {
            lost |= digit != 0;
            exponent += if point { 0 } else { 4 };
        }
    }
    match (count, bits) {
        (0, _) => None,
        (_, 0) => Some(LongDouble::from(0)),
        _ => not_lost(LongDouble::round(bits, lost, exponent)),
    }
}

fn parse_decimal(text: &[u8]) -> Option<LongDouble> {
    let (digits, mut power) = split(text, [b'e', b'E'])?;
    let (mut bits, mut count, mut used, mut point) = (0u64, 0usize, 0i64, false);
    for &byte in digits {
        if byte == b'.' && !point {
            point = true;
            continue;
        }
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        count += 1;
        used += i64::from(used > 0 || digit > 0);
        power -= i64::from(point);
        bits = bits.wrapping_mul(10).wrapping_add(digit);
    }
    if count == 0 {
        return None;
    }
    if used == 0 {
        return Some(LongDouble::from(0));
    }
    // 10^4933 is beyond the greatest; half the least is more than 10^-4951.
    if used + power > 4933 || used + power <= -4951 {
        return None;
    }
    if used <= 19 {
        let five = usize::try_from(power.unsigned_abs()).ok();
        if let Some(&five) = five.and_then(|power| FIVES.get(power)) {
            let read = if power >= 0 {
                LongDouble::round(u128::from(bits) * u128::from(five), false, power)
            } else {
                // At least 2^127 by less than 2^63.
                let zeros = bits.leading_zeros();
                let (high, five) = (u128::from(bits << zeros) << 64, u128::from(five));
                let exponent = power - 64 - i64::from(zeros);
                // The power of two of ten's is taken off with it.
                LongDouble::round(high / five, high % five != 0, exponent)
            };
            return not_lost(read);
        }
    }
    let mut number = Big::default();
    let (mut group, mut unit) = (0, 1);
    for &byte in digits.iter().filter(|byte| **byte != b'.') {
        group = group * 10 + u64::from(byte - b'0');
        unit *= 10;
        if unit == TEN_TO_19 {
            number.multiply_add(unit, group);
            (group, unit) = (0, 1);
        }
    }
    number.multiply_add(unit, group);
    not_lost(match u32::try_from(power) {
        Ok(power) => {
            number.multiply_by_ten_to(power);
            number.rounded()
        }
        Err(_) => {
            let mut below = Big::default();
            below.multiply_add(0, 1);
            below.multiply_by_ten_to(u32::try_from(-power).ok()?);
            number.rounded_quotient(below)
        }
    })
}

/// `bits * 2^shift` in decimal.
fn write_whole(bits: u64, shift: i64, out: &mut Vec<u8>) {
    let shift = usize::try_from(shift).unwrap_or(0);
    if shift <= 64 {
        let whole = u128::from(bits) << shift;
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        return;
    }
    let mut whole = Big::default();
    whole.multiply_add(0, bits);
    whole.shift(shift);
    let mut groups = Vec::with_capacity(whole.0.len() + 1);
    while !whole.0.is_empty() {
        groups.push(whole.divide(TEN_TO_19));
    }
    let mut text = itoa::Buffer::new();
    for (n, group) in groups.iter().rev().enumerate() {
        let digits = text.format(*group).as_bytes();
        if n > 0 {
            out.extend(std::iter::repeat_n(b'0', 19 - digits.len()));
        }
        out.extend_from_slice(digits);
    }
}

/// A whole number of any size: 64 bits a word, the lowest first, the highest not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Big(Vec<u64>);

impl Big {
    fn multiply_add(&mut self, by: u64, add: u64) {
        let mut carry = u128::from(add);
        for word in &mut self.0 {
            let product = u128::from(*word) * u128::from(by) + carry;
            *word = product as u64;
            carry = product >> 64;
        }
        if carry > 0 {
            self.0.push(carry as u64);
        }
    }

    fn multiply_by_ten_to(&mut self, mut power: u32) {
        let twos = power as usize;
        while power > 0 {
            let step = power.min(27);
            self.multiply_add(FIVES.get(step as usize).copied().unwrap_or(1), 0);
            power -= step;
        }
        self.shift(twos);
    }

    /// To the left.
    fn shift(&mut self, by: usize) {
        // By one where no bits are left over.
        self.multiply_add(1 << (by % 64), 0);
        if !self.0.is_empty() {
            self.0.splice(0..0, std::iter::repeat_n(0, by / 64));
        }
    }

    /// Divides by a word and gives the remainder.
    fn divide(&mut self, by: u64) -> u64 {
        let mut rest = 0u128;
        for word in self.0.iter_mut().rev() {
            let part = rest << 64 | u128::from(*word);
            *word = (part / u128::from(by)) as u64;
            rest = part % u128::from(by);
        }
        self.trim();
        rest as u64
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn bits(&self) -> i64 {
        let zeros = self.0.last().map_or(0, |word| word.leading_zeros());
        self.0.len() as i64 * 64 - i64::from(zeros)
    }

    fn at_least(&self, other: &Big) -> bool {
        let by_words = self.0.iter().rev().cmp(other.0.iter().rev());
        self.0.len().cmp(&other.0.len()).then(by_words) != Ordering::Less
    }

    /// Takes off one that is not greater.
    fn subtract(&mut self, other: &Big) {
        let mut borrow = false;
        let less = other.0.iter().copied().chain(std::iter::repeat(0));
        for (word, less) in self.0.iter_mut().zip(less) {
            let (first, one) = word.overflowing_sub(less);
            let (second, two) = first.overflowing_sub(u64::from(borrow));
            (*word, borrow) = (second, one || two);
        }
        self.trim();
    }

    fn rounded(&self) -> Option<LongDouble> {
        let (low, high) = self.0.split_at(self.0.len().saturating_sub(3));
        let word = |n: usize| u128::from(high.get(n).copied().unwrap_or(0));
        match high.len() {
            3 => {
                let zeros = high.last().map_or(0, |word| word.leading_zeros());
                let top = word(2) << 64 | word(1);
                let top = (top << zeros) | (word(0) >> 1 >> (63 - zeros));
                let lost = (word(0) as u64) << zeros != 0;
                let lost = lost || low.iter().any(|word| *word != 0);
                let exponent = low.len() as i64 * 64 + 64 - i64::from(zeros);
                LongDouble::round(top, lost, exponent)
            }
            _ => LongDouble::round(word(1) << 64 | word(0), false, 0),
        }
    }

    fn rounded_quotient(mut self, mut by: Big) -> Option<LongDouble> {
        let apart = self.bits() - by.bits();
        match usize::try_from(apart) {
            Ok(apart) => by.shift(apart),
            Err(_) => self.shift(usize::try_from(-apart).ok()?),
        }
        // Both have as many bits: the quotient is over a half and under two.
        let (mut quotient, steps) = (0u128, 68);
        for _ in 0..steps {
            quotient <<= 1;
            if self.at_least(&by) {
                self.subtract(&by);
                quotient |= 1;
            }
            self.shift(1);
        }
        LongDouble::round(quotient, !self.0.is_empty(), apart - (steps - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{doubles, next};
    use super::*;

    fn text(number: LongDouble) -> String {
        let mut out = Vec::new();
        number.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn added(one: &str, other: &str) -> Option<String> {
        let read = |text: &str| LongDouble::parse(text.as_bytes());
        read(one)?.checked_add(read(other)?).map(text)
    }

    #[test]
    fn sums_are_those_of_servers() {
        // Each by INCRBYFLOAT of Redis 6.2.5, 7.0.15, 8.2.3 and Valkey 8.1.8, 9.1.2.
        #[rustfmt::skip]
        let sums = [
            ("10.5", "0.1", "10.6"), ("0.1", "0.2", "0.3"), ("5.0e3", "200", "5200"),
            ("-0", "-0", "0"), ("-1e-30", "0", "0"), ("0x1p3", "0x.8", "8.5"),
            ("3.6e-4951", "0", "0"), ("-5.1e-18", "0", "-0.00000000000000001"),
            ("5e-18", "0", "0"), ("4.9e-18", "0", "0"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("18446744073709551615", "0.5", "18446744073709551616"),
            ("18446744073709551614", "0.5", "18446744073709551614"),
            ("1e19", "0.3", "10000000000000000000"), ("1e30", "1", "1000000000000000000024696061952"),
            ("0.99999999999999999999", "0", "1"), ("1", "-0.00000000000000000001", "1"),
            ("3.00000000000000000", "1.2", "4.2"), ("1234567890123456789.5", "0", "1234567890123456789.5"),
            ("36893488147419103233", "0", "36893488147419103232"),
            ("36893488147419103235", "0", "36893488147419103236"), ("1.", "-.5", "0.5"),
        ];
        for (one, other, sum) in sums {
            assert_eq!(added(one, other).as_deref(), Some(sum), "{one} + {other}");
            assert_eq!(added(other, one).as_deref(), Some(sum), "{other} + {one}");
        }
        let great = added("1e4931", "5e4931").unwrap();
        assert_eq!(great.len(), 4932);
        assert!(great.starts_with("600000000000000000003611369632778334794302664552719868864271"));
        for (one, other) in [("inf", "1"), ("-inf", "inf"), ("1e4932", "1e4932")] {
            assert_eq!(added(one, other), None);
        }
    }

    #[test]
    fn what_is_no_number_or_is_lost_is_refused() {
        let long = "1".repeat(5120);
        #[rustfmt::skip]
        let refused = [
            "", "-", "+", ".", "-.", "e5", "1e", "1e+", "1ex", "1.1.1", "1_0", " 1", "1 ", "--1", "1\0",
            "nan", "-nan", "nan(1)", "in", "infinit", "inf ", "0x", "0x.", "0xp1", "0x1p", "0x1p-", "0xg",
            "0x1p1.", "1e4932000", "1.2e4932", "1e-4952", "1.8e-4951", "0x1p-16446", "0x1p16384",
            "1e99999999999999999999", "1e-99999999999999999999", &long,
            "0x.ffffffffffffffff8p16384",
        ];
        for text in refused {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        #[rustfmt::skip]
        let read = [
            "1.", ".5", "+5", "0e9999999", "0e-99999999999999999999", "0x0p99999999999999999999", "1.9e-4951",
            "0x1p-16445", "1.18e4932", "0x.ffffffffffffffff7fp16384", "0X1P+3", "00012", &long[1..300],
        ];
        for text in read {
            assert!(LongDouble::parse(text.as_bytes()).is_some_and(LongDouble::is_finite));
        }
        for text in ["inf", "-INF", "+Infinity"] {
            assert!(LongDouble::parse(text.as_bytes()).is_some_and(|read| !read.is_finite()));
        }
    }

    #[test]
    fn whole_numbers_are_exact_and_all_ways_of_reading_agree() {
        let mut seed = 5;
        for n in 0..20_000u32 {
            let value = next(&mut seed).cast_signed() >> (n % 64);
            let of = |text: String| LongDouble::parse(text.as_bytes()).unwrap();
            let number = LongDouble::from(value);
            assert_eq!(text(number), value.to_string());
            assert_eq!(of(value.to_string()), number);
            assert_eq!(of(format!("{value}.{}", "0".repeat(40))), number);
            assert_eq!(of(format!("{value}{}e-30", "0".repeat(30))), number);
            let tenth = of(format!("{value}e-1"));
            assert_eq!(of(format!("{value}{}e-31", "0".repeat(30))), tenth);
            let great = format!("{value}{}", "0".repeat(60));
            assert_eq!(of(great), of(format!("{value}e60")));
            let hex = value.unsigned_abs();
            let (high, low) = (hex >> 13, hex & 0x1fff);
            assert_eq!(
                of(format!("0x{high:x}.{:04x}p13", low << 3)).bits,
                number.bits
            );
        }
    }

    #[test]
    fn doubles_are_read_exactly_and_sums_of_near_ones_are_exact() {
        for value in doubles(11, 3_000).filter(|value| value.is_finite()) {
            let plain = LongDouble::parse(format!("{value:?}").as_bytes());
            let digits = LongDouble::parse(format!("{value:.1100}").as_bytes()).unwrap();
            // 53 bits of the one are those of the other, but for what the shorter text leaves off.
            let zero = value == 0.0;
            assert!(zero || digits.bits.trailing_zeros() >= 11, "{value:?}");
            assert!(zero || plain.is_some());
            let minus = LongDouble::parse(format!("{:.1100}", -value).as_bytes()).unwrap();
            assert_eq!(digits.checked_add(minus).map(text).as_deref(), Some("0"));
            let twice = digits.checked_add(digits).unwrap();
            assert_eq!(
                (twice.bits, twice.exponent),
                (digits.bits, digits.exponent + i64::from(!zero))
            );
        }
    }
}
