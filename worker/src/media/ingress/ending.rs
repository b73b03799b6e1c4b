//! Core: silence in place of the last microphone, in real time, until the model has ended any turn.
//!
//! A model that hears nothing at all waits for ever: its turn detection counts sound, not time.

use std::time::{Duration, Instant};

/// It is written in steps of 100 ms.
const STEP: Duration = Duration::from_millis(100);

/// What is left of it.
#[derive(Debug)]
pub(super) struct Ending {
    next: Instant,
    until: Instant,
}

impl Ending {
    /// Begins now.
    pub(super) fn new(now: Instant, length: Duration) -> Self {
        Self {
            next: now,
            until: now + length,
        }
    }

    /// When the next step is due.
    pub(super) fn due(&self) -> Instant {
        self.next
    }

    /// How much silence is due.
    pub(super) fn step(&mut self, now: Instant) -> Option<Duration> {
        if self.is_over() || now < self.next {
            return None;
        }
        self.next += STEP;
        Some(STEP)
    }

    pub(super) fn is_over(&self) -> bool {
        self.next >= self.until
    }
}
