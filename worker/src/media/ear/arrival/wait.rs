//! Core: how long audio behind a gap waits for the packet that is missing.
//!
//! Learns from this track: packets that came late, how late. A path that reorders gets the time it
//! needs, one that does not gets a short wait. Packets that no bearable wait would have caught say
//! nothing about how long to wait.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Before anything is known: 30 ms.
const START: Duration = Duration::from_millis(30);
/// Shorter than this a wait saves nothing: packets come every 20 ms.
const MIN: Duration = Duration::from_millis(10);
/// Longer than this is heard as a pause.
const MAX: Duration = Duration::from_millis(60);
/// A path that did not reorder for this long is trusted again.
const MEMORY: Duration = Duration::from_secs(30);
/// Late packets remembered.
const SAMPLES: usize = 32;

/// The wait for a missing packet of one track.
#[derive(Debug)]
pub(super) struct GapWait {
    began: Instant,
    // Only those that a wait could have caught. The newest `SAMPLES` of the last `MEMORY`; the
    // oldest goes.
    late: VecDeque<(Instant, Duration)>,
}

impl GapWait {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            late: VecDeque::with_capacity(SAMPLES),
        }
    }

    /// A missing packet came `lateness` after the first one behind its gap.
    pub(super) fn on_late(&mut self, now: Instant, lateness: Duration) {
        self.forget(now);
        if lateness > MAX {
            return;
        }
        if self.late.len() == SAMPLES {
            self.late.pop_front();
        }
        self.late.push_back((now, lateness));
    }

    /// One and a half times the lateness that 95 % stay below.
    pub(super) fn duration(&mut self, now: Instant) -> Duration {
        self.forget(now);
        if self.late.is_empty() {
            return if now.saturating_duration_since(self.began) < MEMORY {
                START
            } else {
                MIN
            };
        }
        let mut sorted: Vec<_> = self.late.iter().map(|(_, lateness)| *lateness).collect();
        sorted.sort_unstable();
        let p95 = sorted[(sorted.len() * 95).div_ceil(100) - 1];
        (p95 * 3 / 2).clamp(MIN, MAX)
    }

    fn forget(&mut self, now: Instant) {
        while self
            .late
            .front()
            .is_some_and(|(at, _)| now.saturating_duration_since(*at) > MEMORY)
        {
            self.late.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_follows_the_lateness_of_this_path_within_its_bounds() {
        let start = Instant::now();
        let mut wait = GapWait::new(start);
        assert_eq!(wait.duration(start), START);
        wait.on_late(start, Duration::from_millis(20));
        assert_eq!(wait.duration(start), Duration::from_millis(30));
        wait.on_late(start, Duration::from_millis(50));
        assert_eq!(wait.duration(start), MAX);
        for _ in 0..SAMPLES {
            wait.on_late(start, Duration::from_millis(1));
        }
        assert_eq!(wait.duration(start), MIN);
    }

    #[test]
    fn packet_too_late_for_any_bearable_wait_does_not_lengthen_it() {
        let start = Instant::now();
        let mut wait = GapWait::new(start);
        wait.on_late(start, Duration::from_millis(8));
        (0..10).for_each(|_| wait.on_late(start, Duration::from_millis(300)));
        assert_eq!(wait.duration(start), Duration::from_millis(12));
    }

    #[test]
    fn path_that_stopped_reordering_waits_the_least() {
        let start = Instant::now();
        let mut wait = GapWait::new(start);
        wait.on_late(start, Duration::from_millis(40));
        assert_eq!(wait.duration(start + MEMORY), MAX);
        assert_eq!(
            wait.duration(start + MEMORY + Duration::from_millis(1)),
            MIN
        );
    }
}
