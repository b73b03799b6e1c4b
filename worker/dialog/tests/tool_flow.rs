//! Calls, their outputs, and the one continuation.

use dialog::{
    input::AfterTool,
    model::{CallId, Event, ItemId, ResponseId},
};

use crate::scene::scene;

#[test]
fn a_call_is_run_answered_and_carried_on_with() {
    let lanes = scene()
        .says(0.0, 1.0, "What is the weather?")
        .model_will_call("Let me see.", &[("weather", "{}")])
        .tool("weather", 0.8, "sunny")
        .model_will_say("It is sunny.", 1.0)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "What is the weather?"
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.78                          < call weather c1
    1.78                                                  run weather c1 {}
    1.78                          < done r1 Completed
    2.52                                                  said a1 "Let me see."
    2.52                                                  THINKING
    2.53                                                  is silent
    2.58                                                  tool c1 answers
    2.58                                                  (ToolAnswered { took: 800ms })
    2.58                          > item output c1 "sunny"
    2.58                          > create ask-1
    2.64                          < created r2 for ask-1
    2.84                                                  is heard: a2
    2.84                                                  SPEAKING
    3.09                          < done r2 Completed
    3.83                                                  said a2 "It is sunny."
    3.83                                                  LISTENING
    3.84                                                  is silent
    "#);
}

#[test]
fn several_calls_have_one_continuation_after_the_slowest() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_call("", &[("weather", "{}"), ("news", "{}")])
        .tool("weather", 0.2, "sunny")
        .tool("news", 0.7, "none")
        .model_will_say("Sunny, no news.", 1.0)
        .until(4.5);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                          < call weather c1
    1.53                                                  run weather c1 {}
    1.53                          < call news c2
    1.53                                                  run news c2 {}
    1.53                          < done r1 Completed
    1.73                                                  tool c1 answers
    1.73                                                  (ToolAnswered { took: 200ms })
    1.73                          > item output c1 "sunny"
    2.23                                                  tool c2 answers
    2.23                                                  (ToolAnswered { took: 700ms })
    2.23                          > item output c2 "none"
    2.23                          > create ask-1
    2.29                          < created r2 for ask-1
    2.49                                                  is heard: a1
    2.49                                                  (answered after 1.19)
    2.49                                                  SPEAKING
    2.74                          < done r2 Completed
    3.48                                                  said a1 "Sunny, no news."
    3.48                                                  LISTENING
    3.49                                                  is silent
    "#);
}

#[test]
fn an_output_that_arrives_while_the_user_speaks_is_answered_with_that_turn() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_call("", &[("weather", "{}")])
        .tool("weather", 1.0, "sunny")
        .says(2.0, 3.0, "In Rome, I mean.")
        .model_will_say("Sunny in Rome.", 1.0)
        .until(5.5);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                          < call weather c1
    1.53                                                  run weather c1 {}
    1.53                          < done r1 Completed
    2.00  speaks u2
    2.00                                                  LISTENING
    2.53                                                  tool c1 answers
    2.53                                                  (ToolAnswered { took: 1s })
    2.53                          > item output c1 "sunny"
    3.30                                                  THINKING
    3.30  turn u2
    3.30                                                  (turn of 1.30)
    3.33                          < created r2
    3.50  ann: "In Rome, I mean."
    3.53                                                  is heard: a1
    3.53                                                  (answered after 0.23)
    3.53                                                  SPEAKING
    3.78                          < done r2 Completed
    4.52                                                  said a1 "Sunny in Rome."
    4.52                                                  LISTENING
    4.53                                                  is silent
    "#);
}

#[test]
fn an_output_that_arrives_during_another_answer_waits_for_its_end() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_call("", &[("weather", "{}")])
        .tool("weather", 1.6, "sunny")
        .says(1.7, 2.5, "Still there?")
        .model_will_say("Yes, still looking for it.", 3.0)
        .model_will_say("It is sunny.", 1.0)
        .until(8.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                          < call weather c1
    1.53                                                  run weather c1 {}
    1.53                          < done r1 Completed
    1.70  speaks u2
    1.70                                                  LISTENING
    2.80                                                  THINKING
    2.80  turn u2
    2.80                                                  (turn of 1.10)
    2.83                          < created r2
    3.00  ann: "Still there?"
    3.03                                                  is heard: a1
    3.03                                                  (answered after 0.23)
    3.03                                                  SPEAKING
    3.13                                                  tool c1 answers
    3.13                                                  (ToolAnswered { took: 1.6s })
    3.13                          > item output c1 "sunny"
    3.78                          < done r2 Completed
    3.78                          > create ask-1
    3.84                          < created r3 for ask-1
    4.29                          < done r3 Completed
    6.02                                                  said a1 "Yes, still looking for it."
    6.03                                                  is heard: a2
    7.02                                                  said a2 "It is sunny."
    7.02                                                  LISTENING
    7.03                                                  is silent
    "#);
}

