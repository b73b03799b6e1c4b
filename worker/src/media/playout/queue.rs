//! Core: what the agent is going to say, and what people have heard of it.
//!
//! Owns the queued samples, one segment per item in playing order, the playhead, and the list of
//! responses that are over: late audio of those is dropped here. *Heard* means handed to the
//! encoder. Knows no time, no task and no codec; the pump asks for frames when they are due.

use std::{collections::VecDeque, time::Duration};

use dialog::{
    input::{Heard, Playout},
    model::{ItemId, ResponseId},
};

use crate::media::{FRAME_SAMPLES, Frame, Pcm, SAMPLE_RATE, duration};

/// Longest speech that may wait: the model is faster than real time, but five minutes of unheard
/// speech are a fault. 14 MB.
const MAX_QUEUED: usize = 5 * 60 * SAMPLE_RATE as usize;

/// Responses that are over are remembered for this many; late audio comes within a second or two.
const MAX_OVER: usize = 64;

/// The playhead is reported in steps of 100 ms.
const REPORT_STEP: usize = SAMPLE_RATE as usize / 10;

/// A voice that is cut fades out over 5 ms, which is heard as silence and not as a click.
const FADE_SAMPLES: usize = SAMPLE_RATE as usize / 200;

/// What became of pushed audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It will be played.
    Queued,
    /// Its response is over; dropped.
    Late,
    /// Too much is waiting; dropped, and the rest of this response will be as well.
    TooLong,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// Speech.
    Audio,
    /// Silence: nothing to say.
    Nothing,
    /// Silence: an item is incomplete and its next samples have not come yet.
    Underrun,
}

/// Fills a silent frame with the beginning of these samples, faded to silence.
pub(super) fn fade_out(samples: impl Iterator<Item = i16>, frame: &mut Frame) {
    for (n, sample) in samples.take(FADE_SAMPLES).enumerate() {
        let left = (FADE_SAMPLES - n) as i32;
        frame[n] = (i32::from(sample) * left / FADE_SAMPLES as i32) as i16;
    }
}

/// The outgoing queue of one agent.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    // Bounded by `MAX_QUEUED`: more is refused with its whole response.
    segments: VecDeque<Segment>,
    /// Samples in all segments.
    queued: usize,
    // The newest `MAX_OVER`; the oldest is forgotten.
    over: VecDeque<ResponseId>,
    // A handful per item: `Advanced` replaces the one before it.
    facts: VecDeque<Playout>,
}

#[derive(Debug)]
struct Segment {
    response: ResponseId,
    item: ItemId,
    pieces: VecDeque<Pcm>,
    /// Samples of the first piece that are gone.
    offset: usize,
    heard: usize,
    /// `heard` at the last report.
    reported: usize,
    /// No more audio will come.
    is_complete: bool,
}

impl Queue {
    /// Adds audio at the end of its item.
    pub(crate) fn push(&mut self, response: &ResponseId, item: &ItemId, pcm: Pcm) -> Pushed {
        if self.over.contains(response) {
            return Pushed::Late;
        }
        let samples = pcm.as_slice().len();
        if self.queued + samples > MAX_QUEUED {
            self.end(response.clone());
            return Pushed::TooLong;
        }
        if samples > 0 {
            self.queued += samples;
            self.segment(response, item).pieces.push_back(pcm);
        }
        Pushed::Queued
    }

    /// No more audio of this item.
    pub(crate) fn finish(&mut self, item: &ItemId) {
        let Some(segment) = self.segments.iter_mut().find(|s| s.item == *item) else {
            return;
        };
        segment.is_complete = true;
        self.retire();
    }

    /// Drops everything queued but audio of `keep`; later audio of `response` will be dropped too.
    pub(crate) fn flush(&mut self, response: Option<ResponseId>, keep: Option<&ResponseId>) {
        if let Some(response) = response {
            self.end(response);
        }
        let cut = self.remove(|segment| Some(&segment.response) != keep);
        let cut = cut.iter().map(Segment::position).collect();
        self.facts.push_back(Playout::Flushed { cut });
    }

    /// Drops audio of `response`, now and later. Not reported: nobody heard it.
    pub(crate) fn drop_response(&mut self, response: ResponseId) {
        self.remove(|segment| segment.response == response);
        self.end(response);
    }

    /// A voice that could be heard was paused.
    pub(crate) fn note_paused(&mut self) {
        self.facts.push_back(Playout::Paused);
    }

    /// Nothing left to play made people hear silence. Worth a word only in the middle of an item; where
    /// that goes on is told at once.
    pub(crate) fn note_starved(&mut self) {
        let Some(segment) = self.segments.front_mut().filter(|s| s.heard > 0) else {
            return;
        };
        segment.reported = 0;
        let position = segment.position();
        self.advance(position);
        self.facts.push_back(Playout::Starved);
    }

    /// A clip ended.
    pub(crate) fn note_clip_over(&mut self) {
        self.facts.push_back(Playout::ClipOver);
    }

