//! Core: which turns are meant for the agent: all of them, those in which it is named, or also those
//! that the model takes for meant.
//!
//! Owns the turn of which that is not clear yet. It is left alone as soon as nothing speaks for it any
//! more: its words name nobody, the model says no, or neither has come in time. What comes later and
//! does speak for it counts still. The model hears everything either way: it only is not asked to
//! answer. Does not decide what a turn is; how the model is asked is in `addressing/verdict.rs`.

mod verdict;

use std::time::{Duration, Instant};

use crate::{
    Dialog,
    config::Answers,
    floor::Request,
    model::{ItemId, Tag},
    note::Note,
    plain_words::words,
    timers::Timer,
};

/// Items of one utterance, when the model cuts it into several.
const ITEMS: usize = 8;

/// What is known about whom people speak to.
#[derive(Debug, Default)]
pub(crate) struct Addressing {
    /// The agent's names, as rows of plain words.
    names: Vec<Vec<String>>,
    /// What the model is asked about a turn; `None` = it is not asked.
    question: Option<String>,
    /// Questions asked so far.
    asked: u64,
    open: Option<Open>,
    /// It was addressed, and nobody has heard any of its answer yet.
    is_owed: bool,
}

/// A turn that may be meant for the agent.
#[derive(Debug)]
struct Open {
    items: Vec<ItemId>,
    turn: u64,
    since: Instant,
    name: Sign,
    verdict: Sign,
    /// The question that the model was asked about it; `None` = none, or it could not be.
    asked: Option<Tag>,
    /// Until better is known.
    is_left_alone: bool,
}

impl Open {
    fn is_waiting(&self) -> bool {
        self.name == Sign::Awaited || self.verdict == Sign::Awaited
    }
}

/// Something that would say that a turn is meant for the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// There is none, and none will come.
    Absent,
    /// It may come, and is waited for.
    Awaited,
    /// It may come, and is not waited for any longer.
    Overdue,
}

impl Addressing {
    pub(crate) fn new(answers: &Answers) -> Self {
        let (names, question) = match answers {
            Answers::Everything => (&[][..], None),
            Answers::Named(names) => (names.as_slice(), None),
            Answers::Asked(names) => (names.as_slice(), Some(verdict::question(names))),
        };
        let names = names.iter().map(|name| words(name));
        Self {
            names: names.filter(|name| !name.is_empty()).collect(),
            question,
            ..Self::default()
        }
    }

    /// Not every turn is meant for the agent.
    pub(crate) fn is_selective(&self) -> bool {
        self.asks_model() || !self.names.is_empty()
    }

    pub(crate) fn asks_model(&self) -> bool {
        self.question.is_some()
    }

    /// Whether a text is certainly meant for the agent.
    pub(crate) fn is_meant(&self, text: &str) -> bool {
        !self.is_selective() || self.is_named(text)
    }

    fn is_named(&self, text: &str) -> bool {
        let said = words(text);
        let is_in = |name: &Vec<String>| said.windows(name.len()).any(|part| part == name);
        self.names.iter().any(is_in)
    }

    /// Whether it is not clear yet if something is meant for the agent.
    pub(crate) fn is_waiting(&self) -> bool {
        self.open.as_ref().is_some_and(Open::is_waiting)
    }

    /// The agent answers.
    pub(crate) fn settle(&mut self) {
        self.is_owed = false;
    }

    /// The connection is gone, and its ids with it. Returns whether a turn was open.
    pub(crate) fn disconnect(&mut self) -> bool {
        self.open.take().is_some_and(|open| !open.is_left_alone)
    }
}

