//! A loudspeaker beside an open microphone: the agent hears itself and is not confused by it.

use std::time::Duration;

use tests::{
    eventually::{eventually_async, expect},
    scrape::metric,
    sim_model::Side,
    stack::Stack,
};

use crate::story::{SOON, greeted};

/// From the loudspeaker into the microphone and out.
const WAY: Duration = Duration::from_millis(120);
/// Of the voice that comes back.
const SHARE: f32 = 0.3;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a third of a minute: `cargo xtask nightly stories`"]
async fn an_agent_that_hears_itself_says_what_it_wanted_to_say() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let said = ann.say("caller-count").await;
    ann.echoes(Duration::from_secs(12), WAY, SHARE).await;
    let heard = |clip| ann.hears(clip, said.ended, SOON);
    let (first, last) = (heard("agent-one").await, heard("agent-twelve").await);
    assert!(first.started < last.started);
    let cut = stack
        .model
        .events(Side::Client, "conversation.item.truncate");
    assert!(cut.is_empty(), "nobody interrupted: {cut:?}");
    eventually_async("it was recognised", SOON, || async {
        let page = stack.worker.page("/metrics").await.expect("a page").body;
        let times = metric(&page, "room_agent_echoes_heard_total").unwrap_or(0.0);
        let paused = "room_agent_false_interruptions_total{source=\"ear\"}";
        let paused = metric(&page, paused).unwrap_or(0.0);
        eprintln!("recognised {times} times, paused {paused} times");
        assert!(
            paused <= 2.0,
            "it is known after the first one: {paused} pauses"
        );
        expect(times >= 1.0, format!("{times}"))
    })
    .await;

    // Who speaks when the agent has fallen silent is heard as ever.
    let said = ann.say("caller-enough").await;
    ann.hears("caller-enough", said.ended, SOON).await;
}
