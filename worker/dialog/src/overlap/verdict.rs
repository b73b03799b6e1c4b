//! Core: the end of a doubt: it is a turn, or it is none.
//!
//! A turn: the agent yields, and everything that was held back is told. None: what the model made of
//! it is taken back, and the agent goes on where it stopped.

use std::time::Instant;

use super::{Answer, Beside, Overlap, Pending};
use crate::{
    Dialog, Output,
    dismissed::Item,
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
        let Some(mut overlap) = self.overlap.take() else {
            return;
        };
        self.timers.stop(Timer::Overlap);
        let answer = self.last_word(now, &mut overlap);
        let keep = answer.as_ref().map(|answer| &answer.response);
        self.yield_floor_to(now, overlap.silent_after, keep);
        self.call_off_look_ups();
        self.outputs
            .push_back(Output::Playout(PlayoutOrder::Resume));
        self.drop_greeting();
        self.tell_turns(now, &overlap.turns);
        let is_last_committed = overlap.turns.last().is_some_and(|turn| turn.is_committed);
        let is_anybody_speaking = !overlap.speaking.is_empty();
        if let Some(answer) = answer {
            self.own_answer(now);
            if let Some(status) = answer.done {
                self.on_done(now, &answer.response, status);
            }
        } else if is_last_committed && self.model_creates() && !is_anybody_speaking {
            let is_unanswered = overlap.turns.last().is_some_and(|turn| turn.is_unanswered);
            if is_unanswered {
                self.on_turn_overdue(now);
            }
        } else if overlap.turns.is_empty() {
            // Should the model have heard nothing, somebody has to go on.
            let patience = self.config.interruption.words_wait;
            self.timers.set(Timer::TurnGrace, now + patience);
        }
    }

    /// The held answer, if it answers the last thing that was said and nobody goes on speaking.
    /// Otherwise it is dropped.
    fn last_word(&mut self, now: Instant, overlap: &mut Overlap) -> Option<Answer> {
        let answer = overlap.answer.take()?;
        let is_last = overlap
            .turns
            .last()
            .is_some_and(|turn| turn.item == answer.item);
        if is_last && overlap.speaking.is_empty() {
            return Some(answer);
        }
        self.drop_answer(now, answer);
        for turn in overlap.turns.iter_mut() {
            turn.is_unanswered = true;
        }
        None
    }

    /// Everything the model reported meanwhile counts now.
    fn tell_turns(&mut self, now: Instant, turns: &[Pending]) {
        let mut names = Vec::new();
        for turn in turns {
            self.begin_turn(turn.started);
            if let Some(stopped) = turn.stopped {
                self.user.stop(stopped);
            }
            if turn.is_committed {
                names.extend(self.commit_turn(now, &turn.item));
            }
            if let Some(text) = turn.company.as_ref().filter(|text| !text.trim().is_empty()) {
                self.conversation.user_said_all(&turn.item, text);
                self.hear_name(now, &turn.item, text, true);
                self.publish_user_text(turn.item.clone(), text.clone(), true);
            }
        }
        match names.as_slice() {
            [] => {}
            [name] => self.label(&format!("The last message was spoken by {name}.")),
            names => {
                let names = names.join(", then ");
                self.label(&format!("The last messages were spoken by {names}."));
            }
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
            let is_over = turn.stopped.or_else(|| overlap.is_echo.then_some(now));
            let Some(stopped) = is_over else {
                // The model still hears it: a turn beside the agent's voice, answered afterwards.
                self.begin_turn(turn.started);
                self.beside = Some(Beside {
                    item: turn.item,
                    is_committed: false,
                    answer: None,
                });
                continue;
            };
            self.dismissed.push(Item {
                id: turn.item,
                span: (turn.started, stopped),
                is_committed: turn.is_committed,
                is_echo: overlap.is_echo,
                is_known: turn.company.is_some(),
                is_deleted: false,
            });
        }
        self.take_back();
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

    pub(super) fn drop_answer(&mut self, now: Instant, answer: Answer) {
        let Answer { response, done, .. } = answer;
        let mut shown = Vec::new();
        for ended in self.playhead.drop_response(&response, &mut shown) {
            self.settle_item(ended);
        }
        self.publish_all(shown);
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
