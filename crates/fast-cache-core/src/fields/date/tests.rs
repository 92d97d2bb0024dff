use super::{format, parse};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_seconds(1_795_345_241); // 22 November 2026, 11:00:41

fn seconds(value: &str) -> Option<i64> {
    parse(value.as_bytes(), NOW).map(Timestamp::seconds)
}

#[test]
fn dates_of_all_forms() {
    for (value, expected) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777),
        ("Sun Nov 06 08:49:37 1994", 784_111_777),
        ("\tSun, 06 Nov 1994 08:49:37 GMT ", 784_111_777),
        ("sUN, 06 nOV 1994 08:49:37 gmt", 784_111_777),
        ("SUNDAY, 06-NOV-94 08:49:37 Gmt", 784_111_777),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
        ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
        ("Mon, 01 Jan 0001 00:00:00 GMT", -62_135_596_800),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_799),
        ("Mon, 06 Nov 1994 08:49:37 GMT", 784_111_777),
    ] {
        assert_eq!(seconds(value), Some(expected), "{value}");
    }
}

#[test]
fn what_is_not_a_date() {
    for value in [
        "",
        "0",
        "-1",
        "784111777",
        ",",
        "Sun,",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT x",
        "Sun, 06 Nov 1994  08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xyz 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Thu, 31 Nov 1994 08:49:37 GMT",
        "Tue, 29 Feb 2100 00:00:00 GMT",
        "Thu, 30 Feb 2000 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:60 GMT",
        "Sun, 06 Nov 1994 08:59:60 GMT",
        "Sat, 31 Dec 2016 23:49:60 GMT",
        "Sat, 31 Dec 2016 23:59:61 GMT",
        "Sat, 01 Jan 0000 00:00:00 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(seconds(value), None, "{value}");
    }
    assert_eq!(parse(b"\xff\xfe\0,", NOW), None);
}

#[test]
fn two_digit_years_lie_at_most_fifty_years_ahead() {
    for (value, same) in [
        (
            "Sunday, 22-Nov-76 11:00:41 GMT",
            "Sun, 22 Nov 2076 11:00:41 GMT",
        ),
        (
            "Monday, 22-Nov-76 11:00:42 GMT",
            "Mon, 22 Nov 1976 11:00:42 GMT",
        ),
        (
            "Thursday, 18-Aug-50 02:01:18 GMT",
            "Thu, 18 Aug 2050 02:01:18 GMT",
        ),
        (
            "Friday, 01-Jan-77 00:00:00 GMT",
            "Sat, 01 Jan 1977 00:00:00 GMT",
        ),
        (
            "Tuesday, 29-Feb-00 00:00:00 GMT",
            "Tue, 29 Feb 2000 00:00:00 GMT",
        ),
    ] {
        assert_eq!(seconds(value), seconds(same), "{value}");
        assert!(seconds(same).is_some(), "{same}");
    }
    let late = parse(b"Sun, 01 Jan 2090 00:00:00 GMT", NOW).expect("a date");
    let expected = parse(b"Thu, 01 Jan 2105 00:00:00 GMT", NOW);
    assert_eq!(parse(b"Thursday, 01-Jan-05 00:00:00 GMT", late), expected);
    for extreme in [i64::MIN, i64::MAX] {
        assert_eq!(
            parse(
                b"Sunday, 06-Nov-94 08:49:37 GMT",
                Timestamp::from_micros(extreme)
            ),
            None
        );
    }
}

#[test]
fn formatting() {
    for (seconds, expected) in [
        (784_111_777, Some("Sun, 06 Nov 1994 08:49:37 GMT")),
        (0, Some("Thu, 01 Jan 1970 00:00:00 GMT")),
        (951_782_400, Some("Tue, 29 Feb 2000 00:00:00 GMT")),
        (978_220_800, Some("Sun, 31 Dec 2000 00:00:00 GMT")),
        (-62_135_596_800, Some("Mon, 01 Jan 0001 00:00:00 GMT")),
        (253_402_300_799, Some("Fri, 31 Dec 9999 23:59:59 GMT")),
        (-62_135_596_801, None),
        (253_402_300_800, None),
        (i64::MIN, None),
        (i64::MAX, None),
    ] {
        let date = format(Timestamp::from_seconds(seconds));
        assert_eq!(
            date.as_ref().map(<[u8; 29]>::as_slice),
            expected.map(str::as_bytes),
            "{seconds}"
        );
    }
    assert_eq!(
        format(Timestamp::from_micros(-1)),
        format(Timestamp::from_seconds(-1))
    );
}

#[test]
fn days_follow_each_other_in_every_year() {
    let midnight = |date: String| seconds(&format!("Mon, {date} 00:00:00 GMT"));
    for year in 1..=9999 {
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let first = midnight(format!("01 Jan {year:04}")).expect("a date");
        let march = midnight(format!("01 Mar {year:04}")).expect("a date");
        let last = midnight(format!("31 Dec {year:04}")).expect("a date");
        assert_eq!(
            (march - first) / 86_400,
            if leap { 60 } else { 59 },
            "{year}"
        );
        assert_eq!((last - march) / 86_400, 305, "{year}");
        assert_eq!(
            midnight(format!("29 Feb {year:04}")).is_some(),
            leap,
            "{year}"
        );
        let next = midnight(format!("01 Jan {:04}", year + 1));
        assert_eq!(next, (year < 9999).then_some(last + 86_400), "{year}");
        for moment in [first, march - 1, march, last] {
            let date = format(Timestamp::from_seconds(moment)).expect("a year of four digits");
            assert_eq!(parse(&date, NOW), Some(Timestamp::from_seconds(moment)));
        }
    }
}
