//! Core: what the gateway tells, and asks leave of, while a call goes through it.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::{
    call::{CallId, ToolCall, ToolName},
    outcome::Outcome,
    tool::Effect,
};

/// A call that is about to run.
#[derive(Clone, Copy)]
pub struct Intent<'a> {
    /// The call's own id.
    pub call: &'a CallId,
    /// The registered name.
    pub tool: &'a ToolName,
    /// Checked, and perhaps personal.
    pub arguments: &'a Value,
    /// What running it does to the world.
    pub effect: Effect,
    /// The how manieth rule allowed it, from 0; `None` = no rule spoke against it.
    pub rule: Option<usize>,
    /// [`crate::Context::background`] of the call.
    pub background: &'a Value,
}

/// A call that is over, whatever step ended it.
#[derive(Clone, Copy)]
pub struct Ended<'a> {
    /// As the model sent it.
    pub call: &'a ToolCall,
    /// The registered name; `None` = there is no such tool.
    pub tool: Option<&'a ToolName>,
    /// How it ended.
    pub outcome: &'a Outcome,
    /// [`crate::Context::background`] of the call.
    pub background: &'a Value,
    /// From its arrival to its end.
    pub took: Duration,
}

/// Why a call must not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// Its intent could not be made durable.
    NotDurable,
    /// The same was begun before, and nobody knows whether it had its effect.
    Unsettled,
}

/// Whoever keeps the record of calls. A [`Effect::Writes`] tool runs only after [`Hooks::intent`] was
/// awaited and granted; the others do not wait for it.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// A call is about to run. For one that writes: returns when that is on disk.
    async fn intent(&self, intent: Intent<'_>) -> Result<(), Objection>;

    /// A call is over. Returns when what must be known is on disk; the model is told after that.
    async fn ended(&self, ended: Ended<'_>);
}

/// Keeps no record.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRecord;

#[async_trait]
impl Hooks for NoRecord {
    async fn intent(&self, _intent: Intent<'_>) -> Result<(), Objection> {
        Ok(())
    }

    async fn ended(&self, _ended: Ended<'_>) {}
}
