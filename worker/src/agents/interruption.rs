//! Core: the TOML form of how an agent gives way to people who speak while it does.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Problem, duration};

/// Phrases beyond this many are no list of backchannels.
const MOST_PHRASES: usize = 200;
/// Characters of one of them.
const LONGEST_PHRASE: usize = 60;

/// The agent pauses as soon as somebody speaks; this says when that becomes their turn. Needs a
/// transcription to tell "stop" from "mm-hm"; without one, whatever the model takes for a turn is one.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Interruption {
    /// What the agent does before it is clear. Default: `pause`.
    pub first_sign: FirstSign,
    /// Speech longer than this is a turn, whatever its words, 200ms to 10s. Coughs, doors and "mm-hm" are
    /// shorter than the default, 1s.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub min_speech: Duration,
    /// How long the words of shorter speech are waited for, from its end, 200ms to 10s; then the agent goes
    /// on. A transcript takes 0.3 to 1 s. Default 1500ms.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub words_wait: Duration,
    /// Phrases that keep the agent company and ask for nothing; letter case, punctuation and repeated
    /// letters do not count. Default: an English list ("mm-hm", "yeah", "okay", "I see", ...).
    pub backchannels: Vec<String>,
    /// Nobody interrupts the greeting: for sentences that the law wants said. Default: false.
    pub protect_greeting: bool,
}

/// What the agent does at the first sign that somebody speaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstSign {
    /// It goes on at a low voice.
    Duck,
    /// It falls silent.
    #[default]
    Pause,
}

impl Default for Interruption {
    fn default() -> Self {
        let usual = dialog::config::Interruption::default();
        Self {
            first_sign: FirstSign::Pause,
            min_speech: usual.min_speech,
            words_wait: usual.words_wait,
            backchannels: usual.backchannels,
            protect_greeting: usual.protect_greeting,
        }
    }
}

impl Interruption {
    /// What the schema cannot express, with paths below `interruption`.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let range = Duration::from_millis(200)..=Duration::from_secs(10);
        let spans = [
            ("min_speech", self.min_speech),
            ("words_wait", self.words_wait),
        ];
        let wrong = spans.into_iter().filter(|(_, span)| !range.contains(span));
        let mut problems: Vec<Problem> = wrong
            .map(|(key, _)| Problem::new(format!("interruption.{key}"), "expected 200ms to 10s"))
            .collect();
        if self.backchannels.len() > MOST_PHRASES {
            problems.push(Problem::new("interruption.backchannels", "more than 200"));
        }
        for (n, phrase) in self.backchannels.iter().enumerate() {
            let has_words = phrase.chars().any(char::is_alphanumeric);
            if !has_words || phrase.chars().count() > LONGEST_PHRASE {
                problems.push(Problem::new(
                    format!("interruption.backchannels[{n}]"),
                    "expected a phrase of up to 60 characters",
                ));
            }
        }
        problems
    }
}
