//! Core: what a session and a response may hold.
//!
//! What is unknown or wrong is refused with the path to it.

use serde_json::{Value, json};

use super::super::rules::Refusal;

/// What a value may be.
enum Kind {
    Flag,
    Text,
    Number {
        least: f64,
        most: f64,
    },
    OneOf(&'static [&'static str]),
    Object(&'static [(&'static str, Self)]),
    Nullable(&'static Self),
    /// Checked no further: the simulated model does not use it.
    Anything,
    Tools,
    PcmFormat,
    Modalities,
    Tokens,
    TurnDetection,
}

const SESSION: Kind = Kind::Object(&[
    ("type", Kind::Text),
    ("model", Kind::Text),
    ("output_modalities", Kind::Modalities),
    ("instructions", Kind::Text),
    (
        "audio",
        Kind::Object(&[
            (
                "input",
                Kind::Object(&[
                    ("format", Kind::PcmFormat),
                    (
                        "noise_reduction",
                        Kind::Nullable(&Kind::Object(&[(
                            "type",
                            Kind::OneOf(&["near_field", "far_field"]),
                        )])),
                    ),
                    ("transcription", Kind::Nullable(&TRANSCRIPTION)),
                    ("turn_detection", Kind::Nullable(&Kind::TurnDetection)),
                ]),
            ),
            (
                "output",
                Kind::Object(&[
                    ("format", Kind::PcmFormat),
                    ("voice", Kind::Anything),
                    (
                        "speed",
                        Kind::Number {
                            least: 0.25,
                            most: 1.5,
                        },
                    ),
                ]),
            ),
        ]),
    ),
    ("tools", Kind::Tools),
    ("tool_choice", Kind::Anything),
    ("parallel_tool_calls", Kind::Flag),
    (
        "reasoning",
        Kind::Nullable(&Kind::Object(&[("effort", Kind::OneOf(EFFORTS))])),
    ),
    ("max_output_tokens", Kind::Tokens),
    ("truncation", Kind::Anything),
    ("include", Kind::Anything),
    ("tracing", Kind::Anything),
    ("prompt", Kind::Anything),
]);

const EFFORTS: &[&str] = &["minimal", "low", "medium", "high", "xhigh"];

const TRANSCRIPTION: Kind = Kind::Object(&[
    ("model", Kind::Text),
    ("language", Kind::Text),
    ("languages", Kind::Anything),
    ("prompt", Kind::Text),
    ("keywords", Kind::Anything),
    ("delay", Kind::OneOf(EFFORTS)),
]);

const SERVER_VAD: Kind = Kind::Object(&[
    ("type", Kind::Text),
    (
        "threshold",
        Kind::Number {
            least: 0.0,
            most: 1.0,
        },
    ),
    (
        "prefix_padding_ms",
        Kind::Number {
            least: 0.0,
            most: 5_000.0,
        },
    ),
    (
        "silence_duration_ms",
        Kind::Number {
            least: 0.0,
            most: 10_000.0,
        },
    ),
    (
        "idle_timeout_ms",
        Kind::Nullable(&Kind::Number {
            least: 5_000.0,
            most: 30_000.0,
        }),
    ),
    ("create_response", Kind::Flag),
    ("interrupt_response", Kind::Flag),
]);

const SEMANTIC_VAD: Kind = Kind::Object(&[
    ("type", Kind::Text),
    ("eagerness", Kind::OneOf(&["auto", "low", "medium", "high"])),
    ("create_response", Kind::Flag),
    ("interrupt_response", Kind::Flag),
]);

const TOOL: Kind = Kind::Object(&[
    ("type", Kind::OneOf(&["function"])),
    ("name", Kind::Text),
    ("description", Kind::Text),
    ("parameters", Kind::Anything),
]);

/// As the API reference has it, but for what is deprecated.
const MCP: Kind = Kind::Object(&[
    ("type", Kind::OneOf(&["mcp"])),
    ("server_label", Kind::Text),
    ("server_url", Kind::Text),
    ("authorization", Kind::Text),
    ("headers", Kind::Nullable(&Kind::Anything)),
    ("allowed_tools", Kind::Nullable(&Kind::Anything)),
    ("require_approval", Kind::OneOf(&["always", "never"])),
    ("server_description", Kind::Text),
]);

const RESPONSE: Kind = Kind::Object(&[
    ("output_modalities", Kind::Modalities),
    ("instructions", Kind::Text),
    ("audio", Kind::Object(&[("output", Kind::Anything)])),
    ("tools", Kind::Tools),
    ("tool_choice", Kind::Anything),
    ("parallel_tool_calls", Kind::Flag),
    ("reasoning", Kind::Anything),
    ("max_output_tokens", Kind::Tokens),
    ("prompt", Kind::Anything),
    ("conversation", Kind::OneOf(&["auto", "none"])),
    ("input", Kind::Anything),
    ("metadata", Kind::Nullable(&Kind::Anything)),
]);

