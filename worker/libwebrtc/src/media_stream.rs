//! A group of tracks that belong together: `a=msid`'s first token.

use std::fmt;

use crate::{
    audio_track::RtcAudioTrack, media_stream_track::MediaStreamTrack, video_track::RtcVideoTrack,
};

/// A stream of a remote peer, with the tracks of the section it was announced in.
#[derive(Clone)]
pub struct MediaStream {
    id: String,
    track: Option<MediaStreamTrack>,
}

impl MediaStream {
    pub(crate) fn new(id: String, track: Option<MediaStreamTrack>) -> Self {
        Self { id, track }
    }

    /// The stream id as the remote peer announced it.
    pub fn id(&self) -> String {
        self.id.clone()
    }

    /// The audio tracks of the stream.
    pub fn audio_tracks(&self) -> Vec<RtcAudioTrack> {
        match &self.track {
            Some(MediaStreamTrack::Audio(track)) => vec![track.clone()],
            _ => Vec::new(),
        }
    }

    /// The video tracks of the stream.
    pub fn video_tracks(&self) -> Vec<RtcVideoTrack> {
        match &self.track {
            Some(MediaStreamTrack::Video(track)) => vec![track.clone()],
            _ => Vec::new(),
        }
    }
}

impl fmt::Debug for MediaStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaStream")
            .field("id", &self.id)
            .field("audio_tracks", &self.audio_tracks())
            .field("video_tracks", &self.video_tracks())
            .finish()
    }
}
