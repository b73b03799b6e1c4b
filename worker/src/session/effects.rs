//! Effects: carries out what the conversation wants; one arm per output, no decisions.

use dialog::{
    Output,
    note::Note,
    output::{CloseReason, PlayoutOrder, Publish, Voice},
    speaker::ParticipantId,
};

use serde_json::json;

use super::{
    SessionEnd, SessionError,
    driver::{Driver, now},
    notes,
    talk::Sign,
};
use crate::{
    audit::{Kind, Record},
    media::{ingress::Ingress, playout::PlayoutHandle},
    model::ModelHandle,
    redaction,
    room::RoomLink,
    tooling::Tooling,
};

/// The handles through which a session acts.
pub(super) struct Hands {
    pub(super) ingress: Ingress,
    pub(super) model: ModelHandle,
    pub(super) playout: PlayoutHandle,
    pub(super) room: RoomLink,
    pub(super) tools: Tooling,
}

impl Driver<'_> {
    /// Does one thing the conversation asked for.
    pub(super) fn carry_out(&mut self, output: Output) {
        match output {
            Output::CancelTool(call) => {
                self.clock.tool_ended(now(), &call);
                self.hands.tools.cancel(&call);
            }
            Output::CancelReads => self.hands.tools.cancel_reads(),
            Output::Ear { participant, gate } => {
                self.audience.gate(&participant, gate);
                self.hands.ingress.gate(participant, gate);
            }
            Output::Finished(reason) => self.finish(reason),
            Output::McpCallDone { call, end } => self.hands.tools.mcp_call_done(call, end),
            Output::Model(order) => {
                if self.hands.model.order(order).is_err() {
                    self.fail(SessionError::Overrun("model"));
                }
            }
            Output::Note(note) => {
                if let Note::TurnAnswered { latency } = &note {
                    self.rotation.on_answer(*latency);
                }
                self.record(&note);
                let verdict = self.tally.note(&note);
                notes::emit(note, self.tally.meter().price());
                self.on_verdict(verdict);
            }
            Output::Playout(order) => self.play(order),
            Output::Publish(publish) => {
                if let Publish::AgentState(state) = &publish {
                    self.watch.state = Some(*state);
                }
                self.talk.hear(&publish);
                self.tell_tools(&publish);
                let audience = &self.audience;
                let microphone = |id: &ParticipantId| audience.microphone_of(id).cloned();
                self.hands.room.publish(publish, microphone);
            }
            Output::RunTool(call) => {
                self.clock.tool_started(now(), call.call.clone());
                let background = self.talk.background(call.response.as_str());
                self.hands.tools.run(call, background);
            }
            Output::Voice(Voice::Open) => self.hands.playout.open_voice(),
            Output::Voice(_) => self.hands.playout.close_voice(),
            other => tracing::error!(?other, "an output of the dialog is not carried out"),
        }
    }

    /// Nobody is told anything because of it, so nobody waits for the disk.
    fn record(&self, note: &Note) {
        if let Note::Disclosed { said, is_whole } = note {
            self.audit.submit(Record {
                session: self.job.clone(),
                kind: Kind::SessionDisclosed,
                data: json!({"whole": is_whole, "said": redaction::text(said)}),
            });
        }
    }

    fn tell_tools(&mut self, publish: &Publish) {
        match self.talk.sign(publish) {
            None => {}
            Some(Sign::AgentBegins) => self.hands.tools.agent_began(),
            Some(Sign::AgentSpoke) => self.hands.tools.agent_spoke(),
            Some(Sign::CallerSpoke(words)) => self.hands.tools.caller_spoke(words),
        }
    }

    fn play(&self, order: PlayoutOrder) {
        let playout = &self.hands.playout;
        match order {
            PlayoutOrder::Drop { response } => playout.drop_response(response),
            PlayoutOrder::Duck => playout.duck(),
            PlayoutOrder::Flush { response, keep } => playout.flush(response, keep.as_ref()),
            PlayoutOrder::Pause => playout.pause(),
            PlayoutOrder::PlayClip(clip) => playout.play_clip(self.clips.of(clip)),
            PlayoutOrder::Resume => playout.resume(),
            PlayoutOrder::StopClip => playout.stop_clip(),
            other => tracing::error!(?other, "an order for the voice is not carried out"),
        }
    }

    fn finish(&mut self, reason: CloseReason) {
        let error = match &reason {
            CloseReason::ModelUnavailable { reason } => Some(SessionError::Model(reason.clone())),
            CloseReason::RoomLost => Some(SessionError::RoomLost(self.watch.why_lost())),
            _ => None,
        };
        self.over.get_or_insert(SessionEnd { reason, error });
    }
}
