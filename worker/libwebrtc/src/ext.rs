//! Ours, not upstream's: settings of the engine, and encoded packets as they arrive or leave.
//! Outside the prelude, so that nothing leans on it by accident.

use std::{fmt, ops::RangeInclusive, sync::Arc};

use thiserror::Error;

/// The core of a paced stream, for whoever plays tapped packets on a clock of their own.
pub use crate::audio::jitter_buffer::{JitterBuffer, Play, PlayCounts};
pub use crate::audio::rtp::AudioPacket as Packet;
pub use crate::engine::reason::StateReason;
use crate::{
    audio_track::RtcAudioTrack,
    engine::{self, tap::Ring},
    peer_connection::PeerConnectionState,
};

/// Settings of the process' engine.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Offer loopback addresses as candidates. For tests and single-machine set-ups.
    pub include_loopback: bool,
    /// Local UDP ports to choose from; `None` leaves the choice to the system. Every connection
    /// takes one per local address.
    pub udp_ports: Option<RangeInclusive<u16>>,
    /// Names of the interfaces to use; empty means all that are up.
    pub interfaces: Vec<String>,
    /// Number of I/O threads; `None` means one for each four processors, at least one.
    pub io_threads: Option<usize>,
}

/// The engine runs already, with the settings it had.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the engine is configured once, before its first connection")]
pub struct AlreadyConfigured;

/// Sets the engine up, once, before the first connection is made.
///
/// # Errors
/// When it was set up before, or a connection was made already.
pub fn configure(settings: Settings) -> Result<(), AlreadyConfigured> {
    engine::configure(settings).map_err(|_| AlreadyConfigured)
}

/// What the engine refused since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// SRTP and SRTCP packets that failed their authentication (RFC 3711 section 3.3): nothing of
    /// them was used.
    pub packets: u64,
    /// Peers whose certificate was not the one their description announced (RFC 8122 section 6.2):
    /// their connection failed.
    pub peers: u64,
}

/// Counters of the whole process; they only grow.
pub fn refused() -> Refused {
    let (packets, peers) = engine::refused();
    Refused { packets, peers }
}

/// How often connections of this process entered which state for which reason, since the start;
/// only pairs that happened.
pub fn connection_states() -> Vec<(PeerConnectionState, StateReason, u64)> {
    engine::status::counts()
}

/// Encoded packets of a remote track in order of arrival: also duplicates and late ones. `None`
/// when the track is a local one. When nobody reads, the oldest of `capacity` packets goes.
pub fn tap_remote(track: &RtcAudioTrack, capacity: usize) -> Option<Tap> {
    Some(Tap {
        ring: track.inner.remote()?.taps().open(capacity),
    })
}

/// Encoded packets of a local track as sent. `None` when the track is a remote one. When nobody
/// reads, the oldest of `capacity` packets goes.
pub fn tap_local(track: &RtcAudioTrack, capacity: usize) -> Option<Tap> {
    Some(Tap {
        ring: track.inner.local_taps()?.open(capacity),
    })
}

/// The receiving end of a tap; dropping it closes the tap.
pub struct Tap {
    ring: Arc<Ring>,
}

impl Tap {
    /// Waits for the next packet; `None` when the track is over. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Packet> {
        std::future::poll_fn(|cx| self.ring.poll(cx)).await
    }

    /// The next packet, if it is there.
    pub fn try_recv(&mut self) -> Option<Packet> {
        self.ring.pop()
    }

    /// Packets that were dropped because nobody read.
    pub fn dropped(&self) -> u64 {
        self.ring.dropped()
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}
