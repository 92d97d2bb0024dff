//! What is known of status codes ([RFC 9110 §15](https://www.rfc-editor.org/rfc/rfc9110#section-15)).

/// Whether the caching requirements of a status are implemented, as `must-understand` asks
/// ([RFC 9111 §5.2.2.3](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.3)).
pub const fn is_understood(status: u16) -> bool {
    matches!(
        status,
        200 | 203 | 204 | 300..=303 | 307 | 308 | 400..=405 | 407..=417 | 421 | 422 | 426 | 500..=505
    )
}

/// Whether a lifetime may be guessed for a status, where the response does not say `public`
/// ([RFC 9110 §15.1](https://www.rfc-editor.org/rfc/rfc9110#section-15.1)).
pub const fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(
        status,
        200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// Whether a status tells of a failure in which a stale response may stand in
/// ([RFC 5861 §4](https://www.rfc-editor.org/rfc/rfc5861#section-4)).
pub const fn is_failure(status: u16) -> bool {
    status >= 500 && status < 600
}

#[cfg(test)]
mod tests {
    use super::{is_failure, is_heuristically_cacheable, is_understood};

    #[test]
    fn what_may_be_guessed_for_is_understood_unless_it_is_partial() {
        for status in (0..1000).filter(|status| is_heuristically_cacheable(*status)) {
            assert!(is_understood(status) || status == 206, "{status}");
        }
        assert!(!is_understood(599) && !is_understood(299) && !is_understood(206));
        assert!(is_failure(500) && is_failure(599) && !is_failure(499) && !is_failure(600));
    }
}
