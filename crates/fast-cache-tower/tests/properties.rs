//! Properties on random answers.

mod support;

use bytes::Bytes;
use fast_cache_tower::Policy;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use http_body_util::Full;
use proptest::prelude::*;
use std::time::Duration;
use support::{ask, cache, counting, get};
use tower::Layer;

fn headers() -> impl Strategy<Value = HeaderMap> {
    let name = prop::sample::select(vec!["x-a", "x-b", "link", "content-language", "warning"]);
    let value = prop::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff], 0..12);
    prop::collection::vec((name, value), 0..24).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(&value).expect("visible bytes");
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// No header line is lost, merged or changed, and those of one name keep their order.
    #[test]
    fn header_lines_survive(headers in headers(), body in prop::collection::vec(any::<u8>(), 0..64)) {
        let sent = headers.clone();
        let data = Bytes::from(body.clone());
        let (service, _) = counting(move |_| {
            let mut response = Response::new(Full::new(data.clone()));
            *response.headers_mut() = sent.clone();
            Ok(response)
        });
        let layer = cache().0.store(Policy::max_age(Duration::from_secs(60)));
        let service = layer.layer(service);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(async {
            for is_hit in [false, true] {
                let got = ask(&service, get("/", &[])).await;
                prop_assert_eq!((got.is_hit(), &got.body[..]), (is_hit, &body[..]));
                for name in headers.keys() {
                    let lines: Vec<_> = got.head.headers.get_all(name).iter().collect();
                    let expected: Vec<_> = headers.get_all(name).iter().collect();
                    prop_assert_eq!(lines, expected);
                }
            }
            Ok(())
        })?;
    }
}
