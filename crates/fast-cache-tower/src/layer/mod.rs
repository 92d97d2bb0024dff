//! The layers: around one route, or with rules for a whole application.
//!
//! 1. [`StoreLayer`] answers the requests of one route, or of several if the framework tells their templates.
//! 2. [`CacheLayer`] has rules by template, and may take everything else in HTTP mode. Alone it caches nothing.
//! 3. Once some route of the cache is in HTTP mode, a write that passes through any layer of the cache drops what the
//!    standard says ([RFC 9111 §4.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.4)). For routes that have no layer,
//!    put a [`CacheLayer`] without rules around the application.
//!
//! A hit skips everything inside the layer: put authentication outside of it.
//!
//! ```
//! use bytes::Bytes;
//! use fast_cache_tower::{Cache, CacheLayer, CacheOutcome, Outcome, Policy};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use std::{convert::Infallible, time::Duration};
//! use tower::{Layer, Service, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = CacheLayer::new(Cache::memory(1 << 20))
//!     .pass("/users/me")
//!     .rule("/users/{id}", Policy::max_age(Duration::from_secs(60)));
//! let mut service = layer.layer(service_fn(|_: Request<Full<Bytes>>| async {
//!     Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("hello"))))
//! }));
//! for expected in [Outcome::Miss, Outcome::Hit] {
//!     let request = Request::get("/users/7").body(Full::default())?;
//!     let response = service.ready().await?.call(request).await?;
//!     let said = response.extensions().get::<CacheOutcome>().copied();
//!     assert_eq!(said.map(|said| said.outcome()), Some(expected));
//!     // A client asks again once it has read the body.
//!     http_body_util::BodyExt::collect(response).await?;
//! }
//! # Ok(())
//! # }
//! ```

mod application;
mod route;

pub use application::CacheLayer;
pub use route::StoreLayer;
