//! Adapter: the journal as the tool plane's record.

use async_trait::async_trait;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tools::{
    CallId, Effect, Hooks, Outcome,
    hooks::{Ended, Intent, Objection},
};

use super::{Audit, Kind, Record};
use crate::{config::Secret, redaction, telemetry::Pii};

/// The calls of one session, on record.
#[derive(Debug)]
pub struct ToolRecord {
    audit: Audit,
    session: String,
    /// Room and key by which a wish is known again after a restart; `None` = it is not.
    wishes: Option<(Pii<String>, Secret)>,
}

impl ToolRecord {
    /// For the session of this job.
    pub fn new(audit: Audit, session: &str) -> Self {
        Self {
            audit,
            session: session.to_owned(),
            wishes: None,
        }
    }

    /// The same, for wishes of this room. The key never leaves: what is written is a keyed digest,
    /// from which nobody reads what was wished.
    #[must_use]
    pub fn in_room(self, room: Pii<String>, key: Secret) -> Self {
        Self {
            wishes: Some((room, key)),
            ..self
        }
    }

    /// RFC 2104, cut to 128 bits.
    fn wish(&self, intent: &Intent<'_>) -> Option<String> {
        let (room, key) = self.wishes.as_ref()?;
        let mut digest = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).ok()?;
        let arguments = intent.arguments.to_string();
        for part in [room.expose().as_str(), intent.tool.as_str(), &arguments] {
            digest.update(part.as_bytes());
            digest.update(&[0]);
        }
        let digest = digest.finalize().into_bytes();
        Some(
            digest
                .iter()
                .take(16)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// Id of the job.
    pub fn session(&self) -> &str {
        &self.session
    }

    fn record(&self, kind: Kind, data: Value) -> Record {
        Record {
            session: self.session.clone(),
            kind,
            data,
        }
    }
}

#[async_trait]
impl Hooks for ToolRecord {
    async fn intent(&self, intent: Intent<'_>) -> Result<(), Objection> {
        let writes = intent.effect == Effect::Writes;
        let wish = self.wish(&intent).filter(|_| writes);
        if wish
            .as_deref()
            .is_some_and(|wish| self.audit.is_unsettled(wish))
        {
            return Err(Objection::Unsettled);
        }
        let data = json!({
            "call": short(intent.call),
            "tool": intent.tool.as_str(),
            "writes": writes,
            "wish": wish,
            "rule": intent.rule,
            "arguments": cleaned(intent.arguments.clone()),
            "background": intent.background,
        });
        let record = self.record(Kind::ToolIntent, data);
        if !writes {
            self.audit.submit(record);
            return Ok(());
        }
        self.audit
            .commit(record)
            .await
            .map_err(|_| Objection::NotDurable)
    }

    async fn ended(&self, ended: Ended<'_>) {
        let mut data = json!({
            "call": short(&ended.call.id),
            "tool": ended.tool.map(tools::ToolName::as_str),
            "outcome": ended.outcome.word(),
            "reason": ended.outcome.reason(),
            "took_us": u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX),
            "told": told(&ended.outcome.text_for_model()),
        });
        if let Outcome::Refused(_) = ended.outcome {
            // There is no intent that would tell it.
            data["arguments"] = told(&ended.call.arguments);
            data["background"] = ended.background.clone();
        }
        let record = self.record(Kind::ToolOutcome, data);
        if self.audit.commit(record).await.is_err() {
            tracing::error!("the end of a tool call is not on record");
        }
    }
}

/// JSON where it is JSON, without what is personal in it.
fn told(text: &str) -> Value {
    let is_whole = |value: &Value| value.is_object() || value.is_array();
    match serde_json::from_str(text).ok().filter(is_whole) {
        Some(value) => cleaned(value),
        None => Value::String(redaction::mixed(text)),
    }
}

fn cleaned(mut value: Value) -> Value {
    redaction::json(&mut value);
    value
}

/// The provider's own word, which nobody has checked.
fn short(call: &CallId) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    call.as_str().chars().filter(is_plain).take(64).collect()
}
