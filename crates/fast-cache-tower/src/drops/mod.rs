//! What writes make untrue.
//!
//! 1. A drop happens when the service has answered with a status below 400, or one that [`Drops::on`] names, before the
//!    client sees the first byte of the answer; and once more when a body that was still being made has ended.
//! 2. An answer whose handler had started before the drop is not served after it.
//! 3. An answer from the cache drops nothing: no handler ran.
//!
//! ```
//! use fast_cache_tower::{Cache, Drops};
//!
//! let cache = Cache::memory(1 << 20);
//! let layer = cache.drop_on_success().tag("user:{id}").path("/users/{id}");
//! // The same for rules by path:
//! let drops = Drops::new().tag("user:{id}").path("/users/{id}");
//! # drop((layer, drops));
//! ```

mod rule;

pub(crate) use rule::{Done, DropRule, Pending};

use crate::cache::Cache;
use crate::error::{TemplateError, written};
use crate::guide::{DropGuide, Guide, LazyGuide};
use crate::policy::template;
use crate::route::check_path;
use crate::service::CacheService;
use fast_cache_core::purge::PathPattern;
use fast_cache_core::route::Template;
use fast_cache_engine::drops::Filled;
use http::StatusCode;
use std::fmt;
use std::sync::Arc;
use tower_layer::Layer;

/// Paths that are dropped.
#[derive(Clone, Debug)]
enum Path {
    Pattern(PathPattern),
    Filled(Filled),
}

type OnStatus = Arc<dyn Fn(StatusCode) -> bool + Send + Sync>;

/// What a writing route drops.
#[derive(Clone, Default)]
#[must_use]
pub struct Drops {
    tags: Vec<Template>,
    paths: Vec<Path>,
    patterns: Vec<PathPattern>,
    routes: Vec<Box<str>>,
    soft: bool,
    on: Option<OnStatus>,
}

impl Drops {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything with this tag; `"user:{id}"` is filled from the path parameters of the writing request. Where it has no
    /// such parameter, everything is dropped: a miss is the safe side.
    ///
    /// # Panics
    ///
    /// Where [`Drops::try_tag`] fails.
    pub fn tag(self, tag: &str) -> Self {
        written(self.try_tag(tag))
    }

    /// [`Drops::tag`], for tags that come from elsewhere than code.
    ///
    /// # Errors
    ///
    /// Where a `{name:convertor}` in it names a convertor that does not exist, or a name stands twice.
    pub fn try_tag(mut self, tag: &str) -> Result<Self, TemplateError> {
        self.tags.push(template(tag)?);
        Ok(self)
    }

    /// Paths: a plain text is a prefix; in one with `*`, that stands for any run of characters; `"/users/{id}"` is filled
    /// from the path parameters of the writing request and covers that path and everything below it.
    ///
    /// # Panics
    ///
    /// Where [`Drops::try_path`] fails.
    pub fn path(self, path: &str) -> Self {
        written(self.try_path(path))
    }

    /// [`Drops::path`], for paths that come from elsewhere than code.
    ///
    /// # Errors
    ///
    /// Where a `{name:convertor}` in it names a convertor that does not exist, or a name stands twice.
    pub fn try_path(mut self, path: &str) -> Result<Self, TemplateError> {
        self.paths.push(Path::read(path)?);
        Ok(self)
    }

    /// Every path that a pattern of your own matches.
    pub fn pattern(mut self, pattern: PathPattern) -> Self {
        self.patterns.push(pattern);
        self
    }

    /// Everything that the route with this template answered.
    pub fn route(mut self, template: &str) -> Self {
        self.routes.push(template.into());
        self
    }

    /// Marks what it covers as stale instead of dropping it.
    pub fn softly(mut self) -> Self {
        self.soft = true;
        self
    }

    /// Which statuses drop, instead of those below 400.
    pub fn on(mut self, on: impl Fn(StatusCode) -> bool + Send + Sync + 'static) -> Self {
        self.on = Some(Arc::new(on));
        self
    }
}

impl Path {
    fn read(path: &str) -> Result<Self, TemplateError> {
        Ok(match (path.contains('{'), path.contains('*')) {
            (true, true) => Self::Filled(Filled::Glob(template(path)?)),
            (true, false) => Self::Filled(Filled::Subtree(template(path)?)),
            (false, true) => Self::Pattern(PathPattern::glob(path)),
            (false, false) => Self::Pattern(PathPattern::prefix(path)),
        })
    }
}

impl fmt::Debug for Drops {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Drops");
        shown.field("paths", &self.paths);
        shown.field("soft", &self.soft);
        shown.finish_non_exhaustive()
    }
}

/// A layer that drops what a route's requests make untrue, from [`Cache::drop_on_success`]. It has the methods of
/// [`Drops`].
#[derive(Clone, Debug)]
#[must_use]
pub struct DropLayer {
    cache: Cache,
    drops: Arc<Drops>,
    template: Arc<str>,
    guide: LazyGuide,
}

impl DropLayer {
    pub(crate) fn new(cache: Cache) -> Self {
        Self {
            cache,
            drops: Arc::default(),
            template: Arc::default(),
            guide: LazyGuide::default(),
        }
    }

    /// The template of the route's paths, where the framework does not tell. With axum it does.
    ///
    /// # Panics
    ///
    /// Where [`DropLayer::try_template`] fails.
    pub fn template(self, template: &str) -> Self {
        written(self.try_template(template))
    }

    /// [`DropLayer::template`], for templates that come from elsewhere than code.
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

    /// These drops instead of those that were named so far.
    pub fn drops(self, drops: Drops) -> Self {
        self.with(|_| drops)
    }

    /// [`Drops::tag`]
    ///
    /// # Panics
    ///
    /// As [`Drops::tag`] does.
    pub fn tag(self, tag: &str) -> Self {
        self.with(|drops| drops.tag(tag))
    }

    /// [`Drops::path`]
    ///
    /// # Panics
    ///
    /// As [`Drops::path`] does.
    pub fn path(self, path: &str) -> Self {
        self.with(|drops| drops.path(path))
    }

    /// [`Drops::pattern`]
    pub fn pattern(self, pattern: PathPattern) -> Self {
        self.with(|drops| drops.pattern(pattern))
    }

    /// [`Drops::route`]
    pub fn route(self, template: &str) -> Self {
        self.with(|drops| drops.route(template))
    }

    /// [`Drops::softly`]
    pub fn softly(self) -> Self {
        self.with(Drops::softly)
    }

    /// [`Drops::on`]
    pub fn on(self, on: impl Fn(StatusCode) -> bool + Send + Sync + 'static) -> Self {
        self.with(|drops| drops.on(on))
    }

    fn with(mut self, change: impl FnOnce(Drops) -> Drops) -> Self {
        self.drops = Arc::new(change(Arc::unwrap_or_clone(self.drops)));
        self.guide = LazyGuide::default();
        self
    }
}

impl<S> Layer<S> for DropLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let guide = self.guide.get(|| {
            let rule = DropRule::new(&self.cache.shared, (*self.drops).clone());
            Guide::Drop(DropGuide::new(vec![rule], &self.template))
        });
        CacheService::new(inner, self.cache.clone(), guide)
    }
}
