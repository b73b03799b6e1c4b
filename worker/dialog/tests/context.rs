//! What the model remembers, made smaller on command.

use dialog::input::Ask;

use crate::scene::{Scene, scene};

/// Five questions and answers.
fn talked() -> Scene {
    (0..5).fold(scene(), |scene, n| {
        let at = f64::from(n) * 4.0;
        scene
            .says(at, at + 1.0, &format!("Question {n}?"))
            .model_will_say(&format!("Answer {n}."), 1.0)
    })
}

#[test]
fn old_items_are_given_up_for_a_short_account_of_them() {
    let lanes = talked().asked(20.0, Ask::Shrink).until(20.0);
    let shrinking: Vec<_> = lanes
        .lines()
        .skip_while(|l| !l.contains("asked:"))
        .collect();
    let lanes = shrinking.join("\n");
    insta::assert_snapshot!(lanes, @r#"
    20.00  asked: Shrink
    20.00                          > delete u1
    20.00                          > delete a1
    20.00                          > delete u2
    20.00                          > delete a2
    20.00                          > item system "This was said earlier, in short. It has been answered:\nCaller: Question 0?\nYou: Answer 0.\nCaller: Question 1?\nYou: Answer 1."
    20.00                                                  (Shrunk { items: 4 })
    "#);
}

#[test]
fn a_conversation_that_is_small_already_stays_as_it_is() {
    let lanes = talked()
        .asked(20.0, Ask::Shrink)
        .asked(20.1, Ask::Shrink)
        .until(20.2);
    assert_eq!(lanes.matches("Shrunk").count(), 1, "{lanes}");
}

#[test]
fn what_was_given_up_is_still_told_to_a_new_connection() {
    let lanes = talked()
        .asked(20.0, Ask::Shrink)
        .link_down(21.0)
        .link_up(22.0)
        .until(22.5);
    let replay: Vec<_> = lanes.lines().filter(|l| l.starts_with("22.0")).collect();
    let replay = replay.join("\n");
    for n in 0..5 {
        assert!(replay.contains(&format!("Question {n}?")), "{n}: {replay}");
        assert!(replay.contains(&format!("Answer {n}.")), "{n}: {replay}");
    }
}

#[test]
fn nothing_is_ordered_of_a_model_that_is_away() {
    let lanes = talked()
        .link_down(19.9)
        .asked(20.0, Ask::Shrink)
        .until(20.5);
    assert!(!lanes.contains("delete"), "{lanes}");
}
