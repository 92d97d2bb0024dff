//! Templates: literal text with `{name}` or `{name:convertor}` in it.

use super::PatternError;

/// Reads a template as Starlette does: `{name}` and `{name:convertor}` with ASCII identifiers are parameters, anything
/// else, lone braces too, is literal.
///
/// Paths (`/users/{user_id:int}`) and labels (`user:{user_id}`) are written alike.
///
/// # Errors
///
/// [`PatternError::UnknownConvertor`] and [`PatternError::DuplicateParameter`].
///
/// ```
/// use fast_cache_core::route::parse_template;
///
/// let tag = parse_template("user:{user_id}")?;
/// let filled = tag.fill(|name| (name == "user_id").then_some("7"));
/// assert_eq!(filled.as_deref(), Some("user:7"));
/// # Ok::<(), fast_cache_core::route::PatternError>(())
/// ```
pub fn parse_template(template: &str) -> Result<Template, PatternError> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = template;
    while let Some((before, name, convertor, after)) = next_parameter(rest) {
        if !before.is_empty() {
            pieces.push(Piece::Literal(before.into()));
        }
        if pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Parameter(known) if &*known.name == name))
        {
            return Err(PatternError::DuplicateParameter(name.into()));
        }
        let Some(convertor) = Convertor::from_name(convertor) else {
            return Err(PatternError::UnknownConvertor {
                parameter: name.into(),
                convertor: convertor.into(),
            });
        };
        pieces.push(Piece::Parameter(Parameter {
            name: name.into(),
            convertor,
        }));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.into()));
    }
    Ok(Template { pieces })
}

/// A template, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// The literal text before the first parameter: every path that fits begins with it.
    pub fn literal_prefix(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }

    /// The parameters, from left to right.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Parameter(parameter) => Some(parameter),
            Piece::Literal(_) => None,
        })
    }

    /// The template with every parameter replaced by its value, verbatim; `None` if one has no value. Whether a value
    /// suits its convertor is not looked at.
    pub fn fill<'v>(&self, values: impl Fn(&str) -> Option<&'v str>) -> Option<String> {
        let mut filled = String::new();
        for piece in &self.pieces {
            filled.push_str(match piece {
                Piece::Literal(text) => text,
                Piece::Parameter(parameter) => values(&parameter.name)?,
            });
        }
        Some(filled)
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(super) fn into_parameters(self) -> Box<[Parameter]> {
        let mut parameters = Vec::with_capacity(self.parameters().count());
        for piece in self.pieces {
            if let Piece::Parameter(parameter) = piece {
                parameters.push(parameter);
            }
        }
        parameters.into()
    }
}

/// A named place in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, an ASCII identifier.
    pub name: Box<str>,
    /// What it matches.
    pub convertor: Convertor,
}

/// What a parameter matches: Starlette's own convertors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Convertor {
    /// One or more characters, none of them a slash; the default.
    Str,
    /// Anything, slashes and nothing at all included.
    Path,
    /// One or more ASCII digits.
    Int,
    /// ASCII digits, then perhaps a point and more digits.
    Float,
    /// 32 hexadecimal digits, with or without each of the usual hyphens.
    Uuid,
}

