//! Calls that the provider runs by itself: asked for, approved or denied, and ended once.

use dialog::input::AfterTool;

use crate::scene::scene;

#[test]
fn a_call_that_is_approved_is_run_there_and_carried_on_with() {
    let lanes = scene()
        .says(0.0, 1.0, "Who am I?")
        .model_will_call("Let me see.", &[("crm-find", "{}")])
        .tool("crm-find", 0.8, "Ann")
        .model_will_say("You are Ann.", 1.0)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "Who am I?"
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.78                          < may I call crm-find c1
    1.78                                                  run crm-find c1 {}
    1.78                          < done r1 Completed
    1.79                                                  tool c1 is approved
    1.79                          > item approves c1
    2.52                                                  said a1 "Let me see."
    2.52                                                  THINKING
    2.53                                                  is silent
    2.62                          < ran c1
    2.62                                                  tool c1 ended: Answered(..)
    2.63                                                  tool c1 answers
    2.63                                                  (ToolAnswered { took: 850ms })
    2.63                          > create ask-1
    2.69                          < created r2 for ask-1
    2.89                                                  is heard: a2
    2.89                                                  SPEAKING
    3.14                          < done r2 Completed
    3.88                                                  said a2 "You are Ann."
    3.88                                                  LISTENING
    3.89                                                  is silent
    "#);
}

#[test]
fn a_call_that_is_denied_is_told_why() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_call("", &[("crm-rename", "{}")])
        .denied("crm-rename", 0.1, "Not run: ask first.")
        .model_will_say("May I?", 1.0)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                          < may I call crm-rename c1
    1.53                                                  run crm-rename c1 {}
    1.53                          < done r1 Completed
    1.63                                                  tool c1 answers
    1.63                                                  (ToolAnswered { took: 100ms })
    1.63                          > item denies c1 "Not run: ask first."
    1.63                          > create ask-1
    1.69                          < created r2 for ask-1
    1.89                                                  is heard: a1
    1.89                                                  (answered after 0.59)
    1.89                                                  SPEAKING
    2.14                          < done r2 Completed
    2.88                                                  said a1 "May I?"
    2.88                                                  LISTENING
    2.89                                                  is silent
    "#);
}

#[test]
fn what_runs_there_when_the_link_is_lost_has_an_end_that_nobody_knows() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_call("", &[("crm-rename", "{}")])
        .tool("crm-rename", 2.0, "done")
        .link_down(2.0)
        .link_up(2.5)
        .model_will_say("Sorry, say that again?", 1.0)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                          < may I call crm-rename c1
    1.53                                                  run crm-rename c1 {}
    1.53                          < done r1 Completed
    1.54                                                  tool c1 is approved
    1.54                          > item approves c1
    2.00                          link down
    2.00                                                  tool c1 ended: Lost
    2.00                                                  INITIALIZING
    2.01                                                  tool c1 answers
    2.01                                                  (ToolAnswered { took: 480ms })
    2.50                          link up
    2.50                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    2.50                          > item system "The person said something here that you began to answer. Its words are not known."
    2.50                          > item system "A tool answered. crm-rename: Lost"
    2.50                                                  (Replayed { items: 3, away: 500ms })
    2.50                          > create ask-1
    2.50                          > turns: model creates = true
    2.50                                                  THINKING
    2.56                          < created r2 for ask-1
    2.70                                                  (GapCovered)
    2.70                                                  clip OneMoment
    2.76                                                  is heard: a1
    2.76                                                  stop clip
    2.76                                                  (answered after 1.46)
    2.76                                                  SPEAKING
    3.01                          < done r2 Completed
    3.75                                                  said 2-a1 "Sorry, say that again?"
    3.75                                                  LISTENING
    3.76                                                  is silent
    "#);
}

#[test]
fn what_the_link_took_with_it_is_never_approved() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_call("", &[("crm-rename", "{}")])
        .tool("crm-rename", 2.0, "done")
        .link_down(1.54)
        .link_up(2.5)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                          < may I call crm-rename c1
    1.53                                                  run crm-rename c1 {}
    1.53                          < done r1 Completed
    1.54                          link down
    1.54                                                  INITIALIZING
    1.54                                                  tool c1 is approved
    1.54                                                  tool c1 ended: Unsent
    1.55                                                  tool c1 answers
    1.55                                                  (ToolAnswered { took: 20ms })
    2.24                                                  (GapCovered)
    2.24                                                  clip OneMoment
    2.50                          link up
    2.50                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    2.50                          > item system "The person said something here that you began to answer. Its words are not known."
    2.50                          > item system "A tool answered. crm-rename: Unsent"
    2.50                                                  (Replayed { items: 3, away: 960ms })
    2.50                          > create ask-1
    2.50                          > turns: model creates = true
    2.50                                                  THINKING
    2.56                          < created r2 for ask-1
    2.76                                                  is heard: a1
    2.76                                                  stop clip
    2.76                                                  (answered after 1.46)
    2.76                                                  SPEAKING
    2.86                          < done r2 Completed
    3.15                                                  said 2-a1 "Well."
    3.15                                                  LISTENING
    3.16                                                  is silent
    "#);
}

#[test]
fn a_call_that_takes_too_long_is_told_of_and_its_late_end_is_not_spoken() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_call("", &[("crm-find", "{}")])
        .tool("crm-find", 2.0, "Ann")
        .tool_ends("c1", 2.2, "No answer within 1 second.")
        .model_will_say("It takes too long.", 1.0)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                          < may I call crm-find c1
    1.53                                                  run crm-find c1 {}
    1.53                          < done r1 Completed
    1.54                                                  tool c1 is approved
    1.54                          > item approves c1
    2.20                                                  tool c1 answers
    2.20                                                  (ToolAnswered { took: 670ms })
    2.20                          > item system "A tool answered. crm-find: No answer within 1 second."
    2.20                          > create ask-1
    2.26                          < created r2 for ask-1
    2.46                                                  is heard: a1
    2.46                                                  (answered after 1.16)
    2.46                                                  SPEAKING
    2.71                          < done r2 Completed
    3.45                                                  said a1 "It takes too long."
    3.45                                                  LISTENING
    3.46                                                  is silent
    3.57                          < ran c1
    3.57                                                  tool c1 ended: Answered(..)
    3.58                                                  tool c1 answers
    3.58                                                  (Unexpected { what: "answer of an unknown call" })
    "#);
}

#[test]
fn who_hangs_up_waits_for_what_the_provider_is_doing() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_call("Goodbye.", &[("crm-rename", "{}"), ("end_call", "{}")])
        .tool("crm-rename", 3.0, "done")
        .tool_then("end_call", 0.1, "bye", AfterTool::EndConversation)
        .until(6.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.78                          < may I call crm-rename c1
    1.78                                                  run crm-rename c1 {}
    1.78                          < call end_call c2
    1.78                                                  run end_call c2 {}
    1.78                          < done r1 Completed
    1.79                                                  tool c1 is approved
    1.79                          > item approves c1
    1.88                                                  tool c2 answers
    1.88                                                  (ToolAnswered { took: 100ms })
    1.88                          > item output c2 "bye"
    1.88  ear of ann: closed
    1.88                          > turns: model creates = false
    2.52                                                  said a1 "Goodbye."
    2.52                                                  THINKING
    2.53                                                  is silent
    4.82                          < ran c1
    4.82                                                  tool c1 ended: Answered(..)
    4.83                                                  tool c1 answers
    4.83                                                  (ToolAnswered { took: 3.05s })
    4.83                                                  LISTENING
    5.12                                                  FINISHED AgentEnded
    "#);
}
