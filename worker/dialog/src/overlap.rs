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
    backchannel::Meaning,
    config::FirstSign,
    input::SpeechEdge,
    model::{ItemId, ResponseId, ResponseStatus},
    output::PlayoutOrder,
    speaker::ParticipantId,
    timers::Timer,
};

mod echo;
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
    /// Since when somebody has been speaking without a pause; `None` = nobody is.
    burst: Option<Instant>,
    /// Speech that is over, together.
    spoken: Duration,
    /// When the speech ended; `None` = it goes on.
    ended: Option<Instant>,
    /// What the model makes of it, which counts only if it is a turn.
    turns: Vec<Pending>,
    /// The model's own answer to it; it waits behind the pause.
    answer: Option<Answer>,
    /// The response in which a tool wants to end the conversation, unless this is a turn.
    ended_by: Option<ResponseId>,
    /// All that was heard was the agent itself.
    is_echo: bool,
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
    /// Its words, which ask for nothing; `None` = not known.
    company: Option<String>,
}

#[derive(Debug)]
struct Answer {
    response: ResponseId,
    /// What it answers.
    item: ItemId,
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
        !self.turns.is_empty() && self.turns.iter().all(|turn| turn.company.is_some())
    }

    /// The model has answered, and is free to answer again.
    fn is_answered(&self) -> bool {
        self.answer
            .as_ref()
            .is_some_and(|answer| answer.done.is_some())
    }

    fn find(&mut self, item: &ItemId) -> Option<&mut Pending> {
        self.turns.iter_mut().find(|turn| turn.item == *item)
    }
}

/// What the model heard beside the agent's voice and had not ended when that went on. It is a turn,
/// answered when the agent has finished; but words in it still interrupt.
#[derive(Debug)]
pub(crate) struct Beside {
    item: ItemId,
    is_committed: bool,
    answer: Option<ResponseId>,
}

impl Beside {
    pub(crate) fn commit_as(&mut self, item: &ItemId) {
        self.is_committed |= self.item == *item;
    }

    pub(crate) fn answer_by(&mut self, response: &ResponseId) {
        if self.is_committed {
            self.answer.get_or_insert_with(|| response.clone());
        }
    }
}

