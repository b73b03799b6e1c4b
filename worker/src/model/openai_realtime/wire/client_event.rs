//! Adapter: what we send, in the provider's names.
//!
//! Every event carries an `event_id`, so that an error can name what it answers. A field that is
//! `None` is left out ("leave as it is"); `Some(None)` is written as `null` ("off").

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::Value;

use super::audio::AudioEncoder;
use crate::media::Pcm;

#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub(in crate::model) enum ClientEvent<'a> {
    #[serde(rename = "conversation.item.create")]
    ItemCreate { event_id: &'a str, item: Item<'a> },
    #[serde(rename = "conversation.item.delete")]
    ItemDelete { event_id: &'a str, item_id: &'a str },
    #[serde(rename = "conversation.item.truncate")]
    ItemTruncate {
        event_id: &'a str,
        item_id: &'a str,
        content_index: u32,
        audio_end_ms: u64,
    },
    #[serde(rename = "input_audio_buffer.clear")]
    InputClear { event_id: &'a str },
    #[serde(rename = "input_audio_buffer.commit")]
    InputCommit { event_id: &'a str },
    #[serde(rename = "response.cancel")]
    ResponseCancel {
        event_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        response_id: Option<&'a str>,
    },
    #[serde(rename = "response.create")]
    ResponseCreate {
        event_id: &'a str,
        response: Box<ResponseParams<'a>>,
    },
    #[serde(rename = "session.update")]
    SessionUpdate {
        event_id: &'a str,
        session: Box<SessionPatch<'a>>,
    },
}

impl ClientEvent<'_> {
    pub(in crate::model) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("every field is a string, a number or JSON already")
    }
}

/// `input_audio_buffer.append`, written by hand: nothing to escape. It is written where the one before
/// was, once that is gone.
pub(in crate::model) fn append_json(
    event_number: u64,
    frames: &[Pcm],
    encoder: &mut AudioEncoder,
    memory: &mut BytesMut,
) -> Bytes {
    const HEAD: &str = r#"{"type":"input_audio_buffer.append","event_id":"a"#;
    const MIDDLE: &str = r#"","audio":""#;
    const TAIL: &str = r#""}"#;
    const DIGITS: usize = 20;
    let samples = frames.iter().map(|frame| frame.as_slice().len()).sum();
    memory.reserve(
        HEAD.len() + DIGITS + MIDDLE.len() + AudioEncoder::encoded_len(samples) + TAIL.len(),
    );
    memory.extend_from_slice(HEAD.as_bytes());
    // There is room for it.
    let _ = write!(memory, "{event_number}");
    memory.extend_from_slice(MIDDLE.as_bytes());
    encoder.encode(frames, memory);
    memory.extend_from_slice(TAIL.as_bytes());
    memory.split().freeze()
}

#[derive(Debug, Serialize)]
pub(in crate::model) struct ResponseParams<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::model) instructions: Option<String>,
    pub(in crate::model) metadata: Metadata<'a>,
    #[serde(flatten)]
    pub(in crate::model) aside: Option<Aside<'a>>,
}

/// A response beside the conversation, in writing (API guide, out-of-band responses).
#[derive(Debug, Serialize)]
pub(in crate::model) struct Aside<'a> {
    pub(in crate::model) conversation: &'static str,
    pub(in crate::model) input: Vec<Item<'a>>,
    pub(in crate::model) output_modalities: [&'static str; 1],
    pub(in crate::model) tool_choice: &'static str,
}

