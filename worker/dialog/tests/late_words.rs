//! Words that come when it has been decided that nobody wants the floor.

use dialog::{input::Ask, output::CloseReason};

use crate::{false_interruption::a_story, scene::since};

#[test]
fn words_that_come_too_late_are_answered_all_the_same() {
    let lanes = a_story()
        .speaks(4.0, 4.4)
        .model_will_say("I did not get that", 1.0)
        .transcript(6.5, "u2", "Stop.")
        .model_will_say("Fine.", 0.5)
        .until(8.5);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.00                                                  pause
    4.00                                                  LISTENING
    4.00  speaks u2
    4.70  turn u2
    4.73                          < created r2
    5.18                          < done r2 Completed
    5.90                          > delete a2
    5.90                                                  drop r2
    5.90                                                  resume
    5.90                                                  (no interruption, paused 1.90)
    5.90                                                  SPEAKING
    6.50                                                  flush all
    6.50  ann: "Stop."
    6.50                                                  THINKING
    6.51                          > truncate a1 at 3.56
    6.51                                                  said a1 "Once upon a time there" -- cut
    6.51                                                  (interrupted at 3.56, stopped after 0.01)
    6.51                          > create ask-1
    6.57                          < created r3 for ask-1
    6.77                                                  is heard: a3
    6.77                                                  SPEAKING
    6.92                          < done r3 Completed
    7.26                                                  said a3 "Fine."
    7.26                                                  LISTENING
    7.27                                                  is silent
    "#);
}

#[test]
fn late_words_do_not_cut_the_goodbye() {
    let lanes = a_story()
        .speaks(4.0, 4.4)
        .asked(4.9, Ask::End(CloseReason::Drained))
        .model_will_say("I see", 1.0)
        .model_will_say("Goodbye.", 0.5)
        .transcript(5.5, "u2", "Wait.")
        .until(13.0);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
     4.00                                                  pause
     4.00                                                  LISTENING
     4.00  speaks u2
     4.70  turn u2
     4.73                          < created r2
     4.90  asked: End(Drained)
     4.90                                                  drop r2
     4.90                          > cancel r2
     4.90                                                  resume
     4.90                                                  (no interruption, paused 0.90)
     4.90  ear of ann: closed
     4.90                          > turns: model creates = false
     4.90                                                  SPEAKING
     4.95                          < done r2 Cancelled
     4.95                          > delete a2
     4.95                          > create ask-1 "Say goodbye in one short, friendly sentence."
     5.01                          < created r3 for ask-1
     5.36                          < done r3 Completed
     9.92                                                  said a1 "Once upon a time there was a very long story about nothing"
     9.93                                                  is heard: a3
    10.42                                                  said a3 "Goodbye."
    10.42                                                  LISTENING
    10.43                                                  is silent
    10.72                                                  FINISHED Drained
    "#);
}

#[test]
fn words_of_a_turn_that_semantic_detection_ends_late_still_stop_the_agent() {
    let lanes = a_story()
        .model_hears_speech(2.0, 6.0)
        .transcript(6.5, "u2", "Stop, I mean it.")
        .model_will_say("Fine.", 0.5)
        .until(8.0);
    insta::assert_snapshot!(since(&lanes, 2.0), @r#"
    2.00  speaks u2
    2.00                                                  pause
    2.00                                                  LISTENING
    3.03                          < done r1 Completed
    3.50                                                  resume
    3.50                                                  (no interruption, paused 1.50)
    3.50                                                  SPEAKING
    6.30  turn u2
    6.30                                                  (turn of 4.30)
    6.33                          < created r2
    6.50                                                  flush all but r2
    6.50  ann: "Stop, I mean it."
    6.50                                                  THINKING
    6.51                          > truncate a1 at 3.96
    6.51                                                  said a1 "Once upon a time there was a" -- cut
    6.51                                                  (interrupted at 3.96, stopped after 0.01)
    6.53                                                  is heard: a2
    6.53                                                  (answered after 0.23)
    6.53                                                  SPEAKING
    6.68                          < done r2 Completed
    7.02                                                  said a2 "Fine."
    7.02                                                  LISTENING
    7.03                                                  is silent
    "#);
}
