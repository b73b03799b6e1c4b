use super::*;
use crate::clips::clip;

mod manner;

/// A client on a virtual clock.
struct Client {
    rules: Rules,
    now: Duration,
}

impl Client {
    fn new() -> Self {
        let mut client = Self {
            rules: Rules::new(Script::default(), "simulated-realtime", 1_000, 7),
            now: Duration::ZERO,
        };
        assert_eq!(client.kinds(), ["session.created"]);
        client
    }

    fn transcribed() -> Self {
        let mut client = Self::new();
        client.send(
            json!({"type": "session.update", "session": {"type": "realtime",
            "audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}}}),
        );
        assert_eq!(client.kinds(), ["session.updated"]);
        client
    }

    fn send(&mut self, event: Value) {
        self.rules.on_text(self.now, &event.to_string());
    }

    fn events(&mut self) -> Vec<Value> {
        let event = |out| match out {
            Out::Event(event) => event,
            other => panic!("an event: {other:?}"),
        };
        std::iter::from_fn(|| self.rules.poll())
            .map(event)
            .collect()
    }

    fn kinds(&mut self) -> Vec<String> {
        self.events().iter().map(kind).collect()
    }

    fn pass(&mut self, length: Duration) -> Vec<Value> {
        let until = self.now + length;
        while self.rules.next_wakeup() <= until {
            self.now = self.now.max(self.rules.next_wakeup());
            self.rules.on_time(self.now);
        }
        self.now = until;
        self.events()
    }

    /// Speaks in real time, 20 ms at once, and then is silent for a second.
    fn speak(&mut self, name: &str) -> Vec<Value> {
        let pcm = [clip(name).pcm.clone(), vec![0; 24_000]].concat();
        let mut events = Vec::new();
        for chunk in pcm.chunks(480) {
            let audio = super::super::response::encode(chunk);
            self.send(json!({"type": "input_audio_buffer.append", "audio": audio}));
            events.extend(self.pass(Duration::from_millis(20)));
        }
        events
    }

    fn error(&mut self) -> (String, Value) {
        let events = self.events();
        let [event] = &events[..] else {
            panic!("one error: {events:?}")
        };
        (
            event["error"]["code"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            event["error"].clone(),
        )
    }
}

fn kind(event: &Value) -> String {
    event["type"]
        .as_str()
        .expect("every event has a type")
        .to_owned()
}

fn find<'a>(events: &'a [Value], wanted: &str) -> &'a Value {
    let found = events.iter().find(|event| event["type"] == wanted);
    found.unwrap_or_else(|| {
        panic!(
            "{wanted} in {:?}",
            events.iter().map(kind).collect::<Vec<_>>()
        )
    })
}

/// Kinds in order, runs of deltas shown once.
fn outline(events: &[Value]) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for kind in events
        .iter()
        .map(kind)
        .filter(|kind| kind != "rate_limits.updated")
    {
        if !(kind.ends_with(".delta") && kinds.iter().rev().take(2).any(|seen| *seen == kind)) {
            kinds.push(kind);
        }
    }
    kinds
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_greeting_has_the_providers_order_of_events() {
    let mut client = Client::new();
    client.send(
        json!({"type": "response.create", "event_id": "c1", "response": {
        "instructions": "Greet the caller.", "metadata": {"client_event_id": "c1"}}}),
    );
    let events = client.pass(5 * SECOND);
    assert_eq!(
        outline(&events),
        [
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]
    );
    let done = &find(&events, "response.done")["response"];
    assert_eq!(done["status"], "completed");
    assert_eq!(done["metadata"]["client_event_id"], "c1");
    assert_eq!(
        done["output"][0]["content"][0]["transcript"],
        clip("agent-greeting").words
    );
}

#[test]
fn audio_comes_faster_than_it_sounds() {
    let mut client = Client::new();
    client.send(json!({"type": "response.create"}));
    client.pass(Duration::from_millis(250));
    let events = client.pass(SECOND / 2);
    let samples: usize = events
        .iter()
        .filter(|event| event["type"] == "response.output_audio.delta")
        .map(|event| event["delta"].as_str().map_or(0, str::len) * 3 / 4 / 2)
        .sum();
    let heard = duration_of(samples);
    assert!(
        (3 * SECOND / 2..=5 * SECOND / 2).contains(&heard),
        "{heard:?} in half a second"
    );
}

#[test]
fn a_spoken_turn_is_committed_answered_and_transcribed() {
    let mut client = Client::transcribed();
    let mut events = client.speak("caller-apples");
    events.extend(client.pass(3 * SECOND));
    let kinds = outline(&events);
    assert_eq!(
        kinds[..6],
        [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
    );
    let transcript = find(
        &events,
        "conversation.item.input_audio_transcription.completed",
    );
    assert_eq!(transcript["transcript"], clip("caller-apples").words);
    let said = find(&events, "response.output_audio_transcript.done");
    assert_eq!(
        said["transcript"],
        format!("You said {}", clip("caller-apples").words)
    );
}

#[test]
fn speech_cancels_the_running_response_when_told_so() {
    let mut client = Client::new();
    client.send(json!({"type": "response.create"}));
    client.pass(Duration::from_millis(300));
    let events = client.speak("caller-wait");
    let cancelled = events
        .iter()
        .find(|e| e["type"] == "response.done")
        .expect("it ended");
    assert_eq!(cancelled["response"]["status"], "cancelled");
    assert_eq!(
        cancelled["response"]["status_details"]["reason"],
        "turn_detected"
    );
    assert_eq!(cancelled["response"]["output"][0]["status"], "completed");
}

#[test]
fn without_interruption_a_turn_during_a_response_gets_no_answer() {
    let mut client = Client::new();
    client.send(
        json!({"type": "session.update", "session": {"type": "realtime", "audio":
        {"input": {"turn_detection": {"type": "server_vad", "interrupt_response": false}}}}}),
    );
    client.send(
        json!({"type": "conversation.item.create", "item": {"type": "message",
        "role": "user", "content": [{"type": "input_text", "text": "Please count to twenty."}]}}),
    );
    client.send(json!({"type": "response.create"}));
    client.rules.script.pace = 1.0;
    client.pass(Duration::from_millis(100));
    let events = client.speak("caller-wait");
    let kinds = outline(&events);
    assert!(kinds.contains(&"input_audio_buffer.committed".to_owned()));
    assert!(!kinds.contains(&"response.created".to_owned()), "{kinds:?}");
}

#[test]
fn only_one_response_runs_in_the_conversation_and_others_beside_it() {
    let mut client = Client::new();
    client.send(json!({"type": "response.create"}));
    client.events();
    client.send(json!({"type": "response.create", "event_id": "second"}));
    let (code, error) = client.error();
    assert_eq!(code, "conversation_already_has_active_response");
    assert_eq!(error["event_id"], "second");
    client.send(
        json!({"type": "response.create", "response": {"conversation": "none",
        "output_modalities": ["text"], "input": []}}),
    );
    let events = client.pass(SECOND / 2);
    let done = find(&events, "response.done");
    assert_eq!(done["response"]["conversation_id"], Value::Null);
    assert_eq!(
        done["response"]["output"][0]["content"][0]["type"],
        "output_text"
    );
}

#[test]
fn cancel_ends_the_response_and_is_refused_when_none_runs() {
    let mut client = Client::new();
    client.send(json!({"type": "response.cancel"}));
    assert_eq!(client.error().0, "response_cancel_not_active");
    client.send(json!({"type": "response.create"}));
    client.pass(SECOND / 2);
    client.send(json!({"type": "response.cancel"}));
    let events = client.events();
    let done = &find(&events, "response.done")["response"];
    assert_eq!(done["status_details"]["reason"], "client_cancelled");
    assert_eq!(done["status"], "cancelled");
    assert!(
        client.pass(5 * SECOND).is_empty(),
        "nothing follows a cancelled response"
    );
}

#[test]
fn truncate_has_the_providers_limits() {
    let mut client = Client::new();
    client.send(json!({"type": "response.create"}));
    let events = client.pass(Duration::from_millis(240));
    let item = find(&events, "response.output_item.added")["item"]["id"].clone();
    let truncate = |end: u64| {
        json!({"type": "conversation.item.truncate", "item_id": item, "content_index": 0,
            "audio_end_ms": end})
    };
    client.send(truncate(0));
    assert_eq!(client.error().0, "unsupported_content_type");
    client.pass(3 * SECOND);
    client.send(truncate(60_000));
    let (code, error) = client.error();
    assert_eq!(code, "invalid_value");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|message| message.contains("60000ms"))
    );
    client.send(truncate(1_200));
    assert_eq!(client.kinds(), ["conversation.item.truncated"]);
    client.send(json!({"type": "conversation.item.retrieve", "item_id": item}));
    let retrieved = client.events();
    let part = &retrieved[0]["item"]["content"][0];
    assert!(
        part.get("transcript").is_none(),
        "no transcript is left of a cut item"
    );
    assert_eq!(
        part["audio"].as_str().map(str::len),
        Some(1_200 * 48 / 3 * 4)
    );
    client.send(
        json!({"type": "conversation.item.truncate", "item_id": "item_of_nobody",
        "content_index": 0, "audio_end_ms": 0}),
    );
    assert_eq!(client.error().0, "item_truncate_invalid_item_id");
}

#[test]
fn items_keep_their_order_and_ids_are_unique() {
    let mut client = Client::new();
    let text = |id: &str| {
        json!({"id": id, "type": "message", "role": "user",
            "content": [{"type": "input_text", "text": id}]})
    };
    let create = |item: Value, after: Value| json!({"type": "conversation.item.create", "item": item, "previous_item_id": after});
    client.send(create(text("b"), Value::Null));
    client.send(create(text("a"), json!("root")));
    client.send(create(text("c"), json!("b")));
    let previous: Vec<Value> = client
        .events()
        .iter()
        .filter(|event| event["type"] == "conversation.item.added")
        .map(|event| event["previous_item_id"].clone())
        .collect();
    assert_eq!(previous, [Value::Null, Value::Null, json!("b")]);
    client.send(create(text("a"), Value::Null));
    assert_eq!(client.error().0, "item_create_duplicate_item_id");
    client.send(create(text("d"), json!("nobody")));
    assert_eq!(client.error().0, "item_create_invalid_previous_item_id");
    client.send(json!({"type": "conversation.item.delete", "item_id": "a"}));
    assert_eq!(client.kinds(), ["conversation.item.deleted"]);
    client.send(json!({"type": "conversation.item.delete", "item_id": "a"}));
    assert_eq!(client.error().0, "item_delete_invalid_item_id");
}

#[test]
fn a_short_commit_is_refused_and_push_to_talk_does_not_answer_by_itself() {
    let mut client = Client::new();
    client.send(
        json!({"type": "session.update", "session": {"type": "realtime",
        "audio": {"input": {"turn_detection": null}}}}),
    );
    client.events();
    client.send(json!({"type": "input_audio_buffer.commit"}));
    assert_eq!(client.error().0, "input_audio_buffer_commit_empty");
    let audio = super::super::response::encode(&clip("caller-name").pcm);
    client.send(json!({"type": "input_audio_buffer.append", "audio": audio}));
    client.send(json!({"type": "input_audio_buffer.commit"}));
    let events = client.pass(SECOND);
    assert_eq!(
        outline(&events),
        [
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done"
        ]
    );
}

#[test]
fn a_tool_is_called_and_its_output_spoken_only_when_asked() {
    let mut client = Client::new();
    client.send(
        json!({"type": "session.update", "session": {"type": "realtime",
        "tools": [{"type": "function", "name": "current_time", "description": "The time.",
            "parameters": {"type": "object", "properties": {}}}]}}),
    );
    let mut events = client.speak("caller-time");
    events.extend(client.pass(SECOND));
    let called = find(&events, "response.function_call_arguments.done").clone();
    assert_eq!(called["name"], "current_time");
    client.send(json!({"type": "conversation.item.create", "item": {
        "type": "function_call_output", "call_id": called["call_id"], "output": r#"{"time": "14:05"}"#}}));
    let silent = client.pass(SECOND);
    assert_eq!(
        outline(&silent),
        ["conversation.item.added", "conversation.item.done"]
    );
    client.send(json!({"type": "response.create"}));
    let events = client.pass(3 * SECOND);
    let said = find(&events, "response.output_audio_transcript.done");
    assert_eq!(said["transcript"], "It is 14:05.");
}

#[test]
fn a_session_expires_with_an_error_and_a_close() {
    let mut client = Client::new();
    client.rules.on_time(Duration::from_secs(3_600));
    let Some(Out::Event(error)) = client.rules.poll() else {
        panic!("an error first")
    };
    assert_eq!(error["error"]["code"], "session_expired");
    assert!(matches!(client.rules.poll(), Some(Out::Close(1001, _))));
}

#[test]
fn a_failed_response_says_why() {
    let mut client = Client::new();
    client
        .rules
        .arm(Fault::Fail("rate_limit_exceeded".to_owned()));
    client.send(json!({"type": "response.create"}));
    let events = client.pass(SECOND);
    let done = &find(&events, "response.done")["response"];
    assert_eq!(done["status"], "failed");
    assert_eq!(
        done["status_details"]["error"]["code"],
        "rate_limit_exceeded"
    );
    client.send(json!({"type": "response.create"}));
    let events = client.pass(5 * SECOND);
    assert_eq!(
        find(&events, "response.done")["response"]["status"],
        "completed"
    );
}

#[test]
fn a_link_that_will_drop_does_so_after_its_deltas() {
    let mut client = Client::new();
    client.rules.arm(Fault::DropLink(3));
    client.send(json!({"type": "response.create"}));
    let mut deltas = 0;
    loop {
        client.now = client.now.max(client.rules.next_wakeup());
        client.rules.on_time(client.now);
        match client.rules.poll() {
            Some(Out::Event(event)) if event["type"] == "response.output_audio.delta" => {
                deltas += 1
            }
            Some(Out::Drop) => break,
            _ => {}
        }
    }
    assert_eq!(deltas, 3);
}

#[test]
fn malformed_messages_are_answered_with_errors_and_never_panic() {
    let corpus = crate::malformed::messages(11, 2_000);
    let mut client = Client::new();
    let mut errors = 0;
    for message in &corpus {
        client.rules.on_text(client.now, message);
        client.now += Duration::from_millis(5);
        client.rules.on_time(client.now);
        while let Some(out) = client.rules.poll() {
            errors += usize::from(matches!(out, Out::Event(event) if event["type"] == "error"));
        }
    }
    assert!(errors > 1_000, "{errors} errors");
    client.send(json!({"type": "input_audio_buffer.clear"}));
    assert_eq!(
        client.kinds(),
        ["input_audio_buffer.cleared"],
        "the connection still works"
    );
}

#[test]
fn instructions_that_repeat_the_sessions_count_only_for_what_they_add() {
    let mut client = Client::new();
    let session = "When the caller says goodbye, end the call.";
    client.send(
        json!({"type": "session.update", "session": {"type": "realtime",
        "instructions": session}}),
    );
    client.send(json!({"type": "response.create", "response": {
        "instructions": format!("{session}\n\nGreet the caller.")}}));
    let events = client.pass(5 * SECOND);
    let said = find(&events, "response.output_audio_transcript.done");
    assert_eq!(said["transcript"], clip("agent-greeting").words);
}
