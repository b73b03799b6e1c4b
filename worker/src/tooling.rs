//! The bridge between the conversation's tool calls and the tool plane.
//!
//! Each call has exactly one end, also when its tool panics, and when the session is over before it: what it
//! changes is done and on record, and nobody is told. Does not decide what an answer means, and does not check
//! calls: that is the gateway's business.

pub mod files;
pub mod needs;
mod plane;
mod provider;
mod task;

use std::fmt;

pub use plane::{Plane, keep};

use dialog::{
    input::AfterTool,
    model::{CallId, McpEnd},
    output::ToolCall,
};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tools::{Outcome, Then, approval::Approver};
use tracing::Instrument;

use self::task::Task;
use crate::{
    agents::{Caller, Colleague, Rendered},
    audit::ToolRecord,
};

/// Calls on their way to the task; the conversation has at most half as many open. When full the
/// call is answered as failed at once.
const ORDERS: usize = 64;

/// What becomes of calls, on its way to the driver. When full the task waits: the driver never waits for it.
const EVENTS: usize = 64;

/// What becomes of a call.
#[derive(Debug, PartialEq, Eq)]
pub enum ToolEvent {
    /// The provider may run it; [`Tooling::mcp_call_done`] is to tell how it ended.
    Approved(CallId),
    /// It has its end.
    Ended(ToolEnded),
}

/// The end of a call.
#[derive(Debug, PartialEq, Eq)]
pub struct ToolEnded {
    /// The call.
    pub call: CallId,
    /// What the model is told.
    pub output: String,
    /// What happens to the conversation.
    pub then: AfterTool,
    /// A person is asked to join, for this reason.
    pub escalation: Option<String>,
    /// This agent takes over.
    pub successor: Option<String>,
}

impl ToolEnded {
    fn new(call: CallId, outcome: &Outcome) -> Self {
        let mut ended = Self {
            call,
            output: outcome.text_for_model(),
            then: AfterTool::Continue,
            escalation: None,
            successor: None,
        };
        match outcome.then() {
            Then::EndConversation => ended.then = AfterTool::EndConversation,
            Then::Escalate { reason } => ended.escalation = Some(reason),
            Then::SwitchAgent { agent } => ended.successor = Some(agent),
            _ => {}
        }
        ended
    }
}

/// The calls of a session, some of which may outlive it.
#[derive(Debug)]
pub struct Calls(oneshot::Receiver<()>);

impl Calls {
    /// Returns when all of them have their end, and it is on record.
    pub async fn over(&mut self) {
        // Nothing is ever sent: the other end goes with the task.
        let _ = (&mut self.0).await;
    }
}

/// Runs the calls of one session. When the last handle is gone, those that change nothing are called off, and
/// the others end by themselves.
#[derive(Clone)]
pub struct Tooling {
    orders: mpsc::Sender<Order>,
    events: mpsc::Sender<ToolEvent>,
}

/// Starts the tools of one session. Its task is the plane's, because it may outlive the session.
pub fn start(
    plane: &Plane,
    agent: &Rendered,
    record: ToolRecord,
    approver: impl Approver + 'static,
) -> (Tooling, mpsc::Receiver<ToolEvent>, Calls) {
    let (orders, inbox) = mpsc::channel(ORDERS);
    let (events, happens) = mpsc::channel(EVENTS);
    let (is_over, over) = oneshot::channel();
    let task = Task::new(plane, agent, record, approver, is_over);
    let running = task.run(inbox, events.clone());
    plane.tasks.spawn(running.in_current_span());
    (Tooling { orders, events }, happens, Calls(over))
}

impl Tooling {
    /// Runs a call; its end comes through the receiver. `background`: what was going on, redacted.
    pub fn run(&self, call: ToolCall, background: Value) {
        if let Err(error) = self.orders.try_send(Order::Run(call, background)) {
            tracing::error!("the tools do not take calls");
            if let Order::Run(call, _) = error.into_inner() {
                self.fail(call.call);
            }
        }
    }

    /// Calls off a call.
    pub fn cancel(&self, call: &CallId) {
        if self.orders.try_send(Order::Cancel(call.clone())).is_err() {
            tracing::error!("the tools do not take orders");
        }
    }

    /// Calls off every call that changes nothing.
    pub fn cancel_reads(&self) {
        if self.orders.try_send(Order::CancelReads).is_err() {
            tracing::error!("the tools do not take orders");
        }
    }

    /// What the provider was allowed to run is over.
    pub fn mcp_call_done(&self, call: CallId, end: McpEnd) {
        if self.orders.try_send(Order::McpCallDone(call, end)).is_err() {
            tracing::error!("the tools do not take orders");
        }
    }

    /// The agent begins to say something.
    pub fn agent_began(&self) {
        self.say(Said::AgentBegan);
    }

    /// The agent has said something to its end.
    pub fn agent_spoke(&self) {
        self.say(Said::AgentSpoke);
    }

    /// The caller has said this, which may be the answer to a question about a call.
    pub fn caller_spoke(&self, words: &str) {
        self.say(Said::Caller(words.to_owned()));
    }

    fn say(&self, said: Said) {
        if self.orders.try_send(Order::Said(said)).is_err() {
            tracing::error!("the tools do not take orders");
        }
    }

    /// From now on these tools may be called; calls that run go on.
    pub fn equip(&self, names: Vec<String>) {
        if self.orders.try_send(Order::Equip(names)).is_err() {
            tracing::error!("the tools do not take orders");
        }
    }

    /// From now on another agent calls.
    pub fn succeed(&self, agent: Colleague) {
        if self.orders.try_send(Order::Succeed(agent)).is_err() {
            tracing::error!("the tools do not take orders");
        }
    }

    /// Who is talked with, for the rules of tools; the first one told stays.
    pub fn serve(&self, caller: &Caller) {
        if self.orders.try_send(Order::Serve(caller.clone())).is_err() {
            tracing::error!("the tools do not take orders");
        }
    }

    fn fail(&self, call: CallId) {
        let outcome = Outcome::Failed("this tool is not available now".to_owned());
        let ended = ToolEvent::Ended(ToolEnded::new(call, &outcome));
        if self.events.try_send(ended).is_err() {
            tracing::error!("the end of a tool call was lost");
        }
    }
}

impl fmt::Debug for Tooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tooling")
    }
}

enum Order {
    Cancel(CallId),
    CancelReads,
    Equip(Vec<String>),
    McpCallDone(CallId, McpEnd),
    Run(ToolCall, Value),
    Said(Said),
    Serve(Caller),
    Succeed(Colleague),
}

/// What may be a question about a call, and its answer.
enum Said {
    AgentBegan,
    AgentSpoke,
    Caller(String),
}

#[cfg(test)]
pub(crate) mod tests;
