//! Rules decide before a tool runs, and whatever is wrong with them refuses.

use std::time::{Duration, SystemTime};

use serde_json::json;
use tools::{
    Context, Effect, Outcome, Refusal,
    policy::{Facts, Marks, RuleForm, Rules},
};

use crate::probe::{Probe, numbered};

fn refuse(require: &str, reason: &str) -> RuleForm {
    RuleForm {
        require: Some(require.to_owned()),
        refuse: Some(reason.to_owned()),
        ..RuleForm::default()
    }
}

fn parameters() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {
            "amount": {"type": "number"},
            "at": {"type": "string"},
            "tenant": {"type": "string"},
        },
    })
}

fn context() -> Context {
    Context {
        facts: Facts {
            caller: json!({"identity": "ann", "attributes": {"tenant": "north"}}),
            variables: [("limit".to_owned(), "100".to_owned())].into(),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_262_400),
        },
        ..Context::default()
    }
}

/// What the model is told about calls under these rules.
async fn told(rules: &[RuleForm], arguments: &[&str]) -> Vec<String> {
    let probe = Probe::new().with_parameters(parameters());
    let (gateway, _) = probe
        .with_rules(Rules::read(rules).expect("they can be read"))
        .gateway();
    let mut told = Vec::new();
    for (index, arguments) in arguments.iter().enumerate() {
        let call = numbered(&format!("c{index}"), arguments);
        told.push(gateway.invoke(&call, &context()).await.text_for_model());
    }
    told
}

#[tokio::test(start_paused = true)]
async fn amounts_times_and_tenants_are_looked_at() {
    let rules = [
        refuse("!has(args.amount) || args.amount <= 200", "At most 200."),
        refuse(
            "!has(args.amount) || double(args.amount) <= double(vars.limit)",
            "Above your limit.",
        ),
        refuse(
            "!has(args.at) || timestamp(args.at) > now",
            "That time has passed.",
        ),
        refuse(
            "!has(args.tenant) || args.tenant == caller.attributes.tenant",
            "Not yours.",
        ),
    ];
    let arguments = [
        r#"{"amount": 99.5}"#,
        r#"{"amount": 1000}"#,
        r#"{"amount": 150}"#,
        r#"{"at": "2026-11-21T11:59:59Z"}"#,
        r#"{"at": "2026-11-21T12:00:01Z"}"#,
        r#"{"tenant": "south"}"#,
        r#"{"tenant": "north"}"#,
    ];
    assert_eq!(
        told(&rules, &arguments).await,
        [
            "ok",
            "Not run: At most 200.",
            "Not run: Above your limit.",
            "Not run: That time has passed.",
            "ok",
            "Not run: Not yours.",
            "ok",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_rule_that_speaks_decides() {
    let rules = [
        RuleForm {
            when: Some("args.amount < 10".to_owned()),
            allow: true,
            ..RuleForm::default()
        },
        refuse("args.amount < 5", "Too much."),
    ];
    let arguments = [r#"{"amount": 7}"#, r#"{"amount": 12}"#];
    assert_eq!(told(&rules, &arguments).await, ["ok", "Not run: Too much."]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_touches_money_or_persons_wants_a_rule() {
    let marks = [
        (
            Effect::Writes,
            Marks {
                money: true,
                ..Marks::default()
            },
            false,
        ),
        (
            Effect::Writes,
            Marks {
                personal: true,
                ..Marks::default()
            },
            false,
        ),
        (Effect::Writes, Marks::default(), true),
        (
            Effect::Reads,
            Marks {
                money: true,
                personal: true,
            },
            true,
        ),
    ];
    for (effect, marks, runs) in marks {
        let probe = Probe::new().with_effect(effect).with_marks(marks);
        let (gateway, log) = probe.gateway();
        let outcome = gateway
            .invoke(&numbered("c", r#"{"n": 1}"#), &context())
            .await;
        assert_eq!(log.started(), usize::from(runs), "{effect:?} {marks:?}");
        let refused = matches!(outcome, Outcome::Refused(Refusal::Policy(_)));
        assert_eq!(refused, !runs, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_to_agree_to_does_not_run_unasked() {
    let ask: RuleForm =
        serde_json::from_value(json!({"when": "args.n > 10", "ask": "supervisor"})).unwrap();
    let rules = Rules::read(&[ask]).unwrap();
    let (gateway, log) = Probe::new().with_rules(rules).gateway();
    gateway
        .invoke(&numbered("c1", r#"{"n": 10}"#), &context())
        .await;
    let asked = gateway
        .invoke(&numbered("c2", r#"{"n": 11}"#), &context())
        .await;
    assert_eq!(log.started(), 1);
    assert!(
        asked.text_for_model().contains("a supervisor has to agree"),
        "{asked:?}"
    );
}

#[test]
fn mistakes_in_rules_are_told_with_their_place() {
    let form = |json| serde_json::from_value::<RuleForm>(json).unwrap();
    let forms = [
        form(json!({"require": "args.a >", "refuse": "no"})),
        form(json!({"when": "arguments.a == 1", "refuse": "no"})),
        form(json!({"when": "true", "require": "true", "refuse": "no"})),
        form(json!({"when": "true"})),
        form(json!({"when": "true", "ask": "caller"})),
    ];
    let problems = Rules::read(&forms).unwrap_err();
    let places: Vec<_> = problems.iter().map(|one| (one.index, one.key)).collect();
    assert_eq!(places, [(0, "require"), (1, "when"), (2, ""), (3, "")]);
    assert!(
        problems[1].problem.contains("there is no `arguments` here"),
        "{problems:?}"
    );
}
