//! An agent with tools of an MCP server that the model's provider calls, when the worker allows it.

use serde_json::Value;
use tests::{
    child::Scratch,
    eventually::eventually,
    sim_model::{Script, Side, register_of_customers},
    stack::Stack,
    user::User,
    worker,
};
use tools::mcp::{Catalog, Listed};

use crate::story::{SOON, greeted};

const REGISTER: &str = r#"
[[mcp]]
name = "register"
url = "https://register.example.com/mcp"
run_by = "provider"
headers = { Authorization = "Bearer {{secrets.REGISTER}}" }
[mcp.tools.find_customer]
effect = "reads"
[mcp.tools.rename_customer]
effect = "writes"
[[mcp.tools.rename_customer.rules]]
require = "args.name != 'Bob'"
refuse = "Nobody is called Bob here."
"#;

const AGENT: &str = r#"
name = "front"
instructions = "Help."
greeting = "Greet the caller."
tools = ["register-find_customer", "register-rename_customer"]
"#;

/// The catalogue as somebody pinned it who saw the register so.
fn pinned(listing: &Value) -> String {
    let listed = |tool: &Value| Listed {
        name: tool["name"].as_str().unwrap_or_default().to_owned(),
        description: tool["description"].as_str().unwrap_or_default().to_owned(),
        input_schema: tool["input_schema"].clone(),
    };
    let listing = listing.as_array().into_iter().flatten();
    let listing: Vec<Listed> = listing.map(listed).collect();
    let names: Vec<String> = listing.iter().map(|tool| tool.name.clone()).collect();
    let pinned = Catalog::pin(names.iter(), &listing).expect("each is there once");
    pinned.to_json()
}

async fn stack(files: &Scratch, journal: &Scratch, pinned: &str) -> Stack {
    for (name, text) in [("register.toml", REGISTER), ("register.mcp.json", pinned)] {
        files.write(name, text).expect("a scratch directory");
    }
    Stack::with(Script::default(), |mut settings| {
        settings.config = format!(
            "[tools]\ndir = {:?}\n[audit]\ndir = {:?}\n",
            files.path(),
            journal.path()
        );
        settings.agents = vec![("front.toml".to_owned(), AGENT.to_owned())];
        settings
            .with("ROOM_AGENT__AGENTS__DEFAULT", "front")
            .with("ROOM_AGENT_SECRET_REGISTER", "s3cr3t")
    })
    .await
}

/// Types a call, and waits until the provider has heard whether it may make it.
async fn asked(stack: &Stack, ann: &User, call: &str) -> Value {
    let answers = || {
        let created = stack.model.events(Side::Client, "conversation.item.create");
        let items = created.into_iter().map(|one| one.event["item"].clone());
        let answers = items.filter(|item| item["type"] == "mcp_approval_response");
        answers.collect::<Vec<_>>()
    };
    let before = answers().len();
    ann.write(&format!("call {call}")).await;
    let answered = eventually("the provider is answered", SOON, || {
        let answer = answers().get(before).cloned();
        answer.ok_or_else(|| "nothing yet".to_owned())
    });
    answered.await
}

async fn says(stack: &Stack, words: &str) {
    eventually("the agent tells what came of it", SOON, || {
        let done = stack.model.events(Side::Server, "response.done");
        let is_said = |one: &Value| one["response"]["output"].to_string().contains(words);
        if done.iter().any(|one| is_said(&one.event)) {
            return Ok(());
        }
        Err(format!("{} responses without it", done.len()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_calls_what_the_worker_allows_and_all_of_it_is_on_record() {
    let (files, journal) = (
        Scratch::new("remote").expect("a scratch directory"),
        Scratch::new("audit").expect("a scratch directory"),
    );
    let stack = stack(&files, &journal, &pinned(&register_of_customers())).await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let updates = stack.model.events(Side::Client, "session.update");
    let server = &updates[0].event["session"]["tools"][0];
    assert_eq!(server["require_approval"], "always");
    assert_eq!(server["headers"]["Authorization"], "Bearer s3cr3t");

    let answer = asked(&stack, &ann, r#"register-find_customer {"name": "Ann"}"#).await;
    assert_eq!(answer["approve"], true);
    says(&stack, "Ann is a customer.").await;

    let answer = asked(&stack, &ann, r#"register-rename_customer {"name": "Bob"}"#).await;
    assert_eq!(answer["approve"], false);
    assert_eq!(answer["reason"], "Not run: Nobody is called Bob here.");
    let answer = asked(&stack, &ann, r#"register-rename_customer {"nme": "Eve"}"#).await;
    assert_eq!(answer["approve"], false);
    let answer = asked(&stack, &ann, r#"register-rename_customer {"name": "Eve"}"#).await;
    assert_eq!(answer["approve"], true);
    says(&stack, "The caller is Eve now.").await;

    let url = stack.livekit.url();
    let dir = journal.path().display().to_string();
    let written = eventually("all outcomes are on record", SOON, || {
        let read = std::fs::read_dir(journal.path()).map_err(|error| error.to_string())?;
        let texts = read
            .flatten()
            .filter_map(|file| std::fs::read_to_string(file.path()).ok());
        let written: String = texts.collect();
        let outcomes = written.matches("\"tool.outcome\"").count();
        if outcomes == 4 {
            Ok(written)
        } else {
            Err(format!("{outcomes} outcomes"))
        }
    })
    .await;
    assert!(!written.contains("s3cr3t"));
    let shown = worker::print(&url, &["audit", "show", &dir]).await;
    for line in [
        "register-find_customer",
        "register-rename_customer",
        "completed",
        "refused",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_the_provider_lists_otherwise_is_off() {
    let (files, journal) = (
        Scratch::new("remote").expect("a scratch directory"),
        Scratch::new("audit").expect("a scratch directory"),
    );
    let mut other = register_of_customers();
    other[0]["description"] = "Was described like this.".into();
    let stack = stack(&files, &journal, &pinned(&other)).await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    eventually("it is told", SOON, || {
        let log = stack.worker.log();
        let line = log.find(&["tool off", "find_customer", "described_otherwise"]);
        line.map(drop).ok_or_else(|| "not yet".to_owned())
    })
    .await;
    let answer = asked(&stack, &ann, r#"register-find_customer {"name": "Ann"}"#).await;
    assert_eq!(answer["approve"], false);
    let answer = asked(&stack, &ann, r#"register-rename_customer {"name": "Ann"}"#).await;
    assert_eq!(answer["approve"], true, "the other one is as it was");
}
