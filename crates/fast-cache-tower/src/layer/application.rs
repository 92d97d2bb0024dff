//! Rules for a whole application.

use crate::cache::Cache;
use crate::drops::Drops;
use crate::error::{TemplateError, written};
use crate::explanation::Explanation;
use crate::guide::{Guide, LazyGuide, Rule, RuleBook};
use crate::policy::Policy;
use crate::route::check_path;
use crate::service::CacheService;
use http::{Method, Request};
use http_body::Body;
use std::sync::Arc;
use tower_layer::Layer;

/// A layer with rules for a whole application.
///
/// Rules are for methods and a template; the first one that fits a request is its rule. `{id}` stands for one segment,
/// `{id:int}` for digits, `{*rest}` for everything that follows.
///
/// A service cannot be made, and that panics, where rules name more than 63 different methods in all.
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
    /// Where [`CacheLayer::try_rule`] fails.
    pub fn rule(self, template: &str, policy: Policy) -> Self {
        written(self.try_rule(template, policy))
    }

    /// [`CacheLayer::rule`], for templates that come from elsewhere than code.
    ///
    /// # Errors
    ///
    /// Where the template cannot be read.
    pub fn try_rule(self, template: &str, policy: Policy) -> Result<Self, TemplateError> {
        self.try_rule_for([Method::GET, Method::HEAD], template, policy)
    }

    /// These methods of these paths are answered as `policy` says. Those that the policy does not cache are passed on, and
    /// that is said in `X-Cache-Status`.
    ///
    /// # Panics
    ///
    /// Where [`CacheLayer::try_rule_for`] fails.
    pub fn rule_for(
        self,
        methods: impl IntoIterator<Item = Method>,
        template: &str,
        policy: Policy,
    ) -> Self {
        written(self.try_rule_for(methods, template, policy))
    }

    /// [`CacheLayer::rule_for`], for templates that come from elsewhere than code.
    ///
    /// # Errors
    ///
    /// Where the template cannot be read.
    pub fn try_rule_for(
        self,
        methods: impl IntoIterator<Item = Method>,
        template: &str,
        policy: Policy,
    ) -> Result<Self, TemplateError> {
        let methods = methods.into_iter().collect();
        self.with(template, |template| {
            Rule::Store(methods, template, Box::new(policy))
        })
    }

    /// The cache has nothing to do with these paths.
    ///
    /// # Panics
    ///
    /// Where [`CacheLayer::try_pass`] fails.
    pub fn pass(self, template: &str) -> Self {
        written(self.try_pass(template))
    }

    /// [`CacheLayer::pass`], for templates that come from elsewhere than code.
    ///
    /// # Errors
    ///
    /// Where the template cannot be read.
    pub fn try_pass(self, template: &str) -> Result<Self, TemplateError> {
        self.with(template, |template| Rule::Pass(None, template))
    }

    /// The cache has nothing to do with these methods of these paths.
    ///
    /// # Panics
    ///
    /// Where [`CacheLayer::try_pass_for`] fails.
    pub fn pass_for(self, methods: impl IntoIterator<Item = Method>, template: &str) -> Self {
        written(self.try_pass_for(methods, template))
    }

    /// [`CacheLayer::pass_for`], for templates that come from elsewhere than code.
    ///
    /// # Errors
    ///
    /// Where the template cannot be read.
    pub fn try_pass_for(
        self,
        methods: impl IntoIterator<Item = Method>,
        template: &str,
    ) -> Result<Self, TemplateError> {
        let methods = methods.into_iter().collect();
        self.with(template, |template| Rule::Pass(Some(methods), template))
    }

    /// These methods of these paths drop something when they succeed. Rules for the same methods and template add up.
    ///
    /// # Panics
    ///
    /// Where [`CacheLayer::try_drops`] fails.
    pub fn drops(
        self,
        methods: impl IntoIterator<Item = Method>,
        template: &str,
        drops: Drops,
    ) -> Self {
        written(self.try_drops(methods, template, drops))
    }

    /// [`CacheLayer::drops`], for templates that come from elsewhere than code.
    ///
    /// # Errors
    ///
    /// Where the template cannot be read.
    pub fn try_drops(
        self,
        methods: impl IntoIterator<Item = Method>,
        template: &str,
        drops: Drops,
    ) -> Result<Self, TemplateError> {
        let methods = methods.into_iter().collect();
        self.with(template, |template| Rule::Drop(methods, template, drops))
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

    /// What would be done with a request, and why.
    pub fn explain<A: Body>(&self, request: &Request<A>) -> Explanation {
        Explanation::of(&self.cache.shared, &self.guide(), request)
    }

    fn guide(&self) -> Arc<Guide> {
        self.guide.get(|| {
            let (shared, rest) = (&self.cache.shared, self.rest.as_deref());
            Guide::Rules(RuleBook::new(shared, &self.rules, rest, self.head_from_get))
        })
    }

    fn with(
        mut self,
        template: &str,
        rule: impl FnOnce(Box<str>) -> Rule,
    ) -> Result<Self, TemplateError> {
        check_path(template)?;
        Arc::make_mut(&mut self.rules).push(rule(template.into()));
        self.guide = LazyGuide::default();
        Ok(self)
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CacheService::new(inner, self.cache.clone(), self.guide())
    }
}
