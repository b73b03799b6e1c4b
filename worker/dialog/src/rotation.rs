//! Core: a long conversation moves to a fresh connection, in a silence that nobody minds.
//!
//! Owns how far that is. The world opens and configures the spare connection while the old one
//! serves; when everybody has been silent for a moment the dialog moves: it tells the spare what
//! happened and goes on there. Nothing is greeted twice and nothing that was said is lost. Does not
//! decide that it is time: the world does that, by turns, delay and age of the connection.

use std::time::{Duration, Instant};

use crate::{
    Dialog, Greeting,
    model::{Capabilities, Order},
    note::Note,
    timers::Timer,
};

/// Nobody has said anything for so long. 400 ms: longer than the pauses inside a sentence, shorter
/// than people wait for each other.
const SILENCE: Duration = Duration::from_millis(400);

/// How far a rotation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rotation {
    #[default]
    None,
    /// A spare connection is there.
    Ready,
    /// The dialog goes on over the spare; what still comes is of the old one.
    Moving,
}

impl Dialog {
    pub(crate) fn on_spare(&mut self) {
        if self.rotation == Rotation::None && self.link.is_up() {
            self.rotation = Rotation::Ready;
        }
    }

    /// From now on events are the fresh connection's.
    pub(crate) fn on_rotated(&mut self, capabilities: Capabilities) {
        if self.rotation != Rotation::Moving {
            return self.note_unexpected("rotation that was not asked for");
        }
        self.rotation = Rotation::None;
        self.link.replace(capabilities);
    }

    /// Measures the silence in which to move.
    pub(crate) fn mind_rotation(&mut self, now: Instant) {
        if self.rotation != Rotation::Ready || !self.is_silent() {
            return self.timers.stop(Timer::Rotation);
        }
        if !self.timers.is_set(Timer::Rotation) {
            self.timers.set(Timer::Rotation, now + SILENCE);
        }
    }

    /// It has been silent for long enough.
    pub(crate) fn rotate(&mut self) {
        self.order(Order::Rotate);
        self.rotation = Rotation::Moving;
        self.responses.disconnect();
        self.playhead.disconnect();
        self.disconnect_calls();
        let playhead = &self.playhead;
        self.conversation.disconnect(|item| playhead.holds(item));
        self.dismissed.disconnect();
        self.addressing.disconnect();
        self.timers.stop(Timer::Name);
        self.timers.stop(Timer::Verdict);
        self.beside = None;
        self.update_anew();
        let items = self.conversation.hand_over();
        let items = self.tell(items);
        self.begin_turns();
        self.note(Note::Rotated { items });
    }

    /// Nobody speaks, thinks, or is about to.
    fn is_silent(&self) -> bool {
        self.link.is_up()
            && self.closing.is_none()
            && self.overlap.is_none()
            && self.yielding.is_none()
            && self.floor.is_empty()
            && !matches!(self.greeting, Greeting::Wanted { .. })
            && !self.user.holds_floor()
            && !self.addressing.is_waiting()
            && self.voices.speaking().next().is_none()
            && !self.responses.is_busy()
            && !self.playhead.is_occupied()
            && !self.calls.is_running()
            && !(self.link.transcribes() && self.conversation.lacks_words())
    }
}
