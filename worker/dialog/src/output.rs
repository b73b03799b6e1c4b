//! Core: everything a conversation may ask of the world.

use crate::{
    model::{CallId, McpEnd, Order, ResponseId},
    note::Note,
    speaker::ParticipantId,
};

/// One order or observation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Stop a running tool call.
    CancelTool(CallId),
    /// Every call that changes nothing is to be called off; its end is still waited for.
    CancelReads,
    /// Whose audio reaches the model.
    Ear {
        /// The participant.
        participant: ParticipantId,
        /// Open or closed.
        gate: Gate,
    },
    /// The conversation is over; nothing follows.
    Finished(CloseReason),
    /// What the provider ran is over, or never began.
    McpCallDone {
        /// The call.
        call: CallId,
        /// How.
        end: McpEnd,
    },
    /// An order for the model.
    Model(Order),
    /// Something worth a log line or a metric.
    Note(Note),
    /// An order for the outgoing queue.
    Playout(PlayoutOrder),
    /// Something people in the room should see.
    Publish(Publish),
    /// Run a tool; the answer comes as [`crate::Input::ToolFinished`].
    RunTool(ToolCall),
    /// Whether the agent may be audible at all. Closed at first: its first words wait until somebody
    /// can hear them, while the model prepares them.
    Voice(Voice),
}

/// Orders for the outgoing queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlayoutOrder {
    /// Drop all audio of this response, none of which was heard, and refuse what comes of it. Not
    /// reported.
    Drop {
        /// The response that nobody will hear.
        response: ResponseId,
    },
    /// Go on at a low voice until told to resume.
    Duck,
    /// Drop what is queued, now, and refuse later audio of a response. Reported as
    /// [`crate::input::Playout::Flushed`].
    Flush {
        /// The response that is over for the listeners; `None` = only what is queued.
        response: Option<ResponseId>,
        /// Audio of this response stays.
        keep: Option<ResponseId>,
    },
    /// Fall silent at once and keep what is queued. Reported as
    /// [`crate::input::Playout::Paused`] if a voice was to be heard.
    Pause,
    /// Play this clip as soon as nothing else is to be heard; what comes then waits for its end.
    /// Answered by [`crate::input::Playout::ClipOver`].
    PlayClip(Clip),
    /// Go on where it stopped, at full voice.
    Resume,
    /// End the clip that is being played, with a fade.
    StopClip,
}

/// What the worker can say without a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clip {
    /// It cannot go on.
    Failure,
    /// It is still there.
    OneMoment,
}

/// Whether the agent may be audible at all. What is said meanwhile waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Voice {
    /// Nothing leaves.
    Closed,
    /// What is queued is played.
    Open,
}

/// Whether an ear's audio reaches the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gate {
    /// Not heard.
    Closed,
    /// Heard.
    Open,
}

/// What people in the room should see.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Publish {
    /// The agent's state, for `lk.agent.state`.
    AgentState(AgentState),
    /// More of what the agent said, in step with what was heard.
    AgentText {
        /// One segment per spoken item.
        segment: String,
        /// The new piece.
        text: String,
    },
    /// The segment is complete: it holds what was heard, and no more.
    AgentTextEnd {
        /// The segment.
        segment: String,
        /// It was cut short by an interruption.
        interrupted: bool,
    },
    /// What a person said; the whole text so far.
    UserText {
        /// One segment per user item.
        segment: String,
        /// Who spoke.
        participant: ParticipantId,
        /// The whole text so far.
        text: String,
        /// Nothing will follow for this segment.
        is_final: bool,
    },
}

impl std::fmt::Debug for Publish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AgentState(state) => write!(f, "AgentState({state:?})"),
            Self::AgentText { segment, .. } => write!(f, "AgentText({segment}, ..)"),
            Self::AgentTextEnd {
                segment,
                interrupted,
            } => {
                write!(f, "AgentTextEnd({segment}, interrupted: {interrupted})")
            }
            Self::UserText {
                segment, is_final, ..
            } => {
                write!(f, "UserText({segment}, .., final: {is_final})")
            }
        }
    }
}

/// The words LiveKit front ends expect in `lk.agent.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// Nobody to talk to yet.
    Idle,
    /// Connecting.
    Initializing,
    /// Hearing.
    Listening,
    /// A voice is being played.
    Speaking,
    /// A response is on its way.
    Thinking,
}

impl AgentState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Initializing => "initializing",
            Self::Listening => "listening",
            Self::Speaking => "speaking",
            Self::Thinking => "thinking",
        }
    }
}

/// Who runs a call, once it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunBy {
    /// The model's provider, which waits to be allowed; [`crate::Input::ToolApproved`] does.
    Provider,
    /// The worker.
    Worker,
}

/// A call the model asked for. Arguments are personal data: `Debug` hides them.
#[derive(Clone, PartialEq)]
pub struct ToolCall {
    /// The call's own id.
    pub call: CallId,
    /// Name of the tool.
    pub name: String,
    /// JSON text, unchecked.
    pub arguments: String,
    /// The response in which the model decided to call.
    pub response: ResponseId,
    /// Who runs it.
    pub run_by: RunBy,
}

impl std::fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ToolCall({}, {}, ..)", self.name, self.call)
    }
}

/// Why a conversation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The agent ended it, by tool.
    AgentEnded,
    /// What the conversation may cost is spent.
    BudgetSpent,
    /// The last caller left.
    CallerLeft,
    /// The caller stayed silent, also after being asked.
    CallerSilent,
    /// Somebody with authority ended it.
    Commanded,
    /// The worker is draining.
    Drained,
    /// Another agent of this name is in the room.
    Duplicate,
    /// A part of the worker failed; that is a bug of ours.
    Failed,
    /// The model cannot be reached or refused us.
    ModelUnavailable {
        /// A short code.
        reason: String,
    },
    /// We were removed from the room.
    Removed,
    /// The room was deleted.
    RoomDeleted,
    /// The link to the room was lost for good.
    RoomLost,
    /// The server ended the job.
    Terminated,
}

impl CloseReason {
    /// The word in logs, reports and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::AgentEnded => "agent_ended",
            Self::BudgetSpent => "budget_spent",
            Self::CallerLeft => "caller_left",
            Self::CallerSilent => "caller_silent",
            Self::Commanded => "commanded",
            Self::Drained => "drained",
            Self::Duplicate => "duplicate",
            Self::Failed => "failed",
            Self::ModelUnavailable { .. } => "model_unavailable",
            Self::Removed => "removed",
            Self::RoomDeleted => "room_deleted",
            Self::RoomLost => "room_lost",
            Self::Terminated => "terminated",
        }
    }
}
