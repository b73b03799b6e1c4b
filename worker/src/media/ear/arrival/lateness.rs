//! Core: how unevenly the packets of one track arrive.
//!
//! Compares arrival with RTP time. The best packet of the last ten seconds counts as being on time;
//! what 95 % of the others stay below is the jitter that silence has to allow for.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::ticks;

/// What is older says nothing about the path any more.
const WINDOW: Duration = Duration::from_secs(10);
/// Packets in that time, at 20 ms each.
const SAMPLES: usize = 512;
/// The figure is renewed after this many packets: it costs a selection over the window.
const RENEW: u32 = 16;
/// More than 100 ms is not jitter but a stall.
const MAX: Duration = Duration::from_millis(100);

/// Lateness of one track.
#[derive(Debug)]
pub(super) struct Lateness {
    began: Instant,
    /// RTP time of the last packet since the last reset, and the same without wraps.
    media: Option<(u32, i64)>,
    // The last `SAMPLES` of the last `WINDOW`: arrival, and transit time in ticks plus a constant.
    transits: VecDeque<(Instant, i64)>,
    scratch: Vec<i64>,
    since_renewal: u32,
    p95: Duration,
}

impl Lateness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            media: None,
            transits: VecDeque::with_capacity(SAMPLES),
            scratch: Vec::with_capacity(SAMPLES),
            since_renewal: 0,
            p95: Duration::ZERO,
        }
    }

    /// A packet came.
    pub(super) fn on_packet(&mut self, arrival: Instant, timestamp: u32) {
        let (last, unwrapped) = self.media.unwrap_or((timestamp, 0));
        let media = unwrapped + i64::from(timestamp.wrapping_sub(last).cast_signed());
        self.media = Some((timestamp, media));
        let transit = ticks(arrival.saturating_duration_since(self.began)) as i64 - media;
        let expired = |at: &Instant| arrival.saturating_duration_since(*at) > WINDOW;
        while self.transits.len() == SAMPLES
            || self.transits.front().is_some_and(|(at, _)| expired(at))
        {
            self.transits.pop_front();
        }
        self.transits.push_back((arrival, transit));
        self.since_renewal += 1;
        if self.since_renewal >= RENEW {
            self.renew();
        }
    }

    /// The RTP time line begins anew.
    pub(super) fn reset(&mut self) {
        self.media = None;
        self.transits.clear();
    }

    /// What 95 % of the packets stay below, 0–100 ms.
    pub(super) fn p95(&self) -> Duration {
        self.p95
    }

    fn renew(&mut self) {
        self.since_renewal = 0;
        self.scratch.clear();
        self.scratch
            .extend(self.transits.iter().map(|(_, transit)| *transit));
        let Some(best) = self.scratch.iter().min().copied() else {
            return;
        };
        let index = (self.scratch.len() * 95).div_ceil(100) - 1;
        let (_, p95, _) = self.scratch.select_nth_unstable(index);
        self.p95 = Duration::from_micros((*p95 - best) as u64 * 1_000 / 48).min(MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(lateness: &mut Lateness, start: Instant, count: u32, delay: impl Fn(u32) -> u64) {
        for n in 0..count {
            let at = start + Duration::from_millis(u64::from(n) * 20 + delay(n));
            lateness.on_packet(at, (u32::MAX - 5_000).wrapping_add(n * 960));
        }
    }

    #[test]
    fn even_stream_has_no_lateness() {
        let start = Instant::now();
        let mut lateness = Lateness::new(start);
        feed(&mut lateness, start, 100, |_| 40);
        assert_eq!(lateness.p95(), Duration::ZERO);
    }

    #[test]
    fn lateness_is_measured_for_longer_than_half_the_rtp_clock() {
        let start = Instant::now();
        let mut lateness = Lateness::new(start);
        // Eight packets in 8 s, then nothing for 50 minutes, for a day: the distance from the
        // first timestamp changes its sign after 12.4 hours.
        for n in 0..8 * 29_u64 {
            let at = Duration::from_secs(n / 8 * 3_000 + n % 8);
            lateness.on_packet(start + at, (at.as_millis() as u32).wrapping_mul(48));
            assert_eq!(lateness.p95(), Duration::ZERO, "after {at:?}");
        }
    }

    #[test]
    fn lateness_is_what_most_packets_stay_below() {
        let start = Instant::now();
        let mut lateness = Lateness::new(start);
        feed(
            &mut lateness,
            start,
            500,
            |n| if n % 10 == 0 { 15 } else { 0 },
        );
        assert_eq!(lateness.p95(), Duration::from_millis(15));
        feed(&mut lateness, start + Duration::from_secs(100), 600, |n| {
            u64::from(n % 2) * 400
        });
        assert_eq!(lateness.p95(), MAX);
    }
}
