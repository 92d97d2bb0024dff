//! The stores as Python sees them.
//!
//! | file | what |
//! |---|---|
//! | `any` | the store in memory, or another one |
//! | `clock` | the clock |
//! | `portable` | entries that leave the process |
//! | `shared`, `redis` | stores that others share |
//! | `stats` | counts in rows |

mod any;
mod clock;
mod portable;
mod redis;
mod shared;
mod stats;

pub(crate) use any::AnyStore;
pub(crate) use clock::SystemClock;

use stats::{add, fill};

use crate::failing::{Awaited, Flights, Part};
use crate::patterns::path_pattern;
use crate::representation::{Representation, body_weight};
use crate::settling::{Settling, settling};
use fast_cache_core::key::inputs::Inputs;
use fast_cache_core::key::{Identity, Secret, custom_key};
use fast_cache_core::purge::{Cover, Label, Purge};
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use fast_cache_engine::draws::Draws;
use fast_cache_engine::observe::{RouteCounters, RouteCounts};
use fast_cache_engine::refreshes::Refreshes;
use fast_cache_store::{Content, Limits, LocalStore, Put, Walk};
use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How many entries one step of a walk looks at.
const WALK_STEP: usize = 256;

/// How many keys are refreshed in the background at once.
const MOST_REFRESHING: usize = 64;

/// A store, the secret of its keys, and what happened on the routes that use it.
#[pyclass(name = "Store", frozen, module = "fast_cache_middleware._core")]
pub(crate) struct HostStore {
    pub(crate) store: AnyStore,
    pub(crate) secret: Secret,
    pub(crate) longest: Duration,
    pub(crate) clock: Py<SystemClock>,
    counters: Mutex<HashMap<Box<str>, Arc<RouteCounters>>>,
    walks: Mutex<Vec<Walk>>,
    /// The keys that are being asked for.
    pub(crate) flights: Arc<Flights>,
    /// What is left to chance.
    pub(crate) draws: Draws,
    /// The keys that are being refreshed in the background.
    pub(crate) refreshes: Refreshes,
}

impl HostStore {
    /// The counters of a route template. They outlive a new analysis.
    pub(crate) fn counters_of(&self, template: &str) -> Arc<RouteCounters> {
        Arc::clone(self.counters.lock().entry(template.into()).or_default())
    }

    /// A number that clients cannot know.
    #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
    pub(crate) fn seed(&self) -> u64 {
        self.secret.digest(b"seed") as u64
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.get().clock.now()
    }

    fn over(
        store: AnyStore,
        secret: Secret,
        longest: Option<f64>,
        clock: Py<SystemClock>,
    ) -> PyResult<Self> {
        let longest = longest.map(Duration::try_from_secs_f64).transpose();
        let mut seed = [0; 8];
        // Processes that share a secret draw differently. Without randomness they would draw alike, which only costs.
        let _ = getrandom::fill(&mut seed);
        Ok(Self {
            draws: Draws::new(u64::from_le_bytes(seed)),
            store,
            secret,
            longest: longest
                .map_err(|error| PyValueError::new_err(error.to_string()))?
                .unwrap_or(Duration::MAX),
            clock,
            counters: Mutex::default(),
            walks: Mutex::default(),
            flights: Arc::default(),
            refreshes: Refreshes::new(MOST_REFRESHING),
        })
    }

    fn own_key(&self, key: &str, buffer: &mut Vec<u8>) -> fast_cache_core::key::Key {
        let identity = Identity::of_route("", "storage", "", "", &Inputs::default());
        custom_key(&identity, &self.secret, key, buffer).to_owned()
    }
}

