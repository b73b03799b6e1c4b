//! What is not run, what is not even built, and how that is explained.

use std::sync::Arc;

use serde_json::json;
use tools::{BuildError, Context, Effect, Registry, Tool, ToolCall, builtin};

use crate::probe::{Probe, numbered};

#[tokio::test(start_paused = true)]
async fn the_model_reads_what_to_correct_and_no_values() {
    let (gateway, log) = Probe::new().gateway();
    let told = async |arguments: &str| {
        let call = ToolCall::new("c", "probe", arguments);
        gateway
            .invoke(&call, &Context::default())
            .await
            .text_for_model()
    };
    let prefix = "Not run: the arguments do not fit. ";
    assert_eq!(
        told("{}").await,
        format!("{prefix}At the top: \"n\" is a required property")
    );
    assert_eq!(
        told(r#"{"n": "a long story"}"#).await,
        format!("{prefix}At `/n`: the value is not of type \"integer\"")
    );
    assert_eq!(
        told("[1]").await,
        format!("{prefix}At the top: the value is not of type \"object\"")
    );
    assert!(
        told("").await.contains("required property"),
        "no arguments are an empty object"
    );
    assert_eq!(log.started(), 0);
}

#[tokio::test(start_paused = true)]
async fn at_most_three_problems_are_explained_briefly() {
    let properties: serde_json::Map<_, _> = (0..20)
        .map(|n| (format!("p{n}"), json!({"type": "string"})))
        .collect();
    let schema = json!({"type": "object", "properties": properties});
    let (gateway, _) = Probe::new().with_parameters(schema).gateway();
    let arguments: serde_json::Map<_, _> = (0..20).map(|n| (format!("p{n}"), json!(n))).collect();
    let call = ToolCall::new(
        "c",
        "probe",
        &serde_json::Value::Object(arguments).to_string(),
    );
    let told = gateway
        .invoke(&call, &Context::default())
        .await
        .text_for_model();
    assert_eq!(told.matches("is not of type").count(), 3, "{told}");
}

#[tokio::test(start_paused = true)]
async fn what_the_schema_does_not_list_is_refused_though_it_does_not_say_so() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let (gateway, log) = Probe::new().with_parameters(schema).gateway();
    let call = numbered("c", r#"{"a": 1, "discount": 50}"#);
    let told = gateway
        .invoke(&call, &Context::default())
        .await
        .text_for_model();
    assert!(told.contains("discount"), "{told}");
    assert_eq!(log.started(), 0);
}

#[test]
fn a_plane_with_bad_tools_is_not_built_and_names_them_all() {
    let outside = json!({"type": "object", "properties": {"a": {"$ref": "http://x.test/y"}}});
    let tools: [Arc<dyn Tool>; 5] = [
        Arc::new(Probe::new()),
        Arc::new(Probe::new()),
        Arc::new(Probe::new().with_parameters(outside)),
        Arc::new(Probe::new().with_parameters(json!({"type": "array"}))),
        Arc::new(Probe::new().with_parameters(json!({"type": "object", "required": 7}))),
    ];
    let problems = Registry::build(tools).unwrap_err().0;
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert_eq!(problems[0], BuildError::DuplicateName("probe".to_owned()));
    let outside =
        "the parameters of `probe`: `http://x.test/y` refers to something outside the schema";
    assert_eq!(problems[1].to_string(), outside);
}

#[test]
fn an_agent_sees_only_the_tools_it_names() {
    let all = Registry::build(builtin::all()).unwrap();
    let names = |registry: &Registry| -> Vec<String> {
        registry.specs().map(|spec| spec.name.to_string()).collect()
    };
    assert_eq!(
        names(&all),
        [
            "current_time",
            "end_call",
            "escalate_to_human",
            "switch_agent"
        ]
    );
    let some = all.only(&["end_call"]).unwrap();
    assert_eq!(names(&some), ["end_call"]);
    assert!(some.name("current_time").is_none());
    let missing = all.only(&["end_call", "fly", "x y"]).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "there is no tool `fly`; there is no tool `x y`"
    );
}

#[test]
fn references_inside_the_schema_are_fine() {
    let schema = json!({
        "type": "object",
        "$defs": {"size": {"enum": ["s", "l"]}},
        "properties": {"size": {"$ref": "#/$defs/size"}},
    });
    let tool: Arc<dyn Tool> = Arc::new(Probe::new().with_parameters(schema));
    assert!(Registry::build([tool]).is_ok());
}

/// A tool runs only with what its schema says, whatever a model sends.
#[test]
fn any_arguments_run_only_when_they_fit() {
    const GOOD: &[u8] = br#"{"n": 12, "m": {"a": [1, 2.5, "x"], "b": null}}"#;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let parameters = serde_json::json!({
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 0, "maximum": 20},
            "m": {"type": "object", "properties": {"a": {"type": "array", "maxItems": 4}, "b": {}}},
        },
        "required": ["n"],
    });
    let (gateway, log) = Probe::new()
        .with_effect(Effect::Reads)
        .with_parameters(parameters)
        .gateway();
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let gateway = std::panic::AssertUnwindSafe(gateway);
    let runtime = std::panic::AssertUnwindSafe(runtime);
    bolero::check!().for_each(|input: &[u8]| {
        let mut damaged = GOOD.to_vec();
        for change in input.chunks_exact(2) {
            let at = usize::from(change[0]) % damaged.len();
            damaged[at] = change[1];
        }
        let arguments = String::from_utf8_lossy(&damaged);
        let number = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let before = log.started();
        let call = numbered(&format!("c{number}"), &arguments);
        let outcome = runtime.block_on(gateway.invoke(&call, &Context::default()));
        let ran = log.started() > before;
        let n = serde_json::from_str::<serde_json::Value>(&arguments)
            .ok()
            .and_then(|value| value["n"].as_f64());
        let fits = n.is_some_and(|n| (0.0..=20.0).contains(&n) && n.fract() == 0.0);
        assert!(!ran || fits, "{arguments}");
        assert!(
            ran || outcome.reason().is_some(),
            "{arguments}: {outcome:?}"
        );
    });
}
