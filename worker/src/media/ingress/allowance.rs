//! Core: how much sound of one track goes on to the model.
//!
//! The rule: a track earns as much as real time brings, a little more for a fast clock, and saves up what a
//! path may hold back and then deliver at once. What exceeds that is dropped: it is no speech, and
//! the model is paid for by the second. A track that goes on exceeding it is a flood: nothing of it goes
//! on until it has been calm for as long, or it would drown what other people say. Owns the account
//! of one track; does not decide who is heard.

use std::time::{Duration, Instant};

/// The most a track may be ahead. A path that was cut for 5 s may deliver all of it at once.
const MOST: Duration = Duration::from_secs(6);
/// A track of which that much was dropped is a flood: longer than any path holds back.
const FLOOD: Duration = Duration::from_secs(20);
/// How much longer than it lasted a flood is not forgiven.
const GRUDGE: Duration = Duration::from_secs(40);
/// A sender's clock may be fast; one part in this many is far more than any is.
const FAST_CLOCK: u32 = 50;

/// The account of one track.
#[derive(Debug)]
pub(super) struct Allowance {
    saved: Duration,
    counted: Instant,
    /// What was dropped lately; forgiven as time passes.
    dropped: Duration,
    is_flood: bool,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            saved: MOST,
            counted: now,
            dropped: Duration::ZERO,
            is_flood: false,
        }
    }

    /// Whether sound of this length goes on.
    pub(super) fn takes(&mut self, now: Instant, sound: Duration) -> bool {
        let passed = now.saturating_duration_since(self.counted);
        self.counted = now;
        self.saved = (self.saved + passed + passed / FAST_CLOCK).min(MOST);
        // Who talks as people do is forgiven one second in every second.
        let forgiven = if self.is_flood { passed * 2 } else { passed };
        self.dropped = self.dropped.saturating_sub(forgiven);
        self.is_flood &= !self.dropped.is_zero();
        let left = self.saved.checked_sub(sound).filter(|_| !self.is_flood);
        match left {
            Some(left) => self.saved = left,
            None => {
                self.dropped = (self.dropped + sound).min(GRUDGE);
                self.is_flood |= self.dropped > FLOOD;
            }
        }
        left.is_some()
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
    fn of_ten_times_real_time_only_the_beginning_is_taken() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(now);
        // A minute.
        let heard = taken(&mut allowance, &mut now, 30_000, PACKET / 10);
        assert!((300..=500).contains(&heard), "{heard} packets");
        assert_eq!(taken(&mut allowance, &mut now, 1_000, PACKET), 0);
        // Forty seconds of calm are enough.
        taken(&mut allowance, &mut now, 1_100, PACKET);
        assert_eq!(taken(&mut allowance, &mut now, 500, PACKET), 500);
    }

    #[test]
    fn what_a_path_held_back_for_long_costs_only_what_is_too_much() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(now);
        now += Duration::from_secs(20);
        // Twenty seconds of sound at once.
        assert_eq!(taken(&mut allowance, &mut now, 1_000, Duration::ZERO), 300);
        assert_eq!(taken(&mut allowance, &mut now, 500, PACKET), 500);
    }
}
