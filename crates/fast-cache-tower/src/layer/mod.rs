//! The layers: around one route, or with rules for a whole application.
//!
//! 1. [`StoreLayer`] answers the requests of one route, or of several if the framework tells their templates.
//! 2. [`CacheLayer`] has rules by template, and may take everything else in HTTP mode. Alone it caches nothing.
//! 3. Once some route of the cache is in HTTP mode, a write that passes through any layer of the cache drops what the
//!    standard says ([RFC 9111 §4.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.4)). For routes that have no layer,
//!    put a [`CacheLayer`] without rules around the application.
//!
//! A hit skips everything inside the layer: put authentication outside of it.
//!
//! ```
//! use bytes::Bytes;
//! use fast_cache_tower::{Cache, CacheLayer, CacheOutcome, Outcome, Policy};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use std::{convert::Infallible, time::Duration};
//! use tower::{Layer, Service, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = CacheLayer::new(Cache::memory(1 << 20))
//!     .pass("/users/me")
//!     .rule("/users/{id}", Policy::max_age(Duration::from_secs(60)));
//! let mut service = layer.layer(service_fn(|_: Request<Full<Bytes>>| async {
//!     Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("hello"))))
//! }));
//! for expected in [Outcome::Miss, Outcome::Hit] {
//!     let request = Request::get("/users/7").body(Full::default())?;
//!     let response = service.ready().await?.call(request).await?;
//!     let said = response.extensions().get::<CacheOutcome>().copied();
//!     assert_eq!(said.map(|said| said.outcome()), Some(expected));
//!     // A client asks again once it has read the body.
//!     http_body_util::BodyExt::collect(response).await?;
//! }
//! # Ok(())
//! # }
//! ```

use crate::cache::Cache;
use crate::drops::Drops;
use crate::guide::{Guide, LazyGuide, RouteGuide, Rule, RuleBook};
use crate::policy::Policy;
use crate::service::CacheService;
use http::Method;
use std::sync::Arc;
use tower_layer::Layer;

/// A layer that answers the requests of a route from the cache, from [`Cache::store`].
#[derive(Clone, Debug)]
#[must_use]
pub struct StoreLayer {
    cache: Cache,
    policy: Arc<Policy>,
    template: Arc<str>,
    guide: LazyGuide,
}

impl StoreLayer {
    pub(crate) fn new(cache: Cache, policy: Policy) -> Self {
        Self {
            cache,
            policy: Arc::new(policy),
            template: Arc::default(),
            guide: LazyGuide::default(),
        }
    }

    /// The template of the route's paths, where the framework does not tell: from it come the values for `{id}` in tags.
    /// With axum it tells.
    pub fn template(mut self, template: &str) -> Self {
        self.template = template.into();
        self.guide = LazyGuide::default();
        self
    }
}

impl<S> Layer<S> for StoreLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let guide = self.guide.get(|| {
            let (shared, policy) = (&self.cache.shared, (*self.policy).clone());
            Guide::Store(RouteGuide::new(shared, policy, &self.template))
        });
        CacheService::new(inner, self.cache.clone(), guide)
    }
}

/// A layer with rules for a whole application.
///
/// Rules are for methods and a template; the first one that fits a request is its rule. `{id}` stands for one segment,
/// `{id:int}` for digits, `{*rest}` for everything that follows.
#[derive(Clone, Debug)]
#[must_use]
pub struct CacheLayer {
    cache: Cache,
    rules: Arc<Vec<Rule>>,
    rest: Option<Arc<Policy>>,
    head_from_get: bool,
    guide: LazyGuide,
}

impl CacheLayer {
    /// No rules yet.
    pub fn new(cache: Cache) -> Self {
        Self {
            cache,
            rules: Arc::default(),
            rest: None,
            head_from_get: false,
            guide: LazyGuide::default(),
        }
    }

    /// `GET` and `HEAD` of these paths are answered as `policy` says.
    ///
    /// # Panics
    ///
    /// When a service is made, where the template cannot be read.
    pub fn rule(self, template: &str, policy: Policy) -> Self {
        self.rule_for([Method::GET, Method::HEAD], template, policy)
    }

    /// These methods of these paths are answered as `policy` says. Those that the policy does not cache are passed on, and
    /// that is said in `X-Cache-Status`.
    ///
    /// # Panics
    ///
    /// When a service is made, where the template cannot be read.
    pub fn rule_for(
        self,
        methods: impl IntoIterator<Item = Method>,
        template: &str,
        policy: Policy,
    ) -> Self {
        let methods = methods.into_iter().collect();
        self.with(Rule::Store(methods, template.into(), Box::new(policy)))
    }

    /// The cache has nothing to do with these paths.
    ///
    /// # Panics
    ///
    /// When a service is made, where the template cannot be read.
    pub fn pass(self, template: &str) -> Self {
        self.with(Rule::Pass(None, template.into()))
    }

    /// The cache has nothing to do with these methods of these paths.
    ///
    /// # Panics
    ///
    /// When a service is made, where the template cannot be read.
    pub fn pass_for(self, methods: impl IntoIterator<Item = Method>, template: &str) -> Self {
        let methods = methods.into_iter().collect();
        self.with(Rule::Pass(Some(methods), template.into()))
    }

    /// These methods of these paths drop something when they succeed. Rules for the same methods and template add up.
    ///
    /// # Panics
    ///
    /// When a service is made, where the template cannot be read.
    pub fn drops(
        self,
        methods: impl IntoIterator<Item = Method>,
        template: &str,
        drops: Drops,
    ) -> Self {
        let methods = methods.into_iter().collect();
        self.with(Rule::Drop(methods, template.into(), drops))
    }

    /// What no rule names is cached as well; [`Policy::http`] is what this is for.
    pub fn everything_else(mut self, policy: Policy) -> Self {
        self.rest = Some(Arc::new(policy));
        self.guide = LazyGuide::default();
        self
    }

    /// Answers `HEAD` from a stored `GET` also where no rule names `HEAD`.
    pub fn head_from_get(mut self) -> Self {
        self.head_from_get = true;
        self.guide = LazyGuide::default();
        self
    }

    fn with(mut self, rule: Rule) -> Self {
        Arc::make_mut(&mut self.rules).push(rule);
        self.guide = LazyGuide::default();
        self
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let guide = self.guide.get(|| {
            let (shared, rest) = (&self.cache.shared, self.rest.as_deref());
            Guide::Rules(RuleBook::new(shared, &self.rules, rest, self.head_from_get))
        });
        CacheService::new(inner, self.cache.clone(), guide)
    }
}
