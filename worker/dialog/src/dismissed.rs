//! Core: speech that was no turn after all.
//!
//! The model is told to forget its items; what it still says of them, and the answers it still gives to
//! them, end here. Owns which items these are. Words that come too late are answered all the same.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    Dialog, Output,
    backchannel::Meaning,
    floor::Request,
    model::{ItemId, NewItem, Order},
};

/// How many items are remembered as no turn: what the model says of them comes within seconds.
const DISMISSED: usize = 16;

/// The model notices speech about so much later than an ear: its own detection, and the time in which
/// the ear was not sure whose speech it is.
const MODEL_LAG: Duration = Duration::from_millis(600);

/// Items that were no turn, and the answers the model may still give to them.
#[derive(Debug, Default)]
pub(crate) struct Dismissed {
    items: VecDeque<Item>,
    /// The next response that the model creates by itself answers one of them.
    is_answer_due: bool,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) id: ItemId,
    /// When it was spoken.
    pub(crate) span: (Instant, Instant),
    pub(crate) is_committed: bool,
    /// It was the agent's own voice, if nobody spoke besides.
    pub(crate) is_echo: bool,
    /// Its words are known; until then it stays with the model, which may not transcribe what it has
    /// forgotten.
    pub(crate) is_known: bool,
    pub(crate) is_deleted: bool,
}

impl Dismissed {
    /// The model creates a response. Returns whether that is such an answer.
    pub(crate) fn take_answer(&mut self) -> bool {
        std::mem::take(&mut self.is_answer_due)
    }

    /// Whether the next response that the model creates by itself answers an item of these.
    pub(crate) fn expect_answer(&mut self, is_due: bool) {
        self.is_answer_due = is_due;
    }

    pub(crate) fn disconnect(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn push(&mut self, item: Item) {
        if self.items.len() == DISMISSED {
            self.items.pop_front();
        }
        self.items.push_back(item);
    }

    pub(crate) fn find(&mut self, id: &ItemId) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.id == *id)
    }

    pub(crate) fn holds(&self, id: &ItemId) -> bool {
        self.items.iter().any(|item| item.id == *id)
    }
}

impl Dialog {
    /// The model forgets what was no turn: what it may, or all of it.
    fn forget(&mut self, may_go: impl Fn(&Item) -> bool) {
        let committed = self.dismissed.items.iter_mut();
        let gone = committed.filter(|item| item.is_committed && !item.is_deleted && may_go(item));
        let mut ids = Vec::new();
        for item in gone {
            item.is_deleted = true;
            ids.push(item.id.clone());
        }
        for item in ids.into_iter().filter(|_| self.link.is_up()) {
            self.outputs
                .push_back(Output::Model(Order::Delete { item }));
        }
    }

    /// The model forgets the items whose words are known.
    pub(crate) fn take_back(&mut self) {
        self.forget(|item| item.is_known);
    }

    /// A new turn begins: nothing stays in front of it.
    pub(crate) fn take_back_all(&mut self) {
        self.forget(|_| true);
    }

    /// The words of a dismissed item come after all.
    pub(crate) fn late_words(&mut self, now: Instant, id: &ItemId, text: &str, meaning: Meaning) {
        if self.closing.is_some() {
            return;
        }
        let Some(item) = self.dismissed.find(id) else {
            return;
        };
        item.is_known = true;
        let (is_deleted, is_echo, span) = (item.is_deleted, item.is_echo, item.span);
        let heard_from = span.0.checked_sub(MODEL_LAG).unwrap_or(span.0);
        let is_own_voice = is_echo && self.voices.between(heard_from, span.1).is_empty();
        if meaning != Meaning::Words || is_own_voice {
            return self.take_back();
        }
        self.dismissed.items.retain(|item| item.id != *id);
        self.hear_late(now, id, text, is_deleted, span);
    }

    /// It was a turn. What the model has forgotten it is told as text.
    fn hear_late(
        &mut self,
        now: Instant,
        id: &ItemId,
        text: &str,
        is_deleted: bool,
        (from, to): (Instant, Instant),
    ) {
        self.give_floor(now);
        let speakers = self.speakers_between(from, to);
        if let Some(speaker) = speakers.first() {
            self.user.set_speaker(id, speaker);
        }
        self.conversation.user_said_all(id, text);
        let names = self.audience.is_shared().then(|| self.names(&speakers));
        if let Some(names) = &names {
            self.conversation.user_is(id, names.clone());
        }
        if self.link.is_up() && is_deleted {
            let text = match names {
                Some(names) => format!("{names}: {text}"),
                None => text.to_owned(),
            };
            self.order(Order::Item(NewItem::UserText(text)));
        } else if let Some(names) = names {
            self.label(&format!("The last message was spoken by {names}."));
        }
        if self.addressing.is_meant(text) {
            self.floor.want(Request::reply(self.user.next_to_end()));
        } else {
            self.weigh_words(now);
        }
        self.publish_user_text(id.clone(), text.to_owned(), true);
    }
}
