//! How the agent comes into rooms.

use std::time::Instant;

use tests::{
    livekit_server::Pass,
    sim_model::{Script, Side},
    stack::Stack,
    user::User,
};

use crate::story::{SOON, greeted};

#[tokio::test(flavor = "multi_thread")]
async fn two_rooms_have_two_agents_and_hear_only_their_own() {
    let stack = Stack::start().await;
    let (ann, first) = greeted(&stack, "ann", "kitchen").await;
    let (bob, second) = greeted(&stack, "bob", "garden").await;
    assert_ne!(first, second);
    let said = ann.say("caller-apples").await;
    ann.hears("caller-apples", said.ended, SOON).await;
    let overheard: Vec<_> = bob
        .transcript_of(said.started)
        .iter()
        .map(|s| s.name)
        .collect();
    assert!(overheard.is_empty(), "{overheard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_agent_comes_when_it_is_called_with_its_variables() {
    let script = Script::default();
    let stack = Stack::with(script, |mut settings| {
        settings
            .agents
            .push(("guide.toml".to_owned(), GUIDE.to_owned()));
        settings.with("LIVEKIT_AGENT_NAME", "guide")
    })
    .await;
    let mut pass = Pass::of("ann", "museum");
    let metadata = r#"{"agent":"guide","variables":{"house":"the old mill"}}"#;
    pass.agents.push(("guide".to_owned(), metadata.to_owned()));
    let joining = Instant::now();
    let ann = User::join(&stack.livekit.url(), &pass).await;
    ann.hears("agent-greeting", joining, SOON).await;
    let updates = stack.model.events(Side::Client, "session.update");
    let instructions = updates[0].event["session"]["instructions"]
        .as_str()
        .unwrap_or_default();
    assert!(instructions.contains("the old mill"), "{instructions}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_greeting_knows_the_caller() {
    let stack = Stack::with(Script::default(), |mut settings| {
        settings
            .agents
            .push(("host.toml".to_owned(), HOST.to_owned()));
        settings.with("ROOM_AGENT__AGENTS__DEFAULT", "host")
    })
    .await;
    let tier = ("tier".to_owned(), "gold\"\n".to_owned());
    let pass = Pass {
        attributes: vec![tier],
        ..Pass::of("ann", "lobby")
    };
    let joining = Instant::now();
    let ann = User::join(&stack.livekit.url(), &pass).await;
    ann.hears("agent-greeting", joining, SOON).await;
    let said = |kind: &str| {
        let events = stack.model.events(Side::Client, kind);
        events.last().expect("said").event.to_string()
    };
    let greeting = said("response.create");
    assert!(greeting.contains(r#"Greet \"ann\"."#), "{greeting}");
    let update = said("session.update");
    assert!(
        update.contains(r#"Their tier is \"gold\\\"\"."#),
        "{update}"
    );
    stack.worker.assert_no_secret_was_printed();
    let log = stack.worker.log().text();
    assert!(
        !log.contains("gold"),
        "what is known of people is not logged"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_was_not_called_stays_away() {
    let stack = Stack::with(Script::default(), |settings| {
        settings.with("LIVEKIT_AGENT_NAME", "guide")
    })
    .await;
    let ann = stack.caller("ann", "kitchen").await;
    let mut pass = Pass::of("bob", "museum");
    pass.agents.push(("guide".to_owned(), String::new()));
    let bob = User::join(&stack.livekit.url(), &pass).await;
    bob.meets_agent(SOON).await;
    assert!(ann.agents().is_empty());
}

const HOST: &str = r#"
name = "host"
instructions = "You talk with {{caller.name}}. Their tier is {{caller.attributes.tier}}."
greeting = "Greet {{caller.name}}."
"#;

const GUIDE: &str = r#"
name = "guide"
version = "1"
description = "Shows people around."
instructions = "You show people around {{house}}."
greeting = "Welcome the person to {{house}}."

[variables.house]
description = "Which house."
"#;
