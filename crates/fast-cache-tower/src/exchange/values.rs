//! Values of header lines that many answers have in common: they are made once.

use fast_cache_core::exchange::Serve;
use fast_cache_core::fields::cache_status::CacheName;
use fast_cache_engine::said::Came;
use http::HeaderValue;
use std::cell::RefCell;

/// Ages that are written already, in three digits each.
static DIGITS: [u8; 3000] = digits();

/// How many values of `Cache-Status` each thread remembers.
const REMEMBERED: usize = 64;

thread_local! {
    /// By what is left of the lifetime: the answers of a second mostly have few different ones.
    static HITS: RefCell<[Option<Hit>; REMEMBERED]> = const { RefCell::new([const { None }; REMEMBERED]) };
}

struct Hit {
    cache: CacheName,
    ttl: i64,
    value: HeaderValue,
}

/// The value of `Age`.
pub(super) fn age(seconds: u64) -> HeaderValue {
    let written = usize::try_from(seconds).ok().and_then(|seconds| {
        let width = seconds.checked_ilog10().unwrap_or(0) as usize + 1;
        let end = 3 * seconds + 3;
        let digits = DIGITS.get(end.checked_sub(width)?..end)?;
        std::str::from_utf8(digits).ok().filter(|_| width <= 3)
    });
    written.map_or_else(|| HeaderValue::from(seconds), HeaderValue::from_static)
}

/// The value of `Cache-Status` for an answer from the cache.
pub(super) fn cache_status(cache: &CacheName, came: Came, serve: &Serve) -> Option<HeaderValue> {
    let make = || HeaderValue::from_bytes(&came.cache_status(cache, serve)).ok();
    if came != Came::Found {
        return make();
    }
    HITS.with(|hits| {
        let Ok(mut hits) = hits.try_borrow_mut() else {
            return make();
        };
        let place = usize::try_from(serve.ttl.unsigned_abs()).unwrap_or_default();
        let slot = &mut hits[place % REMEMBERED];
        if let Some(known) = slot
            && known.ttl == serve.ttl
            && known.cache.as_str() == cache.as_str()
        {
            return Some(known.value.clone());
        }
        let value = make()?;
        *slot = Some(Hit {
            cache: cache.clone(),
            ttl: serve.ttl,
            value: value.clone(),
        });
        Some(value)
    })
}

#[allow(clippy::cast_possible_truncation, reason = "it is one digit")]
const fn digits() -> [u8; 3000] {
    let mut digits = [b'0'; 3000];
    let mut place = 0;
    while place < digits.len() {
        let (number, digit) = (place / 3, place % 3);
        let divisor = [100, 10, 1][digit];
        digits[place] = b'0' + (number / divisor % 10) as u8;
        place += 1;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::{age, cache_status};
    use fast_cache_core::exchange::{Form, Serve};
    use fast_cache_core::fields::cache_status::cache_name;
    use fast_cache_engine::said::Came;

    #[test]
    fn ages() {
        for seconds in [0, 7, 10, 99, 100, 101, 999, 1000, 1001, 123_456, 1 << 31] {
            assert_eq!(age(seconds), seconds.to_string().as_str());
        }
    }

    #[test]
    fn what_is_remembered_is_of_the_same_cache_and_time() {
        let names = ["one", "two"].map(|name| cache_name(name).expect("a name"));
        for ttl in [0, 300, 300, 300 + 64, -5, 300] {
            for name in &names {
                let serve = Serve {
                    age: 0,
                    ttl,
                    form: Form::Full,
                    stale: false,
                    refresh: None,
                };
                let value = cache_status(name, Came::Found, &serve);
                let expected = format!("{}; hit; ttl={ttl}", name.as_str());
                assert_eq!(value.expect("a value"), expected.as_str());
            }
        }
    }
}
