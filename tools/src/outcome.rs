//! Core: how a call ended, and what the model is told about it.
//!
//! Owns the closed list of endings and the wording. Every text is bounded: a model reads it on
//! every later turn.

use std::time::Duration;

use serde_json::Value;

use crate::{
    policy::Who,
    tool::{Answer, Effect, Then},
};

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
    /// The same call was run before and is not run again; holds how that one ended.
    Duplicate(Box<Self>),
    /// The tool tried and failed; holds what the tool says about it.
    Failed(String),
    /// The tool was not run.
    Refused(Refusal),
    /// The tool took too long; whether it had an effect is not known.
    TimedOut {
        /// The limit it did not keep.
        limit: Duration,
    },
    /// Whether it had an effect is not known: the process ended or a connection was lost while it ran, or it
    /// failed in a way that may come after the deed. Holds what is known of it, or nothing.
    Unknown(String),
}

/// Why a tool was not run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The caller has to agree first; holds what they are to be asked, or nothing.
    AskCaller(String),
    /// Whoever had to agree did not.
    Declined(Who),
    /// The arguments are longer than any tool takes.
    ArgumentsTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The arguments are no JSON; holds where.
    NotJson(String),
    /// The arguments do not fit the schema; holds short explanations.
    NotValid(Vec<String>),
    /// A supervisor has to agree first, and there is no way to ask one.
    NobodyToAsk,
    /// It changes something and its intent could not be put on record.
    NotRecorded,
    /// It is not what it was when somebody allowed it.
    Off,
    /// A rule says no; holds why.
    Policy(String),
    /// A supervisor had to agree, and none answered in time.
    NoAnswer,
    /// More calls are running than the session may have.
    TooMany,
    /// It has run as often as it may in one session.
    TooOften,
    /// Somebody has to agree first, and it was only to be looked up beforehand.
    Unasked,
    /// It was to be looked up beforehand, and that was done already.
    Unneeded,
    /// No such tool is offered.
    UnknownTool,
}

impl Outcome {
    /// How a call ended in the middle of which somebody made a mistake; `effect` of its tool, if there is one.
    pub fn broken(effect: Option<Effect>) -> Self {
        match effect {
            Some(Effect::Writes) => Self::Unknown(String::new()),
            _ => Self::Failed("an internal error".to_owned()),
        }
    }

    /// What the model is told: plain words or JSON, at most [`LONGEST_TEXT`] bytes.
    pub fn text_for_model(&self) -> String {
        bounded(match self {
            Self::Cancelled => "Called off. It may or may not have had an effect.".to_owned(),
            Self::Completed(answer) => plain(&answer.value),
            Self::Duplicate(first) => {
                format!(
                    "Called before and not run again. {}",
                    first.text_for_model()
                )
            }
            Self::Failed(reason) => format!("Failed: {reason}"),
            Self::Refused(refusal) => format!("Not run: {}", refusal.text()),
            Self::TimedOut { limit } => format!(
                "No answer within {} seconds. It may or may not have had an effect.",
                limit.as_secs_f64()
            ),
            Self::Unknown(what) => {
                let what = if what.is_empty() {
                    "The connection to it was lost while it ran"
                } else {
                    what
                };
                format!(
                    "{what}. It may or may not have had an effect: look before you call it again."
                )
            }
        })
    }

    /// The outcome of the same call when it comes again.
    pub(crate) fn again(self) -> Self {
        match self {
            Self::Duplicate(_) => self,
            first => Self::Duplicate(Box::new(first)),
        }
    }

    /// With no more of an answer than the model is told.
    pub(crate) fn bounded(self) -> Self {
        match self {
            Self::Completed(answer) if plain(&answer.value).len() > LONGEST_TEXT => {
                let value = Value::String(bounded(plain(&answer.value)));
                Self::Completed(Answer { value, ..answer })
            }
            Self::Failed(reason) => Self::Failed(bounded(reason)),
            Self::Unknown(what) => Self::Unknown(bounded(what)),
            other => other,
        }
    }

    /// One word for logs, metrics and records.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Completed(_) => "completed",
            Self::Duplicate(_) => "duplicate",
            Self::Failed(_) => "failed",
            Self::Refused(_) => "refused",
            Self::TimedOut { .. } => "timed_out",
            Self::Unknown(_) => "unknown",
        }
    }

    /// One word more, where something was refused.
    pub fn reason(&self) -> Option<&'static str> {
        let Self::Refused(refusal) = self else {
            return None;
        };
        Some(match refusal {
            Refusal::ArgumentsTooLong { .. } => "arguments_too_long",
            Refusal::AskCaller(_) => "ask_caller",
            Refusal::Declined(Who::Caller) => "declined_by_caller",
            Refusal::Declined(Who::Supervisor) => "declined_by_supervisor",
            Refusal::NoAnswer => "no_answer",
            Refusal::NobodyToAsk => "nobody_to_ask",
            Refusal::NotJson(_) => "not_json",
            Refusal::NotRecorded => "not_recorded",
            Refusal::NotValid(_) => "not_valid",
            Refusal::Off => "off",
            Refusal::Policy(_) => "policy",
            Refusal::TooMany => "too_many",
            Refusal::TooOften => "too_often",
            Refusal::Unasked => "unasked",
            Refusal::Unneeded => "unneeded",
            Refusal::UnknownTool => "unknown_tool",
        })
    }

    /// What the tool wants to happen next; only a tool that answered can want anything.
    pub fn then(&self) -> Then {
        match self {
            Self::Completed(answer) => answer.then.clone(),
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
            Self::AskCaller(question) => {
                let ask = if question.is_empty() {
                    "say what you are about to do and ask the caller whether you shall".to_owned()
                } else {
                    format!("ask the caller: \"{question}\"")
                };
                format!(
                    "the caller has to agree first. Now {ask}. When they have said yes, call it \
                     again with the same arguments"
                )
            }
            Self::Declined(Who::Caller) => "the caller did not agree".to_owned(),
            Self::Declined(Who::Supervisor) => "a supervisor did not agree".to_owned(),
            Self::NoAnswer => "a supervisor has to agree first, and nobody has answered".to_owned(),
            Self::NobodyToAsk => {
                "a supervisor has to agree first, and there is nobody to ask".to_owned()
            }
            Self::NotRecorded => "it cannot be put on record now, so it must not run".to_owned(),
            Self::Off => "this tool was changed and is off until somebody has looked at it; go on \
                          without it"
                .to_owned(),
            Self::Policy(reason) => reason.clone(),
            Self::TooMany => "too many calls are running".to_owned(),
            Self::TooOften => {
                "it was called as often as it may be in one conversation; go on without it"
                    .to_owned()
            }
            Self::Unasked => "somebody has to agree first, and nobody was asked".to_owned(),
            Self::Unneeded => "it was looked up already".to_owned(),
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
