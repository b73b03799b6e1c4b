//! The public face of LiveKit's `libwebrtc`, in pure Rust.
//!
//! The official `livekit` crate compiles on this crate unchanged: module by module and name by
//! name it offers what the upstream crate of the same version offers. Below that face sits an
//! engine of our own: `str0m` for the protocols, libopus for the sound, one UDP socket per
//! connection and local address, and a small fixed number of I/O threads.
//!
//! What is the same: audio in both directions, data channels, renegotiation, ICE restart, end-to-end
//! encryption, the names and the semantics of the calls.
//!
//! What differs, on purpose:
//! - Video is neither encoded nor decoded; publishing it is refused with an error.
//! - There are no audio devices; acquiring the platform's audio module answers `false`.
//! - A frame cryptor tells of a wrong key also when no number of failures was given that it bears; with
//!   upstream's it stays silent. Of what the server sends unsealed only silence is taken.
//! - [`ext`] is ours: settings of the engine, and encoded packets as they arrive.
//!
//! `PARITY.toml` beside the manifest lists every upstream item and what became of it.
#![warn(missing_docs)]

use thiserror::Error;

mod audio;
mod e2ee;
mod engine;
mod enum_dispatch;

/// What a track or a section of a session description carries.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum MediaType {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// Data channels.
    Data,
    /// Anything else.
    Unsupported,
}

/// The class of an [`RtcError`].
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum RtcErrorType {
    /// The engine failed, or the feature is not built.
    Internal,
    /// A session description or candidate could not be read.
    InvalidSdp,
    /// The call does not fit the present state of the object.
    InvalidState,
}

/// Why a call was refused.
#[derive(Error, Debug)]
#[error("WebRTC error ({error_type:?}): {message}")]
pub struct RtcError {
    /// The class of the error.
    pub error_type: RtcErrorType,
    /// A sentence for people; it holds no addresses, names or keys.
    pub message: String,
}

impl RtcError {
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            error_type: RtcErrorType::Internal,
            message: message.into(),
        }
    }

    pub(crate) fn invalid_state(message: impl Into<String>) -> Self {
        Self {
            error_type: RtcErrorType::InvalidState,
            message: message.into(),
        }
    }

    pub(crate) fn invalid_sdp(message: impl Into<String>) -> Self {
        Self {
            error_type: RtcErrorType::InvalidSdp,
            message: message.into(),
        }
    }
}

pub mod audio_frame;
pub mod audio_source;
pub mod audio_stream;
pub mod audio_track;
pub mod data_channel;
pub mod ext;
pub mod ice_candidate;
pub mod media_stream;
pub mod media_stream_track;
pub mod native;
pub mod peer_connection;
pub mod peer_connection_factory;
pub mod prelude;
pub mod rtp_parameters;
pub mod rtp_receiver;
pub mod rtp_sender;
pub mod rtp_transceiver;
pub mod session_description;
pub mod stats;
pub mod video_frame;
pub mod video_source;
pub mod video_stream;
pub mod video_track;