#[test]
fn a_call_of_a_stopped_response_is_not_run() {
    let (response, item, call) = (ResponseId::new("r1"), ItemId::new("f9"), CallId::new("c9"));
    let (name, arguments) = ("order_pizza".to_owned(), "{}".to_owned());
    let late = Event::FunctionCall {
        response,
        item,
        call,
        name,
        arguments,
    };
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_say("I will order your pizza now, one moment please", 6.0)
        .types(2.5, "ann", "Wait")
        .model(2.51, late)
        .until(3.2);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    2.50  ann types "Wait"
    2.50                                                  flush r1
    2.50                          > cancel r1
    2.50                          > item user "Wait"
    2.50                                                  THINKING
    2.51                          < call order_pizza c9
    2.51                                                  (CallDropped { why: "interrupted" })
    2.51                          > truncate a1 at 0.97
    2.51                                                  said a1 "I will" -- cut
    2.51                                                  (interrupted at 0.97, stopped after 0.01)
    2.55                          < done r1 Cancelled
    2.55                          > create ask-1
    2.61                          < created r2 for ask-1
    2.81                                                  is heard: a2
    2.81                                                  SPEAKING
    2.91                          < done r2 Completed
    3.20                                                  said a2 "Well."
    3.20                                                  LISTENING
    "#);
}

