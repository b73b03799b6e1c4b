//! Core: when the practice sees people, and how a time is read, written and said.
//!
//! The practice lives by UTC, so that a time has one spelling and a year has no missing hour. Does not
//! know which slots are taken: the book does.

use std::fmt;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, SubsecRound, Utc, Weekday};

/// How far ahead slots are offered.
const DAYS_AHEAD: u64 = 21;
/// When a slot begins, in minutes of the day: each half hour from 9 to 17, but for an hour at noon.
const MORNING: std::ops::Range<u32> = 9 * 60..12 * 60;
const AFTERNOON: std::ops::Range<u32> = 13 * 60..17 * 60;
const SLOT_MINUTES: usize = 30;

/// The begin of a slot, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(DateTime<Utc>);

impl Slot {
    /// Reads RFC 3339 with any offset.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self::at(time.to_utc()))
    }

    /// The second that this time lies in.
    pub(crate) fn at(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(0))
    }

    /// As people say it: `Tuesday 24 November at 9:30`.
    pub(crate) fn said(self) -> String {
        self.0.format("%A %-d %B at %-H:%M").to_string()
    }

    /// The first moment of its day.
    pub(crate) fn day(self) -> NaiveDate {
        self.0.date_naive()
    }
}

/// As the book writes it, in one spelling: `2026-11-24T09:30:00Z`.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M:%SZ"))
    }
}

/// A day as `2026-11-24`, and nothing else.
pub(crate) fn day(text: &str) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == 10 && day.to_string() == text).then_some(day)
}

/// From the first moment of a day to that of the next.
pub(crate) fn span(day: NaiveDate) -> Option<(Slot, Slot)> {
    let next = day.checked_add_days(Days::new(1))?;
    let midnight = |day: NaiveDate| Slot(day.and_time(NaiveTime::MIN).and_utc());
    Some((midnight(day), midnight(next)))
}

/// The slots of the working days after today.
pub(crate) fn coming(now: DateTime<Utc>) -> Vec<Slot> {
    let today = now.date_naive();
    (1..=DAYS_AHEAD)
        .filter_map(|ahead| today.checked_add_days(Days::new(ahead)))
        .filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun))
        .flat_map(of_day)
        .collect()
}

fn of_day(day: NaiveDate) -> impl Iterator<Item = Slot> {
    let begins = MORNING
        .step_by(SLOT_MINUTES)
        .chain(AFTERNOON.step_by(SLOT_MINUTES));
    begins.filter_map(move |minute| {
        let time = day.and_hms_opt(minute / 60, minute % 60, 0)?;
        Some(Slot(time.and_utc()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(text: &str) -> Slot {
        Slot::parse(text).unwrap()
    }

    #[test]
    fn a_time_has_one_spelling_and_is_said_as_people_do() {
        for text in [
            "2026-11-24T09:30:00Z",
            "2026-11-24T10:30:00+01:00",
            "2026-11-24T09:30:00.4Z",
        ] {
            assert_eq!(slot(text).to_string(), "2026-11-24T09:30:00Z");
        }
        assert_eq!(
            slot("2026-11-24T09:00:00Z").said(),
            "Tuesday 24 November at 9:00"
        );
        for wrong in ["tomorrow", "2026-11-24", "2026-02-30T09:00:00Z", ""] {
            assert_eq!(Slot::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_is_a_date_and_nothing_else() {
        assert!(day("2026-11-24").is_some());
        for wrong in [
            "2026-11-31",
            "2026-1-2",
            "24.11.2026",
            "2026-11-24 ",
            "+10000-01-01",
            "next",
        ] {
            assert_eq!(day(wrong), None, "{wrong}");
        }
        let (from, to) = span(day("2026-12-31").unwrap()).unwrap();
        assert_eq!(from.to_string(), "2026-12-31T00:00:00Z");
        assert_eq!(to.to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(span(NaiveDate::MAX), None);
    }

    #[test]
    fn slots_are_offered_on_working_days_after_today_and_not_at_noon() {
        // A Friday.
        let now = slot("2026-11-27T08:00:00Z").0;
        let coming = coming(now);
        assert_eq!(coming[0], slot("2026-11-30T09:00:00Z"));
        assert_eq!(coming.len(), 15 * 14);
        assert!(coming.is_sorted());
        assert!(!coming.contains(&slot("2026-11-30T12:00:00Z")));
        assert!(coming.contains(&slot("2026-11-30T16:30:00Z")));
        let is_working = |slot: &Slot| slot.0.weekday().num_days_from_monday() < 5;
        assert!(coming.iter().all(is_working));
    }
}
