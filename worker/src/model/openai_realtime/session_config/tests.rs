use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{
    model::{Config, Endpoint, RunBy, ToolDeclaration, Transcription},
    tooling::tests::a_register_of_the_providers,
};

fn settings() -> SessionSettings {
    let config = Config::default();
    let mut settings = SessionSettings::new(&config, Endpoint::new(&config).unwrap());
    settings.instructions = "You are the receptionist.".to_owned();
    settings
}

fn as_json(event: &ClientEvent<'_>) -> Value {
    serde_json::from_str(&event.to_json()).unwrap()
}

#[test]
fn the_whole_session_is_said_explicitly() {
    let mut settings = settings();
    settings.noise_reduction = Some(NoiseReduction::FarField);
    settings.transcription = Some(Transcription {
        language: Some("en".to_owned()),
        ..Transcription::default()
    });
    settings.tools = vec![ToolDeclaration {
        name: "lookup".to_owned(),
        description: "Looks something up.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {"q": {"type": "string"}},
            "required": ["q"],
        }),
        run_by: RunBy::Worker,
    }];
    let expected: Value =
        serde_json::from_str(include_str!("../wire/fixtures/session_update.json")).unwrap();
    assert_eq!(as_json(&configure(&settings, true)), expected);
}

#[test]
fn what_is_off_is_said_to_be_off() {
    let mut settings = settings();
    settings.transcription = None;
    let update = as_json(&configure(&settings, true));
    let input = &update["session"]["audio"]["input"];
    assert_eq!(input["transcription"], Value::Null);
    assert_eq!(input["noise_reduction"], Value::Null);
    assert!(input.as_object().unwrap().contains_key("transcription"));
    assert_eq!(update["session"]["tools"], json!([]));
}

#[test]
fn a_connection_that_will_be_replayed_creates_nothing_by_itself() {
    let update = as_json(&configure(&settings(), false));
    let detection = &update["session"]["audio"]["input"]["turn_detection"];
    assert_eq!(detection["create_response"], false);
    assert_eq!(detection["interrupt_response"], false);
}

#[test]
fn semantic_detection_has_no_silence_settings() {
    let mut settings = settings();
    settings.turn_detection = TurnDetection::SemanticVad {
        eagerness: Eagerness::Low,
    };
    let update = as_json(&configure(&settings, true));
    assert_eq!(
        update["session"]["audio"]["input"]["turn_detection"],
        json!({
            "type": "semantic_vad",
            "eagerness": "low",
            "create_response": true,
            "interrupt_response": false,
        })
    );
}

#[test]
fn turn_control_changes_nothing_else() {
    let detection = TurnDetection::ServerVad {
        threshold: 0.7,
        prefix_padding: Duration::from_millis(200),
        silence: Duration::from_millis(450),
    };
    assert_eq!(
        as_json(&turn_control(&detection, true)),
        json!({
            "type": "session.update",
            "event_id": "turn-control",
            "session": {
                "type": "realtime",
                "audio": {"input": {"turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.7,
                    "prefix_padding_ms": 200,
                    "silence_duration_ms": 450,
                    "create_response": true,
                    "interrupt_response": false,
                }}},
            },
        })
    );
}

#[test]
fn the_provider_is_told_of_a_server_once_and_has_to_ask_before_each_call() {
    let plane = a_register_of_the_providers();
    let mut settings = settings();
    settings.tools = plane.declare_all();
    let update = as_json(&equip(&settings.tools));
    let tools = update["session"]["tools"].as_array().unwrap();
    let of_servers: Vec<&Value> = tools.iter().filter(|tool| tool["type"] == "mcp").collect();
    assert_eq!(
        of_servers,
        [&json!({
            "type": "mcp",
            "server_label": "register",
            "server_url": "https://register.example.com/mcp",
            "headers": {"Authorization": "Bearer s3cr3t"},
            "allowed_tools": ["find_customer", "rename_customer"],
            "require_approval": "always",
        })]
    );
    assert!(
        tools
            .iter()
            .all(|tool| tool["type"] == "mcp" || tool["type"] == "function")
    );
    // The secret is for the wire alone.
    let shown = format!("{:?} {settings:?}", equip(&settings.tools));
    assert!(!shown.contains("s3cr3t"), "{shown}");
}
