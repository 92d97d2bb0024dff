//! HTTP response caching for [axum](https://docs.rs/axum), [hyper](https://docs.rs/hyper) and any
//! [tower](https://docs.rs/tower) stack.
//!
//! A layer around a route answers its requests from memory, as RFC 9111 and the route's policy allow; a layer around a
//! route that changes data drops what is no longer true. Every decision is made by `fast-cache-core`, which also serves
//! FastAPI and Starlette; this crate carries bytes and waits.
//!
//! 1. [`Cache`]: the store. [`Cache::store`] and [`Cache::drop_on_success`] make layers for routes, [`CacheLayer`] has
//!    rules for a whole application, [`Cache::purge`] drops from code.
//! 2. Nothing is shared that could be somebody's own: what the key holds, what credentials mean, and how to say more, is
//!    in [`Policy`].
//! 3. Bodies stream through while they are recorded: [`body`].
//! 4. Every answer says in `X-Cache-Status` and `Cache-Status`
//!    ([RFC 9211](https://www.rfc-editor.org/rfc/rfc9211)) what happened and why; a [`CacheOutcome`] stands in its
//!    extensions. What would happen to a request, an [`Explanation`] tells.
//!
//! # Caveats
//!
//! - A hit skips everything inside the layer. Put authentication outside of it.
//! - Where nothing tells the template of a route, requests are told apart by host, path, query and header lines alone:
//!   applications that share a cache need templates ([`StoreLayer::template`]) or namespaces
//!   ([`CacheBuilder::namespace`]).
//! - Behind TLS, HTTP/1.1 servers do not tell the scheme. Where one application serves both, put a
//!   [`Scheme`](http::uri::Scheme) into the extensions of every request. One whose target names another scheme is not
//!   answered from the cache.
//! - A request body that tells neither its length nor its end counts as a body, and the request is not answered from the
//!   cache.
//!
//! # Features
//!
//! | feature | what |
//! |---|---|
//! | `axum` | routes and path parameters as axum knows them: needed with axum |
//! | `tokio` (default) | stale answers are refreshed in the background, and concurrent misses of one key make one call; without it, the first request after the lifetime waits for the new one, and every request goes by itself. Needs the runtime's timers |
//! | `testing` | a clock that stands still, assertions of outcomes and a store that fails on demand, for your tests: `testing` |
//!
//! # Example
//!
//! ```
//! use bytes::Bytes;
//! use fast_cache_tower::{Cache, Policy};
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use std::{convert::Infallible, time::Duration};
//! use tower::{Layer, Service, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cache = Cache::memory(64 << 20);
//! let layer = cache.store(Policy::max_age(Duration::from_secs(300)));
//! let mut service = layer.layer(service_fn(|_: Request<Full<Bytes>>| async {
//!     Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("slow"))))
//! }));
//! for expected in ["MISS", "HIT"] {
//!     let request = Request::get("/").body(Full::default())?;
//!     let response = service.ready().await?.call(request).await?;
//!     assert_eq!(response.headers()["x-cache-status"], expected);
//!     assert_eq!(response.collect().await?.to_bytes(), "slow");
//! }
//! assert_eq!(cache.stats().hits, 1);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
pub mod body;
pub mod cache;
pub mod drops;
mod error;
mod exchange;
mod explanation;
mod following;
pub mod future;
mod guide;
mod kept;
pub mod layer;
mod outcome;
pub mod policy;
mod portable;
mod prepared;
mod request;
mod route;
mod runtime;
pub mod service;
pub mod store;
mod strict;
mod task;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

pub use cache::{Cache, CacheBuilder, Stats};
pub use drops::{DropLayer, Drops};
pub use error::{PurgeError, TemplateError};
pub use explanation::Explanation;
pub use fast_cache_core::exchange::Outcome;
pub use fast_cache_core::purge::{PathPattern, Purge};
pub use fast_cache_core::reason::Reason;
pub use layer::{CacheLayer, StoreLayer};
pub use outcome::CacheOutcome;
pub use policy::{Policy, Reads};
pub use service::CacheService;

/// The examples of the README.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
