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
optional = ["note"]
rules = [
  {{ require = "args.hour >= 8", refuse = "The practice opens at 8." }},
  {{ when = "args.hour > 19", ask = "supervisor" }},
  {{ when = "args.hour > 17", ask = "caller", question = "Shall I book that late?" }},
]
[http.arguments.hour]
type = "integer"
[http.arguments.note]
type = "string"
"#
    )
}

const AGENT: &str = r#"
name = "practice"
version = "1"
instructions = "Help."
greeting = "Greet the caller."
tools = ["opening_hours", "book", "escalate_to_human"]
"#;

/// Types a call and waits until the model has its outcome.
pub(crate) async fn outcome(stack: &Stack, ann: &User, call: &str) -> String {
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

/// A worker with the practice's tools and a journal.
async fn equipped(service: &ToolService, files: &Scratch, journal: &Scratch) -> Stack {
    for (name, text) in [
        ("practice.toml", &*practice(service)),
        ("signing-key.pem", SIGNING_KEY),
        ("public.pem", PUBLIC_KEY),
    ] {
        files.write(name, text).expect("a scratch directory");
    }
    Stack::with(Script::default(), |mut settings| {
        settings.config = format!(
            "[tools]\ndir = {:?}\nnetworks = [\"127.0.0.0/8\"]\n[audit]\ndir = {:?}\n\
             [escalation]\nwebhook = \"http://{}/escalations\"\n",
            files.path(),
            journal.path(),
            service.address(),
        );
        settings.agents = vec![("practice.toml".to_owned(), AGENT.to_owned())];
        let key = files.path().join("signing-key.pem").display().to_string();
        settings
            .with("ROOM_AGENT__AGENTS__DEFAULT", "practice")
            .with("ROOM_AGENT_SECRET_PRACTICE", SECRET)
            .with("ROOM_AGENT__AUDIT__SIGNING_KEY_FILE", &key)
    })
    .await
}

/// Signs heads of the journal: the example of RFC 8410.
const SIGNING_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
    -----END PUBLIC KEY-----\n";

/// What the service is told to know the agent by.
const SECRET: &str = "a-secret-that-nobody-may-see";

#[tokio::test(flavor = "multi_thread")]
async fn tools_of_a_file_ask_a_service_and_stand_on_record() {
    let service = ToolService::start().await;
    let (files, journal) = (
        Scratch::new("tools").unwrap(),
        Scratch::new("audit").unwrap(),
    );
    let stack = equipped(&service, &files, &journal).await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;

    let asked = Instant::now();
    let told = outcome(&stack, &ann, r#"opening_hours {"day": "mon/day"}"#).await;
    assert_eq!(told, r#"{"opens":"08:30"}"#);
    ann.hears("agent-answered", asked, SOON).await;
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
    let head = worker::print(&url, &["audit", "head", &dir]).await;
    let key = files.path().join("public.pem").display().to_string();
    let verify = ["audit", "verify", &dir, "--key", &key, "--head", &head];
    let verdict = worker::print(&url, &verify).await;
    assert!(verdict.contains(" 0 faults\n"), "{verdict}");
    let said: serde_json::Value = serde_json::from_str(&head).expect("a head is JSON");
    let signature = said["signature"].as_str().expect("it is signed");
    let left = stack
        .worker
        .log()
        .find(&["the audit journal has come so far", signature]);
    assert!(left.is_some(), "the head leaves with the log: {head}");
    assert_eq!(stack.worker.log().find(&[SECRET]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_has_to_agree_to_waits_for_their_word_and_is_recorded_without_what_is_personal()
 {
    let service = ToolService::start().await;
    let (files, journal) = (
        Scratch::new("tools").unwrap(),
        Scratch::new("audit").unwrap(),
    );
    let stack = equipped(&service, &files, &journal).await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;

    // The caller: asked, not believed of the model, and heard.
    let late = r#"book {"hour": 18, "note": "call 415 555 2671"}"#;
    let asked = Instant::now();
    let told = outcome(&stack, &ann, late).await;
    assert!(told.contains("Shall I book that late?"), "{told}");
    ann.hears("agent-answered", asked, SOON).await;
    let told = outcome(&stack, &ann, late).await;
    assert!(told.contains("Shall I book that late?"), "{told}");
    let agreed = Instant::now();
    ann.write("yes, please").await;
    ann.hears("agent-you-wrote", agreed, SOON).await;
    assert_eq!(outcome(&stack, &ann, late).await, r#"{"booked":true}"#);

    // A supervisor: the call waits until somebody with a grant has decided.
    let url = stack.livekit.url();
    let grant = ["token", "--room", "kitchen", "--grant", "approve"];
    let grant = worker::print(&url, &grant).await;
    let deciding = async {
        let list = ("GET", "/approvals?room=kitchen");
        let shown = eventually_async("the call waits", SOON, || async {
            let page = stack.worker.authorized(list, &grant, "").await;
            let page = page.map_err(|error| error.to_string())?.body;
            let waiting: Vec<serde_json::Value> =
                serde_json::from_str(&page).map_err(|_| page.clone())?;
            waiting.into_iter().next().ok_or(page)
        })
        .await;
        assert_eq!(shown["arguments"]["hour"], 20, "{shown}");
        let path = format!("/approvals/{}", shown["id"].as_str().unwrap_or_default());
        let approve = stack
            .worker
            .authorized(("POST", &path), &grant, r#"{"approve": true}"#)
            .await;
        assert_eq!(approve.expect("an answer").status, 204);
    };
    let (told, ()) = tokio::join!(outcome(&stack, &ann, r#"book {"hour": 20}"#), deciding);
    assert_eq!(told, r#"{"booked":true}"#);
    assert_eq!(service.requests().len(), 2);

    let dir = journal.path().display().to_string();
    let written = worker::print(&url, &["audit", "export", &dir]).await;
    assert!(written.contains(r#""note":"call [phone]""#), "{written}");
    assert!(written.contains(r#""kind":"tool.approval""#), "{written}");
    assert!(written.contains(r#""kind":"grant.used""#), "{written}");
    // Whole groups of the number: four digits alone turn up in hashes.
    for personal in ["415 555", "555 2671", "5552671"] {
        assert!(!written.contains(personal), "{personal}: {written}");
    }
    assert!(written.contains("yes, please"), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_asks_for_a_person_shows_it_and_tells_who_is_configured() {
    let service = ToolService::start().await;
    let (files, journal) = (
        Scratch::new("tools").unwrap(),
        Scratch::new("audit").unwrap(),
    );
    let stack = equipped(&service, &files, &journal).await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let call = r#"escalate_to_human {"reason": "She is in pain; her number is 415 555 2671."}"#;
    let told = outcome(&stack, &ann, call).await;
    assert!(told.starts_with("A colleague was asked to join."), "{told}");
    const REASON: &str = "She is in pain; her number is [phone].";
    eventually("the room sees it", SOON, || {
        let shown = ann.agent_attributes().remove("agent.escalation");
        let shown = shown.unwrap_or_default();
        expect(shown.contains(REASON), shown)
    })
    .await;
    let body = eventually("the desk is told", SOON, || {
        let told = service.requests().into_iter().next();
        told.map(|request| request.body)
            .ok_or_else(|| "nothing yet".to_owned())
    })
    .await;
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["event"], "escalation");
    assert_eq!(body["room"], "kitchen");
    assert_eq!(body["reason"], REASON);
    // Asked twice for the same, nobody comes twice: the next that is asked of the service is something else.
    let told = outcome(&stack, &ann, call).await;
    assert!(told.starts_with("A colleague was asked to join."), "{told}");
    outcome(&stack, &ann, r#"opening_hours {"day": "monday"}"#).await;
    let bodies: Vec<String> = service.requests().into_iter().map(|one| one.body).collect();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(!bodies[1].contains("escalation"), "{bodies:?}");
}
