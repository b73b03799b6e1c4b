//! Core: somebody speaks while the agent does, and it is not known yet what they want.
//!
//! The agent pauses at the first sign. Speech that goes on, or words that want an answer, make it a
//! turn: the agent yields. A cough, a door or a "mm-hm" is none: what the model made of it is taken
//! back and the agent goes on where it stopped. Owns the doubt and what the model reported
//! meanwhile; does not cut anything: that is `interruption.rs`.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{
    Dialog, Output,
    backchannel::{self, Meaning},
    config::FirstSign,
    input::SpeechEdge,
    model::{ItemId, ResponseId, ResponseStatus},
    output::PlayoutOrder,
    speaker::ParticipantId,
    timers::Timer,
};

mod verdict;

/// How many items one doubt may hold; with more of them somebody clearly wants something.
const TURNS: usize = 4;

/// A doubt.
#[derive(Debug)]
pub(crate) struct Overlap {
    since: Instant,
    /// Who is speaking now, as their ears hear it; bounded by the audience.
    speaking: BTreeSet<ParticipantId>,
    /// An ear heard it. The model's word alone is not enough to yield.
    is_heard: bool,
    /// When the speech ended; `None` = it goes on.
    ended: Option<Instant>,
    /// What the model makes of it, which counts only if it is a turn.
    turns: Vec<Pending>,
    /// The model's own answer to it; it waits behind the pause.
    answer: Option<Answer>,
    /// The response in which a tool wants to end the conversation, unless this is a turn.
    ended_by: Option<ResponseId>,
    /// From the first sign to the agent's silence; `None` = not silent yet.
    silent_after: Option<Duration>,
}

/// A turn, should it be one.
#[derive(Debug)]
struct Pending {
    item: ItemId,
    started: Instant,
    stopped: Option<Instant>,
    is_committed: bool,
    /// The model was busy when the turn was committed, so it created no answer.
    is_unanswered: bool,
    /// Its words are known, and they ask for nothing.
    is_company: bool,
}

#[derive(Debug)]
struct Answer {
    response: ResponseId,
    /// It was generated to its end.
    done: Option<ResponseStatus>,
}

impl Overlap {
    /// The agent cannot be heard any more.
    pub(crate) fn fell_silent(&mut self, now: Instant) {
        let after = now.saturating_duration_since(self.since);
        self.silent_after.get_or_insert(after);
    }

    fn is_all_company(&self) -> bool {
        !self.turns.is_empty() && self.turns.iter().all(|turn| turn.is_company)
    }

    fn find(&mut self, item: &ItemId) -> Option<&mut Pending> {
        self.turns.iter_mut().find(|turn| turn.item == *item)
    }
}

/// What people and the model's turn detection do while it is in doubt.
impl Dialog {
    /// An ear hears somebody begin or end to speak.
    pub(crate) fn on_speech(&mut self, now: Instant, participant: ParticipantId, edge: SpeechEdge) {
        if !self.audience.is_person(&participant) {
            return;
        }
        match edge {
            SpeechEdge::Started { before } => {
                let began = now.checked_sub(before).unwrap_or(now);
                self.voices.begin(participant.clone(), began);
                self.on_voice(now, participant, began);
            }
            SpeechEdge::Stopped { before } => {
                let ended = now.checked_sub(before).unwrap_or(now);
                self.voices.end(&participant, ended);
                self.on_silent(now, &participant, ended);
            }
        }
    }

    fn on_voice(&mut self, now: Instant, participant: ParticipantId, began: Instant) {
        if self.closing.is_some() {
            return;
        }
        self.heard_from_caller();
        if self.overlap.is_none() && !self.can_overlap() {
            return;
        }
        let overlap = self.doubt(now);
        overlap.is_heard = true;
        overlap.ended = None;
        overlap.speaking.insert(participant);
        let settings = &self.config.interruption;
        let due = began + settings.min_speech + settings.edge_lag;
        self.set_overlap(now, due);
    }

    pub(crate) fn on_silent(&mut self, now: Instant, participant: &ParticipantId, ended: Instant) {
        let Some(overlap) = &mut self.overlap else {
            return;
        };
        let was_speaking = overlap.speaking.remove(participant);
        if was_speaking && overlap.speaking.is_empty() {
            overlap.ended = Some(ended);
            self.await_words(now);
        }
    }

    /// The model hears speech. Returns whether that is in doubt.
    pub(crate) fn doubts_start(&mut self, now: Instant, item: &ItemId) -> bool {
        if self.overlap.is_none() && !self.can_overlap() {
            return false;
        }
        let overlap = self.doubt(now);
        overlap.turns.push(Pending {
            item: item.clone(),
            started: now,
            stopped: None,
            is_committed: false,
            is_unanswered: false,
            is_company: false,
        });
        if overlap.turns.len() > TURNS {
            self.confirm(now);
        } else if overlap.ended.is_some() {
            self.await_words(now);
        }
        true
    }

    /// The model hears it end. Returns whether that is in doubt.
    pub(crate) fn doubts_stop(&mut self, now: Instant, item: &ItemId) -> bool {
        if self.dismissed.holds(item) {
            return true;
        }
        let Some(overlap) = &mut self.overlap else {
            return false;
        };
        let is_heard = overlap.is_heard;
        let Some(turn) = overlap.find(item) else {
            return false;
        };
        turn.stopped = Some(now);
        if !is_heard {
            overlap.ended = Some(now);
            self.await_words(now);
        }
        true
    }

