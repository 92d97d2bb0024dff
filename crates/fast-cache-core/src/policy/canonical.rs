//! Path parameters whose type folds several spellings into one value.

use super::digits::in_ascii;
use smallvec::SmallVec;

/// More significant digits than these, and two spellings can be one floating-point number.
const EXACT_DIGITS: usize = 15;
/// The largest power of ten that is written out.
const LARGEST_EXPONENT: usize = 40;
/// Pydantic takes larger timestamps for milliseconds.
const LARGEST_SECONDS: i64 = 20_000_000_000;

/// A path parameter whose declared type folds several spellings into one value, so that a drop by value could miss an
/// entry under another spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canonical {
    /// Decimal without sign, blanks or leading zeros (`-` is fine before a non-zero number).
    Integer,
    /// Lower-case with hyphens.
    Uuid,
    /// An integer as above, or a decimal fraction without needless zeros; no exponent, at most 15 digits.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `YYYY-MM-DD`.
    Date,
    /// Text that may also be read as a number or a UUID: canonical where it can be, else free.
    Mixed,
}

impl Canonical {
    /// Whether `text` is the one spelling that is cached.
    pub fn holds(self, text: &str) -> bool {
        let bytes = text.as_bytes();
        match self {
            Self::Integer => {
                let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
                match digits {
                    [b'0'] => digits.len() == bytes.len(),
                    [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
                    _ => false,
                }
            }
            Self::Uuid => {
                bytes.len() == 36
                    && bytes.iter().enumerate().all(|(index, byte)| match index {
                        8 | 13 | 18 | 23 => *byte == b'-',
                        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
                    })
            }
            Self::Number => {
                text.len() <= EXACT_DIGITS + "-.".len()
                    && digits_of(text) <= EXACT_DIGITS
                    && number(text).is_some_and(|canonical| canonical == text)
            }
            Self::Boolean => matches!(text, "true" | "false"),
            Self::Date => {
                let [_, _, _, _, b'-', month @ .., b'-', _, _] = bytes else {
                    return false;
                };
                bytes.len() == 10
                    && bytes
                        .iter()
                        .enumerate()
                        .all(|(index, byte)| matches!(index, 4 | 7) || byte.is_ascii_digit())
                    && (b"01".as_slice()..=b"12").contains(&month)
                    && ("01"..="31").contains(&&text[8..])
            }
            Self::Mixed => {
                let trimmed = trimmed(text);
                let readings = [number(trimmed), uuid(trimmed), float(trimmed)];
                readings.iter().flatten().all(|reading| reading == text)
            }
        }
    }
}

/// The other spellings under which what `text` may mean is cached: as a number, a UUID, a boolean (`1` is `true`) or a
/// date (a timestamp of a whole day). A drop by value covers `text` and all of them.
pub fn canonical_spellings(text: &str) -> SmallVec<[String; 2]> {
    let trimmed = trimmed(text);
    let mut found: SmallVec<[String; 2]> = SmallVec::new();
    let readings = [
        number(trimmed),
        float(trimmed),
        uuid(trimmed),
        boolean(trimmed).map(str::to_owned),
        date(trimmed),
    ];
    for reading in readings.into_iter().flatten() {
        if reading != text && !found.contains(&reading) {
            found.push(reading);
        }
    }
    found
}

/// Without the blanks around it, among them those that only Python takes for blanks.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '\x1c'..='\x1f'))
}

fn digits_of(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

fn number(text: &str) -> Option<String> {
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
fn float(text: &str) -> Option<String> {
    if digits_of(text) <= EXACT_DIGITS {
        return None;
    }
    let shortest = number(text)?.parse::<f64>().ok()?.to_string();
    Canonical::Number.holds(&shortest).then_some(shortest)
}

fn uuid(text: &str) -> Option<String> {
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
        ];
        for (text, expected) in cases {
            assert_eq!(&canonical_spellings(text)[..], *expected, "{text:?}");
        }
    }

    #[test]
    fn one_spelling_is_canonical() {
        use Canonical::{Boolean, Date, Integer, Mixed, Number, Uuid};
        let id = "123e4567-e89b-12d3-a456-426614174000";
        let cases: &[(Canonical, &[&str], &[&str])] = &[
            (
                Integer,
                &["0", "7", "-7", "12345678901234567890"],
                &["-0", "07", "+7", " 7", "", "-", "7.0", "7.5"],
            ),
            (
                Number,
                &["0", "7", "-7", "7.5", "-0.5", "123456789.12345"],
                &[
                    "-0",
                    "-0.0",
                    "07",
                    "+7",
                    " 7",
                    "",
                    "7.0",
                    "7.50",
                    ".5",
                    "5.",
                    "1e3",
                    "1_0",
                    "inf",
                    "nan",
                    "0.1000000000000000055",
                    "1234567890123456",
                ],
            ),
            (
                Uuid,
                &[id],
                &[
                    "123E4567-e89b-12d3-a456-426614174000",
                    "123e4567e89b12d3a456426614174000",
                ],
            ),
            (Boolean, &["true", "false"], &["True", "1", "yes", ""]),
            (
                Date,
                &["2024-02-29", "1999-12-31"],
                &[
                    "2024-13-01",
                    "2024-00-01",
                    "2024-01-32",
                    "2024-01-00",
                    "20240101",
                    "2024-1-01",
                    "2024-01-011",
                    "1704067200",
                    "2024-01-01T00:00:00",
                    "-024-01-01",
                    "",
                ],
            ),
            (
                Mixed,
                &[
                    "seven",
                    "7",
                    "7.5",
                    "",
                    id,
                    "12345678901234567890",
                    "true",
                    "1",
                ],
                &[
                    "07",
                    "7.0",
                    "1e3",
                    "0.1000000000000000055",
                    "123E4567E89B12D3A456426614174000",
                    " 7",
                    "7\n",
                    "\u{ff17}",
                ],
            ),
        ];
        for (kind, canonical, others) in cases {
            for (text, expected) in canonical
                .iter()
                .map(|text| (text, true))
                .chain(others.iter().map(|text| (text, false)))
            {
                assert_eq!(kind.holds(text), expected, "{kind:?} {text:?}");
            }
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
