//! Task: the one way to run a tool: nine named steps in a fixed order.
//!
//! resolve → parse → validate → dedupe → decide → record the intent → run under a deadline → shape the
//! outcome → record the outcome. Each hands on the next thing or ends the call with an [`Outcome`]. Owns
//! the memory of the session's calls; where the future runs is the caller's business, and a panic in a
//! tool ends its call here all the same.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    approval::{Approver, NoApprover, Request, Verdict},
    call::{CallId, ToolCall, ToolName, ValidCall},
    confirm::{Answer, Confirmations},
    hooks::{Ended, Hooks, Intent, NoRecord, Objection},
    idempotency::{Ask, Ledger, Standing, Wish},
    outcome::{Outcome, Refusal},
    policy::{self, Decision, Otherwise, Who},
    registry::{Entry, Registry},
    strict,
    threads::Threads,
    tool::{Answer as Told, Context, Effect, ToolError, ToolSpec},
};

/// How long a caller's words may take to be understood after the model has acted on them.
const WORDS_WITHIN: Duration = Duration::from_secs(3);

/// Longest arguments text, in bytes. Far above what a person says in one turn.
pub const LONGEST_ARGUMENTS: usize = 64 * 1024;

/// Runs the calls of one session.
#[derive(Clone)]
pub struct Gateway {
    registry: Registry,
    memory: Arc<Memory>,
    hooks: Arc<dyn Hooks>,
    approver: Arc<dyn Approver>,
    threads: Option<Threads>,
}

/// What a session knows of its calls.
struct Memory {
    ledger: Mutex<Ledger>,
    /// Counts calls that ended, so that who waits for one looks again.
    ended: watch::Sender<u64>,
    questions: Mutex<Confirmations>,
    /// Counts what the caller said, so that who waits for their words looks again.
    said: watch::Sender<u64>,
}

