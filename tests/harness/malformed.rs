//! Core: seeded corpora of messages no peer should choke on: valid ones, damaged in many ways.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

/// That many messages as a client might send them; the same seed gives the same corpus.
pub fn messages(seed: u64, count: usize) -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let valid = client_events();
    (0..count).map(|_| message(&valid, &mut rng)).collect()
}

/// That many messages as a model might send them. They speak of responses that do not exist.
pub fn of_a_model(seed: u64, count: usize) -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let valid = server_events();
    (0..count).map(|_| message(&valid, &mut rng)).collect()
}

fn message(valid: &[Value], rng: &mut StdRng) -> String {
    let mut event = valid.choose(rng).cloned().unwrap_or(Value::Null);
    match rng.random_range(0..8) {
        0 => cut(&event.to_string(), rng),
        1 => flip(&event.to_string(), rng),
        2 => noise(rng),
        3 => format!("{}{}", "[".repeat(rng.random_range(1..300)), event),
        4 => {
            remove_key(&mut event, rng);
            event.to_string()
        }
        5 => {
            event["key_from_nowhere"] = odd_value(rng);
            event["type"] = odd_value(rng);
            event.to_string()
        }
        _ => {
            spoil(&mut event, rng, 3);
            event.to_string()
        }
    }
}

fn server_events() -> Vec<Value> {
    let of = |kind: &str| {
        json!({"type": kind, "event_id": "event_x", "response_id": "resp_of_nobody",
            "item_id": "item_of_nobody", "output_index": 0, "content_index": 0})
    };
    let mut delta = of("response.output_audio.delta");
    delta["delta"] = json!("AAAAAAAAAAAAAAAA");
    let mut words = of("response.output_audio_transcript.delta");
    words["delta"] = json!("words of nobody");
    let response = json!({"id": "resp_of_nobody", "object": "realtime.response",
        "status": "completed", "status_details": null, "output": [], "metadata": null,
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}});
    let item = json!({"id": "item_of_nobody", "type": "message", "role": "assistant",
        "status": "completed", "content": [{"type": "output_audio", "transcript": "x"}]});
    vec![
        delta,
        words,
        of("response.output_audio.done"),
        json!({"type": "response.done", "event_id": "event_x", "response": response}),
        json!({"type": "response.output_item.done", "response_id": "resp_of_nobody",
            "output_index": 0, "item": item}),
        json!({"type": "conversation.item.added", "previous_item_id": null, "item": item}),
        json!({"type": "conversation.item.truncated", "item_id": "item_of_nobody",
            "content_index": 0, "audio_end_ms": 10}),
        json!({"type": "rate_limits.updated", "rate_limits": [{"name": "requests", "limit": 1,
            "remaining": 1, "reset_seconds": 0.5}]}),
        json!({"type": "error", "event_id": "event_x", "error": {"type": "server_error",
            "code": null, "message": "x", "param": null, "event_id": null}}),
        json!({"type": "an.event.from.next.year", "payload": {"deep": [{}]}}),
    ]
}

fn client_events() -> Vec<Value> {
    vec![
        json!({"type": "session.update", "event_id": "c1", "session": {"type": "realtime",
            "instructions": "x", "tools": [], "audio": {"input": {"turn_detection":
            {"type": "server_vad", "threshold": 0.5}}, "output": {"voice": "marin"}}}}),
        json!({"type": "input_audio_buffer.append", "audio": "AAAAAAAAAAAAAAAA"}),
        json!({"type": "input_audio_buffer.commit", "event_id": "c2"}),
        json!({"type": "conversation.item.create", "previous_item_id": "root", "item":
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}}),
        json!({"type": "conversation.item.create", "item":
            {"type": "function_call_output", "call_id": "c", "output": "{}"}}),
        json!({"type": "conversation.item.truncate", "item_id": "i", "content_index": 0,
            "audio_end_ms": 100}),
        json!({"type": "conversation.item.delete", "item_id": "i"}),
        json!({"type": "conversation.item.retrieve", "item_id": "i"}),
        json!({"type": "response.create", "response": {"instructions": "x",
            "metadata": {"a": "b"}, "input": [], "conversation": "none"}}),
        json!({"type": "response.cancel", "response_id": "r"}),
    ]
}

fn odd_value(rng: &mut StdRng) -> Value {
    let odd = [
        Value::Null,
        json!(-1),
        json!(u64::MAX),
        json!(1e308),
        json!(0.5),
        json!(true),
        json!(""),
        json!("\u{0}\u{feff}\u{202e}𝒳"),
        json!("x".repeat(4_000)),
        json!([[], {}, null]),
        json!({"type": {"type": []}}),
    ];
    odd.choose(rng).cloned().unwrap_or(Value::Null)
}

fn spoil(value: &mut Value, rng: &mut StdRng, depth: u32) {
    if let Value::Object(map) = value
        && depth > 0
        && !map.is_empty()
    {
        let at = rng.random_range(0..map.len());
        // The type stays at the top level, so that the damage is reached.
        if let Some((_, inner)) = map.iter_mut().filter(|(key, _)| *key != "type").nth(at) {
            return spoil(inner, rng, depth - 1);
        }
    }
    *value = odd_value(rng);
}

fn remove_key(value: &mut Value, rng: &mut StdRng) {
    if let Value::Object(map) = value {
        let keys: Vec<String> = map.keys().cloned().collect();
        if let Some(key) = keys.choose(rng) {
            map.remove(key);
        }
    }
}

fn cut(text: &str, rng: &mut StdRng) -> String {
    text.chars().take(rng.random_range(0..text.len())).collect()
}

fn flip(text: &str, rng: &mut StdRng) -> String {
    let at = rng.random_range(0..text.len());
    text.chars()
        .enumerate()
        .map(|(i, c)| if i == at { '"' } else { c })
        .collect()
}

fn noise(rng: &mut StdRng) -> String {
    (0..rng.random_range(0..200))
        .map(|_| rng.random::<char>())
        .collect()
}
