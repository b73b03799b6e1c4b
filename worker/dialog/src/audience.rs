//! Core: the people around the agent, and which of them is heard.
//!
//! Owns who is here and who the caller is: the first person of those present. Does not open ears
//! (the dialog orders that) and never counts other agents.

use std::collections::VecDeque;

use crate::{
    config::Hears,
    speaker::{ParticipantId, Role},
};

/// More people than this are not heard at once: each ear costs a decoder, and a round of more is a
/// lecture.
const MOST_HEARD: usize = 16;
/// People who left and whose words may still be labelled.
const REMEMBERED: usize = 8;
/// Characters of a name that the model is told.
const LONGEST_NAME: usize = 40;

/// Everybody present, in order of arrival.
pub(crate) struct Audience {
    hears: Hears,
    // Bounded by the room.
    people: Vec<Person>,
    agents: Vec<ParticipantId>,
    left: VecDeque<Person>,
}

struct Person {
    id: ParticipantId,
    /// Fit to be shown to the model; empty = they gave none.
    name: String,
}

impl Audience {
    pub(crate) fn new(hears: Hears) -> Self {
        Self {
            hears,
            people: Vec::new(),
            agents: Vec::new(),
            left: VecDeque::new(),
        }
    }

    /// From now on.
    pub(crate) fn hear(&mut self, hears: Hears) {
        self.hears = hears;
    }

    /// Somebody came. Returns whether that is a person and news.
    pub(crate) fn join(&mut self, participant: ParticipantId, role: Role, name: &str) -> bool {
        if self.is_person(&participant) || self.agents.contains(&participant) {
            return false;
        }
        if role == Role::OtherAgent {
            self.agents.push(participant);
            return false;
        }
        self.people.push(Person {
            id: participant,
            name: presentable(name),
        });
        true
    }

    /// Somebody left. Returns whether that was the last person.
    pub(crate) fn leave(&mut self, participant: &ParticipantId) -> bool {
        self.agents.retain(|agent| agent != participant);
        let Some(place) = self.place_of(participant) else {
            return false;
        };
        if self.left.len() == REMEMBERED {
            self.left.pop_front();
        }
        self.left.push_back(self.people.remove(place));
        self.people.is_empty()
    }

    /// Who has been here longest; `None` = nobody is here.
    pub(crate) fn caller(&self) -> Option<&ParticipantId> {
        self.people.first().map(|person| &person.id)
    }

    /// The people whose ears are open.
    pub(crate) fn heard(&self) -> impl Iterator<Item = &ParticipantId> {
        let most = match self.hears {
            Hears::Caller => 1,
            Hears::Everyone => MOST_HEARD,
        };
        self.people.iter().take(most).map(|person| &person.id)
    }

    /// Several people are heard: what is said has to be told apart.
    pub(crate) fn is_shared(&self) -> bool {
        self.heard().nth(1).is_some()
    }

    pub(crate) fn is_person(&self, participant: &ParticipantId) -> bool {
        self.place_of(participant).is_some()
    }

    fn place_of(&self, participant: &ParticipantId) -> Option<usize> {
        self.people
            .iter()
            .position(|person| person.id == *participant)
    }

    /// What the model is told of who speaks: quoted, so that a name stays a name.
    pub(crate) fn label(&self, participant: &ParticipantId) -> String {
        let Some(place) = self.place_of(participant) else {
            let mut left = self.left.iter().rev();
            let name = left.find(|p| p.id == *participant).map(|p| p.name.as_str());
            return match name {
                None | Some("") => "somebody who left".to_owned(),
                Some(name) => format!("{name:?} (left)"),
            };
        };
        let role = if place == 0 { "caller" } else { "guest" };
        match self.people[place].name.as_str() {
            "" => format!("{role} {}", place + 1),
            name => format!("{name:?} ({role})"),
        }
    }
}

impl std::fmt::Debug for Audience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Audience({} people)", self.people.len())
    }
}

/// A name without control characters and of a bounded length.
fn presentable(name: &str) -> String {
    let plain = name.chars().filter(|c| !c.is_control());
    plain
        .take(LONGEST_NAME)
        .collect::<String>()
        .trim()
        .to_owned()
}
