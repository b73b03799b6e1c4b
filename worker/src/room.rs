//! Room: the connected room as a session sees it.
//!
//! [`RoomLink`] is the handle: it sends orders and never waits. Behind it stand three tasks in the
//! session's JoinSet: one that reads the room's events and carries out subscriptions, one that
//! writes transcripts in order, one that keeps the agent's attributes current. Nothing here
//! decides who is heard or what is said.

use std::sync::Arc;

use dialog::{
    output::{AgentState, Publish},
    speaker::ParticipantId,
};
use livekit::{
    prelude::{Room, RoomEvent},
    webrtc::audio_source::RtcAudioSource,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tracing::Instrument;

use self::{
    audience::TrackId,
    events::{Meaning, RoomInput},
    state::Sign,
    transcript::Text,
};

pub mod audience;
pub mod chat;
pub mod connect;
pub mod events;
pub mod publish;
pub mod state;
pub mod transcript;

/// Facts on their way to the driver. When full the reader waits: facts must not be lost, and the
/// room's own queue behind it is unbounded.
const FACTS: usize = 256;
/// Subscriptions asked for. When full the driver raises an alarm: a room with more microphones
/// changing hands at once than this is no conversation.
const ORDERS: usize = 64;
/// Pieces of transcript not yet sent. When full the newest piece is dropped and said so in the
/// log: text may lag behind speech, it must not hold it up.
const TEXTS: usize = 256;
/// Lines being received at the same time. More are not read: people do not type that fast.
const LINES: usize = 16;

/// A room that was just joined, with everything that happens in it.
pub type Joined = (Room, mpsc::UnboundedReceiver<RoomEvent>);

/// Orders to the connected room.
#[derive(Debug)]
pub struct RoomLink {
    orders: mpsc::Sender<RoomOrder>,
    texts: mpsc::Sender<Text>,
    sign: watch::Sender<Sign>,
}

/// What the audience asks of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomOrder {
    /// Receive a microphone, or stop receiving it.
    Subscription {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        track: TrackId,
        /// Receive it.
        wanted: bool,
    },
}

/// A control queue ran over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl RoomLink {
    /// Asks for a microphone, or for no more of it.
    pub fn subscription(
        &self,
        participant: ParticipantId,
        track: TrackId,
        wanted: bool,
    ) -> Result<(), Full> {
        let order = RoomOrder::Subscription {
            participant,
            track,
            wanted,
        };
        self.orders.try_send(order).map_err(|_| Full)
    }

    /// Shows people what the conversation wants them to see.
    pub fn publish(
        &self,
        publish: Publish,
        microphone: impl FnOnce(&ParticipantId) -> Option<TrackId>,
    ) {
        if let Publish::AgentState(state) = publish {
            return self.state(state);
        }
        if let Some(text) = Text::of(publish, microphone) {
            self.text(text);
        }
    }

    /// The agent's track got its id.
    pub fn agent_track(&self, track: TrackId) {
        self.text(Text::AgentTrack(track));
    }

    /// The model's name became known.
    pub fn model(&self, model: String) {
        self.sign.send_modify(|sign| sign.model = Some(model));
    }

    fn state(&self, state: AgentState) {
        self.sign.send_modify(|sign| sign.state = state);
    }

    fn text(&self, text: Text) {
        if self.texts.try_send(text).is_err() {
            tracing::warn!("a piece of transcript was dropped: the room takes them too slowly");
        }
    }
}

/// Starts the tasks of a room that was just joined, and publishes the agent's track in it.
pub fn start(
    tasks: &mut JoinSet<()>,
    room: Arc<Room>,
    events: mpsc::UnboundedReceiver<RoomEvent>,
    voice: RtcAudioSource,
    agent_name: String,
) -> (RoomLink, mpsc::Receiver<RoomInput>) {
    let (link, ends) = link(agent_name);
    let me = room.local_participant();
    tasks.spawn(transcript::write(me.clone(), ends.texts).in_current_span());
    tasks.spawn(state::show(me, ends.sign).in_current_span());
    let reader = Reader {
        room,
        events,
        orders: ends.orders,
        facts: ends.facts,
        voice: Some(voice),
        work: JoinSet::new(),
    };
    tasks.spawn(reader.run().in_current_span());
    (link, ends.inputs)
}

