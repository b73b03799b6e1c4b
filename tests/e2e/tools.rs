//! The model calls tools of the worker.

use tests::{eventually::eventually, sim_model::Side, stack::Stack};

use crate::story::{SOON, greeted, job_over};

#[tokio::test(flavor = "multi_thread")]
async fn the_time_is_asked_of_a_tool_and_spoken() {
    let stack = Stack::start().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let said = ann.say("caller-time").await;
    ann.hears("agent-it-is", said.ended, SOON).await;
    ann.reads(&agent, "It is", SOON).await;

    let called = stack
        .model
        .events(Side::Server, "response.function_call_arguments.done");
    assert_eq!(called.len(), 1);
    assert_eq!(called[0].event["name"], "current_time");
    let outputs: Vec<_> = stack
        .model
        .events(Side::Client, "conversation.item.create")
        .into_iter()
        .filter(|event| event.event["item"]["type"] == "function_call_output")
        .collect();
    assert_eq!(outputs.len(), 1, "one call has one outcome");
    assert_eq!(
        outputs[0].event["item"]["call_id"],
        called[0].event["call_id"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_says_goodbye_and_ends_the_call_by_tool() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let said = ann.say("caller-goodbye").await;
    ann.hears("agent-goodbye", said.ended, SOON).await;
    eventually("the agent has left", SOON, || match ann.agents()[..] {
        [] => Ok(()),
        ref there => Err(format!("{there:?}")),
    })
    .await;
    let end = job_over(&stack.livekit, "kitchen").await;
    assert!(!end.failed, "{}", end.line);
}
