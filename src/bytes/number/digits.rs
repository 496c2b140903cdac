//! The decimal digits of a double, by the two ways servers find them; no text yet.

/// The number `digits * 10^exponent`, where `digits` has `count` digits, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) digits: u64,
    pub(super) count: i32,
    pub(super) exponent: i32,
}

impl Decimal {
    fn new(digits: u64, exponent: i32) -> Self {
        let count = 1 + digits.checked_ilog10().unwrap_or(0).cast_signed();
        Self {
            digits,
            count,
            exponent,
        }
    }

    /// The same number in the fewest digits.
    pub(super) fn without_trailing_zeros(mut self) -> Self {
        for (zeros, unit) in [(8, 100_000_000), (4, 10_000), (2, 100), (1, 10)] {
            // Once, but for 10^16 and the like: no more than 17 digits come here.
            while self.digits.is_multiple_of(unit) && self.count > zeros {
                self.digits /= unit;
                self.count -= zeros;
                self.exponent += zeros;
            }
        }
        self
    }

    /// The exponent when one digit stands before the point.
    pub(super) fn scientific_exponent(self) -> i32 {
        self.exponent + self.count - 1
    }
}

pub(super) const FRACTION_BITS: u32 = 52;
const HIDDEN_BIT: u64 = 1 << FRACTION_BITS;

/// Takes a positive finite double apart: `value = fraction * 2^exponent`, no bit lost.
pub(super) fn decompose(value: f64) -> (u64, i32) {
    const LEAST_EXPONENT: i32 = -1074;
    let bits = value.to_bits();
    let fraction = bits & (HIDDEN_BIT - 1);
    let biased = i32::try_from((bits >> FRACTION_BITS) & 0x7ff).unwrap_or(0);
    match biased {
        0 => (fraction, LEAST_EXPONENT),
        _ => (fraction | HIDDEN_BIT, LEAST_EXPONENT + biased - 1),
    }
}

/// `floor(e * log10(2))`, for the exponents a double can have.
fn floor_log10_of_power_of_2(e: i32) -> i32 {
    (e * 315_653) >> 20
}

/// The 17 significant digits closest to a positive finite double, ties to even.
pub(super) fn round_to_17(value: f64) -> Decimal {
    round_to_17_fast(value).unwrap_or_else(|| round_to_17_slowly(value))
}

/// [`round_to_17`] with powers of ten that are known to 128 bits.
///
/// The double is scaled to an integer of 18 or 19 digits, and what is too much is rounded away.
/// `None` when 128 bits do not tell how to round: for numbers like 10^20, which scaled down are
/// still integers, and for any that come within 2^-63 below an integer, should there be one.
fn round_to_17_fast(value: f64) -> Option<Decimal> {
    const DIGITS_18: u64 = 100_000_000_000_000_000;
    const DIGITS_19: u64 = DIGITS_18 * 10;
    let (fraction, exponent) = decompose(value);
    let zeros = fraction.leading_zeros().cast_signed();
    let (fraction, exponent) = (fraction << zeros, exponent - zeros);

    let scale = 17 - floor_log10_of_power_of_2(exponent + 63); // 10^scale * value: 18 or 19 digits
    let (power, more) = PowerOfTen::at_most(scale)?;
    // scaled = factor * power, a 256-bit product of which `shift` bits are behind the point.
    let factor = u128::from(fraction) * u128::from(more);
    let (high, low) = widening_mul(factor, power.mantissa);
    let shift = u32::try_from(-(exponent + power.exponent)).ok()?;
    let shift = shift.checked_sub(u128::BITS).filter(|shift| *shift < 64)?;
    let whole = u64::try_from(high >> shift).ok()?;
    let mask = (1u128 << shift) - 1;

    // The power is too small by less than one of its units, hence the product by less than
    // `factor`: harmless unless that could carry over the point.
    if !power.exact && high & mask == mask && low.checked_add(factor).is_none() {
        return None;
    }
    let more_behind = !power.exact || high & mask != 0 || low != 0;

    let (mut digits, rest, half, dropped) = match whole {
        DIGITS_18..DIGITS_19 => (whole / 10, whole % 10, 5, 1),
        DIGITS_19.. => (whole / 100, whole % 100, 50, 2),
        _ => return None,
    };
    // With a power that is not exact there are no ties. The double halfway between two 17-digit
    // decimals is (2n + 1) / 2 * 10^k with n > 10^16: for k >= 0 its fraction does not fit 53 bits,
    // for k < -24 it is not a binary fraction; and the powers to 10^59 are exact.
    let up = rest > half || (rest == half && (more_behind || digits % 2 == 1));
    digits += u64::from(up);
    // 99..9.5 becomes 10^17, which has 18 digits, all but the first zero.
    let mut exponent = dropped - scale;
    if digits == DIGITS_18 {
        digits /= 10;
        exponent += 1;
    }
    Some(Decimal {
        digits,
        count: 17,
        exponent,
    })
}

