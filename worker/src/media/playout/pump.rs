//! Core: when the next 10 ms of the agent's voice leave.
//!
//! Owns the queue and the deadlines of one speech: its first 20 ms (one whole packet) leave at once,
//! later frames at start + n·10 ms. After the last sample up to 200 ms of silence follow, so that
//! the far end fades cleanly; then the pump sleeps and costs nothing. It has no clock and no thread
//! of its own: whoever drives it says what time it is.

use std::time::Instant;

use dialog::model::{ItemId, ResponseId};

use super::queue::{Pulled, Pushed, Queue};
use crate::media::{FRAME, FRAME_SAMPLES, Frame, Pcm};

/// Frames of one packet.
const PACKET_FRAMES: usize = 2;

/// Silence after a speech: 200 ms, longer than any far end's jitter buffer.
const TAIL_FRAMES: u32 = 20;

/// Frames that may leave in one go to catch up with a late wake-up; beyond it the speech is moved.
const MAX_BURST: u32 = 3;

/// Feeds one agent track.
#[derive(Debug, Default)]
pub(crate) struct Pump {
    queue: Queue,
    /// `None` = asleep.
    speech: Option<Speech>,
    /// The encoder holds half a packet.
    is_half: bool,
    /// Nothing may leave: what is pushed waits.
    is_closed: bool,
    underruns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Speech {
    start: Instant,
    /// The next frame is due at `start` plus this many frames.
    frames: u32,
    /// Frames of silence since the last speech.
    silent: u32,
}

impl Speech {
    fn due(&self) -> Instant {
        self.start + FRAME * self.frames
    }
}

impl Pump {
    /// Queues audio; a speech that begins with it leaves within this call.
    pub(crate) fn push(
        &mut self,
        now: Instant,
        (response, item): (&ResponseId, &ItemId),
        pcm: Pcm,
        out: &mut dyn FnMut(&Frame),
    ) -> Pushed {
        let pushed = self.queue.push(response, item, pcm);
        self.begin(now, out);
        pushed
    }

    /// No more audio of this item.
    pub(crate) fn finish(&mut self, now: Instant, item: &ItemId, out: &mut dyn FnMut(&Frame)) {
        self.queue.finish(item);
        self.begin(now, out);
    }

    /// Drops everything queued. What sounds right now fades out in the packet that leaves within
    /// this call; nothing of it leaves later.
    pub(crate) fn flush(&mut self, response: Option<ResponseId>, out: &mut dyn FnMut(&Frame)) {
        if self.speech.is_some_and(|speech| speech.silent == 0) {
            let mut frame = [0; FRAME_SAMPLES];
            self.queue.fade(&mut frame);
            self.hand(&frame, out);
            if self.is_half {
                self.hand(&[0; FRAME_SAMPLES], out);
            }
            if let Some(speech) = &mut self.speech {
                speech.silent = 1;
            }
        }
        self.queue.flush(response);
    }

    /// From now on nothing new begins to sound; what is pushed waits.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    /// What has been waiting begins within this call.
    pub(crate) fn open(&mut self, now: Instant, out: &mut dyn FnMut(&Frame)) {
        self.is_closed = false;
        self.begin(now, out);
    }

    /// Hands over every frame that is due; returns the next deadline, `None` = asleep.
    pub(crate) fn on_deadline(
        &mut self,
        now: Instant,
        out: &mut dyn FnMut(&Frame),
    ) -> Option<Instant> {
        for _ in 0..MAX_BURST {
            let due = self.deadline()?;
            if due > now {
                return Some(due);
            }
            self.next_frame(out);
        }
        let speech = self.speech.as_mut()?;
        if speech.due() <= now {
            (speech.start, speech.frames) = (now, 1);
        }
        Some(speech.due())
    }

    /// When the next frame is due; `None` = asleep.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.speech.map(|speech| speech.due())
    }

    /// The facts not yet told.
    pub(crate) fn queue(&mut self) -> &mut Queue {
        &mut self.queue
    }

