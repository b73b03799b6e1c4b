//! The sentence that the law wants said first.

use dialog::{Config, input::Ask, output::CloseReason};

use crate::scene::{Scene, empty_scene, since};

const SENTENCE: &str = "You are talking to a machine.";

fn law_abiding() -> Scene {
    law_abiding_with(Some("Greet."))
}

fn law_abiding_with(greeting: Option<&str>) -> Scene {
    empty_scene(Config {
        disclosure: Some(SENTENCE.to_owned()),
        greeting: greeting.map(str::to_owned),
        ..Config::default()
    })
    .joins(0.0, "ann")
    .room_ready(0.0)
    .link_up(0.0)
}

#[test]
fn it_comes_before_the_greeting() {
    let lanes = law_abiding()
        .model_will_say(SENTENCE, 2.0)
        .model_will_say("Hello there.", 1.0)
        .says(4.0, 5.0, "Hello.")
        .until(6.5);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                          > create ask-1 "Say exactly this sentence, word for word, and nothing else: \"You are talking to a machine.\""
    0.00                                                  THINKING
    0.00                          > turns: model creates = false
    0.06                          < created r1 for ask-1
    0.26                                                  is heard: a1
    0.26                                                  SPEAKING
    0.76                          < done r1 Completed
    0.76                          > create ask-2 "Greet."
    0.82                          < created r2 for ask-2
    1.27                          < done r2 Completed
    2.25                                                  said a1 "You are talking to a machine."
    2.25                                                  (Disclosed { said: "You are talking to a machine.", is_whole: true })
    2.25                          > turns: model creates = true
    2.26                                                  is heard: a2
    2.26                                                  (greeted after 2.26)
    3.25                                                  said a2 "Hello there."
    3.25                                                  LISTENING
    3.26                                                  is silent
    4.00  speaks u1
    5.30  turn u1
    5.30                                                  (turn of 1.30)
    5.30                                                  THINKING
    5.33                          < created r3
    5.50  ann: "Hello."
    5.53                                                  is heard: a3
    5.53                                                  (answered after 0.23)
    5.53                                                  SPEAKING
    5.63                          < done r3 Completed
    5.92                                                  said a3 "Well."
    5.92                                                  LISTENING
    5.93                                                  is silent
    "#);
}

#[test]
fn who_speaks_over_it_hears_all_of_it_and_is_answered_then() {
    let lanes = law_abiding_with(None)
        .model_will_say(SENTENCE, 2.0)
        .says(0.8, 1.5, "Hello?")
        .model_will_say("Yes?", 0.5)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                          > create ask-1 "Say exactly this sentence, word for word, and nothing else: \"You are talking to a machine.\""
    0.00                                                  THINKING
    0.00                          > turns: model creates = false
    0.06                          < created r1 for ask-1
    0.26                                                  is heard: a1
    0.26                                                  SPEAKING
    0.76                          < done r1 Completed
    0.80  speaks u1
    1.80  turn u1
    1.80                                                  (turn of 1.00)
    1.80                          > create ask-2
    1.86                          < created r2 for ask-2
    2.00  ann: "Hello?"
    2.21                          < done r2 Completed
    2.25                                                  said a1 "You are talking to a machine."
    2.25                                                  (Disclosed { said: "You are talking to a machine.", is_whole: true })
    2.25                          > turns: model creates = true
    2.26                                                  is heard: a2
    2.26                                                  (answered after 0.46)
    2.75                                                  said a2 "Yes?"
    2.75                                                  LISTENING
    2.76                                                  is silent
    "#);
}

