//! Adapter: what the server sends, as typed events.
//!
//! The type is read first, then the fields that this type needs, borrowed from the frame where they
//! are large. Unknown fields are skipped and unknown types kept by name, because the provider adds
//! both; nothing here is ever fatal. Both generations of event names are understood.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::{model::usage::Counts, telemetry::event::ModelEventKind};

/// One event, as far as we use it.
#[derive(Debug)]
pub(in crate::model) enum ServerEvent<'a> {
    AudioDelta(Delta<'a>),
    AudioDone(ItemOf<'a>),
    Committed(ItemRef<'a>),
    Error(ErrorBody),
    /// Known, and of no use to us.
    Ignored,
    /// An item of an MCP server is complete, whether or not a response made it.
    McpItemDone(Item),
    /// The tools of an MCP server could not be listed.
    McpListingFailed,
    OutputItemDone {
        response_id: Cow<'a, str>,
        item: Item,
    },
    ResponseCreated(Box<Response>),
    ResponseDone(Box<Response>),
    SessionCreated(SessionBody),
    SessionUpdated,
    SpeechStarted {
        item_id: Cow<'a, str>,
        /// In the sound of this connection, in milliseconds; `None` = not told.
        audio_start_ms: Option<i64>,
    },
    SpeechStopped(ItemRef<'a>),
    TranscriptDelta(Delta<'a>),
    /// A type we do not know, by its name.
    Unknown {
        kind: String,
    },
    UserTranscriptDelta {
        item_id: Cow<'a, str>,
        delta: String,
    },
    UserTranscriptDone {
        item_id: Cow<'a, str>,
        transcript: String,
    },
    UserTranscriptFailed(ItemRef<'a>),
}

/// Not JSON, no type, or a field of the wrong kind. Holds nothing of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) struct Malformed;

impl From<serde_json::Error> for Malformed {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// A piece of an item.
#[derive(Debug, Deserialize)]
pub(in crate::model) struct Delta<'a> {
    #[serde(borrow)]
    pub(in crate::model) response_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(in crate::model) item_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(in crate::model) delta: Cow<'a, str>,
}

/// An item of a response.
#[derive(Debug, Deserialize)]
pub(in crate::model) struct ItemOf<'a> {
    #[serde(borrow)]
    pub(in crate::model) response_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(in crate::model) item_id: Cow<'a, str>,
}

/// An item by its id.
#[derive(Debug, Deserialize)]
pub(in crate::model) struct ItemRef<'a> {
    #[serde(borrow)]
    pub(in crate::model) item_id: Cow<'a, str>,
}

/// An item that begins, and where in what was told.
#[derive(Deserialize)]
struct Beginning<'a> {
    #[serde(borrow)]
    item_id: Cow<'a, str>,
    audio_start_ms: Option<i64>,
}

/// The parts of an item that we use.
#[derive(Debug, Deserialize)]
pub(in crate::model) struct Item {
    #[serde(default)]
    pub(in crate::model) id: Option<String>,
    #[serde(default, rename = "type")]
    pub(in crate::model) kind: Option<String>,
    #[serde(default)]
    pub(in crate::model) status: Option<String>,
    #[serde(default)]
    pub(in crate::model) call_id: Option<String>,
    #[serde(default)]
    pub(in crate::model) name: Option<String>,
    #[serde(default)]
    pub(in crate::model) arguments: Option<String>,
    #[serde(default)]
    content: Option<Vec<Part>>,
    #[serde(default)]
    pub(in crate::model) server_label: Option<String>,
    #[serde(default)]
    pub(in crate::model) approval_request_id: Option<String>,
    /// Of these, what does not look as expected must not cost the rest of an event.
    #[serde(default)]
    pub(in crate::model) output: Value,
    #[serde(default)]
    pub(in crate::model) error: Value,
    #[serde(default)]
    pub(in crate::model) tools: Value,
}

/// The part of a message that is written.
#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

impl Item {
    /// What is written in it; empty = nothing.
    pub(in crate::model) fn text(&self) -> String {
        let parts = self.content.iter().flatten();
        parts.filter_map(|part| part.text.as_deref()).collect()
    }
}

#[derive(Debug, Deserialize)]
pub(in crate::model) struct Response {
    pub(in crate::model) id: String,
    #[serde(default)]
    pub(in crate::model) status: Option<String>,
    #[serde(default)]
    pub(in crate::model) status_details: Option<StatusDetails>,
    #[serde(default)]
    pub(in crate::model) output: Option<Vec<Item>>,
    #[serde(default)]
    pub(in crate::model) metadata: Option<Metadata>,
    #[serde(default)]
    pub(in crate::model) usage: Option<UsageBody>,
}

#[derive(Debug, Deserialize)]
pub(in crate::model) struct StatusDetails {
    #[serde(default)]
    pub(in crate::model) error: Option<ErrorBody>,
}

#[derive(Debug, Deserialize)]
pub(in crate::model) struct Metadata {
    #[serde(default)]
    pub(in crate::model) client_event_id: Option<String>,
}

/// An error. The message may quote us, so it is only matched against known beginnings.
#[derive(Deserialize)]
pub(in crate::model) struct ErrorBody {
    #[serde(default)]
    code: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    param: Option<String>,
    #[serde(default)]
    pub(in crate::model) event_id: Option<String>,
}

impl std::fmt::Debug for ErrorBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ErrorBody({})", self.code())
    }
}

