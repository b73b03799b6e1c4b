//! Core: what a paced stream plays next, as NetEq's decision logic does upstream.
//!
//! Packets go in as they arrive; every time the decoder runs dry it asks what to do. Holds packets
//! back by an adaptive delay of 20–120 ms, because a loudspeaker cannot wait. Owns order and delay
//! of one track; does not decode. Durations are ticks of the 48 kHz RTP clock.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{opus, rtp::AudioPacket};

/// Ticks of one millisecond.
const MILLI: u32 = 48;
/// What is played when there is nothing to play: 10 ms.
pub(crate) const FRAME_TICKS: u32 = 10 * MILLI;
/// Packets held at most, 5 s of 20 ms each; beyond it the oldest goes.
const MAX_PACKETS: usize = 256;
/// Bounds of the delay.
const MIN_DELAY: Duration = Duration::from_millis(20);
const MAX_DELAY: Duration = Duration::from_millis(120);
/// Concealment beyond 100 ms sounds like a machine; silence follows.
const MAX_CONCEAL: u32 = 100 * MILLI;
/// A hole or a jump longer than this begins a new stream.
const MAX_GAP: u32 = 1_000 * MILLI;
/// Packets whose arrival the delay is learned from: about 5 s.
const LEARNED: usize = 256;
/// The delay is renewed after this many packets: it costs a sort of what was learned.
const RENEW: u32 = 16;
/// Payloads up to this size carry no sound (Opus DTX).
const DTX_BYTES: usize = 3;
/// Excess is what was never used in this many frames: half a second.
const EXCESS_FRAMES: u32 = 50;
/// Excess below one packet is no excess.
const EXCESS: u32 = 20 * MILLI;
/// Above this the stream is shortened without looking back.
const FAR_BEHIND: u32 = 200 * MILLI;

/// What to play next; durations in ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Play {
    /// Carry on from what was decoded last.
    Conceal { ticks: u32 },
    /// Decode this packet.
    Packet(Bytes),
    /// Rebuild what was before `next` from the redundancy in it.
    Rebuild { next: Bytes, ticks: u32 },
    /// Another stream begins: forget the decoder's past, then ask again.
    Reset,
    /// Zeros.
    Silence { ticks: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Collecting the delay before the first packet of a stretch of sound.
    Filling,
    /// Playing; `concealed` = ticks made up since the last packet.
    Playing { concealed: u32 },
}

/// The packets of one remote track on their way to a loudspeaker.
#[derive(Debug)]
pub(crate) struct JitterBuffer {
    // At `MAX_PACKETS` the oldest goes.
    packets: BTreeMap<u64, Entry>,
    /// Sequence and RTP time of what is to be played next; `None` = whatever comes.
    next: Option<(u64, u32)>,
    state: State,
    last_was_quiet: bool,
    delay: Delay,
    /// Smallest level, and frames, since the last look for excess.
    lowest: u32,
    frames: u32,
}

#[derive(Debug)]
struct Entry {
    packet: AudioPacket,
    ticks: u32,
}

impl JitterBuffer {
    pub(crate) fn new() -> Self {
        Self {
            packets: BTreeMap::new(),
            next: None,
            state: State::Filling,
            last_was_quiet: true,
            delay: Delay::default(),
            lowest: u32::MAX,
            frames: 0,
        }
    }

    /// Takes in one packet, in whatever order it came.
    pub(crate) fn insert(&mut self, packet: AudioPacket) {
        let Some(ticks) = opus::duration_ticks(&packet.payload) else {
            return;
        };
        if let Some((sequence, timestamp)) = self.next {
            let ahead = packet.timestamp.wrapping_sub(timestamp).cast_signed();
            let is_foreign = packet.sequence.abs_diff(sequence) > 500;
            if is_foreign || (packet.sequence < sequence && ahead.unsigned_abs() > 10 * MAX_GAP) {
                self.packets.clear();
                self.next = None;
                self.delay = Delay::default();
            } else if packet.sequence < sequence {
                return;
            }
        }
        self.delay.learn(packet.arrival, packet.timestamp);
        if self.packets.len() == MAX_PACKETS {
            self.packets.pop_first();
        }
        self.packets
            .insert(packet.sequence, Entry { packet, ticks });
    }

    /// What to play now.
    pub(crate) fn next(&mut self, now: Instant) -> Play {
        if self.state == State::Filling && !self.is_filled(now) {
            return Play::Silence { ticks: FRAME_TICKS };
        }
        let Some(entry) = self.packets.first_entry() else {
            return self.run_dry();
        };
        let (first, start, ticks) = (
            *entry.key(),
            entry.get().packet.timestamp,
            entry.get().ticks,
        );
        let was_filling = self.state == State::Filling;
        let Some((sequence, timestamp)) = self.next.filter(|_| !was_filling) else {
            let is_new = self.next.is_none();
            self.next = Some((first, start));
            self.state = State::Playing { concealed: 0 };
            return if is_new {
                Play::Reset
            } else {
                self.play_first()
            };
        };
        let missing = start.wrapping_sub(timestamp);
        if first == sequence && missing == 0 {
            return self.play_first();
        }
        if missing > MAX_GAP {
            // Either way in time: this is another time line.
            self.next = Some((first, start));
            return self.play_first();
        }
        let piece = missing.min(ticks);
        let is_last = missing <= ticks;
        if first == sequence {
            // A pause of the sender.
            self.next = Some((sequence, timestamp.wrapping_add(piece)));
            return Play::Silence { ticks: piece };
        }
        self.fill(sequence, timestamp, piece, is_last)
    }

