//! Core: turns that people mark by hand: they press to talk, and are answered when they let go.
//!
//! Owns who presses. An ear is open only while its person does, and a moment longer, because the last
//! word is still on its way. Does not know keys or buttons.

use std::time::{Duration, Instant};

use crate::{Dialog, model::Order, note::Note, speaker::ParticipantId, timers::Timer};

/// What was said when a key was let go needs so long to arrive: the network, its jitter, a packet.
const TAIL: Duration = Duration::from_millis(200);
/// A key that is down for less, and nobody heard speaking, was only touched.
const TOUCH: Duration = Duration::from_millis(300);
/// Nobody speaks for so long without a breath; a release may be lost on the way.
const LONGEST_PRESS: Duration = Duration::from_secs(120);
/// A commit is answered within a round trip; after this long there was nothing to commit.
const COMMIT_LIMIT: Duration = Duration::from_secs(2);

/// Who presses to talk.
#[derive(Debug, Default)]
pub(crate) struct Presses {
    pressing: Vec<ParticipantId>,
    /// They let go a moment ago; what they said has arrived then.
    trailing: Vec<(ParticipantId, Instant)>,
    /// Since when somebody does; `None` = nobody did.
    since: Option<Instant>,
    /// An ear heard speech meanwhile.
    is_spoken: bool,
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
        let mut trailing = self.trailing.iter();
        self.pressing.contains(participant) || trailing.any(|(who, _)| who == participant)
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
            .retain(|(trailing, _)| *trailing != participant);
        self.presses.pressing.push(participant);
        self.timers.stop(Timer::Commit);
        self.timers.set(Timer::Press, now + LONGEST_PRESS);
        self.link.forget_heard_again();
        if is_first {
            self.presses.since = Some(now);
            self.presses.is_spoken = false;
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
        trailing.push((pressing.remove(place), now + TAIL));
        if !self.timers.is_set(Timer::Release) {
            self.timers.set(Timer::Release, now + TAIL);
        }
    }

    /// Nobody presses for so long; a release was lost.
    pub(crate) fn on_endless_press(&mut self, now: Instant) {
        for participant in self.presses.pressing.clone() {
            self.on_release(now, &participant);
        }
    }

    /// An ear heard somebody who presses.
    pub(crate) fn hears_presser(&mut self, participant: &ParticipantId) {
        self.presses.is_spoken |= self.presses.is_open(participant);
    }

    /// What somebody said who let go has arrived.
    pub(crate) fn on_tail_over(&mut self, now: Instant) {
        self.presses.trailing.retain(|(_, due)| *due > now);
        if let Some((_, next)) = self.presses.trailing.first() {
            self.timers.set(Timer::Release, *next);
        }
        if self.closing.is_some() {
            return;
        }
        self.settle_ears();
        if self.presses.pressing.is_empty() && self.presses.trailing.is_empty() {
            self.end_press(now);
        }
    }

    /// Nobody presses any more: what was said is a turn.
    fn end_press(&mut self, now: Instant) {
        self.timers.stop(Timer::Press);
        let since = self.presses.since.take().unwrap_or(now);
        let is_short = now.saturating_duration_since(since) < TOUCH + TAIL;
        if is_short && !self.presses.is_spoken {
            self.user.disconnect();
            if self.link.is_up() {
                self.order(Order::ClearInput);
            }
            return self.note(Note::TurnUnanswered);
        }
        self.user.stop(now);
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
        self.link.take_notice();
        self.user.disconnect();
        self.note(Note::TurnUnanswered);
    }
}
