//! Session: one job in one room, from assignment to end.
//!
//! Brings a session up (room and model in parallel), runs its driver, and takes it down again: job
//! status first, room second, child tasks last, each with a deadline and also after a panic.
//! Owns the room and every child task of the session. It does not decide anything about the
//! conversation (that is `dialog`) and does not know how jobs are counted (that is `jobs`).

use std::{fmt, time::Duration};

use dialog::output::CloseReason;
use tokio::sync::oneshot;

/// What the worker wants of a running session; the latest value counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// Carry on.
    #[default]
    No,
    /// The worker is draining: finish politely.
    Drain,
    /// End at once, for this reason.
    Now(CloseReason),
}

/// Handed to jobs when the conversation is over and the agent is still in the room: a server marks
/// a job as failed when its agent leaves before the status came.
#[derive(Debug)]
pub struct Ended {
    /// How the session ended.
    pub end: SessionEnd,
    /// To be fired when the status was sent; the session waits for it, at most
    /// [`STATUS_DEADLINE`].
    pub reported: oneshot::Sender<()>,
}

/// How long a session that is over waits for its status to be sent before it leaves the room.
pub const STATUS_DEADLINE: Duration = Duration::from_secs(1);

/// Why a session ended, for people and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnd {
    /// The reason in the words of the conversation.
    pub reason: CloseReason,
    /// What went wrong; `None` = the job succeeded.
    pub error: Option<SessionError>,
}

/// What went wrong in a session. The text names no person, room or key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// A part of the session panicked; that is a bug of ours.
    Bug,
    /// The room could not be joined.
    Join(String),
    /// The model cannot be reached or refused us; holds a short code.
    Model(String),
    /// A control queue ran over; holds its name. That is a bug of ours.
    Overrun(&'static str),
    /// The agent's track could not be published.
    Publish(String),
    /// The link to the room was lost for good.
    RoomLost,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bug => f.write_str("a part of the session panicked"),
            Self::Join(what) => write!(f, "the room could not be joined: {what}"),
            Self::Model(code) => write!(f, "the model is unavailable: {code}"),
            Self::Overrun(queue) => write!(f, "the {queue} queue ran over"),
            Self::Publish(what) => write!(f, "the agent's track could not be published: {what}"),
            Self::RoomLost => f.write_str("the link to the room was lost"),
        }
    }
}

impl std::error::Error for SessionError {}
