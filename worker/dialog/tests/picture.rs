//! Still pictures that people show.

use crate::scene::{empty_scene, scene, since};

#[test]
fn a_picture_is_seen_and_waits_for_words() {
    let lanes = scene()
        .shows(0.5, "ann", 1_000)
        .says(1.0, 2.0, "What is this?")
        .model_will_say("A bridge.", 0.6)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.50  ann shows a picture
    0.50                          > item picture_1
    1.00  speaks u1
    2.30  turn u1
    2.30                                                  (turn of 1.30)
    2.30                                                  THINKING
    2.33                          < created r1
    2.50  ann: "What is this?"
    2.53                                                  is heard: a1
    2.53                                                  (answered after 0.23)
    2.53                                                  SPEAKING
    2.68                          < done r1 Completed
    3.12                                                  said a1 "A bridge."
    3.12                                                  LISTENING
    3.13                                                  is silent
    "#);
}

#[test]
fn of_several_pictures_the_newest_three_are_seen() {
    let lanes = (0..5)
        .fold(scene(), |scene, n| scene.shows(f64::from(n), "ann", 1_000))
        .until(5.0);
    insta::assert_snapshot!(lanes, @r"
    0.00  ann shows a picture
    0.00                          > item picture_1
    1.00  ann shows a picture
    1.00                          > item picture_2
    2.00  ann shows a picture
    2.00                          > item picture_3
    3.00  ann shows a picture
    3.00                          > delete picture_1
    3.00                          > item picture_4
    4.00  ann shows a picture
    4.00                          > delete picture_2
    4.00                          > item picture_5
    ");
}

#[test]
fn a_new_connection_sees_what_was_shown_and_hears_who_showed_it() {
    let lanes = empty_scene(Default::default())
        .joins(0.0, "ann")
        .joins(0.0, "bob")
        .room_ready(0.0)
        .link_up(0.0)
        .shows(0.5, "bob", 1_000)
        .link_down(1.0)
        .shows(1.5, "ann", 1_000)
        .link_up(2.0)
        .until(3.0);
    insta::assert_snapshot!(since(&lanes, 0.5), @r#"
    0.50  bob shows a picture
    0.50                          > item picture_1 "\"bob\" (guest) shows this picture."
    1.00                          link down
    1.00                                                  INITIALIZING
    1.50  ann shows a picture
    2.00                          link up
    2.00                          > item system "The connection was interrupted and is back. Carry on where the conversation stopped. Do not greet again."
    2.00                          > item picture_1 "\"bob\" (guest) shows this picture."
    2.00                          > item picture_2 "\"ann\" (caller) shows this picture."
    2.00                                                  (Replayed { items: 3, away: 1s })
    2.00                          > turns: model creates = false
    2.00                                                  LISTENING
    "#);
}

#[test]
fn what_was_shown_long_ago_is_an_account_of_it() {
    let talk = (0..14).fold(scene().shows(0.1, "ann", 1_000), |scene, n| {
        scene.types(0.2 + f64::from(n) * 2.0, "ann", "And then?")
    });
    let lanes = talk
        .link_down(40.0)
        .link_up(41.0)
        .shows(42.0, "ann", 1_000)
        .until(43.0);
    let told = since(&lanes, 40.0);
    assert!(told.contains("(shows a picture)"), "{told}");
    assert!(!told.contains("item picture_1"), "{told}");
    assert!(told.contains("item picture_2"), "{told}");
    assert!(!told.contains("delete"), "{told}");
}

#[test]
fn a_stranger_shows_nothing() {
    let lanes = scene().shows(0.5, "eve", 1_000).until(1.0);
    insta::assert_snapshot!(lanes, @r#"
    0.50  eve shows a picture
    0.50                                                  (Unexpected { what: "picture of a stranger" })
    "#);
}

#[test]
fn what_is_typed_and_shown_before_the_model_is_there_reaches_it() {
    let lanes = empty_scene(Default::default())
        .joins(0.0, "ann")
        .room_ready(0.0)
        .shows(0.5, "ann", 1_000)
        .types(1.0, "ann", "What is this?")
        .link_up(2.0)
        .model_will_say("A bridge.", 0.6)
        .until(4.0);
    insta::assert_snapshot!(since(&lanes, 0.5), @r#"
    0.50  ann shows a picture
    1.00  ann types "What is this?"
    1.70                                                  (GapCovered)
    1.70                                                  clip OneMoment
    2.00                          link up
    2.00                          > item system "The person wrote or showed this before you came."
    2.00                          > item picture_1
    2.00                          > item user "What is this?"
    2.00                          > create ask-1
    2.00                                                  THINKING
    2.06                          < created r1 for ask-1
    2.26                                                  is heard: a1
    2.26                                                  stop clip
    2.26                                                  SPEAKING
    2.41                          < done r1 Completed
    2.85                                                  said a1 "A bridge."
    2.85                                                  LISTENING
    2.86                                                  is silent
    "#);
}
