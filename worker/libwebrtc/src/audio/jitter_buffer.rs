//! Core: what a paced stream plays next, as NetEq's decision logic does upstream.
//!
//! Packets go in as they arrive; every time the decoder runs dry it asks what to do. Holds packets
//! back by an adaptive delay of 20–120 ms, because a loudspeaker cannot wait. Owns order and delay
//! of one track; does not decode. Durations are ticks of the 48 kHz RTP clock.

mod delay;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;

use self::delay::Delay;
use super::{opus, rtp::AudioPacket, stale::Stale};

/// Ticks of one millisecond.
const MILLI: u32 = 48;
/// What is played when there is nothing to play: 10 ms.
pub(crate) const FRAME_TICKS: u32 = 10 * MILLI;
/// The codec works in steps of 2.5 ms.
const CODEC_STEP: u32 = 120;
/// Packets held at most, 5 s of 20 ms each; beyond it the oldest goes.
const MAX_PACKETS: usize = 256;
/// Concealment beyond 100 ms sounds like a machine; silence follows.
const MAX_CONCEAL: u32 = 100 * MILLI;
/// A hole or a jump longer than this begins a new stream.
const MAX_GAP: u32 = 1_000 * MILLI;
const MAX_GAP_PACKETS: u64 = 500;
/// An old packet whose RTP time is this far away belongs to another stream: 10 s.
const FOREIGN: u32 = 10 * MAX_GAP;
/// Payloads up to this size carry no sound (Opus DTX).
const DTX_BYTES: usize = 3;
/// Excess is what was never used in this many frames: half a second.
const EXCESS_FRAMES: u32 = 50;
/// Excess below one packet is no excess.
const EXCESS: u32 = 20 * MILLI;
/// Above this the stream is shortened without looking back.
const FAR_BEHIND: u32 = 200 * MILLI;

/// What to play next; durations in ticks of the 48 kHz RTP clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Play {
    /// Carry on from what was decoded last.
    Conceal {
        /// How long.
        ticks: u32,
    },
    /// Decode this packet.
    Packet(AudioPacket),
    /// Rebuild what was before `next` from the in-band FEC in it.
    Rebuild {
        /// The payload that holds the copy.
        next: Bytes,
        /// How long.
        ticks: u32,
    },
    /// Another stream begins: forget the decoder's past, then ask again.
    Reset,
    /// Zeros.
    Silence {
        /// How long.
        ticks: u32,
    },
}

/// What was done so far; durations in ticks of the 48 kHz RTP clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayCounts {
    /// Ticks that were made up.
    pub concealed: u64,
    /// Times that making up began.
    pub concealments: u64,
    /// Ticks of silence in place of packets that were expected.
    pub silent: u64,
    /// Ticks rebuilt from in-band FEC.
    pub rebuilt: u64,
    /// Ticks left out, because more was held back than this path needs.
    pub shed: u64,
    /// Packets played.
    pub played: u64,
    /// Ticks of those packets.
    pub emitted: u64,
    /// Time they were held back, summed over their ticks, in nanoseconds × ticks ÷ 48,000: the
    /// standard's `jitterBufferDelay`, in nanoseconds per second of sound.
    pub held_nanos: u64,
    /// Packets that came after their time was filled.
    pub late: u64,
    /// Packets that had come before.
    pub duplicates: u64,
    /// Packets dropped because too many were held.
    pub overflowed: u64,
}

impl PlayCounts {
    /// Adds what another buffer of the same track did.
    pub(crate) fn add(&mut self, other: &Self) {
        self.concealed += other.concealed;
        self.concealments += other.concealments;
        self.silent += other.silent;
        self.rebuilt += other.rebuilt;
        self.shed += other.shed;
        self.played += other.played;
        self.emitted += other.emitted;
        self.held_nanos += other.held_nanos;
        self.late += other.late;
        self.duplicates += other.duplicates;
        self.overflowed += other.overflowed;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Collecting the delay before the first packet of a stretch of sound.
    Filling,
    /// Playing; `concealed` = ticks made up since the last packet.
    Playing { concealed: u32 },
}

/// What is to be played next.
#[derive(Clone, Copy, Debug)]
struct Place {
    sequence: u64,
    timestamp: u32,
    /// Ticks made up while nothing was there: they stand for what never comes.
    covered: u32,
}

/// The packets of one remote track on their way to a loudspeaker.
///
/// No clock and no thread: time comes in with every call.
#[derive(Debug)]
pub struct JitterBuffer {
    // At `MAX_PACKETS` the oldest goes, counted.
    packets: BTreeMap<u64, Entry>,
    /// `None` = whatever comes.
    next: Option<Place>,
    state: State,
    last_was_quiet: bool,
    delay: Delay,
    stale: Stale,
    /// Smallest level, and frames, since the last look for excess.
    lowest: u32,
    frames: u32,
    counts: PlayCounts,
}

#[derive(Debug)]
struct Entry {
    packet: AudioPacket,
    ticks: u32,
}

impl Default for JitterBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl JitterBuffer {
    /// Nothing was heard yet.
    pub fn new() -> Self {
        Self {
            packets: BTreeMap::new(),
            next: None,
            state: State::Filling,
            last_was_quiet: true,
            delay: Delay::default(),
            stale: Stale::default(),
            lowest: u32::MAX,
            frames: 0,
            counts: PlayCounts::default(),
        }
    }

