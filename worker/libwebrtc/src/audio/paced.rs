//! A remote track as upstream's `NativeAudioStream` plays it: decoded, concealed and paced.
//!
//! Owns the decoder of the track and the queues of its readers behind one lock, ticked by the audio
//! clock every 10 ms. While nobody listens packets are not even kept. Not used by readers of the
//! packet tap.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    clock::{self, Ticked},
    decode::TrackDecoder,
    fanout::FrameQueue,
    jitter_buffer::PlayCounts,
    opus::{self, Format},
    resampler::{Resampler, convert_channels},
    rtp::AudioPacket,
};
use crate::engine::facts::FACTS;

/// Plays one remote track to whoever opens a stream.
#[derive(Clone, Default)]
pub(crate) struct PacedTrack {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_open: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    decoder: Option<TrackDecoder>,
    /// What decoders did that are gone.
    past: PlayCounts,
    readers: Vec<Reader>,
    frame: Vec<i16>,
    is_ticking: bool,
}

struct Reader {
    queue: Arc<FrameQueue>,
    sample_rate: u32,
    channels: u32,
    /// For a rate that is not the decoder's.
    other_rate: Option<OtherRate>,
}

struct OtherRate {
    resampler: Resampler,
    /// Resampled and not yet handed out, in the decoder's channels. Begins with silence, because
    /// the resampler is some samples behind, and gives now one sample more, now one less.
    ready: Vec<i16>,
}

/// More than a resampler is ever behind, in frames of its output at any pair of rates.
const RESERVE: usize = 256;

impl PacedTrack {
    /// Takes in one packet, in whatever order it came; costs a load while nobody listens.
    pub(crate) fn insert(&self, packet: AudioPacket) {
        if !self.shared.is_open.load(Ordering::Relaxed) {
            return;
        }
        if let Some(decoder) = &mut self.shared.state.lock().decoder {
            decoder.insert(packet);
        }
    }

    /// What was played, made up and left out since the track began.
    pub(crate) fn counts(&self) -> PlayCounts {
        let state = self.shared.state.lock();
        let mut counts = state.past;
        if let Some(decoder) = &state.decoder {
            counts.add(&decoder.counts());
        }
        counts
    }

    /// The track is over, and all its streams with it.
    pub(crate) fn end(&self) {
        let readers = std::mem::take(&mut self.shared.state.lock().readers);
        for reader in readers {
            reader.queue.close();
        }
    }

    /// Opens a stream of 10 ms frames. `queue` = frames a slow reader may fall behind, `None` = no
    /// bound.
    pub(crate) fn open(
        &self,
        sample_rate: u32,
        channels: u32,
        queue: Option<usize>,
    ) -> PacedStream {
        let queue = Arc::new(FrameQueue::new(queue));
        let mut state = self.shared.state.lock();
        state.readers.push(Reader {
            queue: queue.clone(),
            sample_rate: sample_rate.clamp(8_000, 192_000),
            channels: channels.max(1),
            other_rate: None,
        });
        state.choose_format();
        let starts = !std::mem::replace(&mut state.is_ticking, true);
        self.shared.is_open.store(true, Ordering::Relaxed);
        drop(state);
        if starts {
            let member: Arc<dyn Ticked> = self.shared.clone();
            clock::attach(&member);
        }
        PacedStream {
            queue,
            track: Arc::downgrade(&self.shared),
        }
    }
}

impl State {
    /// The format that serves all readers: the highest rate and the most channels among them.
    fn choose_format(&mut self) {
        let Some(sample_rate) = self.readers.iter().map(|reader| reader.sample_rate).max() else {
            self.forget_decoder();
            return;
        };
        let is_native = opus::is_native(sample_rate);
        let channels = self
            .readers
            .iter()
            .map(|reader| reader.channels)
            .max()
            .unwrap_or(1);
        let format = Format {
            sample_rate: if is_native { sample_rate } else { 48_000 },
            channels: channels.min(2),
        };
        let chosen = match &mut self.decoder {
            Some(decoder) if decoder.format() == format => Ok(()),
            Some(decoder) => decoder.set_format(format),
            None => TrackDecoder::new(format).map(|decoder| self.decoder = Some(decoder)),
        };
        if let Err(error) = chosen {
            tracing::error!(%error, "no decoder for a track");
        }
        for reader in &mut self.readers {
            let (from, to) = (format.sample_rate, reader.sample_rate);
            reader.other_rate = (from != to).then(|| OtherRate {
                resampler: Resampler::new(from, to, format.channels),
                ready: vec![0; RESERVE * format.channels as usize],
            });
        }
    }

    fn forget_decoder(&mut self) {
        if let Some(decoder) = self.decoder.take() {
            self.past.add(&decoder.counts());
        }
    }

    fn play(&mut self, now: Instant) {
        let Some(decoder) = &mut self.decoder else {
            return;
        };
        let before = decoder.counts();
        decoder.pull(now, &mut self.frame);
        tell_delay(&before, &decoder.counts());
        let channels = decoder.format().channels;
        let (frame, before) = (&self.frame, self.readers.len());
        self.readers
            .retain_mut(|reader| reader.play(frame, channels));
        if self.readers.len() != before {
            self.choose_format();
        }
    }
}

