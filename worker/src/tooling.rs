//! Task: the bridge between the conversation's tool calls and the tool plane.
//!
//! One task per session owns the calls that run; each call has exactly one end, also when its tool
//! panics. Declares the tools of an agent to the model. Does not decide what an answer means, and
//! does not check calls: that is the gateway's business.

pub mod files;

use std::{collections::HashMap, fmt, sync::Arc, time::SystemTime};

use dialog::{input::AfterTool, model::CallId, output::ToolCall};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::{Id, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tools::{
    BuildErrors, Context, Facts, Gateway, Outcome, Registry, Then, approval::Approver, builtin,
};
use tracing::Instrument;

use crate::{
    agents::{Caller, Rendered},
    audit::ToolRecord,
    model::ToolDeclaration,
    telemetry::event::{self, ToolEnd},
};

/// Calls on their way to the task; the conversation has at most half as many open. When full the
/// call is answered as failed at once.
const ORDERS: usize = 64;

/// Ends on their way to the driver. When full the task waits: the driver never waits for it.
const ENDS: usize = 64;

/// Runs of all tools in one session. A conversation of an hour has a tenth of that; a model that calls in
/// a circle has more.
const MOST_RUNS: u32 = 500;

/// What stands in logs and metrics for a name that only the model knows.
const UNKNOWN: &str = "unknown";

/// The tools of this worker; cheap to clone. Without any by default.
#[derive(Clone, Debug, Default)]
pub struct Plane {
    registry: Arc<Registry>,
}

impl Plane {
    /// These tools.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry: Arc::new(registry),
        }
    }

    /// The tools that need no configuration.
    pub fn builtin() -> Self {
        let registry = Registry::build(builtin::all());
        Self::new(registry.expect("the built-in tools fit together"))
    }

    /// Whether all tools an agent names are there.
    ///
    /// # Errors
    /// Every name that is not.
    pub fn check(&self, names: &[String]) -> Result<(), BuildErrors> {
        self.registry.only(names).map(|_| ())
    }

    /// The named tools, as the model is told about them.
    pub fn declare(&self, names: &[String]) -> Vec<ToolDeclaration> {
        self.part(names).specs().map(declaration).collect()
    }

    /// All of them.
    pub fn declare_all(&self) -> Vec<ToolDeclaration> {
        self.registry.specs().map(declaration).collect()
    }

    /// The place of the first of these names that no tool has.
    pub fn unknown(&self, names: &[String]) -> Option<usize> {
        let is_unknown = |name: &String| self.registry.name(name).is_none();
        names.iter().position(is_unknown)
    }

    /// What one agent may call. Names were checked with the agent's definition; one that is gone
    /// is left out, because a call with one tool less is better than none.
    fn part(&self, names: &[String]) -> Registry {
        let known = |name: &&String| self.registry.name(name).is_some();
        let names: Vec<&String> = names.iter().filter(known).collect();
        self.registry.only(&names).unwrap_or_default()
    }
}

fn declaration(spec: &tools::ToolSpec) -> ToolDeclaration {
    ToolDeclaration {
        name: spec.name.to_string(),
        description: spec.description.clone(),
        parameters: spec.parameters.clone(),
    }
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
}

impl ToolEnded {
    fn new(call: CallId, outcome: &Outcome) -> Self {
        let (then, escalation) = match outcome.then() {
            Then::EndConversation => (AfterTool::EndConversation, None),
            Then::Escalate { reason } => (AfterTool::Continue, Some(reason)),
            _ => (AfterTool::Continue, None),
        };
        let output = outcome.text_for_model();
        Self {
            call,
            output,
            then,
            escalation,
        }
    }
}

/// Runs the calls of one session. When the last handle is gone, so are its calls.
#[derive(Clone)]
pub struct Tooling {
    orders: mpsc::Sender<Order>,
    ends: mpsc::Sender<ToolEnded>,
}

