//! With a plain hyper server, over HTTP/1.1 and HTTP/2.

mod support;

use bytes::Bytes;
use fast_cache_tower::{Cache, CacheService, Policy};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::Failure;
use tower::{Layer, Service, service_fn};

type Answer = Result<Response<Full<Bytes>>, Failure>;

/// A service behind the cache that says which call it is.
fn service(
    cache: &Cache,
) -> CacheService<
    impl Service<
        Request<Incoming>,
        Response = Response<Full<Bytes>>,
        Error = Failure,
        Future = impl Future<Output = Answer> + Send + 'static,
    > + Clone
    + Send
    + 'static,
> {
    let calls = Arc::new(AtomicUsize::new(0));
    let handler = service_fn(move |_: Request<Incoming>| {
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok::<_, Failure>(Response::new(Full::new(Bytes::from(call.to_string())))) }
    });
    cache
        .store(Policy::max_age(Duration::from_secs(60)))
        .layer(handler)
}

#[tokio::test]
async fn http_1_on_one_connection() -> Result<(), Failure> {
    let (cache, _) = support::cache();
    let (client, server) = tokio::io::duplex(1 << 16);
    let service = TowerToHyperService::new(service(&cache));
    let serving = hyper::server::conn::http1::Builder::new();
    let serving = tokio::spawn(serving.serve_connection(TokioIo::new(server), service));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(client)).await?;
    let connection = tokio::spawn(connection);
    let mut statuses = Vec::new();
    for method in ["HEAD", "GET", "GET", "HEAD"] {
        let request = Request::builder()
            .method(method)
            .uri("/")
            .header("host", "a");
        let response = sender
            .send_request(request.body(Empty::<Bytes>::new())?)
            .await?;
        let (head, body) = response.into_parts();
        let length = head.headers.get("content-length").cloned();
        let status = head.headers["x-cache-status"].to_str()?.to_owned();
        statuses.push((
            status,
            length.map(|length| length == "1"),
            body.collect().await?.to_bytes(),
        ));
    }
    let expected = [("MISS", ""), ("MISS", "2"), ("HIT", "2"), ("HIT", "")];
    for ((status, length, body), (outcome, text)) in statuses.iter().zip(expected) {
        assert_eq!(
            (&status[..], &body[..]),
            (outcome, text.as_bytes()),
            "{statuses:?}"
        );
        assert_eq!(*length, Some(true), "{statuses:?}");
    }
    drop(sender);
    connection.await??;
    serving.await??;
    Ok(())
}

#[tokio::test]
async fn http_2_names_its_host_in_the_target() -> Result<(), Failure> {
    let (cache, _) = support::cache();
    let (client, server) = tokio::io::duplex(1 << 16);
    let service = TowerToHyperService::new(service(&cache));
    let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let serving = tokio::spawn(serving.serve_connection(TokioIo::new(server), service));
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client));
    let (mut sender, connection) = handshake.await?;
    let connection = tokio::spawn(connection);
    let mut bodies = Vec::new();
    for uri in [
        "http://a/",
        "http://a/",
        "http://b/",
        "https://a/",
        "http://b/",
    ] {
        let request = Request::get(uri).body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        bodies.push(response.into_body().collect().await?.to_bytes());
    }
    assert_eq!(bodies, ["1", "1", "2", "3", "2"]);
    drop(sender);
    connection.await??;
    serving.await??;
    Ok(())
}