/// [`round_to_17`] by the standard library's exact formatting, some ten times slower.
#[cold]
fn round_to_17_slowly(value: f64) -> Decimal {
    use std::io::Write as _;
    let mut text = [0u8; 32];
    let mut rest = text.as_mut_slice();
    let written = write!(rest, "{value:.16e}"); // d.dddddddddddddddde-308 is 23 bytes
    debug_assert!(written.is_ok());
    let (mut digits, mut exponent, mut negative, mut in_exponent) = (0u64, 0i32, false, false);
    for byte in text {
        match byte {
            b'e' => in_exponent = true,
            b'-' => negative = true,
            b'0'..=b'9' if in_exponent => exponent = exponent * 10 + i32::from(byte - b'0'),
            b'0'..=b'9' => digits = digits * 10 + u64::from(byte - b'0'),
            _ => {}
        }
    }
    let exponent = if negative { -exponent } else { exponent };
    Decimal {
        digits,
        count: 17,
        exponent: exponent - 16,
    }
}

/// The product of two 128-bit numbers, as its high and low half.
fn widening_mul(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a0 * b0;
    let middle = a1 * b0 + (low >> 64); // cannot overflow: (2^64 - 1)^2 + 2^64 - 1 < 2^128
    let middle_2 = a0 * b1 + (middle & LOW);
    (
        a1 * b1 + (middle >> 64) + (middle_2 >> 64),
        (middle_2 << 64) | (low & LOW),
    )
}

/// The digits the servers print for a positive finite double.
///
/// The double and the two points halfway to its neighbours are scaled by a power of ten such
/// that `high`, the upper point, has 4 to 32 bits before its binary point. Digits of `high` are
/// produced until what is left is less than the width of the interval; any such digits read back
/// as the double. All three products are rounded to 64 bits, and the interval is made one unit
/// narrower on either side to be safe: that is why the digits are not always the fewest.
pub(super) fn grisu2(value: f64) -> Decimal {
    let (fraction, exponent) = decompose(value);
    // All in units of 2^exponent, `high` filling its 64 bits.
    let high = 2 * fraction + 1;
    let shift = high.leading_zeros();
    let high = high << shift;
    let exponent = exponent - 1 - shift.cast_signed();
    let value = (2 * fraction) << shift;
    let low = match fraction {
        // The neighbour below a power of two is only half as far away.
        HIDDEN_BIT => (4 * fraction - 1) << (shift - 1),
        _ => (2 * fraction - 1) << shift,
    };

    let (power, power_exponent, scale) = PowerOfTen::for_grisu(exponent);
    let high = rounded_mul(high, power) - 1;
    let value = rounded_mul(value, power);
    let low = rounded_mul(low, power) + 1;
    let point = (-(exponent + power_exponent + 64)).unsigned_abs(); // 32..=60
    let mask = (1u64 << point) - 1;

    let mut width = high - low;
    let above = high.saturating_sub(value);
    let (whole, mut behind) = (high >> point, high & mask);
    if width > mask {
        // A double of few bits, near zero: the digits end before the binary point.
        let mut place = whole.checked_ilog10().unwrap_or(0);
        loop {
            let unit = 10u64.pow(place);
            let rest = ((whole % unit) << point) | behind;
            if rest <= width || place == 0 {
                let digits = approach(whole / unit, width, rest, unit << point, above);
                return Decimal::new(digits, place.cast_signed() - scale);
            }
            place -= 1;
        }
    }
    if behind <= width {
        // `whole` is inside the interval, and no digit can be taken off but zeros.
        return Decimal::new(whole, -scale).without_trailing_zeros();
    }
    let (mut digits, mut places, mut power) = (whole, 0, 1u64);
    // Several digits at once. Had an earlier digit been the last, that is `behind < width` there,
    // then both would have grown tenfold from there on, and the same would be seen here.
    for (more, factor) in [(8, 100_000_000u64), (4, 10_000)] {
        let product = u128::from(behind) * u128::from(factor);
        let (rest, wider) = (product as u64 & mask, width.saturating_mul(factor));
        if wider <= rest {
            digits = digits * factor + (product >> point) as u64; // less than `factor`
            (behind, width) = (rest, wider);
            power *= factor;
            places += more;
        }
    }
    loop {
        // `behind >= width` here, so that neither product overflows.
        behind *= 10;
        width *= 10;
        power = power.wrapping_mul(10);
        places += 1;
        digits = digits * 10 + (behind >> point);
        behind &= mask;
        if behind < width {
            let digits = approach(digits, width, behind, mask + 1, above.wrapping_mul(power));
            return Decimal::new(digits, -places - scale);
        }
    }
}

