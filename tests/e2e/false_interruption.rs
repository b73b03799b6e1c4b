//! Short sounds beside the agent's voice: it pauses for all of them and yields to few.

use std::time::Duration;

use tests::{clips, ears, eventually::eventually_async, sim_model::Side, stack::Stack};

use crate::story::{QUIET, SOON, greeted};

#[tokio::test(flavor = "multi_thread")]
async fn company_makes_the_agent_pause_and_go_on_where_it_stopped() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let asked = ann.say("caller-count").await;
    let third = ann.hears("agent-three", asked.ended, SOON).await;
    let okay = ann.say("caller-okay").await;
    ann.hears("agent-twenty", okay.ended, SOON).await;
    ann.hears_silence(QUIET, SOON).await;

    let counted = ann.recording().since(third.started);
    for number in [
        "agent-six",
        "agent-eleven",
        "agent-thirteen",
        "agent-nineteen",
    ] {
        assert!(
            ears::find(&counted.pcm, clips::clip(number)).is_some(),
            "{number} is missing: {:?}",
            ann.transcript_of(third.started)
        );
    }
    let gaps = ears::gaps(&counted.pcm, Duration::from_millis(400));
    assert_eq!(gaps.len(), 1, "one pause: {gaps:?}");
    let clicks = ears::clicks(&counted.pcm);
    assert!(clicks.is_empty(), "the pause clicks: {clicks:?}");

    // The model knows nothing of it, and nobody heard what it had to say to that.
    let told = |kind| stack.model.events(Side::Client, kind).len();
    assert_eq!(told("conversation.item.truncate"), 0);
    assert!(told("conversation.item.delete") >= 1);
    assert_eq!(
        ears::find(&counted.pcm, clips::clip("agent-you-said")),
        None,
        "the answer to it was heard"
    );
    eventually_async("the pause is counted", SOON, || async {
        let name = "room_agent_false_interruptions_total{source=\"ear\"}";
        match stack.worker.metric(name).await {
            Some(1.0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_command_stops_the_agent_for_good() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let asked = ann.say("caller-count").await;
    let third = ann.hears("agent-three", asked.ended, SOON).await;
    let stop = ann.say("caller-enough").await;
    let answer = ann.hears("agent-you-said", stop.ended, SOON).await;
    ann.hears("caller-enough", answer.ended, SOON).await;
    ann.hears_silence(QUIET, SOON).await;
    let heard = ann.recording().since(third.started);
    for number in ["agent-eleven", "agent-fifteen", "agent-twenty"] {
        assert_eq!(
            ears::find(&heard.pcm, clips::clip(number)),
            None,
            "{number} was heard"
        );
    }
    let cuts = stack
        .model
        .events(Side::Client, "conversation.item.truncate");
    assert_eq!(cuts.len(), 1, "{cuts:?}");
}
