//! An agent with tools of an MCP server, which is a program here; and another agent that takes over.

use serde_json::Value;
use tests::{
    child::Scratch,
    eventually::eventually,
    sim_model::{Script, Side},
    stack::Stack,
    worker,
};

use crate::{
    story::{SOON, greeted},
    tools::outcome,
};

/// The least that is an MCP server: it knows one tool, and writes down whom it greeted.
const PROGRAM: &str = r#"
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) result='{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[{"name":"greet","description":"Greets somebody.","inputSchema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}}]}' ;;
    *'"tools/call"'*)
      name=$(printf '%s' "$line" | sed -n 's/.*"arguments":{"name":"\([a-z]*\)".*/\1/p')
      echo "$name" >> "$GREETED"
      result="{\"content\":[{\"type\":\"text\",\"text\":\"hello $name\"}]}" ;;
    *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}\n' "$id"; continue ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

const FRONT: &str = r#"
name = "front"
instructions = "Help."
greeting = "Greet the caller."
tools = ["local-greet", "switch_agent"]
hands_to = ["billing"]
[[prefetch]]
tool = "local-greet"
arguments = { name = "ann" }
"#;

const BILLING: &str = r#"
name = "billing"
instructions = "Speak of bills only."
tools = ["end_call"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_tool_is_foreseen_called_and_left_to_nobody_by_who_takes_over() {
    let files = Scratch::new("mcp").expect("a scratch directory");
    let program = files.write("server.sh", PROGRAM).expect("written");
    let greeted_list = files.path().join("greeted");
    let declared = format!(
        "[[mcp]]\nname = \"local\"\ncommand = [\"sh\", {program:?}]\n\
         environment = {{ GREETED = {greeted_list:?} }}\ntools.greet.effect = \"reads\"\n"
    );
    files.write("local.toml", &declared).expect("written");
    let dir = format!("tools.dir={}", files.path().display());
    let commands = "tools.commands=true";
    let pin = ["tools", "pin", "--set", &dir, "--set", commands];
    let shown = worker::print("ws://127.0.0.1:1", &pin).await;
    assert!(shown.contains("new `greet` sha256:"), "{shown}");
    assert!(shown.contains("Greets somebody."), "{shown}");
    let diff = ["tools", "diff", "--set", &dir, "--set", commands];
    let shown = worker::print("ws://127.0.0.1:1", &diff).await;
    assert_eq!(shown, "local.mcp.json: as it was pinned");

    let stack = Stack::with(Script::default(), |mut settings| {
        settings.config = format!("[tools]\ndir = {:?}\ncommands = true\n", files.path());
        settings.agents = vec![
            ("front.toml".to_owned(), FRONT.to_owned()),
            ("billing.toml".to_owned(), BILLING.to_owned()),
        ];
        settings.with("ROOM_AGENT__AGENTS__DEFAULT", "front")
    })
    .await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let list = || std::fs::read_to_string(&greeted_list).unwrap_or_default();
    eventually("the look-up is started beforehand", SOON, || match list() {
        list if list == "ann\n" => Ok(()),
        list => Err(list),
    })
    .await;
    let told = outcome(&stack, &ann, r#"local-greet {"name": "ann"}"#).await;
    assert_eq!(told, "hello ann");
    assert_eq!(list(), "ann\n", "the answer was there");
    let told = outcome(&stack, &ann, r#"local-greet {"name": "bob"}"#).await;
    assert_eq!(
        (told.as_str(), list().as_str()),
        ("hello bob", "ann\nbob\n")
    );

    let told = outcome(&stack, &ann, r#"switch_agent {"agent": "billing"}"#).await;
    assert_eq!(
        told,
        "You are the other agent now. Go on from what was said."
    );
    let updates = stack.model.events(Side::Client, "session.update");
    let last = |key: &str| {
        let mut values = updates.iter().map(|update| &update.event["session"][key]);
        values.rfind(|value| !value.is_null()).cloned()
    };
    let instructions = last("instructions").unwrap_or_default();
    assert!(
        instructions
            .as_str()
            .is_some_and(|text| text.contains("Speak of bills only.")),
        "{instructions}"
    );
    let tools = last("tools").unwrap_or_default();
    let names: Vec<&Value> = tools
        .as_array()
        .map(|tools| tools.iter().map(|tool| &tool["name"]).collect())
        .unwrap_or_default();
    assert_eq!(names, ["end_call"]);
}
