//! Somebody with a grant commands the agent, by RPC of the room; nobody without one does.

use std::time::Instant;

use serde_json::json;
use tests::{
    clips::{self, clip},
    ears,
    eventually::{eventually, expect},
    livekit_server::Pass,
    sim_model::{Script, Side},
    stack::Stack,
    user::User,
    worker,
};

use crate::story::{LATER, QUIET, SOON, greeted, job_over, says};

/// What the agent is told to say.
const SENTENCE: &str = "agent-name";

async fn grant(stack: &Stack, room: &str, commands: &str) -> String {
    worker::print(
        &stack.livekit.url(),
        &["token", "--room", room, "--grant", commands],
    )
    .await
}

async fn refusal(ann: &User, agent: &str, method: &str, payload: &str) -> u32 {
    let asked = ann.asks(agent, method, payload).await;
    asked.expect_err("nobody may ask that").code
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_commands_an_agent_without_a_grant_for_it() {
    let stack = Stack::start().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let elsewhere = grant(&stack, "garden", "end").await;
    let otherwise = grant(&stack, "kitchen", "say").await;
    for (payload, code) in [
        (json!({ "grant": "mine" }), 4010),
        (json!({ "grant": Pass::of("ann", "kitchen").token() }), 4010),
        (json!({ "grant": elsewhere }), 4030),
        (json!({ "grant": otherwise }), 4030),
        (json!({ "grant": otherwise, "force": true }), 4000),
    ] {
        let told = refusal(&ann, &agent, "room_agent.end", &payload.to_string()).await;
        assert_eq!(told, code, "{payload}");
    }
    assert_eq!(
        refusal(&ann, &agent, "room_agent.end", "please").await,
        4000
    );
    let refused = "room_agent_commands_total{answer=\"refused\",command=\"end\"}";
    assert_eq!(stack.worker.metric(refused).await, Some(4.0));
    says(&stack, &["command", "refused"], SOON).await;

    // The conversation goes on, and no grant was written down.
    let said = ann.say("caller-name").await;
    ann.hears("agent-name", said.ended, SOON).await;
    assert_eq!(stack.worker.log().find(&[&otherwise]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_does_what_the_holder_of_a_grant_asks() {
    // Little faster than speech, so that a response is surely running when it is silenced.
    let script = Script {
        pace: 1.2,
        ..Script::default()
    };
    let stack = Stack::with(script, |settings| settings).await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let grant = grant(
        &stack,
        "kitchen",
        "end,hear,resume,rotate,say,silence,update",
    )
    .await;
    let command = async |verb: &str, mut payload: serde_json::Value| {
        payload["grant"] = json!(grant);
        let method = format!("room_agent.{verb}");
        let taken = ann.asks(&agent, &method, &payload.to_string()).await;
        assert_eq!(taken.expect("it may"), r#"{"taken":true}"#);
    };

    // Silent from the middle of a word on, and also when it is spoken to.
    let asked = ann.say("caller-count").await;
    ann.hears("agent-three", asked.ended, SOON).await;
    command("silence", json!({})).await;
    ann.hears_silence(QUIET, SOON).await;
    let silent = Instant::now();
    let said = ann.say("caller-mountains").await;
    ann.reads("ann", clip("caller-mountains").words, SOON).await;
    ann.hears_silence(QUIET, SOON).await;
    let heard = ann.recording().between(silent, said.ended);
    let voices = clips::of_agent().chain(clips::of_callers());
    assert_eq!(ears::transcribe(&heard.pcm, voices), []);

    // What it is told to say it says.
    let told = Instant::now();
    command("say", json!({ "text": clip(SENTENCE).words })).await;
    ann.hears(SENTENCE, told, SOON).await;
    ann.hears_silence(QUIET, SOON).await;

    command("update", json!({ "instructions": "Speak of apples." })).await;
    eventually("the model has its new instructions", SOON, || {
        let updates = stack.model.events(Side::Client, "session.update");
        let newest = updates.last().map(|update| &update.event["session"]);
        expect(
            newest.is_some_and(|session| session["instructions"] == "Speak of apples."),
            format!("{newest:?}"),
        )
    })
    .await;

    command("hear", json!({ "hears": "caller" })).await;
    command("resume", json!({})).await;
    let said = ann.say("caller-apples").await;
    ann.hears("caller-apples", said.ended, SOON).await;

    command("rotate", json!({})).await;
    says(&stack, &["model link rotated"], LATER).await;
    let updates = stack.model.events(Side::Client, "session.update");
    let again = updates
        .iter()
        .filter(|update| update.event["session"]["instructions"] == "Speak of apples.");
    assert_eq!(again.count(), 2, "the fresh connection knows them, too");

    let told = Instant::now();
    command("end", json!({ "text": clip("agent-goodbye").words })).await;
    ann.hears("agent-goodbye", told, SOON).await;
    assert!(!job_over(&stack.livekit, "kitchen").await.failed);
    says(&stack, &["session ended", "commanded"], SOON).await;
    let errors = stack.model.events(Side::Server, "error");
    assert!(errors.is_empty(), "{errors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_taken_from_the_model_and_given_back_while_the_call_goes_on() {
    let stack = Stack::start().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let grant = grant(&stack, "kitchen", "update").await;
    let update = async |tools: &[&str]| {
        let payload = json!({ "grant": grant, "tools": tools }).to_string();
        ann.asks(&agent, "room_agent.update", &payload).await
    };
    let model_has = async |tools: &[&str]| {
        eventually("the model has its tools", SOON, || {
            let updates = stack.model.events(Side::Client, "session.update");
            let told = updates.iter().rev();
            let newest = told
                .filter_map(|update| update.event["session"]["tools"].as_array())
                .next();
            let names: Vec<_> = newest
                .into_iter()
                .flatten()
                .map(|tool| &tool["name"])
                .collect();
            expect(names == tools, format!("{names:?}"))
        })
        .await;
    };

    let said = ann.say("caller-time").await;
    let answer = ann.hears("agent-it-is", said.ended, SOON).await;

    update(&["end_call"]).await.expect("it may");
    model_has(&["end_call"]).await;
    let said = ann.say("caller-time").await;
    let answer = ann
        .hears("agent-you-said", said.ended.max(answer.ended), SOON)
        .await;

    let unknown = update(&["end_call", "fly"]).await;
    let unknown = unknown.expect_err("there is no such tool");
    assert_eq!(unknown.code, 4000);
    assert_eq!(unknown.message, "tools[1]: no such tool");

    update(&["current_time", "end_call"]).await.expect("it may");
    model_has(&["current_time", "end_call"]).await;
    let said = ann.say("caller-time").await;
    ann.hears("agent-it-is", said.ended.max(answer.ended), SOON)
        .await;
}
