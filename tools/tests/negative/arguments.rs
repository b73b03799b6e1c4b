//! S6 and S7: arguments that are meant to stall a check, or to pass it.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, SystemTime},
};

use serde_json::json;
use tools::{
    BuildError, Context, Facts, Outcome, Refusal, Registry, Rules, Tool, policy::RuleForm,
};

use crate::probe::{Probe, numbered};

/// A watchdog's patience: what tracks back over this text takes longer than the universe has lasted.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn s06_a_pattern_that_explodes_elsewhere_is_linear_here() {
    for pattern in [
        "(a+)+$",
        "^(a+)+$",
        "^(a|aa)+$",
        "^(.*)*=.*$",
        "^(a?){50}a{50}$",
    ] {
        let schema = json!({"type": "object", "properties": {"a": {"pattern": pattern}}});
        let (gateway, log) = Probe::new().with_parameters(schema).gateway();
        let (ended, end) = mpsc::sync_channel(1);
        thread::spawn(move || {
            let arguments = format!(r#"{{"a": "{}!"}}"#, "a".repeat(50_000));
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime");
            let call = numbered("c", &arguments);
            let outcome = runtime.block_on(gateway.invoke(&call, &Context::default()));
            ended.send(outcome).expect("somebody waits");
        });
        let outcome = end.recv_timeout(PATIENCE).expect(pattern);
        let is_refused = matches!(outcome, Outcome::Refused(Refusal::NotValid(_)));
        assert!(is_refused, "{pattern}: {outcome:?}");
        assert_eq!(log.started(), 0, "{pattern}");
    }

    // What only an engine that tracks back can do, this one cannot: it is told when the plane is built.
    for pattern in ["(?=a)b", "(?!a)b", "(?<=a)b", r"(a)\1", "(?>a+)b"] {
        let schema = json!({"type": "object", "properties": {"a": {"pattern": pattern}}});
        let tool: Arc<dyn Tool> = Arc::new(Probe::new().with_parameters(schema));
        let problems = Registry::build([tool]).expect_err(pattern).0;
        let is_told = matches!(&problems[..], [BuildError::InvalidSchema { .. }]);
        assert!(is_told, "{pattern}: {problems:?}");
    }
}

/// A tool that pays something back, under rules.
fn refund() -> Probe {
    let parameters = json!({
        "type": "object",
        "properties": {
            "amount": {"type": "number", "exclusiveMinimum": 0},
            "at": {"type": "string"},
            "tenant": {"type": "string"},
            "note": {"type": "string", "maxLength": 200},
        },
        "required": ["amount", "at", "tenant"],
    });
    let rule = |require: &str, refuse: &str| RuleForm {
        require: Some(require.to_owned()),
        refuse: Some(refuse.to_owned()),
        ..RuleForm::default()
    };
    let rules = Rules::read(&[
        rule(
            "args.tenant == caller.attributes.tenant",
            "Only their own account.",
        ),
        rule(
            "timestamp(args.at) > now",
            "That time has passed; offer a later one.",
        ),
        rule(
            "double(args.amount) <= double(vars.limit)",
            "More than 100 needs a colleague.",
        ),
    ]);
    Probe::new()
        .with_parameters(parameters)
        .with_rules(rules.expect("good rules"))
}

#[tokio::test(start_paused = true)]
async fn s07_arguments_that_two_readers_see_differently_or_that_go_too_far_do_not_run() {
    let context = Context {
        facts: Facts {
            caller: json!({"attributes": {"tenant": "north"}}),
            variables: [("limit".to_owned(), "100".to_owned())].into(),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_262_400),
        },
        ..Context::default()
    };
    let with = |members: &str| {
        format!(r#"{{"amount": 5, "at": "2026-11-21T12:00:01Z", "tenant": "north"{members}}}"#)
    };
    let instead = |from: &str, to: &str| with("").replace(from, to);
    let deep = format!(r#", "note": {}1{}"#, "[".repeat(100), "]".repeat(100));
    let large = format!("1{}", "0".repeat(400));
    let long = format!(r#", "note": "{}""#, "a".repeat(5_000_000));
    let (gateway, log) = refund().gateway();
    for (id, (name, arguments, reason, told)) in [
        (
            "a key twice",
            with(r#", "amount": 500"#),
            "not_json",
            "at `/amount`: this key comes twice",
        ),
        (
            "10^400",
            instead("5", &large),
            "not_json",
            "at `/amount`: number out of range",
        ),
        (
            "1e400",
            instead("5", "1e400"),
            "not_json",
            "at `/amount`: number out of range",
        ),
        (
            "2^53 + 2 as a double",
            instead("5", "9007199254740994.0"),
            "not_json",
            "too large",
        ),
        (
            "NaN",
            instead("5", "NaN"),
            "not_json",
            "at `/amount`: expected value",
        ),
        (
            "Infinity",
            instead("5", "Infinity"),
            "not_json",
            "at `/amount`: expected value",
        ),
        (
            "100 deep",
            with(&deep),
            "not_json",
            "nested deeper than 32 levels",
        ),
        (
            "5 MB",
            with(&long),
            "arguments_too_long",
            "longer than 65536 bytes",
        ),
        (
            "a long note",
            with(&format!(r#", "note": "{}""#, "a".repeat(201))),
            "not_valid",
            "At `/note`: ",
        ),
        (
            "an invented member",
            with(r#", "discount": 50"#),
            "not_valid",
            "'discount'",
        ),
        (
            "text for a number",
            instead("5", r#""5""#),
            "not_valid",
            "At `/amount`: ",
        ),
        (
            "less than nothing",
            instead("5", "-5"),
            "not_valid",
            "At `/amount`: ",
        ),
        (
            "another's account",
            instead("north", "south"),
            "policy",
            "Only their own account.",
        ),
        (
            "a past date",
            instead("00:01Z", "00:00Z"),
            "policy",
            "That time has passed",
        ),
        (
            "no date",
            instead("2026-", "soon-"),
            "policy",
            "a rule of this tool could not be applied",
        ),
        (
            "over the limit",
            instead("5", "100.01"),
            "policy",
            "More than 100 needs a colleague.",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let outcome = gateway
            .invoke(&numbered(&format!("c{id}"), &arguments), &context)
            .await;
        assert_eq!(outcome.reason(), Some(reason), "{name}: {outcome:?}");
        let text = outcome.text_for_model();
        assert!(
            text.starts_with("Not run: ") && text.contains(told),
            "{name}: {text}"
        );
        assert_eq!(log.started(), 0, "{name}");
    }
    let good = gateway.invoke(&numbered("good", &with("")), &context).await;
    assert_eq!((good.text_for_model().as_str(), log.started()), ("ok", 1));
}
