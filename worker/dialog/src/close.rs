//! Core: the end of a conversation: why, and what must still be said before it.
//!
//! Owns the one reason that wins. Does not speak: the dialog asks for the goodbye and plays it.

use std::time::{Duration, Instant};

use crate::{
    Dialog, Output,
    floor::{Purpose, Request},
    model::ResponseId,
    note::Note,
    output::{CloseReason, PlayoutOrder},
    timers::Timer,
};

/// A conversation on its way out.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) reason: CloseReason,
    /// The response in which a tool ended the conversation. If it was heard, the goodbye was in
    /// it; `None` = nobody said goodbye yet.
    pub(crate) ended_by: Option<ResponseId>,
    /// The goodbye was asked for, once.
    pub(crate) is_goodbye_asked: bool,
    /// All is said; what was sent last is still on its way to the listeners' ears.
    pub(crate) is_all_said: bool,
}

/// What was handed to the encoder is heard this much later: network, jitter buffer, loudspeaker.
pub(crate) const FAR_END: Duration = Duration::from_millis(300);

impl Dialog {
    /// Ends the conversation politely: what is being said is said, goodbye is said, nobody is
    /// heard any more.
    pub(crate) fn begin_close(
        &mut self,
        now: Instant,
        reason: CloseReason,
        ended_by: Option<ResponseId>,
    ) {
        if self.closing.is_some() || self.has_last_words() {
            return;
        }
        self.dismiss(now);
        // A tool had ended it already, and only the doubt was in its way.
        if self.closing.is_some() {
            return;
        }
        self.closing = Some(Closing {
            reason,
            ended_by,
            is_goodbye_asked: false,
            is_all_said: false,
        });
        self.floor.clear();
        self.timers.stop(Timer::TurnGrace);
        self.timers.set(Timer::Close, now + self.config.close_limit);
        self.settle_ears();
        if self.user.disconnect().is_some() {
            self.note(Note::TurnUnanswered);
        }
        self.control_turns();
    }

    /// Ends a closing conversation as soon as nothing is left to say or to hear.
    pub(crate) fn finish_when_said(&mut self, now: Instant) {
        let Some(closing) = &mut self.closing else {
            return;
        };
        if closing.is_all_said {
            return;
        }
        if !self.link.is_up() {
            self.floor.clear();
        }
        let has_goodbye = closing.is_goodbye_asked
            || closing
                .ended_by
                .as_ref()
                .is_some_and(|response| self.responses.spoke(response));
        if self.responses.is_busy() || !self.floor.is_empty() || self.yielding.is_some() {
            return;
        }
        // Who hangs up now never learns how that ends.
        if self.calls.is_at_provider() {
            return;
        }
        let can_speak = self.link.is_up() && self.audience.caller().is_some();
        if !has_goodbye && can_speak {
            closing.is_goodbye_asked = true;
            self.floor
                .want(Request::saying(Purpose::Goodbye, &self.config.goodbye));
            return self.ask_next(now);
        }
        if self.playhead.is_occupied() {
            return;
        }
        closing.is_all_said = true;
        if self.audience.caller().is_none() {
            self.finish_closing();
        } else {
            self.timers.set(Timer::Close, now + FAR_END);
        }
    }

    pub(crate) fn finish_closing(&mut self) {
        if let Some(closing) = self.closing.take() {
            self.finish(closing.reason);
        }
    }

    /// Ends the conversation now.
    pub(crate) fn finish(&mut self, reason: CloseReason) {
        if self.is_finished {
            return;
        }
        // Whatever else happened meanwhile: without a model there was nothing to be done.
        let reason = self.take_last_words().unwrap_or(reason);
        if let Some(live) = self.responses.live.as_ref().map(|live| live.id.clone()) {
            self.note_cut_off(live);
        }
        for call in self.calls.abandon() {
            self.outputs.push_back(Output::CancelTool(call));
        }
        if self.playhead.is_occupied() || self.responses.is_generating() {
            self.outputs.push_back(Output::Playout(PlayoutOrder::Flush {
                response: None,
                keep: None,
            }));
        }
        let mut shown = Vec::new();
        self.playhead.doom(None);
        let known = self.playhead.known();
        self.playhead.cut(&known, &mut shown);
        self.publish_all(shown);
        self.close_disclosure();
        self.timers.stop_all();
        self.is_finished = true;
        self.outputs.push_back(Output::Finished(reason));
    }
}