/// What people and the model's turn detection do while it is in doubt.
impl Dialog {
    /// An ear hears somebody begin or end to speak.
    pub(crate) fn on_speech(&mut self, now: Instant, participant: ParticipantId, edge: SpeechEdge) {
        if !self.audience.is_person(&participant) {
            return;
        }
        self.speak_into_gap(edge);
        match edge {
            SpeechEdge::Echoed => self.on_echo(now, &participant),
            SpeechEdge::Started { before } => {
                let began = now.checked_sub(before).unwrap_or(now);
                self.voices.begin(participant.clone(), began);
                self.hears_presser(&participant);
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
        let is_by_hand = self.config.presses_to_talk;
        if self.overlap.is_none() && (is_by_hand || !self.can_overlap()) {
            return;
        }
        let overlap = self.doubt(now);
        overlap.is_heard = true;
        overlap.ended = None;
        overlap.speaking.insert(participant);
        let since = overlap.since;
        let burst = *overlap.burst.get_or_insert_with(|| began.max(since));
        self.wait_for_length(now, burst);
    }

    /// Speech goes on: when it is long enough to be a turn, counted from the doubt's beginning.
    fn wait_for_length(&mut self, now: Instant, burst: Instant) {
        let settings = &self.config.interruption;
        let spoken = self.overlap.as_ref().map_or(Duration::ZERO, |o| o.spoken);
        let due = burst + settings.min_speech.saturating_sub(spoken) + settings.edge_lag;
        self.set_overlap(now, due);
    }

    pub(crate) fn on_silent(&mut self, now: Instant, participant: &ParticipantId, ended: Instant) {
        let Some(overlap) = &mut self.overlap else {
            return;
        };
        let was_speaking = overlap.speaking.remove(participant);
        if !was_speaking || !overlap.speaking.is_empty() {
            return;
        }
        overlap.ended = Some(ended);
        if let Some(burst) = overlap.burst.take() {
            overlap.spoken += ended.saturating_duration_since(burst);
        }
        if overlap.spoken > self.config.interruption.min_speech {
            self.confirm(now);
        } else {
            self.wait_for_words(now);
        }
    }

    /// The model hears speech. Returns whether that is in doubt.
    pub(crate) fn doubts_start(&mut self, now: Instant, item: &ItemId) -> bool {
        if self.is_aftermath(now) {
            self.dismiss_echo(now, item);
            return true;
        }
        if self.overlap.is_none() && !self.can_overlap() {
            return false;
        }
        self.dismissed.expect_answer(false);
        let overlap = self.doubt(now);
        overlap.turns.push(Pending {
            item: item.clone(),
            started: now,
            stopped: None,
            is_committed: false,
            is_unanswered: false,
            company: None,
        });
        let (count, is_heard) = (overlap.turns.len(), overlap.is_heard);
        if !is_heard {
            overlap.ended = None;
        }
        let has_ended = overlap.ended.is_some();
        if count > TURNS {
            self.confirm(now);
        } else if has_ended {
            self.wait_for_words(now);
        } else if !is_heard {
            self.set_overlap(now, now + self.config.interruption.words_wait);
        }
        true
    }

    /// The model hears it end. Returns whether that is in doubt.
    pub(crate) fn doubts_stop(&mut self, now: Instant, item: &ItemId) -> bool {
        if let Some(dismissed) = self.dismissed.find(item) {
            dismissed.span.1 = now;
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
            self.wait_for_words(now);
        }
        true
    }

    /// The speech became an item. Returns whether it is in doubt that this is a turn.
    pub(crate) fn doubts_commit(&mut self, now: Instant, item: &ItemId) -> bool {
        if let Some(dismissed) = self.dismissed.find(item) {
            dismissed.is_committed = true;
            let is_answer_due = self.model_creates() && self.responses.live.is_none();
            self.dismissed.expect_answer(is_answer_due);
            self.take_back();
            return true;
        }
        let is_free = self.overlap.as_ref().is_some_and(Overlap::is_answered);
        let is_busy = self.responses.live.is_some() && !is_free;
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
        let meaning = self.backchannels.meaning(text, is_final);
        if self.dismissed.holds(item) {
            if is_final {
                self.late_words(now, item, text, meaning);
            }
            return true;
        }
        if meaning == Meaning::Words {
            self.words_beside(now, item);
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
                turn.company = Some(text.to_owned());
                self.wait_for_words(now);
            }
        }
        true
    }

    /// Words of what was heard beside the agent's voice: it yields after all.
    fn words_beside(&mut self, now: Instant, item: &ItemId) {
        let Some(beside) = self.beside.take_if(|beside| beside.item == *item) else {
            return;
        };
        if self.overlap.is_some() {
            self.confirm(now);
        } else if !self.is_protected() && self.closing.is_none() {
            self.yield_floor_to(now, None, beside.answer.as_ref());
            self.call_off_look_ups();
        }
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
        let answers = |turn: &&Pending| turn.is_committed && !turn.is_unanswered;
        let is_lowered = self.config.interruption.first_sign == FirstSign::Duck;
        let Some(turn) = overlap.turns.iter().rev().find(answers) else {
            return false;
        };
        if overlap.answer.is_some() {
            return false;
        }
        overlap.answer = Some(Answer {
            response: response.clone(),
            item: turn.item.clone(),
            done: None,
        });
        // A voice that was only lowered would go on into this answer.
        if is_lowered {
            self.outputs.push_back(Output::Playout(PlayoutOrder::Pause));
        }
        true
    }

    /// Whether it is in doubt that anybody wants this response.
    pub(crate) fn is_doubtful(&self, response: &ResponseId) -> bool {
        let answer = self.overlap.as_ref().and_then(|o| o.answer.as_ref());
        answer.is_some_and(|answer| answer.response == *response)
    }

    /// The model creates the next response: an answer that was held back to its end is not the last
    /// word any more.
    pub(crate) fn make_room_for_answer(&mut self, now: Instant) {
        let Some(overlap) = &mut self.overlap else {
            return;
        };
        if let Some(answer) = overlap.answer.take_if(|answer| answer.done.is_some()) {
            self.drop_answer(now, answer);
        }
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

    /// The doubt, new if need be. Who speaks already belongs to it.
    fn doubt(&mut self, now: Instant) -> &mut Overlap {
        if self.overlap.is_none() {
            self.outputs
                .push_back(Output::Playout(match self.config.interruption.first_sign {
                    FirstSign::Duck => PlayoutOrder::Duck,
                    FirstSign::Pause => PlayoutOrder::Pause,
                }));
            let settings = &self.config.interruption;
            let speaking: BTreeSet<_> = self.voices.speaking().cloned().collect();
            let is_heard = !speaking.is_empty();
            let due = if is_heard {
                now + settings.min_speech + settings.edge_lag
            } else {
                now + settings.words_wait
            };
            self.timers.set(Timer::Overlap, due);
            self.overlap = Some(Overlap {
                since: now,
                speaking,
                is_heard,
                burst: is_heard.then_some(now),
                spoken: Duration::ZERO,
                ended: None,
                turns: Vec::new(),
                answer: None,
                ended_by: None,
                is_echo: false,
                silent_after: None,
            });
        }
        self.overlap.as_mut().expect("there is a doubt now")
    }

    /// The speech is over: how long its words are waited for.
    fn wait_for_words(&mut self, now: Instant) {
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
