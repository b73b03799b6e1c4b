//! Task: the one way to run a tool: named steps in a fixed order.
//!
//! Every step hands on the next thing or ends the call with an [`Outcome`]. Owns nothing but the
//! registry; where the future runs, and what becomes of a panic in it, is the caller's business.
//! Not yet among the steps: *dedupe* after validate, *decide* after that, *record* around the run.

use std::time::Duration;

use serde_json::Value;

use crate::{
    call::{ToolCall, ValidCall},
    outcome::{Outcome, Refusal},
    registry::{Entry, Registry},
    tool::{Context, Tool},
};

/// Longest arguments text, in bytes. Far above what a person says in one turn.
pub const LONGEST_ARGUMENTS: usize = 64 * 1024;

/// Runs calls.
#[derive(Clone, Debug)]
pub struct Gateway {
    registry: Registry,
}

impl Gateway {
    /// A gateway to these tools.
    pub fn new(registry: Registry) -> Self {
        Self { registry }
    }

    /// The tools behind it.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Runs one call to its one outcome.
    pub async fn invoke(&self, call: &ToolCall, context: &Context) -> Outcome {
        match self.check(call) {
            Ok((entry, call)) => run_under_deadline(&*entry.tool, &call, context).await,
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    fn check(&self, call: &ToolCall) -> Result<(&Entry, ValidCall), Refusal> {
        let entry = self.resolve(&call.name)?;
        let arguments = parse(&call.arguments)?;
        validate(entry, &arguments)?;
        Ok((entry, ValidCall::new(call.id.clone(), arguments)))
    }

    fn resolve(&self, name: &str) -> Result<&Entry, Refusal> {
        let (_, entry) = self.registry.find(name).ok_or(Refusal::UnknownTool)?;
        Ok(entry)
    }
}

/// Models send an empty text for a tool without arguments.
fn parse(arguments: &str) -> Result<Value, Refusal> {
    if arguments.len() > LONGEST_ARGUMENTS {
        return Err(Refusal::ArgumentsTooLong {
            limit: LONGEST_ARGUMENTS,
        });
    }
    let text = if arguments.trim().is_empty() {
        "{}"
    } else {
        arguments
    };
    serde_json::from_str(text).map_err(|error| Refusal::NotJson(error.to_string()))
}

fn validate(entry: &Entry, arguments: &Value) -> Result<(), Refusal> {
    entry.schema.check(arguments).map_err(Refusal::NotValid)
}

async fn run_under_deadline(tool: &dyn Tool, call: &ValidCall, context: &Context) -> Outcome {
    let limit: Duration = tool.spec().deadline;
    let run = tokio::time::timeout(limit, tool.run(call, context));
    tokio::select! {
        biased;
        () = context.cancelled.cancelled() => Outcome::Cancelled,
        ended = run => match ended {
            Ok(Ok(answer)) => Outcome::Completed(answer),
            Ok(Err(error)) => Outcome::Failed(error.0),
            Err(_) => Outcome::TimedOut { limit },
        },
    }
}
