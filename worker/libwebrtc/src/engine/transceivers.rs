//! Transceivers as the façade and the connection share them.

use crate::{
    RtcError,
    media_stream_track::MediaStreamTrack,
    rtp_parameters::{RtpCodecCapability, RtpParameters},
    rtp_transceiver::RtpTransceiverDirection,
    stats::RtcStats,
};

/// One transceiver.
pub(crate) struct TransceiverShared {
    remote_track: MediaStreamTrack,
}

impl TransceiverShared {
    pub(crate) fn remote_track(&self) -> MediaStreamTrack {
        self.remote_track.clone()
    }

    pub(crate) fn remote_stream_ids(&self) -> Vec<String> {
        Vec::new()
    }

    pub(crate) fn receiver_stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        Ok(Vec::new())
    }

    pub(crate) fn sender_stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        Ok(Vec::new())
    }

    pub(crate) fn receiver_parameters(&self) -> RtpParameters {
        RtpParameters::default()
    }

    pub(crate) fn sender_parameters(&self) -> RtpParameters {
        RtpParameters::default()
    }

    pub(crate) fn set_sender_parameters(&self, _parameters: RtpParameters) -> Result<(), RtcError> {
        Ok(())
    }

    pub(crate) fn local_track(&self) -> Option<MediaStreamTrack> {
        None
    }

    pub(crate) fn set_local_track(&self, _track: Option<MediaStreamTrack>) -> Result<(), RtcError> {
        Ok(())
    }

    pub(crate) fn mid(&self) -> Option<String> {
        None
    }

    pub(crate) fn direction(&self) -> RtpTransceiverDirection {
        RtpTransceiverDirection::Inactive
    }

    pub(crate) fn current_direction(&self) -> Option<RtpTransceiverDirection> {
        None
    }

    pub(crate) fn set_codec_preferences(
        &self,
        _codecs: &[RtpCodecCapability],
    ) -> Result<(), RtcError> {
        Ok(())
    }

    pub(crate) fn stop(&self) {}
}