/// Starts the tools of one session.
pub fn start(
    tasks: &mut JoinSet<()>,
    plane: &Plane,
    agent: &Rendered,
    record: ToolRecord,
    approver: impl Approver + 'static,
) -> (Tooling, mpsc::Receiver<ToolEnded>) {
    let (orders, inbox) = mpsc::channel(ORDERS);
    let (ends, ended) = mpsc::channel(ENDS);
    let task = Task {
        session: record.session().into(),
        gateway: Gateway::new(plane.part(&agent.tools))
            .limited_to(MOST_RUNS)
            .recorded_by(Arc::new(record))
            .approved_by(Arc::new(approver)),
        facts: Facts {
            variables: agent.variables.clone(),
            ..Facts::default()
        },
        plane: plane.clone(),
        inbox,
        ends: ends.clone(),
        calls: JoinSet::new(),
        running: HashMap::new(),
    };
    tasks.spawn(task.run().in_current_span());
    (Tooling { orders, ends }, ended)
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

    /// Who is talked with, for the rules of tools; the first one told stays.
    pub fn serve(&self, caller: &Caller) {
        let facts = json!({
            "name": caller.name,
            "metadata": caller.metadata,
            "attributes": caller.attributes,
        });
        if self.orders.try_send(Order::Serve(facts)).is_err() {
            tracing::error!("the tools do not take orders");
        }
    }

    fn fail(&self, call: CallId) {
        let outcome = Outcome::Failed("this tool is not available now".to_owned());
        if self.ends.try_send(ToolEnded::new(call, &outcome)).is_err() {
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
    Equip(Vec<String>),
    Run(ToolCall, Value),
    Said(Said),
    Serve(Value),
}

/// What may be a question about a call, and its answer.
enum Said {
    AgentBegan,
    AgentSpoke,
    Caller(String),
}

/// One call under way.
struct Running {
    call: CallId,
    /// The registered name; never the model's word for it.
    name: String,
    began: Instant,
    cancelled: CancellationToken,
}

struct Task {
    gateway: Gateway,
    facts: Facts,
    /// Names the session for services.
    session: Arc<str>,
    plane: Plane,
    inbox: mpsc::Receiver<Order>,
    ends: mpsc::Sender<ToolEnded>,
    /// Dropped with the task, and the calls with it.
    calls: JoinSet<Outcome>,
    running: HashMap<Id, Running>,
}

impl Task {
    async fn run(mut self) {
        loop {
            tokio::select! {
                order = self.inbox.recv() => match order {
                    Some(Order::Run(call, background)) => self.start(call, background),
                    Some(Order::Cancel(call)) => self.cancel(&call),
                    Some(Order::Equip(names)) => {
                        self.gateway = self.gateway.equipped(self.plane.part(&names));
                    }
                    Some(Order::Said(Said::AgentBegan)) => self.gateway.agent_began(),
                    Some(Order::Said(Said::AgentSpoke)) => self.gateway.agent_spoke(),
                    Some(Order::Said(Said::Caller(words))) => self.gateway.caller_spoke(&words),
                    Some(Order::Serve(caller)) => self.serve(caller),
                    None => return,
                },
                Some(ended) = self.calls.join_next_with_id() => self.finish(ended).await,
            }
        }
    }

    fn serve(&mut self, caller: Value) {
        if self.facts.caller == Facts::default().caller {
            self.facts.caller = caller;
        }
    }

    fn start(&mut self, call: ToolCall, background: Value) {
        let context = Context {
            facts: Facts {
                now: SystemTime::now(),
                ..self.facts.clone()
            },
            session: self.session.clone(),
            background,
            ..Context::default()
        };
        let name = self.gateway.registry().name(&call.name);
        let running = Running {
            call: call.call.clone(),
            name: name.map_or_else(|| UNKNOWN.to_owned(), ToString::to_string),
            began: Instant::now(),
            cancelled: context.cancelled.clone(),
        };
        let gateway = self.gateway.clone();
        let call = tools::ToolCall::new(call.call.as_str(), &call.name, &call.arguments);
        let task = self
            .calls
            .spawn(async move { gateway.invoke(&call, &context).await }.in_current_span());
        self.running.insert(task.id(), running);
    }

    fn cancel(&self, call: &CallId) {
        for running in self
            .running
            .values()
            .filter(|running| running.call == *call)
        {
            running.cancelled.cancel();
        }
    }

    /// A panic is a bug of the tool: the call failed, and the session goes on.
    async fn finish(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Outcome::Failed("an internal error".to_owned())),
        };
        let Some(running) = self.running.remove(&id) else {
            return;
        };
        event::ToolFinished {
            tool: &running.name,
            outcome: word(&outcome),
            took: running.began.elapsed(),
        }
        .emit();
        // The driver is gone when nobody listens; then nobody wants to know either.
        let _ = self.ends.send(ToolEnded::new(running.call, &outcome)).await;
    }
}

