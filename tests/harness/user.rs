//! A scripted person in a room: speaks clips, records what is heard, types and reads.
//!
//! Built on the official room library over our engine, as the worker is; the browser tests do the
//! same with another engine.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError},
    time::{Duration, Instant},
};

use livekit::{
    DisconnectReason, E2eeOptions, ParticipantKind, SendByteOptions, SendTextOptions, StreamReader,
    TextStreamReader,
    e2ee::{
        EncryptionType,
        key_provider::{KeyProvider, KeyProviderOptions},
    },
    options::TrackPublishOptions,
    participant::ParticipantState,
    prelude::*,
};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    clips::{self, duration_of},
    eventually::{eventually, expect},
    livekit_server::Pass,
    microphone::{self, Microphone},
};

mod before;
mod hearing;
mod recording;

pub use before::Before;
pub use recording::Recording;

/// A person in a room; dropping it makes it vanish as a closed laptop does.
pub struct User {
    room: Arc<Room>,
    microphone: Option<Open>,
    notes: Notes,
    _tasks: JoinSet<()>,
}

/// A microphone that was published.
struct Open {
    microphone: Microphone,
    publication: LocalTrackPublication,
}

/// What a person noticed.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Noticed>>);

#[derive(Default)]
struct Noticed {
    recordings: HashMap<String, Recording>,
    lines: Vec<Line>,
    states: Vec<(Instant, String)>,
    disconnected: Option<DisconnectReason>,
    /// The one agent this person listens to; `None` = whichever began last.
    listens_to: Option<String>,
}

/// A piece of transcript, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Identity of who spoke.
    pub speaker: String,
    /// `lk.segment_id`.
    pub segment: String,
    /// The text of this stream.
    pub text: String,
    /// `lk.transcription_final`.
    pub is_final: bool,
}

/// When something was said, as the speaker knows it.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// The first sample left.
    pub started: Instant,
    /// The last sample left.
    pub ended: Instant,
}

/// A clip that was heard.
#[derive(Clone, Debug)]
pub struct Sound {
    /// Which one.
    pub name: &'static str,
    /// When it began.
    pub started: Instant,
    /// When it was over.
    pub ended: Instant,
    /// How alike it was, 0 to 1.
    pub score: f32,
}

/// An agent that has not come by then does not come.
const AGENT: Duration = Duration::from_secs(15);
/// Sound in the microphone's queue, in milliseconds. A person does not stop in mid-sentence, so it may be
/// filled ahead: a test on a busy machine speaks without holes.
const QUEUE: u32 = 1_000;

impl User {
    /// Joins with a microphone.
    ///
    /// # Panics
    /// When the room cannot be joined.
    pub async fn join(url: &str, pass: &Pass) -> Self {
        let mut user = Self::join_silently(url, pass).await;
        user.open_microphone().await;
        user
    }

    /// Joins without a microphone.
    ///
    /// # Panics
    /// When the room cannot be joined.
    pub async fn join_silently(url: &str, pass: &Pass) -> Self {
        Self::join_with(url, pass, RoomOptions::default()).await
    }

    /// Joins with a microphone and a passphrase: everything is encrypted end to end.
    ///
    /// # Panics
    /// When the room cannot be joined.
    pub async fn join_sealed(url: &str, pass: &Pass, key: &str) -> Self {
        let mut options = RoomOptions::default();
        options.encryption = Some(sealing(key));
        let mut user = Self::join_with(url, pass, options).await;
        user.open_microphone().await;
        user
    }

    async fn join_with(url: &str, pass: &Pass, options: RoomOptions) -> Self {
        configure_engine();
        let (room, events) = Room::connect(url, &pass.token(), options)
            .await
            .expect("joined");
        let room = Arc::new(room);
        let notes = Notes::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(watch(events, notes.clone()));
        Self {
            room,
            microphone: None,
            notes,
            _tasks: tasks,
        }
    }

    /// Publishes a microphone.
    ///
    /// # Panics
    /// When it cannot be published.
    pub async fn open_microphone(&mut self) {
        let microphone = Microphone::new(QUEUE);
        let publication = microphone.publish(&self.room, TrackPublishOptions::default());
        self.microphone = Some(Open {
            publication: publication.await.expect("published"),
            microphone,
        });
    }

