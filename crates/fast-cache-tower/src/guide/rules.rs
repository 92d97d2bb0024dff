//! Rules for a whole application.

use super::Guided;
use super::numbers::{Numbers, NumbersBuilder};
use crate::cache::Shared;
use crate::drops::{DropRule, Drops, Pending};
use crate::policy::Policy;
use crate::request::Head;
use crate::route::{PathTemplate, Route};
use http::Method;
use std::borrow::Cow;
use std::sync::Arc;

/// A rule as it was written.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// These requests are cached.
    Store(Vec<Method>, Box<str>, Box<Policy>),
    /// The cache has nothing to do with these requests.
    Pass(Option<Vec<Method>>, Box<str>),
    /// These requests drop.
    Drop(Vec<Method>, Box<str>, Drops),
}

/// Rules, made ready.
pub(crate) struct RuleBook {
    stores: Numbers,
    /// By those numbers; `None` where the cache has nothing to do with it.
    routes: Vec<Option<Arc<Route>>>,
    drops: Numbers,
    dropping: Vec<Dropping>,
    rest: Option<Arc<Route>>,
    head_from_get: bool,
}

struct Dropping {
    methods: Vec<Method>,
    template: PathTemplate,
    rules: Vec<DropRule>,
}

impl RuleBook {
    /// # Panics
    ///
    /// Where a template cannot be read, or more than 63 different methods are named.
    pub(crate) fn new(
        shared: &Shared,
        rules: &[Rule],
        rest: Option<&Policy>,
        head_from_get: bool,
    ) -> Self {
        let mut stores = NumbersBuilder::new();
        let (mut routes, mut dropping) = (Vec::new(), Vec::<Dropping>::new());
        for rule in rules {
            let (methods, template, route) = match rule {
                Rule::Store(methods, template, policy) => {
                    let route = Route::new(shared, template, (**policy).clone());
                    (Some(methods), template, Some(Arc::new(route)))
                }
                Rule::Pass(methods, template) => (methods.as_ref(), template, None),
                Rule::Drop(methods, template, drops) => {
                    add_drop(&mut dropping, shared, methods, template, drops);
                    continue;
                }
            };
            stores.add(methods.map(Vec::as_slice), template);
            routes.push(route);
        }
        let mut drops = NumbersBuilder::new();
        for one in &dropping {
            drops.add(Some(&one.methods), &one.template.text);
        }
        let rest = rest.map(|policy| Arc::new(Route::new(shared, "", policy.clone())));
        Self {
            stores: stores.build(),
            routes,
            drops: drops.build(),
            dropping,
            rest,
            head_from_get,
        }
    }

    pub(super) fn find(&self, shared: &Shared, head: &Head<'_>) -> Guided<'_> {
        let (method, told) = (head.method, head.told_template());
        let path = || head.uri().path();
        let mut pending = None;
        if let Some(number) = self.drops.find(method, path, told)
            && let Some(one) = self.dropping.get(number)
        {
            let parameters = one.template.parameters(path());
            let counters = shared.counters_of(&one.template.text);
            pending = Some(Box::new(Pending::of(&one.rules, &parameters, counters)));
        }
        let mut number = self.stores.find(method, path, told);
        let mut only_stored = false;
        if number.is_none() && self.head_from_get && *method == Method::HEAD {
            number = self.stores.find(&Method::GET, path, told);
            only_stored = true;
        }
        let rest = || {
            let rest = self.rest.as_ref();
            rest.filter(|route| route.plan.caches(method))
        };
        let route = match number {
            Some(number) => self.routes.get(number).and_then(Option::as_ref),
            None => rest(),
        };
        Guided {
            only_stored: only_stored && route.is_some(),
            route: route.map(Cow::Borrowed),
            pending,
        }
    }
}

fn add_drop(
    dropping: &mut Vec<Dropping>,
    shared: &Shared,
    methods: &[Method],
    template: &str,
    drops: &Drops,
) {
    let rule = DropRule::new(shared, drops.clone());
    let same = |one: &&mut Dropping| *one.template.text == *template && one.methods == methods;
    match dropping.iter_mut().find(same) {
        Some(one) => one.rules.push(rule),
        None => dropping.push(Dropping {
            methods: methods.to_vec(),
            template: PathTemplate::new(template),
            rules: vec![rule],
        }),
    }
}
