//! Which route a request takes: the route the framework itself would pick, found at a cost that does not grow with the
//! number of routes.
//!
//! A [`Table`] holds all routes of an application, cached or not, in the order of their declaration. Its answer is the
//! first one that matches path and method, as in Starlette's router, never the "most specific" one. The rules:
//!
//! 1. A template is read as Starlette reads it: `{name}` and `{name:convertor}` are parameters, everything else is
//!    literal; the whole path must match, case counts.
//! 2. A route that fits the path but not the method is passed over; so is a route that fits only without its slash.
//! 3. What the table cannot know is not guessed: [`Resolution::Opaque`] is a mount nobody looked into,
//!    [`Resolution::Ask`] a matcher only the framework can run. Both stand in the order like any route.
//! 4. Captures are the slices of the path that Python's `re` would capture.
//!
//! A path that holds a newline (where Python's `$` and `.` are peculiar) or more than 640 digits in a row (which
//! Python may refuse to make a number of) is always answered with [`Resolution::Ask`].
//!
//! Templates split into segments that form a tree; a segment may be literal or hold one parameter with literal text
//! around it. Where a template is less regular (two parameters in a segment, a `path` parameter before another one),
//! its rest is a regular expression that hangs at the place in the tree where the regular part ends. Every subtree
//! knows its first route, so the search leaves out what could not win any more, and it enters no place twice: its work
//! is bounded by the number of segments in the table whatever the path.
//!
//! ```
//! use fast_cache_core::route::{Resolution, TableBuilder};
//!
//! let mut builder = TableBuilder::new();
//! builder.route("/users/me", Some(&["GET"]), 1)?;
//! builder.route("/users/{user_id:int}", Some(&["GET"]), 2)?;
//! builder.opaque("/static")?;
//! let table = builder.build();
//!
//! let Resolution::Route(matched) = table.resolve("GET", "/users/7") else { panic!() };
//! assert_eq!((matched.target, matched.captures.get("user_id")), (2, Some("7")));
//! assert!(matches!(table.resolve("GET", "/static/site.css"), Resolution::Opaque));
//! assert!(matches!(table.resolve("POST", "/users/me"), Resolution::None));
//! # Ok::<(), fast_cache_core::route::PatternError>(())
//! ```

mod asks;
mod builder;
mod captures;
mod edges;
mod memo;
mod segment;
mod table;
mod template;
mod work;

pub use builder::TableBuilder;
pub use captures::{Captures, Matched, Resolution};
pub use memo::Memo;
pub use table::Table;
pub use template::{Convertor, Parameter, Template, parse_template};

/// Why a template cannot stand in a [`Table`]. A caller that meets one keeps the table true with
/// [`TableBuilder::ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternError {
    /// A parameter names a convertor that is not one of Starlette's own.
    UnknownConvertor {
        /// The parameter's name.
        parameter: Box<str>,
        /// The convertor's name.
        convertor: Box<str>,
    },
    /// Two parameters have this name.
    DuplicateParameter(Box<str>),
    /// A route's template is neither empty nor begins with a slash.
    NoLeadingSlash,
    /// The routes of the table name more than 63 different methods.
    TooManyMethods,
    /// The template makes a regular expression above the size limit.
    TooLarge,
}

impl std::fmt::Display for PatternError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownConvertor {
                parameter,
                convertor,
            } => {
                write!(
                    formatter,
                    "parameter {parameter:?} names the unknown convertor {convertor:?}"
                )
            }
            Self::DuplicateParameter(name) => {
                write!(formatter, "two parameters are named {name:?}")
            }
            Self::NoLeadingSlash => formatter.write_str("a route's path must begin with a slash"),
            Self::TooManyMethods => {
                formatter.write_str("the routes name more than 63 different methods")
            }
            Self::TooLarge => formatter.write_str("the path is too large for a regular expression"),
        }
    }
}

impl std::error::Error for PatternError {}
