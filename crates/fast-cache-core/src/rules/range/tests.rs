use super::{
    LAST_MODIFIED_MARGIN, MAX_RANGES, Multipart, Selection, select, stands_in_multipart,
    stands_in_partial, stands_in_unsatisfied,
};
use crate::fields::Line;
use crate::fields::validators::format_generated;
use crate::stored::{Stored, StoredTag, Traits};
use crate::time::Timestamp;
use std::ops::Range;
use std::time::Duration;

/// Sat, 29 Oct 1994 19:43:31 GMT
const MODIFIED: Timestamp = Timestamp::from_seconds(783_459_811);

fn stored(body_length: u64) -> Stored<()> {
    Stored {
        received: MODIFIED.plus(Duration::from_secs(86_400)),
        initial_age: 0,
        took: 0,
        lifetime: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::Given(b"\"xyzzy\"".as_slice().into()),
        last_modified: Some(MODIFIED),
        body_length,
        representation: (),
    }
}

fn asked(range: &str, body_length: u64) -> Selection {
    let lines = [Line::new(b"Range", range.as_bytes())];
    select(&lines, &stored(body_length))
}

fn many(ranges: &[Range<u64>]) -> Selection {
    Selection::Many(ranges.iter().cloned().collect())
}

#[test]
fn selections() {
    use Selection::{One, Unsatisfiable, Whole};
    for (range, length, expected) in [
        // The examples of RFC 9110 §14.1.2, for the body they are about.
        ("bytes=0-499", 10_000, One(0..500)),
        ("bytes=500-999", 10_000, One(500..1000)),
        ("bytes=-500", 10_000, One(9500..10_000)),
        ("bytes=9500-", 10_000, One(9500..10_000)),
        ("bytes=0-0,-1", 10_000, many(&[0..1, 9999..10_000])),
        (
            "bytes= 0-999, 4500-5499, -1000",
            10_000,
            many(&[0..1000, 4500..5500, 9000..10_000]),
        ),
        ("bytes=500-600,601-999", 10_000, One(500..1000)),
        ("bytes=500-700,601-999", 10_000, One(500..1000)),
        // §15.3.7.2 and its order.
        (
            "bytes=7000-7999,500-999",
            8000,
            many(&[7000..8000, 500..1000]),
        ),
        ("bytes=8-9,0-1,2-3", 10, many(&[8..10, 0..4])),
        ("bytes=0-1,8-9,4-5,2-3", 10, many(&[0..6, 8..10])),
        ("bytes=0-1,4-5,8-9,6-7", 10, many(&[0..2, 4..10])),
        ("bytes=8-9,4-5,0-1,2-3", 10, many(&[8..10, 0..6])),
        ("bytes=0-0,2-2,4-4,6-6,8-8,1-7", 10, Whole),
        ("bytes=0-0,2-2,4-4,6-6,8-8,1-5", 10, many(&[0..7, 8..9])),
        // What cannot be satisfied leaves the rest alone.
        ("bytes=90-99,0-1,-0", 10, One(0..2)),
        ("bytes=10-", 10, Unsatisfiable),
        ("bytes=10-20,30-", 10, Unsatisfiable),
        ("bytes=-0", 10, Unsatisfiable),
        ("bytes=99999999999999999999-", u64::MAX, Unsatisfiable),
        ("bytes=0-99999999999999999999", u64::MAX, One(0..u64::MAX)),
        ("bytes=0-", 10, One(0..10)),
        ("bytes=-99", 10, One(0..10)),
        // An empty body.
        ("bytes=0-", 0, Unsatisfiable),
        ("bytes=0-0", 0, Unsatisfiable),
        ("bytes=-0", 0, Unsatisfiable),
        ("bytes=-1", 0, Whole),
        ("bytes=0-,-1", 0, Whole),
        // More than there is.
        ("bytes=0-,0-", 10, Whole),
        ("bytes=0-,-1", 10, Whole),
        ("bytes=0-8,9-9,0-0", 10, Whole),
        ("bytes=0-,0-,0-", u64::MAX, Whole),
        ("bytes=0-4,4-8", 10, One(0..9)),
        // Not understood.
        ("bytes=5-4", 10, Whole),
        ("items=0-1", 10, Whole),
        ("", 10, Whole),
    ] {
        assert_eq!(asked(range, length), expected, "{range} of {length}");
    }
}

#[test]
fn too_many_ranges() {
    let ranges = |count: usize| {
        let members: Vec<String> = (0..count)
            .map(|number| format!("{0}-{0}", 2 * number))
            .collect();
        format!("bytes={}", members.join(","))
    };
    let Selection::Many(found) = asked(&ranges(MAX_RANGES), 1000) else {
        panic!("as many as are allowed");
    };
    assert_eq!(found.len(), MAX_RANGES);
    assert_eq!(asked(&ranges(MAX_RANGES + 1), 1000), Selection::Whole);
    // The same for ranges that would not count in the end, and for lists without end.
    let unsatisfiable = format!("bytes={}0-1", "9000-,".repeat(MAX_RANGES));
    assert_eq!(asked(&unsatisfiable, 1000), Selection::Whole);
    let endless = format!("bytes={}", "0-0,".repeat(100_000));
    assert_eq!(asked(&endless, 1000), Selection::Whole);
}

