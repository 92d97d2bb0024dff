//! The file of rules: what becomes of paths for which the origin's own header fields are not the last word.
//!
//! ```toml
//! [[rule]]                            # the first one that fits counts
//! path = "/products/{id:int}"
//! max_age = 300                       # seconds; without it the answer's own header fields decide
//! tags = ["product:{id}"]
//! ignore_query = ["utm_*"]
//! public = true                       # the same for everybody, whatever credentials a request has
//!
//! [[rule]]
//! path = "/account/{*rest}"
//! pass = true                         # the cache keeps out of it
//!
//! [[drop]]                            # when the origin has done it
//! methods = ["PUT", "PATCH", "DELETE"]
//! path = "/products/{id:int}"
//! tags = ["product:{id}"]
//! paths = ["/products"]
//! ```

use fast_cache_tower::{CacheLayer, Drops, Policy};
use http::Method;
use serde::Deserialize;
use std::error::Error;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Rule>,
    #[serde(default)]
    drop: Vec<Drop>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools, reason = "switches of a rule")]
struct Rule {
    path: String,
    methods: Option<Vec<String>>,
    pass: bool,
    max_age: Option<f64>,
    stale_while_revalidate: f64,
    stale_if_error: f64,
    tags: Vec<String>,
    vary: Vec<String>,
    query: Option<Vec<String>>,
    ignore_query: Vec<String>,
    public: bool,
    etag: bool,
    client_directives: bool,
    max_body_size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drop {
    path: String,
    methods: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    soft: bool,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            path: String::new(),
            methods: None,
            pass: false,
            max_age: None,
            stale_while_revalidate: 0.0,
            stale_if_error: 0.0,
            tags: Vec::new(),
            vary: Vec::new(),
            query: None,
            ignore_query: Vec::new(),
            public: false,
            etag: true,
            client_directives: true,
            max_body_size: None,
        }
    }
}

/// The layer with the rules of a file added.
///
/// # Panics
///
/// Where a tag or a path is no template, here or when the layer is put around a service.
pub(crate) fn add(mut layer: CacheLayer, text: &str) -> Result<CacheLayer, Box<dyn Error>> {
    let file: File = toml::from_str(text)?;
    for rule in &file.rule {
        let methods = rule.methods.as_deref().map(methods).transpose()?;
        let policy = rule.policy(methods.as_deref())?;
        layer = match (rule.pass, methods) {
            (true, None) => layer.pass(&rule.path),
            (true, Some(methods)) => layer.pass_for(methods, &rule.path),
            (false, None) => layer.rule(&rule.path, policy),
            (false, Some(methods)) => layer.rule_for(methods, &rule.path, policy),
        };
    }
    for drop in &file.drop {
        let methods = methods(&drop.methods)?;
        let drops = drop.tags.iter().fold(Drops::new(), |all, tag| all.tag(tag));
        let drops = drop.paths.iter().fold(drops, |all, path| all.path(path));
        let drops = if drop.soft { drops.softly() } else { drops };
        layer = layer.drops(methods, &drop.path, drops);
    }
    Ok(layer)
}

impl Rule {
    fn policy(&self, methods: Option<&[Method]>) -> Result<Policy, Box<dyn Error>> {
        let mut policy = match self.max_age {
            Some(max_age) => Policy::max_age(seconds(max_age)?),
            None => Policy::http(),
        };
        policy = policy
            .stale_while_revalidate(seconds(self.stale_while_revalidate)?)
            .stale_if_error(seconds(self.stale_if_error)?)
            .ignore_query(self.ignore_query.iter().map(String::as_str))
            .etag(self.etag)
            .client_directives(self.client_directives);
        for tag in &self.tags {
            policy = policy.tag(tag);
        }
        for name in &self.vary {
            policy = policy.vary(name);
        }
        if let Some(names) = &self.query {
            policy = policy.query(names.iter().map(String::as_str));
        }
        if let Some(bytes) = self.max_body_size {
            policy = policy.max_body_size(bytes);
        }
        if let Some(methods) = methods {
            let cached = methods.iter().filter(|method| *method != Method::HEAD);
            policy = policy.methods(cached.cloned());
        }
        Ok(if self.public { policy.public() } else { policy })
    }
}

fn seconds(number: f64) -> Result<Duration, Box<dyn Error>> {
    Ok(Duration::try_from_secs_f64(number)?)
}

fn methods(names: &[String]) -> Result<Vec<Method>, Box<dyn Error>> {
    let read = names.iter().map(|name| Method::from_bytes(name.as_bytes()));
    Ok(read.collect::<Result<_, _>>()?)
}
