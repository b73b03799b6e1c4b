//! A section of the session description: a sender and a receiver with one direction.

use std::{fmt, sync::Arc};

use crate::{
    RtcError,
    engine::transceivers::TransceiverShared,
    rtp_parameters::{RtpCodecCapability, RtpEncodingParameters},
    rtp_receiver::RtpReceiver,
    rtp_sender::RtpSender,
};

/// How a transceiver starts.
#[derive(Debug, Clone)]
pub struct RtpTransceiverInit {
    /// Wanted direction.
    pub direction: RtpTransceiverDirection,
    /// Streams the sent track is announced in; only the first is used.
    pub stream_ids: Vec<String>,
    /// Encodings of the sender; audio has at most one.
    pub send_encodings: Vec<RtpEncodingParameters>,
}

/// Which way media may flow.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum RtpTransceiverDirection {
    /// Both ways.
    SendRecv,
    /// From us only.
    SendOnly,
    /// To us only.
    RecvOnly,
    /// Neither.
    Inactive,
    /// Neither, for good.
    Stopped,
}

/// Handle of a transceiver; clones name the same transceiver.
#[derive(Clone)]
pub struct RtpTransceiver {
    pub(crate) inner: Arc<TransceiverShared>,
}

impl RtpTransceiver {
    /// Identification tag of the section, once negotiated.
    pub fn mid(&self) -> Option<String> {
        self.inner.mid()
    }

    /// The negotiated direction.
    pub fn current_direction(&self) -> Option<RtpTransceiverDirection> {
        self.inner.current_direction()
    }

    /// The wanted direction.
    pub fn direction(&self) -> RtpTransceiverDirection {
        self.inner.direction()
    }

    /// The sending half.
    pub fn sender(&self) -> RtpSender {
        RtpSender {
            inner: self.inner.clone(),
        }
    }

    /// The receiving half.
    pub fn receiver(&self) -> RtpReceiver {
        RtpReceiver {
            inner: self.inner.clone(),
        }
    }

    /// Takes a preference among codecs. Opus is the only audio codec, so nothing changes.
    ///
    /// # Errors
    /// For a video section: there is no video codec to prefer.
    pub fn set_codec_preferences(&self, codecs: Vec<RtpCodecCapability>) -> Result<(), RtcError> {
        self.inner.set_codec_preferences(&codecs)
    }

    /// Ends both halves for good; takes effect with the next negotiation.
    ///
    /// # Errors
    /// Never; the signature is upstream's.
    pub fn stop(&self) -> Result<(), RtcError> {
        self.inner.stop();
        Ok(())
    }
}

impl fmt::Debug for RtpTransceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtpTransceiver")
            .field("mid", &self.mid())
            .field("direction", &self.direction())
            .field("sender", &self.sender())
            .field("receiver", &self.receiver())
            .finish()
    }
}
