//! People press to talk: nobody is heard otherwise, and who lets go is answered.

use std::time::Instant;

use serde_json::json;
use tests::{
    clips, ears,
    eventually::{eventually, expect},
    sim_model::Side,
    stack::Stack,
};

use crate::story::{QUIET, SOON, greeted};

#[tokio::test(flavor = "multi_thread")]
async fn who_presses_is_heard_and_who_does_not_is_not() {
    let radio = "name = \"radio\"\ninstructions = \"Be brief.\"\ngreeting = \"Greet.\"\n\
                 [turn_detection]\nmode = \"manual\"\n";
    let stack = Stack::with(Default::default(), |mut settings| {
        settings.agents = vec![("radio.toml".to_owned(), radio.to_owned())];
        settings.with("ROOM_AGENT__AGENTS__DEFAULT", "radio")
    })
    .await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let turns = ann.agent_attributes().get("agent.turns").cloned();
    assert_eq!(turns.as_deref(), Some("manual"));
    let press = async |is_down: bool| {
        let payload = json!({ "pressed": is_down }).to_string();
        let taken = ann.asks(&agent, "room_agent.ptt", &payload).await;
        taken.expect("everybody may press for themselves");
    };

    let unheard = Instant::now();
    let said = ann.say("caller-mountains").await;
    ann.hears_silence(QUIET, SOON).await;
    let heard = ann.recording().between(unheard, said.ended + QUIET);
    assert_eq!(ears::transcribe(&heard.pcm, clips::of_agent()), []);
    let sound = stack
        .model
        .events(Side::Client, "input_audio_buffer.append");
    assert!(sound.is_empty(), "{} appends", sound.len());

    press(true).await;
    let said = ann.say("caller-train").await;
    press(false).await;
    let answer = ann.hears("agent-you-said", said.ended, SOON).await;
    // A press silences the agent, and nothing of what was said before is in the next turn.
    press(true).await;
    ann.say("caller-apples").await;
    press(false).await;
    ann.hears("caller-apples", answer.ended, SOON).await;
    eventually("the first answer is cut", SOON, || {
        let cut = stack
            .model
            .events(Side::Client, "conversation.item.truncate");
        expect(cut.len() == 1, format!("{cut:?}"))
    })
    .await;
    let words = stack.model.events(
        Side::Server,
        "conversation.item.input_audio_transcription.completed",
    );
    let words: Vec<_> = words
        .iter()
        .filter_map(|event| event.event["transcript"].as_str())
        .collect();
    assert_eq!(
        words,
        [
            clips::clip("caller-train").words,
            clips::clip("caller-apples").words
        ]
    );

    // Nobody presses for somebody else without a grant.
    let other = json!({ "pressed": true, "identity": "bob" }).to_string();
    let refused = ann.asks(&agent, "room_agent.ptt", &other).await;
    assert_eq!(refused.expect_err("no grant").code, 4010);
}
