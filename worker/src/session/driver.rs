//! Task: the one place where facts meet the conversation.
//!
//! Owns the `Dialog`, the audience and the handles to every part of a session. Waits in
//! [`Driver::next_event`], passes each fact on, then drains what the conversation wants done. It
//! does not decide: an `if` about the state of the conversation belongs into `dialog`. Effects are
//! in `effects.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use dialog::{
    Dialog, Input,
    input::{Ask, ModelLink, Playout},
    output::CloseReason,
    speaker::ParticipantId,
};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
};

use super::{SessionEnd, SessionError, Stop, effects::Hands, meter, report::Tally, talk::Talk};
use crate::{
    agents::{Caller, Clips, Colleague, Personal},
    audit::Audit,
    media::ingress::Speech,
    model::{LinkEvent, Usd, rotation::Rotation},
    room::{
        audience::{Act, Audience, TrackId},
        events::RoomInput,
    },
    supervision::{approvals::Approvals, escalation::Escalations},
    telemetry::{Pii, event, latency::TurnClock},
    tooling::{ToolEnded, ToolEvent},
};

mod command;
mod health;
mod room;

pub(super) use self::health::Watch;

/// A termination that comes this soon after a join may be a mistake of the server, which takes the
/// first attempt of a join for an agent that left. A real one is followed by our removal from the
/// room within three seconds, and that is believed.
const EARLY_TERMINATION: Duration = Duration::from_secs(5);

/// How long the room may take to say why, when the server ends the job of an agent whose room
/// stands: a server also does that when it removed the agent, or lost it, and these mean different
/// things.
const CONFIRMATION: Duration = Duration::from_secs(1);

/// One session's driver.
pub(super) struct Driver<'a> {
    pub(super) dialog: Dialog,
    pub(super) audience: Audience,
    pub(super) hands: Hands,
    pub(super) inbox: Inbox,
    /// Every child task of the session; watched for panics only.
    pub(super) tasks: &'a mut JoinSet<()>,
    pub(super) tally: &'a mut Tally,
    /// When the job was assigned.
    pub(super) assigned: Instant,
    /// When the room was joined.
    pub(super) joined: Instant,
    /// Whose microphone is being listened to, by track.
    pub(super) ears: BTreeMap<ParticipantId, TrackId>,
    /// Where the time of answers goes.
    pub(super) clock: TurnClock,
    /// What was said last, for the record.
    pub(super) talk: Talk,
    /// The room's name.
    pub(super) room: Pii<String>,
    /// Id of the job.
    pub(super) job: String,
    /// The journal of what is done.
    pub(super) audit: Audit,
    /// Calls of this worker that wait for a supervisor.
    pub(super) approvals: Approvals,
    /// Who is told when the agent asks for a person.
    pub(super) escalations: Escalations,
    /// The link to the model has given up; nothing more comes from it.
    pub(super) is_model_gone: bool,
    /// Facts for the watchdog.
    pub(super) watch: Watch,
    /// When the connection to the model is to be replaced.
    pub(super) rotation: Rotation,
    /// What the agent says when there is no model to say it.
    pub(super) clips: Arc<Clips>,
    /// Tracks whose beginning came or was waited for; bounded by the microphones in the room. `None` = people
    /// press to talk, and what they say before is not meant.
    pub(super) begun: Option<BTreeSet<TrackId>>,
    /// Somebody gave it other instructions.
    pub(super) is_instructed: bool,
    /// Why a person was asked to join, last.
    pub(super) escalated: Option<String>,
    /// What it says of the caller, until they are known; `None` = nothing, or it was said.
    pub(super) personal: Option<Personal>,
    /// The first person, once they are known.
    pub(super) caller: Option<Caller>,
    /// The agents that may take over, by name.
    pub(super) colleagues: BTreeMap<String, Colleague>,
    /// What the budget asks of the conversation, which does not know yet; the latest counts.
    pub(super) asked: Option<Ask>,
    /// Set by whatever ends the session.
    pub(super) over: Option<SessionEnd>,
}

