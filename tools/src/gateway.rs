//! Task: the one way to run a tool: nine named steps in a fixed order.
//!
//! resolve → parse → validate → dedupe → decide → record the intent → run under a deadline → shape the
//! outcome → record the outcome. Each hands on the next thing or ends the call with an [`Outcome`]. Owns
//! the memory of the session's calls; where the future runs is the caller's business, and a panic in a
//! tool ends its call here all the same.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::watch;

use crate::{
    call::{CallId, ToolCall, ToolName, ValidCall},
    hooks::{Ended, Hooks, Intent, NoRecord, NotDurable},
    idempotency::{Ledger, Standing, Wish},
    outcome::{Outcome, Refusal},
    policy::{self, Decision},
    registry::{Entry, Registry},
    strict,
    tool::{Context, Effect, Tool},
};

/// Longest arguments text, in bytes. Far above what a person says in one turn.
pub const LONGEST_ARGUMENTS: usize = 64 * 1024;

/// Runs the calls of one session.
#[derive(Clone)]
pub struct Gateway {
    registry: Registry,
    memory: Arc<Memory>,
    hooks: Arc<dyn Hooks>,
}

/// What a session knows of its calls.
struct Memory {
    ledger: Mutex<Ledger>,
    /// Counts calls that ended, so that who waits for one looks again.
    ended: watch::Sender<u64>,
}

impl Gateway {
    /// A gateway to these tools that keeps no record.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            memory: Arc::new(Memory {
                ledger: Mutex::default(),
                ended: watch::Sender::new(0),
            }),
            hooks: Arc::new(NoRecord),
        }
    }

    /// The same with a record.
    #[must_use]
    pub fn recorded_by(self, hooks: Arc<dyn Hooks>) -> Self {
        Self { hooks, ..self }
    }

    /// The same session with other tools from now on; what was called before is still known.
    #[must_use]
    pub fn equipped(&self, registry: Registry) -> Self {
        Self {
            registry,
            ..self.clone()
        }
    }

    /// The tools behind it.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Runs one call to its one outcome.
    pub async fn invoke(&self, call: &ToolCall, context: &Context) -> Outcome {
        let arrived = now();
        let outcome = match self.steps(call, context).await {
            Ok(outcome) | Err(outcome) => outcome,
        };
        self.record_outcome(call, &outcome, now() - arrived).await;
        outcome
    }

    async fn steps(&self, call: &ToolCall, context: &Context) -> Result<Outcome, Outcome> {
        let (name, entry) = self.resolve(&call.name)?;
        let arguments = parse(&call.arguments)?;
        validate(entry, &arguments)?;
        let call = ValidCall::new(call.id.clone(), arguments);
        let claim = self.dedupe(name, entry, &call).await?;
        decide(entry, &call, context).inspect_err(|outcome| claim.settle(outcome))?;
        self.record_intent(name, entry, &call)
            .await
            .inspect_err(|outcome| claim.settle(outcome))?;
        let outcome = shape(run_under_deadline(&*entry.tool, &call, context).await);
        claim.settle(&outcome);
        Ok(outcome)
    }

    fn resolve(&self, name: &str) -> Result<(&ToolName, &Entry), Outcome> {
        let found = self.registry.find(name);
        found.ok_or(Outcome::Refused(Refusal::UnknownTool))
    }

    /// Waits for a call that is the same and runs; ends with what it ended with.
    async fn dedupe(
        &self,
        name: &ToolName,
        entry: &Entry,
        call: &ValidCall,
    ) -> Result<Claim, Outcome> {
        let effect = entry.tool.spec().effect;
        let wish = Wish::new(name.clone(), call.arguments());
        let mut ended = self.memory.ended.subscribe();
        let mut id = call.id().clone();
        loop {
            ended.mark_unchanged();
            let standing = self.memory.ledger().admit(now(), &id, &wish, effect);
            match standing {
                Standing::New => {
                    return Ok(Claim {
                        memory: Arc::clone(&self.memory),
                        call: id,
                        effect,
                    });
                }
                Standing::Over(outcome) => return Err(outcome.again()),
                Standing::Full => return Err(Outcome::Refused(Refusal::TooMany)),
                Standing::Running(same) => {
                    id = same;
                    // The sender lives in the memory, which this gateway holds.
                    let _ = ended.changed().await;
                }
            }
        }
    }

    async fn record_intent(
        &self,
        name: &ToolName,
        entry: &Entry,
        call: &ValidCall,
    ) -> Result<(), Outcome> {
        let effect = entry.tool.spec().effect;
        let intent = Intent {
            call: call.id(),
            tool: name,
            arguments: call.arguments(),
            effect,
        };
        match self.hooks.intent(intent).await {
            Err(NotDurable) if effect == Effect::Writes => {
                Err(Outcome::Refused(Refusal::NotRecorded))
            }
            _ => Ok(()),
        }
    }

    async fn record_outcome(&self, call: &ToolCall, outcome: &Outcome, took: Duration) {
        let tool = self.registry.name(&call.name);
        let ended = Ended {
            call,
            tool,
            outcome,
            took,
        };
        self.hooks.ended(ended).await;
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway({:?})", self.registry)
    }
}

