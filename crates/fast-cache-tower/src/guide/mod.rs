//! Which route a request takes, and what is cached and dropped there.
//!
//! | file | what |
//! |---|---|
//! | `per_route` | a layer around one route, whose template the framework may tell |
//! | `numbers` | which rule a request falls under |
//! | `rules` | rules for a whole application, by template |

mod numbers;
mod per_route;
mod rules;

pub(crate) use per_route::{DropGuide, RouteGuide};
pub(crate) use rules::{Rule, RuleBook};

use crate::cache::Shared;
use crate::drops::Pending;
use crate::request::{Asked, Head};
use crate::route::Route;
use fast_cache_core::rules::invalidation::Target;
use http::Method;
use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

/// What a layer knows of its routes.
pub(crate) enum Guide {
    /// One cached route.
    Store(RouteGuide),
    /// One writing route.
    Drop(DropGuide),
    /// A whole application.
    Rules(RuleBook),
}

/// A layer's guide, made when the first service is: frameworks may make one for every request.
#[derive(Clone, Default)]
pub(crate) struct LazyGuide(Arc<OnceLock<Arc<Guide>>>);

impl LazyGuide {
    pub(crate) fn get(&self, make: impl FnOnce() -> Guide) -> Arc<Guide> {
        Arc::clone(self.0.get_or_init(|| Arc::new(make())))
    }
}

impl fmt::Debug for LazyGuide {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LazyGuide")
    }
}

/// What is to be done with a request.
#[derive(Default)]
pub(crate) struct Guided<'a> {
    /// Its route, if that is cached.
    pub(crate) route: Option<Cow<'a, Arc<Route>>>,
    /// Only a stored answer will do: the route does not know the method.
    pub(crate) only_stored: bool,
    /// What it drops.
    pub(crate) pending: Option<Box<Pending>>,
}

impl Guide {
    /// What is to be done with a request.
    pub(crate) fn find(&self, shared: &Shared, head: &Head<'_>) -> Guided<'_> {
        let mut guided = match self {
            Self::Store(guide) => guide.find(shared, head),
            Self::Drop(guide) => guide.find(shared, head),
            Self::Rules(rules) => rules.find(shared, head),
        };
        if shared.has_http.load(Ordering::Relaxed) && may_invalidate(head.method) {
            let lines = head.lines();
            let asked = Asked::of(head, &lines);
            let target = Target::of(&asked.request(), asked.host());
            let pending = guided.pending.get_or_insert_default();
            pending.invalidate(head.method.clone(), target);
        }
        guided
    }
}

/// Whether a request may change what it is sent to, so that the standard says what becomes invalid.
fn may_invalidate(method: &Method) -> bool {
    let method = fast_cache_core::request::Method::from_name(method.as_str());
    fast_cache_core::rules::invalidation::is_unsafe(method)
}
