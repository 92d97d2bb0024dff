//! Users with axum: reads are cached and tagged, writes drop what they change, and `/stats` counts.
//!
//! ```console
//! $ cargo run --bin axum_app -- 127.0.0.1:3000
//! $ curl -i http://127.0.0.1:3000/users/7              # MISS, then HIT
//! $ curl -i -X POST http://127.0.0.1:3000/users/7 -H 'content-type: application/json' -d '"Ada"'
//! $ curl -i http://127.0.0.1:3000/users/7              # MISS, with the new name
//! $ curl http://127.0.0.1:3000/stats
//! ```

use axum::Router;
use axum::extract::{Json, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use fast_cache_tower::{Cache, Policy, Reads};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

type Names = Arc<Mutex<HashMap<u64, String>>>;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app(&Cache::memory(64 << 20))).await
}

fn app(cache: &Cache) -> Router {
    // The handler has no parameter but the path, so nothing else of a request makes another answer.
    let policy = Policy::max_age(Duration::from_secs(300))
        .reads(Reads::nothing())
        .tag("user:{id}");
    let counted = cache.clone();
    Router::new()
        .route("/users/{id}", get(show).layer(cache.store(policy)))
        .route(
            "/users/{id}",
            post(rename).layer(cache.drop_on_success().tag("user:{id}")),
        )
        .route("/stats", get(async move || stats(&counted)))
        .with_state(Names::default())
}

async fn show(State(names): State<Names>, Path(id): Path<u64>) -> String {
    let names = names.lock().unwrap_or_else(PoisonError::into_inner);
    let unnamed = || format!("User {id}");
    names.get(&id).cloned().unwrap_or_else(unnamed)
}

async fn rename(
    State(names): State<Names>,
    Path(id): Path<u64>,
    Json(name): Json<String>,
) -> StatusCode {
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    names.insert(id, name);
    StatusCode::NO_CONTENT
}

fn stats(cache: &Cache) -> String {
    let stats = cache.stats();
    format!(
        "hits {}\nmisses {}\nstores {}\ndrops {}\nentries {}\nbytes {}\n",
        stats.hits, stats.misses, stats.stores, stats.drops, stats.entries, stats.bytes
    )
}
