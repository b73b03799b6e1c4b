//! A caller who says nothing: asked once, then the conversation ends.

use std::time::Duration;

use dialog::{Config, Input, Silence};

use crate::scene::{Scene, empty_scene};

/// Ann is there, with an agent that asks after ten seconds and hangs up after ten more.
fn patient_scene() -> Scene {
    let silence = Some(Silence {
        prompt: "Ask whether the caller is still there.".to_owned(),
        prompt_after: Duration::from_secs(10),
        hang_up_after: Duration::from_secs(10),
    });
    let config = Config {
        silence,
        ..Config::default()
    };
    empty_scene(config)
        .joins(0.0, "ann")
        .room_ready(0.0)
        .link_up(0.0)
}

#[test]
fn a_silent_caller_is_asked_once_and_then_left_with_a_goodbye() {
    let lanes = patient_scene()
        .model_will_say("Are you still there?", 1.0)
        .model_will_say("Goodbye!", 0.6)
        .until(30.0);
    insta::assert_snapshot!(lanes, @r#"
     0.00  ann joins
     0.00  ear of ann: open
     0.00                                                  INITIALIZING
     0.00  room ready
     0.00                          link up
     0.00                                                  LISTENING
    10.00                                                  (SilencePrompted { after: 10s })
    10.00                          > create ask-1 "Ask whether the caller is still there."
    10.00                                                  THINKING
    10.06                          < created r1 for ask-1
    10.26                                                  is heard: a1
    10.26                                                  SPEAKING
    10.51                          < done r1 Completed
    11.25                                                  said a1 "Are you still there?"
    11.25                                                  LISTENING
    11.26                                                  is silent
    21.25  ear of ann: closed
    21.25                          > turns: model creates = false
    21.25                          > create ask-2 "Say goodbye in one short, friendly sentence."
    21.25                                                  THINKING
    21.31                          < created r2 for ask-2
    21.51                                                  is heard: a2
    21.51                                                  SPEAKING
    21.66                          < done r2 Completed
    22.10                                                  said a2 "Goodbye!"
    22.10                                                  LISTENING
    22.11                                                  is silent
    22.40                                                  FINISHED CallerSilent
    "#);
}

#[test]
fn a_caller_who_answers_the_question_is_asked_again_only_after_a_new_silence() {
    let lanes = patient_scene()
        .model_will_say("Are you still there?", 1.0)
        .says(14.0, 15.0, "Yes.")
        .model_will_say("Good.", 0.5)
        .model_will_say("Are you still there?", 1.0)
        .until(30.0);
    insta::assert_snapshot!(lanes, @r#"
     0.00  ann joins
     0.00  ear of ann: open
     0.00                                                  INITIALIZING
     0.00  room ready
     0.00                          link up
     0.00                                                  LISTENING
    10.00                                                  (SilencePrompted { after: 10s })
    10.00                          > create ask-1 "Ask whether the caller is still there."
    10.00                                                  THINKING
    10.06                          < created r1 for ask-1
    10.26                                                  is heard: a1
    10.26                                                  SPEAKING
    10.51                          < done r1 Completed
    11.25                                                  said a1 "Are you still there?"
    11.25                                                  LISTENING
    11.26                                                  is silent
    14.00  speaks u1
    15.30  turn u1
    15.30                                                  (turn of 1.30)
    15.30                                                  THINKING
    15.33                          < created r2
    15.50  ann: "Yes."
    15.53                                                  is heard: a2
    15.53                                                  (answered after 0.23)
    15.53                                                  SPEAKING
    15.68                          < done r2 Completed
    16.02                                                  said a2 "Good."
    16.02                                                  LISTENING
    16.03                                                  is silent
    26.02                                                  (SilencePrompted { after: 10s })
    26.02                          > create ask-2 "Ask whether the caller is still there."
    26.02                                                  THINKING
    26.08                          < created r3 for ask-2
    26.28                                                  is heard: a3
    26.28                                                  SPEAKING
    26.53                          < done r3 Completed
    27.27                                                  said a3 "Are you still there?"
    27.27                                                  LISTENING
    27.28                                                  is silent
    "#);
}

#[test]
fn neither_a_long_answer_nor_an_absent_model_is_silence_of_the_caller() {
    let lanes = patient_scene()
        .says(1.0, 2.0, "Tell me everything.")
        .model_will_say("A very long story.", 15.0)
        .link_down(20.0)
        .link_up(28.0)
        .until(36.0);
    assert!(!lanes.contains("SilencePrompted"), "{lanes}");
}

#[test]
fn a_room_that_is_away_hears_nothing_and_that_is_nobody_s_silence() {
    let lanes = patient_scene()
        .fact(5.0, Input::RoomAway)
        .fact(40.0, Input::RoomBack)
        .until(49.0);
    assert!(!lanes.contains("SilencePrompted"), "{lanes}");
}

#[test]
fn a_question_that_failed_was_not_asked() {
    let lanes = patient_scene()
        .model_will_fail("server_error")
        .model_will_fail("server_error")
        .model_will_fail("server_error")
        .model_will_say("Are you still there?", 1.0)
        .until(30.0);
    assert_eq!(lanes.matches("SilencePrompted").count(), 2, "{lanes}");
    assert!(!lanes.contains("FINISHED"), "{lanes}");
}

#[test]
fn who_speaks_before_the_question_comes_is_not_asked() {
    let lanes = patient_scene()
        .model_will_fail("rate_limit_exceeded")
        .says(10.4, 11.4, "Hello?")
        .model_will_say("I am here.", 0.6)
        .until(18.0);
    assert_eq!(lanes.matches("Ask whether").count(), 1, "{lanes}");
}

#[test]
fn whoever_comes_after_a_silent_caller_is_asked_first() {
    let lanes = patient_scene()
        .model_will_say("Are you still there?", 1.0)
        .leaves(12.0, "ann")
        .joins(13.0, "bob")
        .model_will_say("Are you still there?", 1.0)
        .until(28.0);
    assert_eq!(lanes.matches("SilencePrompted").count(), 2, "{lanes}");
    assert!(!lanes.contains("FINISHED"), "{lanes}");
}
