//! A request like a recent one: answered, or let past, after a glance at it.
//!
//! The memo only shortens the way to the key. Everything that may change from one request to the next is judged each time,
//! by the same functions as ever: header lines, what the scope says of the client, the store's entry, its drops and its
//! freshness. Where anything is out of the ordinary, [`Recalled::Nothing`] leaves the request to [`Visit`].
//!
//! [`Visit`]: crate::visit::Visit

use crate::answer::messages;
use crate::application::Application;
use crate::client::is_told;
use crate::lines::{ValueGlance, glance_at_lines};
use crate::meanings::Meaning;
use crate::recent::{Leads, Unread};
use crate::representation::Representation;
use crate::resolve::Installed;
use crate::sending::send_both;
use crate::visit::note_route;
use fast_cache_core::exchange::{Decision, Outcome, Serve, begin};
use fast_cache_core::fields::Line;
use fast_cache_core::key::inputs::{Bearing, Inputs};
use fast_cache_core::reason::Reason;
use fast_cache_core::request::{Method, Request};
use fast_cache_core::rules::request::Noted;
use fast_cache_core::time::Timestamp;
use fast_cache_engine::observe::RouteCounters;
use fast_cache_store::{Found, LocalStore};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use smallvec::SmallVec;
use std::sync::atomic::Ordering;

/// What a glance came to.
pub(crate) enum Recalled<'py> {
    /// Await this: it is the answer.
    Answer(Bound<'py, PyAny>),
    /// Call the application as it was called.
    Pass,
    /// The request must be looked at.
    Nothing,
}

enum Glance<'py> {
    Serve(usize, Found<Representation>, Serve, Bound<'py, PyDict>),
    Pass,
    Nothing,
}

