use super::{Portable, decode, decode_cover, encode, encode_cover};
use crate::contract::{ends_with, response};
use crate::entry::{Content, Searches, Variants};
use crate::local::Put;
use fast_cache_core::fields::Line;
use fast_cache_core::fields::no_vary_search::SearchVariance;
use fast_cache_core::key::Key;
use fast_cache_core::purge::{Cover, Label, PathPattern, PatternId};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use proptest::prelude::*;
use std::time::Duration;

/// A representation for tests: lines and body.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plain(Vec<(Vec<u8>, Vec<u8>)>, Vec<u8>);

impl Portable for Plain {
    fn read<T>(&self, read: impl FnOnce(&[Line<'_>], &[u8]) -> T) -> T {
        let lines = self.0.iter().map(|(name, value)| Line::new(name, value));
        read(&lines.collect::<Vec<_>>(), &self.1)
    }

    fn make(lines: &[Line<'_>], body: &[u8]) -> Option<(Self, usize)> {
        let lines = lines
            .iter()
            .map(|line| (line.name.to_vec(), line.value.to_vec()));
        Some((Self(lines.collect(), body.to_vec()), body.len()))
    }
}

fn put<R>(content: Content<R>, labels: &[Label]) -> Put<'_, R> {
    Put {
        key: Key::new(7, Box::from(&b"key of /a"[..])),
        birth: 41,
        path: "/a",
        labels,
        content,
        weight: 9,
    }
}

fn example() -> Vec<u8> {
    let stored = response(5);
    let lines = vec![(b"etag".to_vec(), b"\"a\"".to_vec()); 2];
    let content = Content::Response(Stored {
        received: stored.received,
        initial_age: 3,
        took: 250,
        lifetime: Duration::MAX,
        stale_while_revalidate: stored.stale_while_revalidate,
        stale_if_error: stored.stale_if_error,
        status: 200,
        traits: stored.traits,
        etag: StoredTag::Given(Box::from(&b"\"a\""[..])),
        last_modified: Some(Timestamp::from_seconds(-1)),
        body_length: 4,
        representation: Plain(lines, b"body".to_vec()),
    });
    encode(&put(content, &[Label::tag("a")])).expect("an entry that fits")
}

#[test]
fn what_is_not_a_response_comes_back() {
    let variants = Variants {
        names: Box::new(["accept".into(), "x".into()]),
    };
    let rule = SearchVariance::parse(&[Line::new(b"no-vary-search", b"key-order, params=(\"a\")")]);
    let searches = Searches {
        rules: Box::new([rule]),
    };
    let bytes = encode::<Plain>(&put(Content::Variants(variants.clone()), &[])).expect("fits");
    let frame = decode(&bytes).expect("whole");
    assert!(!frame.is_response());
    let read = frame.to_put::<Plain>(7, &[]).expect("whole");
    assert!(matches!(read.content, Content::Variants(read) if read == variants));
    let bytes = encode::<Plain>(&put(Content::Searches(searches.clone()), &[])).expect("fits");
    let read = decode(&bytes).expect("whole");
    let read = read.to_put::<Plain>(7, &[]).expect("whole");
    assert!(matches!(read.content, Content::Searches(read) if read == searches));
}

#[test]
fn every_flipped_bit_is_seen() {
    let whole = example();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&bytes).is_none(), "bit {bit}");
    }
    for length in 0..whole.len() {
        assert!(decode(&whole[..length]).is_none(), "{length} bytes");
    }
}

#[test]
fn too_many_labels_are_refused() {
    let labels = vec![Label::tag("a"); crate::MAX_LABELS + 1];
    let content = Content::<Plain>::Variants(Variants {
        names: Box::new([]),
    });
    assert_eq!(encode(&put(content, &labels)), Err(Reason::Tags));
}

#[test]
fn covers_come_back_and_what_cannot_be_read_covers_everything() {
    let host = |text: &str| (text == "/7").then(|| ends_with("/7"));
    for cover in [
        Cover::Everything,
        Cover::Label(Label::tag("a")),
        Cover::Path(PathPattern::prefix("/a")),
        Cover::Path(PathPattern::glob("/a*")),
        Cover::Path(ends_with("/7")),
    ] {
        let bytes = encode_cover(&cover, |_| None);
        let read = decode_cover(&bytes, host);
        assert_eq!(format!("{read:?}"), format!("{cover:?}"));
        assert!(matches!(
            decode_cover(&bytes[..bytes.len() - 1], host),
            Cover::Everything
        ));
    }
    let registered = Cover::Registered(PatternId::new(1));
    let bytes = encode_cover(&registered, |_| Some(PathPattern::prefix("/b")));
    assert!(
        matches!(decode_cover(&bytes, host), Cover::Path(pattern) if pattern == PathPattern::prefix("/b"))
    );
    assert_eq!(encode_cover(&registered, |_| None), [0]);
    let long = Cover::Path(PathPattern::prefix(&"a".repeat(super::MAX_COVER)));
    assert_eq!(encode_cover(&long, |_| None), [0]);
    let foreign = encode_cover(&Cover::Path(ends_with("/8")), |_| None);
    assert!(matches!(decode_cover(&foreign, host), Cover::Everything));
}

proptest! {
    #[test]
    fn a_response_comes_back(
        lines in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..8),
        body in any::<Vec<u8>>(),
        numbers in any::<(i64, u32, u32, u32, u16, u64)>(),
        bits in any::<[bool; 3]>(),
        last_modified in any::<Option<i64>>(),
        hash in any::<Option<u64>>(),
        tags in prop::collection::vec("[a-z]{0,4}", 0..4),
    ) {
        let (received, initial_age, lifetime, window, status, body_length) = numbers;
        let representation = Plain(lines, body);
        let stored = Stored {
            received: Timestamp::from_micros(received),
            initial_age,
            took: initial_age / 2,
            lifetime: Duration::from_micros(lifetime.into()),
            stale_while_revalidate: Duration::from_secs(window.into()),
            stale_if_error: Duration::ZERO,
            status,
            traits: Traits {
                shared_with_credentials: bits[0],
                must_revalidate: bits[1],
                always_validate: bits[2],
            },
            etag: hash.map_or(StoredTag::None, StoredTag::Generated),
            last_modified: last_modified.map(Timestamp::from_micros),
            body_length,
            representation,
        };
        let shown = format!("{stored:?}");
        let labels: Vec<Label> = tags.iter().map(|tag| Label::tag(tag)).collect();
        let bytes = encode(&put(Content::Response(stored), &labels)).expect("it fits");
        let frame = decode(&bytes).expect("whole");
        prop_assert_eq!((frame.key, frame.birth, frame.path), (&b"key of /a"[..], 41, "/a"));
        let read_labels = frame.labels();
        prop_assert_eq!(&read_labels, &labels);
        let read = frame.to_put::<Plain>(7, &read_labels).expect("whole");
        let Content::Response(read) = read.content else { panic!("a response") };
        prop_assert_eq!(format!("{read:?}"), shown);
    }

    #[test]
    fn nothing_read_panics(bytes in any::<Vec<u8>>()) {
        let _ = decode(&bytes);
        let _ = decode_cover(&bytes, |_| None);
        // Behind a right checksum, too.
        let mut forged = b"FCE\x01".to_vec();
        forged.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&bytes).to_le_bytes());
        forged.extend_from_slice(&bytes);
        if let Some(frame) = decode(&forged) {
            let _ = frame.to_put::<Plain>(7, &[]);
        }
    }
}