impl ErrorBody {
    /// A word for metrics: the code; without one, what the message is known to mean; then the type.
    pub(in crate::model) fn code(&self) -> String {
        let known = || {
            let message = self.message.as_deref().unwrap_or_default();
            if message.starts_with("Cancellation failed") {
                Some("response_cancel_not_active")
            } else if message.contains("already shorter than") {
                Some("audio_already_shorter")
            } else {
                None
            }
        };
        let code = self.code.as_deref().filter(|code| !code.is_empty());
        word(
            code.or_else(known)
                .or(self.kind.as_deref())
                .unwrap_or_default(),
        )
    }

    /// The field an error is about, such as `session.audio.output.voice`: helps the operator.
    pub(in crate::model) fn field(&self) -> Option<String> {
        self.param
            .as_deref()
            .filter(|param| !param.is_empty())
            .map(word)
    }
}

/// Codes come from outside and end in logs and reports: short and plain, or `unknown`.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if (1..=80).contains(&text.len()) && text.bytes().all(plain) {
        text.to_owned()
    } else {
        "unknown".to_owned()
    }
}

#[derive(Debug, Deserialize)]
pub(in crate::model) struct SessionBody {
    #[serde(default)]
    model: Option<String>,
}

impl SessionBody {
    /// The model's own name, or nothing when it is missing or strange.
    pub(in crate::model) fn model(&self) -> Option<String> {
        let name = self.model.as_deref()?;
        (name.len() <= 100 && name.bytes().all(|byte| byte.is_ascii_graphic()))
            .then(|| name.to_owned())
    }
}

/// All counts are optional in the provider's schema.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::model) struct UsageBody {
    input_token_details: Option<InputTokens>,
    output_token_details: Option<ByModality>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InputTokens {
    text_tokens: u64,
    audio_tokens: u64,
    image_tokens: u64,
    cached_tokens: u64,
    cached_tokens_details: Option<ByModality>,
}

/// A count by modality.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ByModality {
    text_tokens: u64,
    audio_tokens: u64,
    image_tokens: u64,
}

impl UsageBody {
    pub(in crate::model) fn counts(&self) -> Counts {
        let input = self.input_token_details.as_ref();
        let output = self.output_token_details.as_ref();
        Counts {
            input_text: input.map_or(0, |input| input.text_tokens),
            input_audio: input.map_or(0, |input| input.audio_tokens),
            input_image: input.map_or(0, |input| input.image_tokens),
            cached: input.map_or(0, |input| input.cached_tokens),
            cached_split: input
                .and_then(|input| input.cached_tokens_details.as_ref())
                .map(|split| (split.text_tokens, split.audio_tokens, split.image_tokens)),
            output_text: output.map_or(0, |output| output.text_tokens),
            output_audio: output.map_or(0, |output| output.audio_tokens),
        }
    }
}

#[derive(Deserialize)]
struct WithError {
    error: ErrorBody,
}

#[derive(Deserialize)]
struct WithItem<'a> {
    #[serde(borrow)]
    response_id: Cow<'a, str>,
    item: Item,
}

/// An item, as far as it tells whether it is worth reading.
#[derive(Deserialize)]
struct WithKind<'a> {
    #[serde(borrow)]
    item: Head<'a>,
}

#[derive(Deserialize)]
struct WithOnlyItem {
    item: Item,
}

#[derive(Deserialize)]
struct WithResponse {
    response: Box<Response>,
}

#[derive(Deserialize)]
struct WithSession {
    session: SessionBody,
}

#[derive(Deserialize)]
struct WithTranscript<'a> {
    #[serde(borrow)]
    item_id: Cow<'a, str>,
    #[serde(default, alias = "delta")]
    transcript: Option<String>,
}

/// Types we know and have no use for; everything else is unknown and counted.
const IGNORED: &[&str] = &[
    "conversation.created",
    "conversation.item.added",
    "conversation.item.created",
    "conversation.item.deleted",
    "conversation.item.input_audio_transcription.segment",
    "conversation.item.retrieved",
    "conversation.item.truncated",
    "input_audio_buffer.cleared",
    "input_audio_buffer.timeout_triggered",
    "mcp_list_tools.completed",
    "mcp_list_tools.in_progress",
    "rate_limits.updated",
    "response.audio_transcript.done",
    "response.content_part.added",
    "response.content_part.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.mcp_call.completed",
    "response.mcp_call.failed",
    "response.mcp_call.in_progress",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.output_audio_transcript.done",
    "response.output_item.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.text.delta",
    "response.text.done",
];

