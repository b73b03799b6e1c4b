//! Core: facts on their way from a connection's reader to the driver.
//!
//! While the driver is slow, the reader goes on reading, so that audio and a `speech_started` behind
//! it are not held up: facts collect here in order, and pieces of the same item merge. Nothing is
//! ever lost; when the outbox itself is full the reader stops reading.

use std::collections::VecDeque;

use dialog::model::Event;

use super::LinkEvent;

/// More facts than any burst of a conversation.
const LIMIT: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Event>,
}

impl Outbox {
    pub(super) fn push(&mut self, event: Event) {
        let mut event = event;
        // Audio and text of one item alternate: look behind the last one, but never past a fact
        // that says something else.
        for earlier in self
            .queue
            .iter_mut()
            .rev()
            .take_while(|fact| is_piece(fact))
        {
            match merge(earlier, event) {
                None => return,
                Some(unmerged) => event = unmerged,
            }
        }
        self.queue.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<LinkEvent> {
        self.queue.pop_front().map(LinkEvent::Event)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= LIMIT
    }
}

fn is_piece(event: &Event) -> bool {
    matches!(
        event,
        Event::AudioReceived { .. } | Event::TranscriptDelta { .. }
    )
}

/// Adds the later piece to the earlier one of the same item, or gives it back.
fn merge(earlier: &mut Event, later: Event) -> Option<Event> {
    if !is_same_item(earlier, &later) {
        return Some(later);
    }
    if let Event::AudioReceived { duration, .. } = earlier {
        let Event::AudioReceived { duration: more, .. } = later else {
            return Some(later);
        };
        *duration += more;
    } else if let Event::TranscriptDelta { text, .. } = earlier {
        let Event::TranscriptDelta { text: more, .. } = later else {
            return Some(later);
        };
        text.push_str(&more);
    }
    None
}

fn is_same_item(earlier: &Event, later: &Event) -> bool {
    let ids = |event: &Event| match event {
        Event::AudioReceived { response, item, .. }
        | Event::TranscriptDelta { response, item, .. } => Some((response.clone(), item.clone())),
        _ => None,
    };
    ids(later).is_some_and(|ids_of_later| ids(earlier) == Some(ids_of_later))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dialog::model::{ItemId, ResponseId};

    use super::*;

    fn audio(item: &str, millis: u64) -> Event {
        Event::AudioReceived {
            response: ResponseId::new("r"),
            item: ItemId::new(item),
            duration: Duration::from_millis(millis),
        }
    }

    fn text(item: &str, text: &str) -> Event {
        Event::TranscriptDelta {
            response: ResponseId::new("r"),
            item: ItemId::new(item),
            text: text.to_owned(),
        }
    }

    fn done(item: &str) -> Event {
        Event::AudioDone {
            response: ResponseId::new("r"),
            item: ItemId::new(item),
        }
    }

    fn drain(outbox: &mut Outbox) -> Vec<LinkEvent> {
        std::iter::from_fn(|| outbox.pop()).collect()
    }

    #[test]
    fn pieces_of_one_item_merge_and_keep_their_sum() {
        let mut outbox = Outbox::default();
        for _ in 0..500 {
            outbox.push(audio("a", 100));
            outbox.push(text("a", "x"));
        }
        let facts = drain(&mut outbox);
        assert_eq!(
            facts,
            [
                LinkEvent::Event(audio("a", 50_000)),
                LinkEvent::Event(text("a", &"x".repeat(500)))
            ]
        );
    }

    #[test]
    fn pieces_never_move_past_another_fact_or_into_another_item() {
        let mut outbox = Outbox::default();
        let facts = [
            audio("a", 1),
            audio("b", 2),
            done("a"),
            audio("a", 3),
            text("b", "y"),
        ];
        facts.clone().into_iter().for_each(|fact| outbox.push(fact));
        assert_eq!(drain(&mut outbox), facts.map(LinkEvent::Event));
    }

    #[test]
    fn it_says_when_it_is_full_and_loses_nothing() {
        let mut outbox = Outbox::default();
        (0..LIMIT).for_each(|_| outbox.push(done("a")));
        assert!(outbox.is_full());
        assert_eq!(drain(&mut outbox).len(), LIMIT);
        assert!(outbox.is_empty());
    }
}