    /// The speech became an item. Returns whether it is in doubt that this is a turn.
    pub(crate) fn doubts_commit(&mut self, now: Instant, item: &ItemId) -> bool {
        if self.dismissed.holds(item) {
            let is_answer_due = self.model_creates() && self.responses.live.is_none();
            self.dismissed.expect_answer(is_answer_due);
            self.take_back(item);
            return true;
        }
        let is_busy = self.responses.live.is_some();
        let Some(turn) = self.overlap.as_mut().and_then(|overlap| overlap.find(item)) else {
            return false;
        };
        turn.stopped.get_or_insert(now);
        turn.is_committed = true;
        turn.is_unanswered = is_busy;
        // Nobody will ever say what the words were.
        if !self.link.transcribes() {
            self.confirm(now);
        }
        true
    }

    /// The words of an item are known, in part or all of them. Returns whether they are no turn's.
    pub(crate) fn doubts_words(
        &mut self,
        now: Instant,
        item: &ItemId,
        text: &str,
        is_final: bool,
    ) -> bool {
        let meaning = backchannel::meaning(text, is_final, &self.config.interruption.backchannels);
        if self.dismissed.holds(item) {
            if meaning == Meaning::Words && is_final {
                self.hear_late(now, item, text);
            }
            return true;
        }
        let Some(turn) = self.overlap.as_mut().and_then(|overlap| overlap.find(item)) else {
            return false;
        };
        match meaning {
            Meaning::Words => {
                self.confirm(now);
                return false;
            }
            Meaning::Open => {}
            Meaning::None => {
                turn.is_company = true;
                self.await_words(now);
            }
        }
        true
    }

    /// The words of an item will never be known. Better heard than ignored.
    pub(crate) fn doubts_lack_of_words(&mut self, now: Instant, item: &ItemId) {
        if self
            .overlap
            .as_mut()
            .is_some_and(|o| o.find(item).is_some())
        {
            self.confirm(now);
        }
    }

    /// The model created a response by itself. Returns whether it answers what is in doubt.
    pub(crate) fn doubts_answer(&mut self, response: &ResponseId) -> bool {
        let Some(overlap) = &mut self.overlap else {
            return false;
        };
        let answers = |turn: &Pending| turn.is_committed && !turn.is_unanswered;
        let is_lowered = self.config.interruption.first_sign == FirstSign::Duck;
        if overlap.answer.is_some() || !overlap.turns.iter().any(answers) {
            return false;
        }
        overlap.answer = Some(Answer {
            response: response.clone(),
            done: None,
        });
        // A voice that was only lowered would go on into this answer.
        if is_lowered {
            self.outputs.push_back(Output::Playout(PlayoutOrder::Pause));
        }
        true
    }

    /// A response is done. Returns whether that has to wait: its calls must not run in doubt.
    pub(crate) fn doubts_done(&mut self, response: &ResponseId, status: &ResponseStatus) -> bool {
        let Some(answer) = self.overlap.as_mut().and_then(|o| o.answer.as_mut()) else {
            return false;
        };
        if answer.response != *response {
            return false;
        }
        self.timers.stop(Timer::Response);
        answer.done = Some(status.clone());
        true
    }

    /// The connection is gone, and nobody will say what the words were.
    pub(crate) fn confirm_for_want_of_words(&mut self, now: Instant) {
        if self.overlap.as_ref().is_some_and(|o| !o.turns.is_empty()) {
            self.confirm(now);
        }
    }

    /// The agent's voice waits until the doubt is over.
    pub(crate) fn is_paused(&self) -> bool {
        let pauses = self.config.interruption.first_sign == FirstSign::Pause;
        self.overlap
            .as_ref()
            .is_some_and(|overlap| pauses || overlap.answer.is_some())
    }

    fn can_overlap(&self) -> bool {
        self.playhead.is_occupied() && self.yielding.is_none() && !self.is_protected()
    }

    /// The doubt, new if need be.
    fn doubt(&mut self, now: Instant) -> &mut Overlap {
        if self.overlap.is_none() {
            self.outputs
                .push_back(Output::Playout(match self.config.interruption.first_sign {
                    FirstSign::Duck => PlayoutOrder::Duck,
                    FirstSign::Pause => PlayoutOrder::Pause,
                }));
            let due = now + self.config.interruption.words_wait;
            self.timers.set(Timer::Overlap, due);
        }
        self.overlap.get_or_insert_with(|| Overlap {
            since: now,
            speaking: BTreeSet::new(),
            is_heard: false,
            ended: None,
            turns: Vec::new(),
            answer: None,
            ended_by: None,
            silent_after: None,
        })
    }

    /// The speech is over: how long its words are waited for.
    fn await_words(&mut self, now: Instant) {
        let Some(overlap) = &self.overlap else {
            return;
        };
        let Some(ended) = overlap.ended else {
            return;
        };
        if overlap.is_all_company() || !self.link.is_up() {
            return self.dismiss(now);
        }
        let settings = &self.config.interruption;
        let wait = if overlap.turns.is_empty() {
            settings.model_wait
        } else {
            settings.words_wait
        };
        self.set_overlap(now, ended + wait);
    }

    fn set_overlap(&mut self, now: Instant, due: Instant) {
        if due > now {
            self.timers.set(Timer::Overlap, due);
        } else {
            self.on_overlap_due(now);
        }
    }
}
