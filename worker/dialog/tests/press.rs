//! People press to talk, and are answered when they let go.

use dialog::{Config, input::Ask, model::Capabilities};

use crate::scene::{Scene, empty_scene, scene, since};

/// Ann, and an agent that hears who presses.
fn by_hand() -> Scene {
    let config = Config {
        presses_to_talk: true,
        ..Config::default()
    };
    empty_scene(config)
        .joins(0.0, "ann")
        .room_ready(0.0)
        .link_up_with(0.0, manual())
}

/// A model that leaves the turns to people.
fn manual() -> Capabilities {
    Capabilities {
        detects_turns: false,
        creates_responses: false,
        ..Capabilities::all()
    }
}

#[test]
fn who_presses_is_heard_and_answered_when_they_let_go() {
    let lanes = by_hand()
        .presses("ann", 1.0, 2.0)
        .transcript(2.5, "p1", "What time is it?")
        .model_will_say("Noon.", 1.0)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                                                  LISTENING
    1.00  ann presses
    1.00                          > clear input
    1.00  ear of ann: open
    2.00  ann lets go
    2.20  ear of ann: closed
    2.20                          > commit
    2.25  turn p1
    2.25                                                  (turn of 1.20)
    2.25                          > create ask-1
    2.25                                                  THINKING
    2.31                          < created r1 for ask-1
    2.50  ann: "What time is it?"
    2.51                                                  is heard: a1
    2.51                                                  (answered after 0.31)
    2.51                                                  SPEAKING
    2.76                          < done r1 Completed
    3.50                                                  said a1 "Noon."
    3.50                                                  LISTENING
    3.51                                                  is silent
    "#);
}

