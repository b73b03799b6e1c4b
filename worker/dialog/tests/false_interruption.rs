//! Ring: hermetic. People who make themselves heard beside the agent and do not want the floor, and
//! people who do.

use dialog::{
    Config,
    config::{FirstSign, Interruption},
    model::Capabilities,
};

use crate::scene::{Scene, empty_scene, scene, since};

pub(crate) const STORY: &str = "Once upon a time there was a very long story about nothing";

/// The agent tells a story of eight seconds from 1.03 on; the model has said all of it at 3.1.
pub(crate) fn a_story() -> Scene {
    tells(scene())
}

fn tells(scene: Scene) -> Scene {
    scene
        .says(0.0, 0.5, "Tell me a story.")
        .model_will_say(STORY, 8.0)
}

fn a_story_with(interruption: Interruption) -> Scene {
    let config = Config {
        interruption,
        ..Config::default()
    };
    tells(
        empty_scene(config)
            .joins(0.0, "ann")
            .room_ready(0.0)
            .link_up(0.0),
    )
}

#[test]
fn after_a_cough_the_agent_goes_on_where_it_stopped() {
    let lanes = a_story().makes_noise(4.0, 4.3).until(10.5);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.80                                                  resume
    4.80                                                  (no interruption, paused 0.80)
    4.80                                                  SPEAKING
    9.83                                                  said a1 "Once upon a time there was a very long story about nothing"
    9.83                                                  LISTENING
    9.84                                                  is silent
    "#);
}

