//! Entries of this host that leave the process and come back.

use crate::lines::HeaderLines;
use crate::representation::{Representation, body_weight, weight_of_lines};
use fast_cache_core::fields::Line;
use fast_cache_store::codec::Portable;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

impl Portable for Representation {
    fn read<T>(&self, read: impl FnOnce(&[Line<'_>], &[u8]) -> T) -> T {
        Python::attach(|py| {
            let lines = HeaderLines::from_snapshot(self.lines.bind(py));
            read(&lines.lines(), self.body.as_bytes(py))
        })
    }

    fn make(lines: &[Line<'_>], body: &[u8]) -> Option<(Self, usize)> {
        Python::attach(|py| {
            let pairs = lines.iter().map(|line| {
                let pair = [PyBytes::new(py, line.name), PyBytes::new(py, line.value)];
                PyTuple::new(py, pair)
            });
            let pairs = pairs.collect::<PyResult<Vec<_>>>().ok()?;
            let pairs = PyTuple::new(py, pairs).ok()?;
            let weight = weight_of_lines(lines) + body_weight(body.len());
            let body = PyBytes::new(py, body);
            // It belongs to no route of this process's analysis: whoever made it counted it.
            let made = Self::new(pairs.unbind(), body.unbind(), None, 0);
            Some((made, weight))
        })
    }
}
