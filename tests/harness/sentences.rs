//! Core: whether every sentence that people said is in what the model wrote down.
//!
//! A sentence belongs to the time from its first word to the end of the same person's next one: a turn
//! that failed may be heard once more together with the one after it. It may have been cut into pieces;
//! written down more than once is written down.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use serde_json::{Value, json};

/// What became of the sentences.
#[derive(Debug, Default)]
pub struct Sentences {
    /// What happened in each conversation, in order of time.
    conversations: HashMap<usize, Vec<Noted>>,
}

/// When it happened, over which connection to the model, and what.
type Noted = (Instant, u64, Note);

/// Something that the model's record shows of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Words of the caller, written down.
    Words(String),
    /// Anything else that may explain why words are missing.
    Event(String),
}

/// A sentence, and who said it when.
#[derive(Clone, Copy, Debug)]
pub struct Spoken {
    /// Their number.
    pub who: usize,
    /// When their first word was spoken.
    pub began: Instant,
    /// What they said.
    pub words: &'static str,
}

impl Sentences {
    /// Takes in what the record shows next of this person's conversation. The same once more is once.
    pub fn note(&mut self, who: usize, at: Instant, connection: u64, note: Note) {
        let notes = self.conversations.entry(who).or_default();
        let is_same = |(_, before, last): &Noted| *before == connection && *last == note;
        if !notes.last().is_some_and(is_same) {
            notes.push((at, connection, note));
        }
    }

    /// How many of these are in the model's words, and what happened around those that are not.
    pub fn report(&self, spoken: &[Spoken]) -> Value {
        let mut by_caller: BTreeMap<usize, Vec<Spoken>> = BTreeMap::new();
        for one in spoken {
            by_caller.entry(one.who).or_default().push(*one);
        }
        let (mut whole, mut with_others) = (0_u64, 0_u64);
        let mut missing = Vec::new();
        for said in by_caller.values_mut() {
            said.sort_by_key(|one| one.began);
            for (place, one) in said.iter().enumerate() {
                let until = said.get(place + 2).map(|later| later.began);
                let notes: Vec<&Noted> = self.between(one.who, one.began, until).collect();
                if notes.iter().any(|(_, _, note)| note.is_just(one.words)) {
                    whole += 1;
                } else if written(&notes).contains(one.words) {
                    with_others += 1;
                } else {
                    let meanwhile: Vec<Value> =
                        notes.iter().map(|noted| told(noted, one.began)).collect();
                    missing.push(json!({
                        "caller": one.who, "said": one.words, "last": until.is_none(),
                        "meanwhile": meanwhile,
                    }));
                }
            }
        }
        json!({
            "said": spoken.len(),
            "written_down": whole,
            "written_down_in_pieces_or_with_the_next": with_others,
            "not_written_down": missing.len(),
            "what_happened_then": missing,
        })
    }

    fn between(
        &self,
        who: usize,
        from: Instant,
        until: Option<Instant>,
    ) -> impl Iterator<Item = &Noted> {
        let all = self.conversations.get(&who).map_or(&[][..], Vec::as_slice);
        all.iter()
            .filter(move |(at, ..)| *at >= from && until.is_none_or(|until| *at < until))
    }
}

impl Note {
    fn is_just(&self, wanted: &str) -> bool {
        matches!(self, Self::Words(words) if words == wanted)
    }
}

fn told((at, connection, note): &Noted, began: Instant) -> Value {
    let after = (*at - began).as_millis();
    match note {
        Note::Words(words) => json!(format!("{after} ms, connection {connection}: \"{words}\"")),
        Note::Event(event) => json!(format!("{after} ms, connection {connection}: {event}")),
    }
}

/// All words, as one text.
fn written(notes: &[&Noted]) -> String {
    let words: Vec<&str> = notes
        .iter()
        .filter_map(|(_, _, note)| match note {
            Note::Words(words) => Some(words.as_str()),
            Note::Event(_) => None,
        })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const APPLES: &str = "seven green apples";
    const TRAIN: &str = "the train";

    /// What the report says of two sentences, ten seconds apart, after these words at these seconds.
    fn counts(notes: &[(u64, &str)]) -> [u64; 3] {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut sentences = Sentences::default();
        for (seconds, words) in notes {
            let note = Note::Words((*words).to_owned());
            // Each over a connection of its own.
            sentences.note(1, at(*seconds), *seconds, note);
        }
        let spoken = [(0, APPLES), (10, TRAIN)].map(|(seconds, words)| Spoken {
            who: 1,
            began: at(seconds),
            words,
        });
        let report = sentences.report(&spoken);
        [
            "written_down",
            "written_down_in_pieces_or_with_the_next",
            "not_written_down",
        ]
        .map(|key| report[key].as_u64().expect("it is a number"))
    }

    #[test]
    fn a_sentence_is_found_whole_in_pieces_or_with_the_next() {
        assert_eq!(counts(&[(2, APPLES), (12, TRAIN)]), [2, 0, 0]);
        assert_eq!(
            counts(&[(2, "seven green"), (3, "apples"), (12, TRAIN)]),
            [1, 1, 0]
        );
        assert_eq!(counts(&[(12, "seven green apples the train")]), [0, 2, 0]);
        // Heard again after a failure: once is enough.
        assert_eq!(counts(&[(2, APPLES), (5, APPLES), (12, TRAIN)]), [2, 0, 0]);
    }

    #[test]
    fn a_sentence_that_nobody_wrote_down_is_missing() {
        assert_eq!(counts(&[(12, TRAIN)]), [1, 0, 1]);
        assert_eq!(counts(&[(2, "seven green"), (12, TRAIN)]), [1, 0, 1]);
        // The words of somebody's earlier sentence are not those of a later one.
        assert_eq!(counts(&[(2, TRAIN), (3, APPLES)]), [1, 0, 1]);
    }
}
