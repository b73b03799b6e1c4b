//! The queue between the audio clock and one reader of a paced stream.
//!
//! Keeps upstream's behaviour: a bounded queue drops its oldest frame and counts it, so that a slow
//! reader falls behind by a known time. Does not wait and does not copy.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

/// Frames for one reader.
#[derive(Debug)]
pub(crate) struct FrameQueue {
    state: Mutex<State>,
    /// `None` = no bound: the reader asked for that, and answers for the memory.
    capacity: Option<usize>,
}

#[derive(Debug, Default)]
struct State {
    // At `capacity` the oldest goes, counted.
    frames: VecDeque<Vec<i16>>,
    dropped: u64,
    is_closed: bool,
    reader: Option<Waker>,
}

impl FrameQueue {
    pub(crate) fn new(capacity: Option<usize>) -> Self {
        Self {
            state: Mutex::default(),
            capacity,
        }
    }

    /// Adds a frame; false when the reader is gone.
    pub(crate) fn push(&self, frame: Vec<i16>) -> bool {
        let mut state = self.state.lock();
        if state.is_closed {
            return false;
        }
        if self
            .capacity
            .is_some_and(|capacity| state.frames.len() >= capacity)
        {
            state.frames.pop_front();
            state.dropped += 1;
            if state.dropped.is_power_of_two() {
                tracing::warn!(
                    dropped = state.dropped,
                    "reader of an audio stream is too slow"
                );
            }
        }
        state.frames.push_back(frame);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }

    /// The next frame; `None` after [`Self::close`].
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Vec<i16>>> {
        let mut state = self.state.lock();
        if let Some(frame) = state.frames.pop_front() {
            return Poll::Ready(Some(frame));
        }
        if state.is_closed {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ends the stream and drops what is queued.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.frames.clear();
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Frames dropped because the reader was too slow.
    #[cfg(test)]
    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(queue: &FrameQueue) -> Poll<Option<Vec<i16>>> {
        queue.poll_next(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn slow_reader_loses_the_oldest_frames() {
        let queue = FrameQueue::new(Some(2));
        (0..5).for_each(|n| assert!(queue.push(vec![n])));
        assert_eq!(queue.dropped(), 3);
        assert_eq!(next(&queue), Poll::Ready(Some(vec![3])));
        assert_eq!(next(&queue), Poll::Ready(Some(vec![4])));
        assert_eq!(next(&queue), Poll::Pending);
    }

    #[test]
    fn unbounded_queue_keeps_everything() {
        let queue = FrameQueue::new(None);
        (0..1_000).for_each(|n| assert!(queue.push(vec![n])));
        assert_eq!(
            (queue.dropped(), next(&queue)),
            (0, Poll::Ready(Some(vec![0])))
        );
    }

    #[test]
    fn closed_queue_ends_and_takes_nothing() {
        let queue = FrameQueue::new(Some(2));
        queue.push(vec![1]);
        queue.close();
        assert!(!queue.push(vec![2]));
        assert_eq!(next(&queue), Poll::Ready(None));
    }
}
