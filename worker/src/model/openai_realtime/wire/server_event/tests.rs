use super::*;

#[test]
fn a_delta_is_borrowed_from_the_frame() {
    let ServerEvent::AudioDelta(delta) =
        ServerEvent::parse(include_str!("../fixtures/audio_delta.json")).unwrap()
    else {
        panic!("an audio delta");
    };
    assert_eq!((&*delta.response_id, &*delta.item_id), ("resp_1", "item_2"));
    assert!(matches!(delta.delta, Cow::Borrowed("AQACAAMA")));
}

#[test]
fn a_delta_with_escaped_slashes_is_still_read() {
    let text =
        r#"{"type":"response.audio.delta","response_id":"r","item_id":"i","delta":"\/\/8="}"#;
    let ServerEvent::AudioDelta(delta) = ServerEvent::parse(text).unwrap() else {
        panic!("an audio delta");
    };
    assert_eq!(delta.delta, "//8=");
}

#[test]
fn usage_is_read_with_its_cached_split() {
    let ServerEvent::ResponseDone(response) =
        ServerEvent::parse(include_str!("../fixtures/response_done.json")).unwrap()
    else {
        panic!("a response that is done");
    };
    assert_eq!(
        response.usage.unwrap().counts(),
        Counts {
            input_text: 120,
            input_audio: 60,
            input_image: 40,
            cached: 138,
            cached_split: Some((100, 28, 10)),
            output_text: 30,
            output_audio: 90,
        }
    );
}

#[test]
fn the_model_introduces_itself() {
    let ServerEvent::SessionCreated(session) =
        ServerEvent::parse(include_str!("../fixtures/session_created.json")).unwrap()
    else {
        panic!("an introduction");
    };
    assert_eq!(session.model().as_deref(), Some("gpt-realtime-2.1"));
}

#[test]
fn a_strange_model_name_is_not_passed_on() {
    for name in ["two\\nlines", "", &"x".repeat(101)] {
        let text = format!(r#"{{"type":"session.created","session":{{"model":"{name}"}}}}"#);
        let Ok(ServerEvent::SessionCreated(session)) = ServerEvent::parse(&text) else {
            panic!("an introduction");
        };
        assert!(
            session.model().is_none_or(|model| model.is_empty()),
            "{name}"
        );
    }
}

#[test]
fn an_error_is_named_by_code_then_known_message_then_type() {
    let code = |error: &str| {
        let text = format!(r#"{{"type":"error","error":{error}}}"#);
        match ServerEvent::parse(&text).unwrap() {
            ServerEvent::Error(error) => error.code(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        code(r#"{"type":"invalid_request_error","code":"invalid_value"}"#),
        "invalid_value"
    );
    assert_eq!(
        code(r#"{"code":null,"message":"Cancellation failed: no active response found"}"#),
        "response_cancel_not_active"
    );
    assert_eq!(
        code(r#"{"message":"Audio content of 900ms is already shorter than 950ms"}"#),
        "audio_already_shorter"
    );
    assert_eq!(code(r#"{"type":"server_error","code":""}"#), "server_error");
    assert_eq!(code("{}"), "unknown");
    assert_eq!(code(r#"{"code":"say \"hello\" to Ann"}"#), "unknown");
}

#[test]
fn an_error_never_shows_its_message() {
    let text =
        r#"{"type":"error","error":{"code":"invalid_value","message":"got: my secret plan"}}"#;
    let event = ServerEvent::parse(text).unwrap();
    assert!(!format!("{event:?}").contains("secret"));
}

#[test]
fn what_is_known_but_useless_is_not_unknown() {
    for kind in IGNORED {
        let text = format!(r#"{{"type":"{kind}","item":5,"delta":{{}}}}"#);
        assert!(
            matches!(ServerEvent::parse(&text), Ok(ServerEvent::Ignored)),
            "{kind}"
        );
    }
    let text = r#"{"type":"response.hologram.delta","delta":[1,2],"response_id":7}"#;
    let Ok(ServerEvent::Unknown { kind }) = ServerEvent::parse(text) else {
        panic!("a type of the future");
    };
    assert_eq!(kind, "response.hologram.delta");
}

#[test]
fn what_is_no_event_is_malformed() {
    let deep = format!(r#"{{"type":"error","error":{}"#, "[".repeat(100_000));
    let cases = [
        "",
        "null",
        "[]",
        "{}",
        "\"error\"",
        r#"{"type":5}"#,
        r#"{"type":"error"}"#,
        r#"{"type":"response.done","response":{}}"#,
        r#"{"type":"response.output_audio.delta","response_id":"r","item_id":"i"}"#,
        r#"{"type":"input_audio_buffer.speech_started","item_id":null}"#,
        &deep,
    ];
    for case in cases {
        assert!(
            ServerEvent::parse(case).is_err(),
            "{}",
            &case[..case.len().min(60)]
        );
    }
}

#[test]
fn the_body_of_a_refused_upgrade_gives_its_code() {
    let body =
        br#"{"error":{"message":"no","type":"invalid_request_error","code":"model_not_found"}}"#;
    assert_eq!(code_of_body(body).as_deref(), Some("model_not_found"));
    assert_eq!(code_of_body(b"<html>"), None);
    assert_eq!(code_of_body(br#"{"error":{}}"#), None);
}
