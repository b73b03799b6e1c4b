//! The caller interrupts: the agent falls silent, and the model's memory holds what was heard.

use std::time::Duration;

use tests::{
    clips, ears,
    eventually::eventually,
    sim_model::{Script, Side},
    stack::Stack,
};

use crate::story::{QUIET, SOON, greeted};

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_interrupts_silences_the_agent_and_gets_an_answer() {
    let stack = Stack::start().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let asked = ann.say("caller-count").await;
    let third = ann.hears("agent-three", asked.ended, SOON).await;

    let interruption = ann.say("caller-wait").await;
    let answer = ann.hears("agent-you-said", interruption.ended, SOON).await;
    ann.hears("caller-wait", answer.ended, SOON).await;

    // The counting stopped: its later numbers were generated, and nobody heard them.
    ann.hears_silence(QUIET, SOON).await;
    let heard = ann.recording().since(third.started);
    for number in ["agent-fifteen", "agent-seventeen", "agent-twenty"] {
        assert_eq!(
            ears::find(&heard.pcm, clips::clip(number)),
            None,
            "{number} was heard"
        );
    }
    // Between the interruption and the answer the agent was silent.
    let pause = ann.recording().between(
        interruption.started + Duration::from_millis(900),
        answer.started - Duration::from_millis(100),
    );
    assert_eq!(
        ears::first_sound(&pause.pcm, Duration::ZERO),
        None,
        "the agent went on speaking"
    );

    // What people read is cut, too.
    let line = ann.reads(&agent, "three", SOON).await;
    assert!(!line.text.contains("twenty"), "{line:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_models_memory_is_cut_at_what_was_heard() {
    // Far faster than speech, so that the response is over when it is interrupted: what is over is cut
    // and not cancelled, and a cancel that crosses its end on the way would rightly be refused.
    let script = Script {
        pace: 20.0,
        ..Script::default()
    };
    let stack = Stack::with(script, |settings| settings).await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let asked = ann.say("caller-count").await;
    let first = ann.hears("agent-one", asked.ended, SOON).await;
    ann.hears("agent-four", asked.ended, SOON).await;
    ann.say("caller-wait").await;

    let cut = eventually("the item is truncated", SOON, || {
        let cuts = stack
            .model
            .events(Side::Client, "conversation.item.truncate");
        cuts.first()
            .cloned()
            .ok_or_else(|| "no truncate yet".to_owned())
    })
    .await;
    ann.hears_silence(QUIET, SOON).await;
    let reported = Duration::from_millis(cut.event["audio_end_ms"].as_u64().expect("a duration"));

    // The truth is what the caller recorded, from the first number to the silence after the
    // interruption. The count begins with a pause and may be cut in another one, together 0.3 s;
    // network, jitter buffer and codec stand between: a fifth of a second at most.
    let counted = ann
        .recording()
        .between(first.started, cut.at + Duration::from_millis(250));
    let heard = ears::silent_from(&counted.pcm);
    let (pauses, between) = (Duration::from_millis(300), Duration::from_millis(200));
    assert!(
        reported + between > heard && reported < heard + pauses + between,
        "heard {heard:?}, reported {reported:?}"
    );
    assert_eq!(stack.model.events(Side::Client, "response.cancel").len(), 0);
    let refusals = stack.model.events(Side::Server, "error");
    assert!(refusals.is_empty(), "{:?}", refusals.first());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_is_still_being_generated_is_cancelled() {
    // As slow as speech itself, so that the response is running when it is interrupted.
    let script = Script {
        pace: 1.2,
        ..Script::default()
    };
    let stack = Stack::with(script, |settings| settings).await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let asked = ann.say("caller-count").await;
    ann.hears("agent-three", asked.ended, SOON).await;
    let interruption = ann.say("caller-wait").await;

    eventually("the response is cancelled", SOON, || {
        let done = stack.model.events(Side::Server, "response.done");
        let cancelled =
            |event: &&tests::sim_model::Recorded| event.event["response"]["status"] == "cancelled";
        done.iter()
            .find(cancelled)
            .map(drop)
            .ok_or_else(|| format!("{} done", done.len()))
    })
    .await;
    ann.hears("agent-you-said", interruption.ended, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_after_the_agent_has_finished_cuts_nothing() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let said = ann.say("caller-train").await;
    ann.hears("agent-you-said", said.ended, SOON).await;
    let cuts = stack
        .model
        .events(Side::Client, "conversation.item.truncate");
    assert!(cuts.is_empty(), "{cuts:?}");
    assert!(
        stack
            .model
            .events(Side::Client, "response.cancel")
            .is_empty()
    );
}
