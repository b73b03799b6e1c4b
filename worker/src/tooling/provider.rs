//! Calls that the provider runs: who waits for which.

use std::collections::HashMap;

use async_trait::async_trait;
use dialog::model::{CallId, McpEnd};
use tokio::sync::{mpsc, oneshot};
use tools::{Answer, Provider, ToolError};

/// Calls that were allowed and of which the driver was not told yet. When full, tools wait.
const APPROVED: usize = 16;

/// The calls of one session that are allowed, each with the tool that waits for its end.
#[derive(Debug)]
pub(super) struct AtProvider {
    approvals: mpsc::Sender<Approved>,
    approved: mpsc::Receiver<Approved>,
    waiting: HashMap<CallId, oneshot::Sender<McpEnd>>,
}

/// The side of the tools.
#[derive(Debug)]
pub(super) struct Approvals(mpsc::Sender<Approved>);

#[derive(Debug)]
struct Approved {
    call: CallId,
    end: oneshot::Sender<McpEnd>,
}

impl Default for AtProvider {
    fn default() -> Self {
        let (approvals, approved) = mpsc::channel(APPROVED);
        Self {
            approvals,
            approved,
            waiting: HashMap::new(),
        }
    }
}

impl AtProvider {
    pub(super) fn approvals(&self) -> Approvals {
        Approvals(self.approvals.clone())
    }

    /// The next call that the provider may run.
    pub(super) async fn approved(&mut self) -> CallId {
        match self.approved.recv().await {
            Some(Approved { call, end }) => {
                self.waiting.insert(call.clone(), end);
                call
            }
            // Only when it is closed.
            None => std::future::pending().await,
        }
    }

    /// It is over there.
    pub(super) fn done(&mut self, call: &CallId, end: McpEnd) {
        if let Some(waiting) = self.waiting.remove(call) {
            // A call that was called off, or took too long, has its end already.
            let _ = waiting.send(end);
        }
    }

    /// It is over here.
    pub(super) fn forget(&mut self, call: &CallId) {
        self.waiting.remove(call);
    }

    /// Nobody speaks to the provider any more.
    pub(super) fn close(&mut self) {
        self.approved.close();
        while let Ok(Approved { end, .. }) = self.approved.try_recv() {
            let _ = end.send(McpEnd::Unsent);
        }
        self.waiting.clear();
    }
}

#[async_trait]
impl Provider for Approvals {
    async fn run(&self, call: &tools::CallId) -> Result<Answer, ToolError> {
        let (end, ended) = oneshot::channel();
        let call = CallId::new(call.as_str());
        let unsent = || ToolError::new("the connection was lost before it began");
        let sent = self.0.send(Approved { call, end }).await;
        sent.map_err(|_| unsent())?;
        match ended.await {
            Ok(McpEnd::Answered(answer)) => Ok(Answer::new(answer)),
            Ok(McpEnd::Failed(what)) => Err(ToolError::new(what)),
            Ok(McpEnd::Doubtful(what)) => Err(ToolError::new(what).unsure()),
            Ok(McpEnd::Unsent) => Err(unsent()),
            Ok(McpEnd::Lost) | Err(_) => {
                Err(ToolError::new("the connection was lost meanwhile").unsure())
            }
        }
    }
}
