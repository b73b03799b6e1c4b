//! What somebody said before the agent was there, as LiveKit's clients send it.

use livekit::{StreamByteOptions, StreamWriter, prelude::*};

use crate::clips;

const TOPIC: &str = "lk.agent.pre-connect-audio-buffer";

/// A recording of it.
#[derive(Debug)]
pub struct Before {
    bytes: Vec<u8>,
    mime_type: &'static str,
}

impl Before {
    /// A clip as raw samples, as telephones send it.
    pub fn raw(clip: &str) -> Self {
        let samples = clips::clip(clip).pcm.iter();
        Self {
            bytes: samples.flat_map(|sample| sample.to_le_bytes()).collect(),
            mime_type: "audio/pcm",
        }
    }

    /// `caller-train` as Chromium recorded it.
    pub fn of_browser() -> Self {
        Self {
            bytes: include_bytes!("../../fixtures/recordings/chromium.webm").to_vec(),
            mime_type: "audio/webm;codecs=opus",
        }
    }

    /// Of a format that nobody knows.
    pub fn unreadable() -> Self {
        Self {
            bytes: b"....ftypiso5".to_vec(),
            mime_type: "video/mp4",
        }
    }

    pub(super) async fn send(&self, room: &Room, track: &TrackSid) {
        let attributes = [
            ("trackId", track.to_string()),
            ("sampleRate", clips::SAMPLE_RATE.to_string()),
            ("channels", "1".to_owned()),
        ];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value));
        let mut options = StreamByteOptions::new_with_topic(TOPIC);
        options.attributes = attributes.into();
        options.mime_type = Some(self.mime_type.to_owned());
        let me = room.local_participant();
        let writer = me.stream_bytes(options).await.expect("a stream");
        writer.write(&self.bytes).await.expect("sent");
        writer.close().await.expect("sent whole");
    }
}
