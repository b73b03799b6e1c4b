//! Task-side half of an audio source: connects whoever captures with the encoders of its tracks.
//!
//! Zero-queue mode hands each frame to the encoders in the caller's own call: no tick, no copy kept.
//! Buffered mode keeps a [`CaptureQueue`] that the audio clock empties. Mirrors the behaviour of
//! upstream's `AudioTrackSource`; the façade adds the public types and messages.

use std::{
    sync::{Arc, Weak},
    time::Instant,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{
    capture_queue::{CaptureQueue, Captured, Refused},
    clock::{self, Ticked},
    opus,
};

/// Where captured frames go: the sending side of one published track.
pub(crate) trait CaptureSink: Send + Sync {
    /// 10 ms (or, zero-queue, one captured frame) of interleaved samples. Must not block.
    fn on_frame(&self, now: Instant, pcm: &[i16], sample_rate: u32, channels: u32);

    /// A packet that somebody else encoded, and the level of its sound in dBov. Must not block.
    fn on_packet(&self, now: Instant, packet: &Recorded<'_>);

    /// Everything not yet encoded is to be dropped.
    fn on_clear(&self);
}

/// An Opus packet that was encoded before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded<'a> {
    pub(crate) payload: &'a [u8],
    /// How long it sounds, on the RTP clock.
    pub(crate) ticks: u32,
    /// In dBov.
    pub(crate) level: i8,
}

/// Why a capture failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CaptureError {
    /// Another capture waits, or the buffer is full.
    #[error("another capture is waiting or the buffer is full")]
    Busy,
    /// Zero-queue frames last exactly 10 ms.
    #[error(
        "a source without a queue takes frames of exactly 10 ms: {expected} samples, not {got}"
    )]
    FrameSize {
        /// Samples over all channels that were expected.
        expected: usize,
        /// Samples that came.
        got: usize,
    },
    /// Rate or channels differ from the source's.
    #[error("sample_rate and num_channels don't match")]
    Mismatch,
}

/// One audio source, shared by its handles and its tracks.
pub(crate) struct CaptureSource {
    sample_rate: u32,
    channels: u32,
    sinks: Mutex<Vec<Weak<dyn CaptureSink>>>,
    /// `None` = zero-queue.
    buffer: Option<Mutex<Buffer>>,
}

struct Buffer {
    queue: CaptureQueue,
    waiter: Option<oneshot::Sender<()>>,
    frame: Vec<i16>,
}

impl CaptureSource {
    /// `queue_millis` is a multiple of 10; zero hands frames straight to the encoders.
    pub(crate) fn new(sample_rate: u32, channels: u32, queue_millis: u32) -> Arc<Self> {
        let frame = (sample_rate / 100 * channels) as usize;
        let buffer = (queue_millis > 0).then(|| {
            let queue = CaptureQueue::new(frame, (queue_millis / 10) as usize);
            Mutex::new(Buffer {
                queue,
                waiter: None,
                frame: Vec::with_capacity(frame),
            })
        });
        let source = Arc::new(Self {
            sample_rate,
            channels,
            sinks: Mutex::default(),
            buffer,
        });
        if source.buffer.is_some() {
            let member: Arc<dyn Ticked> = source.clone();
            clock::attach(&member);
        }
        source
    }

    pub(crate) fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    pub(crate) fn channels(&self) -> u32 {
        self.channels
    }

    /// Sends frames to `sink` too, until it is dropped.
    pub(crate) fn add_sink(&self, sink: &Arc<dyn CaptureSink>) {
        let mut sinks = self.sinks.lock();
        sinks.retain(|known| known.strong_count() > 0);
        sinks.push(Arc::downgrade(sink));
    }

    /// Stops sending frames to `sink`.
    pub(crate) fn remove_sink(&self, sink: &Arc<dyn CaptureSink>) {
        let gone = Arc::downgrade(sink);
        self.sinks.lock().retain(|known| !known.ptr_eq(&gone));
    }

    /// Takes interleaved samples; waits while the buffer is above its queue size.
    pub(crate) async fn capture(
        &self,
        pcm: &[i16],
        sample_rate: u32,
        channels: u32,
    ) -> Result<(), CaptureError> {
        if sample_rate != self.sample_rate || channels != self.channels {
            return Err(CaptureError::Mismatch);
        }
        let Some(buffer) = &self.buffer else {
            return self.capture_direct(pcm);
        };
        let chunk = buffer.lock().queue.chunk();
        for piece in pcm.chunks(chunk) {
            let Some(released) = capture_buffered(buffer, piece)? else {
                continue;
            };
            // An error means that the source is gone; nobody is left to tell.
            let _ = released.await;
        }
        Ok(())
    }

    /// Sends a packet as it is; false when it is none.
    pub(crate) fn send_encoded(&self, payload: &[u8], level: i8) -> bool {
        let Some(ticks) = opus::duration_ticks(payload) else {
            return false;
        };
        let packet = Recorded {
            payload,
            ticks,
            level,
        };
        let now = Instant::now();
        self.each_sink(|sink| sink.on_packet(now, &packet));
        true
    }

    /// Drops everything that is not encoded yet.
    pub(crate) fn clear(&self) {
        if let Some(buffer) = &self.buffer {
            buffer.lock().queue.clear();
        }
        self.each_sink(|sink| sink.on_clear());
    }

