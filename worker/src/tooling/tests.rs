//! The bridge to the tool plane: every call has its end, whoever interrupts or leaves.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use dialog::{model::ResponseId, output::RunBy};
use serde_json::json;
use tokio::time::Instant;
use tools::{
    Effect, Registry, Tool, ToolError,
    approval::NoApprover,
    builtin, function,
    mcp::{Catalog, Listed},
    policy::RuleForm,
};

use super::*;
use crate::{agents::Agents, audit::Audit, config::source::MapSource};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

fn plane() -> Plane {
    let bug = function::tool(
        "bug",
        "Panics.",
        async |_: Nothing| -> Result<(), ToolError> { panic!("a bug in a tool") },
    );
    let slow = function::tool("slow", "Takes its time.", async |_: Nothing| {
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok::<_, ToolError>("done")
    });
    let mut all: Vec<Arc<dyn Tool>> = vec![Arc::new(bug), Arc::new(slow)];
    all.extend(builtin::all());
    Plane::new(Registry::build(all).unwrap())
}

/// A customer register whose tools the provider calls.
pub(crate) fn a_register_of_the_providers() -> Plane {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let example = include_str!("../../../tools/examples/register.toml");
    let example = example.replacen("[mcp.", "run_by = \"provider\"\n[mcp.", 1);
    let listed = |name: &str| Listed {
        name: name.to_owned(),
        description: "Is described.".to_owned(),
        input_schema: json!({"type": "object", "properties": {"name": {"type": "string"}}}),
    };
    let names = ["find_customer".to_owned(), "rename_customer".to_owned()];
    let listing = [listed("find_customer"), listed("rename_customer")];
    let pinned = Catalog::pin(names.iter(), &listing).unwrap().to_json();
    let source = MapSource::default()
        .file("/tools/register.toml", &example)
        .file("/tools/register.mcp.json", &pinned)
        .var("ROOM_AGENT_SECRET_REGISTER", "s3cr3t");
    let config = files::Config {
        dir: Some("/tools".to_owned()),
        ..files::Config::default()
    };
    Plane::load(&source, &config).unwrap().0
}

fn unrecorded() -> ToolRecord {
    ToolRecord::new(Audit::default(), "job")
}

fn agent(names: &[&str]) -> Rendered {
    Rendered {
        tools: names.iter().map(ToString::to_string).collect(),
        ..Rendered::default()
    }
}

fn call(id: &str, name: &str) -> ToolCall {
    ToolCall {
        call: CallId::new(id),
        name: name.to_owned(),
        arguments: "{}".to_owned(),
        response: ResponseId::new("r1"),
        run_by: RunBy::Worker,
    }
}

/// The next end of a call.
async fn end_in(events: &mut mpsc::Receiver<ToolEvent>) -> ToolEnded {
    match events.recv().await.unwrap() {
        ToolEvent::Ended(ended) => ended,
        ToolEvent::Approved(call) => panic!("{call} is the worker's to run"),
    }
}

