//! Task: what both sides say, as text streams on `lk.transcription`.
//!
//! Owns the one open stream of the agent's current segment. Writes in the order in which the
//! driver spoke; the driver itself never waits for the network. It does not decide what was heard:
//! the text that arrives here already is.
//!
//! The agent: one stream per segment, pieces are appended, the final mark comes with the end.
//! People: a fresh stream with the whole text for each interim, all with the same segment id,
//! attributed to the speaker.

use std::{collections::HashMap, sync::Arc, time::Duration};

use dialog::{output::Publish, speaker::ParticipantId};
use livekit::{
    StreamResult, StreamTextOptions, StreamWriter, TextStreamWriter,
    prelude::{LocalParticipant, Room},
};
use tokio::sync::{mpsc, watch};

use super::audience::TrackId;

/// The topic on which front ends expect transcripts.
const TOPIC: &str = "lk.transcription";
/// One id per segment.
const SEGMENT: &str = "lk.segment_id";
/// `true` once nothing will follow for the segment.
const FINAL: &str = "lk.transcription_final";
/// The track on which it was spoken, when known.
const TRACK: &str = "lk.transcribed_track_id";

/// A write that takes longer is given up: a transcript that late helps nobody.
const DEADLINE: Duration = Duration::from_secs(5);

/// A piece of the transcript.
#[derive(Clone, PartialEq)]
pub enum Text {
    /// More of what the agent said.
    Agent {
        /// One per spoken item.
        segment: String,
        /// The new piece.
        text: String,
    },
    /// The agent's segment is complete.
    AgentEnd {
        /// Which.
        segment: String,
    },
    /// The agent's track is published under this id.
    AgentTrack(TrackId),
    /// What a person said; the whole text so far.
    Person {
        /// One per user item.
        segment: String,
        /// Who spoke.
        participant: ParticipantId,
        /// Into which microphone, when known.
        track: Option<TrackId>,
        /// The whole text so far.
        text: String,
        /// Nothing will follow for this segment.
        is_final: bool,
    },
}

impl Text {
    /// The part of a publication that is a transcript, if it is one.
    pub fn of(
        publish: Publish,
        microphone: impl FnOnce(&ParticipantId) -> Option<TrackId>,
    ) -> Option<Self> {
        match publish {
            Publish::AgentText { segment, text } => Some(Self::Agent { segment, text }),
            Publish::AgentTextEnd { segment, .. } => Some(Self::AgentEnd { segment }),
            Publish::UserText {
                segment,
                participant,
                text,
                is_final,
            } => {
                let track = microphone(&participant);
                Some(Self::Person {
                    segment,
                    participant,
                    track,
                    text,
                    is_final,
                })
            }
            _ => None,
        }
    }
}

/// Writes transcripts until the queue is closed, then ends the open segment.
pub(super) async fn write(mut rooms: watch::Receiver<Arc<Room>>, mut queue: mpsc::Receiver<Text>) {
    let mut writer = Writer {
        room: rooms.borrow_and_update().local_participant(),
        agent_track: None,
        open: None,
    };
    while let Some(text) = queue.recv().await {
        if rooms.has_changed().unwrap_or(false) {
            writer.room = rooms.borrow_and_update().local_participant();
            // What was open went with the room it was open in.
            writer.open = None;
        }
        match tokio::time::timeout(DEADLINE, writer.on_text(text)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a piece of transcript was not sent"),
            Err(_) => tracing::debug!("a piece of transcript was not sent in time"),
        }
    }
    let _ = tokio::time::timeout(DEADLINE, writer.end()).await;
}

struct Writer {
    room: LocalParticipant,
    agent_track: Option<TrackId>,
    /// The agent's segment that is being spoken.
    open: Option<(String, TextStreamWriter)>,
}

impl Writer {
    async fn on_text(&mut self, text: Text) -> StreamResult<()> {
        match text {
            Text::Agent { segment, text } => self.append(segment, &text).await,
            Text::AgentEnd { segment } if self.is_open(&segment) => self.end().await,
            Text::AgentEnd { .. } => Ok(()),
            Text::AgentTrack(track) => {
                self.agent_track = Some(track);
                Ok(())
            }
            Text::Person {
                segment,
                participant,
                track,
                text,
                is_final,
            } => {
                let options = options(&segment, track.as_ref(), is_final)
                    .with_sender_identity(participant.as_str().to_owned());
                self.whole(options, &text).await
            }
        }
    }

    async fn append(&mut self, segment: String, text: &str) -> StreamResult<()> {
        if !self.is_open(&segment) {
            self.end().await?;
            let options = options(&segment, self.agent_track.as_ref(), false);
            self.open = Some((segment, self.room.stream_text(options).await?));
        }
        match &self.open {
            Some((_, stream)) => stream.write(text).await,
            None => Ok(()),
        }
    }

    async fn end(&mut self) -> StreamResult<()> {
        let Some((_, stream)) = self.open.take() else {
            return Ok(());
        };
        let last = HashMap::from([(FINAL.to_owned(), "true".to_owned())]);
        stream.close_with_options(None, Some(last)).await
    }

    async fn whole(&self, options: StreamTextOptions, text: &str) -> StreamResult<()> {
        let stream = self.room.stream_text(options).await?;
        stream.write(text).await?;
        stream.close().await
    }

    fn is_open(&self, segment: &str) -> bool {
        self.open.as_ref().is_some_and(|(open, _)| open == segment)
    }
}

fn options(segment: &str, track: Option<&TrackId>, is_final: bool) -> StreamTextOptions {
    let mut options = StreamTextOptions::new_with_topic(TOPIC)
        .with_attribute(SEGMENT, segment)
        .with_attribute(FINAL, if is_final { "true" } else { "false" });
    if let Some(track) = track {
        options = options.with_attribute(TRACK, track.as_str());
    }
    options
}
