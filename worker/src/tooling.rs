//! Bridge: the conversation's tool calls and the tool plane.
//!
//! A session declares the tools of its agent to the model, runs the calls the conversation orders
//! and hands back one end for each. It does not decide what an answer means. Until the tool plane
//! stands behind it, no tool is declared and every call is answered with a refusal.

use dialog::{input::AfterTool, model::CallId, output::ToolCall};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{agents::Rendered, model::ToolDeclaration};

/// Ends on their way to the driver; a session has few calls at a time. When full the end is lost,
/// which is a bug, and said so in the log.
const ENDS: usize = 64;

/// The tools of this worker.
#[derive(Clone, Debug, Default)]
pub struct Plane {}

impl Plane {
    /// The named tools, as the model is told about them.
    pub fn declare(&self, _names: &[String]) -> Vec<ToolDeclaration> {
        Vec::new()
    }
}

/// The end of a call.
#[derive(Debug)]
pub struct ToolEnded {
    /// The call.
    pub call: CallId,
    /// What the model is told.
    pub output: String,
    /// What happens to the conversation.
    pub then: AfterTool,
}

/// Runs the calls of one session.
#[derive(Debug)]
pub struct Tooling {
    ends: mpsc::Sender<ToolEnded>,
}

/// Starts the tools of one session.
pub fn start(
    _tasks: &mut JoinSet<()>,
    _plane: &Plane,
    _agent: &Rendered,
) -> (Tooling, mpsc::Receiver<ToolEnded>) {
    let (ends, ended) = mpsc::channel(ENDS);
    (Tooling { ends }, ended)
}

impl Tooling {
    /// Runs a call; its end comes through the receiver.
    pub fn run(&self, call: ToolCall) {
        let refused = ToolEnded {
            call: call.call,
            output: r#"{"error":"this tool is not available"}"#.to_owned(),
            then: AfterTool::Continue,
        };
        if self.ends.try_send(refused).is_err() {
            tracing::error!("the end of a tool call was lost");
        }
    }

    /// Calls off a call.
    pub fn cancel(&self, _call: &CallId) {}
}