/// Runs one call of an agent that may use everything but `current_time`.
async fn end_of(name: &str) -> ToolEnded {
    let agent = agent(&["bug", "slow", "end_call"]);
    let (tooling, mut ended, _) = start(&plane(), &agent, unrecorded(), NoApprover);
    tooling.run(call("c1", name), Value::Null);
    end_in(&mut ended).await
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_the_answer_of_its_tool() {
    let end = end_of("slow").await;
    assert_eq!((end.call.as_str(), end.output.as_str()), ("c1", "done"));
    assert_eq!(end.then, AfterTool::Continue);
}

#[tokio::test(start_paused = true)]
async fn end_call_reaches_the_conversation() {
    assert_eq!(end_of("end_call").await.then, AfterTool::EndConversation);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_panics_is_an_answer_and_the_next_call_runs() {
    let agent = agent(&["bug", "slow"]);
    let (tooling, mut ended, _) = start(&plane(), &agent, unrecorded(), NoApprover);
    tooling.run(call("c1", "bug"), Value::Null);
    tooling.run(call("c2", "slow"), Value::Null);
    assert_eq!(end_in(&mut ended).await.output, "Failed: an internal error");
    assert_eq!(end_in(&mut ended).await.output, "done");
}

#[tokio::test(start_paused = true)]
async fn tools_of_other_agents_are_refused() {
    assert_eq!(
        end_of("current_time").await.output,
        "Not run: there is no such tool"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_called_off_has_an_end_too() {
    let (tooling, mut ended, _) = start(&plane(), &agent(&["slow"]), unrecorded(), NoApprover);
    tooling.run(call("c1", "slow"), Value::Null);
    tooling.cancel(&CallId::new("c1"));
    let end = end_in(&mut ended).await;
    assert!(end.output.starts_with("Called off."), "{}", end.output);
}

#[tokio::test(start_paused = true)]
async fn rules_know_the_variables_and_who_is_talked_with() {
    let rule = RuleForm {
        require: Some("caller.attributes.tenant == vars.tenant".to_owned()),
        refuse: Some("Not yours.".to_owned()),
        ..RuleForm::default()
    };
    let own = function::tool("own", "Tells.", async |_: Nothing| Ok("told")).rules(&[rule]);
    let plane = Plane::new(Registry::build([Arc::new(own) as Arc<dyn Tool>]).unwrap());
    let agent = Rendered {
        variables: [("tenant".to_owned(), "north".to_owned())].into(),
        ..agent(&["own"])
    };
    let of = |tenant: &str| Caller {
        attributes: [("tenant".to_owned(), tenant.to_owned())].into(),
        ..Caller::default()
    };
    for (tenants, told) in [
        (["north", "south"].as_slice(), "told"),
        (&["south", "north"], "Not run: Not yours."),
        (
            &[],
            "Not run: a rule of this tool could not be applied; a person has to look at it",
        ),
    ] {
        let (tooling, mut ended, _) = start(&plane, &agent, unrecorded(), NoApprover);
        for tenant in tenants {
            tooling.serve(&of(tenant));
        }
        tooling.run(call("c1", "own"), Value::Null);
        assert_eq!(end_in(&mut ended).await.output, told, "{tenants:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_looked_up_ends_with_the_session() {
    let plane = plane();
    let (tooling, _ended, _) = start(&plane, &agent(&["slow"]), unrecorded(), NoApprover);
    let began = Instant::now();
    tooling.run(call("c1", "slow"), Value::Null);
    drop(tooling);
    plane.finished().await;
    assert_eq!(began.elapsed(), Duration::ZERO, "virtual time");
}

#[tokio::test(start_paused = true)]
async fn what_is_being_changed_is_done_whoever_interrupts_or_leaves() {
    let done = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&done);
    let book = function::tool("book", "Books.", move |_: Nothing| {
        let mark = Arc::clone(&mark);
        async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            mark.store(true, Ordering::SeqCst);
            Ok::<_, ToolError>("booked")
        }
    })
    .effect(Effect::Writes);
    let plane = Plane::new(Registry::build([Arc::new(book) as Arc<dyn Tool>]).unwrap());
    let (tooling, mut ended, _) = start(&plane, &agent(&["book"]), unrecorded(), NoApprover);
    tooling.run(call("c1", "book"), Value::Null);
    tokio::time::sleep(Duration::from_secs(1)).await;
    tooling.cancel_reads();
    tooling.cancel(&CallId::new("c1"));
    drop(tooling);
    plane.finished().await;
    assert!(done.load(Ordering::SeqCst));
    assert_eq!(end_in(&mut ended).await.output, "booked");
}

#[tokio::test(start_paused = true)]
async fn who_interrupts_calls_off_what_is_looked_up() {
    let (tooling, mut ended, _) = start(&plane(), &agent(&["slow"]), unrecorded(), NoApprover);
    tooling.run(call("c1", "slow"), Value::Null);
    tooling.cancel_reads();
    let end = end_in(&mut ended).await;
    assert!(end.output.starts_with("Called off."), "{}", end.output);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_was_foreseen_is_there_when_it_is_asked_for() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Who {
        name: String,
    }
    let runs = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&runs);
    let find = function::tool("find", "Finds.", move |who: Who| {
        let run = count.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok::<_, ToolError>(format!("{} {run}", who.name))
        }
    });
    let plane = Plane::new(Registry::build([Arc::new(find) as Arc<dyn Tool>]).unwrap());
    let foreseen = |cue: &str, name: &str| {
        let text = format!(
            "name = \"a\"\ninstructions = \"Help.\"\ntools = [\"find\"]\n\
             [[prefetch]]\ntool = \"find\"\n{cue}\narguments = {{ name = \"{name}\" }}"
        );
        let source = MapSource::default().file("/a/a.toml", &text);
        let agents = Agents::load(&source, Some(Path::new("/a")), "a").unwrap();
        agents.for_job("", "").unwrap()
    };
    let ann = Caller {
        name: "Ann".to_owned(),
        ..Caller::default()
    };
    let asked = |name: &str| ToolCall {
        arguments: format!(r#"{{"name": "{name}"}}"#),
        ..call(name, "find")
    };
    let agent = foreseen("", "{{caller.name}}");
    let (tooling, mut ended, _) = start(&plane, &agent, unrecorded(), NoApprover);
    tooling.serve(&ann);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    tooling.run(asked("Ann"), Value::Null);
    assert_eq!(end_in(&mut ended).await.output, "Ann 1");
    assert_eq!(
        began.elapsed(),
        Duration::from_secs(2),
        "what was left of it"
    );
    // Other arguments are another look-up.
    tooling.run(asked("Bob"), Value::Null);
    assert_eq!(end_in(&mut ended).await.output, "Bob 2");
    // An answer that is too old is not taken.
    tokio::time::sleep(Duration::from_secs(60)).await;
    tooling.run(
        ToolCall {
            call: CallId::new("late"),
            ..asked("Ann")
        },
        Value::Null,
    );
    assert_eq!(end_in(&mut ended).await.output, "Ann 3");

    let agent = foreseen("phrase = \"My Name\"", "Ann");
    let (tooling, mut ended, _) = start(&plane, &agent, unrecorded(), NoApprover);
    tooling.serve(&ann);
    tooling.caller_spoke("Hello, my name is Ann.");
    tokio::time::sleep(Duration::from_secs(6)).await;
    let began = Instant::now();
    tooling.run(asked("Ann"), Value::Null);
    assert_eq!(end_in(&mut ended).await.output, "Ann 4");
    assert_eq!(began.elapsed(), Duration::ZERO, "virtual time");

    let agent = foreseen("after = \"find\"", "{{caller.name}}");
    let (tooling, mut ended, _) = start(&plane, &agent, unrecorded(), NoApprover);
    tooling.serve(&ann);
    tooling.run(asked("Bob"), Value::Null);
    assert_eq!(end_in(&mut ended).await.output, "Bob 5");
    tokio::time::sleep(Duration::from_secs(6)).await;
    tooling.run(asked("Ann"), Value::Null);
    assert_eq!(end_in(&mut ended).await.output, "Ann 6");
    assert_eq!(runs.load(Ordering::SeqCst), 6);
}

#[tokio::test(start_paused = true)]
async fn who_takes_over_has_other_tools_and_other_colleagues() {
    let agent = Rendered {
        hands_to: vec!["billing".to_owned()],
        ..agent(&["switch_agent"])
    };
    let (tooling, mut ended, _) = start(&plane(), &agent, unrecorded(), NoApprover);
    let switch = |id: &str, to: &str| ToolCall {
        arguments: format!(r#"{{"agent": "{to}"}}"#),
        ..call(id, "switch_agent")
    };
    tooling.run(switch("c1", "boss"), Value::Null);
    assert_eq!(
        end_in(&mut ended).await.output,
        "Failed: you can hand over to billing only"
    );
    tooling.run(switch("c2", "billing"), Value::Null);
    let end = end_in(&mut ended).await;
    assert_eq!(end.successor.as_deref(), Some("billing"));
    tooling.succeed(Colleague {
        tools: vec!["slow".to_owned()],
        ..Colleague::default()
    });
    tooling.run(switch("c3", "billing"), Value::Null);
    let told = end_in(&mut ended).await.output;
    assert_eq!(told, "Not run: there is no such tool");
    tooling.run(call("c4", "slow"), Value::Null);
    assert_eq!(end_in(&mut ended).await.output, "done");
}

#[test]
fn an_agents_tools_are_declared_and_checked_by_name() {
    let plane = Plane::builtin();
    let names = ["end_call".to_owned(), "fly".to_owned()];
    assert_eq!(
        plane.check(&names).unwrap_err().to_string(),
        "there is no tool `fly`"
    );
    let declared = plane.declare(&names);
    assert_eq!(declared.len(), 1);
    assert_eq!(declared[0].name, "end_call");
    assert_eq!(declared[0].parameters["type"], "object");
}

/// A call of the provider's own.
fn request(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        arguments: arguments.to_owned(),
        run_by: RunBy::Provider,
        ..call(id, name)
    }
}

const FIND: &str = "register-find_customer";
const RENAME: &str = "register-rename_customer";

#[tokio::test(start_paused = true)]
async fn what_the_provider_runs_is_allowed_first_and_ends_as_it_says() {
    let plane = a_register_of_the_providers();
    let agent = agent(&[FIND]);
    let (tooling, mut events, _) = start(&plane, &agent, unrecorded(), NoApprover);
    for (id, told, output) in [
        ("c1", McpEnd::Answered("Ann".to_owned()), "Ann"),
        ("c2", McpEnd::Failed("nobody".to_owned()), "Failed: nobody"),
        (
            "c3",
            McpEnd::Lost,
            "Failed: the connection was lost meanwhile",
        ),
        (
            "c4",
            McpEnd::Unsent,
            "Failed: the connection was lost before it began",
        ),
    ] {
        let arguments = json!({"name": id}).to_string();
        tooling.run(request(id, FIND, &arguments), Value::Null);
        let approved = events.recv().await.unwrap();
        assert_eq!(approved, ToolEvent::Approved(CallId::new(id)));
        tooling.mcp_call_done(CallId::new(id), told);
        assert_eq!(end_in(&mut events).await.output, output);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_asks_for_passes_the_same_checks() {
    let plane = a_register_of_the_providers();
    let agent = agent(&[RENAME, "end_call"]);
    let (tooling, mut events, _) = start(&plane, &agent, unrecorded(), NoApprover);
    tooling.serve(&Caller::default());
    for (name, arguments, told) in [
        (
            RENAME,
            r#"{"name": 7}"#,
            "Not run: the arguments do not fit",
        ),
        (RENAME, "{", "Not run: "),
        // The rule wants a caller who was verified.
        (RENAME, r#"{"name": "Ann"}"#, "Not run: "),
        (FIND, "{}", "Not run: there is no such tool"),
        // What the worker runs nobody has to be allowed to run elsewhere.
        ("end_call", "{}", "Not run: there is no such tool"),
    ] {
        tooling.run(request(name, name, arguments), Value::Null);
        let ended = end_in(&mut events).await;
        let output = &ended.output;
        assert!(output.starts_with(told), "{name} {arguments}: {output}");
        assert_eq!(ended.then, AfterTool::Continue);
    }
}

#[tokio::test(start_paused = true)]
async fn the_model_cannot_have_the_worker_run_what_the_provider_runs() {
    let plane = a_register_of_the_providers();
    let (tooling, mut events, _) = start(&plane, &agent(&[FIND]), unrecorded(), NoApprover);
    tooling.run(call("c1", FIND), Value::Null);
    assert_eq!(
        end_in(&mut events).await.output,
        "Not run: there is no such tool"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_changes_when_the_session_ends_is_unknown() {
    let plane = a_register_of_the_providers();
    let (tooling, mut events, calls) = start(&plane, &agent(&[RENAME]), unrecorded(), NoApprover);
    tooling.serve(&Caller {
        attributes: [("verified".to_owned(), "yes".to_owned())].into(),
        ..Caller::default()
    });
    tooling.run(request("c1", RENAME, r#"{"name": "Ann"}"#), Value::Null);
    let approved = events.recv().await.unwrap();
    assert_eq!(approved, ToolEvent::Approved(CallId::new("c1")));
    let began = Instant::now();
    drop(tooling);
    let mut calls = calls;
    calls.over().await;
    assert_eq!(began.elapsed(), Duration::ZERO, "virtual time");
    let output = end_in(&mut events).await.output;
    assert!(output.contains("look before you call it again"), "{output}");
}
