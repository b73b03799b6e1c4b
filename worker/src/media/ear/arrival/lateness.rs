//! Core: how unevenly the packets of one track arrive.
//!
//! Compares arrival with RTP time. The best packet since the last pause, in the last ten seconds, counts as
//! being on time; what 95 % of the others stay below is the jitter that silence has to allow for.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::ticks;

/// What is older says nothing about the path any more.
const WINDOW: Duration = Duration::from_secs(10);
/// Packets in that time, at 20 ms each.
const SAMPLES: usize = 512;
/// With so many packets since the last pause nothing older is asked.
const ENOUGH: usize = 128;
/// The figure is renewed after this many packets: it costs a selection over the window.
const RENEW: u32 = 16;
/// More than 200 ms is not jitter but a stall.
const MAX: Duration = Duration::from_millis(200);
/// No packet counts as later than this: a sender whose clock stands still in pauses that are too short
/// to be noticed looks late, too.
const CREDIT: Duration = Duration::from_millis(100);

/// Lateness of one track.
#[derive(Debug)]
pub(super) struct Lateness {
    began: Instant,
    /// RTP time of the last packet since the last reset, and the same without wraps.
    media: Option<(u32, i64)>,
    // Since the last pause, the last `SAMPLES` of the last `WINDOW`: arrival, and transit time in ticks
    // plus a constant.
    transits: VecDeque<(Instant, i64)>,
    // Before it, the last `ENOUGH`: ticks behind the best of their time.
    past: VecDeque<i64>,
    scratch: Vec<i64>,
    since_renewal: u32,
    /// The least transit time in the window.
    best: Option<i64>,
    /// What 95 % of the packets stay below.
    p95: Duration,
}

impl Lateness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            media: None,
            transits: VecDeque::with_capacity(SAMPLES),
            past: VecDeque::with_capacity(ENOUGH),
            scratch: Vec::with_capacity(SAMPLES),
            since_renewal: 0,
            best: None,
            p95: Duration::ZERO,
        }
    }

    /// A packet came. Returns how late it is, as far as that is jitter: not more than most are, because
    /// a path that became longer looks late, too, until the shorter one is forgotten.
    pub(super) fn on_packet(&mut self, arrival: Instant, timestamp: u32) -> Duration {
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
        let best = self.best.map_or(transit, |best| best.min(transit));
        self.best = Some(best);
        self.since_renewal += 1;
        if self.since_renewal >= RENEW {
            self.renew();
        }
        duration(transit - best).min(self.p95).min(CREDIT)
    }

    /// Nothing was sent for a while. What was on time before says nothing about what is now: RTP
    /// clocks stand still in pauses, or go on by another measure, and encoders keep the rest of a
    /// packet until there is more. How far packets are apart is kept.
    pub(super) fn on_pause(&mut self) {
        if let Some(best) = self.best.take() {
            let newest = self.transits.len().saturating_sub(ENOUGH);
            for (_, transit) in self.transits.drain(..).skip(newest) {
                if self.past.len() == ENOUGH {
                    self.past.pop_front();
                }
                self.past.push_back(transit - best);
            }
        }
        self.transits.clear();
    }

    /// The RTP time line begins anew.
    pub(super) fn reset(&mut self) {
        self.on_pause();
        self.media = None;
    }

    /// What 95 % of the packets stay below, 0–200 ms.
    pub(super) fn p95(&self) -> Duration {
        self.p95
    }

    fn renew(&mut self) {
        self.since_renewal = 0;
        let Some(best) = self.transits.iter().map(|(_, transit)| *transit).min() else {
            return;
        };
        self.best = Some(best);
        self.scratch.clear();
        let fresh = self.transits.iter().map(|(_, transit)| transit - best);
        self.scratch.extend(fresh);
        let older = self.past.iter().rev();
        let wanted = ENOUGH.saturating_sub(self.scratch.len());
        self.scratch.extend(older.take(wanted));
        let index = (self.scratch.len() * 95).div_ceil(100) - 1;
        let (_, p95, _) = self.scratch.select_nth_unstable(index);
        self.p95 = duration(*p95).min(MAX);
    }
}

/// Of ticks that may be below zero.
fn duration(ticks: i64) -> Duration {
    Duration::from_micros(u64::try_from(ticks).unwrap_or(0) * 1_000 / 48)
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
    fn sender_whose_clock_stands_still_in_a_pause_is_not_late_behind_it() {
        let start = Instant::now();
        let mut lateness = Lateness::new(start);
        for n in 0..200_u32 {
            if n % 50 == 0 {
                lateness.on_pause();
            }
            let pauses = u64::from(n / 50) * 3_000;
            let at = start + Duration::from_millis(u64::from(n) * 20 + pauses);
            assert_eq!(lateness.on_packet(at, n * 960), Duration::ZERO);
            assert_eq!(lateness.p95(), Duration::ZERO);
        }
    }

    #[test]
    fn what_was_learned_is_kept_for_as_long_as_it_takes_to_learn_anew() {
        let start = Instant::now();
        let mut lateness = Lateness::new(start);
        feed(&mut lateness, start, 500, |n| u64::from(n % 10) * 5);
        lateness.on_pause();
        feed(&mut lateness, start + Duration::from_secs(20), 32, |_| 0);
        assert_eq!(lateness.p95(), Duration::from_millis(45));
        lateness.on_pause();
        feed(&mut lateness, start + Duration::from_secs(21), 128, |_| 0);
        assert_eq!(lateness.p95(), Duration::ZERO);
    }

    #[test]
    fn packet_is_as_late_as_it_is_behind_the_best_one_but_not_more_than_jitter() {
        let start = Instant::now();
        let late = |delay: u64| {
            let mut lateness = Lateness::new(start);
            feed(&mut lateness, start, 500, |n| u64::from(n % 10) * 5);
            let at = start + Duration::from_millis(10_000 + delay);
            lateness.on_packet(at, (u32::MAX - 5_000).wrapping_add(500 * 960))
        };
        assert_eq!(late(0), Duration::ZERO);
        assert_eq!(late(30), Duration::from_millis(30));
        assert_eq!(late(400), Duration::from_millis(45));
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
            u64::from(n % 2) * 200
        });
        assert_eq!(lateness.p95(), MAX);
    }
}