#[test]
fn company_is_forgotten_and_the_agent_goes_on() {
    let lanes = a_story().says(2.0, 2.4, "Mm-hm.").until(4.0);
    insta::assert_snapshot!(since(&lanes, 2.0), @r"
    2.00                                                  pause
    2.00                                                  LISTENING
    2.00  speaks u2
    2.70  turn u2
    2.90                          > delete u2
    2.90                                                  resume
    2.90                                                  (no interruption, paused 0.90)
    2.90                                                  SPEAKING
    3.03                          < done r1 Completed
    ");
}

#[test]
fn a_short_command_stops_the_agent_when_its_words_are_known() {
    let lanes = a_story()
        .says(2.0, 2.4, "Stop!")
        .model_will_say("Fine.", 0.5)
        .until(4.5);
    insta::assert_snapshot!(since(&lanes, 2.0), @r#"
    2.00                                                  pause
    2.00                                                  LISTENING
    2.00  speaks u2
    2.70  turn u2
    2.90                                                  flush r1
    2.90                          > cancel r1
    2.90                                                  resume
    2.90                                                  (turn of 0.70)
    2.90                                                  (TurnAsked { waited: 0ns })
    2.90  ann: "Stop!"
    2.90                                                  THINKING
    2.91                          > truncate a1 at 0.97
    2.91                                                  said a1 "Once upon a" -- cut
    2.91                                                  (interrupted at 0.97, stopped after 0.01)
    2.95                          < done r1 Cancelled
    2.95                          > create ask-1
    3.01                          < created r2 for ask-1
    3.21                                                  is heard: a2
    3.21                                                  (answered after 0.51)
    3.21                                                  SPEAKING
    3.36                          < done r2 Completed
    3.70                                                  said a2 "Fine."
    3.70                                                  LISTENING
    3.71                                                  is silent
    "#);
}

#[test]
fn speech_that_goes_on_is_a_turn_before_its_words_are_known() {
    let lanes = a_story()
        .speaks(2.0, 4.5)
        .model_will_say("Fine.", 0.5)
        .until(6.0);
    insta::assert_snapshot!(since(&lanes, 2.0), @r#"
    2.00                                                  pause
    2.00                                                  LISTENING
    2.00  speaks u2
    3.03                          < done r1 Completed
    3.20                                                  flush all
    3.20                                                  resume
    3.21                          > truncate a1 at 0.97
    3.21                                                  said a1 "Once upon a" -- cut
    3.21                                                  (interrupted at 0.97, stopped after 0.01)
    4.80  turn u2
    4.80                                                  (turn of 2.80)
    4.80                                                  THINKING
    4.83                          < created r2
    5.03                                                  is heard: a2
    5.03                                                  (answered after 0.23)
    5.03                                                  SPEAKING
    5.18                          < done r2 Completed
    5.52                                                  said a2 "Fine."
    5.52                                                  LISTENING
    5.53                                                  is silent
    "#);
}

#[test]
fn without_transcripts_a_committed_turn_is_one() {
    let lanes = tells(
        empty_scene(Config::default())
            .joins(0.0, "ann")
            .room_ready(0.0)
            .link_up_with(
                0.0,
                Capabilities {
                    transcribes: false,
                    ..Capabilities::all()
                },
            ),
    )
    .speaks(4.0, 4.4)
    .model_will_say("Fine.", 0.5)
    .until(6.5);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.70  turn u2
    4.70                                                  flush all
    4.70                                                  resume
    4.70                                                  (turn of 0.70)
    4.70                                                  THINKING
    4.71                          > truncate a1 at 2.97
    4.71                                                  said a1 "Once upon a time" -- cut
    4.71                                                  (interrupted at 2.97, stopped after 0.01)
    4.73                          < created r2
    4.93                                                  is heard: a2
    4.93                                                  (answered after 0.23)
    4.93                                                  SPEAKING
    5.08                          < done r2 Completed
    5.42                                                  said a2 "Fine."
    5.42                                                  LISTENING
    5.43                                                  is silent
    "#);
}

#[test]
fn what_only_the_model_hears_is_a_turn_by_its_words_alone() {
    let lanes = a_story()
        .model_hears_speech(4.0, 5.0)
        .transcript(5.5, "u2", "I have a question.")
        .model_will_say("Ask me", 0.5)
        .until(7.5);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00  speaks u2
    4.00                                                  pause
    4.00                                                  LISTENING
    5.30  turn u2
    5.33                          < created r2
    5.50                                                  flush all but r2
    5.50                                                  resume
    5.50                                                  (turn of 1.30)
    5.50  ann: "I have a question."
    5.50                                                  THINKING
    5.51                          > truncate a1 at 2.97
    5.51                                                  said a1 "Once upon a time" -- cut
    5.51                                                  (interrupted at 2.97, stopped after 0.01)
    5.53                                                  is heard: a2
    5.53                                                  (answered after 0.23)
    5.53                                                  SPEAKING
    5.68                          < done r2 Completed
    6.02                                                  said a2 "Ask me"
    6.02                                                  LISTENING
    6.03                                                  is silent
    "#);
}

#[test]
fn what_only_the_model_hears_for_long_does_not_keep_the_agent_silent() {
    let lanes = a_story()
        .model_hears_speech(2.0, 6.0)
        .model_will_say("What was that?", 0.5)
        .until(11.0);
    insta::assert_snapshot!(since(&lanes, 2.0), @r#"
     2.00  speaks u2
     2.00                                                  pause
     2.00                                                  LISTENING
     3.03                          < done r1 Completed
     3.50                                                  resume
     3.50                                                  (no interruption, paused 1.50)
     3.50                                                  SPEAKING
     6.30  turn u2
     6.30                                                  (turn of 4.30)
     6.33                          < created r2
     6.68                          < done r2 Completed
    10.53                                                  said a1 "Once upon a time there was a very long story about nothing"
    10.54                                                  is heard: a2
    10.54                                                  (answered after 4.24)
    "#);
}

#[test]
fn a_cough_that_ends_in_words_is_a_turn() {
    let lanes = a_story()
        .makes_noise(2.0, 2.3)
        .says(2.6, 3.0, "Wait.")
        .model_will_say("Fine.", 0.5)
        .until(5.0);
    insta::assert_snapshot!(since(&lanes, 2.0), @r#"
    2.00                                                  pause
    2.00                                                  LISTENING
    2.60  speaks u2
    3.03                          < done r1 Completed
    3.30  turn u2
    3.33                          < created r2
    3.50                                                  flush all but r2
    3.50                                                  resume
    3.50                                                  (turn of 0.70)
    3.50  ann: "Wait."
    3.50                                                  THINKING
    3.51                          > truncate a1 at 0.97
    3.51                                                  said a1 "Once upon a" -- cut
    3.51                                                  (interrupted at 0.97, stopped after 0.01)
    3.53                                                  is heard: a2
    3.53                                                  (answered after 0.23)
    3.53                                                  SPEAKING
    3.68                          < done r2 Completed
    4.02                                                  said a2 "Fine."
    4.02                                                  LISTENING
    4.03                                                  is silent
    "#);
}

#[test]
fn a_lowered_voice_rises_again() {
    let lanes = a_story_with(Interruption {
        first_sign: FirstSign::Duck,
        ..Interruption::default()
    })
    .makes_noise(4.0, 4.3)
    .until(5.5);
    insta::assert_snapshot!(since(&lanes, 4.0), @r"
    4.00                                                  Duck
    4.80                                                  resume
    4.80                                                  (no interruption, paused 0.80)
    ");
}

#[test]
fn a_protected_greeting_is_said_to_its_end() {
    let lanes = {
        let config = Config {
            greeting: Some("Greet the caller.".to_owned()),
            interruption: Interruption {
                protect_greeting: true,
                ..Interruption::default()
            },
            ..Config::default()
        };
        empty_scene(config)
            .joins(0.0, "ann")
            .room_ready(0.0)
            .link_up(0.0)
            .model_will_say("You are talking to a machine. How can I help?", 3.0)
            .says(1.0, 2.6, "What time is it?")
            .model_will_say("Ten o'clock.", 0.5)
            .until(5.0)
    };
    insta::assert_snapshot!(since(&lanes, 0.0), @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                          > create ask-1 "Greet the caller."
    0.00                                                  THINKING
    0.06                          < created r1 for ask-1
    0.26                                                  is heard: a1
    0.26                                                  (greeted after 0.26)
    0.26                                                  SPEAKING
    1.00  speaks u1
    1.01                          < done r1 Completed
    2.90  turn u1
    2.90                                                  (turn of 1.90)
    2.93                          < created r2
    3.10  ann: "What time is it?"
    3.25                                                  said a1 "You are talking to a machine. How can I help?"
    3.26                                                  is heard: a2
    3.26                                                  (answered after 0.36)
    3.28                          < done r2 Completed
    3.75                                                  said a2 "Ten o'clock."
    3.75                                                  LISTENING
    3.76                                                  is silent
    "#);
}

#[test]
fn what_was_in_doubt_when_the_model_went_away_is_a_turn() {
    let lanes = a_story()
        .speaks(4.0, 4.4)
        .link_down(4.8)
        .link_up(5.5)
        .model_will_say("Where were we?", 0.5)
        .until(7.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.70  turn u2
    4.73                          < created r2
    4.80                          link down
    4.80                                                  flush all but r2
    4.80                                                  resume
    4.80                                                  (turn of 0.70)
    4.80                                                  (TurnContinued)
    4.80                                                  INITIALIZING
    4.81                                                  said a1 "Once upon a time" -- cut
    4.81                                                  (interrupted at 2.97, stopped after 0.01)
    5.50                          link up
    5.50                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    5.50                          > item user "Tell me a story."
    5.50                          > item agent "Once upon a time"
    5.50                                                  (Replayed { items: 3, away: 700ms })
    5.50                                                  (HeardAgain { turns: 1 })
    5.50                          > hear again u2
    5.50                          > turns: model creates = true
    5.50                                                  THINKING
    5.50                                                  (GapCovered)
    5.50                                                  clip OneMoment
    7.00                          > item system "The caller said something that did not reach you. Ask them to repeat it."
    7.00                          > create ask-1
    "#);
}

#[test]
fn short_bursts_add_up_to_a_turn() {
    let lanes = a_story()
        .makes_noise(4.0, 4.5)
        .makes_noise(4.8, 5.3)
        .makes_noise(5.6, 6.1)
        .until(7.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    5.80                                                  flush all
    5.80                                                  resume
    5.81                          > truncate a1 at 2.97
    5.81                                                  said a1 "Once upon a time" -- cut
    5.81                                                  (interrupted at 2.97, stopped after 0.01)
    "#);
}

#[test]
fn company_before_a_question_is_part_of_the_record() {
    let lanes = a_story()
        .says(4.0, 4.2, "Okay.")
        .says(4.6, 6.2, "And then what happened?")
        .model_will_say("Then it ended.", 0.5)
        .until(8.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.50  turn u2
    4.53                          < created r2
    4.60  speaks u3
    4.88                          < done r2 Completed
    5.60                          > delete a2
    5.60                                                  drop r2
    5.60                                                  flush all
    5.60                                                  resume
    5.60                                                  (turn of 0.50)
    5.60  ann: "Okay."
    5.60                                                  (TurnContinued)
    5.61                          > truncate a1 at 2.97
    5.61                                                  said a1 "Once upon a time" -- cut
    5.61                                                  (interrupted at 2.97, stopped after 0.01)
    6.50  turn u3
    6.50                                                  (turn of 1.90)
    6.50                                                  THINKING
    6.53                          < created r3
    6.70  ann: "And then what happened?"
    6.73                                                  is heard: a3
    6.73                                                  (answered after 0.23)
    6.73                                                  SPEAKING
    6.83                          < done r3 Completed
    7.12                                                  said a3 "Well."
    7.12                                                  LISTENING
    7.13                                                  is silent
    "#);
}
