//! Core: who people are to the conversation.

use std::{fmt, sync::Arc};

/// A participant of the room, by its identity there. Personal data: never print it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParticipantId(Arc<str>);

impl ParticipantId {
    /// Names a participant.
    pub fn new(identity: impl Into<Arc<str>>) -> Self {
        Self(identity.into())
    }

    /// The identity as the room knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParticipantId(..)")
    }
}

/// What a participant is to this conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// The first person heard.
    Caller,
    /// Another person in the room.
    Guest,
    /// Another agent: not heard, never a caller.
    OtherAgent,
}
