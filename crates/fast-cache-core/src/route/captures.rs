//! What a resolution says.

use super::template::Parameter;
use smallvec::SmallVec;

/// The answer of [`Table::resolve`](super::Table::resolve).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution<'a> {
    /// This route takes the request.
    Route(Matched<'a>),
    /// A mount swallows the request; what happens inside it is not known here.
    Opaque,
    /// Only the framework can tell.
    Ask,
    /// No route takes the request. Whether that is a 404, a 405 or a redirect is the framework's business.
    None,
}

/// The route that takes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched<'a> {
    /// The number the route was given by the caller.
    pub target: u32,
    pub(super) position: u32,
    /// What its parameters matched.
    pub captures: Captures<'a>,
}

/// The parameters of a matched route and the slices of the path they matched, not converted, from left to right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures<'a> {
    pub(super) parameters: &'a [Parameter],
    pub(super) values: SmallVec<[&'a str; 4]>,
}

impl<'a> Captures<'a> {
    /// What the parameter `name` matched.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter()
            .find(|(parameter, _)| &*parameter.name == name)
            .map(|(_, value)| value)
    }

    /// Parameters with their values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a Parameter, &'a str)> + '_ {
        self.parameters.iter().zip(self.values.iter().copied())
    }

    /// The values alone.
    pub fn values(&self) -> &[&'a str] {
        &self.values
    }
}
