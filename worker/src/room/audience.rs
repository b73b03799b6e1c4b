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
mod tests {
    use super::*;

    fn person(identity: &str, kind: Kind) -> Person {
        Person {
            id: ParticipantId::new(identity),
            kind,
            hidden: false,
            on_behalf: false,
            name: identity.to_owned(),
        }
    }

    /// Ann is there, and the conversation has opened her ear.
    fn listening() -> (Audience, Person) {
        let mut audience = Audience::new();
        let ann = person("ann", Kind::Standard);
        audience.seen(ann.clone());
        audience.gate(&ann.id, Gate::Open);
        (audience, ann)
    }

    fn acts(audience: &mut Audience) -> Vec<String> {
        std::iter::from_fn(|| audience.poll_act())
            .map(|act| line(&act))
            .collect()
    }

    fn line(act: &Act) -> String {
        match act {
            Act::Subscribe { participant, track } => {
                format!("subscribe {} {}", participant.as_str(), track.as_str())
            }
            Act::Unsubscribe { participant, track } => {
                format!("unsubscribe {} {}", participant.as_str(), track.as_str())
            }
            Act::Tell(Fact::Joined {
                participant, role, ..
            }) => {
                format!("joined {} {role:?}", participant.as_str())
            }
            Act::Tell(Fact::Left { participant }) => format!("left {}", participant.as_str()),
            Act::Tell(other) => format!("{other:?}"),
        }
    }

    /// One participant with one microphone, and a conversation that opens every ear: what happens?
    fn newcomer(person: Person) -> Vec<String> {
        let mut audience = Audience::new();
        let id = person.id.clone();
        audience.seen(person);
        audience.gate(&id, Gate::Open);
        audience.microphone(&id, TrackId::new("TR_1"));
        acts(&mut audience)
    }

    #[test]
    fn people_of_every_kind_are_told_of_and_received() {
        for kind in [Kind::Standard, Kind::Sip, Kind::Connector] {
            assert_eq!(
                newcomer(person("ann", kind)),
                ["joined ann Guest", "subscribe ann TR_1"],
                "{kind:?}"
            );
        }
    }

    #[test]
    fn another_agent_is_told_of_and_never_received() {
        assert_eq!(
            newcomer(person("bot", Kind::Agent)),
            ["joined bot OtherAgent"]
        );
    }

    #[test]
    fn a_machine_is_neither_told_of_nor_received() {
        assert!(newcomer(person("recorder", Kind::Machine)).is_empty());
    }

    #[test]
    fn a_hidden_participant_is_neither_told_of_nor_received_whatever_its_kind() {
        for kind in [
            Kind::Standard,
            Kind::Sip,
            Kind::Connector,
            Kind::Agent,
            Kind::Machine,
        ] {
            let hidden = Person {
                hidden: true,
                ..person("eve", kind)
            };
            assert!(newcomer(hidden).is_empty(), "{kind:?}");
        }
    }

    #[test]
    fn who_publishes_on_behalf_of_another_is_never_a_person() {
        assert!(
            newcomer(Person {
                on_behalf: true,
                ..person("avatar", Kind::Standard)
            })
            .is_empty()
        );
    }

    #[test]
    fn a_person_who_becomes_hidden_leaves_the_conversation_and_is_no_longer_received() {
        let (mut audience, ann) = listening();
        audience.microphone(&ann.id, TrackId::new("TR_1"));
        acts(&mut audience);

        audience.seen(Person {
            hidden: true,
            ..ann.clone()
        });
        assert_eq!(acts(&mut audience), ["left ann", "unsubscribe ann TR_1"]);
        assert!(!audience.hears(&ann.id));

        audience.seen(ann.clone());
        audience.gate(&ann.id, Gate::Open);
        assert_eq!(
            acts(&mut audience),
            ["joined ann Guest", "subscribe ann TR_1"]
        );
    }

    #[test]
    fn a_changed_name_is_no_news() {
        let mut audience = Audience::new();
        let ann = person("ann", Kind::Standard);
        audience.seen(ann.clone());
        acts(&mut audience);
        audience.seen(Person {
            name: "Ann".to_owned(),
            ..ann
        });
        assert!(acts(&mut audience).is_empty());
    }

    #[test]
    fn of_two_microphones_the_newest_is_received_and_the_other_one_when_it_is_gone() {
        let (mut audience, ann) = listening();
        audience.microphone(&ann.id, TrackId::new("TR_1"));
        acts(&mut audience);

        audience.microphone(&ann.id, TrackId::new("TR_2"));
        assert_eq!(
            acts(&mut audience),
            ["unsubscribe ann TR_1", "subscribe ann TR_2"]
        );
        assert_eq!(audience.open_microphones().len(), 1);

        audience.microphone_gone(&ann.id, &TrackId::new("TR_2"));
        assert_eq!(acts(&mut audience), ["subscribe ann TR_1"]);

        audience.microphone_gone(&ann.id, &TrackId::new("TR_1"));
        assert!(acts(&mut audience).is_empty());
    }

