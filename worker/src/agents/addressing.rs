//! Core: the TOML form of which turns an agent answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Problem;

/// Names beyond this many are no names.
const MOST_NAMES: usize = 20;
/// Characters of one of them.
const LONGEST_NAME: usize = 60;

/// Which turns an agent answers. It hears all of them, and knows what was said.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// Every turn.
    #[default]
    Everything,
    /// Those that name it, spoken or typed; see `names`. Needs a transcription.
    Named,
    /// Those too of which the model says that they are meant for it; asked in writing, beside the
    /// conversation, about every turn that does not name it. Needs no names.
    Asked,
}

/// What the schema cannot express about the names of an agent.
pub(super) fn problems(answers: Answers, names: &[String], transcribes: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    if answers == Answers::Named && !transcribes {
        let what = "`named` needs a transcription: names are heard in it";
        problems.push(Problem::new("answers", what));
    }
    if answers == Answers::Everything && !names.is_empty() {
        let what = "only with `answers = \"named\"` or `\"asked\"`";
        problems.push(Problem::new("names", what));
    }
    if names.len() > MOST_NAMES {
        problems.push(Problem::new("names", "more than 20"));
    }
    for (n, name) in names.iter().enumerate() {
        let has_words = name.chars().any(char::is_alphanumeric);
        if !has_words || name.chars().count() > LONGEST_NAME {
            problems.push(Problem::new(
                format!("names[{n}]"),
                "expected a name of up to 60 characters",
            ));
        }
    }
    problems
}
