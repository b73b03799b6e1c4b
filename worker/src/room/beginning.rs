//! Adapter: what somebody said before the agent was there, as a byte stream of their client.
//!
//! Reads one recording to its end. It does not ask who may be heard: the driver drops what comes from
//! participants that are not.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use dialog::speaker::ParticipantId;
use livekit::{ByteStreamReader, StreamReader, TakeCell};

use super::{audience::TrackId, events::RoomInput, stream::read_all};
use crate::media::{
    Pcm,
    beginning::{Format, decode},
};

/// The topic on which LiveKit's clients send it.
const TOPIC: &str = "lk.agent.pre-connect-audio-buffer";
/// A recording that is not complete by then is dropped: clients record for ten seconds at most.
const DEADLINE: Duration = Duration::from_secs(12);
/// The longest recording, in bytes: ten seconds of raw stereo at 48 kHz, and a little.
pub(super) const LONGEST: usize = 2_000_000;

/// A recording that somebody sends.
pub(super) struct Recording {
    participant: ParticipantId,
    track: TrackId,
    mime_type: String,
    format: Format,
    reader: ByteStreamReader,
}

impl Recording {
    /// A byte stream, if it is a recording.
    pub(super) fn of_stream(
        topic: &str,
        reader: &TakeCell<ByteStreamReader>,
        participant: ParticipantId,
    ) -> Option<Self> {
        if topic != TOPIC {
            return None;
        }
        let reader = reader.take()?;
        let info = reader.info();
        let (mime_type, attributes) = (info.mime_type.clone(), info.attributes());
        Some(Self {
            participant,
            track: TrackId::new(attributes.get("trackId").cloned().unwrap_or_default()),
            mime_type,
            format: Format {
                rate: number(&attributes, "sampleRate"),
                channels: number(&attributes, "channels"),
            },
            reader,
        })
    }

    /// Reads it to its end. What is of no use is silence: somebody may be waiting for it.
    pub(super) async fn read(mut self) -> Option<RoomInput> {
        let read = tokio::time::timeout(DEADLINE, read_all(&mut self.reader, LONGEST)).await;
        let read = read.unwrap_or_else(|_| Err("it did not end".to_owned()));
        let decoded = match read {
            Ok(bytes) => decoded(bytes, self.mime_type, self.format).await,
            Err(why) => Err(why),
        };
        let pcm = decoded.unwrap_or_else(|why| {
            tracing::warn!(why, "what was said before the agent came cannot be heard");
            Pcm::default()
        });
        Some(RoomInput::Beginning {
            participant: self.participant,
            track: self.track,
            pcm,
        })
    }
}

/// Beside the tasks that carry sound: it takes as long as some hundred packets.
async fn decoded(bytes: Bytes, mime_type: String, format: Format) -> Result<Pcm, String> {
    let work = move || decode(&bytes, &mime_type, format).map_err(str::to_owned);
    let decoded = tokio::task::spawn_blocking(work).await;
    decoded.unwrap_or_else(|_| Err("it cannot be decoded".to_owned()))
}

fn number<N: std::str::FromStr + Default>(attributes: &HashMap<String, String>, key: &str) -> N {
    let text = attributes.get(key);
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}
