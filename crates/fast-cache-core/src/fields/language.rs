//! `Accept-Language`: which languages a client likes
//! ([RFC 9110 §12.5.4](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4)).

use super::list;

/// The languages that a client likes best, in lower case and alphabetical order; `*` is one of them where it stands.
///
/// ```
/// use fast_cache_core::fields::language::preferred;
///
/// let value: [&[u8]; 1] = [b"fr;q=0.5, De, en;q=1.0"];
/// assert_eq!(preferred(value), [b"de".to_vec(), b"en".to_vec()]);
/// ```
pub fn preferred<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let ranges = ranges(values);
    let best = ranges.first().map_or(0, |range| range.weight);
    let best = ranges
        .into_iter()
        .take_while(|range| range.weight == best && best > 0);
    best.map(|range| range.language).collect()
}

/// The same text for all values that ask for the same languages in the same order of preference.
///
/// ```
/// use fast_cache_core::fields::language::normalised;
///
/// let one: [&[u8]; 1] = [b"en;q=0.50 , DE"];
/// let other: [&[u8]; 2] = [b"de", b"en; q=0.5"];
/// assert_eq!(normalised(one), normalised(other));
/// ```
pub fn normalised<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut text = Vec::with_capacity(32);
    for range in ranges(values) {
        text.extend_from_slice(&range.language);
        text.push(b'=');
        text.extend_from_slice(range.weight.to_string().as_bytes());
        text.push(b',');
    }
    text
}

struct LanguageRange {
    language: Vec<u8>,
    /// In thousandths.
    weight: u16,
}

/// The ranges, the best first, and those of the same weight by name. A weight that is none counts as 0.
fn ranges<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Vec<LanguageRange> {
    let mut ranges: Vec<LanguageRange> = list::members(values)
        .map(|member| {
            let mut parts = member.split(|byte| *byte == b';').map(list::trim);
            let language = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| {
                let (name, value) = list::name_and_argument(part);
                name.eq_ignore_ascii_case(b"q")
                    .then(|| value.and_then(weight).unwrap_or(0))
            });
            LanguageRange {
                language,
                weight: weight.unwrap_or(1000),
            }
        })
        .collect();
    ranges.sort_by(|one, other| {
        let by_weight = other.weight.cmp(&one.weight);
        by_weight.then_with(|| one.language.cmp(&other.language))
    });
    ranges.dedup_by(|one, other| (&one.language, one.weight) == (&other.language, other.weight));
    ranges
}

/// A weight in thousandths ([RFC 9110 §12.4.2](https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2)).
fn weight(value: &[u8]) -> Option<u16> {
    let (whole, fraction) = match value.split_first()? {
        (whole @ (b'0' | b'1'), []) => (whole, &[][..]),
        (whole @ (b'0' | b'1'), [b'.', fraction @ ..]) => (whole, fraction),
        _ => return None,
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = fraction.get(place).map_or(0, |digit| digit - b'0');
        thousandths = thousandths * 10 + u16::from(digit);
    }
    let weight = u16::from(whole - b'0') * 1000 + thousandths;
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::{normalised, preferred, weight};

    #[test]
    fn weights() {
        for (text, expected) in [
            ("1", Some(1000)),
            ("0", Some(0)),
            ("0.5", Some(500)),
            ("0.05", Some(50)),
            ("1.000", Some(1000)),
            ("1.", Some(1000)),
            ("1.001", None),
            ("0.0001", None),
            ("2", None),
            ("", None),
            ("-1", None),
            (".5", None),
        ] {
            assert_eq!(weight(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_is_liked_where_nothing_is_asked_for() {
        let none: [&[u8]; 0] = [];
        assert!(preferred(none).is_empty());
        assert!(normalised(none).is_empty());
        assert!(preferred([&b"de;q=0"[..]]).is_empty());
        assert_eq!(preferred([&b"de;q=x, en;q=0.1"[..]]), [b"en".to_vec()]);
    }
}
