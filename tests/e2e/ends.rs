//! Conversations that the agent ends by itself: what they may cost is spent, or nobody says anything.

use std::time::Instant;

use tests::{
    stack::Stack,
    worker::{Settings, Worker},
};

use crate::story::{LATER, SOON, greeted, job_over, says};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a third of a minute: `cargo xtask nightly stories`"]
async fn a_call_that_may_cost_no_more_ends_with_a_goodbye() {
    let stack = Stack::with(Default::default(), |settings| {
        settings.with("ROOM_AGENT__BUDGET__SESSION_USD", "0.01")
    })
    .await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    // The greeting and an answer are within it; another answer is too much.
    let said = ann.say("caller-train").await;
    ann.hears("caller-train", said.ended, SOON).await;
    let said = ann.say("caller-mountains").await;
    let answer = ann.hears("caller-mountains", said.ended, SOON).await;
    ann.hears("agent-goodbye", answer.ended, LATER).await;
    assert!(!job_over(&stack.livekit, "kitchen").await.failed);
    says(&stack, &["session ended", "budget_spent"], SOON).await;
    says(&stack, &["session report", "cost_usd"], SOON).await;
    let cost =
        "room_agent_model_cost_usd_total{cached=\"false\",direction=\"output\",modality=\"audio\"}";
    let cost = stack.worker.metric(cost).await;
    assert!(cost > Some(0.001), "{cost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_for_an_agent_whose_price_nobody_knows_is_a_wrong_configuration() {
    let unpriced =
        "name = \"unpriced\"\ninstructions = \"Be brief.\"\nmodel = \"gpt-of-tomorrow\"\n";
    let mut settings = Settings::new("ws://127.0.0.1:1", "ws://127.0.0.1:1");
    settings.agents = vec![("unpriced.toml".to_owned(), unpriced.to_owned())];
    let settings = settings.with("ROOM_AGENT__BUDGET__SESSION_USD", "1");
    let mut worker = Worker::start(&settings);
    let status = worker.ended(SOON).await;
    assert_eq!(status.code(), Some(78), "{}", worker.log().tail());
    worker
        .log()
        .expect(&["unpriced.model", "gpt-of-tomorrow", "[[model.prices]]"])
        .expect("the path to the mistake");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a third of a minute: `cargo xtask nightly stories`"]
async fn a_caller_who_says_nothing_is_asked_and_then_left_with_a_goodbye() {
    let patient = "name = \"patient\"\ninstructions = \"Be brief.\"\ngreeting = \"Greet.\"\n\
                   [silence]\nprompt_after = \"5s\"\nhang_up_after = \"5s\"\n";
    let stack = Stack::with(Default::default(), |mut settings| {
        settings.agents = vec![("patient.toml".to_owned(), patient.to_owned())];
        settings.with("ROOM_AGENT__AGENTS__DEFAULT", "patient")
    })
    .await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let greeted = Instant::now();
    ann.hears("agent-goodbye", greeted, LATER).await;
    assert!(!job_over(&stack.livekit, "kitchen").await.failed);
    says(&stack, &["session ended", "caller_silent"], SOON).await;
    says(&stack, &["the caller says nothing"], SOON).await;
}
