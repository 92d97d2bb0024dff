//! What a route asks for.

mod plan;
mod reads;

pub(crate) use plan::Plan;
pub use reads::Reads;

use crate::error::{TemplateError, written};
use fast_cache_core::policy::{Canonical, HttpOptions, Statuses};
use fast_cache_core::route::{Template, parse_template};
use http::request::Parts;
use http::{Method, StatusCode};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) type KeyFunction = Arc<dyn Fn(&Parts) -> String + Send + Sync>;

/// How the answers of a route are cached.
///
/// 1. [`Policy::max_age`]: an answer may be used again for so long, whatever its own `max-age`, `s-maxage` and `Expires`
///    say; its `no-store`, `no-cache` and `private` win over the policy. [`Policy::http`]: the answers' own header lines
///    say it all ([RFC 9111](https://www.rfc-editor.org/rfc/rfc9111)).
/// 2. A handler can read the whole request, so every header line joins the key, except those that clients and proxies
///    vary freely (`User-Agent`, `Accept`, `traceparent`, …). A response's `Vary` adds to that. [`Policy::reads`] says
///    what the handler reads when that is less.
/// 3. A request with cookies or with `Authorization` is not answered from the cache, unless the policy says how:
///    [`Policy::vary`] by them, [`Policy::public`], or [`Policy::reads`].
///
/// What outer layers put into the request's extensions is not part of any key: where a handler's answer depends on such
/// a value, name in [`Policy::vary`] the header line that it comes from, or make it part of a [`Policy::key`].
///
/// ```
/// use fast_cache_tower::Policy;
/// use std::time::Duration;
///
/// let policy = Policy::max_age(Duration::from_secs(300)).tag("user:{id}").vary("accept-language");
/// assert!(!policy.is_http());
/// ```
#[derive(Clone)]
#[must_use = "a policy does nothing until a layer is made with it"]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent switches of the public contract"
)]
pub struct Policy {
    max_age: Option<Duration>,
    stale_while_revalidate: Duration,
    stale_if_error: Duration,
    early_refresh: Option<f64>,
    jitter: f64,
    waits: Waits,
    tags: Vec<Template>,
    vary: Vec<Box<str>>,
    vary_cookies: Vec<Box<str>>,
    query: Option<Vec<Box<str>>>,
    ignore_query: Vec<Box<str>>,
    undeclared: Vec<Box<str>>,
    reads: Option<Reads>,
    key: Option<KeyFunction>,
    canonical: Vec<(Box<str>, Canonical)>,
    methods: Vec<Method>,
    statuses: Option<Statuses>,
    max_body_size: u64,
    public: bool,
    strict: bool,
    etag: bool,
    client_directives: bool,
    options: HttpOptions,
}

/// How long a request waits for another one's answer.
#[derive(Clone, Copy)]
enum Waits {
    AsTheCache,
    Never,
    UpTo(Duration),
}

impl Policy {
    /// Answers may be used again for `max_age`.
    pub fn max_age(max_age: Duration) -> Self {
        Self::new(Some(max_age))
    }

    /// Answers may be used again for as long as they say themselves.
    pub fn http() -> Self {
        Self::new(None)
    }

    fn new(max_age: Option<Duration>) -> Self {
        Self {
            max_age,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            early_refresh: None,
            jitter: 0.0,
            waits: Waits::AsTheCache,
            tags: Vec::new(),
            vary: Vec::new(),
            vary_cookies: Vec::new(),
            query: None,
            ignore_query: Vec::new(),
            undeclared: Vec::new(),
            reads: None,
            key: None,
            canonical: Vec::new(),
            methods: vec![Method::GET],
            statuses: None,
            max_body_size: 1 << 20,
            public: false,
            strict: false,
            etag: true,
            client_directives: true,
            options: HttpOptions::default(),
        }
    }

    /// Whether the answers' own header lines decide.
    pub fn is_http(&self) -> bool {
        self.max_age.is_none()
    }

    /// A label for later drops; `"user:{id}"` is filled from the path's parameters. Where the path has no such parameter,
    /// the answer is not stored (`detail=tags`), as a drop could miss it.
    ///
    /// # Panics
    ///
    /// Where [`Policy::try_tag`] fails.
    pub fn tag(self, tag: &str) -> Self {
        written(self.try_tag(tag))
    }

    /// [`Policy::tag`], for tags that come from elsewhere than code.
    ///
    /// # Errors
    ///
    /// Where a `{name:convertor}` in it names a convertor that does not exist, or a name stands twice.
    pub fn try_tag(mut self, tag: &str) -> Result<Self, TemplateError> {
        self.tags.push(template(tag)?);
        Ok(self)
    }

    /// A request header that joins the key; `"cookie:NAME"` for one cookie.
    pub fn vary(mut self, name: &str) -> Self {
        match name.strip_prefix("cookie:") {
            Some(cookie) => self.vary_cookies.push(cookie.into()),
            None => self.vary.push(name.to_ascii_lowercase().into()),
        }
        self
    }

