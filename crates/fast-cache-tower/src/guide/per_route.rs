//! A layer around one route, or around several whose templates the framework tells.

use super::Guided;
use crate::cache::Shared;
use crate::drops::{DropRule, Pending};
use crate::policy::Policy;
use crate::request::Head;
use crate::route::{PathTemplate, Route};
use parking_lot::RwLock;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// What is made once for each template.
struct ByTemplate<T> {
    /// For the template that was given, or none.
    own: Arc<T>,
    is_given: bool,
    /// For the template that was told first: mostly there is no other.
    first: OnceLock<(Box<str>, Arc<T>)>,
    told: RwLock<HashMap<Box<str>, Arc<T>>>,
}

impl<T> ByTemplate<T> {
    fn new(own: T, is_given: bool) -> Self {
        Self {
            own: Arc::new(own),
            is_given,
            first: OnceLock::new(),
            told: RwLock::new(HashMap::new()),
        }
    }

    #[inline]
    fn get(&self, head: &Head<'_>, make: impl Fn(&str) -> T) -> Cow<'_, Arc<T>> {
        let Some(template) = head.told_template().filter(|_| !self.is_given) else {
            return Cow::Borrowed(&self.own);
        };
        let make = |template: &str| Arc::new(make(template));
        let (first, one) = self.first.get_or_init(|| (template.into(), make(template)));
        if **first == *template {
            return Cow::Borrowed(one);
        }
        if let Some(known) = self.told.read().get(template) {
            return Cow::Owned(Arc::clone(known));
        }
        let mut all = self.told.write();
        let one = all.entry(template.into()).or_insert_with(|| make(template));
        Cow::Owned(Arc::clone(one))
    }
}

/// One cached route.
pub(crate) struct RouteGuide {
    policy: Policy,
    routes: ByTemplate<Route>,
}

impl RouteGuide {
    pub(crate) fn new(shared: &Shared, policy: Policy, template: &str) -> Self {
        let route = Route::new(shared, template, policy.clone());
        Self {
            policy,
            routes: ByTemplate::new(route, !template.is_empty()),
        }
    }

    #[inline]
    pub(super) fn find(&self, shared: &Shared, head: &Head<'_>) -> Guided<'_> {
        let make = |template: &str| Route::new(shared, template, self.policy.clone());
        Guided {
            route: Some(self.routes.get(head, make)),
            ..Guided::default()
        }
    }
}

/// One writing route.
pub(crate) struct DropGuide {
    rules: Vec<DropRule>,
    templates: ByTemplate<PathTemplate>,
}

impl DropGuide {
    pub(crate) fn new(rules: Vec<DropRule>, template: &str) -> Self {
        let own = PathTemplate::new(template);
        Self {
            rules,
            templates: ByTemplate::new(own, !template.is_empty()),
        }
    }

    pub(super) fn find(&self, shared: &Shared, head: &Head<'_>) -> Guided<'_> {
        let template = self.templates.get(head, PathTemplate::new);
        let parameters = template.parameters(head.uri().path());
        let counters = shared.counters_of(&template.text);
        let pending = Pending::of(&self.rules, &parameters, counters);
        Guided {
            pending: Some(Box::new(pending)),
            ..Guided::default()
        }
    }
}
