//! What the engine counts over all its connections, since the process began.
//!
//! One static set of atomics: whoever sees something happen adds to it, whoever exports metrics
//! reads it. Nothing is ever taken away, except from what counts things that exist now.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::ext::{Counters, Distribution, Refused};

/// The facts of this process.
pub(crate) static FACTS: Facts = Facts::new();

/// Everything that is counted.
pub(crate) struct Facts {
    /// Connections that exist.
    pub(crate) connections: Count,
    pub(crate) packets_sent: Count,
    pub(crate) packets_received: Count,
    /// By us, on the way here.
    pub(crate) lost_inbound: Count,
    /// By the peer, of what we sent.
    pub(crate) lost_outbound: Count,
    pub(crate) refused_packets: Count,
    pub(crate) refused_peers: Count,
    pub(crate) discarded_datagrams: Count,
    pub(crate) unsent_datagrams: Count,
    pub(crate) tap_dropped: Count,
    pub(crate) late_wakeups: Count,
    pub(crate) round_trip: Spread<ROUND_TRIPS>,
    pub(crate) buffered: Spread<DELAYS>,
}

/// 5 ms to 2 s: from the server next door to a queue that has filled up.
const ROUND_TRIP_EDGES: [f64; ROUND_TRIPS - 1] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 2.0];
const ROUND_TRIPS: usize = 10;
/// The jitter buffer holds 20–120 ms back.
const DELAY_EDGES: [f64; DELAYS - 1] = [0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.2, 0.5];
const DELAYS: usize = 10;

impl Facts {
    const fn new() -> Self {
        Self {
            connections: Count::new(),
            packets_sent: Count::new(),
            packets_received: Count::new(),
            lost_inbound: Count::new(),
            lost_outbound: Count::new(),
            refused_packets: Count::new(),
            refused_peers: Count::new(),
            discarded_datagrams: Count::new(),
            unsent_datagrams: Count::new(),
            tap_dropped: Count::new(),
            late_wakeups: Count::new(),
            round_trip: Spread::new(),
            buffered: Spread::new(),
        }
    }

    pub(crate) fn read(&self) -> Counters {
        Counters {
            connections: self.connections.get(),
            packets_sent: self.packets_sent.get(),
            packets_received: self.packets_received.get(),
            packets_lost_inbound: self.lost_inbound.get(),
            packets_lost_outbound: self.lost_outbound.get(),
            refused: self.refused(),
            discarded_datagrams: self.discarded_datagrams.get(),
            unsent_datagrams: self.unsent_datagrams.get(),
            tap_dropped: self.tap_dropped.get(),
            late_wakeups: self.late_wakeups.get(),
            round_trip: self.round_trip.read(&ROUND_TRIP_EDGES),
            jitter_buffer_delay: self.buffered.read(&DELAY_EDGES),
        }
    }

    pub(crate) fn refused(&self) -> Refused {
        Refused {
            packets: self.refused_packets.get(),
            peers: self.refused_peers.get(),
        }
    }

    /// From a sender report of ours to its echo.
    pub(crate) fn on_round_trip(&self, round_trip: Duration) {
        self.round_trip.add(&ROUND_TRIP_EDGES, round_trip);
    }

    /// From a packet's arrival to its being played by a paced stream.
    pub(crate) fn on_buffered(&self, delay: Duration) {
        self.buffered.add(&DELAY_EDGES, delay);
    }
}

/// A number of things.
pub(crate) struct Count(AtomicU64);

impl Count {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add(&self, more: u64) {
        if more > 0 {
            self.0.fetch_add(more, Ordering::Relaxed);
        }
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One thing that exists, counted for as long as it does.
pub(crate) struct Existing(&'static Count);

impl Existing {
    pub(crate) fn connection() -> Self {
        FACTS.connections.add(1);
        Self(&FACTS.connections)
    }
}

impl Drop for Existing {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How durations are spread over `N` ranges, the last one open.
pub(crate) struct Spread<const N: usize> {
    counts: [AtomicU64; N],
    sum_micros: AtomicU64,
}

impl<const N: usize> Spread<N> {
    const fn new() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; N],
            sum_micros: AtomicU64::new(0),
        }
    }

    fn add(&self, edges: &[f64], duration: Duration) {
        let seconds = duration.as_secs_f64();
        let range = edges.partition_point(|edge| *edge < seconds).min(N - 1);
        self.counts[range].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn read(&self, edges: &'static [f64]) -> Distribution {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Distribution {
            edges,
            counts: self.counts.iter().map(count).collect(),
            sum: Duration::from_micros(self.sum_micros.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_range_that_ends_with_it() {
        let spread = Spread::<3>::new();
        for millis in [1, 10, 11, 20, 21, 9_000] {
            spread.add(&[0.01, 0.02], Duration::from_millis(millis));
        }
        let read = spread.read(&[0.01, 0.02]);
        assert_eq!(read.counts, [2, 2, 2]);
        assert_eq!(read.sum, Duration::from_millis(9_063));
    }

    #[test]
    fn what_is_gone_is_not_counted_any_more() {
        static HERE: Count = Count::new();
        HERE.add(1);
        let existing = Existing(&HERE);
        assert_eq!(HERE.get(), 1);
        drop(existing);
        assert_eq!(HERE.get(), 0);
    }
}
