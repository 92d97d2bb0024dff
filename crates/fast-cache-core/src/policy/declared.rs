//! From what an endpoint can see to what its keys must hold.
//!
//! An endpoint whose inputs are all declared cannot see anything else, so nothing else joins the key. One that takes
//! the raw request could read anything: then every header joins, less those that clients vary freely, the whole query
//! joins, and cookies keep the answer private.

use super::Credential;
use crate::key::inputs::{CookieInputs, HeaderInputs, Inputs, QueryInputs};

/// What an endpoint and its dependencies can see of a request, and what its author said about it. Header names are in
/// lower case.
#[derive(Clone, Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts, named as the public contract names them"
)]
pub struct Declared {
    /// Something takes the raw request, or it cannot be known.
    pub raw: bool,
    /// Every header is visible through a declared model.
    pub all_headers: bool,
    /// Declared query parameters; `None` for the whole query.
    pub query: Option<Vec<Box<str>>>,
    /// Declared headers.
    pub headers: Vec<Box<str>>,
    /// Declared cookies; `None` for all of them.
    pub cookies: Option<Vec<Box<str>>>,
    /// `Authorization` is declared.
    pub authorization: bool,
    /// Declared headers that are credentials.
    pub secret_headers: Vec<Box<str>>,
    /// Declared query parameters that are credentials.
    pub secret_query: Vec<Box<str>>,
    /// Declared cookies that are credentials.
    pub secret_cookies: Vec<Box<str>>,
    /// Headers that the author added to the key.
    pub vary_headers: Vec<Box<str>>,
    /// Cookies that the author added to the key.
    pub vary_cookies: Vec<Box<str>>,
    /// The author's list of query parameters that count.
    pub query_only: Option<Vec<Box<str>>>,
    /// The author's globs of query parameters that do not count.
    pub query_ignore: Vec<Box<str>>,
    /// More headers that may stay out of a raw endpoint's key.
    pub undeclared_headers: Vec<Box<str>>,
    /// The author's word that the answer is the same for everybody.
    pub public: bool,
    /// The author makes the key.
    pub custom_key: bool,
    /// The endpoint sees only what the key holds.
    pub strict: bool,
    /// HTTP mode: the response's own headers speak.
    pub http_mode: bool,
}

/// What joins a route's key, and what credentials mean for it.
#[derive(Clone, Debug)]
pub struct KeyPlan {
    /// What joins the key.
    pub inputs: Inputs,
    /// What `Authorization` means.
    pub authorization: Credential,
    /// What cookies mean.
    pub cookies: Credential,
}

/// Derives what must join the key from what is declared.
pub fn key_plan(declared: Declared) -> KeyPlan {
    if declared.custom_key {
        return KeyPlan {
            inputs: Inputs::default(),
            authorization: Credential::Ignored,
            cookies: Credential::Ignored,
        };
    }
    if declared.http_mode {
        return http_mode(declared);
    }
    let authorization = authorization(&declared);
    let cookies = cookies(&declared);
    KeyPlan {
        authorization,
        cookies,
        inputs: inputs(declared),
    }
}

/// HTTP mode is the standard's: the target, and what the response says. Declared credentials other than
/// `Authorization`, of which the standard knows nothing, join the key all the same.
fn http_mode(declared: Declared) -> KeyPlan {
    let secret = |names: Vec<Box<str>>| {
        if declared.public {
            Box::default()
        } else {
            set(names)
        }
    };
    KeyPlan {
        inputs: Inputs {
            query: QueryInputs {
                only: None,
                ignore: declared.query_ignore.into(),
                secret: secret(declared.secret_query),
            },
            headers: HeaderInputs {
                named: secret(declared.secret_headers),
                ..HeaderInputs::default()
            },
            cookies: CookieInputs {
                named: secret(declared.secret_cookies),
            },
        },
        authorization: if declared.public {
            Credential::Ignored
        } else {
            Credential::NotShared
        },
        cookies: Credential::Ignored,
    }
}

fn authorization(declared: &Declared) -> Credential {
    if declared.public {
        Credential::Ignored
    } else if declared.authorization
        || declared
            .vary_headers
            .iter()
            .any(|name| &**name == "authorization")
    {
        Credential::InKey
    } else {
        Credential::NotShared
    }
}

fn cookies(declared: &Declared) -> Credential {
    let author_spoke = !declared.vary_cookies.is_empty()
        || declared.vary_headers.iter().any(|name| &**name == "cookie");
    if author_spoke {
        Credential::InKey
    } else if declared.public || declared.strict {
        Credential::Ignored
    } else if declared.raw || declared.all_headers || declared.cookies.is_none() {
        Credential::NotShared
    } else {
        Credential::InKey
    }
}

