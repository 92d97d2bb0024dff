//! What axum knows of a request: the template of its route, and its URI before routers cut off prefixes.
//!
//! 1. With the feature `axum`, layers take a route's identity from [`MatchedPath`] and the values for `{id}` in tags and
//!    drops from its template. So one layer serves several routes, and nested routers keep their keys apart.
//! 2. Paths are those of [`OriginalUri`]: with the prefixes of nested routers, as drops want them.
//! 3. Rules of a [`CacheLayer`](crate::CacheLayer) are for the very templates that they name; those that end in
//!    `{*rest}` are for everything below.
//!
//! Parameters in tags and drops have names that are identifiers: of `/users/{user-id}` nothing can be filled in, so that
//! answers with such a tag are not stored and such drops drop everything.
//!
//! Without the feature, layers inside a nested router see paths without its prefix, so two nests of one router have the
//! same keys: do not use this crate with axum but without its feature.
//!
//! ```
//! use axum::{Router, body::Body, extract::Path, http::Request, routing::{get, post}};
//! use fast_cache_tower::{Cache, Policy};
//! use std::time::Duration;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cache = Cache::memory(64 << 20);
//! let show = |Path(id): Path<u64>| async move { format!("user {id}") };
//! let policy = Policy::max_age(Duration::from_secs(300)).tag("user:{id}");
//! let app = Router::new()
//!     .route("/users/{id}", get(show).layer(cache.store(policy)))
//!     .route("/users/{id}", post(|| async {}).layer(cache.drop_on_success().tag("user:{id}")));
//!
//! let ask = |method: &str| Request::builder().method(method).uri("/users/7").body(Body::empty());
//! let status = |response: axum::response::Response| response.headers()["x-cache-status"].clone();
//! assert_eq!(status(app.clone().oneshot(ask("GET")?).await?), "MISS");
//! assert_eq!(status(app.clone().oneshot(ask("GET")?).await?), "HIT");
//! app.clone().oneshot(ask("POST")?).await?;
//! assert_eq!(status(app.oneshot(ask("GET")?).await?), "MISS");
//! # Ok(())
//! # }
//! ```

use ::axum::extract::{MatchedPath, OriginalUri};
use http::{Extensions, Uri};

/// The template of the request's route.
pub(crate) fn template(extensions: &Extensions) -> Option<&str> {
    extensions.get().map(MatchedPath::as_str)
}

/// The request's URI as the client wrote it.
pub(crate) fn original_uri(extensions: &Extensions) -> Option<&Uri> {
    extensions.get().map(|OriginalUri(uri)| uri)
}
