//! `Cache-Control` of responses and of requests, and `Pragma`
//! ([RFC 9111 §5.2](https://www.rfc-editor.org/rfc/rfc9111#section-5.2)).
//!
//! Where a value is damaged or said twice, the reading that reuses less wins: a lifetime that is no number is 0, of two
//! lifetimes the smaller one counts, and `no-store`, `no-cache` and `private` count even in a member whose commas were
//! forgotten or written as semicolons.

use super::list::{self, Escapes, Pieces};
use super::{Line, values};

/// The largest number of seconds a directive can say, 2³¹ − 1; larger ones count as this
/// ([RFC 9111 §1.2.2](https://www.rfc-editor.org/rfc/rfc9111#section-1.2.2)).
pub const MAX_SECONDS: u32 = i32::MAX as u32;

/// What all `Cache-Control` lines of a response say together.
///
/// Times are whole seconds up to [`MAX_SECONDS`]; what is no number counts as 0, and the smallest of several counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each directive stands alone")]
pub struct ResponseDirectives {
    /// `max-age`.
    pub max_age: Option<u32>,
    /// `s-maxage`.
    pub s_maxage: Option<u32>,
    /// `stale-while-revalidate` ([RFC 5861 §3](https://www.rfc-editor.org/rfc/rfc5861#section-3)).
    pub stale_while_revalidate: Option<u32>,
    /// `stale-if-error` ([RFC 5861 §4](https://www.rfc-editor.org/rfc/rfc5861#section-4)).
    pub stale_if_error: Option<u32>,
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache`, with or without field names.
    pub no_cache: bool,
    /// The fields, in lower case, to which every `no-cache` restricts itself; empty where one does not.
    pub no_cache_fields: Vec<Box<str>>,
    /// `private`, with or without field names.
    pub private: bool,
    /// The fields, in lower case, to which every `private` restricts itself; empty where one does not.
    pub private_fields: Vec<Box<str>>,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`.
    pub must_revalidate: bool,
    /// `proxy-revalidate`.
    pub proxy_revalidate: bool,
    /// `must-understand`.
    pub must_understand: bool,
    /// `immutable` ([RFC 8246](https://www.rfc-editor.org/rfc/rfc8246)).
    pub immutable: bool,
    /// `no-transform`.
    pub no_transform: bool,
}

impl ResponseDirectives {
    /// Reads every `Cache-Control` line among `lines`.
    ///
    /// ```
    /// use fast_cache_core::fields::{Line, cache_control::ResponseDirectives};
    ///
    /// let lines = [Line::new(b"cache-control", b"Public, x=\"no-store\""), Line::new(b"Cache-Control", b"MAX-AGE=60")];
    /// let directives = ResponseDirectives::parse(&lines);
    /// assert_eq!(directives.max_age, Some(60));
    /// assert!(directives.public && !directives.no_store);
    /// ```
    pub fn parse(lines: &[Line<'_>]) -> Self {
        Self::from_values(values(lines, "cache-control"))
    }

    /// Reads the values of `Cache-Control` lines that the caller has already found.
    pub fn from_values<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut directives = Self::default();
        for member in list::members(values) {
            each_directive(member, |directive| directives.add(&directive));
        }
        directives
    }

    fn add(&mut self, directive: &Directive<'_>) {
        let mut buffer = [0; LONGEST_NAME];
        match directive.lower_name(&mut buffer) {
            b"no-store" => self.no_store = true,
            b"no-cache" => {
                restrict(&mut self.no_cache, &mut self.no_cache_fields, directive);
            }
            b"private" => restrict(&mut self.private, &mut self.private_fields, directive),
            _ if directive.salvaged => {}
            b"max-age" => smallest(&mut self.max_age, directive.seconds().unwrap_or(0)),
            b"s-maxage" => smallest(&mut self.s_maxage, directive.seconds().unwrap_or(0)),
            b"stale-while-revalidate" => {
                smallest(
                    &mut self.stale_while_revalidate,
                    directive.seconds().unwrap_or(0),
                );
            }
            b"stale-if-error" => {
                smallest(&mut self.stale_if_error, directive.seconds().unwrap_or(0));
            }
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"no-transform" => self.no_transform = true,
            b"public" => self.public |= directive.argument.is_none(),
            b"immutable" => self.immutable |= directive.argument.is_none(),
            _ => {}
        }
    }
}