#[derive(Debug, Serialize)]
pub(in crate::model) struct Metadata<'a> {
    pub(in crate::model) client_event_id: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::model) enum Item<'a> {
    FunctionCallOutput {
        call_id: &'a str,
        output: &'a str,
    },
    McpApprovalResponse {
        approval_request_id: &'a str,
        approve: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    },
    /// An item of the conversation; only where one may be meant.
    #[serde(rename = "item_reference")]
    Reference {
        id: &'a str,
    },
    Message {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        role: &'static str,
        content: Vec<Part<'a>>,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::model) enum Part<'a> {
    /// A PNG or JPEG as a data URL (RFC 2397); others are not taken.
    InputImage {
        image_url: String,
    },
    InputText {
        text: &'a str,
    },
    OutputText {
        text: &'a str,
    },
}

#[derive(Debug, Serialize)]
pub(in crate::model) struct SessionPatch<'a> {
    #[serde(rename = "type")]
    pub(in crate::model) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::model) output_modalities: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::model) instructions: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::model) audio: Option<AudioPatch<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::model) tools: Option<Vec<Tool<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::model) tool_choice: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(in crate::model) struct AudioPatch<'a> {
    pub(in crate::model) input: InputPatch<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::model) output: Option<OutputPatch<'a>>,
}

#[derive(Debug, Serialize)]
pub(in crate::model) struct InputPatch<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::model) format: Option<Format>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::model) noise_reduction: Option<Option<Kind>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::model) transcription: Option<Option<TranscriptionPatch<'a>>>,
    pub(in crate::model) turn_detection: Option<TurnDetectionPatch>,
}

#[derive(Debug, Serialize)]
pub(in crate::model) struct OutputPatch<'a> {
    pub(in crate::model) format: Format,
    pub(in crate::model) voice: &'a str,
}

#[derive(Debug, Serialize)]
pub(in crate::model) struct Format {
    #[serde(rename = "type")]
    pub(in crate::model) kind: &'static str,
    pub(in crate::model) rate: u32,
}

#[derive(Debug, Serialize)]
pub(in crate::model) struct Kind {
    #[serde(rename = "type")]
    pub(in crate::model) kind: &'static str,
}

#[derive(Debug, Serialize)]
pub(in crate::model) struct TranscriptionPatch<'a> {
    pub(in crate::model) model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::model) language: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::model) enum TurnDetectionPatch {
    SemanticVad {
        eagerness: &'static str,
        create_response: bool,
        interrupt_response: bool,
    },
    ServerVad {
        threshold: f64,
        prefix_padding_ms: u64,
        silence_duration_ms: u64,
        create_response: bool,
        interrupt_response: bool,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::model) enum Tool<'a> {
    Function {
        name: &'a str,
        description: &'a str,
        parameters: &'a Value,
    },
    /// A server whose tools the provider calls (API guide, MCP).
    Mcp {
        server_label: &'a str,
        server_url: &'a str,
        #[serde(skip_serializing_if = "Secret::is_empty")]
        headers: Secret<'a>,
        allowed_tools: Vec<&'a str>,
        /// The worker decides about every call.
        require_approval: &'static str,
    },
}

/// Headers, in which secrets stand.
#[derive(Serialize)]
#[serde(transparent)]
pub(in crate::model) struct Secret<'a>(pub(in crate::model) &'a BTreeMap<String, String>);

impl Secret<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secret", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_is_the_json_that_serde_would_write() {
        let frames = [Pcm::from(vec![1, 2, 3]), Pcm::from(vec![-1])];
        let mut memory = BytesMut::new();
        let json = append_json(7, &frames, &mut AudioEncoder::default(), &mut memory);
        let value: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "type": "input_audio_buffer.append",
                "event_id": "a7",
                "audio": "AQACAAMA//8=",
            })
        );
    }

    #[test]
    fn an_append_takes_the_memory_of_the_one_before() {
        let frames = [Pcm::from(vec![0; 480])];
        let (mut encoder, mut memory) = (AudioEncoder::default(), BytesMut::new());
        let mut append = || append_json(u64::MAX, &frames, &mut encoder, &mut memory);
        let first = append();
        let place = first.as_ptr();
        let second = append();
        assert_ne!(second.as_ptr(), place, "the first is still there");
        assert_eq!(first, second);
        drop(first);
        let place = second.as_ptr();
        drop(second);
        for _ in 0..100 {
            assert_eq!(append().as_ptr(), place);
        }
    }
}
