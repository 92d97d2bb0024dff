//! What an answer from the cache looks like.

use super::host::Kept;
use super::told::all;
use super::wire::Wire;
use crate::choices::Pair;
use crate::fields::lines;
use fast_cache_core::exchange::{BodyOf, Form, Layout, LineOf, Piece, Serve, compose};
use fast_cache_core::stored::Stored;

/// Holds the form of an answer to what the request asked for and what is stored.
pub(crate) fn check(wire: &Wire, stored: &Stored<Kept>, serve: &Serve) {
    let kept = &stored.representation;
    let expected = &kept.account.expected;
    let (own, asked) = (lines(&kept.lines), lines(&wire.lines));
    let layout = compose(serve.form, stored, &own, &asked, 7);
    let sent = laid_out(&layout, &kept.lines);
    let body = body_of(&layout, &kept.body);
    let whole = kept.body.len() as u64;
    assert_eq!(stored.body_length, whole);
    assert!(kept.lines == *expected, "{:?}\n{expected:?}", kept.lines);
    let made = |name: &str| -> Vec<u8> {
        let mut found = all(&sent, name);
        let value = found.next().expect("a made line").to_vec();
        assert_eq!(found.next(), None);
        value
    };
    let has = |name: &str| all(&wire.lines, name).next().is_some();
    match serve.form {
        Form::Full | Form::WithoutBody => {
            assert_eq!(layout.status, stored.status);
            assert_eq!(sent, *expected);
            for length in all(&sent, "content-length") {
                assert_eq!(number(length), whole);
            }
            let is_head = wire.method == "HEAD";
            assert_eq!(serve.form == Form::WithoutBody, is_head);
            assert_eq!(
                body,
                if is_head {
                    Vec::new()
                } else {
                    kept.body.clone()
                }
            );
        }
        Form::NotModified => {
            assert!(layout.status == 304 && layout.body == BodyOf::Nothing);
            assert!(stored.status == 200 && (has("if-none-match") || has("if-modified-since")));
            assert_eq!(
                sent,
                stands(expected, |name| !name.starts_with("content-")
                    || kept_of_content(name))
            );
        }
        Form::Part(start, end) => {
            assert!(
                layout.status == 206
                    && stored.status == 200
                    && has("range")
                    && wire.method == "GET"
            );
            assert!(start < end && end <= whole);
            assert_eq!(number(&made("content-length")), body.len() as u64);
            let range = format!("bytes {start}-{}/{whole}", end - 1);
            assert_eq!(made("content-range"), range.as_bytes());
            let left_out = [
                "content-length",
                "content-range",
                "content-digest",
                "content-md5",
            ];
            let mut stands = stands(expected, |name| !left_out.contains(&name));
            stands.push((b"content-range".to_vec(), made("content-range")));
            stands.push((b"content-length".to_vec(), made("content-length")));
            assert_eq!(sent, stands);
        }
        Form::Parts => {
            assert!(
                layout.status == 206
                    && stored.status == 200
                    && has("range")
                    && wire.method == "GET"
            );
            assert_eq!(number(&made("content-length")), body.len() as u64);
            assert!(made("content-type").starts_with(b"multipart/byteranges; boundary="));
            assert!(all(&sent, "content-range").next().is_none());
        }
        Form::Unsatisfiable => {
            assert!(layout.status == 416 && layout.body == BodyOf::Nothing && has("range"));
            assert_eq!(made("content-length"), b"0");
            assert_eq!(made("content-range"), format!("bytes */{whole}").as_bytes());
            for name in ["etag", "last-modified", "cache-control", "expires"] {
                assert!(all(&sent, name).next().is_none());
            }
        }
    }
    for never in ["connection", "keep-alive", "age", "x-cache-status"] {
        assert!(all(&sent, never).next().is_none(), "{never}");
    }
}

fn kept_of_content(name: &str) -> bool {
    matches!(name, "content-location" | "content-security-policy")
}

fn stands(lines: &[Pair], stands: impl Fn(&str) -> bool) -> Vec<Pair> {
    let stands = |(name, _): &&Pair| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        stands(&name)
    };
    lines.iter().filter(stands).cloned().collect()
}

fn laid_out(layout: &Layout, kept: &[Pair]) -> Vec<Pair> {
    let line = |line: &LineOf| match line {
        LineOf::Stored(index) => kept[*index].clone(),
        LineOf::Made(name, value) => (name.as_bytes().to_vec(), value.clone()),
    };
    layout.lines.iter().map(line).collect()
}

fn body_of(layout: &Layout, kept: &[u8]) -> Vec<u8> {
    let at = |position: u64| usize::try_from(position).expect("within the body");
    let piece = |piece: &Piece| match piece {
        Piece::Made(bytes) => bytes.clone(),
        Piece::Stored(range) => kept[at(range.start)..at(range.end)].to_vec(),
    };
    match &layout.body {
        BodyOf::Nothing => Vec::new(),
        BodyOf::Whole => kept.to_vec(),
        BodyOf::Pieces(pieces) => pieces.iter().flat_map(piece).collect(),
    }
}

fn number(text: &[u8]) -> u64 {
    let text = std::str::from_utf8(text).expect("digits");
    text.trim().parse().expect("a number")
}