    /// How often speech stopped because its audio had not come, since the last question.
    pub(crate) fn take_underruns(&mut self) -> u64 {
        std::mem::take(&mut self.underruns)
    }

    /// Starts a speech when the pump is idle or in the silence after one, and a packet is there.
    fn begin(&mut self, now: Instant, out: &mut dyn FnMut(&Frame)) {
        let is_sounding = self.speech.is_some_and(|speech| speech.silent == 0);
        if self.is_closed || is_sounding || !self.queue.has(PACKET_FRAMES * FRAME_SAMPLES) {
            return;
        }
        // Zero, so that the frames handed over here leave the next one due one frame from now.
        let missing = if self.is_half { 1 } else { PACKET_FRAMES };
        self.speech = Some(Speech {
            start: now,
            frames: 0,
            silent: 0,
        });
        for _ in 0..missing {
            self.next_frame(out);
        }
        if let Some(speech) = &mut self.speech {
            speech.frames = 1;
        }
    }

    fn next_frame(&mut self, out: &mut dyn FnMut(&Frame)) {
        let mut frame = [0; FRAME_SAMPLES];
        let pulled = self.queue.pull(&mut frame);
        self.hand(&frame, out);
        let Some(speech) = &mut self.speech else {
            return;
        };
        if pulled == Pulled::Audio {
            speech.silent = 0;
            return;
        }
        if pulled == Pulled::Underrun && speech.silent == 0 {
            self.underruns += 1;
        }
        speech.silent += 1;
        if speech.silent >= TAIL_FRAMES && !self.is_half {
            self.speech = None;
        }
    }

