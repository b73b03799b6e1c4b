//! Core: silence because the model is away, and what covers it.
//!
//! Clips that the worker holds say "one moment", or that it cannot go on: the model cannot say it, it
//! is what is missing. Owns since when somebody waits in such a silence, and the last words when the
//! model stays away for good. Clips are no part of the conversation: no model is told of them.

use std::time::{Duration, Instant};

use crate::{
    Dialog, Greeting, Output,
    close::FAR_END,
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

/// A silence that is the model's fault.
#[derive(Debug, Default)]
pub(crate) struct Gap {
    /// An answer failed; a model that is away needs no such sign.
    has_failed: bool,
    /// Since when somebody waits; `None` = nobody does.
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
    pub(crate) fn begin_gap(&mut self) {
        self.gap.has_failed = true;
    }

    /// The agent can be heard again. A clip that waits for a silence comes too late.
    pub(crate) fn end_gap(&mut self) {
        self.gap.has_failed = false;
        self.gap.is_spoken_into = false;
        self.end_wait();
        self.stop_clip();
    }

    fn end_wait(&mut self) {
        self.gap.since = None;
        self.gap.is_covered = false;
        self.timers.stop(Timer::Gap);
    }

    /// Somebody has just spoken, and no model has made a turn of it.
    pub(crate) fn keep_waiting(&mut self) {
        self.gap.is_spoken_into = true;
    }

    /// The model hears what was said meanwhile.
    pub(crate) fn end_waiting(&mut self) {
        self.gap.is_spoken_into = false;
    }

    /// An ear heard somebody, whom the model may not hear at the moment.
    pub(crate) fn speak_into_gap(&mut self, edge: SpeechEdge) {
        match edge {
            SpeechEdge::Started { .. } => self.stop_clip(),
            SpeechEdge::Stopped { .. } if !self.link.is_up() => {
                self.end_wait();
                self.gap.is_spoken_into = true;
            }
            _ => {}
        }
    }

    /// Whether somebody waits for the model, and for how long they still may.
    pub(crate) fn mind_gap(&mut self, now: Instant) {
        if self.is_finished {
            return;
        }
        let is_gap = self.gap.has_failed || !self.link.is_up();
        if !is_gap || self.gap.last_words.is_some() {
            return self.end_wait();
        }
        if !self.does_anybody_wait() {
            // Who was told to wait is not told again for the same thing.
            self.gap.has_failed = false;
            self.gap.since = None;
            return self.timers.stop(Timer::Gap);
        }
        let since = *self.gap.since.get_or_insert(now);
        if !self.gap.is_covered && !self.timers.is_set(Timer::Gap) {
            self.timers.set(Timer::Gap, since + LONGEST_SILENCE);
        }
    }

    /// Among colleagues who speak to each other only a question that names the agent waits for it.
    fn does_anybody_wait(&self) -> bool {
        let is_greeting_due = self.greeting == Greeting::Due && self.audience.caller().is_some();
        let is_asked = !self.floor.is_empty() || self.responses.is_generating();
        let is_spoken_to = self.gap.is_spoken_into
            || self.user.holds_floor()
            || self.owes_hearing()
            || self.calls.is_running();
        let is_waited_for =
            is_asked || is_greeting_due || (is_spoken_to && !self.addressing.is_selective());
        is_waited_for && !self.is_silenced && self.closing.is_none()
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
            self.end_wait();
            self.timers.set(Timer::LastWords, now + COMPANY);
        }
    }

    pub(crate) fn has_last_words(&self) -> bool {
        self.gap.last_words.is_some()
    }

    pub(crate) fn take_last_words(&mut self) -> Option<CloseReason> {
        self.gap.last_words.take()
    }

    /// As soon as somebody can hear them, and the agent has said what it still had to say.
    pub(crate) fn say_last_words(&mut self, now: Instant) {
        let has_company = self.is_room_ready && self.audience.caller().is_some();
        let is_due = self.gap.last_words.is_some() && !self.gap.is_told && !self.is_finished;
        if is_due && has_company && !self.playhead.is_occupied() {
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
    pub(crate) fn on_last_words_over(&mut self, now: Instant) {
        let is_speaking = self.playhead.is_occupied() && self.is_room_ready;
        if is_speaking && !self.gap.is_told {
            return self.timers.set(Timer::LastWords, now + COMPANY);
        }
        if let Some(reason) = self.gap.last_words.clone() {
            self.finish(reason);
        }
    }

    fn play_clip(&mut self, clip: Clip) {
        self.gap.is_clip_heard = true;
        self.outputs
            .push_back(Output::Playout(PlayoutOrder::PlayClip(clip)));
    }

    fn stop_clip(&mut self) {
        if self.gap.is_clip_heard && !self.gap.is_told {
            self.outputs
                .push_back(Output::Playout(PlayoutOrder::StopClip));
        }
    }
}