/// Lowers the last digit while that stays inside the interval and comes closer to the double.
///
/// `digits` stand for a number `rest` below the upper end of an interval of `width`, the double
/// for one `above` below it, and the last digit counts `unit`.
fn approach(mut digits: u64, width: u64, mut rest: u64, unit: u64, above: u64) -> u64 {
    while rest < above
        && width - rest >= unit
        && (rest + unit < above || above - rest > rest + unit - above)
    {
        digits -= 1;
        rest += unit;
    }
    digits
}

/// The high half of a product, rounded by the highest bit of the low half.
fn rounded_mul(a: u64, b: u64) -> u64 {
    high_half(u128::from(a) * u128::from(b))
}

fn high_half(wide: u128) -> u64 {
    let high = (wide >> 64) as u64;
    high + ((wide >> 63) as u64 & 1)
}

/// `10^k`, as `mantissa * 2^exponent` with the highest bit of the mantissa set.
#[derive(Clone, Copy, Debug)]
struct PowerOfTen {
    /// Rounded down.
    mantissa: u128,
    exponent: i32,
    /// No bit was lost.
    exact: bool,
}

impl PowerOfTen {
    const FIRST: i32 = -348;
    const STEP: i32 = 8;
    const COUNT: usize = 87;
    const ONE: Self = Self {
        mantissa: 1 << 127,
        exponent: -127,
        exact: true,
    };
    /// The first power in the table that is not below 1: `10^4`.
    const FIRST_ABOVE_ONE: usize = 44;

    /// The largest power at hand that is not above `10^k`, and by what to multiply it for `10^k`.
    fn at_most(k: i32) -> Option<(Self, u32)> {
        const SMALL: [u32; 8] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000];
        // 10^0 is not in the table, and the power before it is not exact.
        let first = if (0..4).contains(&k) { 0 } else { Self::FIRST };
        let from_first = usize::try_from(k - first).ok()?;
        let more = *SMALL.get(from_first % SMALL.len())?;
        let power = match first {
            0 => Self::ONE,
            _ => *POWERS_OF_TEN.get(from_first / SMALL.len())?,
        };
        Some((power, more))
    }

    /// The least power in the table whose product with a 64-bit number of `exponent` has an
    /// exponent of -60 or more: mantissa rounded to 64 bits, binary exponent, decimal exponent.
    fn for_grisu(exponent: i32) -> (u64, i32, i32) {
        let k = -floor_log10_of_power_of_2(exponent + 61); // the least that will do
        let index = (k - Self::FIRST + Self::STEP - 1) / Self::STEP;
        let at = usize::try_from(index).unwrap_or(0).min(Self::COUNT - 1);
        let power = POWERS_OF_TEN[at];
        (
            high_half(power.mantissa),
            power.exponent + 64,
            Self::FIRST + index * Self::STEP,
        )
    }
}

/// `10^-348, 10^-340 ... 10^340`.
static POWERS_OF_TEN: [PowerOfTen; PowerOfTen::COUNT] = {
    let mut table = [PowerOfTen {
        mantissa: 0,
        exponent: 0,
        exact: false,
    }; PowerOfTen::COUNT];
    let (first, step) = (5u64.pow(4), 5u64.pow(8));

    let mut wide = Wide::ONE.times(first);
    let mut at = PowerOfTen::FIRST_ABOVE_ONE;
    while at < PowerOfTen::COUNT {
        table[at] = wide.to_power(0, at);
        wide = wide.times(step);
        at += 1;
    }
    // 5^-n as 2^1023 / 5^n. The remainders may be dropped on the way: dividing by a product and
    // dividing by its factors in turn, rounding down each time, give the same.
    let mut wide = Wide::HIGHEST_BIT.divided_by(first);
    let mut at = PowerOfTen::FIRST_ABOVE_ONE;
    while at > 0 {
        at -= 1;
        table[at] = wide.to_power(Wide::BITS - 1, at);
        wide = wide.divided_by(step);
    }
    table
};

/// A 1024-bit integer, least significant limb first, for the table above. Used by the compiler
/// only: an index out of range would not compile.
#[derive(Clone, Copy)]
struct Wide([u64; Wide::LIMBS]);

impl Wide {
    const LIMBS: usize = 16;
    const BITS: i32 = 1024;
    const ONE: Self = {
        let mut limbs = [0; Self::LIMBS];
        limbs[0] = 1;
        Self(limbs)
    };
    const HIGHEST_BIT: Self = {
        let mut limbs = [0; Self::LIMBS];
        limbs[Self::LIMBS - 1] = 1 << 63;
        Self(limbs)
    };

    const fn times(mut self, factor: u64) -> Self {
        let (mut at, mut carry) = (0, 0u128);
        while at < Self::LIMBS {
            carry += self.0[at] as u128 * factor as u128;
            self.0[at] = carry as u64;
            carry >>= 64;
            at += 1;
        }
        self
    }

