//! Room: the connected room as a session sees it.
//!
//! [`RoomLink`] is the handle: it sends orders and never waits. Behind it stand three tasks in the
//! session's JoinSet: one that reads the room's events, carries out subscriptions and comes back
//! into a room that was lost for good; one that writes transcripts in order; one that keeps the
//! agent's attributes current. Nothing here decides who is heard or what is said.

use std::{sync::Arc, time::Duration};

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

use crate::{
    config::Secret, supervision::grant::Grants, telemetry::latency::Stages, tooling::Plane,
};

use self::{
    audience::TrackId,
    door::{Back, Door},
    events::{Meaning, RoomInput},
    publish::PublishError,
    rejoin::GiveUp,
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
mod picture;
pub mod publish;
pub mod pulse;
pub mod rejoin;
mod rpc;
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
/// Lines and recordings being received at the same time. More are not read: people do not type that
/// fast.
const LINES: usize = 16;

/// How often the packets of the room are counted.
const PULSE: Duration = Duration::from_secs(2);
/// How long somebody's departure is held back. Before a full reconnect the room library lets everybody
/// leave, and says only then that it reconnects.
const SECOND_THOUGHT: Duration = Duration::from_millis(100);

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
) -> Started {
    let (link, ends) = link(agent_name);
    let (room, events) = joined;
    let (room, rooms) = watch::channel(Arc::new(room));
    tasks.spawn(transcript::write(rooms.clone(), ends.texts).in_current_span());
    tasks.spawn(state::show(rooms.clone(), ends.sign).in_current_span());
    let desk = Desk {
        grants: Arc::new(Grants::new(&door.livekit)),
        room: door.room.clone(),
        tools,
        facts: ends.facts.downgrade(),
    };
    let reader = Reader {
        room,
        desk,
        events,
        orders: ends.orders,
        facts: ends.facts,
        voice,
        door,
        work: JoinSet::new(),
        coming_back: JoinSet::new(),
        called_off: watch::Sender::new(false),
        is_repairing: false,
        was_unpublished: false,
        back: None,
    };
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

/// Task: reads the room's events, carries out orders, comes back when the room was lost.
struct Reader {
    room: watch::Sender<Arc<Room>>,
    /// Takes commands.
    desk: Desk,
    events: mpsc::UnboundedReceiver<RoomEvent>,
    orders: mpsc::Receiver<RoomOrder>,
    facts: mpsc::Sender<RoomInput>,
    /// The source of the agent's track; published once in each room.
    voice: RtcAudioSource,
    door: Door,
    /// The publication, the count of packets and the lines being received; each ends with a fact
    /// or none.
    work: JoinSet<Option<RoomInput>>,
    /// At most one: while it runs, we are in no room.
    coming_back: JoinSet<Result<Back, GiveUp>>,
    /// The server ended our job and was not asked yet whether it means it.
    called_off: watch::Sender<bool>,
    /// The room library is repairing the link.
    is_repairing: bool,
    /// The last attempt to publish failed, and the room was joined anew because of that.
    was_unpublished: bool,
    /// We are back; said after everybody who is there.
    back: Option<RoomInput>,
}

enum Step {
    Back(Result<Back, GiveUp>),
    Events(Vec<RoomEvent>),
    Fact(RoomInput),
    Nothing,
    Order(RoomOrder),
    Over,
    Pulse,
}

impl Reader {
    async fn run(mut self) {
        rpc::open(&self.room().local_participant(), &self.desk);
        self.publish();
        let mut pulse = tokio::time::interval(PULSE);
        pulse.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let facts = match self.next_step(&mut pulse).await {
                Step::Back(Ok(back)) => self.on_back(back),
                Step::Back(Err(why)) => vec![RoomInput::GivenUp(why)],
                Step::Events(events) => {
                    let facts = events.into_iter().flat_map(|event| self.on_event(event));
                    facts.collect()
                }
                Step::Fact(RoomInput::Published(published)) => self.on_published(published),
                Step::Fact(fact) => vec![fact],
                Step::Nothing => Vec::new(),
                Step::Order(order) => self.on_order(order),
                Step::Over => return,
                Step::Pulse => self.on_pulse(),
            };
            for fact in facts {
                if self.facts.send(fact).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn next_step(&mut self, pulse: &mut tokio::time::Interval) -> Step {
        let is_away = !self.coming_back.is_empty();
        tokio::select! {
            biased;
            order = self.orders.recv() => order.map_or(Step::Over, Step::Order),
            event = self.events.recv(), if !is_away => match event {
                Some(event) => Step::Events(self.with_company(event).await),
                None => Step::Over,
            },
            Some(back) = self.coming_back.join_next() => {
                back.map_or(Step::Over, Step::Back)
            }
            Some(done) = self.work.join_next() => match done {
                Ok(Some(fact)) => Step::Fact(fact),
                _ => Step::Nothing,
            },
            _ = pulse.tick() => Step::Pulse,
        }
    }

    fn room(&self) -> Arc<Room> {
        self.room.borrow().clone()
    }

    /// The event, and with a departure what comes right behind it, in the order to be read in.
    async fn with_company(&mut self, event: RoomEvent) -> Vec<RoomEvent> {
        if !matches!(event, RoomEvent::ParticipantDisconnected(_)) {
            return vec![event];
        }
        let mut events = vec![event];
        let until = tokio::time::Instant::now() + SECOND_THOUGHT;
        while let Ok(Some(next)) = tokio::time::timeout_at(until, self.events.recv()).await {
            if matches!(next, RoomEvent::Reconnecting) {
                events.insert(0, next);
                break;
            }
            events.push(next);
        }
        events
    }

    /// Beside the events, so that people are heard before the server has taken our track.
    fn publish(&mut self) {
        let (me, voice) = (self.room().local_participant(), self.voice.clone());
        self.work
            .spawn(async move { Some(RoomInput::Published(publish::publish(&me, voice).await)) });
    }

    fn on_event(&mut self, event: RoomEvent) -> Vec<RoomInput> {
        if let RoomEvent::TokenRefreshed { token } = &event {
            self.door.token = Secret::new(token);
        }
        let is_begin = matches!(event, RoomEvent::Connected { .. });
        match event {
            RoomEvent::Reconnecting => self.is_repairing = true,
            RoomEvent::Reconnected => {
                self.is_repairing = false;
                self.confirm();
            }
            _ => {}
        }
        let mut facts = match events::read(event) {
            Meaning::Facts(facts) => facts,
            Meaning::Line(line) => {
                if self.work.len() < LINES {
                    self.work.spawn(line.read());
                }
                Vec::new()
            }
            Meaning::Recording(recording) => {
                if self.work.len() < LINES {
                    self.work.spawn(recording.read());
                }
                Vec::new()
            }
            Meaning::Showing(showing) => {
                if self.work.len() < LINES {
                    self.work.spawn(showing.read());
                }
                Vec::new()
            }
            Meaning::Lost(why) => self.leave(why),
            Meaning::Nothing => Vec::new(),
        };
        if is_begin {
            facts.extend(self.back.take());
        }
        facts
    }

    fn on_order(&mut self, order: RoomOrder) -> Vec<RoomInput> {
        match order {
            RoomOrder::CalledOff => {
                self.called_off.send_replace(true);
                if !self.is_repairing && self.coming_back.is_empty() {
                    self.confirm();
                }
            }
            RoomOrder::Rejoin => return self.leave("stuck"),
            RoomOrder::Subscription {
                participant,
                track,
                wanted,
            } => self.subscribe(&participant, &track, wanted),
        }
        Vec::new()
    }

    /// Asks the server, once we are in the room, whether it meant the end of our job.
    fn confirm(&mut self) {
        if *self.called_off.borrow() {
            let (door, called_off) = (self.door.clone(), self.called_off.clone());
            self.work.spawn(async move {
                let is_dismissed = door.is_dismissed().await;
                called_off.send_replace(false);
                is_dismissed.then_some(RoomInput::GivenUp(GiveUp::Dismissed))
            });
        }
    }

    /// A link that breaks while the server is asked for the track is no reason to end the call.
    fn on_published(&mut self, published: Result<TrackId, PublishError>) -> Vec<RoomInput> {
        match published {
            Err(error) if error.may_pass() && !self.was_unpublished => {
                self.was_unpublished = true;
                tracing::info!(%error, "the agent's track was not published; the room is joined anew");
                self.leave("unpublished")
            }
            published => {
                self.was_unpublished = published.is_err();
                vec![RoomInput::Published(published)]
            }
        }
    }

    fn subscribe(&self, participant: &ParticipantId, track: &TrackId, wanted: bool) {
        let publication = self
            .room()
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
            publication.set_subscribed(wanted);
        }
    }

    /// Lets go of the room, which is of no use any more, and looks for a way back.
    fn leave(&mut self, why: &'static str) -> Vec<RoomInput> {
        if !self.coming_back.is_empty() {
            return Vec::new();
        }
        self.work = JoinSet::new();
        self.is_repairing = false;
        let (room, door) = (self.room(), self.door.clone());
        let called_off = self.called_off.subscribe();
        let way_back = async move {
            // First, or its own attempts to reconnect would throw us out again.
            connect::leave(&room).await;
            drop(room);
            door.come_back(called_off).await
        };
        self.coming_back.spawn(way_back.in_current_span());
        vec![RoomInput::Rejoining(why)]
    }

    fn on_back(&mut self, back: Back) -> Vec<RoomInput> {
        let (room, events) = back.joined;
        self.room.send_replace(Arc::new(room));
        self.events = events;
        // It was asked on the way in.
        self.called_off.send_replace(false);
        rpc::open(&self.room().local_participant(), &self.desk);
        self.publish();
        self.back = Some(RoomInput::Rejoined {
            attempts: back.attempts,
            away: back.away,
        });
        Vec::new()
    }

    fn on_pulse(&mut self) -> Vec<RoomInput> {
        if !self.coming_back.is_empty() {
            return vec![RoomInput::Pulse(pulse::Pulse::default())];
        }
        let room = self.room();
        self.work
            .spawn(async move { Some(RoomInput::Pulse(pulse::take(&room).await)) });
        Vec::new()
    }
}
