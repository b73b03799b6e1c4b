//! Answers that the model begins while it is in doubt whether somebody wants the floor.

use crate::{
    false_interruption::{STORY, a_story},
    scene::{scene, since},
};

#[test]
fn the_answer_to_company_is_never_heard() {
    let lanes = a_story()
        .says(4.0, 4.4, "Yeah.")
        .model_will_say("You are right about that", 2.0)
        .until(11.5);
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
    4.95                          < done r2 Cancelled
    4.95                          > delete a2
    9.92                                                  said a1 "Once upon a time there was a very long story about nothing"
    9.92                                                  LISTENING
    9.93                                                  is silent
    "#);
}

#[test]
fn the_answer_to_a_command_waits_only_for_the_words() {
    let lanes = a_story()
        .says(4.0, 4.4, "What is your name?")
        .model_will_say("My name is Robin", 1.0)
        .until(7.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.70  turn u2
    4.73                          < created r2
    4.90                                                  flush all but r2
    4.90                                                  resume
    4.90                                                  (turn of 0.70)
    4.90  ann: "What is your name?"
    4.90                                                  THINKING
    4.91                          > truncate a1 at 2.97
    4.91                                                  said a1 "Once upon a time" -- cut
    4.91                                                  (interrupted at 2.97, stopped after 0.01)
    4.93                                                  is heard: a2
    4.93                                                  (answered after 0.23)
    4.93                                                  SPEAKING
    5.18                          < done r2 Completed
    5.92                                                  said a2 "My name is Robin"
    5.92                                                  LISTENING
    5.93                                                  is silent
    "#);
}

#[test]
fn an_answer_does_not_begin_while_the_caller_goes_on() {
    let lanes = a_story()
        .says(4.0, 4.3, "Stop.")
        .model_will_say("Fine.", 0.5)
        .says(4.75, 6.0, "I have a question.")
        .model_will_say("Ask me.", 0.5)
        .until(8.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.60  turn u2
    4.63                          < created r2
    4.75  speaks u3
    4.80                                                  drop r2
    4.80                          > cancel r2
    4.80                                                  flush all
    4.80                                                  resume
    4.80                                                  (turn of 0.60)
    4.80                                                  (TurnContinued)
    4.80  ann: "Stop."
    4.81                          > truncate a1 at 2.97
    4.81                                                  said a1 "Once upon a time" -- cut
    4.81                                                  (interrupted at 2.97, stopped after 0.01)
    4.85                          < done r2 Cancelled
    4.85                          > delete a2
    6.30  turn u3
    6.30                                                  (turn of 1.55)
    6.30                                                  THINKING
    6.33                          < created r3
    6.50  ann: "I have a question."
    6.53                                                  is heard: a3
    6.53                                                  (answered after 0.23)
    6.53                                                  SPEAKING
    6.68                          < done r3 Completed
    7.02                                                  said a3 "Ask me."
    7.02                                                  LISTENING
    7.03                                                  is silent
    "#);
}

#[test]
fn the_question_after_company_is_answered_and_the_company_is_not() {
    let lanes = a_story()
        .speaks(4.0, 4.2)
        .transcript(5.4, "u2", "Mm-hm.")
        .model_will_say("You agree", 3.0)
        .speaks(4.9, 5.2)
        .transcript(6.0, "u3", "What does it cost?")
        .model_will_say("Ten.", 0.5)
        .until(8.5);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.50  turn u2
    4.53                          < created r2
    4.90  speaks u3
    5.48                          < done r2 Completed
    5.50  turn u3
    5.53                          < created r3
    5.53                          > delete a2
    5.53                                                  drop r2
    5.88                          < done r3 Completed
    6.00                                                  flush all but r3
    6.00                                                  resume
    6.00                                                  (turn of 0.50)
    6.00  ann: "Mm-hm."
    6.00                                                  (TurnContinued)
    6.00                                                  (turn of 0.60)
    6.00  ann: "What does it cost?"
    6.00                                                  is heard: a3
    6.00                                                  (answered after 0.50)
    6.00                                                  SPEAKING
    6.01                          > truncate a1 at 2.97
    6.01                                                  said a1 "Once upon a time" -- cut
    6.01                                                  (interrupted at 2.97, stopped after 0.01)
    6.49                                                  said a3 "Ten."
    6.49                                                  LISTENING
    6.50                                                  is silent
    "#);
}

#[test]
fn the_second_answer_replaces_the_first_that_was_held_to_its_end() {
    let lanes = a_story()
        .speaks(4.0, 4.2)
        .transcript(6.4, "u2", "Mm-hm.")
        .model_will_say("Good.", 0.2)
        .speaks(5.2, 5.5)
        .transcript(6.5, "u3", "What does it cost?")
        .model_will_say("Ten.", 0.5)
        .until(8.5);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.50  turn u2
    4.53                          < created r2
    4.78                          < done r2 Completed
    5.20  speaks u3
    5.80  turn u3
    5.83                          < created r3
    5.83                          > delete a2
    5.83                                                  drop r2
    6.18                          < done r3 Completed
    6.50                                                  flush all but r3
    6.50                                                  resume
    6.50                                                  (turn of 0.50)
    6.50  ann: "Mm-hm."
    6.50                                                  (TurnContinued)
    6.50                                                  (turn of 0.60)
    6.50  ann: "What does it cost?"
    6.50                                                  is heard: a3
    6.50                                                  (answered after 0.70)
    6.50                                                  SPEAKING
    6.51                          > truncate a1 at 2.97
    6.51                                                  said a1 "Once upon a time" -- cut
    6.51                                                  (interrupted at 2.97, stopped after 0.01)
    6.99                                                  said a3 "Ten."
    6.99                                                  LISTENING
    7.00                                                  is silent
    "#);
}

#[test]
fn who_speaks_since_before_the_agent_does_is_not_spoken_over() {
    let lanes = scene()
        .speaks(0.0, 0.5)
        .model_will_say(STORY, 8.0)
        .ear_hears("ann", 0.95, 3.5)
        .model_hears_speech(1.2, 3.5)
        .model_will_say("Fine.", 0.5)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    0.80  turn u1
    0.80                                                  (turn of 0.80)
    0.80                                                  THINKING
    0.83                          < created r1
    1.03                                                  is heard: a1
    1.03                                                  (answered after 0.23)
    1.03                                                  SPEAKING
    1.20  speaks u2
    1.20                                                  pause
    1.20                                                  LISTENING
    2.40                                                  flush r1
    2.40                          > cancel r1
    2.40                                                  resume
    2.41                          > truncate a1 at 0.17
    2.41                                                  (interrupted at 0.17, stopped after 0.01)
    2.45                          < done r1 Cancelled
    3.80  turn u2
    3.80                                                  (turn of 2.60)
    3.80                                                  THINKING
    3.83                          < created r2
    4.03                                                  is heard: a2
    4.03                                                  (answered after 0.23)
    4.03                                                  SPEAKING
    4.18                          < done r2 Completed
    4.52                                                  said a2 "Fine."
    4.52                                                  LISTENING
    4.53                                                  is silent
    "#);
}
