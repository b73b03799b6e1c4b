use super::*;

fn person(identity: &str, kind: Kind) -> Person {
    Person {
        id: ParticipantId::new(identity),
        kind,
        hidden: false,
        on_behalf: false,
        name: identity.to_owned(),
        metadata: String::new(),
        attributes: Default::default(),
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
