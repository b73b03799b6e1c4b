//! Task: owns the calls of one session, those that run here and those that the provider runs.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use dialog::{
    model::CallId,
    output::{RunBy, ToolCall},
};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, oneshot},
    task::{Id, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tools::{Context, Effect, Facts, Gateway, Outcome, Provider, approval::Approver};
use tracing::Instrument;

use super::{Order, Plane, Said, ToolEnded, ToolEvent, provider::AtProvider};
use crate::{
    agents::{Caller, Cue, Prefetch, Rendered},
    audit::ToolRecord,
    telemetry::event::{self, ToolEnd},
};

/// Runs of all tools in one session. A conversation of an hour has a tenth of that; a model that calls in
/// a circle has more.
const MOST_RUNS: u32 = 500;

/// What stands in logs and metrics for a name that only the model knows.
const UNKNOWN: &str = "unknown";

/// One call under way.
struct Running {
    /// The model's id; `None` = it did not ask for it.
    asked: Option<CallId>,
    /// The registered name; never the model's word for it.
    name: String,
    /// It may change something, so that it is not called off because somebody speaks.
    writes: bool,
    began: Instant,
    cancelled: CancellationToken,
}

impl Running {
    /// The model waits for it, and it changes nothing.
    fn is_wanted_look_up(&self) -> bool {
        self.asked.is_some() && !self.writes
    }
}

pub(super) struct Task {
    gateway: Gateway,
    facts: Facts,
    /// Names of the agents that may take over.
    colleagues: Arc<[String]>,
    /// Look-ups that were not started yet, and how many were.
    prefetch: Vec<Prefetch>,
    prefetched: u32,
    /// The first person, once they are known.
    caller: Option<Caller>,
    /// Names the session for services.
    session: Arc<str>,
    plane: Plane,
    at_provider: AtProvider,
    /// Dropped with the task, and the calls with it.
    calls: JoinSet<Outcome>,
    running: HashMap<Id, Running>,
    /// Goes with the task.
    _over: oneshot::Sender<()>,
}

impl Task {
    pub(super) fn new(
        plane: &Plane,
        agent: &Rendered,
        record: ToolRecord,
        approver: impl Approver + 'static,
        is_over: oneshot::Sender<()>,
    ) -> Self {
        Self {
            session: record.session().into(),
            gateway: Gateway::new(plane.part(&agent.tools))
                .limited_to(MOST_RUNS)
                .running_on(plane.threads.clone())
                .recorded_by(Arc::new(record))
                .approved_by(Arc::new(approver)),
            facts: Facts {
                variables: agent.variables.clone(),
                ..Facts::default()
            },
            colleagues: agent.hands_to.clone().into(),
            prefetch: agent.prefetch.clone(),
            prefetched: 0,
            caller: None,
            plane: plane.clone(),
            at_provider: AtProvider::default(),
            calls: JoinSet::new(),
            running: HashMap::new(),
            _over: is_over,
        }
    }

    /// Until the session is over, and what it had begun to change is done. The driver is gone when nobody
    /// listens to the events; then nobody wants to know either.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Order>,
        events: mpsc::Sender<ToolEvent>,
    ) {
        loop {
            tokio::select! {
                order = inbox.recv() => match order {
                    Some(Order::Run(call, background)) => self.start(call, background),
                    Some(Order::Cancel(call)) => {
                        self.cancel(|running| running.asked.as_ref() == Some(&call));
                    },
                    Some(Order::CancelReads) => self.cancel(Running::is_wanted_look_up),
                    Some(Order::McpCallDone(call, end)) => self.at_provider.done(&call, end),
                    Some(Order::Equip(names)) => {
                        self.gateway = self.gateway.equipped(self.plane.part(&names));
                    }
                    Some(Order::Said(Said::AgentBegan)) => self.gateway.agent_began(),
                    Some(Order::Said(Said::AgentSpoke)) => self.gateway.agent_spoke(),
                    Some(Order::Said(Said::Caller(words))) => {
                        self.gateway.caller_spoke(&words);
                        let words = words.to_lowercase();
                        self.foresee(|cue| matches!(cue, Cue::Phrase(one) if words.contains(one)));
                    }
                    Some(Order::Serve(caller)) => self.serve(caller),
                    Some(Order::Succeed(agent)) => {
                        let tools = self.plane.part(&agent.tools);
                        self.gateway = self.gateway.handed_over(tools);
                        self.facts.variables = agent.variables;
                        self.colleagues = agent.hands_to.into();
                        self.prefetch = agent.prefetch;
                        self.foresee(|cue| *cue == Cue::Start);
                    }
                    None => break,
                },
                call = self.at_provider.approved() => {
                    let _ = events.send(ToolEvent::Approved(call)).await;
                }
                Some(ended) = self.calls.join_next_with_id() => {
                    if let Some(ended) = self.finish(ended) {
                        let _ = events.send(ToolEvent::Ended(ended)).await;
                    }
                }
            }
        }
        // Nobody is there any more for whom something could be looked up.
        self.prefetch.clear();
        self.cancel(|_| true);
        self.at_provider.close();
        while let Some(ended) = self.calls.join_next_with_id().await {
            if let Some(ended) = self.finish(ended) {
                let _ = events.send(ToolEvent::Ended(ended)).await;
            }
        }
    }

    fn serve(&mut self, caller: Caller) {
        if self.caller.is_some() {
            return;
        }
        self.facts.caller = json!({
            "name": caller.name,
            "metadata": caller.metadata,
            "attributes": caller.attributes,
        });
        self.caller = Some(caller);
        self.foresee(|cue| *cue == Cue::Start);
    }

    /// Starts the look-ups for which the moment has come. What is said before the caller is known waits for
    /// nothing: it is said by nobody.
    fn foresee(&mut self, has_come: impl Fn(&Cue) -> bool) {
        let Some(caller) = self.caller.clone() else {
            return;
        };
        let due: Vec<Prefetch> = self
            .prefetch
            .extract_if(.., |one| has_come(&one.cue))
            .collect();
        for one in due {
            let Some(arguments) = one.arguments(&caller) else {
                continue;
            };
            self.prefetched += 1;
            let id = format!("prefetch-{}", self.prefetched);
            let call = tools::ToolCall::new(&id, &one.tool, &arguments);
            let context = Context {
                is_foreseen: true,
                ..self.context(json!({"prefetch": one.tool}))
            };
            self.spawn(call, context, None);
        }
    }

    fn start(&mut self, call: ToolCall, background: Value) {
        let is_remote = call.run_by == RunBy::Provider;
        let approvals = || Arc::new(self.at_provider.approvals()) as Arc<dyn Provider>;
        let context = Context {
            provider: is_remote.then(approvals),
            ..self.context(background)
        };
        // Who asks whether it may be done elsewhere does not have it done here, and the other way round: no
        // tool has this name.
        let fits = is_remote == self.plane.is_remote(&call.name);
        let name = if fits { &*call.name } else { "" };
        let id = call.call;
        let call = tools::ToolCall::new(id.as_str(), name, &call.arguments);
        self.spawn(call, context, Some(id));
    }

    fn context(&self, background: Value) -> Context {
        Context {
            facts: Facts {
                now: SystemTime::now(),
                ..self.facts.clone()
            },
            session: self.session.clone(),
            colleagues: Arc::clone(&self.colleagues),
            background,
            ..Context::default()
        }
    }

    /// `asked`: the model's id of the call, if it asked for it.
    fn spawn(&mut self, call: tools::ToolCall, context: Context, asked: Option<CallId>) {
        let registry = self.gateway.registry();
        let name = registry.name(&call.name);
        let running = Running {
            asked,
            name: name.map_or_else(|| UNKNOWN.to_owned(), ToString::to_string),
            writes: registry.effect(&call.name) == Some(Effect::Writes),
            began: Instant::now(),
            cancelled: context.cancelled.clone(),
        };
        let gateway = self.gateway.clone();
        let task = self
            .calls
            .spawn(async move { gateway.invoke(&call, &context).await }.in_current_span());
        self.running.insert(task.id(), running);
    }

    fn cancel(&self, which: impl Fn(&Running) -> bool) {
        for running in self.running.values().filter(|running| which(running)) {
            running.cancelled.cancel();
        }
    }

    /// The gateway ends a call whose tool panics; what panics here is the gateway itself, or the record, at any
    /// moment. Returns what the model is told, if it asked.
    fn finish(&mut self, ended: Result<(Id, Outcome), JoinError>) -> Option<ToolEnded> {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let running = self.running.remove(&id)?;
        let outcome = match ended {
            Ok((_, outcome)) => outcome,
            Err(_) if running.writes => Outcome::broken(Some(Effect::Writes)),
            Err(_) => Outcome::broken(None),
        };
        event::ToolFinished {
            tool: &running.name,
            outcome: word(&outcome),
            took: running.began.elapsed(),
        }
        .emit();
        if matches!(outcome, Outcome::Completed(_)) {
            self.foresee(|cue| matches!(cue, Cue::After(tool) if *tool == running.name));
        }
        let call = running.asked?;
        self.at_provider.forget(&call);
        Some(ToolEnded::new(call, &outcome))
    }
}

fn word(outcome: &Outcome) -> ToolEnd {
    match outcome {
        Outcome::Cancelled => ToolEnd::Cancelled,
        Outcome::Completed(_) => ToolEnd::Completed,
        Outcome::Duplicate(_) => ToolEnd::Duplicate,
        Outcome::Refused(_) => ToolEnd::Refused,
        Outcome::TimedOut { .. } => ToolEnd::TimedOut,
        Outcome::Unknown(_) => ToolEnd::Unknown,
        _ => ToolEnd::Failed,
    }
}