impl Convertor {
    /// The convertor that templates call `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Str, Self::Path, Self::Int, Self::Float, Self::Uuid]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// Its name in templates.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Path => "path",
            Self::Int => "int",
            Self::Float => "float",
            Self::Uuid => "uuid",
        }
    }

    /// Its regular expression, without groups that capture.
    pub(super) const fn expression(self) -> &'static str {
        match self {
            Self::Str => "[^/]+",
            Self::Path => ".*",
            Self::Int => "[0-9]+",
            Self::Float => r"[0-9]+(?:\.[0-9]+)?",
            Self::Uuid => {
                "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
            }
        }
    }

    /// Whether it matches the whole of `value`, which holds no slash unless this is [`Convertor::Path`].
    pub(super) fn accepts(self, value: &str) -> bool {
        match self {
            Self::Str => !value.is_empty(),
            Self::Path => true,
            Self::Int => is_digits(value),
            Self::Float => match value.split_once('.') {
                Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
                None => is_digits(value),
            },
            Self::Uuid => is_uuid(value.as_bytes()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(Box<str>),
    Parameter(Parameter),
}

/// The first parameter in `text`: what stands before it, its name, its convertor's name, and what follows.
pub(super) fn next_parameter(text: &str) -> Option<(&str, &str, &str, &str)> {
    text.match_indices('{').find_map(|(open, _)| {
        let (name, after) = identifier(&text[open + 1..])?;
        let (convertor, after) = match after.strip_prefix(':') {
            Some(after) => identifier(after)?,
            None => ("str", after),
        };
        Some((&text[..open], name, convertor, after.strip_prefix('}')?))
    })
}

fn identifier(text: &str) -> Option<(&str, &str)> {
    let end = text
        .bytes()
        .position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'))
        .unwrap_or(text.len());
    (end > 0 && !text.as_bytes()[0].is_ascii_digit()).then(|| text.split_at(end))
}

fn is_digits(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_uuid(mut value: &[u8]) -> bool {
    for (group, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if group > 0 {
            value = value.strip_prefix(b"-").unwrap_or(value);
        }
        match value.split_at_checked(length) {
            Some((digits, rest)) if digits.iter().all(u8::is_ascii_hexdigit) => value = rest,
            _ => return false,
        }
    }
    value.is_empty()
}

#[cfg(test)]
mod tests {
    use super::{Convertor, parse_template};
    use crate::route::PatternError;

    #[test]
    fn templates_are_read_as_starlette_reads_them() {
        type Case = (
            &'static str,
            &'static str,
            &'static [(&'static str, Convertor)],
        );
        let cases: &[Case] = &[
            ("", "", &[]),
            ("/", "/", &[]),
            ("/users/{id}", "/users/", &[("id", Convertor::Str)]),
            ("/v/{x:int}.json", "/v/", &[("x", Convertor::Int)]),
            (
                "/{a:float}/{b:uuid}/{c:path}",
                "/",
                &[
                    ("a", Convertor::Float),
                    ("b", Convertor::Uuid),
                    ("c", Convertor::Path),
                ],
            ),
            ("/{{a}}", "/{", &[("a", Convertor::Str)]),
            ("/{}", "/{}", &[]),
            ("/{1a}{_1}", "/{1a}", &[("_1", Convertor::Str)]),
            ("/{a:}{b: int}{c d}{é}", "/{a:}{b: int}{c d}{é}", &[]),
            ("/{a:{b}", "/{a:", &[("b", Convertor::Str)]),
            ("user:{user_id}", "user:", &[("user_id", Convertor::Str)]),
        ];
        for (template, prefix, parameters) in cases {
            let parsed = parse_template(template).unwrap();
            assert_eq!(parsed.literal_prefix(), *prefix, "{template}");
            let found: Vec<_> = parsed
                .parameters()
                .map(|found| (&*found.name, found.convertor))
                .collect();
            assert_eq!(found, *parameters, "{template}");
        }
    }

    #[test]
    fn what_starlette_refuses_is_refused() {
        assert_eq!(
            parse_template("/{a}/{a:int}"),
            Err(PatternError::DuplicateParameter("a".into()))
        );
        let unknown = PatternError::UnknownConvertor {
            parameter: "a".into(),
            convertor: "date".into(),
        };
        assert_eq!(parse_template("/{a:date}"), Err(unknown));
    }

    #[test]
    fn filling_needs_every_value() {
        let template = parse_template("/{a}-{{b}/{c:int}").unwrap();
        let values = |name: &str| match name {
            "a" => Some("ü/"),
            "b" => Some(""),
            "c" => Some("07"),
            _ => None,
        };
        assert_eq!(template.fill(values).as_deref(), Some("/ü/-{/07"));
        assert_eq!(
            template.fill(|name| values(name).filter(|value| !value.is_empty())),
            None
        );
        assert_eq!(
            parse_template("").unwrap().fill(|_| None).as_deref(),
            Some("")
        );
    }

    #[test]
    fn convertors_accept_what_their_expressions_accept() {
        let uuid = "0123abcd-0123-4567-89AB-0123456789ef";
        let short = uuid.replace('-', "");
        let values = [
            "",
            "0",
            "007",
            "1.5",
            "1.",
            ".5",
            "1.2.3",
            "-1",
            "٣",
            "1\u{660}",
            "1e3",
            "a",
            "ü",
            "1.5x",
            uuid,
            &short,
            &uuid[1..],
            "0123abcd-0123-4567-89AB-0123456789e",
            "0123abcd--0123-4567-89AB-0123456789ef",
            "0123abcd0123-456789AB-0123456789ef",
            "-0123abcd-0123-4567-89AB-0123456789ef",
        ];
        for kind in [
            Convertor::Str,
            Convertor::Path,
            Convertor::Int,
            Convertor::Float,
            Convertor::Uuid,
        ] {
            assert_eq!(Convertor::from_name(kind.name()), Some(kind));
            let expression = regex::Regex::new(&format!("^(?:{})$", kind.expression())).unwrap();
            for value in values {
                assert_eq!(
                    kind.accepts(value),
                    expression.is_match(value),
                    "{kind:?} {value:?}"
                );
            }
        }
    }
}
