//! Core: when the next packet of the agent's voice leaves.
//!
//! Owns the queue and the deadlines of one speech: its first packet (20 ms, two frames) leaves at
//! once, later ones at start + n·20 ms. Between two packets nothing is due: half a packet would wait in
//! the encoder for the other half, at the price of one more wake-up. After the last sample up to 200 ms of silence follow, so that
//! the far end fades cleanly; then the pump sleeps and costs nothing. It has no clock and no thread
//! of its own: whoever drives it says what time it is.

use std::time::{Duration, Instant};

use dialog::model::{ItemId, ResponseId};

use super::{
    clip::Clip,
    gain::Gain,
    queue::{Pulled, Pushed, Queue},
};
use crate::media::{FRAME, FRAME_SAMPLES, Frame, Pcm};

/// Frames of one packet; they are handed over together.
const PACKET_FRAMES: usize = 2;

/// How long a packet sounds.
const PACKET: Duration = FRAME.saturating_mul(PACKET_FRAMES as u32);

/// Silence after a speech: 200 ms, longer than any far end's jitter buffer.
const TAIL_FRAMES: u32 = 20;

/// Packets that may leave in one go to catch up with a late wake-up; beyond it the speech is moved.
const MAX_BURST: u32 = 2;

/// Feeds one agent track.
#[derive(Debug, Default)]
pub(crate) struct Pump {
    queue: Queue,
    /// `None` = asleep.
    speech: Option<Speech>,
    /// Begins when nothing else is to be heard, and is not interrupted by what comes then.
    clip: Clip,
    /// Nothing may leave: what is pushed waits.
    is_closed: bool,
    /// Somebody speaks: the voice waits where it is.
    is_paused: bool,
    /// It fell silent in the middle of a sound.
    fades_in: bool,
    gain: Gain,
    underruns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Speech {
    start: Instant,
    /// The next one is due at `start` plus this many packets.
    packets: u32,
    /// Frames of silence since the last speech.
    silent: u32,
}

impl Speech {
    fn due(&self) -> Instant {
        self.start + PACKET * self.packets
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
    pub(crate) fn flush(
        &mut self,
        response: Option<ResponseId>,
        keep: Option<&ResponseId>,
        out: &mut dyn FnMut(&Frame),
    ) {
        // A clip is no answer to anybody: it is stopped by name only.
        if !self.clip.is_sounding() {
            self.fall_silent(out);
        }
        self.queue.flush(response, keep);
    }

    /// Plays a clip as soon as nothing else is to be heard; an empty one is over at once.
    pub(crate) fn play_clip(&mut self, now: Instant, pcm: Pcm, out: &mut dyn FnMut(&Frame)) {
        self.clip.play(pcm);
        self.tell_clip();
        self.begin(now, out);
    }

    /// What sounds of a clip fades out in the packet that leaves within this call; what has been
    /// waiting for its end begins.
    pub(crate) fn stop_clip(&mut self, now: Instant, out: &mut dyn FnMut(&Frame)) {
        if self.clip.is_sounding() {
            self.fall_silent(out);
        }
        self.clip.stop();
        self.tell_clip();
        self.begin(now, out);
    }

    fn tell_clip(&mut self) {
        if self.clip.take_end() {
            self.queue.note_clip_over();
        }
    }

    /// Drops audio of a response nobody has heard any of.
    pub(crate) fn drop_response(&mut self, response: ResponseId) {
        self.queue.drop_response(response);
    }

    /// What sounds right now fades out in the packet that leaves within this call; the rest waits.
    pub(crate) fn pause(&mut self, out: &mut dyn FnMut(&Frame)) {
        let was_paused = std::mem::replace(&mut self.is_paused, true);
        if !was_paused && self.fall_silent(out) {
            self.fades_in = true;
            self.queue.note_paused();
        }
    }

    /// Goes on at a low voice.
    pub(crate) fn duck(&mut self) {
        self.gain.low();
    }

    /// Goes on where it stopped, at full voice; a packet of it leaves within this call.
    pub(crate) fn resume(&mut self, now: Instant, out: &mut dyn FnMut(&Frame)) {
        self.gain.full();
        self.is_paused = false;
        if std::mem::take(&mut self.fades_in) {
            self.gain.fade_in();
        }
        self.begin(now, out);
        if self.speech.is_none() && !self.is_closed {
            // Its sound ended while it was paused.
            self.queue.note_starved();
        }
    }

    /// Fades out what sounds right now. Returns whether anything did.
    fn fall_silent(&mut self, out: &mut dyn FnMut(&Frame)) -> bool {
        let Some(speech) = self.speech.as_mut().filter(|speech| speech.silent == 0) else {
            return false;
        };
        speech.silent = PACKET_FRAMES as u32;
        speech.packets += 1;
        let mut frame = [0; FRAME_SAMPLES];
        if !self.clip.fade(&mut frame) {
            self.queue.fade(&mut frame);
        }
        self.hand(frame, out);
        self.hand([0; FRAME_SAMPLES], out);
        true
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

    /// Hands over every packet that is due; returns the next deadline, `None` = asleep.
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
            self.next_packet(out);
        }
        let speech = self.speech.as_mut()?;
        if speech.due() <= now {
            (speech.start, speech.packets) = (now, 1);
        }
        Some(speech.due())
    }

    /// When the next packet is due; `None` = asleep.
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
        let has_sound = self.queue.has(PACKET_FRAMES * FRAME_SAMPLES) || self.clip.is_waiting();
        if self.is_closed || self.is_paused || is_sounding || !has_sound {
            return;
        }
        self.speech = Some(Speech {
            start: now,
            packets: 0,
            silent: 0,
        });
        self.next_packet(out);
    }

    fn next_packet(&mut self, out: &mut dyn FnMut(&Frame)) {
        for _ in 0..PACKET_FRAMES {
            self.next_frame(out);
        }
        let Some(speech) = &mut self.speech else {
            return;
        };
        speech.packets += 1;
        if speech.silent >= TAIL_FRAMES {
            self.speech = None;
            if !self.is_paused {
                self.queue.note_starved();
            }
        }
    }

    fn next_frame(&mut self, out: &mut dyn FnMut(&Frame)) {
        let mut frame = [0; FRAME_SAMPLES];
        let pulled = if self.is_paused {
            Pulled::Nothing
        } else if self.clip.is_sounding() || !self.queue.has(FRAME_SAMPLES) {
            self.pull_clip(&mut frame)
        } else {
            self.queue.pull(&mut frame)
        };
        self.hand(frame, out);
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
    }

    /// The clip, or what the queue has instead of sound.
    fn pull_clip(&mut self, frame: &mut Frame) -> Pulled {
        if self.clip.pull(frame) {
            self.tell_clip();
            return Pulled::Audio;
        }
        self.queue.pull(frame)
    }

    fn hand(&mut self, mut frame: Frame, out: &mut dyn FnMut(&Frame)) {
        self.gain.apply(&mut frame);
        out(&frame);
    }
}

#[cfg(test)]
mod tests;
