//! Participants who are no callers: hidden ones, and other agents.

use tests::{livekit_server::Pass, sim_model::Side, stack::Stack, user::User};

use crate::story::{LATER, SOON, greeted};

#[tokio::test(flavor = "multi_thread")]
async fn another_agent_is_not_heard_and_does_not_keep_the_call_open() {
    let stack = Stack::start().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    ann.listens_to(&agent);
    let pass = Pass {
        kind: "agent",
        ..Pass::of("other-agent", "kitchen")
    };
    let other = User::join(&stack.livekit.url(), &pass).await;
    other.say("caller-train").await;
    let said = ann.say("caller-apples").await;
    ann.hears("caller-apples", said.ended, SOON).await;
    let turns = stack
        .model
        .events(Side::Server, "input_audio_buffer.committed");
    assert_eq!(turns.len(), 1, "the other agent was heard");

    ann.leave().await;
    tests::eventually::eventually_async("the session is over", LATER, || async {
        match stack.worker.metric("room_agent_sessions_active").await {
            Some(0.0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_participant_is_not_heard() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let pass = Pass {
        hidden: true,
        ..Pass::of("shadow", "kitchen")
    };
    let shadow = User::join(&stack.livekit.url(), &pass).await;
    shadow.say("caller-train").await;
    let said = ann.say("caller-apples").await;
    ann.hears("caller-apples", said.ended, SOON).await;
    let turns = stack
        .model
        .events(Side::Server, "input_audio_buffer.committed");
    assert_eq!(turns.len(), 1, "the hidden participant was heard");
}
