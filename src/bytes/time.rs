//! Unix time to and from the text of RFC 3339, without a clock and without time zones.

/// Milliseconds in a day.
const DAY: i64 = 86_400_000;
/// Days from the first of January of the year 1 to that of 1970.
const EPOCH: i64 = 719_162;
/// Days before each month of a year that is no leap year.
const BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Unix time in ms of a text like `2026-11-21T04:46:03Z` or `2026-11-21 05:46:03.5+01:00`.
///
/// As in RFC 3339 the offset is required, `T` and `Z` may be small and a space may stand for `T`.
/// Digits below a millisecond are cut off. A leap second is the first second of the next minute.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let rest = text.as_bytes();
    let (year, rest) = digits(rest, 4)?;
    let (month, rest) = digits(literal(rest, b"-")?, 2)?;
    let (day, rest) = digits(literal(rest, b"-")?, 2)?;
    let (hour, rest) = digits(literal(rest, b"Tt ")?, 2)?;
    let (minute, rest) = digits(literal(rest, b":")?, 2)?;
    let (second, rest) = digits(literal(rest, b":")?, 2)?;
    let (ms, rest) = fraction(rest)?;
    let offset = offset(rest)?;
    let month_index = usize::try_from(month).ok()?.checked_sub(1)?;
    let in_month = days_in_month(year, month_index)?;
    if !(1..=in_month).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_before_year(year) + days_before_month(year, month_index)? + day - 1 - EPOCH;
    Some(days * DAY + ((hour * 60 + minute) * 60 + second) * 1000 + ms - offset * 60_000)
}

/// The text of a Unix time in ms, in UTC, with milliseconds where there are any. `None` outside
/// the years 0 to 9999, which RFC 3339 cannot write.
pub fn rfc3339(ms: i64) -> Option<String> {
    let days = ms.div_euclid(DAY) + EPOCH;
    // Off by one at the most: the average year of 400 has 146,097 / 400 days.
    let mut year = days.div_euclid(146_097) * 400 + days.rem_euclid(146_097) * 400 / 146_097 + 1;
    while days_before_year(year) > days {
        year -= 1;
    }
    while days_before_year(year + 1) <= days {
        year += 1;
    }
    if !(0..=9999).contains(&year) {
        return None;
    }
    let in_year = days - days_before_year(year);
    let month = (0..12)
        .rev()
        .find(|&m| days_before_month(year, m).is_some_and(|before| before <= in_year))?;
    let day = in_year - days_before_month(year, month)? + 1;
    let in_day = ms.rem_euclid(DAY);
    let (second, ms) = (in_day / 1000, in_day % 1000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = match ms {
        0 => String::new(),
        ms => format!(".{ms:03}"),
    };
    let month = month + 1;
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z"
    ))
}

/// A number of exactly `count` digits.
fn digits(text: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (head, rest) = text.split_at_checked(count)?;
    let mut value = 0;
    for byte in head {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some((value, rest))
}

/// One byte out of these.
fn literal<'a>(text: &'a [u8], one_of: &[u8]) -> Option<&'a [u8]> {
    let (first, rest) = text.split_first()?;
    one_of.contains(first).then_some(rest)
}

/// The milliseconds of a fraction, if one stands here; it has at least one digit.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let (head, rest) = digits.split_at_checked(count)?;
    let mut ms = 0;
    for place in 0..3 {
        ms = ms * 10 + head.get(place).map_or(0, |b| i64::from(b - b'0'));
    }
    (count > 0).then_some((ms, rest))
}

/// `Z` or `+hh:mm`, to the end of the text; in minutes east of Greenwich.
fn offset(text: &[u8]) -> Option<i64> {
    let sign = match text {
        b"Z" | b"z" => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let (hours, rest) = digits(text.get(1..)?, 2)?;
    let (minutes, rest) = digits(literal(rest, b":")?, 2)?;
    (rest.is_empty() && hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from the first of January of the year 1 to that of this one.
fn days_before_year(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
}

/// Days before a month, counted from 0, within its year.
fn days_before_month(year: i64, month: usize) -> Option<i64> {
    let leap_day = i64::from(month > 1 && is_leap(year));
    BEFORE_MONTH.get(month).map(|days| days + leap_day)
}

fn days_in_month(year: i64, month: usize) -> Option<i64> {
    let before = days_before_month(year, month)?;
    let after = match month {
        11 => 365 + i64::from(is_leap(year)),
        _ => days_before_month(year, month + 1)?,
    };
    Some(after - before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2026-11-21T05:46:03.25Z", 1_795_239_963_250),
            ("2026-11-21t05:46:03.2509z", 1_795_239_963_250),
            ("2026-11-21 06:46:03.25+01:00", 1_795_239_963_250),
            ("2026-11-20T21:16:03.25-08:30", 1_795_239_963_250),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ] {
            assert_eq!(parse_rfc3339(text), Some(ms), "{text}");
        }
        assert_eq!(
            rfc3339(1_795_239_963_250).unwrap(),
            "2026-11-21T05:46:03.250Z"
        );
        assert_eq!(rfc3339(951_825_600_000).unwrap(), "2000-02-29T12:00:00Z");
        assert_eq!(rfc3339(253_402_300_800_000), None);
        assert_eq!(rfc3339(i64::MAX), None);
        assert_eq!(rfc3339(i64::MIN), None);
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T05:46:03",
            "2026-11-21T05:46Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00Z ",
            "+026-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_of_a_moment_is_that_moment(ms in -62_167_219_200_000i64..253_402_300_800_000) {
            prop_assert_eq!(parse_rfc3339(&rfc3339(ms).unwrap()), Some(ms));
        }

        #[test]
        fn any_number_and_any_text_are_total(ms: i64, text in "[0-9TZ:+. -]{0,30}") {
            let _ = rfc3339(ms);
            let _ = parse_rfc3339(&text);
        }
    }
}
