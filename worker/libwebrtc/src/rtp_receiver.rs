//! The receiving half of a transceiver.

use std::{fmt, sync::Arc};

use crate::{
    RtcError, engine::transceivers::TransceiverShared, media_stream::MediaStream,
    media_stream_track::MediaStreamTrack, rtp_parameters::RtpParameters, stats::RtcStats,
};

/// Handle of a receiver; clones name the same receiver.
#[derive(Clone)]
pub struct RtpReceiver {
    pub(crate) inner: Arc<TransceiverShared>,
}

impl RtpReceiver {
    /// The remote track; it exists from the start and stays the same.
    pub fn track(&self) -> Option<MediaStreamTrack> {
        Some(self.inner.remote_track())
    }

    /// Ids of the streams the remote peer announced for this section.
    pub fn stream_ids(&self) -> Vec<String> {
        self.inner.remote_stream_ids()
    }

    /// The streams the remote peer announced for this section.
    pub fn streams(&self) -> Vec<MediaStream> {
        let track = self.inner.remote_track();
        let with_track = |id| MediaStream::new(id, Some(track.clone()));
        self.inner
            .remote_stream_ids()
            .into_iter()
            .map(with_track)
            .collect()
    }

    /// Statistics of this receiver.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn get_stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        self.inner.receiver_stats()
    }

    /// Codecs and extensions in use.
    pub fn parameters(&self) -> RtpParameters {
        self.inner.receiver_parameters()
    }
}

impl fmt::Debug for RtpReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtpReceiver")
            .field("track", &self.track())
            .finish()
    }
}
