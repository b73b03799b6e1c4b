//! An audio track: one local source, or one remote voice.

use std::{fmt, sync::Arc};

use crate::{
    engine::track::AudioTrack,
    media_stream_track::{RtcTrackState, media_stream_track},
};

/// Handle of an audio track; clones name the same track.
#[derive(Clone)]
pub struct RtcAudioTrack {
    pub(crate) inner: Arc<AudioTrack>,
}

impl RtcAudioTrack {
    media_stream_track!();
}

impl fmt::Debug for RtcAudioTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtcAudioTrack")
            .field("id", &self.id())
            .field("enabled", &self.enabled())
            .field("state", &self.state())
            .finish()
    }
}
