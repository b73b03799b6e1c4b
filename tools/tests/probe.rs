//! A tool that remembers what happened to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Value, json};
use tools::{
    Answer, Context, Effect, Gateway, Marks, Registry, Rules, Tool, ToolCall, ToolError, ToolName,
    ToolSpec, ValidCall,
};

/// What was done with a [`Probe`].
#[derive(Debug, Default)]
pub(crate) struct Log {
    started: AtomicUsize,
    dropped: AtomicUsize,
}

impl Log {
    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }
}

pub(crate) struct Probe {
    spec: ToolSpec,
    takes: Duration,
    answer: Result<Value, ToolError>,
    panics: bool,
    log: Arc<Log>,
}

/// A call of the tool `probe`.
pub(crate) fn numbered(id: &str, arguments: &str) -> ToolCall {
    ToolCall::new(id, "probe", arguments)
}

/// Counts runs that were dropped before they ended.
struct Guard(Arc<Log>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

impl Probe {
    /// A tool `probe` that wants a number `n` and answers "ok" at once.
    pub(crate) fn new() -> Self {
        Self::named("probe")
    }

    /// The same under another name.
    pub(crate) fn named(name: &str) -> Self {
        let parameters = json!({
            "type": "object",
            "properties": { "n": { "type": "integer", "minimum": 1 } },
            "required": ["n"],
            "additionalProperties": false,
        });
        Self {
            spec: ToolSpec {
                name: ToolName::parse(name).expect("it is a name"),
                description: "Probes.".to_owned(),
                parameters,
                effect: Effect::Writes,
                deadline: Duration::from_secs(10),
                most_runs: None,
                marks: Marks::default(),
                rules: Rules::default(),
            },
            takes: Duration::ZERO,
            answer: Ok(json!("ok")),
            panics: false,
            log: Arc::default(),
        }
    }

    pub(crate) fn takes(mut self, takes: Duration) -> Self {
        self.takes = takes;
        self
    }

    pub(crate) fn answers(mut self, answer: Result<Value, ToolError>) -> Self {
        self.answer = answer;
        self
    }

    pub(crate) fn panics(mut self) -> Self {
        self.panics = true;
        self
    }

    pub(crate) fn with_effect(mut self, effect: Effect) -> Self {
        self.spec.effect = effect;
        self
    }

    pub(crate) fn with_marks(mut self, marks: Marks) -> Self {
        self.spec.marks = marks;
        self
    }

    pub(crate) fn with_rules(mut self, rules: Rules) -> Self {
        self.spec.rules = rules;
        self
    }

    pub(crate) fn with_most_runs(mut self, most_runs: u32) -> Self {
        self.spec.most_runs = Some(most_runs);
        self
    }

    pub(crate) fn with_parameters(mut self, parameters: Value) -> Self {
        self.spec.parameters = parameters;
        self
    }

    pub(crate) fn tool(self) -> (Arc<dyn Tool>, Arc<Log>) {
        let log = self.log.clone();
        (Arc::new(self), log)
    }

    pub(crate) fn gateway(self) -> (Gateway, Arc<Log>) {
        let (tool, log) = self.tool();
        let registry = Registry::build([tool]).expect("it can be built");
        (Gateway::new(registry), log)
    }
}

#[async_trait]
impl Tool for Probe {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, _call: &ValidCall, _context: &Context) -> Result<Answer, ToolError> {
        self.log.started.fetch_add(1, Ordering::SeqCst);
        let guard = Guard(self.log.clone());
        tokio::time::sleep(self.takes).await;
        assert!(!self.panics, "a bug in a tool");
        std::mem::forget(guard);
        self.answer.clone().map(Answer::new)
    }
}
