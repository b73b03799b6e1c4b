//! Answers that end before they are whole, and what follows them.

use std::time::Duration;

use dialog::model::{Event, ItemId, ResponseId, ResponseStatus};

use crate::scene::{Scene, scene, since};

fn response() -> ResponseId {
    ResponseId::new("x")
}

/// Ann asks; the answer begins at 1.5 s and sounds for a second.
fn an_answer_begins() -> Scene {
    let item = ItemId::new("xa");
    scene()
        .speaks(0.0, 1.0)
        .model_will_ignore()
        .model(
            1.4,
            Event::ResponseCreated {
                response: response(),
                tag: None,
            },
        )
        .model(
            1.5,
            Event::TranscriptDelta {
                response: response(),
                item: item.clone(),
                text: "It leaves at".to_owned(),
            },
        )
        .model(
            1.5,
            Event::AudioReceived {
                response: response(),
                item,
                duration: Duration::from_secs(1),
            },
        )
}

fn done(status: ResponseStatus) -> Event {
    Event::ResponseDone {
        response: response(),
        status,
        usage: None,
    }
}

fn failed() -> Event {
    let code = "server_error".to_owned();
    done(ResponseStatus::Failed { code })
}

#[test]
fn half_an_answer_is_followed_by_its_other_half() {
    let lanes = an_answer_begins()
        .model(1.6, failed())
        .model_will_say("Nine.", 0.5)
        .until(5.0);
    insta::assert_snapshot!(since(&lanes, 1.4), @r#"
    1.40                          < created x
    1.50                                                  is heard: xa
    1.50                                                  (answered after 0.20)
    1.50                                                  SPEAKING
    1.60                          < done x Failed { code: "server_error" }
    1.60                                                  (ResponseRetried { code: "server_error" })
    1.70                          > create ask-1
    1.76                          < created r1 for ask-1
    2.11                          < done r1 Completed
    2.49                                                  said xa "It leaves at"
    2.50                                                  is heard: a1
    2.99                                                  said a1 "Nine."
    2.99                                                  LISTENING
    3.00                                                  is silent
    "#);
}

#[test]
fn what_fails_again_and_again_is_given_up_and_people_are_not_left_in_silence() {
    let lanes = an_answer_begins()
        .model(1.6, failed())
        .model_will_fail("server_error")
        .model_will_fail("server_error")
        .until(8.0);
    insta::assert_snapshot!(since(&lanes, 1.4), @r#"
    1.40                          < created x
    1.50                                                  is heard: xa
    1.50                                                  (answered after 0.20)
    1.50                                                  SPEAKING
    1.60                          < done x Failed { code: "server_error" }
    1.60                                                  (ResponseRetried { code: "server_error" })
    1.70                          > create ask-1
    1.76                          < created r1 for ask-1
    1.96                          < done r1 Failed { code: "server_error" }
    1.96                                                  (ResponseRetried { code: "server_error" })
    2.49                                                  said xa "It leaves at"
    2.49                                                  THINKING
    2.96                          > create ask-2
    3.00                                                  (GapCovered)
    3.00                                                  clip OneMoment
    3.02                          < created r2 for ask-2
    3.22                          < done r2 Failed { code: "server_error" }
    3.22                                                  (TurnUnanswered)
    3.22                                                  LISTENING
    "#);
}

#[test]
fn an_answer_that_stops_coming_is_not_taken_for_a_voice_and_is_asked_for_again() {
    let lanes = an_answer_begins().model_will_say("Nine.", 0.5).until(20.0);
    insta::assert_snapshot!(since(&lanes, 1.4), @r#"
     1.40                          < created x
     1.50                                                  is heard: xa
     1.50                                                  (answered after 0.20)
     1.50                                                  SPEAKING
     2.69                                                  THINKING
    16.50                                                  (ResponseLost { waited: 15s })
    16.50                          > cancel x
    16.50                                                  (ResponseRetried { code: "timeout" })
    16.50                                                  said xa "It leaves at"
    16.53                          < error response_cancel_not_active
    16.53                                                  (OrderRefused { code: "response_cancel_not_active" })
    16.60                          > create ask-1
    16.66                          < created r1 for ask-1
    16.86                                                  is heard: a1
    16.86                                                  SPEAKING
    17.01                          < done r1 Completed
    17.35                                                  said a1 "Nine."
    17.35                                                  LISTENING
    17.36                                                  is silent
    "#);
}

#[test]
fn a_voice_that_goes_on_after_a_hole_is_a_voice_again() {
    let item = ItemId::new("xa");
    let more = Event::AudioReceived {
        response: response(),
        item: item.clone(),
        duration: Duration::from_secs(1),
    };
    let lanes = an_answer_begins()
        .model(4.0, more)
        .model(
            4.1,
            Event::AudioDone {
                response: response(),
                item,
            },
        )
        .model(4.1, done(ResponseStatus::Completed))
        .until(6.0);
    insta::assert_snapshot!(since(&lanes, 1.4), @r#"
    1.40                          < created x
    1.50                                                  is heard: xa
    1.50                                                  (answered after 0.20)
    1.50                                                  SPEAKING
    2.69                                                  THINKING
    4.09                                                  SPEAKING
    4.10                          < done x Completed
    4.99                                                  said xa "It leaves at"
    4.99                                                  LISTENING
    5.00                                                  is silent
    "#);
}

#[test]
fn what_a_filter_cut_off_is_left_at_that_once_people_heard_some_of_it() {
    let lanes = an_answer_begins()
        .model(
            1.6,
            Event::AudioDone {
                response: response(),
                item: ItemId::new("xa"),
            },
        )
        .model(1.6, done(ResponseStatus::Incomplete))
        .until(5.0);
    assert!(!lanes.contains("> create"), "{lanes}");
    assert!(lanes.trim_end().ends_with("is silent"), "{lanes}");
}

#[test]
fn what_was_cut_off_before_a_word_is_asked_for_again() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_ignore()
        .model(
            1.4,
            Event::ResponseCreated {
                response: response(),
                tag: None,
            },
        )
        .model(1.6, done(ResponseStatus::Incomplete))
        .model_will_say("Nine.", 0.5)
        .until(5.0);
    insta::assert_snapshot!(since(&lanes, 1.4), @r#"
    1.40                          < created x
    1.60                          < done x Incomplete
    1.60                                                  (ResponseRetried { code: "incomplete" })
    1.70                          > create ask-1
    1.76                          < created r1 for ask-1
    1.96                                                  is heard: a1
    1.96                                                  (answered after 0.66)
    1.96                                                  SPEAKING
    2.11                          < done r1 Completed
    2.45                                                  said a1 "Nine."
    2.45                                                  LISTENING
    2.46                                                  is silent
    "#);
}

#[test]
fn the_other_half_does_not_wait_for_a_tool_of_somebody_elses_question() {
    let lanes = scene()
        .says(0.0, 1.0, "What is the weather?")
        .model_will_call("", &[("weather", "{}")])
        .tool("weather", 30.0, "sunny")
        .model_will_say("One moment.", 0.8)
        .speaks(5.0, 6.0)
        .model_will_ignore()
        .model(
            6.4,
            Event::ResponseCreated {
                response: response(),
                tag: None,
            },
        )
        .model(
            6.5,
            Event::AudioReceived {
                response: response(),
                item: ItemId::new("xa"),
                duration: Duration::from_secs(1),
            },
        )
        .model(6.6, failed())
        .until(9.0);
    insta::assert_snapshot!(since(&lanes, 6.0), @r#"
    6.30                                                  THINKING
    6.30  turn u2
    6.30                                                  (turn of 1.30)
    6.40                          < created x
    6.50                                                  is heard: xa
    6.50                                                  (answered after 0.20)
    6.50                                                  SPEAKING
    6.60                          < done x Failed { code: "server_error" }
    6.60                                                  (ResponseRetried { code: "server_error" })
    6.70                          > create ask-2
    6.76                          < created r3 for ask-2
    7.06                          < done r3 Completed
    7.50                                                  is heard: a2
    7.89                                                  said a2 "Well."
    7.89                                                  THINKING
    7.90                                                  is silent
    "#);
}
