//! A policy as the core reads it.

use super::{KeyFunction, Policy, Reads, Waits};
use fast_cache_core::key::inputs::Inputs;
use fast_cache_core::policy::declared::{Declared, KeyPlan, key_plan};
use fast_cache_core::policy::{self, Canonical, HttpOptions, Lifetime, Statuses};
use fast_cache_core::route::Template;
use http::Method;
use std::time::Duration;

/// What a policy comes to, whatever the route.
pub(crate) struct Plan {
    pub(crate) policy: policy::Policy,
    pub(crate) inputs: Inputs,
    pub(crate) tags: Vec<Template>,
    pub(crate) methods: Vec<Method>,
    pub(crate) strict: bool,
    pub(crate) key: Option<KeyFunction>,
}

impl Plan {
    /// The plan of a policy, for a route whose template says of some parameters how they are written. `follower_timeout` is
    /// the cache's own.
    pub(crate) fn of(
        policy: Policy,
        mut canonical: Vec<(Box<str>, Canonical)>,
        follower_timeout: Option<Duration>,
    ) -> Self {
        let is_http = policy.is_http();
        let any = if is_http {
            Statuses::FINAL
        } else {
            Statuses::default()
        };
        canonical.extend(policy.canonical);
        let mut declared = Declared {
            raw: true,
            all_headers: true,
            vary_headers: policy.vary,
            vary_cookies: policy.vary_cookies,
            query_only: policy.query,
            query_ignore: policy.ignore_query,
            undeclared_headers: policy.undeclared,
            public: policy.public,
            custom_key: policy.key.is_some(),
            strict: policy.strict,
            http_mode: is_http,
            ..Declared::default()
        };
        let reads_body = policy.reads.as_ref().is_some_and(Reads::reads_body);
        if let Some(reads) = policy.reads {
            reads.declare(&mut declared);
        }
        let KeyPlan {
            inputs,
            authorization,
            cookies,
        } = key_plan(declared);
        Self {
            policy: policy::Policy {
                lifetime: policy.max_age.map_or(Lifetime::Response, Lifetime::Fixed),
                stale_while_revalidate: policy.stale_while_revalidate,
                stale_if_error: policy.stale_if_error,
                early_refresh: policy.early_refresh,
                jitter: policy.jitter,
                follower_timeout: match policy.waits {
                    Waits::AsTheCache => follower_timeout,
                    Waits::Never => None,
                    Waits::UpTo(timeout) => Some(timeout),
                },
                public: policy.public,
                etag: policy.etag,
                client_directives: policy.client_directives,
                authorization,
                cookies,
                reads_body,
                statuses: policy.statuses.unwrap_or(any),
                max_body_size: policy.max_body_size,
                canonical: canonical.into(),
                options: if is_http {
                    policy.options
                } else {
                    HttpOptions::default()
                },
            },
            inputs,
            tags: policy.tags,
            methods: policy.methods,
            strict: policy.strict,
            key: policy.key,
        }
    }

    /// Whether a request with this method may be answered from the cache.
    pub(crate) fn caches(&self, method: &Method) -> bool {
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        self.methods.contains(method)
    }
}