fn word(outcome: &Outcome) -> ToolEnd {
    match outcome {
        Outcome::Cancelled => ToolEnd::Cancelled,
        Outcome::Completed(_) => ToolEnd::Completed,
        Outcome::Duplicate(_) => ToolEnd::Duplicate,
        Outcome::Refused(_) => ToolEnd::Refused,
        Outcome::TimedOut { .. } => ToolEnd::TimedOut,
        Outcome::Unknown => ToolEnd::Unknown,
        _ => ToolEnd::Failed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dialog::model::ResponseId;
    use tools::{Tool, ToolError, approval::NoApprover, function, policy::RuleForm};

    use super::*;
    use crate::audit::Audit;

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Nothing {}

    fn plane() -> Plane {
        let bug = function::tool(
            "bug",
            "Panics.",
            async |_: Nothing| -> Result<(), ToolError> { panic!("a bug in a tool") },
        );
        let slow = function::tool("slow", "Takes its time.", async |_: Nothing| {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok::<_, ToolError>("done")
        });
        let mut all: Vec<Arc<dyn Tool>> = vec![Arc::new(bug), Arc::new(slow)];
        all.extend(builtin::all());
        Plane::new(Registry::build(all).unwrap())
    }

    fn unrecorded() -> ToolRecord {
        ToolRecord::new(Audit::default(), "job")
    }

    fn agent(names: &[&str]) -> Rendered {
        Rendered {
            tools: names.iter().map(ToString::to_string).collect(),
            ..Rendered::default()
        }
    }

    fn call(id: &str, name: &str) -> ToolCall {
        ToolCall {
            call: CallId::new(id),
            name: name.to_owned(),
            arguments: "{}".to_owned(),
            response: ResponseId::new("r1"),
        }
    }

    /// Runs one call of an agent that may use everything but `current_time`.
    async fn end_of(name: &str) -> ToolEnded {
        let mut tasks = JoinSet::new();
        let agent = agent(&["bug", "slow", "end_call"]);
        let (tooling, mut ended) = start(&mut tasks, &plane(), &agent, unrecorded(), NoApprover);
        tooling.run(call("c1", name), Value::Null);
        ended.recv().await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_with_the_answer_of_its_tool() {
        let end = end_of("slow").await;
        assert_eq!((end.call.as_str(), end.output.as_str()), ("c1", "done"));
        assert_eq!(end.then, AfterTool::Continue);
    }

    #[tokio::test(start_paused = true)]
    async fn end_call_reaches_the_conversation() {
        assert_eq!(end_of("end_call").await.then, AfterTool::EndConversation);
    }

    #[tokio::test(start_paused = true)]
    async fn a_tool_that_panics_is_an_answer_and_the_next_call_runs() {
        let mut tasks = JoinSet::new();
        let agent = agent(&["bug", "slow"]);
        let (tooling, mut ended) = start(&mut tasks, &plane(), &agent, unrecorded(), NoApprover);
        tooling.run(call("c1", "bug"), Value::Null);
        tooling.run(call("c2", "slow"), Value::Null);
        assert_eq!(
            ended.recv().await.unwrap().output,
            "Failed: an internal error"
        );
        assert_eq!(ended.recv().await.unwrap().output, "done");
    }

    #[tokio::test(start_paused = true)]
    async fn tools_of_other_agents_are_refused() {
        assert_eq!(
            end_of("current_time").await.output,
            "Not run: there is no such tool"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_called_off_has_an_end_too() {
        let mut tasks = JoinSet::new();
        let (tooling, mut ended) = start(
            &mut tasks,
            &plane(),
            &agent(&["slow"]),
            unrecorded(),
            NoApprover,
        );
        tooling.run(call("c1", "slow"), Value::Null);
        tooling.cancel(&CallId::new("c1"));
        let end = ended.recv().await.unwrap();
        assert!(end.output.starts_with("Called off."), "{}", end.output);
    }

    #[tokio::test(start_paused = true)]
    async fn rules_know_the_variables_and_who_is_talked_with() {
        let rule = RuleForm {
            require: Some("caller.attributes.tenant == vars.tenant".to_owned()),
            refuse: Some("Not yours.".to_owned()),
            ..RuleForm::default()
        };
        let own = function::tool("own", "Tells.", async |_: Nothing| Ok("told")).rules(&[rule]);
        let plane = Plane::new(Registry::build([Arc::new(own) as Arc<dyn Tool>]).unwrap());
        let agent = Rendered {
            variables: [("tenant".to_owned(), "north".to_owned())].into(),
            ..agent(&["own"])
        };
        let of = |tenant: &str| Caller {
            attributes: [("tenant".to_owned(), tenant.to_owned())].into(),
            ..Caller::default()
        };
        for (tenants, told) in [
            (["north", "south"].as_slice(), "told"),
            (&["south", "north"], "Not run: Not yours."),
            (
                &[],
                "Not run: a rule of this tool could not be applied; a person has to look at it",
            ),
        ] {
            let mut tasks = JoinSet::new();
            let (tooling, mut ended) = start(&mut tasks, &plane, &agent, unrecorded(), NoApprover);
            for tenant in tenants {
                tooling.serve(&of(tenant));
            }
            tooling.run(call("c1", "own"), Value::Null);
            assert_eq!(ended.recv().await.unwrap().output, told, "{tenants:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_ends_with_its_last_handle_whatever_runs() {
        let mut tasks = JoinSet::new();
        let (tooling, _ended) = start(
            &mut tasks,
            &plane(),
            &agent(&["slow"]),
            unrecorded(),
            NoApprover,
        );
        tooling.run(call("c1", "slow"), Value::Null);
        drop(tooling);
        tasks.join_next().await.unwrap().unwrap();
    }

    #[test]
    fn an_agents_tools_are_declared_and_checked_by_name() {
        let plane = Plane::builtin();
        let names = ["end_call".to_owned(), "fly".to_owned()];
        assert_eq!(
            plane.check(&names).unwrap_err().to_string(),
            "there is no tool `fly`"
        );
        let declared = plane.declare(&names);
        assert_eq!(declared.len(), 1);
        assert_eq!(declared[0].name, "end_call");
        assert_eq!(declared[0].parameters["type"], "object");
    }
}
