//! Core: who is in the room, and whether they are heard.
//!
//! Owns the list of participants around the agent and their microphones. Says what to tell the
//! conversation and which tracks to receive: those of people whose ear is open, and no others. The
//! room task carries that out. It does not decide whose ear is open: that is `dialog`. Used by the
//! session driver, which drains [`Audience::poll_act`] after every call.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::Arc,
};

use dialog::{
    input::Audience as Fact,
    output::Gate,
    speaker::{ParticipantId, Role},
};

/// What kind of peer the server says a participant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Another agent.
    Agent,
    /// A person, through a bridge to another network such as WhatsApp.
    Connector,
    /// Recorders, stream importers and whatever the server may invent: no people.
    Machine,
    /// A person on the telephone.
    Sip,
    /// A person with an application or a browser.
    Standard,
}

/// One participant as the server describes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Identity in the room.
    pub id: ParticipantId,
    /// What the server says it is.
    pub kind: Kind,
    /// Invisible to the others: listens only, and must not be noticed by anything we do.
    pub hidden: bool,
    /// Publishes for somebody else (`lk.publish_on_behalf`), such as an avatar for an agent.
    pub on_behalf: bool,
    /// Display name; untrusted and personal.
    pub name: String,
    /// Metadata; untrusted and personal.
    pub metadata: String,
    /// Attributes; untrusted and personal.
    pub attributes: BTreeMap<String, String>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("kind", &self.kind)
            .field("hidden", &self.hidden)
            .field("on_behalf", &self.on_behalf)
            .finish_non_exhaustive()
    }
}

impl Person {
    /// They are somebody to talk with.
    pub fn is_heard(&self) -> bool {
        self.standing() == Standing::Heard
    }

    fn standing(&self) -> Standing {
        if self.hidden || self.on_behalf {
            return Standing::Ignored;
        }
        match self.kind {
            Kind::Connector | Kind::Sip | Kind::Standard => Standing::Heard,
            Kind::Agent => Standing::OtherAgent,
            Kind::Machine => Standing::Ignored,
        }
    }
}

/// A track, by the server's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrackId(Arc<str>);

impl TrackId {
    /// Names a track.
    pub fn new(sid: impl Into<Arc<str>>) -> Self {
        Self(sid.into())
    }

    /// The id as the server knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Something to be done about the audience.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Receive this microphone.
    Subscribe {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        track: TrackId,
    },
    /// The conversation should know.
    Tell(Fact),
    /// Stop receiving this microphone.
    Unsubscribe {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        track: TrackId,
    },
}

/// The participants around the agent.
#[derive(Debug, Default)]
pub struct Audience {
    people: BTreeMap<ParticipantId, Present>,
    /// Microphones that were muted at the last look; bounded by what is published.
    muted: BTreeSet<TrackId>,
    /// The link to the room is being repaired: nobody is believed to have left until it is back.
    repairing: bool,
    acts: VecDeque<Act>,
}

#[derive(Debug)]
struct Present {
    standing: Standing,
    /// Whether what they say goes to the model; set by the conversation.
    gate: Gate,
    /// In the order in which they became known.
    microphones: Vec<TrackId>,
    /// The one among them that was asked for last; `None` = none.
    received: Option<TrackId>,
    /// Left while the link was being repaired; said so only when it is back without them.
    missing: bool,
}

impl Present {
    /// Nothing of them is received any more; whether they left is not known yet.
    fn forget(&mut self) {
        self.missing = true;
        self.microphones.clear();
        self.received = None;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Heard,
    Ignored,
    OtherAgent,
}

impl Audience {
    /// Nobody there yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What to do next; drain to `None` after every other call.
    pub fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// Somebody came, or what the server says about them changed.
    pub fn seen(&mut self, person: Person) {
        let standing = person.standing();
        let before = self.people.get(&person.id).map(|present| present.standing);
        let present = self
            .people
            .entry(person.id.clone())
            .or_insert_with(|| Present {
                standing,
                gate: Gate::Closed,
                microphones: Vec::new(),
                received: None,
                missing: false,
            });
        present.standing = standing;
        present.missing = false;
        if before == Some(standing) {
            return;
        }
        self.withdraw(&person.id, before);
        self.introduce(person, standing);
    }

    /// Somebody left.
    pub fn left(&mut self, id: &ParticipantId) {
        let Some(present) = self.people.get_mut(id) else {
            return;
        };
        if self.repairing {
            present.forget();
            return;
        }
        let standing = present.standing;
        self.people.remove(id);
        self.tell_left(id, standing);
    }

    /// The link to the room broke and is being repaired.
    pub fn repairing(&mut self) {
        self.repairing = true;
    }

    /// The room is left and joined again: nothing of it is received any more, and whoever is not
    /// seen in it before [`Self::repaired`] is gone.
    pub fn rejoining(&mut self) {
        self.repairing = true;
        for present in self.people.values_mut() {
            present.forget();
        }
    }

    /// The link is back: whoever did not come back with it is gone, and whoever is heard is asked
    /// for again. What was asked for in between may have gone to the link that broke.
    pub fn repaired(&mut self) {
        self.repairing = false;
        let open = self.people.iter().filter(|(_, p)| p.gate == Gate::Open);
        let open: Vec<_> = open.map(|(id, _)| id.clone()).collect();
        for id in open {
            self.receive_one(&id);
        }
        let missing: Vec<_> = self
            .people
            .iter()
            .filter(|(_, p)| p.missing)
            .map(|(id, _)| id.clone())
            .collect();
        for id in missing {
            self.left(&id);
        }
    }