    /// Takes in one packet, in whatever order it came. What is no Opus packet is left out: a missing
    /// one, to those after it.
    pub fn insert(&mut self, packet: AudioPacket) {
        let Some(ticks) = opus::duration_ticks(&packet.payload) else {
            return;
        };
        if self.is_foreign(&packet) {
            self.realign();
        } else if self
            .next
            .is_some_and(|place| packet.sequence < place.sequence)
        {
            self.counts.late += 1;
            if !self.stale.is_another_stream(packet.arrival) {
                return;
            }
            self.realign();
        }
        if self.packets.contains_key(&packet.sequence) {
            self.counts.duplicates += 1;
            return;
        }
        self.stale.clear();
        self.delay.learn(packet.arrival, packet.timestamp);
        if self.packets.len() == MAX_PACKETS {
            self.packets.pop_first();
            self.counts.overflowed += 1;
        }
        self.packets
            .insert(packet.sequence, Entry { packet, ticks });
    }

    /// What to play now.
    pub fn next(&mut self, now: Instant) -> Play {
        let play = self.decide(now);
        match &play {
            Play::Conceal { ticks } => self.counts.concealed += u64::from(*ticks),
            Play::Rebuild { ticks, .. } => self.counts.rebuilt += u64::from(*ticks),
            Play::Packet(_) | Play::Reset | Play::Silence { .. } => {}
        }
        play
    }

    /// Told once per 10 ms played: whether 10 ms are to be left out, because more is held back than
    /// this path needs.
    pub fn sheds(&mut self) -> bool {
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
        self.counts.shed += u64::from(FRAME_TICKS) * u64::from(sheds);
        sheds
    }

    /// What was done so far.
    pub fn counts(&self) -> PlayCounts {
        self.counts
    }

    /// The delay this path needs at present: 20–120 ms.
    pub fn target(&self) -> Duration {
        self.delay.target()
    }

    fn decide(&mut self, now: Instant) -> Play {
        if self.state == State::Filling && !self.is_filled(now) {
            return Play::Silence { ticks: FRAME_TICKS };
        }
        loop {
            let Some((&first, entry)) = self.packets.first_key_value() else {
                return self.run_dry();
            };
            let (start, ticks) = (entry.packet.timestamp, entry.ticks);
            let Some(place) = self.next else {
                self.jump(first, start);
                return Play::Reset;
            };
            if self.state == State::Filling {
                // The pause stood for whatever is missing.
                self.jump(first, start);
                return self.play_first(now);
            }
            let missing = start.wrapping_sub(place.timestamp);
            if (1..=MAX_GAP).contains(&missing) {
                return self.fill(place, now);
            }
            if missing == 0 {
                return self.play_first(now);
            }
            let behind = missing.wrapping_neg();
            if behind < ticks {
                return self.play_first(now);
            }
            let fills = matches!(self.state, State::Playing { concealed } if concealed > 0);
            if !fills || behind > MAX_GAP {
                // Either way in time: this is another time line.
                self.jump(first, start);
                return Play::Reset;
            }
            // Its own time was filled, and then it came after all.
            self.discard_first();
        }
    }

    fn discard_first(&mut self) {
        if let Some((sequence, _)) = self.packets.pop_first()
            && let Some(place) = &mut self.next
        {
            place.sequence = sequence + 1;
            self.counts.late += 1;
        }
    }

