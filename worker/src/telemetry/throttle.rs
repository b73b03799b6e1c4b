//! Core: how often a line may be written that somebody else can cause as often as they like.
//!
//! Owns a small budget that fills up again with time, and counts what it refused. Metrics are not
//! throttled: they cost nothing per event. Does not write anything itself.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Lines in a row before the first is left out.
const BURST: u32 = 5;
/// One more is allowed this often: a flood writes four lines a minute.
const REFILL: Duration = Duration::from_secs(15);

/// The budget of one kind of line; meant to be a static beside it.
#[derive(Debug)]
pub(crate) struct Throttle {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    budget: u32,
    /// When the budget was last filled up; `None` = nothing was written yet.
    filled: Option<Instant>,
    left_out: u64,
}

impl Throttle {
    pub(crate) const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                budget: BURST,
                filled: None,
                left_out: 0,
            }),
        }
    }

    /// Whether a line may be written now; if so, how many were left out since the last one.
    pub(crate) fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        state.refill(now);
        if state.budget == 0 {
            state.left_out += 1;
            return None;
        }
        state.budget -= 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

impl State {
    fn refill(&mut self, now: Instant) {
        let filled = *self.filled.get_or_insert(now);
        let earned = now.saturating_duration_since(filled).as_nanos() / REFILL.as_nanos();
        let earned = u32::try_from(earned).unwrap_or(BURST).min(BURST);
        if self.budget + earned >= BURST {
            self.budget = BURST;
            self.filled = Some(now);
        } else if earned > 0 {
            self.budget += earned;
            self.filled = Some(filled + REFILL * earned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_a_few_lines_and_says_how_many_it_left_out() {
        let (throttle, start) = (Throttle::new(), Instant::now());
        let mut written = Vec::new();
        // One every 10 ms for ten minutes.
        for number in 0..60_000 {
            let now = start + Duration::from_millis(10) * number;
            written.extend(throttle.admit(now));
        }
        assert!(written.len() <= 5 + 40, "{} lines", written.len());
        let left_out: u64 = written.iter().sum();
        assert!(left_out + written.len() as u64 > 58_000);
    }

    #[test]
    fn what_happens_now_and_then_is_always_written() {
        let (throttle, start) = (Throttle::new(), Instant::now());
        for number in 0..100 {
            assert_eq!(throttle.admit(start + REFILL * number), Some(0));
        }
    }

    #[test]
    fn the_budget_is_whole_again_after_a_quiet_while() {
        let (throttle, start) = (Throttle::new(), Instant::now());
        let burst = |now| (0..20).filter(|_| throttle.admit(now).is_some()).count();
        assert_eq!(burst(start), 5);
        assert_eq!(burst(start + REFILL * 100), 5);
    }
}
