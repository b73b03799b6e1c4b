//! Core: calls that a supervisor has to agree to: what they are told, and who asks them.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::call::{CallId, ToolName};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The call's own id.
    pub call: &'a CallId,
    /// The registered name.
    pub tool: &'a ToolName,
    /// Checked, and perhaps personal.
    pub arguments: &'a Value,
    /// What the rule says about it; empty = nothing.
    pub question: &'a str,
    /// How long the answer is waited for.
    pub within: Duration,
}

/// How it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody who may agreed.
    Approved,
    /// Somebody who may did not.
    Declined,
    /// Nobody answered in time.
    Silence,
    /// There is no way to ask, or too much is asked already.
    Nobody,
}

/// Whoever can ask supervisors. The future is dropped when the call is called off.
#[async_trait]
pub trait Approver: Send + Sync {
    /// Asks, and waits for the answer, at most for [`Request::within`].
    async fn approve(&self, request: Request<'_>) -> Verdict;
}

/// There are no supervisors.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoApprover;

#[async_trait]
impl Approver for NoApprover {
    async fn approve(&self, _request: Request<'_>) -> Verdict {
        Verdict::Nobody
    }
}
