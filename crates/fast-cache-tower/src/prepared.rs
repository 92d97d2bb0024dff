//! The head of a hit, prepared: a hit gets a clone of it, in which three values are put in their places.
//!
//! A clone costs a third of what it takes to put the lines into an empty map one by one, since no name is hashed anew.

use fast_cache_core::exchange::Outcome;
use http::header::{AGE, CACHE_STATUS, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};

pub(crate) const X_CACHE_STATUS: HeaderName = HeaderName::from_static("x-cache-status");

/// Lines beside those of the response: three of ours, and one that only keeps a place.
const OWN: usize = 4;

/// The most lines of a response that is kept. A map of header lines holds few more than twice as many, and where it would
/// hold more, panics.
pub(crate) const MOST_LINES: usize = 8192;

/// What a header line takes beyond its name and value: its place, the index, two allocations.
const LINE_WEIGHT: usize = 212;

/// The header lines of a response, and places for those of a cache.
///
/// `Age` and `X-Cache-Status` come first. The cache's own member of `Cache-Status` follows those of caches that stand
/// behind, whose lines are a part of the response.
#[derive(Debug)]
pub(crate) struct PreparedHead {
    map: HeaderMap,
    /// Lines of caches that stand behind.
    behind: usize,
    /// The response has no `Content-Length`, and the last line is one that only keeps a place: a clone has room for no
    /// more lines than its original, and to make room for the one that frameworks add would cost as much as the clone.
    keeps_place: bool,
}

/// What a cache says of an answer in its head, beside its age.
pub(crate) struct Saying {
    pub(crate) outcome: Outcome,
    pub(crate) cache_status: HeaderValue,
}

impl Saying {
    /// Says it in a head that has no places for it.
    pub(crate) fn say(self, head: &mut HeaderMap) {
        head.append(X_CACHE_STATUS, word(self.outcome));
        head.append(CACHE_STATUS, self.cache_status);
    }
}

impl PreparedHead {
    /// For a response with these lines. Every answer has an `Age` and an `X-Cache-Status` of its own.
    pub(crate) fn new(mut lines: Vec<(HeaderName, HeaderValue)>) -> Self {
        lines.retain(|(name, _)| *name != AGE && *name != X_CACHE_STATUS);
        let mut map = HeaderMap::with_capacity(lines.len() + OWN);
        let place = HeaderValue::from_static("");
        map.append(AGE, place.clone());
        map.append(X_CACHE_STATUS, word(Outcome::Hit));
        let (mut first, others): (Vec<_>, Vec<_>) = lines
            .into_iter()
            .partition(|(name, _)| *name == CACHE_STATUS);
        let behind = first.len();
        first.push((CACHE_STATUS, place));
        for (name, value) in first.into_iter().chain(others) {
            map.append(name, value);
        }
        let keeps_place = !map.contains_key(CONTENT_LENGTH);
        if keeps_place {
            map.append(CONTENT_LENGTH, HeaderValue::from_static(""));
        }
        Self {
            // A clone takes no more memory than it needs.
            map: map.clone(),
            behind,
            keeps_place,
        }
    }

    /// The response's own lines: in order for each name.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let number = self.map.len() - usize::from(self.keeps_place);
        let lines = self.map.iter().enumerate().take(number).skip(2);
        let place = 2 + self.behind;
        lines
            .filter(move |(at, _)| *at != place)
            .map(|(_, line)| line)
    }

    /// The whole head.
    pub(crate) fn saying(&self, age: HeaderValue, saying: Saying) -> HeaderMap {
        let mut head = self.map.clone();
        let mut values = head.values_mut();
        let put = |place: Option<&mut HeaderValue>, value| {
            if let Some(place) = place {
                *place = value;
            }
        };
        put(values.next(), age);
        let outcome = values.next();
        if saying.outcome != Outcome::Hit {
            put(outcome, word(saying.outcome));
        }
        put(values.nth(self.behind), saying.cache_status);
        if self.keeps_place {
            head.remove(CONTENT_LENGTH);
        }
        head
    }

    /// Bytes of memory beyond its own size.
    pub(crate) fn weight(&self) -> usize {
        let lines = self.map.iter();
        lines
            .map(|(name, value)| name.as_str().len() + value.len() + LINE_WEIGHT)
            .sum()
    }
}

fn word(outcome: Outcome) -> HeaderValue {
    HeaderValue::from_static(outcome.word())
}

#[cfg(test)]
mod tests {
    use super::{PreparedHead, Saying};
    use fast_cache_core::exchange::Outcome;
    use http::{HeaderMap, HeaderName, HeaderValue};

    type Lines = Vec<(&'static str, &'static str)>;

    fn prepared(lines: &Lines) -> PreparedHead {
        let line = |(name, value): &(&'static str, &'static str)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        PreparedHead::new(lines.iter().map(line).collect())
    }

    fn said(head: &PreparedHead, outcome: Outcome) -> HeaderMap {
        let saying = Saying {
            outcome,
            cache_status: HeaderValue::from_static("own; hit"),
        };
        head.saying(HeaderValue::from_static("7"), saying)
    }

    fn all(head: &HeaderMap, name: &str) -> Vec<String> {
        let values = head.get_all(name).iter();
        values
            .map(|value| value.to_str().expect("text").to_owned())
            .collect()
    }

    #[test]
    fn the_lines_of_the_response_stay_and_those_of_the_cache_join_them() {
        let tables: [Lines; 4] = [
            vec![],
            vec![("etag", "1"), ("vary", "a"), ("vary", "b")],
            vec![("content-length", "3"), ("x-other", "1")],
            vec![
                ("x-other", "1"),
                ("cache-status", "far; hit"),
                ("via", "x"),
                ("cache-status", "near; fwd=miss"),
            ],
        ];
        for lines in tables {
            let prepared = prepared(&lines);
            for outcome in [Outcome::Hit, Outcome::Stale] {
                let head = said(&prepared, outcome);
                let mut expected = lines.clone();
                expected.extend([
                    ("age", "7"),
                    ("x-cache-status", outcome.word()),
                    ("cache-status", "own; hit"),
                ]);
                assert_eq!(head.len(), expected.len());
                for (name, _) in &expected {
                    let values = expected.iter().filter(|line| line.0 == *name);
                    let values: Vec<_> = values.map(|line| line.1).collect();
                    assert_eq!(all(&head, name), values, "{lines:?}");
                }
            }
            let own = prepared.lines();
            let mut own: Vec<_> = own
                .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
                .collect();
            let mut lines = lines;
            // The order of names is nobody's business.
            own.sort_by_key(|line| line.0);
            lines.sort_by_key(|line| line.0);
            assert_eq!(own, lines);
        }
    }

    #[test]
    fn what_a_cache_says_for_itself_is_not_kept() {
        let prepared = prepared(&vec![("age", "1"), ("x-cache-status", "MISS")]);
        assert_eq!(prepared.lines().count(), 0);
        let head = said(&prepared, Outcome::Hit);
        assert_eq!((all(&head, "age"), head.len()), (vec!["7".to_owned()], 3));
    }
}
