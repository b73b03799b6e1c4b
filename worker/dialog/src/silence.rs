//! Core: a caller who says nothing: asked once whether they are still there, then left in peace.
//!
//! Owns whether they were asked. Silence counts while the agent listens and nobody speaks: not while
//! it speaks or thinks, not while model or room are away, not while nobody is there.

use std::time::{Duration, Instant};

use crate::{
    Dialog,
    floor::{Purpose, Request},
    note::Note,
    output::{AgentState, CloseReason},
    timers::Timer,
};

/// What is done about silence.
#[derive(Clone, Debug)]
pub struct Silence {
    /// What the agent asks, as an instruction to the model.
    pub prompt: String,
    /// Silence after which it asks.
    pub prompt_after: Duration,
    /// Further silence after which it says goodbye and the conversation ends.
    pub hang_up_after: Duration,
}

/// How far one stretch of silence is.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    has_asked: bool,
}

impl Dialog {
    /// Somebody came, spoke or typed: the next silence is a new one.
    pub(crate) fn heard_from_caller(&mut self) {
        self.patience.has_asked = false;
        self.timers.stop(Timer::Silence);
        self.floor.withdraw(Purpose::Prompt);
    }

    /// Measures silence while there is any.
    pub(crate) fn mind_silence(&mut self, now: Instant) {
        let Some(silence) = &self.config.silence else {
            return;
        };
        let is_silent = self.agent.state() == Some(AgentState::Listening)
            && self.closing.is_none()
            && !self.is_room_away
            && !self.is_silenced
            && self.overlap.is_none()
            && !self.user.holds_floor();
        if !is_silent {
            return self.timers.stop(Timer::Silence);
        }
        if !self.timers.is_set(Timer::Silence) {
            let wait = if self.patience.has_asked {
                silence.hang_up_after
            } else {
                silence.prompt_after
            };
            self.timers.set(Timer::Silence, now + wait);
        }
    }

    /// The model said all of a response. A question that failed, or was cut short, was not asked.
    pub(crate) fn on_said(&mut self, request: Option<&Request>) {
        self.patience.has_asked |= request.is_some_and(|r| r.purpose == Purpose::Prompt);
    }

    pub(crate) fn on_long_silence(&mut self, now: Instant) {
        let Some(silence) = &self.config.silence else {
            return;
        };
        if self.patience.has_asked {
            return self.begin_close(now, CloseReason::CallerSilent, None);
        }
        let request = Request::saying(Purpose::Prompt, &silence.prompt);
        let after = silence.prompt_after;
        self.floor.want(request);
        self.note(Note::SilencePrompted { after });
    }
}