#[test]
fn only_a_200_has_ranges() {
    let lines = [Line::new(b"range", b"bytes=0-1")];
    for status in [200, 201, 203, 204, 206, 301, 404, 410, 500] {
        let mut stored = stored(10);
        stored.status = status;
        let expected = if status == 200 {
            Selection::One(0..2)
        } else {
            Selection::Whole
        };
        assert_eq!(select(&lines, &stored), expected, "{status}");
    }
}

#[test]
fn without_range_nothing_is_selected() {
    assert_eq!(select(&[], &stored(10)), Selection::Whole);
    let condition = Line::new(b"if-range", b"\"xyzzy\"");
    assert_eq!(select(&[condition], &stored(10)), Selection::Whole);
    let range = Line::new(b"range", b"bytes=0-1");
    assert_eq!(select(&[range, range], &stored(10)), Selection::Whole);
}

fn with_condition(conditions: &[&[u8]], stored: &Stored<()>) -> bool {
    let mut lines = vec![Line::new(b"Range", b"bytes=0-1")];
    lines.extend(conditions.iter().map(|value| Line::new(b"If-Range", value)));
    let found = select(&lines, stored);
    assert!(
        [Selection::One(0..2), Selection::Whole].contains(&found),
        "{found:?}"
    );
    found != Selection::Whole
}

#[test]
fn if_range_by_entity_tag() {
    let given = |tag: &[u8]| StoredTag::Given(tag.into());
    let generated = || StoredTag::Generated(0xbeef);
    let table: &[(StoredTag, &[u8], bool)] = &[
        (given(b"\"xyzzy\""), b"\"xyzzy\"", true),
        (given(b"\"xyzzy\""), b" \"xyzzy\"\t", true),
        (given(b"\"xyzzy\""), b"\"XYZZY\"", false),
        (given(b"\"xyzzy\""), b"W/\"xyzzy\"", false),
        (given(b"W/\"xyzzy\""), b"W/\"xyzzy\"", false),
        (given(b"W/\"xyzzy\""), b"\"xyzzy\"", false),
        (given(b"\"xyzzy\""), b"\"xyzzy\", \"a\"", false),
        (given(b"\"xyzzy\""), b"*", false),
        (given(b"\"xyzzy\""), b"xyzzy", false),
        (given(b"\"xyzzy\""), b"", false),
        (given(b"xyzzy"), b"xyzzy", false),
        (given(b""), b"", false),
        (given(b"\"\""), b"\"\"", true),
        (generated(), b"\"000000000000beef\"", true),
        (generated(), b"W/\"000000000000beef\"", false),
        (generated(), b"\"000000000000bee0\"", false),
        (StoredTag::None, b"\"xyzzy\"", false),
        (StoredTag::None, b"*", false),
    ];
    for (tag, condition, expected) in table {
        let mut stored = stored(10);
        stored.etag = tag.clone();
        assert_eq!(
            with_condition(&[condition], &stored),
            *expected,
            "{condition:?} {tag:?}"
        );
    }
    let tag: &[u8] = &format_generated(7);
    let mut stored = stored(10);
    stored.etag = StoredTag::Generated(7);
    assert!(with_condition(&[tag], &stored));
    assert!(!with_condition(&[tag, tag], &stored));
}

#[test]
fn if_range_by_date() {
    let date: &[u8] = b"Sat, 29 Oct 1994 19:43:31 GMT";
    let strong = stored(10);
    for (condition, expected) in [
        (date, true),
        (b"Saturday, 29-Oct-94 19:43:31 GMT", true),
        (b"Sat Oct 29 19:43:31 1994", true),
        // Exact: neither older nor newer.
        (b"Sat, 29 Oct 1994 19:43:30 GMT", false),
        (b"Sat, 29 Oct 1994 19:43:32 GMT", false),
        (b"Sat, 29 Oct 1994", false),
        (b"0", false),
    ] {
        assert_eq!(
            with_condition(&[condition], &strong),
            expected,
            "{condition:?}"
        );
    }
    assert!(!with_condition(&[date, date], &strong));
    let mut undated = strong.clone();
    undated.last_modified = None;
    assert!(!with_condition(&[date], &undated));
}

#[test]
fn a_date_is_strong_only_long_after() {
    let date: &[u8] = b"Sat, 29 Oct 1994 19:43:31 GMT";
    let just_less = Duration::from_micros(59_999_999);
    let second = Duration::from_secs(1);
    for (after, initial_age, expected) in [
        (LAST_MODIFIED_MARGIN, 0, true),
        (just_less, 0, false),
        (Duration::ZERO, 0, false),
        // What was made earlier, by what it says, was made sooner after its modification.
        (LAST_MODIFIED_MARGIN, 1, false),
        (LAST_MODIFIED_MARGIN + second, 1, true),
        (LAST_MODIFIED_MARGIN, u32::MAX, false),
    ] {
        let mut stored = stored(10);
        stored.received = MODIFIED.plus(after);
        stored.initial_age = initial_age;
        assert_eq!(
            with_condition(&[date], &stored),
            expected,
            "{after:?} {initial_age}"
        );
    }
    // A modification in the future proves nothing.
    let mut stored = stored(10);
    stored.received = Timestamp::from_seconds(0);
    assert!(!with_condition(&[date], &stored));
}

