//! Core: the people around the agent, and which of them is heard.
//!
//! Owns who is here and who the caller is: the first person of those present. Does not open ears
//! (the dialog orders that) and never counts other agents.

use crate::speaker::{ParticipantId, Role};

/// Everybody present, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    people: Vec<ParticipantId>,
    agents: Vec<ParticipantId>,
}

impl Audience {
    /// Somebody came. Returns the new caller, if that is what they became.
    pub(crate) fn join(&mut self, participant: ParticipantId, role: Role) -> Option<ParticipantId> {
        if self.people.contains(&participant) || self.agents.contains(&participant) {
            return None;
        }
        if role == Role::OtherAgent {
            self.agents.push(participant);
            return None;
        }
        self.people.push(participant.clone());
        (self.people.len() == 1).then_some(participant)
    }

    /// Somebody left.
    pub(crate) fn leave(&mut self, participant: &ParticipantId) -> Departure {
        self.agents.retain(|agent| agent != participant);
        let Some(index) = self.people.iter().position(|person| person == participant) else {
            return Departure::Unnoticed;
        };
        self.people.remove(index);
        match self.people.first() {
            _ if index > 0 => Departure::Unnoticed,
            Some(next) => Departure::Succeeded {
                caller: next.clone(),
            },
            None => Departure::NobodyLeft,
        }
    }

    /// The person whose ear is open; `None` = nobody is here.
    pub(crate) fn caller(&self) -> Option<&ParticipantId> {
        self.people.first()
    }

    pub(crate) fn is_person(&self, participant: &ParticipantId) -> bool {
        self.people.contains(participant)
    }
}

/// What somebody's leaving means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// The caller was the last person.
    NobodyLeft,
    /// The caller left and a guest takes the place.
    Succeeded { caller: ParticipantId },
    /// A guest or another agent left: nothing changes.
    Unnoticed,
}