    /// A microphone was published: from now on it is the one this person speaks into, unless it is
    /// muted and another one is not.
    pub fn microphone(&mut self, id: &ParticipantId, track: TrackId) {
        let Some(present) = self.people.get_mut(id) else {
            return;
        };
        if !present.microphones.contains(&track) {
            present.microphones.push(track);
        }
        if present.gate == Gate::Open && !self.repairing {
            self.receive_one(id);
        }
    }

    /// Which sounding tracks are not muted, as seen every two seconds. Who muted one of several
    /// microphones is heard through another.
    pub fn unmuted(&mut self, unmuted: &[TrackId]) {
        let known = self.people.values().flat_map(|p| &p.microphones);
        let muted = known.filter(|track| !unmuted.contains(track)).cloned();
        self.muted = muted.collect();
        if self.repairing {
            return;
        }
        let misheard = self.people.iter().filter(|(_, present)| {
            present.gate == Gate::Open && present.received.as_ref() != self.best(present)
        });
        let misheard: Vec<_> = misheard.map(|(id, _)| id.clone()).collect();
        for id in misheard {
            self.receive_one(&id);
        }
    }

    /// The conversation opened or closed an ear.
    pub fn gate(&mut self, id: &ParticipantId, gate: Gate) {
        let Some(present) = self.people.get_mut(id) else {
            return;
        };
        if present.gate == gate || present.standing != Standing::Heard {
            return;
        }
        present.gate = gate;
        if gate == Gate::Open {
            self.receive_one(id);
        } else {
            self.receive_nothing(id);
        }
    }

    /// The microphone of everybody whose ear is open: of several, the one they speak into.
    pub fn open_microphones(&self) -> Vec<(ParticipantId, TrackId)> {
        let open = self.people.iter().filter(|(_, p)| p.gate == Gate::Open);
        open.filter_map(|(id, p)| Some((id.clone(), self.best(p)?.clone())))
            .collect()
    }

    /// Whether this participant's ear is open.
    pub fn is_open(&self, id: &ParticipantId) -> bool {
        self.people
            .get(id)
            .is_some_and(|present| present.gate == Gate::Open)
    }

    /// A microphone was taken away. Who has another one is heard through that again.
    pub fn microphone_gone(&mut self, id: &ParticipantId, track: &TrackId) {
        let Some(present) = self.people.get_mut(id) else {
            return;
        };
        present.microphones.retain(|known| known != track);
        let was_received = present.received.take_if(|received| received == track);
        if was_received.is_some() && present.gate == Gate::Open && !self.repairing {
            self.receive_one(id);
        }
    }

    /// Whether this participant's words and lines count.
    pub fn hears(&self, id: &ParticipantId) -> bool {
        self.people
            .get(id)
            .is_some_and(|present| present.standing == Standing::Heard)
    }

    /// The microphone a participant speaks into.
    pub fn microphone_of(&self, id: &ParticipantId) -> Option<&TrackId> {
        self.best(self.people.get(id)?)
    }

    /// The newest that is not muted; when all are, the newest.
    fn best<'a>(&self, present: &'a Present) -> Option<&'a TrackId> {
        let newest = present.microphones.iter().rev();
        let mut open = newest.filter(|track| !self.muted.contains(*track));
        open.next().or_else(|| present.microphones.last())
    }

    /// Takes back what was said about a participant whose standing changed.
    fn withdraw(&mut self, id: &ParticipantId, before: Option<Standing>) {
        let Some(before) = before else { return };
        self.tell_left(id, before);
        let Some(present) = self.people.get_mut(id) else {
            return;
        };
        if present.gate == Gate::Closed {
            return;
        }
        present.gate = Gate::Closed;
        self.receive_nothing(id);
    }

    /// One voice, one microphone: that one is received, and no other.
    fn receive_one(&mut self, id: &ParticipantId) {
        let Some(track) = self.microphone_of(id).cloned() else {
            return;
        };
        let Some(present) = self.people.get_mut(id) else {
            return;
        };
        let before = present.received.replace(track.clone());
        let participant = id.clone();
        if let Some(before) = before.filter(|before| *before != track) {
            self.acts.push_back(Act::Unsubscribe {
                participant: participant.clone(),
                track: before,
            });
        }
        self.acts.push_back(Act::Subscribe { participant, track });
    }

    fn receive_nothing(&mut self, id: &ParticipantId) {
        let present = self.people.get_mut(id);
        if let Some(track) = present.and_then(|present| present.received.take()) {
            let participant = id.clone();
            self.acts.push_back(Act::Unsubscribe { participant, track });
        }
    }

    fn introduce(&mut self, person: Person, standing: Standing) {
        let role = match standing {
            Standing::Heard => Role::Guest,
            Standing::Ignored => return,
            Standing::OtherAgent => Role::OtherAgent,
        };
        let fact = Fact::Joined {
            participant: person.id,
            role,
            name: person.name,
        };
        self.acts.push_back(Act::Tell(fact));
    }

    fn tell_left(&mut self, id: &ParticipantId, standing: Standing) {
        if standing != Standing::Ignored {
            self.acts.push_back(Act::Tell(Fact::Left {
                participant: id.clone(),
            }));
        }
    }
}

#[cfg(test)]
mod tests;
