//! Core: what the agent says, item by item: received, queued, heard.
//!
//! The only source of "what was said" (house rule: the playhead is the truth). Owns the items that
//! are not yet heard to their end. Does not order anything: it tells the dialog what was cut where.

use std::{collections::VecDeque, time::Duration};

use crate::{
    input::Heard,
    model::{ItemId, ResponseId},
    output::Publish,
    transcript::Transcript,
};

/// How many items may be queued, or remembered as gone; a response has one to three.
const ITEMS: usize = 64;

/// How many items may be heard before they arrive; one does, when it does at all.
const EARLY: usize = 4;

/// One item of speech on its way to the listeners.
#[derive(Debug)]
pub(crate) struct Spoken {
    pub(crate) response: ResponseId,
    pub(crate) item: ItemId,
    segment: String,
    received: Duration,
    /// As the outgoing queue reports it; may run ahead of `received`, which takes another road.
    heard: Duration,
    is_started: bool,
    /// No more audio will come.
    is_complete: bool,
    /// Generation of its response ended: no more text will come.
    is_response_over: bool,
    /// The queue reported empty after this item had started.
    is_drained: bool,
    /// A flush was ordered while it was here: nothing more of it will be heard.
    is_doomed: bool,
    /// The connection that knew the item is gone: the model can no longer be told about it.
    is_stale: bool,
    transcript: Transcript,
}

/// How a doomed item ended.
#[derive(Debug)]
pub(crate) enum Cut {
    /// Heard to its end before the flush: left as it is.
    Whole,
    /// Nobody heard any of it.
    Unheard,
    /// Heard for this long, floored to whole milliseconds and to what was received.
    At(Duration),
}

/// One item that left the playhead because of a flush.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) item: ItemId,
    pub(crate) cut: Cut,
    /// The text people were shown of it.
    pub(crate) said: String,
    pub(crate) is_stale: bool,
}

/// Everything that is not yet heard to its end, in playing order.
#[derive(Debug, Default)]
pub(crate) struct Playhead {
    items: VecDeque<Spoken>,
    /// Items that were cut or heard to their end lately: what still comes of them is late.
    gone: VecDeque<ItemId>,
    /// Items that were heard before they were said to have arrived: sound takes a shorter road.
    early: VecDeque<ItemId>,
    /// A voice was started and neither stopped nor played out.
    is_voice_on: bool,
    /// It fell silent because the rest of its item has not come.
    is_starved: bool,
    /// How many connections were lost so far.
    connection: u32,
}

impl Playhead {
    /// Audio of an item arrived. Returns whether its first sound, which was early, is news now.
    pub(crate) fn received(
        &mut self,
        response: &ResponseId,
        item: &ItemId,
        duration: Duration,
    ) -> bool {
        let Some(spoken) = self.entry(response, item) else {
            return false;
        };
        spoken.received += duration;
        let Some(index) = self.early.iter().position(|early| early == item) else {
            return false;
        };
        self.early.remove(index);
        self.start(item)
    }

    pub(crate) fn text(&mut self, response: &ResponseId, item: &ItemId, text: &str) {
        if let Some(spoken) = self.entry(response, item) {
            spoken.transcript.push(text);
        }
    }

    pub(crate) fn complete(&mut self, item: &ItemId) {
        if let Some(spoken) = self.find(item).filter(|spoken| !spoken.is_doomed) {
            spoken.is_complete = true;
        }
    }

    /// Generation of a response ended, and with it audio and text of all its items. A doomed item
    /// stays as it was when it was stopped: the model may have more of it than we took.
    pub(crate) fn response_over(&mut self, response: &ResponseId) {
        let of_it = |spoken: &&mut Spoken| spoken.response == *response && !spoken.is_doomed;
        for spoken in self.items.iter_mut().filter(of_it) {
            spoken.is_complete = true;
            spoken.is_response_over = true;
        }
    }