/// Models send an empty text for a tool without arguments.
fn parse(arguments: &str) -> Result<Value, Outcome> {
    if arguments.len() > LONGEST_ARGUMENTS {
        return Err(Outcome::Refused(Refusal::ArgumentsTooLong {
            limit: LONGEST_ARGUMENTS,
        }));
    }
    let text = if arguments.trim().is_empty() {
        "{}"
    } else {
        arguments
    };
    strict::parse(text).map_err(|problem| Outcome::Refused(Refusal::NotJson(problem)))
}

fn validate(entry: &Entry, arguments: &Value) -> Result<(), Outcome> {
    let checked = entry.schema.check(arguments);
    checked.map_err(|problems| Outcome::Refused(Refusal::NotValid(problems)))
}

fn decide(entry: &Entry, call: &ValidCall, context: &Context) -> Result<(), Outcome> {
    match policy::decide(entry.tool.spec(), call.arguments(), &context.facts) {
        Decision::Allow => Ok(()),
        Decision::Refuse(reason) => Err(Outcome::Refused(Refusal::Policy(reason))),
        Decision::Ask { who, .. } => Err(Outcome::Refused(Refusal::NobodyToAsk(who))),
    }
}

async fn run_under_deadline(tool: &dyn Tool, call: &ValidCall, context: &Context) -> Outcome {
    let limit: Duration = tool.spec().deadline;
    let run = tokio::time::timeout(limit, tool.run(call, context));
    tokio::select! {
        biased;
        () = context.cancelled.cancelled() => Outcome::Cancelled,
        ended = run => match ended {
            Ok(Ok(answer)) => Outcome::Completed(answer),
            Ok(Err(error)) if error.is_unsure => Outcome::Unknown,
            Ok(Err(error)) => Outcome::Failed(error.text),
            Err(_) => Outcome::TimedOut { limit },
        },
    }
}

/// What is too long for a model is too long to be kept for its next asking.
fn shape(outcome: Outcome) -> Outcome {
    outcome.bounded()
}

/// Leave to run one call. Dropped without a settlement, which only a panic does, it settles itself.
struct Claim {
    memory: Arc<Memory>,
    call: CallId,
    effect: Effect,
}

impl Claim {
    fn settle(&self, outcome: &Outcome) {
        self.memory.ledger().settle(now(), &self.call, outcome);
        self.memory.ended.send_modify(|ended| *ended += 1);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let is_open = self.memory.ledger().is_running(&self.call);
        if is_open {
            self.settle(&match self.effect {
                Effect::Writes => Outcome::Unknown,
                _ => Outcome::Failed("an internal error".to_owned()),
            });
        }
    }
}

impl Memory {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic between two of its lines leaves a ledger that is still true.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tokio's clock, so that tests own it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
