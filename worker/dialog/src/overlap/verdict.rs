//! Core: the end of a doubt: it is a turn, or it is none.
//!
//! A turn: the agent yields, and everything that was held back is told. None: what the model made of
//! it is taken back, and the agent goes on where it stopped.

use std::time::Instant;

use super::{Answer, Pending};
use crate::{
    Dialog, Output,
    dismissed::Deleted,
    model::ResponseId,
    note::Note,
    output::{CloseReason, PlayoutOrder},
    timers::Timer,
};

impl Dialog {
    /// Speech went on, or its words did not come.
    pub(crate) fn on_overlap_due(&mut self, now: Instant) {
        let Some(overlap) = &self.overlap else {
            return;
        };
        if overlap.is_heard && overlap.ended.is_none() {
            self.confirm(now);
        } else {
            self.dismiss(now);
        }
    }

    /// It is a turn: the agent yields, and everything that was held back is told.
    pub(crate) fn confirm(&mut self, now: Instant) {
        let Some(overlap) = self.overlap.take() else {
            return;
        };
        self.timers.stop(Timer::Overlap);
        let answer = overlap.answer.as_ref().map(|answer| &answer.response);
        self.yield_floor_to(now, overlap.silent_after, answer);
        self.outputs
            .push_back(Output::Playout(PlayoutOrder::Resume));
        self.drop_greeting();
        for turn in &overlap.turns {
            self.begin_turn(turn.started);
            if let Some(stopped) = turn.stopped {
                self.user.stop(stopped);
            }
            if turn.is_committed {
                self.on_committed(now, &turn.item);
            }
        }
        let is_unanswered = overlap.turns.last().is_some_and(|turn| turn.is_unanswered);
        if let Some(answer) = overlap.answer {
            self.own_answer(now);
            if let Some(status) = answer.done {
                self.on_done(now, &answer.response, status);
            }
        } else if is_unanswered && self.model_creates() {
            self.on_turn_overdue(now);
        } else if overlap.turns.is_empty() {
            // Should the model have heard nothing, somebody has to go on.
            let patience = self.config.interruption.words_wait;
            self.timers.set(Timer::TurnGrace, now + patience);
        }
    }

    /// It is no turn: what the model made of it is taken back, and the agent goes on.
    pub(crate) fn dismiss(&mut self, now: Instant) {
        let Some(overlap) = self.overlap.take() else {
            return;
        };
        self.timers.stop(Timer::Overlap);
        if let Some(answer) = overlap.answer {
            self.drop_answer(now, answer);
        } else {
            let awaits = |turn: &Pending| turn.is_committed && !turn.is_unanswered;
            let is_answer_due = self.model_creates() && overlap.turns.iter().any(awaits);
            self.dismissed.expect_answer(is_answer_due);
        }
        for turn in overlap.turns {
            match turn {
                Pending {
                    is_committed: true,
                    item,
                    ..
                } => {
                    self.dismissed.push(item.clone(), Deleted::NotYet);
                    self.take_back(&item);
                }
                Pending {
                    stopped: Some(_),
                    item,
                    ..
                } => self.dismissed.push(item, Deleted::NotYet),
                // The model still hears it: a turn beside the agent's voice, answered afterwards.
                Pending { started, .. } => self.begin_turn(started),
            }
        }
        self.outputs
            .push_back(Output::Playout(PlayoutOrder::Resume));
        self.note(Note::FalseInterruption {
            paused: now.saturating_duration_since(overlap.since),
            is_heard: overlap.is_heard,
        });
        if let Some(response) = overlap.ended_by {
            self.begin_close(now, CloseReason::AgentEnded, Some(response));
        }
    }

    /// A tool of this response ends the conversation, if nobody objects.
    pub(crate) fn end_unless_interrupted(&mut self, now: Instant, response: ResponseId) {
        match &mut self.overlap {
            Some(overlap) => overlap.ended_by = Some(response),
            None => self.begin_close(now, CloseReason::AgentEnded, Some(response)),
        }
    }

    fn drop_answer(&mut self, now: Instant, answer: Answer) {
        let Answer { response, done } = answer;
        let mut shown = Vec::new();
        for ended in self.playhead.drop_response(&response, &mut shown) {
            self.settle_item(ended);
        }
        match done {
            None => self.stop_unheard(now, response),
            Some(status) => {
                self.outputs.push_back(Output::Playout(PlayoutOrder::Drop {
                    response: response.clone(),
                }));
                self.responses.cancel(&response);
                self.on_done(now, &response, status);
            }
        }
    }
}
