//! Silence because the model is away, and the clips that cover it.

use dialog::{Config, config::Answers, input::Ask, output::CloseReason};

use crate::scene::{empty_scene, scene};

#[test]
fn who_waits_in_silence_is_told_so_once() {
    let lanes = scene()
        .says(0.0, 1.0, "Who are you?")
        .model_will_ignore()
        .link_down(1.6)
        .link_up(5.0)
        .until(7.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.50  ann: "Who are you?"
    1.60                          link down
    1.60                                                  INITIALIZING
    2.30                                                  (GapCovered)
    2.30                                                  clip OneMoment
    5.00                          link up
    5.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    5.00                          > item user "Who are you?"
    5.00                                                  (Replayed { items: 2, away: 3.4s })
    5.00                          > create ask-1
    5.00                          > turns: model creates = true
    5.00                                                  THINKING
    5.06                          < created r1 for ask-1
    5.26                                                  is heard: a1
    5.26                                                  (answered after 3.96)
    5.26                                                  SPEAKING
    5.36                          < done r1 Completed
    5.65                                                  said 2-a1 "Well."
    5.65                                                  LISTENING
    5.66                                                  is silent
    "#);
}

#[test]
fn a_quick_reconnect_is_not_talked_over() {
    let lanes = scene()
        .says(0.0, 1.0, "Who are you?")
        .model_will_ignore()
        .link_down(1.6)
        .link_up(1.9)
        .until(4.0);
    assert!(!lanes.contains("clip"), "{lanes}");
}

#[test]
fn who_waits_for_nothing_is_told_nothing() {
    let lanes = scene()
        .says(0.0, 1.0, "Who are you?")
        .link_down(4.0)
        .link_up(8.0)
        .until(9.0);
    assert!(!lanes.contains("clip"), "{lanes}");
}

#[test]
fn what_is_said_into_the_silence_is_answered_by_a_clip_each_time() {
    let lanes = scene()
        .says(0.0, 1.0, "Who are you?")
        .link_down(4.0)
        .makes_noise(5.0, 5.6)
        .makes_noise(8.0, 8.6)
        .link_up(12.0)
        .until(12.5);
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
     1.63                          < done r1 Completed
     1.92                                                  said a1 "Well."
     1.92                                                  LISTENING
     1.93                                                  is silent
     4.00                          link down
     4.00                                                  INITIALIZING
     6.50                                                  (GapCovered)
     6.50                                                  clip OneMoment
     9.50                                                  (GapCovered)
     9.50                                                  clip OneMoment
    12.00                          link up
    12.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    12.00                          > item user "Who are you?"
    12.00                          > item agent "Well."
    12.00                                                  (Replayed { items: 3, away: 8s })
    12.00                          > turns: model creates = true
    12.00                                                  LISTENING
    "#);
}

#[test]
fn a_clip_ends_when_somebody_speaks() {
    let lanes = scene()
        .says(0.0, 1.0, "Who are you?")
        .model_will_ignore()
        .link_down(1.6)
        .makes_noise(2.4, 3.4)
        .link_up(3.6)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.50  ann: "Who are you?"
    1.60                          link down
    1.60                                                  INITIALIZING
    2.30                                                  (GapCovered)
    2.30                                                  clip OneMoment
    2.40                                                  stop clip
    3.60                          link up
    3.60                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    3.60                          > item user "Who are you?"
    3.60                                                  (Replayed { items: 2, away: 2s })
    3.60                          > create ask-1
    3.60                          > turns: model creates = true
    3.60                                                  THINKING
    3.66                          < created r1 for ask-1
    3.86                                                  is heard: a1
    3.86                                                  (answered after 2.56)
    3.86                                                  SPEAKING
    3.96                          < done r1 Completed
    "#);
}

#[test]
fn an_answer_that_failed_is_covered_too() {
    let lanes = scene()
        .says(0.0, 1.0, "Who are you?")
        .model_will_fail("rate_limit_exceeded")
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "Who are you?"
    1.53                          < done r1 Failed { code: "rate_limit_exceeded" }
    1.53                                                  (ResponseRetried { code: "rate_limit_exceeded" })
    2.23                                                  (GapCovered)
    2.23                                                  clip OneMoment
    2.53                          > create ask-1
    2.59                          < created r2 for ask-1
    2.79                                                  is heard: a1
    2.79                                                  stop clip
    2.79                                                  (answered after 1.49)
    2.79                                                  SPEAKING
    2.89                          < done r2 Completed
    3.18                                                  said a1 "Well."
    3.18                                                  LISTENING
    3.19                                                  is silent
    "#);
}

#[test]
fn colleagues_who_speak_to_each_other_are_not_asked_for_a_moment() {
    let config = Config {
        answers: Answers::Named(vec!["Robin".to_owned()]),
        ..Config::default()
    };
    let lanes = empty_scene(config)
        .joins(0.0, "ann")
        .room_ready(0.0)
        .link_up(0.0)
        .link_down(2.0)
        .makes_noise(3.0, 4.0)
        .types(6.0, "ann", "Robin, are you there?")
        .until(8.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                                                  LISTENING
    0.00                          > turns: model creates = false
    2.00                          link down
    2.00                                                  INITIALIZING
    6.00  ann types "Robin, are you there?"
    6.70                                                  (GapCovered)
    6.70                                                  clip OneMoment
    "#);
}

#[test]
fn a_tool_that_runs_while_the_model_is_away_is_waited_for() {
    let lanes = scene()
        .says(0.0, 1.0, "What time is it?")
        .model_will_call("", &[("clock", "{}")])
        .tool("clock", 3.0, "noon")
        .link_down(2.0)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "What time is it?"
    1.53                          < call clock c1
    1.53                                                  run clock c1 {}
    1.53                          < done r1 Completed
    2.00                          link down
    2.00                                                  INITIALIZING
    2.70                                                  (GapCovered)
    2.70                                                  clip OneMoment
    "#);
}

#[test]
fn last_words_follow_what_is_being_said() {
    let lanes = scene()
        .says(0.0, 1.0, "Tell me a story.")
        .model_will_say("Once upon a time there was a king.", 6.0)
        .link_exhausted(2.5, "insufficient_quota")
        .until(12.0);
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
    2.50                          link given up
    3.03                          < done r1 Completed
    7.52                                                  said a1 "Once upon a time there was a king."
    7.52                                                  LISTENING
    7.52                                                  clip Failure
    7.53                                                  is silent
    8.42                                                  FINISHED ModelUnavailable { reason: "insufficient_quota" }
    "#);
}

#[test]
fn whatever_happens_after_it_the_model_is_the_reason() {
    let lanes = scene()
        .link_exhausted(1.0, "insufficient_quota")
        .asked(1.2, Ask::End(CloseReason::Drained))
        .asked(1.4, Ask::Close(CloseReason::RoomDeleted))
        .until(3.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00                          link given up
    1.00                                                  clip Failure
    1.20  asked: End(Drained)
    1.40  asked: Close(RoomDeleted)
    1.40                                                  FINISHED ModelUnavailable { reason: "insufficient_quota" }
    "#);
}

#[test]
fn a_model_that_stays_away_is_said_to_before_the_end() {
    let lanes = scene()
        .says(0.0, 1.0, "Who are you?")
        .link_exhausted(5.0, "insufficient_quota")
        .until(9.0);
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
    1.63                          < done r1 Completed
    1.92                                                  said a1 "Well."
    1.92                                                  LISTENING
    1.93                                                  is silent
    5.00                          link given up
    5.00                                                  clip Failure
    5.90                                                  FINISHED ModelUnavailable { reason: "insufficient_quota" }
    "#);
}

#[test]
fn last_words_wait_for_somebody_who_can_hear_them() {
    let lanes = empty_scene(Config::default())
        .joins(0.0, "ann")
        .link_exhausted(0.1, "invalid_api_key")
        .room_ready(0.8)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.10                          link given up
    0.80  room ready
    0.80                                                  clip Failure
    1.70                                                  FINISHED ModelUnavailable { reason: "invalid_api_key" }
    "#);
}

#[test]
fn without_anybody_there_are_no_last_words() {
    let lanes = empty_scene(Config::default())
        .link_exhausted(0.1, "invalid_api_key")
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.10                          link given up
    0.10                                                  INITIALIZING
    3.10                                                  FINISHED ModelUnavailable { reason: "invalid_api_key" }
    "#);
}
