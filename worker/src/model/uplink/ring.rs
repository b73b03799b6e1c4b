//! Core: audio frames in order, bounded by duration, oldest dropped first.
//!
//! It knows neither tasks nor time; the bound follows the state of the link. Audio kept during an
//! outage is not cut when the link comes back: the tight bound returns once it has been taken. What was
//! told may have to be told again: [`owed`] knows what.

mod owed;

use std::{collections::VecDeque, time::Duration};

use dialog::model::ItemId;

use self::owed::Owed;
use crate::media::{Pcm, samples};

/// While the link is up. 1 s: older audio would only make the model answer late.
const UP_LIMIT: Duration = Duration::from_secs(1);

/// While the link is down. 10 s: a question asked during a reconnect is not lost.
const DOWN_LIMIT: Duration = Duration::from_secs(10);

/// What comes all at once is cut into pieces, so that the bound takes no more than it must.
const PIECE: Duration = Duration::from_millis(100);

/// Pieces whose memory waits to be used again. Two are on their way at a time, more when the socket is behind.
const SPARES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Up, with kept audio still to be taken.
    CatchingUp,
    Closed,
    Down,
    Up,
}

#[derive(Debug)]
pub(super) struct Ring {
    frames: VecDeque<Pcm>,
    /// Sum of their durations.
    held: Duration,
    owed: Owed,
    state: State,
    /// Pieces that were told, for their memory; at most [`SPARES`], none longer than [`PIECE`].
    spare: Vec<Pcm>,
    /// What was taken last came faster than it was said.
    is_burst: bool,
    dropped: u64,
}

impl Ring {
    pub(super) fn new() -> Self {
        Self {
            frames: VecDeque::new(),
            held: Duration::ZERO,
            owed: Owed::default(),
            state: State::Down,
            spare: Vec::new(),
            is_burst: false,
            dropped: 0,
        }
    }

    /// Adds a frame and tells how many had to go for it.
    pub(super) fn push(&mut self, frame: Pcm) -> u64 {
        if self.state == State::Closed {
            self.dropped += 1;
            return 1;
        }
        if frame.duration().is_zero() {
            return 0;
        }
        // More than real time brings was kept somewhere else, and is wanted whole.
        if frame.duration() > UP_LIMIT {
            if self.state == State::Up {
                self.state = State::CatchingUp;
            }
            let pieces = frame.as_slice().chunks(samples(PIECE));
            return pieces
                .map(|piece| self.push(Pcm::from(piece.to_vec())))
                .sum();
        }
        self.held += frame.duration();
        self.frames.push_back(frame);
        let mut dropped = 0;
        while self.held > self.limit() && self.frames.len() > 1 {
            self.pop();
            dropped += 1;
        }
        self.dropped += dropped;
        dropped
    }

    pub(super) fn take(&mut self, at_most: Duration, into: &mut Vec<Pcm>) {
        self.is_burst = self.state == State::CatchingUp;
        let mut taken = Duration::ZERO;
        while let Some(next) = self.frames.front() {
            taken += next.duration();
            if taken > at_most && !into.is_empty() {
                break;
            }
            into.extend(self.pop());
        }
        if self.state == State::CatchingUp && self.held <= UP_LIMIT {
            self.state = State::Up;
        }
    }

    /// What was taken has been written.
    pub(super) fn told(&mut self, frames: impl Iterator<Item = Pcm>) {
        if self.state == State::Closed {
            return;
        }
        for frame in frames {
            self.owed.tell(frame.as_slice(), self.is_burst);
            if self.spare.len() < SPARES && frame.duration() <= PIECE {
                self.spare.push(frame);
            }
        }
    }

    /// A piece that is not needed any more, for its memory.
    pub(super) fn spare(&mut self) -> Option<Pcm> {
        self.spare.pop()
    }

    /// What may have to be told again.
    pub(super) fn owed(&mut self) -> &mut Owed {
        &mut self.owed
    }

    /// What was told as these items waits again, before everything else; the other items are over.
    pub(super) fn hear_again(&mut self, wanted: &[ItemId]) {
        for sound in self.owed.take_items(wanted).into_iter().rev() {
            self.wait_again(sound);
        }
    }

    pub(super) fn set_up(&mut self) {
        self.owed.begin_anew();
        if self.state != State::Closed {
            self.state = if self.held.is_zero() {
                State::Up
            } else {
                State::CatchingUp
            };
        }
    }

    /// Another connection serves, and nothing is owed to it.
    pub(super) fn set_moved(&mut self) {
        self.owed.turn_is_over();
        self.owed.begin_anew();
    }

    pub(super) fn set_down(&mut self) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Down;
        let turn = self.owed.take_turn();
        self.wait_again(turn);
        while self.held > self.limit() && self.frames.len() > 1 {
            // It was heard once; it does not count as lost.
            self.pop();
        }
    }

    fn wait_again(&mut self, mut sound: VecDeque<i16>) {
        for piece in sound.make_contiguous().rchunks(samples(PIECE)) {
            let piece = Pcm::from(piece.to_vec());
            self.held += piece.duration();
            self.frames.push_front(piece);
        }
        if self.state == State::Up {
            self.state = State::CatchingUp;
        }
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.frames = VecDeque::new();
        self.held = Duration::ZERO;
        self.owed = Owed::default();
        self.spare = Vec::new();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn limit(&self) -> Duration {
        match self.state {
            State::CatchingUp | State::Down => DOWN_LIMIT,
            State::Closed => Duration::ZERO,
            State::Up => UP_LIMIT,
        }
    }

    fn pop(&mut self) -> Option<Pcm> {
        let frame = self.frames.pop_front()?;
        self.held = self.held.saturating_sub(frame.duration());
        Some(frame)
    }
}

#[cfg(test)]
mod tests;
