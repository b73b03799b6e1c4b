//! Somebody types.

use dialog::input::Ask;

use crate::scene::{empty_scene, scene};

#[test]
fn a_typed_line_is_answered() {
    let lanes = scene()
        .types(1.0, "ann", "What time is it?")
        .model_will_say("Noon.", 0.5)
        .until(3.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00  ann types "What time is it?"
    1.00                          > item user "What time is it?"
    1.00                          > create ask-1
    1.00                                                  THINKING
    1.06                          < created r1 for ask-1
    1.26                                                  is heard: a1
    1.26                                                  SPEAKING
    1.41                          < done r1 Completed
    1.75                                                  said a1 "Noon."
    1.75                                                  LISTENING
    1.76                                                  is silent
    "#);
}

#[test]
fn a_typed_line_stops_the_agent_and_waits_for_the_end_of_its_response() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_say(
            "Once upon a time there was a very long story about nothing",
            20.0,
        )
        .types(3.0, "ann", "Shorter, please")
        .model_will_say("The end.", 0.6)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    3.00  ann types "Shorter, please"
    3.00                                                  flush r1
    3.00                          > cancel r1
    3.00                          > item user "Shorter, please"
    3.00                                                  THINKING
    3.01                          > truncate a1 at 1.47
    3.01                                                  said a1 "Once upon a" -- cut
    3.01                                                  (interrupted at 1.47, stopped after 0.01)
    3.05                          < done r1 Cancelled
    3.05                          > create ask-1
    3.11                          < created r2 for ask-1
    3.31                                                  is heard: a2
    3.31                                                  SPEAKING
    3.46                          < done r2 Completed
    3.90                                                  said a2 "The end."
    3.90                                                  LISTENING
    3.91                                                  is silent
    "#);
}

#[test]
fn a_line_typed_while_somebody_speaks_is_answered_with_that_turn() {
    let lanes = scene()
        .says(1.0, 3.0, "What does this mean?")
        .types(2.0, "ann", "LIFO")
        .model_will_say("Last in, first out.", 1.0)
        .until(5.5);
    insta::assert_snapshot!(lanes, @r#"
    1.00  speaks u1
    2.00  ann types "LIFO"
    2.00                          > item user "LIFO"
    3.30                                                  THINKING
    3.30  turn u1
    3.30                                                  (turn of 2.30)
    3.33                          < created r1
    3.50  ann: "What does this mean?"
    3.53                                                  is heard: a1
    3.53                                                  (answered after 0.23)
    3.53                                                  SPEAKING
    3.78                          < done r1 Completed
    4.52                                                  said a1 "Last in, first out."
    4.52                                                  LISTENING
    4.53                                                  is silent
    "#);
}

#[test]
fn a_line_typed_while_the_model_is_away_is_answered_when_it_is_back() {
    let lanes = scene()
        .link_down(1.0)
        .types(2.0, "ann", "Hello?")
        .link_up(3.0)
        .model_will_say("Hello.", 0.5)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    1.00                          link down
    1.00                                                  INITIALIZING
    2.00  ann types "Hello?"
    2.70                                                  (GapCovered)
    2.70                                                  clip OneMoment
    3.00                          link up
    3.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    3.00                          > item user "Hello?"
    3.00                                                  (Replayed { items: 2, away: 2s })
    3.00                          > create ask-1
    3.00                          > turns: model creates = true
    3.00                                                  THINKING
    3.06                          < created r1 for ask-1
    3.26                                                  is heard: a1
    3.26                                                  stop clip
    3.26                                                  SPEAKING
    3.41                          < done r1 Completed
    3.75                                                  said 2-a1 "Hello."
    3.75                                                  LISTENING
    3.76                                                  is silent
    "#);
}

#[test]
fn guests_may_type_and_strangers_may_not() {
    let lanes = scene()
        .joins(0.5, "bob")
        .agent_joins(0.5, "robot")
        .types(1.0, "robot", "Hello colleague")
        .types(1.1, "nobody", "Boo")
        .types(1.2, "ann", "  ")
        .types(2.0, "bob", "Hello")
        .model_will_say("Hello Bob.", 0.6)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.50  bob joins
    0.50  ear of bob: open
    0.50                          > turns: model creates = false
    0.50  robot joins
    1.00  robot types "Hello colleague"
    1.00                                                  (Unexpected { what: "chat of a stranger" })
    1.10  nobody types "Boo"
    1.10                                                  (Unexpected { what: "chat of a stranger" })
    1.20  ann types "  "
    2.00  bob types "Hello"
    2.00                          > item user "\"bob\" (guest) types: Hello"
    2.00                          > create ask-1
    2.00                                                  THINKING
    2.06                          < created r1 for ask-1
    2.26                                                  is heard: a1
    2.26                                                  SPEAKING
    2.41                          < done r1 Completed
    2.85                                                  said a1 "Hello Bob."
    2.85                                                  LISTENING
    2.86                                                  is silent
    "#);
}

#[test]
fn the_world_may_ask_the_agent_to_say_something() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_say("It is noon now.", 1.5)
        .asked(1.5, Ask::Say("Mention the weather.".to_owned()))
        .model_will_say("It is sunny, too.", 1.0)
        .until(5.5);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  asked: Say("Mention the weather.")
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.93                          < done r1 Completed
    1.93                          > create ask-1 "Mention the weather."
    1.99                          < created r2 for ask-1
    2.44                          < done r2 Completed
    3.02                                                  said a1 "It is noon now."
    3.03                                                  is heard: a2
    4.02                                                  said a2 "It is sunny, too."
    4.02                                                  LISTENING
    4.03                                                  is silent
    "#);
}

#[test]
fn however_much_is_typed_before_the_model_is_there_it_is_told_in_few_orders() {
    let silent_model = empty_scene(Default::default())
        .joins(0.0, "ann")
        .room_ready(0.0);
    let typing = (0..60).fold(silent_model, |scene, n| {
        scene.types(0.1 + f64::from(n) / 10.0, "ann", &format!("Line {n}"))
    });
    let lanes = typing.link_up(7.0).until(7.02);
    let told = lanes.matches("> item").count();
    assert!((2..=16).contains(&told), "{told} items: {lanes}");
    assert!(lanes.contains("> item user \"Line 59\""), "{lanes}");
}

#[test]
fn of_two_lines_typed_in_quick_succession_the_second_is_answered_too() {
    for hundredths in 0..120 {
        let later = 1.0 + f64::from(hundredths) / 100.0;
        let lanes = scene()
            .tool("order_pizza", 0.1, "ordered")
            .types(1.0, "ann", "Yes, please")
            .model_will_say("You agreed.", 0.5)
            .types(later, "ann", "And now order")
            .model_will_call("", &[("order_pizza", "{}")])
            .model_will_say("It is ordered.", 0.6)
            .until(6.0);
        let told = lanes.rfind("> item user").expect("the model is told");
        assert!(
            lanes[told..].contains("answers") && lanes[told..].contains("It is ordered."),
            "typed at {later}:\n{lanes}"
        );
    }
}
