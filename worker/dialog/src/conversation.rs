//! Core: the conversation as people experienced it; what a new connection is told.
//!
//! Owns a bounded mirror of turns: what users said as far as it was understood, what of the agent
//! was heard (not what was generated), what tools answered. Does not know the connection's items.

use std::collections::VecDeque;

use crate::{
    model::{ItemId, NewItem, Picture, Said},
    picture,
};

/// Turns that are remembered at all.
const REMEMBERED: usize = 64;
/// Longest text of one turn, in bytes; more is cut.
const LONGEST: usize = 4_000;
/// Turns that are replayed one by one. Few, because a model that is seeded with much text of its
/// own starts to answer in text.
const REPLAYED: usize = 12;
/// Budget for those turns together, in bytes of text: about 2,000 tokens.
const REPLAY_BUDGET: usize = 8_000;
/// Budget for the summary of everything before them, in bytes.
const SUMMARY_BUDGET: usize = 2_000;

/// Turns that stay as they are when the model's context is made smaller: what people still refer to.
const KEPT: usize = 6;
/// Items that are given up at once; each is an order of its own, and orders are not many.
const MOST_GIVEN_UP: usize = 32;

const EARLIER: &str = "This was said earlier, in short. It has been answered:";
const RESUMED: &str = "The connection was interrupted and is back. Carry on where the \
                       conversation stopped. Do not greet again.";
const BEFORE: &str = "The person wrote or showed this before you came.";
const MOVED: &str =
    "This conversation is under way. Carry on where it stopped. Do not greet again.";
/// In the place of a turn that was answered before its words came, when they can come no more.
const WORDLESS: &str =
    "The person said something here that you began to answer. Its words are not known.";
/// For a new connection that heard nothing of it either.
pub(crate) const LOST: &str =
    "The caller said something that did not reach you. Ask them to repeat it.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Author {
    Agent,
    Tool,
    User,
}

#[derive(Debug)]
struct Turn {
    author: Author,
    /// The item it came from; `None` = typed, or from a connection that is gone.
    item: Option<ItemId>,
    /// The same of a connection that is gone, while the agent is still being heard saying it.
    playing: Option<ItemId>,
    text: String,
    /// What was shown, under this number; `None` = nothing, or the model sees it no more.
    picture: Option<(u64, Picture)>,
    /// Who of several people it was; `None` = there is only one.
    speaker: Option<String>,
    words: Words,
    /// The model could not write it down.
    is_not_understood: bool,
}

/// What is known of what a user said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Words {
    /// All of it, even if that is nothing: the sound of it is needed no more.
    All,
    /// Not all, but an answer to it has begun: the sound is not needed either.
    Answered,
    /// Not all, and nobody answers yet.
    #[default]
    Awaited,
}

/// The mirror.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    turns: VecDeque<Turn>,
    /// Pictures that were shown so far.
    pictures: u64,
}

/// What becomes of a picture that was shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The item that it becomes.
    pub(crate) item: ItemId,
    /// An older one that makes room for it.
    pub(crate) forgotten: Option<ItemId>,
}

impl Conversation {
    /// The agent began to say an item: it takes its place in the order.
    pub(crate) fn agent_started(&mut self, item: &ItemId) {
        self.place(Author::Agent, item);
    }

    /// What was heard of an item so far.
    pub(crate) fn agent_said(&mut self, item: &ItemId, text: &str) {
        self.set(Author::Agent, item, text);
    }

    /// A user turn became an item; its text comes later.
    pub(crate) fn user_committed(&mut self, item: &ItemId) {
        self.place(Author::User, item);
    }

    /// What a user said, as far as it is known.
    pub(crate) fn user_said(&mut self, item: &ItemId, text: &str) {
        self.place(Author::User, item);
        self.set(Author::User, item, text);
    }

    /// That was all of it.
    pub(crate) fn user_said_all(&mut self, item: &ItemId, text: &str) {
        self.user_said(item, text);
        let is_it = |turn: &&mut Turn| turn.item.as_ref() == Some(item);
        if let Some(turn) = self.turns.iter_mut().rev().find(is_it) {
            turn.words = Words::All;
        }
    }

    /// An answer to all that was said has begun.
    pub(crate) fn settle(&mut self) {
        for turn in &mut self.turns {
            if turn.words == Words::Awaited {
                turn.words = Words::Answered;
            }
        }
    }

