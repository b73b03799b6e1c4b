//! The end of a conversation.

use dialog::{input::Ask, output::CloseReason};

use crate::scene::scene;

#[test]
fn a_draining_worker_lets_the_agent_finish_and_say_goodbye() {
    let lanes = scene()
        .says(0.0, 1.0, "What time is it?")
        .model_will_say("It is noon now, exactly.", 2.0)
        .asked(2.0, Ask::End(CloseReason::Drained))
        .model_will_say("Goodbye!", 0.6)
        .until(6.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "What time is it?"
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    2.00  asked: End(Drained)
    2.00  ear of ann: closed
    2.00                          > turns: model creates = false
    2.03                          < done r1 Completed
    2.03                          > create ask-1 "Say goodbye in one short, friendly sentence."
    2.09                          < created r2 for ask-1
    2.44                          < done r2 Completed
    3.52                                                  said a1 "It is noon now, exactly."
    3.53                                                  is heard: a2
    4.12                                                  said a2 "Goodbye!"
    4.12                                                  LISTENING
    4.13                                                  is silent
    4.42                                                  FINISHED Drained
    "#);
}

#[test]
fn a_draining_worker_does_not_speak_to_an_empty_room() {
    let lanes = scene()
        .leaves(1.0, "ann")
        .asked(2.0, Ask::End(CloseReason::Drained))
        .until(9.0);
    insta::assert_snapshot!(lanes, @r"
    1.00  ann leaves
    1.00  ear of ann: closed
    1.00                                                  IDLE
    2.00  asked: End(Drained)
    2.00                          > turns: model creates = false
    2.00                                                  FINISHED Drained
    ");
}

#[test]
fn a_goodbye_that_never_comes_is_not_waited_for_for_long() {
    let lanes = scene()
        .asked(1.0, Ask::End(CloseReason::Drained))
        .model_will_ignore()
        .until(25.0);
    insta::assert_snapshot!(lanes, @r#"
     1.00  asked: End(Drained)
     1.00  ear of ann: closed
     1.00                          > turns: model creates = false
     1.00                          > create ask-1 "Say goodbye in one short, friendly sentence."
     1.00                                                  THINKING
    16.00                                                  (ResponseLost { waited: 15s })
    16.00                                                  (TurnUnanswered)
    16.00                                                  LISTENING
    16.30                                                  FINISHED Drained
    "#);
}

#[test]
fn a_turn_that_ends_during_the_goodbye_is_not_answered() {
    let lanes = scene()
        .says(0.5, 1.2, "One more thing")
        .asked(1.0, Ask::End(CloseReason::Drained))
        .model_will_say("Goodbye!", 0.6)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.50  speaks u1
    1.00  asked: End(Drained)
    1.00  ear of ann: closed
    1.00                          > turns: model creates = false
    1.00                          > create ask-1 "Say goodbye in one short, friendly sentence."
    1.00                                                  THINKING
    1.06                          < created r1 for ask-1
    1.26                                                  is heard: a1
    1.26                                                  SPEAKING
    1.41                          < done r1 Completed
    1.50  turn u1
    1.50                                                  (TurnUnanswered)
    1.70  ann: "One more thing"
    1.85                                                  said a1 "Goodbye!"
    1.85                                                  LISTENING
    1.86                                                  is silent
    2.15                                                  FINISHED Drained
    "#);
}

#[test]
fn close_means_now_and_nothing_follows() {
    let lanes = scene()
        .says(0.0, 1.0, "What is the weather?")
        .model_will_call("Let me see about that.", &[("weather", "{}")])
        .tool("weather", 5.0, "sunny")
        .asked(2.0, Ask::Close(CloseReason::RoomDeleted))
        .asked(2.5, Ask::Close(CloseReason::Terminated))
        .types(3.0, "ann", "Hello?")
        .leaves(4.0, "ann")
        .until(12.0);
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
    2.00  asked: Close(RoomDeleted)
    2.00                                                  stop tool c1
    2.00                                                  flush all
    2.00                                                  said a1 "Let me" -- cut
    2.00                                                  FINISHED RoomDeleted
    2.50  asked: Close(Terminated)
    3.00  ann types "Hello?"
    4.00  ann leaves
    6.78                                                  tool c1 answers
    "#);
}

#[test]
fn a_conversation_that_may_cost_no_more_is_ended_with_a_goodbye() {
    let lanes = scene()
        .says(0.0, 1.0, "What time is it?")
        .model_will_say("It is noon now, exactly.", 2.0)
        .asked(2.0, Ask::End(CloseReason::BudgetSpent))
        .model_will_say("Goodbye!", 0.6)
        .until(6.0);
    assert!(
        lanes.contains("said a1 \"It is noon now, exactly.\""),
        "{lanes}"
    );
    assert!(lanes.contains("said a2 \"Goodbye!\""), "{lanes}");
    assert!(
        lanes.trim_end().ends_with("FINISHED BudgetSpent"),
        "{lanes}"
    );
}
