//! Core: a tool that takes its time is not waited for in silence.
//!
//! Owns that it is said once for all calls that run at the same time, and only where nobody speaks. What
//! the tool answers is told and spoken as ever, after that. Does not end a call: the tool plane does.

use std::time::{Duration, Instant};

use crate::{
    Dialog,
    floor::{Purpose, Request},
    note::Note,
    timers::Timer,
};

impl Dialog {
    /// Measures how long people hear nothing because a tool runs.
    pub(crate) fn mind_working(&mut self, now: Instant) {
        if !self.calls.is_running() {
            self.has_told_of_work = false;
        }
        // What was not said in time is not true any more.
        if !self.calls.is_running() || self.user.holds_floor() {
            self.floor.withdraw(Purpose::Working);
        }
        if self.has_told_of_work || !self.waits_for_a_tool() {
            return self.timers.stop(Timer::Working);
        }
        if !self.timers.is_set(Timer::Working) {
            self.timers
                .set(Timer::Working, now + self.config.working_after);
        }
    }

    pub(crate) fn on_working(&mut self, after: Duration) {
        self.has_told_of_work = true;
        self.note(Note::WorkTold { after });
        let request = Request::saying(Purpose::Working, &self.config.working);
        self.floor.want(request);
    }

    /// A tool runs, and nobody speaks or is about to.
    fn waits_for_a_tool(&self) -> bool {
        self.calls.is_running()
            && self.link.is_up()
            && self.closing.is_none()
            && !self.is_silenced
            && self.overlap.is_none()
            && self.yielding.is_none()
            && self.floor.is_empty()
            && !self.user.holds_floor()
            && !self.responses.is_busy()
            && !self.playhead.is_occupied()
    }
}
