//! HTTP dates: all three forms in, one form out
//! ([RFC 9110 §5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)).

use super::list::trim;
use crate::time::Timestamp;

/// The moment an HTTP date names, in years 1 to 9999; `None` for anything else, dates that no calendar has included.
///
/// Letters may be of either case, as [RFC 9111 §4.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2) asks of a
/// cache; nothing else is bent. The day of the week must be one, but need not be the right one. A two-digit year is
/// the latest one that puts the date no more than 50 years after `now`. A leap second is the second before it.
///
/// ```
/// use fast_cache_core::{fields::date, time::Timestamp};
///
/// let now = Timestamp::from_seconds(1_700_000_000);
/// let moment = Some(Timestamp::from_seconds(784_111_777));
/// assert_eq!(date::parse(b"Sun, 06 Nov 1994 08:49:37 GMT", now), moment);
/// assert_eq!(date::parse(b"Sunday, 06-Nov-94 08:49:37 GMT", now), moment);
/// assert_eq!(date::parse(b"Sun Nov  6 08:49:37 1994", now), moment);
/// ```
pub fn parse(value: &[u8], now: Timestamp) -> Option<Timestamp> {
    let mut input = Input(trim(value));
    let civil = match input.0.iter().position(|&byte| byte == b',') {
        Some(3) => imf_fixdate(&mut input)?,
        Some(_) => rfc_850(&mut input, now)?,
        None => asctime(&mut input)?,
    };
    if input.0.is_empty() {
        civil.timestamp()
    } else {
        None
    }
}

/// `moment` as an IMF-fixdate, its fraction of a second cut off; `None` outside the years 1 to 9999.
///
/// ```
/// use fast_cache_core::{fields::date, time::Timestamp};
///
/// let date = date::format(Timestamp::from_seconds(784_111_777));
/// assert_eq!(date.as_ref().map(|date| date.as_slice()), Some(b"Sun, 06 Nov 1994 08:49:37 GMT".as_slice()));
/// ```
pub fn format(moment: Timestamp) -> Option<[u8; 29]> {
    let civil = Civil::from_seconds(moment.seconds());
    if !(1..=9999).contains(&civil.year) {
        return None;
    }
    let mut date = *b"Day, 00 Mon 0000 00:00:00 GMT";
    let day = moment.seconds().div_euclid(DAY_SECONDS);
    // 1 January 1970 was a Thursday.
    let weekday = usize::try_from((day + 3).rem_euclid(7)).ok()?;
    date[..3].copy_from_slice(&WEEKDAYS[weekday].as_bytes()[..3]);
    date[8..11].copy_from_slice(MONTHS[usize::try_from(civil.month).ok()? - 1]);
    put_digits(&mut date[5..7], civil.day);
    put_digits(&mut date[12..16], civil.year);
    put_digits(&mut date[17..19], civil.hour);
    put_digits(&mut date[20..22], civil.minute);
    put_digits(&mut date[23..25], civil.second);
    Some(date)
}

