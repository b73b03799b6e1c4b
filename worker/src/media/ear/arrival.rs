//! Core: from packets as they arrive to a gapless time line, without holding back what is in order.
//!
//! In order → now. A gap → what is behind it waits a little, then the hole is rebuilt, concealed or
//! left silent. Nothing came → silence in real time, so that the model hears a pause as a pause.
//! Owns the order and the time line of one track; it does not decode, and it is no jitter buffer:
//! the model has no loudspeaker whose clock must be fed. Durations are ticks of the 48 kHz RTP clock.

mod lateness;
mod silence;
mod stale;
mod wait;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;

use self::{
    lateness::Lateness,
    silence::{Last, Silence},
    stale::Stale,
    wait::GapWait,
};
use crate::media::Packet;

/// Ticks of one millisecond.
const MILLI: u32 = 48;
/// Codec frames come in multiples of 2.5 ms.
const CODEC_STEP: u32 = 120;
/// The time line may run ahead of real time by this much before it is a debt, or by one packet if
/// that is longer.
const SLACK: u64 = 20 * MILLI as u64;
/// The same while a turn may be under way, 500 ms: what jitter adds to its pauses is paid for when
/// it has ended, because paid in the pause that ends it, it would make the turn longer.
const TURN_SLACK: u64 = 500 * MILLI as u64;
/// A long pause is made longer by half at most.
const CORRECTION: u64 = 2;
/// Concealment beyond 100 ms sounds like a machine; silence follows.
const MAX_CONCEAL: u32 = 100 * MILLI;
/// More missing than this is not a gap but another stream.
const MAX_GAP: u32 = 1_000 * MILLI;
const MAX_GAP_PACKETS: u64 = 500;
/// An old packet whose RTP time is this far away belongs to another stream: 10 s.
const FOREIGN: u32 = 10_000 * MILLI;
/// Packets that may wait behind a gap: more than `MAX` of [`GapWait`] brings at any packet length.
const MAX_STORED: usize = 64;
/// Filled holes whose packets may still come.
const MAX_HOLES: usize = 4;
/// Payloads up to this size carry no sound (Opus DTX).
const DTX_BYTES: usize = 3;
/// What a microphone measures in a quiet room stays below this, in dBov.
const QUIET_LEVEL: i8 = -60;

/// Ticks in `duration`, rounded down.
fn ticks(duration: Duration) -> u64 {
    let second = 1_000 * u64::from(MILLI);
    duration.as_secs() * second + u64::from(duration.subsec_nanos()) * second / 1_000_000_000
}

/// What to do next for the time line; durations in ticks of the 48 kHz RTP clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Carry on from what was decoded last.
    Conceal {
        /// How long.
        ticks: u32,
    },
    /// Decode this packet.
    Decode(Packet),
    /// Rebuild what was before `next` from the in-band FEC in it.
    Rebuild {
        /// The payload that holds the copy.
        next: Bytes,
        /// How long.
        ticks: u32,
    },
    /// Forget the decoder's past.
    Reset,
    /// Write zeros.
    Silence {
        /// How long.
        ticks: u32,
    },
}

/// Counters since the last question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Duplicates, and packets that came after their hole was filled.
    pub dropped: u64,
    /// Packets that never came in time and were made up.
    pub concealed: u64,
    /// Packets that never came in time and were rebuilt from in-band FEC.
    pub rebuilt: u64,
    /// The longest wait for a gap, whether the packet came or not.
    pub waited: Option<Duration>,
}

/// The time line of one track.
#[derive(Debug)]
pub struct Arrival {
    began: Instant,
    /// Everything handed out since `began`, silence included.
    delivered: u64,
    /// `None` before the first packet.
    stream: Option<Stream>,
    // Packets behind a gap, by sequence number. At `MAX_STORED` the gap is given up.
    stored: BTreeMap<u64, Packet>,
    // The newest `MAX_HOLES`; the oldest is forgotten.
    holes: VecDeque<Hole>,
    silence: Silence,
    wait: GapWait,
    lateness: Lateness,
    stale: Stale,
    // Drained after every call.
    actions: VecDeque<Action>,
    counts: Counts,
    dropped_last: bool,
    /// Whatever comes out is thrown away.
    is_unheard: bool,
}

