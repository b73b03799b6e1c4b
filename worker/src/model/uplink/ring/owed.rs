//! Core: what a connection was told and may have to be told again.
//!
//! A turn that it made no item of is told to the next one; what it made an item of is kept until the
//! words are known. Bounded by duration, the oldest goes first. It does not tell: that is the ring.

use std::{collections::VecDeque, time::Duration};

use dialog::model::ItemId;

use super::{DOWN_LIMIT, PIECE};
use crate::media::{duration, samples};

/// Told to this connection and kept while nobody is known to speak. 700 ms: until the model notices
/// speech, and what it takes from before.
const LEAD: Duration = Duration::from_millis(700);

/// Items without words that are kept, however short they are: a model may make items of nothing.
pub(super) const MOST_ITEMS: usize = 16;

#[derive(Debug, Default)]
pub(in crate::model::uplink) struct Owed {
    /// Told to this connection, of a turn that is no item yet.
    turn: Told,
    /// Samples that this connection was told.
    written: usize,
    /// Items of this connection whose words nobody knows yet; at most [`MOST_ITEMS`] and together
    /// [`DOWN_LIMIT`], the oldest goes first.
    items: VecDeque<(ItemId, Told)>,
}

#[derive(Debug, Default)]
struct Told {
    /// A copy, so that the memory of a piece is free for the next one at once.
    sound: VecDeque<i16>,
    /// The model hears somebody speak.
    is_turn: bool,
    /// Told faster than it was said, not so long ago that the model must have noticed what is in it.
    burst: Duration,
    /// Where it ends, in samples that this connection was told; `None` = it is no item, or one of a
    /// connection before.
    end: Option<usize>,
}

impl Told {
    fn push(&mut self, piece: &[i16]) {
        if self.sound.capacity() == 0 {
            // As long as nobody speaks, it needs no more.
            self.sound.reserve_exact(samples(LEAD + PIECE));
        }
        self.sound.extend(piece);
        let limit = if self.is_turn {
            DOWN_LIMIT
        } else {
            DOWN_LIMIT.min(LEAD + self.burst)
        };
        let excess = self.sound.len().saturating_sub(samples(limit));
        self.sound.drain(..excess);
    }

    fn held(&self) -> Duration {
        duration(self.sound.len())
    }
}

impl Owed {
    /// This piece has been written. `is_burst` = faster than it was said.
    pub(super) fn tell(&mut self, piece: &[i16], is_burst: bool) {
        let burst = &mut self.turn.burst;
        *burst = if is_burst {
            *burst + duration(piece.len())
        } else {
            burst.saturating_sub(duration(piece.len()))
        };
        self.written += piece.len();
        self.turn.push(piece);
    }

    /// The model hears somebody, since this moment of what it was told: it may not live to make an item of
    /// that.
    pub(in crate::model::uplink) fn turn_begins(&mut self, at: Option<Duration>) {
        self.turn.is_turn = true;
        if let Some(at) = at {
            // A moment that is yet to come is none.
            self.take_back(samples(at.min(duration(self.written))));
        }
    }

    /// What is told in a burst is told before the model says where turns end in it: what was taken for the
    /// end of the last item may be the beginning of the next one.
    fn take_back(&mut self, start: usize) {
        let told_since = self.written - self.turn.sound.len();
        let Some((_, before)) = self.items.back_mut() else {
            return;
        };
        let began = told_since.saturating_sub(before.sound.len());
        // Nothing between them was let go, and the item began before.
        if before.end != Some(told_since) || start <= began || start >= told_since {
            return;
        }
        let mut sound = before.sound.split_off(start - began);
        sound.append(&mut self.turn.sound);
        self.turn.sound = sound;
        before.end = Some(start);
    }

    /// What was told was forgotten, or is nobody's concern any more.
    pub(in crate::model::uplink) fn turn_is_over(&mut self) {
        self.turn = Told::default();
    }

    /// What was told is this item now.
    pub(in crate::model::uplink) fn turn_is_item(&mut self, item: ItemId) {
        let mut told = std::mem::take(&mut self.turn);
        told.sound.shrink_to_fit();
        told.end = Some(self.written);
        self.items.push_back((item, told));
        let held = |items: &VecDeque<(ItemId, Told)>| -> Duration {
            items.iter().map(|(_, told)| told.held()).sum()
        };
        while self.items.len() > MOST_ITEMS
            || (self.items.len() > 1 && held(&self.items) > DOWN_LIMIT)
        {
            self.items.pop_front();
        }
    }

    /// The words of this item are known.
    pub(in crate::model::uplink) fn item_is_known(&mut self, item: &ItemId) {
        self.items.retain(|(known, _)| known != item);
    }

    /// What was told as these items, in order; the other items are over.
    pub(super) fn take_items(&mut self, wanted: &[ItemId]) -> Vec<VecDeque<i16>> {
        let mut items = std::mem::take(&mut self.items);
        items.retain(|(item, _)| wanted.contains(item));
        // Told once more, it is known to be a turn before the model notices.
        self.turn.is_turn |= items.iter().any(|(_, told)| told.is_turn);
        items.into_iter().map(|(_, told)| told.sound).collect()
    }

    /// What was told of the turn that is no item.
    pub(super) fn take_turn(&mut self) -> VecDeque<i16> {
        let Told { sound, is_turn, .. } = std::mem::take(&mut self.turn);
        self.turn.is_turn = is_turn;
        sound
    }

    /// A connection counts what it is told from its own beginning.
    pub(super) fn begin_anew(&mut self) {
        self.written = 0;
        for (_, told) in &mut self.items {
            told.end = None;
        }
    }

    #[cfg(test)]
    pub(super) fn items(&self) -> usize {
        self.items.len()
    }
}
