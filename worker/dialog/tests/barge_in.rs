//! Somebody speaks while the agent does.

use dialog::model::{Event, ItemId, ResponseId};
use std::time::Duration;

use crate::scene::scene;

#[test]
fn the_agent_stops_at_once_and_the_rest_is_not_generated() {
    let lanes = scene()
        .says(0.0, 1.0, "Tell me a story.")
        .model_will_say(
            "Once upon a time there was a very long story about nothing",
            20.0,
        )
        .says(3.0, 4.4, "Stop!")
        .model_will_say("Fine.", 0.5)
        .until(6.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "Tell me a story."
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    3.00                                                  pause
    3.00                                                  LISTENING
    3.00  speaks u2
    4.20                                                  flush r1
    4.20                          > cancel r1
    4.20                                                  resume
    4.21                          > truncate a1 at 1.47
    4.21                                                  said a1 "Once upon a" -- cut
    4.21                                                  (interrupted at 1.47, stopped after 0.01)
    4.25                          < done r1 Cancelled
    4.70  turn u2
    4.70                                                  (turn of 1.70)
    4.70                                                  THINKING
    4.73                          < created r2
    4.90  ann: "Stop!"
    4.93                                                  is heard: a2
    4.93                                                  (answered after 0.23)
    4.93                                                  SPEAKING
    5.08                          < done r2 Completed
    5.42                                                  said a2 "Fine."
    5.42                                                  LISTENING
    5.43                                                  is silent
    "#);
}

#[test]
fn what_is_generated_already_is_not_cancelled() {
    let lanes = scene()
        .says(0.0, 1.0, "Tell me a story.")
        .model_will_say("Once upon a time there was a short story", 3.0)
        .speaks(3.0, 4.4)
        .model_will_say("Fine.", 0.5)
        .until(6.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.50  ann: "Tell me a story."
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    2.28                          < done r1 Completed
    3.00                                                  pause
    3.00                                                  LISTENING
    3.00  speaks u2
    4.20                                                  flush all
    4.20                                                  resume
    4.21                          > truncate a1 at 1.47
    4.21                                                  said a1 "Once upon a time" -- cut
    4.21                                                  (interrupted at 1.47, stopped after 0.01)
    4.70  turn u2
    4.70                                                  (turn of 1.70)
    4.70                                                  THINKING
    4.73                          < created r2
    4.93                                                  is heard: a2
    4.93                                                  (answered after 0.23)
    4.93                                                  SPEAKING
    5.08                          < done r2 Completed
    5.42                                                  said a2 "Fine."
    5.42                                                  LISTENING
    5.43                                                  is silent
    "#);
}

#[test]
fn a_response_without_a_sound_is_stopped_and_leaves_nothing() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_say("Well, let me see", 2.0)
        .speaks(1.4, 2.0)
        .model_will_say("Fine.", 0.5)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.40  speaks u2
    1.40                                                  flush r1
    1.40                          > cancel r1
    1.40                                                  LISTENING
    1.41                                                  (interrupted at 0.00, stopped after 0.01)
    1.45                          < done r1 Cancelled
    2.30  turn u2
    2.30                                                  (turn of 0.90)
    2.30                                                  THINKING
    2.33                          < created r2
    2.53                                                  is heard: a2
    2.53                                                  (answered after 0.23)
    2.53                                                  SPEAKING
    2.68                          < done r2 Completed
    3.02                                                  said a2 "Fine."
    3.02                                                  LISTENING
    3.03                                                  is silent
    "#);
}

#[test]
fn a_response_that_shows_up_while_somebody_speaks_is_stopped_unheard() {
    let lanes = scene()
        .types(0.5, "ann", "Hello")
        .model_will_say("Good day to you", 2.0)
        .speaks(0.52, 1.5)
        .model_will_say("Fine.", 0.5)
        .until(3.5);
    insta::assert_snapshot!(lanes, @r#"
    0.50  ann types "Hello"
    0.50                          > item user "Hello"
    0.50                          > create ask-1
    0.50                                                  THINKING
    0.52  speaks u1
    0.52                                                  LISTENING
    0.56                          < created r1 for ask-1
    0.56                                                  drop r1
    0.56                          > cancel r1
    0.61                          < done r1 Cancelled
    1.80  turn u1
    1.80                                                  (turn of 1.28)
    1.80                                                  THINKING
    1.83                          < created r2
    2.03                                                  is heard: a2
    2.03                                                  (answered after 0.23)
    2.03                                                  SPEAKING
    2.18                          < done r2 Completed
    2.52                                                  said a2 "Fine."
    2.52                                                  LISTENING
    2.53                                                  is silent
    "#);
}

#[test]
fn late_audio_of_a_stopped_response_means_nothing() {
    let (response, item) = (ResponseId::new("r1"), ItemId::new("a9"));
    let duration = Duration::from_secs(1);
    let late = Event::AudioReceived {
        response: response.clone(),
        item: item.clone(),
        duration,
    };
    let text = Event::TranscriptDelta {
        response,
        item,
        text: "too late".to_owned(),
    };
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_say(
            "Once upon a time there was a very long story about nothing",
            20.0,
        )
        .speaks(3.0, 4.4)
        .model(4.22, late)
        .model(4.22, text)
        .model_will_say("Fine.", 0.5)
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
    3.00                                                  pause
    3.00                                                  LISTENING
    3.00  speaks u2
    4.20                                                  flush r1
    4.20                          > cancel r1
    4.20                                                  resume
    4.21                          > truncate a1 at 1.47
    4.21                                                  said a1 "Once upon a" -- cut
    4.21                                                  (interrupted at 1.47, stopped after 0.01)
    4.25                          < done r1 Cancelled
    4.25                          > delete a9
    4.70  turn u2
    4.70                                                  (turn of 1.70)
    4.70                                                  THINKING
    4.73                          < created r2
    4.93                                                  is heard: a2
    4.93                                                  (answered after 0.23)
    4.93                                                  SPEAKING
    5.08                          < done r2 Completed
    5.42                                                  said a2 "Fine."
    5.42                                                  LISTENING
    5.43                                                  is silent
    "#);
}

#[test]
fn a_queue_that_never_reports_does_not_stall_the_conversation() {
    let lanes = scene()
        .speaks(0.0, 1.0)
        .model_will_say("Once upon a time there was a short story", 3.0)
        .types(3.0, "ann", "Stop")
        .model_will_say("Fine.", 0.5)
        .loudspeaker_is_silent()
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.33                          < created r1
    1.53                                                  is heard: a1
    1.53                                                  (answered after 0.23)
    1.53                                                  SPEAKING
    2.28                          < done r1 Completed
    3.00  ann types "Stop"
    3.00                                                  flush all
    3.00                          > item user "Stop"
    3.00                                                  THINKING
    3.50                                                  (Unexpected { what: "flush without report" })
    3.50                          > truncate a1 at 1.40
    3.50                                                  said a1 "Once upon a time" -- cut
    3.50                                                  (interrupted at 1.40, stopped after 0.50)
    3.50                          > create ask-1
    3.56                          < created r2 for ask-1
    3.76                                                  is heard: a2
    3.76                                                  SPEAKING
    3.91                          < done r2 Completed
    4.25                                                  said a2 "Fine."
    4.25                                                  LISTENING
    4.26                                                  is silent
    "#);
}
