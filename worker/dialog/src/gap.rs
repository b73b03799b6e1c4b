//! Core: silence because the model is away, and what covers it.
//!
//! Clips that the worker holds say "one moment", or that it cannot go on: the model cannot say it, it
//! is what is missing. Owns since when somebody waits in such a silence, and the last words when the
//! model stays away for good. Clips are no part of the conversation: no model is told of them.

use std::time::{Duration, Instant};

use crate::{
    Dialog, Output,
    input::SpeechEdge,
    note::Note,
    output::{Clip, CloseReason, PlayoutOrder},
    timers::Timer,
};

/// Silence that people take for a dead line. Most reconnects are shorter.
const LONGEST_SILENCE: Duration = Duration::from_millis(700);
/// Somebody who can hear the last words is waited for so long: a model refuses sooner than a room is
/// joined.
const COMPANY: Duration = Duration::from_secs(3);
/// The last words take no longer.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// What was handed to the encoder is heard this much later: network, jitter buffer, loudspeaker.
const FAR_END: Duration = Duration::from_millis(300);

/// A silence that is the model's fault.
#[derive(Debug, Default)]
pub(crate) struct Gap {
    /// `None` = there is none.
    since: Option<Instant>,
    /// It was covered once; that is enough.
    is_covered: bool,
    /// Somebody spoke while there was no model to hear it.
    is_spoken_into: bool,
    is_clip_heard: bool,
    /// The model will not come back, for this reason.
    last_words: Option<CloseReason>,
    /// People are being told so.
    is_told: bool,
}

impl Dialog {
    /// The model failed: whoever waits for it may hear nothing for a while.
    pub(crate) fn begin_gap(&mut self, now: Instant) {
        self.gap.since.get_or_insert(now);
    }

    /// The agent can be heard again.
    pub(crate) fn end_gap(&mut self) {
        self.gap.since = None;
        self.gap.is_covered = false;
        self.gap.is_spoken_into = false;
        self.timers.stop(Timer::Gap);
    }

    /// The model hears what was said meanwhile.
    pub(crate) fn is_heard_again(&mut self) {
        self.gap.is_spoken_into = false;
    }

    /// An ear heard somebody, whom the model cannot hear at the moment.
    pub(crate) fn speak_into_gap(&mut self, now: Instant, edge: SpeechEdge) {
        let is_waiting = self.gap.last_words.is_none();
        match edge {
            SpeechEdge::Started { .. } if self.gap.is_clip_heard && is_waiting => {
                self.outputs
                    .push_back(Output::Playout(PlayoutOrder::StopClip));
            }
            SpeechEdge::Stopped { .. } if !self.link.is_up() => {
                self.end_gap();
                self.begin_gap(now);
                self.gap.is_spoken_into = true;
            }
            _ => {}
        }
    }

    /// Whether somebody waits, and for how long they still may.
    pub(crate) fn mind_gap(&mut self) {
        let Some(since) = self.gap.since else {
            return;
        };
        let is_waited_for = self.gap.is_spoken_into
            || self.user.holds_floor()
            || self.responses.is_generating()
            || !self.floor.is_empty()
            || self.owes_hearing();
        if !is_waited_for || self.is_silenced || self.closing.is_some() {
            return self.end_gap();
        }
        if !self.gap.is_covered && !self.timers.is_set(Timer::Gap) {
            self.timers.set(Timer::Gap, since + LONGEST_SILENCE);
        }
    }

    /// Nobody has said anything for too long.
    pub(crate) fn on_gap(&mut self, now: Instant) {
        let is_speaking = self.user.is_speaking() || self.voices.speaking().next().is_some();
        let is_heard = self.is_room_ready && !self.is_room_away;
        if !is_heard || is_speaking || self.overlap.is_some() || self.playhead.is_occupied() {
            // There is no silence yet, or nobody to hear it.
            self.gap.since = Some(now);
            return;
        }
        self.gap.is_covered = true;
        self.note(Note::GapCovered);
        self.play_clip(Clip::OneMoment);
    }

    /// The model will not come back: people are told so before the conversation ends.
    pub(crate) fn end_without_model(&mut self, now: Instant, reason: CloseReason) {
        if self.closing.is_some() {
            return self.finish(reason);
        }
        if self.gap.last_words.replace(reason).is_none() {
            self.end_gap();
            self.timers.set(Timer::LastWords, now + COMPANY);
        }
    }

    /// As soon as somebody can hear them.
    pub(crate) fn say_last_words(&mut self, now: Instant) {
        let has_company = self.is_room_ready && self.audience.caller().is_some();
        if self.gap.last_words.is_some() && has_company && !self.gap.is_told {
            self.gap.is_told = true;
            self.timers.set(Timer::LastWords, now + LAST_WORDS);
            self.play_clip(Clip::Failure);
        }
    }

    pub(crate) fn on_clip_over(&mut self, now: Instant) {
        self.gap.is_clip_heard = false;
        if self.gap.is_told {
            self.timers.set(Timer::LastWords, now + FAR_END);
        }
    }

    /// The last words were heard, or could not be.
    pub(crate) fn on_last_words_over(&mut self) {
        if let Some(reason) = self.gap.last_words.take() {
            self.finish(reason);
        }
    }

    fn play_clip(&mut self, clip: Clip) {
        self.gap.is_clip_heard = true;
        self.outputs
            .push_back(Output::Playout(PlayoutOrder::PlayClip(clip)));
    }
}
