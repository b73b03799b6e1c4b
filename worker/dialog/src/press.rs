//! Core: turns that people mark by hand: they press to talk, and are answered when they let go.
//!
//! Owns who presses. An ear is open only while its person does, and a moment longer, because the last
//! word is still on its way. Does not know keys or buttons.

use std::time::{Duration, Instant};

use crate::{Dialog, model::Order, note::Note, speaker::ParticipantId, timers::Timer};

/// What was said when a key was let go needs so long to arrive: the network, its jitter, a packet.
const TAIL: Duration = Duration::from_millis(200);
/// A commit is answered within a round trip; after this long there was nothing to commit.
const COMMIT_LIMIT: Duration = Duration::from_secs(2);

/// Who presses to talk.
#[derive(Debug, Default)]
pub(crate) struct Presses {
    pressing: Vec<ParticipantId>,
    /// They let go a moment ago.
    trailing: Vec<ParticipantId>,
    /// They let go while no model heard it.
    is_uncommitted: bool,
}

impl Presses {
    /// Somebody presses.
    pub(crate) fn is_any_down(&self) -> bool {
        !self.pressing.is_empty()
    }

    /// The connection that was told to commit is gone.
    pub(crate) fn commit_again(&mut self) {
        self.is_uncommitted = true;
    }

    /// Whose ears are open.
    pub(crate) fn is_open(&self, participant: &ParticipantId) -> bool {
        self.pressing.contains(participant) || self.trailing.contains(participant)
    }
}

impl Dialog {
    /// Somebody wants to talk: that is an interruption without doubt.
    pub(crate) fn on_press(&mut self, now: Instant, participant: ParticipantId) {
        let is_heard = self.audience.heard().any(|heard| *heard == participant);
        if !self.config.presses_to_talk || !is_heard || self.closing.is_some() {
            return self.note_unexpected("press that opens nothing");
        }
        if self.presses.pressing.contains(&participant) {
            return;
        }
        self.heard_from_caller();
        let is_first = self.presses.pressing.is_empty() && self.presses.trailing.is_empty();
        self.presses
            .trailing
            .retain(|trailing| *trailing != participant);
        self.presses.pressing.push(participant);
        self.timers.stop(Timer::Release);
        self.timers.stop(Timer::Commit);
        if is_first {
            if !self.is_protected() {
                self.stop_speaking(now);
                self.drop_greeting();
            }
            if self.link.is_up() {
                self.order(Order::ClearInput);
            }
            self.begin_turn(now);
        }
        self.settle_ears();
    }

    /// They let go, or left.
    pub(crate) fn on_release(&mut self, now: Instant, participant: &ParticipantId) {
        let Presses {
            pressing, trailing, ..
        } = &mut self.presses;
        let Some(place) = pressing.iter().position(|one| one == participant) else {
            return;
        };
        trailing.push(pressing.remove(place));
        if pressing.is_empty() {
            self.timers.set(Timer::Release, now + TAIL);
        }
    }

    /// Everything that was said has arrived.
    pub(crate) fn on_all_released(&mut self, now: Instant) {
        self.presses.trailing.clear();
        if self.closing.is_some() {
            return;
        }
        self.user.stop(now);
        self.settle_ears();
        self.presses.is_uncommitted = true;
        if self.link.is_up() {
            self.commit_what_waits(now);
        }
    }

    /// What was said becomes an item: at once, or on the next connection.
    pub(crate) fn commit_what_waits(&mut self, now: Instant) {
        if std::mem::take(&mut self.presses.is_uncommitted) {
            self.order(Order::Commit);
            self.timers.set(Timer::Commit, now + COMMIT_LIMIT);
        }
    }

    /// Nothing became of it: the key was touched, and nothing said.
    pub(crate) fn on_commit_overdue(&mut self) {
        self.user.disconnect();
        self.note(Note::TurnUnanswered);
    }
}
