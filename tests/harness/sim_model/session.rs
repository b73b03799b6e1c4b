//! Core: the session object: its defaults, and how an update is merged.
//!
//! An update is refused as a whole when one key of it is unknown or wrong.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{rules::Refusal, vad};

mod check;

pub(super) use check::response as check_response;

/// What the simulated model calls itself, so that nobody takes it for a real one.
const MODEL: &str = "simulated-realtime";

/// The effective session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    object: Value,
    /// The model the client asked for in its URL; it may repeat that name.
    requested: String,
}

impl Session {
    /// What a new connection gets; `expires_at` in unix seconds.
    pub(super) fn new(id: &str, requested: &str, expires_at: u64) -> Self {
        let pcm = json!({"type": "audio/pcm", "rate": 24_000});
        let object = json!({
            "type": "realtime", "object": "realtime.session", "id": id, "model": MODEL,
            "output_modalities": ["audio"],
            "instructions": "You are a helpful voice assistant.",
            "audio": {
                "input": {
                    "format": pcm, "noise_reduction": null, "transcription": null,
                    "turn_detection": default_turn_detection("server_vad"),
                },
                "output": {"format": pcm, "voice": "marin", "speed": 1.0},
            },
            "tools": [], "tool_choice": "auto", "max_output_tokens": "inf",
            "truncation": "auto", "include": null, "tracing": null, "prompt": null,
            "expires_at": expires_at,
        });
        Self {
            object,
            requested: requested.to_owned(),
        }
    }

    /// The whole object, as `session.created` and `session.updated` carry it.
    pub(super) fn object(&self) -> &Value {
        &self.object
    }

    /// Merges an update, or refuses it and changes nothing. `spoke`: audio was produced already,
    /// so the voice is fixed.
    pub(super) fn update(&mut self, patch: &Value, spoke: bool) -> Result<(), Refusal> {
        let Some(kind) = patch.get("type") else {
            return Err(Refusal::missing("session.type"));
        };
        if kind != "realtime" {
            return Err(Refusal::invalid(
                "session.type",
                "the kind of a session cannot change",
            ));
        }
        check::update(patch)?;
        self.check_fixed(patch, spoke)?;
        merge(&mut self.object, patch);
        Ok(())
    }

    fn check_fixed(&self, patch: &Value, spoke: bool) -> Result<(), Refusal> {
        let is_other = |model: &Value| *model != MODEL && *model != self.requested;
        if patch.get("model").is_some_and(is_other) {
            return Err(Refusal::invalid(
                "session.model",
                "the model of a session cannot change",
            ));
        }
        let voice = patch.pointer("/audio/output/voice");
        if spoke && voice.is_some_and(|voice| *voice != self.object["audio"]["output"]["voice"]) {
            let message = "Cannot update a conversation's voice if assistant audio is present.";
            return Err(Refusal::new("cannot_update_voice", message, None));
        }
        Ok(())
    }

    /// Turn detection: `None` = push to talk.
    pub(super) fn vad(&self) -> Option<vad::Settings> {
        let turns = self.turn_detection()?;
        let millis = |key: &str, default| {
            Duration::from_millis(turns.get(key).and_then(Value::as_u64).unwrap_or(default))
        };
        Some(match turns["type"].as_str() {
            Some("semantic_vad") => vad::Settings {
                threshold: 0.5,
                prefix_padding: Duration::from_millis(300),
                silence: patience(turns["eagerness"].as_str()),
            },
            _ => vad::Settings {
                threshold: turns["threshold"].as_f64().unwrap_or(0.5) as f32,
                prefix_padding: millis("prefix_padding_ms", 300),
                silence: millis("silence_duration_ms", 500),
            },
        })
    }

    /// A response is created when a turn ends.
    pub(super) fn creates_responses(&self) -> bool {
        self.turn_detection()
            .is_some_and(|turns| turns["create_response"] == true)
    }

    /// A running response is cancelled when speech starts.
    pub(super) fn interrupts_responses(&self) -> bool {
        self.turn_detection()
            .is_some_and(|turns| turns["interrupt_response"] == true)
    }

    /// User turns are transcribed.
    pub(super) fn transcribes(&self) -> bool {
        !self.object["audio"]["input"]["transcription"].is_null()
    }

    fn turn_detection(&self) -> Option<&Value> {
        let turns = &self.object["audio"]["input"]["turn_detection"];
        (!turns.is_null()).then_some(turns)
    }
}

/// How long an end of turn is waited for. The provider looks at the words; we only have silence.
fn patience(eagerness: Option<&str>) -> Duration {
    Duration::from_millis(match eagerness {
        Some("low") => 900,
        Some("high") => 350,
        _ => 600,
    })
}

fn default_turn_detection(kind: &str) -> Value {
    if kind == "semantic_vad" {
        return json!({"type": kind, "eagerness": "auto", "create_response": true,
            "interrupt_response": true});
    }
    json!({"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
        "silence_duration_ms": 500, "idle_timeout_ms": null, "create_response": true,
        "interrupt_response": true})
}

