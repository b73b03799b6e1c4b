//! A conversation: greeting, turns, transcripts.

use std::time::{Duration, Instant};

use tests::stack::Stack;

const SOON: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_greeted_and_hears_own_words_repeated() {
    let stack = Stack::start().await;
    let joining = Instant::now();
    let ann = stack.caller("ann", "kitchen").await;
    let greeting = ann.hears("agent-greeting", joining, SOON).await;
    let agent = ann.agents().pop().expect("the agent is there");
    ann.reads(&agent, "simulated model", SOON).await;

    tokio::time::sleep_until(greeting.ended.into()).await;
    let said = ann.say("caller-apples").await;
    let answer = ann.hears("agent-you-said", said.ended, SOON).await;
    ann.hears("caller-apples", answer.ended, SOON).await;
    ann.reads("ann", "seven green apples", SOON).await;
    ann.reads(&agent, "You said I would like seven green apples.", SOON)
        .await;
    stack.worker.assert_no_secret_was_printed();
}
