//! An hour of talk in virtual time: what is remembered stays bounded, and so does what a fresh model is
//! told.

use crate::scene::{Scene, scene};

/// A turn and its answer take so long, in seconds.
const TURN: f64 = 15.0;
/// Turns of one connection.
const ROTATION: u32 = 10;
/// Bytes of text that a fresh connection is told at most: what was said last, word for word, and an
/// account of the rest.
const CONTEXT: usize = 11_000;

/// Turn after turn, with words enough to fill every budget.
fn talk(minutes: u32) -> Scene {
    let turns = minutes * 60 / TURN as u32;
    (0..turns).fold(scene(), |scene, turn| {
        let at = f64::from(turn) * TURN;
        let question = format!(
            "And what about number {turn}? {}",
            "Tell me more. ".repeat(40)
        );
        let answer = format!(
            "Number {turn} is like this. {}",
            "It goes on and on. ".repeat(60)
        );
        let scene = scene
            .says(at, at + 3.0, &question)
            .model_will_say(&answer, 6.0);
        if turn % ROTATION == ROTATION - 1 {
            scene.spare(at + 4.0)
        } else {
            scene
        }
    })
}

#[test]
fn an_hour_of_talk_costs_no_more_at_its_end_than_after_a_quarter() {
    let mut scene = talk(60);
    scene.play_to(15.0 * 60.0);
    let early = scene.holds();
    scene.play_to(60.0 * 60.0);
    let late = scene.holds();
    assert!(
        late < early + early / 20,
        "{early} bytes after a quarter of an hour, {late} after an hour"
    );

    let told = scene.told_at_rotations();
    assert_eq!(told.len(), 24);
    let most = told.iter().max().copied().unwrap_or_default();
    assert!(most <= CONTEXT, "a fresh connection is told {most} bytes");
}
