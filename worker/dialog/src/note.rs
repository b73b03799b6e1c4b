//! Core: what was decided and why, for log, metrics and audit. Never any text of a person.

use std::time::Duration;

use crate::model::{ResponseId, ResponseStatus, Usage};

/// One observation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// The agent yielded to somebody.
    Interrupted {
        /// How much of the cut item had been heard.
        heard: Duration,
    },
    /// The model refused an order; `code` is the provider's.
    OrderRefused {
        /// The provider's code.
        code: String,
    },
    /// A response ended.
    ResponseEnded {
        /// Which.
        response: ResponseId,
        /// How.
        status: ResponseStatus,
        /// Tokens, when reported.
        usage: Option<Usage>,
    },
    /// The first sound of an answer: time since the end of the user's turn.
    TurnAnswered {
        /// From `SpeechStopped` to `Started`.
        latency: Duration,
    },
    /// A fact that has no meaning in this state.
    Unexpected {
        /// What, in a word.
        what: &'static str,
    },
}
