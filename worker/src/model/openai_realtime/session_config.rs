//! Core: the settings of one session as `session.update`.
//!
//! Everything is said explicitly, also what equals the provider's default, because the documented
//! defaults and the observed ones differ (silence, voice). `create_response` is on for a first
//! connection and off while a conversation is replayed; `interrupt_response` is always off, because
//! a response the provider cancelled cannot be resumed. It sends nothing.

use std::collections::BTreeMap;

use crate::{
    media::SAMPLE_RATE,
    model::{
        RemoteServer, RunBy, SessionSettings, ToolDeclaration,
        config::{Eagerness, NoiseReduction, TurnDetection},
    },
};

use super::wire::client_event::{
    AudioPatch, ClientEvent, Format, InputPatch, Kind, OutputPatch, Secret, SessionPatch, Tool,
    TranscriptionPatch, TurnDetectionPatch,
};

/// `event_id` of the settings of a connection; an error that carries it is a start-up failure.
pub(super) const CONFIGURE: &str = "configure";

/// `event_id` of later changes.
const TURN_CONTROL: &str = "turn-control";

/// `event_id` of other tools.
const EQUIP: &str = "equip";

/// `event_id` of new instructions.
const INSTRUCT: &str = "instruct";

/// The whole session, sent once per connection before anything else.
pub(super) fn configure(settings: &SessionSettings, creates_responses: bool) -> ClientEvent<'_> {
    let input = InputPatch {
        format: Some(pcm()),
        noise_reduction: Some(settings.noise_reduction.map(noise_reduction)),
        transcription: Some(
            settings
                .transcription
                .as_ref()
                .map(|wanted| TranscriptionPatch {
                    model: &wanted.model,
                    language: wanted.language.as_deref(),
                }),
        ),
        turn_detection: turn_detection(&settings.turn_detection, creates_responses),
    };
    ClientEvent::SessionUpdate {
        event_id: CONFIGURE,
        session: Box::new(SessionPatch {
            kind: "realtime",
            output_modalities: Some(["audio"]),
            instructions: Some(&settings.instructions),
            audio: Some(AudioPatch {
                input,
                output: Some(OutputPatch {
                    format: pcm(),
                    voice: &settings.voice,
                }),
            }),
            tools: Some(tools(&settings.tools)),
            tool_choice: Some("auto"),
        }),
    }
}

/// Only who creates responses; everything else stays as it is.
pub(super) fn turn_control(
    detection: &TurnDetection,
    creates_responses: bool,
) -> ClientEvent<'static> {
    ClientEvent::SessionUpdate {
        event_id: TURN_CONTROL,
        session: Box::new(SessionPatch {
            audio: Some(AudioPatch {
                input: InputPatch {
                    format: None,
                    noise_reduction: None,
                    transcription: None,
                    turn_detection: turn_detection(detection, creates_responses),
                },
                output: None,
            }),
            ..nothing()
        }),
    }
}

/// Only the instructions; everything else stays as it is.
pub(super) fn instruct(instructions: &str) -> ClientEvent<'_> {
    ClientEvent::SessionUpdate {
        event_id: INSTRUCT,
        session: Box::new(SessionPatch {
            instructions: Some(instructions),
            ..nothing()
        }),
    }
}

/// Only the tools; everything else stays as it is.
pub(super) fn equip(declared: &[ToolDeclaration]) -> ClientEvent<'_> {
    ClientEvent::SessionUpdate {
        event_id: EQUIP,
        session: Box::new(SessionPatch {
            tools: Some(tools(declared)),
            ..nothing()
        }),
    }
}

/// A patch that leaves everything as it is.
fn nothing<'a>() -> SessionPatch<'a> {
    SessionPatch {
        kind: "realtime",
        output_modalities: None,
        instructions: None,
        audio: None,
        tools: None,
        tool_choice: None,
    }
}

/// A server is told once, with all its tools that may be used.
fn tools(declared: &[ToolDeclaration]) -> Vec<Tool<'_>> {
    let mut tools = Vec::new();
    let mut servers: BTreeMap<&str, (&RemoteServer, Vec<&str>)> = BTreeMap::new();
    for tool in declared {
        match &tool.run_by {
            RunBy::Worker => tools.push(Tool::Function {
                name: &tool.name,
                description: &tool.description,
                parameters: &tool.parameters,
            }),
            RunBy::Provider { server, name } => servers
                .entry(server.server())
                .or_insert((server, Vec::new()))
                .1
                .push(name),
        }
    }
    tools.extend(servers.into_values().map(|(server, names)| Tool::Mcp {
        server_label: server.server(),
        server_url: server.url(),
        headers: Secret(server.headers()),
        allowed_tools: names,
        require_approval: "always",
    }));
    tools
}

fn pcm() -> Format {
    Format {
        kind: "audio/pcm",
        rate: SAMPLE_RATE,
    }
}

fn noise_reduction(wanted: NoiseReduction) -> Kind {
    let kind = match wanted {
        NoiseReduction::FarField => "far_field",
        NoiseReduction::NearField => "near_field",
    };
    Kind { kind }
}

/// `None` = the client ends turns.
fn turn_detection(wanted: &TurnDetection, creates_responses: bool) -> Option<TurnDetectionPatch> {
    Some(match wanted {
        TurnDetection::Manual => return None,
        TurnDetection::SemanticVad { eagerness } => TurnDetectionPatch::SemanticVad {
            eagerness: match eagerness {
                Eagerness::Auto => "auto",
                Eagerness::High => "high",
                Eagerness::Low => "low",
                Eagerness::Medium => "medium",
            },
            create_response: creates_responses,
            interrupt_response: false,
        },
        TurnDetection::ServerVad {
            threshold,
            prefix_padding,
            silence,
        } => TurnDetectionPatch::ServerVad {
            threshold: *threshold,
            prefix_padding_ms: prefix_padding.as_millis() as u64,
            silence_duration_ms: silence.as_millis() as u64,
            create_response: creates_responses,
            interrupt_response: false,
        },
    })
}

#[cfg(test)]
mod tests;
