//! A look-up that is started before the model asks for it.

use std::time::{Duration, Instant};

use tools::{
    CallId, Context, Effect, Gateway, Outcome, ToolCall, ToolName,
    idempotency::{Ask, Ledger, Standing, Wish},
    policy::{RuleForm, Rules},
};

use crate::probe::{Probe, numbered};

const SAME: &str = r#"{"n":1}"#;

fn foreseen() -> Context {
    Context {
        is_foreseen: true,
        ..Context::default()
    }
}

async fn call(gateway: &Gateway, id: &str) -> Outcome {
    gateway
        .invoke(&numbered(id, SAME), &Context::default())
        .await
}

#[tokio::test(start_paused = true)]
async fn its_answer_is_taken_once_and_is_no_duplicate_of_anything() {
    let (gateway, log) = Probe::new().with_effect(Effect::Reads).gateway();
    gateway.invoke(&numbered("p", SAME), &foreseen()).await;
    assert_eq!(call(&gateway, "c1").await.text_for_model(), "ok");
    assert_eq!(log.started(), 1);
    // Who asks again wants to know how it is now.
    assert_eq!(call(&gateway, "c2").await.text_for_model(), "ok");
    assert_eq!(log.started(), 2);
}

#[test]
fn after_a_change_it_may_not_be_so_any_more() {
    let now = Instant::now();
    let mut ledger = Ledger::default();
    let wish = |tool: &str| {
        let tool = ToolName::parse(tool).expect("a name");
        Wish::new(tool, &serde_json::json!({}))
    };
    let done = Outcome::Completed(tools::Answer::new("free"));
    let admit = |ledger: &mut Ledger, id: &str, tool: &str, effect| {
        let ask = Ask {
            effect,
            most_runs: None,
            is_foreseen: id == "p",
        };
        ledger.admit(now, &CallId::new(id), &wish(tool), &ask)
    };
    assert_eq!(
        admit(&mut ledger, "p", "slots", Effect::Reads),
        Standing::New
    );
    ledger.settle(now, &CallId::new("p"), &done);
    assert_eq!(
        admit(&mut ledger, "w", "book", Effect::Writes),
        Standing::New
    );
    ledger.settle(now, &CallId::new("w"), &done);
    assert_eq!(
        admit(&mut ledger, "c", "slots", Effect::Reads),
        Standing::New
    );
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_it_can_be_called_off() {
    let probe = Probe::new().with_effect(Effect::Reads);
    let (gateway, log) = probe.takes(Duration::from_secs(5)).gateway();
    let context = Context::default();
    let (first, asked) = (numbered("p", SAME), ToolCall::new("c1", "probe", SAME));
    let early = foreseen();
    let (foreseen, asked, ()) = tokio::join!(
        gateway.invoke(&first, &early),
        gateway.invoke(&asked, &context),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            context.cancelled.cancel();
        }
    );
    assert_eq!(asked, Outcome::Cancelled);
    assert_eq!(foreseen.text_for_model(), "ok");
    assert_eq!(log.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_went_wrong_beforehand_is_tried_again() {
    let probe = Probe::new().with_effect(Effect::Reads);
    let (gateway, log) = probe
        .answers(Err(tools::ToolError::new("not now")))
        .gateway();
    gateway.invoke(&numbered("p", SAME), &foreseen()).await;
    assert_eq!(
        call(&gateway, "c1").await.text_for_model(),
        "Failed: not now"
    );
    assert_eq!(log.started(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_is_never_foreseen() {
    let (gateway, log) = Probe::new().gateway();
    gateway.invoke(&numbered("p", SAME), &foreseen()).await;
    let told = call(&gateway, "c1").await;
    assert!(matches!(told, Outcome::Duplicate(_)), "{told:?}");
    assert_eq!(log.started(), 1);
}

/// Somebody's yes to something else must not pass for a yes to what they were never asked.
#[tokio::test(start_paused = true)]
async fn nobody_is_asked_about_what_nobody_asked_for() {
    let ask = RuleForm {
        when: Some("args.n == 1".to_owned()),
        ask: Some(tools::policy::Who::Caller),
        ..RuleForm::default()
    };
    let rules = Rules::read(&[ask]).expect("it can be read");
    let probe = Probe::new().with_effect(Effect::Reads).with_rules(rules);
    let (gateway, log) = probe.gateway();
    let told = gateway.invoke(&numbered("p", SAME), &foreseen()).await;
    assert_eq!(told.reason(), Some("unasked"));
    gateway.agent_began();
    gateway.agent_spoke();
    gateway.caller_spoke("Yes.");
    assert_eq!(call(&gateway, "c1").await.reason(), Some("ask_caller"));
    assert_eq!(log.started(), 0);
}

#[tokio::test(start_paused = true)]
async fn rules_are_looked_at_again_when_the_answer_is_taken() {
    let own = RuleForm {
        require: Some("vars.tenant == 'north'".to_owned()),
        refuse: Some("Not yours.".to_owned()),
        ..RuleForm::default()
    };
    let rules = Rules::read(&[own]).expect("it can be read");
    let probe = Probe::new().with_effect(Effect::Reads).with_rules(rules);
    let (gateway, _) = probe.gateway();
    let of = |tenant: &str, is_foreseen| {
        let mut context = Context {
            is_foreseen,
            ..Context::default()
        };
        let variables = &mut context.facts.variables;
        variables.insert("tenant".to_owned(), tenant.to_owned());
        context
    };
    let first = gateway
        .invoke(&numbered("p", SAME), &of("north", true))
        .await;
    assert_eq!(first.text_for_model(), "ok");
    let other = gateway
        .invoke(&numbered("c", SAME), &of("south", false))
        .await;
    assert_eq!(other.text_for_model(), "Not run: Not yours.");
}

#[tokio::test(start_paused = true)]
async fn of_two_that_are_the_same_one_is_looked_up_and_the_model_has_its_answer() {
    let (gateway, log) = Probe::new().with_effect(Effect::Reads).gateway();
    for id in ["p1", "p2"] {
        gateway.invoke(&numbered(id, SAME), &foreseen()).await;
    }
    assert_eq!(log.started(), 1);
    assert_eq!(call(&gateway, "c1").await.text_for_model(), "ok");
    assert_eq!(log.started(), 1, "the answer was there");
}
