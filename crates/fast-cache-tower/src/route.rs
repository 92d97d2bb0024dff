//! A route: where a policy meets a template.

use crate::cache::Shared;
use crate::error::TemplateError;
use crate::policy::{Plan, Policy};
use crate::request::decoded;
use fast_cache_core::key::{Identity, Selecting};
use fast_cache_core::policy::Canonical;
use fast_cache_core::purge::Label;
use fast_cache_core::route::{Convertor, Resolution, Table, TableBuilder, parse_template};
use fast_cache_engine::observe::RouteCounters;
use http::Method;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A cached route.
pub(crate) struct Route {
    pub(crate) plan: Plan,
    pub(crate) endpoint: Label,
    pub(crate) counters: Arc<RouteCounters>,
    pub(crate) template: PathTemplate,
    identities: Vec<(Method, Identity)>,
}

/// The template of a route's paths, which may be unknown.
pub(crate) struct PathTemplate {
    pub(crate) text: Box<str>,
    table: Option<Table>,
}

/// The parameters of a path.
#[derive(Debug, Default)]
pub(crate) struct Parameters(SmallVec<[(Box<str>, String); 2]>);

impl Route {
    /// The route with this template; an empty one is not known.
    pub(crate) fn new(shared: &Shared, template: &str, policy: Policy) -> Self {
        if policy.is_http() {
            shared.has_http.store(true, Ordering::Relaxed);
        }
        let plan = Plan::of(policy, canonical(template), shared.follower_timeout);
        let identity = |method: &Method| {
            let (namespace, inputs) = (&shared.namespace, &plan.inputs);
            let identity = Identity::of_route(namespace, method.as_str(), "", template, inputs);
            (method.clone(), identity)
        };
        Self {
            identities: plan.methods.iter().map(identity).collect(),
            endpoint: shared.endpoint_label(template),
            counters: shared.counters_of(template),
            template: PathTemplate::new(template),
            plan,
        }
    }

    /// The identity for keys of this method; `HEAD` is answered from `GET`.
    pub(crate) fn identity(&self, method: &Method) -> Option<&Identity> {
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let mut identities = self.identities.iter();
        identities
            .find(|(known, _)| known == method)
            .map(|(_, identity)| identity)
    }

    /// How a request with these lines selects among variants.
    pub(crate) fn selecting<'a>(
        &self,
        lines: &'a [fast_cache_core::fields::Line<'a>],
    ) -> Selecting<'a> {
        Selecting {
            lines,
            normalize_language: self.plan.policy.options.normalize_language,
        }
    }
}

impl PathTemplate {
    pub(crate) fn new(template: &str) -> Self {
        let mut builder = TableBuilder::new();
        let known = !template.is_empty()
            && builder
                .route(&as_starlette_writes(template), None, 0)
                .is_ok();
        Self {
            text: template.into(),
            table: known.then(|| builder.build()),
        }
    }

    /// The parameters of a path, as it stands on the wire; none where it does not fit.
    pub(crate) fn parameters(&self, path: &str) -> Parameters {
        let resolution = self.table.as_ref().map(|table| table.resolve("", path));
        let Some(Resolution::Route(matched)) = resolution else {
            return Parameters::default();
        };
        let captures = matched.captures.iter();
        let parameters = captures.map(|(parameter, value)| {
            let value = decoded(value).into_owned();
            (parameter.name.clone(), value)
        });
        Parameters(parameters.collect())
    }
}

impl Parameters {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut parameters = self.0.iter();
        parameters
            .find(|(known, _)| &**known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Whether the template of a path can be read; an empty one stands for none.
pub(crate) fn check_path(template: &str) -> Result<(), TemplateError> {
    let mut builder = TableBuilder::new();
    builder
        .route(&as_starlette_writes(template), None, 0)
        .map_err(|error| TemplateError::new(template, error))
}

/// Parameters of which the template says how they are written.
fn canonical(template: &str) -> Vec<(Box<str>, Canonical)> {
    let Ok(template) = parse_template(&as_starlette_writes(template)) else {
        return Vec::new();
    };
    let kind = |convertor: Convertor| match convertor {
        Convertor::Int => Some(Canonical::Integer),
        Convertor::Uuid => Some(Canonical::Uuid),
        _ => None,
    };
    template
        .parameters()
        .filter_map(|parameter| Some((parameter.name.clone(), kind(parameter.convertor)?)))
        .collect()
}

/// `{*rest}` is what the core writes as `{rest:path}`.
pub(crate) fn as_starlette_writes(template: &str) -> Cow<'_, str> {
    let Some((before, rest)) = template.split_once("{*") else {
        return Cow::Borrowed(template);
    };
    match rest.split_once('}') {
        Some((name, after)) => Cow::Owned(format!("{before}{{{name}:path}}{after}")),
        None => Cow::Borrowed(template),
    }
}

#[cfg(test)]
mod tests {
    use super::PathTemplate;

    #[test]
    fn parameters_are_cut_out_of_the_path_on_the_wire() {
        let template = PathTemplate::new("/users/{id}/{*rest}");
        let parameters = template.parameters("/users/a%2Fb/x/y%20z");
        assert_eq!(parameters.get("id"), Some("a/b"));
        assert_eq!(parameters.get("rest"), Some("x/y z"));
        assert_eq!(parameters.get("other"), None);
        assert_eq!(template.parameters("/other").get("id"), None);
    }
}
