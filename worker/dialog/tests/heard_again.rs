//! The link to the model is lost, and with it a turn that nobody knows in words.

use crate::scene::{scene, since};

#[test]
fn a_question_nobody_knows_in_words_is_heard_again() {
    let lanes = scene()
        .speaks(3.0, 4.0)
        .model_will_ignore()
        .link_down(4.6)
        .link_up(6.0)
        .model_hears_speech(6.1, 6.4)
        .transcript(6.9, "u2", "Where is it?")
        .until(8.0);
    insta::assert_snapshot!(lanes, @r#"
    3.00  speaks u1
    4.30  turn u1
    4.30                                                  (turn of 1.30)
    4.30                                                  THINKING
    4.60                          link down
    4.60                                                  (TurnContinued)
    4.60                                                  INITIALIZING
    5.30                                                  (GapCovered)
    5.30                                                  clip OneMoment
    6.00                          link up
    6.00                                                  (Replayed { items: 0, away: 1.4s })
    6.00                                                  (HeardAgain { turns: 1 })
    6.00                          > hear again u1
    6.00                          > turns: model creates = true
    6.00                                                  THINKING
    6.10  speaks u2
    6.10                                                  LISTENING
    6.70  turn u2
    6.70                                                  (turn of 0.60)
    6.70                                                  THINKING
    6.73                          < created r1
    6.90  ann: "Where is it?"
    6.93                                                  is heard: a1
    6.93                                                  (answered after 0.23)
    6.93                                                  SPEAKING
    7.03                          < done r1 Completed
    7.32                                                  said 2-a1 "Well."
    7.32                                                  LISTENING
    7.33                                                  is silent
    "#);
}

#[test]
fn an_answer_that_has_no_sound_yet_is_given_to_what_is_heard_again() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .link_down(1.4)
        .link_up(2.0)
        .model_hears_speech(2.1, 2.4)
        .transcript(2.9, "u2", "Where is it?")
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.40                          link down
    1.40                                                  (TurnContinued)
    1.40                                                  INITIALIZING
    2.00                          link up
    2.00                                                  (Replayed { items: 0, away: 600ms })
    2.00                                                  (HeardAgain { turns: 1 })
    2.00                          > hear again u1
    2.00                          > turns: model creates = true
    2.00                                                  THINKING
    2.10  speaks u2
    2.10                                                  LISTENING
    2.70  turn u2
    2.70                                                  (turn of 0.60)
    2.70                                                  THINKING
    2.73                          < created r2
    2.80                                                  (GapCovered)
    2.80                                                  clip OneMoment
    2.90  ann: "Where is it?"
    2.93                                                  is heard: a2
    2.93                                                  stop clip
    2.93                                                  (answered after 0.23)
    2.93                                                  SPEAKING
    3.03                          < done r2 Completed
    3.32                                                  said 2-a2 "Well."
    3.32                                                  LISTENING
    3.33                                                  is silent
    "#);
}

#[test]
fn a_turn_that_is_being_answered_is_not_heard_again() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_say("It is where you left it.", 2.0)
        .link_down(1.7)
        .link_up(2.0)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.70                          link down
    2.00                          link up
    2.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    2.00                          > item system "The person said something here that you began to answer. Its words are not known."
    2.00                          > item agent "It is where you"
    2.00                                                  (Replayed { items: 3, away: 300ms })
    2.00                          > create ask-1
    2.00                          > turns: model creates = true
    2.06                          < created r2 for ask-1
    2.32                                                  said a1 "It is where you"
    2.33                                                  is heard: a2
    2.36                          < done r2 Completed
    2.72                                                  said 2-a2 "Well."
    2.72                                                  LISTENING
    2.73                                                  is silent
    "#);
}

#[test]
fn a_second_loss_does_not_lose_the_turn() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_ignore()
        .link_down(1.4)
        .link_up(2.0)
        .link_down(2.01)
        .link_up(2.3)
        .model_hears_speech(2.4, 2.7)
        .transcript(3.2, "u2", "Where is it?")
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.40                          link down
    1.40                                                  (TurnContinued)
    1.40                                                  INITIALIZING
    2.00                          link up
    2.00                                                  (Replayed { items: 0, away: 600ms })
    2.00                                                  (HeardAgain { turns: 1 })
    2.00                          > hear again u1
    2.00                          > turns: model creates = true
    2.00                                                  THINKING
    2.01                          link down
    2.01                                                  (TurnContinued)
    2.01                                                  INITIALIZING
    2.10                                                  (GapCovered)
    2.10                                                  clip OneMoment
    2.30                          link up
    2.30                                                  (Replayed { items: 0, away: 290ms })
    2.30                                                  (HeardAgain { turns: 1 })
    2.30                          > hear again u1
    2.30                          > turns: model creates = true
    2.30                                                  THINKING
    2.40  speaks u2
    2.40                                                  LISTENING
    3.00  turn u2
    3.00                                                  (turn of 0.60)
    3.00                                                  THINKING
    3.03                          < created r1
    3.20  ann: "Where is it?"
    3.23                                                  is heard: a1
    3.23                                                  (answered after 0.23)
    3.23                                                  SPEAKING
    3.33                          < done r1 Completed
    3.62                                                  said 3-a1 "Well."
    3.62                                                  LISTENING
    3.63                                                  is silent
    "#);
}

