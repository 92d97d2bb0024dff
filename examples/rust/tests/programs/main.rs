//! The programs do what their first lines say: each is started on a free port and asked over the wire.

mod axum_app;
mod hyper_server;
mod purge_endpoint;
mod reverse_proxy;
mod shared_cache;
mod wire;
