//! Path parameters whose type folds several spellings into one value.

use super::spellings::{EXACT_DIGITS, address, digits_of, float, number, trimmed, uuid};

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
    /// An IP address, as short as it can be.
    Address,
    /// Text that may also be read as a number, a UUID or an IP address: canonical where it can be, else free.
    Mixed,
    /// Spelled in so many ways that none is cached.
    Never,
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
                let readings = [
                    number(trimmed),
                    uuid(trimmed),
                    float(trimmed),
                    address(trimmed),
                ];
                readings.iter().flatten().all(|reading| reading == text)
            }
            Self::Address => address(text).is_some_and(|canonical| canonical == text),
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Canonical;

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
                    "0::1",
                ],
            ),
        ];
        check(cases);
    }

    #[test]
    fn addresses_are_short_and_some_types_have_no_spelling() {
        use Canonical::{Address, Never};
        check(&[
            (
                Address,
                &["10.0.0.1", "::1", "2001:db8::1", "::ffff:10.0.0.1"],
                &[
                    "010.0.0.1",
                    "0:0:0:0:0:0:0:1",
                    "2001:DB8::1",
                    "2001:0db8::1",
                    "::ffff:a00:1",
                    "fe80::1%eth0",
                    "10.0.0.1/8",
                    " ::1",
                    "host",
                    "",
                ],
            ),
            (Never, &[], &["10:00:00", "P1D", "1kB", ""]),
        ]);
    }

    fn check(cases: &[(Canonical, &[&str], &[&str])]) {
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
}
