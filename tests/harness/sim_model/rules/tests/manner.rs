//! Sessions that are told how to take part.

use super::*;

#[test]
fn told_to_speak_without_end_it_tells_one_story_after_the_other() {
    let mut client = Client::new();
    client.send(
        json!({"type": "session.update", "session": {"type": "realtime",
        "instructions": "Speak without end."}}),
    );
    client.send(json!({"type": "response.create"}));
    client.events();
    let length = duration_of(voice::story().pcm.len());
    let mut told = client.speak("caller-hello");
    told.extend(client.pass(3 * length));
    let count = |wanted: &str| told.iter().filter(|event| event["type"] == wanted).count();
    assert_eq!(count("response.created"), 3);
    assert_eq!(count("input_audio_buffer.speech_started"), 0);
}

#[test]
fn told_never_to_say_anything_it_hears_and_is_silent() {
    let mut client = Client::new();
    client.send(
        json!({"type": "session.update", "session": {"type": "realtime",
        "instructions": "Never say anything."}}),
    );
    client.events();
    assert_eq!(client.speak("caller-hello"), Vec::<Value>::new());
    assert_eq!(client.pass(Duration::from_secs(60)), Vec::<Value>::new());
}
