//! Core: an MCP server as it is written in TOML.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    form::Problems,
    http::{HttpEffect, Secrets, with_secrets},
    policy::{Marks, RuleForm},
};

/// An MCP server whose tools agents may name, as `SERVER-TOOL`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct McpServerForm {
    /// What its tools' names begin with, and its pinned catalogue `NAME.mcp.json`: small letters, digits and `_`.
    #[schemars(regex(pattern = "^[a-z0-9_]{1,24}$"))]
    pub name: String,
    /// Where it answers (streamable HTTP). Either this or `command`.
    #[serde(default)]
    #[schemars(regex(pattern = r"^https?://[^{}/?#@]+[^{}#]*$"))]
    pub url: Option<String>,
    /// A program that is one (stdio), and its arguments. Wants `[tools] commands = true`.
    #[serde(default)]
    pub command: Vec<String>,
    /// Headers of every request. `{{secrets.NAME}}` stands for the environment variable
    /// `ROOM_AGENT_SECRET_NAME`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The environment of the program, besides `PATH`. Secrets as in `headers`.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Who calls its tools. The provider of the model is told `url` and `headers`, and asks here before each
    /// call.
    #[serde(default)]
    pub run_by: RunBy,
    /// The tools that agents may use, by the server's name for them. Others do not exist.
    #[schemars(length(min = 1, max = 64))]
    pub tools: BTreeMap<String, McpToolForm>,
}

/// Who calls the tools of a server.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunBy {
    /// The provider of the model, which has to reach the server.
    Provider,
    /// The worker, which has to reach the server.
    #[default]
    Worker,
}

/// What is known here about a tool of an MCP server; the server's own hints about it are not trusted.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct McpToolForm {
    /// Whether it changes something.
    pub effect: HttpEffect,
    /// The longest it may take, 1 to 60 seconds. Default 10.
    #[serde(default = "deadline")]
    #[schemars(range(min = 1, max = 60))]
    pub deadline_seconds: u8,
    /// How often it may run in one session, 1 to 500. Default: as often as all tools together may, 500 times.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub most_runs: Option<u32>,
    /// What it touches; a tool that writes then wants a rule.
    #[serde(default)]
    pub touches: Marks,
    /// What is looked at before each call, in this order.
    #[serde(default)]
    pub rules: Vec<RuleForm>,
}

fn deadline() -> u8 {
    10
}

impl McpToolForm {
    pub(super) fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds.into())
    }
}

/// How a server is reached, secrets filled in.
#[derive(Clone)]
pub(super) enum Way {
    Http {
        url: String,
        headers: BTreeMap<String, String>,
    },
    Stdio {
        program: String,
        arguments: Vec<String>,
        environment: BTreeMap<String, String>,
    },
}

impl Way {
    /// `None` = a problem was told.
    pub(super) fn of(
        form: &McpServerForm,
        secrets: &Secrets,
        are_commands_allowed: bool,
        problems: &mut Problems,
    ) -> Option<Self> {
        let filled = |path: &str, texts: &BTreeMap<String, String>, problems: &mut Problems| {
            let fill = |(name, text): (&String, &String)| {
                let text = problems.take(&format!("{path}.{name}"), with_secrets(text, secrets))?;
                Some((name.clone(), text))
            };
            texts.iter().filter_map(fill).collect::<BTreeMap<_, _>>()
        };
        for (path, is_idle) in [
            ("headers", form.url.is_none() && !form.headers.is_empty()),
            (
                "environment",
                form.url.is_some() && !form.environment.is_empty(),
            ),
        ] {
            if is_idle {
                problems.add(
                    path,
                    "`headers` are for a `url`, `environment` for a `command`",
                );
            }
        }
        let is_remote = form.run_by == RunBy::Provider;
        if is_remote
            && !form
                .url
                .as_ref()
                .is_some_and(|url| url.starts_with("https://"))
        {
            problems.add("run_by", "the provider wants a `url` with https");
        }
        if form.command.iter().any(|part| part.contains("{{")) {
            problems.add("command", "secrets stand in `environment`");
        }
        let headers = filled("headers", &form.headers, problems);
        let environment = filled("environment", &form.environment, problems);
        let way = match (&form.url, form.command.split_first()) {
            (Some(url), None) => Ok(Self::Http {
                url: url.clone(),
                headers,
            }),
            (None, Some(_)) if !are_commands_allowed => {
                Err("programs are not run unless the worker has `[tools] commands = true`")
            }
            (None, Some((program, arguments))) => Ok(Self::Stdio {
                program: program.clone(),
                arguments: arguments.to_vec(),
                environment,
            }),
            _ => Err("a server has either `url` or `command`"),
        };
        problems.take(if form.url.is_some() { "url" } else { "command" }, way)
    }
}