/// The far ends of a link: what its tasks hear.
pub(crate) struct LinkEnds {
    pub(crate) orders: mpsc::Receiver<RoomOrder>,
    pub(crate) texts: mpsc::Receiver<Text>,
    pub(crate) sign: watch::Receiver<Sign>,
    pub(crate) facts: mpsc::Sender<RoomInput>,
    pub(crate) inputs: mpsc::Receiver<RoomInput>,
}

pub(crate) fn link(agent_name: String) -> (RoomLink, LinkEnds) {
    let (orders, orders_end) = mpsc::channel(ORDERS);
    let (texts, texts_end) = mpsc::channel(TEXTS);
    let (facts, inputs) = mpsc::channel(FACTS);
    let sign = Sign {
        state: AgentState::Initializing,
        name: agent_name,
        model: None,
    };
    let (sign, sign_end) = watch::channel(sign);
    let link = RoomLink {
        orders,
        texts,
        sign,
    };
    let ends = LinkEnds {
        orders: orders_end,
        texts: texts_end,
        sign: sign_end,
        facts,
        inputs,
    };
    (link, ends)
}

/// Task: reads the room's events, carries out subscriptions.
struct Reader {
    room: Arc<Room>,
    events: mpsc::UnboundedReceiver<RoomEvent>,
    orders: mpsc::Receiver<RoomOrder>,
    facts: mpsc::Sender<RoomInput>,
    /// The source of the agent's track, until it is published.
    voice: Option<RtcAudioSource>,
    /// The publication and the lines being received; each ends with a fact or none.
    work: JoinSet<Option<RoomInput>>,
}

enum Step {
    Event(Box<RoomEvent>),
    Fact(RoomInput),
    Nothing,
    Order(RoomOrder),
    Over,
}

impl Reader {
    async fn run(mut self) {
        self.publish();
        loop {
            let facts = match self.next_step().await {
                Step::Event(event) => self.on_event(*event),
                Step::Fact(fact) => vec![fact],
                Step::Nothing => Vec::new(),
                Step::Order(order) => self.on_order(&order),
                Step::Over => return,
            };
            for fact in facts {
                if self.facts.send(fact).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn next_step(&mut self) -> Step {
        tokio::select! {
            biased;
            order = self.orders.recv() => order.map_or(Step::Over, Step::Order),
            event = self.events.recv() => event.map_or(Step::Over, |event| Step::Event(Box::new(event))),
            Some(done) = self.work.join_next() => match done {
                Ok(Some(fact)) => Step::Fact(fact),
                _ => Step::Nothing,
            },
        }
    }

    /// Beside the events, so that people are heard before the server has taken our track.
    fn publish(&mut self) {
        let Some(voice) = self.voice.take() else {
            return;
        };
        let me = self.room.local_participant();
        self.work
            .spawn(async move { Some(RoomInput::Published(publish::publish(&me, voice).await)) });
    }

    fn on_event(&mut self, event: RoomEvent) -> Vec<RoomInput> {
        match events::read(event) {
            Meaning::Facts(facts) => facts,
            Meaning::Line(line) => {
                if self.work.len() < LINES {
                    self.work.spawn(line.read());
                }
                Vec::new()
            }
            Meaning::Nothing => Vec::new(),
        }
    }

    fn on_order(&self, order: &RoomOrder) -> Vec<RoomInput> {
        let RoomOrder::Subscription {
            participant,
            track,
            wanted,
        } = order;
        let publication = self
            .room
            .remote_participants()
            .into_values()
            .find(|candidate| candidate.identity().as_str() == participant.as_str())
            .and_then(|person| {
                person
                    .track_publications()
                    .into_values()
                    .find(|p| p.sid().as_str() == track.as_str())
            });
        if let Some(publication) = publication {
            publication.set_subscribed(*wanted);
        }
        Vec::new()
    }
}
