//! The account that is kept of each stored answer, and what it forbids.

use super::host::{Host, Kept};
use super::told::{MOST, Told, all, contains, said, stated_age, varies_by};
use super::wire::Wire;
use crate::choices::Pair;
use crate::fields::lines;
use fast_cache_core::exchange::Serve;
use fast_cache_core::fields::no_vary_search::SearchVariance;
use fast_cache_core::policy::{Credential, Lifetime};
use fast_cache_core::stored::Stored;
use fast_cache_core::time::Timestamp;
use std::time::Duration;

/// How a stored answer came to be, or to be confirmed.
#[derive(Debug)]
pub(crate) struct Account {
    /// The request whose answer it is.
    pub(crate) request: Wire,
    /// The event with which the application was asked.
    pub(crate) born: usize,
    /// When that was.
    pub(crate) requested: Timestamp,
    /// When the answer came.
    pub(crate) received: Timestamp,
    /// The lines in which the answer says how old it is.
    pub(crate) dated: Vec<Pair>,
    /// The lines in which it says how it may be used: also those that are not kept.
    pub(crate) judged: Vec<Pair>,
    /// The lines that it is to have.
    pub(crate) expected: Vec<Pair>,
}

/// Something that was dropped.
#[derive(Clone, Debug)]
pub(crate) struct Drop {
    pub(crate) event: usize,
    pub(crate) soft: bool,
    pub(crate) what: Dropped,
}

