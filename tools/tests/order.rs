//! The steps of a call, in their order.

use serde_json::json;
use tools::{CallId, Context, Outcome, Refusal, ToolCall, ToolError};

use crate::probe::Probe;

#[tokio::test(start_paused = true)]
async fn each_step_ends_the_call_before_the_next_one_looks() {
    let cases = [
        ("nobody", "no JSON", "Not run: there is no such tool"),
        (
            "probe",
            "no JSON",
            "Not run: the arguments are no JSON object: expected ident",
        ),
        (
            "probe",
            r#"{"n": 0}"#,
            "Not run: the arguments do not fit. At `/n`: ",
        ),
        ("probe", r#"{"n": 1}"#, "ok"),
    ];
    let (gateway, log) = Probe::new().gateway();
    for (index, (name, arguments, told)) in cases.into_iter().enumerate() {
        assert_eq!(log.started(), 0, "only a good call starts the tool");
        let call = ToolCall::new(&format!("c{index}"), name, arguments);
        let text = gateway
            .invoke(&call, &Context::default())
            .await
            .text_for_model();
        assert!(text.starts_with(told), "{text}");
    }
    assert_eq!(log.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_fails_says_why() {
    let error = ToolError::new("the kitchen is closed");
    let (gateway, _) = Probe::new().answers(Err(error)).gateway();
    let call = ToolCall::new("c", "probe", r#"{"n":1}"#);
    let outcome = gateway.invoke(&call, &Context::default()).await;
    assert_eq!(outcome, Outcome::Failed("the kitchen is closed".to_owned()));
    assert_eq!(outcome.text_for_model(), "Failed: the kitchen is closed");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_text_is_told_as_json() {
    let (gateway, _) = Probe::new().answers(Ok(json!({"sold": [1, 2]}))).gateway();
    let call = ToolCall::new("c", "probe", r#"{"n":1}"#);
    let outcome = gateway.invoke(&call, &Context::default()).await;
    assert_eq!(outcome.text_for_model(), r#"{"sold":[1,2]}"#);
}

#[tokio::test(start_paused = true)]
async fn the_built_in_tools_work_through_the_gateway() {
    use std::time::{Duration, UNIX_EPOCH};
    let noon = || UNIX_EPOCH + Duration::from_secs(1_795_262_400);
    let clock = tools::builtin::CurrentTime::with_clock(noon);
    let end_call = tools::builtin::EndCall::default();
    let tools: [std::sync::Arc<dyn tools::Tool>; 2] =
        [std::sync::Arc::new(clock), std::sync::Arc::new(end_call)];
    let gateway = tools::Gateway::new(tools::Registry::build(tools).unwrap());
    let context = Context::default();

    let call = ToolCall::new("1", "current_time", "");
    let told = gateway.invoke(&call, &context).await.text_for_model();
    assert_eq!(
        told,
        r#"{"time":"2026-11-21T12:00:00Z","weekday":"Saturday"}"#
    );
    let call = ToolCall::new("2", "current_time", r#"{"utc_offset_minutes": 780}"#);
    let told = gateway.invoke(&call, &context).await.text_for_model();
    assert_eq!(
        told,
        r#"{"time":"2026-11-22T01:00:00+13:00","weekday":"Sunday"}"#
    );
    let call = ToolCall::new("3", "current_time", r#"{"utc_offset_minutes": 9000}"#);
    assert!(matches!(
        gateway.invoke(&call, &context).await,
        Outcome::Refused(Refusal::NotValid(_))
    ));

    let call = ToolCall::new("4", "end_call", "{}");
    assert_eq!(
        gateway.invoke(&call, &context).await.then(),
        tools::Then::EndConversation
    );
}

#[test]
fn a_call_prints_neither_name_nor_arguments() {
    let call = ToolCall::new("c1", "my secret", "{\"secret\": 1}");
    assert_eq!(format!("{call:?}"), "ToolCall(c1, ..)");
    assert_eq!(call.id, CallId::new("c1"));
}