/// Where the next packet of a contiguous stream belongs.
#[derive(Debug)]
struct Stream {
    sequence: u64,
    timestamp: u32,
    /// Length of the last packet.
    ticks: u32,
    /// The last packet was silence.
    is_quiet: bool,
}

/// A hole that was filled without its packets.
#[derive(Debug)]
struct Hole {
    first: u64,
    end: u64,
    since: Instant,
}

impl Arrival {
    /// Begins to listen: there is silence until the first packet comes.
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            delivered: 0,
            stream: None,
            stored: BTreeMap::new(),
            holes: VecDeque::new(),
            silence: Silence::new(now),
            wait: GapWait::new(now),
            lateness: Lateness::new(now),
            stale: Stale::default(),
            actions: VecDeque::new(),
            counts: Counts::default(),
            dropped_last: false,
            is_unheard: false,
        }
    }

    /// Whether what comes out is thrown away: then silence needs no steps.
    pub fn set_unheard(&mut self, is_unheard: bool) {
        self.is_unheard = is_unheard;
    }

    /// Takes in one packet, in whatever order it came.
    pub fn on_packet(&mut self, packet: Packet) {
        let Some(stream) = &self.stream else {
            return self.realign(packet);
        };
        let ahead = packet.sequence.wrapping_sub(stream.sequence).cast_signed();
        let apart = packet
            .timestamp
            .wrapping_sub(stream.timestamp)
            .cast_signed()
            .unsigned_abs();
        if ahead.unsigned_abs() > MAX_GAP_PACKETS || (ahead < 0 && apart > FOREIGN) {
            return self.realign(packet);
        }
        if ahead < 0 || self.stored.contains_key(&packet.sequence) {
            return self.on_stale(packet, ahead);
        }
        self.stale.clear();
        if ahead > 0 {
            return self.store(packet);
        }
        if let Some(since) = self.gap_since() {
            let waited = packet.arrival.saturating_duration_since(since);
            self.wait.on_late(packet.arrival, waited);
            self.counts.waited = self.counts.waited.max(Some(waited));
        }
        self.deliver(packet);
        self.deliver_contiguous();
    }

    /// Nothing more will come: hands out what still waits behind a gap.
    pub fn flush(&mut self, now: Instant) {
        while !self.stored.is_empty() {
            self.give_up(now);
        }
    }

    /// Acts on everything that is due.
    pub fn on_timeout(&mut self, now: Instant) {
        while self.gap_deadline(now).is_some_and(|due| due <= now) {
            self.give_up(now);
        }
        if self.silence_deadline().is_some_and(|due| due <= now) {
            self.write_silence(now);
        }
    }

    /// When [`Self::on_timeout`] wants to be called.
    pub fn deadline(&mut self, now: Instant) -> Option<Instant> {
        self.gap_deadline(now).or_else(|| self.silence_deadline())
    }

    /// The next thing to do; drain to `None` after every call.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether 10 ms of decoded silence are to be dropped to catch up with real time; at most every
    /// second one is.
    pub fn drops_quiet(&mut self, now: Instant, ticks: u32) -> bool {
        let drops = !self.dropped_last && self.debt(now) >= u64::from(ticks);
        self.dropped_last = drops;
        if drops {
            self.delivered -= u64::from(ticks);
        }
        drops
    }

    /// Ticks by which the time line is too far ahead of real time: audio that came late, after
    /// silence had taken its place.
    pub fn debt(&self, now: Instant) -> u64 {
        self.delivered
            .saturating_sub(self.elapsed(now) + self.slack())
    }

    /// Counters since the last question.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }
    /// Starts the time line of another stream with this packet.
    fn realign(&mut self, packet: Packet) {
        if self.stream.is_some() {
            // What has arrived is heard, whatever comes next.
            self.flush(packet.arrival);
            self.actions.push_back(Action::Reset);
        }
        self.holes.clear();
        self.stale.clear();
        self.lateness.reset();
        let (sequence, timestamp) = (packet.sequence, packet.timestamp);
        self.stream = Some(Stream {
            sequence,
            timestamp,
            ticks: packet.ticks,
            is_quiet: true,
        });
        self.deliver(packet);
    }

    /// A packet that came before, or after its hole was filled.
    fn on_stale(&mut self, packet: Packet, ahead: i64) {
        self.counts.dropped += 1;
        let hole = self
            .holes
            .iter()
            .find(|hole| (hole.first..hole.end).contains(&packet.sequence));
        if let Some(hole) = hole {
            self.wait.on_late(
                packet.arrival,
                packet.arrival.saturating_duration_since(hole.since),
            );
        }
        if ahead < 0 && self.stale.is_another_stream(packet.arrival) {
            self.realign(packet);
        }
    }

    fn store(&mut self, packet: Packet) {
        let now = packet.arrival;
        self.stored.insert(packet.sequence, packet);
        if self.stored.len() >= MAX_STORED {
            self.give_up(now);
        }
    }

    /// Hands out a packet whose turn it is; a jump of its RTP time is a pause of the sender.
    fn deliver(&mut self, packet: Packet) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let jump = packet
            .timestamp
            .wrapping_sub(stream.timestamp)
            .cast_signed();
        *stream = Stream {
            sequence: packet.sequence + 1,
            timestamp: packet.timestamp.wrapping_add(packet.ticks),
            ticks: packet.ticks,
            is_quiet: is_quiet(&packet),
        };
        if jump < 0 {
            self.actions.push_back(Action::Reset);
        } else {
            self.fill_pause(u64::from(jump.unsigned_abs()), &packet);
        }
        if jump != 0 || self.silence.is_running() {
            self.lateness.on_pause();
        }
        let late = self.lateness.on_packet(packet.arrival, packet.timestamp);
        self.silence
            .on_packet(packet.arrival, late, is_quiet(&packet));
        self.delivered += u64::from(packet.ticks);
        self.actions.push_back(Action::Decode(packet));
    }

    /// Writes the part of a sender's pause that silence has not covered yet, as far as real time
    /// allows.
    fn fill_pause(&mut self, jump: u64, next: &Packet) {
        let room = (self.elapsed(next.arrival) + SLACK.max(u64::from(next.ticks)))
            .saturating_sub(self.delivered + u64::from(next.ticks));
        let missing = jump
            .saturating_sub(self.silence.ticks())
            .min(room)
            .min(u64::from(MAX_GAP));
        self.silent(missing);
    }

    fn deliver_contiguous(&mut self) {
        while let Some(entry) = self.stored.first_entry() {
            if self
                .stream
                .as_ref()
                .is_none_or(|stream| *entry.key() != stream.sequence)
            {
                return;
            }
            let packet = entry.remove();
            self.deliver(packet);
        }
    }

    /// The missing packet did not come in time: fills the hole and goes on behind it.
    fn give_up(&mut self, now: Instant) {
        let since = self.gap_since();
        let Some((_, next)) = self.stored.pop_first() else {
            return;
        };
        let (Some(since), Some(stream)) = (since, &mut self.stream) else {
            return;
        };
        let count = next.sequence - stream.sequence;
        let missing = next.timestamp.wrapping_sub(stream.timestamp).cast_signed();
        let was_quiet = stream.is_quiet;
        self.holes.push_back(Hole {
            first: stream.sequence,
            end: next.sequence,
            since,
        });
        if self.holes.len() > MAX_HOLES {
            self.holes.pop_front();
        }
        stream.sequence = next.sequence;
        stream.timestamp = next.timestamp;
        let waited = now.saturating_duration_since(since);
        self.counts.waited = self.counts.waited.max(Some(waited));
        self.counts.concealed += count;
        match u32::try_from(missing) {
            // Left out on the way without any time in it: padding.
            Ok(0) => self.counts.concealed -= count,
            Ok(missing) if missing <= MAX_GAP => self.fill_hole(missing, was_quiet, &next),
            _ => self.actions.push_back(Action::Reset),
        }
        self.deliver(next);
        self.deliver_contiguous();
    }

    /// Concealed, then silent, then rebuilt: as long as the hole, less what silence covered already.
    fn fill_hole(&mut self, missing: u32, was_quiet: bool, next: &Packet) {
        let hole = u64::from(missing).saturating_sub(self.silence.ticks()) as u32;
        let rebuilt = match next.has_fec {
            true => hole.min(next.ticks) / CODEC_STEP * CODEC_STEP,
            false => 0,
        };
        let before = hole - rebuilt;
        let concealed = if was_quiet {
            0
        } else {
            before.min(MAX_CONCEAL) / CODEC_STEP * CODEC_STEP
        };
        if concealed > 0 {
            self.delivered += u64::from(concealed);
            self.actions.push_back(Action::Conceal { ticks: concealed });
        }
        self.silent(u64::from(before - concealed));
        if rebuilt > 0 {
            self.counts.concealed -= 1;
            self.counts.rebuilt += 1;
            self.delivered += u64::from(rebuilt);
            self.actions.push_back(Action::Rebuild {
                next: next.payload.clone(),
                ticks: rebuilt,
            });
        }
    }

    /// Covers the time since the last packet was due, or since the last step: all of it, so that a
    /// late start never lengthens a turn. What the time line is ahead is left out; what it is behind is added,
    /// little by little, in long pauses only.
    fn write_silence(&mut self, now: Instant) {
        let elapsed = self.silence.cover(now);
        let (real, line) = (self.elapsed(now), self.delivered + elapsed);
        let surplus = line.saturating_sub(real + self.slack()).min(elapsed);
        let deficit = if self.silence.is_long(now) {
            real.saturating_sub(line).min(elapsed / CORRECTION)
        } else {
            0
        };
        self.silent(elapsed - surplus + deficit);
    }

    /// How far the time line may be ahead.
    fn slack(&self) -> u64 {
        let packet = self.stream.as_ref().map_or(0, |last| last.ticks);
        match self.silence.ends_turns() {
            true => SLACK.max(u64::from(packet)),
            false => TURN_SLACK,
        }
    }

    fn silent(&mut self, ticks: u64) {
        // Whole samples at 24 kHz.
        let ticks = ticks as u32 & !1;
        if ticks == 0 {
            return;
        }
        self.delivered += u64::from(ticks);
        self.actions.push_back(Action::Silence { ticks });
    }

    /// When the first packet behind the present gap came.
    fn gap_since(&self) -> Option<Instant> {
        // Bounded by `MAX_STORED` and empty on a path that loses nothing.
        self.stored.values().map(|packet| packet.arrival).min()
    }

    fn gap_deadline(&mut self, now: Instant) -> Option<Instant> {
        self.gap_since()
            .map(|since| since + self.wait.duration(now))
    }

    fn silence_deadline(&self) -> Option<Instant> {
        if !self.stored.is_empty() {
            return None;
        }
        let jitter = self.lateness.p95();
        Some(self.silence.due(self.is_unheard, self.last(), jitter))
    }

    fn last(&self) -> Last {
        let Some(stream) = &self.stream else {
            return Last::Nothing;
        };
        let length = Duration::from_micros(u64::from(stream.ticks) * 1_000 / u64::from(MILLI));
        match stream.is_quiet {
            true => Last::Quiet(length),
            false => Last::Speech(length),
        }
    }

    fn elapsed(&self, now: Instant) -> u64 {
        ticks(now.saturating_duration_since(self.began))
    }
}

fn is_quiet(packet: &Packet) -> bool {
    packet.payload.len() <= DTX_BYTES
        || packet.audio_level.is_some_and(|level| level <= QUIET_LEVEL)
}

#[cfg(test)]
mod operations;
#[cfg(test)]
mod tests;
