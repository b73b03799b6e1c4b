//! Hermetic ring: the driver under tokio's stopped clock, with real channels on every side.

use dialog::model::{
    Capabilities, Event as ModelEvent, ItemId, NewItem, Order, ResponseId, ResponseStatus, Tag,
    Usage,
};
use tokio::time::{advance, timeout};

use super::*;
use crate::{
    agents::Rendered,
    audit::{self, ToolRecord},
    media::{
        clock::MediaClock,
        echo::OwnVoice,
        ingress::Ingress,
        playout::{self, source::AgentSource},
        tap::Tap,
    },
    model::ModelHandle,
    room::{
        self, LinkEnds, RoomOrder,
        audience::{Kind, Person},
    },
    session::meter::{self, Meter},
    tooling,
};

mod away;
mod canaries;
mod ends;

/// The world around one driver.
struct World {
    model: mpsc::Sender<LinkEvent>,
    orders: mpsc::Receiver<Order>,
    room: LinkEnds,
    playout: mpsc::Sender<Playout>,
    stop: watch::Sender<Stop>,
}

/// What a session is made with.
struct Made {
    meter: Meter,
    plane: tooling::Plane,
    tools: Vec<String>,
    record: ToolRecord,
    approvals: Approvals,
    audit: Audit,
    disclosure: Option<String>,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            meter: Meter::default(),
            plane: tooling::Plane::default(),
            tools: Vec::new(),
            record: ToolRecord::new(Audit::default(), "job"),
            approvals: Approvals::default(),
            audit: Audit::default(),
            disclosure: None,
        }
    }
}

/// Runs a driver beside a script; what is left of the world when the script is over is dropped,
/// so a script that ends without ending the session ends it as `RoomLost`.
async fn play<F: Future<Output = World>>(script: impl FnOnce(World) -> F) -> (SessionEnd, Tally) {
    play_made(Made::default(), script).await
}

/// The same for a session that is made otherwise.
async fn play_made<F: Future<Output = World>>(
    made: Made,
    script: impl FnOnce(World) -> F,
) -> (SessionEnd, Tally) {
    let (model, model_events) = mpsc::channel(8);
    let (handle, orders) = ModelHandle::for_tests();
    let (link, mut room) = room::link("guide".to_owned());
    let (_none, nothing) = mpsc::channel(1);
    let inputs = std::mem::replace(&mut room.inputs, nothing);
    let (stop, stop_seen) = watch::channel(Stop::No);
    let (heard, playout_facts) = mpsc::channel(8);
    let clock = MediaClock::start().unwrap();
    let own_voice = OwnVoice::new(now());
    let (playout, _) = playout::start(AgentSource::from_fn(|_| {}), &clock, own_voice.clone());

    let mut tasks = JoinSet::new();
    let mut tally = Tally::of(made.meter);
    let agent = Rendered {
        tools: made.tools,
        ..Rendered::default()
    };
    let job = made.record.session().to_owned();
    let name = Pii::new("kitchen".to_owned());
    let desk = made.approvals.desk(name.clone(), &job, made.audit.clone());
    let (tools, tool_ends, _) = tooling::start(&made.plane, &agent, made.record, desk);
    let (ingress, _) = Ingress::start(&mut tasks, own_voice, Duration::ZERO, handle.uplink());
    let (_speech, speech_edges) = mpsc::channel(8);
    let hands = Hands {
        ingress,
        model: handle,
        playout,
        room: link,
        tools,
    };
    let greeting = Some("Greet.".to_owned());
    let mut driver = Driver {
        clips: Arc::default(),
        begun: Some(BTreeSet::new()),
        is_instructed: false,
        escalated: None,
        personal: None,
        caller: None,
        colleagues: Default::default(),
        dialog: Dialog::new(dialog::Config {
            greeting,
            disclosure: made.disclosure,
            ..dialog::Config::default()
        }),
        audience: Audience::new(),
        hands,
        inbox: Inbox {
            model: model_events,
            playout: playout_facts,
            room: inputs,
            speech: speech_edges,
            stop: stop_seen,
            tools: tool_ends,
        },
        tasks: &mut tasks,
        tally: &mut tally,
        assigned: now(),
        joined: now(),
        ears: BTreeMap::new(),
        clock: TurnClock::default(),
        talk: Talk::default(),
        room: name,
        job,
        approvals: made.approvals,
        audit: made.audit,
        escalations: Escalations::default(),
        is_model_gone: false,
        watch: Watch::default(),
        rotation: Rotation::new(Default::default()),
        asked: None,
        over: None,
    };
    let script = async {
        drop(
            script(World {
                model,
                orders,
                room,
                playout: heard,
                stop,
            })
            .await,
        )
    };
    // The driver goes with its end, so that a script can wait for it.
    let driving = async move { driver.run().await };
    let (end, ()) = tokio::join!(driving, script);
    (end, tally)
}

impl World {
    async fn room(&self, input: RoomInput) {
        self.room.facts.send(input).await.unwrap();
    }

    async fn ann_comes(&self) {
        self.room(RoomInput::Seen(person("ann"))).await;
    }

    async fn model(&self, event: LinkEvent) {
        self.model.send(event).await.unwrap();
    }

    async fn model_up(&self) {
        let capabilities = Capabilities::all();
        self.model(LinkEvent::Up {
            capabilities,
            model: "m".to_owned(),
        })
        .await;
    }

    async fn order(&mut self) -> Order {
        timeout(Duration::from_secs(60), self.orders.recv())
            .await
            .expect("an order comes")
            .unwrap()
    }

    /// The next response that is asked for.
    async fn create(&mut self) -> Tag {
        loop {
            if let Order::Create { tag, .. } = self.order().await {
                return tag;
            }
        }
    }

