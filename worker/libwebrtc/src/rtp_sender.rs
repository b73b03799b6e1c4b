//! The sending half of a transceiver.

use std::{fmt, sync::Arc};

use crate::{
    RtcError, engine::transceivers::TransceiverShared, media_stream_track::MediaStreamTrack,
    rtp_parameters::RtpParameters, stats::RtcStats,
};

/// Which video encoder to use. There is none here; the choice is ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VideoEncoderBackend {
    /// The engine's choice.
    #[default]
    Auto,
    /// On the CPU.
    Software,
    /// Any hardware encoder.
    Hardware,
    /// NVIDIA's.
    Nvenc,
    /// Intel's and AMD's on Linux.
    Vaapi,
    /// Apple's.
    VideoToolbox,
    /// The application encodes.
    PreEncoded,
}

impl VideoEncoderBackend {
    /// The backends of this build: none.
    pub fn list_available() -> impl IntoIterator<Item = Self> {
        []
    }
}

/// Handle of a sender; clones name the same sender.
#[derive(Clone)]
pub struct RtpSender {
    pub(crate) inner: Arc<TransceiverShared>,
}

impl RtpSender {
    /// The track being sent, if any.
    pub fn track(&self) -> Option<MediaStreamTrack> {
        self.inner.local_track()
    }

    /// Statistics of this sender.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn get_stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        self.inner.sender_stats()
    }

    /// Replaces the track without renegotiation.
    ///
    /// # Errors
    /// When the new track is of the other kind, or a video track.
    pub fn set_track(&self, track: Option<MediaStreamTrack>) -> Result<(), RtcError> {
        self.inner.set_local_track(track)
    }

    /// Codecs, extensions and encodings in use.
    pub fn parameters(&self) -> RtpParameters {
        self.inner.sender_parameters()
    }

    /// Stores the encodings; of these, audio obeys `active` and `max_bitrate`.
    ///
    /// # Errors
    /// When the number of encodings differs from the present one.
    pub fn set_parameters(&self, parameters: RtpParameters) -> Result<(), RtcError> {
        self.inner.set_sender_parameters(parameters)
    }

    /// Ignored: there is no video encoder.
    pub fn set_video_encoder_backend(&self, _backend: VideoEncoderBackend) {}
}

impl fmt::Debug for RtpSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtpSender")
            .field("track", &self.track())
            .finish()
    }
}
