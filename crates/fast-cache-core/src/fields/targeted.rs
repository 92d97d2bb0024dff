//! `CDN-Cache-Control`: directives for caches that stand before an application, such as this one
//! ([RFC 9213](https://www.rfc-editor.org/rfc/rfc9213)).
//!
//! It is a Structured Field: unlike `Cache-Control`, it counts as a whole or, where anything in it is malformed, not at
//! all. Of a directive that is there twice, the last counts.

use super::Line;
use super::cache_control::{MAX_SECONDS, ResponseDirectives, listed_fields};
use super::structured::{Member, dictionary};
use sfv::BareItemFromInput;

/// What the `CDN-Cache-Control` lines of a response say together, which then takes the place of `Cache-Control` and
/// `Expires`; `None` where there are none, or where they are empty or malformed
/// ([RFC 9213 §2.1](https://www.rfc-editor.org/rfc/rfc9213#section-2.1)).
///
/// A value of a type that its directive does not have permits nothing: a lifetime that is no integer, or negative, is
/// 0; `public`, `immutable` and `must-understand` count only where they are true; what forbids reuse counts unless it
/// is false.
///
/// ```
/// use fast_cache_core::fields::{Line, targeted::targeted};
///
/// let lines = [Line::new(b"cache-control", b"no-store"), Line::new(b"cdn-cache-control", b"max-age=600")];
/// let directives = targeted(&lines).expect("well formed");
/// assert_eq!(directives.max_age, Some(600));
/// assert!(!directives.no_store);
/// assert!(targeted(&[Line::new(b"cdn-cache-control", b"max-age=600, &")]).is_none());
/// ```
pub fn targeted(lines: &[Line<'_>]) -> Option<ResponseDirectives> {
    let members = dictionary(lines, "cdn-cache-control")?;
    if members.is_empty() {
        return None;
    }
    let mut directives = ResponseDirectives::default();
    for (name, value) in members {
        set(&mut directives, name, &value);
    }
    Some(directives)
}

fn set(directives: &mut ResponseDirectives, name: &str, value: &Member<'_>) {
    match name {
        "max-age" => directives.max_age = Some(seconds(value)),
        "s-maxage" => directives.s_maxage = Some(seconds(value)),
        "stale-while-revalidate" => directives.stale_while_revalidate = Some(seconds(value)),
        "stale-if-error" => directives.stale_if_error = Some(seconds(value)),
        "no-store" => directives.no_store = !is(value, false),
        "no-cache" => {
            directives.no_cache = !is(value, false);
            directives.no_cache_fields = fields(value);
        }
        "private" => {
            directives.private = !is(value, false);
            directives.private_fields = fields(value);
        }
        "must-revalidate" => directives.must_revalidate = !is(value, false),
        "proxy-revalidate" => directives.proxy_revalidate = !is(value, false),
        "no-transform" => directives.no_transform = !is(value, false),
        "must-understand" => directives.must_understand = is(value, true),
        "public" => directives.public = is(value, true),
        "immutable" => directives.immutable = is(value, true),
        _ => {}
    }
}

fn is(value: &Member<'_>, boolean: bool) -> bool {
    matches!(value, Member::Item(BareItemFromInput::Boolean(found)) if *found == boolean)
}

fn seconds(value: &Member<'_>) -> u32 {
    match value {
        Member::Item(BareItemFromInput::Integer(number)) => {
            let number = i64::from(*number).clamp(0, i64::from(MAX_SECONDS));
            u32::try_from(number).unwrap_or(MAX_SECONDS)
        }
        _ => 0,
    }
}

/// The field names to which a directive restricts itself; empty where it does not, or in another way than a string.
fn fields(value: &Member<'_>) -> Vec<Box<str>> {
    let Member::Item(BareItemFromInput::String(text)) = value else {
        return Vec::new();
    };
    let mut names = listed_fields(text.as_str().as_bytes()).unwrap_or_default();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::targeted;
    use crate::fields::Line;
    use crate::fields::cache_control::{MAX_SECONDS, ResponseDirectives};

    fn read(value: &str) -> Option<ResponseDirectives> {
        let lines: Vec<Line<'_>> = value
            .split('\n')
            .map(|value| Line::new(b"CDN-Cache-Control", value.as_bytes()))
            .collect();
        targeted(&lines)
    }

    #[test]
    fn absent_empty_and_malformed_fields_count_as_absent() {
        assert_eq!(targeted(&[]), None);
        assert_eq!(
            targeted(&[Line::new(b"cache-control", b"max-age=60")]),
            None
        );
        for value in [
            "",
            " ",
            "\n",
            "max-age=10000, &&&&&",
            "MaX-aGe=3600",
            "max-age =100",
            "max-age= 100",
            "max-age=60,",
            "max-age=60 no-store",
            "max-age=1234567890123456",
            "max-age=60\nno store",
            "private=\"a",
        ] {
            assert_eq!(read(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_field_without_known_directives_still_counts() {
        assert_eq!(read("none"), Some(ResponseDirectives::default()));
        assert_eq!(
            read("foobar, max-age=3600").and_then(|found| found.max_age),
            Some(3600)
        );
    }

    #[test]
    fn seconds() {
        for (value, expected) in [
            ("max-age=60", Some(60)),
            ("max-age=0", Some(0)),
            ("max-age=-5", Some(0)),
            ("max-age=2147483647", Some(MAX_SECONDS)),
            ("max-age=2147483648", Some(MAX_SECONDS)),
            ("max-age=999999999999999", Some(MAX_SECONDS)),
            ("max-age=60;x=1", Some(60)),
            ("max-age=60, max-age=90", Some(90)),
            ("max-age=60\nmax-age=90", Some(90)),
            ("max-age=60, max-age=x", Some(0)),
            ("max-age=\"60\"", Some(0)),
            ("max-age=60.5", Some(0)),
            ("max-age", Some(0)),
            ("max-age=(60)", Some(0)),
            ("max-age=@60", Some(0)),
            ("x=\"max-age=60\"", None),
        ] {
            let found = read(value).expect(value);
            assert_eq!(found.max_age, expected, "{value:?}");
            for name in ["s-maxage", "stale-while-revalidate", "stale-if-error"] {
                let found = read(&value.replace("max-age", name)).expect(value);
                let found = match name {
                    "s-maxage" => found.s_maxage,
                    "stale-if-error" => found.stale_if_error,
                    _ => found.stale_while_revalidate,
                };
                assert_eq!(found, expected, "{name} as max-age in {value:?}");
            }
        }
    }

    #[test]
    fn what_forbids_counts_unless_it_is_false() {
        let found =
            read("no-store, no-cache\nprivate, must-revalidate, proxy-revalidate, no-transform");
        let found = found.expect("well formed");
        assert!(found.no_store && found.no_cache && found.private && found.no_transform);
        assert!(found.must_revalidate && found.proxy_revalidate);
        for value in ["no-store=?1", "no-store=1", "no-store=yes", "no-store=(1)"] {
            assert!(read(value).is_some_and(|found| found.no_store), "{value:?}");
        }
        for value in ["no-store=?0", "no-store, no-store=?0", "x=no-store"] {
            assert!(
                read(value).is_some_and(|found| !found.no_store),
                "{value:?}"
            );
        }
    }

    #[test]
    fn what_permits_counts_where_it_is_true() {
        let found = read("public, immutable=?1, must-understand").expect("well formed");
        assert!(found.public && found.immutable && found.must_understand);
        let found = read("public=1, immutable=?0, must-understand=yes").expect("well formed");
        assert_eq!(found, ResponseDirectives::default());
    }

    #[test]
    fn restrictions_to_fields_are_strings() {
        let table: &[(&str, &[&str])] = &[
            ("private=\"Set-Cookie, x-A, x-a\"", &["set-cookie", "x-a"]),
            ("private=\"a\", private=\"b\"", &["b"]),
            ("private=\"a\", private", &[]),
            ("private=\"\"", &[]),
            ("private=\"a b\"", &[]),
            ("private=x-a", &[]),
            ("private=(\"a\")", &[]),
        ];
        for (value, expected) in table {
            let found = read(value).expect(value);
            let names: Vec<&str> = found.private_fields.iter().map(AsRef::as_ref).collect();
            assert!(found.private && names == *expected, "{value:?}: {names:?}");
            let found = read(&value.replace("private", "no-cache")).expect(value);
            let names: Vec<&str> = found.no_cache_fields.iter().map(AsRef::as_ref).collect();
            assert!(found.no_cache && names == *expected, "{value:?}: {names:?}");
        }
    }
}