    /// Only these query parameters count.
    pub fn query<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.query = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Query parameters that do not count, as globs: `"utm_*"`.
    pub fn ignore_query<'a>(mut self, globs: impl IntoIterator<Item = &'a str>) -> Self {
        self.ignore_query.extend(globs.into_iter().map(Into::into));
        self
    }

    /// A request header that stays out of the key, although the handler could read it.
    pub fn undeclared_header(mut self, name: &str) -> Self {
        self.undeclared.push(name.to_ascii_lowercase().into());
        self
    }

    /// The handler reads no more than this of a request.
    pub fn reads(mut self, reads: Reads) -> Self {
        self.reads = Some(reads);
        self
    }

    /// Makes the part of the key that stands for the request. The route stays in the key. By giving one, you take over
    /// what varies.
    pub fn key(mut self, key: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        self.key = Some(Arc::new(key));
        self
    }

    /// This path parameter is an integer: requests that write it otherwise than in plain digits are left to the handler,
    /// so that a drop by its value misses none.
    pub fn integer(mut self, parameter: &str) -> Self {
        self.canonical.push((parameter.into(), Canonical::Integer));
        self
    }

    /// This path parameter is a UUID: requests that write it otherwise than in lower case with hyphens are left to the
    /// handler.
    pub fn uuid(mut self, parameter: &str) -> Self {
        self.canonical.push((parameter.into(), Canonical::Uuid));
        self
    }

    /// How long past its lifetime an answer is served at once, while a new one is asked for in the background
    /// ([RFC 5861 §3](https://www.rfc-editor.org/rfc/rfc5861#section-3)).
    pub fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.stale_while_revalidate = window;
        self
    }

    /// How long past its lifetime an answer stands in for a 5xx or an error of the service
    /// ([RFC 5861 §4](https://www.rfc-editor.org/rfc/rfc5861#section-4)).
    pub fn stale_if_error(mut self, window: Duration) -> Self {
        self.stale_if_error = window;
        self
    }

    /// Refreshes hot answers in the background shortly before they expire: each hit does so by chance, the likelier the
    /// nearer the end and the longer the answer took to be made. `weight` is usually 1; with more it happens sooner, and
    /// with 0 never. Needs the feature `tokio`.
    ///
    /// # Panics
    ///
    /// Where the weight is negative, infinite or no number.
    pub fn early_refresh(mut self, weight: f64) -> Self {
        assert!(
            weight.is_finite() && weight >= 0.0,
            "early_refresh must be finite and not negative: {weight}"
        );
        self.early_refresh = (weight > 0.0).then_some(weight);
        self
    }

    /// Lets each answer expire sooner by a random part of this fraction of its lifetime, so that answers which were stored
    /// together do not expire together.
    ///
    /// # Panics
    ///
    /// Where the fraction is not from 0 up to 1, exclusively.
    pub fn jitter(mut self, fraction: f64) -> Self {
        assert!(
            (0.0..1.0).contains(&fraction),
            "jitter must be at least 0 and below 1: {fraction}"
        );
        self.jitter = fraction;
        self
    }

    /// How long a request waits at most while another one for the same key is being answered, on this route; otherwise as
    /// [`CacheBuilder::follower_timeout`](crate::CacheBuilder::follower_timeout) says. With `None` every request goes by
    /// itself.
    pub fn follower_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.waits = timeout.map_or(Waits::Never, Waits::UpTo);
        self
    }

    /// Your word that the answer is the same for everybody: credentials on the request no longer matter.
    pub fn public(mut self) -> Self {
        self.public = true;
        self
    }

    /// Hides from the handler every request header that the key does not hold.
    pub fn strict_inputs(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Whether answers without an `ETag` get one, and conditional requests are answered with `304`: by default they are.
    pub fn etag(mut self, etag: bool) -> Self {
        self.etag = etag;
        self
    }

    /// Whether the request's `Cache-Control` and `Pragma` are listened to: by default they are.
    pub fn client_directives(mut self, listen: bool) -> Self {
        self.client_directives = listen;
        self
    }

    /// The methods whose answers are cached instead of `GET` alone. `HEAD` is answered from `GET` in any case.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = methods.into_iter().collect();
        self
    }

    /// The statuses that are stored; otherwise 200, 301 and 308, and every one that may be in HTTP mode.
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        let all = statuses.into_iter();
        self.statuses = Some(all.fold(Statuses::NONE, |all, status| all.with(status.as_u16())));
        self
    }

    /// The largest body that is stored, in bytes; otherwise 1 MiB. So much memory is taken at most while one is recorded.
    pub fn max_body_size(mut self, bytes: u64) -> Self {
        self.max_body_size = bytes;
        self
    }

    /// Guesses a lifetime where a response states none
    /// ([RFC 9111 §4.2.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.2)).
    pub fn heuristics(mut self) -> Self {
        self.options.heuristics = true;
        self
    }

    /// Lets `CDN-Cache-Control` take the place of `Cache-Control`
    /// ([RFC 9213](https://www.rfc-editor.org/rfc/rfc9213)).
    pub fn cdn_cache_control(mut self) -> Self {
        self.options.cdn_cache_control = true;
        self
    }

    /// Answers with a stale response, however old, where the service fails and the response does not forbid it
    /// ([RFC 9111 §4.2.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.4)).
    pub fn stale_on_error(mut self) -> Self {
        self.options.stale_on_error = true;
        self
    }

    /// Takes values of `Accept-Language` that ask for the same languages for one.
    pub fn normalize_language(mut self) -> Self {
        self.options.normalize_language = true;
        self
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Policy");
        shown.field("max_age", &self.max_age);
        shown.field("public", &self.public);
        shown.finish_non_exhaustive()
    }
}

/// Reads the template of a tag, or of what a drop covers.
pub(crate) fn template(text: &str) -> Result<Template, TemplateError> {
    parse_template(text).map_err(|error| TemplateError::new(text, error))
}
