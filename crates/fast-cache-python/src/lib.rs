//! `fast_cache_middleware._core`: the ASGI host of the cache.
//!
//! | file | what |
//! |---|---|
//! | `call` | the middleware: one call per request |
//! | `recall`, `recent`, `glance` | requests like recent ones, answered after a glance |
//! | `meanings` | what header names mean to a route |
//! | `resolve` | which route takes a request |
//! | `visit` | one request for a route with a configuration |
//! | `failing` | failures that those who wait share |
//! | `joining` | what it does about others for the same key |
//! | `scope`, `lines` | scopes and header lists, read in place |
//! | `template` | path templates as the framework compiles them |
//! | `application`, `specs`, `drops` | the analysed application, as Python hands it over |
//! | `refresher` | refreshes in the background where others share the store |
//! | `patterns` | patterns over paths |
//! | `overrides` | whether the dependencies are still those that were analysed |
//! | `client` | what a scope tells of the client beside its headers |
//! | `parameters` | path parameters |
//! | `recorder/` | between the application and the client on a miss |
//! | `receive` | what the application learns that bars its answer from being kept |
//! | `strict` | hiding what the key does not hold |
//! | `answer`, `remembered`, `representation` | a stored response and the messages made from it |
//! | `sending`, `coroutine`, `awaitable`, `following` | answers as coroutines, and awaitables without a Python frame |
//! | `metadata` | what a custom storage keeps beside a response |
//! | `explain` | what would be done with a request |
//! | `exchange/` | the same exchange, driven by Python where hooks have a say |
//! | `store/` | the stores and the clock as Python objects |
//! | `wait`, `waiter`, `follower`, `refresher`, `settling`, `bridge` | waiting for other requests, and for those who share the store |
//! | `attached` | what the interpreter's lock guards |
//! | `names` | the names that scopes and messages are read by |
#![allow(missing_docs, reason = "nothing of this crate can be named from Rust")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "PyO3 hands arguments over by value"
)]

mod answer;
mod application;
mod attached;
mod awaitable;
mod bridge;
mod call;
mod client;
mod coroutine;
mod drops;
mod exchange;
mod explain;
mod failing;
mod follower;
mod following;
mod glance;
mod invalidation;
mod joining;
mod layout;
mod lines;
mod meanings;
mod metadata;
mod names;
mod overrides;
mod parameters;
mod patterns;
mod recall;
mod receive;
mod recent;
mod recorder;
mod refresher;
mod remembered;
mod representation;
mod resolve;
mod scope;
mod sending;
mod settling;
mod snapshot;
mod specs;
mod stale;
mod store;
mod strict;
mod template;
mod validation;
mod visit;
mod wait;
mod waiter;
mod watch;

use pyo3::prelude::*;

#[pymodule(gil_used = true)]
mod _core {
    #[pymodule_export]
    use crate::application::Application;
    #[pymodule_export]
    use crate::awaitable::SendMessages;
    #[pymodule_export]
    use crate::bridge::Bridge;
    #[pymodule_export]
    use crate::call::Middleware;
    #[pymodule_export]
    use crate::drops::DroppingSend;
    #[pymodule_export]
    use crate::exchange::{Answer, Exchange, ExchangeRecorder, ExchangeWait};
    #[pymodule_export]
    use crate::invalidation::InvalidatingSend;
    #[pymodule_export]
    use crate::recorder::RecordingSend;
    #[pymodule_export]
    use crate::settling::Settling;
    #[pymodule_export]
    use crate::store::{HostStore, SystemClock};
    #[pymodule_export]
    use crate::template::is_usual_pattern;
}