    /// Publishes a microphone into which something was said before, and sends that as soon as an agent
    /// is there.
    ///
    /// # Panics
    /// When it cannot be published or sent.
    pub async fn open_microphone_after(&mut self, before: &Before) {
        let options = TrackPublishOptions {
            preconnect_buffer: true,
            ..TrackPublishOptions::default()
        };
        let microphone = Microphone::new(QUEUE);
        let publication = microphone.publish(&self.room, options);
        let publication = publication.await.expect("published");
        eventually("an agent can be sent something", AGENT, || {
            let others = self.room.remote_participants();
            let is_active = |other: &RemoteParticipant| {
                other.kind() == ParticipantKind::Agent && other.state() == ParticipantState::Active
            };
            expect(others.values().any(is_active), "nobody")
        })
        .await;
        before.send(&self.room, &publication.sid()).await;
        self.microphone = Some(Open {
            publication,
            microphone,
        });
    }

    /// Says a clip, in real time; returns when the last sample has left.
    ///
    /// # Panics
    /// When there is no microphone or no such clip.
    pub async fn say(&self, clip: &str) -> Said {
        self.play(&clips::clip(clip).pcm).await
    }

    /// Plays any sound into the microphone, in real time.
    ///
    /// # Panics
    /// When there is no microphone.
    pub async fn play(&self, pcm: &[i16]) -> Said {
        let microphone = &self.open().microphone;
        let started = Instant::now();
        for chunk in pcm.chunks(microphone::FRAME) {
            let captured = microphone.capture(chunk).await;
            captured.expect("the source takes 10 ms frames");
        }
        let ended = started + duration_of(pcm.len());
        tokio::time::sleep_until(ended.into()).await;
        Said { started, ended }
    }

    /// Is silent beside a loudspeaker for so long: the microphone picks up what was heard `way` ago, at
    /// this share of its loudness, as a phone without echo cancellation does.
    ///
    /// # Panics
    /// When there is no microphone.
    pub async fn echoes(&self, length: Duration, way: Duration, share: f32) {
        let microphone = &self.open().microphone;
        let end = Instant::now() + length;
        let mut ticks = tokio::time::interval(duration_of(microphone::FRAME));
        let mut from = Instant::now() - way;
        while Instant::now() < end {
            ticks.tick().await;
            let to = from + duration_of(microphone::FRAME);
            let heard = self.recording().between(from, to);
            let weaker = heard.pcm.iter().map(|s| (f32::from(*s) * share) as i16);
            let captured = microphone.capture(&weaker.collect::<Vec<_>>()).await;
            captured.expect("the source takes 10 ms frames");
            from = to;
        }
    }

    /// Mutes the microphone, as the button on a page does.
    ///
    /// # Panics
    /// When there is none.
    pub fn mute(&self) {
        self.open().publication.mute();
    }

    /// Unmutes it.
    ///
    /// # Panics
    /// When there is none.
    pub fn unmute(&self) {
        self.open().publication.unmute();
    }

    fn open(&self) -> &Open {
        self.microphone.as_ref().expect("a microphone was opened")
    }

