//! Which labels a response gives itself: `Cache-Tag`, `Surrogate-Key`, and `Cache-Groups`
//! ([RFC 9875 §2](https://www.rfc-editor.org/rfc/rfc9875#section-2)).

use crate::fields::Line;
use crate::fields::groups::cache_groups;
use crate::reason::Reason;
use smallvec::SmallVec;
use std::borrow::Cow;

/// The most tags one response may have, its route's included.
pub const MAX_TAGS: usize = 128;
/// The longest tag, in bytes.
pub const MAX_TAG_LENGTH: usize = 256;

/// Collects the tags of a response: those of its route, then those in its header lines, each once.
///
/// # Errors
///
/// [`Reason::Tags`] where they are too many or one is too long: a response that could not be dropped by all of its tags
/// is not kept.
pub fn collect_tags<'a>(
    route: impl Iterator<Item = &'a str>,
    lines: &'a [Line<'a>],
) -> Result<SmallVec<[Cow<'a, str>; 4]>, Reason> {
    let mut tags: SmallVec<[Cow<'a, str>; 4]> = SmallVec::new();
    for tag in route {
        add(&mut tags, Cow::Borrowed(tag))?;
    }
    for line in lines {
        if line.is("surrogate-key") {
            for tag in line.value.split(u8::is_ascii_whitespace) {
                add(&mut tags, text(tag)?)?;
            }
        } else if line.is("cache-tag") {
            for part in line.value.split(|byte| matches!(byte, b',' | b' ' | b'\t')) {
                add(&mut tags, text(part)?)?;
            }
        }
    }
    for group in cache_groups(lines)? {
        add(&mut tags, group)?;
    }
    Ok(tags)
}

fn add<'a>(tags: &mut SmallVec<[Cow<'a, str>; 4]>, tag: Cow<'a, str>) -> Result<(), Reason> {
    if tag.is_empty() || tags.contains(&tag) {
        return Ok(());
    }
    if tag.len() > MAX_TAG_LENGTH || tags.len() == MAX_TAGS {
        return Err(Reason::Tags);
    }
    tags.push(tag);
    Ok(())
}

fn text(tag: &[u8]) -> Result<Cow<'_, str>, Reason> {
    let tag = std::str::from_utf8(tag).map_err(|_| Reason::Tags)?;
    Ok(Cow::Borrowed(tag))
}

#[cfg(test)]
mod tests {
    use super::{MAX_TAG_LENGTH, MAX_TAGS, collect_tags};
    use crate::fields::Line;
    use crate::reason::Reason;

    #[test]
    fn from_route_and_headers_each_once() {
        let lines = [
            Line::new(b"Cache-Tag", b"a, b,,c"),
            Line::new(b"surrogate-key", b"b d"),
            Line::new(b"cache-groups", b"\"e\", \"f g\""),
        ];
        let tags = collect_tags(["user:7", "a"].into_iter(), &lines).unwrap();
        assert_eq!(tags.as_slice(), ["user:7", "a", "b", "c", "d", "e", "f g"]);
    }

    #[test]
    fn limits() {
        let long = "x".repeat(MAX_TAG_LENGTH + 1);
        assert_eq!(collect_tags([&*long].into_iter(), &[]), Err(Reason::Tags));
        let many: Vec<String> = (0..=MAX_TAGS).map(|number| number.to_string()).collect();
        assert_eq!(
            collect_tags(many.iter().map(String::as_str), &[]),
            Err(Reason::Tags)
        );
        assert!(collect_tags(many[1..].iter().map(String::as_str), &[]).is_ok());
    }
}
