//! Keys of responses that answer several queries, as `No-Vary-Search` says
//! ([draft-ietf-httpbis-no-vary-search](https://datatracker.ietf.org/doc/draft-ietf-httpbis-no-vary-search/)).

use super::build::build_key;
use super::encode::push_part;
use super::inputs::Inputs;
use super::{Identity, Key, Secret};
use crate::fields::no_vary_search::SearchVariance;
use crate::request::Request;

const SEARCH: u8 = 3;
const RULES: u8 = 4;

/// What the keys of one request are made of.
#[derive(Clone, Copy, Debug)]
pub struct Searched<'a> {
    /// The route.
    pub identity: &'a Identity,
    /// What joins its keys.
    pub inputs: &'a Inputs,
    /// The store's secret.
    pub secret: &'a Secret,
    /// The request.
    pub request: &'a Request<'a>,
    /// The value of its `Host`.
    pub host: Option<&'a [u8]>,
}

impl Searched<'_> {
    /// The key of the responses that answer this request and every other one whose query is the same by `variance`.
    pub fn key(&self, variance: &SearchVariance) -> Key {
        let (mut rule, mut query) = (Vec::new(), Vec::new());
        variance.encode(&mut rule);
        variance.normalised(self.request.query, &mut query);
        self.prefixed(SEARCH, &rule, &query)
    }

    /// The key of the rules by which responses for this path tell queries apart.
    pub fn rules_key(&self) -> Key {
        self.prefixed(RULES, b"", b"")
    }

    fn prefixed(&self, kind: u8, rule: &[u8], query: &[u8]) -> Key {
        let request = Request {
            query,
            ..*self.request
        };
        let mut primary = Vec::with_capacity(128);
        build_key(
            self.identity,
            self.inputs,
            self.secret,
            &request,
            self.host,
            &mut primary,
        );
        let mut bytes = Vec::with_capacity(primary.len() + rule.len() + 4);
        bytes.push(kind);
        push_part(&mut bytes, rule);
        bytes.extend_from_slice(&primary);
        let digest = self.secret.digest(&bytes);
        Key::new(digest, bytes.into_boxed_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::Searched;
    use crate::fields::Line;
    use crate::fields::no_vary_search::SearchVariance;
    use crate::key::inputs::Inputs;
    use crate::key::{Identity, Secret};
    use crate::request::{Method, Request};

    fn variance(value: &str) -> SearchVariance {
        SearchVariance::parse(&[Line::new(b"no-vary-search", value.as_bytes())])
    }

    #[test]
    fn queries_that_a_rule_takes_for_one_have_one_key() {
        let inputs = Inputs::default();
        let identity = Identity::of_route("", "GET", "", "/a", &inputs);
        let secret = Secret::from_bytes(&[7; 48]);
        let keys = |path: &str, query: &str, rule: &str| {
            let request = Request {
                method: Method::Get,
                scheme: b"http",
                path,
                raw_path: None,
                root_path: "",
                query: query.as_bytes(),
                lines: &[],
            };
            let searched = Searched {
                identity: &identity,
                inputs: &inputs,
                secret: &secret,
                request: &request,
                host: Some(b"a"),
            };
            (searched.key(&variance(rule)), searched.rules_key())
        };
        let rule = "params=(\"utm\")";
        let (one, rules) = keys("/a", "x=1&utm=2", rule);
        assert_eq!((one.clone(), rules.clone()), keys("/a", "utm=3&x=1", rule));
        assert_ne!(one, keys("/a", "x=2&utm=2", rule).0);
        assert_ne!(one, keys("/a", "x=1&utm=2", "params").0);
        assert_ne!(one, keys("/b", "x=1&utm=2", rule).0);
        assert_ne!(rules, keys("/b", "x=1", rule).1);
        assert_ne!(one, rules);
    }
}