/// Where facts come from.
pub(super) struct Inbox {
    pub(super) model: mpsc::Receiver<LinkEvent>,
    pub(super) playout: mpsc::Receiver<Playout>,
    pub(super) room: mpsc::Receiver<RoomInput>,
    pub(super) speech: mpsc::Receiver<Speech>,
    pub(super) stop: watch::Receiver<Stop>,
    pub(super) tools: mpsc::Receiver<ToolEvent>,
}

/// Every cause of work.
enum Event {
    Child(Result<(), JoinError>),
    Model(Option<LinkEvent>),
    Playout(Playout),
    Room(Option<RoomInput>),
    Speech(Speech),
    Stop(Stop),
    Timeout,
    Tool(ToolEvent),
}

impl Driver<'_> {
    /// Runs the conversation to its end.
    pub(super) async fn run(&mut self) -> SessionEnd {
        let stop = self.inbox.stop.borrow_and_update().clone();
        self.on_stop(stop);
        loop {
            self.settle();
            if let Some(end) = self.over.take() {
                return end;
            }
            match self.next_event().await {
                Event::Child(ended) => self.on_child(ended),
                Event::Model(event) => self.on_model(event),
                Event::Playout(fact) => self.tell(Input::Playout(fact)),
                Event::Room(input) => self.on_room(input),
                Event::Speech((participant, edge)) => {
                    self.tell(Input::Speech { participant, edge });
                }
                Event::Stop(stop) => self.on_stop(stop),
                Event::Timeout => self.on_timeout(),
                Event::Tool(ended) => self.on_tool(ended),
            }
        }
    }

    /// The only waiting point. What ends things comes first, then people; the model comes before
    /// the playout, which plays what the model said.
    async fn next_event(&mut self) -> Event {
        let deadlines = [self.dialog.poll_timeout(), self.watch.terminated];
        let deadline = deadlines.into_iter().flatten().min();
        let inbox = &mut self.inbox;
        tokio::select! {
            biased;
            Ok(()) = inbox.stop.changed() => Event::Stop(inbox.stop.borrow_and_update().clone()),
            input = inbox.room.recv() => Event::Room(input),
            Some(speech) = inbox.speech.recv() => Event::Speech(speech),
            () = until(deadline) => Event::Timeout,
            event = inbox.model.recv(), if !self.is_model_gone => Event::Model(event),
            Some(fact) = inbox.playout.recv() => Event::Playout(fact),
            Some(ended) = inbox.tools.recv() => Event::Tool(ended),
            Some(ended) = self.tasks.join_next() => Event::Child(ended),
        }
    }

    fn on_timeout(&mut self) {
        if self.watch.terminated.is_some_and(|due| due <= now()) {
            self.watch.terminated = None;
            self.close(CloseReason::Terminated);
        }
        if self.dialog.poll_timeout().is_some_and(|due| due <= now()) {
            self.dialog.handle_timeout(now());
        }
    }

    fn on_tool(&mut self, event: ToolEvent) {
        match event {
            ToolEvent::Approved(call) => self.tell(Input::ToolApproved { call }),
            ToolEvent::Ended(ended) => self.on_tool_ended(ended),
        }
    }

    fn on_tool_ended(&mut self, ended: ToolEnded) {
        if let Some(reason) = &ended.escalation {
            self.escalate(reason);
        }
        if let Some(name) = &ended.successor {
            self.succeed(name);
        }
        self.tell(Input::ToolFinished {
            call: ended.call,
            output: ended.output,
            then: ended.then,
        });
    }

    fn on_child(&mut self, ended: Result<(), JoinError>) {
        if ended.is_err_and(|error| error.is_panic()) {
            self.fail(SessionError::Bug);
        }
    }

    fn on_model(&mut self, event: Option<LinkEvent>) {
        self.watch.model_events += 1;
        match event {
            Some(LinkEvent::Event(event)) => self.tell(Input::Model(event)),
            Some(LinkEvent::Rotated { capabilities }) => {
                self.rotation.on_up(now());
                self.tell(Input::ModelLink(ModelLink::Rotated(capabilities)));
            }
            Some(LinkEvent::Spare) => self.tell(Input::ModelLink(ModelLink::Spare)),
            Some(LinkEvent::Up {
                capabilities,
                model,
            }) => {
                self.hands.room.model(model);
                self.rotation.on_up(now());
                self.tell(Input::ModelLink(ModelLink::Up(capabilities)));
            }
            Some(LinkEvent::Down { .. }) => {
                self.rotation.on_down();
                self.tell(Input::ModelLink(ModelLink::Down));
            }
            Some(LinkEvent::Exhausted { reason, .. }) => {
                self.is_model_gone = true;
                self.tell(Input::ModelLink(ModelLink::Exhausted { reason }));
            }
            None => self.fail(SessionError::Bug),
        }
    }

    /// Carries out what the conversation and the audience want, until both are content: the one
    /// hears of people from the other, and opens their ears in return.
    fn settle(&mut self) {
        self.drain();
        self.settle_audience();
        if let Some(why) = self.rotation.wish(now()) {
            tracing::info!(why = why.as_str(), "a fresh model connection is wanted");
            self.hands.model.prepare();
        }
        while let Some(ask) = self.asked.take() {
            self.tell(Input::Ask(ask));
            self.settle_audience();
        }
    }

    fn settle_audience(&mut self) {
        while let Some(act) = self.audience.poll_act() {
            let (participant, track, wanted) = match act {
                Act::Tell(fact) => {
                    self.tally.audience(&fact);
                    self.tell(Input::Audience(fact));
                    continue;
                }
                Act::Subscribe { participant, track } => (participant, track, true),
                Act::Unsubscribe { participant, track } => (participant, track, false),
            };
            if self
                .hands
                .room
                .subscription(participant, track, wanted)
                .is_err()
            {
                self.fail(SessionError::Overrun("room"));
            }
        }
    }

    fn on_stop(&mut self, stop: Stop) {
        match stop {
            Stop::No => {}
            Stop::Drain => self.tell(Input::Ask(Ask::End(CloseReason::Drained))),
            Stop::Now(CloseReason::Terminated) if now() - self.joined < EARLY_TERMINATION => {
                tracing::info!("a termination right after the join is left to the room to confirm");
            }
            Stop::Now(CloseReason::Terminated) if self.watch.is_away => self.ask_whether_wanted(),
            Stop::Now(CloseReason::Terminated) => {
                self.watch.terminated = Some(now() + CONFIRMATION);
            }
            Stop::Now(reason) => self.close(reason),
        }
    }

    fn close(&mut self, reason: CloseReason) {
        self.tell(Input::Ask(Ask::Close(reason)));
    }

    fn tell(&mut self, input: Input) {
        let now = now();
        if let Some(stages) = self.clock.see(now, &input) {
            event::AnswerMeasured { stages }.emit();
            self.hands.room.latency(stages);
        }
        self.dialog.handle(now, input);
        self.drain();
    }

    /// What a response meant for the budget. The conversation is told when it was drained.
    pub(super) fn on_verdict(&mut self, verdict: meter::Verdict) {
        let spent_usd = self.tally.meter().spent().map(Usd::dollars);
        match verdict {
            meter::Verdict::Within => {}
            meter::Verdict::Notice => {
                tracing::warn!(spent_usd, "much of the session's budget is spent");
            }
            meter::Verdict::Shrink => {
                tracing::warn!(spent_usd, "most of the session's budget is spent");
                self.asked = Some(Ask::Shrink);
            }
            meter::Verdict::Spent => {
                tracing::warn!(spent_usd, "the session's budget is spent");
                self.asked = Some(Ask::End(CloseReason::BudgetSpent));
            }
        }
    }

    /// Second law of the dialog: after every fact, everything it wants is done.
    fn drain(&mut self) {
        while let Some(output) = self.dialog.poll_output() {
            self.carry_out(output);
        }
    }

    /// Ends the session because a part of it failed.
    pub(super) fn fail(&mut self, error: SessionError) {
        self.over.get_or_insert(SessionEnd {
            reason: CloseReason::Failed,
            error: Some(error),
        });
    }
}

/// Debug builds only, so that a test can see what a panic does: `ROOM_AGENT_FAULT=panic-on-chat`.
#[cfg(debug_assertions)]
fn rehearse_a_bug() {
    let fault = std::env::var("ROOM_AGENT_FAULT").unwrap_or_default();
    assert!(fault != "panic-on-chat", "a rehearsed bug");
}

/// The clock of every session; tokio's, so that tests can stop it.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