#[pymethods]
impl HostStore {
    /// A store in this process's memory, of at most `max_entries` entries and `max_bytes` bytes; nothing stays longer than
    /// `longest` seconds. Stores that share entries share a `secret` of 48 bytes; without one it is random.
    #[staticmethod]
    #[pyo3(signature = (max_entries, max_bytes, longest, clock, secret=None))]
    fn memory(
        max_entries: usize,
        max_bytes: usize,
        longest: Option<f64>,
        clock: Py<SystemClock>,
        secret: Option<[u8; 48]>,
    ) -> PyResult<Self> {
        let mut bytes = secret.unwrap_or([0; 48]);
        if secret.is_none() {
            getrandom::fill(&mut bytes)
                .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        }
        let limits = Limits {
            max_entries,
            max_bytes,
        };
        let store = fast_cache_store::MemoryStore::observed(limits, Representation::evicted);
        let secret = Secret::from_bytes(&bytes);
        Self::over(AnyStore::Memory(store), secret, longest, clock)
    }

    /// A store in the directory `path`, shared by all processes that name it: of at most so many entries and bytes, and
    /// so many bytes near in each process. `warn` is told of trouble.
    #[staticmethod]
    fn shared(
        path: PathBuf,
        limits: (usize, usize, Option<usize>),
        longest: Option<f64>,
        clock: Py<SystemClock>,
        warn: Py<PyAny>,
    ) -> PyResult<Self> {
        shared::open(&path, limits, longest, clock, warn)
    }

    /// A store in Redis or Valkey, as the settings say.
    #[staticmethod]
    fn redis(
        settings: &Bound<'_, PyDict>,
        longest: Option<f64>,
        clock: Py<SystemClock>,
    ) -> PyResult<Self> {
        redis::open(settings, longest, clock)
    }

