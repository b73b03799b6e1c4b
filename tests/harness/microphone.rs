//! Adapter: a microphone of the official room library, for everybody in a test who makes sound.

use libwebrtc::ext::{self, Tap};
use livekit::{
    options::TrackPublishOptions,
    prelude::*,
    webrtc::{
        RtcError,
        audio_frame::AudioFrame,
        audio_source::{AudioSourceOptions, RtcAudioSource, native::NativeAudioSource},
    },
};

use crate::clips::SAMPLE_RATE;

/// Samples of one frame: 10 ms.
pub const FRAME: usize = SAMPLE_RATE as usize / 100;

/// A source of sound and its track. It is silent until sound is captured, and nobody's until it is
/// published.
#[derive(Clone)]
pub struct Microphone {
    source: NativeAudioSource,
    track: LocalAudioTrack,
}

impl Microphone {
    /// `queue` = milliseconds of sound that may wait in it. With 0 sound is sent as it is captured.
    pub fn new(queue: u32) -> Self {
        let options = AudioSourceOptions::default();
        Self::of(NativeAudioSource::new(options, SAMPLE_RATE, 1, queue))
    }

    fn of(source: NativeAudioSource) -> Self {
        let rtc = RtcAudioSource::Native(source.clone());
        let track = LocalAudioTrack::create_audio_track("microphone", rtc);
        Self { source, track }
    }

    /// The same source on a new track, for another room or another visit.
    pub fn again(&self) -> Self {
        Self::of(self.source.clone())
    }

    /// Every packet as it leaves; at most `capacity` wait to be taken.
    ///
    /// # Panics
    /// Never: the track is local.
    pub fn tap(&self, capacity: usize) -> Tap {
        ext::tap_local(&self.track.rtc_track(), capacity).expect("the track is local")
    }

    /// Sends a packet that was encoded before; `level` is that of its sound in dBov. False = it is none.
    pub fn send_encoded(&self, packet: &[u8], level: i8) -> bool {
        ext::send_encoded(&self.track.rtc_track(), packet, level)
    }

    /// Publishes it as a microphone; the rest is as the options say.
    ///
    /// # Errors
    /// When the room refuses it, or is gone.
    pub async fn publish(
        &self,
        room: &Room,
        options: TrackPublishOptions,
    ) -> RoomResult<LocalTrackPublication> {
        let options = TrackPublishOptions {
            source: TrackSource::Microphone,
            ..options
        };
        let local = room.local_participant();
        let track = LocalTrack::Audio(self.track.clone());
        local.publish_track(track, options).await
    }

    /// Captures one frame of up to [`FRAME`] samples; what is missing is silence.
    ///
    /// # Errors
    /// When the source refuses it: there are more, or the track is gone.
    pub async fn capture(&self, samples: &[i16]) -> Result<(), RtcError> {
        let mut data = samples.to_vec();
        data.resize(data.len().max(FRAME), 0);
        let frame = AudioFrame {
            samples_per_channel: data.len() as u32,
            data: data.into(),
            sample_rate: SAMPLE_RATE,
            num_channels: 1,
        };
        self.source.capture_frame(&frame).await
    }
}

/// Speech whose silence is sent, too: without it nothing tells a pause from a loss.
pub fn without_dtx() -> TrackPublishOptions {
    TrackPublishOptions {
        dtx: false,
        ..Default::default()
    }
}
