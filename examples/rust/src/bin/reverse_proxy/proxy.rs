//! A request's way to the origin and back.

use crate::bodies::{Download, Upload};
use crate::fields::{add_missing_date, is_decoded, keep_end_to_end};
use crate::interim::{Asked, INTERIM, Interim};
use crate::options::Options;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, COOKIE, HOST, HeaderMap, HeaderValue, VIA};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::ext::on_informational;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::convert::Infallible;
use std::error::Error as _;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::Service;

/// How long an unused connection is kept: less than the five seconds after which many servers close theirs.
const IDLE: Duration = Duration::from_secs(4);

/// The first number that is no status ([RFC 9110 §15](https://www.rfc-editor.org/rfc/rfc9110#section-15)).
const NO_STATUS: u16 = 600;

pub(crate) type Answer = Response<Either<Download, Empty<Bytes>>>;

/// A service that answers every request with what the origin answers.
#[derive(Clone)]
pub(crate) struct Proxy {
    client: Client<HttpConnector, Upload>,
    settings: Arc<Settings>,
}

struct Settings {
    origin: Authority,
    host: HeaderValue,
    own_host: bool,
    via: Option<String>,
    timeout: Duration,
}

impl Proxy {
    pub(crate) fn new(options: &Options) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(options.connect_timeout));
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .http1_preserve_header_case(true)
            .set_host(false)
            .build(connector);
        let origin = options.origin.clone();
        let host = HeaderValue::from_str(origin.as_str());
        let settings = Settings {
            host: host.expect("an authority is visible ASCII"),
            origin,
            own_host: options.own_host,
            via: options.via.clone(),
            timeout: options.timeout,
        };
        Self {
            client,
            settings: Arc::new(settings),
        }
    }
}

impl Service<Request<Incoming>> for Proxy {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        let proxy = self.clone();
        if request.version() == Version::HTTP_11
            && let Ok(asked) = INTERIM.try_with(Interim::asked)
        {
            on_informational(&mut request, move |interim| {
                pass_on(&asked, interim.status(), interim.headers());
            });
        }
        Box::pin(async move { Ok(proxy.exchange(request).await) })
    }
}

impl Proxy {
    async fn exchange(&self, request: Request<Incoming>) -> Answer {
        let settings = &*self.settings;
        if request.method() == Method::CONNECT {
            return answer(StatusCode::NOT_IMPLEMENTED);
        }
        let (mut parts, body) = request.into_parts();
        let Ok(uri) = settings.target(&parts.uri) else {
            return answer(StatusCode::BAD_REQUEST);
        };
        settings.dress_request(&mut parts.headers, &parts.uri, parts.version);
        parts.uri = uri;
        parts.version = Version::HTTP_11;
        let (upload, is_sent) = Upload::new(body);
        let asked = self.client.request(Request::from_parts(parts, upload));
        let silent = async {
            // An origin that has not got the whole request may be silent. Whatever the channel says, it is over.
            drop(is_sent.await);
            tokio::time::sleep(settings.timeout).await;
        };
        let response = tokio::select! {
            answered = asked => match answered {
                Ok(response) => response,
                Err(error) => return answer(status_of(&error)),
            },
            () = silent => return answer(StatusCode::GATEWAY_TIMEOUT),
        };
        let (mut parts, body) = response.into_parts();
        let is_understood = parts.status != StatusCode::SWITCHING_PROTOCOLS
            && parts.status.as_u16() < NO_STATUS
            && is_decoded(&parts.headers);
        if !is_understood {
            return answer(StatusCode::BAD_GATEWAY);
        }
        settings.dress_response(&mut parts.headers, parts.version);
        parts.version = Version::HTTP_11;
        Response::from_parts(parts, Either::Left(Download::new(body, settings.timeout)))
    }
}

impl Settings {
    /// The origin's URI for what a client asked for; path and query stay as they are.
    fn target(&self, asked: &Uri) -> Result<Uri, http::uri::InvalidUriParts> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.origin.clone());
        let path = asked.path_and_query().cloned();
        parts.path_and_query = Some(path.unwrap_or(PathAndQuery::from_static("/")));
        Uri::from_parts(parts)
    }

    fn dress_request(&self, headers: &mut HeaderMap, asked: &Uri, version: Version) {
        keep_end_to_end(headers);
        if self.own_host {
            headers.insert(HOST, self.host.clone());
        } else if let Some(authority) = asked.authority() {
            // HTTP/2, or a client that takes this for a forward proxy: what the target says counts.
            let host = HeaderValue::from_str(authority.as_str());
            headers.insert(HOST, host.unwrap_or_else(|_| self.host.clone()));
        } else if !headers.contains_key(HOST) {
            headers.insert(HOST, self.host.clone());
        }
        if version == Version::HTTP_2 {
            join_cookies(headers);
        }
        self.add_via(headers, version);
    }

    fn dress_response(&self, headers: &mut HeaderMap, version: Version) {
        keep_end_to_end(headers);
        add_missing_date(headers);
        self.add_via(headers, version);
    }

    fn add_via(&self, headers: &mut HeaderMap, version: Version) {
        let Some(name) = &self.via else { return };
        let version = match version {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            _ => "1.1",
        };
        if let Ok(line) = HeaderValue::from_str(&format!("{version} {name}")) {
            headers.append(VIA, line);
        }
    }
}

/// HTTP/2 may split cookies, and HTTP/1.1 may not
/// ([RFC 9113 §8.2.3](https://www.rfc-editor.org/rfc/rfc9113#section-8.2.3)).
fn join_cookies(headers: &mut HeaderMap) {
    let lines: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if lines.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// What the client is told where the origin gave no answer.
fn status_of(error: &Error) -> StatusCode {
    let mut cause = error.source();
    while let Some(one) = cause {
        let io = one.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == ErrorKind::TimedOut) {
            return StatusCode::GATEWAY_TIMEOUT;
        }
        cause = one.source();
    }
    StatusCode::BAD_GATEWAY
}

/// Passes on an interim response, save those that are about the connection to the origin: hyper says 100 itself.
fn pass_on(asked: &Asked, status: StatusCode, headers: &HeaderMap) {
    if ![StatusCode::CONTINUE, StatusCode::SWITCHING_PROTOCOLS].contains(&status) {
        let mut headers = headers.clone();
        keep_end_to_end(&mut headers);
        asked.send(status, &headers);
    }
}

/// An answer of the proxy's own.
fn answer(status: StatusCode) -> Answer {
    let mut response = Response::new(Either::Right(Empty::new()));
    *response.status_mut() = status;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}
