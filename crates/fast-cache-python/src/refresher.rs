//! A refresh in the background where others share the store: it asks them first, so that one of all refreshes.

use crate::awaitable::close;
use crate::coroutine::coroutine_class;
use crate::failing::{Awaited, Boarding, Part};
use crate::following::Following;
use crate::recorder::RecordingSend;
use crate::representation::Representation;
use crate::store::HostStore;
use crate::wait::{LIMIT, Wait};
use crate::waiter::{Course, Waiter};
use fast_cache_core::key::KeyRef;
use fast_cache_store::{Entry, LocalStore};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use std::sync::Arc;

/// Waits for the word of others, and refreshes unless one of them has.
#[pyclass(module = "fast_cache_middleware._core")]
pub(crate) struct Refresher {
    course: Course,
    refresh: Option<Refresh>,
}

/// What refreshes, once it may.
struct Refresh {
    store: Py<HostStore>,
    /// What is to be refreshed.
    stale: Arc<Entry<Representation>>,
    following: Py<Following>,
    sender: Py<RecordingSend>,
}

/// The refresh of `stale` by `following`, after the others were asked; itself where there are none, and nothing where
/// somebody of this process is asking the application already.
pub(crate) fn among_others(
    py: Python<'_>,
    store: &Py<HostStore>,
    stale: &Arc<Entry<Representation>>,
    following: Following,
    sender: &Bound<'_, RecordingSend>,
) -> PyResult<Option<Py<PyAny>>> {
    let ours = store.get();
    let Some(elsewhere) = ours.store.elsewhere() else {
        return Ok(Some(Py::new(py, following)?.into_any()));
    };
    let bytes = stale.key();
    let key = KeyRef {
        digest: ours.secret.digest(bytes),
        bytes,
    };
    let boarding = (ours.flights).board(key, ours.store.birth(), ours.now());
    let part = match boarding {
        Boarding::Lead(permit) => Part::Lead(permit),
        Boarding::Alone => Part::Alone,
        Boarding::Follow(_) => {
            let following = Py::new(py, following)?;
            close(following.bind(py))?;
            return Ok(None);
        }
    };
    let awaited = Awaited::inquire(elsewhere, key.to_owned(), part);
    let refresher = Refresher {
        course: Course::Waiting(Wait::new(awaited, store.clone_ref(py), LIMIT)),
        refresh: Some(Refresh {
            store: store.clone_ref(py),
            stale: Arc::clone(stale),
            following: Py::new(py, following)?,
            sender: sender.clone().unbind(),
        }),
    };
    Ok(Some(Py::new(py, refresher)?.into_any()))
}

impl Refresh {
    /// Whether another answer has taken the place of the stale one.
    fn was_done(&self) -> bool {
        let store = self.store.get();
        let bytes = self.stale.key();
        let digest = store.secret.digest(bytes);
        let found = store.store.get(KeyRef { digest, bytes });
        let made = |entry: &Entry<Representation>| entry.response().map(|stored| stored.received);
        found.is_some_and(|found| {
            !found.soft
                && made(&found.entry) > made(&self.stale)
                && found.entry.birth() >= self.stale.birth()
        })
    }
}

coroutine_class!(Refresher);

impl Waiter for Refresher {
    fn course(&mut self) -> &mut Course {
        &mut self.course
    }

    /// Refreshes, unless one of the others has.
    fn go_on(&mut self, py: Python<'_>, part: Part) -> PyResult<Option<Py<PyAny>>> {
        let Some(refresh) = self.refresh.take() else {
            return Ok(None);
        };
        if refresh.was_done() {
            close(refresh.following.bind(py))?;
            return Ok(None);
        }
        if let Part::Lead(permit) = part {
            refresh.sender.get().lead(permit);
        }
        Ok(Some(refresh.following.into_any()))
    }

    fn give_up(&mut self, py: Python<'_>) -> PyResult<()> {
        match self.refresh.take() {
            Some(refresh) => close(refresh.following.bind(py)),
            None => Ok(()),
        }
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(refresh) = &self.refresh {
            visit.call(&refresh.store)?;
            visit.call(&refresh.following)?;
            visit.call(&refresh.sender)?;
        }
        self.course.traverse(visit)
    }
}