/// How stale an answer a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MaxStale {
    /// Past its lifetime by this many seconds, up to [`MAX_SECONDS`].
    Seconds(u32),
    /// However stale.
    Any,
}

/// What a request's `Cache-Control` lines, or without any of those its `Pragma` lines, say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each directive stands alone")]
pub struct RequestDirectives {
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache`, or `Pragma: no-cache` where no `Cache-Control` line is
    /// ([RFC 9111 §5.4](https://www.rfc-editor.org/rfc/rfc9111#section-5.4)).
    pub no_cache: bool,
    /// `max-age` in seconds; 0 where it is no number, the smallest of several.
    pub max_age: Option<u32>,
    /// `max-stale`; `Seconds(0)` where its value is no number, the smallest of several.
    pub max_stale: Option<MaxStale>,
    /// `min-fresh` in seconds; [`MAX_SECONDS`] where it is no number, the largest of several.
    pub min_fresh: Option<u32>,
    /// `only-if-cached`.
    pub only_if_cached: bool,
    /// `no-transform`.
    pub no_transform: bool,
}

impl RequestDirectives {
    /// Reads the `Cache-Control` and `Pragma` lines among `lines`; never allocates for values without backslashes.
    ///
    /// ```
    /// use fast_cache_core::fields::{Line, cache_control::RequestDirectives};
    ///
    /// let pragma = Line::new(b"pragma", b"no-cache");
    /// assert!(RequestDirectives::parse(&[pragma]).no_cache);
    /// assert!(!RequestDirectives::parse(&[pragma, Line::new(b"cache-control", b"max-age=5")]).no_cache);
    /// ```
    pub fn parse(lines: &[Line<'_>]) -> Self {
        let mut directives = Self::default();
        let (mut has_cache_control, mut has_pragma) = (false, false);
        for line in lines {
            if line.is("cache-control") {
                has_cache_control = true;
                directives.add_value(line.value);
            } else if line.is("pragma") {
                has_pragma = true;
            }
        }
        if has_pragma && !has_cache_control {
            directives.no_cache = is_pragma_no_cache(values(lines, "pragma"));
        }
        directives
    }

    /// Reads the values of lines that the caller has already found.
    pub fn from_values<'a>(
        cache_control: impl IntoIterator<Item = &'a [u8]>,
        pragma: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut directives = Self::default();
        let mut has_cache_control = false;
        for value in cache_control {
            has_cache_control = true;
            directives.add_value(value);
        }
        if !has_cache_control {
            directives.no_cache = is_pragma_no_cache(pragma);
        }
        directives
    }

    fn add_value(&mut self, value: &[u8]) {
        for member in list::members([value]) {
            each_directive(member, |directive| self.add(&directive));
        }
    }

    fn add(&mut self, directive: &Directive<'_>) {
        let mut buffer = [0; LONGEST_NAME];
        match directive.lower_name(&mut buffer) {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            _ if directive.salvaged => {}
            b"max-age" => smallest(&mut self.max_age, directive.seconds().unwrap_or(0)),
            b"max-stale" => {
                let stale = match directive.argument {
                    None => MaxStale::Any,
                    Some(_) => MaxStale::Seconds(directive.seconds().unwrap_or(0)),
                };
                smallest(&mut self.max_stale, stale);
            }
            b"min-fresh" => {
                self.min_fresh = self
                    .min_fresh
                    .max(Some(directive.seconds().unwrap_or(MAX_SECONDS)));
            }
            b"only-if-cached" => self.only_if_cached = true,
            b"no-transform" => self.no_transform = true,
            _ => {}
        }
    }
}