    /// The model answers without a sound, and this many audio tokens are billed.
    async fn answers(&self, tag: Tag, output_audio: u64) {
        let response = ResponseId::new(tag.as_str());
        let created = ModelEvent::ResponseCreated {
            response: response.clone(),
            tag: Some(tag),
        };
        self.model(LinkEvent::Event(created)).await;
        let usage = Usage {
            output_audio,
            ..Usage::default()
        };
        let done = ModelEvent::ResponseDone {
            response,
            status: ResponseStatus::Completed,
            usage: Some(usage),
        };
        self.model(LinkEvent::Event(done)).await;
    }

    /// Until the driver has nothing left to do.
    async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

fn person(identity: &str) -> Person {
    Person {
        id: ParticipantId::new(identity),
        kind: Kind::Standard,
        hidden: false,
        on_behalf: false,
        name: String::new(),
        metadata: String::new(),
        attributes: Default::default(),
    }
}

fn chat(identity: &str) -> RoomInput {
    RoomInput::Chat {
        participant: ParticipantId::new(identity),
        text: "hello".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_greeting_is_prepared_before_anybody_hears_it() {
    play(|mut world| async move {
        world.ann_comes().await;
        world.settle().await;
        assert!(world.orders.try_recv().is_err(), "there is no model yet");
        world.model_up().await;
        let order = world.order().await;
        assert!(
            matches!(
                order,
                Order::Create {
                    instructions: Some(_),
                    ..
                }
            ),
            "{order:?}"
        );
        world
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_microphone_is_received_before_our_own_track_is_published() {
    play(|mut world| async move {
        world.ann_comes().await;
        let (participant, track) = (ParticipantId::new("ann"), TrackId::new("TR_1"));
        let microphone = RoomInput::Microphone {
            participant: participant.clone(),
            track: track.clone(),
        };
        world.room(microphone).await;
        let order = world.room.orders.recv().await.unwrap();
        assert_eq!(
            order,
            RoomOrder::Subscription {
                participant,
                track,
                wanted: true
            }
        );
        world
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_microphone_that_was_let_go_of_meanwhile_does_not_take_the_place_of_the_next() {
    play(|mut world| async move {
        world.ann_comes().await;
        world.model_up().await;
        let participant = ParticipantId::new("ann");
        for track in ["TR_1", "TR_2"].map(TrackId::new) {
            let participant = participant.clone();
            world
                .room(RoomInput::Microphone { participant, track })
                .await;
        }
        let mut packets = Vec::new();
        for track in ["TR_2", "TR_1"].map(TrackId::new) {
            let (sender, received) = mpsc::channel(8);
            packets.push(sender);
            world
                .room(RoomInput::Subscribed {
                    participant: participant.clone(),
                    track,
                    tap: Tap::from_channel(received),
                    has_beginning: false,
                })
                .await;
        }
        world.settle().await;
        let is_listened_to: Vec<bool> = packets.iter().map(|p| !p.is_closed()).collect();
        assert_eq!(is_listened_to, [true, false]);
        assert!(world.orders.try_recv().is_ok());
        world
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_line_of_a_hidden_participant_is_never_answered_and_one_of_a_caller_is() {
    play(|mut world| async move {
        world.model_up().await;
        world.ann_comes().await;
        world
            .room(RoomInput::Seen(Person {
                hidden: true,
                ..person("eve")
            }))
            .await;
        world.room(RoomInput::AgentHeard).await;
        world.order().await;
        world.room(chat("eve")).await;
        world.settle().await;
        assert!(
            world.orders.try_recv().is_err(),
            "nothing of eve's line reaches the model"
        );
        world.room(chat("ann")).await;
        let is_line = |order: &Order| matches!(order, Order::Item(NewItem::UserText(_)));
        while !is_line(&world.order().await) {}
        world
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn speech_of_a_person_shows_as_listening() {
    play(|mut world| async move {
        world.ann_comes().await;
        world.model_up().await;
        world.room(RoomInput::AgentHeard).await;
        let item = ItemId::new("item_1");
        world
            .model(LinkEvent::Event(ModelEvent::SpeechStarted { item }))
            .await;
        let listening = |sign: &room::state::Sign| sign.state.as_str() == "listening";
        timeout(Duration::from_secs(60), world.room.sign.wait_for(listening))
            .await
            .expect("the state is shown")
            .unwrap();
        assert_eq!(world.room.sign.borrow().model.as_deref(), Some("m"));
        world
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn that_people_were_told_what_they_talk_to_or_not_is_on_record() {
    let dir = ::tests::child::Scratch::new("disclosed").unwrap();
    let audit = Audit::start(&audit::Config {
        dir: Some(dir.path().to_owned()),
        ..Default::default()
    });
    let setting = Made {
        audit: audit.unwrap(),
        disclosure: Some("You talk to a machine.".to_owned()),
        ..Made::default()
    };
    let audit = setting.audit.clone();
    play_made(setting, |mut world| async move {
        world.ann_comes().await;
        world.model_up().await;
        world.room(RoomInput::AgentHeard).await;
        // It says nothing, whatever it is asked for.
        for _ in 0..3 {
            let asked = world.create().await;
            world.answers(asked, 0).await;
        }
        world.settle().await;
        world
    })
    .await;
    audit.seal().await.unwrap();
    let journal = audit::reader::read(&audit::recovery::files(dir.path()).unwrap());
    let told: Vec<_> = journal
        .entries
        .iter()
        .filter(|entry| entry.kind == "session.disclosed")
        .map(|entry| (entry.session.as_str(), entry.data.to_string()))
        .collect();
    let nothing = r#"{"said":"","whole":false}"#.to_owned();
    assert_eq!(told, [("job", nothing)]);
}