    #[test]
    fn who_muted_the_newest_microphone_is_heard_through_another() {
        let (mut audience, ann) = listening();
        let [first, second] = ["TR_1", "TR_2"].map(TrackId::new);
        audience.microphone(&ann.id, first.clone());
        audience.microphone(&ann.id, second.clone());
        acts(&mut audience);

        audience.unmuted(std::slice::from_ref(&first));
        assert_eq!(
            acts(&mut audience),
            ["unsubscribe ann TR_2", "subscribe ann TR_1"]
        );
        assert_eq!(audience.microphone_of(&ann.id), Some(&first));

        audience.unmuted(&[first, second.clone()]);
        assert_eq!(
            acts(&mut audience),
            ["unsubscribe ann TR_1", "subscribe ann TR_2"]
        );

        audience.unmuted(&[]);
        assert!(acts(&mut audience).is_empty(), "muted as a whole");
        assert_eq!(audience.microphone_of(&ann.id), Some(&second));
    }

    #[test]
    fn many_microphones_are_not_many_orders() {
        let (mut audience, ann) = listening();
        for n in 0..30 {
            audience.microphone(&ann.id, TrackId::new(format!("TR_{n}")));
        }
        assert_eq!(acts(&mut audience).len(), 1 + 2 * 29 + 1);
    }

    #[test]
    fn an_older_microphone_that_is_taken_away_changes_nothing() {
        let (mut audience, ann) = listening();
        audience.microphone(&ann.id, TrackId::new("TR_1"));
        audience.microphone(&ann.id, TrackId::new("TR_2"));
        acts(&mut audience);
        audience.microphone_gone(&ann.id, &TrackId::new("TR_1"));
        assert!(acts(&mut audience).is_empty());
    }

    #[test]
    fn who_is_still_there_after_a_repair_never_left() {
        let (mut audience, ann) = listening();
        acts(&mut audience);

        audience.repairing();
        audience.left(&ann.id);
        audience.seen(ann.clone());
        audience.microphone(&ann.id, TrackId::new("TR_2"));
        audience.repaired();
        assert_eq!(acts(&mut audience), ["subscribe ann TR_2"]);
        assert_eq!(
            audience.microphone_of(&ann.id).map(TrackId::as_str),
            Some("TR_2")
        );
    }

    #[test]
    fn a_microphone_that_shows_up_during_a_repair_is_asked_for_when_the_link_is_whole() {
        // The same track again: a server that lived on while we were cut off.
        let (mut audience, ann) = listening();
        audience.microphone(&ann.id, TrackId::new("TR_1"));
        acts(&mut audience);

        audience.repairing();
        audience.microphone_gone(&ann.id, &TrackId::new("TR_1"));
        audience.left(&ann.id);
        audience.seen(ann.clone());
        audience.microphone(&ann.id, TrackId::new("TR_1"));
        assert!(acts(&mut audience).is_empty(), "it would be lost");
        audience.repaired();
        assert_eq!(acts(&mut audience), ["subscribe ann TR_1"]);
    }

    #[test]
    fn who_is_missing_after_a_repair_has_left() {
        let (mut audience, ann) = listening();
        acts(&mut audience);

        audience.repairing();
        audience.left(&ann.id);
        assert!(acts(&mut audience).is_empty());
        audience.repaired();
        assert_eq!(acts(&mut audience), ["left ann"]);
    }

    #[test]
    fn who_is_in_the_room_we_come_back_to_is_received_anew_and_the_others_left() {
        let mut audience = Audience::new();
        for name in ["ann", "bob"] {
            let someone = person(name, Kind::Standard);
            audience.seen(someone.clone());
            audience.gate(&someone.id, Gate::Open);
            audience.microphone(&someone.id, TrackId::new("TR_1"));
        }
        acts(&mut audience);

        audience.rejoining();
        audience.seen(person("ann", Kind::Standard));
        audience.microphone(&ParticipantId::new("ann"), TrackId::new("TR_2"));
        assert!(acts(&mut audience).is_empty(), "nothing while it is away");
        audience.repaired();
        assert_eq!(acts(&mut audience), ["subscribe ann TR_2", "left bob"]);
    }

    #[test]
    fn a_microphone_is_received_while_its_ear_is_open_and_not_before() {
        let mut audience = Audience::new();
        let ann = person("ann", Kind::Standard);
        audience.seen(ann.clone());
        audience.microphone(&ann.id, TrackId::new("TR_1"));
        assert_eq!(acts(&mut audience), ["joined ann Guest"]);
        audience.gate(&ann.id, Gate::Open);
        assert_eq!(acts(&mut audience), ["subscribe ann TR_1"]);
        audience.gate(&ann.id, Gate::Closed);
        assert_eq!(acts(&mut audience), ["unsubscribe ann TR_1"]);
    }

    #[test]
    fn a_microphone_of_a_stranger_is_not_received() {
        let mut audience = Audience::new();
        audience.microphone(&ParticipantId::new("nobody"), TrackId::new("TR_1"));
        assert!(acts(&mut audience).is_empty());
    }
}
