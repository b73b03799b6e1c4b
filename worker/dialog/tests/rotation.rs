//! A long conversation moves to a fresh connection, and nobody notices.

use dialog::model::{Event, ItemId};

use crate::scene::{Scene, scene, since};

/// One turn, answered.
fn a_talk() -> Scene {
    scene()
        .says(0.0, 1.0, "My name is Ann.")
        .model_will_say("Hello, Ann.", 0.6)
}

#[test]
fn the_move_waits_for_a_silence_and_the_next_turn_is_answered_by_the_fresh_model() {
    let lanes = a_talk()
        .spare(1.6)
        .says(4.0, 5.0, "What is my name?")
        .model_will_say("Ann.", 0.4)
        .until(7.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "My name is Ann."
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.60                          spare link
    1.68                          < done r1 Completed
    2.12                                                  said a1 "Hello, Ann."
    2.12                                                  LISTENING
    2.13                                                  is silent
    2.52                          > rotate
    2.52                          > item system "This conversation is under way. Carry on where it stopped. Do not greet again."
    2.52                          > item user "My name is Ann."
    2.52                          > item agent "Hello, Ann."
    2.52                          > turns: model creates = true
    2.52                                                  (Rotated { items: 3 })
    2.55                          fresh link
    4.00  speaks u2
    5.30  turn u2
    5.30                                                  (turn of 1.30)
    5.30                                                  THINKING
    5.33                          < created r2
    5.50  ann: "What is my name?"
    5.53                                                  is heard: a2
    5.53                                                  (answered after 0.23)
    5.53                                                  SPEAKING
    5.63                          < done r2 Completed
    5.92                                                  said 2-a2 "Ann."
    5.92                                                  LISTENING
    5.93                                                  is silent
    "#);
}

#[test]
fn who_begins_to_speak_in_time_keeps_the_old_connection_for_their_turn() {
    let lanes = a_talk()
        .spare(2.0)
        .says(2.4, 3.4, "And one more thing.")
        .model_will_say("Yes?", 0.3)
        .until(6.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "My name is Ann."
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.68                          < done r1 Completed
    2.00                          spare link
    2.12                                                  said a1 "Hello, Ann."
    2.12                                                  LISTENING
    2.13                                                  is silent
    2.40  speaks u2
    3.70  turn u2
    3.70                                                  (turn of 1.30)
    3.70                                                  THINKING
    3.73                          < created r2
    3.90  ann: "And one more thing."
    3.93                                                  is heard: a2
    3.93                                                  (answered after 0.23)
    3.93                                                  SPEAKING
    4.03                          < done r2 Completed
    4.22                                                  said a2 "Yes?"
    4.22                                                  LISTENING
    4.23                                                  is silent
    4.62                          > rotate
    4.62                          > item system "This conversation is under way. Carry on where it stopped. Do not greet again."
    4.62                          > item user "My name is Ann."
    4.62                          > item agent "Hello, Ann."
    4.62                          > item user "And one more thing."
    4.62                          > item agent "Yes?"
    4.62                          > turns: model creates = true
    4.62                                                  (Rotated { items: 5 })
    4.65                          fresh link
    "#);
}

#[test]
fn a_turn_whose_words_are_not_known_yet_is_waited_for() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_say("I see.", 0.3)
        .spare(1.0)
        .transcript(3.0, "u1", "My name is Ann.")
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.00                          spare link
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.63                          < done r1 Completed
    1.82                                                  said a1 "I see."
    1.82                                                  LISTENING
    1.83                                                  is silent
    3.00  ann: "My name is Ann."
    3.40                          > rotate
    3.40                          > item system "This conversation is under way. Carry on where it stopped. Do not greet again."
    3.40                          > item user "My name is Ann."
    3.40                          > item agent "I see."
    3.40                          > turns: model creates = true
    3.40                                                  (Rotated { items: 3 })
    3.43                          fresh link
    "#);
}

#[test]
fn what_the_old_connection_still_says_means_nothing() {
    let late = Event::SpeechStarted {
        item: ItemId::new("u9"),
    };
    let lanes = a_talk().spare(1.6).model(2.54, late).until(3.5);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "My name is Ann."
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.60                          spare link
    1.68                          < done r1 Completed
    2.12                                                  said a1 "Hello, Ann."
    2.12                                                  LISTENING
    2.13                                                  is silent
    2.52                          > rotate
    2.52                          > item system "This conversation is under way. Carry on where it stopped. Do not greet again."
    2.52                          > item user "My name is Ann."
    2.52                          > item agent "Hello, Ann."
    2.52                          > turns: model creates = true
    2.52                                                  (Rotated { items: 3 })
    2.54  speaks u9
    2.54                                                  (Unexpected { what: "event of the connection before" })
    2.55                          fresh link
    "#);
}

#[test]
fn a_spare_that_fails_is_a_loss_like_any_other() {
    let lanes = a_talk()
        .spare(1.6)
        .link_down(2.54)
        .link_up(3.5)
        .says(4.0, 5.0, "What is my name?")
        .model_will_say("Ann.", 0.4)
        .until(7.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "My name is Ann."
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    1.60                          spare link
    1.68                          < done r1 Completed
    2.12                                                  said a1 "Hello, Ann."
    2.12                                                  LISTENING
    2.13                                                  is silent
    2.52                          > rotate
    2.52                          > item system "This conversation is under way. Carry on where it stopped. Do not greet again."
    2.52                          > item user "My name is Ann."
    2.52                          > item agent "Hello, Ann."
    2.52                          > turns: model creates = true
    2.52                                                  (Rotated { items: 3 })
    2.54                          link down
    2.54                                                  INITIALIZING
    3.50                          link up
    3.50                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    3.50                          > item user "My name is Ann."
    3.50                          > item agent "Hello, Ann."
    3.50                                                  (Replayed { items: 3, away: 960ms })
    3.50                          > turns: model creates = true
    3.50                                                  LISTENING
    4.00  speaks u2
    5.30  turn u2
    5.30                                                  (turn of 1.30)
    5.30                                                  THINKING
    5.33                          < created r2
    5.50  ann: "What is my name?"
    5.53                                                  is heard: a2
    5.53                                                  (answered after 0.23)
    5.53                                                  SPEAKING
    5.63                          < done r2 Completed
    5.92                                                  said 3-a2 "Ann."
    5.92                                                  LISTENING
    5.93                                                  is silent
    "#);
}

#[test]
fn a_turn_that_nobody_could_write_down_does_not_keep_the_old_connection() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_say("Pardon?", 0.6)
        .spare(1.6)
        .model(
            1.7,
            Event::UserTranscriptFailed {
                item: ItemId::new("u1"),
            },
        )
        .until(4.0);
    insta::assert_snapshot!(since(&lanes, 1.6), @r#"
    1.60                          spare link
    1.68                          < done r1 Completed
    1.70                                                  (Unexpected { what: "turn without transcript" })
    2.12                                                  said a1 "Pardon?"
    2.12                                                  LISTENING
    2.13                                                  is silent
    2.52                          > rotate
    2.52                          > item system "This conversation is under way. Carry on where it stopped. Do not greet again."
    2.52                          > item system "The person said something here that you began to answer. Its words are not known."
    2.52                          > item agent "Pardon?"
    2.52                          > turns: model creates = true
    2.52                                                  (Rotated { items: 3 })
    2.55                          fresh link
    "#);
}
