//! Task: records a remote track against the wall clock.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use livekit::{
    track::RemoteAudioTrack,
    webrtc::audio_stream::native::{NativeAudioStream, NativeAudioStreamOptions},
};

use super::Notes;
use crate::clips::{SAMPLE_RATE, duration_of, samples_in};

/// What was heard, from a moment on.
#[derive(Clone)]
pub struct Recording {
    /// When the first sample was heard.
    pub started: Instant,
    /// Mono samples at 24 kHz, without gaps.
    pub pcm: Vec<i16>,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            pcm: Vec::new(),
        }
    }
}

impl Recording {
    /// The part from that moment on.
    pub fn since(&self, moment: Instant) -> Self {
        let skipped = moment.saturating_duration_since(self.started);
        let from = samples_in(skipped).min(self.pcm.len());
        Self {
            started: self.started + duration_of(from),
            pcm: self.pcm[from..].to_vec(),
        }
    }

    /// The part between two moments.
    pub fn between(&self, from: Instant, to: Instant) -> Self {
        let mut part = self.since(from);
        part.pcm
            .truncate(samples_in(to.saturating_duration_since(part.started)));
        part
    }
}

/// A stream that stood still for longer than this is filled up with silence, so that positions
/// stay times.
const LARGEST_LAG: Duration = Duration::from_millis(200);

/// Records until the track ends.
pub(super) async fn record(track: RemoteAudioTrack, identity: String, notes: Notes) {
    // Nothing may be dropped: a test that reads late must still hear everything.
    let options = NativeAudioStreamOptions {
        queue_size_frames: Some(0),
    };
    let rate = SAMPLE_RATE as i32;
    let mut stream = NativeAudioStream::with_options(track.rtc_track(), rate, 1, options);
    while let Some(frame) = stream.next().await {
        let mut notes = notes.lock();
        let recording = notes.recordings.entry(identity.clone()).or_default();
        let lag = recording
            .started
            .elapsed()
            .saturating_sub(duration_of(recording.pcm.len()));
        if lag > LARGEST_LAG {
            let fill = recording.pcm.len() + samples_in(lag);
            recording.pcm.resize(fill, 0);
        }
        recording.pcm.extend_from_slice(&frame.data);
    }
}
