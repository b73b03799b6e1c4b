//! Task: reads the room's events, carries out orders, comes back when the room was lost.
//!
//! Owns what is being received and the way back into a lost room. What an event means is read in
//! `events.rs`; who is heard is not decided here.

use std::{sync::Arc, time::Duration};

use dialog::speaker::ParticipantId;
use futures_util::FutureExt;
use livekit::{
    e2ee::EncryptionType,
    prelude::{Room, RoomEvent},
    webrtc::{audio_source::RtcAudioSource, native::frame_cryptor::EncryptionState},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tracing::Instrument;

use super::{
    RoomOrder,
    audience::TrackId,
    connect,
    door::{Back, Door},
    events::{self, Meaning, RoomInput},
    lines::Lines,
    publish::{self, PublishError},
    pulse,
    rejoin::GiveUp,
    rpc::{self, Desk},
    sealed::Sealed,
};
use crate::{config::Secret, telemetry::event::NotUnderstood};

/// Recordings and pictures being received at the same time. More are not read.
const RECEIVED: usize = 16;

/// How often the packets of the room are counted.
const PULSE: Duration = Duration::from_secs(2);
/// How long somebody's departure is held back. Before a full reconnect the room library lets everybody
/// leave, and says only then that it reconnects.
const SECOND_THOUGHT: Duration = Duration::from_millis(100);

/// What the reader is given.
pub(super) struct Ways {
    pub(super) room: watch::Sender<Arc<Room>>,
    /// Takes commands.
    pub(super) desk: Desk,
    pub(super) events: mpsc::UnboundedReceiver<RoomEvent>,
    pub(super) orders: mpsc::Receiver<RoomOrder>,
    pub(super) facts: mpsc::Sender<RoomInput>,
    /// The source of the agent's track; published once in each room.
    pub(super) voice: RtcAudioSource,
    pub(super) door: Door,
}

/// Reads the events, carries out orders.
pub(super) struct Reader {
    ways: Ways,
    /// The publication, the count of packets, recordings and pictures being received; each ends with a fact
    /// or none.
    work: JoinSet<Option<RoomInput>>,
    lines: Lines,
    /// At most one: while it runs, we are in no room.
    coming_back: JoinSet<Result<Back, GiveUp>>,
    /// The server ended our job and was not asked yet whether it means it.
    called_off: watch::Sender<bool>,
    /// The room library is repairing the link.
    is_repairing: bool,
    /// The last attempt to publish failed, and the room was joined anew because of that.
    was_unpublished: bool,
    sealed: Sealed,
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
    pub(super) fn new(ways: Ways) -> Self {
        Self {
            ways,
            work: JoinSet::new(),
            lines: Lines::default(),
            coming_back: JoinSet::new(),
            called_off: watch::Sender::new(false),
            is_repairing: false,
            was_unpublished: false,
            sealed: Sealed::default(),
            back: None,
        }
    }

    pub(super) async fn run(mut self) {
        rpc::open(&self.room().local_participant(), &self.ways.desk);
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
                if self.ways.facts.send(fact).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn next_step(&mut self, pulse: &mut tokio::time::Interval) -> Step {
        let is_away = !self.coming_back.is_empty();
        tokio::select! {
            biased;
            order = self.ways.orders.recv() => order.map_or(Step::Over, Step::Order),
            event = self.ways.events.recv(), if !is_away => match event {
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
            Some(line) = self.lines.next() => line.map_or(Step::Nothing, Step::Fact),
            _ = pulse.tick() => Step::Pulse,
        }
    }

    fn room(&self) -> Arc<Room> {
        self.ways.room.borrow().clone()
    }

    /// The event, and with a departure what comes right behind it, in the order to be read in.
    async fn with_company(&mut self, event: RoomEvent) -> Vec<RoomEvent> {
        if !matches!(event, RoomEvent::ParticipantDisconnected(_)) {
            return vec![event];
        }
        let mut events = vec![event];
        let until = tokio::time::Instant::now() + SECOND_THOUGHT;
        while let Ok(Some(next)) = tokio::time::timeout_at(until, self.ways.events.recv()).await {
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
        let (me, voice) = (self.room().local_participant(), self.ways.voice.clone());
        self.work
            .spawn(async move { Some(RoomInput::Published(publish::publish(&me, voice).await)) });
    }

    fn on_event(&mut self, event: RoomEvent) -> Vec<RoomInput> {
        if let RoomEvent::TokenRefreshed { token } = &event {
            self.ways.door.token = Secret::new(token);
        }
        let is_begin = matches!(event, RoomEvent::Connected { .. });
        if !self.can_open(&event) {
            return Vec::new();
        }
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
                self.lines
                    .receive(line.participant().clone(), line.read().boxed());
                Vec::new()
            }
            Meaning::Recording(recording) => self.receive(recording.read()),
            Meaning::Showing(showing) => self.receive(showing.read()),
            Meaning::Lost(why) => self.leave(why),
            Meaning::Nothing => Vec::new(),
        };
        if is_begin {
            facts.extend(self.back.take());
        }
        facts
    }

    /// Notes whose sound does not open. False when that is all there is to an event: without a key, an encrypted
    /// track would be heard as noise.
    fn can_open(&mut self, event: &RoomEvent) -> bool {
        let (who, state) = match event {
            RoomEvent::E2eeStateChanged { participant, state } => (participant.identity(), *state),
            RoomEvent::TrackSubscribed {
                publication,
                participant,
                ..
            } if self.ways.door.livekit.e2ee_key.is_empty()
                && publication.encryption_type() != EncryptionType::None =>
            {
                (participant.identity(), EncryptionState::MissingKey)
            }
            RoomEvent::ParticipantDisconnected(participant) => {
                let who = ParticipantId::new(participant.identity().as_str());
                self.sealed.on_left(&who);
                return true;
            }
            _ => return true,
        };
        let who = ParticipantId::new(who.as_str());
        if let Some(fault) = self.sealed.on_state(who, state) {
            NotUnderstood { fault }.emit();
        }
        false
    }

    /// Something that somebody sends piece by piece.
    fn receive(
        &mut self,
        reading: impl Future<Output = Option<RoomInput>> + Send + 'static,
    ) -> Vec<RoomInput> {
        if self.work.len() < RECEIVED {
            self.work.spawn(reading);
        }
        Vec::new()
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
            let (door, called_off) = (self.ways.door.clone(), self.called_off.clone());
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
        self.lines = Lines::default();
        self.is_repairing = false;
        let (room, door) = (self.room(), self.ways.door.clone());
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
        self.ways.room.send_replace(Arc::new(room));
        self.ways.events = events;
        // It was asked on the way in.
        self.called_off.send_replace(false);
        rpc::open(&self.room().local_participant(), &self.ways.desk);
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
