//! Core: names → tools, checked when it is built and frozen afterwards.
//!
//! Owns that a name means one thing and that every schema is compiled. Does not run anything.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::Value;

use crate::{
    call::ToolName,
    error::{BuildError, BuildErrors},
    schema::Schema,
    tool::{Effect, Tool, ToolSpec},
};

/// One tool with its compiled schema; cheap to share between agents.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) tool: Arc<dyn Tool>,
    pub(crate) schema: Arc<Schema>,
}

/// The tools that may be called.
#[derive(Clone, Default)]
pub struct Registry {
    entries: BTreeMap<ToolName, Entry>,
}

impl Registry {
    /// Checks and freezes a set of tools.
    ///
    /// # Errors
    /// Every duplicate name and every schema that cannot be used.
    pub fn build(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Result<Self, BuildErrors> {
        let mut entries = BTreeMap::new();
        let mut problems = Vec::new();
        for tool in tools {
            let name = tool.spec().name.clone();
            match Schema::compile(&tool.spec().parameters) {
                Ok(schema) => {
                    let entry = Entry {
                        tool,
                        schema: Arc::new(schema),
                    };
                    if entries.insert(name.clone(), entry).is_some() {
                        problems.push(BuildError::DuplicateName(name.to_string()));
                    }
                }
                Err(problem) => {
                    problems.push(BuildError::InvalidSchema {
                        tool: name.to_string(),
                        problem,
                    });
                }
            }
        }
        if problems.is_empty() {
            Ok(Self { entries })
        } else {
            Err(BuildErrors(problems))
        }
    }

    /// The part of it that one agent may use.
    ///
    /// # Errors
    /// Every name that means nothing here.
    pub fn only<S: AsRef<str>>(&self, names: &[S]) -> Result<Self, BuildErrors> {
        let mut entries = BTreeMap::new();
        let mut problems = Vec::new();
        for name in names.iter().map(AsRef::as_ref) {
            match self.find(name) {
                Some((name, entry)) => {
                    entries.insert(name.clone(), entry.clone());
                }
                None => problems.push(BuildError::Unknown(name.to_owned())),
            }
        }
        if problems.is_empty() {
            Ok(Self { entries })
        } else {
            Err(BuildErrors(problems))
        }
    }

    /// The part of it that is not off at the moment.
    #[must_use]
    pub fn on(mut self) -> Self {
        self.entries.retain(|_, entry| !entry.tool.is_off());
        self
    }

    /// What a model is told: name, description and parameters of every tool, sorted by name so
    /// that the text never changes between connections.
    pub fn specs(&self) -> impl Iterator<Item = &ToolSpec> {
        self.entries.values().map(|entry| entry.tool.spec())
    }

    /// The registered name behind a model's word; `None` = there is no such tool. Only this one
    /// may stand in logs and metrics.
    pub fn name(&self, name: &str) -> Option<&ToolName> {
        self.find(name).map(|(name, _)| name)
    }

    /// What running a tool does to the world; `None` = there is no such tool.
    pub fn effect(&self, name: &str) -> Option<Effect> {
        self.find(name).map(|(_, entry)| entry.tool.spec().effect)
    }

    /// Whether these arguments fit a tool, but for those, by name, that have no value yet.
    ///
    /// # Errors
    /// Short explanations; none when there is no such tool.
    pub fn check(&self, name: &str, arguments: &Value, open: &[&str]) -> Result<(), Vec<String>> {
        let found = self.find(name);
        found.map_or(Ok(()), |(_, entry)| entry.schema.check_but(arguments, open))
    }

    pub(crate) fn find(&self, name: &str) -> Option<(&ToolName, &Entry)> {
        self.entries.get_key_value(&ToolName::parse(name)?)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}