fn is_pragma_no_cache<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> bool {
    list::members(values).any(|member| {
        list::name_and_argument(member)
            .0
            .eq_ignore_ascii_case(b"no-cache")
    })
}

const LONGEST_NAME: usize = "stale-while-revalidate".len();

/// One directive, as it was written.
struct Directive<'a> {
    name: &'a [u8],
    argument: Option<&'a [u8]>,
    /// Found inside a member that is not a directive as a whole. Only what forbids reuse may count then.
    salvaged: bool,
}

impl<'a> Directive<'a> {
    fn new(member: &'a [u8], salvaged: bool) -> Self {
        let (name, argument) = list::name_and_argument(member);
        Self {
            name,
            argument,
            salvaged,
        }
    }

    fn is_well_formed(&self) -> bool {
        list::is_token(self.name)
            && self.argument.is_none_or(|argument| {
                list::is_token(argument) || list::unquote(argument).is_some()
            })
    }

    /// The name in lower case; empty where it is longer than any known one.
    fn lower_name<'b>(&self, buffer: &'b mut [u8; LONGEST_NAME]) -> &'b [u8] {
        let Some(lower) = buffer.get_mut(..self.name.len()) else {
            return &[];
        };
        lower.copy_from_slice(self.name);
        lower.make_ascii_lowercase();
        lower
    }

    /// The argument as a number of seconds, bare or in quotes; `None` where it is missing or not all digits.
    fn seconds(&self) -> Option<u32> {
        let argument = self.argument?;
        let unquoted = list::unquote(argument);
        let digits = unquoted.as_deref().unwrap_or(argument);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let seconds = digits.iter().fold(0_u32, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add(u32::from(digit - b'0'))
        });
        Some(seconds.min(MAX_SECONDS))
    }

    /// The field names in the argument, in lower case; `None` where there are none or one of them is malformed.
    fn field_names(&self) -> Option<Vec<Box<str>>> {
        let argument = self.argument?;
        let unquoted = list::unquote(argument);
        listed_fields(unquoted.as_deref().unwrap_or(argument))
    }
}

/// Calls `add` with the directive that `member` is. Where it is not one as a whole, `add` also gets each of its words.
fn each_directive<'a>(member: &'a [u8], mut add: impl FnMut(Directive<'a>)) {
    let directive = Directive::new(member, false);
    let well_formed = directive.is_well_formed();
    add(directive);
    if !well_formed {
        let mut words = Pieces::of(member);
        while let Some(word) = words.next(Escapes::Backslash, |byte| {
            matches!(byte, b';' | b' ' | b'\t')
        }) {
            add(Directive::new(word, true));
        }
    }
}

/// The field names in a list, in lower case; `None` where there are none or one of them is malformed.
pub(super) fn listed_fields(list: &[u8]) -> Option<Vec<Box<str>>> {
    let names: Option<Vec<Box<str>>> = list::members([list]).map(lower_token).collect();
    names.filter(|names| !names.is_empty())
}

fn lower_token(bytes: &[u8]) -> Option<Box<str>> {
    let name = std::str::from_utf8(bytes)
        .ok()
        .filter(|_| list::is_token(bytes))?;
    Some(name.to_ascii_lowercase().into_boxed_str())
}

fn smallest<T: Copy + Ord>(kept: &mut Option<T>, value: T) {
    *kept = Some(kept.map_or(value, |kept| kept.min(value)));
}

/// Notes one more `private` or `no-cache`: once one stands without field names, or with malformed ones, none count.
fn restrict(present: &mut bool, fields: &mut Vec<Box<str>>, directive: &Directive<'_>) {
    let unrestricted = *present && fields.is_empty();
    *present = true;
    match directive.field_names() {
        Some(names) if !unrestricted => {
            fields.extend(names);
            fields.sort_unstable();
            fields.dedup();
        }
        _ => fields.clear(),
    }
}

#[cfg(test)]
mod tests;