#[test]
fn arguments_cut_off_by_a_limit_are_not_run() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_ignore()
        .model(
            1.5,
            Event::ResponseCreated {
                response: ResponseId::new("x"),
                tag: None,
            },
        )
        .model(1.6, call("x", r#"{"size": "la"#))
        .model(1.7, done("x", dialog::model::ResponseStatus::Incomplete))
        .until(3.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.50                          < created x
    1.60                          < call order_pizza c1
    1.70                          < done x Incomplete
    1.70                                                  (CallDropped { why: "incomplete" })
    1.70                                                  (ResponseRetried { code: "incomplete" })
    1.80                          > create ask-1
    1.86                          < created r1 for ask-1
    2.06                                                  is heard: a1
    2.06                                                  (answered after 0.76)
    2.06                                                  SPEAKING
    2.16                          < done r1 Completed
    2.45                                                  said a1 "Well."
    2.45                                                  LISTENING
    2.46                                                  is silent
    "#);
}

#[test]
fn broken_arguments_of_a_whole_response_are_run_so_that_the_model_learns_why_not() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_call("", &[("order_pizza", "{\"size\":")])
        .tool("order_pizza", 0.0, "refused: the arguments are no JSON")
        .model_will_say("Which size?", 0.6)
        .until(3.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                          < call order_pizza c1
    1.53                          < done r1 Completed
    1.53                                                  run order_pizza c1 {"size":
    1.53                                                  tool c1 answers
    1.53                                                  (ToolAnswered { took: 0ns })
    1.53                          > item output c1 "refused: the arguments are no JSON"
    1.53                          > create ask-1
    1.59                          < created r2 for ask-1
    1.79                                                  is heard: a1
    1.79                                                  (answered after 0.49)
    1.79                                                  SPEAKING
    1.94                          < done r2 Completed
    2.38                                                  said a1 "Which size?"
    2.38                                                  LISTENING
    2.39                                                  is silent
    "#);
}

#[test]
fn a_goodbye_is_played_to_its_end_before_the_conversation_ends() {
    let lanes = scene()
        .says(0.0, 1.0, "That is all, thanks.")
        .model_will_call("Goodbye then!", &[("end_call", "{}")])
        .tool_then("end_call", 0.0, "ok", AfterTool::EndConversation)
        .speaks(2.0, 2.4)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "That is all, thanks."
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.78                          < call end_call c1
    1.78                                                  run end_call c1 {}
    1.78                          < done r1 Completed
    1.78                                                  tool c1 answers
    1.78                                                  (ToolAnswered { took: 0ns })
    1.78                          > item output c1 "ok"
    1.78  ear of ann: closed
    1.78                          > turns: model creates = false
    2.00  speaks u2
    2.52                                                  said a1 "Goodbye then!"
    2.52                                                  LISTENING
    2.53                                                  is silent
    2.70  turn u2
    2.70                                                  (TurnUnanswered)
    2.82                                                  FINISHED AgentEnded
    "#);
}

#[test]
fn who_hangs_up_without_a_word_is_asked_for_one() {
    let lanes = scene()
        .says(0.0, 1.0, "That is all, thanks.")
        .model_will_call("", &[("end_call", "{}")])
        .tool_then("end_call", 0.0, "ok", AfterTool::EndConversation)
        .model_will_say("Goodbye!", 0.8)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "That is all, thanks."
    1.53                          < call end_call c1
    1.53                                                  run end_call c1 {}
    1.53                          < done r1 Completed
    1.53                                                  tool c1 answers
    1.53                                                  (ToolAnswered { took: 0ns })
    1.53                          > item output c1 "ok"
    1.53  ear of ann: closed
    1.53                          > turns: model creates = false
    1.53                          > create ask-1 "Say goodbye in one short, friendly sentence."
    1.59                          < created r2 for ask-1
    1.79                                                  is heard: a1
    1.79                                                  (answered after 0.49)
    1.79                                                  SPEAKING
    1.99                          < done r2 Completed
    2.58                                                  said a1 "Goodbye!"
    2.58                                                  LISTENING
    2.59                                                  is silent
    2.88                                                  FINISHED AgentEnded
    "#);
}

#[test]
fn who_speaks_up_while_the_agent_hangs_up_is_heard() {
    let lanes = scene()
        .says(0.0, 1.0, "That is all, thanks.")
        .model_will_call("Goodbye then!", &[("end_call", "{}")])
        .tool_then("end_call", 0.5, "ok", AfterTool::EndConversation)
        .says(1.9, 2.4, "Wait!")
        .model_will_say("Yes?", 0.4)
        .until(4.5);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "That is all, thanks."
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.78                          < call end_call c1
    1.78                                                  run end_call c1 {}
    1.78                          < done r1 Completed
    1.90                                                  pause
    1.90                                                  LISTENING
    1.90  speaks u2
    2.28                                                  tool c1 answers
    2.28                                                  (ToolAnswered { took: 500ms })
    2.28                          > item output c1 "ok"
    2.70  turn u2
    2.73                          < created r2
    2.90                                                  flush all but r2
    2.90                                                  resume
    2.90                                                  (turn of 0.80)
    2.90  ann: "Wait!"
    2.90                                                  THINKING
    2.91                          > truncate a1 at 0.37
    2.91                                                  (interrupted at 0.37, stopped after 0.01)
    2.93                                                  is heard: a2
    2.93                                                  (answered after 0.23)
    2.93                                                  SPEAKING
    3.03                          < done r2 Completed
    3.32                                                  said a2 "Yes?"
    3.32                                                  LISTENING
    3.33                                                  is silent
    "#);
}

#[test]
fn a_call_that_is_sent_twice_runs_once() {
    let lanes = scene()
        .model(
            0.5,
            Event::ResponseCreated {
                response: ResponseId::new("x"),
                tag: None,
            },
        )
        .model(0.6, call("x", "{}"))
        .model(0.6, call("x", "{}"))
        .tool("order_pizza", 0.1, "done")
        .model(1.0, done("x", dialog::model::ResponseStatus::Completed))
        .until(1.0);
    insta::assert_snapshot!(lanes, @r#"
    0.50                          < created x
    0.50                                                  THINKING
    0.60                          < call order_pizza c1
    0.60                                                  run order_pizza c1 {}
    0.60                          < call order_pizza c1
    0.60                                                  (CallDropped { why: "repeated" })
    0.70                                                  tool c1 answers
    0.70                                                  (ToolAnswered { took: 100ms })
    0.70                          > item output c1 "done"
    1.00                          < done x Completed
    1.00                          > create ask-1
    "#);
}

fn call(response: &str, arguments: &str) -> Event {
    Event::FunctionCall {
        response: ResponseId::new(response),
        item: ItemId::new("f1"),
        call: CallId::new("c1"),
        name: "order_pizza".to_owned(),
        arguments: arguments.to_owned(),
    }
}

fn done(response: &str, status: dialog::model::ResponseStatus) -> Event {
    Event::ResponseDone {
        response: ResponseId::new(response),
        status,
        usage: None,
    }
}
