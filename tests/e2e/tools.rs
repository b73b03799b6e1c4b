//! The model calls tools of the worker.

use std::time::Instant;

use tests::{
    child::Scratch,
    eventually::{eventually, eventually_async, expect},
    sim_model::{Script, Side},
    stack::Stack,
    tool_service::ToolService,
    user::User,
    worker,
};

use crate::story::{SOON, greeted, job_over};

#[tokio::test(flavor = "multi_thread")]
async fn the_time_is_asked_of_a_tool_and_spoken() {
    let stack = Stack::start().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let said = ann.say("caller-time").await;
    ann.hears("agent-it-is", said.ended, SOON).await;
    ann.reads(&agent, "It is", SOON).await;

    let called = stack
        .model
        .events(Side::Server, "response.function_call_arguments.done");
    assert_eq!(called.len(), 1);
    assert_eq!(called[0].event["name"], "current_time");
    let outputs: Vec<_> = stack
        .model
        .events(Side::Client, "conversation.item.create")
        .into_iter()
        .filter(|event| event.event["item"]["type"] == "function_call_output")
        .collect();
    assert_eq!(outputs.len(), 1, "one call has one outcome");
    assert_eq!(
        outputs[0].event["item"]["call_id"],
        called[0].event["call_id"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_says_goodbye_and_ends_the_call_by_tool() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let said = ann.say("caller-goodbye").await;
    ann.hears("agent-goodbye", said.ended, SOON).await;
    eventually("the agent has left", SOON, || match ann.agents()[..] {
        [] => Ok(()),
        ref there => Err(format!("{there:?}")),
    })
    .await;
    let end = job_over(&stack.livekit, "kitchen").await;
    assert!(!end.failed, "{}", end.line);
}

/// Two tools of a practice, as somebody would write them.
fn practice(service: &ToolService) -> String {
    let address = service.address();
    format!(
        r#"
[[http]]
name = "opening_hours"
description = "Tells when the practice is open on a day."
url = "http://{address}/hours/{{{{args.day}}}}"
[http.arguments.day]
type = "string"

[[http]]
name = "book"
description = "Books an appointment."
url = "http://{address}/bookings"
effect = "writes"
headers = {{ Authorization = "Bearer {{{{secrets.PRACTICE}}}}" }}
rules = [{{ require = "args.hour >= 8", refuse = "The practice opens at 8." }}]
[http.arguments.hour]
type = "integer"
"#
    )
}

const AGENT: &str = r#"
name = "practice"
version = "1"
instructions = "Help."
greeting = "Greet the caller."
tools = ["opening_hours", "book"]
"#;

/// Types a call and waits until the model has its outcome.
async fn outcome(stack: &Stack, ann: &User, call: &str) -> String {
    let outputs = || {
        let created = stack.model.events(Side::Client, "conversation.item.create");
        let outputs = created
            .into_iter()
            .map(|created| created.event["item"].clone());
        let outputs = outputs.filter(|item| item["type"] == "function_call_output");
        outputs.collect::<Vec<_>>()
    };
    let before = outputs().len();
    ann.write(&format!("call {call}")).await;
    let output = eventually("the model is told the outcome", SOON, || {
        let output = outputs().get(before).cloned();
        output.ok_or_else(|| "nothing yet".to_owned())
    });
    output.await["output"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_of_a_file_ask_a_service_and_stand_on_record() {
    const SECRET: &str = "a-secret-that-nobody-may-see";
    let service = ToolService::start().await;
    let (files, journal) = (
        Scratch::new("tools").unwrap(),
        Scratch::new("audit").unwrap(),
    );
    files.write("practice.toml", &practice(&service)).unwrap();
    let stack = Stack::with(Script::default(), |mut settings| {
        settings.config = format!(
            "[tools]\ndir = {:?}\nnetworks = [\"127.0.0.0/8\"]\n[audit]\ndir = {:?}\n",
            files.path(),
            journal.path(),
        );
        settings.agents = vec![("practice.toml".to_owned(), AGENT.to_owned())];
        settings
            .with("ROOM_AGENT__AGENTS__DEFAULT", "practice")
            .with("ROOM_AGENT_SECRET_PRACTICE", SECRET)
    })
    .await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;

    let asked = Instant::now();
    let told = outcome(&stack, &ann, r#"opening_hours {"day": "mon/day"}"#).await;
    assert_eq!(told, r#"{"opens":"08:30"}"#);
    ann.hears("agent-it-is", asked, SOON).await;
    let told = outcome(&stack, &ann, r#"book {"hour": 7}"#).await;
    assert_eq!(told, "Not run: The practice opens at 8.");
    let told = outcome(&stack, &ann, r#"book {"hour": 9, "free": true}"#).await;
    assert!(
        told.starts_with("Not run: the arguments do not fit."),
        "{told}"
    );
    for told in [
        r#"{"booked":true}"#,
        r#"Called before and not run again. {"booked":true}"#,
    ] {
        assert_eq!(outcome(&stack, &ann, r#"book {"hour": 9}"#).await, told);
    }

    let requests = service.requests();
    let lines: Vec<&str> = requests
        .iter()
        .map(|request| request.line.as_str())
        .collect();
    assert_eq!(lines, ["GET /hours/mon%2Fday", "POST /bookings"]);
    assert_eq!(requests[1].body, r#"{"hour":9}"#);
    assert_eq!(
        requests[1].header("authorization"),
        Some(&*format!("Bearer {SECRET}"))
    );
    assert_eq!(
        requests[1].header("idempotency-key").map(str::len),
        Some(32)
    );

    ann.leave().await;
    assert!(!job_over(&stack.livekit, "kitchen").await.failed);
    let dir = journal.path().display().to_string();
    let url = stack.livekit.url();
    let shown = async || worker::print(&url, &["audit", "show", &dir]).await;
    eventually_async("the session's end is on record", SOON, || async {
        let shown = shown().await;
        expect(shown.contains("session.ended"), shown)
    })
    .await;
    let shown = shown().await;
    let of = |kind: &str, tool: &str| shown.matches(&format!("  {kind}  {tool}")).count();
    assert_eq!(of("tool.intent", "book"), 1, "{shown}");
    assert_eq!(of("tool.outcome", "book"), 4, "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
    let verdict = worker::print(&url, &["audit", "verify", &dir]).await;
    assert!(verdict.ends_with(" 0 faults"), "{verdict}");
    assert_eq!(stack.worker.log().find(&[SECRET]), None);
}
