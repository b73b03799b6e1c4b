//! A room that is lost, comes back, or does not; and a session that stands still.

use std::time::Duration;

use ::tools::{Effect, Registry, Tool, ToolError, function, policy::RuleForm};
use dialog::model::CallId;
use serde_json::{Map, Value, json};

use super::*;
use crate::room::{pulse::Pulse, rejoin::GiveUp};

type Given = Map<String, Value>;

/// Long enough for every remedy.
const WHILE: Duration = Duration::from_secs(120);

/// What the room was asked to do, up to the first order that is looked for.
async fn ordered(world: &mut World, wanted: impl Fn(&RoomOrder) -> bool) -> RoomOrder {
    loop {
        let order = timeout(WHILE, world.room.orders.recv()).await;
        let order = order.expect("an order comes").expect("the driver runs");
        if wanted(&order) {
            return order;
        }
    }
}

async fn pulses(world: &World, unmuted: &[&str], seconds: u64) {
    for _ in 0..seconds / 2 {
        advance(Duration::from_secs(2)).await;
        let pulse = Pulse {
            unmuted: unmuted.iter().map(|track| TrackId::new(*track)).collect(),
            packets: Some((7, 7)),
        };
        world.room(RoomInput::Pulse(pulse)).await;
        world.settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_termination_while_the_room_is_away_is_left_to_the_server_to_confirm() {
    let (end, _) = play(|mut world| async move {
        world.ann_comes().await;
        world.settle().await;
        advance(Duration::from_secs(60)).await;
        world.room(RoomInput::Repairing).await;
        world.settle().await;
        world.stop.send(Stop::Now(CloseReason::Terminated)).unwrap();
        ordered(&mut world, |order| *order == RoomOrder::CalledOff).await;
        world.room(RoomInput::GivenUp(GiveUp::Dismissed)).await;
        world.stop.closed().await;
        world
    })
    .await;
    assert_eq!(end.reason, CloseReason::Terminated);
    assert_eq!(end.error, None);
}

#[tokio::test(start_paused = true)]
async fn a_termination_in_a_room_that_stands_is_obeyed() {
    let (end, _) = play(|world| async move {
        world.ann_comes().await;
        world.settle().await;
        advance(Duration::from_secs(60)).await;
        world.room(RoomInput::Rejoining("UNKNOWN_REASON")).await;
        let back = RoomInput::Rejoined {
            attempts: 1,
            away: Duration::from_secs(1),
        };
        world.room(RoomInput::Seen(person("ann"))).await;
        world.room(back).await;
        world.settle().await;
        world.stop.send(Stop::Now(CloseReason::Terminated)).unwrap();
        world.stop.closed().await;
        world
    })
    .await;
    assert_eq!(end.reason, CloseReason::Terminated);
}

#[tokio::test(start_paused = true)]
async fn a_termination_just_before_the_room_says_why_has_the_rooms_reason() {
    let (end, _) = play(|world| async move {
        world.ann_comes().await;
        world.settle().await;
        advance(Duration::from_secs(60)).await;
        world.stop.send(Stop::Now(CloseReason::Terminated)).unwrap();
        world.settle().await;
        world.room(RoomInput::Gone(CloseReason::Removed)).await;
        world.stop.closed().await;
        world
    })
    .await;
    assert_eq!(end.reason, CloseReason::Removed);
}

#[tokio::test(start_paused = true)]
async fn a_termination_just_before_the_room_is_lost_is_left_to_the_server_to_confirm() {
    play(|mut world| async move {
        world.ann_comes().await;
        world.settle().await;
        advance(Duration::from_secs(60)).await;
        world.stop.send(Stop::Now(CloseReason::Terminated)).unwrap();
        world.settle().await;
        world.room(RoomInput::Rejoining("CONNECTION_TIMEOUT")).await;
        ordered(&mut world, |order| *order == RoomOrder::CalledOff).await;
        world
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn in_a_room_that_is_joined_again_people_are_received_anew() {
    play(|mut world| async move {
        world.ann_comes().await;
        let microphone = |track| RoomInput::Microphone {
            participant: ParticipantId::new("ann"),
            track: TrackId::new(track),
        };
        let subscription = |track| RoomOrder::Subscription {
            participant: ParticipantId::new("ann"),
            track: TrackId::new(track),
            wanted: true,
        };
        world.room(microphone("TR_1")).await;
        ordered(&mut world, |order| *order == subscription("TR_1")).await;
        world.room(RoomInput::Rejoining("UNKNOWN_REASON")).await;
        world.room(RoomInput::Seen(person("ann"))).await;
        world.room(microphone("TR_2")).await;
        let back = RoomInput::Rejoined {
            attempts: 1,
            away: Duration::from_secs(1),
        };
        world.room(back).await;
        ordered(&mut world, |order| *order == subscription("TR_2")).await;
        world
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_given_up_ends_the_session_and_says_why() {
    let cases = [
        (GiveUp::RoomGone, CloseReason::RoomDeleted, None),
        (GiveUp::TooLong, CloseReason::RoomLost, Some("too_long")),
        (
            GiveUp::TokenRefused,
            CloseReason::RoomLost,
            Some("token_refused"),
        ),
    ];
    for (why, reason, error) in cases {
        let (end, _) = play(|world| async move {
            world.ann_comes().await;
            world.room(RoomInput::Rejoining("UNKNOWN_REASON")).await;
            world.room(RoomInput::GivenUp(why)).await;
            world.stop.closed().await;
            world
        })
        .await;
        assert_eq!(end.reason, reason);
        assert_eq!(end.error, error.map(SessionError::RoomLost));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deaf_session_asks_for_its_microphones_again_shows_it_and_then_joins_again() {
    play(|mut world| async move {
        world.ann_comes().await;
        let track = TrackId::new("TR_1");
        let microphone = RoomInput::Microphone {
            participant: ParticipantId::new("ann"),
            track: track.clone(),
        };
        world.room(microphone).await;
        pulses(&world, &["TR_1"], 22).await;
        let asked = |wanted| RoomOrder::Subscription {
            participant: ParticipantId::new("ann"),
            track: track.clone(),
            wanted,
        };
        ordered(&mut world, |order| *order == asked(false)).await;
        assert_eq!(world.room.sign.borrow().health, Some("ears"));
        while let Ok(order) = world.room.orders.try_recv() {
            assert_ne!(order, asked(true), "not both at once");
        }
        pulses(&world, &["TR_1"], 2).await;
        ordered(&mut world, |order| *order == asked(true)).await;
        pulses(&world, &["TR_1"], 20).await;
        ordered(&mut world, |order| *order == RoomOrder::Rejoin).await;
        world
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_room_link_that_is_repaired_forever_is_made_anew() {
    play(|mut world| async move {
        world.ann_comes().await;
        world.room(RoomInput::Repairing).await;
        pulses(&world, &[], 40).await;
        ordered(&mut world, |order| *order == RoomOrder::Rejoin).await;
        assert_eq!(world.room.sign.borrow().health, Some("link"));
        world
    })
    .await;
}

/// A tool that waits for a supervisor, who takes their time.
fn a_tool_that_asks() -> Made {
    let asks = function::tool("asks", "Waits for a person.", async |given: Given| {
        Ok::<_, ToolError>(given)
    });
    let rule = json!({"when": "true", "ask": "supervisor"});
    let rule: RuleForm = serde_json::from_value(rule).expect("a rule");
    let asks = asks.rules(&[rule]).effect(Effect::Writes);
    let all: Vec<Arc<dyn Tool>> = vec![Arc::new(asks)];
    Made {
        plane: tooling::Plane::new(Registry::build(all).expect("one tool")),
        tools: vec!["asks".to_owned()],
        ..Made::default()
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_supervisor_does_not_wait_for_the_model() {
    let (end, _) = play_made(a_tool_that_asks(), |mut world| async move {
        world.ann_comes().await;
        world.model_up().await;
        world.room(RoomInput::AgentHeard).await;
        let greeting = world.create().await;
        world.answers(greeting, 0).await;
        let response = ResponseId::new("calls");
        let call = ModelEvent::FunctionCall {
            response: response.clone(),
            item: ItemId::new("item_1"),
            call: CallId::new("call_1"),
            name: "asks".to_owned(),
            arguments: "{}".to_owned(),
        };
        let done = ModelEvent::ResponseDone {
            response,
            status: ResponseStatus::Completed,
            usage: None,
        };
        for event in [call, done] {
            world.model(LinkEvent::Event(event)).await;
        }
        let says_so = world.create().await;
        world.answers(says_so, 0).await;
        pulses(&world, &[], 100).await;
        world
    })
    .await;
    assert_eq!(end.reason, CloseReason::RoomLost, "it was still there");
}