    /// The connection ended before anybody knew or answered these: they have to be heard again, and
    /// are no turns until then.
    pub(crate) fn take_unheard(&mut self) -> Vec<ItemId> {
        let mut unheard = Vec::new();
        self.turns.retain(|turn| match &turn.item {
            Some(item) if turn.author == Author::User && turn.words == Words::Awaited => {
                unheard.push(item.clone());
                false
            }
            _ => true,
        });
        unheard
    }

    /// Who of several people said it.
    pub(crate) fn user_is(&mut self, item: &ItemId, speaker: String) {
        let is_it = |turn: &&mut Turn| turn.item.as_ref() == Some(item);
        if let Some(turn) = self.turns.iter_mut().rev().find(is_it) {
            turn.speaker = Some(speaker);
        }
    }

    /// What is known of a user turn; empty = nothing yet.
    pub(crate) fn user_text(&self, item: &ItemId) -> &str {
        let is_it = |turn: &&Turn| turn.author == Author::User && turn.item.as_ref() == Some(item);
        self.turns.iter().find(is_it).map_or("", |turn| &turn.text)
    }

    pub(crate) fn user_typed(&mut self, text: &str) {
        self.push(Author::User, None, text);
    }

    /// Somebody showed a picture.
    pub(crate) fn user_showed(&mut self, speaker: Option<String>, shown: Picture) -> Shown {
        self.pictures += 1;
        let seen = self.turns.iter_mut().rev().filter(|t| t.picture.is_some());
        let oldest = seen.skip(picture::SEEN - 1).last();
        let forgotten = oldest.and_then(|turn| turn.picture.take());
        self.push(Author::User, None, picture::SHOWN);
        if let Some(turn) = self.turns.back_mut() {
            turn.picture = Some((self.pictures, shown));
            turn.speaker = speaker;
        }
        Shown {
            item: picture::item_of(self.pictures),
            forgotten: forgotten.map(|(number, _)| picture::item_of(number)),
        }
    }

    pub(crate) fn tool_answered(&mut self, name: &str, output: &str) {
        self.push(Author::Tool, None, &format!("{name}: {output}"));
    }

    /// An item that outlived its connection was heard only so far. Returns whether it is known.
    pub(crate) fn agent_was_cut(&mut self, item: &ItemId, text: &str) -> bool {
        let is_it = |turn: &&mut Turn| turn.playing.as_ref() == Some(item);
        let Some(turn) = self.turns.iter_mut().rev().find(is_it) else {
            return false;
        };
        turn.playing = None;
        shorten(text).clone_into(&mut turn.text);
        true
    }

    /// The words of this turn will not come.
    pub(crate) fn user_is_not_understood(&mut self, item: &ItemId) {
        let is_it = |turn: &&mut Turn| turn.item.as_ref() == Some(item);
        if let Some(turn) = self.turns.iter_mut().rev().find(is_it) {
            turn.is_not_understood = true;
        }
    }

    /// Item ids mean nothing any more, and words that did not come never will. What the agent is still
    /// being heard saying may be cut yet.
    pub(crate) fn disconnect(&mut self, is_heard_now: impl Fn(&ItemId) -> bool) {
        self.turns
            .retain(|turn| !turn.text.is_empty() || turn.is_only_answered());
        for turn in &mut self.turns {
            let item = turn.item.take().or_else(|| turn.playing.take());
            let is_agent = turn.author == Author::Agent;
            turn.playing = item.filter(|item| is_agent && is_heard_now(item));
        }
    }

    /// The items that tell a new connection what happened, after an interruption.
    pub(crate) fn replay(&mut self) -> Vec<NewItem> {
        self.retell(RESUMED)
    }

    /// The same, when nobody noticed anything.
    pub(crate) fn hand_over(&mut self) -> Vec<NewItem> {
        self.retell(MOVED)
    }

    /// The same, for the first connection: of what was typed or shown before it.
    pub(crate) fn so_far(&mut self) -> Vec<NewItem> {
        self.retell(BEFORE)
    }

    /// The words of the last user turn are still to come.
    pub(crate) fn lacks_words(&self) -> bool {
        let last = self
            .turns
            .iter()
            .rev()
            .find(|turn| turn.author == Author::User);
        last.is_some_and(|turn| {
            turn.item.is_some() && turn.is_wordless() && !turn.is_not_understood
        })
    }

