//! Core: how long the packets of one track are held back: what 97 % of them need.
//!
//! Compares arrival with RTP time over the last five seconds of packets; the best of them counts as
//! being on time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::MILLI;

/// Bounds of the delay.
const MIN_DELAY: Duration = Duration::from_millis(20);
const MAX_DELAY: Duration = Duration::from_millis(120);
/// Packets whose arrival the delay is learned from: about 5 s.
const LEARNED: usize = 256;
/// The delay is renewed after this many packets: it costs a sort of what was learned.
const RENEW: u32 = 16;

/// The delay of one track.
#[derive(Debug, Default)]
pub(super) struct Delay {
    /// Arrival of the first packet.
    began: Option<Instant>,
    /// RTP time of the last packet, and the same without wraps.
    media: (u32, i64),
    // Transit times in ticks plus a constant; the newest `LEARNED`.
    transits: VecDeque<i64>,
    since_renewal: u32,
    target: Duration,
}

impl Delay {
    /// A packet came.
    pub(super) fn learn(&mut self, arrival: Instant, timestamp: u32) {
        let began = *self.began.get_or_insert_with(|| {
            self.media = (timestamp, 0);
            arrival
        });
        let real = arrival.saturating_duration_since(began).as_micros() as i64 * 48 / 1_000;
        let step = timestamp.wrapping_sub(self.media.0).cast_signed();
        self.media = (timestamp, self.media.1 + i64::from(step));
        if self.transits.len() == LEARNED {
            self.transits.pop_front();
        }
        self.transits.push_back(real - self.media.1);
        self.since_renewal += 1;
        if self.since_renewal >= RENEW {
            self.since_renewal = 0;
            self.renew();
        }
    }

    /// 20–120 ms.
    pub(super) fn target(&self) -> Duration {
        self.target.clamp(MIN_DELAY, MAX_DELAY)
    }

    pub(super) fn target_ticks(&self) -> u32 {
        self.target().as_millis() as u32 * MILLI
    }

    fn renew(&mut self) {
        let mut sorted: Vec<_> = self.transits.iter().copied().collect();
        sorted.sort_unstable();
        let most = sorted[(sorted.len() * 97).div_ceil(100) - 1] - sorted[0];
        self.target = MIN_DELAY + Duration::from_micros(most.unsigned_abs() * 1_000 / 48);
    }
}
