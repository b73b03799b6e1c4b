//! Typed lines are answered by voice.

use std::time::Instant;

use tests::stack::Stack;

use crate::story::{SOON, greeted};

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_line_is_answered_by_voice_and_in_text() {
    let stack = Stack::start().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let writing = Instant::now();
    ann.write("call me at 7").await;
    let answer = ann.hears("agent-you-wrote", writing, SOON).await;
    ann.hears("agent-seven", answer.started, SOON).await;
    ann.reads(&agent, "You wrote call me at 7", SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_line_interrupts_the_agent() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let asked = ann.say("caller-count").await;
    ann.hears("agent-two", asked.ended, SOON).await;
    let writing = Instant::now();
    ann.write("enough").await;
    ann.hears("agent-you-wrote", writing, SOON).await;
    let words: Vec<_> = ann
        .transcript_of(writing)
        .iter()
        .map(|sound| sound.name)
        .collect();
    assert!(!words.contains(&"agent-twenty"), "{words:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_lines_typed_at_once_the_second_is_answered_too() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    for _ in 0..5 {
        let writing = Instant::now();
        ann.write("yes, please").await;
        ann.write("call me at 7").await;
        ann.hears("agent-seven", writing, SOON).await;
    }
}
