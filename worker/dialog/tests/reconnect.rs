//! The link to the model is lost and comes back.

use dialog::Config;

use crate::scene::{Scene, empty_scene, scene, since};

#[test]
fn what_is_spoken_already_is_heard_and_the_rest_is_asked_for() {
    let lanes = scene()
        .says(0.0, 1.0, "Tell me a story.")
        .model_will_say(
            "Once upon a time there was a very long story about nothing",
            10.0,
        )
        .link_down(2.0)
        .link_up(4.0)
        .model_will_say("And so it ended.", 1.0)
        .until(8.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "Tell me a story."
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    2.00                          link down
    3.52                                                  said a1 "Once upon a time there was a very long story"
    3.52                                                  INITIALIZING
    3.53                                                  is silent
    4.00                          link up
    4.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    4.00                          > item user "Tell me a story."
    4.00                          > item agent "Once upon a time there was a very long story"
    4.00                                                  (Replayed { items: 3, away: 2s })
    4.00                          > create ask-1
    4.00                          > turns: model creates = true
    4.00                                                  THINKING
    4.06                          < created r2 for ask-1
    4.10                                                  (GapCovered)
    4.10                                                  clip OneMoment
    4.26                                                  is heard: a2
    4.26                                                  stop clip
    4.26                                                  SPEAKING
    4.51                          < done r2 Completed
    5.25                                                  said 2-a2 "And so it ended."
    5.25                                                  LISTENING
    5.26                                                  is silent
    "#);
}

#[test]
fn an_open_question_is_asked_once_after_the_replay() {
    let lanes = scene()
        .says(0.0, 1.0, "Who are you?")
        .model_will_say("An agent.", 0.6)
        .says(3.0, 4.0, "What time is it?")
        .model_will_ignore()
        .link_down(4.6)
        .link_up(6.0)
        .model_will_say("Noon.", 0.5)
        .until(8.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "Who are you?"
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.68                          < done r1 Completed
    2.12                                                  said a1 "An agent."
    2.12                                                  LISTENING
    2.13                                                  is silent
    3.00  speaks u2
    4.30  turn u2
    4.30                                                  (turn of 1.30)
    4.30                                                  THINKING
    4.50  ann: "What time is it?"
    4.60                          link down
    4.60                                                  INITIALIZING
    5.30                                                  (GapCovered)
    5.30                                                  clip OneMoment
    6.00                          link up
    6.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    6.00                          > item user "Who are you?"
    6.00                          > item agent "An agent."
    6.00                          > item user "What time is it?"
    6.00                                                  (Replayed { items: 4, away: 1.4s })
    6.00                          > create ask-1
    6.00                          > turns: model creates = true
    6.00                                                  THINKING
    6.06                          < created r2 for ask-1
    6.26                                                  is heard: a2
    6.26                                                  (answered after 1.96)
    6.26                                                  SPEAKING
    6.41                          < done r2 Completed
    6.75                                                  said 2-a2 "Noon."
    6.75                                                  LISTENING
    6.76                                                  is silent
    "#);
}

#[test]
fn nothing_is_asked_when_nothing_is_open() {
    let lanes = scene()
        .says(0.0, 1.0, "Who are you?")
        .model_will_say("An agent.", 0.6)
        .link_down(4.0)
        .link_up(6.0)
        .says(7.0, 8.0, "Good.")
        .model_will_say("Indeed.", 0.4)
        .until(9.5);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "Who are you?"
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.68                          < done r1 Completed
    2.12                                                  said a1 "An agent."
    2.12                                                  LISTENING
    2.13                                                  is silent
    4.00                          link down
    4.00                                                  INITIALIZING
    6.00                          link up
    6.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    6.00                          > item user "Who are you?"
    6.00                          > item agent "An agent."
    6.00                                                  (Replayed { items: 3, away: 2s })
    6.00                          > turns: model creates = true
    6.00                                                  LISTENING
    7.00  speaks u2
    8.30  turn u2
    8.30                                                  (turn of 1.30)
    8.30                                                  THINKING
    8.33                          < created r2
    8.50  ann: "Good."
    8.53                                                  is heard: a2
    8.53                                                  (answered after 0.23)
    8.53                                                  SPEAKING
    8.63                          < done r2 Completed
    8.92                                                  said 2-a2 "Indeed."
    8.92                                                  LISTENING
    8.93                                                  is silent
    "#);
}

#[test]
fn there_is_no_second_greeting() {
    let config = Config {
        greeting: Some("Greet.".to_owned()),
        ..Config::default()
    };
    let lanes = empty_scene(config)
        .joins(0.0, "ann")
        .room_ready(0.0)
        .link_up(0.0)
        .model_will_say("Hello there, nice to meet you.", 2.0)
        .link_down(0.6)
        .link_up(2.0)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                          > create ask-1 "Greet."
    0.00                                                  THINKING
    0.06                          < created r1 for ask-1
    0.26                                                  is heard: a1
    0.26                                                  (greeted after 0.26)
    0.26                                                  SPEAKING
    0.60                          link down
    1.65                                                  said a1 "Hello there, nice to meet you."
    1.65                                                  INITIALIZING
    1.66                                                  is silent
    2.00                          link up
    2.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    2.00                          > item agent "Hello there, nice to meet you."
    2.00                                                  (Replayed { items: 2, away: 1.4s })
    2.00                          > turns: model creates = true
    2.00                                                  LISTENING
    "#);
}

#[test]
fn a_greeting_that_nobody_heard_is_asked_for_again() {
    let config = Config {
        greeting: Some("Greet.".to_owned()),
        ..Config::default()
    };
    let lanes = empty_scene(config)
        .joins(0.0, "ann")
        .room_ready(0.0)
        .link_up(0.0)
        .link_down(0.1)
        .link_up(2.0)
        .model_will_say("Hello.", 0.6)
        .model_will_say("Hello.", 0.6)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                          > create ask-1 "Greet."
    0.00                                                  THINKING
    0.06                          < created r1 for ask-1
    0.10                          link down
    0.10                                                  INITIALIZING
    0.80                                                  (GapCovered)
    0.80                                                  clip OneMoment
    2.00                          link up
    2.00                                                  (Replayed { items: 0, away: 1.9s })
    2.00                          > create ask-2 "Greet."
    2.00                          > turns: model creates = true
    2.00                                                  THINKING
    2.06                          < created r2 for ask-2
    2.26                                                  is heard: a2
    2.26                                                  (greeted after 2.26)
    2.26                                                  SPEAKING
    2.41                          < done r2 Completed
    2.85                                                  said 2-a2 "Hello."
    2.85                                                  LISTENING
    2.86                                                  is silent
    "#);
}

#[test]
fn an_item_of_a_lost_connection_is_not_truncated_on_the_next() {
    let lanes = scene()
        .says(0.0, 1.0, "Tell me a story.")
        .model_will_say(
            "Once upon a time there was a short story about nothing",
            4.0,
        )
        .link_down(3.0)
        .link_up(3.5)
        .speaks(4.0, 5.5)
        .until(5.3);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "Tell me a story."
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    2.53                          < done r1 Completed
    3.00                          link down
    3.50                          link up
    3.50                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    3.50                          > item user "Tell me a story."
    3.50                          > item agent "Once upon a time there was a short story about nothing"
    3.50                                                  (Replayed { items: 3, away: 500ms })
    3.50                          > turns: model creates = true
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    5.20                                                  flush all
    5.20                                                  resume
    5.21                          > item system "You were interrupted. Of what you said last people heard only: \"Once upon a time there was a\""
    5.21                                                  said a1 "Once upon a time there was a" -- cut
    5.21                                                  (interrupted at 2.47, stopped after 0.01)
    "#);
}

#[test]
fn a_tool_that_outlives_its_connection_answers_in_other_words() {
    let lanes = scene()
        .says(0.0, 1.0, "What is the weather?")
        .model_will_call("", &[("weather", "{}")])
        .tool("weather", 3.0, "sunny")
        .link_down(2.0)
        .link_up(3.0)
        .model_will_say("One moment.", 0.5)
        .model_will_say("It is sunny.", 1.0)
        .until(6.5);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "What is the weather?"
    1.53                          < call weather c1
    1.53                                                  run weather c1 {}
    1.53                          < done r1 Completed
    2.00                          link down
    2.00                                                  INITIALIZING
    2.70                                                  (GapCovered)
    2.70                                                  clip OneMoment
    3.00                          link up
    3.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    3.00                          > item user "What is the weather?"
    3.00                                                  (Replayed { items: 2, away: 1s })
    3.00                          > turns: model creates = true
    3.00                                                  THINKING
    3.80                                                  (WorkTold { after: 800ms })
    3.80                          > create ask-1 "Say in a few words that you are at it and that it takes a moment. Nothing is known yet: promise nothing."
    3.86                          < created r2 for ask-1
    4.06                                                  is heard: a1
    4.06                                                  (answered after 2.76)
    4.06                                                  SPEAKING
    4.21                          < done r2 Completed
    4.53                                                  tool c1 answers
    4.53                                                  (ToolAnswered { took: 3s })
    4.53                          > item system "A tool answered. weather: sunny"
    4.53                          > create ask-2
    4.55                                                  said 2-a1 "One moment."
    4.55                                                  THINKING
    4.56                                                  is silent
    4.59                          < created r3 for ask-2
    4.79                                                  is heard: a2
    4.79                                                  SPEAKING
    5.04                          < done r3 Completed
    5.78                                                  said 2-a2 "It is sunny."
    5.78                                                  LISTENING
    5.79                                                  is silent
    "#);
}

#[test]
fn a_model_that_stays_away_ends_the_conversation() {
    let lanes = scene()
        .says(0.0, 1.0, "Hello?")
        .model_will_say("Hello, what can I do for you today?", 3.0)
        .link_down(2.0)
        .link_exhausted(2.5, "unreachable")
        .says(3.0, 4.0, "Anybody?")
        .until(9.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "Hello?"
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    2.00                          link down
    2.50                          link given up
    3.00                                                  pause
    3.00                                                  INITIALIZING
    3.00  speaks u2
    3.00                                                  (Unexpected { what: "event without connection" })
    4.20                                                  resume
    4.20                                                  (no interruption, paused 1.20)
    4.20                                                  SPEAKING
    4.30                                                  (Unexpected { what: "event without connection" })
    4.30  turn u2
    4.30                                                  (Unexpected { what: "event without connection" })
    4.50                                                  (Unexpected { what: "event without connection" })
    4.72                                                  said a1 "Hello, what can I do for you today?"
    4.72                                                  INITIALIZING
    4.72                                                  clip Failure
    4.73                                                  is silent
    5.62                                                  FINISHED ModelUnavailable { reason: "unreachable" }
    "#);
}

#[test]
fn what_was_cut_after_its_connection_is_told_as_it_was_heard() {
    let lanes = scene()
        .says(0.0, 1.0, "Tell me a story.")
        .model_will_say(
            "Once upon a time there was a short story about nothing",
            4.0,
        )
        .link_down(3.0)
        .speaks(4.0, 5.5)
        .link_up(6.5)
        .until(6.6);
    insta::assert_snapshot!(since(&lanes, 3.0), @r#"
    3.00                          link down
    4.00                                                  pause
    4.00                                                  INITIALIZING
    4.00  speaks u2
    4.00                                                  (Unexpected { what: "event without connection" })
    5.20                                                  flush all
    5.20                                                  resume
    5.21                                                  said a1 "Once upon a time there was a" -- cut
    5.21                                                  (interrupted at 2.47, stopped after 0.01)
    5.80                                                  (Unexpected { what: "event without connection" })
    5.80  turn u2
    5.80                                                  (Unexpected { what: "event without connection" })
    6.40                                                  (GapCovered)
    6.40                                                  clip OneMoment
    6.50                          link up
    6.50                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    6.50                          > item user "Tell me a story."
    6.50                          > item agent "Once upon a time there was a"
    6.50                                                  (Replayed { items: 3, away: 3.5s })
    6.50                          > turns: model creates = true
    6.50                                                  LISTENING
    "#);
}

/// Two answers of one response; the link breaks while the first is heard.
fn two_answers_and_a_loss() -> Scene {
    scene()
        .says(0.0, 1.0, "Tell me two stories.")
        .model_will_say_items(&[
            ("There was a king.", 2.0),
            ("There was a queen of a land.", 3.0),
        ])
        .link_down(3.0)
}

#[test]
fn what_begins_to_sound_after_its_connection_is_told_once() {
    let lanes = two_answers_and_a_loss().link_up(5.0).until(5.1);
    insta::assert_snapshot!(since(&lanes, 3.0), @r#"
    3.00                          link down
    3.52                                                  said a1 "There was a king."
    3.53                                                  is heard: a2
    5.00                          link up
    5.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    5.00                          > item user "Tell me two stories."
    5.00                          > item agent "There was a king."
    5.00                          > item agent "There was a queen of a land."
    5.00                                                  (Replayed { items: 4, away: 2s })
    5.00                          > turns: model creates = true
    "#);
}

#[test]
fn what_begins_to_sound_after_its_connection_and_is_cut_is_told_once_and_as_heard() {
    let lanes = two_answers_and_a_loss()
        .makes_noise(4.5, 6.0)
        .link_up(7.0)
        .until(7.1);
    insta::assert_snapshot!(since(&lanes, 3.0), @r#"
    3.00                          link down
    3.52                                                  said a1 "There was a king."
    3.53                                                  is heard: a2
    4.50                                                  pause
    4.50                                                  INITIALIZING
    5.70                                                  flush all
    5.70                                                  resume
    5.71                                                  said a2 "There was" -- cut
    5.71                                                  (interrupted at 0.97, stopped after 0.01)
    6.90                                                  (GapCovered)
    6.90                                                  clip OneMoment
    7.00                          link up
    7.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    7.00                          > item user "Tell me two stories."
    7.00                          > item agent "There was a king."
    7.00                          > item agent "There was"
    7.00                                                  (Replayed { items: 4, away: 4s })
    7.00                          > turns: model creates = true
    7.00                                                  LISTENING
    "#);
}
