//! One participant sends ten times the normal packets and a thousand messages a second: everybody else goes on
//! talking, and the worker does not grow.

use std::time::Duration;

use tests::{
    eventually::{eventually, expect},
    flood::{Flood, TEN_TIMES},
    livekit_server::Pass,
    stack::Stack,
    user::User,
};

use crate::story::{LATER, SOON, greeted};

/// What the worker may grow by between two moments of a flood, in bytes.
const GROWTH: u64 = 16 * 1024 * 1024;

async fn flood(stack: &Stack, room: &str) -> Flood {
    let pass = Pass::of("mallory", room);
    Flood::begin(&stack.livekit.url(), &pass, TEN_TIMES).await
}

/// That many packets of sound, counted from now, and messages beside them.
async fn goes_on_for(flood: &Flood, packets: u64) {
    let (sound, data) = (flood.sound() + packets, flood.data() + packets);
    eventually("the flood goes on", LATER, || {
        let now = (flood.sound(), flood.data());
        expect(now.0 >= sound && now.1 >= data, format!("{now:?} sent"))
    })
    .await;
}

async fn is_answered(caller: &User) {
    let said = caller.say("caller-train").await;
    let answer = caller.hears("agent-you-said", said.ended, LATER).await;
    caller.hears("caller-train", answer.ended, SOON).await;
}

fn resident(stack: &Stack) -> u64 {
    stack.worker.resident().expect("the worker runs")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute: `cargo xtask nightly stories`"]
async fn a_flood_in_one_room_does_not_reach_the_call_in_another() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let flood = flood(&stack, "garden").await;
    eventually("an agent hears the flood", SOON, || {
        expect(!flood.others().is_empty(), "nobody is there")
    })
    .await;
    goes_on_for(&flood, 2_000).await;
    let before = resident(&stack);
    is_answered(&ann).await;
    goes_on_for(&flood, 2_000).await;
    is_answered(&ann).await;
    let after = resident(&stack);
    assert!(after < before + GROWTH, "from {before} to {after} bytes");
    drop(flood);
    greeted(&stack, "bob", "attic").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute: `cargo xtask nightly stories`"]
async fn a_flood_in_the_same_room_does_not_silence_its_caller() {
    let stack = Stack::start().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let flood = flood(&stack, "kitchen").await;
    goes_on_for(&flood, 2_000).await;
    let before = resident(&stack);
    is_answered(&ann).await;
    goes_on_for(&flood, 2_000).await;
    let after = resident(&stack);
    assert!(after < before + GROWTH, "from {before} to {after} bytes");
    drop(flood);
    is_answered(&ann).await;
    assert_eq!(ann.agents(), [agent], "the same agent, and only one");
    let quiet = Duration::from_secs(1);
    ann.hears_silence(quiet, SOON).await;
}
