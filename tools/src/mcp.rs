//! MCP servers as places where tools come from (Model Context Protocol, 2025-03-26 to 2026-07-28).
//!
//! What an agent may use of a server is declared and pinned beforehand, so that the worker starts without
//! it, and a model is told what people have read. [`Server::tools`] makes the tools, [`Link`] keeps the
//! connection they share, [`Server::pin`] makes what is pinned. Of a server that the model's provider calls,
//! [`Remote`] is what that is told.

mod catalog;
mod client;
mod form;
mod link;
mod remote;
mod wire;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use tokio::sync::{Notify, watch};

pub use catalog::{Catalog, Change, Listed};
pub use form::{McpServerForm, McpToolForm, RunBy};
pub use link::{Link, LinkEvent};
pub use remote::Remote;

use self::{
    client::{Connection, Failed, short},
    form::Way,
    link::Live,
};
use crate::{
    call::{ToolName, ValidCall},
    form::{FormProblem, Problems},
    http::{self, Secrets},
    schema::Schema,
    tool::{Answer, Context, Effect, Tool, ToolError, ToolSpec},
};

/// One server as it is declared.
pub struct Server {
    form: McpServerForm,
    way: Way,
    client: http::Client,
}

impl Server {
    /// A server of its form.
    ///
    /// # Errors
    /// Every problem with its path in the form.
    pub fn new(
        form: &McpServerForm,
        client: &http::Client,
        secrets: &Secrets,
        are_commands_allowed: bool,
    ) -> Result<Self, Vec<FormProblem>> {
        let mut problems = Problems::default();
        let way = Way::of(form, secrets, are_commands_allowed, &mut problems);
        for (path, what) in way.as_ref().map(client::problems).unwrap_or_default() {
            problems.add(path, what);
        }
        match way {
            Some(way) if problems.0.is_empty() => Ok(Self {
                form: form.clone(),
                way,
                client: client.clone(),
            }),
            _ => Err(problems.0),
        }
    }

    /// The name its tools' names begin with.
    pub fn name(&self) -> &str {
        &self.form.name
    }

    /// What its catalogue's file is called.
    pub fn file(&self) -> String {
        format!("{}.mcp.json", self.form.name)
    }

    /// Connects, and pins what the form names.
    ///
    /// # Errors
    /// Why it cannot be reached, or which tool it does not list exactly once.
    pub async fn pin(&self) -> Result<Catalog, Vec<FormProblem>> {
        let problem = |path: &str, problem: String| {
            let path = path.to_owned();
            vec![FormProblem { path, problem }]
        };
        let opened = Connection::open(&self.way, &self.client, Arc::new(Notify::new()));
        let connection = opened.await.map_err(|failed| problem("", failed.what()))?;
        let listing = connection.caller().list().await;
        let listing = listing.map_err(|failed| problem("", failed.what()))?;
        Catalog::pin(self.form.tools.keys(), &listing).map_err(|changes| {
            let told = changes.into_iter();
            told.flat_map(|(name, change)| {
                let what = match change {
                    Change::Doubled => "the server lists it more than once",
                    _ => "the server does not list it",
                };
                problem(&format!("tools.{name}"), what.to_owned())
            })
            .collect()
        })
    }

    /// The tools of the form as they were pinned, and what they share.
    ///
    /// # Errors
    /// Every problem with its path in the form.
    pub fn tools(&self, pinned: Catalog) -> Result<(Vec<McpTool>, Reach), Vec<FormProblem>> {
        let mut problems = Problems::default();
        let (live, reader) = watch::channel(Live::default());
        let look = Arc::new(Notify::new());
        let specs = self
            .form
            .tools
            .iter()
            .filter_map(|(name, form)| {
                let spec = self.spec(name, form, &pinned, &mut problems)?;
                Some((name.clone(), spec))
            })
            .collect::<Vec<_>>();
        if !problems.0.is_empty() {
            return Err(problems.0);
        }
        let tools = specs.into_iter().map(|(name, spec)| McpTool {
            name,
            spec,
            run_by: self.form.run_by,
            live: reader.clone(),
            look: Arc::clone(&look),
        });
        let tools = tools.collect();
        Ok((tools, self.reach(pinned, live, look)))
    }