#[test]
fn lines_that_stand() {
    for (name, partial, multipart, unsatisfied) in [
        ("Content-Length", false, false, false),
        ("content-range", false, false, false),
        ("Content-Digest", false, false, false),
        ("content-md5", false, false, false),
        ("CONTENT-TYPE", true, false, false),
        ("content-encoding", true, true, false),
        ("content-location", true, true, false),
        ("repr-digest", true, true, false),
        ("etag", true, true, false),
        ("last-modified", true, true, false),
        ("cache-control", true, true, false),
        ("CDN-Cache-Control", true, true, false),
        ("expires", true, true, false),
        ("surrogate-control", true, true, false),
        ("content-security-policy", true, true, true),
        ("Content-Security-Policy-Report-Only", true, true, true),
        ("vary", true, true, true),
        ("date", true, true, true),
        ("access-control-allow-origin", true, true, true),
        ("content", true, true, true),
        ("control", true, true, true),
        ("", true, true, true),
        ("\u{e4}", true, true, true),
    ] {
        let bytes = name.as_bytes();
        assert_eq!(stands_in_partial(bytes), partial, "{name}");
        assert_eq!(stands_in_multipart(bytes), multipart, "{name}");
        assert_eq!(stands_in_unsatisfied(bytes), unsatisfied, "{name}");
    }
}

#[test]
fn framing_as_the_rfc_shows_it() {
    // RFC 9110 §14.6, and §15.3.7.2 with the parts in the order asked for.
    for ranges in [[500..1000, 7000..8000], [7000..8000, 500..1000]] {
        let multipart = Multipart::new(&ranges, 8000, Some(b"application/pdf"), 1);
        let boundary = std::str::from_utf8(multipart.boundary()).unwrap();
        assert_eq!(
            multipart.content_type(),
            format!("multipart/byteranges; boundary={boundary}").into_bytes()
        );
        let mut length = 0;
        let mut line_end = "";
        for (part, range) in multipart.parts().iter().zip(&ranges) {
            let head = format!(
                "{line_end}--{boundary}\r\nContent-Type: application/pdf\r\nContent-Range: bytes {}-{}/8000\r\n\r\n",
                range.start,
                range.end - 1
            );
            assert_eq!(part.head, head.as_bytes());
            assert_eq!(&part.range, range);
            line_end = "\r\n";
            length += head.len() as u64 + (range.end - range.start);
        }
        let end = format!("\r\n--{boundary}--\r\n");
        assert_eq!(multipart.end(), end.as_bytes());
        assert_eq!(multipart.content_length(), length + end.len() as u64);
    }
}

#[test]
fn content_types_that_could_not_stand_are_left_out() {
    let ranges = [0..1, 3..4];
    let heads = |content_type: Option<&[u8]>| {
        let multipart = Multipart::new(&ranges, 9, content_type, 0);
        String::from_utf8(multipart.parts()[1].head.clone()).unwrap()
    };
    let bare = heads(None);
    assert!(!bare.contains("Content-Type"));
    for bad in [b"".as_slice(), b" \t", b"a/b\r\nX: y", b"a/b\n", b"a\0"] {
        assert_eq!(heads(Some(bad)), bare, "{bad:?}");
    }
    assert!(heads(Some(b" a/b; c=\"d\" ")).contains("\r\nContent-Type: a/b; c=\"d\"\r\n"));
}

#[test]
fn boundaries_depend_on_all_but_the_body() {
    let boundary = |ranges: &[Range<u64>], length, seed| {
        Multipart::new(ranges, length, None, seed)
            .boundary()
            .to_vec()
    };
    let first = boundary(&[0..1, 3..4], 9, 1);
    assert_eq!(first, boundary(&[0..1, 3..4], 9, 1));
    assert_ne!(first, boundary(&[0..1, 3..4], 9, 2));
    assert_ne!(first, boundary(&[0..1, 3..4], 10, 1));
    assert_ne!(first, boundary(&[3..4, 0..1], 9, 1));
    assert_ne!(first, boundary(&[0..1, 3..4, 6..7], 9, 1));
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "nonsense must not panic")]
fn nonsense_is_framed_without_panic() {
    let none = Multipart::new(&[], 0, None, 0);
    assert_eq!(none.content_length(), none.end().len() as u64);
    let ranges = [5..5, 9..3, 0..u64::MAX, 0..u64::MAX, u64::MAX..0];
    let multipart = Multipart::new(&ranges, 4, Some(b"\xff"), u64::MAX);
    assert_eq!(multipart.parts().len(), ranges.len());
    assert_eq!(multipart.content_length(), u64::MAX);
}
