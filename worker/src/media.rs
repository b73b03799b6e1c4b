//! Audio between the room and the model: the vocabulary, and the parts that move it.
//!
//! In: `tap` → `ear` → `ingress` → the model's uplink. Out: `playout` → the agent's track.
//! Everything runs at 24 kHz mono, the model's own rate, so nothing is resampled on the way. No
//! sample waits for a decision; decisions reach audio only as gate and flush.

pub(crate) mod beginning;
pub mod clock;
pub mod ear;
pub mod echo;
pub mod ingress;
mod mixer;
mod opus;
pub mod playout;
mod resample;
pub mod tap;
#[cfg(test)]
pub(crate) mod test_voice;
mod vad_model;

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;

pub use clock::MediaClock;

/// Samples per second of all audio inside the worker; the model's rate, and one of Opus' own.
pub const SAMPLE_RATE: u32 = 24_000;

/// Samples of one frame: 10 ms.
pub const FRAME_SAMPLES: usize = 240;

/// Duration of one frame.
pub const FRAME: Duration = Duration::from_millis(10);

/// One frame: 10 ms.
pub type Frame = [i16; FRAME_SAMPLES];

/// Owned mono samples at [`SAMPLE_RATE`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pcm(Vec<i16>);

impl Pcm {
    /// Silence of this length, rounded down to whole samples.
    pub fn silence(duration: Duration) -> Self {
        Self(vec![0; samples(duration)])
    }

    /// The samples.
    pub fn as_slice(&self) -> &[i16] {
        &self.0
    }

    /// How long it sounds.
    pub fn duration(&self) -> Duration {
        duration(self.0.len())
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<i16>> for Pcm {
    fn from(samples: Vec<i16>) -> Self {
        Self(samples)
    }
}

impl From<Pcm> for Vec<i16> {
    fn from(pcm: Pcm) -> Self {
        pcm.0
    }
}

impl fmt::Debug for Pcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pcm({:?})", self.duration())
    }
}

/// One Opus packet of a remote track, as it arrived.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// Extended: does not wrap within one stream.
    pub sequence: u64,
    /// Its start on the 48 kHz RTP clock; wraps.
    pub timestamp: u32,
    /// When it was read from the socket.
    pub arrival: Instant,
    /// In dBov, when the sender told.
    pub audio_level: Option<i8>,
    /// How long it sounds, on the RTP clock.
    pub ticks: u32,
    /// It carries a copy of the sound before it: in-band FEC.
    pub has_fec: bool,
    /// The Opus packet.
    pub payload: Bytes,
}

impl Packet {
    /// A packet without a level; `None` when the payload is no Opus packet.
    pub fn new(sequence: u64, timestamp: u32, arrival: Instant, payload: Bytes) -> Option<Self> {
        Some(Self {
            sequence,
            timestamp,
            arrival,
            audio_level: None,
            ticks: opus::packet_ticks(&payload)?,
            has_fec: opus::has_fec(&payload),
            payload,
        })
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Packet({} at {}, {} B)",
            self.sequence,
            self.timestamp,
            self.payload.len()
        )
    }
}

/// Whole samples in `duration`.
pub fn samples(duration: Duration) -> usize {
    let rest = u64::from(duration.subsec_nanos()) * u64::from(SAMPLE_RATE) / 1_000_000_000;
    (duration.as_secs() * u64::from(SAMPLE_RATE) + rest) as usize
}

/// How long `samples` sound.
pub fn duration(samples: usize) -> Duration {
    Duration::from_nanos(samples as u64 * 1_000_000_000 / u64::from(SAMPLE_RATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_and_durations_agree() {
        assert_eq!(
            Pcm::silence(Duration::from_millis(20)).as_slice().len(),
            480
        );
        assert_eq!(
            Pcm::from(vec![0; 12_000]).duration(),
            Duration::from_millis(500)
        );
        assert_eq!(
            samples(duration(7_201)),
            7_200,
            "rounds down to what surely sounded"
        );
    }
}