const DAY_SECONDS: i64 = 86_400;
/// Days from 1 January of year 1 to 1 January 1970.
const EPOCH_DAYS: i64 = 719_162;
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// A date and time of the proleptic Gregorian calendar, in UTC; ordered as time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Civil {
    fn timestamp(self) -> Option<Timestamp> {
        let leap_second = self.second == 60 && self.hour == 23 && self.minute == 59;
        let possible = (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=month_length(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && (self.second < 60 || leap_second);
        if !possible {
            return None;
        }
        let before = self.year - 1;
        let months: i64 = (1..self.month)
            .map(|month| month_length(self.year, month))
            .sum();
        let days = before * 365 + before / 4 - before / 100 + before / 400 + months + self.day
            - 1
            - EPOCH_DAYS;
        let second = self.second.min(59);
        Some(Timestamp::from_seconds(
            days * DAY_SECONDS + self.hour * 3600 + self.minute * 60 + second,
        ))
    }

    fn from_seconds(seconds: i64) -> Self {
        let days = seconds.div_euclid(DAY_SECONDS) + EPOCH_DAYS;
        let time = seconds.rem_euclid(DAY_SECONDS);
        // Eras of 400 years are all alike, so years before the first need no case of their own. The last day of an
        // era and of a leap cycle would start a fifth century and a fifth year: the `min`s hold them back.
        let era = days.div_euclid(146_097);
        let mut rest = days.rem_euclid(146_097);
        let centuries = (rest / 36_524).min(3);
        rest -= centuries * 36_524;
        let cycles = rest / 1_461;
        rest -= cycles * 1_461;
        let years = (rest / 365).min(3);
        rest -= years * 365;
        let year = era * 400 + centuries * 100 + cycles * 4 + years + 1;
        let mut month = 1;
        while rest >= month_length(year, month) {
            rest -= month_length(year, month);
            month += 1;
        }
        Self {
            year,
            month,
            day: rest + 1,
            hour: time / 3600,
            minute: time / 60 % 60,
            second: time % 60,
        }
    }
}

fn month_length(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn imf_fixdate(input: &mut Input<'_>) -> Option<Civil> {
    input.weekday(|name| &name[..3])?;
    input.literal(b", ")?;
    let day = input.digits(2)?;
    input.literal(b" ")?;
    let month = input.month()?;
    input.literal(b" ")?;
    let year = input.digits(4)?;
    input.literal(b" ")?;
    let (hour, minute, second) = input.time()?;
    input.literal(b" GMT")?;
    Some(Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    })
}

fn rfc_850(input: &mut Input<'_>, now: Timestamp) -> Option<Civil> {
    input.weekday(|name| name)?;
    input.literal(b", ")?;
    let day = input.digits(2)?;
    input.literal(b"-")?;
    let month = input.month()?;
    input.literal(b"-")?;
    let short_year = input.digits(2)?;
    input.literal(b" ")?;
    let (hour, minute, second) = input.time()?;
    input.literal(b" GMT")?;
    let mut limit = Civil::from_seconds(now.seconds());
    limit.year += 50;
    let year = limit.year - (limit.year - short_year).rem_euclid(100);
    let mut civil = Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    };
    if civil > limit {
        civil.year -= 100;
    }
    Some(civil)
}

fn asctime(input: &mut Input<'_>) -> Option<Civil> {
    input.weekday(|name| &name[..3])?;
    input.literal(b" ")?;
    let month = input.month()?;
    input.literal(b" ")?;
    let day = match input.literal(b" ") {
        Some(()) => input.digits(1)?,
        None => input.digits(2)?,
    };
    input.literal(b" ")?;
    let (hour, minute, second) = input.time()?;
    input.literal(b" ")?;
    let year = input.digits(4)?;
    Some(Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    })
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        let (head, rest) = self.0.split_at_checked(literal.len())?;
        if !head.eq_ignore_ascii_case(literal) {
            return None;
        }
        self.0 = rest;
        Some(())
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (head, rest) = self.0.split_at_checked(count)?;
        if !head.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(
            head.iter()
                .fold(0, |number, digit| number * 10 + i64::from(digit - b'0')),
        )
    }

    fn weekday(&mut self, spelling: fn(&'static str) -> &'static str) -> Option<()> {
        WEEKDAYS
            .iter()
            .find_map(|name| self.literal(spelling(name).as_bytes()))
    }

    fn month(&mut self) -> Option<i64> {
        (1..)
            .zip(MONTHS)
            .find_map(|(number, name)| self.literal(name).map(|()| number))
    }

    fn time(&mut self) -> Option<(i64, i64, i64)> {
        let hour = self.digits(2)?;
        self.literal(b":")?;
        let minute = self.digits(2)?;
        self.literal(b":")?;
        Some((hour, minute, self.digits(2)?))
    }
}

fn put_digits(slot: &mut [u8], number: i64) {
    let mut number = number.unsigned_abs();
    for place in slot.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests;
