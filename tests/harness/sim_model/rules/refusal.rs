//! Core: why a client event was refused, as the provider says it.

use std::time::Duration;

use serde_json::{Value, json};

/// An error that leaves the connection usable.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim_model) struct Refusal {
    /// The provider's code.
    pub(in crate::sim_model) code: Option<&'static str>,
    /// For people.
    pub(in crate::sim_model) message: String,
    /// Path of the value that is to blame.
    pub(in crate::sim_model) param: Option<String>,
}

impl Refusal {
    pub(in crate::sim_model) fn new(
        code: &'static str,
        message: &str,
        param: Option<&str>,
    ) -> Self {
        let param = param.map(str::to_owned);
        Self {
            code: Some(code),
            message: message.to_owned(),
            param,
        }
    }

    pub(in crate::sim_model) fn missing(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self::new("missing_required_parameter", &message, Some(param))
    }

    pub(in crate::sim_model) fn unknown(param: &str) -> Self {
        Self::new(
            "unknown_parameter",
            &format!("Unknown parameter: '{param}'."),
            Some(param),
        )
    }

    pub(in crate::sim_model) fn invalid(param: &str, message: &str) -> Self {
        Self::new("invalid_value", message, Some(param))
    }

    pub(super) fn event(why: &str) -> Self {
        Self::new(
            "invalid_event",
            &format!("The event could not be read: {why}."),
            None,
        )
    }

    pub(super) fn unknown_event(kind: &str) -> Self {
        let kind: String = kind.chars().take(80).collect();
        let message = format!(
            "Invalid value: '{kind}'. Supported values are: 'session.update', \
             'input_audio_buffer.append', 'input_audio_buffer.commit', 'input_audio_buffer.clear', \
             'conversation.item.create', 'conversation.item.retrieve', \
             'conversation.item.truncate', 'conversation.item.delete', 'response.create' and \
             'response.cancel'."
        );
        Self::new("invalid_value", &message, Some("type"))
    }

    pub(super) fn too_short(buffered: Duration) -> Self {
        let message = format!(
            "Error committing input audio buffer: buffer too small. Expected at least 100ms of \
             audio, but buffer only has {:.2}ms of audio.",
            buffered.as_secs_f64() * 1e3
        );
        Self::new("input_audio_buffer_commit_empty", &message, None)
    }

    pub(super) fn already_active(response: &str) -> Self {
        let message = format!(
            "Conversation already has an active response in progress: {response}. Wait until the \
             response is finished before creating a new one."
        );
        Self::new("conversation_already_has_active_response", &message, None)
    }

    pub(super) fn nothing_to_cancel() -> Self {
        let message = "Cancellation failed: no active response found";
        Self::new("response_cancel_not_active", message, None)
    }

    /// The error event that answers this client event.
    pub(super) fn into_event(self, cause: &Value) -> Value {
        let event_id = cause.get("event_id").filter(|id| id.is_string()).cloned();
        json!({"type": "error", "error": {"type": "invalid_request_error", "code": self.code,
            "message": self.message, "param": self.param, "event_id": event_id}})
    }
}
