//! Templates and paths, segment by segment.

use super::template::{Convertor, Piece, Template};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The shape of a template: one step per segment, then perhaps an irregular rest.
pub(super) struct Shape<'t> {
    pub(super) steps: SmallVec<[Step<'t>; 8]>,
    pub(super) rest: Option<Irregular>,
}

/// What one segment of a path must be. With [`Convertor::Path`] it is everything from the segment on.
pub(super) enum Step<'t> {
    Literal(Cow<'t, str>),
    Parameter {
        convertor: Convertor,
        prefix: Cow<'t, str>,
        suffix: Cow<'t, str>,
    },
}

/// What only a regular expression can match: everything after a slash, up to the end.
pub(super) struct Irregular {
    /// An anchored expression, one group per parameter.
    pub(super) expression: String,
    /// Text before the first parameter.
    pub(super) prefix: Box<str>,
    /// Text after the last parameter.
    pub(super) suffix: Box<str>,
}

impl<'t> Shape<'t> {
    /// The shape of `template`, which is empty or begins with a slash.
    pub(super) fn of(template: &'t Template) -> Self {
        let tokens = tokens(template);
        let mut steps = SmallVec::new();
        let mut rest = &tokens[..];
        // A convertor other than `path` cannot cross a slash, so as long as a segment has at most one parameter there is
        // one way to match it, and the segments after it do not depend on it.
        while let Some((_, after)) = rest.split_first() {
            let end = after
                .iter()
                .position(|token| matches!(token, Token::Slash))
                .unwrap_or(after.len());
            let (segment, mut next) = after.split_at(end);
            let mut scope = segment;
            if segment
                .iter()
                .any(|token| matches!(token, Token::Parameter(Convertor::Path)))
            {
                (scope, next) = (after, &[]);
            }
            match step(scope) {
                Some(step) => steps.push(step),
                None => {
                    return Self {
                        steps,
                        rest: Some(irregular(after)),
                    };
                }
            }
            rest = next;
        }
        Self { steps, rest: None }
    }
}

#[derive(Clone, Copy)]
enum Token<'t> {
    Slash,
    Text(&'t str),
    Parameter(Convertor),
}

impl<'t> Token<'t> {
    fn text(self) -> &'t str {
        match self {
            Token::Slash => "/",
            Token::Text(text) => text,
            Token::Parameter(_) => "",
        }
    }

    const fn is_parameter(&self) -> bool {
        matches!(self, Token::Parameter(_))
    }
}

fn tokens(template: &Template) -> SmallVec<[Token<'_>; 16]> {
    let mut tokens = SmallVec::new();
    for piece in template.pieces() {
        match piece {
            Piece::Parameter(parameter) => tokens.push(Token::Parameter(parameter.convertor)),
            Piece::Literal(text) => {
                for (index, part) in text.split('/').enumerate() {
                    if index > 0 {
                        tokens.push(Token::Slash);
                    }
                    if !part.is_empty() {
                        tokens.push(Token::Text(part));
                    }
                }
            }
        }
    }
    tokens
}

/// The step that matches `tokens`, if they hold at most one parameter.
fn step<'t>(tokens: &[Token<'t>]) -> Option<Step<'t>> {
    let mut parts = tokens.split(Token::is_parameter);
    let prefix = text(parts.next().unwrap_or_default());
    let step = match (
        tokens.iter().find(|token| token.is_parameter()),
        parts.next(),
    ) {
        (Some(&Token::Parameter(convertor)), Some(suffix)) => Step::Parameter {
            convertor,
            prefix,
            suffix: text(suffix),
        },
        _ => Step::Literal(prefix),
    };
    parts.next().is_none().then_some(step)
}

fn irregular(tokens: &[Token<'_>]) -> Irregular {
    let mut expression = String::from("^");
    for &token in tokens {
        if let Token::Parameter(convertor) = token {
            expression.push('(');
            expression.push_str(convertor.expression());
            expression.push(')');
        } else {
            expression.push_str(&regex::escape(token.text()));
        }
    }
    expression.push('$');
    let mut parts = tokens.split(Token::is_parameter);
    let prefix = text(parts.next().unwrap_or_default());
    Irregular {
        expression,
        prefix: prefix.into(),
        suffix: text(parts.next_back().unwrap_or_default()).into(),
    }
}

fn text<'t>(tokens: &[Token<'t>]) -> Cow<'t, str> {
    match tokens {
        [] => Cow::Borrowed(""),
        [token] => Cow::Borrowed(token.text()),
        _ => tokens.iter().map(|token| token.text()).collect(),
    }
}

