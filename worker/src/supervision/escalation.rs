//! Adapter: a person is asked to join: what the room shows of it, and who is told.

use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{config::Secret, redaction, webhook::Webhook};

/// The `[escalation]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address that is told, as the JSON body of a POST, when an agent asks for a person. Default: none.
    #[schemars(extend("format" = "http-url"))]
    pub webhook: Option<String>,
    /// Sent along as `Authorization: Bearer …`, so that the receiver knows us. Default: nothing.
    pub webhook_token: Secret,
}

/// Who is told when an agent asks for a person; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Escalations {
    webhook: Option<Webhook>,
}

/// One wish for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Why, redacted.
    pub reason: String,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

impl Escalation {
    /// Now, for this reason in the model's words.
    pub fn now(reason: &str) -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            reason: redaction::text(reason),
            at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The value of the attribute `agent.escalation`.
    pub fn attribute(&self) -> String {
        json!({"reason": self.reason, "at_ms": self.at_ms}).to_string()
    }
}

impl Escalations {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        let address = config.webhook.as_deref();
        Self {
            webhook: address.map(|address| Webhook::new(address, &config.webhook_token)),
        }
    }

    /// Tells the receiver, if there is one. That it failed is said in the log; people in the room see the
    /// attribute all the same.
    pub async fn tell(self, room: String, session: String, escalation: Escalation) {
        let Some(webhook) = self.webhook else {
            return;
        };
        let body = json!({
            "event": "escalation",
            "room": room,
            "session": session,
            "reason": escalation.reason,
            "at_ms": escalation.at_ms,
        });
        if let Err(error) = webhook.post(body.to_string().into_bytes()).await {
            tracing::error!(%error, "nobody was told of an escalation");
        }
    }
}
