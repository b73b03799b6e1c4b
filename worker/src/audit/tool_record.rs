//! Adapter: the journal as the tool plane's record.

use async_trait::async_trait;
use serde_json::json;
use tools::{
    CallId, Effect, Hooks,
    hooks::{Ended, Intent, NotDurable},
};

use super::{Audit, Kind, Record};

/// The calls of one session, on record.
#[derive(Debug)]
pub struct ToolRecord {
    audit: Audit,
    session: String,
}

impl ToolRecord {
    /// For the session of this job.
    pub fn new(audit: Audit, session: &str) -> Self {
        Self {
            audit,
            session: session.to_owned(),
        }
    }

    /// Id of the job.
    pub fn session(&self) -> &str {
        &self.session
    }

    fn record(&self, kind: Kind, data: serde_json::Value) -> Record {
        Record {
            session: self.session.clone(),
            kind,
            data,
        }
    }
}

#[async_trait]
impl Hooks for ToolRecord {
    async fn intent(&self, intent: Intent<'_>) -> Result<(), NotDurable> {
        let writes = intent.effect == Effect::Writes;
        let data = json!({
            "call": short(intent.call),
            "tool": intent.tool.as_str(),
            "writes": writes,
            "arguments_bytes": intent.arguments.to_string().len(),
        });
        let record = self.record(Kind::ToolIntent, data);
        if !writes {
            self.audit.submit(record);
            return Ok(());
        }
        self.audit.commit(record).await.map_err(|_| NotDurable)
    }

    async fn ended(&self, ended: Ended<'_>) {
        let data = json!({
            "call": short(&ended.call.id),
            "tool": ended.tool.map(tools::ToolName::as_str),
            "outcome": ended.outcome.word(),
            "reason": ended.outcome.reason(),
            "took_us": u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX),
            "told_bytes": ended.outcome.text_for_model().len(),
        });
        let record = self.record(Kind::ToolOutcome, data);
        if self.audit.commit(record).await.is_err() {
            tracing::error!("the end of a tool call is not on record");
        }
    }
}

/// The provider's own word, which nobody has checked.
fn short(call: &CallId) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    call.as_str().chars().filter(is_plain).take(64).collect()
}
