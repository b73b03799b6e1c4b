//! What audio and video tracks have in common.

use crate::{audio_track::RtcAudioTrack, enum_dispatch, video_track::RtcVideoTrack};

/// Whether a track may still produce media.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum RtcTrackState {
    /// Media may come.
    Live,
    /// The track is over for good.
    Ended,
}

/// A track of either kind.
#[derive(Debug, Clone)]
pub enum MediaStreamTrack {
    /// A video track.
    Video(RtcVideoTrack),
    /// An audio track.
    Audio(RtcAudioTrack),
}

impl MediaStreamTrack {
    enum_dispatch!(
        [Video, Audio];
        /// The track's id. Of a local track it is the one announced in `a=msid`.
        pub fn id(self: &Self) -> String;
        /// Whether the track is unmuted.
        pub fn enabled(self: &Self) -> bool;
        /// Mutes (`false`) or unmutes; answers whether that changed anything.
        pub fn set_enabled(self: &Self, enabled: bool) -> bool;
        /// Live or ended.
        pub fn state(self: &Self) -> RtcTrackState;
    );
}

/// The methods both track types share; `self.inner` has the flags.
macro_rules! media_stream_track {
    () => {
        /// The track's id. Of a local track it is the one announced in `a=msid`.
        pub fn id(&self) -> String {
            self.inner.id().to_owned()
        }

        /// Whether the track is unmuted.
        pub fn enabled(&self) -> bool {
            self.inner.enabled()
        }

        /// Mutes (`false`) or unmutes; answers whether that changed anything. A muted local track
        /// goes on with silence; nothing is renegotiated.
        pub fn set_enabled(&self, enabled: bool) -> bool {
            self.inner.set_enabled(enabled)
        }

        /// Live or ended.
        pub fn state(&self) -> RtcTrackState {
            self.inner.state()
        }
    };
}

pub(crate) use media_stream_track;

impl From<RtcAudioTrack> for MediaStreamTrack {
    fn from(track: RtcAudioTrack) -> Self {
        Self::Audio(track)
    }
}

impl From<RtcVideoTrack> for MediaStreamTrack {
    fn from(track: RtcVideoTrack) -> Self {
        Self::Video(track)
    }
}