    fn reach(&self, pinned: Catalog, live: watch::Sender<Live>, look: Arc<Notify>) -> Reach {
        let server = self.form.name.as_str().into();
        let pinned = Arc::new(pinned);
        match (&self.way, self.form.run_by) {
            (Way::Http { url, headers }, RunBy::Provider) => Reach::Remote(Remote {
                server,
                url: url.clone(),
                headers: headers.clone(),
                pinned,
                live,
            }),
            (way, _) => Reach::Link(Link {
                server,
                way: way.clone(),
                client: self.client.clone(),
                pinned,
                live,
                look,
            }),
        }
    }

    fn spec(
        &self,
        name: &str,
        form: &McpToolForm,
        pinned: &Catalog,
        problems: &mut Problems,
    ) -> Option<ToolSpec> {
        let path = format!("tools.{name}");
        let Some(pinned) = pinned.tools.get(name) else {
            problems.add(
                path,
                "is not pinned: `room-agent tools pin` shows it, and pins it",
            );
            return None;
        };
        let schema = Schema::compile(&pinned.input_schema);
        problems.take(
            &path,
            schema.map_err(|what| format!("its arguments: {what}")),
        )?;
        let full = full_name(&self.form.name, name);
        let full = full.ok_or("no name can be made of it that models take");
        Some(ToolSpec {
            name: problems.take(&path, full)?,
            description: pinned.description.clone(),
            parameters: pinned.input_schema.clone(),
            effect: form.effect.into(),
            deadline: form.deadline(),
            most_runs: form.most_runs,
            marks: form.touches,
            rules: problems.rules(&format!("{path}.rules"), &form.rules),
        })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.form.name)
    }
}

/// What the tools of one server share.
#[derive(Debug)]
pub enum Reach {
    /// The worker's connection to it.
    Link(Link),
    /// What the model's provider is told, which calls them.
    Remote(Remote),
}

/// `SERVER-TOOL`. A server's name has no `-`, so no tool of one can be taken for another's.
pub fn full_name(server: &str, tool: &str) -> Option<ToolName> {
    ToolName::parse(&format!("{server}-{}", tool.replace(['.', '/'], "_")))
}

/// One tool of a server.
pub struct McpTool {
    /// The server's name for it.
    name: String,
    spec: ToolSpec,
    run_by: RunBy,
    live: watch::Receiver<Live>,
    look: Arc<Notify>,
}

impl McpTool {
    /// The server's name for it.
    pub fn own_name(&self) -> &str {
        &self.name
    }
}

#[async_trait]
impl Tool for McpTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn is_off(&self) -> bool {
        self.live.borrow().changes.contains_key(&self.name)
    }

    async fn run(&self, call: &ValidCall, context: &Context) -> Result<Answer, ToolError> {
        let writes = self.spec.effect == Effect::Writes;
        if self.run_by == RunBy::Provider {
            let Some(provider) = &context.provider else {
                return Err(ToolError::new("only the model itself can have this done"));
            };
            let ran = provider.run(call.id()).await;
            return ran.map_err(|error| {
                let text = short(&error.text);
                let is_unsure = error.is_unsure && writes;
                ToolError { text, is_unsure }
            });
        }
        let Some(caller) = self.live.borrow().caller.clone() else {
            return Err(ToolError::new("the service cannot be reached now"));
        };
        let key = writes.then(|| context.idempotency_key(call.id()));
        let called = caller.call(&self.name, call.arguments(), key).await;
        called.map(Answer::new).map_err(|failed| match failed {
            Failed::Refused(what) => ToolError::new(what),
            Failed::Told(what) if writes => ToolError::new(what).unsure(),
            Failed::Told(what) => ToolError::new(what),
            Failed::Unsent(what) => {
                self.look.notify_one();
                ToolError::new(what)
            }
            Failed::Unsure(what) => {
                self.look.notify_one();
                let error = ToolError::new(what);
                if writes { error.unsure() } else { error }
            }
        })
    }
}

impl fmt::Debug for McpTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "McpTool({})", self.spec.name)
    }
}
