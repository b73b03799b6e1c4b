//! Tools and goodbyes while it is in doubt whether somebody wants the floor.

use dialog::{
    input::{AfterTool, Ask},
    output::CloseReason,
};

use crate::{false_interruption::a_story, scene::since};

#[test]
fn a_tool_is_not_run_for_company() {
    let lanes = a_story()
        .says(4.0, 4.4, "Okay.")
        .model_will_call("", &[("book", "{}")])
        .tool("book", 0.1, "booked")
        .until(6.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.70  turn u2
    4.73                          < created r2
    4.90                                                  drop r2
    4.90                          > cancel r2
    4.90                          > delete u2
    4.90                                                  resume
    4.90                                                  (no interruption, paused 0.90)
    4.90                                                  SPEAKING
    4.93                          < call book c1
    4.93                                                  (CallDropped { why: "interrupted" })
    4.93                          < done r2 Completed
    4.93                          < error response_cancel_not_active
    4.93                                                  (OrderRefused { code: "response_cancel_not_active" })
    "#);
}

#[test]
fn a_tool_waits_for_the_words() {
    let lanes = a_story()
        .says(4.0, 4.4, "Book it.")
        .model_will_call("", &[("book", "{}")])
        .tool("book", 0.1, "booked")
        .model_will_say("Done.", 0.5)
        .until(6.5);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.70  turn u2
    4.73                          < created r2
    4.90                                                  flush all but r2
    4.90                                                  resume
    4.90                                                  (turn of 0.70)
    4.90  ann: "Book it."
    4.90                                                  THINKING
    4.91                          > truncate a1 at 2.97
    4.91                                                  said a1 "Once upon a time" -- cut
    4.91                                                  (interrupted at 2.97, stopped after 0.01)
    4.93                          < call book c1
    4.93                                                  run book c1 {}
    4.93                          < done r2 Completed
    5.03                                                  tool c1 answers
    5.03                                                  (ToolAnswered { took: 100ms })
    5.03                          > item output c1 "booked"
    5.03                          > create ask-1
    5.09                          < created r3 for ask-1
    5.29                                                  is heard: a2
    5.29                                                  (answered after 0.59)
    5.29                                                  SPEAKING
    5.44                          < done r3 Completed
    5.78                                                  said a2 "Done."
    5.78                                                  LISTENING
    5.79                                                  is silent
    "#);
}

#[test]
fn a_goodbye_does_not_wait_for_the_doubt() {
    let lanes = a_story()
        .makes_noise(4.0, 4.6)
        .asked(4.3, Ask::End(CloseReason::Drained))
        .model_will_say("Goodbye.", 0.5)
        .until(12.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
     4.00                                                  pause
     4.00                                                  LISTENING
     4.30  asked: End(Drained)
     4.30                                                  resume
     4.30                                                  (no interruption, paused 0.30)
     4.30  ear of ann: closed
     4.30                          > turns: model creates = false
     4.30                          > create ask-1 "Say goodbye in one short, friendly sentence."
     4.30                                                  SPEAKING
     4.36                          < created r2 for ask-1
     4.71                          < done r2 Completed
     9.32                                                  said a1 "Once upon a time there was a very long story about nothing"
     9.33                                                  is heard: a2
     9.82                                                  said a2 "Goodbye."
     9.82                                                  LISTENING
     9.83                                                  is silent
    10.12                                                  FINISHED Drained
    "#);
}

/// The model calls a tool at once; the words come a second later.
fn a_call_before_the_words(text: &str, then: AfterTool) -> String {
    a_story()
        .speaks(4.0, 4.4)
        .transcript(5.7, "u2", text)
        .model_will_call("", &[("book", "{}")])
        .tool_then("book", 0.1, "booked", then)
        .model_will_say("Done.", 0.5)
        .until(7.5)
}

#[test]
fn a_call_that_comes_before_the_words_waits_for_them() {
    let lanes = a_call_before_the_words("Okay.", AfterTool::Continue);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.70  turn u2
    4.73                          < created r2
    4.93                          < call book c1
    4.93                          < done r2 Completed
    5.70                                                  drop r2
    5.70                                                  (CallDropped { why: "incomplete" })
    5.70                          > delete u2
    5.70                                                  resume
    5.70                                                  (no interruption, paused 1.70)
    5.70                                                  SPEAKING
    "#);
}

#[test]
fn a_call_that_comes_before_the_words_runs_with_them() {
    let lanes = a_call_before_the_words("Book it.", AfterTool::Continue);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.70  turn u2
    4.73                          < created r2
    4.93                          < call book c1
    4.93                          < done r2 Completed
    5.70                                                  flush all but r2
    5.70                                                  resume
    5.70                                                  (turn of 0.70)
    5.70                                                  run book c1 {}
    5.70  ann: "Book it."
    5.70                                                  THINKING
    5.71                          > truncate a1 at 2.97
    5.71                                                  said a1 "Once upon a time" -- cut
    5.71                                                  (interrupted at 2.97, stopped after 0.01)
    5.80                                                  tool c1 answers
    5.80                                                  (ToolAnswered { took: 100ms })
    5.80                          > item output c1 "booked"
    5.80                          > create ask-1
    5.86                          < created r3 for ask-1
    6.06                                                  is heard: a2
    6.06                                                  (answered after 1.36)
    6.06                                                  SPEAKING
    6.21                          < done r3 Completed
    6.55                                                  said a2 "Done."
    6.55                                                  LISTENING
    6.56                                                  is silent
    "#);
}

#[test]
fn a_goodbye_said_into_the_agents_words_ends_the_call() {
    let lanes = a_call_before_the_words("Goodbye!", AfterTool::EndConversation);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.70  turn u2
    4.73                          < created r2
    4.93                          < call book c1
    4.93                          < done r2 Completed
    5.70                                                  flush all but r2
    5.70                                                  resume
    5.70                                                  (turn of 0.70)
    5.70                                                  run book c1 {}
    5.70  ann: "Goodbye!"
    5.70                                                  THINKING
    5.71                          > truncate a1 at 2.97
    5.71                                                  said a1 "Once upon a time" -- cut
    5.71                                                  (interrupted at 2.97, stopped after 0.01)
    5.80                                                  tool c1 answers
    5.80                                                  (ToolAnswered { took: 100ms })
    5.80                          > item output c1 "booked"
    5.80  ear of ann: closed
    5.80                          > turns: model creates = false
    5.80                          > create ask-1 "Say goodbye in one short, friendly sentence."
    5.86                          < created r3 for ask-1
    6.06                                                  is heard: a2
    6.06                                                  (answered after 1.36)
    6.06                                                  SPEAKING
    6.21                          < done r3 Completed
    6.55                                                  said a2 "Done."
    6.55                                                  LISTENING
    6.56                                                  is silent
    6.85                                                  FINISHED AgentEnded
    "#);
}
