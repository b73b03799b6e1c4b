//! Task: records a remote track against the wall clock, packet by packet as it arrives.
//!
//! No jitter buffer stands in between: what is recorded is what had arrived, when it arrived. A
//! packet that never came is silence.

use std::time::{Duration, Instant};

use libwebrtc::ext::{self, Packet};
use livekit::track::RemoteAudioTrack;

use super::Notes;
use crate::clips::{SAMPLE_RATE, duration_of, samples_in};

/// What was heard, from a moment on.
#[derive(Clone)]
pub struct Recording {
    /// When the first sample was heard.
    pub started: Instant,
    /// Mono samples at 24 kHz, without gaps.
    pub pcm: Vec<i16>,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            pcm: Vec::new(),
        }
    }
}

impl Recording {
    /// The part from that moment on.
    pub fn since(&self, moment: Instant) -> Self {
        let skipped = moment.saturating_duration_since(self.started);
        let from = samples_in(skipped).min(self.pcm.len());
        Self {
            started: self.started + duration_of(from),
            pcm: self.pcm[from..].to_vec(),
        }
    }

    /// The part between two moments.
    pub fn between(&self, from: Instant, to: Instant) -> Self {
        let mut part = self.since(from);
        part.pcm
            .truncate(samples_in(to.saturating_duration_since(part.started)));
        part
    }

    /// With silence up to that moment: a sender may send nothing while it has nothing to say.
    pub(super) fn until(mut self, moment: Instant) -> Self {
        let length = samples_in(moment.saturating_duration_since(self.started));
        self.pcm.resize(length.max(self.pcm.len()), 0);
        self
    }

    fn put(&mut self, at: Instant, pcm: &[i16]) {
        let from = samples_in(at.saturating_duration_since(self.started));
        let to = from + pcm.len();
        self.pcm.resize(self.pcm.len().max(to), 0);
        self.pcm[from..to].copy_from_slice(pcm);
    }
}

/// Packets that wait for this task; it is never that far behind.
const CAPACITY: usize = 1_024;
/// A packet this far from where its timestamp says begins a new stretch of time.
const LARGEST_DRIFT: Duration = Duration::from_millis(150);
/// The clock of RTP timestamps of Opus, whatever is inside.
const RTP_CLOCK: u64 = 48_000;

/// Records until the track ends.
pub(super) async fn record(track: RemoteAudioTrack, identity: String, notes: Notes) {
    let Some(mut tap) = ext::tap_remote(&track.rtc_track(), CAPACITY) else {
        return;
    };
    let mut decoder =
        opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono).expect("a rate that Opus knows");
    notes.lock().recordings.entry(identity.clone()).or_default();
    let mut place = None;
    while let Some(packet) = tap.recv().await {
        let mut pcm = [0i16; 2_880];
        let Ok(length) = decoder.decode(&packet.payload, &mut pcm, false) else {
            continue;
        };
        let at = place_of(&packet, &mut place);
        let mut notes = notes.lock();
        notes
            .recordings
            .entry(identity.clone())
            .or_default()
            .put(at, &pcm[..length]);
    }
}

/// When the packet's first sample was heard: even in time, as its timestamp says, unless that is
/// far from its arrival. `place` is where the present stretch began.
fn place_of(packet: &Packet, place: &mut Option<(Instant, u32)>) -> Instant {
    let (since, first) = *place.get_or_insert((packet.arrival, packet.timestamp));
    let ticks = i64::from(packet.timestamp.wrapping_sub(first) as i32);
    let offset = Duration::from_nanos(ticks.unsigned_abs() * 1_000_000_000 / RTP_CLOCK);
    let even = if ticks < 0 {
        since.checked_sub(offset)
    } else {
        since.checked_add(offset)
    };
    let even = even.unwrap_or(since);
    let drift = even.max(packet.arrival) - even.min(packet.arrival);
    if drift <= LARGEST_DRIFT {
        return even;
    }
    *place = Some((packet.arrival, packet.timestamp));
    packet.arrival
}
