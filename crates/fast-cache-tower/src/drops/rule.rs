//! Drops made ready: registered with the store, and filled from requests.

use super::{Drops, OnStatus, Path};
use crate::cache::Shared;
use crate::route::Parameters;
use fast_cache_core::purge::{Cover, Label, PathPattern, Purge};
use fast_cache_core::request::Method;
use fast_cache_core::rules::invalidation::Target;
use fast_cache_engine::drops::{Filled, invalidation};
use fast_cache_engine::observe::RouteCounters;
use http::response::Parts;
use smallvec::SmallVec;
use std::sync::Arc;

/// What a writing route drops.
pub(crate) struct DropRule {
    on: Option<OnStatus>,
    soft: bool,
    fixed: Vec<Cover>,
    filled: Vec<Filled>,
}

/// What a request will drop if it succeeds.
#[derive(Default)]
pub(crate) struct Pending {
    purges: SmallVec<[(Option<OnStatus>, Purge); 1]>,
    counters: Option<Arc<RouteCounters>>,
    /// In HTTP mode: what the request is about.
    target: Option<(http::Method, Target)>,
}

/// What was dropped, to be dropped once more when the answer has ended.
pub(crate) struct Done {
    shared: Arc<Shared>,
    purges: SmallVec<[Purge; 1]>,
}

impl DropRule {
    pub(crate) fn new(shared: &Shared, drops: Drops) -> Self {
        let mut fixed = Vec::new();
        let mut filled = Vec::new();
        let mut register = |pattern: PathPattern| {
            fixed.push(Cover::Registered(shared.store.register(pattern)));
        };
        for path in drops.paths {
            match path {
                Path::Filled(path) => filled.push(path),
                Path::Pattern(pattern) => register(pattern),
            }
        }
        drops.patterns.into_iter().for_each(register);
        for tag in drops.tags {
            match tag.fill(|_| None) {
                Some(tag) => fixed.push(Cover::Label(Label::tag(&tag))),
                None => filled.push(Filled::Tag(tag)),
            }
        }
        let routes = drops.routes.iter();
        fixed.extend(routes.map(|route| Cover::Label(shared.endpoint_label(route))));
        Self {
            on: drops.on,
            soft: drops.soft,
            fixed,
            filled,
        }
    }

    /// The drop for a request with these parameters.
    fn purge(&self, parameters: &Parameters) -> Purge {
        let mut covers = self.fixed.clone();
        for filled in &self.filled {
            let found = filled.covers(|name| parameters.get(name));
            if found.is_empty() {
                covers.push(Cover::Everything);
            }
            covers.extend(found);
        }
        Purge {
            covers,
            soft: self.soft,
        }
    }
}

impl Pending {
    /// What these rules drop for a request with these parameters.
    pub(crate) fn of(
        rules: &[DropRule],
        parameters: &Parameters,
        counters: Arc<RouteCounters>,
    ) -> Self {
        let purges = rules
            .iter()
            .map(|rule| (rule.on.clone(), rule.purge(parameters)));
        Self {
            purges: purges.collect(),
            counters: Some(counters),
            target: None,
        }
    }

    /// And what the standard says that a write to `target` makes invalid.
    pub(crate) fn invalidate(&mut self, method: http::Method, target: Target) {
        self.target = Some((method, target));
    }

    /// Drops what an answer with this head drops.
    pub(crate) fn carry_out(self, shared: &Arc<Shared>, head: &Parts) -> Option<Box<Done>> {
        let applies = |on: &Option<OnStatus>| match on {
            Some(on) => on(head.status),
            None => head.status.as_u16() < 400,
        };
        let purges = self.purges.into_iter();
        let mut purges: SmallVec<[Purge; 1]> = purges
            .filter(|(on, _)| applies(on))
            .map(|(_, purge)| purge)
            .collect();
        if let Some(counters) = self.counters.filter(|_| !purges.is_empty()) {
            counters.dropped();
        }
        if let Some((method, target)) = &self.target {
            let lines: Vec<_> = crate::kept::lines(&head.headers).collect();
            let method = Method::from_name(method.as_str());
            let status = head.status.as_u16();
            purges.extend(invalidation(target, method, status, &lines));
        }
        let done = (!purges.is_empty()).then(|| {
            Box::new(Done {
                shared: Arc::clone(shared),
                purges,
            })
        });
        done.inspect(|done| done.carry_out())
    }
}

impl Done {
    fn carry_out(&self) {
        for purge in &self.purges {
            self.shared.drop_now(purge);
        }
    }

    /// Drops once more.
    pub(crate) fn again(self) {
        drop(self);
    }

    /// Nothing was still being made when it was dropped.
    pub(crate) fn settle(mut self) {
        self.purges.clear();
    }
}

/// An answer that ends early has ended, too.
impl Drop for Done {
    fn drop(&mut self) {
        self.carry_out();
    }
}
