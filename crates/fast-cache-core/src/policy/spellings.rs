//! What a text may mean, and the one spelling under which each meaning is cached.

use super::canonical::Canonical;
use super::digits::in_ascii;
use core::net::IpAddr;
use smallvec::SmallVec;

/// More significant digits than these, and two spellings can be one floating-point number.
pub(super) const EXACT_DIGITS: usize = 15;
/// The largest power of ten that is written out.
const LARGEST_EXPONENT: usize = 40;
/// Pydantic takes larger timestamps for milliseconds.
const LARGEST_SECONDS: i64 = 20_000_000_000;

/// The other spellings under which what `text` may mean is cached: as a number, a UUID, a boolean (`1` is `true`), a
/// date (a timestamp of a whole day) or an IP address. A drop by value covers `text` and all of them.
pub fn canonical_spellings(text: &str) -> SmallVec<[String; 2]> {
    let trimmed = trimmed(text);
    let mut found: SmallVec<[String; 2]> = SmallVec::new();
    let readings = [
        number(trimmed),
        float(trimmed),
        uuid(trimmed),
        boolean(trimmed).map(str::to_owned),
        date(trimmed),
        address(trimmed),
    ];
    for reading in readings.into_iter().flatten() {
        if reading != text && !found.contains(&reading) {
            found.push(reading);
        }
    }
    found
}

/// Without the blanks around it, among them those that only Python takes for blanks.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '\x1c'..='\x1f'))
}

pub(super) fn digits_of(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

pub(super) fn number(text: &str) -> Option<String> {
    let text = &*in_ascii(text);
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<isize>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // Python and pydantic read "1_000" as a number too.
    let mut digits = whole.replace('_', "");
    let point = isize::try_from(digits.len()).ok()?.checked_add(exponent)?;
    digits.extend(fraction.chars().filter(|letter| *letter != '_'));
    if digits.is_empty()
        || exponent.unsigned_abs() > LARGEST_EXPONENT
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    if point < 0 {
        digits.insert_str(0, &"0".repeat(point.unsigned_abs()));
    }
    let point = point.max(0).unsigned_abs();
    digits.extend(std::iter::repeat_n('0', point.saturating_sub(digits.len())));
    let whole = digits[..point].trim_start_matches('0');
    let fraction = digits[point..].trim_end_matches('0');
    let sign = if negative && !(whole.is_empty() && fraction.is_empty()) {
        "-"
    } else {
        ""
    };
    let whole = if whole.is_empty() { "0" } else { whole };
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{dot}{fraction}"))
}

/// The short spelling of the floating-point number that a number of many digits is read as.
pub(super) fn float(text: &str) -> Option<String> {
    if digits_of(text) <= EXACT_DIGITS {
        return None;
    }
    let shortest = number(text)?.parse::<f64>().ok()?.to_string();
    Canonical::Number.holds(&shortest).then_some(shortest)
}

pub(super) fn uuid(text: &str) -> Option<String> {
    let inner = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let inner = inner
        .strip_prefix('{')
        .and_then(|inner| inner.strip_suffix('}'))
        .unwrap_or(inner);
    let digits: String = inner
        .chars()
        .filter(|letter| *letter != '-')
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some(format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    ))
}

pub(super) fn address(text: &str) -> Option<String> {
    text.contains([':', '.'])
        .then(|| text.parse::<IpAddr>().ok())?
        .map(|address| address.to_string())
}

/// What pydantic reads as a boolean.
fn boolean(text: &str) -> Option<&'static str> {
    let is_one_of = |words: [&str; 6]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(["1", "on", "t", "true", "y", "yes"]) {
        Some("true")
    } else if is_one_of(["0", "off", "f", "false", "n", "no"]) {
        Some("false")
    } else {
        None
    }
}

