//! Taps: encoded packets for whoever wants them as they are. A ring per reader; writing never
//! waits, a full ring loses its oldest packet and counts it.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use super::facts::FACTS;
use crate::audio::rtp::AudioPacket;

/// The open taps of one track.
#[derive(Default)]
pub(crate) struct Taps {
    state: Mutex<TapsState>,
}

#[derive(Default)]
struct TapsState {
    rings: Vec<Weak<Ring>>,
    ended: bool,
}

impl Taps {
    pub(crate) fn open(&self, capacity: usize) -> Arc<Ring> {
        let ring = Arc::new(Ring {
            capacity: capacity.max(1),
            state: Mutex::default(),
        });
        let mut state = self.state.lock();
        if state.ended {
            ring.end();
        }
        state.rings.retain(|ring| ring.strong_count() > 0);
        state.rings.push(Arc::downgrade(&ring));
        ring
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().rings.is_empty()
    }

    pub(crate) fn push(&self, packet: &AudioPacket) {
        self.state.lock().rings.retain(|ring| {
            let Some(ring) = ring.upgrade() else {
                return false;
            };
            ring.push(packet.clone());
            true
        });
    }

    /// No packet will come any more.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        for ring in state.rings.drain(..).filter_map(|ring| ring.upgrade()) {
            ring.end();
        }
    }
}

/// The queue of one tap.
pub(crate) struct Ring {
    capacity: usize,
    state: Mutex<RingState>,
}

#[derive(Default)]
struct RingState {
    packets: VecDeque<AudioPacket>,
    dropped: u64,
    ended: bool,
    reader: Option<Waker>,
}

impl Ring {
    fn push(&self, packet: AudioPacket) {
        let mut state = self.state.lock();
        if state.packets.len() == self.capacity {
            state.packets.pop_front();
            state.dropped += 1;
            FACTS.tap_dropped.add(1);
        }
        state.packets.push_back(packet);
        wake(state.reader.take());
    }

    fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        wake(state.reader.take());
    }

    pub(crate) fn pop(&self) -> Option<AudioPacket> {
        self.state.lock().packets.pop_front()
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Option<AudioPacket>> {
        let mut state = self.state.lock();
        if let Some(packet) = state.packets.pop_front() {
            return Poll::Ready(Some(packet));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}

fn wake(reader: Option<Waker>) {
    if let Some(reader) = reader {
        reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn packet(sequence: u64) -> AudioPacket {
        AudioPacket {
            sequence,
            timestamp: 0,
            arrival: Instant::now(),
            marker: false,
            audio_level: None,
            payload: bytes::Bytes::new(),
        }
    }

    #[test]
    fn a_full_ring_loses_its_oldest_packet_and_counts_it() {
        let taps = Taps::default();
        let ring = taps.open(2);
        (0..5).for_each(|sequence| taps.push(&packet(sequence)));
        let left: Vec<_> = std::iter::from_fn(|| ring.pop())
            .map(|p| p.sequence)
            .collect();
        assert_eq!(left, [3, 4]);
        assert_eq!(ring.dropped(), 3);
    }

    #[tokio::test]
    async fn a_reader_gets_what_is_left_and_then_the_end() {
        let taps = Taps::default();
        let ring = taps.open(4);
        taps.push(&packet(7));
        taps.end();
        let next = || std::future::poll_fn(|cx| ring.poll(cx));
        assert_eq!(next().await.map(|packet| packet.sequence), Some(7));
        assert!(next().await.is_none());
        let late = taps.open(1);
        assert!(std::future::poll_fn(|cx| late.poll(cx)).await.is_none());
    }

    #[test]
    fn a_reader_that_stands_still_takes_nothing_from_the_others() {
        let taps = Taps::default();
        let (stalled, reads) = (taps.open(2), taps.open(2));
        for sequence in 0..1_000 {
            taps.push(&packet(sequence));
            assert_eq!(reads.pop().map(|packet| packet.sequence), Some(sequence));
        }
        assert_eq!((stalled.dropped(), reads.dropped()), (998, 0));
    }

    #[test]
    fn a_dropped_tap_costs_nothing() {
        let taps = Taps::default();
        drop(taps.open(1));
        taps.push(&packet(0));
        assert!(taps.is_empty());
    }
}
