//! Time and size of a call.

use std::time::Duration;

use serde_json::json;
use tools::{
    Context, Outcome, Refusal, ToolCall, gateway::LONGEST_ARGUMENTS, outcome::LONGEST_TEXT,
};

use crate::probe::{Probe, numbered};

#[tokio::test(start_paused = true)]
async fn a_tool_that_takes_too_long_is_dropped_at_its_deadline() {
    let (gateway, log) = Probe::new().takes(Duration::from_secs(3600)).gateway();
    let call = ToolCall::new("c", "probe", r#"{"n":1}"#);
    let begin = tokio::time::Instant::now();
    let outcome = gateway.invoke(&call, &Context::default()).await;
    assert_eq!(begin.elapsed(), Duration::from_secs(10), "virtual time");
    assert_eq!(
        outcome,
        Outcome::TimedOut {
            limit: Duration::from_secs(10)
        }
    );
    assert!(
        outcome
            .text_for_model()
            .starts_with("No answer within 10 seconds")
    );
    assert_eq!(log.dropped(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_is_cut_between_characters_and_says_so() {
    let (gateway, _) = Probe::new()
        .answers(Ok(json!("ä".repeat(LONGEST_TEXT))))
        .gateway();
    let call = ToolCall::new("c", "probe", r#"{"n":1}"#);
    let text = gateway
        .invoke(&call, &Context::default())
        .await
        .text_for_model();
    assert!(
        text.len() <= LONGEST_TEXT && text.len() > LONGEST_TEXT - 4,
        "{}",
        text.len()
    );
    assert!(text.ends_with("ä [cut: the answer was too long]"));
}

#[tokio::test(start_paused = true)]
async fn endless_arguments_are_not_even_parsed() {
    let (gateway, log) = Probe::new().gateway();
    let call = ToolCall::new("c", "probe", &"[".repeat(LONGEST_ARGUMENTS + 1));
    let outcome = gateway.invoke(&call, &Context::default()).await;
    let limit = LONGEST_ARGUMENTS;
    assert_eq!(
        outcome,
        Outcome::Refused(Refusal::ArgumentsTooLong { limit })
    );
    assert_eq!(log.started(), 0);
}

#[tokio::test(start_paused = true)]
async fn deeply_nested_arguments_are_refused_and_harm_nobody() {
    let (gateway, _) = Probe::new().gateway();
    let deep = format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000));
    let outcome = gateway
        .invoke(&ToolCall::new("c", "probe", &deep), &Context::default())
        .await;
    assert!(
        matches!(outcome, Outcome::Refused(Refusal::NotJson(_))),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tool_and_a_session_run_so_often_and_no_more() {
    let (gateway, log) = Probe::new().with_most_runs(2).gateway();
    for (id, n, reason) in [
        ("c1", 1, None),
        ("c2", 0, Some("not_valid")),
        ("c3", 2, None),
        ("c4", 3, Some("too_often")),
        ("c1", 1, None),
    ] {
        let call = numbered(id, &format!(r#"{{"n": {n}}}"#));
        let outcome = gateway.invoke(&call, &Context::default()).await;
        assert_eq!(outcome.reason(), reason, "{id}");
    }
    assert_eq!(log.started(), 2);

    let (gateway, log) = Probe::new().gateway();
    let gateway = gateway.limited_to(3);
    for n in 1..=5 {
        let call = numbered(&format!("c{n}"), &format!(r#"{{"n": {n}}}"#));
        gateway.invoke(&call, &Context::default()).await;
    }
    assert_eq!(log.started(), 3);
}
