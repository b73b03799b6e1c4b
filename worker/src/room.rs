//! Room: the connected room as a session sees it.
//!
//! [`RoomLink`] is the handle: it sends orders and never waits. Behind it stand three tasks in the
//! session's JoinSet: one that reads the room's events, carries out subscriptions and comes back
//! into a room that was lost for good; one that writes transcripts in order; one that keeps the
//! agent's attributes current. Nothing here decides who is heard or what is said.

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

use crate::{audit::Audit, supervision::grant::Grants, telemetry::latency::Stages, tooling::Plane};

use self::{
    audience::TrackId,
    door::Door,
    events::RoomInput,
    reader::{Reader, Ways},
    rpc::Desk,
    state::Sign,
    transcript::Text,
};

pub mod audience;
mod beginning;
pub mod chat;
pub mod connect;
pub mod door;
pub mod events;
mod lines;
mod picture;
pub mod publish;
pub mod pulse;
mod reader;
pub mod rejoin;
mod rpc;
mod sealed;
pub mod state;
mod stream;
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

/// A room that was just joined, with everything that happens in it.
pub type Joined = (Room, mpsc::UnboundedReceiver<RoomEvent>);

/// Orders to the connected room.
#[derive(Debug)]
pub struct RoomLink {
    orders: mpsc::Sender<RoomOrder>,
    texts: mpsc::Sender<Text>,
    sign: watch::Sender<Sign>,
}

/// What is asked of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomOrder {
    /// The server ended our job while we were away; it may be wrong.
    CalledOff,
    /// Leave the room and join it again.
    Rejoin,
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

    /// Leaves the room and joins it again, unless that is under way.
    pub fn rejoin(&self) -> Result<(), Full> {
        self.orders.try_send(RoomOrder::Rejoin).map_err(|_| Full)
    }

    /// The server ended our job while we were away: whether it means it will be asked.
    pub fn called_off(&self) -> Result<(), Full> {
        self.orders.try_send(RoomOrder::CalledOff).map_err(|_| Full)
    }

    /// Shows people that a part of the session is stuck, or that it is well again.
    pub fn health(&self, health: &'static str) {
        self.sign.send_modify(|sign| sign.health = Some(health));
    }

    /// Shows people that one of them is asked to join; `why` as JSON.
    pub fn escalation(&self, why: String) {
        self.sign.send_modify(|sign| sign.escalation = Some(why));
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

    /// Shows people how long they waited for the last answer, and for what.
    pub fn latency(&self, stages: Stages) {
        self.sign.send_modify(|sign| sign.latency = Some(stages));
    }

    /// People press to talk.
    pub fn press_to_talk(&self) {
        self.sign.send_modify(|sign| sign.press_to_talk = true);
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
    joined: Joined,
    voice: RtcAudioSource,
    agent_name: String,
    door: Door,
    tools: Plane,
    audit: Audit,
) -> Started {
    let (link, ends) = link(agent_name);
    let (room, events) = joined;
    let (room, rooms) = watch::channel(Arc::new(room));
    tasks.spawn(transcript::write(rooms.clone(), ends.texts).in_current_span());
    tasks.spawn(state::show(rooms.clone(), ends.sign).in_current_span());
    let desk = Desk {
        grants: Arc::new(Grants::new(&door.livekit)),
        room: door.room.clone(),
        session: door.job.clone(),
        audit,
        refusals: Arc::default(),
        tools,
        facts: ends.facts.downgrade(),
    };
    let reader = Reader::new(Ways {
        room,
        desk,
        events,
        orders: ends.orders,
        facts: ends.facts,
        voice,
        door,
    });
    tasks.spawn(reader.run().in_current_span());
    Started {
        link,
        facts: ends.inputs,
        rooms,
    }
}

/// A room whose tasks run.
pub struct Started {
    /// Takes orders.
    pub link: RoomLink,
    /// What happens in the room.
    pub facts: mpsc::Receiver<RoomInput>,
    /// The room as it is joined now.
    pub rooms: watch::Receiver<Arc<Room>>,
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
        latency: None,
        press_to_talk: false,
        health: None,
        escalation: None,
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
