//! Core: the agent yields the floor, step by step.
//!
//! Flush at once, cancel only what is still being generated, and when the queue reports what was
//! heard: truncate what was cut, delete what nobody heard, leave alone what was heard to its end.

use std::time::{Duration, Instant};

use crate::{
    Dialog, Output,
    input::Heard,
    model::{Order, ResponseId},
    note::Note,
    output::PlayoutOrder,
    playhead::{Cut, Ended},
    timers::Timer,
};

/// The outgoing queue flushes within one 10 ms frame; when no report came after this long, what was
/// last known of the playhead has to do.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);
/// A cancelled response is done within a round trip; after this long its end was lost.
const CANCEL_LIMIT: Duration = Duration::from_secs(3);

/// A flush that was ordered and not yet reported.
#[derive(Debug)]
pub(crate) struct Yielding {
    since: Instant,
    /// The agent paused before; this long after the first sign it was silent.
    silent_after: Option<Duration>,
    /// What was reported so far; more than one flush may be open.
    cut: Vec<Heard>,
}

impl Dialog {
    /// Somebody takes the floor: whatever the agent says or is about to say stops.
    pub(crate) fn yield_floor(&mut self, now: Instant) {
        if self.overlap.is_some() {
            return self.confirm(now);
        }
        self.yield_floor_to(now, None, None);
    }

    /// The same; the response `keep` is the answer already. `silent_after` = the agent paused before.
    pub(crate) fn yield_floor_to(
        &mut self,
        now: Instant,
        silent_after: Option<Duration>,
        keep: Option<&ResponseId>,
    ) {
        let generating = self.live_id().filter(|live| Some(live) != keep);
        self.postpone_sentence(keep);
        if let Some(asked) = &mut self.responses.asked {
            asked.is_unwanted = true;
        }
        if generating.is_none() && !self.playhead.is_occupied_beside(keep) {
            return;
        }
        self.flush(generating.clone(), keep.cloned());
        self.playhead.doom(keep);
        self.yielding.get_or_insert(Yielding {
            since: now,
            silent_after,
            cut: Vec::new(),
        });
        self.timers.set(Timer::Flush, now + FLUSH_LIMIT);
        if let Some(response) = generating {
            self.cancel(now, response);
        }
    }

    /// A response shows up that nobody wants any more: it is stopped before its first sound.
    pub(crate) fn stop_unheard(&mut self, now: Instant, response: ResponseId) {
        self.outputs.push_back(Output::Playout(PlayoutOrder::Drop {
            response: response.clone(),
        }));
        self.cancel(now, response);
    }

    /// The queue reports what was heard of everything it dropped.
    pub(crate) fn on_flushed(&mut self, now: Instant, cut: &[Heard]) {
        self.open_flushes = self.open_flushes.saturating_sub(1);
        if let Some(yielding) = &mut self.yielding {
            yielding.cut.extend_from_slice(cut);
            if self.open_flushes == 0 {
                self.settle_flush(now);
            }
        }
    }

    pub(crate) fn on_flush_overdue(&mut self, now: Instant) {
        self.note_unexpected("flush without report");
        self.open_flushes = 0;
        let known = self.playhead.known();
        if let Some(yielding) = &mut self.yielding {
            yielding.cut.extend(known);
        }
        self.settle_flush(now);
    }

    fn settle_flush(&mut self, now: Instant) {
        let Some(Yielding {
            since,
            silent_after,
            cut,
        }) = self.yielding.take()
        else {
            return;
        };
        self.timers.stop(Timer::Flush);
        let mut shown = Vec::new();
        let ended = self.playhead.cut(&cut, &mut shown);
        let heard = ended.iter().find_map(|ended| match ended.cut {
            Cut::At(heard) => Some(heard),
            Cut::Unheard | Cut::Whole => None,
        });
        for ended in ended {
            self.settle_item(ended);
        }
        self.publish_all(shown);
        let stopped_after = silent_after.unwrap_or_else(|| now.saturating_duration_since(since));
        self.note(Note::Interrupted {
            heard: heard.unwrap_or_default(),
            stopped_after,
        });
    }

    /// Who interrupts does not want what is being looked up; what is being done is done. Before the answer
    /// to the interruption may look up anything itself.
    pub(crate) fn call_off_look_ups(&mut self) {
        if self.calls.is_running() && self.yielding.is_some() {
            self.outputs.push_back(Output::CancelReads);
        }
    }

    /// Makes the model's memory of one item what people experienced.
    pub(crate) fn settle_item(&mut self, ended: Ended) {
        if ended.is_stale {
            return self.settle_stale_item(&ended);
        }
        self.conversation.agent_said(&ended.item, &ended.said);
        if !self.link.truncates() {
            return;
        }
        match ended.cut {
            Cut::Whole => {}
            Cut::At(heard) => self.order(Order::Truncate {
                item: ended.item,
                heard,
            }),
            Cut::Unheard => self.order(Order::Delete { item: ended.item }),
        }
    }

    /// The connection that made it is gone. One that came since was told the whole, which nobody can
    /// take back; one that is to come is told what was heard.
    fn settle_stale_item(&mut self, ended: &Ended) {
        let is_known = self.conversation.agent_was_cut(&ended.item, &ended.said);
        if !is_known || matches!(ended.cut, Cut::Whole) {
            return;
        }
        let said = ended.said.trim_end();
        self.label(&if said.is_empty() {
            "You were interrupted before people heard any of what you said last.".to_owned()
        } else {
            format!("You were interrupted. Of what you said last people heard only: {said:?}")
        });
    }

    fn cancel(&mut self, now: Instant, response: ResponseId) {
        self.responses.cancel(&response);
        self.timers.set(Timer::Response, now + CANCEL_LIMIT);
        if self.link.cancels() {
            self.order(Order::Cancel {
                response: Some(response),
            });
        }
    }

    fn flush(&mut self, response: Option<ResponseId>, keep: Option<ResponseId>) {
        self.open_flushes += 1;
        self.outputs
            .push_back(Output::Playout(PlayoutOrder::Flush { response, keep }));
    }

    /// The response that is being generated and counts.
    fn live_id(&self) -> Option<ResponseId> {
        let live = self
            .responses
            .live
            .as_ref()
            .filter(|live| !live.is_cancelled)?;
        Some(live.id.clone())
    }
}
