use std::time::Duration;

use dialog::model::{NewItem, Order, Picture, PictureFormat, Said, Usage};
use serde_json::{Value, json};

use super::*;
use crate::model::{Config, Endpoint, SessionSettings};

const DONE: &str = include_str!("../wire/fixtures/response_done.json");

/// Feeds the frames and tells the facts in a line each.
fn scene(translator: &mut Translator, frames: &[&str]) -> Vec<String> {
    let mut facts = Vec::new();
    for frame in frames {
        translator.translate(ServerEvent::parse(frame).unwrap(), &mut facts);
    }
    facts.iter().map(line).collect()
}

fn line(fact: &Fact) -> String {
    match fact {
        Fact::Audio {
            response,
            item,
            pcm,
        } => {
            format!("audio {response} {item} {:?}", pcm.as_slice())
        }
        Fact::AudioDone { response, item } => format!("audio done {response} {item}"),
        Fact::Event(event) => format!("{event:?}"),
        Fact::Listed { server, tools } => format!("{server} lists {}", tools.len()),
        Fact::Refused { code } => format!("refused {code}"),
        Fact::TurnBegins(at) => format!("a turn begins at {at:?}"),
        Fact::Unknown { kind } => format!("unknown {kind}"),
        Fact::Unusable(what) => format!("unusable: {what}"),
    }
}

fn delta(response: &str, item: &str, base64: &str) -> String {
    json!({
        "type": "response.output_audio.delta",
        "response_id": response,
        "item_id": item,
        "delta": base64,
    })
    .to_string()
}

