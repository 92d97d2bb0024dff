//! The clock as Python sees it.

use fast_cache_core::time::Timestamp;
use fast_cache_engine::clock::Clock;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::Arc;
use std::time::Duration;

/// A clock: the system's, or one that stands still until it is moved.
#[pyclass(
    frozen,
    subclass,
    name = "SystemClock",
    module = "fast_cache_middleware._core"
)]
pub(crate) struct SystemClock {
    pub(crate) clock: Arc<Clock>,
}

#[pymethods]
impl SystemClock {
    /// The system's clock; with `start`, in seconds since the Unix epoch, one that stands still.
    #[new]
    #[pyo3(signature = (start=None))]
    fn new(start: Option<f64>) -> Self {
        let clock = Clock::system();
        clock.hold(start.map(at));
        Self {
            clock: Arc::new(clock),
        }
    }

    /// Seconds since the Unix epoch.
    fn now(&self) -> f64 {
        seconds(self.clock.now())
    }

    /// Moves a clock that stands still by `seconds`, back where they are negative.
    fn advance(&self, seconds: f64) -> PyResult<()> {
        let by = Duration::try_from_secs_f64(seconds.abs())
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        if self.clock.advance(by, seconds < 0.0) {
            Ok(())
        } else {
            Err(PyValueError::new_err("the system's clock cannot be moved"))
        }
    }

    /// Holds the clock at `start`, in seconds since the Unix epoch, or lets it run; where it was held before, `None` if
    /// it ran.
    #[pyo3(signature = (start))]
    fn hold(&self, start: Option<f64>) -> Option<f64> {
        self.clock.hold(start.map(at)).map(seconds)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a cast from float saturates"
)]
fn at(seconds: f64) -> Timestamp {
    Timestamp::from_micros((seconds * 1e6) as i64)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "microseconds fit until the year 2255"
)]
fn seconds(time: Timestamp) -> f64 {
    time.micros() as f64 / 1e6
}
