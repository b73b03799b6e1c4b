//! A video track. It carries ids and flags only: pictures are neither encoded nor decoded.

use std::{fmt, sync::Arc};

use crate::{
    engine::track::VideoTrack,
    media_stream_track::{RtcTrackState, media_stream_track},
    native::packet_trailer::PacketTrailerHandler,
};

/// Handle of a video track; clones name the same track.
#[derive(Clone)]
pub struct RtcVideoTrack {
    pub(crate) inner: Arc<VideoTrack>,
}

impl RtcVideoTrack {
    media_stream_track!();

    /// Remembers a packet trailer handler. No frame ever passes through it.
    pub fn set_packet_trailer_handler(&self, handler: PacketTrailerHandler) {
        *self.inner.trailer.lock() = Some(handler);
    }

    /// The handler set before, if any.
    pub fn packet_trailer_handler(&self) -> Option<PacketTrailerHandler> {
        self.inner.trailer.lock().clone()
    }
}

impl fmt::Debug for RtcVideoTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtcVideoTrack")
            .field("id", &self.id())
            .field("enabled", &self.enabled())
            .field("state", &self.state())
            .finish()
    }
}
