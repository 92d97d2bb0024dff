//! Header fields: a borrowed view that never loses, merges or reorders a line, and the syntax of the fields that
//! caching needs.
//!
//! A message's fields are a slice of [`Line`]s in the order in which they came. Names are compared without regard to
//! case ([RFC 9110 §5.1](https://www.rfc-editor.org/rfc/rfc9110#section-5.1)); values keep their bytes.

pub mod cache_control;
pub mod cache_status;
pub mod date;
pub mod groups;
pub mod hop_by_hop;
pub mod language;
pub mod list;
pub mod no_vary_search;
pub mod range;
mod structured;
pub mod targeted;
pub mod uri;
pub mod urlencoded;
pub mod validators;
pub mod vary;

/// One header line as it came over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The field name, in whatever case the sender wrote it.
    pub name: &'a [u8],
    /// The field value, byte for byte.
    pub value: &'a [u8],
}

impl<'a> Line<'a> {
    /// A line from its two parts.
    pub const fn new(name: &'a [u8], value: &'a [u8]) -> Self {
        Self { name, value }
    }

    /// Whether this line's name is `name`, without regard to case. `name` is given in lower case.
    pub fn is(&self, name: &str) -> bool {
        // Hosts hand names over in lower case, so that the first comparison nearly always tells.
        self.name == name.as_bytes() || self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The values of every line named `name` (given in lower case), in order.
pub fn values<'a>(lines: &'a [Line<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
    lines
        .iter()
        .filter(move |line| line.is(name))
        .map(|line| line.value)
}
