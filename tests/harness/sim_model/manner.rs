//! Core: how a session takes part in a conversation. Its instructions say so, as they would say it to a model.
//!
//! Two of the three are for measuring what a worker costs: speech that does not end, and none at all.

use super::answer::mentions;

/// How a session takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Manner {
    /// It listens, and answers.
    #[default]
    Turns,
    /// It tells one story after the other, and listens to nobody.
    Monologue,
    /// It takes what it is sent, and says nothing.
    Silence,
}

impl Manner {
    pub(super) fn of(instructions: &str) -> Self {
        match () {
            () if mentions(instructions, &["speak without end"]) => Self::Monologue,
            () if mentions(instructions, &["never say anything"]) => Self::Silence,
            () => Self::Turns,
        }
    }
}
