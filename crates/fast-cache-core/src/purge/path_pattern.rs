//! Patterns over paths.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A pattern that only the host can run, such as a regular expression of the host's own language.
///
/// It may be slow and may call back into the host, so it runs when an entry is stored or swept, never on a hit, and
/// never while a store holds a lock.
pub trait HostPattern: Send + Sync + fmt::Debug {
    /// Whether the pattern matches `path`. Where that cannot be told, `true` is the safe answer.
    fn matches(&self, path: &str) -> bool;

    /// The pattern's text, flags included: two patterns with one identity match the same paths.
    fn identity(&self) -> &str;
}

/// A pattern over whole paths, as routes are written: mount prefixes included, `root_path` not.
#[derive(Clone, Debug)]
pub enum PathPattern {
    /// Every path that starts with this text, whether or not a segment ends there.
    Prefix(Box<str>),
    /// Every path that equals this text, where each `*` stands for any run of characters, slashes and nothing
    /// included. Every other character stands for itself.
    Glob(Box<str>),
    /// Whatever the host says.
    Host(Arc<dyn HostPattern>),
}

impl PathPattern {
    /// Every path that starts with `text`.
    pub fn prefix(text: &str) -> Self {
        Self::Prefix(text.into())
    }

    /// Every path that `text` describes, where `*` stands for any run of characters.
    ///
    /// ```
    /// use fast_cache_core::purge::PathPattern;
    ///
    /// let pattern = PathPattern::glob("/users/*");
    /// assert!(pattern.matches("/users/7/posts"));
    /// assert!(!pattern.matches("/users-archive/1"));
    /// ```
    pub fn glob(text: &str) -> Self {
        Self::Glob(text.into())
    }

    /// Every path that `pattern` matches.
    pub fn host(pattern: Arc<dyn HostPattern>) -> Self {
        Self::Host(pattern)
    }

    /// Whether the pattern matches `path`. Except for [`Host`](Self::Host), this takes time linear in the two lengths.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Prefix(prefix) => path.starts_with(&**prefix),
            Self::Glob(glob) => glob_matches(glob, path),
            Self::Host(pattern) => pattern.matches(path),
        }
    }

    /// The pattern's text.
    pub fn text(&self) -> &str {
        match self {
            Self::Prefix(text) | Self::Glob(text) => text,
            Self::Host(pattern) => pattern.identity(),
        }
    }
}

/// Patterns are equal when they are of one kind and have the same text.
impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self.text() == other.text()
    }
}

impl Eq for PathPattern {}

impl Hash for PathPattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        self.text().hash(state);
    }
}

/// Between two stars the leftmost occurrence is always right, so nothing is ever tried twice.
fn glob_matches(glob: &str, path: &str) -> bool {
    let Some((first, rest)) = glob.split_once('*') else {
        return glob == path;
    };
    let Some(mut path) = path.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for literal in middle.split('*') {
        match path.find(literal) {
            Some(at) => path = &path[at + literal.len()..],
            None => return false,
        }
    }
    path.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{HostPattern, PathPattern};
    use proptest::prelude::*;
    use std::sync::Arc;

    #[test]
    fn a_prefix_is_plain_text() {
        assert!(PathPattern::prefix("/users").matches("/users-archive/1"));
        assert!(PathPattern::prefix("/users/").matches("/users/"));
        assert!(!PathPattern::prefix("/users/").matches("/users"));
        assert!(!PathPattern::prefix("/a*").matches("/ab"));
        assert!(PathPattern::prefix("").matches("/"));
    }

    #[test]
    fn a_glob_is_the_whole_path() {
        let users = PathPattern::glob("/users/*");
        assert!(
            users.matches("/users/1")
                && users.matches("/users/1/posts")
                && users.matches("/users/")
        );
        assert!(
            !users.matches("/users")
                && !users.matches("/users-archive/1")
                && !users.matches("/api/users/1")
        );
        let ends = PathPattern::glob("/a*a");
        assert!(ends.matches("/aa") && ends.matches("/a/b/a") && !ends.matches("/a"));
        assert!(PathPattern::glob("*").matches("") && PathPattern::glob("**").matches("/x"));
        assert!(PathPattern::glob("/x").matches("/x") && !PathPattern::glob("/x").matches("/xy"));
        assert!(PathPattern::glob("/[a].?(b)*").matches("/[a].?(b)c"));
    }

    #[derive(Debug)]
    struct Says(&'static str, bool);

    impl HostPattern for Says {
        fn matches(&self, _: &str) -> bool {
            self.1
        }

        fn identity(&self) -> &str {
            self.0
        }
    }

    #[test]
    fn patterns_are_equal_by_kind_and_text() {
        assert_eq!(
            PathPattern::host(Arc::new(Says("a", true))),
            PathPattern::host(Arc::new(Says("a", false)))
        );
        assert_ne!(
            PathPattern::host(Arc::new(Says("a", true))),
            PathPattern::host(Arc::new(Says("b", true)))
        );
        assert_ne!(PathPattern::prefix("/a"), PathPattern::glob("/a"));
        assert!(PathPattern::host(Arc::new(Says("a", true))).matches("/anything"));
    }

    #[test]
    fn no_glob_is_slow() {
        let glob = PathPattern::glob(&format!("{}b", "a*".repeat(2_000)));
        assert!(!glob.matches(&"a".repeat(100_000)));
    }

    proptest! {
        #[test]
        fn a_glob_is_what_its_regex_is(glob in "[/ab*.é]{0,12}", path in "[/ab.é\n]{0,16}") {
            let literal: Vec<_> = glob.split('*').map(regex::escape).collect();
            let oracle = regex::Regex::new(&format!("^(?s:{})$", literal.join(".*"))).expect("a valid regex");
            let whole = regex::Regex::new(&format!(r"\A(?s:{})\z", literal.join(".*"))).expect("a valid regex");
            prop_assert_eq!(oracle.is_match(&path), whole.is_match(&path));
            prop_assert_eq!(PathPattern::glob(&glob).matches(&path), whole.is_match(&path), "{} on {:?}", glob, path);
        }
    }
}