    fn capture_direct(&self, pcm: &[i16]) -> Result<(), CaptureError> {
        let expected = (self.sample_rate / 100 * self.channels) as usize;
        if pcm.len() != expected {
            return Err(CaptureError::FrameSize {
                expected,
                got: pcm.len(),
            });
        }
        self.emit(pcm);
        Ok(())
    }

    fn emit(&self, pcm: &[i16]) {
        let now = Instant::now();
        self.each_sink(|sink| sink.on_frame(now, pcm, self.sample_rate, self.channels));
    }

    fn each_sink(&self, mut act: impl FnMut(&dyn CaptureSink)) {
        // Sinks are called under the lock: they may not call back, and a removed sink is never
        // called again once `remove_sink` returned.
        for sink in self.sinks.lock().iter().filter_map(Weak::upgrade) {
            act(&*sink);
        }
    }
}

impl Ticked for CaptureSource {
    fn tick(&self, _due: Instant) -> bool {
        let Some(buffer) = &self.buffer else {
            return false;
        };
        let mut buffer = buffer.lock();
        let Buffer {
            queue,
            waiter,
            frame,
        } = &mut *buffer;
        if waiter.as_ref().is_some_and(oneshot::Sender::is_closed) {
            *waiter = None;
            queue.abandon();
        }
        let released = queue.pull(frame);
        let waiter = if released { waiter.take() } else { None };
        self.emit(frame);
        drop(buffer);
        if let Some(waiter) = waiter {
            let _ = waiter.send(());
        }
        true
    }
}

/// `Some` = wait for this before the next piece.
fn capture_buffered(
    buffer: &Mutex<Buffer>,
    piece: &[i16],
) -> Result<Option<oneshot::Receiver<()>>, CaptureError> {
    let mut buffer = buffer.lock();
    match buffer.queue.capture(piece) {
        Ok(Captured::Done) => Ok(None),
        Ok(Captured::Waits) => {
            let (release, released) = oneshot::channel();
            buffer.waiter = Some(release);
            Ok(Some(released))
        }
        Err(Refused::Busy | Refused::Full) => Err(CaptureError::Busy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard {
        frames: Mutex<Vec<Vec<i16>>>,
        packets: Mutex<Vec<(u32, i8)>>,
        cleared: Mutex<u32>,
    }

    impl CaptureSink for Heard {
        fn on_frame(&self, _now: Instant, pcm: &[i16], _sample_rate: u32, _channels: u32) {
            self.frames.lock().push(pcm.to_vec());
        }

        fn on_packet(&self, _now: Instant, packet: &Recorded<'_>) {
            self.packets.lock().push((packet.ticks, packet.level));
        }

        fn on_clear(&self) {
            *self.cleared.lock() += 1;
        }
    }

    fn attach(source: &CaptureSource) -> (Arc<Heard>, Arc<dyn CaptureSink>) {
        let heard = Arc::new(Heard::default());
        let sink: Arc<dyn CaptureSink> = heard.clone();
        source.add_sink(&sink);
        (heard, sink)
    }

    #[tokio::test]
    async fn frame_without_a_queue_reaches_the_track_within_the_call() {
        let source = CaptureSource::new(24_000, 1, 0);
        let (heard, _sink) = attach(&source);
        source.capture(&[3; 240], 24_000, 1).await.unwrap();
        assert_eq!(heard.frames.lock().as_slice(), [vec![3; 240]]);
    }

    #[tokio::test]
    async fn frames_of_another_size_or_format_are_refused() {
        let source = CaptureSource::new(24_000, 1, 0);
        let size = source.capture(&[3; 480], 24_000, 1).await;
        assert_eq!(
            size,
            Err(CaptureError::FrameSize {
                expected: 240,
                got: 480
            })
        );
        assert_eq!(
            source.capture(&[3; 480], 48_000, 1).await,
            Err(CaptureError::Mismatch)
        );
    }

    #[tokio::test]
    async fn removed_track_hears_nothing_more() {
        let source = CaptureSource::new(24_000, 1, 0);
        let (heard, sink) = attach(&source);
        source.remove_sink(&sink);
        source.capture(&[3; 240], 24_000, 1).await.unwrap();
        assert!(heard.frames.lock().is_empty());
    }

    #[tokio::test]
    async fn buffered_capture_waits_until_the_queue_drained_to_its_size() {
        let source = CaptureSource::new(48_000, 1, 20);
        let (heard, _sink) = attach(&source);
        source.capture(&[9; 480 * 6], 48_000, 1).await.unwrap();
        let spoken = heard
            .frames
            .lock()
            .iter()
            .filter(|frame| frame[0] == 9)
            .count();
        assert!(
            spoken >= 4,
            "60 ms captured, 20 ms may still be queued; {spoken} frames sent"
        );
    }

    #[test]
    fn a_recorded_packet_reaches_the_track_with_its_length_and_nonsense_does_not() {
        let source = CaptureSource::new(24_000, 1, 0);
        let (heard, _sink) = attach(&source);
        // One SILK frame of 20 ms in mono (RFC 6716, 3.1: configuration 1, code 0).
        assert!(source.send_encoded(&[1 << 3, 1, 2, 3], -30));
        assert!(!source.send_encoded(&[], -30));
        assert_eq!(*heard.packets.lock(), [(960, -30)]);
    }

    #[test]
    fn clear_reaches_the_half_filled_frame_of_the_encoder() {
        let source = CaptureSource::new(24_000, 1, 0);
        let (heard, _sink) = attach(&source);
        source.clear();
        assert_eq!(*heard.cleared.lock(), 1);
    }
}