    /// Types a line.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub async fn write(&self, text: &str) {
        let options = SendTextOptions::new_with_topic("lk.chat");
        self.room
            .local_participant()
            .send_text(text, options)
            .await
            .expect("sent");
    }

    /// Shows a file to whoever is in the room.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub async fn shows(&self, file: &[u8], mime_type: &str) {
        let mut options = SendByteOptions::new_with_topic("images");
        options.mime_type = Some(mime_type.to_owned());
        let me = self.room.local_participant();
        me.send_bytes(file, options).await.expect("sent");
    }

    /// Calls a method of another participant.
    ///
    /// # Errors
    /// What the other one says is wrong.
    pub async fn asks(&self, whom: &str, method: &str, payload: &str) -> Result<String, RpcError> {
        let call = PerformRpcData::new(whom.to_owned(), method).with_payload(payload);
        self.room.local_participant().perform_rpc(call).await
    }

    /// Leaves as one does who clicks on leave.
    ///
    /// # Panics
    /// When the room cannot be left.
    pub async fn leave(self) {
        self.room.close().await.expect("left");
    }

    /// Waits until an agent is in the room; its identity comes back.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn meets_agent(&self, within: Duration) -> String {
        eventually("an agent is in the room", within, || {
            self.agents()
                .into_iter()
                .next()
                .ok_or_else(|| "nobody".to_owned())
        })
        .await
    }

    /// Identities of all agents in the room.
    pub fn agents(&self) -> Vec<String> {
        let others = self.room.remote_participants();
        let agents = others
            .values()
            .filter(|other| other.kind() == ParticipantKind::Agent);
        agents.map(|agent| agent.identity().to_string()).collect()
    }

    /// The agent's attributes; empty when there is no agent.
    pub fn agent_attributes(&self) -> HashMap<String, String> {
        let others = self.room.remote_participants();
        let agent = others
            .values()
            .find(|other| other.kind() == ParticipantKind::Agent);
        agent.map(RemoteParticipant::attributes).unwrap_or_default()
    }

    /// Waits until the agent shows this state.
    ///
    /// # Panics
    /// When it does not.
    pub async fn sees_state(&self, state: &str, within: Duration) {
        eventually(&format!("the agent is {state}"), within, || {
            let now = self.agent_attributes().get("lk.agent.state").cloned();
            if now.as_deref() == Some(state) {
                Ok(())
            } else {
                Err(format!("{now:?}"))
            }
        })
        .await;
    }

    /// Every state of the agent so far, in order.
    pub fn states(&self) -> Vec<String> {
        self.notes
            .lock()
            .states
            .iter()
            .map(|(_, state)| state.clone())
            .collect()
    }

    /// Transcripts so far, in order of arrival.
    pub fn lines(&self) -> Vec<Line> {
        self.notes.lock().lines.clone()
    }

    /// Waits for a final transcript of this speaker that holds these words.
    ///
    /// # Panics
    /// When it does not come in time.
    pub async fn reads(&self, speaker: &str, words: &str, within: Duration) -> Line {
        eventually(&format!("a transcript with {words:?}"), within, || {
            let lines = self.lines();
            let found = lines
                .iter()
                .find(|line| line.is_final && line.speaker == speaker && line.text.contains(words));
            found.cloned().ok_or_else(|| format!("{lines:?}"))
        })
        .await
    }

    /// Why this person is no longer in the room, if so.
    pub fn disconnected(&self) -> Option<DisconnectReason> {
        self.notes.lock().disconnected
    }
}

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Noticed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// End-to-end encryption with one passphrase for everybody.
pub fn sealing(key: &str) -> E2eeOptions {
    let options = KeyProviderOptions::default();
    E2eeOptions {
        encryption_type: EncryptionType::Gcm,
        key_provider: KeyProvider::with_shared_key(options, key.into()),
    }
}

/// Everything stays inside loopback.
pub fn configure_engine() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let settings = libwebrtc::ext::Settings {
            include_loopback: true,
            ..libwebrtc::ext::Settings::default()
        };
        libwebrtc::ext::configure(settings).expect("no room was joined before");
    });
}

async fn watch(mut events: mpsc::UnboundedReceiver<RoomEvent>, notes: Notes) {
    let mut tasks = JoinSet::new();
    while let Some(event) = events.recv().await {
        match event {
            RoomEvent::TrackSubscribed {
                track: RemoteTrack::Audio(track),
                participant,
                ..
            } if participant.kind() == ParticipantKind::Agent => {
                let identity = participant.identity().to_string();
                tasks.spawn(recording::record(track, identity, notes.clone()));
            }
            RoomEvent::TextStreamOpened {
                reader,
                topic,
                participant_identity,
            } => {
                if topic == "lk.transcription"
                    && let Some(reader) = reader.take()
                {
                    let speaker = participant_identity.to_string();
                    tasks.spawn(read_line(reader, speaker, notes.clone()));
                }
            }
            RoomEvent::ParticipantAttributesChanged {
                changed_attributes, ..
            } => {
                if let Some(state) = changed_attributes.get("lk.agent.state") {
                    notes.lock().states.push((Instant::now(), state.clone()));
                }
            }
            RoomEvent::Disconnected { reason } => notes.lock().disconnected = Some(reason),
            _ => {}
        }
    }
}

async fn read_line(reader: TextStreamReader, speaker: String, notes: Notes) {
    // The same attributes as the reader's: what the end of the stream says shows up in them.
    let info = reader.info().clone();
    if let Ok(text) = reader.read_all().await {
        let attributes = info.attributes();
        let attribute = |name: &str| attributes.get(name).cloned().unwrap_or_default();
        let segment = attribute("lk.segment_id");
        let is_final = attribute("lk.transcription_final") == "true";
        notes.lock().lines.push(Line {
            speaker,
            segment,
            text,
            is_final,
        });
    }
}
