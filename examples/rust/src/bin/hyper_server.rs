//! Plain hyper with rules for the whole server: no framework.
//!
//! ```console
//! $ cargo run --bin hyper_server -- 127.0.0.1:3000
//! $ curl -i http://127.0.0.1:3000/reports/2026         # MISS, then HIT
//! $ curl -i -X POST http://127.0.0.1:3000/reports/2026
//! $ curl -i http://127.0.0.1:3000/reports/2026         # MISS
//! $ curl -i http://127.0.0.1:3000/                     # no rule, not cached
//! ```

use bytes::Bytes;
use fast_cache_tower::{Cache, CacheLayer, Drops, Policy};
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on {}", listener.local_addr()?);

    let policy = Policy::max_age(Duration::from_secs(300)).tag("report:{year}");
    let drops = Drops::new().tag("report:{year}");
    let layer = CacheLayer::new(Cache::memory(64 << 20))
        .rule("/reports/{year:int}", policy)
        .drops([Method::POST], "/reports/{year:int}", drops);
    let made = Arc::new(AtomicU64::new(0));
    let handler = service_fn(move |request: Request<Incoming>| {
        ready(Ok::<_, Infallible>(answer(&request, &made)))
    });
    let service = TowerToHyperService::new(layer.layer(handler));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let server = Builder::new(TokioExecutor::new());
            let connection = server.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                eprintln!("{error}");
            }
        });
    }
}

fn answer(request: &Request<Incoming>, made: &AtomicU64) -> Response<Full<Bytes>> {
    let number = made.fetch_add(1, Ordering::Relaxed) + 1;
    let (method, path) = (request.method(), request.uri().path());
    let text = format!("{method} {path}, answer {number}\n");
    Response::new(Full::new(Bytes::from(text)))
}