/// What was dropped.
#[derive(Clone, Debug)]
pub(crate) enum Dropped {
    Everything,
    Subtree(&'static str),
    Prefix(&'static str),
    Tag(&'static str),
    Target(Wire),
}

impl Drop {
    pub(crate) fn of_target(wire: &Wire, event: usize) -> Self {
        Self {
            event,
            soft: false,
            what: Dropped::Target(wire.clone()),
        }
    }

    fn covers(&self, account: &Account) -> bool {
        let path = account.request.path;
        match &self.what {
            Dropped::Everything => true,
            Dropped::Subtree(top) => {
                let below = path.strip_prefix(top.trim_end_matches('/'));
                below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Dropped::Prefix(text) => path.starts_with(text),
            Dropped::Tag(tag) => {
                all(&account.expected, "cache-tag").any(|value| value == tag.as_bytes())
            }
            Dropped::Target(wire) => {
                let other = &account.request;
                (wire.path, wire.query, wire.host()) == (path, other.query, other.host())
            }
        }
    }
}

/// How an answer came from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It was found.
    Found {
        /// A soft drop covers it.
        soft: bool,
    },
    /// It stands in for a failure.
    StandsIn,
    /// The application has just confirmed it.
    Confirmed,
}

/// Holds an answer to its account.
pub(crate) fn check(host: &Host, wire: &Wire, stored: &Stored<Kept>, serve: &Serve, how: How) {
    let account = &stored.representation.account;
    let now = host.clock.now();
    is_for_this_request(host, wire, account);
    let waited = now.since(account.received);
    let stated = Duration::from_secs(stated_age(&account.dated));
    assert!(
        serve.age >= (waited + stated).as_secs(),
        "{serve:?} {account:?}"
    );
    assert!(
        account.requested <= account.received
            || host.policy.is_http()
            || serve.age > 0
            || stated.is_zero()
    );
    if how == How::Confirmed {
        return;
    }
    may_be_reused(host, wire, account);
    assert!(host.policy.statuses.contains(stored.status));
    assert!(stored.status != 206 && stored.status != 304);
    let asked_for_part = all(&account.request.lines, "range").next().is_some();
    assert!(
        stored.status == 200 || !asked_for_part,
        "{} {account:?}",
        stored.status
    );
    assert!(how != How::StandsIn || !(500..600).contains(&stored.status));
    was_not_dropped(host, account, serve, how);
    is_fresh_enough(host, wire, account, serve, how, now);
}

/// The answer was made for a request that asks for the same.
fn is_for_this_request(host: &Host, wire: &Wire, account: &Account) {
    let made_for = &account.request;
    assert_eq!((wire.path, wire.host()), (made_for.path, made_for.host()));
    if wire.query != made_for.query {
        assert!(host.policy.is_http());
        let variance = SearchVariance::parse(&lines(&account.expected)).clone();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        variance.normalised(wire.query.as_bytes(), &mut one);
        variance.normalised(made_for.query.as_bytes(), &mut other);
        assert_eq!(one, other, "{wire:?}\n{account:?}");
    }
    let coded = all(&account.expected, "content-encoding").any(|value| value == b"gzip");
    let names = varies_by(&account.expected).unwrap_or_default();
    let names = names
        .iter()
        .map(String::as_str)
        .chain(coded.then_some("accept-encoding"));
    for name in names.filter(|name| *name != "host") {
        let heeded = host.policy.options.normalize_language && name == "accept-language";
        let (one, other) = (said(&wire.lines, name), said(&made_for.lines, name));
        assert!(heeded || one == other, "{name}: {wire:?}\n{account:?}");
    }
}

/// Nothing in the answer forbids that it is used again.
fn may_be_reused(host: &Host, wire: &Wire, account: &Account) {
    let told = Told::by_response(&account.judged, &host.policy);
    for forbidden in ["no-store", "private"] {
        assert!(!told.says(forbidden), "{forbidden}: {account:?}");
    }
    assert!(all(&account.judged, "set-cookie").next().is_none());
    assert!(varies_by(&account.judged).is_some());
    let has = |name: &str| all(&wire.lines, name).next().is_some();
    if has("authorization")
        && host.policy.authorization == Credential::NotShared
        && !host.policy.public
    {
        let permits = ["public", "s-maxage", "must-revalidate"];
        assert!(
            told.unclear || permits.iter().any(|directive| told.says(directive)),
            "{account:?}"
        );
    }
    if has("cookie") {
        assert!(host.policy.cookies != Credential::NotShared);
    }
    assert!(!has("if-match"));
    let asks = Told::by(&wire.lines);
    assert!(!(host.policy.client_directives && asks.says("no-store")));
}

/// No drop that was done before this request covers the answer.
fn was_not_dropped(host: &Host, account: &Account, serve: &Serve, how: How) {
    for drop in host
        .drops
        .iter()
        .filter(|drop| drop.event > account.born && drop.covers(account))
    {
        assert!(drop.soft, "{drop:?}\n{account:?}");
        assert!(serve.stale || how == How::StandsIn, "{drop:?}\n{account:?}");
        assert!(matches!(how, How::Found { soft: true } | How::StandsIn));
    }
}

/// The answer is fresh, or as stale as somebody allows.
fn is_fresh_enough(
    host: &Host,
    wire: &Wire,
    account: &Account,
    serve: &Serve,
    how: How,
    now: Timestamp,
) {
    let policy = &host.policy;
    let told = Told::by_response(&account.judged, policy);
    let asks = Told::by(&wire.lines);
    let asks = |directive: &str| asks.seconds(directive).filter(|_| policy.client_directives);
    let waited = now.since(account.received);
    let went_back = account.received.since(now) > Duration::from_secs(1);
    let (age, lifetime) = match policy.lifetime {
        Lifetime::Fixed(lifetime) => (waited, Some(lifetime)),
        Lifetime::Response => {
            let delay = account.received.since(account.requested).as_secs();
            let stated = stated_age(&account.dated).saturating_add(delay).min(MOST);
            let lifetime = told.lifetime(&account.judged, &account.dated, account.received, policy);
            (
                waited + Duration::from_secs(stated),
                lifetime.map(Duration::from_secs),
            )
        }
    };
    let is_found = how != How::StandsIn;
    assert!(!told.says("no-cache"), "{account:?}");
    if is_found {
        assert_eq!(asks("no-cache"), None);
        assert_ne!(asks("max-age"), Some(0));
        if let (Some(limit), None) = (asks("max-age"), asks("max-stale")) {
            assert!(serve.age <= limit);
        }
        let needed =
            asks("min-fresh").map_or(0, |seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
        assert!(needed == 0 || serve.ttl >= needed, "{serve:?}");
    }
    if !serve.stale && is_found {
        assert!(!went_back);
        assert!(
            lifetime.is_none_or(|lifetime| age < lifetime),
            "{serve:?} {account:?}"
        );
        return;
    }
    for forbidden in ["must-revalidate", "proxy-revalidate"] {
        assert!(!told.says(forbidden), "{forbidden}: {account:?}");
    }
    assert!(!(policy.is_http() && told.says("s-maxage")));
    let window = |configured: Duration, directive: &str| {
        let stated = told.seconds(directive).map(Duration::from_secs);
        if policy.is_http() {
            stated.unwrap_or(configured)
        } else if configured.is_zero() {
            stated.unwrap_or_default()
        } else {
            configured
        }
    };
    if told.unclear {
        return;
    }
    let stale_for = lifetime.map_or(Duration::ZERO, |lifetime| age.saturating_sub(lifetime));
    let allowed = if is_found {
        let takes = match asks("max-stale") {
            Some(0)
                if contains(
                    &all(&wire.lines, "cache-control")
                        .collect::<Vec<_>>()
                        .concat()
                        .to_ascii_lowercase(),
                    b"max-stale",
                ) =>
            {
                Duration::MAX
            }
            Some(seconds) => Duration::from_secs(seconds),
            None => Duration::ZERO,
        };
        takes.max(window(
            policy.stale_while_revalidate,
            "stale-while-revalidate",
        ))
    } else if policy.options.stale_on_error {
        return;
    } else {
        window(policy.stale_if_error, "stale-if-error")
    };
    assert!(
        stale_for <= allowed && !allowed.is_zero(),
        "{serve:?} {account:?}"
    );
    assert!(!went_back || allowed == Duration::MAX);
}