/// Checks a `session.update`.
pub(super) fn update(patch: &Value) -> Result<(), Refusal> {
    check("session", patch, &SESSION)
}

/// Checks the options of a `response.create`.
pub(crate) fn response(options: &Value) -> Result<(), Refusal> {
    check("response", options, &RESPONSE)?;
    let Some(metadata) = options
        .get("metadata")
        .filter(|metadata| !metadata.is_null())
    else {
        return Ok(());
    };
    let short = |(key, value): (&String, &Value)| {
        key.len() <= 64 && value.as_str().is_some_and(|value| value.len() <= 512)
    };
    let fine = metadata
        .as_object()
        .is_some_and(|map| map.len() <= 16 && map.iter().all(short));
    if fine {
        Ok(())
    } else {
        Err(wrong(
            "response.metadata",
            "at most 16 pairs of short strings",
        ))
    }
}

fn check(path: &str, value: &Value, kind: &Kind) -> Result<(), Refusal> {
    match kind {
        Kind::Anything => Ok(()),
        Kind::Flag if value.is_boolean() => Ok(()),
        Kind::Flag => Err(wrong(path, "a boolean")),
        Kind::Text if value.is_string() => Ok(()),
        Kind::Text => Err(wrong(path, "a string")),
        Kind::Number { least, most } => match value.as_f64() {
            Some(number) if (*least..=*most).contains(&number) => Ok(()),
            _ => Err(wrong(path, &format!("a number from {least} to {most}"))),
        },
        Kind::OneOf(words) => match value.as_str() {
            Some(word) if words.contains(&word) => Ok(()),
            _ => Err(wrong(path, &format!("one of {words:?}"))),
        },
        Kind::Nullable(_) if value.is_null() => Ok(()),
        Kind::Nullable(kind) => check(path, value, kind),
        Kind::Object(fields) => check_fields(path, value, fields),
        Kind::Tools => check_tools(path, value),
        Kind::PcmFormat if *value == json!({"type": "audio/pcm", "rate": 24_000}) => Ok(()),
        Kind::PcmFormat => Err(wrong(path, "audio/pcm at 24000 (all that is simulated)")),
        Kind::Modalities if *value == json!(["audio"]) || *value == json!(["text"]) => Ok(()),
        Kind::Modalities => Err(wrong(path, r#"["audio"] or ["text"]"#)),
        Kind::Tokens if *value == "inf" => Ok(()),
        Kind::Tokens => check(
            path,
            value,
            &Kind::Number {
                least: 1.0,
                most: 4_096.0,
            },
        ),
        Kind::TurnDetection => match value["type"].as_str() {
            Some("server_vad") => check(path, value, &SERVER_VAD),
            Some("semantic_vad") => check(path, value, &SEMANTIC_VAD),
            _ => Err(wrong(
                &format!("{path}.type"),
                "'server_vad' or 'semantic_vad'",
            )),
        },
    }
}

fn check_fields(path: &str, value: &Value, fields: &[(&str, Kind)]) -> Result<(), Refusal> {
    let Some(object) = value.as_object() else {
        return Err(wrong(path, "an object"));
    };
    for (key, value) in object {
        let path = format!("{path}.{key}");
        let Some((_, kind)) = fields.iter().find(|(name, _)| name == key) else {
            return Err(Refusal::unknown(&path));
        };
        check(&path, value, kind)?;
    }
    Ok(())
}

fn check_tools(path: &str, value: &Value) -> Result<(), Refusal> {
    let Some(tools) = value.as_array() else {
        return Err(wrong(path, "an array"));
    };
    for (index, tool) in tools.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let (kind, keys) = match tool["type"].as_str() {
            Some("mcp") => (&MCP, ["server_label", "server_url"]),
            _ => (&TOOL, ["type", "name"]),
        };
        check(&path, tool, kind)?;
        for key in keys {
            if tool.get(key).is_none() {
                return Err(Refusal::missing(&format!("{path}.{key}")));
            }
        }
        let parameters = tool.get("parameters").unwrap_or(&Value::Null);
        if !parameters.is_object() && !parameters.is_null() {
            return Err(wrong(&format!("{path}.parameters"), "a JSON schema object"));
        }
    }
    Ok(())
}

fn wrong(path: &str, expected: &str) -> Refusal {
    Refusal::invalid(
        path,
        &format!("Invalid value for '{path}': expected {expected}."),
    )
}