fn inputs(declared: Declared) -> Inputs {
    let Declared {
        public,
        raw,
        strict,
        all_headers,
        ..
    } = declared;
    let mut headers = declared.headers;
    headers.extend(declared.vary_headers);
    let mut cookies = declared.cookies.unwrap_or_default();
    cookies.extend(declared.vary_cookies);
    // The author's own list says what counts, but it does not take a credential out of the key.
    let mut query = match declared.query_only {
        Some(names) => Some(names),
        None if raw && !strict => None,
        None => declared.query,
    };
    if public {
        headers
            .retain(|name| &**name != "authorization" && !declared.secret_headers.contains(name));
        cookies.retain(|name| !declared.secret_cookies.contains(name));
        if let Some(names) = &mut query {
            names.retain(|name| !declared.secret_query.contains(name));
        }
    } else {
        headers.extend(declared.secret_headers.iter().cloned());
        cookies.extend(declared.secret_cookies.iter().cloned());
        if let Some(names) = &mut query {
            names.extend(declared.secret_query.iter().cloned());
        }
        if declared.authorization {
            headers.push("authorization".into());
        }
    }
    let mut ignore = declared.query_ignore;
    if public && query.is_none() {
        ignore.extend(declared.secret_query.iter().cloned());
    }
    Inputs {
        query: QueryInputs {
            only: query.map(set),
            ignore: set(ignore),
            secret: if public {
                Box::new([])
            } else {
                set(declared.secret_query)
            },
        },
        headers: HeaderInputs {
            named: set(headers),
            others: (raw || all_headers) && !strict,
            except: set(declared.undeclared_headers),
        },
        cookies: CookieInputs {
            named: set(cookies),
        },
    }
}

fn set(mut names: Vec<Box<str>>) -> Box<[Box<str>]> {
    names.sort_unstable();
    names.dedup();
    names.into()
}

#[cfg(test)]
mod tests {
    use super::{Declared, key_plan};
    use crate::policy::Credential::{Ignored, InKey, NotShared};

    fn names(names: &[&str]) -> Vec<Box<str>> {
        names.iter().map(|name| (*name).into()).collect()
    }

    fn declared() -> Declared {
        Declared {
            query: Some(names(&["q"])),
            cookies: Some(Vec::new()),
            ..Declared::default()
        }
    }

    #[test]
    fn what_is_not_declared_stays_out() {
        let plan = key_plan(declared());
        assert_eq!(plan.inputs.query.only.as_deref(), Some(&*names(&["q"])));
        assert!(!plan.inputs.headers.others);
        assert_eq!((plan.authorization, plan.cookies), (NotShared, InKey));
    }

    #[test]
    fn a_raw_endpoint_keeps_everything() {
        let plan = key_plan(Declared {
            raw: true,
            ..declared()
        });
        assert!(plan.inputs.query.only.is_none());
        assert!(plan.inputs.headers.others);
        assert_eq!((plan.authorization, plan.cookies), (NotShared, NotShared));
    }

    #[test]
    fn the_author_speaks() {
        let vary = key_plan(Declared {
            raw: true,
            vary_cookies: names(&["lang"]),
            ..declared()
        });
        assert_eq!(vary.cookies, InKey);
        let strict = key_plan(Declared {
            raw: true,
            strict: true,
            ..declared()
        });
        assert!(!strict.inputs.headers.others);
        assert_eq!(strict.cookies, Ignored);
        let custom = key_plan(Declared {
            raw: true,
            custom_key: true,
            ..declared()
        });
        assert_eq!((custom.authorization, custom.cookies), (Ignored, Ignored));
    }

    #[test]
    fn credentials_join_unless_public() {
        let secret = Declared {
            authorization: true,
            secret_headers: names(&["x-key"]),
            secret_query: names(&["key"]),
            secret_cookies: names(&["session"]),
            ..declared()
        };
        let plan = key_plan(secret.clone());
        assert_eq!(
            &*plan.inputs.headers.named,
            &*names(&["authorization", "x-key"])
        );
        assert_eq!(&*plan.inputs.cookies.named, &*names(&["session"]));
        assert_eq!(&*plan.inputs.query.secret, &*names(&["key"]));
        assert_eq!(plan.authorization, InKey);
        let plan = key_plan(Declared {
            public: true,
            ..secret
        });
        assert!(plan.inputs.headers.named.is_empty() && plan.inputs.cookies.named.is_empty());
        assert_eq!(plan.inputs.query.only.as_deref(), Some(&*names(&["q"])));
        assert_eq!(plan.authorization, Ignored);
    }

    #[test]
    fn a_list_of_query_parameters_keeps_the_credentials() {
        let declared = Declared {
            query_only: Some(names(&["page"])),
            query_ignore: names(&["*"]),
            secret_query: names(&["api_key"]),
            ..declared()
        };
        let plan = key_plan(declared.clone());
        assert_eq!(
            plan.inputs.query.only.as_deref(),
            Some(&*names(&["api_key", "page"]))
        );
        let plan = key_plan(Declared {
            http_mode: true,
            ..declared
        });
        assert_eq!(&*plan.inputs.query.secret, &*names(&["api_key"]));
    }

    #[test]
    fn http_mode_leaves_all_to_the_response() {
        let plan = key_plan(Declared {
            http_mode: true,
            raw: true,
            headers: names(&["x"]),
            ..declared()
        });
        assert!(plan.inputs.headers.named.is_empty() && !plan.inputs.headers.others);
        assert_eq!((plan.authorization, plan.cookies), (NotShared, Ignored));
    }
}
