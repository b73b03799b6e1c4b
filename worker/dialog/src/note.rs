//! Core: what was decided and why, for log, metrics and audit. Never any text of a person.

use std::time::Duration;

use crate::model::{ResponseId, ResponseStatus, Usage};

/// One observation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// A tool call the model made is not run.
    CallDropped {
        /// Why, in a word.
        why: &'static str,
    },
    /// The model answered a question beside the conversation.
    Consulted {
        /// Tokens, when reported.
        usage: Option<Usage>,
    },
    /// The sentence that the law wants said first was heard, or cannot be had.
    Disclosed {
        /// What was heard of it in the end; the agent's own words.
        said: String,
        /// It was heard word for word, to its end.
        is_whole: bool,
    },
    /// The agent heard itself through somebody's microphone.
    Echoed,
    /// Somebody spoke beside the agent and did not want the floor: a cough, a noise, company.
    FalseInterruption {
        /// How long the agent paused.
        paused: Duration,
        /// An ear heard it; otherwise only the model did.
        is_heard: bool,
    },
    /// Somebody waited in silence for a model that was away, and was told so.
    GapCovered,
    /// The first sound of the greeting: time since it was asked for.
    Greeted {
        /// From `Create` to `Started`.
        latency: Duration,
    },
    /// A new connection hears turns again that the lost one left without words and without an answer.
    HeardAgain {
        /// How many.
        turns: usize,
    },
    /// The agent yielded to somebody.
    Interrupted {
        /// How much of the cut item had been heard; zero = it was stopped before its first sound.
        heard: Duration,
        /// From the sign that somebody wants to speak to the agent's silence.
        stopped_after: Duration,
    },
    /// It became clear whether a turn is meant for the agent, or was taken for clear.
    NameAwaited {
        /// Since the end of the turn.
        waited: Duration,
        /// It was named.
        is_named: bool,
    },
    /// The model refused an order; `code` is the provider's.
    OrderRefused {
        /// The provider's code.
        code: String,
    },
    /// A new connection was told the conversation so far.
    Replayed {
        /// How many items.
        items: usize,
        /// How long the model had been away.
        away: Duration,
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
    /// A response did not come or fell silent, and is given up.
    ResponseLost {
        /// How long it was waited for.
        waited: Duration,
    },
    /// A response failed and will be asked for again.
    ResponseRetried {
        /// The provider's code.
        code: String,
    },
    /// The conversation moved to a fresh connection.
    Rotated {
        /// How many items it was told.
        items: usize,
    },
    /// The model's context was made smaller: old items were given up for an account of them.
    Shrunk {
        /// How many.
        items: usize,
    },
    /// The caller has said nothing for so long that the agent asks whether they are still there.
    SilencePrompted {
        /// For how long.
        after: Duration,
    },
    /// A tool takes so long that the agent says that it is at work.
    WorkTold {
        /// How long nobody had said anything.
        after: Duration,
    },
    /// A tool answered.
    ToolAnswered {
        /// From `RunTool` to `ToolFinished`.
        took: Duration,
    },
    /// The first sound of an answer: time since the end of the user's turn.
    TurnAnswered {
        /// From `SpeechStopped` to `Started`.
        latency: Duration,
    },
    /// The model created no response for a turn, so it was asked for one.
    TurnAsked {
        /// How long the turn had waited.
        waited: Duration,
    },
    /// A user turn ended and became an item.
    TurnCommitted {
        /// From `SpeechStarted` to `SpeechStopped`; zero when the model did not tell.
        speech: Duration,
    },
    /// The user went on speaking before an answer came; one answer will serve both turns.
    TurnContinued,
    /// A turn gets no answer: the conversation or the connection ended first, asking failed, or the
    /// agent was told to be silent.
    TurnUnanswered,
    /// The model's opinion on whether a turn is meant for the agent came, or was waited for too long.
    VerdictAwaited {
        /// Since the end of the turn.
        waited: Duration,
        /// It is meant.
        is_meant: bool,
    },
    /// A fact that has no meaning in this state.
    Unexpected {
        /// What, in a word.
        what: &'static str,
    },
}