/// A path and where its segments begin.
pub(super) struct Segments<'p> {
    path: &'p str,
    /// The slash before each segment, as far as the table is deep, and one more.
    slashes: SmallVec<[usize; 24]>,
}

/// More digits in a row than this may be refused by Python's `int`: the lowest limit that
/// `sys.set_int_max_str_digits` allows (the default is 4,300).
const MAX_DIGITS: usize = 640;

impl<'p> Segments<'p> {
    /// The segments of `path`, which is empty or begins with a slash; none of them is found yet.
    pub(super) fn of(path: &'p str) -> Self {
        Self {
            path,
            slashes: SmallVec::new(),
        }
    }

    /// Finds the first `limit` segments, once; `false` if the path is one that only the framework can judge.
    pub(super) fn scan(&mut self, limit: usize) -> bool {
        let (words, tail) = self.path.as_bytes().as_chunks::<8>();
        let mut start = 0;
        for word in words {
            let word = u64::from_le_bytes(*word);
            if zero_bytes(word ^ NEWLINES) != 0 {
                return false;
            }
            let mut found = zero_bytes(word ^ SLASHES);
            while found != 0 && self.slashes.len() < limit {
                self.slashes
                    .push(start + found.trailing_zeros() as usize / 8);
                found &= found - 1;
            }
            start += 8;
        }
        for (index, &byte) in tail.iter().enumerate() {
            match byte {
                b'\n' => return false,
                b'/' if self.slashes.len() < limit => self.slashes.push(start + index),
                _ => {}
            }
        }
        self.path.len() <= MAX_DIGITS || !has_long_number(self.path)
    }

    /// Whether the path ends before the segment at `depth`.
    pub(super) fn end_before(&self, depth: usize) -> bool {
        self.slashes.len() <= depth
    }

    /// The segment at `depth`, which the path has.
    #[inline]
    pub(super) fn segment(&self, depth: usize) -> &'p str {
        let end = self
            .slashes
            .get(depth + 1)
            .copied()
            .unwrap_or(self.path.len());
        &self.path[self.slashes[depth] + 1..end]
    }

    /// Everything from the segment at `depth` on.
    #[inline]
    pub(super) fn rest(&self, depth: usize) -> &'p str {
        &self.path[self.slashes[depth] + 1..]
    }
}

const SLASHES: u64 = u64::from_le_bytes([b'/'; 8]);
const NEWLINES: u64 = u64::from_le_bytes([b'\n'; 8]);

/// The high bit of every byte of `word` that is zero.
const fn zero_bytes(word: u64) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x7f; 8]);
    !(((word & LOW) + LOW) | word | LOW)
}

fn has_long_number(path: &str) -> bool {
    path.as_bytes()
        .split(|byte| !byte.is_ascii_digit())
        .any(|run| run.len() > MAX_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::{MAX_DIGITS, Segments};

    fn scan(path: &str, limit: usize) -> Option<Segments<'_>> {
        let mut segments = Segments::of(path);
        segments.scan(limit).then_some(segments)
    }

    #[test]
    fn segments_are_what_stands_between_slashes() {
        for path in [
            "/",
            "//",
            "/a",
            "/a/",
            "/users/7/orders/ü/x",
            "/0123456/89abcde/0/",
            "///////////",
        ] {
            let segments = scan(path, 99).unwrap();
            let expected: Vec<_> = path[1..].split('/').collect();
            assert!(segments.end_before(expected.len()));
            for (depth, &part) in expected.iter().enumerate() {
                assert!(!segments.end_before(depth));
                assert_eq!(segments.segment(depth), part, "{path}");
                assert_eq!(segments.rest(depth), expected[depth..].join("/"), "{path}");
            }
        }
        assert!(scan("", 99).unwrap().end_before(0));
    }

    #[test]
    fn a_limit_cuts_what_is_not_needed() {
        let segments = scan("/a/b/c/d/e/f/g/h/i", 3).unwrap();
        assert_eq!(
            (
                segments.segment(1),
                segments.end_before(2),
                segments.end_before(3)
            ),
            ("b", false, true)
        );
    }

    #[test]
    fn newlines_and_endless_numbers_are_found_wherever_they_stand() {
        for position in 0..20 {
            let mut path = "/".repeat(20);
            path.insert(position, '\n');
            assert!(scan(&path, 1).is_none());
            path.replace_range(position..=position, &"7".repeat(MAX_DIGITS + 1));
            assert!(scan(&path, 1).is_none());
            path.replace_range(position..=position, "");
            assert!(scan(&path, 1).is_some());
        }
    }
}