    /// The first sample of an item was played. Returns whether that is news.
    pub(crate) fn start(&mut self, item: &ItemId) -> bool {
        let Some(index) = self.items.iter().position(|spoken| spoken.item == *item) else {
            self.remember_early(item);
            return false;
        };
        for before in self
            .items
            .iter_mut()
            .take(index)
            .filter(|before| before.is_started)
        {
            before.is_drained = true;
        }
        let spoken = &mut self.items[index];
        self.is_voice_on |= !spoken.is_doomed;
        self.is_starved = false;
        spoken.is_drained = false;
        !std::mem::replace(&mut spoken.is_started, true)
    }

    fn remember_early(&mut self, item: &ItemId) {
        if self.gone.contains(item) || self.early.contains(item) {
            return;
        }
        if self.early.len() == EARLY {
            self.early.pop_front();
        }
        self.early.push_back(item.clone());
    }

    pub(crate) fn advance(&mut self, heard: &Heard) {
        let Some(spoken) = self.find(&heard.item) else {
            return;
        };
        let is_more = heard.heard > spoken.heard;
        spoken.heard = spoken.heard.max(heard.heard);
        spoken.is_drained = false;
        self.is_starved &= !is_more;
    }

    /// Nothing is queued, and more is to come.
    pub(crate) fn starve(&mut self) {
        self.is_starved = true;
    }

    /// Nothing is queued any more.
    pub(crate) fn drain(&mut self) {
        self.is_voice_on = false;
        for spoken in self.items.iter_mut().filter(|spoken| spoken.is_started) {
            spoken.is_drained = true;
        }
    }

    /// Everything that is here will be flushed, but for this response; what comes later is not
    /// affected.
    pub(crate) fn doom(&mut self, keep: Option<&ResponseId>) {
        self.is_voice_on = false;
        let is_kept = |spoken: &&mut Spoken| Some(&spoken.response) == keep;
        for spoken in self.items.iter_mut().filter(|spoken| !is_kept(spoken)) {
            spoken.is_doomed = true;
        }
    }

    /// Takes out what the queue drops unheard.
    pub(crate) fn drop_response(
        &mut self,
        response: &ResponseId,
        publish: &mut Vec<Publish>,
    ) -> Vec<Ended> {
        let of_it = |spoken: &&mut Spoken| spoken.response == *response && !spoken.is_doomed;
        let mut unheard = Vec::new();
        for spoken in self.items.iter_mut().filter(of_it) {
            spoken.is_doomed = true;
            unheard.push(Heard {
                response: response.clone(),
                item: spoken.item.clone(),
                heard: spoken.heard,
            });
        }
        self.cut(&unheard, publish)
    }

    /// Takes out what the flush cut, together with the text people are still to be shown.
    pub(crate) fn cut(&mut self, cut: &[Heard], publish: &mut Vec<Publish>) -> Vec<Ended> {
        let mut ended = Vec::new();
        let mut kept = VecDeque::new();
        for mut spoken in std::mem::take(&mut self.items) {
            let report = cut.iter().find(|heard| heard.item == spoken.item);
            if !spoken.is_doomed && report.is_none() {
                kept.push_back(spoken);
                continue;
            }
            let cut = spoken.settle(report.map(|heard| heard.heard));
            spoken.show_end(&cut, publish);
            self.forget(&spoken.item);
            let said = spoken.transcript.shown().to_owned();
            ended.push(Ended {
                item: spoken.item,
                cut,
                said,
                is_stale: spoken.is_stale,
            });
        }
        self.items = kept;
        ended
    }

    /// What is known of all doomed items, should the queue never report.
    pub(crate) fn known(&self) -> Vec<Heard> {
        let doomed = self.items.iter().filter(|spoken| spoken.is_doomed);
        doomed
            .map(|spoken| Heard {
                response: spoken.response.clone(),
                item: spoken.item.clone(),
                heard: spoken.heard,
            })
            .collect()
    }

