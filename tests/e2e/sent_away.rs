//! The server sends a participant away: for every reason of the protocol, and with each of the
//! actions it may ask for. A real server cannot be made to give most of the reasons, so the message
//! is put between its own.

use std::time::Duration;

use livekit_protocol::{
    DisconnectReason as Why, LeaveRequest, SignalResponse, leave_request::Action, signal_response,
};
use prost::Message as _;
use tests::{
    eventually::{eventually, expect},
    faults::frames::FrameWire,
    livekit_server::{LivekitServer, Pass},
    stack::Stack,
    user::User,
};

use crate::story::{LATER, SOON, greeted};

/// What the report of a session says, for the reasons that end one.
const ENDS: &[(Why, &str)] = &[
    (Why::ClientInitiated, "room_lost"),
    (Why::DuplicateIdentity, "duplicate"),
    (Why::ParticipantRemoved, "removed"),
    (Why::RoomDeleted, "room_deleted"),
    (Why::RoomClosed, "room_deleted"),
    (Why::UserUnavailable, "room_lost"),
    (Why::UserRejected, "room_lost"),
    (Why::SipTrunkFailure, "room_lost"),
    (Why::AgentError, "room_lost"),
];

/// A number that no reason has today.
const OF_TOMORROW: i32 = 60;

/// A stack in which the server's signals to our agents can be told something; room by room.
async fn prompted() -> (Stack, FrameWire) {
    let livekit = LivekitServer::start().await;
    let wire = FrameWire::to(livekit.address(), "/rtc")
        .await
        .expect("a free port");
    let stack = Stack::through(livekit, wire.address()).await;
    (stack, wire)
}

fn leave(reason: i32, action: Action) -> Vec<u8> {
    let leave = LeaveRequest {
        reason,
        action: action.into(),
        ..LeaveRequest::default()
    };
    let message = signal_response::Message::Leave(leave);
    SignalResponse {
        message: Some(message),
    }
    .encode_to_vec()
}

/// Asks and is answered.
async fn talks(ann: &User) {
    let said = ann.say("caller-train").await;
    let answer = ann.hears("agent-you-said", said.ended, LATER).await;
    ann.hears("caller-train", answer.ended, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn for_every_reason_the_agent_ends_well_or_comes_back() {
    let (stack, wire) = prompted().await;
    let known = (0..OF_TOMORROW).filter(|number| Why::try_from(*number).is_ok());
    let reasons: Vec<i32> = known.chain([OF_TOMORROW]).collect();
    assert!(reasons.len() > 17, "{reasons:?}");

    // One room per reason, so that each is told to a call of its own.
    let mut people = Vec::new();
    for (nth, reason) in reasons.iter().enumerate() {
        let room = format!("room-{reason}");
        let person = User::join_silently(&stack.livekit.url(), &Pass::of("ann", &room)).await;
        let agent = person.meets_agent(SOON).await;
        let job = agent.strip_prefix("agent-").expect("named after its job");
        let job = job.to_owned();
        eventually("its signals can be told something", SOON, || {
            expect(wire.opened() == nth + 1, format!("{}", wire.opened()))
        })
        .await;
        people.push((job, person));
    }
    for (nth, reason) in reasons.iter().enumerate() {
        wire.tell(nth, leave(*reason, Action::Disconnect));
    }

    for (reason, (job, person)) in reasons.iter().zip(&people) {
        let end = ENDS.iter().find(|(end, _)| i32::from(*end) == *reason);
        let log = stack.worker.log();
        let what = format!("what follows from reason {reason}");
        eventually(&what, LATER, || match end {
            Some((_, why)) => log.expect(&["session report", why, job]),
            None => log.expect(&["room joined again", job]),
        })
        .await;
        let other = match end {
            Some(_) => "joining it again",
            None => "session report",
        };
        assert_eq!(log.find(&[other, job]), None, "reason {reason}");
        if end.is_none() {
            eventually(&format!("{what}: one agent"), LATER, || {
                let agents = person.agents();
                expect(agents.len() == 1, format!("{agents:?}"))
            })
            .await;
        }
    }
    let log = stack.worker.log();
    assert_eq!(log.find(&["panicked"]), None, "{}", log.tail());
}

async fn told_to(action: Action) {
    let (stack, wire) = prompted().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    wire.tell(0, leave(Why::ServerShutdown.into(), action));
    eventually("the signals come back", LATER, || {
        expect(wire.opened() > 1, format!("{}", wire.opened()))
    })
    .await;
    eventually("the room link is whole again", LATER, || {
        stack.worker.log().expect(&["room link restored"])
    })
    .await;
    // A new connection publishes anew.
    ann.play(&tests::voice::silence(Duration::from_secs(1)))
        .await;
    talks(&ann).await;
    assert_eq!(ann.agents(), [agent], "the same agent, and only one");
    let log = stack.worker.log();
    assert_eq!(log.find(&["joining it again"]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_resume_it_resumes() {
    told_to(Action::Resume).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_reconnect_it_connects_anew() {
    told_to(Action::Reconnect).await;
}
