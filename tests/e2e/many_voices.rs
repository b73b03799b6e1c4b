//! Several people and one agent: each of them is heard, answered and told apart.

use std::time::Instant;

use tests::{clips, ears, sim_model::Side, stack::Stack};

use crate::story::{QUIET, SOON, greeted};

/// The labels that the model was given, in order.
fn labels(stack: &Stack) -> Vec<String> {
    let items = stack.model.events(Side::Client, "conversation.item.create");
    let text = |event: &serde_json::Value| {
        let text = event["item"]["content"][0]["text"].as_str()?;
        text.contains("was spoken by").then(|| text.to_owned())
    };
    items.iter().filter_map(|item| text(&item.event)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_two_people_is_heard_answered_and_named() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let bob = stack.caller("bob", "kitchen").await;
    bob.meets_agent(SOON).await;
    for (speaker, name, clip) in [
        (&bob, "bob", "caller-train"),
        (&ann, "ann", "caller-apples"),
        (&bob, "bob", "caller-mountains"),
    ] {
        let said = speaker.say(clip).await;
        // Repeated word for word: not a syllable was lost when the lead changed.
        ann.hears(clip, said.ended, SOON).await;
        bob.hears(clip, said.ended, SOON).await;
        ann.hears_silence(QUIET, SOON).await;
        let words = clips::clip(clip).words;
        ann.reads(name, words, SOON).await;
    }
    let labels = labels(&stack);
    let roles: Vec<_> = labels
        .iter()
        .map(|label| label.contains("caller"))
        .collect();
    assert_eq!(roles, [false, true, false], "{labels:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_may_interrupt_and_the_caller_hears_silence() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let bob = stack.caller("bob", "kitchen").await;
    bob.meets_agent(SOON).await;
    let asked = ann.say("caller-count").await;
    let third = ann.hears("agent-three", asked.ended, SOON).await;
    let wait = bob.say("caller-wait").await;
    ann.hears("caller-wait", wait.ended, SOON).await;
    ann.hears_silence(QUIET, SOON).await;
    let heard = ann.recording().since(third.started);
    for number in ["agent-fifteen", "agent-twenty"] {
        let found = ears::find(&heard.pcm, clips::clip(number));
        assert_eq!(found, None, "{number} was heard");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_for_one_caller_does_not_hear_the_second_person() {
    let discreet = "name = \"discreet\"\ninstructions = \"Be brief.\"\ngreeting = \"Greet.\"\n\
                    hears = \"caller\"\n";
    let stack = Stack::with(Default::default(), |mut settings| {
        settings.agents = vec![("discreet.toml".to_owned(), discreet.to_owned())];
        settings.with("ROOM_AGENT__AGENTS__DEFAULT", "discreet")
    })
    .await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let bob = stack.caller("bob", "kitchen").await;
    bob.say("caller-train").await;
    let said = ann.say("caller-apples").await;
    let answer = ann.hears("agent-you-said", said.ended, SOON).await;
    ann.hears("caller-apples", answer.ended, SOON).await;
    bob.hears("agent-you-said", said.ended, SOON).await;
    let turns = stack
        .model
        .events(Side::Server, "input_audio_buffer.committed");
    assert_eq!(turns.len(), 1, "only the first person is heard");
    ann.hears_silence(QUIET, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_answers_to_its_name_lets_people_talk_and_knows_what_they_said() {
    let named = "name = \"robin\"\ninstructions = \"Be brief.\"\ngreeting = \"Greet.\"\n\
                 answers = \"named\"\nnames = [\"green apples\"]\n";
    let stack = Stack::with(Default::default(), |mut settings| {
        settings.agents = vec![("robin.toml".to_owned(), named.to_owned())];
        settings.with("ROOM_AGENT__AGENTS__DEFAULT", "robin")
    })
    .await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let silent = Instant::now();
    let said = ann.say("caller-train").await;
    ann.reads("ann", clips::clip("caller-train").words, SOON)
        .await;
    ann.hears_silence(QUIET, SOON).await;
    let heard = ann.recording().between(silent, said.ended + QUIET);
    assert_eq!(ears::transcribe(&heard.pcm, clips::of_agent()), []);

    let said = ann.say("caller-apples").await;
    let answer = ann.hears("agent-you-said", said.ended, SOON).await;
    ann.hears("caller-apples", answer.ended, SOON).await;
    // One response beside the greeting was ever asked for.
    let asked = stack.model.events(Side::Client, "response.create");
    assert_eq!(asked.len(), 2, "{asked:?}");
    let waits = "room_agent_name_wait_seconds_count";
    assert_eq!(stack.worker.metric(waits).await, Some(2.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_asked_lets_people_talk_and_answers_what_the_model_takes_for_meant() {
    let asked = "name = \"robin\"\ninstructions = \"Be brief.\"\ngreeting = \"Greet.\"\n\
                 answers = \"asked\"\n";
    let stack = Stack::with(Default::default(), |mut settings| {
        settings.agents = vec![("robin.toml".to_owned(), asked.to_owned())];
        settings.with("ROOM_AGENT__AGENTS__DEFAULT", "robin")
    })
    .await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let silent = Instant::now();
    let said = ann.say("caller-apples").await;
    ann.reads("ann", clips::clip("caller-apples").words, SOON)
        .await;
    ann.hears_silence(QUIET, SOON).await;
    let heard = ann.recording().between(silent, said.ended + QUIET);
    assert_eq!(ears::transcribe(&heard.pcm, clips::of_agent()), []);

    // The simulated model takes questions for meant.
    let said = ann.say("caller-name").await;
    ann.hears("agent-name", said.ended, SOON).await;
    let writing = Instant::now();
    ann.write("And now?").await;
    ann.hears("agent-you-wrote", writing, SOON).await;
    let asked = stack.model.events(Side::Client, "response.create");
    let aside = asked
        .iter()
        .filter(|event| event.event["response"]["conversation"] == "none");
    assert_eq!(aside.count(), 3, "{asked:?}");
    assert_eq!(asked.len(), 6, "a greeting and two answers beside them");
    let waits = "room_agent_verdict_wait_seconds_count";
    assert_eq!(stack.worker.metric(waits).await, Some(3.0));
}
