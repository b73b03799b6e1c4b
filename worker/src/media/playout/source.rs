//! Adapter: the audio source of the agent's track.
//!
//! Takes 10 ms frames at 24 kHz mono without any queue of its own: the only queue on the way out is
//! the playout's. Does not pace.

use std::{borrow::Cow, fmt};

use futures_util::FutureExt;
use livekit::webrtc::{
    audio_frame::AudioFrame,
    audio_source::{AudioSourceOptions, RtcAudioSource, native::NativeAudioSource},
};

use crate::media::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

/// Zero-queue: a frame is encoded within the call that brings it.
const QUEUE_MILLIS: u32 = 0;

/// Where the agent's voice goes.
pub struct AgentSource {
    to: Destination,
}

enum Destination {
    Room(NativeAudioSource),
    #[cfg(test)]
    Test(Box<dyn FnMut(&Frame) + Send>),
}

impl AgentSource {
    /// A source for one agent track; publish it as [`Self::rtc`].
    pub fn new() -> Self {
        let options = AudioSourceOptions::default();
        let source = NativeAudioSource::new(options, SAMPLE_RATE, 1, QUEUE_MILLIS);
        Self {
            to: Destination::Room(source),
        }
    }

    /// The source as the room's library takes it.
    pub fn rtc(&self) -> RtcAudioSource {
        match &self.to {
            Destination::Room(source) => RtcAudioSource::Native(source.clone()),
            #[cfg(test)]
            Destination::Test(_) => RtcAudioSource::Device,
        }
    }

    /// A source that hands every frame to `capture`.
    #[cfg(test)]
    pub(crate) fn from_fn(capture: impl FnMut(&Frame) + Send + 'static) -> Self {
        Self {
            to: Destination::Test(Box::new(capture)),
        }
    }

    /// Hands one frame to the encoder, within the call.
    pub(crate) fn capture(&mut self, frame: &Frame) {
        match &mut self.to {
            Destination::Room(source) => capture_in_room(source, frame),
            #[cfg(test)]
            Destination::Test(capture) => capture(frame),
        }
    }
}

fn capture_in_room(source: &NativeAudioSource, frame: &Frame) {
    let frame = AudioFrame {
        data: Cow::Borrowed(frame),
        sample_rate: SAMPLE_RATE,
        num_channels: 1,
        samples_per_channel: FRAME_SAMPLES as u32,
    };
    // A source without a queue never waits, so one poll is the whole call.
    match source.capture_frame(&frame).now_or_never() {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::error!(%error, "the agent's track refuses a frame"),
        None => tracing::error!("the agent's track makes its caller wait"),
    }
}

impl Default for AgentSource {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AgentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgentSource")
    }
}
