//! Core: a track whose beginning is still on its way: what is heard meanwhile waits for it.

use std::time::{Duration, Instant};

use crate::media::{Pcm, samples};

/// A beginning that has not come by then is not waited for any more: a client sends it as soon as it
/// knows that it is heard.
const PATIENCE: Duration = Duration::from_secs(3);
/// What goes on at once; an ear attends to no more at a time.
const PIECE: Duration = Duration::from_millis(20);

/// What a track sent since it is listened to. Bounded by [`PATIENCE`]: it sends in real time.
#[derive(Debug)]
pub(super) struct Prelude {
    pub(super) due: Instant,
    waiting: Vec<i16>,
}

impl Prelude {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            due: now + PATIENCE,
            waiting: Vec::new(),
        }
    }

    pub(super) fn wait(&mut self, pcm: Pcm) {
        self.waiting.extend(pcm.as_slice());
    }

    /// All of it in pieces, after its beginning.
    pub(super) fn after(self, beginning: Pcm) -> impl Iterator<Item = Pcm> {
        let mut all = Vec::from(beginning);
        all.extend(self.waiting);
        let mut pieces = all.into_iter().peekable();
        std::iter::from_fn(move || {
            pieces.peek()?;
            let piece: Vec<i16> = pieces.by_ref().take(samples(PIECE)).collect();
            Some(Pcm::from(piece))
        })
    }
}
