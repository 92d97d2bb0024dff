//! Strict inputs: the handler sees only what the key holds.

use fast_cache_core::fields::Line;
use fast_cache_core::key::inputs::Inputs;
use fast_cache_core::key::visible_cookies;
use http::header::{COOKIE, HOST, HeaderMap, HeaderValue};

/// Those header lines that the key holds. `Host` is one of them.
pub(crate) fn visible(headers: &HeaderMap, inputs: &Inputs) -> HeaderMap {
    let mut visible = HeaderMap::new();
    for (name, value) in headers {
        let line = Line::new(name.as_str().as_bytes(), b"");
        let is_named = || inputs.headers.named.iter().any(|known| line.is(known));
        if name == HOST || is_named() {
            visible.append(name, value.clone());
        } else if name == COOKIE
            && let Some(cookies) = visible_cookies(value.as_bytes(), &inputs.cookies)
            && let Ok(cookies) = HeaderValue::from_bytes(&cookies)
        {
            visible.append(COOKIE, cookies);
        }
    }
    visible
}
