//! The tools of the worker: what agents may name, what models are told, and what keeps them going.

use std::{collections::BTreeMap, io, sync::Arc};

use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use tools::{BuildErrors, Effect, Registry, Threads, builtin, mcp::Link};

use tracing::Instrument;

use super::Calls;
use crate::{
    model::{RemoteServer, RunBy, ToolDeclaration},
    telemetry::event,
};

/// Where the provider finds a tool: the server, and the server's name for it.
pub(super) type Remoteness = (Arc<RemoteServer>, String);

/// The tools of this worker; cheap to clone. Without any by default.
#[derive(Clone, Debug, Default)]
pub struct Plane {
    pub(super) registry: Arc<Registry>,
    /// The servers whose tools the provider runs, by the tools' names.
    remotes: Arc<BTreeMap<String, Remoteness>>,
    /// The tools of every session, and of sessions that are over and had begun to change something.
    pub(super) tasks: TaskTracker,
    /// `None` = tools run where the session does.
    pub(super) threads: Option<Threads>,
}

impl Plane {
    /// These tools.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry: Arc::new(registry),
            remotes: Arc::default(),
            tasks: TaskTracker::new(),
            threads: None,
        }
    }

    /// The same, where the provider runs some of the tools.
    pub(super) fn with_remotes(self, remotes: BTreeMap<String, Remoteness>) -> Self {
        let remotes = Arc::new(remotes);
        Self { remotes, ..self }
    }

    /// Does something when the calls of a session are over.
    pub fn after(&self, mut calls: Calls, what: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(
            async move {
                calls.over().await;
                what.await;
            }
            .in_current_span(),
        );
    }

    /// Returns when nothing runs any more. To be awaited when all sessions are over.
    pub async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The same on threads of their own: a tool that blocks its thread delays no sound and no other call.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn on_their_own_threads(self) -> io::Result<Self> {
        Ok(Self {
            threads: Some(Threads::start()?),
            ..self
        })
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
        let on = self.part(names).on();
        on.specs().map(|spec| self.declaration(spec)).collect()
    }

    /// All of them.
    pub fn declare_all(&self) -> Vec<ToolDeclaration> {
        let on = Registry::clone(&self.registry).on();
        on.specs().map(|spec| self.declaration(spec)).collect()
    }

    /// Whether running this tool may change something; `None` = there is no such tool.
    pub fn writes(&self, name: &str) -> Option<bool> {
        let effect = self.registry.effect(name);
        effect.map(|effect| effect == Effect::Writes)
    }

    /// Whether these arguments fit a tool, but for those, by name, that have no value yet.
    ///
    /// # Errors
    /// What does not fit, in short sentences.
    pub fn fits(&self, name: &str, arguments: &Value, open: &[&str]) -> Result<(), Vec<String>> {
        self.registry.check(name, arguments, open)
    }

    /// Whether the provider runs this tool.
    pub fn is_remote(&self, name: &str) -> bool {
        self.remotes.contains_key(name)
    }

    /// The place of the first of these names that no tool has.
    pub fn unknown(&self, names: &[String]) -> Option<usize> {
        let is_unknown = |name: &String| self.registry.name(name).is_none();
        names.iter().position(is_unknown)
    }

    /// What one agent may call. Names were checked with the agent's definition; one that is gone or off
    /// is left out, because a call with one tool less is better than none.
    pub(super) fn part(&self, names: &[String]) -> Registry {
        let known = |name: &&String| self.registry.name(name).is_some();
        let names: Vec<&String> = names.iter().filter(known).collect();
        self.registry.only(&names).unwrap_or_default()
    }

    fn declaration(&self, spec: &tools::ToolSpec) -> ToolDeclaration {
        let remote = self.remotes.get(spec.name.as_str());
        ToolDeclaration {
            name: spec.name.to_string(),
            description: spec.description.clone(),
            parameters: spec.parameters.clone(),
            run_by: remote.map_or(RunBy::Worker, |(server, name)| RunBy::Provider {
                server: Arc::clone(server),
                name: name.clone(),
            }),
        }
    }
}

/// Keeps the connections that tools share, for as long as the process lives.
pub fn keep(tasks: &mut JoinSet<()>, links: Vec<Link>) {
    for link in links {
        let server = link.server().to_owned();
        tasks.spawn(link.run(move |event| {
            event::ToolServer {
                server: &server,
                event,
            }
            .emit();
        }));
    }
}