    /// Fills `frame` with the next 10 ms of speech, or silence.
    pub(crate) fn pull(&mut self, frame: &mut Frame) -> Pulled {
        frame.fill(0);
        if !self.has(FRAME_SAMPLES) {
            return if self.segments.is_empty() {
                Pulled::Nothing
            } else {
                Pulled::Underrun
            };
        }
        let mut filled = 0;
        while filled < FRAME_SAMPLES {
            let Some(segment) = self.segments.front_mut() else {
                break;
            };
            if segment.heard == 0 {
                let (response, item) = (segment.response.clone(), segment.item.clone());
                self.facts.push_back(Playout::Started { response, item });
            }
            let taken = segment.take(&mut frame[filled..]);
            self.queued -= taken;
            filled += taken;
            self.retire();
        }
        self.report();
        Pulled::Audio
    }

    /// Fills `frame` with the beginning of what would have come next, faded to silence. Moves no
    /// playhead: it belongs to the cut.
    pub(crate) fn fade(&self, frame: &mut Frame) {
        frame.fill(0);
        let Some(segment) = self.segments.front().filter(|segment| segment.heard > 0) else {
            return;
        };
        fade_out(segment.upcoming(), frame);
    }

    /// Whether `samples` can be played without waiting; fewer will do when nothing more comes.
    pub(crate) fn has(&self, samples: usize) -> bool {
        let is_complete = self
            .segments
            .back()
            .is_some_and(|segment| segment.is_complete);
        self.queued >= samples || (self.queued > 0 && is_complete)
    }

    /// How much of the front item was played.
    #[cfg(test)]
    pub(crate) fn position(&self) -> Duration {
        let front = self.segments.front();
        front.map_or(Duration::ZERO, |segment| duration(segment.heard))
    }

    /// The oldest fact not yet told.
    pub(crate) fn poll_fact(&mut self) -> Option<Playout> {
        self.facts.pop_front()
    }

    /// Puts a fact back that could not be told.
    pub(crate) fn keep_fact(&mut self, fact: Playout) {
        self.facts.push_front(fact);
    }

    fn segment(&mut self, response: &ResponseId, item: &ItemId) -> &mut Segment {
        let known = self
            .segments
            .iter()
            .position(|segment| segment.item == *item);
        let index = known.unwrap_or_else(|| {
            self.segments
                .push_back(Segment::new(response.clone(), item.clone()));
            self.segments.len() - 1
        });
        &mut self.segments[index]
    }

    fn remove(&mut self, is_cut: impl Fn(&Segment) -> bool) -> Vec<Segment> {
        let segments = std::mem::take(&mut self.segments).into_iter();
        let (cut, kept): (Vec<_>, Vec<_>) = segments.partition(is_cut);
        self.segments = kept.into();
        self.queued = self.segments.iter().map(Segment::left).sum();
        cut
    }

    fn end(&mut self, response: ResponseId) {
        if self.over.len() == MAX_OVER {
            self.over.pop_front();
        }
        self.over.push_back(response);
    }

    /// Removes played items from the front. An item that never completed is over as well once
    /// another one waits behind it.
    fn retire(&mut self) {
        let mut is_drained = false;
        while let Some(segment) = self.segments.front() {
            if !segment.pieces.is_empty() || !(segment.is_complete || self.segments.len() > 1) {
                return;
            }
            is_drained = segment.is_complete;
            let position = segment.position();
            self.segments.pop_front();
            self.advance(position);
        }
        if is_drained {
            self.facts.push_back(Playout::Drained);
        }
    }

    fn report(&mut self) {
        let Some(segment) = self.segments.front_mut() else {
            return;
        };
        if segment.heard < segment.reported + REPORT_STEP {
            return;
        }
        segment.reported = segment.heard;
        let position = segment.position();
        self.advance(position);
    }

    fn advance(&mut self, position: Heard) {
        match self.facts.back_mut() {
            Some(Playout::Advanced(last)) if last.item == position.item => *last = position,
            _ => self.facts.push_back(Playout::Advanced(position)),
        }
    }
}

impl Segment {
    fn new(response: ResponseId, item: ItemId) -> Self {
        let pieces = VecDeque::new();
        Self {
            response,
            item,
            pieces,
            offset: 0,
            heard: 0,
            reported: 0,
            is_complete: false,
        }
    }

    /// Copies as much as there is into `out`; returns how much that was.
    fn take(&mut self, out: &mut [i16]) -> usize {
        let mut taken = 0;
        while taken < out.len() {
            let Some(piece) = self.pieces.front() else {
                break;
            };
            let left = &piece.as_slice()[self.offset..];
            let count = left.len().min(out.len() - taken);
            out[taken..taken + count].copy_from_slice(&left[..count]);
            taken += count;
            self.offset += count;
            if count == left.len() {
                self.pieces.pop_front();
                self.offset = 0;
            }
        }
        self.heard += taken;
        taken
    }

    /// Samples that were not played yet.
    fn left(&self) -> usize {
        let all: usize = self.pieces.iter().map(|piece| piece.as_slice().len()).sum();
        all - self.offset
    }

    fn upcoming(&self) -> impl Iterator<Item = i16> {
        self.pieces
            .iter()
            .flat_map(|piece| piece.as_slice())
            .skip(self.offset)
            .copied()
    }

    fn position(&self) -> Heard {
        let heard: Duration = duration(self.heard);
        Heard {
            response: self.response.clone(),
            item: self.item.clone(),
            heard,
        }
    }
}

#[cfg(test)]
mod tests;
