//! Digits of other scripts, which Python's `Decimal` reads as it reads ASCII's.

use std::borrow::Cow;

/// The zeros of all runs of decimal digits (Unicode's category `Nd`) but ASCII's, in order. Nine more follow each.
const ZEROS: [char; 76] = [
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{a66}',
    '\u{ae6}',
    '\u{b66}',
    '\u{be6}',
    '\u{c66}',
    '\u{ce6}',
    '\u{d66}',
    '\u{de6}',
    '\u{e50}',
    '\u{ed0}',
    '\u{f20}',
    '\u{1040}',
    '\u{1090}',
    '\u{17e0}',
    '\u{1810}',
    '\u{1946}',
    '\u{19d0}',
    '\u{1a80}',
    '\u{1a90}',
    '\u{1b50}',
    '\u{1bb0}',
    '\u{1c40}',
    '\u{1c50}',
    '\u{a620}',
    '\u{a8d0}',
    '\u{a900}',
    '\u{a9d0}',
    '\u{a9f0}',
    '\u{aa50}',
    '\u{abf0}',
    '\u{ff10}',
    '\u{104a0}',
    '\u{10d30}',
    '\u{10d40}',
    '\u{11066}',
    '\u{110f0}',
    '\u{11136}',
    '\u{111d0}',
    '\u{112f0}',
    '\u{11450}',
    '\u{114d0}',
    '\u{11650}',
    '\u{116c0}',
    '\u{116d0}',
    '\u{116da}',
    '\u{11730}',
    '\u{118e0}',
    '\u{11950}',
    '\u{11bf0}',
    '\u{11c50}',
    '\u{11d50}',
    '\u{11da0}',
    '\u{11de0}',
    '\u{11f50}',
    '\u{16130}',
    '\u{16a60}',
    '\u{16ac0}',
    '\u{16b50}',
    '\u{16d70}',
    '\u{1ccf0}',
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7e2}',
    '\u{1d7ec}',
    '\u{1d7f6}',
    '\u{1e140}',
    '\u{1e2f0}',
    '\u{1e4f0}',
    '\u{1e5f1}',
    '\u{1e950}',
    '\u{1fbf0}',
];

/// `text` with every decimal digit of another script as one of ASCII.
pub(super) fn in_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let letters = text.chars();
    Cow::Owned(
        letters
            .map(|letter| digit(letter).unwrap_or(letter))
            .collect(),
    )
}

fn digit(letter: char) -> Option<char> {
    let run = ZEROS
        .partition_point(|zero| *zero <= letter)
        .checked_sub(1)?;
    let value = u32::from(letter) - u32::from(*ZEROS.get(run)?);
    char::from_digit(value, 10)
}

#[cfg(test)]
mod tests {
    use super::{ZEROS, in_ascii};

    #[test]
    fn digits_of_other_scripts_are_read() {
        assert!(ZEROS.is_sorted());
        assert_eq!(in_ascii("12"), "12");
        assert_eq!(in_ascii("-\u{667}.\u{ff15}"), "-7.5");
        assert_eq!(in_ascii("\u{1d7ff}\u{1d7ce}"), "90");
        assert_eq!(
            in_ascii("\u{e9}\u{bd}\u{2167}\u{ff1a}"),
            "\u{e9}\u{bd}\u{2167}\u{ff1a}"
        );
    }
}