#[test]
fn who_speaks_first_is_answered_after_it() {
    let lanes = empty_scene(Config {
        disclosure: Some(SENTENCE.to_owned()),
        greeting: Some("Greet.".to_owned()),
        ..Config::default()
    })
    .room_ready(0.0)
    .link_up(0.0)
    .joins(0.1, "ann")
    .says(0.1, 1.0, "Hello?")
    .model_will_say(SENTENCE, 2.0)
    .model_will_say("Yes?", 0.5)
    .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  room ready
    0.00                                                  INITIALIZING
    0.00                          link up
    0.00                                                  IDLE
    0.00                          > turns: model creates = false
    0.10  ann joins
    0.10  ear of ann: open
    0.10                          > create ask-1 "Say exactly this sentence, word for word, and nothing else: \"You are talking to a machine.\""
    0.10                                                  THINKING
    0.10  speaks u1
    0.10                                                  LISTENING
    0.16                          < created r1 for ask-1
    0.36                                                  is heard: a1
    0.36                                                  SPEAKING
    0.86                          < done r1 Completed
    1.30  turn u1
    1.30                                                  (turn of 1.20)
    1.30                          > create ask-2
    1.36                          < created r2 for ask-2
    1.50  ann: "Hello?"
    1.71                          < done r2 Completed
    2.35                                                  said a1 "You are talking to a machine."
    2.35                                                  (Disclosed { said: "You are talking to a machine.", is_whole: true })
    2.35                          > turns: model creates = true
    2.36                                                  is heard: a2
    2.36                                                  (answered after 1.06)
    2.85                                                  said a2 "Yes?"
    2.85                                                  LISTENING
    2.86                                                  is silent
    "#);
}

#[test]
fn a_model_that_says_something_else_is_told_again_and_in_the_end_it_is_noted() {
    let lanes = law_abiding_with(None)
        .model_will_say("I am an assistant.", 1.0)
        .model_will_say("I am an assistant!", 1.0)
        .model_will_say("You talk to me.", 1.0)
        .says(6.0, 7.0, "Hello.")
        .until(8.5);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                          > create ask-1 "Say exactly this sentence, word for word, and nothing else: \"You are talking to a machine.\""
    0.00                                                  THINKING
    0.00                          > turns: model creates = false
    0.06                          < created r1 for ask-1
    0.26                                                  is heard: a1
    0.26                                                  SPEAKING
    0.51                          < done r1 Completed
    1.25                                                  said a1 "I am an assistant."
    1.25                          > create ask-2 "Say exactly this sentence, word for word, and nothing else: \"You are talking to a machine.\""
    1.25                                                  THINKING
    1.26                                                  is silent
    1.31                          < created r2 for ask-2
    1.51                                                  is heard: a2
    1.51                                                  SPEAKING
    1.76                          < done r2 Completed
    2.50                                                  said a2 "I am an assistant!"
    2.50                          > create ask-3 "Say exactly this sentence, word for word, and nothing else: \"You are talking to a machine.\""
    2.50                                                  THINKING
    2.51                                                  is silent
    2.56                          < created r3 for ask-3
    2.76                                                  is heard: a3
    2.76                                                  SPEAKING
    3.01                          < done r3 Completed
    3.75                                                  said a3 "You talk to me."
    3.75                                                  (Disclosed { said: "You talk to me.", is_whole: false })
    3.75                                                  LISTENING
    3.75                          > turns: model creates = true
    3.76                                                  is silent
    6.00  speaks u1
    7.30  turn u1
    7.30                                                  (turn of 1.30)
    7.30                                                  THINKING
    7.33                          < created r4
    7.50  ann: "Hello."
    7.53                                                  is heard: a4
    7.53                                                  (answered after 0.23)
    7.53                                                  SPEAKING
    7.63                          < done r4 Completed
    7.92                                                  said a4 "Well."
    7.92                                                  LISTENING
    7.93                                                  is silent
    "#);
}

#[test]
fn a_link_that_breaks_in_the_middle_of_it_is_no_excuse() {
    let lanes = law_abiding_with(None)
        .model_will_say(SENTENCE, 3.0)
        .link_down(0.5)
        .link_up(1.0)
        .model_will_say(SENTENCE, 2.0)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                          > create ask-1 "Say exactly this sentence, word for word, and nothing else: \"You are talking to a machine.\""
    0.00                                                  THINKING
    0.00                          > turns: model creates = false
    0.06                          < created r1 for ask-1
    0.26                                                  is heard: a1
    0.26                                                  SPEAKING
    0.50                          link down
    1.00                          link up
    1.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    1.00                          > item agent "You are talking to a"
    1.00                                                  (Replayed { items: 2, away: 500ms })
    1.00                          > turns: model creates = false
    1.25                                                  said a1 "You are talking to a"
    1.25                          > create ask-2 "Say exactly this sentence, word for word, and nothing else: \"You are talking to a machine.\""
    1.25                                                  THINKING
    1.26                                                  is silent
    1.31                          < created r2 for ask-2
    1.51                                                  is heard: a2
    1.51                                                  SPEAKING
    2.01                          < done r2 Completed
    3.50                                                  said 2-a2 "You are talking to a machine."
    3.50                                                  (Disclosed { said: "You are talking to a machine.", is_whole: true })
    3.50                                                  LISTENING
    3.50                          > turns: model creates = true
    3.51                                                  is silent
    "#);
}

