//! Ours, not upstream's: settings of the engine, and encoded packets as they arrive or leave.
//! Outside the prelude, so that nothing leans on it by accident.

use std::{fmt, ops::RangeInclusive, path::PathBuf, sync::Arc, time::Duration};

use thiserror::Error;

/// The core of a paced stream, for whoever plays tapped packets on a clock of their own.
pub use crate::audio::jitter_buffer::{JitterBuffer, Play, PlayCounts};
pub use crate::audio::{rate::Fec, rtp::AudioPacket as Packet};
pub use crate::engine::reason::StateReason;
use crate::{
    audio_track::RtcAudioTrack,
    engine::{self, facts::FACTS, tap::Ring},
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
    /// Number of I/O threads; `None` means one for each processor.
    pub io_threads: Option<usize>,
    /// Certificate authorities (PEM) that relays over TLS may be known to, besides the public ones.
    /// A file that cannot be read is an error in the log when the first such relay is needed.
    pub ca_file: Option<PathBuf>,
    /// When packets of local tracks carry in-band FEC.
    pub fec: Fec,
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
    FACTS.refused()
}

/// How often connections of this process entered which state for which reason, since the start;
/// only pairs that happened.
pub fn connection_states() -> Vec<(PeerConnectionState, StateReason, u64)> {
    engine::status::counts()
}

/// Encoded packets of a remote track in order of arrival, decrypted and never changed; late ones
/// too. Where a frame cryptor guards the track, what it opened; what it could not open does not show. A packet that came twice is one packet: the second copy is a replay to SRTP and refused
/// there (RFC 3711, 3.3.2). Sequence numbers are those of RTP, continued beyond 16 bits, and start
/// anew with a new SSRC. `None` when the track is a local one. When nobody reads, the oldest of
/// `capacity` packets goes and is counted.
pub fn tap_remote(track: &RtcAudioTrack, capacity: usize) -> Option<Tap> {
    Some(Tap {
        ring: track.inner.remote()?.taps().open(capacity),
    })
}

/// Encoded packets of a local track, once they are handed to the socket: with the RTP sequence number
/// and timestamp they have on the wire, the former continued beyond 16 bits. What is not sent (no
/// connection, flushed) does not show. A track that is sent over several connections shows the
/// packets of each. `None` when the track is a remote one. When nobody reads, the oldest of
/// `capacity` packets goes and is counted.
pub fn tap_local(track: &RtcAudioTrack, capacity: usize) -> Option<Tap> {
    Some(Tap {
        ring: track.inner.local_taps()?.open(capacity),
    })
}

/// Sends an Opus packet that was encoded before, over every connection that carries this local track, within
/// the call. It takes its place on the track's time line as captured sound does: the caller sets the pace, and a
/// pause shows in the RTP timestamps and the marker. `level` is that of its sound in dBov (−127..=0, RFC 6464).
/// While the track is disabled nothing is sent. What was captured and fills no packet yet is lost. False when this is no
/// local track with a source, or no Opus packet (RFC 6716, 3.4).
///
/// For whoever plays recordings: encoding is most of the cost of a voice.
pub fn send_encoded(track: &RtcAudioTrack, payload: &[u8], level: i8) -> bool {
    let Some(source) = track.inner.source() else {
        return false;
    };
    source.send_encoded(payload, level)
}

/// What the engine counted over all connections since the process began.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Counters {
    /// Connections that exist now.
    pub connections: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// RTP packets received, decrypted and of use.
    pub packets_received: u64,
    /// Gaps in the sequences that we received.
    pub packets_lost_inbound: u64,
    /// Packets of ours that peers report as lost on the hop to them.
    pub packets_lost_outbound: u64,
    /// What failed its authentication.
    pub refused: Refused,
    /// RTP datagrams that became no packet: copies, replays, of no section, or refused.
    pub discarded_datagrams: u64,
    /// Datagrams that the system did not take.
    pub unsent_datagrams: u64,
    /// Packets that taps lost because nobody read.
    pub tap_dropped: u64,
    /// Deadlines of connections that an I/O thread served more than 6 ms late.
    pub late_wakeups: u64,
    /// From our sender reports to their echoes.
    pub round_trip: Distribution,
    /// From a packet's arrival to its being played by a paced stream.
    pub jitter_buffer_delay: Distribution,
}

/// How durations are spread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// Upper ends of all ranges but the last, in seconds, rising.
    pub edges: &'static [f64],
    /// How many fell into each range; one more than there are edges.
    pub counts: Vec<u64>,
    /// All durations together.
    pub sum: Duration,
}

/// What was counted so far; costs a few loads.
pub fn counters() -> Counters {
    FACTS.read()
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