/// How long the packets of one frame were held back, to the facts of the process.
fn tell_delay(before: &PlayCounts, after: &PlayCounts) {
    let ticks = after.emitted - before.emitted;
    let held = u128::from(after.held_nanos - before.held_nanos) * 48_000;
    if let Some(nanos) = held.checked_div(u128::from(ticks)) {
        FACTS.on_buffered(Duration::from_nanos(
            u64::try_from(nanos).unwrap_or(u64::MAX),
        ));
    }
}

impl Reader {
    /// False when the reader is gone.
    fn play(&mut self, frame: &[i16], channels: u32) -> bool {
        let frames = (self.sample_rate / 100) as usize;
        let mut out = Vec::with_capacity(frames * self.channels as usize);
        match &mut self.other_rate {
            None => convert_channels(frame, channels, self.channels, &mut out),
            Some(OtherRate { resampler, ready }) => {
                resampler.process(frame, ready);
                let samples = (frames * channels as usize).min(ready.len());
                convert_channels(&ready[..samples], channels, self.channels, &mut out);
                ready.drain(..samples);
            }
        }
        self.queue.push(out)
    }
}

impl Ticked for Shared {
    fn tick(&self, due: Instant) -> bool {
        let mut state = self.state.lock();
        state.play(due);
        let goes_on = !state.readers.is_empty();
        state.is_ticking = goes_on;
        if !goes_on {
            state.forget_decoder();
            self.is_open.store(false, Ordering::Relaxed);
        }
        goes_on
    }
}

/// One reader's stream; closed when dropped.
pub(crate) struct PacedStream {
    queue: Arc<FrameQueue>,
    track: Weak<Shared>,
}

impl PacedStream {
    /// The next 10 ms of interleaved samples in the asked format; `None` when closed.
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Vec<i16>>> {
        self.queue.poll_next(cx)
    }

    /// Ends the stream at once.
    pub(crate) fn close(&self) {
        self.queue.close();
        let Some(track) = self.track.upgrade() else {
            return;
        };
        let mut state = track.state.lock();
        let before = state.readers.len();
        state
            .readers
            .retain(|reader| !Arc::ptr_eq(&reader.queue, &self.queue));
        if state.readers.len() != before {
            state.choose_format();
        }
    }
}

impl Drop for PacedStream {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::audio::encode::{EncoderSettings, TrackEncoder};

    fn speak(track: &PacedTrack, start: Instant, packets: u64) {
        let (mut encoder, mut out) = (TrackEncoder::new(EncoderSettings::default()), Vec::new());
        for n in 0..packets {
            let arrival = start + Duration::from_millis(20 * n);
            encoder.push(arrival, &[4_000; 480], 24_000, 1, &mut out);
            let packet = out.remove(0);
            track.insert(AudioPacket {
                sequence: n,
                timestamp: packet.timestamp,
                arrival,
                marker: packet.marker,
                audio_level: None,
                payload: packet.payload,
            });
        }
    }

    #[tokio::test]
    async fn every_reader_gets_frames_of_its_own_format() {
        let track = PacedTrack::default();
        let formats = [
            (48_000, 1),
            (48_000, 2),
            (24_000, 2),
            (44_100, 1),
            (8_000, 1),
        ];
        for (sample_rate, channels) in formats {
            let stream = track.open(sample_rate, channels, Some(10));
            for _ in 0..3 {
                let frame = poll_fn(|cx| stream.poll_next(cx)).await.unwrap();
                assert_eq!(frame.len(), (sample_rate / 100 * channels) as usize);
            }
        }
        let both = (track.open(16_000, 1, None), track.open(44_100, 2, None));
        assert_eq!(poll_fn(|cx| both.0.poll_next(cx)).await.unwrap().len(), 160);
        assert_eq!(poll_fn(|cx| both.1.poll_next(cx)).await.unwrap().len(), 882);
    }

    #[test]
    fn track_without_a_reader_keeps_nothing() {
        let track = PacedTrack::default();
        speak(&track, Instant::now(), 10);
        assert!(track.shared.state.lock().decoder.is_none());
        drop(track.open(48_000, 1, None));
        assert!(track.shared.state.lock().decoder.is_none());
    }

    #[tokio::test]
    async fn sound_comes_through_and_a_closed_stream_ends() {
        let track = PacedTrack::default();
        let stream = track.open(24_000, 1, None);
        speak(&track, Instant::now(), 20);
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            assert!(Instant::now() < deadline, "nothing but silence");
            let frame = poll_fn(|cx| stream.poll_next(cx)).await.unwrap();
            if frame.iter().any(|sample| sample.abs() > 500) {
                break;
            }
        }
        stream.close();
        assert_eq!(poll_fn(|cx| stream.poll_next(cx)).await, None);
    }
}