    /// Publishes what is newly heard and lets go of what was heard to its end. `said` is told the
    /// text of every item that changed.
    pub(crate) fn step(
        &mut self,
        publish: &mut Vec<Publish>,
        mut said: impl FnMut(&ResponseId, &ItemId, &str),
    ) {
        for spoken in self
            .items
            .iter_mut()
            .filter(|s| s.is_started && !s.is_doomed)
        {
            let before = publish.len();
            spoken.show(publish);
            if publish.len() > before {
                said(&spoken.response, &spoken.item, spoken.transcript.shown());
            }
        }
        let is_over = |spoken: &&Spoken| !spoken.is_doomed && spoken.is_over();
        let over: Vec<ItemId> = self
            .items
            .iter()
            .filter(is_over)
            .map(|s| s.item.clone())
            .collect();
        for item in over {
            self.items
                .retain(|spoken| spoken.item != item || spoken.is_doomed);
            self.forget(&item);
        }
    }

    /// A response of text alone is shown at once: there is no sound to wait for.
    pub(crate) fn take_silent(
        &mut self,
        response: &ResponseId,
        publish: &mut Vec<Publish>,
    ) -> Vec<(ItemId, String)> {
        let mut texts = Vec::new();
        self.items.retain_mut(|spoken| {
            let is_silent = spoken.response == *response && spoken.received.is_zero();
            if !is_silent || spoken.is_started || spoken.is_doomed {
                return true;
            }
            spoken.show_end(&Cut::Whole, publish);
            texts.push((spoken.item.clone(), spoken.transcript.shown().to_owned()));
            false
        });
        texts
    }

    /// The connection is gone: what was received goes on playing, nothing is added.
    pub(crate) fn disconnect(&mut self) {
        self.connection += 1;
        self.gone.clear();
        self.early.clear();
        for spoken in &mut self.items {
            spoken.is_complete = true;
            spoken.is_response_over = true;
            spoken.is_stale = true;
        }
        self.items.retain(|spoken| !spoken.received.is_zero());
    }

    /// Texts of what is still being played; it will be heard, so a replay counts it as said.
    pub(crate) fn queued(&self) -> impl Iterator<Item = (&ItemId, &str)> {
        let alive = self.items.iter().filter(|spoken| !spoken.is_doomed);
        alive.map(|spoken| (&spoken.item, spoken.transcript.whole()))
    }

    /// Something of this item may still be heard.
    pub(crate) fn holds(&self, item: &ItemId) -> bool {
        self.items.iter().any(|spoken| spoken.item == *item)
    }

    /// The connection that made this item is gone.
    pub(crate) fn is_stale(&self, item: &ItemId) -> bool {
        let mut items = self.items.iter().rev();
        items
            .find(|spoken| spoken.item == *item)
            .is_some_and(|spoken| spoken.is_stale)
    }

    /// Which response an item is of, while some of it is still to be heard.
    pub(crate) fn response_of(&self, item: &ItemId) -> Option<&ResponseId> {
        let mut items = self.items.iter();
        let spoken = items.find(|spoken| spoken.item == *item)?;
        Some(&spoken.response)
    }

    /// Audio is queued or playing that nobody has stopped.
    pub(crate) fn is_occupied(&self) -> bool {
        self.is_occupied_beside(None)
    }

    /// The same, not counting this response.
    pub(crate) fn is_occupied_beside(&self, other: Option<&ResponseId>) -> bool {
        let counts = |s: &&Spoken| !s.is_doomed && Some(&s.response) != other;
        self.items
            .iter()
            .filter(counts)
            .any(|s| !s.received.is_zero() && !s.is_over())
    }

    /// Something of this response is to be heard.
    pub(crate) fn plays(&self, response: &ResponseId) -> bool {
        let of_it = |s: &&Spoken| s.response == *response && !s.is_doomed;
        self.items.iter().filter(of_it).any(|s| !s.is_over())
    }

