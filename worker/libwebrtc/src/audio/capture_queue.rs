//! Core: what a buffered audio source holds, as upstream's `NativeAudioSource` does it.
//!
//! A capture completes at once while the buffer holds no more than the queue size, else when it has
//! drained to that; the buffer holds up to twice the queue size; one capture may wait at a time.
//! Does not tick by itself and does not know who waits: [`super::source`] does both.

use std::collections::VecDeque;

/// What became of captured samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Captured {
    /// The caller may go on.
    Done,
    /// The caller waits until [`CaptureQueue::pull`] releases it.
    Waits,
}

/// The queue refuses more samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Another capture waits already.
    Busy,
    /// More than twice the queue size.
    Full,
}

/// Samples between a capturing caller and the 10 ms tick.
#[derive(Debug)]
pub(crate) struct CaptureQueue {
    /// Samples of 10 ms, all channels.
    frame: usize,
    /// Samples of the queue size, all channels.
    size: usize,
    // Bounded by `2 * size`; beyond it a capture is refused.
    samples: VecDeque<i16>,
    is_waiting: bool,
}

impl CaptureQueue {
    /// A queue of `frames` times 10 ms, each of `frame` samples over all channels.
    pub(crate) fn new(frame: usize, frames: usize) -> Self {
        let size = frame * frames;
        Self {
            frame,
            size,
            samples: VecDeque::with_capacity(2 * size),
            is_waiting: false,
        }
    }

    /// Samples of one capture at most; longer input is cut into pieces of this length.
    pub(crate) fn chunk(&self) -> usize {
        self.size
    }

    /// Takes one piece of at most [`Self::chunk`] samples.
    pub(crate) fn capture(&mut self, pcm: &[i16]) -> Result<Captured, Refused> {
        if self.samples.len() + pcm.len() > 2 * self.size {
            return Err(Refused::Full);
        }
        if self.is_waiting {
            return Err(Refused::Busy);
        }
        self.samples.extend(pcm);
        if self.samples.len() <= self.size {
            return Ok(Captured::Done);
        }
        self.is_waiting = true;
        Ok(Captured::Waits)
    }

    /// Fills `frame` with the next 10 ms, or with silence when there are fewer. True = the waiting
    /// capture is complete.
    pub(crate) fn pull(&mut self, frame: &mut Vec<i16>) -> bool {
        frame.clear();
        if self.samples.len() >= self.frame {
            frame.extend(self.samples.drain(..self.frame));
        } else {
            frame.resize(self.frame, 0);
        }
        let released = self.is_waiting && self.samples.len() <= self.size;
        if released {
            self.is_waiting = false;
        }
        released
    }

    /// The waiting caller has gone away.
    pub(crate) fn abandon(&mut self) {
        self.is_waiting = false;
    }

    /// Drops everything queued; a waiting capture is complete at the next pull.
    pub(crate) fn clear(&mut self) {
        self.samples.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> CaptureQueue {
        CaptureQueue::new(10, 4)
    }

    #[test]
    fn capture_is_done_at_once_up_to_the_queue_size_and_waits_above() {
        let mut queue = queue();
        assert_eq!(queue.capture(&[1; 40]), Ok(Captured::Done));
        assert_eq!(queue.capture(&[2; 20]), Ok(Captured::Waits));
        let mut frame = Vec::new();
        assert!(!queue.pull(&mut frame));
        assert!(queue.pull(&mut frame));
        assert_eq!(frame, [1; 10]);
    }

    #[test]
    fn second_capture_while_one_waits_is_refused() {
        let mut queue = queue();
        assert_eq!(queue.capture(&[1; 40]), Ok(Captured::Done));
        assert_eq!(queue.capture(&[1; 10]), Ok(Captured::Waits));
        assert_eq!(queue.capture(&[1; 10]), Err(Refused::Busy));
        assert_eq!(queue.capture(&[1; 40]), Err(Refused::Full));
    }

    #[test]
    fn empty_queue_yields_silence() {
        let (mut queue, mut frame) = (queue(), vec![7; 3]);
        queue.capture(&[5; 9]).unwrap();
        assert!(!queue.pull(&mut frame));
        assert_eq!(frame, [0; 10]);
        queue.capture(&[6; 1]).unwrap();
        queue.pull(&mut frame);
        assert_eq!(frame[..9], [5; 9]);
    }

    #[test]
    fn clear_empties_at_once_and_the_waiting_capture_ends_with_the_next_tick() {
        let (mut queue, mut frame) = (queue(), Vec::new());
        queue.capture(&[1; 40]).unwrap();
        queue.capture(&[1; 40]).unwrap();
        queue.clear();
        assert!(queue.pull(&mut frame));
        assert_eq!(frame, [0; 10]);
        assert_eq!(queue.capture(&[1; 40]), Ok(Captured::Done));
    }
}
