//! Which responses are kept ([RFC 9111 §3](https://www.rfc-editor.org/rfc/rfc9111#section-3),
//! [§3.5](https://www.rfc-editor.org/rfc/rfc9111#section-3.5)), and never more than a shared cache may.

use super::freshness::{FOREVER, Freshness};
use super::status::{is_heuristically_cacheable, is_understood};
use crate::fields::Line;
use crate::fields::cache_control::ResponseDirectives;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::stored::Traits;
use std::time::Duration;

/// Whether a response may be kept, judged by its status and header lines.
///
/// A response's `no-store` and `private`, also in its qualified form, win over the route. So does `no-cache`, save that
/// in HTTP mode such a response is kept to be validated each time. `Set-Cookie` is never stored, nor is a part of a
/// response. `only_shared` says that the request carried a credential which the key does not hold.
///
/// # Errors
///
/// The reason for which the response is passed on and not kept.
pub fn may_store(
    status: u16,
    lines: &[Line<'_>],
    directives: &ResponseDirectives,
    policy: &Policy,
    only_shared: bool,
) -> Result<Traits, Reason> {
    if !policy.statuses.contains(status) || status == 206 || status == 304 || status < 200 {
        return Err(Reason::Status);
    }
    may_share(status, lines, directives, policy, only_shared)
}

/// Whether a response may answer others than its own client, judged by its header lines: whatever is asked of one that is
/// kept, but for the statuses that are. A failure of which this holds is no answer to those who come later, but it is to
/// those who wait for it ([RFC 9111 §4](https://www.rfc-editor.org/rfc/rfc9111#section-4)).
///
/// # Errors
///
/// The reason for which it is nobody else's.
pub fn may_share(
    status: u16,
    lines: &[Line<'_>],
    directives: &ResponseDirectives,
    policy: &Policy,
    only_shared: bool,
) -> Result<Traits, Reason> {
    if directives.must_understand && !is_understood(status) {
        return Err(Reason::MustUnderstand);
    }
    if directives.no_store {
        return Err(Reason::NoStore);
    }
    if directives.private {
        return Err(Reason::Private);
    }
    if directives.no_cache && !policy.is_http() {
        return Err(Reason::NoCache);
    }
    // `Set-Cookie2` is none of this: no client has heeded it for long (RFC 6265 §1).
    if lines.iter().any(|line| line.is("set-cookie")) {
        return Err(Reason::SetCookie);
    }
    let shared_with_credentials = policy.public || permits_sharing(directives, policy);
    if only_shared && !shared_with_credentials {
        return Err(Reason::Authorization);
    }
    let must_revalidate = directives.must_revalidate
        || directives.proxy_revalidate
        || (policy.is_http() && directives.s_maxage.is_some());
    Ok(Traits {
        shared_with_credentials,
        must_revalidate,
        always_validate: directives.no_cache,
    })
}

/// Whether there is a use for a response: it is or will be fresh, may be served stale, or can be validated.
///
/// # Errors
///
/// [`Reason::NotFresh`] where there is none, [`Reason::NotExplicit`] where the standard does not allow to keep it
/// ([RFC 9111 §3](https://www.rfc-editor.org/rfc/rfc9111#section-3)).
pub fn is_of_use(
    status: u16,
    freshness: &Freshness,
    directives: &ResponseDirectives,
    traits: Traits,
    has_validator: bool,
    policy: &Policy,
) -> Result<(), Reason> {
    let initial_age = Duration::from_secs(u64::from(freshness.initial_age));
    let fresh = freshness.lifetime > initial_age && !traits.always_validate;
    // A window that never closes is the cache's own and no reason to keep anything.
    let windows = [freshness.stale_while_revalidate, freshness.stale_if_error];
    let stale = windows
        .iter()
        .any(|window| !window.is_zero() && *window != FOREVER);
    let validated = has_validator && status == 200 && policy.is_http();
    if !(fresh || stale || validated) {
        return Err(Reason::NotFresh);
    }
    let explicit = freshness.is_stated || directives.public || is_heuristically_cacheable(status);
    if explicit {
        Ok(())
    } else {
        Err(Reason::NotExplicit)
    }
}

/// Whether the response says that it may answer requests with `Authorization`
/// ([RFC 9111 §3.5](https://www.rfc-editor.org/rfc/rfc9111#section-3.5)).
///
/// `s-maxage` and `must-revalidate` give that permission for the lifetime that they come with. Where the route's own
/// lifetime takes its place, a lifetime of zero gave no permission.
fn permits_sharing(directives: &ResponseDirectives, policy: &Policy) -> bool {
    if directives.public {
        return true;
    }
    let given = directives.s_maxage.is_some() || directives.must_revalidate;
    let overridden = !policy.is_http();
    let is_zero = directives.s_maxage.or(directives.max_age) == Some(0);
    given && !(overridden && is_zero)
}

/// Whether a response is a stream of events, which may never end: nobody should wait for it to be whole.
pub fn is_event_stream(lines: &[Line<'_>]) -> bool {
    let mut types = lines.iter().filter(|line| line.is("content-type"));
    types.any(|line| {
        let kind = line.value.split(|byte| *byte == b';').next();
        let kind = kind.unwrap_or_default().trim_ascii();
        kind.eq_ignore_ascii_case(b"text/event-stream")
    })
}

/// The body length that `Content-Length` announces.
///
/// # Errors
///
/// Lengths that contradict each other, or are no number.
pub fn announced_length(lines: &[Line<'_>]) -> Result<Option<u64>, Reason> {
    let mut announced = None;
    for line in lines.iter().filter(|line| line.is("content-length")) {
        let value = line.value.trim_ascii();
        if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
            return Err(Reason::MalformedResponse);
        }
        let length = value
            .iter()
            .fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        if announced.is_some_and(|other| other != length) {
            return Err(Reason::MalformedResponse);
        }
        announced = Some(length);
    }
    Ok(announced)
}

#[cfg(test)]
mod tests {
    use super::{announced_length, may_share, may_store};
    use crate::fields::Line;
    use crate::fields::cache_control::ResponseDirectives;
    use crate::policy::Policy;
    use crate::reason::Reason;

    fn lines<'a>(headers: &[(&'a str, &'a str)]) -> Vec<Line<'a>> {
        headers
            .iter()
            .map(|(name, value)| Line::new(name.as_bytes(), value.as_bytes()))
            .collect()
    }

    fn check(status: u16, headers: &[(&str, &str)], only_shared: bool) -> Result<bool, Reason> {
        let lines = lines(headers);
        let directives = ResponseDirectives::parse(&lines);
        may_store(status, &lines, &directives, &Policy::default(), only_shared)
            .map(|traits| traits.shared_with_credentials)
    }

    #[test]
    fn responses_that_are_not_kept() {
        for (status, header, reason) in [
            (404, ("a", "b"), Reason::Status),
            (206, ("a", "b"), Reason::Status),
            (304, ("a", "b"), Reason::Status),
            (200, ("Cache-Control", "NO-STORE"), Reason::NoStore),
            (
                200,
                ("cache-control", "max-age=5 , Private"),
                Reason::Private,
            ),
            (200, ("cache-control", "private=\"x\""), Reason::Private),
            (200, ("cache-control", "\tno-cache"), Reason::NoCache),
            (200, ("Set-Cookie", "a=b"), Reason::SetCookie),
        ] {
            assert_eq!(check(status, &[header], false), Err(reason), "{header:?}");
        }
    }

    #[test]
    fn a_failure_may_be_shared_where_all_but_its_status_may_be_kept() {
        let share = |header: (&str, &str), only_shared| {
            let lines = lines(&[header]);
            let directives = ResponseDirectives::parse(&lines);
            may_share(503, &lines, &directives, &Policy::default(), only_shared).map(drop)
        };
        assert_eq!(share(("retry-after", "1"), false), Ok(()));
        assert_eq!(share(("cache-control", "public"), true), Ok(()));
        for (header, reason) in [
            (("cache-control", "no-store"), Reason::NoStore),
            (("cache-control", "private"), Reason::Private),
            (("cache-control", "no-cache"), Reason::NoCache),
            (("set-cookie", "a=b"), Reason::SetCookie),
        ] {
            assert_eq!(share(header, false), Err(reason), "{header:?}");
        }
        assert_eq!(share(("a", "b"), true), Err(Reason::Authorization));
    }

    #[test]
    fn credentials_need_permission() {
        assert_eq!(check(200, &[], true), Err(Reason::Authorization));
        for directive in ["public", "s-maxage=5", "must-revalidate"] {
            assert_eq!(
                check(200, &[("cache-control", directive)], true),
                Ok(true),
                "{directive}"
            );
        }
        assert_eq!(check(200, &[], false), Ok(false));
        for directive in [
            "max-age=0, must-revalidate",
            "s-maxage=0",
            "s-maxage=0, max-age=60",
        ] {
            let header = [("cache-control", directive)];
            assert_eq!(
                check(200, &header, true),
                Err(Reason::Authorization),
                "{directive}"
            );
        }
    }

    #[test]
    fn lengths() {
        assert_eq!(
            announced_length(&lines(&[("Content-Length", " 12 ")])),
            Ok(Some(12))
        );
        assert_eq!(
            announced_length(&lines(&[("content-length", "1"), ("content-length", "1")])),
            Ok(Some(1))
        );
        assert_eq!(announced_length(&[]), Ok(None));
        for bad in ["", "-1", "1x", "99999999999999999999", "1, 1"] {
            assert_eq!(
                announced_length(&lines(&[("content-length", bad)])),
                Err(Reason::MalformedResponse),
                "{bad}"
            );
        }
        assert_eq!(
            announced_length(&lines(&[("content-length", "1"), ("content-length", "2")])),
            Err(Reason::MalformedResponse)
        );
    }
}