#[test]
fn a_spoken_answer_goes_from_created_to_done() {
    let frames = [
        r#"{"type":"response.created","response":{"id":"resp_1","status":"in_progress","output":[],"usage":null,"metadata":{"client_event_id":"greet-1"}}}"#,
        r#"{"type":"response.output_audio_transcript.delta","response_id":"resp_1","item_id":"item_2","delta":"One "}"#,
        &delta("resp_1", "item_2", "AQACAA=="),
        r#"{"type":"response.output_audio.done","response_id":"resp_1","item_id":"item_2"}"#,
        DONE,
    ];
    insta::assert_snapshot!(scene(&mut Translator::default(), &frames).join("\n"), @r#"
    ResponseCreated { response: resp_1, tag: Some(greet-1) }
    TranscriptDelta { response: resp_1, item: item_2, text: "One " }
    audio resp_1 item_2 [1, 2]
    audio done resp_1 item_2
    FunctionCall { response: resp_1, item: item_3, call: call_9, name: "lookup", arguments: "{\"q\":\"x\"}" }
    ResponseDone { response: resp_1, status: Completed, usage: Some(Usage { input_text: 120, input_audio: 60, input_image: 40, cached_text: 100, cached_audio: 28, cached_image: 10, output_text: 30, output_audio: 90 }) }
    "#);
}

#[test]
fn a_call_is_told_once_although_the_provider_tells_it_twice() {
    let item_done = r#"{"type":"response.output_item.done","response_id":"resp_1","item":{"id":"item_3","type":"function_call","status":"completed","name":"lookup","call_id":"call_9","arguments":"{}"}}"#;
    let lines = scene(&mut Translator::default(), &[item_done, item_done, DONE]);
    let calls = lines
        .iter()
        .filter(|line| line.starts_with("FunctionCall"))
        .count();
    assert_eq!(calls, 1, "{lines:?}");
}

#[test]
fn a_call_cut_by_an_interruption_is_not_told() {
    let cut = r#"{"type":"response.output_item.done","response_id":"r","item":{"id":"i","type":"function_call","status":"incomplete","name":"lookup","call_id":"c","arguments":"{\"q\":"}}"#;
    let cancelled = r#"{"type":"response.done","response":{"id":"r","status":"cancelled","status_details":{"type":"cancelled","reason":"turn_detected"},"output":[{"id":"i","type":"function_call","status":"completed","name":"lookup","call_id":"c","arguments":"{\"q\":"}]}}"#;
    assert_eq!(
        scene(&mut Translator::default(), &[cut, cancelled]),
        ["ResponseDone { response: r, status: Cancelled, usage: None }"]
    );
}

#[test]
fn a_call_nobody_could_answer_is_unusable() {
    let nameless = r#"{"type":"response.output_item.done","response_id":"r","item":{"id":"i","type":"function_call","call_id":"c"}}"#;
    assert_eq!(
        scene(&mut Translator::default(), &[nameless]),
        ["unusable: a function call without id or name"]
    );
}

#[test]
fn an_item_is_finished_when_the_next_one_speaks_although_its_done_comes_late() {
    let frames = [
        &delta("r", "a", "AQA="),
        &delta("r", "b", "AgA="),
        r#"{"type":"response.output_audio.done","response_id":"r","item_id":"a"}"#,
        r#"{"type":"response.done","response":{"id":"r","status":"completed"}}"#,
    ];
    insta::assert_snapshot!(scene(&mut Translator::default(), &frames).join("\n"), @r"
    audio r a [1]
    audio done r a
    audio r b [2]
    audio done r b
    ResponseDone { response: r, status: Completed, usage: None }
    ");
}

#[test]
fn half_a_sample_waits_for_the_next_delta_of_its_item_only() {
    let frames = [
        delta("r", "a", "AQACAAM="),
        delta("r", "a", "AA=="),
        delta("r", "b", "BAAF"),
        delta("r", "c", "BgA="),
    ];
    let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
    let audio: Vec<_> = scene(&mut Translator::default(), &frames)
        .into_iter()
        .filter(|line| !line.starts_with("audio done"))
        .collect();
    assert_eq!(
        audio,
        [
            "audio r a [1, 2]",
            "audio r a [3]",
            "audio r b [4]",
            "audio r c [6]"
        ]
    );
}

#[test]
fn items_that_still_expect_audio_are_known_when_the_connection_ends() {
    let mut translator = Translator::default();
    scene(
        &mut translator,
        &[&delta("r", "a", "AQA="), &delta("s", "b", "AQA=")],
    );
    let unfinished: Vec<_> = translator
        .into_unfinished()
        .map(|(response, item)| format!("{response} {item}"))
        .collect();
    assert_eq!(unfinished, ["r a", "s b"]);
}

#[test]
fn the_text_of_a_user_grows_until_it_is_final() {
    let part = |text: &str| {
        json!({
            "type": "conversation.item.input_audio_transcription.delta",
            "item_id": "u",
            "content_index": 0,
            "delta": text,
        })
        .to_string()
    };
    let frames = [
        part("Good "),
        part("morning"),
        json!({
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "u",
            "transcript": "Good morning.",
            "usage": {"type": "duration", "seconds": 1.7},
        })
        .to_string(),
        part("Next"),
    ];
    let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
    insta::assert_snapshot!(scene(&mut Translator::default(), &frames).join("\n"), @r#"
    UserTranscript { item: u, text: "Good ", is_final: false }
    UserTranscript { item: u, text: "Good morning", is_final: false }
    UserTranscript { item: u, text: "Good morning.", is_final: true }
    UserTranscript { item: u, text: "Next", is_final: false }
    "#);
}

#[test]
fn a_failed_transcription_is_not_an_error_of_the_connection() {
    let failed = r#"{"type":"conversation.item.input_audio_transcription.failed","item_id":"u","content_index":0,"error":{"code":"model_not_found"}}"#;
    assert_eq!(
        scene(&mut Translator::default(), &[failed]),
        ["UserTranscriptFailed { item: u }"]
    );
}

#[test]
fn an_error_about_a_create_carries_its_tag() {
    let other = r#"{"type":"error","error":{"code":"response_cancel_not_active","event_id":"o3"}}"#;
    let lines = scene(
        &mut Translator::default(),
        &[include_str!("../wire/fixtures/error.json"), other],
    );
    insta::assert_snapshot!(lines.join("\n"), @r#"
    Error { code: "conversation_already_has_active_response", tag: Some(greet-1) }
    Error { code: "response_cancel_not_active", tag: None }
    "#);
}

#[test]
fn only_codes_that_never_heal_end_the_connection() {
    let broke = r#"{"type":"response.done","response":{"id":"r","status":"failed","status_details":{"error":{"code":"insufficient_quota"}}}}"#;
    let expired = r#"{"type":"error","error":{"code":"session_expired"}}"#;
    let lines = scene(
        &mut Translator::default(),
        &[
            include_str!("../wire/fixtures/response_failed.json"),
            broke,
            expired,
        ],
    );
    insta::assert_snapshot!(lines.join("\n"), @r#"
    ResponseDone { response: resp_4, status: Failed { code: "rate_limit_exceeded" }, usage: None }
    ResponseDone { response: r, status: Failed { code: "insufficient_quota" }, usage: None }
    refused insufficient_quota
    refused session_expired
    "#);
}

#[test]
fn memory_stays_bounded_whatever_the_provider_sends() {
    let mut translator = Translator::default();
    let mut facts = Vec::new();
    for number in 0..2_000 {
        let text = "x".repeat(1_000);
        let frames = [
            json!({"type": "conversation.item.input_audio_transcription.delta",
                   "item_id": format!("u{}", number % 100), "delta": text}),
            json!({"type": "response.output_item.done", "response_id": "r", "item":
                   {"type": "function_call", "name": "n", "call_id": format!("c{number}")}}),
        ];
        for frame in frames {
            let frame = frame.to_string();
            translator.translate(ServerEvent::parse(&frame).unwrap(), &mut facts);
        }
        facts.clear();
    }
    assert_eq!(translator.transcripts.len(), OPEN_TRANSCRIPTS);
    assert_eq!(translator.seen_calls.len(), SEEN_CALLS);
    assert!(
        translator
            .transcripts
            .iter()
            .all(|(_, text)| text.len() <= TRANSCRIPT_LIMIT)
    );
}

fn settings() -> SessionSettings {
    let config = Config::default();
    let mut settings = SessionSettings::new(&config, Endpoint::new(&config).unwrap());
    settings.instructions = "You are Ann.".to_owned();
    settings
}

fn wire(order: &Order) -> Value {
    serde_json::from_str(&order_json(order, 7, &settings()).unwrap()).unwrap()
}

#[test]
fn orders_become_the_provider_s_events() {
    let item = ItemId::new("item_2");
    let cases = [
        (
            Order::Cancel {
                response: Some(ResponseId::new("resp_1")),
            },
            json!({"type": "response.cancel", "event_id": "o7", "response_id": "resp_1"}),
        ),
        (
            Order::Cancel { response: None },
            json!({"type": "response.cancel", "event_id": "o7"}),
        ),
        (
            Order::Delete { item: item.clone() },
            json!({"type": "conversation.item.delete", "event_id": "o7", "item_id": "item_2"}),
        ),
        (
            Order::Instruct("Be brief.".to_owned()),
            json!({"type": "session.update", "event_id": "instruct",
                   "session": {"type": "realtime", "instructions": "Be brief."}}),
        ),
        (
            Order::Equip(vec!["net".to_owned()]),
            json!({"type": "session.update", "event_id": "equip",
                   "session": {"type": "realtime", "tools": []}}),
        ),
        (
            Order::Truncate {
                item,
                heard: Duration::from_micros(2_300_900),
            },
            json!({"type": "conversation.item.truncate", "event_id": "o7", "item_id": "item_2",
                   "content_index": 0, "audio_end_ms": 2300}),
        ),
        (
            Order::Create {
                tag: Tag::new("t1"),
                instructions: None,
            },
            json!({"type": "response.create", "event_id": "create:t1",
                   "response": {"metadata": {"client_event_id": "t1"}}}),
        ),
        (
            Order::Create {
                tag: Tag::new("t1"),
                instructions: Some("Greet.".to_owned()),
            },
            json!({"type": "response.create", "event_id": "create:t1",
                   "response": {"metadata": {"client_event_id": "t1"},
                                "instructions": "You are Ann.\n\nGreet."}}),
        ),
    ];
    for (order, expected) in cases {
        assert_eq!(wire(&order), expected);
    }
}

#[test]
fn items_are_written_in_the_role_they_were_experienced() {
    let item = |item: NewItem| wire(&Order::Item(item))["item"].clone();
    assert_eq!(
        item(NewItem::AgentText("Hello".to_owned())),
        json!({"type": "message", "role": "assistant",
               "content": [{"type": "output_text", "text": "Hello"}]})
    );
    assert_eq!(
        item(NewItem::UserText("\"Hi\"\n".to_owned())),
        json!({"type": "message", "role": "user",
               "content": [{"type": "input_text", "text": "\"Hi\"\n"}]})
    );
    assert_eq!(
        item(NewItem::SystemText("Bob came.".to_owned())),
        json!({"type": "message", "role": "system",
               "content": [{"type": "input_text", "text": "Bob came."}]})
    );
    assert_eq!(
        item(NewItem::Picture {
            item: ItemId::new("picture_1"),
            caption: Some("Bob shows this picture.".to_owned()),
            picture: Picture {
                format: PictureFormat::Png,
                data: vec![1, 2, 255].into(),
            },
        }),
        json!({"type": "message", "id": "picture_1", "role": "user",
               "content": [{"type": "input_image", "image_url": "data:image/png;base64,AQL/"},
                           {"type": "input_text", "text": "Bob shows this picture."}]})
    );
    assert_eq!(
        item(NewItem::FunctionOutput {
            call: CallId::new("c"),
            output: "{}".to_owned()
        }),
        json!({"type": "function_call_output", "call_id": "c", "output": "{}"})
    );
}

#[test]
fn the_tag_of_a_create_comes_back_in_its_error() {
    let created = wire(&Order::Create {
        tag: Tag::new("t1"),
        instructions: None,
    });
    assert_eq!(
        tag_of_event_id(created["event_id"].as_str().unwrap()),
        Some(Tag::new("t1"))
    );
    assert_eq!(tag_of_event_id("o7"), None);
}

#[test]
fn usage_without_details_is_all_zero() {
    let bare = r#"{"type":"response.done","response":{"id":"r","status":"completed","usage":{"total_tokens":5}}}"#;
    let mut facts = Vec::new();
    Translator::default().translate(ServerEvent::parse(bare).unwrap(), &mut facts);
    assert_eq!(
        facts,
        [Fact::Event(Event::ResponseDone {
            response: ResponseId::new("r"),
            status: ResponseStatus::Completed,
            usage: Some(Usage::default()),
        })]
    );
}

#[test]
fn a_question_beside_the_conversation_is_asked_in_writing_about_what_was_said() {
    let asked = wire(&Order::Consult {
        tag: Tag::new("weigh-1"),
        question: "Is it late?".to_owned(),
        about: vec![
            Said::Words(NewItem::AgentText("Noon.".to_owned())),
            Said::Item(ItemId::new("item_9")),
        ],
    });
    assert_eq!(
        asked,
        json!({
            "type": "response.create",
            "event_id": "consult:weigh-1",
            "response": {
                "conversation": "none",
                "instructions": "Is it late?",
                "input": [
                    {"type": "message", "role": "assistant",
                     "content": [{"type": "output_text", "text": "Noon."}]},
                    {"type": "item_reference", "id": "item_9"},
                ],
                "output_modalities": ["text"],
                "tool_choice": "none",
                "metadata": {"client_event_id": "consult:weigh-1"},
            },
        })
    );
    assert_eq!(
        tag_of_event_id("consult:weigh-1"),
        Some(Tag::new("weigh-1"))
    );
}

#[test]
fn of_a_response_beside_the_conversation_only_the_answer_is_told() {
    let done = |status: &str, output: Value| {
        json!({"type": "response.done", "response": {"id": "resp_7", "status": status,
            "output": output, "usage": {"output_token_details": {"text_tokens": 2}},
            "metadata": {"client_event_id": "consult:weigh-1"}}})
        .to_string()
    };
    let message = json!({"id": "item_8", "type": "message",
        "content": [{"type": "output_text", "text": "Yes."}]});
    let item_done = json!({"type": "response.output_item.done", "response_id": "resp_7",
        "output_index": 0, "item": message})
    .to_string();
    let begun = r#"{"type":"response.created","response":{"id":"resp_7","conversation_id":null,"metadata":{"client_event_id":"consult:weigh-1"}}}"#;
    let frames = [
        begun,
        // A model that answers with its voice all the same is not heard.
        &delta("resp_7", "item_8", "AQACAA=="),
        r#"{"type":"response.output_text.delta","response_id":"resp_7","item_id":"item_8","delta":"Yes."}"#,
        &item_done,
        &done("completed", json!([message])),
    ];
    let mut translator = Translator::default();
    assert_eq!(
        scene(&mut translator, &frames),
        [concat!(
            "Consulted { tag: weigh-1, answer: Some(\"Yes.\"), usage: Some(Usage { input_text: 0, ",
            "input_audio: 0, input_image: 0, cached_text: 0, cached_audio: 0, cached_image: 0, ",
            "output_text: 2, output_audio: 0 }) }"
        )]
    );
    let cut = scene(
        &mut translator,
        &[begun, &done("incomplete", json!([message]))],
    );
    assert!(cut[0].contains("answer: None"), "{cut:?}");
    assert_eq!(cut.len(), 1);
}
