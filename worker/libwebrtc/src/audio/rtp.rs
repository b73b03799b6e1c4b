//! Core: one Opus packet as it came from, or goes to, the network.
//!
//! The vocabulary between the engine, the paced path and the packet tap. Depacketising and sequence
//! extension are the engine's work.

use std::{fmt, time::Instant};

use bytes::Bytes;

/// One Opus packet of an audio track.
#[derive(Clone, PartialEq, Eq)]
pub struct AudioPacket {
    /// Sequence number, extended beyond 16 bits: it never wraps within one SSRC.
    pub sequence: u64,
    /// Start of the packet on the RTP clock, which runs at 48 kHz at any rate of the codec
    /// (RFC 7587, 4.1); wraps.
    pub timestamp: u32,
    /// When it was read from the socket (or handed to it).
    pub arrival: Instant,
    /// First packet after a pause.
    pub marker: bool,
    /// Level the sender measured, in dBov (−127..=0, RFC 6464), when it told.
    pub audio_level: Option<i8>,
    /// The Opus packet.
    pub payload: Bytes,
}

impl fmt::Debug for AudioPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioPacket")
            .field("sequence", &self.sequence)
            .field("timestamp", &self.timestamp)
            .field("marker", &self.marker)
            .field("audio_level", &self.audio_level)
            .field("bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}
