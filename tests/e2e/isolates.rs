//! A panic inside one session ends that session and nothing else.

use tests::stack::Stack;

use crate::story::{SOON, greeted, job_over};

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_one_session_leaves_the_others_alone() {
    let stack = Stack::with(Default::default(), |settings| {
        settings.with("ROOM_AGENT_FAULT", "panic-on-chat")
    })
    .await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let (bob, _) = greeted(&stack, "bob", "garden").await;
    ann.write("now").await;
    let end = job_over(&stack.livekit, "kitchen").await;
    assert!(end.failed, "{}", end.line);
    let said = bob.say("caller-train").await;
    bob.hears("agent-you-said", said.ended, SOON).await;
    stack.worker.becomes_ready().await;
    greeted(&stack, "carol", "attic").await;
}
