//! Core: calls that the caller has to agree to: what they are asked about, and what they said since.
//!
//! The model puts the question; that the caller agreed is seen in their own words, never taken from the
//! model. What was agreed to is one tool with exactly these arguments, once. Words count that were heard
//! after the agent has spoken since the question: what the caller said before it was no answer.

use std::time::{Duration, Instant};

use crate::idempotency::Wish;

/// Questions that are open at once; the oldest is forgotten first.
const MOST_OPEN: usize = 8;

/// What is known of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// They agreed, and the question is closed.
    Agreed,
    /// They did not, and the question is closed.
    Declined,
    /// It was never asked, or too long ago.
    NotAsked,
    /// They have said nothing since.
    NotYet,
    /// What they said is neither a yes nor a no.
    Unclear,
}

/// The open questions of one session.
#[derive(Debug, Default)]
pub struct Confirmations {
    open: Vec<Question>,
}

#[derive(Debug)]
struct Question {
    wish: Wish,
    expires: Instant,
    /// Whether the agent has spoken since; what it had begun to say before is no question.
    put: Put,
    /// `None` = nothing was said since.
    said: Option<Word>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    NotYet,
    Begun,
    Done,
}

/// What a sentence says to a question of yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Yes,
    No,
    Neither,
}

impl Confirmations {
    /// The model is told to ask about this; good for so long.
    pub fn ask(&mut self, now: Instant, wish: Wish, within: Duration) {
        self.open.retain(|question| question.wish != wish);
        if self.open.len() == MOST_OPEN {
            self.open.remove(0);
        }
        self.open.push(Question {
            wish,
            expires: now + within,
            put: Put::NotYet,
            said: None,
        });
    }

    /// The agent begins to say something.
    pub fn agent_began(&mut self) {
        self.turn(Put::NotYet, Put::Begun);
    }

    /// The agent has said something to its end.
    pub fn agent_spoke(&mut self) {
        self.turn(Put::Begun, Put::Done);
    }

    fn turn(&mut self, from: Put, to: Put) {
        for question in self.open.iter_mut().filter(|question| question.put == from) {
            question.put = to;
        }
    }

    /// The caller has said this. What is neither yes nor no takes nothing back: "yes … thank you".
    pub fn caller_spoke(&mut self, words: &str) {
        let word = word(words);
        for question in self
            .open
            .iter_mut()
            .filter(|question| question.put == Put::Done)
        {
            if word != Word::Neither || question.said.is_none() {
                question.said = Some(word);
            }
        }
    }

    /// Whether they agreed to this. A yes or a no is used up.
    pub fn answer(&mut self, now: Instant, wish: &Wish) -> Answer {
        self.open.retain(|question| question.expires > now);
        let Some(at) = self.open.iter().position(|one| one.wish == *wish) else {
            return Answer::NotAsked;
        };
        match self.open[at].said {
            None => Answer::NotYet,
            Some(Word::Neither) => Answer::Unclear,
            Some(word) => {
                self.open.remove(at);
                if word == Word::Yes {
                    Answer::Agreed
                } else {
                    Answer::Declined
                }
            }
        }
    }
}

/// One word of refusal weighs more than any of consent: "yes, no, wait".
fn word(sentence: &str) -> Word {
    let words: Vec<String> = sentence
        .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .filter(|word| !word.is_empty())
        .map(|word| word.to_lowercase().replace('’', "'"))
        .collect();
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let says = |first: &str, second: &str| {
        words
            .windows(2)
            .any(|pair| pair[0] == first && pair[1] == second)
    };
    let is_no = has(NO) || says("hold", "on") || says("not", "yet");
    let is_yes = has(YES) || says("go", "ahead") || says("do", "it") || says("sounds", "good");
    match (is_no, is_yes) {
        (true, _) => Word::No,
        (_, true) => Word::Yes,
        _ => Word::Neither,
    }
}

const YES: &[&str] = &[
    "yes",
    "yeah",
    "yep",
    "yup",
    "yea",
    "sure",
    "ok",
    "okay",
    "correct",
    "right",
    "exactly",
    "absolutely",
    "certainly",
    "definitely",
    "agreed",
    "confirm",
    "confirmed",
    "fine",
    "perfect",
    "ja",
    "oui",
    "sí",
    "si",
    "sim",
    "sì",
    "tak",
    "да",
    "はい",
    "是",
];
const NO: &[&str] = &[
    "no",
    "nope",
    "nah",
    "not",
    "don't",
    "dont",
    "never",
    "stop",
    "wait",
    "cancel",
    "wrong",
    "incorrect",
    "isn't",
    "doesn't",
    "won't",
    "nein",
    "nicht",
    "non",
    "não",
    "nie",
    "нет",
    "いいえ",
    "不",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ToolName;

    const WITHIN: Duration = Duration::from_secs(60);

    fn wish(slot: &str) -> Wish {
        let book = ToolName::parse("book").unwrap();
        Wish::new(book, &serde_json::json!({"slot": slot}))
    }

    #[test]
    fn only_what_is_said_after_the_question_answers_it() {
        let now = Instant::now();
        let mut open = Confirmations::default();
        assert_eq!(open.answer(now, &wish("10:00")), Answer::NotAsked);
        open.ask(now, wish("10:00"), WITHIN);
        open.caller_spoke("yes, book the one at ten");
        assert_eq!(open.answer(now, &wish("10:00")), Answer::NotYet);
        // What it was saying when the call was made ends, and the first words are understood late.
        open.agent_spoke();
        open.caller_spoke("yes, book the one at ten");
        assert_eq!(open.answer(now, &wish("10:00")), Answer::NotYet);
        open.agent_began();
        open.agent_spoke();
        assert_eq!(open.answer(now, &wish("10:00")), Answer::NotYet);
        open.caller_spoke("what did you say?");
        assert_eq!(open.answer(now, &wish("10:00")), Answer::Unclear);
        open.caller_spoke("Yes, please.");
        assert_eq!(open.answer(now, &wish("11:00")), Answer::NotAsked);
        assert_eq!(open.answer(now, &wish("10:00")), Answer::Agreed);
        assert_eq!(open.answer(now, &wish("10:00")), Answer::NotAsked);
    }

    #[test]
    fn a_no_in_it_is_a_no_and_a_late_yes_is_none() {
        let now = Instant::now();
        let mut open = Confirmations::default();
        for (words, answer) in [
            ("no", Answer::Declined),
            ("yes, no, wait", Answer::Declined),
            ("that's not right", Answer::Declined),
            ("go ahead", Answer::Agreed),
            ("Sure!", Answer::Agreed),
            ("tomorrow is Monday", Answer::Unclear),
        ] {
            open.ask(now, wish("10:00"), WITHIN);
            open.agent_began();
            open.agent_spoke();
            open.caller_spoke(words);
            assert_eq!(open.answer(now, &wish("10:00")), answer, "{words}");
        }
        open.ask(now, wish("10:00"), WITHIN);
        open.agent_began();
        open.agent_spoke();
        open.caller_spoke("yes");
        assert_eq!(open.answer(now + WITHIN, &wish("10:00")), Answer::NotAsked);
    }

    #[test]
    fn questions_without_end_are_forgotten() {
        let now = Instant::now();
        let mut open = Confirmations::default();
        for number in 0..100 {
            open.ask(now, wish(&number.to_string()), WITHIN);
        }
        assert_eq!(open.open.len(), MOST_OPEN);
        assert_eq!(open.answer(now, &wish("99")), Answer::NotYet);
    }
}