impl Installed {
    /// Answers a request like a recent one.
    #[inline]
    pub(crate) fn recall<'py>(
        &self,
        application: &Application,
        scope: &Bound<'py, PyDict>,
        send: &Bound<'py, PyAny>,
        now: Timestamp,
    ) -> PyResult<Recalled<'py>> {
        let py = scope.py();
        let (index, found, serve, path_params) = match self.glance(application, scope, now) {
            Glance::Serve(index, found, serve, path_params) => (index, found, serve, path_params),
            Glance::Pass => return Ok(Recalled::Pass),
            Glance::Nothing => return Ok(Recalled::Nothing),
        };
        let (Some(route), Some(stored)) = (application.routes.get(index), found.entry.response())
        else {
            return Ok(Recalled::Nothing);
        };
        let (start, body) = messages(py, &self.status_lines, stored, serve)?;
        note_route(scope, application, route, &self.host, || path_params.copy())?;
        RouteCounters::outcome(&route.counters, Outcome::Hit);
        send_both(send, &start, &body).map(Recalled::Answer)
    }

    /// Looks at the request without running Python code, save where the scope may tell who the client is.
    #[inline]
    fn glance<'py>(
        &self,
        application: &Application,
        scope: &Bound<'py, PyDict>,
        now: Timestamp,
    ) -> Glance<'py> {
        let Some(mut recent) = application.recent.tables(scope.py()) else {
            return Glance::Nothing;
        };
        // SAFETY: nothing below runs Python code, save where it says so; what is borrowed ends with this function.
        let Some(target) = (unsafe { self.layout.target(scope) }) else {
            return Glance::Nothing;
        };
        let root_path = application.root_path.as_deref().unwrap_or(target.root_path);
        let Some(way) = recent.way([target.method, target.path, root_path]) else {
            return Glance::Nothing;
        };
        let index = match way.leads {
            Leads::Cached(index) => index,
            Leads::Past(None) => return Glance::Pass,
            Leads::Past(Some(index)) => {
                return match application.routes.get(index) {
                    Some(route) if !route.distrusted.load(Ordering::Relaxed) => Glance::Pass,
                    _ => Glance::Nothing,
                };
            }
        };
        let Some(route) = application.routes.get(index) else {
            return Glance::Nothing;
        };
        let Some(cached) = &route.cached else {
            return Glance::Nothing;
        };
        if route.distrusted.load(Ordering::Relaxed) {
            return Glance::Nothing;
        }
        let tells = cached.raw || cached.strict;
        // Held to the end, for what follows may run Python code. Should that come here again, it finds nothing.
        let _held = tells.then(|| target.owned(scope.py()));
        if tells && is_told(scope, cached) {
            return Glance::Nothing;
        }
        // SAFETY: as above.
        let Some(rest) = (unsafe { self.layout.rest(scope) }) else {
            return Glance::Nothing;
        };
        let Some((place, meanings)) = recent.hit(way, rest.query) else {
            return Glance::Nothing;
        };
        let mut parts = place.parts();
        if !(parts.is_next(rest.scheme)
            && parts.is_next(rest.raw_path)
            && parts.is_next(rest.query))
        {
            return Glance::Nothing;
        }
        let headers = self.layout.headers(scope);
        let meaning = |name: &_| meanings.of(index, &cached.inputs, name);
        // SAFETY: as above; the headers are borrowed from the scope.
        let lines = headers.and_then(|headers| unsafe { same_lines(headers, parts, meaning) });
        let Some(lines) = lines else {
            return Glance::Nothing;
        };
        // The parameters of this very path were judged before.
        let Ok(lookup) = begin(
            Method::from_name(target.method),
            &lines,
            &Noted::from_lines(&lines),
            &cached.policy,
            |_| None,
        ) else {
            return Glance::Nothing;
        };
        if !lookup.wants_stored() {
            return Glance::Nothing;
        }
        let hit = place.seen_again();
        let store = self.store.get();
        let Some(found) = store.store.get(hit.key.borrow()) else {
            return Glance::Nothing;
        };
        let stored = found.entry.response().map(|stored| (stored, found.soft));
        if stored.is_none() {
            return Glance::Nothing;
        }
        let Decision::Serve(serve) = lookup.decide(stored, Reason::Absent, now) else {
            return Glance::Nothing;
        };
        let early = stored.is_some_and(|(stored, _)| lookup.may_refresh_early(stored, now));
        if !serve.is_plain() || early {
            return Glance::Nothing;
        }
        let path_params = hit.path_params.bind(scope.py()).clone();
        Glance::Serve(index, found, serve, path_params)
    }
}

/// The header lines that bear on the lookup; `None` where those that bear on the key are not the remaining parts.
///
/// # Safety
///
/// As for [`glance_at_lines`].
#[inline]
unsafe fn same_lines<'a>(
    headers: *mut ffi::PyObject,
    mut parts: Unread<'_>,
    mut meaning: impl FnMut(&[u8]) -> Meaning,
) -> Option<SmallVec<[Line<'a>; 8]>> {
    let mut lines = SmallVec::new();
    let look = |name: &'a [u8], value: ValueGlance<'a>| {
        let meaning = meaning(name);
        if meaning.matters {
            let value = value.read()?;
            match meaning.bearing {
                Bearing::None => {}
                Bearing::Clear if parts.is_next(name) && parts.is_next(value) => {}
                Bearing::Clear | Bearing::Concealed => return None,
            }
            lines.push(Line::new(name, value));
        }
        Some(())
    };
    // SAFETY: the caller's promise.
    unsafe { glance_at_lines(headers, look) }?;
    parts.is_done().then_some(lines)
}

/// All that the key of a request was made of beside its way, part by part; `None` where the memo must not hold it.
pub(crate) fn parts_of<'a>(inputs: &Inputs, request: &Request<'a>) -> Option<Vec<&'a [u8]>> {
    if !inputs.query.secret.is_empty() && !request.query.is_empty() {
        return None;
    }
    let mut parts = vec![request.scheme, request.raw_path?, request.query];
    for line in request.lines {
        match inputs.bearing(line.name) {
            Bearing::None => {}
            Bearing::Clear => parts.extend([line.name, line.value]),
            Bearing::Concealed => return None,
        }
    }
    Some(parts)
}
