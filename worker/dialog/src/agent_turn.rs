//! Core: the agent's side as people see it: idle, listening, thinking, speaking.
//!
//! Owns the state last published. The state itself is never stored: it is derived from what is
//! true, so that it cannot be wrong for long.

use crate::output::AgentState;

/// What the agent's state is derived from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Model and room are there.
    pub(crate) is_connected: bool,
    /// Somebody is there to talk to.
    pub(crate) has_caller: bool,
    /// The agent's voice is being played.
    pub(crate) is_audible: bool,
    /// The user is speaking.
    pub(crate) user_speaks: bool,
    /// A response, or a tool it needs, is on its way.
    pub(crate) is_working: bool,
}

impl Facts {
    fn state(self) -> AgentState {
        match self {
            Self {
                is_audible: true, ..
            } => AgentState::Speaking,
            Self {
                is_connected: false,
                ..
            } => AgentState::Initializing,
            Self {
                has_caller: false, ..
            } => AgentState::Idle,
            Self {
                user_speaks: true, ..
            } => AgentState::Listening,
            Self {
                is_working: true, ..
            } => AgentState::Thinking,
            _ => AgentState::Listening,
        }
    }
}

/// The state people were told last.
#[derive(Debug, Default)]
pub(crate) struct AgentTurn {
    published: Option<AgentState>,
}

impl AgentTurn {
    /// The state people were told last.
    pub(crate) fn state(&self) -> Option<AgentState> {
        self.published
    }

    /// Returns the state if it is news.
    pub(crate) fn update(&mut self, facts: Facts) -> Option<AgentState> {
        let state = facts.state();
        (self.published.replace(state) != Some(state)).then_some(state)
    }
}