    const fn divided_by(mut self, divisor: u64) -> Self {
        let (mut at, mut rest) = (Self::LIMBS, 0u128);
        while at > 0 {
            at -= 1;
            rest = rest << 64 | self.0[at] as u128;
            self.0[at] = (rest / divisor as u128) as u64;
            rest %= divisor as u128;
        }
        self
    }

    /// The table's entry `at`, where `self` is `5^k * 2^scaled`, rounded down.
    const fn to_power(self, scaled: i32, at: usize) -> PowerOfTen {
        let mut top = Self::LIMBS - 1;
        while self.0[top] == 0 {
            top -= 1;
        }
        let zeros = self.0[top].leading_zeros();
        let (mut mantissa, mut taken) = (0u128, 0);
        while taken < 2 {
            mantissa <<= 64;
            if top >= taken {
                mantissa |= self.0[top - taken] as u128;
            }
            taken += 1;
        }
        mantissa <<= zeros;
        if top >= 2 && zeros > 0 {
            mantissa |= (self.0[top - 2] >> (64 - zeros)) as u128;
        }
        let bits = (top as i32 + 1) * 64 - zeros as i32;
        let k = PowerOfTen::FIRST + PowerOfTen::STEP * at as i32;
        PowerOfTen {
            mantissa,
            exponent: k - scaled + bits - 128,
            exact: scaled == 0 && bits <= 128,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{doubles, edge_doubles, power_of_2};
    use super::*;

    #[test]
    fn the_powers_of_ten_are_right_to_the_last_bit() {
        // The ends and the middle, computed with another program's big integers.
        let expect = [
            (0, 0xfa8f_d5a0_081c_0288_1732_c869_cd60_e453, -1284, false),
            (43, 0xd1b7_1758_e219_652b_d3c3_6113_404e_a4a8, -141, false),
            (44, 0x9c40_0000_0000_0000_0000_0000_0000_0000, -114, true),
            (50, 0xd5d2_38a4_abe9_8068_72a4_9045_98d6_d880, 45, true),
            (51, 0x9f4f_2726_179a_2245_01d7_6242_2c94_6590, 72, false),
            (86, 0xaf87_023b_9bf0_ee6a_eb8f_ad7c_7f86_80b4, 1002, false),
        ];
        for (at, mantissa, exponent, exact) in expect {
            let power = POWERS_OF_TEN[at];
            assert_eq!(
                (power.mantissa, power.exponent, power.exact),
                (mantissa, exponent, exact),
                "{at}"
            );
        }
        assert!(POWERS_OF_TEN.iter().all(|power| power.mantissa >> 127 == 1));
    }

    #[test]
    fn every_exponent_finds_a_power_that_puts_the_point_where_grisu_needs_it() {
        // The upper boundaries of all doubles have exponents between these.
        for exponent in -1138..=961 {
            let (_, power_exponent, k) = PowerOfTen::for_grisu(exponent);
            let product = exponent + power_exponent + 64;
            assert!((-60..=-32).contains(&product), "{exponent}: {product}");
            let at = usize::try_from((k - PowerOfTen::FIRST) / PowerOfTen::STEP).unwrap();
            let below = exponent + POWERS_OF_TEN[at - 1].exponent + 64 + 64;
            assert!(below < -60, "{exponent}: {below} would have done");
        }
    }

    #[test]
    fn the_binary_estimate_of_a_decimal_exponent_is_exact() {
        for e in -1074..=1023 {
            let text = format!("{:.20e}", power_of_2(e));
            let expect: i32 = text.split_once('e').unwrap().1.parse().unwrap();
            assert_eq!(floor_log10_of_power_of_2(e), expect, "2^{e}");
        }
    }

    #[test]
    fn seventeen_digits_agree_with_exact_arithmetic() {
        for value in edge_doubles().chain(doubles(17, 200_000)) {
            let value = value.abs();
            if value == 0.0 || !value.is_finite() {
                continue;
            }
            match round_to_17_fast(value) {
                Some(decimal) => assert_eq!(decimal, round_to_17_slowly(value), "{value:e}"),
                // Scaled, these are integers, and the power is a little too small.
                None => assert!(value > 1e17 && value % 10.0 == 0.0, "{value:e}"),
            }
        }
    }

    #[test]
    fn grisu_gives_seventeen_digits_at_most_and_the_last_is_not_zero() {
        for value in edge_doubles().chain(doubles(2, 200_000)) {
            let value = value.abs();
            if value == 0.0 || !value.is_finite() {
                continue;
            }
            let decimal = grisu2(value);
            assert!((1..=17).contains(&decimal.count), "{value:e}: {decimal:?}");
            assert_eq!(decimal.without_trailing_zeros(), decimal, "{value:e}");
        }
    }
}