/// Deep merge: absent keys stay, `null` clears, arrays are replaced. Turn detection starts from
/// its defaults when its kind changes or it was off.
fn merge(into: &mut Value, patch: &Value) {
    let (Value::Object(into), Value::Object(patch)) = (into, patch) else {
        return;
    };
    for (key, value) in patch {
        if key == "turn_detection" && value.is_object() {
            let kind = value["type"].as_str().unwrap_or("server_vad");
            if into.get(key).is_none_or(|old| old["type"] != kind) {
                into.insert(key.clone(), default_turn_detection(kind));
            }
        }
        match into.get_mut(key) {
            Some(old) if old.is_object() && value.is_object() && !is_whole(key) => {
                merge(old, value);
            }
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Objects that are one value: setting them replaces them.
fn is_whole(key: &str) -> bool {
    matches!(
        key,
        "tool_choice" | "voice" | "truncation" | "tracing" | "format" | "transcription"
    )
}

/// The options of a response over those of the session: what the response object shows.
pub(super) fn effective(session: &Value, options: &Value, key: &str) -> Value {
    options.get(key).unwrap_or_else(|| &session[key]).clone()
}

/// An object without keys.
pub(super) fn empty() -> Value {
    Value::Object(Map::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new("sess_1", "gpt-realtime-2.1", 1_000)
    }

    fn refusal(patch: Value) -> Refusal {
        let mut session = session();
        let before = session.object().clone();
        let refusal = session.update(&patch, false).expect_err("refused");
        assert_eq!(
            *session.object(),
            before,
            "a refused update changes nothing"
        );
        refusal
    }

    #[test]
    fn one_unknown_key_refuses_the_whole_update_and_names_its_path() {
        let refusal = refusal(json!({"type": "realtime", "instructions": "Be brief.",
            "audio": {"output": {"pitch": 2}}}));
        assert_eq!(refusal.code, Some("unknown_parameter"));
        assert_eq!(refusal.param.as_deref(), Some("session.audio.output.pitch"));
    }

    #[test]
    fn an_update_needs_its_type() {
        let refusal = refusal(json!({"instructions": "x"}));
        assert_eq!(refusal.code, Some("missing_required_parameter"));
        assert_eq!(refusal.param.as_deref(), Some("session.type"));
    }

    #[test]
    fn absent_keys_stay_and_null_clears() {
        let mut session = session();
        let patch = json!({"type": "realtime", "audio": {"input": {"turn_detection":
            {"type": "server_vad", "silence_duration_ms": 300, "interrupt_response": false}}}});
        session.update(&patch, false).expect("accepted");
        assert_eq!(
            session.vad().map(|vad| vad.silence),
            Some(Duration::from_millis(300))
        );
        assert!(session.creates_responses());
        assert!(!session.interrupts_responses());
        let off = json!({"type": "realtime", "audio": {"input": {"turn_detection": null}}});
        session.update(&off, false).expect("accepted");
        assert_eq!(session.vad(), None);
        assert_eq!(session.object()["audio"]["output"]["voice"], "marin");
    }

    #[test]
    fn another_kind_of_turn_detection_starts_from_its_defaults() {
        let mut session = session();
        let patch = json!({"type": "realtime", "audio": {"input": {"turn_detection":
            {"type": "semantic_vad", "eagerness": "high"}}}});
        session.update(&patch, false).expect("accepted");
        let turns = &session.object()["audio"]["input"]["turn_detection"];
        assert_eq!(turns["eagerness"], "high");
        assert!(turns.get("threshold").is_none());
        assert!(session.interrupts_responses());
    }

    #[test]
    fn the_voice_is_fixed_once_it_was_heard() {
        let mut session = session();
        let patch = json!({"type": "realtime", "audio": {"output": {"voice": "cedar"}}});
        let refusal = session.update(&patch, true).expect_err("refused");
        assert_eq!(refusal.code, Some("cannot_update_voice"));
        session
            .update(&patch, false)
            .expect("accepted before any audio");
        session
            .update(&patch, true)
            .expect("the same voice again is no change");
    }

    #[test]
    fn values_out_of_range_and_of_wrong_type_are_refused() {
        for (patch, param) in [
            (json!({"tools": {}}), "session.tools"),
            (
                json!({"tools": [{"type": "function", "name": "x", "strict": true}]}),
                "session.tools[0].strict",
            ),
            (
                json!({"output_modalities": ["audio", "text"]}),
                "session.output_modalities",
            ),
            (json!({"max_output_tokens": 0}), "session.max_output_tokens"),
            (json!({"temperature": 0.8}), "session.temperature"),
            (json!({"model": "another"}), "session.model"),
        ] {
            let mut patch = patch;
            patch["type"] = json!("realtime");
            assert_eq!(refusal(patch).param.as_deref(), Some(param));
        }
    }
}
