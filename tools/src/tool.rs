//! Core: what a tool is: a spec the model reads, and something to run.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    call::{CallId, ToolName, ValidCall},
    policy::{Facts, Marks, Rules},
    provider::Provider,
};

/// How long a tool may take unless it says otherwise. People on the phone wait about as long.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// Something a model may call.
#[async_trait]
pub trait Tool: Send + Sync {
    /// What it is called, takes and does; must not change.
    fn spec(&self) -> &ToolSpec;

    /// Whether it must not be run for now, because it is not what it was when somebody allowed it.
    fn is_off(&self) -> bool {
        false
    }

    /// Runs one call. The future is dropped at the deadline, and that of a tool that changes nothing
    /// also when the call is called off. Whatever must not be left half done belongs into one step
    /// that is not awaited in between.
    async fn run(&self, call: &ValidCall, context: &Context) -> Result<Answer, ToolError>;
}

/// Everything the plane and the model know about a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// Unique name.
    pub name: ToolName,
    /// When and how to use it; the model reads this.
    pub description: String,
    /// JSON schema of the arguments object.
    pub parameters: Value,
    /// What running it does to the world.
    pub effect: Effect,
    /// The longest it may take.
    pub deadline: Duration,
    /// How often it may run in one session; `None` = as often as any.
    pub most_runs: Option<u32>,
    /// What it touches.
    pub marks: Marks,
    /// What is looked at before each run.
    pub rules: Rules,
}

/// What running a tool does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Nothing, and it asks nobody.
    Pure,
    /// It asks somebody and changes nothing.
    Reads,
    /// It changes something: never run twice for one intent.
    Writes,
}

/// What a tool answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// For the model; a string is passed on as plain words.
    pub value: Value,
    /// What shall happen to the conversation.
    pub then: Then,
}

impl Answer {
    /// An answer the model carries on with.
    pub fn new(value: impl Into<Value>) -> Self {
        Self {
            value: value.into(),
            then: Then::Continue,
        }
    }
}

/// What shall happen to the conversation after a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// The model carries on.
    Continue,
    /// The agent says goodbye and the conversation ends.
    EndConversation,
    /// A person is asked to join; the model carries on until then.
    Escalate {
        /// Why, in the model's words.
        reason: String,
    },
    /// Another agent carries on.
    SwitchAgent {
        /// Its name; one of [`Context::colleagues`].
        agent: String,
    },
}

/// A tool tried and failed. The model reads the text: no secrets in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ToolError {
    /// What went wrong.
    pub text: String,
    /// It may have had its effect all the same.
    pub is_unsure: bool,
}

impl ToolError {
    /// What went wrong, in words that help the model to go on. Nothing was changed.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            text: what.into(),
            is_unsure: false,
        }
    }

    /// The same, and nobody knows whether something was changed.
    #[must_use]
    pub fn unsure(self) -> Self {
        Self {
            is_unsure: true,
            ..self
        }
    }
}

/// What surrounds one call.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Fires when the call is called off. The gateway drops the tool's future then, unless it writes: who
    /// cannot know how far it came lets it end.
    pub cancelled: CancellationToken,
    /// What rules look at.
    pub facts: Facts,
    /// Names the session for services that must not do a thing twice.
    pub session: Arc<str>,
    /// It is started before the model asks for it; the next call with the same arguments takes its answer.
    pub is_foreseen: bool,
    /// Names of the agents that this one may hand over to.
    pub colleagues: Arc<[String]>,
    /// Who runs what the model's provider runs; `None` = nobody.
    pub provider: Option<Arc<dyn Provider>>,
    /// What was going on when the model decided to call; only the record looks at it.
    pub background: Value,
}

impl Context {
    /// What a service knows a call by, however often it is sent: 32 hexadecimal digits that tell nothing.
    pub fn idempotency_key(&self, call: &CallId) -> String {
        let digest = Sha256::new()
            .chain_update(self.session.as_bytes())
            .chain_update([0])
            .chain_update(call.as_str())
            .finalize();
        digest
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
