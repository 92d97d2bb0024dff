//! A layer around one route.

use crate::cache::Cache;
use crate::error::{TemplateError, written};
use crate::explanation::Explanation;
use crate::guide::{Guide, LazyGuide, RouteGuide};
use crate::policy::Policy;
use crate::route::check_path;
use crate::service::CacheService;
use http::Request;
use http_body::Body;
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
    ///
    /// # Panics
    ///
    /// Where [`StoreLayer::try_template`] fails.
    pub fn template(self, template: &str) -> Self {
        written(self.try_template(template))
    }

    /// [`StoreLayer::template`], for templates that come from elsewhere than code.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn try_template(mut self, template: &str) -> Result<Self, TemplateError> {
        check_path(template)?;
        self.template = template.into();
        self.guide = LazyGuide::default();
        Ok(self)
    }

    /// What would be done with a request, and why. Where the framework tells templates, it does so only to requests that
    /// it has routed.
    pub fn explain<A: Body>(&self, request: &Request<A>) -> Explanation {
        Explanation::of(&self.cache.shared, &self.guide(), request)
    }

    fn guide(&self) -> Arc<Guide> {
        self.guide.get(|| {
            let (shared, policy) = (&self.cache.shared, (*self.policy).clone());
            Guide::Store(RouteGuide::new(shared, policy, &self.template))
        })
    }
}

impl<S> Layer<S> for StoreLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CacheService::new(inner, self.cache.clone(), self.guide())
    }
}
