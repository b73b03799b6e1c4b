//! Core: the one response that is asked for or being generated, and what is left of earlier ones.
//!
//! Owns which events belong to a response that still counts. Does not own the audio (that is
//! `playhead.rs`): a response is over when generation ends, long before its sound does.

use std::{collections::VecDeque, time::Instant};

use crate::{
    floor::{Purpose, Request},
    model::{ItemId, ResponseId, Tag},
};

/// How many ended responses are remembered, to tell late events from new ones.
const REMEMBERED: usize = 32;
/// How many items of one response are tracked; more than any provider sends.
const ITEMS: usize = 64;

/// A response we asked for and have not seen yet.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) tag: Tag,
    pub(crate) request: Request,
    pub(crate) at: Instant,
    /// Somebody took the floor meanwhile: it is cancelled as soon as it shows up.
    pub(crate) is_unwanted: bool,
}

/// The response that is being generated.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: ResponseId,
    /// Ours; `None` = the model created it by itself.
    pub(crate) request: Option<Request>,
    /// The last turn of people that it answers; zero = none.
    pub(crate) serves: u64,
    /// Nothing of it counts any more; it only occupies the model until it is done.
    pub(crate) is_cancelled: bool,
    /// Audio or a call arrived.
    pub(crate) has_content: bool,
    pub(crate) last_sign: Instant,
    /// Items seen before it was cancelled.
    items: Vec<ItemId>,
    /// Items that showed up after it was cancelled: nobody will hear them.
    late: Vec<ItemId>,
}

impl Live {
    /// Notes an item of spoken words. Returns whether it still counts.
    pub(crate) fn sees(&mut self, item: &ItemId) -> bool {
        if self.items.contains(item) {
            return !self.is_cancelled;
        }
        let list = if self.is_cancelled {
            &mut self.late
        } else {
            &mut self.items
        };
        if list.len() < ITEMS && !list.contains(item) {
            list.push(item.clone());
        }
        !self.is_cancelled
    }

    /// It has begun to answer what people said.
    pub(crate) fn is_answer(&self) -> bool {
        let request = self.request.as_ref();
        let is_reply = request.is_none_or(|request| request.purpose == Purpose::Reply);
        is_reply && self.has_content && !self.is_cancelled
    }

    /// Words of it came, and counted.
    pub(crate) fn has_words(&self) -> bool {
        !self.items.is_empty()
    }

    pub(crate) fn into_late_items(self) -> Vec<ItemId> {
        self.late
    }
}

/// How an ended response ended, as far as late events care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is being generated and counts.
    Live,
    /// It ended by itself.
    Over,
    /// It was stopped: late events mean nothing.
    Stopped,
    /// Never heard of.
    Unknown,
}

/// All responses of the current connection.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    pub(crate) asked: Option<Asked>,
    pub(crate) live: Option<Live>,
    ended: VecDeque<(ResponseId, Standing)>,
    /// Responses that were audible, for the question whether a goodbye was said.
    spoke: VecDeque<ResponseId>,
    next_tag: u64,
}

impl Responses {
    /// Asks for a response; returns our name for it.
    pub(crate) fn ask(&mut self, now: Instant, request: Request) -> Tag {
        self.next_tag += 1;
        let tag = Tag::new(format!("ask-{}", self.next_tag));
        self.asked = Some(Asked {
            tag: tag.clone(),
            request,
            at: now,
            is_unwanted: false,
        });
        tag
    }

    /// Takes the request that a tag answers.
    pub(crate) fn take_asked(&mut self, tag: &Tag) -> Option<Asked> {
        self.asked.take_if(|asked| asked.tag == *tag)
    }

    /// A response began. An earlier one that never ended is forgotten; returns its id.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        id: ResponseId,
        request: Option<Request>,
    ) -> Option<ResponseId> {
        let before = self.live.take().map(|live| live.id);
        if let Some(id) = &before {
            self.remember(id.clone(), Standing::Over);
        }
        self.live = Some(Live {
            id,
            request,
            serves: 0,
            is_cancelled: false,
            has_content: false,
            last_sign: now,
            items: Vec::new(),
            late: Vec::new(),
        });
        before
    }

    /// Nothing of a response counts any more.
    pub(crate) fn cancel(&mut self, id: &ResponseId) {
        if let Some(live) = self.live.as_mut().filter(|live| live.id == *id) {
            live.is_cancelled = true;
        }
    }

    /// A response ended. `None` = it was not the one being generated.
    pub(crate) fn end(&mut self, id: &ResponseId) -> Option<Live> {
        let live = self.live.take_if(|live| live.id == *id)?;
        let standing = if live.is_cancelled {
            Standing::Stopped
        } else {
            Standing::Over
        };
        self.remember(live.id.clone(), standing);
        Some(live)
    }

    /// A response fell silent. Should it wake up after all, an answer nobody has heard any of is
    /// not let in beside the one that is asked for instead.
    pub(crate) fn give_up(&mut self, id: &ResponseId) -> Option<Live> {
        let live = self.live.take_if(|live| live.id == *id)?;
        let may_go_on = live.has_content && !live.is_cancelled;
        let standing = if may_go_on {
            Standing::Over
        } else {
            Standing::Stopped
        };
        self.remember(live.id.clone(), standing);
        Some(live)
    }

    pub(crate) fn standing(&self, id: &ResponseId) -> Standing {
        match &self.live {
            Some(live) if live.id == *id && live.is_cancelled => Standing::Stopped,
            Some(live) if live.id == *id => Standing::Live,
            _ => self
                .ended
                .iter()
                .find(|(ended, _)| ended == id)
                .map_or(Standing::Unknown, |(_, standing)| *standing),
        }
    }

    /// The model is busy with the default conversation, or about to be.
    pub(crate) fn is_busy(&self) -> bool {
        self.asked.is_some() || self.live.is_some()
    }

    /// Something is on its way that people are meant to hear.
    pub(crate) fn is_generating(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| !asked.is_unwanted)
            || self.live.as_ref().is_some_and(|live| !live.is_cancelled)
    }

    /// What people said is being answered.
    pub(crate) fn is_answering(&self) -> bool {
        self.live.as_ref().is_some_and(Live::is_answer)
    }

    pub(crate) fn set_spoke(&mut self, id: &ResponseId) {
        if !self.spoke(id) {
            push_bounded(&mut self.spoke, id.clone());
        }
    }

    pub(crate) fn spoke(&self, id: &ResponseId) -> bool {
        self.spoke.contains(id)
    }

    /// The connection is gone, and its ids with it.
    pub(crate) fn disconnect(&mut self) -> (Option<Asked>, Option<Live>) {
        self.ended.clear();
        self.spoke.clear();
        (self.asked.take(), self.live.take())
    }

    fn remember(&mut self, id: ResponseId, standing: Standing) {
        push_bounded(&mut self.ended, (id, standing));
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, value: T) {
    if queue.len() == REMEMBERED {
        queue.pop_front();
    }
    queue.push_back(value);
}