#[test]
fn a_press_silences_the_agent_at_once_and_without_doubt() {
    let lanes = by_hand()
        .presses("ann", 1.0, 2.0)
        .model_will_say("Once upon a time there was a king.", 4.0)
        .presses("ann", 4.0, 5.0)
        .transcript(5.5, "p2", "Stop.")
        .model_will_say("Yes.", 0.5)
        .until(7.0);
    insta::assert_snapshot!(since(&lanes, 3.0), @r#"
    3.51                          < done r1 Completed
    4.00  ann presses
    4.00                                                  flush all
    4.00                          > clear input
    4.00  ear of ann: open
    4.00                                                  LISTENING
    4.01                          > truncate a1 at 1.49
    4.01                                                  said a1 "Once upon a" -- cut
    4.01                                                  (interrupted at 1.49, stopped after 0.01)
    5.00  ann lets go
    5.20  ear of ann: closed
    5.20                          > commit
    5.25  turn p2
    5.25                                                  (turn of 1.20)
    5.25                          > create ask-2
    5.25                                                  THINKING
    5.31                          < created r2 for ask-2
    5.50  ann: "Stop."
    5.51                                                  is heard: a2
    5.51                                                  (answered after 0.31)
    5.51                                                  SPEAKING
    5.66                          < done r2 Completed
    6.00                                                  said a2 "Yes."
    6.00                                                  LISTENING
    6.01                                                  is silent
    "#);
}

#[test]
fn speech_without_a_press_is_not_heard_and_interrupts_nobody() {
    let lanes = by_hand()
        .presses("ann", 1.0, 2.0)
        .model_will_say("Once upon a time there was a king.", 4.0)
        .makes_noise(4.0, 5.5)
        .until(8.0);
    insta::assert_snapshot!(since(&lanes, 3.0), @r#"
    3.51                          < done r1 Completed
    6.50                                                  said a1 "Once upon a time there was a king."
    6.50                                                  LISTENING
    6.51                                                  is silent
    "#);
}

#[test]
fn two_who_press_at_once_are_one_turn() {
    let lanes = by_hand()
        .joins(0.5, "bob")
        .presses("ann", 1.0, 3.0)
        .presses("bob", 2.0, 4.0)
        .model_will_say("Both?", 0.5)
        .until(6.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  ann presses
    1.00                          > clear input
    1.00  ear of ann: open
    2.00  bob presses
    2.00  ear of bob: open
    3.00  ann lets go
    3.20  ear of ann: closed
    4.00  bob lets go
    4.20  ear of bob: closed
    4.20                          > commit
    4.25  turn p1
    4.25                                                  (turn of 3.20)
    4.25                          > item system "The last message was spoken by \"ann\" (caller)."
    4.25                          > create ask-1
    4.25                                                  THINKING
    4.31                          < created r1 for ask-1
    4.51                                                  is heard: a1
    4.51                                                  (answered after 0.31)
    4.51                                                  SPEAKING
    4.66                          < done r1 Completed
    5.00                                                  said a1 "Both?"
    5.00                                                  LISTENING
    5.01                                                  is silent
    "#);
}

#[test]
fn who_presses_again_before_the_model_has_noticed_goes_on() {
    let lanes = by_hand()
        .presses("ann", 1.0, 2.0)
        .presses("ann", 2.21, 3.0)
        .model_will_say("Both.", 0.5)
        .until(5.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  ann presses
    1.00                          > clear input
    1.00  ear of ann: open
    2.00  ann lets go
    2.20  ear of ann: closed
    2.20                          > commit
    2.21  ann presses
    2.21                          > clear input
    2.21  ear of ann: open
    2.25  turn p1
    2.25                                                  (TurnContinued)
    3.00  ann lets go
    3.20  ear of ann: closed
    3.20                          > commit
    3.25  turn p2
    3.25                                                  (turn of 0.99)
    3.25                          > create ask-1
    3.25                                                  THINKING
    3.31                          < created r1 for ask-1
    3.51                                                  is heard: a1
    3.51                                                  (answered after 0.31)
    3.51                                                  SPEAKING
    3.66                          < done r1 Completed
    4.00                                                  said a1 "Both."
    4.00                                                  LISTENING
    4.01                                                  is silent
    "#);
}

#[test]
fn a_press_in_which_the_model_heard_nothing_is_no_turn() {
    let lanes = by_hand()
        .nothing_to_commit()
        .presses("ann", 1.0, 2.0)
        .until(5.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  ann presses
    1.00                          > clear input
    1.00  ear of ann: open
    2.00  ann lets go
    2.20  ear of ann: closed
    2.20                          > commit
    2.23                          < error input_audio_buffer_commit_empty
    2.23                                                  (OrderRefused { code: "input_audio_buffer_commit_empty" })
    4.20                                                  (TurnUnanswered)
    "#);
}

#[test]
fn who_lets_go_while_the_model_is_away_is_answered_when_it_is_back() {
    let lanes = by_hand()
        .presses("ann", 1.0, 3.0)
        .link_down(2.0)
        .link_up_with(4.0, manual())
        .model_will_say("Noon.", 1.0)
        .until(7.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  ann presses
    1.00                          > clear input
    1.00  ear of ann: open
    2.00                          link down
    2.00                                                  INITIALIZING
    3.00  ann lets go
    3.20  ear of ann: closed
    4.00                          link up
    4.00                                                  (Replayed { items: 0, away: 2s })
    4.00                          > commit
    4.00                                                  LISTENING
    4.05  turn p1
    4.05                                                  (turn of 0.00)
    4.05                          > create ask-1
    4.05                                                  THINKING
    4.11                          < created r1 for ask-1
    4.31                                                  is heard: a1
    4.31                                                  (answered after 0.26)
    4.31                                                  SPEAKING
    4.56                          < done r1 Completed
    5.30                                                  said 2-a1 "Noon."
    5.30                                                  LISTENING
    5.31                                                  is silent
    "#);
}

#[test]
fn who_leaves_lets_go() {
    let lanes = by_hand()
        .joins(0.5, "bob")
        .presses("ann", 1.0, 9.0)
        .leaves(2.0, "ann")
        .model_will_say("Yes.", 0.5)
        .until(4.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  ann presses
    1.00                          > clear input
    1.00  ear of ann: open
    2.00  ann leaves
    2.00  ear of ann: closed
    2.20                          > commit
    2.25  turn p1
    2.25                                                  (turn of 1.20)
    2.25                          > create ask-1
    2.25                                                  THINKING
    2.31                          < created r1 for ask-1
    2.51                                                  is heard: a1
    2.51                                                  (answered after 0.31)
    2.51                                                  SPEAKING
    2.66                          < done r1 Completed
    3.00                                                  said a1 "Yes."
    3.00                                                  LISTENING
    3.01                                                  is silent
    "#);
}

#[test]
fn a_press_means_nothing_where_turns_are_detected() {
    let lanes = scene().presses("ann", 1.0, 2.0).until(3.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00  ann presses
    1.00                                                  (Unexpected { what: "press that opens nothing" })
    2.00  ann lets go
    "#);
}

#[test]
fn a_commit_that_a_lost_connection_did_not_confirm_is_asked_for_again() {
    let lanes = by_hand()
        .presses("ann", 1.0, 3.0)
        .link_down(3.22)
        .link_up_with(4.0, manual())
        .model_will_say("Noon.", 1.0)
        .until(6.0);
    insta::assert_snapshot!(since(&lanes, 3.0), @r#"
    3.00  ann lets go
    3.20  ear of ann: closed
    3.20                          > commit
    3.22                          link down
    3.22                                                  INITIALIZING
    3.92                                                  (GapCovered)
    3.92                                                  clip OneMoment
    4.00                          link up
    4.00                                                  (Replayed { items: 0, away: 780ms })
    4.00                          > commit
    4.00                                                  LISTENING
    4.05  turn p1
    4.05                                                  (turn of 0.00)
    4.05                          > create ask-1
    4.05                                                  THINKING
    4.11                          < created r1 for ask-1
    4.31                                                  is heard: a1
    4.31                                                  stop clip
    4.31                                                  (answered after 0.26)
    4.31                                                  SPEAKING
    4.56                          < done r1 Completed
    5.30                                                  said 2-a1 "Noon."
    5.30                                                  LISTENING
    5.31                                                  is silent
    "#);
}

#[test]
fn a_release_that_never_comes_ends_the_turn_after_two_minutes() {
    let lanes = by_hand().presses("ann", 1.0, 999.0).until(122.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
     1.00  ann presses
     1.00                          > clear input
     1.00  ear of ann: open
    121.20  ear of ann: closed
    121.20                          > commit
    121.25  turn p1
    121.25                                                  (turn of 120.20)
    121.25                          > create ask-1
    121.25                                                  THINKING
    121.31                          < created r1 for ask-1
    121.51                                                  is heard: a1
    121.51                                                  (answered after 0.31)
    121.51                                                  SPEAKING
    121.61                          < done r1 Completed
    121.90                                                  said a1 "Well."
    121.90                                                  LISTENING
    121.91                                                  is silent
    "#);
}

#[test]
fn a_key_that_was_touched_while_nobody_spoke_commits_nothing() {
    let lanes = by_hand().presses("ann", 1.0, 1.1).until(3.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r"
    1.00  ann presses
    1.00                          > clear input
    1.00  ear of ann: open
    1.10  ann lets go
    1.30  ear of ann: closed
    1.30                          > clear input
    1.30                                                  (TurnUnanswered)
    ");
}

#[test]
fn a_sentence_that_somebody_presses_before_follows_their_turn() {
    let lanes = by_hand()
        .asked(1.0, Ask::Interject("We close at six.".to_owned()))
        .presses("ann", 1.1, 2.0)
        .until(6.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  asked: Interject("We close at six.")
    1.00                          > create ask-1 "Say exactly this sentence, word for word, and nothing else: \"We close at six.\""
    1.00                                                  THINKING
    1.06                          < created r1 for ask-1
    1.10  ann presses
    1.10                                                  flush r1
    1.10                          > cancel r1
    1.10                          > clear input
    1.10  ear of ann: open
    1.10                                                  LISTENING
    1.11                                                  (interrupted at 0.00, stopped after 0.01)
    1.15                          < done r1 Cancelled
    2.00  ann lets go
    2.20  ear of ann: closed
    2.20                          > commit
    2.20                                                  THINKING
    2.25  turn p1
    2.25                                                  (turn of 1.10)
    2.25                          > create ask-2 "Say exactly this sentence, word for word, and nothing else: \"We close at six.\""
    2.31                          < created r2 for ask-2
    2.51                                                  is heard: a2
    2.51                                                  (answered after 0.31)
    2.51                                                  SPEAKING
    2.61                          < done r2 Completed
    2.61                          > create ask-3
    2.67                          < created r3 for ask-3
    2.90                                                  said a2 "Well."
    2.91                                                  is heard: a3
    2.97                          < done r3 Completed
    3.30                                                  said a3 "Well."
    3.30                                                  LISTENING
    3.31                                                  is silent
    "#);
}
