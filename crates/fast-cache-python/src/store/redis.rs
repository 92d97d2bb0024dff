//! The store in Redis or Valkey.

use super::{AnyStore, HostStore, SystemClock};
use crate::patterns::pattern_of;
use crate::representation::Representation;
use fast_cache_core::key::Secret;
use fast_cache_redis::{Coherence, Kind, Node, RedisOptions, RedisStore, Tls};
use fast_cache_store::Limits;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Memory that there is at least for each entry of the near tier.
const BYTES_PER_ENTRY: usize = 512;

/// What a `RedisStorage` says.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Settings {
    namespace: String,
    local: usize,
    strict: bool,
    timeout: f64,
    secret: Option<Vec<u8>>,
    compress_from: Option<usize>,
}

/// Where and how to connect, as a client of somebody else's had it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Client {
    kind: String,
    nodes: Vec<Place>,
    username: Option<String>,
    password: Option<String>,
    database: i64,
    tls: Option<Certificates>,
}

#[derive(FromPyObject)]
enum Place {
    Tcp((String, u16)),
    Unix(PathBuf),
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Certificates {
    roots: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// A store as the settings say; nothing is connected yet.
pub(super) fn open(
    settings: &Bound<'_, PyDict>,
    longest: Option<f64>,
    clock: Py<SystemClock>,
) -> PyResult<HostStore> {
    let mut options = match settings.get_item("url")? {
        Some(url) => {
            let url: String = url.extract()?;
            RedisOptions::from_url(&url)
                .map_err(|error| PyValueError::new_err(error.to_string()))?
        }
        None => client(settings)?,
    };
    let settings: Settings = settings.extract()?;
    options.namespace = settings.namespace;
    options.secret = settings.secret;
    options.timeout = Duration::try_from_secs_f64(settings.timeout)
        .map_err(|error| PyValueError::new_err(format!("timeout: {error}")))?;
    options.coherence = if settings.strict {
        Coherence::Strict
    } else {
        Coherence::Push
    };
    options.limits = Limits {
        max_entries: (settings.local / BYTES_PER_ENTRY).max(1024),
        max_bytes: settings.local,
    };
    options.compress_from = settings.compress_from;
    options.host_pattern = Some(Arc::new(pattern_of));
    let own_clock = Arc::clone(&clock.get().clock);
    options.now = Some(Arc::new(move || own_clock.now()));
    let secret = Secret::from_bytes(&options.secret_bytes());
    let store = RedisStore::<Representation>::observed(options, Representation::evicted);
    HostStore::over(AnyStore::Redis(Box::new(store)), secret, longest, clock)
}

/// How the connection is.
pub(super) fn health<'py>(
    py: Python<'py>,
    store: &RedisStore<Representation>,
) -> PyResult<Bound<'py, PyDict>> {
    let health = store.health();
    let row = PyDict::new(py);
    row.set_item("trusted", health.is_trusted)?;
    row.set_item("up", health.is_up)?;
    row.set_item("trouble", health.trouble)?;
    row.set_item("undelivered", health.undelivered)?;
    Ok(row)
}

fn client(settings: &Bound<'_, PyDict>) -> PyResult<RedisOptions> {
    let client: Client = settings.extract()?;
    let text = |name: &str| -> PyResult<Option<String>> {
        settings
            .get_item(name)?
            .map_or(Ok(None), |found| found.extract())
    };
    let mut options = RedisOptions::new("localhost", 6379);
    options.nodes = client
        .nodes
        .into_iter()
        .map(|place| match place {
            Place::Tcp((host, port)) => Node::Tcp(host, port),
            Place::Unix(path) => Node::Unix(path),
        })
        .collect();
    options.kind = match client.kind.as_str() {
        "cluster" => Kind::Cluster,
        "sentinel" => Kind::Sentinel {
            master: text("master")?.unwrap_or_default(),
            username: text("sentinel_username")?,
            password: text("sentinel_password")?,
        },
        _ => Kind::Single,
    };
    options.username = client.username;
    options.password = client.password;
    options.database = client.database;
    options.tls = client.tls.map(|certificates| Tls {
        roots: certificates.roots,
        identity: certificates.identity,
    });
    Ok(options)
}