#[test]
fn what_the_next_connection_does_not_notice_either_is_asked_back() {
    let lanes = scene()
        .speaks(3.0, 4.0)
        .model_will_ignore()
        .link_down(4.6)
        .link_up(6.0)
        .until(9.0);
    insta::assert_snapshot!(lanes, @r#"
    3.00  speaks u1
    4.30  turn u1
    4.30                                                  (turn of 1.30)
    4.30                                                  THINKING
    4.60                          link down
    4.60                                                  (TurnContinued)
    4.60                                                  INITIALIZING
    5.30                                                  (GapCovered)
    5.30                                                  clip OneMoment
    6.00                          link up
    6.00                                                  (Replayed { items: 0, away: 1.4s })
    6.00                                                  (HeardAgain { turns: 1 })
    6.00                          > hear again u1
    6.00                          > turns: model creates = true
    6.00                                                  THINKING
    7.50                          > item system "The caller said something that did not reach you. Ask them to repeat it."
    7.50                          > create ask-1
    7.56                          < created r1 for ask-1
    7.76                                                  is heard: a1
    7.76                                                  (answered after 3.46)
    7.76                                                  SPEAKING
    7.86                          < done r1 Completed
    8.15                                                  said 2-a1 "Well."
    8.15                                                  LISTENING
    8.16                                                  is silent
    "#);
}

#[test]
fn among_several_people_what_is_heard_again_stays_with_who_said_it() {
    let lanes = scene()
        .joins(0.0, "bob")
        .ear_hears("ann", 3.0, 4.0)
        .model_hears_speech(3.0, 4.0)
        .model_will_ignore()
        .link_down(4.6)
        .ear_hears("bob", 5.0, 5.6)
        .link_up(6.0)
        .model_hears_speech(6.1, 6.3)
        .model_hears_speech(6.7, 6.8)
        .transcript(7.0, "u2", "Where is it?")
        .transcript(7.3, "u3", "Over there.")
        .until(7.5);
    insta::assert_snapshot!(since(&lanes, 4.0), @r#"
    4.30  turn u1
    4.30                                                  (turn of 1.30)
    4.30                          > item system "The last message was spoken by \"ann\" (caller)."
    4.30                          > create ask-1
    4.30                                                  THINKING
    4.60                          link down
    4.60                                                  (TurnContinued)
    4.60                                                  INITIALIZING
    6.00                          link up
    6.00                                                  (Replayed { items: 0, away: 1.4s })
    6.00                                                  (HeardAgain { turns: 1 })
    6.00                          > hear again u1
    6.00                          > turns: model creates = false
    6.00                                                  THINKING
    6.10  speaks u2
    6.10                                                  LISTENING
    6.60  turn u2
    6.60                                                  (turn of 0.50)
    6.60                          > item system "The last message was spoken by \"ann\" (caller)."
    6.60                          > create ask-2
    6.60                                                  THINKING
    6.66                          < created r1 for ask-2
    6.70  speaks u3
    6.70                                                  flush r1
    6.70                          > cancel r1
    6.70                                                  LISTENING
    6.71                                                  (interrupted at 0.00, stopped after 0.01)
    6.75                          < done r1 Cancelled
    7.00  ann: "Where is it?"
    7.10  turn u3
    7.10                                                  (turn of 0.40)
    7.10                          > item system "The last message was spoken by \"bob\" (guest)."
    7.10                          > create ask-3
    7.10                                                  THINKING
    7.16                          < created r2 for ask-3
    7.20                                                  (GapCovered)
    7.20                                                  clip OneMoment
    7.30  bob: "Over there."
    7.36                                                  is heard: a2
    7.36                                                  stop clip
    7.36                                                  (answered after 0.26)
    7.36                                                  SPEAKING
    7.46                          < done r2 Completed
    "#);
}
