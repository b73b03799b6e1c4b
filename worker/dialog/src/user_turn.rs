//! Core: one user turn, as the model's turn detection reports it.
//!
//! Quiet → Speaking → Trailing → Committed → Quiet. Owns the number of the turn, when it ended, and
//! who spoke which item. Does not decide who answers; that is `floor.rs`.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{model::ItemId, speaker::ParticipantId};

/// How many user items are remembered with their speaker: transcripts come late, but not that late.
const SPEAKERS: usize = 32;

#[derive(Clone, Debug, Default, PartialEq)]
enum State {
    #[default]
    Quiet,
    Speaking {
        since: Instant,
    },
    Trailing {
        since: Instant,
        stopped: Instant,
    },
    Committed {
        item: ItemId,
        at: Instant,
    },
}

/// The user's side of the conversation.
#[derive(Debug, Default)]
pub(crate) struct UserTurn {
    state: State,
    number: u64,
    /// End of the last turn nobody has heard an answer to; `None` = answered, or none yet.
    unheard: Option<Instant>,
    speakers: VecDeque<(ItemId, ParticipantId)>,
}

/// What a commit means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// How long the person spoke.
    pub(crate) speech: Duration,
    /// When they ended.
    pub(crate) ended: Instant,
}

impl UserTurn {
    /// Somebody starts. Returns whether a committed turn was still waiting for its answer.
    pub(crate) fn start(&mut self, now: Instant) -> bool {
        let waited = self.is_committed();
        self.state = State::Speaking { since: now };
        self.number += 1;
        self.unheard = None;
        waited
    }

    pub(crate) fn stop(&mut self, now: Instant) {
        if let State::Speaking { since } = self.state {
            self.state = State::Trailing {
                since,
                stopped: now,
            };
        }
    }

    /// The turn became an item; also without speech (the provider's idle timeout does that).
    pub(crate) fn commit(&mut self, now: Instant, item: ItemId) -> Commit {
        let (speech, stopped) = match self.state {
            State::Speaking { since } => (now - since, now),
            State::Trailing { since, stopped } => (stopped - since, stopped),
            State::Quiet | State::Committed { .. } => {
                self.number += 1;
                (Duration::ZERO, now)
            }
        };
        self.state = State::Committed { item, at: now };
        self.unheard = Some(stopped);
        Commit {
            speech,
            ended: stopped,
        }
    }

    /// Somebody answers the committed turn. Returns how long it had waited.
    pub(crate) fn answer(&mut self, now: Instant) -> Option<Duration> {
        let State::Committed { at, .. } = self.state else {
            return None;
        };
        self.state = State::Quiet;
        Some(now - at)
    }

    /// The connection that knew about this turn is gone. Returns the item of a turn that had
    /// ended and was waiting; `Some(None)` = its item never came.
    pub(crate) fn disconnect(&mut self) -> Option<Option<ItemId>> {
        match std::mem::take(&mut self.state) {
            State::Committed { item, .. } => Some(Some(item)),
            State::Trailing { .. } => Some(None),
            State::Quiet | State::Speaking { .. } => None,
        }
    }

    /// The first sound of an answer. Returns the time since the end of the turn.
    pub(crate) fn heard(&mut self, now: Instant) -> Option<Duration> {
        self.unheard
            .take()
            .map(|end| now.saturating_duration_since(end))
    }

    /// Number of the current or last turn.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The first turn whose answer can know about something that is said or done now.
    pub(crate) fn next_to_end(&self) -> u64 {
        if self.is_speaking() {
            self.number
        } else {
            self.number + 1
        }
    }

    pub(crate) fn is_speaking(&self) -> bool {
        matches!(self.state, State::Speaking { .. })
    }

    pub(crate) fn is_committed(&self) -> bool {
        matches!(self.state, State::Committed { .. })
    }

    /// Whether the next word belongs to the user's turn: it goes on, or its answer is due.
    pub(crate) fn holds_floor(&self) -> bool {
        self.state != State::Quiet
    }

    pub(crate) fn set_speaker(&mut self, item: &ItemId, speaker: &ParticipantId) {
        if self.speaker(item).is_some() {
            return;
        }
        if self.speakers.len() == SPEAKERS {
            self.speakers.pop_front();
        }
        self.speakers.push_back((item.clone(), speaker.clone()));
    }

    pub(crate) fn speaker(&self, item: &ItemId) -> Option<&ParticipantId> {
        self.speakers
            .iter()
            .find(|(known, _)| known == item)
            .map(|(_, speaker)| speaker)
    }
}
