//! `Cache-Groups` and `Cache-Group-Invalidation`: which responses of an origin belong together
//! ([RFC 9875](https://www.rfc-editor.org/rfc/rfc9875)).

use super::Line;
use super::structured::strings;
use crate::reason::Reason;
use smallvec::SmallVec;
use std::borrow::Cow;

/// The most groups that one field names. The RFC asks for 32 at least.
pub const MAX_GROUPS: usize = 128;
/// The longest name of a group, in bytes. The RFC asks for 32 at least.
pub const MAX_GROUP_LENGTH: usize = 256;

/// Names of groups, each once, in the order of the field.
pub type Groups<'a> = SmallVec<[Cow<'a, str>; 4]>;

/// The groups to which a response says that it belongs
/// ([RFC 9875 §2](https://www.rfc-editor.org/rfc/rfc9875#section-2)). A malformed field names none.
///
/// ```
/// use fast_cache_core::fields::{Line, groups::cache_groups};
///
/// let lines = [Line::new(b"cache-groups", b"\"scripts\";x=1, \"v 1\""), Line::new(b"Cache-Groups", b"\"scripts\"")];
/// assert_eq!(cache_groups(&lines).unwrap().as_slice(), ["scripts", "v 1"]);
/// assert!(cache_groups(&[Line::new(b"cache-groups", b"scripts")]).unwrap().is_empty());
/// ```
///
/// # Errors
///
/// [`Reason::Tags`] for more than [`MAX_GROUPS`] or a name longer than [`MAX_GROUP_LENGTH`]: a response that could not
/// be dropped by all of its groups is not kept.
pub fn cache_groups<'a>(lines: &'a [Line<'a>]) -> Result<Groups<'a>, Reason> {
    let mut groups = Groups::new();
    for name in strings(lines, "cache-groups").unwrap_or_default() {
        if groups.contains(&name) {
            continue;
        }
        if name.len() > MAX_GROUP_LENGTH || groups.len() == MAX_GROUPS {
            return Err(Reason::Tags);
        }
        groups.push(name);
    }
    Ok(groups)
}

/// The groups that a response says have changed
/// ([RFC 9875 §3](https://www.rfc-editor.org/rfc/rfc9875#section-3)). A malformed field names none.
///
/// Names longer than [`MAX_GROUP_LENGTH`] are left out, since no response in the store has one; of more than
/// [`MAX_GROUPS`] others, the first count.
pub fn invalidated_groups<'a>(lines: &'a [Line<'a>]) -> Groups<'a> {
    let mut groups = Groups::new();
    for name in strings(lines, "cache-group-invalidation").unwrap_or_default() {
        if groups.len() == MAX_GROUPS {
            break;
        }
        if name.len() <= MAX_GROUP_LENGTH && !groups.contains(&name) {
            groups.push(name);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::{MAX_GROUP_LENGTH, MAX_GROUPS, cache_groups, invalidated_groups};
    use crate::fields::Line;
    use crate::reason::Reason;

    const STORED: &[u8] = b"Cache-Groups";
    const INVALIDATED: &[u8] = b"Cache-Group-Invalidation";

    #[test]
    fn each_field_is_read_from_all_of_its_lines() {
        let lines = [
            Line::new(STORED, b"\"scripts\", \"a \\\"b\\\"\""),
            Line::new(INVALIDATED, b"\"eurovision-results\", \"kylie-minogue\""),
            Line::new(STORED, b"\"\", \"scripts\""),
        ];
        assert_eq!(
            cache_groups(&lines).unwrap().as_slice(),
            ["scripts", "a \"b\"", ""]
        );
        assert_eq!(
            invalidated_groups(&lines).as_slice(),
            ["eurovision-results", "kylie-minogue"]
        );
        assert!(cache_groups(&lines[1..2]).unwrap().is_empty());
        assert!(invalidated_groups(&lines[..1]).is_empty());
    }

    #[test]
    fn a_malformed_line_spoils_its_field_alone() {
        let lines = [
            Line::new(STORED, b"\"a\""),
            Line::new(INVALIDATED, b"\"b\""),
            Line::new(STORED, b"b"),
        ];
        assert!(cache_groups(&lines).unwrap().is_empty());
        assert_eq!(invalidated_groups(&lines).as_slice(), ["b"]);
    }

    #[test]
    fn limits() {
        let named = |count: usize, length: usize| {
            let names = (0..count).map(|number| format!("\"{number:0>length$}\""));
            names.collect::<Vec<String>>().join(", ").into_bytes()
        };
        let most = named(MAX_GROUPS, MAX_GROUP_LENGTH);
        let read =
            |value: &[u8]| cache_groups(&[Line::new(STORED, value)]).map(|names| names.len());
        assert_eq!(read(&most), Ok(MAX_GROUPS));
        assert_eq!(read(&[&*most, b", \"0\""].concat()), Err(Reason::Tags));
        assert_eq!(read(&named(1, MAX_GROUP_LENGTH + 1)), Err(Reason::Tags));
        let dropped = |value: &[u8]| invalidated_groups(&[Line::new(INVALIDATED, value)]).len();
        assert_eq!(dropped(&named(MAX_GROUPS + 1, 5)), MAX_GROUPS);
        let long = named(1, MAX_GROUP_LENGTH + 1);
        assert_eq!(dropped(&[&*long, b", \"a\""].concat()), 1);
    }
}
