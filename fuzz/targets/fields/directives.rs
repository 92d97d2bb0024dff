//! `Cache-Control` in both directions, `CDN-Cache-Control`, and `Cache-Status`.

use super::lines;
use crate::choices::Choices;
use fast_cache_core::fields::cache_control::{MAX_SECONDS, RequestDirectives, ResponseDirectives};
use fast_cache_core::fields::targeted::targeted as targeted_directives;
use fast_cache_core::fields::{Line, cache_status as status, list};
use fast_cache_core::reason::Reason;

const DIRECTIVES: &[&str] = &[
    "max-age=",
    "s-maxage=",
    "no-store",
    "no-cache",
    "private",
    "public",
    "must-revalidate",
    "proxy-revalidate",
    "must-understand",
    "immutable",
    "stale-while-revalidate=",
    "stale-if-error=",
    "no-transform",
    "max-stale",
    "min-fresh=",
    "only-if-cached",
    "NO-STORE",
    "Max-Age=",
    "60",
    "0",
    "4294967296",
    "-1",
    "\"60\"",
    "=\"set-cookie\"",
    "=",
    ",",
    ", ",
    "\"",
    "\\",
    ";",
    "\t",
    "a",
];

pub(crate) fn cache_control(bytes: &[u8]) {
    let names = ["cache-control", "pragma", "other"];
    let pairs = Choices::new(bytes).pairs(&names, DIRECTIVES);
    let lines = lines(&pairs);
    let response = ResponseDirectives::parse(&lines);
    let seconds = [
        response.max_age,
        response.s_maxage,
        response.stale_while_revalidate,
        response.stale_if_error,
    ];
    assert!(seconds.into_iter().flatten().all(|it| it <= MAX_SECONDS));
    let request = RequestDirectives::parse(&lines);
    assert!(request.max_age.is_none_or(|it| it <= MAX_SECONDS));
    assert!(request.min_fresh.is_none_or(|it| it <= MAX_SECONDS));

    // A line can take nothing away, whatever stands in it, from another.
    let mut more = vec![Line::new(b"Cache-Control", b"no-store, max-age=7")];
    more.extend(&lines);
    let both = ResponseDirectives::parse(&more);
    assert!(both.no_store && both.max_age <= Some(7));
    assert_eq!(both.private, response.private);
    assert_eq!(both.no_cache, response.no_cache);
    assert_eq!(both.s_maxage, response.s_maxage);
    let both = RequestDirectives::parse(&more);
    assert!(both.no_store && both.max_age <= Some(7));
    assert_eq!(both.only_if_cached, request.only_if_cached);

    // Nor does the order of lines matter.
    let mut turned = lines.clone();
    turned.reverse();
    let turned = ResponseDirectives::parse(&turned);
    assert_eq!(
        (turned.no_store, turned.private, turned.max_age),
        (response.no_store, response.private, response.max_age)
    );
}

pub(crate) fn targeted(bytes: &[u8]) {
    let names = ["cdn-cache-control", "cache-control"];
    let mut words = DIRECTIVES.to_vec();
    words.extend([
        "=?1", "=?0", "=1.5", "=(a b)", "=@1", ";x=1", "=:YQ==:", "=%\"a\"",
    ]);
    let pairs = Choices::new(bytes).pairs(&names, &words);
    let lines = lines(&pairs);
    let Some(directives) = targeted_directives(&lines) else {
        return;
    };
    assert!(lines.iter().any(|line| line.is("cdn-cache-control")));
    assert!(directives.max_age.is_none_or(|it| it <= MAX_SECONDS));
    let alone: Vec<_> = lines
        .iter()
        .filter(|line| line.is("cdn-cache-control"))
        .copied()
        .collect();
    assert_eq!(targeted_directives(&alone), Some(directives));
}

pub(crate) fn cache_status(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let ttl = i64::from_le_bytes(choices.number().to_le_bytes());
    let reason = choices.of(Reason::ALL);
    let status = u16::from(choices.byte()) * 5;
    let text = String::from_utf8_lossy(&choices.rest(super::lists::SYNTAX)).into_owned();
    let Ok(name) = status::cache_name(&text) else {
        return;
    };
    let mut value = Vec::new();
    status::hit(&mut value, &name, ttl);
    value.extend_from_slice(b", ");
    status::neither(&mut value, &name, reason);
    value.extend_from_slice(b", ");
    let why = status::forward_for(reason);
    status::forward(&mut value, &name, why, Some(status), ttl > 0, Some(reason));
    assert!(value.iter().all(|byte| matches!(byte, b' '..=b'~')));
    assert_eq!(list::members([&value[..]]).count(), 3);
}
