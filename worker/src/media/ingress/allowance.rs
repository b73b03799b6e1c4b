//! Core: how much sound of one track goes on to the model.
//!
//! The rule: a track earns as much as real time brings, a little more for a fast clock, and saves up what a
//! path may hold back and then deliver at once. What exceeds that is dropped: it is no speech, and
//! the model is paid for by the second. Owns the account of one track; does not decide who is heard.

use std::time::{Duration, Instant};

/// The most a track may be ahead. A path that was cut for 5 s may deliver all of it at once.
const MOST: Duration = Duration::from_secs(6);
/// A sender's clock may be fast; one part in this many is far more than any is.
const FAST_CLOCK: u32 = 50;

/// The account of one track.
#[derive(Debug)]
pub(super) struct Allowance {
    saved: Duration,
    counted: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            saved: MOST,
            counted: now,
        }
    }

    /// Whether sound of this length goes on.
    pub(super) fn takes(&mut self, now: Instant, sound: Duration) -> bool {
        let passed = now.saturating_duration_since(self.counted);
        self.counted = now;
        self.saved = (self.saved + passed + passed / FAST_CLOCK).min(MOST);
        match self.saved.checked_sub(sound) {
            Some(left) => {
                self.saved = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: Duration = Duration::from_millis(20);

    /// Packets taken out of `count` that come this far apart.
    fn taken(allowance: &mut Allowance, now: &mut Instant, count: u32, apart: Duration) -> u32 {
        let takes = |_: &u32| {
            *now += apart;
            allowance.takes(*now, PACKET)
        };
        (0..count).filter(takes).count() as u32
    }

    #[test]
    fn real_time_and_a_fast_clock_are_taken_for_hours() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(now);
        let fast = PACKET - Duration::from_micros(20);
        assert_eq!(taken(&mut allowance, &mut now, 500_000, fast), 500_000);
    }

    #[test]
    fn what_a_path_held_back_for_five_seconds_is_taken_at_once() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(now);
        assert_eq!(taken(&mut allowance, &mut now, 500, PACKET), 500);
        now += Duration::from_secs(5);
        assert_eq!(taken(&mut allowance, &mut now, 250, Duration::ZERO), 250);
        assert_eq!(taken(&mut allowance, &mut now, 500, PACKET), 500);
    }

    #[test]
    fn of_ten_times_real_time_little_more_than_real_time_is_taken() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(now);
        // A minute.
        let taken = taken(&mut allowance, &mut now, 30_000, PACKET / 10);
        assert!((3_300..=3_400).contains(&taken), "{taken} packets");
    }
}
