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
use crate::request::Asked;
use crate::route::Route;
use fast_cache_core::rules::invalidation::Target;
use http::request::Parts;
use http::{Method, Uri};
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
pub(crate) struct Guided {
    /// Its route, if that is cached.
    pub(crate) route: Option<Arc<Route>>,
    /// Only a stored answer will do: the route does not know the method.
    pub(crate) only_stored: bool,
    /// What it drops.
    pub(crate) pending: Pending,
}

impl Guide {
    /// What is to be done with a request. `uri` is its URI as the client wrote it.
    pub(crate) fn find(&self, shared: &Shared, parts: &Parts, uri: &Uri) -> Guided {
        let mut guided = match self {
            Self::Store(guide) => guide.find(shared, parts),
            Self::Drop(guide) => guide.find(shared, parts, uri),
            Self::Rules(rules) => rules.find(shared, parts, uri),
        };
        if shared.has_http.load(Ordering::Relaxed) && may_invalidate(&parts.method) {
            let asked = Asked::of(parts, uri);
            let target = Target::of(&asked.request(), asked.host());
            guided.pending.invalidate(parts.method.clone(), target);
        }
        guided
    }
}

/// The URI of a request as the client wrote it: routers may have cut off a prefix since.
pub(crate) fn original_uri(parts: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(uri) = crate::axum::original_uri(parts) {
        return uri;
    }
    &parts.uri
}

/// The template of the request's route, where the framework tells.
pub(crate) fn told_template(parts: &Parts) -> Option<&str> {
    #[cfg(feature = "axum")]
    return crate::axum::template(parts);
    #[cfg(not(feature = "axum"))]
    {
        let _ = parts;
        None
    }
}

/// Whether a request may change what it is sent to, so that the standard says what becomes invalid.
fn may_invalidate(method: &Method) -> bool {
    let method = fast_cache_core::request::Method::from_name(method.as_str());
    fast_cache_core::rules::invalidation::is_unsafe(method)
}