    /// Told once per frame played: whether 10 ms are to be left out, because more is held back than
    /// this path needs.
    pub(crate) fn sheds(&mut self) -> bool {
        let level = self.level();
        let target = self.delay.target_ticks();
        self.lowest = self.lowest.min(level);
        self.frames += 1;
        let far = level > target + FAR_BEHIND && self.frames >= 4;
        if !far && self.frames < EXCESS_FRAMES {
            return false;
        }
        let sheds = far || self.lowest > target + EXCESS;
        (self.lowest, self.frames) = (u32::MAX, 0);
        sheds
    }

    fn play_first(&mut self) -> Play {
        let Some((sequence, Entry { packet, ticks })) = self.packets.pop_first() else {
            return self.run_dry();
        };
        self.next = Some((sequence + 1, packet.timestamp.wrapping_add(ticks)));
        self.state = State::Playing { concealed: 0 };
        self.last_was_quiet = packet.payload.len() <= DTX_BYTES;
        Play::Packet(packet.payload)
    }

    /// One piece of a hole in front of the first packet.
    fn fill(&mut self, sequence: u64, timestamp: u32, piece: u32, is_last: bool) -> Play {
        let Some((first, entry)) = self.packets.first_key_value() else {
            return self.run_dry();
        };
        let concealed = match self.state {
            State::Playing { concealed } => concealed,
            State::Filling => 0,
        };
        let sequence = if is_last { *first } else { sequence };
        self.next = Some((sequence, timestamp.wrapping_add(piece)));
        self.state = State::Playing {
            concealed: concealed + piece,
        };
        // The codec works in steps of 2.5 ms.
        if !piece.is_multiple_of(120) || (!is_last && concealed >= MAX_CONCEAL) {
            return Play::Silence { ticks: piece };
        }
        if is_last {
            return Play::Rebuild {
                next: entry.packet.payload.clone(),
                ticks: piece,
            };
        }
        Play::Conceal { ticks: piece }
    }

    /// Nothing is there although something should be played.
    fn run_dry(&mut self) -> Play {
        match self.state {
            State::Playing { concealed } if concealed < MAX_CONCEAL && !self.last_was_quiet => {
                self.state = State::Playing {
                    concealed: concealed + FRAME_TICKS,
                };
                Play::Conceal { ticks: FRAME_TICKS }
            }
            _ => {
                self.state = State::Filling;
                Play::Silence { ticks: FRAME_TICKS }
            }
        }
    }

    fn is_filled(&self, now: Instant) -> bool {
        let Some(entry) = self.packets.values().next() else {
            return false;
        };
        let delay = self.delay.target();
        now.saturating_duration_since(entry.packet.arrival) >= delay
            || self.level() > self.delay.target_ticks()
    }

    /// Ticks from the first to the last packet held.
    fn level(&self) -> u32 {
        let (Some(first), Some(last)) =
            (self.packets.values().next(), self.packets.values().last())
        else {
            return 0;
        };
        last.packet
            .timestamp
            .wrapping_sub(first.packet.timestamp)
            .saturating_add(last.ticks)
    }
}

/// How long packets are held back: what 95 % of them need.
#[derive(Debug, Default)]
struct Delay {
    origin: Option<(Instant, u32)>,
    // Transit times in ticks plus a constant; the newest `LEARNED`.
    transits: VecDeque<i64>,
    since_renewal: u32,
    target: Duration,
}

impl Delay {
    fn learn(&mut self, arrival: Instant, timestamp: u32) {
        let (began, first) = *self.origin.get_or_insert((arrival, timestamp));
        let real = arrival.saturating_duration_since(began).as_micros() as i64 * 48 / 1_000;
        let media = i64::from(timestamp.wrapping_sub(first).cast_signed());
        if self.transits.len() == LEARNED {
            self.transits.pop_front();
        }
        self.transits.push_back(real - media);
        self.since_renewal += 1;
        if self.since_renewal >= RENEW {
            self.since_renewal = 0;
            self.renew();
        }
    }

    fn renew(&mut self) {
        let mut sorted: Vec<_> = self.transits.iter().copied().collect();
        sorted.sort_unstable();
        let p95 = sorted[(sorted.len() * 95).div_ceil(100) - 1] - sorted[0];
        self.target = MIN_DELAY + Duration::from_micros(p95.unsigned_abs() * 1_000 / 48);
    }

    fn target(&self) -> Duration {
        self.target.clamp(MIN_DELAY, MAX_DELAY)
    }

