//! Ends of a conversation that come from the room.

use tests::{eventually::eventually_async, stack::Stack};

use crate::story::{LATER, SOON, greeted, job_over};

async fn no_session_is_left(stack: &Stack) {
    eventually_async("no session is left", LATER, || async {
        match stack.worker.metric("room_agent_sessions_active").await {
            Some(0.0) => Ok(()),
            other => Err(format!("{other:?}\n{}", stack.worker.log().tail())),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_caller_leaves_the_session_ends_well() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    ann.leave().await;
    no_session_is_left(&stack).await;
    let ended = stack.worker.log().expect(&["session ended", "caller_left"]);
    ended.expect("one clear line");
    stack.worker.assert_no_secret_was_printed();
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_room_is_deleted_the_session_ends() {
    let stack = Stack::start().await;
    let (_ann, _) = greeted(&stack, "ann", "kitchen").await;
    stack
        .livekit
        .rooms()
        .delete_room("kitchen")
        .await
        .expect("deleted");
    no_session_is_left(&stack).await;
    stack.worker.becomes_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_vanishes_and_returns_in_time_goes_on() {
    let stack = Stack::start().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    ann.leave().await;
    let ann = stack.caller("ann", "kitchen").await;
    assert_eq!(
        ann.meets_agent(SOON).await,
        agent,
        "the same session, not a new one"
    );
    let said = ann.say("caller-train").await;
    ann.hears("agent-you-said", said.ended, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_metadata_fails_the_job_with_the_path_of_what_is_wrong() {
    let stack = Stack::with(Default::default(), |settings| {
        settings.with("LIVEKIT_AGENT_NAME", "front-desk")
    })
    .await;
    let mut pass = tests::livekit_server::Pass::of("ann", "kitchen");
    let metadata = r#"{"agent":"receptionist","variables":{"colour":"red"}}"#;
    pass.agents
        .push(("front-desk".to_owned(), metadata.to_owned()));
    let _ann = tests::user::User::join(&stack.livekit.url(), &pass).await;
    let end = job_over(&stack.livekit, "kitchen").await;
    assert!(end.failed, "{}", end.line);
    assert!(end.line.contains("variables"), "{}", end.line);
}
