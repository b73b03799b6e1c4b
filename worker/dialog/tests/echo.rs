//! The agent hears itself: somebody's loudspeaker is beside their open microphone.

use dialog::{Config, config::Interruption};

use crate::scene::{Scene, empty_scene, scene, since};

const STORY: &str = "Once upon a time there was a very long story about nothing";

/// The agent tells a story of eight seconds from 1.03 on; the model has said all of it at 3.1.
fn a_story() -> Scene {
    scene()
        .says(0.0, 0.5, "Tell me a story.")
        .model_will_say(STORY, 8.0)
}

#[test]
fn an_agent_that_hears_itself_goes_on_at_once() {
    let lanes = a_story().ear_hears_agent("ann", 4.0, 4.3).until(10.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.30                                                  (Echoed)
    4.30                                                  resume
    4.30                                                  (no interruption, paused 0.30)
    4.30                                                  SPEAKING
    9.32                                                  said a1 "Once upon a time there was a very long story about nothing"
    9.32                                                  LISTENING
    9.33                                                  is silent
    "#);
}

#[test]
fn what_the_model_made_of_an_echo_is_no_turn() {
    let lanes = a_story()
        .ear_hears_agent("ann", 4.0, 4.3)
        .model_hears_speech(4.1, 4.4)
        .transcript(4.9, "u2", "Once upon")
        .until(10.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.10  speaks u2
    4.30                                                  (Echoed)
    4.30                                                  resume
    4.30                                                  (no interruption, paused 0.30)
    4.30                                                  SPEAKING
    4.70  turn u2
    4.73                          < created r2
    4.73                                                  drop r2
    4.73                          > cancel r2
    4.78                          < done r2 Cancelled
    4.90                          > delete u2
    9.32                                                  said a1 "Once upon a time there was a very long story about nothing"
    9.32                                                  LISTENING
    9.33                                                  is silent
    "#);
}

#[test]
fn a_model_that_hears_the_echo_late_does_not_pause_the_agent() {
    let lanes = a_story()
        .ear_hears_agent("ann", 4.0, 4.3)
        .model_hears_speech(4.5, 4.8)
        .transcript(5.3, "u2", "Upon a time")
        .until(10.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.30                                                  (Echoed)
    4.30                                                  resume
    4.30                                                  (no interruption, paused 0.30)
    4.30                                                  SPEAKING
    4.50  speaks u2
    5.10  turn u2
    5.13                          < created r2
    5.13                                                  drop r2
    5.13                          > cancel r2
    5.18                          < done r2 Cancelled
    5.30                          > delete u2
    9.32                                                  said a1 "Once upon a time there was a very long story about nothing"
    9.32                                                  LISTENING
    9.33                                                  is silent
    "#);
}

#[test]
fn a_person_who_speaks_into_the_echo_is_heard() {
    let lanes = a_story()
        .ear_hears_agent("ann", 4.0, 4.3)
        .says(5.0, 5.8, "Stop, please.")
        .model_will_say("Yes.", 0.5)
        .until(8.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.30                                                  (Echoed)
    4.30                                                  resume
    4.30                                                  (no interruption, paused 0.30)
    4.30                                                  SPEAKING
    5.00                                                  pause
    5.00                                                  LISTENING
    5.00  speaks u2
    6.10  turn u2
    6.13                          < created r2
    6.30                                                  flush all but r2
    6.30                                                  resume
    6.30                                                  (turn of 1.10)
    6.30  ann: "Stop, please."
    6.30                                                  THINKING
    6.31                          > truncate a1 at 3.67
    6.31                                                  said a1 "Once upon a time there was" -- cut
    6.31                                                  (interrupted at 3.67, stopped after 0.01)
    6.33                                                  is heard: a2
    6.33                                                  (answered after 0.23)
    6.33                                                  SPEAKING
    6.48                          < done r2 Completed
    6.82                                                  said a2 "Yes."
    6.82                                                  LISTENING
    6.83                                                  is silent
    "#);
}

#[test]
fn words_of_a_person_in_the_same_breath_as_the_echo_are_kept() {
    let lanes = a_story()
        .ear_hears_agent("ann", 4.0, 4.3)
        .model_hears_speech(4.1, 5.4)
        .ear_hears("ann", 4.6, 5.4)
        .transcript(5.9, "u2", "Once upon stop please")
        .model_will_say("Yes.", 0.5)
        .until(8.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.10  speaks u2
    4.30                                                  (Echoed)
    4.30                                                  resume
    4.30                                                  (no interruption, paused 0.30)
    4.30                                                  SPEAKING
    4.60                                                  pause
    4.60                                                  LISTENING
    5.70  turn u2
    5.73                          < created r2
    5.73                                                  drop r2
    5.73                          > cancel r2
    5.78                          < done r2 Cancelled
    5.90                                                  flush all
    5.90                                                  resume
    5.90  ann: "Once upon stop please"
    5.90                                                  THINKING
    5.91                          > truncate a1 at 3.27
    5.91                                                  said a1 "Once upon a time there" -- cut
    5.91                                                  (interrupted at 3.27, stopped after 0.01)
    5.91                          > create ask-1
    5.97                          < created r3 for ask-1
    6.17                                                  is heard: a3
    6.17                                                  SPEAKING
    6.27                          < done r3 Completed
    6.56                                                  said a3 "Well."
    6.56                                                  LISTENING
    6.57                                                  is silent
    "#);
}

#[test]
fn an_echo_beside_somebody_else_takes_nothing_from_them() {
    let lanes = a_story()
        .joins(0.0, "bob")
        .ear_hears_agent("ann", 4.0, 4.3)
        .person_says("bob", 4.1, 5.4, "I have a question.")
        .model_will_say("Yes?", 0.5)
        .until(8.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.10  speaks u2
    4.30                                                  (Echoed)
    5.20                                                  flush all
    5.20                                                  resume
    5.21                          > truncate a1 at 2.94
    5.21                                                  said a1 "Once upon a time" -- cut
    5.21                                                  (interrupted at 2.94, stopped after 0.01)
    5.70  turn u2
    5.70                                                  (turn of 1.60)
    5.70                          > item system "The last message was spoken by \"bob\" (guest)."
    5.70                          > create ask-2
    5.70                                                  THINKING
    5.76                          < created r2 for ask-2
    5.90  bob: "I have a question."
    5.96                                                  is heard: a2
    5.96                                                  (answered after 0.26)
    5.96                                                  SPEAKING
    6.11                          < done r2 Completed
    6.45                                                  said a2 "Yes?"
    6.45                                                  LISTENING
    6.46                                                  is silent
    "#);
}

#[test]
fn an_echo_while_the_agent_is_silent_means_nothing() {
    let lanes = scene().ear_hears_agent("ann", 1.0, 1.3).until(3.0);
    insta::assert_snapshot!(lanes, @r"
     1.30                                                  (Echoed)
    ");
}

#[test]
fn a_protected_greeting_is_not_answered_by_its_own_echo() {
    let config = Config {
        greeting: Some("Greet.".to_owned()),
        interruption: Interruption {
            protect_greeting: true,
            ..Interruption::default()
        },
        ..Config::default()
    };
    let lanes = empty_scene(config)
        .joins(0.0, "ann")
        .room_ready(0.0)
        .link_up(0.0)
        .model_will_say("Good morning, what can I do for you?", 4.0)
        .ear_hears_agent("ann", 1.0, 1.4)
        .model_hears_speech(1.2, 1.5)
        .transcript(2.0, "u1", "Good morning")
        .until(7.0);
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
    1.20  speaks u1
    1.26                          < done r1 Completed
    1.40                                                  (Echoed)
    1.80  turn u1
    1.83                          < created r2
    1.83                                                  drop r2
    1.83                          > cancel r2
    1.88                          < done r2 Cancelled
    2.00                          > delete u1
    4.25                                                  said a1 "Good morning, what can I do for you?"
    4.25                                                  LISTENING
    4.26                                                  is silent
    "#);
}