    fn retell(&mut self, beginning: &str) -> Vec<NewItem> {
        let first = self.first_replayed();
        // It is shown what it is told of turn by turn.
        for turn in self.turns.iter_mut().take(first) {
            turn.picture = None;
        }
        let mut items = vec![NewItem::SystemText(self.introduction(beginning, first))];
        items.extend(self.turns.iter().skip(first).filter_map(Turn::to_item));
        items
    }

    /// Gives up the oldest items of this connection for an account of them, a line each, the newest as
    /// far as the summary's budget allows. What is not known in words is kept, and so is what is still
    /// being heard. `None` = there is nothing to give up.
    pub(crate) fn shrink(
        &mut self,
        is_heard_now: impl Fn(&ItemId) -> bool,
    ) -> Option<(Vec<ItemId>, NewItem)> {
        let first = self.turns.len().saturating_sub(KEPT).min(MOST_GIVEN_UP);
        let old = self.turns.iter_mut().take(first);
        let known = old.filter(|turn| !turn.text.is_empty());
        let over = known.filter(|turn| !turn.item.as_ref().is_some_and(&is_heard_now));
        let items: Vec<_> = over.filter_map(|turn| turn.item.take()).collect();
        if items.is_empty() {
            return None;
        }
        let account = format!("{EARLIER}\n{}", self.account(first));
        Some((items, NewItem::SystemText(account)))
    }

    /// The last turns, for somebody who has heard nothing of it: in words where they are known.
    pub(crate) fn last_said(&self, turns: usize) -> Vec<Said> {
        let first = self.turns.len().saturating_sub(turns);
        let last = self.turns.iter().skip(first);
        last.filter_map(Turn::to_said).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    fn first_replayed(&self) -> usize {
        let mut budget = REPLAY_BUDGET;
        let mut first = self.turns.len();
        for (index, turn) in self.turns.iter().enumerate().rev().take(REPLAYED) {
            let Some(rest) = budget.checked_sub(turn.text.len()) else {
                break;
            };
            budget = rest;
            first = index;
        }
        first
    }

    fn introduction(&self, beginning: &str, first: usize) -> String {
        let account = self.account(first);
        if account.is_empty() {
            return beginning.to_owned();
        }
        format!("{beginning} What was said earlier:\n{account}")
    }

    /// The turns before this one in a line each, the newest of them as far as the budget allows.
    fn account(&self, first: usize) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut budget = SUMMARY_BUDGET;
        for line in self
            .turns
            .iter()
            .take(first)
            .rev()
            .filter_map(Turn::to_line)
        {
            let Some(rest) = budget.checked_sub(line.len()) else {
                break;
            };
            budget = rest;
            lines.push(line);
        }
        lines.reverse();
        lines.join("\n")
    }

    fn place(&mut self, author: Author, item: &ItemId) {
        let is_known = |turn: &Turn| turn.author == author && turn.item.as_ref() == Some(item);
        if !self.turns.iter().any(is_known) {
            self.push(author, Some(item.clone()), "");
        }
    }

    fn set(&mut self, author: Author, item: &ItemId, text: &str) {
        let found = self
            .turns
            .iter_mut()
            .rev()
            .find(|turn| turn.author == author && turn.item.as_ref() == Some(item));
        if let Some(turn) = found {
            shorten(text).clone_into(&mut turn.text);
        }
    }

    fn push(&mut self, author: Author, item: Option<ItemId>, text: &str) {
        if self.turns.len() == REMEMBERED {
            self.turns.pop_front();
        }
        self.turns.push_back(Turn {
            author,
            item,
            playing: None,
            text: shorten(text).to_owned(),
            picture: None,
            speaker: None,
            words: Words::default(),
            is_not_understood: false,
        });
    }
}

impl Turn {
    /// Nobody knows yet what was said.
    fn is_wordless(&self) -> bool {
        self.text.is_empty() && self.words != Words::All
    }

    /// It was answered, and nobody knows what it was.
    fn is_only_answered(&self) -> bool {
        self.author == Author::User && self.text.is_empty() && self.words == Words::Answered
    }

    fn to_item(&self) -> Option<NewItem> {
        if let Some((number, picture)) = &self.picture {
            return Some(NewItem::Picture {
                item: picture::item_of(*number),
                caption: self.speaker.as_deref().map(picture::caption),
                picture: picture.clone(),
            });
        }
        self.to_words()
    }

