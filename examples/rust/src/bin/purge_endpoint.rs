//! An endpoint that drops from the cache, for whoever knows a token.
//!
//! ```console
//! $ PURGE_TOKEN=$(openssl rand -hex 32) cargo run --bin purge_endpoint -- 127.0.0.1:3000
//! $ curl -i http://127.0.0.1:3000/articles/7           # MISS, then HIT
//! $ curl -i -X POST 'http://127.0.0.1:3000/purge?tag=article:7' -H "Authorization: Bearer $PURGE_TOKEN"
//! $ curl -i http://127.0.0.1:3000/articles/7           # MISS
//! ```
//!
//! `tag` and `path` (a glob, such as `/articles/*`) can be given together; `soft=true` marks as stale instead.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fast_cache_tower::{Cache, PathPattern, Policy, Purge};
use serde::Deserialize;
use std::io::{Error, ErrorKind};
use std::time::Duration;
use tokio::net::TcpListener;

#[derive(Clone)]
struct Guarded {
    cache: Cache,
    token: blake3::Hash,
}

#[derive(Deserialize)]
struct Wanted {
    tag: Option<String>,
    path: Option<String>,
    #[serde(default)]
    soft: bool,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let token = std::env::var("PURGE_TOKEN").unwrap_or_default();
    if token.len() < 16 {
        let said = "PURGE_TOKEN has to hold a token of at least 16 characters";
        return Err(Error::new(ErrorKind::InvalidInput, said));
    }
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app(&token)).await
}

fn app(token: &str) -> Router {
    let cache = Cache::memory(64 << 20);
    let policy = Policy::max_age(Duration::from_secs(3600)).tag("article:{id}");
    let show = |Path(id): Path<u64>| async move { format!("article {id}\n") };
    let guarded = Guarded {
        cache: cache.clone(),
        token: blake3::hash(token.as_bytes()),
    };
    Router::new()
        .route("/articles/{id}", get(show).layer(cache.store(policy)))
        .route("/purge", post(purge))
        .with_state(guarded)
}

async fn purge(
    State(guarded): State<Guarded>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Response {
    if !knows(&headers, &guarded.token) {
        let challenge = [(WWW_AUTHENTICATE, "Bearer")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let tag = wanted.tag.as_deref().map(Purge::tag);
    let path = wanted.path.as_deref().map(PathPattern::glob);
    let purge = match (tag, path.map(Purge::path)) {
        (Some(tag), Some(path)) => tag.and(path),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return (StatusCode::BAD_REQUEST, "tag or path\n").into_response(),
    };
    let purge = if wanted.soft { purge.softly() } else { purge };
    match guarded.cache.purge(purge).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// Whether a request has the token. Hashes are compared, in constant time: how long it takes tells nothing of the token.
fn knows(headers: &HeaderMap, token: &blake3::Hash) -> bool {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return false;
    };
    let given = line.as_bytes().split_at_checked("Bearer ".len());
    given.is_some_and(|(scheme, given)| {
        scheme.eq_ignore_ascii_case(b"Bearer ") && blake3::hash(given) == *token
    })
}
