//! What a thread keeps from one request to the next.

use super::recent::Recent;
use super::values::Hits;
use std::cell::RefCell;

thread_local! {
    static MEMO: RefCell<Memo> = const { RefCell::new(Memo::new()) };
}

/// What a thread keeps.
pub(super) struct Memo {
    /// Where keys are built.
    pub(super) buffer: Vec<u8>,
    pub(super) recent: Recent,
    pub(super) hits: Hits,
}

impl Memo {
    /// Calls `use_it` with that of this thread.
    pub(super) fn with<T>(use_it: impl FnOnce(&mut Self) -> T) -> T {
        MEMO.with(|memo| match memo.try_borrow_mut() {
            Ok(mut memo) => use_it(&mut memo),
            // A store that asks the cache in turn.
            Err(_) => use_it(&mut Self::new()),
        })
    }

    const fn new() -> Self {
        Self {
            buffer: Vec::new(),
            recent: Recent::new(),
            hits: Hits::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Memo;
    use crate::cache::Cache;
    use crate::policy::{Policy, Reads};
    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;
    use std::convert::Infallible;
    use std::time::Duration;
    use tower::{Layer, ServiceExt, service_fn};

    #[tokio::test]
    async fn safety_22_no_credential_of_a_query_rests_in_what_is_remembered() {
        let policy = Policy::max_age(Duration::from_secs(60));
        for (policy, rests) in [
            (policy.clone(), true),
            (policy.clone().ignore_query(["t*"]), false),
            (policy.clone().reads(Reads::nothing()), false),
            (policy.reads(Reads::nothing().secret_query("token")), false),
        ] {
            let handler = service_fn(async |_: Request<Full<Bytes>>| {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
            });
            let service = Cache::memory(1 << 20).store(policy).layer(handler);
            for outcome in ["MISS", "HIT", "HIT"] {
                let request = Request::get("/?token=s3cret").body(Full::default());
                let asked = service.clone().oneshot(request.expect("a request"));
                let Ok(got) = asked.await;
                assert_eq!(got.headers()["x-cache-status"], outcome);
            }
            let remembered = Memo::with(|memo| format!("{:?}", memo.recent));
            assert_eq!(remembered.contains("s3cret"), rests);
            Memo::with(|memo| *memo = Memo::new());
        }
    }
}
