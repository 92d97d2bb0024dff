//! What the tower host costs beside a bare handler, and beside other caches.
//!
//! ```console
//! $ cargo run --release -- layers                       # nanoseconds in process, no server
//! $ cargo run --release -- calls fast-cache 1000       # so many calls, for callgrind
//! $ cargo run --release -- serve fast-cache 127.0.0.1:8000 200
//! ```
//!
//! `compare.py` starts servers and puts load on them, in turns.

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::Request;
use axum::http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName};
use axum::response::Response;
use axum::routing::{RouterIntoService, get};
use axum_response_cache::CacheLayer as ResponseCacheLayer;
use bytes::Bytes;
use fast_cache_tower::{Cache, CacheLayer, Policy};
use http_cache::MokaManager;
use http_cache_tower_server::ServerCacheLayer;
use std::convert::Infallible;
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::pin;
use std::time::{Duration, Instant};
use tower::util::MapResponseLayer;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

const SUBJECTS: [&str; 9] = [
    "floor",
    "bare",
    "fast-cache",
    "fast-cache-rules",
    "no-op-layer",
    "fast-cache-passed",
    "axum-response-cache",
    "axum-response-cache-lines",
    "http-cache-tower-server",
];
const ROUNDS: usize = 41;
const CALLS: u32 = 2000;
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["layers"] => {
            layers().await;
            Ok(())
        }
        ["calls", subject, calls] if SUBJECTS.contains(&subject) => {
            let calls: u32 = calls.parse().map_err(std::io::Error::other)?;
            let mut service = service(subject);
            for _ in 0..calls {
                call(&mut service).await;
            }
            Ok(())
        }
        ["serve", subject, address, bytes] if SUBJECTS.contains(&subject) => {
            let bytes = bytes.parse().map_err(std::io::Error::other)?;
            let listener = tokio::net::TcpListener::bind(address).await?;
            axum::serve(listener, app(subject, bytes)).await
        }
        _ => {
            eprintln!(
                "layers | calls SUBJECT NUMBER | serve SUBJECT ADDRESS BYTES, with a SUBJECT of {SUBJECTS:?}"
            );
            std::process::exit(2)
        }
    }
}

/// The same handler, as `subject` serves it: prepared bytes of this size. Those of the floor and of `…-lines` have the
/// header lines of a hit as well, so that they send the same.
fn app(subject: &str, bytes: usize) -> Router {
    let body = Bytes::from(vec![b'x'; bytes]);
    if subject == "floor" || subject == "axum-response-cache-lines" {
        let handler = get(async move || {
            let lines = [
                (CONTENT_TYPE, "application/json"),
                (CACHE_CONTROL, "max-age=3600"),
                (ETAG, "\"c4e4b43de3e25b13\""),
                (AGE, "1"),
                (HeaderName::from_static("x-cache-status"), "HIT"),
                (
                    HeaderName::from_static("cache-status"),
                    "fast-cache; hit; ttl=3598",
                ),
            ];
            (lines, body.clone())
        });
        return Router::new().route(
            "/users/{id}",
            match subject {
                "floor" => handler,
                _ => handler.layer(ResponseCacheLayer::with_lifespan(60 * MINUTE)),
            },
        );
    }
    let handler = get(async move || {
        let lines = [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "max-age=3600"),
        ];
        (lines, body.clone())
    });
    let path = "/users/{id}";
    let policy = Policy::max_age(60 * MINUTE);
    let cache = Cache::memory(64 << 20);
    match subject {
        "fast-cache" => Router::new().route(path, handler.layer(cache.store(policy))),
        "fast-cache-rules" => {
            let rules = CacheLayer::new(cache).rule(path, policy);
            Router::new().route(path, handler).layer(rules)
        }
        // Layers that have nothing to do with the route. axum boxes whatever a layer makes, so that the first is the
        // floor of the second.
        "no-op-layer" => Router::new()
            .route(path, handler)
            .layer(MapResponseLayer::new(|response: Response| response)),
        "fast-cache-passed" => {
            let rules = CacheLayer::new(cache).rule("/other/{id}", policy);
            Router::new().route(path, handler).layer(rules)
        }
        "axum-response-cache" => {
            let layer = ResponseCacheLayer::with_lifespan(60 * MINUTE);
            Router::new().route(path, handler.layer(layer))
        }
        "http-cache-tower-server" => {
            let layer = ServerCacheLayer::new(MokaManager::default());
            // It boxes errors, of which there are none.
            let never = |error: BoxError| -> Infallible { panic!("{error}") };
            let layer = ServiceBuilder::new().map_err(never).layer(layer);
            Router::new().route(path, handler).layer(layer)
        }
        _ => Router::new().route(path, handler),
    }
}

/// As `axum::serve` has it: the state is there already.
fn service(subject: &str) -> RouterIntoService<Body> {
    app(subject, 200).with_state(()).into_service()
}

/// In process, in turns: the median of each subject, and of its difference to the floor.
async fn layers() {
    let mut services: Vec<_> = SUBJECTS.iter().map(|subject| service(subject)).collect();
    let mut times = vec![Vec::new(); SUBJECTS.len()];
    for round in 0..=ROUNDS {
        for turn in 0..SUBJECTS.len() {
            let subject = (round + turn) % SUBJECTS.len();
            let service = &mut services[subject];
            let start = Instant::now();
            for _ in 0..CALLS {
                call(service).await;
            }
            let each = start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS);
            // The first round fills caches.
            if round > 0 {
                times[subject].push(each);
            }
        }
    }
    println!("{:<26}{:>10}{:>12}", "", "ns", "- floor");
    for (subject, name) in SUBJECTS.iter().enumerate() {
        let pairs = times[subject].iter().zip(&times[0]);
        let added = median(pairs.map(|(own, floor)| own - floor).collect());
        let own = median(times[subject].clone());
        println!("{name:<26}{own:>10.0}{added:>12.0}");
    }
}

/// A call with the header lines of a small client, body read.
async fn call<S, B>(service: &mut S)
where
    S: Service<Request<Body>, Response = axum::http::Response<B>, Error: std::fmt::Debug>,
    B: HttpBody,
{
    let request = Request::get("/users/7")
        .header("host", "example.test")
        .header("user-agent", "bench")
        .header("accept", "*/*")
        .body(Body::empty());
    let ready = service.ready().await.expect("it is ready");
    let response = ready.call(request.expect("a request")).await;
    let mut body = pin!(response.expect("an answer").into_body());
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        black_box(frame.is_ok());
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