    fn to_words(&self) -> Option<NewItem> {
        let text = self.text.clone();
        match self.author {
            Author::User if self.item.is_none() && self.is_only_answered() => {
                Some(NewItem::SystemText(WORDLESS.to_owned()))
            }
            _ if text.is_empty() => None,
            Author::Agent => Some(NewItem::AgentText(text)),
            Author::Tool => Some(NewItem::SystemText(format!("A tool answered. {text}"))),
            Author::User => Some(NewItem::UserText(match &self.speaker {
                Some(speaker) => format!("{speaker}: {text}"),
                None => text,
            })),
        }
    }

    fn to_said(&self) -> Option<Said> {
        let words = self.to_words().map(Said::Words);
        // The words of the agent come before its sound, and are all there is before that.
        let sound = || self.item.clone().filter(|_| self.author == Author::User);
        words.or_else(|| sound().map(Said::Item))
    }

    fn to_line(&self) -> Option<String> {
        match self.author {
            _ if self.text.is_empty() => None,
            Author::Agent => Some(format!("You: {}", self.text)),
            Author::Tool => Some(format!("Tool: {}", self.text)),
            Author::User => {
                let speaker = self.speaker.as_deref().unwrap_or("Caller");
                Some(format!("{speaker}: {}", self.text))
            }
        }
    }
}

fn shorten(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(n: usize) -> ItemId {
        ItemId::new(format!("item_{n}"))
    }

    #[test]
    fn the_last_turns_are_replayed_and_the_ones_before_become_one_line_each() {
        let mut conversation = Conversation::default();
        for n in 0..20 {
            conversation.user_said(&item(2 * n), &format!("question {n}"));
            conversation.agent_started(&item(2 * n + 1));
            conversation.agent_said(&item(2 * n + 1), &format!("answer {n}"));
        }
        conversation.disconnect(|_| false);
        let items = conversation.replay();
        assert_eq!(items.len(), 1 + REPLAYED);
        let NewItem::SystemText(summary) = &items[0] else {
            panic!("{items:?}")
        };
        assert!(
            summary.contains("Caller: question 0\nYou: answer 0\n"),
            "{summary}"
        );
        assert!(!summary.contains("question 14"), "{summary}");
        assert_eq!(items[1], NewItem::UserText("question 14".to_owned()));
        assert_eq!(items[12], NewItem::AgentText("answer 19".to_owned()));
    }

    #[test]
    fn long_talks_stay_within_their_budget() {
        let mut conversation = Conversation::default();
        for n in 0..1000 {
            conversation.user_said(&item(n), &"x".repeat(10_000));
        }
        assert!(conversation.turns.len() <= REMEMBERED);
        let size: usize = conversation
            .replay()
            .iter()
            .map(|item| match item {
                NewItem::SystemText(text) | NewItem::UserText(text) => text.len(),
                _ => 0,
            })
            .sum();
        assert!(size <= REPLAY_BUDGET + SUMMARY_BUDGET + 200, "{size}");
    }

    #[test]
    fn what_is_neither_known_nor_answered_is_heard_again() {
        let mut conversation = Conversation::default();
        for n in 1..=3 {
            conversation.user_committed(&item(n));
        }
        conversation.user_said_all(&item(1), "Hello.");
        conversation.user_said(&item(2), "What");
        assert_eq!(conversation.take_unheard(), [item(2), item(3)]);
        conversation.disconnect(|_| false);
        assert_eq!(conversation.replay().len(), 2, "the first is told as text");

        conversation.user_committed(&item(4));
        conversation.settle();
        assert_eq!(conversation.take_unheard(), []);
    }

    #[test]
    fn what_was_answered_before_its_words_came_leaves_its_place_in_the_order() {
        let mut conversation = Conversation::default();
        // A noise that was written down as nothing leaves none.
        conversation.user_committed(&item(1));
        conversation.user_said_all(&item(1), "");
        conversation.user_committed(&item(2));
        conversation.settle();
        conversation.agent_started(&item(3));
        conversation.agent_said(&item(3), "It leaves at");
        assert_eq!(conversation.take_unheard(), []);
        assert_eq!(
            conversation.hand_over()[1..],
            [NewItem::AgentText("It leaves at".to_owned())],
            "the words may still come"
        );
        conversation.disconnect(|_| false);
        let told = [
            NewItem::SystemText(WORDLESS.to_owned()),
            NewItem::AgentText("It leaves at".to_owned()),
        ];
        assert_eq!(conversation.replay()[1..], told);
        // And at the connection after that one.
        conversation.disconnect(|_| false);
        assert_eq!(conversation.replay()[1..], told);
    }
}