    fn target_ticks(&self) -> u32 {
        self.target().as_millis() as u32 * MILLI
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 ms of CELT, with `n` as its content.
    fn payload(n: u64) -> Bytes {
        Bytes::copy_from_slice(&[0xd8, n as u8, 1, 2, 3])
    }

    struct Bench {
        buffer: JitterBuffer,
        start: Instant,
        played: Vec<Play>,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                buffer: JitterBuffer::new(),
                start: Instant::now(),
                played: Vec::new(),
            }
        }

        fn insert(&mut self, n: u64, arrival: u64) {
            self.buffer.insert(AudioPacket {
                sequence: 100 + n,
                timestamp: (u32::MAX - 4_000).wrapping_add(n as u32 * 960),
                arrival: self.start + Duration::from_millis(arrival),
                marker: false,
                audio_level: None,
                payload: payload(n),
            });
        }

        /// Plays at least 10 ms at each tick.
        fn play(&mut self, from: u64, to: u64) {
            let mut ahead = 0;
            for at in (from..to).step_by(10) {
                while ahead < FRAME_TICKS {
                    let play = self.buffer.next(self.start + Duration::from_millis(at));
                    ahead += match &play {
                        Play::Packet(_) => 960,
                        Play::Reset => 0,
                        Play::Conceal { ticks }
                        | Play::Silence { ticks }
                        | Play::Rebuild { ticks, .. } => *ticks,
                    };
                    self.played.push(play);
                }
                ahead -= FRAME_TICKS;
            }
        }

        fn packets(&self) -> usize {
            self.played
                .iter()
                .filter(|play| matches!(play, Play::Packet(_)))
                .count()
        }

        fn made_up(&self) -> Vec<&Play> {
            let is_made_up =
                |play: &&Play| matches!(play, Play::Conceal { .. } | Play::Rebuild { .. });
            self.played.iter().filter(is_made_up).collect()
        }
    }

    #[test]
    fn even_stream_plays_after_the_smallest_delay_without_repairs() {
        let mut bench = Bench::new();
        for n in 0..100 {
            bench.insert(n, n * 20);
            bench.play(n * 20, n * 20 + 20);
        }
        let delay = Play::Silence { ticks: 480 };
        assert_eq!(bench.played[..3], [delay.clone(), delay, Play::Reset]);
        assert!(bench.made_up().is_empty());
        assert!(bench.packets() >= 98);
    }

    #[test]
    fn lost_packet_is_rebuilt_when_the_next_one_is_there() {
        let mut bench = Bench::new();
        [0, 1, 3, 4].into_iter().for_each(|n| bench.insert(n, 0));
        bench.play(30, 130);
        let next = payload(3);
        assert_eq!(bench.made_up(), [&Play::Rebuild { next, ticks: 960 }]);
        assert_eq!(bench.packets(), 4);
    }

    #[test]
    fn reordered_packets_play_in_order() {
        let mut bench = Bench::new();
        [2, 0, 3, 1].into_iter().for_each(|n| bench.insert(n, 0));
        bench.play(30, 110);
        let expected: Vec<_> = (0..4).map(|n| Play::Packet(payload(n))).collect();
        assert_eq!(bench.played[1..], expected);
    }

    #[test]
    fn stream_that_stops_is_concealed_for_a_tenth_of_a_second_and_then_silent() {
        let mut bench = Bench::new();
        (0..3).for_each(|n| bench.insert(n, 0));
        bench.play(30, 1_000);
        assert_eq!(bench.made_up().len(), 10);
        assert_eq!(bench.played.last(), Some(&Play::Silence { ticks: 480 }));
        bench.insert(60, 1_200);
        bench.insert(61, 1_210);
        bench.play(1_220, 1_260);
        assert_eq!(
            bench.packets(),
            5,
            "a new stretch plays without filling the pause"
        );
    }

    #[test]
    fn delay_follows_the_jitter_of_the_path_within_its_bounds() {
        for (jitter, expected) in [(0, 20), (50, 70), (900, 120)] {
            let mut bench = Bench::new();
            (0..256).for_each(|n| bench.insert(n, 1_000 + n * 20 + (n % 4) / 3 * jitter));
            assert_eq!(bench.buffer.delay.target(), Duration::from_millis(expected));
        }
    }

    #[test]
    fn late_packet_is_dropped() {
        let mut bench = Bench::new();
        [0, 1, 3].into_iter().for_each(|n| bench.insert(n, 0));
        bench.play(30, 110);
        bench.insert(2, 110);
        bench.play(110, 200);
        assert_eq!(bench.packets(), 3);
    }

    #[test]
    fn what_is_held_back_without_need_is_shed() {
        let mut bench = Bench::new();
        (0..15).for_each(|n| bench.insert(n, 0));
        let mut shed = 0;
        for n in 0..300 {
            bench.insert(15 + n, 20 + n * 20);
            bench.play(30 + n * 20, 50 + n * 20);
            shed += u32::from(bench.buffer.sheds()) + u32::from(bench.buffer.sheds());
            if bench.buffer.level() <= 40 * MILLI {
                break;
            }
            for _ in 0..std::mem::take(&mut shed) {
                bench.play(30 + n * 20, 40 + n * 20);
            }
        }
        assert!(
            bench.buffer.level() <= 60 * MILLI,
            "{}",
            bench.buffer.level()
        );
    }
}