    /// How the store is, where something can be the matter with it.
    fn health<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        match &self.store {
            AnyStore::Memory(_) => Ok(PyDict::new(py)),
            AnyStore::Shared(store) => {
                let row = PyDict::new(py);
                row.set_item("trouble", store.trouble())?;
                row.set_item("hit_ratio", store.lookups().hit_ratio())?;
                Ok(row)
            }
            AnyStore::Redis(store) => redis::health(py, store),
        }
    }

    /// What is to be awaited for what others have stored under a key of the caller's own, if anything.
    fn ask(slf: &Bound<'_, Self>, key: &str) -> PyResult<Option<Py<Settling>>> {
        let store = slf.get();
        let Some(elsewhere) = store.store.elsewhere() else {
            return Ok(None);
        };
        let key = store.own_key(key, &mut Vec::new());
        let awaited = Awaited::inquire(elsewhere, key, Part::Alone);
        Settling::before_a_lookup(slf.py(), awaited, slf.clone().unbind()).map(Some)
    }

    /// Stores and finds nothing from now on, and releases what this process holds.
    fn close(&self, py: Python<'_>) {
        // It may wait for what is on its way.
        py.detach(|| self.store.close());
    }

    /// Forgets what is under way: in the child of a fork, that is the parent's.
    fn begin_anew(&self) {
        self.flights.begin_anew();
        self.refreshes.begin_anew();
    }

    /// Where the store takes its time from.
    #[getter]
    fn clock(&self, py: Python<'_>) -> Py<SystemClock> {
        self.clock.clone_ref(py)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        py.detach(|| self.store.len())
    }

    /// Keeps bytes under a key of the caller's own, for the path `path`; whether they were kept.
    fn keep(&self, py: Python<'_>, key: &str, path: &str, data: &Bound<'_, PyBytes>) -> bool {
        let mut buffer = Vec::new();
        let length = data.as_bytes().len();
        let stored = Stored {
            received: self.now(),
            initial_age: 0,
            took: 0,
            lifetime: self.longest,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            status: 200,
            traits: Traits::default(),
            etag: StoredTag::None,
            last_modified: None,
            body_length: length as u64,
            representation: Representation::new(
                PyTuple::empty(py).unbind(),
                data.clone().unbind(),
                None,
                0,
            ),
        };
        let mut labels = Vec::new();
        if Label::subtrees(path, &mut labels).is_err() {
            return false;
        }
        let put = Put {
            key: self.own_key(key, &mut buffer),
            birth: self.store.birth(),
            path,
            labels: &labels,
            content: Content::Response(stored),
            weight: body_weight(length),
        };
        self.store.put(put).is_ok()
    }

    /// The bytes kept under a key of the caller's own, and whether they have outlived the store's limit.
    fn kept<'py>(&self, py: Python<'py>, key: &str) -> Option<(Bound<'py, PyBytes>, bool)> {
        let mut buffer = Vec::new();
        let key = self.own_key(key, &mut buffer);
        let found = self.store.get(key.borrow())?;
        let stored = found.entry.response()?;
        let expired = found.soft || self.now().since(stored.received) > self.longest;
        if expired {
            self.store.remove(key.borrow());
        }
        Some((stored.representation.body.bind(py).clone(), expired))
    }

    /// Drops what `paths` (kind, text and compiled expression), tags and labels of endpoints cover. When it returns,
    /// every later lookup sees it; call `walk` until it says that it is done to bring back what an expression does not
    /// match.
    fn purge(
        &self,
        paths: Vec<(String, String, Option<Py<PyAny>>)>,
        tags: Vec<String>,
        endpoints: Vec<u64>,
        soft: bool,
    ) -> PyResult<()> {
        let mut covers = Vec::new();
        for (kind, text, pattern) in paths {
            covers.push(match kind.as_str() {
                "subtree" => Cover::Label(Label::subtree(&text)),
                _ => Cover::Path(path_pattern(&kind, &text, pattern)?),
            });
        }
        covers.extend(tags.iter().map(|tag| Cover::Label(Label::tag(tag))));
        covers.extend(
            endpoints
                .into_iter()
                .map(|bits| Cover::Label(Label::from_bits(bits))),
        );
        if let Some(walk) = self.store.purge(&Purge { covers, soft }) {
            self.walks.lock().push(walk);
        }
        Ok(())
    }

    /// Takes the walks of drops by expression a step further; whether they are done.
    fn walk(&self) -> bool {
        let Some(mut walk) = self.walks.lock().pop() else {
            return true;
        };
        if !self.store.resolve(&mut walk, WALK_STEP) {
            self.walks.lock().push(walk);
        }
        self.walks.lock().is_empty()
    }

    /// What is to be awaited until the drops made so far hold for everybody, if anything.
    fn settled(slf: &Bound<'_, Self>) -> PyResult<Option<Py<Settling>>> {
        settling(slf.py(), &slf.clone().unbind())
    }

    /// The logical time now, for an answer that is about to be made.
    fn birth(&self) -> u64 {
        self.store.birth()
    }

    /// Drops everything and gives back the memory; forgets which keys are known to be unshared.
    fn clear(&self) {
        self.store.clear();
        self.flights.forget();
    }

    /// Gives back the memory of up to `max_steps` dropped or expired entries; how many that were.
    fn sweep(&self, max_steps: usize) -> usize {
        self.store.sweep(max_steps, self.now())
    }

    /// What happened, over all routes and by route template.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let store = self.store.counters();
        let by_route = PyDict::new(py);
        let mut sum = RouteCounts::default();
        for (template, counters) in &*self.counters.lock() {
            let counts = counters.read();
            add(&mut sum, &counts);
            let row = PyDict::new(py);
            fill(&row, &counts)?;
            by_route.set_item(&**template, row)?;
        }
        let (entries, bytes) = py.detach(|| (self.store.len(), self.store.bytes()));
        sum.entries = entries as u64;
        sum.bytes = bytes as u64;
        let stats = PyDict::new(py);
        fill(&stats, &sum)?;
        stats.set_item("evictions", store.evictions)?;
        stats.set_item("drops", store.drops)?;
        stats.set_item("by_route", by_route)?;
        Ok(stats)
    }

    fn __traverse__(
        &self,
        visit: pyo3::pyclass::PyVisit<'_>,
    ) -> Result<(), pyo3::pyclass::PyTraverseError> {
        visit.call(&self.clock)
    }
}
