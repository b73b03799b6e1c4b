//! Core: the input audio buffer of one connection: a sample clock and what is not committed yet.

use std::{collections::VecDeque, time::Duration};

use base64::Engine;

use crate::clips::{duration_of, samples_in};

/// Uncommitted audio. The clock counts every sample ever written and never goes back.
#[derive(Debug, Default)]
pub(super) struct InputBuffer {
    written: u64,
    kept: VecDeque<i16>,
    /// A byte whose sample is not complete yet.
    odd: Option<u8>,
}

/// More than this is dropped from the front: ten minutes without a commit is nobody's turn.
const LONGEST: Duration = Duration::from_secs(600);

impl InputBuffer {
    /// Decodes and keeps audio; the new samples come back.
    pub(super) fn append(&mut self, audio: &str) -> Result<Vec<i16>, base64::DecodeError> {
        let bytes = base64::engine::general_purpose::STANDARD.decode(audio)?;
        let mut pcm = Vec::with_capacity(bytes.len() / 2 + 1);
        for byte in bytes {
            match self.odd.take() {
                Some(low) => pcm.push(i16::from_le_bytes([low, byte])),
                None => self.odd = Some(byte),
            }
        }
        self.written += pcm.len() as u64;
        self.kept.extend(&pcm);
        self.keep_last(LONGEST);
        Ok(pcm)
    }

    /// Everything written so far.
    pub(super) fn clock(&self) -> Duration {
        duration_of(self.written as usize)
    }

    /// Length of the uncommitted audio.
    pub(super) fn buffered(&self) -> Duration {
        duration_of(self.kept.len())
    }

    /// Drops all but the newest audio.
    pub(super) fn keep_last(&mut self, length: Duration) {
        let excess = self.kept.len().saturating_sub(samples_in(length));
        self.kept.drain(..excess);
    }

    /// Takes the uncommitted audio from this moment of the clock on; the rest is dropped.
    pub(super) fn take_from(&mut self, at: Duration) -> Vec<i16> {
        let wanted = (self.written as usize).saturating_sub(samples_in(at));
        let skip = self.kept.len().saturating_sub(wanted);
        self.kept.drain(..).skip(skip).collect()
    }

    /// Drops the uncommitted audio.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.odd = None;
    }
}
