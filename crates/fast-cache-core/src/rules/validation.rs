//! How the application is asked to confirm what is stored
//! ([RFC 9111 §4.3.1](https://www.rfc-editor.org/rfc/rfc9111#section-4.3.1)).

use crate::fields::validators::EntityTag;
use crate::fields::{Line, values};
use crate::stored::{Stored, StoredTag};

/// The header lines that ask whether a stored response is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validators<'a> {
    /// The value of `If-None-Match`.
    pub etag: Option<&'a [u8]>,
    /// The value of `If-Modified-Since`.
    pub last_modified: Option<&'a [u8]>,
}

impl<'a> Validators<'a> {
    /// The validators of a stored response with these lines, as the application gave them. A tag that was made from the
    /// body is none: the application does not know it, and would not look at the date beside it.
    pub fn of<R>(stored: &'a Stored<R>, lines: &[Line<'a>]) -> Self {
        let etag = match &stored.etag {
            StoredTag::Given(tag) => Some(&**tag),
            StoredTag::Generated(_) | StoredTag::None => None,
        };
        let date = lines.iter().find(|line| line.is("last-modified"));
        let is_there = |value: &&[u8]| !value.is_empty();
        Self {
            etag: etag.filter(is_there),
            last_modified: date.map(|line| line.value.trim_ascii()).filter(is_there),
        }
    }

    /// The lines to add to the request, once those that are [`replaced`] are gone.
    pub fn lines(self) -> impl Iterator<Item = Line<'a>> {
        let etag = self.etag.map(|tag| Line::new(b"if-none-match", tag));
        let date = self
            .last_modified
            .map(|date| Line::new(b"if-modified-since", date));
        etag.into_iter().chain(date)
    }
}

/// Whether a request's line of this name is left out when the application is asked for the sake of what is stored: it
/// would answer the client's own condition, or a part of the body, instead.
pub fn replaced(name: &[u8]) -> bool {
    ["if-none-match", "if-modified-since", "if-range", "range"]
        .iter()
        .any(|known| Line::new(name, b"").is(known))
}

/// Whether a confirmation with the lines `update` speaks of another response than the stored one with the tag `stored`:
/// it names a tag, and not that one, weakness apart
/// ([RFC 9111 §4.3.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4)).
pub fn confirms_another(stored: &StoredTag, update: &[Line<'_>]) -> bool {
    let StoredTag::Given(stored) = stored else {
        return false;
    };
    let named = values(update, "etag").next().and_then(EntityTag::parse);
    let known = EntityTag::parse(stored);
    named.is_some_and(|named| known.is_none_or(|known| !named.weak_eq(known)))
}

/// What a response to `HEAD` tells of the stored response to `GET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// It is still good: they have a validator in common, and nothing in them differs.
    Confirmed,
    /// Nothing: without a validator, a body of the same length may be another.
    Nothing,
    /// It is good no longer: a validator or the length differs.
    Outdated,
}

/// What a response to `HEAD` with the lines `head` tells of the stored response with the lines `stored`
/// ([RFC 9111 §4.3.5](https://www.rfc-editor.org/rfc/rfc9111#section-4.3.5)).
pub fn agreement(stored: &[Line<'_>], body_length: u64, head: &[Line<'_>]) -> Agreement {
    let same = |name: &str| match (values(stored, name).next(), values(head, name).next()) {
        (Some(stored), Some(head)) => Some(stored.trim_ascii() == head.trim_ascii()),
        _ => None,
    };
    let length = values(head, "content-length").next().map(|length| {
        let digits = std::str::from_utf8(length.trim_ascii()).ok();
        digits.and_then(|digits| digits.parse::<u64>().ok()) == Some(body_length)
    });
    let (etag, modified) = (same("etag"), same("last-modified"));
    if [etag, modified, length].contains(&Some(false)) {
        Agreement::Outdated
    } else if etag.or(modified).is_some() {
        Agreement::Confirmed
    } else {
        Agreement::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::{Agreement, Validators, agreement, confirms_another, replaced};
    use crate::fields::Line;
    use crate::stored::{Stored, StoredTag, Traits};
    use crate::time::Timestamp;
    use std::time::Duration;

    fn asked(etag: StoredTag, lines: &[Line<'_>]) -> Vec<(String, String)> {
        let stored = Stored {
            received: Timestamp::default(),
            initial_age: 0,
            took: 0,
            lifetime: Duration::ZERO,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            status: 200,
            traits: Traits::default(),
            etag,
            last_modified: None,
            body_length: 0,
            representation: (),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let lines = Validators::of(&stored, lines).lines();
        lines
            .map(|line| (text(line.name), text(line.value)))
            .collect()
    }

    #[test]
    fn validators_are_sent_as_they_were_given() {
        let lines = [
            Line::new(b"ETag", b" W/\"a\" "),
            Line::new(b"Last-Modified", b" Sunday, 06-Nov-94 08:49:37 GMT"),
        ];
        let date = (
            "if-modified-since".to_owned(),
            "Sunday, 06-Nov-94 08:49:37 GMT".to_owned(),
        );
        let tag = ("if-none-match".to_owned(), "W/\"a\"".to_owned());
        let given = StoredTag::Given(b"W/\"a\"".as_slice().into());
        assert_eq!(asked(given, &lines), [tag, date.clone()]);
        assert_eq!(asked(StoredTag::Generated(7), &lines), [date]);
        assert!(asked(StoredTag::None, &[]).is_empty());
    }

    #[test]
    fn conditions_of_the_client_are_left_out() {
        for name in ["If-None-Match", "if-modified-since", "Range", "if-range"] {
            assert!(replaced(name.as_bytes()), "{name}");
        }
        assert!(!replaced(b"if-match") && !replaced(b"accept"));
    }

    #[test]
    fn a_head_response_must_agree_with_what_is_stored() {
        let stored = [Line::new(b"etag", b"\"a\"")];
        let etag = |tag: &'static [u8]| [Line::new(b"etag", tag)];
        let length = |length: &'static [u8]| [Line::new(b"content-length", length)];
        let both = [etag(b"\"a\"")[0], length(b"3")[0]];
        assert_eq!(agreement(&stored, 3, &both), Agreement::Confirmed);
        assert_eq!(agreement(&stored, 3, &etag(b"\"b\"")), Agreement::Outdated);
        assert_eq!(agreement(&stored, 3, &[]), Agreement::Nothing);
        assert_eq!(agreement(&stored, 3, &length(b"3")), Agreement::Nothing);
        for other in [&b"4"[..], b"-1", b""] {
            let other = [etag(b"\"a\"")[0], Line::new(b"content-length", other)];
            assert_eq!(agreement(&stored, 3, &other), Agreement::Outdated);
        }
    }

    #[test]
    fn a_confirmation_that_names_another_tag_speaks_of_another_response() {
        let given = |tag: &[u8]| StoredTag::Given(tag.into());
        let another = |stored: &StoredTag, named: &'static [u8]| {
            confirms_another(stored, &[Line::new(b"ETag", named)])
        };
        assert!(another(&given(b"\"a\""), b"\"b\""));
        assert!(another(&given(b"a"), b"\"a\""));
        for same in [&b"\"a\""[..], b"W/\"a\"", b"a", b""] {
            assert!(!another(&given(b"\"a\""), same));
        }
        assert!(!another(&StoredTag::Generated(7), b"\"b\""));
        assert!(!another(&StoredTag::None, b"\"b\""));
        assert!(!confirms_another(&given(b"\"a\""), &[]));
    }
}
