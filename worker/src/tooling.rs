//! Task: the bridge between the conversation's tool calls and the tool plane.
//!
//! One task per session owns the calls that run; each call has exactly one end, also when its tool
//! panics, and when the session is over before it: what it changes is done and on record, and nobody is
//! told. Does not decide what an answer means, and does not check calls: that is the gateway's business.

pub mod files;
mod plane;

use std::{collections::HashMap, fmt, sync::Arc, time::SystemTime};

pub use plane::{Plane, keep};

use dialog::{input::AfterTool, model::CallId, output::ToolCall};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, oneshot},
    task::{Id, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tools::{Context, Effect, Facts, Gateway, Outcome, Then, approval::Approver};
use tracing::Instrument;

use crate::{
    agents::{Caller, Colleague, Cue, Prefetch, Rendered},
    audit::ToolRecord,
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
    ends: mpsc::Sender<ToolEnded>,
}

/// Starts the tools of one session. Its task is the plane's, because it may outlive the session.
pub fn start(
    plane: &Plane,
    agent: &Rendered,
    record: ToolRecord,
    approver: impl Approver + 'static,
) -> (Tooling, mpsc::Receiver<ToolEnded>, Calls) {
    let (orders, inbox) = mpsc::channel(ORDERS);
    let (ends, ended) = mpsc::channel(ENDS);
    let (is_over, over) = oneshot::channel();
    let task = Task {
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
        inbox,
        ends: ends.clone(),
        calls: JoinSet::new(),
        running: HashMap::new(),
        _over: is_over,
    };
    plane.tasks.spawn(task.run().in_current_span());
    (Tooling { orders, ends }, ended, Calls(over))
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
    CancelReads,
    Equip(Vec<String>),
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

struct Task {
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
    inbox: mpsc::Receiver<Order>,
    ends: mpsc::Sender<ToolEnded>,
    /// Dropped with the task, and the calls with it.
    calls: JoinSet<Outcome>,
    running: HashMap<Id, Running>,
    /// Goes with the task.
    _over: oneshot::Sender<()>,
}

impl Task {
    /// Until the session is over, and what it had begun to change is done.
    async fn run(mut self) {
        loop {
            tokio::select! {
                order = self.inbox.recv() => match order {
                    Some(Order::Run(call, background)) => self.start(call, background),
                    Some(Order::Cancel(call)) => {
                        self.cancel(|running| running.asked.as_ref() == Some(&call));
                    },
                    Some(Order::CancelReads) => self.cancel(Running::is_wanted_look_up),
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
                        self.gateway = self.gateway.equipped(self.plane.part(&agent.tools));
                        self.facts.variables = agent.variables;
                        self.colleagues = agent.hands_to.into();
                    }
                    None => break,
                },
                Some(ended) = self.calls.join_next_with_id() => self.finish(ended).await,
            }
        }
        // Nobody is there any more for whom something could be looked up.
        self.prefetch.clear();
        self.cancel(|_| true);
        while let Some(ended) = self.calls.join_next_with_id().await {
            self.finish(ended).await;
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
        let context = self.context(background);
        let id = call.call;
        let call = tools::ToolCall::new(id.as_str(), &call.name, &call.arguments);
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
        if matches!(outcome, Outcome::Completed(_)) {
            self.foresee(|cue| matches!(cue, Cue::After(tool) if *tool == running.name));
        }
        if let Some(call) = running.asked {
            // The driver is gone when nobody listens; then nobody wants to know either.
            let _ = self.ends.send(ToolEnded::new(call, &outcome)).await;
        }
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
    use std::{
        path::Path,
        sync::atomic::{AtomicBool, AtomicU32, Ordering},
        time::Duration,
    };

    use dialog::model::ResponseId;
    use tools::{
        Registry, Tool, ToolError, approval::NoApprover, builtin, function, policy::RuleForm,
    };

    use super::*;
    use crate::{agents::Agents, audit::Audit, config::source::MapSource};

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
        let agent = agent(&["bug", "slow", "end_call"]);
        let (tooling, mut ended, _) = start(&plane(), &agent, unrecorded(), NoApprover);
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
        let agent = agent(&["bug", "slow"]);
        let (tooling, mut ended, _) = start(&plane(), &agent, unrecorded(), NoApprover);
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
        let (tooling, mut ended, _) = start(&plane(), &agent(&["slow"]), unrecorded(), NoApprover);
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
            let (tooling, mut ended, _) = start(&plane, &agent, unrecorded(), NoApprover);
            for tenant in tenants {
                tooling.serve(&of(tenant));
            }
            tooling.run(call("c1", "own"), Value::Null);
            assert_eq!(ended.recv().await.unwrap().output, told, "{tenants:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_looked_up_ends_with_the_session() {
        let plane = plane();
        let (tooling, _ended, _) = start(&plane, &agent(&["slow"]), unrecorded(), NoApprover);
        let began = Instant::now();
        tooling.run(call("c1", "slow"), Value::Null);
        drop(tooling);
        plane.finished().await;
        assert_eq!(began.elapsed(), Duration::ZERO, "virtual time");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_being_changed_is_done_whoever_interrupts_or_leaves() {
        let done = Arc::new(AtomicBool::new(false));
        let mark = Arc::clone(&done);
        let book = function::tool("book", "Books.", move |_: Nothing| {
            let mark = Arc::clone(&mark);
            async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                mark.store(true, Ordering::SeqCst);
                Ok::<_, ToolError>("booked")
            }
        })
        .effect(Effect::Writes);
        let plane = Plane::new(Registry::build([Arc::new(book) as Arc<dyn Tool>]).unwrap());
        let (tooling, mut ended, _) = start(&plane, &agent(&["book"]), unrecorded(), NoApprover);
        tooling.run(call("c1", "book"), Value::Null);
        tokio::time::sleep(Duration::from_secs(1)).await;
        tooling.cancel_reads();
        tooling.cancel(&CallId::new("c1"));
        drop(tooling);
        plane.finished().await;
        assert!(done.load(Ordering::SeqCst));
        assert_eq!(ended.recv().await.unwrap().output, "booked");
    }

    #[tokio::test(start_paused = true)]
    async fn who_interrupts_calls_off_what_is_looked_up() {
        let (tooling, mut ended, _) = start(&plane(), &agent(&["slow"]), unrecorded(), NoApprover);
        tooling.run(call("c1", "slow"), Value::Null);
        tooling.cancel_reads();
        let end = ended.recv().await.unwrap();
        assert!(end.output.starts_with("Called off."), "{}", end.output);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_up_that_was_foreseen_is_there_when_it_is_asked_for() {
        #[derive(serde::Deserialize, schemars::JsonSchema)]
        struct Who {
            name: String,
        }
        let runs = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&runs);
        let find = function::tool("find", "Finds.", move |who: Who| {
            let run = count.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok::<_, ToolError>(format!("{} {run}", who.name))
            }
        });
        let plane = Plane::new(Registry::build([Arc::new(find) as Arc<dyn Tool>]).unwrap());
        let foreseen = |cue: &str, name: &str| {
            let text = format!(
                "name = \"a\"\ninstructions = \"Help.\"\ntools = [\"find\"]\n\
                 [[prefetch]]\ntool = \"find\"\n{cue}\narguments = {{ name = \"{name}\" }}"
            );
            let source = MapSource::default().file("/a/a.toml", &text);
            let agents = Agents::load(&source, Some(Path::new("/a")), "a").unwrap();
            agents.for_job("", "").unwrap()
        };
        let ann = Caller {
            name: "Ann".to_owned(),
            ..Caller::default()
        };
        let asked = |name: &str| ToolCall {
            arguments: format!(r#"{{"name": "{name}"}}"#),
            ..call(name, "find")
        };
        let agent = foreseen("", "{{caller.name}}");
        let (tooling, mut ended, _) = start(&plane, &agent, unrecorded(), NoApprover);
        tooling.serve(&ann);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let began = Instant::now();
        tooling.run(asked("Ann"), Value::Null);
        assert_eq!(ended.recv().await.unwrap().output, "Ann 1");
        assert_eq!(
            began.elapsed(),
            Duration::from_secs(2),
            "what was left of it"
        );
        // Other arguments are another look-up.
        tooling.run(asked("Bob"), Value::Null);
        assert_eq!(ended.recv().await.unwrap().output, "Bob 2");
        // An answer that is too old is not taken.
        tokio::time::sleep(Duration::from_secs(60)).await;
        tooling.run(
            ToolCall {
                call: CallId::new("late"),
                ..asked("Ann")
            },
            Value::Null,
        );
        assert_eq!(ended.recv().await.unwrap().output, "Ann 3");

        let agent = foreseen("phrase = \"My Name\"", "Ann");
        let (tooling, mut ended, _) = start(&plane, &agent, unrecorded(), NoApprover);
        tooling.serve(&ann);
        tooling.caller_spoke("Hello, my name is Ann.");
        tokio::time::sleep(Duration::from_secs(6)).await;
        let began = Instant::now();
        tooling.run(asked("Ann"), Value::Null);
        assert_eq!(ended.recv().await.unwrap().output, "Ann 4");
        assert_eq!(began.elapsed(), Duration::ZERO, "virtual time");

        let agent = foreseen("after = \"find\"", "{{caller.name}}");
        let (tooling, mut ended, _) = start(&plane, &agent, unrecorded(), NoApprover);
        tooling.serve(&ann);
        tooling.run(asked("Bob"), Value::Null);
        assert_eq!(ended.recv().await.unwrap().output, "Bob 5");
        tokio::time::sleep(Duration::from_secs(6)).await;
        tooling.run(asked("Ann"), Value::Null);
        assert_eq!(ended.recv().await.unwrap().output, "Ann 6");
        assert_eq!(runs.load(Ordering::SeqCst), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_over_has_other_tools_and_other_colleagues() {
        let agent = Rendered {
            hands_to: vec!["billing".to_owned()],
            ..agent(&["switch_agent"])
        };
        let (tooling, mut ended, _) = start(&plane(), &agent, unrecorded(), NoApprover);
        let switch = |id: &str, to: &str| ToolCall {
            arguments: format!(r#"{{"agent": "{to}"}}"#),
            ..call(id, "switch_agent")
        };
        tooling.run(switch("c1", "boss"), Value::Null);
        assert_eq!(
            ended.recv().await.unwrap().output,
            "Failed: you can hand over to billing only"
        );
        tooling.run(switch("c2", "billing"), Value::Null);
        let end = ended.recv().await.unwrap();
        assert_eq!(end.successor.as_deref(), Some("billing"));
        tooling.succeed(Colleague {
            tools: vec!["slow".to_owned()],
            ..Colleague::default()
        });
        tooling.run(switch("c3", "billing"), Value::Null);
        let told = ended.recv().await.unwrap().output;
        assert_eq!(told, "Not run: there is no such tool");
        tooling.run(call("c4", "slow"), Value::Null);
        assert_eq!(ended.recv().await.unwrap().output, "done");
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
