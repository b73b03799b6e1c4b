//! Core: the agent speaks first.

use std::time::Instant;

use crate::{
    Dialog,
    floor::{Purpose, Request},
};

/// How far the greeting is. It is wanted once; only a greeting nobody heard is asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    Due,
    Wanted { since: Instant },
    Over,
}

impl Dialog {
    /// Asked for before anybody can hear it: the model needs longer than the room.
    pub(crate) fn greet_when_ready(&mut self, now: Instant) {
        let is_due = self.greeting == Greeting::Due && self.closing.is_none();
        if !is_due || self.audience.caller().is_none() || !self.link.is_up() {
            return;
        }
        if let Some(words) = &self.config.greeting {
            self.floor.want(Request::saying(Purpose::Greeting, words));
            self.greeting = Greeting::Wanted { since: now };
        }
    }

    /// Nobody may interrupt what is being said.
    pub(crate) fn is_protected(&self) -> bool {
        self.is_greeting_protected() || self.is_disclosing()
    }

    /// Somebody wants the floor and gets it, unless nobody may have it.
    pub(crate) fn give_floor(&mut self, now: Instant) {
        if !self.is_protected() {
            self.yield_floor(now);
            self.call_off_look_ups();
        }
        if !self.is_greeting_protected() {
            self.drop_greeting();
        }
    }

    fn is_greeting_protected(&self) -> bool {
        let greeting = self.greeted_by.as_ref();
        let is_greeting = matches!(self.greeting, Greeting::Wanted { .. })
            || greeting.is_some_and(|response| self.playhead.plays(response));
        self.config.interruption.protect_greeting && is_greeting
    }
}