impl Dialog {
    /// A turn has ended: is it meant for the agent? Its words will tell, or the model.
    pub(crate) fn weigh_turn(&mut self, now: Instant, item: &ItemId) {
        let turn = self.user.number();
        if self.addressing.is_owed {
            // Addressed in the part of it that came before.
            self.user.answer(now);
            return self.floor.want(Request::reply(turn));
        }
        let has_words = self.link.transcribes() && !self.addressing.names.is_empty();
        let open = self.open_doubt(now, turn);
        if open.items.len() == ITEMS {
            open.items.remove(0);
        }
        open.items.push(item.clone());
        if has_words {
            open.name = Sign::Awaited;
            self.timers.set(Timer::Name, now + self.config.name_wait);
        }
        self.ask_model(now);
        let text = self.conversation.user_text(item).to_owned();
        self.hear_name(now, item, &text, false);
        self.conclude(now);
    }

    /// Written words that do not name the agent: only the model may take them for meant.
    pub(crate) fn weigh_words(&mut self, now: Instant) {
        if self.addressing.asks_model() {
            self.open_doubt(now, self.user.next_to_end());
            self.ask_model(now);
            self.conclude(now);
        }
    }

    /// What was in doubt before and still is becomes part of it.
    fn open_doubt(&mut self, now: Instant, turn: u64) -> &mut Open {
        let before = self.addressing.open.take();
        let before = before.filter(|open| !open.is_left_alone);
        let (items, name) = before.map_or((Vec::new(), Sign::Absent), |b| (b.items, b.name));
        self.addressing.open.insert(Open {
            items,
            turn,
            since: now,
            name,
            verdict: Sign::Absent,
            asked: None,
            is_left_alone: false,
        })
    }

    /// Words of an item: is the agent named? Until they are final, only a name says something.
    pub(crate) fn hear_name(&mut self, now: Instant, item: &ItemId, text: &str, is_final: bool) {
        let is_named = self.addressing.is_named(text);
        let Some(open) = &mut self.addressing.open else {
            return;
        };
        let is_last = open.items.last() == Some(item);
        let is_of_it = open.items.contains(item) && open.name != Sign::Absent;
        if !is_of_it || !(is_named || (is_final && is_last)) {
            return;
        }
        let before = std::mem::replace(&mut open.name, Sign::Absent);
        self.timers.stop(Timer::Name);
        let waited = now.saturating_duration_since(open.since);
        if is_named || before == Sign::Awaited {
            self.note(Note::NameAwaited { waited, is_named });
        }
        if is_named {
            self.answer_to(now);
        } else {
            self.conclude(now);
        }
    }

    /// The words have not come in time.
    pub(crate) fn on_name_overdue(&mut self, now: Instant) {
        let Some(open) = &mut self.addressing.open else {
            return;
        };
        open.name = Sign::Overdue;
        let waited: Duration = now.saturating_duration_since(open.since);
        self.note(Note::NameAwaited {
            waited,
            is_named: false,
        });
        self.conclude(now);
    }

    /// It is meant for the agent.
    fn answer_to(&mut self, now: Instant) {
        if let Some(open) = self.addressing.open.take() {
            self.timers.stop(Timer::Name);
            self.timers.stop(Timer::Verdict);
            self.addressing.is_owed = true;
            self.user.answer(now);
            self.floor.want(Request::reply(open.turn));
        }
    }

    /// Leaves the turn alone, once nothing is waited for; forgets it when nothing can come.
    fn conclude(&mut self, now: Instant) {
        let Some(open) = &mut self.addressing.open else {
            return;
        };
        if open.is_waiting() {
            return;
        }
        let was_left_alone = std::mem::replace(&mut open.is_left_alone, true);
        let is_clear = open.name == Sign::Absent && open.verdict == Sign::Absent;
        if is_clear {
            self.addressing.open = None;
        }
        if !was_left_alone {
            self.user.answer(now);
            self.note(Note::TurnUnanswered);
        }
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
    fn where_the_model_is_asked_nothing_but_a_name_is_certain() {
        for names in [vec![], vec!["Robin".to_owned()]] {
            let has_name = !names.is_empty();
            let addressing = Addressing::new(&Answers::Asked(names));
            assert!(addressing.is_selective());
            assert!(!addressing.is_meant("what is the time"));
            assert_eq!(addressing.is_meant("Robin, what is the time"), has_name);
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
