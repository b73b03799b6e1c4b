//! A tool that takes its time.

use crate::scene::scene;

#[test]
fn who_waits_for_a_tool_is_told_and_gets_the_answer_after_that() {
    let lanes = scene()
        .says(0.0, 1.0, "What is the weather?")
        .model_will_call("", &[("weather", "{}")])
        .tool("weather", 5.0, "sunny")
        .model_will_say("One moment.", 0.8)
        .model_will_say("It is sunny.", 1.0)
        .until(9.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "What is the weather?"
    1.53                          < call weather c1
    1.53                                                  run weather c1 {}
    1.53                          < done r1 Completed
    2.33                                                  (WorkTold { after: 800ms })
    2.33                          > create ask-1 "Say in a few words that you are at it and that it takes a moment. Nothing is known yet: promise nothing."
    2.39                          < created r2 for ask-1
    2.59                                                  is heard: a1
    2.59                                                  (answered after 1.29)
    2.59                                                  SPEAKING
    2.79                          < done r2 Completed
    3.38                                                  said a1 "One moment."
    3.38                                                  THINKING
    3.39                                                  is silent
    6.53                                                  tool c1 answers
    6.53                                                  (ToolAnswered { took: 5s })
    6.53                          > item output c1 "sunny"
    6.53                          > create ask-2
    6.59                          < created r3 for ask-2
    6.79                                                  is heard: a2
    6.79                                                  SPEAKING
    7.04                          < done r3 Completed
    7.78                                                  said a2 "It is sunny."
    7.78                                                  LISTENING
    7.79                                                  is silent
    "#);
}

#[test]
fn an_answer_that_comes_while_it_says_so_follows_at_once() {
    let lanes = scene()
        .says(0.0, 1.0, "What is the weather?")
        .model_will_call("", &[("weather", "{}")])
        .tool("weather", 1.2, "sunny")
        .model_will_say("One moment.", 0.8)
        .model_will_say("It is sunny.", 1.0)
        .until(7.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "What is the weather?"
    1.53                          < call weather c1
    1.53                                                  run weather c1 {}
    1.53                          < done r1 Completed
    2.33                                                  (WorkTold { after: 800ms })
    2.33                          > create ask-1 "Say in a few words that you are at it and that it takes a moment. Nothing is known yet: promise nothing."
    2.39                          < created r2 for ask-1
    2.59                                                  is heard: a1
    2.59                                                  (answered after 1.29)
    2.59                                                  SPEAKING
    2.73                                                  tool c1 answers
    2.73                                                  (ToolAnswered { took: 1.2s })
    2.73                          > item output c1 "sunny"
    2.79                          < done r2 Completed
    2.79                          > create ask-2
    2.85                          < created r3 for ask-2
    3.30                          < done r3 Completed
    3.38                                                  said a1 "One moment."
    3.39                                                  is heard: a2
    4.38                                                  said a2 "It is sunny."
    4.38                                                  LISTENING
    4.39                                                  is silent
    "#);
}

#[test]
fn who_speaks_while_a_tool_runs_is_not_told_that_it_does() {
    let lanes = scene()
        .says(0.0, 1.0, "What is the weather?")
        .model_will_call("", &[("weather", "{}")])
        .tool("weather", 4.0, "sunny")
        .says(2.0, 4.5, "I mean in Oslo.")
        .until(8.0);
    assert!(!lanes.contains("WorkTold"), "{lanes}");
}

#[test]
fn who_interrupts_calls_off_what_is_looked_up() {
    let lanes = scene()
        .says(0.0, 1.0, "What is the weather?")
        .model_will_call("", &[("weather", "{}")])
        .tool("weather", 8.0, "sunny")
        .model_will_say("One moment, it takes a while.", 3.0)
        .says(3.4, 4.6, "No, I mean the news.")
        .model_will_say("The news.", 1.0)
        .until(7.0);
    assert_eq!(lanes.matches("call off look-ups").count(), 1, "{lanes}");
    assert!(!lanes.contains("stop tool"), "what writes goes on: {lanes}");
}

#[test]
fn a_short_word_calls_off_what_is_looked_up_and_not_what_its_answer_looks_up() {
    let lanes = scene()
        .says(0.0, 1.0, "What is the weather?")
        .model_will_call("", &[("weather", "{}")])
        .tool("weather", 8.0, "sunny")
        .model_will_say("One moment, it takes a while.", 3.0)
        .says(3.4, 3.9, "No, the news.")
        .model_will_call("", &[("news", "{}")])
        .tool("news", 0.5, "none")
        .until(7.0);
    let called_off = lanes.find("call off look-ups");
    let called_off = called_off.expect("the look-up is called off");
    let news = lanes.find("run news").expect("the answer looks up its own");
    assert!(called_off < news, "{lanes}");
    assert_eq!(lanes.matches("call off look-ups").count(), 1, "{lanes}");
}

#[test]
fn who_speaks_while_nobody_does_waits_for_what_is_looked_up() {
    let lanes = scene()
        .says(0.0, 1.0, "What is the weather?")
        .model_will_call("", &[("weather", "{}")])
        .tool("weather", 8.0, "sunny")
        .model_will_say("One moment.", 0.8)
        .says(4.0, 5.0, "In Oslo, please.")
        .model_will_say("In Oslo.", 1.0)
        .model_will_say("It is sunny.", 1.0)
        .until(14.0);
    assert!(lanes.contains("tool c1 answers"), "{lanes}");
    assert!(!lanes.contains("call off look-ups"), "{lanes}");
}
