//! Core: the people around the agent, and which of them is heard.
//!
//! Owns who is here and who the caller is: the first person of those present. Does not open ears
//! (the dialog orders that) and never counts other agents.

use crate::{
    config::Hears,
    speaker::{ParticipantId, Role},
};

/// More people than this are not heard at once: each ear costs a decoder, and a round of more is a
/// lecture.
const MOST_HEARD: usize = 16;
/// Characters of a name that the model is told.
const LONGEST_NAME: usize = 40;

/// Everybody present, in order of arrival.
#[derive(Debug)]
pub(crate) struct Audience {
    hears: Hears,
    // Bounded by the room.
    people: Vec<Person>,
    agents: Vec<ParticipantId>,
}

#[derive(Debug)]
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
        }
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
        let before = self.people.len();
        self.people.retain(|person| person.id != *participant);
        self.people.is_empty() && before > 0
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
        self.people.iter().any(|person| person.id == *participant)
    }

    /// What the model is told of who speaks: quoted, so that a name stays a name.
    pub(crate) fn label(&self, participant: &ParticipantId) -> String {
        let place = self.people.iter().position(|p| p.id == *participant);
        let role = if place == Some(0) { "caller" } else { "guest" };
        let name = place.map_or("", |place| self.people[place].name.as_str());
        match (name, place) {
            ("", Some(place)) => format!("{role} {}", place + 1),
            ("", None) => "somebody who left".to_owned(),
            (name, _) => format!("{name:?} ({role})"),
        }
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
