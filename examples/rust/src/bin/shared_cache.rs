//! Users with axum, in one cache for several processes: of a machine by a directory, or of many machines by Redis.
//!
//! ```console
//! $ cargo run --bin shared_cache -- 127.0.0.1:3000 /tmp/users-cache &
//! $ cargo run --bin shared_cache -- 127.0.0.1:3001 /tmp/users-cache &
//! $ curl -i http://127.0.0.1:3000/users/7              # MISS
//! $ curl -i http://127.0.0.1:3001/users/7              # HIT
//! $ curl -i -X POST http://127.0.0.1:3000/users/7      # a drop in one holds in both
//! $ curl -i http://127.0.0.1:3001/users/7              # MISS
//! ```
//!
//! In place of the directory, `redis://127.0.0.1:6379` takes a Redis or Valkey.

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use fast_cache_redis::{RedisOptions, RedisStore};
use fast_cache_shared::{Options, SharedStore};
use fast_cache_tower::store::{Clock, Limits};
use fast_cache_tower::{Cache, Policy, Reads};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

const LIMITS: Limits = Limits {
    max_entries: 1_000_000,
    max_bytes: 256 << 20,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:3000".into());
    let place = arguments
        .next()
        .ok_or("name a directory or a URL of Redis")?;
    let cache = if place.contains("://") {
        in_redis(&place)?
    } else {
        in_directory(&place)?
    };
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app(&cache)).await?;
    Ok(())
}

/// One cache for all processes that name this directory.
fn in_directory(path: &str) -> Result<Cache, Box<dyn Error>> {
    let clock = Arc::new(Clock::system());
    let told = Arc::clone(&clock);
    let mut options = Options::new(LIMITS, move || told.now());
    options.warn = Arc::new(|words| eprintln!("the cache is in trouble: {words}"));
    let store = SharedStore::open(path.as_ref(), options)?;
    let secret = *store.secret();
    Ok(Cache::builder()
        .store(store)
        .secret(secret)
        .clock(clock)
        .build())
}

/// One cache for all processes that name this Redis and namespace.
fn in_redis(url: &str) -> Result<Cache, Box<dyn Error>> {
    let mut options = RedisOptions::from_url(url)?;
    options.namespace = "users".into();
    let secret = options.secret_bytes();
    let store = RedisStore::new(options);
    store.connect();
    Ok(Cache::builder().store(store).secret(secret).build())
}

fn app(cache: &Cache) -> Router {
    let policy = Policy::max_age(Duration::from_secs(300))
        .reads(Reads::nothing())
        .tag("user:{id}");
    let drops = cache.drop_on_success().tag("user:{id}");
    Router::new()
        .route("/users/{id}", get(show).layer(cache.store(policy)))
        .route("/users/{id}", post(update).layer(drops))
}

async fn show(Path(id): Path<u64>) -> String {
    format!("User {id}, from process {}", std::process::id())
}

async fn update(Path(_id): Path<u64>) {}
