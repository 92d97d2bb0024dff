//! The path parameters of a request: what the table captured, or what the framework said.

use fast_cache_core::route::{Captures, Convertor};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFloat, PyInt, PyString, PyType};

pub(crate) enum Parameters<'a> {
    /// Slices of the path.
    Captured(Captures<'a>),
    /// The framework's values, and each of them as text.
    Asked(Py<PyDict>, Vec<(String, String)>),
}

impl Parameters<'_> {
    /// The framework's own values.
    pub(crate) fn asked(values: &Bound<'_, PyDict>) -> PyResult<Self> {
        let texts = values
            .iter()
            .map(|(name, value)| Ok((name.extract()?, value.str()?.extract()?)))
            .collect::<PyResult<Vec<_>>>()?;
        Ok(Self::Asked(values.clone().unbind(), texts))
    }

    /// A parameter as text.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        match self {
            Self::Captured(captures) => captures.get(name),
            Self::Asked(_, texts) => texts
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, text)| text.as_str()),
        }
    }

    /// All parameters as text.
    pub(crate) fn to_texts(&self) -> Vec<(String, String)> {
        match self {
            Self::Captured(captures) => captures
                .iter()
                .map(|(parameter, text)| (parameter.name.to_string(), text.to_owned()))
                .collect(),
            Self::Asked(_, texts) => texts.clone(),
        }
    }

    /// All parameters, converted as the router would.
    /// `names` are the names of the captured ones, from left to right.
    pub(crate) fn to_dict<'py>(
        &self,
        py: Python<'py>,
        names: &[Py<PyString>],
    ) -> PyResult<Bound<'py, PyDict>> {
        let captures = match self {
            Self::Captured(captures) => captures,
            Self::Asked(values, _) => return values.bind(py).copy(),
        };
        let values = PyDict::new(py);
        for ((parameter, text), name) in captures.iter().zip(names) {
            match parameter.convertor {
                Convertor::Str | Convertor::Path => values.set_item(name, text)?,
                Convertor::Int => match text.parse::<u64>() {
                    Ok(number) => values.set_item(name, number)?,
                    Err(_) => values.set_item(name, py.get_type::<PyInt>().call1((text,))?)?,
                },
                Convertor::Float => {
                    values.set_item(name, py.get_type::<PyFloat>().call1((text,))?)?;
                }
                Convertor::Uuid => values.set_item(name, uuid_type(py)?.call1((text,))?)?,
            }
        }
        Ok(values)
    }
}

fn uuid_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    UUID.import(py, "uuid", "UUID")
}
