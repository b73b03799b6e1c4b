//! An agent that asks the model whether a turn is meant for it.

use dialog::{
    Config,
    config::Answers,
    model::{Event, Tag},
};

use crate::scene::{Scene, empty_scene, since};

/// Ann and Bob, and an agent that asks the model whom they mean.
fn judged(names: &[&str]) -> Scene {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    empty_scene(Config {
        answers: Answers::Asked(names),
        ..Config::default()
    })
    .joins(0.0, "ann")
    .joins(0.0, "bob")
    .room_ready(0.0)
    .link_up(0.0)
}

#[test]
fn what_the_model_takes_for_meant_is_answered_and_the_rest_left_alone() {
    let lanes = judged(&[])
        .says(1.0, 2.0, "Shall we take the red one?")
        .model_will_think("No.", 0.4)
        .person_says("bob", 4.0, 5.0, "Which is cheaper?")
        .model_will_think("Yes.", 0.4)
        .model_will_say("The red one.", 1.0)
        .until(8.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                          > consult weigh-1 about u1
    2.30                          > item system "The last message was spoken by \"ann\" (caller)."
    2.30                                                  THINKING
    2.50  ann: "Shall we take the red one?"
    2.73                          < weigh-1: Some("No.")
    2.73                                                  (Consulted { usage: None })
    2.73                                                  (VerdictAwaited { waited: 430ms, is_meant: false })
    2.73                                                  (TurnUnanswered)
    2.73                                                  LISTENING
    4.00  speaks u2
    5.30  turn u2
    5.30                                                  (turn of 1.30)
    5.30                          > consult weigh-2 about user "\"ann\" (caller): Shall we take the red one?", u2
    5.30                          > item system "The last message was spoken by \"bob\" (guest)."
    5.30                                                  THINKING
    5.50  bob: "Which is cheaper?"
    5.73                          < weigh-2: Some("Yes.")
    5.73                                                  (Consulted { usage: None })
    5.73                                                  (VerdictAwaited { waited: 430ms, is_meant: true })
    5.73                          > create ask-1
    5.79                          < created r1 for ask-1
    5.99                                                  is heard: a1
    5.99                                                  (answered after 0.69)
    5.99                                                  SPEAKING
    6.24                          < done r1 Completed
    6.98                                                  said a1 "The red one."
    6.98                                                  LISTENING
    6.99                                                  is silent
    "#);
}

#[test]
fn a_name_spares_the_wait_for_the_model() {
    let lanes = judged(&["Robin"])
        .says(1.0, 2.0, "Robin, what is the time?")
        .model_will_think("No.", 0.5)
        .model_will_say("Noon.", 0.5)
        .until(4.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                          > consult weigh-1 about u1
    2.30                          > item system "The last message was spoken by \"ann\" (caller)."
    2.30                                                  THINKING
    2.50                                                  (NameAwaited { waited: 200ms, is_named: true })
    2.50  ann: "Robin, what is the time?"
    2.50                          > create ask-1
    2.56                          < created r1 for ask-1
    2.76                                                  is heard: a1
    2.76                                                  (answered after 0.46)
    2.76                                                  SPEAKING
    2.83                          < weigh-1: Some("No.")
    2.83                                                  (Consulted { usage: None })
    2.91                          < done r1 Completed
    3.25                                                  said a1 "Noon."
    3.25                                                  LISTENING
    3.26                                                  is silent
    "#);
}

#[test]
fn a_turn_without_a_name_waits_for_the_model_longer_than_for_its_words() {
    let lanes = judged(&["Robin"])
        .says(1.0, 2.0, "And the time?")
        .model_will_think("yes", 0.9)
        .model_will_say("Noon.", 0.5)
        .until(4.5);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                          > consult weigh-1 about u1
    2.30                          > item system "The last message was spoken by \"ann\" (caller)."
    2.30                                                  THINKING
    2.50                                                  (NameAwaited { waited: 200ms, is_named: false })
    2.50  ann: "And the time?"
    3.23                          < weigh-1: Some("yes")
    3.23                                                  (Consulted { usage: None })
    3.23                                                  (VerdictAwaited { waited: 930ms, is_meant: true })
    3.23                          > create ask-1
    3.29                          < created r1 for ask-1
    3.49                                                  is heard: a1
    3.49                                                  (answered after 1.19)
    3.49                                                  SPEAKING
    3.64                          < done r1 Completed
    3.98                                                  said a1 "Noon."
    3.98                                                  LISTENING
    3.99                                                  is silent
    "#);
}

#[test]
fn an_opinion_that_comes_late_counts_still() {
    let lanes = judged(&[])
        .says(1.0, 2.0, "What is the time?")
        .model_will_think("Yes", 2.0)
        .model_will_say("Noon.", 0.5)
        .until(6.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                          > consult weigh-1 about u1
    2.30                          > item system "The last message was spoken by \"ann\" (caller)."
    2.30                                                  THINKING
    2.50  ann: "What is the time?"
    3.80                                                  (VerdictAwaited { waited: 1.5s, is_meant: false })
    3.80                                                  (TurnUnanswered)
    3.80                                                  LISTENING
    4.33                          < weigh-1: Some("Yes")
    4.33                                                  (Consulted { usage: None })
    4.33                                                  (VerdictAwaited { waited: 2.03s, is_meant: true })
    4.33                          > create ask-1
    4.33                                                  THINKING
    4.39                          < created r1 for ask-1
    4.59                                                  is heard: a1
    4.59                                                  (answered after 2.29)
    4.59                                                  SPEAKING
    4.74                          < done r1 Completed
    5.08                                                  said a1 "Noon."
    5.08                                                  LISTENING
    5.09                                                  is silent
    "#);
}

#[test]
fn what_is_said_on_and_on_is_asked_about_once_it_is_whole() {
    let lanes = judged(&[])
        .says(1.0, 1.5, "I wonder")
        .says(2.1, 3.0, "what the time is.")
        .model_will_think("No.", 0.6)
        .model_will_think("Yes.", 0.3)
        .model_will_say("Noon.", 0.5)
        .until(5.5);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    1.80  turn u1
    1.80                                                  (turn of 0.80)
    1.80                          > consult weigh-1 about u1
    1.80                          > item system "The last message was spoken by \"ann\" (caller)."
    1.80                                                  THINKING
    2.00  ann: "I wonder"
    2.10  speaks u2
    2.10                                                  (TurnContinued)
    2.10                                                  LISTENING
    2.43                          < weigh-1: Some("No.")
    2.43                                                  (Consulted { usage: None })
    2.43                                                  (VerdictAwaited { waited: 630ms, is_meant: false })
    2.43                                                  (TurnUnanswered)
    3.30  turn u2
    3.30                                                  (turn of 1.20)
    3.30                          > consult weigh-2 about user "\"ann\" (caller): I wonder", u2
    3.30                          > item system "The last message was spoken by \"ann\" (caller)."
    3.30                                                  THINKING
    3.50  ann: "what the time is."
    3.63                          < weigh-2: Some("Yes.")
    3.63                                                  (Consulted { usage: None })
    3.63                                                  (VerdictAwaited { waited: 330ms, is_meant: true })
    3.63                          > create ask-1
    3.69                          < created r1 for ask-1
    3.89                                                  is heard: a1
    3.89                                                  (answered after 0.59)
    3.89                                                  SPEAKING
    4.04                          < done r1 Completed
    4.38                                                  said a1 "Noon."
    4.38                                                  LISTENING
    4.39                                                  is silent
    "#);
}

#[test]
fn a_typed_line_is_weighed_too() {
    let lanes = judged(&["Robin"])
        .types(1.0, "ann", "Lunch, Bob?")
        .model_will_think("No.", 0.3)
        .types(3.0, "bob", "robin: which is cheaper")
        .model_will_say("The red one.", 1.0)
        .types(6.0, "ann", "and nicer?")
        .model_will_think("Yes.", 0.3)
        .model_will_say("The blue one.", 1.0)
        .until(8.5);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  ann types "Lunch, Bob?"
    1.00                          > item user "\"ann\" (caller) types: Lunch, Bob?"
    1.00                          > consult weigh-1 about user "\"ann\" (caller) types: Lunch, Bob?"
    1.33                          < weigh-1: Some("No.")
    1.33                                                  (Consulted { usage: None })
    1.33                                                  (VerdictAwaited { waited: 330ms, is_meant: false })
    1.33                                                  (TurnUnanswered)
    3.00  bob types "robin: which is cheaper"
    3.00                          > item user "\"bob\" (guest) types: robin: which is cheaper"
    3.00                          > create ask-1
    3.00                                                  THINKING
    3.06                          < created r1 for ask-1
    3.26                                                  is heard: a1
    3.26                                                  SPEAKING
    3.51                          < done r1 Completed
    4.25                                                  said a1 "The red one."
    4.25                                                  LISTENING
    4.26                                                  is silent
    6.00  ann types "and nicer?"
    6.00                          > item user "\"ann\" (caller) types: and nicer?"
    6.00                          > consult weigh-2 about user "\"ann\" (caller) types: Lunch, Bob?", user "\"bob\" (guest) types: robin: which is cheaper", agent "The red one.", user "\"ann\" (caller) types: and nicer?"
    6.33                          < weigh-2: Some("Yes.")
    6.33                                                  (Consulted { usage: None })
    6.33                                                  (VerdictAwaited { waited: 330ms, is_meant: true })
    6.33                          > create ask-2
    6.33                                                  THINKING
    6.39                          < created r2 for ask-2
    6.59                                                  is heard: a2
    6.59                                                  SPEAKING
    6.84                          < done r2 Completed
    7.58                                                  said a2 "The blue one."
    7.58                                                  LISTENING
    7.59                                                  is silent
    "#);
}

#[test]
fn a_model_that_will_not_be_asked_leaves_people_alone() {
    let refused = Event::Error {
        code: "invalid_value".to_owned(),
        tag: Some(Tag::new("weigh-1")),
    };
    let lanes = judged(&[])
        .says(1.0, 2.0, "What is the time?")
        .model(2.4, refused)
        .until(4.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                          > consult weigh-1 about u1
    2.30                          > item system "The last message was spoken by \"ann\" (caller)."
    2.30                                                  THINKING
    2.40                          < error invalid_value
    2.40                                                  (OrderRefused { code: "invalid_value" })
    2.40                                                  (VerdictAwaited { waited: 100ms, is_meant: false })
    2.40                                                  (TurnUnanswered)
    2.40                                                  LISTENING
    2.50  ann: "What is the time?"
    "#);
}

#[test]
fn a_link_that_breaks_while_the_model_is_asked_leaves_nothing_open() {
    let lanes = judged(&[])
        .says(1.0, 2.0, "What is the time?")
        .model_will_think("Yes.", 0.5)
        .link_down(2.6)
        .link_up(3.0)
        .until(5.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                          > consult weigh-1 about u1
    2.30                          > item system "The last message was spoken by \"ann\" (caller)."
    2.30                                                  THINKING
    2.50  ann: "What is the time?"
    2.60                          link down
    2.60                                                  (TurnUnanswered)
    2.60                                                  INITIALIZING
    2.83                          < weigh-1: Some("Yes.")
    2.83                                                  (Unexpected { what: "event without connection" })
    3.00                          link up
    3.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    3.00                          > item user "\"ann\" (caller): What is the time?"
    3.00                                                  (Replayed { items: 2, away: 400ms })
    3.00                          > turns: model creates = false
    3.00                                                  LISTENING
    "#);
}