    /// A voice can be heard right now; the seam between two items is no silence.
    pub(crate) fn is_audible(&self) -> bool {
        self.is_voice_on && !self.is_starved && self.is_occupied()
    }

    fn forget(&mut self, item: &ItemId) {
        if self.gone.len() == ITEMS {
            self.gone.pop_front();
        }
        self.gone.push_back(item.clone());
    }

    fn find(&mut self, item: &ItemId) -> Option<&mut Spoken> {
        self.items
            .iter_mut()
            .rev()
            .find(|spoken| spoken.item == *item)
    }

    /// The entry of an item, new if need be; `None` = it is stopped, and this comes too late.
    fn entry(&mut self, response: &ResponseId, item: &ItemId) -> Option<&mut Spoken> {
        let is_it = |spoken: &Spoken| spoken.item == *item && !spoken.is_stale;
        if let Some(index) = self.items.iter().rposition(is_it) {
            return Some(&mut self.items[index]).filter(|spoken| !spoken.is_doomed);
        }
        if self.gone.contains(item) {
            return None;
        }
        if self.items.len() == ITEMS {
            self.items.pop_front();
        }
        let segment = segment_name(self.connection, item);
        self.items.push_back(Spoken {
            response: response.clone(),
            item: item.clone(),
            segment,
            received: Duration::ZERO,
            heard: Duration::ZERO,
            is_started: false,
            is_complete: false,
            is_response_over: false,
            is_drained: false,
            is_doomed: false,
            is_stale: false,
            transcript: Transcript::default(),
        });
        self.items.back_mut()
    }
}

impl Spoken {
    /// Heard to its end.
    fn is_heard(&self) -> bool {
        let is_played = self.is_drained || self.heard >= self.received;
        self.is_started && self.is_complete && is_played
    }

    /// Heard to its end, and its text is complete.
    fn is_over(&self) -> bool {
        self.is_heard() && self.is_response_over
    }

    /// Decides how a flushed item ended. `reported` = what the queue says was heard of it; `None` =
    /// the queue had nothing of it left.
    fn settle(&self, reported: Option<Duration>) -> Cut {
        let heard = match reported {
            Some(heard) => heard.max(self.heard),
            None if self.is_started => self.received,
            None => Duration::ZERO,
        };
        if self.is_complete && !self.received.is_zero() && heard >= self.received {
            return Cut::Whole;
        }
        match whole_millis(heard.min(self.received)) {
            Duration::ZERO => Cut::Unheard,
            heard => Cut::At(heard),
        }
    }

    fn show(&mut self, publish: &mut Vec<Publish>) {
        if self.is_over() {
            self.show_end(&Cut::Whole, publish);
            return;
        }
        let heard = self.heard.min(self.received);
        let text = self.transcript.advance(heard, self.received).to_owned();
        self.show_text(text, publish);
    }

    /// Closes the segment with what was heard, if people have seen it at all.
    fn show_end(&mut self, cut: &Cut, publish: &mut Vec<Publish>) {
        let text = match cut {
            Cut::Whole => self.transcript.finish().to_owned(),
            Cut::At(heard) => self.transcript.advance(*heard, self.received).to_owned(),
            Cut::Unheard => String::new(),
        };
        self.show_text(text, publish);
        if !self.transcript.shown().is_empty() {
            let interrupted = !matches!(cut, Cut::Whole);
            publish.push(Publish::AgentTextEnd {
                segment: self.segment.clone(),
                interrupted,
            });
        }
    }

    fn show_text(&self, text: String, publish: &mut Vec<Publish>) {
        if !text.is_empty() {
            publish.push(Publish::AgentText {
                segment: self.segment.clone(),
                text,
            });
        }
    }
}

/// The wire counts whole milliseconds; rounding up would ask for more than there is.
fn whole_millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Ids begin anew with each connection; segments must not.
fn segment_name(connection: u32, item: &ItemId) -> String {
    match connection {
        0 => item.as_str().to_owned(),
        later => format!("{}-{item}", later + 1),
    }
}
