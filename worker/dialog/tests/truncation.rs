//! The model's memory is cut to what people heard.

use std::time::Duration;

use dialog::{
    Input,
    input::{Heard, Playout},
    model::{Event, ItemId, ResponseId},
};

use crate::scene::scene;

#[test]
fn only_the_item_that_was_cut_is_truncated() {
    // The first item is heard whole, the second is cut, nobody hears the third.
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_say_items(&[("One moment.", 1.0), ("It is noon now", 2.0), ("Bye.", 1.0)])
        .speaks(3.5, 5.0)
        .until(4.75);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    2.53                          < done r1 Completed
    2.53                                                  said a1 "One moment."
    2.53                                                  is heard: a2
    3.50                                                  pause
    3.50                                                  LISTENING
    3.50  speaks u2
    4.70                                                  flush all
    4.70                                                  resume
    4.71                          > truncate a2 at 0.97
    4.71                          > delete a3
    4.71                                                  said a2 "It is" -- cut
    4.71                                                  (interrupted at 0.97, stopped after 0.01)
    "#);
}

#[test]
fn what_was_heard_whole_is_left_alone() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_say("It is noon.", 1.0)
        .speaks(3.0, 3.5)
        .until(3.6);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.78                          < done r1 Completed
    2.52                                                  said a1 "It is noon."
    2.52                                                  LISTENING
    2.53                                                  is silent
    3.00  speaks u2
    "#);
}

#[test]
fn heard_is_floored_to_milliseconds_and_never_exceeds_what_was_received() {
    let lanes = scene()
        .fact(0.0, created("x"))
        .fact(0.1, audio("x", "long", 1000.0))
        .types(0.5, "ann", "Stop")
        .fact(0.5, flushed(&[("x", "long", 777.9)]))
        .fact(1.0, done("x"))
        .fact(1.2, created("y"))
        .fact(1.3, audio("y", "short", 300.0))
        .types(1.7, "ann", "Stop again")
        .fact(1.7, flushed(&[("y", "short", 385.0)]))
        .loudspeaker_is_silent()
        .until(1.8);
    insta::assert_snapshot!(lanes, @r#"
    0.00                          < created x
    0.00                                                  THINKING
    0.10                                                  is heard: long
    0.10                                                  SPEAKING
    0.50  ann types "Stop"
    0.50                                                  flush x
    0.50                          > cancel x
    0.50                          > item user "Stop"
    0.50                                                  THINKING
    0.50                          > truncate long at 0.78
    0.50                                                  (interrupted at 0.78, stopped after 0.00)
    0.53                          < error response_cancel_not_active
    0.53                                                  (OrderRefused { code: "response_cancel_not_active" })
    1.20                          < created y
    1.20                                                  (Unexpected { what: "response without end" })
    1.30                                                  is heard: short
    1.30                                                  SPEAKING
    1.70  ann types "Stop again"
    1.70                                                  flush y
    1.70                          > cancel y
    1.70                          > item user "Stop again"
    1.70                                                  THINKING
    1.70                          > truncate short at 0.30
    1.70                                                  (interrupted at 0.30, stopped after 0.00)
    1.73                          < error response_cancel_not_active
    1.73                                                  (OrderRefused { code: "response_cancel_not_active" })
    "#);
}

#[test]
fn a_sound_that_is_heard_before_it_is_said_to_have_arrived_counts() {
    // Sound takes a shorter road than facts.
    let lanes = scene()
        .fact(0.0, created("x"))
        .fact(0.1, started("x", "early"))
        .fact(0.11, audio("x", "early", 1000.0))
        .types(0.5, "ann", "Stop")
        .fact(0.5, flushed(&[("x", "early", 400.0)]))
        .loudspeaker_is_silent()
        .until(0.52);
    insta::assert_snapshot!(lanes, @r#"
    0.00                          < created x
    0.00                                                  THINKING
    0.10                                                  is heard: early
    0.11                                                  SPEAKING
    0.11                                                  is heard: early
    0.50  ann types "Stop"
    0.50                                                  flush x
    0.50                          > cancel x
    0.50                          > item user "Stop"
    0.50                                                  THINKING
    0.50                          > truncate early at 0.40
    0.50                                                  (interrupted at 0.40, stopped after 0.00)
    "#);
}

fn created(response: &str) -> Input {
    Input::Model(Event::ResponseCreated {
        response: ResponseId::new(response),
        tag: None,
    })
}

fn done(response: &str) -> Input {
    let status = dialog::model::ResponseStatus::Cancelled;
    let response = ResponseId::new(response);
    Input::Model(Event::ResponseDone {
        response,
        status,
        usage: None,
    })
}

fn audio(response: &str, item: &str, millis: f64) -> Input {
    Input::Model(Event::AudioReceived {
        response: ResponseId::new(response),
        item: ItemId::new(item),
        duration: Duration::from_secs_f64(millis / 1000.0),
    })
}

fn started(response: &str, item: &str) -> Input {
    let (response, item) = (ResponseId::new(response), ItemId::new(item));
    Input::Playout(Playout::Started { response, item })
}

fn flushed(cut: &[(&str, &str, f64)]) -> Input {
    let cut = cut.iter().map(|(response, item, millis)| Heard {
        response: ResponseId::new(*response),
        item: ItemId::new(*item),
        heard: Duration::from_secs_f64(millis / 1000.0),
    });
    Input::Playout(Playout::Flushed { cut: cut.collect() })
}
