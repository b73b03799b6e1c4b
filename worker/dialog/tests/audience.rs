//! Who is there, and who is heard.

use dialog::{Config, config::Hears};

use crate::scene::{empty_scene, scene};

#[test]
fn the_first_person_is_heard_and_the_next_takes_over_when_they_leave() {
    let config = Config {
        hears: Hears::Caller,
        ..Config::default()
    };
    let lanes = empty_scene(config)
        .agent_joins(0.0, "robot")
        .joins(1.0, "ann")
        .joins(2.0, "bob")
        .joins(2.0, "cyd")
        .room_ready(2.0)
        .link_up(2.0)
        .leaves(3.0, "cyd")
        .leaves(4.0, "ann")
        .person_says("bob", 5.0, 6.0, "Now me.")
        .model_will_say("Yes, Bob.", 0.6)
        .until(8.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  robot joins
    0.00                                                  INITIALIZING
    1.00  ann joins
    1.00  ear of ann: open
    2.00  bob joins
    2.00  cyd joins
    2.00  room ready
    2.00                          link up
    2.00                                                  LISTENING
    3.00  cyd leaves
    4.00  ann leaves
    4.00  ear of ann: closed
    4.00  ear of bob: open
    5.00  speaks u1
    6.30  turn u1
    6.30                                                  (turn of 1.30)
    6.30                                                  THINKING
    6.33                          < created r1
    6.50  bob: "Now me."
    6.53                                                  is heard: a1
    6.53                                                  (answered after 0.23)
    6.53                                                  SPEAKING
    6.68                          < done r1 Completed
    7.12                                                  said a1 "Yes, Bob."
    7.12                                                  LISTENING
    7.13                                                  is silent
    "#);
}

#[test]
fn a_caller_who_comes_back_in_time_goes_on_without_a_greeting() {
    let lanes = scene()
        .leaves(1.0, "ann")
        .joins(4.0, "ann")
        .says(7.0, 8.0, "Here I am again.")
        .model_will_say("Good.", 0.4)
        .until(10.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00  ann leaves
    1.00  ear of ann: closed
    1.00                                                  IDLE
    4.00  ann joins
    4.00  ear of ann: open
    4.00                                                  LISTENING
    7.00  speaks u1
    8.30  turn u1
    8.30                                                  (turn of 1.30)
    8.30                                                  THINKING
    8.33                          < created r1
    8.50  ann: "Here I am again."
    8.53                                                  is heard: a1
    8.53                                                  (answered after 0.23)
    8.53                                                  SPEAKING
    8.63                          < done r1 Completed
    8.92                                                  said a1 "Good."
    8.92                                                  LISTENING
    8.93                                                  is silent
    "#);
}

#[test]
fn when_nobody_is_left_the_conversation_ends_even_among_agents() {
    let lanes = scene()
        .agent_joins(0.5, "robot")
        .leaves(1.0, "ann")
        .until(8.0);
    insta::assert_snapshot!(lanes, @r"
    0.50  robot joins
    1.00  ann leaves
    1.00  ear of ann: closed
    1.00                                                  IDLE
    6.00                                                  FINISHED CallerLeft
    ");
}
