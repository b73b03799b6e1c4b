//! A user turn ends: who answers it, and what happens when nobody does.

use dialog::{
    Config,
    model::{Capabilities, Event},
};

use crate::scene::{empty_scene, scene};

fn greeting() -> Config {
    Config {
        greeting: Some("Greet.".to_owned()),
        ..Config::default()
    }
}

#[test]
fn the_greeting_is_asked_for_as_soon_as_caller_and_model_are_there() {
    let lanes = empty_scene(greeting())
        .link_up(0.1)
        .joins(0.3, "ann")
        .room_ready(0.5)
        .model_will_say("Hello, I am here.", 1.0)
        .showing_text()
        .until(3.0);
    insta::assert_snapshot!(lanes, @r#"
    0.10                          link up
    0.10                                                  INITIALIZING
    0.30  ann joins
    0.30  ear of ann: open
    0.30                          > create ask-1 "Greet."
    0.36                          < created r1 for ask-1
    0.50  room ready
    0.50                                                  THINKING
    0.56                                                  is heard: a1
    0.56                                                  (greeted after 0.26)
    0.56                                                  SPEAKING
    0.81                          < done r1 Completed
    0.95                                                  text "Hello,"
    1.05                                                  text " I"
    1.25                                                  text " am"
    1.55                                                  text " here."
    1.55                                                  said a1 "Hello, I am here."
    1.55                                                  LISTENING
    1.56                                                  is silent
    "#);
}

#[test]
fn who_speaks_before_the_greeting_is_heard_is_not_greeted() {
    let lanes = empty_scene(greeting())
        .joins(0.0, "ann")
        .link_up(0.0)
        .says(0.1, 0.5, "Anybody there?")
        .room_ready(0.2)
        .model_will_say("Hello, I am here.", 1.0)
        .model_will_say("Yes, I am.", 0.8)
        .until(3.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00                          link up
    0.00                          > create ask-1 "Greet."
    0.06                          < created r1 for ask-1
    0.10  speaks u1
    0.10                                                  flush r1
    0.10                          > cancel r1
    0.11                                                  (interrupted at 0.00, stopped after 0.01)
    0.15                          < done r1 Cancelled
    0.20  room ready
    0.20                                                  LISTENING
    0.80  turn u1
    0.80                                                  (turn of 0.70)
    0.80                                                  THINKING
    0.83                          < created r2
    1.00  ann: "Anybody there?"
    1.03                                                  is heard: a2
    1.03                                                  (answered after 0.23)
    1.03                                                  SPEAKING
    1.23                          < done r2 Completed
    1.82                                                  said a2 "Yes, I am."
    1.82                                                  LISTENING
    1.83                                                  is silent
    "#);
}

#[test]
fn the_model_answers_a_turn_by_itself() {
    let lanes = scene()
        .says(1.0, 2.0, "What time is it?")
        .model_will_say("Noon.", 0.6)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                                                  THINKING
    2.33                          < created r1
    2.50  ann: "What time is it?"
    2.53                                                  is heard: a1
    2.53                                                  (answered after 0.23)
    2.53                                                  SPEAKING
    2.68                          < done r1 Completed
    3.12                                                  said a1 "Noon."
    3.12                                                  LISTENING
    3.13                                                  is silent
    "#);
}

#[test]
fn a_turn_without_response_is_answered_on_our_request() {
    let lanes = scene()
        .says(1.0, 2.0, "Hm?")
        .model_will_ignore()
        .model_will_say("Sorry.", 0.6)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                                                  THINKING
    2.50  ann: "Hm?"
    3.00                                                  (TurnAsked { waited: 700ms })
    3.00                          > create ask-1
    3.06                          < created r1 for ask-1
    3.26                                                  is heard: a1
    3.26                                                  (answered after 0.96)
    3.26                                                  SPEAKING
    3.41                          < done r1 Completed
    3.85                                                  said a1 "Sorry."
    3.85                                                  LISTENING
    3.86                                                  is silent
    "#);
}

#[test]
fn a_model_that_creates_no_responses_is_asked_at_once() {
    let only_detects = Capabilities {
        creates_responses: false,
        ..Capabilities::all()
    };
    let lanes = empty_scene(Config::default())
        .joins(0.0, "ann")
        .room_ready(0.0)
        .link_up_with(0.0, only_detects)
        .says(1.0, 2.0, "Hello?")
        .until(3.5);
    insta::assert_snapshot!(lanes, @r#"
    0.00  ann joins
    0.00  ear of ann: open
    0.00                                                  INITIALIZING
    0.00  room ready
    0.00                          link up
    0.00                                                  LISTENING
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                          > create ask-1
    2.30                                                  THINKING
    2.36                          < created r1 for ask-1
    2.50  ann: "Hello?"
    2.56                                                  is heard: a1
    2.56                                                  (answered after 0.26)
    2.56                                                  SPEAKING
    2.66                          < done r1 Completed
    2.95                                                  said a1 "Well."
    2.95                                                  LISTENING
    2.96                                                  is silent
    "#);
}

#[test]
fn who_goes_on_speaking_gets_one_answer() {
    let lanes = scene()
        .says(1.0, 2.0, "I would like")
        .says(2.32, 3.0, "to order a pizza")
        .model_will_say("What would you like?", 1.0)
        .model_will_say("Which pizza?", 0.8)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                                                  THINKING
    2.32  speaks u2
    2.32                                                  (TurnContinued)
    2.32                                                  LISTENING
    2.33                          < created r1
    2.33                                                  drop r1
    2.33                          > cancel r1
    2.38                          < done r1 Cancelled
    2.50  ann: "I would like"
    3.30  turn u2
    3.30                                                  (turn of 0.98)
    3.30                                                  THINKING
    3.33                          < created r2
    3.50  ann: "to order a pizza"
    3.53                                                  is heard: a2
    3.53                                                  (answered after 0.23)
    3.53                                                  SPEAKING
    3.73                          < done r2 Completed
    4.32                                                  said a2 "Which pizza?"
    4.32                                                  LISTENING
    4.33                                                  is silent
    "#);
}

#[test]
fn a_response_that_is_paced_is_asked_for_after_a_pause() {
    let lanes = scene()
        .says(1.0, 2.0, "Hello?")
        .model_will_fail("rate_limit_exceeded")
        .model_will_say("Here I am.", 0.8)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                                                  THINKING
    2.33                          < created r1
    2.50  ann: "Hello?"
    2.53                          < done r1 Failed { code: "rate_limit_exceeded" }
    2.53                                                  (ResponseRetried { code: "rate_limit_exceeded" })
    3.23                                                  (GapCovered)
    3.23                                                  clip OneMoment
    3.53                          > create ask-1
    3.59                          < created r2 for ask-1
    3.79                                                  is heard: a1
    3.79                                                  stop clip
    3.79                                                  (answered after 1.49)
    3.79                                                  SPEAKING
    3.99                          < done r2 Completed
    4.58                                                  said a1 "Here I am."
    4.58                                                  LISTENING
    4.59                                                  is silent
    "#);
}

#[test]
fn a_failed_response_is_asked_for_again_at_once() {
    let lanes = scene()
        .says(1.0, 2.0, "Hello?")
        .model_will_fail("server_error")
        .model_will_say("Here I am.", 0.8)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                                                  THINKING
    2.33                          < created r1
    2.50  ann: "Hello?"
    2.53                          < done r1 Failed { code: "server_error" }
    2.53                                                  (ResponseRetried { code: "server_error" })
    2.63                          > create ask-1
    2.69                          < created r2 for ask-1
    2.89                                                  is heard: a1
    2.89                                                  (answered after 0.59)
    2.89                                                  SPEAKING
    3.09                          < done r2 Completed
    3.68                                                  said a1 "Here I am."
    3.68                                                  LISTENING
    3.69                                                  is silent
    "#);
}

#[test]
fn after_the_third_failure_the_agent_listens() {
    let lanes = scene()
        .says(1.0, 2.0, "Hello?")
        .model_will_fail("server_error")
        .model_will_fail("server_error")
        .model_will_fail("server_error")
        .until(6.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                                                  THINKING
    2.33                          < created r1
    2.50  ann: "Hello?"
    2.53                          < done r1 Failed { code: "server_error" }
    2.53                                                  (ResponseRetried { code: "server_error" })
    2.63                          > create ask-1
    2.69                          < created r2 for ask-1
    2.89                          < done r2 Failed { code: "server_error" }
    2.89                                                  (ResponseRetried { code: "server_error" })
    3.23                                                  (GapCovered)
    3.23                                                  clip OneMoment
    3.89                          > create ask-2
    3.95                          < created r3 for ask-2
    4.15                          < done r3 Failed { code: "server_error" }
    4.15                                                  (TurnUnanswered)
    4.15                                                  LISTENING
    "#);
}

#[test]
fn our_request_that_crosses_the_models_own_response_is_not_repeated() {
    // The model creates its response just as the grace runs out.
    let lanes = scene()
        .says(1.0, 2.0, "Hello?")
        .model_will_ignore()
        .model(
            3.01,
            Event::ResponseCreated {
                response: resp("late"),
                tag: None,
            },
        )
        .model_will_ignore()
        .model(
            3.04,
            refused("conversation_already_has_active_response", "ask-1"),
        )
        .model(3.5, done("late"))
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                                                  THINKING
    2.50  ann: "Hello?"
    3.00                                                  (TurnAsked { waited: 700ms })
    3.00                          > create ask-1
    3.01                          < created late
    3.04                          < error conversation_already_has_active_response
    3.04                                                  (OrderRefused { code: "conversation_already_has_active_response" })
    3.50                          < done late Completed
    3.50                                                  LISTENING
    "#);
}

#[test]
fn a_response_that_never_comes_is_given_up_and_asked_for_again() {
    let lanes = scene()
        .says(1.0, 2.0, "Hello?")
        .model_will_ignore()
        .model_will_ignore()
        .model_will_say("Here I am.", 0.8)
        .until(22.0);
    insta::assert_snapshot!(lanes, @r#"
     1.00  speaks u1
     2.30  turn u1
     2.30                                                  (turn of 1.30)
     2.30                                                  THINKING
     2.50  ann: "Hello?"
     3.00                                                  (TurnAsked { waited: 700ms })
     3.00                          > create ask-1
    18.00                                                  (ResponseLost { waited: 15s })
    18.00                                                  (ResponseRetried { code: "timeout" })
    18.10                          > create ask-2
    18.16                          < created r1 for ask-2
    18.36                                                  is heard: a1
    18.36                                                  (answered after 16.06)
    18.36                                                  SPEAKING
    18.56                          < done r1 Completed
    19.15                                                  said a1 "Here I am."
    19.15                                                  LISTENING
    19.16                                                  is silent
    "#);
}

fn resp(id: &str) -> dialog::model::ResponseId {
    dialog::model::ResponseId::new(id)
}

fn done(id: &str) -> Event {
    let status = dialog::model::ResponseStatus::Completed;
    Event::ResponseDone {
        response: resp(id),
        status,
        usage: None,
    }
}

fn refused(code: &str, tag: &str) -> Event {
    Event::Error {
        code: code.to_owned(),
        tag: Some(dialog::model::Tag::new(tag)),
    }
}