    fn hand(&mut self, frame: &Frame, out: &mut dyn FnMut(&Frame)) {
        out(frame);
        self.is_half = !self.is_half;
        if let Some(speech) = &mut self.speech {
            speech.frames += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A pump on a virtual clock, with everything it handed over and when.
    struct Bench {
        pump: Pump,
        start: Instant,
        now: Instant,
        sent: Vec<(u64, i16)>,
    }

    impl Bench {
        fn new() -> Self {
            let start = Instant::now();
            Self {
                pump: Pump::default(),
                start,
                now: start,
                sent: Vec::new(),
            }
        }

        fn act<T>(
            &mut self,
            act: impl FnOnce(&mut Pump, Instant, &mut dyn FnMut(&Frame)) -> T,
        ) -> T {
            let at = (self.now - self.start).as_millis() as u64;
            let sent = &mut self.sent;
            act(&mut self.pump, self.now, &mut |frame| {
                sent.push((at, frame[0]))
            })
        }

        fn push(&mut self, millis: usize, value: i16) {
            let ids = (ResponseId::new("r"), ItemId::new("a"));
            let pcm = Pcm::from(vec![value; millis * 24]);
            self.act(|pump, now, out| pump.push(now, (&ids.0, &ids.1), pcm, out));
        }

        fn finish(&mut self) {
            self.act(|pump, now, out| pump.finish(now, &ItemId::new("a"), out));
        }

        fn flush(&mut self) {
            self.act(|pump, _, out| pump.flush(Some(ResponseId::new("r")), out));
        }

        /// Runs every deadline up to `millis` after the start, each exactly on time.
        fn run_to(&mut self, millis: u64) {
            let end = self.start + Duration::from_millis(millis);
            while let Some(due) = self.pump.deadline().filter(|due| *due <= end) {
                self.now = due;
                self.act(|pump, now, out| pump.on_deadline(now, out));
            }
            self.now = end;
        }

        fn take_sent(&mut self) -> Vec<(u64, i16)> {
            std::mem::take(&mut self.sent)
        }
    }

    #[test]
    fn first_packet_leaves_within_the_push_and_the_rest_on_the_grid() {
        let mut bench = Bench::new();
        bench.push(60, 5);
        assert_eq!(bench.take_sent(), [(0, 5), (0, 5)]);
        bench.run_to(40);
        assert_eq!(bench.take_sent(), [(10, 5), (20, 5), (30, 5), (40, 5)]);
    }

    #[test]
    fn speech_begins_only_with_a_whole_packet_or_a_complete_item() {
        let mut bench = Bench::new();
        bench.push(15, 5);
        assert!(bench.take_sent().is_empty());
        bench.finish();
        assert_eq!(bench.take_sent(), [(0, 5), (0, 5)]);
    }

    #[test]
    fn two_hundred_milliseconds_of_silence_follow_and_then_nothing() {
        let mut bench = Bench::new();
        bench.push(40, 5);
        bench.finish();
        bench.run_to(10_000);
        let sent = bench.take_sent();
        assert_eq!(sent.iter().filter(|(_, value)| *value == 5).count(), 4);
        let silence = sent.iter().filter(|(_, value)| *value == 0).count();
        assert_eq!(silence, 20);
        assert_eq!(sent.last(), Some(&(220, 0)));
        assert_eq!(bench.pump.deadline(), None);
    }

    #[test]
    fn flush_leaves_no_sample_of_the_past_for_later() {
        let mut bench = Bench::new();
        bench.push(1_000, 500);
        bench.run_to(50);
        bench.take_sent();
        bench.flush();
        let during = bench.take_sent();
        assert_eq!(
            during.len() % 2,
            1,
            "completes the packet that was half full"
        );
        bench.push(1_000, 500);
        bench.run_to(5_000);
        assert!(bench.take_sent().iter().all(|(_, value)| *value == 0));
        assert_eq!(bench.pump.deadline(), None);
    }

    #[test]
    fn flush_of_a_silent_pump_sends_nothing() {
        let mut bench = Bench::new();
        bench.flush();
        assert!(bench.take_sent().is_empty());
        bench.push(100, 1);
        assert!(
            bench.take_sent().is_empty(),
            "late audio of the flushed response"
        );
    }

    #[test]
    fn next_speech_begins_at_once_even_in_the_silence_after_the_last() {
        let mut bench = Bench::new();
        bench.push(20, 5);
        bench.finish();
        bench.run_to(105);
        bench.take_sent();
        let (response, item) = (ResponseId::new("r2"), ItemId::new("b"));
        let pcm = Pcm::from(vec![6; 960]);
        bench.act(|pump, now, out| pump.push(now, (&response, &item), pcm, out));
        let sent = bench.take_sent();
        assert!(!sent.is_empty() && sent.iter().all(|frame| *frame == (105, 6)));
        bench.run_to(115);
        assert_eq!(bench.take_sent(), [(115, 6)]);
    }

    #[test]
    fn underrun_is_counted_once_and_speech_resumes_with_its_audio() {
        let mut bench = Bench::new();
        bench.push(40, 5);
        bench.run_to(100);
        assert_eq!(bench.pump.take_underruns(), 1);
        bench.take_sent();
        bench.push(40, 5);
        assert!(bench.take_sent().iter().all(|frame| *frame == (100, 5)));
    }

    #[test]
    fn late_wake_up_is_caught_up_in_a_short_burst_only() {
        let mut bench = Bench::new();
        bench.push(2_000, 5);
        bench.take_sent();
        bench.now += Duration::from_millis(25);
        bench.act(|pump, now, out| pump.on_deadline(now, out));
        assert_eq!(bench.take_sent().len(), 2, "due at 10 and 20");
        bench.now += Duration::from_millis(500);
        let next = bench.act(|pump, now, out| pump.on_deadline(now, out));
        assert_eq!(bench.take_sent().len(), MAX_BURST as usize);
        assert_eq!(next, Some(bench.now + FRAME));
    }

    #[test]
    fn silence_after_a_flush_is_as_short_as_after_a_speech() {
        let mut bench = Bench::new();
        bench.push(1_000, 5);
        bench.run_to(30);
        bench.flush();
        bench.run_to(10_000);
        let last = bench.take_sent().last().map(|(at, _)| *at);
        assert!(
            last.is_some_and(|at| at <= 30 + u64::from(TAIL_FRAMES) * 10 + 20),
            "{last:?}"
        );
    }
}
