//! Adapter: the agent's one track.
//!
//! Publishes the voice as front ends expect it: a microphone track with the customary name. It
//! does not feed the track; samples come from `media::playout`.

use std::time::Duration;

use livekit::{
    options::{AudioEncoding, TrackPublishOptions},
    prelude::{LocalAudioTrack, LocalParticipant, LocalTrack, RoomError, TrackSource},
    webrtc::audio_source::RtcAudioSource,
};

use super::audience::TrackId;

/// The name under which front ends look for an agent's voice.
const TRACK_NAME: &str = "roomio_audio";

/// The most that one voice at 24 kHz mono may cost, bit/s. Our engine sends 24 kbit/s and goes up to this
/// while packets carry redundancy; upstream's engine takes it as it is.
const BITRATE: u64 = 32_000;

/// How long the server may take to accept the track.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why the track could not be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The server did not answer in time.
    #[error("no answer within {} s", DEADLINE.as_secs())]
    Deadline,
    /// The server refused, for example because the token allows no publishing.
    #[error("refused: {0}")]
    Refused(#[source] Box<RoomError>),
}

impl PublishError {
    /// Whether it may go well in a room that is joined anew: the server gave no answer, or the link
    /// to it broke.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Deadline => true,
            Self::Refused(error) => matches!(**error, RoomError::Engine(_)),
        }
    }
}

/// Publishes the agent's track. Its continuous voice is never cut into comfort noise (no DTX) and
/// never doubled (no RED): both would only add delay to what a receiver conceals anyway.
pub async fn publish(
    participant: &LocalParticipant,
    source: RtcAudioSource,
) -> Result<TrackId, PublishError> {
    let track = LocalAudioTrack::create_audio_track(TRACK_NAME, source);
    let options = TrackPublishOptions {
        audio_encoding: Some(AudioEncoding {
            max_bitrate: BITRATE,
        }),
        dtx: false,
        red: false,
        source: TrackSource::Microphone,
        ..TrackPublishOptions::default()
    };
    let publishing = participant.publish_track(LocalTrack::Audio(track), options);
    match tokio::time::timeout(DEADLINE, publishing).await {
        Ok(Ok(publication)) => Ok(TrackId::new(publication.sid().as_str())),
        Ok(Err(error)) => Err(PublishError::Refused(Box::new(error))),
        Err(_) => Err(PublishError::Deadline),
    }
}