    fn play_first(&mut self, now: Instant) -> Play {
        let Some((sequence, Entry { packet, ticks })) = self.packets.pop_first() else {
            return self.run_dry();
        };
        self.jump(sequence + 1, packet.timestamp.wrapping_add(ticks));
        self.last_was_quiet = packet.payload.len() <= DTX_BYTES;
        let held = now.saturating_duration_since(packet.arrival).as_nanos();
        self.counts.played += 1;
        self.counts.emitted += u64::from(ticks);
        self.counts.held_nanos += (held * u128::from(ticks) / 48_000) as u64;
        Play::Packet(packet)
    }

    fn jump(&mut self, sequence: u64, timestamp: u32) {
        self.next = Some(Place {
            sequence,
            timestamp,
            covered: 0,
        });
        self.state = State::Playing { concealed: 0 };
    }

    /// One piece of what is missing in front of the first packet.
    fn fill(&mut self, place: Place, now: Instant) -> Play {
        let Some((&first, entry)) = self.packets.first_key_value() else {
            return self.run_dry();
        };
        let (start, ticks) = (entry.packet.timestamp, entry.ticks);
        let missing = start.wrapping_sub(place.timestamp);
        // A pause of the sender is cut short by those who are far behind.
        let is_pause = first == place.sequence;
        let is_cut = is_pause && self.level() > self.delay.target_ticks() + FAR_BEHIND;
        if place.covered >= missing || is_cut {
            self.jump(first, start);
            return self.play_first(now);
        }
        let missing = missing - place.covered;
        let piece = missing.min(ticks);
        let timestamp = place.timestamp.wrapping_add(place.covered + piece);
        if is_pause {
            self.next = Some(Place {
                timestamp,
                covered: 0,
                ..place
            });
            return Play::Silence { ticks: piece };
        }
        let is_last = missing <= ticks;
        let next = entry.packet.payload.clone();
        self.next = Some(Place {
            sequence: if is_last { first } else { place.sequence },
            timestamp,
            covered: 0,
        });
        self.replace(piece, next, is_last)
    }

    /// What is heard in place of packets that are lost; `next` comes behind them.
    fn replace(&mut self, piece: u32, next: Bytes, is_last: bool) -> Play {
        let concealed = match self.state {
            State::Playing { concealed } => concealed,
            State::Filling => 0,
        };
        self.state = State::Playing {
            concealed: concealed + piece,
        };
        let is_whole = piece.is_multiple_of(CODEC_STEP);
        if is_whole && is_last && opus::has_fec(&next) {
            return Play::Rebuild { next, ticks: piece };
        }
        if !is_whole || concealed >= MAX_CONCEAL || self.last_was_quiet {
            self.counts.silent += u64::from(piece);
            return Play::Silence { ticks: piece };
        }
        self.counts.concealments += u64::from(concealed == 0);
        Play::Conceal { ticks: piece }
    }

    /// Nothing is there although something should be played.
    fn run_dry(&mut self) -> Play {
        match self.state {
            State::Playing { concealed } if concealed < MAX_CONCEAL && !self.last_was_quiet => {
                self.state = State::Playing {
                    concealed: concealed + FRAME_TICKS,
                };
                if let Some(place) = &mut self.next {
                    place.covered += FRAME_TICKS;
                }
                self.counts.concealments += u64::from(concealed == 0);
                Play::Conceal { ticks: FRAME_TICKS }
            }
            _ => {
                self.state = State::Filling;
                Play::Silence { ticks: FRAME_TICKS }
            }
        }
    }

    /// Too far from what is due, or from what is held when nothing was played yet.
    fn is_foreign(&self, packet: &AudioPacket) -> bool {
        let held = self.packets.first_key_value();
        let held = held.map(|(sequence, entry)| (*sequence, entry.packet.timestamp));
        let due = self.next.map(|place| (place.sequence, place.timestamp));
        let Some((sequence, timestamp)) = due.or(held) else {
            return false;
        };
        let apart = packet.timestamp.wrapping_sub(timestamp).cast_signed();
        packet.sequence.abs_diff(sequence) > MAX_GAP_PACKETS
            || (packet.sequence < sequence && apart.unsigned_abs() > FOREIGN)
    }

    /// What comes now belongs to another stream.
    fn realign(&mut self) {
        self.packets.clear();
        self.next = None;
        self.delay = Delay::default();
        self.stale.clear();
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

#[cfg(test)]
mod operations;
#[cfg(test)]
mod tests;
