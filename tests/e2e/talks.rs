//! A conversation: greeting, turns, transcripts.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tests::{
    eventually::eventually,
    livekit_server::Pass,
    sim_model::Side,
    stack::Stack,
    user::{Before, User},
    voice::silence,
};

use crate::story::{LATER, QUIET, SOON, greeted, says};

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_greeted_and_hears_own_words_repeated() {
    let stack = Stack::start().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    ann.reads(&agent, "I will repeat it", SOON).await;
    ann.sees_state("listening", SOON).await;

    let said = ann.say("caller-apples").await;
    let answer = ann.hears("agent-you-said", said.ended, SOON).await;
    ann.hears("caller-apples", answer.ended, SOON).await;
    ann.reads("ann", "seven green apples", SOON).await;
    ann.reads(&agent, "You said I would like seven green apples.", SOON)
        .await;

    let states = ann.states();
    assert!(states.contains(&"speaking".to_owned()), "{states:?}");
    let attributes = ann.agent_attributes();
    assert_eq!(
        attributes.get("agent.model").map(String::as_str),
        Some("simulated-realtime")
    );
    assert!(attributes.contains_key("lk.agent.name"), "{attributes:?}");
    stack.worker.assert_no_secret_was_printed();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_before_the_agent_is_there_is_heard_and_answered() {
    let stack = Stack::start().await;
    for (room, before, clip) in [
        ("porch", Before::raw("caller-mountains"), "caller-mountains"),
        ("garage", Before::of_browser(), "caller-train"),
    ] {
        let pass = Pass::of("ann", room);
        let mut ann = User::join_silently(&stack.livekit.url(), &pass).await;
        let joined = Instant::now();
        ann.open_microphone_after(&before).await;
        let answer = ann.hears("agent-you-said", joined, LATER).await;
        ann.hears(clip, answer.ended, SOON).await;
        let said = ann.say("caller-apples").await;
        let answer = ann.hears("agent-you-said", said.ended, SOON).await;
        ann.hears("caller-apples", answer.ended, SOON).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_nobody_can_read_is_skipped_and_said() {
    let stack = Stack::start().await;
    let pass = Pass::of("ann", "porch");
    let mut ann = User::join_silently(&stack.livekit.url(), &pass).await;
    let joined = Instant::now();
    ann.open_microphone_after(&Before::unreadable()).await;
    ann.hears("agent-greeting", joined, SOON).await;
    ann.hears_silence(QUIET, SOON).await;
    says(&stack, &["before the agent came", "no WebM"], SOON).await;
    let said = ann.say("caller-apples").await;
    let answer = ann.hears("agent-you-said", said.ended, SOON).await;
    ann.hears("caller-apples", answer.ended, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waited_is_told_for_what() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "clock").await;
    assert!(
        !ann.agent_attributes().contains_key("agent.latency"),
        "nobody asked yet"
    );
    let said = ann.say("caller-apples").await;
    ann.hears("agent-you-said", said.ended, SOON).await;
    let told = eventually("the latency is told", SOON, || {
        let attributes = ann.agent_attributes();
        let told = attributes.get("agent.latency").cloned();
        told.ok_or_else(|| format!("{attributes:?}"))
    })
    .await;
    let told: BTreeMap<String, f64> = serde_json::from_str(&told).expect("numbers by stage");
    let stages = ["endpointing", "model", "request", "tools", "total", "voice"];
    assert_eq!(told.keys().collect::<Vec<_>>(), stages);
    let parts = told.values().sum::<f64>() - told["total"];
    assert!((parts - told["total"]).abs() < 1.0, "they add up: {told:?}");
    // Nobody is sure of the end of speech before some of the silence after it has passed.
    assert!(told["endpointing"] > 0.0 && told["model"] > 0.0, "{told:?}");
    assert_eq!(told["tools"], 0.0, "none ran: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_turns_follow_each_other_and_each_gets_its_answer() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "garden").await;
    for clip in ["caller-train", "caller-hello", "caller-mountains"] {
        let said = ann.say(clip).await;
        let answer = ann.hears("agent-you-said", said.ended, SOON).await;
        let repeated = ann.hears(clip, answer.ended, SOON).await;
        tokio::time::sleep_until(repeated.ended.into()).await;
        ann.hears_silence(Duration::from_millis(500), SOON).await;
    }
    let turns = stack
        .model
        .events(Side::Server, "input_audio_buffer.committed");
    assert_eq!(turns.len(), 3, "nothing else was taken for a turn");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agents_voice_has_no_holes_and_no_clicks() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "studio").await;
    let said = ann.say("caller-count").await;
    let first = ann.hears("agent-one", said.ended, SOON).await;
    let last = ann.hears("agent-twenty", said.ended, 2 * SOON).await;
    let heard = ann.recording().between(first.started, last.ended);
    assert_eq!(
        tests::ears::gaps(&heard.pcm, Duration::from_millis(450)),
        []
    );
    assert!(tests::ears::clicks(&heard.pcm).is_empty());
    let words: Vec<_> = ann
        .transcript_of(said.ended)
        .iter()
        .map(|sound| sound.name)
        .collect();
    let numbers = [
        "agent-seven",
        "agent-twelve",
        "agent-fifteen",
        "agent-eighteen",
    ];
    for number in numbers {
        assert!(words.contains(&number), "{number} in {words:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_caller_is_not_heard_and_an_unmuted_one_is() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "library").await;
    ann.mute();
    ann.say("caller-train").await;
    ann.unmute();
    // The server learns of it by a message; words said before that comes are lost.
    ann.play(&silence(Duration::from_millis(500))).await;
    let said = ann.say("caller-apples").await;
    let answer = ann.hears("agent-you-said", said.ended, SOON).await;
    ann.hears("caller-apples", answer.ended, SOON).await;
    let turns = stack
        .model
        .events(Side::Server, "input_audio_buffer.committed");
    assert_eq!(
        turns.len(),
        1,
        "only the unmuted sentence reached the model"
    );
}
