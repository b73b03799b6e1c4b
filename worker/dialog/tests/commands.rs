//! What somebody with authority asks of the agent: be silent, go on, say this, end it, be another.

use dialog::{Config, config::Hears, input::Ask, output::CloseReason};

use crate::scene::{empty_scene, scene, since};

#[test]
fn a_greeting_that_is_told_in_time_is_the_one() {
    let config = Config {
        greeting: Some("Greet somebody.".to_owned()),
        ..Config::default()
    };
    let lanes = empty_scene(config)
        .room_ready(0.0)
        .link_up(0.0)
        .asked(0.1, Ask::Greet("Greet \"Ann\".".to_owned()))
        .joins(0.2, "ann")
        .asked(0.5, Ask::Greet("Greet nobody.".to_owned()))
        .until(2.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  room ready
    0.00                                                  INITIALIZING
    0.00                          link up
    0.00                                                  IDLE
    0.10  asked: Greet("Greet \"Ann\".")
    0.20  ann joins
    0.20  ear of ann: open
    0.20                          > create ask-1 "Greet \"Ann\"."
    0.20                                                  THINKING
    0.26                          < created r1 for ask-1
    0.46                                                  is heard: a1
    0.46                                                  (greeted after 0.26)
    0.46                                                  SPEAKING
    0.50  asked: Greet("Greet nobody.")
    0.56                          < done r1 Completed
    0.85                                                  said a1 "Well."
    0.85                                                  LISTENING
    0.86                                                  is silent
    "#);
}

#[test]
fn told_to_be_silent_it_stops_in_mid_sentence_and_hears_on_without_an_answer() {
    let lanes = scene()
        .says(0.0, 1.0, "Tell me a story.")
        .model_will_say("Once upon a time there was a king.", 4.0)
        .asked(2.5, Ask::Silence)
        .says(4.0, 5.0, "Bob, shall we take the red one?")
        .asked(7.0, Ask::GoOn)
        .says(8.0, 9.0, "Which one did I want?")
        .model_will_say("The red one.", 1.0)
        .until(11.0);
    insta::assert_snapshot!(since(&lanes, 2.0), @r#"
     2.50  asked: Silence
     2.50                                                  flush r1
     2.50                          > cancel r1
     2.50                                                  LISTENING
     2.50                          > turns: model creates = false
     2.51                          > truncate a1 at 0.97
     2.51                                                  said a1 "Once" -- cut
     2.51                                                  (interrupted at 0.97, stopped after 0.01)
     2.53                          < done r1 Completed
     2.53                          < error response_cancel_not_active
     2.53                                                  (OrderRefused { code: "response_cancel_not_active" })
     4.00  speaks u2
     5.30  turn u2
     5.30                                                  (turn of 1.30)
     5.30                                                  (TurnUnanswered)
     5.50  ann: "Bob, shall we take the red one?"
     7.00  asked: GoOn
     7.00                          > turns: model creates = true
     8.00  speaks u3
     9.30  turn u3
     9.30                                                  (turn of 1.30)
     9.30                                                  THINKING
     9.33                          < created r2
     9.50  ann: "Which one did I want?"
     9.53                                                  is heard: a2
     9.53                                                  (answered after 0.23)
     9.53                                                  SPEAKING
     9.78                          < done r2 Completed
    10.52                                                  said a2 "The red one."
    10.52                                                  LISTENING
    10.53                                                  is silent
    "#);
}

#[test]
fn an_answer_that_comes_in_spite_of_silence_is_not_heard() {
    let lanes = scene()
        .says(0.0, 1.0, "What time is it?")
        .model_will_say("It is noon.", 1.0)
        .asked(1.31, Ask::Silence)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  speaks u1
    1.30  turn u1
    1.30                                                  (turn of 1.30)
    1.30                                                  THINKING
    1.31  asked: Silence
    1.31                                                  (TurnUnanswered)
    1.31                                                  LISTENING
    1.31                          > turns: model creates = false
    1.33                          < created r1
    1.33                                                  drop r1
    1.33                          > cancel r1
    1.38                          < done r1 Cancelled
    1.50  ann: "What time is it?"
    "#);
}

#[test]
fn a_silent_agent_says_what_it_is_told_to_say() {
    let lanes = scene()
        .asked(0.0, Ask::Silence)
        .types(0.5, "ann", "Are you there?")
        .asked(1.0, Ask::Interject("A colleague is on the way.".to_owned()))
        .model_will_say("A colleague is on the way.", 1.0)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.00  asked: Silence
    0.00                          > turns: model creates = false
    0.50  ann types "Are you there?"
    0.50                          > item user "Are you there?"
    0.50                                                  (TurnUnanswered)
    1.00  asked: Interject("A colleague is on the way.")
    1.00                          > create ask-1 "Say exactly this sentence, word for word, and nothing else: \"A colleague is on the way.\""
    1.00                                                  THINKING
    1.06                          < created r1 for ask-1
    1.26                                                  is heard: a1
    1.26                                                  SPEAKING
    1.51                          < done r1 Completed
    2.25                                                  said a1 "A colleague is on the way."
    2.25                                                  LISTENING
    2.26                                                  is silent
    "#);
}

#[test]
fn a_sentence_to_be_said_now_stops_what_is_being_said() {
    let lanes = scene()
        .says(0.0, 1.0, "Tell me a story.")
        .model_will_say("Once upon a time there was a king.", 4.0)
        .asked(2.5, Ask::Interject("The building is closing.".to_owned()))
        .model_will_say("The building is closing.", 1.0)
        .until(5.0);
    insta::assert_snapshot!(since(&lanes, 2.0), @r#"
    2.50  asked: Interject("The building is closing.")
    2.50                                                  flush r1
    2.50                          > cancel r1
    2.50                                                  THINKING
    2.51                          > truncate a1 at 0.97
    2.51                                                  said a1 "Once" -- cut
    2.51                                                  (interrupted at 0.97, stopped after 0.01)
    2.53                          < done r1 Completed
    2.53                          > create ask-1 "Say exactly this sentence, word for word, and nothing else: \"The building is closing.\""
    2.53                          < error response_cancel_not_active
    2.53                                                  (OrderRefused { code: "response_cancel_not_active" })
    2.59                          < created r2 for ask-1
    2.79                                                  is heard: a2
    2.79                                                  SPEAKING
    3.04                          < done r2 Completed
    3.78                                                  said a2 "The building is closing."
    3.78                                                  LISTENING
    3.79                                                  is silent
    "#);
}

#[test]
fn it_ends_with_the_sentence_it_was_given() {
    let lanes = scene()
        .asked(
            0.5,
            Ask::EndSaying {
                reason: CloseReason::Commanded,
                words: "Your taxi is here.".to_owned(),
            },
        )
        .model_will_say("Your taxi is here.", 1.0)
        .until(4.0);
    insta::assert_snapshot!(lanes, @r#"
    0.50  asked: EndSaying { reason: Commanded, words: "Your taxi is here." }
    0.50  ear of ann: closed
    0.50                          > turns: model creates = false
    0.50                          > create ask-1 "Say exactly this sentence, word for word, and nothing else: \"Your taxi is here.\""
    0.50                                                  THINKING
    0.56                          < created r1 for ask-1
    0.76                                                  is heard: a1
    0.76                                                  SPEAKING
    1.01                          < done r1 Completed
    1.75                                                  said a1 "Your taxi is here."
    1.75                                                  LISTENING
    1.76                                                  is silent
    2.05                                                  FINISHED Commanded
    "#);
}

#[test]
fn new_instructions_and_tools_are_in_force_at_once_and_on_every_later_connection() {
    let lanes = scene()
        .asked(0.5, Ask::Instruct("Speak of fish only.".to_owned()))
        .asked(0.6, Ask::Equip(vec!["net".to_owned()]))
        .link_down(1.0)
        .link_up(2.0)
        .spare(3.0)
        .until(5.0);
    insta::assert_snapshot!(lanes, @r#"
    0.50  asked: Instruct("Speak of fish only.")
    0.50                          > Instruct("Speak of fish only.")
    0.60  asked: Equip(["net"])
    0.60                          > Equip(["net"])
    1.00                          link down
    1.00                                                  INITIALIZING
    2.00                          link up
    2.00                          > Instruct("Speak of fish only.")
    2.00                          > Equip(["net"])
    2.00                                                  (Replayed { items: 0, away: 1s })
    2.00                          > turns: model creates = true
    2.00                                                  LISTENING
    3.00                          spare link
    3.40                          > rotate
    3.40                          > Instruct("Speak of fish only.")
    3.40                          > Equip(["net"])
    3.40                          > item system "This conversation is under way. Carry on where it stopped. Do not greet again."
    3.40                          > turns: model creates = true
    3.40                                                  (Rotated { items: 1 })
    3.43                          fresh link
    "#);
}

#[test]
fn a_silent_caller_is_not_asked_by_an_agent_that_was_told_to_be_silent() {
    let config = Config {
        silence: Some(dialog::Silence {
            prompt: "Ask whether they are still there.".to_owned(),
            prompt_after: std::time::Duration::from_secs(5),
            hang_up_after: std::time::Duration::from_secs(5),
        }),
        ..Default::default()
    };
    let lanes = empty_scene(config)
        .joins(0.0, "ann")
        .room_ready(0.0)
        .link_up(0.0)
        .asked(1.0, Ask::Silence)
        .until(30.0);
    insta::assert_snapshot!(since(&lanes, 0.5), @r"
    1.00  asked: Silence
    1.00                          > turns: model creates = false
    ");
}

#[test]
fn told_to_hear_the_caller_only_it_hears_nobody_else_until_it_is_told_otherwise() {
    let lanes = scene()
        .joins(0.5, "bob")
        .asked(1.0, Ask::Hear(Hears::Caller))
        .asked(2.0, Ask::Hear(Hears::Everyone))
        .until(3.0);
    insta::assert_snapshot!(lanes, @r"
    0.50  bob joins
    0.50  ear of bob: open
    0.50                          > turns: model creates = false
    1.00  asked: Hear(Caller)
    1.00  ear of bob: closed
    1.00                          > turns: model creates = true
    2.00  asked: Hear(Everyone)
    2.00  ear of bob: open
    2.00                          > turns: model creates = false
    ");
}

#[test]
fn whoever_speaks_when_their_ear_is_closed_has_ended() {
    let lanes = scene()
        .joins(0.0, "bob")
        .says(0.0, 0.5, "Tell us a story.")
        .model_will_say("Once upon a time there was a king.", 6.0)
        .ear_hears("bob", 3.0, 3.2)
        .asked(3.2, Ask::Hear(Hears::Caller))
        .until(8.0);
    insta::assert_snapshot!(since(&lanes, 2.9), @r#"
    3.00                                                  pause
    3.00                                                  LISTENING
    3.20  asked: Hear(Caller)
    3.20  ear of bob: closed
    3.20                          > turns: model creates = true
    3.70                                                  resume
    3.70                                                  (no interruption, paused 0.70)
    3.70                                                  SPEAKING
    7.76                                                  said a1 "Once upon a time there was a king."
    7.76                                                  LISTENING
    7.77                                                  is silent
    "#);
}

#[test]
fn a_sentence_that_somebody_speaks_before_follows_their_turn() {
    let lanes = scene()
        .asked(1.0, Ask::Interject("We close at six.".to_owned()))
        .model_will_say("We close at six.", 1.0)
        .model_hears_speech(1.1, 1.3)
        .model_will_say("Well.", 0.4)
        .model_will_say("We close at six.", 1.0)
        .until(6.0);
    insta::assert_snapshot!(since(&lanes, 1.0), @r#"
    1.00  asked: Interject("We close at six.")
    1.00                          > create ask-1 "Say exactly this sentence, word for word, and nothing else: \"We close at six.\""
    1.00                                                  THINKING
    1.06                          < created r1 for ask-1
    1.10  speaks u1
    1.10                                                  flush r1
    1.10                          > cancel r1
    1.10                                                  LISTENING
    1.11                                                  (interrupted at 0.00, stopped after 0.01)
    1.15                          < done r1 Cancelled
    1.60                                                  THINKING
    1.60  turn u1
    1.60                                                  (turn of 0.50)
    1.63                          < created r2
    1.83                                                  is heard: a2
    1.83                                                  (answered after 0.23)
    1.83                                                  SPEAKING
    1.93                          < done r2 Completed
    1.93                          > create ask-2 "Say exactly this sentence, word for word, and nothing else: \"We close at six.\""
    1.99                          < created r3 for ask-2
    2.22                                                  said a2 "Well."
    2.23                                                  is heard: a3
    2.44                          < done r3 Completed
    3.22                                                  said a3 "We close at six."
    3.22                                                  LISTENING
    3.23                                                  is silent
    "#);
}

#[test]
fn a_sentence_whose_turn_is_interrupted_before_it_follows_that_too() {
    let lanes = scene()
        .asked(1.0, Ask::Interject("We close at six.".to_owned()))
        .model_hears_speech(1.1, 1.3)
        .model_will_say("We close at six.", 1.0)
        .model_will_say("That is a long story, which begins with a king.", 6.0)
        .model_will_say("We close at six.", 1.0)
        .says(4.5, 6.0, "Wait, what?")
        .model_will_say("Nothing.", 0.4)
        .model_will_say("We close at six.", 1.0)
        .until(12.0);
    insta::assert_snapshot!(since(&lanes, 3.0), @r#"
    3.33                          < done r2 Completed
    3.33                          > create ask-2 "Say exactly this sentence, word for word, and nothing else: \"We close at six.\""
    3.39                          < created r3 for ask-2
    3.84                          < done r3 Completed
    4.50                                                  pause
    4.50                                                  LISTENING
    4.50  speaks u2
    5.70                                                  flush all
    5.70                                                  resume
    5.71                          > truncate a2 at 2.67
    5.71                          > delete a3
    5.71                                                  said a2 "That is a long" -- cut
    5.71                                                  (interrupted at 2.67, stopped after 0.01)
    6.30                                                  THINKING
    6.30  turn u2
    6.30                                                  (turn of 1.80)
    6.33                          < created r4
    6.50  ann: "Wait, what?"
    6.53                                                  is heard: a4
    6.53                                                  (answered after 0.23)
    6.53                                                  SPEAKING
    6.63                          < done r4 Completed
    6.63                          > create ask-3 "Say exactly this sentence, word for word, and nothing else: \"We close at six.\""
    6.69                          < created r5 for ask-3
    6.92                                                  said a4 "Nothing."
    6.93                                                  is heard: a5
    7.14                          < done r5 Completed
    7.92                                                  said a5 "We close at six."
    7.92                                                  LISTENING
    7.93                                                  is silent
    "#);
}

#[test]
fn a_sentence_is_dropped_for_another_one_and_for_silence() {
    for ask in [Ask::Interject("Please wait.".to_owned()), Ask::Silence] {
        let lanes = scene()
            .asked(1.0, Ask::Interject("We close at six.".to_owned()))
            .asked(1.1, ask)
            .model_hears_speech(1.2, 1.4)
            .until(6.0);
        assert!(!since(&lanes, 1.05).contains("We close"), "{lanes}");
    }
}
