//! A layer around one route, or around several whose templates the framework tells.

use super::{Guided, told_template};
use crate::cache::Shared;
use crate::drops::{DropRule, Pending};
use crate::policy::Policy;
use crate::route::{PathTemplate, Route};
use http::Uri;
use http::request::Parts;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// What is made once for each template.
struct ByTemplate<T> {
    /// For the template that was given, or none.
    own: Arc<T>,
    is_given: bool,
    told: RwLock<HashMap<Box<str>, Arc<T>>>,
}

impl<T> ByTemplate<T> {
    fn new(own: T, is_given: bool) -> Self {
        Self {
            own: Arc::new(own),
            is_given,
            told: RwLock::new(HashMap::new()),
        }
    }

    fn get(&self, parts: &Parts, make: impl FnOnce(&str) -> T) -> Arc<T> {
        let Some(template) = told_template(parts).filter(|_| !self.is_given) else {
            return Arc::clone(&self.own);
        };
        if let Some(known) = self.told.read().get(template) {
            return Arc::clone(known);
        }
        let mut all = self.told.write();
        let one = all
            .entry(template.into())
            .or_insert_with(|| Arc::new(make(template)));
        Arc::clone(one)
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

    pub(super) fn find(&self, shared: &Shared, parts: &Parts) -> Guided {
        let make = |template: &str| Route::new(shared, template, self.policy.clone());
        Guided {
            route: Some(self.routes.get(parts, make)),
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

    pub(super) fn find(&self, shared: &Shared, parts: &Parts, uri: &Uri) -> Guided {
        let template = self.templates.get(parts, PathTemplate::new);
        let parameters = template.parameters(uri.path());
        let counters = shared.counters_of(&template.text);
        Guided {
            pending: Pending::of(&self.rules, &parameters, counters),
            ..Guided::default()
        }
    }
}
