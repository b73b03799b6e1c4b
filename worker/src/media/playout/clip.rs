//! Core: a sound that the worker holds, on its way to people.
//!
//! It is no speech of the model: nobody counts how much of it was heard. Knows no time.

use super::queue::fade_out;
use crate::media::{FRAME_SAMPLES, Frame, Pcm};

/// At most one clip.
#[derive(Debug, Default)]
pub(super) struct Clip {
    /// Empty = there is none.
    pcm: Pcm,
    /// Samples that are gone.
    offset: usize,
    /// It ended, and nobody was told yet.
    has_ended: bool,
}

impl Clip {
    /// In the place of any other, whose end nobody is told.
    pub(super) fn play(&mut self, pcm: Pcm) {
        self.has_ended |= pcm.as_slice().is_empty();
        (self.pcm, self.offset) = (pcm, 0);
    }

    pub(super) fn stop(&mut self) {
        self.has_ended |= self.is_waiting();
        self.pcm = Pcm::default();
        self.offset = 0;
    }

    /// There is something to play.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pcm.as_slice().is_empty()
    }

    /// It has begun.
    pub(super) fn is_sounding(&self) -> bool {
        self.offset > 0
    }

    /// Fills a silent frame with the next 10 ms; false = there is nothing.
    pub(super) fn pull(&mut self, frame: &mut Frame) -> bool {
        if !self.is_waiting() {
            return false;
        }
        let rest = &self.pcm.as_slice()[self.offset..];
        let taken = rest.len().min(FRAME_SAMPLES);
        frame[..taken].copy_from_slice(&rest[..taken]);
        if taken == rest.len() {
            self.stop();
        } else {
            self.offset += taken;
        }
        true
    }

    /// Fills a silent frame with what would have come next, faded to silence; false = it does not
    /// sound.
    pub(super) fn fade(&self, frame: &mut Frame) -> bool {
        if self.is_sounding() {
            fade_out(self.pcm.as_slice()[self.offset..].iter().copied(), frame);
        }
        self.is_sounding()
    }

    /// Whether it has ended since the last question.
    pub(super) fn take_end(&mut self) -> bool {
        std::mem::take(&mut self.has_ended)
    }
}
