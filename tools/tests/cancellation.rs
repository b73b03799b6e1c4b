//! A call is called off.

use std::time::Duration;

use tools::{Context, Effect, Outcome, ToolCall};

use crate::probe::Probe;

#[tokio::test(start_paused = true)]
async fn a_call_that_is_called_off_ends_at_once_and_its_run_is_dropped() {
    let probe = Probe::new().with_effect(Effect::Reads);
    let (gateway, log) = probe.takes(Duration::from_secs(5)).gateway();
    let context = Context::default();
    let call = ToolCall::new("c", "probe", r#"{"n":1}"#);
    let begin = tokio::time::Instant::now();
    let (outcome, ()) = tokio::join!(gateway.invoke(&call, &context), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        context.cancelled.cancel();
    });
    assert_eq!(outcome, Outcome::Cancelled);
    assert_eq!(begin.elapsed(), Duration::from_secs(2), "virtual time");
    assert_eq!((log.started(), log.dropped()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_writes_is_not_called_off_once_it_runs() {
    let (gateway, log) = Probe::new().takes(Duration::from_secs(5)).gateway();
    let context = Context::default();
    let call = ToolCall::new("c", "probe", r#"{"n":1}"#);
    let (outcome, ()) = tokio::join!(gateway.invoke(&call, &context), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        context.cancelled.cancel();
    });
    assert_eq!(outcome.text_for_model(), "ok");
    assert_eq!((log.started(), log.dropped()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_called_off_before_it_starts_never_starts() {
    let (gateway, log) = Probe::new().gateway();
    let context = Context::default();
    context.cancelled.cancel();
    let call = ToolCall::new("c", "probe", r#"{"n":1}"#);
    assert_eq!(gateway.invoke(&call, &context).await, Outcome::Cancelled);
    assert_eq!(log.started(), 0);
}
