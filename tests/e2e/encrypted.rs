//! A room that is encrypted end to end: whoever has its key talks with the agent, and nobody else.

use std::time::Instant;

use tests::{
    eventually::eventually_async,
    livekit_server::Pass,
    sim_model::{Script, Side},
    stack::Stack,
    user::User,
};

use crate::story::{LATER, QUIET, SOON, says};

/// It must show up in no log.
const KEY: &str = "a passphrase that no log may show";

#[tokio::test(flavor = "multi_thread")]
async fn with_the_rooms_key_the_agent_talks_and_who_has_another_is_told_of() {
    let stack = Stack::with(Script::default(), |settings| {
        settings.with("ROOM_AGENT__LIVEKIT__E2EE_KEY", KEY)
    })
    .await;
    let url = stack.livekit.url();
    let joining = Instant::now();
    let ann = User::join_sealed(&url, &Pass::of("ann", "vault"), KEY).await;
    ann.hears("agent-greeting", joining, SOON).await;
    ann.hears_silence(QUIET, SOON).await;
    let said = ann.say("caller-apples").await;
    let answer = ann.hears("agent-you-said", said.ended, SOON).await;
    ann.hears("caller-apples", answer.ended, SOON).await;
    // The server cannot read who a sealed transcript speaks of: all of it comes in the agent's name.
    let agent = ann.agents().pop().expect("who greets is there");
    ann.reads(&agent, "seven green apples", SOON).await;

    let bob = User::join_sealed(&url, &Pass::of("bob", "vault"), "another passphrase").await;
    let faults = "room_agent_seal_faults_total{fault=\"wrong_key\"}";
    for _ in 0..2 {
        bob.say("caller-train").await;
    }
    says(&stack, &["somebody is not understood", "wrong_key"], LATER).await;
    eventually_async("it is counted once", SOON, || async {
        let count = stack.worker.metric(faults).await;
        (count == Some(1.0))
            .then_some(())
            .ok_or_else(|| format!("{count:?}"))
    })
    .await;
    bob.leave().await;

    let said = ann.say("caller-mountains").await;
    ann.hears("agent-you-said", said.ended, SOON).await;
    assert!(
        stack.worker.log().find(&[KEY]).is_none(),
        "the key was printed"
    );
    stack.worker.assert_no_secret_was_printed();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_what_is_encrypted_is_not_heard_at_all() {
    let stack = Stack::start().await;
    let url = stack.livekit.url();
    let joining = Instant::now();
    let bob = User::join_sealed(&url, &Pass::of("bob", "vault"), KEY).await;
    bob.hears("agent-greeting", joining, SOON).await;
    bob.say("caller-train").await;
    says(&stack, &["somebody is not understood", "no_key"], SOON).await;
    let heard = stack
        .model
        .events(Side::Client, "input_audio_buffer.append");
    assert!(heard.is_empty(), "{} pieces of noise", heard.len());
}
