//! Core: an agent that was told to be silent, and told to go on.
//!
//! Owns whether it is. It keeps hearing: what people say becomes items and text as ever, so that it
//! knows all of it when it is told to go on. What was asked of it meanwhile is not answered later: a
//! person has answered by then. It still says what somebody with authority wants said, and goodbye.

use std::time::Instant;

use crate::{
    Dialog, Greeting,
    floor::{Purpose, Request},
    note::Note,
    timers::Timer,
};

impl Dialog {
    /// What is being said ends, and nothing is answered any more.
    pub(crate) fn be_silent(&mut self, now: Instant) {
        if self.closing.is_some() {
            return self.note_unexpected("silence while closing");
        }
        if std::mem::replace(&mut self.is_silenced, true) {
            return;
        }
        self.drop_sentence();
        self.stop_speaking(now);
        self.timers.stop(Timer::TurnGrace);
        self.addressing.settle();
        if self.user.answer(now).is_some() {
            self.note(Note::TurnUnanswered);
        }
        if self.greeting != Greeting::Over {
            self.drop_greeting();
        }
    }

    /// The next turn is answered again.
    pub(crate) fn go_on(&mut self) {
        self.is_silenced = false;
    }

    /// Who speaks beside the agent has the floor; nor is what they are answered said.
    pub(crate) fn stop_speaking(&mut self, now: Instant) {
        self.yield_floor(now);
        self.yield_floor_to(now, None, None);
    }

    /// Says exactly this, at once: it stops what is being said.
    pub(crate) fn interject(&mut self, now: Instant, words: &str) {
        if self.closing.is_some() {
            return self.note_unexpected("interjection while closing");
        }
        self.drop_sentence();
        self.stop_speaking(now);
        self.drop_greeting();
        let request = Request::saying(Purpose::Say, &verbatim(words));
        self.floor.want(request);
    }
}

/// The instruction to say a sentence and nothing else.
pub(crate) fn verbatim(words: &str) -> String {
    format!("Say exactly this sentence, word for word, and nothing else: {words:?}")
}
