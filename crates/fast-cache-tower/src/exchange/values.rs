//! Values of header lines that many answers have in common: they are made once.

use crate::cache::Shared;
use fast_cache_core::exchange::Serve;
use fast_cache_engine::said::Came;
use http::HeaderValue;
use std::sync::LazyLock;

/// How many values of `Cache-Status` are remembered.
const REMEMBERED: usize = 64;

/// Values of `Cache-Status` by what is left of the lifetime: the answers of a second mostly have few different ones.
pub(super) struct Hits([Option<Hit>; REMEMBERED]);

struct Hit {
    cache: u64,
    ttl: i64,
    value: HeaderValue,
}

/// Ages below this are written already.
const WRITTEN: usize = 1000;

/// Values of `Age`, by themselves. Their text is static: neither a clone nor its end counts anything.
static AGES: LazyLock<[HeaderValue; WRITTEN]> = LazyLock::new(|| {
    std::array::from_fn(|age| {
        let zeros = usize::from(age < 100) + usize::from(age < 10);
        let text = std::str::from_utf8(&DIGITS[age][zeros..]);
        text.map_or_else(|_| HeaderValue::from(age), HeaderValue::from_static)
    })
});

/// Three digits for each age.
static DIGITS: [[u8; 3]; WRITTEN] = digits();

/// The value of `Age`.
pub(super) fn age(seconds: u64) -> HeaderValue {
    let place = usize::try_from(seconds).ok();
    let known = place.and_then(|place| AGES.get(place));
    known.map_or_else(|| HeaderValue::from(seconds), HeaderValue::clone)
}

#[allow(clippy::cast_possible_truncation, reason = "they are digits")]
const fn digits() -> [[u8; 3]; WRITTEN] {
    let mut all = [[b'0'; 3]; WRITTEN];
    let mut age = 0;
    while age < WRITTEN {
        all[age][0] += (age / 100) as u8;
        all[age][1] += (age / 10 % 10) as u8;
        all[age][2] += (age % 10) as u8;
        age += 1;
    }
    all
}

/// The value of `Cache-Status` for an answer from the cache.
pub(super) fn cache_status(shared: &Shared, came: Came, serve: &Serve) -> HeaderValue {
    let value = HeaderValue::from_bytes(&came.cache_status(&shared.name, serve));
    value.expect("a cache's name is printable ASCII")
}

impl Hits {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self([const { None }; REMEMBERED])
    }

    /// The value of `Cache-Status` for an answer that was found.
    pub(super) fn cache_status(&mut self, shared: &Shared, serve: &Serve) -> HeaderValue {
        let place = usize::try_from(serve.ttl.unsigned_abs()).unwrap_or_default();
        let slot = &mut self.0[place % REMEMBERED];
        if let Some(known) = slot
            && known.ttl == serve.ttl
            && known.cache == shared.number
        {
            return known.value.clone();
        }
        let value = cache_status(shared, Came::Found, serve);
        *slot = Some(Hit {
            cache: shared.number,
            ttl: serve.ttl,
            value: value.clone(),
        });
        value
    }
}

#[cfg(test)]
mod tests {
    use super::{Hits, age};
    use crate::cache::Cache;
    use fast_cache_core::exchange::{Form, Serve};

    #[test]
    fn ages() {
        for seconds in [0, 7, 10, 99, 100, 101, 999, 1000, 1001, 123_456, 1 << 31] {
            assert_eq!(age(seconds), seconds.to_string().as_str());
        }
    }

    #[test]
    fn what_is_remembered_is_of_the_same_cache_and_time() {
        let caches = ["one", "two"].map(|name| {
            let builder = Cache::builder().cache_status(name);
            builder.expect("a name").build()
        });
        let mut hits = Hits::new();
        for ttl in [0, 300, 300, 300 + 64, -5, 300] {
            for cache in &caches {
                let serve = Serve {
                    age: 0,
                    ttl,
                    form: Form::Full,
                    stale: false,
                    refresh: None,
                };
                let value = hits.cache_status(&cache.shared, &serve);
                let expected = format!("{}; hit; ttl={ttl}", cache.shared.name.as_str());
                assert_eq!(value, expected.as_str());
            }
        }
    }
}