impl Gateway {
    /// A gateway to these tools that keeps no record.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            memory: Arc::new(Memory {
                ledger: Mutex::default(),
                ended: watch::Sender::new(0),
                questions: Mutex::default(),
                said: watch::Sender::new(0),
            }),
            hooks: Arc::new(NoRecord),
            approver: Arc::new(NoApprover),
            threads: None,
        }
    }

    /// The same with a record.
    #[must_use]
    pub fn recorded_by(self, hooks: Arc<dyn Hooks>) -> Self {
        Self { hooks, ..self }
    }

    /// The same with somebody who asks supervisors.
    #[must_use]
    pub fn approved_by(self, approver: Arc<dyn Approver>) -> Self {
        Self { approver, ..self }
    }

    /// The same, with tools that run on these threads, and not on the caller's.
    #[must_use]
    pub fn running_on(self, threads: Option<Threads>) -> Self {
        Self { threads, ..self }
    }

    /// The same, with at most so many runs of all tools together. A model that calls in a circle ends there.
    #[must_use]
    pub fn limited_to(self, most_runs: u32) -> Self {
        self.memory.ledger().limit(most_runs);
        self
    }

    /// The agent begins to say something.
    pub fn agent_began(&self) {
        self.memory.questions().agent_began();
    }

    /// The agent has said something to its end, so that a question it was told to ask may be put.
    pub fn agent_spoke(&self) {
        self.memory.questions().agent_spoke();
    }

    /// The caller has said this, which may be an answer.
    pub fn caller_spoke(&self, words: &str) {
        self.memory.questions().caller_spoke(words);
        self.memory.said.send_modify(|said| *said += 1);
    }

    /// The same session with the tools of another agent. What was looked up for the one before, with its
    /// variables, is not told to this one.
    #[must_use]
    pub fn handed_over(&self, registry: Registry) -> Self {
        self.memory.ledger().forget_foreseen();
        self.equipped(registry)
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
        let steps = AssertUnwindSafe(self.steps(call, context)).catch_unwind();
        let outcome = match steps.await {
            Ok(Ok(outcome) | Err(outcome)) => outcome,
            // A panic is a bug of the tool: the session goes on.
            Err(_panic) => Outcome::broken(self.registry.effect(&call.name)),
        };
        self.record_outcome(call, &outcome, context, now() - arrived)
            .await;
        outcome
    }

    async fn steps(&self, call: &ToolCall, context: &Context) -> Result<Outcome, Outcome> {
        let (name, entry) = self.resolve(&call.name)?;
        let arguments = parse(&call.arguments)?;
        validate(entry, &arguments)?;
        let call = ValidCall::new(call.id.clone(), arguments);
        let claim = self.dedupe(name, entry, &call, context).await?;
        let rule = self
            .decide(name, entry, &call, context)
            .await
            .inspect_err(|outcome| claim.settle(outcome))?;
        self.record_intent(name, entry, &call, rule, context)
            .await
            .inspect_err(|outcome| claim.settle(outcome))?;
        let outcome = shape(self.run_under_deadline(entry, &call, context).await);
        claim.settle(&outcome);
        Ok(outcome)
    }

    fn resolve(&self, name: &str) -> Result<(&ToolName, &Entry), Outcome> {
        let found = self.registry.find(name);
        match found.ok_or(Outcome::Refused(Refusal::UnknownTool))? {
            (_, entry) if entry.tool.is_off() => Err(Outcome::Refused(Refusal::Off)),
            found => Ok(found),
        }
    }

    /// Waits for a call that is the same and runs; ends with what it ended with.
    async fn dedupe(
        &self,
        name: &ToolName,
        entry: &Entry,
        call: &ValidCall,
        context: &Context,
    ) -> Result<Claim, Outcome> {
        let ToolSpec {
            effect, most_runs, ..
        } = *entry.tool.spec();
        let wish = Wish::new(name.clone(), call.arguments());
        let ask = Ask {
            effect,
            most_runs,
            is_foreseen: context.is_foreseen,
        };
        let mut ended = self.memory.ended.subscribe();
        let mut id = call.id().clone();
        loop {
            ended.mark_unchanged();
            let standing = self.memory.ledger().admit(now(), &id, &wish, &ask);
            match standing {
                Standing::New => {
                    return Ok(Claim {
                        memory: Arc::clone(&self.memory),
                        call: id,
                        effect,
                    });
                }
                Standing::Foreseen(outcome) => {
                    // What could be looked up then may be told now only if the rules still say so.
                    let decided = self.decide(name, entry, call, context).await;
                    return Err(decided.err().unwrap_or(outcome));
                }
                Standing::Foreseeing => tokio::select! {
                    () = context.cancelled.cancelled() => return Err(Outcome::Cancelled),
                    // The sender lives in the memory, which this gateway holds.
                    _ = ended.changed() => {}
                },
                Standing::Over(outcome) => return Err(outcome.again()),
                Standing::Unneeded => return Err(Outcome::Refused(Refusal::Unneeded)),
                Standing::Full => return Err(Outcome::Refused(Refusal::TooMany)),
                Standing::Spent => return Err(Outcome::Refused(Refusal::TooOften)),
                Standing::Running(same) => {
                    id = same;
                    // The sender lives in the memory, which this gateway holds.
                    let _ = ended.changed().await;
                }
            }
        }
    }

    /// The rule that allowed it, if one spoke. Whoever has to agree first is asked here.
    async fn decide(
        &self,
        name: &ToolName,
        entry: &Entry,
        call: &ValidCall,
        context: &Context,
    ) -> Result<Option<usize>, Outcome> {
        let decided = policy::decide(entry.tool.spec(), call.arguments(), &context.facts);
        let refused = |refusal| Err(Outcome::Refused(refusal));
        let (who, question, within, otherwise) = match decided.decision {
            Decision::Allow => return Ok(decided.rule),
            Decision::Refuse(reason) => return refused(Refusal::Policy(reason)),
            // Nobody is asked about what nobody has asked for.
            Decision::Ask { .. } if context.is_foreseen => return refused(Refusal::Unasked),
            Decision::Ask {
                who,
                question,
                within,
                otherwise,
            } => (who, question, within, otherwise),
        };
        if who == Who::Caller {
            let wish = Wish::new(name.clone(), call.arguments());
            return self
                .confirm(wish, question, within)
                .await
                .map(|()| decided.rule);
        }
        let request = Request {
            call: call.id(),
            tool: name,
            arguments: call.arguments(),
            question: &question,
            within,
        };
        let verdict = tokio::select! {
            biased;
            // Nothing was done yet, so it may be asked again.
            () = context.cancelled.cancelled() => return refused(Refusal::NoAnswer),
            verdict = self.approver.approve(request) => verdict,
        };
        match (verdict, otherwise) {
            (Verdict::Approved, _) | (Verdict::Silence, Otherwise::Allow) => Ok(decided.rule),
            (Verdict::Declined, _) => refused(Refusal::Declined(Who::Supervisor)),
            (Verdict::Silence, Otherwise::Refuse) => refused(Refusal::NoAnswer),
            (Verdict::Nobody, _) => refused(Refusal::NobodyToAsk),
        }
    }

    /// What the caller says is known a moment after the model acts on it: waits that long for it.
    async fn confirm(&self, wish: Wish, question: String, within: Duration) -> Result<(), Outcome> {
        let mut said = self.memory.said.subscribe();
        let patience = tokio::time::sleep(WORDS_WITHIN);
        tokio::pin!(patience);
        loop {
            said.mark_unchanged();
            let answer = self.memory.questions().answer(now(), &wish);
            let refusal = match answer {
                Answer::Agreed => return Ok(()),
                Answer::Declined => Refusal::Declined(Who::Caller),
                Answer::NotAsked => {
                    self.memory.questions().ask(now(), wish, within);
                    Refusal::AskCaller(question)
                }
                Answer::Unclear => Refusal::AskCaller(question),
                Answer::NotYet => tokio::select! {
                    () = &mut patience => Refusal::AskCaller(question),
                    // The sender lives in the memory, which this gateway holds.
                    _ = said.changed() => continue,
                },
            };
            return Err(Outcome::Refused(refusal));
        }
    }

    async fn record_intent(
        &self,
        name: &ToolName,
        entry: &Entry,
        call: &ValidCall,
        rule: Option<usize>,
        context: &Context,
    ) -> Result<(), Outcome> {
        let effect = entry.tool.spec().effect;
        let intent = Intent {
            call: call.id(),
            tool: name,
            arguments: call.arguments(),
            effect,
            rule,
            background: &context.background,
        };
        match self.hooks.intent(intent).await {
            Ok(()) => Ok(()),
            Err(_) if effect != Effect::Writes => Ok(()),
            Err(Objection::NotDurable) => Err(Outcome::Refused(Refusal::NotRecorded)),
            Err(Objection::Unsettled) => Err(Outcome::Unknown(String::new())),
        }
    }

    /// What reads can be called off at any moment; what writes only until it begins.
    async fn run_under_deadline(
        &self,
        entry: &Entry,
        call: &ValidCall,
        context: &Context,
    ) -> Outcome {
        let ToolSpec {
            deadline: limit,
            effect,
            ..
        } = *entry.tool.spec();
        let run = tokio::time::timeout(limit, self.run(entry, call, context));
        let called_off = async {
            let is_late = effect == Effect::Writes && !context.cancelled.is_cancelled();
            if is_late {
                std::future::pending::<()>().await;
            }
            context.cancelled.cancelled().await;
        };
        tokio::select! {
            biased;
            () = called_off => Outcome::Cancelled,
            ended = run => match ended {
                Ok(Ok(answer)) => Outcome::Completed(answer),
                Ok(Err(error)) if error.is_unsure => Outcome::Unknown(error.text),
                Ok(Err(error)) => Outcome::Failed(error.text),
                Err(_) => Outcome::TimedOut { limit },
            },
        }
    }

    async fn run(
        &self,
        entry: &Entry,
        call: &ValidCall,
        context: &Context,
    ) -> Result<Told, ToolError> {
        match &self.threads {
            None => entry.tool.run(call, context).await,
            Some(threads) => threads.run(&entry.tool, call, context).await,
        }
    }

    async fn record_outcome(
        &self,
        call: &ToolCall,
        outcome: &Outcome,
        context: &Context,
        took: Duration,
    ) {
        let tool = self.registry.name(&call.name);
        let ended = Ended {
            call,
            tool,
            outcome,
            background: &context.background,
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
            self.settle(&Outcome::broken(Some(self.effect)));
        }
    }
}

impl Memory {
    fn questions(&self) -> MutexGuard<'_, Confirmations> {
        self.questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic between two of its lines leaves a ledger that is still true.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tokio's clock, so that tests own it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
