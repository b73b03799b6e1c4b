//! Core: how a call ended, and what the model is told about it.
//!
//! Owns the closed list of endings and the wording. Every text is bounded: a model reads it on
//! every later turn.

use std::time::Duration;

use serde_json::Value;

use crate::tool::{Answer, Then};

/// Longest text for the model, in bytes: about 2,000 tokens.
pub const LONGEST_TEXT: usize = 8 * 1024;
const CUT: &str = " [cut: the answer was too long]";

/// How a call ended. There is exactly one per call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// Called off before it ended; whether it had an effect is not known.
    Cancelled,
    /// The tool answered.
    Completed(Answer),
    /// The tool tried and failed; holds what the tool says about it.
    Failed(String),
    /// The tool was not run.
    Refused(Refusal),
    /// The tool took too long; whether it had an effect is not known.
    TimedOut {
        /// The limit it did not keep.
        limit: Duration,
    },
}

/// Why a tool was not run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The arguments are longer than any tool takes.
    ArgumentsTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The arguments are no JSON; holds where.
    NotJson(String),
    /// The arguments do not fit the schema; holds short explanations.
    NotValid(Vec<String>),
    /// No such tool is offered.
    UnknownTool,
}

impl Outcome {
    /// What the model is told: plain words or JSON, at most [`LONGEST_TEXT`] bytes.
    pub fn text_for_model(&self) -> String {
        bounded(match self {
            Self::Cancelled => "Called off. It may or may not have had an effect.".to_owned(),
            Self::Completed(answer) => plain(&answer.value),
            Self::Failed(reason) => format!("Failed: {reason}"),
            Self::Refused(refusal) => format!("Not run: {}", refusal.text()),
            Self::TimedOut { limit } => format!(
                "No answer within {} seconds. It may or may not have had an effect.",
                limit.as_secs_f64()
            ),
        })
    }

    /// What the tool wants to happen next; only a tool that answered can want anything.
    pub fn then(&self) -> Then {
        match self {
            Self::Completed(answer) => answer.then,
            _ => Then::Continue,
        }
    }
}

impl Refusal {
    fn text(&self) -> String {
        match self {
            Self::ArgumentsTooLong { limit } => {
                format!("the arguments are longer than {limit} bytes")
            }
            Self::NotJson(problem) => format!("the arguments are no JSON object: {problem}"),
            Self::NotValid(problems) => {
                format!("the arguments do not fit. {}", problems.join(". "))
            }
            Self::UnknownTool => "there is no such tool".to_owned(),
        }
    }
}

/// A string speaks for itself; everything else is JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "Done.".to_owned(),
        other => other.to_string(),
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        let mut end = LONGEST_TEXT - CUT.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(CUT);
    }
    text
}
