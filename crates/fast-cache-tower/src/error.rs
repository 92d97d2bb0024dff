//! What can go wrong.

use fast_cache_core::route::PatternError;
use std::fmt;

/// A drop could not be carried out everywhere.
///
/// Stores of this process never fail; those that others share may.
#[derive(Debug)]
#[non_exhaustive]
pub enum PurgeError {}

impl fmt::Display for PurgeError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for PurgeError {}

/// A template that cannot be read, of a path or of a tag: an unknown convertor, a parameter that stands twice, a path
/// without its slash.
///
/// ```
/// use fast_cache_tower::Policy;
/// use std::time::Duration;
///
/// let error = Policy::max_age(Duration::from_secs(60)).try_tag("user:{id:number}").unwrap_err();
/// assert_eq!(error.template(), "user:{id:number}");
/// assert!(error.to_string().contains("number"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    template: Box<str>,
    cause: PatternError,
}

impl TemplateError {
    pub(crate) fn new(template: &str, cause: PatternError) -> Self {
        Self {
            template: template.into(),
            cause,
        }
    }

    /// The template, as it was written.
    pub fn template(&self) -> &str {
        &self.template
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.template, self.cause)
    }
}

impl std::error::Error for TemplateError {}

/// What was written in code, and should be right.
///
/// # Panics
///
/// Where it is not.
pub(crate) fn written<T>(read: Result<T, TemplateError>) -> T {
    read.unwrap_or_else(|error| panic!("{error}"))
}
