//! Core: speech that was no turn after all.
//!
//! The model is told to forget its items; what it still says of them, and the answers it still gives to
//! them, end here. Owns which items these are. Words that come too late are answered all the same.

use std::{collections::VecDeque, time::Instant};

use crate::{
    Dialog,
    floor::Request,
    model::{ItemId, NewItem, Order},
};

/// How many items are remembered as no turn: what the model says of them comes within seconds.
const DISMISSED: usize = 16;

/// Items that were no turn, and the answers the model may still give to them.
#[derive(Debug, Default)]
pub(crate) struct Dismissed {
    items: VecDeque<(ItemId, Deleted)>,
    /// The next response that the model creates by itself answers one of them.
    is_answer_due: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    Yes,
    NotYet,
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

    pub(crate) fn push(&mut self, item: ItemId, deleted: Deleted) {
        if self.items.len() == DISMISSED {
            self.items.pop_front();
        }
        self.items.push_back((item, deleted));
    }

    pub(crate) fn holds(&self, item: &ItemId) -> bool {
        self.items.iter().any(|(known, _)| known == item)
    }
}

impl Dialog {
    /// The model forgets an item that was no turn.
    pub(crate) fn take_back(&mut self, item: &ItemId) {
        let mut entries = self.dismissed.items.iter_mut();
        let Some((_, deleted)) = entries.find(|(known, _)| known == item) else {
            return;
        };
        let is_news = std::mem::replace(deleted, Deleted::Yes) == Deleted::NotYet;
        if is_news && self.link.is_up() {
            self.order(Order::Delete { item: item.clone() });
        }
    }

    /// Words of something that was taken for none: the model is told them as text.
    pub(crate) fn hear_late(&mut self, now: Instant, item: &ItemId, text: &str) {
        self.dismissed.items.retain(|(known, _)| known != item);
        self.yield_floor(now);
        self.drop_greeting();
        self.conversation.user_typed(text);
        if self.link.is_up() {
            self.order(Order::Item(NewItem::UserText(text.to_owned())));
        }
        self.floor.want(Request::reply(self.user.next_to_end()));
        self.publish_user_text(item.clone(), text.to_owned(), true);
    }
}