#[test]
fn an_agent_that_is_silenced_says_it_when_it_may_speak_again() {
    let lanes = law_abiding_with(None)
        .model_will_say(SENTENCE, 2.0)
        .asked(1.0, Ask::Silence)
        .asked(2.0, Ask::GoOn)
        .model_will_say(SENTENCE, 2.0)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                          > create ask-1 "Say exactly this sentence, word for word, and nothing else: \"You are talking to a machine.\""
    0.00                                                  THINKING
    0.00                          > turns: model creates = false
    0.06                          < created r1 for ask-1
    0.26                                                  is heard: a1
    0.26                                                  SPEAKING
    0.76                          < done r1 Completed
    1.00  asked: Silence
    1.00                                                  flush all
    1.00                                                  LISTENING
    1.01                          > truncate a1 at 0.74
    1.01                                                  said a1 "You are" -- cut
    1.01                                                  (interrupted at 0.74, stopped after 0.01)
    2.00  asked: GoOn
    2.00                          > create ask-2 "Say exactly this sentence, word for word, and nothing else: \"You are talking to a machine.\""
    2.00                                                  THINKING
    2.06                          < created r2 for ask-2
    2.26                                                  is heard: a2
    2.26                                                  SPEAKING
    2.76                          < done r2 Completed
    4.25                                                  said a2 "You are talking to a machine."
    4.25                                                  (Disclosed { said: "You are talking to a machine.", is_whole: true })
    4.25                                                  LISTENING
    4.25                          > turns: model creates = true
    4.26                                                  is silent
    "#);
}

#[test]
fn who_leaves_in_the_middle_of_it_leaves_a_note() {
    let lanes = law_abiding_with(None)
        .model_will_say(SENTENCE, 3.0)
        .leaves(1.5, "ann")
        .asked(2.0, Ask::Close(CloseReason::Removed))
        .until(3.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.01                          < done r1 Completed
    1.50  ann leaves
    1.50  ear of ann: closed
    2.00  asked: Close(Removed)
    2.00                                                  flush all
    2.00                                                  said a1 "You are talking" -- cut
    2.00                                                  (Disclosed { said: "You are talking", is_whole: false })
    2.00                                                  FINISHED Removed
    "#);
}

#[test]
fn who_was_taken_for_an_echo_at_first_does_not_interrupt_it_either() {
    let lanes = law_abiding_with(None)
        .model_will_say(SENTENCE, 3.0)
        .ear_hears_agent("ann", 0.5, 0.9)
        .model_hears_speech(0.6, 1.4)
        .ear_hears("ann", 1.0, 1.4)
        .transcript(1.9, "u1", "I would like apples.")
        .model_will_say("Which ones?", 0.5)
        .until(5.0);
    insta::assert_snapshot!(since(&lanes, 0.3), @r#"
    0.60  speaks u1
    0.90                                                  (Echoed)
    1.01                          < done r1 Completed
    1.70  turn u1
    1.90  ann: "I would like apples."
    1.90                          > create ask-2
    1.96                          < created r2 for ask-2
    2.31                          < done r2 Completed
    3.25                                                  said a1 "You are talking to a machine."
    3.25                                                  (Disclosed { said: "You are talking to a machine.", is_whole: true })
    3.25                          > turns: model creates = true
    3.26                                                  is heard: a2
    3.75                                                  said a2 "Which ones?"
    3.75                                                  LISTENING
    3.76                                                  is silent
    "#);
}
