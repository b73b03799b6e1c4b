//! One wish, one effect.

use std::time::Duration;

use tools::{Context, Effect, Outcome, ToolCall, ToolError};

use crate::probe::{Probe, numbered};

const CALL: &str = r#"{"n": 1}"#;

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_again_is_answered_and_not_run() {
    let (gateway, log) = Probe::new().gateway();
    let context = Context::default();
    let first = gateway.invoke(&numbered("c", CALL), &context).await;
    // Whenever that is, and whatever stands in it by then.
    tokio::time::advance(Duration::from_secs(3_600)).await;
    let again = gateway
        .invoke(&numbered("c", r#"{"n": 2}"#), &context)
        .await;
    assert_eq!(log.started(), 1);
    assert_eq!(again, Outcome::Duplicate(Box::new(first)));
    assert_eq!(
        again.text_for_model(),
        "Called before and not run again. ok"
    );
    // A third time nothing is wrapped twice.
    let third = gateway.invoke(&numbered("c", CALL), &context).await;
    assert_eq!(third, again);
}

#[tokio::test(start_paused = true)]
async fn equal_arguments_are_one_wish_for_some_seconds() {
    let (gateway, log) = Probe::new().gateway();
    let context = Context::default();
    gateway.invoke(&numbered("c1", CALL), &context).await;
    tokio::time::advance(Duration::from_secs(2)).await;
    // Written otherwise, and the same.
    let again = gateway
        .invoke(&numbered("c2", "{ \"n\":1 }"), &context)
        .await;
    assert!(matches!(again, Outcome::Duplicate(_)), "{again:?}");
    gateway
        .invoke(&numbered("c3", r#"{"n": 2}"#), &context)
        .await;
    assert_eq!(log.started(), 2, "other arguments are another wish");
    tokio::time::advance(Duration::from_secs(5)).await;
    gateway.invoke(&numbered("c4", CALL), &context).await;
    assert_eq!(log.started(), 3, "and so are equal ones later on");
}

#[tokio::test(start_paused = true)]
async fn who_only_asks_may_ask_again() {
    let (gateway, log) = Probe::new().with_effect(Effect::Reads).gateway();
    for id in ["c1", "c2"] {
        gateway
            .invoke(&numbered(id, CALL), &Context::default())
            .await;
    }
    assert_eq!(log.started(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_second_of_two_at_once_waits_for_the_first() {
    let (gateway, log) = Probe::new().takes(Duration::from_secs(3)).gateway();
    let context = Context::default();
    let (one, other) = (numbered("c1", CALL), numbered("c2", CALL));
    let (first, second) = tokio::join!(
        gateway.invoke(&one, &context),
        gateway.invoke(&other, &context)
    );
    assert_eq!(log.started(), 1);
    assert_eq!(second, Outcome::Duplicate(Box::new(first)));
}

#[tokio::test(start_paused = true)]
async fn what_failed_may_be_tried_again_under_a_new_id() {
    let error = ToolError::new("the kitchen is closed");
    let (gateway, log) = Probe::new().answers(Err(error)).gateway();
    for id in ["c1", "c2", "c1"] {
        gateway
            .invoke(&numbered(id, CALL), &Context::default())
            .await;
    }
    assert_eq!(log.started(), 2, "not under the old one");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_took_too_long_is_not_repeated_however_late() {
    let (gateway, log) = Probe::new().takes(Duration::from_secs(3_600)).gateway();
    let context = Context::default();
    let first = gateway.invoke(&numbered("c1", CALL), &context).await;
    tokio::time::advance(Duration::from_secs(600)).await;
    let again = gateway.invoke(&numbered("c2", CALL), &context).await;
    assert_eq!(again, Outcome::Duplicate(Box::new(first)));
    assert_eq!(log.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_panicked_is_unknown_and_nobody_waits_for_it() {
    let (gateway, log) = Probe::new().panics().gateway();
    let call = ToolCall::new("c1", "probe", CALL);
    let ended = gateway.invoke(&call, &Context::default()).await;
    assert_eq!(ended, Outcome::Unknown(String::new()));
    let again = gateway
        .invoke(&numbered("c2", CALL), &Context::default())
        .await;
    assert_eq!(again, Outcome::Duplicate(Box::new(ended)));
    assert!(
        again
            .text_for_model()
            .contains("look before you call it again")
    );
    assert_eq!(log.started(), 1);
}
