//! Core: words that keep somebody company and ask for nothing: "mm-hm", "yeah", "I see".
//!
//! Judges the transcript of a short piece of speech against a list of phrases. It does not decide what
//! follows.

use std::collections::BTreeSet;

use crate::plain_words::words;

/// The longest transcript that can be company only; more words are a turn, whatever they are.
const MOST_WORDS: usize = 8;

/// What a transcript is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nothing, or backchannels only.
    None,
    /// The text is not complete and may still become either.
    Open,
    /// Words that want an answer.
    Words,
}

/// Phrases that are company, as rows of plain words.
#[derive(Debug, Default)]
pub(crate) struct Backchannels {
    phrases: BTreeSet<Vec<String>>,
}

impl Backchannels {
    pub(crate) fn new(phrases: &[String]) -> Self {
        let rows = phrases.iter().map(|phrase| words(phrase));
        Self {
            phrases: rows.filter(|row| !row.is_empty()).collect(),
        }
    }

    /// Judges `text`; more may follow while it is not final.
    pub(crate) fn meaning(&self, text: &str, is_final: bool) -> Meaning {
        let words = words(text);
        let is_open = !is_final;
        if words.len() > MOST_WORDS || !self.fits(&words, is_open) {
            return Meaning::Words;
        }
        if is_open {
            Meaning::Open
        } else {
            Meaning::None
        }
    }

    /// Whether the words are a row of phrases; of an open text, the beginning of one.
    fn fits(&self, said: &[String], is_open: bool) -> bool {
        let fits_from = |phrase: &Vec<String>| match said.split_at_checked(phrase.len()) {
            Some((head, rest)) if head == phrase => self.fits(rest, is_open),
            Some((head, [])) => is_open && begins(head, phrase),
            Some(_) => false,
            None => is_open && begins(said, phrase),
        };
        said.is_empty() || self.phrases.iter().any(fits_from)
    }
}

/// Whether the words are the beginning of the phrase; the last one may be half a word.
fn begins(said: &[String], phrase: &[String]) -> bool {
    let Some((last, whole)) = said.split_last() else {
        return true;
    };
    phrase.starts_with(whole)
        && phrase
            .get(whole.len())
            .is_some_and(|word| word.starts_with(last.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str, is_final: bool) -> Meaning {
        let phrases = ["mm-hm", "uh-huh", "yeah", "I see", "ok", "okay"];
        Backchannels::new(&phrases.map(str::to_owned)).meaning(text, is_final)
    }

    #[test]
    fn company_in_any_spelling_is_no_turn() {
        let said = [
            "",
            " ... ",
            "Mm-hmm.",
            "MM HM",
            "Yeah, yeah.",
            "Okay, I see.",
            "Ok! Uh-huh…",
        ];
        for text in said {
            assert_eq!(judge(text, true), Meaning::None, "{text:?}");
        }
    }

    #[test]
    fn a_word_that_is_not_on_the_list_is_a_turn() {
        for text in [
            "Stop.",
            "Yeah, but wait",
            "No",
            "I",
            "I see a house",
            "Okapi",
        ] {
            assert_eq!(judge(text, true), Meaning::Words, "{text:?}");
        }
    }

    #[test]
    fn a_beginning_is_open_only_while_it_can_become_company() {
        for text in ["", "m", "Ye", "Yeah", "okay, i", "I s"] {
            assert_eq!(judge(text, false), Meaning::Open, "{text:?}");
        }
        for text in ["St", "yeah bu", "I saw", "wait"] {
            assert_eq!(judge(text, false), Meaning::Words, "{text:?}");
        }
    }

    #[test]
    fn a_long_row_of_company_is_a_turn() {
        assert_eq!(judge(&"yeah ".repeat(9), true), Meaning::Words);
    }

    #[test]
    fn without_a_list_every_word_is_a_turn() {
        let none = Backchannels::new(&[String::new()]);
        assert_eq!(none.meaning("mm-hm", true), Meaning::Words);
        assert_eq!(none.meaning("", true), Meaning::None);
    }
}
