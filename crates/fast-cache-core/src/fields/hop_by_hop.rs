//! Header fields that belong to one connection and are never stored
//! ([RFC 9110 §7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1),
//! [RFC 9111 §3.1](https://www.rfc-editor.org/rfc/rfc9111#section-3.1)).

use super::Line;
use super::list;
use smallvec::SmallVec;

/// Whether a field of this name, in any case, is by itself one of a connection or of a proxy's credentials.
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    let candidates: &[&[u8]] = match name.len() {
        2 => &[b"te"],
        7 => &[b"trailer", b"upgrade"],
        10 => &[b"connection", b"keep-alive"],
        16 => &[b"proxy-connection"],
        17 => &[b"transfer-encoding"],
        18 => &[b"proxy-authenticate"],
        19 => &[b"proxy-authorization"],
        25 => &[b"proxy-authentication-info"],
        _ => return false,
    };
    candidates
        .iter()
        .any(|candidate| name.eq_ignore_ascii_case(candidate))
}

/// The names that a message's `Connection` lines nominate as its connection's own.
#[derive(Clone, Debug, Default)]
pub struct Nominated<'a> {
    names: SmallVec<[&'a [u8]; 4]>,
}

impl<'a> Nominated<'a> {
    /// Reads every `Connection` line; members that are not tokens name nothing.
    pub fn from(lines: &[Line<'a>]) -> Self {
        let connection = lines.iter().filter(|line| line.is("connection"));
        let names = list::members(connection.map(|line| line.value))
            .filter(|member| list::is_token(member))
            .collect();
        Self { names }
    }

    /// Whether `name`, in any case, is nominated.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.names
            .iter()
            .any(|nominated| nominated.eq_ignore_ascii_case(name))
    }

    /// Whether nothing is nominated.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Nominated, is_hop_by_hop};
    use crate::fields::Line;

    #[test]
    fn the_connections_own_fields() {
        for name in [
            "connection",
            "Keep-Alive",
            "PROXY-CONNECTION",
            "transfer-encoding",
            "TE",
            "Trailer",
            "upgrade",
            "Proxy-Authenticate",
            "proxy-authorization",
            "Proxy-Authentication-Info",
        ] {
            assert!(is_hop_by_hop(name.as_bytes()), "{name}");
        }
        for name in [
            "",
            "te ",
            "cache-control",
            "date",
            "trailers",
            "set-cookie",
            "www-authenticate",
        ] {
            assert!(!is_hop_by_hop(name.as_bytes()), "{name}");
        }
        assert!(!is_hop_by_hop(b"\xff\xfe"));
    }

    #[test]
    fn nominated_fields() {
        let lines = [
            Line::new(b"Connection", b"close, X-Trace"),
            Line::new(b"x-other", b"x-not"),
            Line::new(b"CONNECTION", b" keep-alive ,, \"x-quoted\", x bad"),
        ];
        let nominated = Nominated::from(&lines);
        for name in ["x-trace", "X-TRACE", "close", "keep-alive"] {
            assert!(nominated.contains(name.as_bytes()), "{name}");
        }
        for name in ["x-not", "x-quoted", "\"x-quoted\"", "x bad", "x", ""] {
            assert!(!nominated.contains(name.as_bytes()), "{name}");
        }
        assert!(!nominated.is_empty());
        assert!(Nominated::from(&lines[1..2]).is_empty());
    }
}
