//! Core: which turns are meant for the agent: all of them, or those in which it is named.
//!
//! Owns the turn whose words are waited for. A turn is left alone as soon as its words do not name the
//! agent, or when they have not come in time; words that come later and do name it are answered still.
//! The model hears everything either way: it only is not asked. Does not decide what a turn is.

use std::time::{Duration, Instant};

use crate::{
    Dialog, config::Answers, floor::Request, model::ItemId, note::Note, plain_words::words,
    timers::Timer,
};

/// Items of one utterance, when the model cuts it into several.
const ITEMS: usize = 8;

/// What is known about whom people speak to.
#[derive(Debug, Default)]
pub(crate) struct Addressing {
    /// The agent's names, as rows of plain words; empty = every turn is meant for it.
    names: Vec<Vec<String>>,
    open: Option<Open>,
    /// It was named, and nobody has heard any of its answer yet.
    is_owed: bool,
}

/// A turn whose words are waited for.
#[derive(Debug)]
struct Open {
    items: Vec<ItemId>,
    turn: u64,
    since: Instant,
    /// It was left alone, until better is known.
    is_overdue: bool,
}

impl Addressing {
    pub(crate) fn new(answers: &Answers) -> Self {
        let names = match answers {
            Answers::Everything => Vec::new(),
            Answers::Named(names) => names.iter().map(|name| words(name)).collect(),
        };
        let names = names.into_iter().filter(|name| !name.is_empty());
        Self {
            names: names.collect(),
            open: None,
            is_owed: false,
        }
    }

    /// Only turns that name the agent are meant for it.
    pub(crate) fn is_by_name(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether a text is meant for the agent.
    pub(crate) fn is_meant(&self, text: &str) -> bool {
        let said = words(text);
        let is_in = |name: &Vec<String>| said.windows(name.len()).any(|part| part == name);
        !self.is_by_name() || self.names.iter().any(is_in)
    }

    /// The agent answers.
    pub(crate) fn is_heard(&mut self) {
        self.is_owed = false;
    }

    /// The connection is gone, and its ids with it. Returns whether a turn was open.
    pub(crate) fn disconnect(&mut self) -> bool {
        self.open.take().is_some_and(|open| !open.is_overdue)
    }
}

impl Dialog {
    /// A turn has ended: is it meant for the agent? Its words will tell.
    pub(crate) fn wait_for_name(&mut self, now: Instant, item: &ItemId) {
        let turn = self.user.number();
        if self.addressing.is_owed {
            // Named in the part of it that came before.
            self.user.answer(now);
            return self.floor.want(Request::reply(turn));
        }
        let before = self.addressing.open.take().filter(|open| !open.is_overdue);
        let mut items = before.map(|open| open.items).unwrap_or_default();
        if items.len() == ITEMS {
            items.remove(0);
        }
        items.push(item.clone());
        self.addressing.open = Some(Open {
            items,
            turn,
            since: now,
            is_overdue: false,
        });
        self.timers.set(Timer::Name, now + self.config.name_wait);
        let text = self.conversation.user_text(item).to_owned();
        self.hear_name(now, item, &text, false);
    }

    /// Words of an item: is the agent named? Until they are final, only a name says something.
    pub(crate) fn hear_name(&mut self, now: Instant, item: &ItemId, text: &str, is_final: bool) {
        let is_named = self.addressing.is_meant(text);
        let Some(open) = &self.addressing.open else {
            return;
        };
        let is_last = open.items.last() == Some(item);
        let is_of_it = open.items.contains(item);
        if !is_of_it || !(is_named || (is_final && is_last)) {
            return;
        }
        let Some(open) = self.addressing.open.take() else {
            return;
        };
        self.timers.stop(Timer::Name);
        let waited = now.saturating_duration_since(open.since);
        if is_named || !open.is_overdue {
            self.note(Note::NameAwaited { waited, is_named });
        }
        if is_named {
            self.addressing.is_owed = true;
            self.user.answer(now);
            self.floor.want(Request::reply(open.turn));
        } else if !open.is_overdue {
            self.leave_alone(now);
        }
    }

    /// The words have not come in time.
    pub(crate) fn on_name_overdue(&mut self, now: Instant) {
        let Some(open) = &mut self.addressing.open else {
            return;
        };
        open.is_overdue = true;
        let waited: Duration = now.saturating_duration_since(open.since);
        self.note(Note::NameAwaited {
            waited,
            is_named: false,
        });
        self.leave_alone(now);
    }

    fn leave_alone(&mut self, now: Instant) {
        self.user.answer(now);
        self.note(Note::TurnUnanswered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_heard_however_it_is_spelt_and_only_as_a_whole_word() {
        let names = ["Robin", "Doctor Who"].map(str::to_owned).to_vec();
        let addressing = Addressing::new(&Answers::Named(names));
        for text in ["Robin?", "so, ROBIN, what", "robbin", "ask doctor who now"] {
            assert!(addressing.is_meant(text), "{text}");
        }
        for text in ["", "Robinson", "a doctor, when", "doctor", "rob in"] {
            assert!(!addressing.is_meant(text), "{text}");
        }
    }

    #[test]
    fn without_names_everything_is_meant() {
        let blank = Answers::Named(vec![" . ".to_owned()]);
        for answers in [Answers::Everything, blank] {
            assert!(Addressing::new(&answers).is_meant("anything"));
        }
    }
}