impl<'a> ServerEvent<'a> {
    /// Reads one text frame.
    pub(in crate::model) fn parse(text: &'a str) -> Result<Self, Malformed> {
        let head: Head<'a> = serde_json::from_str(text)?;
        let event = match head.kind.as_ref() {
            "response.output_audio.delta" | "response.audio.delta" => {
                Self::AudioDelta(serde_json::from_str(text)?)
            }
            "response.output_audio_transcript.delta" | "response.audio_transcript.delta" => {
                Self::TranscriptDelta(serde_json::from_str(text)?)
            }
            "response.output_audio.done" | "response.audio.done" => {
                Self::AudioDone(serde_json::from_str(text)?)
            }
            "input_audio_buffer.speech_started" => {
                let Beginning {
                    item_id,
                    audio_start_ms,
                } = serde_json::from_str(text)?;
                Self::SpeechStarted {
                    item_id,
                    audio_start_ms,
                }
            }
            "input_audio_buffer.speech_stopped" => Self::SpeechStopped(serde_json::from_str(text)?),
            "input_audio_buffer.committed" => Self::Committed(serde_json::from_str(text)?),
            "response.created" => {
                Self::ResponseCreated(serde_json::from_str::<WithResponse>(text)?.response)
            }
            "response.done" => {
                Self::ResponseDone(serde_json::from_str::<WithResponse>(text)?.response)
            }
            "response.output_item.done" => {
                let WithItem { response_id, item } = serde_json::from_str(text)?;
                Self::OutputItemDone { response_id, item }
            }
            "conversation.item.done" => {
                let head = serde_json::from_str::<WithKind<'_>>(text);
                if head.is_ok_and(|head| head.item.kind.starts_with("mcp_")) {
                    Self::McpItemDone(serde_json::from_str::<WithOnlyItem>(text)?.item)
                } else {
                    Self::Ignored
                }
            }
            "mcp_list_tools.failed" => Self::McpListingFailed,
            "conversation.item.input_audio_transcription.delta" => {
                let WithTranscript {
                    item_id,
                    transcript,
                } = serde_json::from_str(text)?;
                Self::UserTranscriptDelta {
                    item_id,
                    delta: transcript.unwrap_or_default(),
                }
            }
            "conversation.item.input_audio_transcription.completed" => {
                let WithTranscript {
                    item_id,
                    transcript,
                } = serde_json::from_str(text)?;
                Self::UserTranscriptDone {
                    item_id,
                    transcript: transcript.unwrap_or_default(),
                }
            }
            "conversation.item.input_audio_transcription.failed" => {
                Self::UserTranscriptFailed(serde_json::from_str(text)?)
            }
            "session.created" => {
                Self::SessionCreated(serde_json::from_str::<WithSession>(text)?.session)
            }
            "session.updated" => Self::SessionUpdated,
            "error" => Self::Error(serde_json::from_str::<WithError>(text)?.error),
            known if IGNORED.contains(&known) => Self::Ignored,
            unknown => Self::Unknown {
                kind: word(unknown),
            },
        };
        Ok(event)
    }
}

impl ServerEvent<'_> {
    /// The kind as metrics count it.
    pub(in crate::model) fn kind(&self) -> ModelEventKind {
        match self {
            Self::AudioDelta(_) => ModelEventKind::AudioDelta,
            Self::AudioDone(_) => ModelEventKind::AudioDone,
            Self::Committed(_) => ModelEventKind::TurnCommitted,
            Self::Error(_) => ModelEventKind::Error,
            Self::Ignored => ModelEventKind::Ignored,
            Self::McpItemDone(_) | Self::McpListingFailed | Self::OutputItemDone { .. } => {
                ModelEventKind::ItemDone
            }
            Self::ResponseCreated(_) => ModelEventKind::ResponseCreated,
            Self::ResponseDone(_) => ModelEventKind::ResponseDone,
            Self::SessionCreated(_) => ModelEventKind::SessionCreated,
            Self::SessionUpdated => ModelEventKind::SessionUpdated,
            Self::SpeechStarted { .. } => ModelEventKind::SpeechStarted,
            Self::SpeechStopped(_) => ModelEventKind::SpeechStopped,
            Self::TranscriptDelta(_) => ModelEventKind::TranscriptDelta,
            Self::Unknown { .. } => ModelEventKind::Other,
            Self::UserTranscriptDelta { .. }
            | Self::UserTranscriptDone { .. }
            | Self::UserTranscriptFailed(_) => ModelEventKind::UserTranscript,
        }
    }
}

/// The code in the body of a refused upgrade, when there is one.
pub(in crate::model) fn code_of_body(body: &[u8]) -> Option<String> {
    let WithError { error } = serde_json::from_slice(body).ok()?;
    Some(error.code()).filter(|code| code != "unknown")
}

#[cfg(test)]
mod tests;
