//! Core: the named timers of a conversation.
//!
//! Owns when each of them runs out. Does not know what running out means; that is decided in
//! `Dialog::handle_timeout`.

use std::time::Instant;

/// Everything a conversation may be waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Nothing is asked of the model before this.
    Backoff,
    /// The last caller may come back until then.
    CallerGrace,
    /// A goodbye must be over by then.
    Close,
    /// What was said while somebody pressed must be an item by then.
    Commit,
    /// The outgoing queue must have reported its flush by then.
    Flush,
    /// People have waited in silence for a model that is away for too long then.
    Gap,
    /// The model must have noticed by then what it hears again.
    Hearing,
    /// The last words were heard by then, or cannot be.
    LastWords,
    /// The words of a turn must have come by then, to know whom it is meant for.
    Name,
    /// Whether somebody who speaks beside the agent wants the floor must be clear by then.
    Overlap,
    /// Whoever presses must have let go by then: a release may be lost.
    Press,
    /// What was said when somebody let go has arrived then.
    Release,
    /// The response that was asked for or is being generated must show a sign of life by then.
    Response,
    /// Everybody has been silent for long enough then, to move to a fresh connection.
    Rotation,
    /// The caller must have said something by then.
    Silence,
    /// The model must have created a response for the committed turn by then.
    TurnGrace,
    /// The model must have said by then whether a turn is meant for the agent.
    Verdict,
    /// People have waited in silence for a tool for too long then.
    Working,
}

const ALL: [Timer; 18] = [
    Timer::Backoff,
    Timer::CallerGrace,
    Timer::Close,
    Timer::Commit,
    Timer::Flush,
    Timer::Gap,
    Timer::Hearing,
    Timer::LastWords,
    Timer::Name,
    Timer::Overlap,
    Timer::Press,
    Timer::Release,
    Timer::Response,
    Timer::Rotation,
    Timer::Silence,
    Timer::TurnGrace,
    Timer::Verdict,
    Timer::Working,
];

/// One optional deadline per timer.
#[derive(Debug, Default)]
pub(crate) struct TimerTable {
    due: [Option<Instant>; ALL.len()],
}

impl TimerTable {
    pub(crate) fn set(&mut self, timer: Timer, due: Instant) {
        self.due[timer as usize] = Some(due);
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.due[timer as usize] = None;
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.due[timer as usize].is_some()
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.iter().flatten().min().copied()
    }

    /// Takes out one timer that has run out at `now`, the earliest first.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<Timer> {
        let due = self.next().filter(|due| *due <= now)?;
        let timer = ALL
            .into_iter()
            .find(|timer| self.due[*timer as usize] == Some(due))?;
        self.stop(timer);
        Some(timer)
    }
}