/// The date of a timestamp, in seconds or milliseconds, or of a date with a time behind it.
fn date(text: &str) -> Option<String> {
    if let Some((day, rest)) = text.split_at_checked(10)
        && Canonical::Date.holds(day)
    {
        return rest
            .starts_with(['T', 't', ' ', '_'])
            .then(|| day.to_owned());
    }
    let stamp: i64 = number(text)?.parse().ok()?;
    let unit = if stamp.abs() > LARGEST_SECONDS {
        86_400_000
    } else {
        86_400
    };
    (stamp % unit == 0)
        .then_some(stamp / unit)
        .and_then(day_since_1970)
}

/// The date so many days after 1 January 1970, in the proleptic Gregorian calendar.
fn day_since_1970(days: i64) -> Option<String> {
    // Years start in March here, so that the leap day is a year's last.
    let since_year_0 = days.checked_add(719_468)?;
    let (era, in_era) = (
        since_year_0.div_euclid(146_097),
        since_year_0.rem_euclid(146_097),
    );
    let year_in_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = from_march % 12 + if from_march < 10 { 3 } else { -9 };
    let year = era * 400 + year_in_era + i64::from(month <= 2);
    (1..=9999)
        .contains(&year)
        .then(|| format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::{Canonical, canonical_spellings};

    #[test]
    fn other_spellings_are_found() {
        let id = "123e4567-e89b-12d3-a456-426614174000";
        let cases: &[(&str, &[&str])] = &[
            ("007", &["7"]),
            ("+7", &["7"]),
            (" 7 ", &["7"]),
            ("7.0", &["7"]),
            ("1_000", &["1000"]),
            ("7", &[]),
            ("-7", &[]),
            ("seven", &[]),
            ("", &[]),
            ("-", &[]),
            (".", &[]),
            ("e5", &[]),
            ("7.5", &[]),
            ("7.50", &["7.5"]),
            (".5", &["0.5"]),
            ("-.50", &["-0.5"]),
            ("5.", &["5"]),
            ("1e3", &["1000"]),
            ("75E-1", &["7.5"]),
            ("1e-3", &["0.001"]),
            ("1e9223372036854775807", &[]),
            ("1e-9223372036854775808", &[]),
            ("0.1000000000000000055", &["0.1"]),
            ("12345678901234567890", &[]),
            ("123E4567E89B12D3A456426614174000", &[id]),
            ("urn:uuid:123e4567-e89b-12d3-a456-426614174000", &[id]),
            (id, &[]),
            ("\u{661}", &["1"]),
            ("\u{ff17}.\u{ff10}", &["7"]),
            ("\x1c7", &["7"]),
            ("1", &["true"]),
            ("01", &["1"]),
            ("YES", &["true"]),
            ("Off", &["false"]),
            ("true", &[]),
            ("0", &["false", "1970-01-01"]),
            ("-00", &["0", "1970-01-01"]),
            ("1709164800", &["2024-02-29"]),
            ("1709164800000", &["2024-02-29"]),
            ("1709164800.0", &["1709164800", "2024-02-29"]),
            ("1709164801", &[]),
            ("-86400", &["1969-12-31"]),
            ("2024-02-29T00:00:00Z", &["2024-02-29"]),
            ("2024-02-29", &[]),
            ("2024-02-299", &[]),
            ("\u{661}2024-02-29", &[]),
            ("2001:0DB8:0::1", &["2001:db8::1"]),
            ("::ffff:a00:1", &["::ffff:10.0.0.1"]),
            ("::1", &[]),
            ("10.0.0.1", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(&canonical_spellings(text)[..], *expected, "{text:?}");
        }
    }

    #[test]
    fn every_day_has_its_date() {
        let mut last = String::new();
        for day in -50_000..50_000_i64 {
            let stamp = (day * 86_400).to_string();
            let found = canonical_spellings(&stamp);
            let date = found.last().unwrap();
            assert!(Canonical::Date.holds(date), "{day} {date}");
            assert!(*date > last, "{date} after {last}");
            last.clone_from(date);
        }
    }
}
