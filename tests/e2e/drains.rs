//! SIGTERM: no new job, calls go on, a second signal ends them.

use std::time::Instant;

use tests::{
    eventually::{eventually, eventually_async},
    stack::Stack,
};

use crate::story::{LATER, SOON, greeted};

async fn not_ready(stack: &Stack) {
    eventually_async("the draining worker is not ready", SOON, || async {
        match stack.worker.page("/ready").await {
            Ok(page) if page.status == 200 => Err(format!("{page:?}")),
            _ => Ok(()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_worker_takes_no_job_and_finishes_its_calls() {
    let mut stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    stack.worker.signal("TERM").await;
    not_ready(&stack).await;
    let bob = stack.caller("bob", "garden").await;
    // The call goes on: it may end politely, but not in the middle of an answer.
    let draining = Instant::now();
    ann.leave().await;
    let status = stack.worker.ended(LATER).await;
    assert!(
        status.success(),
        "{status:?}\n{}",
        stack.worker.log().tail()
    );
    assert!(
        bob.agents().is_empty(),
        "a job was taken after {draining:?}"
    );
    stack.worker.assert_no_secret_was_printed();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_ends_at_once() {
    let mut stack = Stack::start().await;
    stack.worker.signal("TERM").await;
    let status = stack.worker.ended(SOON).await;
    assert!(
        status.success(),
        "{status:?}\n{}",
        stack.worker.log().tail()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_calls_at_once() {
    let mut stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let asked = ann.say("caller-count").await;
    ann.hears("agent-one", asked.ended, SOON).await;
    stack.worker.signal("TERM").await;
    not_ready(&stack).await;
    if stack.worker.status().is_none() {
        stack.worker.signal("TERM").await;
    }
    stack.worker.ended(SOON).await;
    eventually("the agent has left", LATER, || match ann.agents()[..] {
        [] => Ok(()),
        ref there => Err(format!("{there:?}")),
    })
    .await;
}
