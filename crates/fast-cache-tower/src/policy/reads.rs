//! What a handler reads of a request.

use fast_cache_core::policy::declared::Declared;

/// What a handler reads of a request, where that is less than all of it. What it does not read joins no key, so
/// `?utm_source=…` makes no entry of its own and a session cookie is no reason to keep out of it.
///
/// This is a promise: a handler that reads more answers one client with what it read from another.
///
/// ```
/// use fast_cache_tower::{Policy, Reads};
/// use std::time::Duration;
///
/// // `Query<Search>` with one field `q`, and `TypedHeader<Authorization<Bearer>>`
/// let reads = Reads::nothing().query("q").authorization();
/// let policy = Policy::max_age(Duration::from_secs(60)).reads(reads);
/// # drop(policy);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Reads {
    query: Vec<Box<str>>,
    headers: Vec<Box<str>>,
    cookies: Vec<Box<str>>,
    secret_query: Vec<Box<str>>,
    secret_headers: Vec<Box<str>>,
    secret_cookies: Vec<Box<str>>,
    authorization: bool,
    body: bool,
}

impl Reads {
    /// Nothing but method, host and path.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// And this query parameter.
    pub fn query(mut self, name: &str) -> Self {
        self.query.push(name.into());
        self
    }

    /// And this header.
    pub fn header(mut self, name: &str) -> Self {
        self.headers.push(name.to_ascii_lowercase().into());
        self
    }

    /// And this cookie.
    pub fn cookie(mut self, name: &str) -> Self {
        self.cookies.push(name.into());
        self
    }

    /// And `Authorization`: everybody has an entry of their own.
    pub fn authorization(mut self) -> Self {
        self.authorization = true;
        self
    }

    /// And this query parameter, which is a credential.
    pub fn secret_query(mut self, name: &str) -> Self {
        self.secret_query.push(name.into());
        self
    }

    /// And this header, which is a credential.
    pub fn secret_header(mut self, name: &str) -> Self {
        self.secret_headers.push(name.to_ascii_lowercase().into());
        self
    }

    /// And this cookie, which is a credential.
    pub fn secret_cookie(mut self, name: &str) -> Self {
        self.secret_cookies.push(name.into());
        self
    }

    /// And the body, which no key holds: nothing is cached.
    pub fn body(mut self) -> Self {
        self.body = true;
        self
    }

    pub(super) fn reads_body(&self) -> bool {
        self.body
    }

    pub(super) fn declare(self, declared: &mut Declared) {
        declared.raw = false;
        declared.all_headers = false;
        declared.query = Some(self.query);
        declared.headers = self.headers;
        declared.cookies = Some(self.cookies);
        declared.authorization = self.authorization;
        declared.secret_query = self.secret_query;
        declared.secret_headers = self.secret_headers;
        declared.secret_cookies = self.secret_cookies;
    }
}
