//! An agent that answers when it is named, and hears everything.

use dialog::{
    Config,
    config::Answers,
    model::{Capabilities, Event, ItemId},
};

use crate::scene::{Scene, empty_scene, since};

fn by_name() -> Config {
    Config {
        answers: Answers::Named(vec!["Robin".to_owned()]),
        ..Config::default()
    }
}

/// Ann and Bob, and an agent that they call Robin.
fn meeting() -> Scene {
    empty_scene(by_name())
        .joins(0.0, "ann")
        .joins(0.0, "bob")
        .room_ready(0.0)
        .link_up(0.0)
}

#[test]
fn who_names_the_agent_is_answered_and_who_does_not_is_left_alone() {
    let lanes = meeting()
        .says(1.0, 2.0, "Shall we take the red one?")
        .person_says("bob", 4.0, 5.0, "Robin, which is cheaper?")
        .model_will_say("The red one.", 1.0)
        .says(8.0, 9.0, "Good, then red.")
        .until(11.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                          > item system "The last message was spoken by \"ann\" (caller)."
    2.30                                                  THINKING
    2.50                                                  (NameAwaited { waited: 200ms, is_named: false })
    2.50                                                  (TurnUnanswered)
    2.50  ann: "Shall we take the red one?"
    2.50                                                  LISTENING
    4.00  speaks u2
    5.30  turn u2
    5.30                                                  (turn of 1.30)
    5.30                          > item system "The last message was spoken by \"bob\" (guest)."
    5.30                                                  THINKING
    5.50                                                  (NameAwaited { waited: 200ms, is_named: true })
    5.50  bob: "Robin, which is cheaper?"
    5.50                          > create ask-1
    5.56                          < created r1 for ask-1
    5.76                                                  is heard: a1
    5.76                                                  (answered after 0.46)
    5.76                                                  SPEAKING
    6.01                          < done r1 Completed
    6.75                                                  said a1 "The red one."
    6.75                                                  LISTENING
    6.76                                                  is silent
    8.00  speaks u3
    9.30  turn u3
    9.30                                                  (turn of 1.30)
    9.30                          > item system "The last message was spoken by \"ann\" (caller)."
    9.30                                                  THINKING
    9.50                                                  (NameAwaited { waited: 200ms, is_named: false })
    9.50                                                  (TurnUnanswered)
    9.50  ann: "Good, then red."
    9.50                                                  LISTENING
    "#);
}

#[test]
fn a_name_that_is_known_late_is_answered_late() {
    let lanes = meeting()
        .ear_hears("ann", 1.0, 2.0)
        .model_hears_speech(1.0, 2.0)
        .transcript(3.5, "u1", "Robin, what is the time?")
        .model_will_say("Noon.", 0.5)
        .until(5.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                          > item system "The last message was spoken by \"ann\" (caller)."
    2.30                                                  THINKING
    2.90                                                  (NameAwaited { waited: 600ms, is_named: false })
    2.90                                                  (TurnUnanswered)
    2.90                                                  LISTENING
    3.50                                                  (NameAwaited { waited: 1.2s, is_named: true })
    3.50  ann: "Robin, what is the time?"
    3.50                          > create ask-1
    3.50                                                  THINKING
    3.56                          < created r1 for ask-1
    3.76                                                  is heard: a1
    3.76                                                  (answered after 1.46)
    3.76                                                  SPEAKING
    3.91                          < done r1 Completed
    4.25                                                  said a1 "Noon."
    4.25                                                  LISTENING
    4.26                                                  is silent
    "#);
}

#[test]
fn a_name_in_the_first_half_of_a_sentence_counts_for_all_of_it() {
    let lanes = meeting()
        .says(1.0, 1.5, "Robin, I wonder")
        .says(2.1, 3.0, "what the time is.")
        .model_will_say("Noon.", 0.5)
        .until(5.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    1.80  turn u1
    1.80                                                  (turn of 0.80)
    1.80                          > item system "The last message was spoken by \"ann\" (caller)."
    1.80                                                  THINKING
    2.00                                                  (NameAwaited { waited: 200ms, is_named: true })
    2.00  ann: "Robin, I wonder"
    2.00                          > create ask-1
    2.06                          < created r1 for ask-1
    2.10  speaks u2
    2.10                                                  flush r1
    2.10                          > cancel r1
    2.10                                                  LISTENING
    2.11                                                  (interrupted at 0.00, stopped after 0.01)
    2.15                          < done r1 Cancelled
    3.30  turn u2
    3.30                                                  (turn of 1.20)
    3.30                          > item system "The last message was spoken by \"ann\" (caller)."
    3.30                          > create ask-2
    3.30                                                  THINKING
    3.36                          < created r2 for ask-2
    3.50  ann: "what the time is."
    3.56                                                  is heard: a2
    3.56                                                  (answered after 0.26)
    3.56                                                  SPEAKING
    3.66                          < done r2 Completed
    3.95                                                  said a2 "Well."
    3.95                                                  LISTENING
    3.96                                                  is silent
    "#);
}

#[test]
fn words_that_never_come_name_nobody() {
    let lanes = meeting()
        .ear_hears("ann", 1.0, 2.0)
        .model_hears_speech(1.0, 2.0)
        .model(
            4.0,
            Event::UserTranscriptFailed {
                item: ItemId::new("u1"),
            },
        )
        .until(6.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                          > item system "The last message was spoken by \"ann\" (caller)."
    2.30                                                  THINKING
    2.90                                                  (NameAwaited { waited: 600ms, is_named: false })
    2.90                                                  (TurnUnanswered)
    2.90                                                  LISTENING
    4.00                                                  (Unexpected { what: "turn without transcript" })
    "#);
}

#[test]
fn a_typed_line_is_answered_when_it_names_the_agent() {
    let lanes = meeting()
        .types(1.0, "bob", "Lunch at one?")
        .types(2.0, "bob", "robin: is it raining?")
        .model_will_say("No.", 0.5)
        .until(4.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  bob types "Lunch at one?"
    1.00                          > item user "\"bob\" (guest) types: Lunch at one?"
    2.00  bob types "robin: is it raining?"
    2.00                          > item user "\"bob\" (guest) types: robin: is it raining?"
    2.00                          > create ask-1
    2.00                                                  THINKING
    2.06                          < created r1 for ask-1
    2.26                                                  is heard: a1
    2.26                                                  SPEAKING
    2.41                          < done r1 Completed
    2.75                                                  said a1 "No."
    2.75                                                  LISTENING
    2.76                                                  is silent
    "#);
}

#[test]
fn one_caller_alone_names_the_agent_too() {
    let lanes = empty_scene(by_name())
        .joins(0.0, "ann")
        .room_ready(0.0)
        .link_up(0.0)
        .says(1.0, 2.0, "Hm, where are my keys?")
        .says(4.0, 5.0, "Robin, are you there?")
        .model_will_say("Yes.", 0.5)
        .until(7.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                                                  LISTENING
    0.00                          > turns: model creates = false
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                                                  THINKING
    2.50                                                  (NameAwaited { waited: 200ms, is_named: false })
    2.50                                                  (TurnUnanswered)
    2.50  ann: "Hm, where are my keys?"
    2.50                                                  LISTENING
    4.00  speaks u2
    5.30  turn u2
    5.30                                                  (turn of 1.30)
    5.30                                                  THINKING
    5.50                                                  (NameAwaited { waited: 200ms, is_named: true })
    5.50  ann: "Robin, are you there?"
    5.50                          > create ask-1
    5.56                          < created r1 for ask-1
    5.76                                                  is heard: a1
    5.76                                                  (answered after 0.46)
    5.76                                                  SPEAKING
    5.91                          < done r1 Completed
    6.25                                                  said a1 "Yes."
    6.25                                                  LISTENING
    6.26                                                  is silent
    "#);
}

#[test]
fn a_model_without_transcripts_is_answered_everything() {
    let mute = Capabilities {
        transcribes: false,
        ..Capabilities::all()
    };
    let lanes = empty_scene(by_name())
        .joins(0.0, "ann")
        .room_ready(0.0)
        .link_up_with(0.0, mute)
        .speaks(1.0, 2.0)
        .model_will_say("Yes.", 0.5)
        .until(4.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                                                  THINKING
    2.33                          < created r1
    2.53                                                  is heard: a1
    2.53                                                  (answered after 0.23)
    2.53                                                  SPEAKING
    2.68                          < done r1 Completed
    3.02                                                  said a1 "Yes."
    3.02                                                  LISTENING
    3.03                                                  is silent
    "#);
}

#[test]
fn a_turn_that_named_nobody_yet_is_not_answered_over_the_next_connection() {
    let lanes = meeting()
        .ear_hears("ann", 1.0, 2.0)
        .model_hears_speech(1.0, 2.0)
        .link_down(2.5)
        .link_up(3.5)
        .until(6.0);
    insta::assert_snapshot!(since(&lanes, 2.0), @r#"
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                          > item system "The last message was spoken by \"ann\" (caller)."
    2.30                                                  THINKING
    2.50                          link down
    2.50                                                  (TurnContinued)
    2.50                                                  INITIALIZING
    3.50                          link up
    3.50                                                  (Replayed { items: 0, away: 1s })
    3.50                                                  (HeardAgain { turns: 1 })
    3.50                          > hear again u1
    3.50                          > turns: model creates = false
    3.50                                                  THINKING
    5.00                                                  (TurnUnanswered)
    5.00                                                  LISTENING
    "#);
}

#[test]
fn a_name_at_the_end_of_an_utterance_of_many_pieces_is_heard() {
    let pieces = (0..9).fold(meeting(), |scene, piece| {
        let from = f64::from(piece) * 0.45;
        scene.model_hears_speech(from, from + 0.1)
    });
    let lanes = pieces
        .transcript(4.3, "u9", "what do you say, Robin?")
        .model_will_say("I say yes.", 1.0)
        .until(6.0);
    assert!(lanes.contains("> create"), "{lanes}");
}
