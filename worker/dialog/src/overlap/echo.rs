//! Core: what somebody seemed to say was the agent itself, back through their microphone.
//!
//! The agent goes on at once, and what the model makes of it is no turn, as long as nobody says a word
//! besides. Does not recognise anything: that is the ears'.

use std::time::{Duration, Instant};

use crate::{Dialog, dismissed::Item, model::ItemId, note::Note, speaker::ParticipantId};

/// What the model still makes of an echo after its ear has recognised it begins within this time.
const AFTERMATH: Duration = Duration::from_millis(1_500);

impl Dialog {
    /// What this ear took for speech was none.
    pub(super) fn on_echo(&mut self, now: Instant, participant: &ParticipantId) {
        self.note(Note::Echoed);
        self.voices.retract(participant);
        self.echoed = Some(now);
        let Some(overlap) = &mut self.overlap else {
            return self.undo_turn(now);
        };
        if !overlap.speaking.remove(participant) || !overlap.speaking.is_empty() {
            return;
        }
        overlap.burst = None;
        overlap.ended = Some(now);
        if overlap.spoken.is_zero() {
            overlap.is_echo = true;
            self.dismiss(now);
        } else {
            self.wait_for_words(now);
        }
    }

    /// Nobody could interrupt, so what the model heard became a turn: it is none, if nobody else speaks.
    fn undo_turn(&mut self, now: Instant) {
        if self.voices.speaking().next().is_some() || !self.user.is_speaking() {
            return;
        }
        if let Some(item) = self.heard_item.take() {
            self.user.disconnect();
            self.dismiss_echo(now, &item);
        }
    }

    /// The model hears speech a moment after an echo, and no ear hears a person.
    pub(super) fn is_aftermath(&self, now: Instant) -> bool {
        self.echoed.is_some_and(|at| {
            now.saturating_duration_since(at) < AFTERMATH
                && self.voices.speaking().next().is_none()
                && self.voices.between(at, now).is_empty()
        })
    }

    /// What the model hears is no turn, unless somebody turns out to speak in it.
    pub(super) fn dismiss_echo(&mut self, now: Instant, item: &ItemId) {
        self.dismissed.push(Item {
            id: item.clone(),
            span: (now, now),
            is_committed: false,
            is_echo: true,
            is_known: false,
            is_deleted: false,
        });
    }
}
