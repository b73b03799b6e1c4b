//! Adapter: tools that are declared in TOML files, and the worker's `[tools]` table.
//!
//! A file lists services under `[[http]]` and MCP servers under `[[mcp]]`, each of these with its pinned
//! catalogue beside the file. Everything that is wrong in any file is told at once, with file and path; values
//! are never repeated.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tools::{
    BuildErrors, Registry, Tool, builtin,
    form::FormProblem,
    http::{Client, HttpTool, HttpToolForm, Networks, Secrets},
    mcp::{Catalog, Link, McpServerForm, Reach, Server},
};

use super::{Plane, plane::Remoteness};
use crate::config::{
    Problem, Problems, Source, parse,
    source::{self, TomlFile},
};

/// What the names of environment variables that hold secrets of tools begin with.
const SECRET_PREFIX: &str = "ROOM_AGENT_SECRET_";

/// The `[tools]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directory of tool files (`*.toml`). Default: only the built-in tools.
    pub dir: Option<String>,
    /// Networks that tools may reach although they are not public, such as `10.1.0.0/16`. Default: none.
    #[schemars(length(max = 64))]
    pub networks: Vec<String>,
    /// Whether MCP servers that are programs are run, with the worker's rights. Default: no.
    pub commands: bool,
}

/// One tool file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolFile {
    /// Tools that ask a service over HTTP.
    pub http: Vec<HttpToolForm>,
    /// Servers of the Model Context Protocol.
    pub mcp: Vec<McpServerForm>,
}

/// Everything that tool files declare.
#[derive(Default)]
struct Declared {
    /// With the place of each.
    tools: Vec<(String, Arc<dyn Tool>)>,
    links: Vec<Link>,
    /// By the names of the tools.
    remotes: BTreeMap<String, Remoteness>,
    /// Names of the servers.
    servers: BTreeSet<String>,
}

/// An MCP server of a tool file.
#[derive(Debug)]
pub struct Declaration {
    /// Such as `crm.toml.mcp[0]`.
    pub place: String,
    /// The server.
    pub server: Server,
}

impl Plane {
    /// The built-in tools and those of the files, and the connections that some of them share.
    ///
    /// # Errors
    /// All problems of all files, each with its file and path.
    pub fn load(source: &dyn Source, config: &Config) -> Result<(Self, Vec<Link>), Problems> {
        let mut problems = Vec::new();
        let files = Files::open(source, config, &mut problems)?;
        let mut declared = Declared::default();
        for file in &files.all {
            if let Err(wrong) = files.declare(file, &mut declared) {
                problems.extend(wrong.0);
            }
        }
        let mut tools: Vec<Arc<dyn Tool>> = builtin::all();
        let mut places: BTreeMap<String, String> = BTreeMap::new();
        for (place, tool) in declared.tools {
            places.insert(tool.spec().name.to_string(), place);
            tools.push(tool);
        }
        let registry = Registry::build(tools);
        problems.extend(
            registry
                .as_ref()
                .err()
                .into_iter()
                .flat_map(|errors| named(errors, &places)),
        );
        Problems::none_or(problems)?;
        let plane = Self::new(registry.unwrap_or_default()).with_remotes(declared.remotes);
        Ok((plane, declared.links))
    }
}

/// The MCP servers of all files, whether or not they are pinned.
///
/// # Errors
/// All problems of all files that have to do with them.
pub fn mcp_servers(source: &dyn Source, config: &Config) -> Result<Vec<Declaration>, Problems> {
    let mut problems = Vec::new();
    let files = Files::open(source, config, &mut problems)?;
    let mut servers = Vec::new();
    for file in &files.all {
        match files.servers(file) {
            Ok(found) => {
                for one in found {
                    let is_second = |other: &Declaration| other.server.name() == one.server.name();
                    if servers.iter().any(is_second) {
                        problems.push(same_name(&one.place, &one.server));
                    }
                    servers.push(one);
                }
            }
            Err(wrong) => problems.extend(wrong.0),
        }
    }
    Problems::none_or(problems)?;
    Ok(servers)
}

/// The files, and what all of them are read with.
struct Files<'a> {
    source: &'a dyn Source,
    directory: &'a Path,
    all: Vec<TomlFile>,
    client: Client,
    secrets: Secrets,
    schema: Value,
    are_commands_allowed: bool,
}

impl<'a> Files<'a> {
    fn open(
        source: &'a dyn Source,
        config: &'a Config,
        problems: &mut Vec<Problem>,
    ) -> Result<Self, Problems> {
        let networks = Networks::read(&config.networks).unwrap_or_else(|index| {
            let path = format!("tools.networks[{index}]");
            problems.push(Problem::new(path, "expected a network such as 10.1.0.0/16"));
            Networks::default()
        });
        let client =
            Client::new(networks).map_err(|what| Problems(vec![Problem::new("tools", what)]))?;
        let directory = config.dir.as_deref().map(Path::new);
        Ok(Self {
            source,
            directory: directory.unwrap_or_else(|| Path::new("")),
            all: source::toml_files(source, directory, "tools.dir", problems),
            client,
            secrets: secrets(source),
            schema: parse::schema::<ToolFile>(),
            are_commands_allowed: config.commands,
        })
    }

    fn read(&self, TomlFile { name, text }: &TomlFile) -> Result<ToolFile, Problems> {
        parse::toml(&self.schema, text).map_err(|wrong| wrong.within(name))
    }

    fn servers(&self, file: &TomlFile) -> Result<Vec<Declaration>, Problems> {
        let mut problems = Vec::new();
        let mut servers = Vec::new();
        for (index, form) in self.read(file)?.mcp.iter().enumerate() {
            let place = format!("{}.mcp[{index}]", file.name);
            let server = Server::new(form, &self.client, &self.secrets, self.are_commands_allowed);
            match server {
                Ok(server) => servers.push(Declaration { place, server }),
                Err(wrong) => problems.extend(told(&place, wrong)),
            }
        }
        Problems::none_or(problems)?;
        Ok(servers)
    }

    /// The tools of one file.
    fn declare(&self, file: &TomlFile, declared: &mut Declared) -> Result<(), Problems> {
        let mut problems = Vec::new();
        for (index, form) in self.read(file)?.http.iter().enumerate() {
            let place = format!("{}.http[{index}]", file.name);
            match HttpTool::new(form, &self.client, &self.secrets) {
                Ok(tool) => declared.tools.push((place, Arc::new(tool))),
                Err(wrong) => problems.extend(told(&place, wrong)),
            }
        }
        match self.servers(file) {
            Err(wrong) => problems.extend(wrong.0),
            Ok(servers) => {
                for server in servers {
                    if let Err(wrong) = self.connect(server, declared) {
                        problems.extend(wrong);
                    }
                }
            }
        }
        Problems::none_or(problems)
    }

    /// The tools of one server, as its catalogue says.
    fn connect(
        &self,
        Declaration { place, server }: Declaration,
        declared: &mut Declared,
    ) -> Result<(), Vec<Problem>> {
        if !declared.servers.insert(server.name().to_owned()) {
            return Err(vec![same_name(&place, &server)]);
        }
        let file = server.file();
        let pinned = match self.source.read(&self.directory.join(&file)) {
            // The tools tell that they are not pinned.
            Err(_) => Catalog::default(),
            Ok(text) => Catalog::read(&text).map_err(|what| vec![Problem::new(file, what)])?,
        };
        let (tools, reach) = server.tools(pinned).map_err(|wrong| told(&place, wrong))?;
        match reach {
            Reach::Link(link) => declared.links.push(link),
            Reach::Remote(remote) => {
                let remote = Arc::new(remote);
                declared.remotes.extend(tools.iter().map(|tool| {
                    let (full, own) = (tool.spec().name.to_string(), tool.own_name().to_owned());
                    (full, (Arc::clone(&remote), own))
                }));
            }
        }
        for tool in tools {
            declared.tools.push((place.clone(), Arc::new(tool)));
        }
        Ok(())
    }
}

/// They would share a catalogue.
fn same_name(place: &str, server: &Server) -> Problem {
    let what = format!("two servers are named `{}`", server.name());
    Problem::new(format!("{place}.name"), what)
}

/// What is wrong with the form at this place.
pub fn told(place: &str, wrong: Vec<FormProblem>) -> Vec<Problem> {
    let problem = |one: FormProblem| {
        let dot = if one.path.is_empty() { "" } else { "." };
        Problem::new(format!("{place}{dot}{}", one.path), one.problem)
    };
    wrong.into_iter().map(problem).collect()
}

/// Problems that only show when all tools stand side by side.
fn named(errors: &BuildErrors, places: &BTreeMap<String, String>) -> Vec<Problem> {
    let place = |error: &tools::BuildError| match error {
        tools::BuildError::DuplicateName(name) => {
            places.get(name).map(|place| format!("{place}.name"))
        }
        _ => None,
    };
    let problem = |error| {
        Problem::new(
            place(error).unwrap_or_else(|| "tools".to_owned()),
            error.to_string(),
        )
    };
    errors.0.iter().map(problem).collect()
}

fn secrets(source: &dyn Source) -> Secrets {
    let vars = source.vars().into_iter();
    let secret = |(name, value): (String, String)| {
        let name = name.strip_prefix(SECRET_PREFIX)?;
        Some((name.to_owned(), SecretString::from(value)))
    };
    vars.filter_map(secret).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::MapSource;

    const HOURS: &str = r#"
[[http]]
name = "opening_hours"
description = "Tells when the practice is open on a day."
url = "https://practice.example.com/hours/{{args.day}}"
[http.arguments.day]
type = "string"
"#;

    fn load(files: &[(&str, &str)]) -> Result<Plane, Vec<String>> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut source = MapSource::default();
        for (name, text) in files {
            source = source.file(&format!("/tools/{name}"), text);
        }
        source = source.var("ROOM_AGENT_SECRET_KEY", "s3cr3t");
        let config = Config {
            dir: Some("/tools".to_owned()),
            ..Config::default()
        };
        let told = |problems: Problems| {
            let problems = problems.0.into_iter();
            problems
                .map(|one| format!("{}: {}", one.path, one.what))
                .collect()
        };
        Plane::load(&source, &config)
            .map(|(plane, _)| plane)
            .map_err(told)
    }

    #[test]
    fn a_file_adds_tools_to_the_built_in_ones() {
        let plane = load(&[("hours.toml", HOURS)]).unwrap();
        let declared = plane.declare(&["opening_hours".to_owned(), "end_call".to_owned()]);
        assert_eq!(declared.len(), 2);
        assert_eq!(declared[1].parameters["required"][0], "day");
    }

    #[test]
    fn the_example_can_be_copied_as_it_is() {
        let example = include_str!("../../../tools/examples/practice.toml");
        let plane = load(&[("practice.toml", example)]).unwrap();
        let declared = plane.declare(&["book_appointment".to_owned()]);
        assert_eq!(
            declared[0].parameters["required"],
            serde_json::json!(["name", "slot"])
        );
    }

    #[test]
    fn the_tools_of_a_server_are_those_that_were_pinned() {
        let example = include_str!("../../../tools/examples/register.toml");
        let files = [("register.toml", example)];
        let told = load(&files).unwrap_err().join("\n");
        assert!(
            told.contains(
                "register.toml.mcp[0].headers.Authorization: there is no secret `REGISTER`"
            ),
            "{told}"
        );
        let example = example.replace("REGISTER", "KEY");
        let told = load(&[("register.toml", &example)]).unwrap_err().join("\n");
        assert!(
            told.contains("register.toml.mcp[0].tools.find_customer: is not pinned"),
            "{told}"
        );
        let listed = |name: &str| tools::mcp::Listed {
            name: name.to_owned(),
            description: "Is described.".to_owned(),
            input_schema: serde_json::json!({"type": "object", "properties": {}}),
        };
        let listing = [listed("find_customer"), listed("rename_customer")];
        let names = ["find_customer".to_owned(), "rename_customer".to_owned()];
        let pinned = Catalog::pin(names.iter(), &listing).unwrap().to_json();
        let files = [
            ("register.toml", example.as_str()),
            ("register.mcp.json", pinned.as_str()),
        ];
        let declared = load(&files)
            .unwrap()
            .declare(&["register-find_customer".to_owned()]);
        assert_eq!(declared[0].description, "Is described.");
        let files = [files[0], ("register.mcp.json", "{")];
        let told = load(&files).unwrap_err().join("\n");
        assert!(told.starts_with("register.mcp.json: "), "{told}");
    }

    #[test]
    fn any_file_is_tools_or_a_list_of_problems() {
        let example = include_str!("../../../tools/examples/practice.toml").as_bytes();
        bolero::check!().for_each(|input: &[u8]| {
            let mut damaged = example.to_vec();
            for change in input.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % damaged.len();
                damaged[at] = change[2];
            }
            let text = String::from_utf8_lossy(&damaged);
            if let Err(told) = load(&[("practice.toml", &text)]) {
                assert!(!told.is_empty());
            }
        });
    }

    #[test]
    fn every_mistake_is_told_with_its_file_and_path() {
        let wrong = r#"
[[http]]
name = "a tool"
description = "Asks."
url = "https://example.com/{{args.when}}"

[[http]]
name = "order"
description = "Orders."
url = "https://example.com/orders?key={{secrets.KEY}}"
effect = "writes"
touches = { money = true }
headers = { Authorization = "Bearer {{secrets.TOKEN}}", Host = "other" }
rules = [{ require = "args.amount <", refuse = "No." }]
[http.arguments.amount]
type = "numeral"
"#;
        let told = load(&[
            ("hours.toml", HOURS),
            ("same.toml", HOURS),
            ("wrong.toml", wrong),
        ])
        .unwrap_err();
        let told = told.join("\n");
        // What the form forbids is told before the tools are made.
        assert!(told.contains("wrong.toml.http[0].name: "), "{told}");
        let wrong = wrong.replace("a tool", "a_tool");
        let told = load(&[
            ("hours.toml", HOURS),
            ("same.toml", HOURS),
            ("wrong.toml", &wrong),
        ])
        .unwrap_err();
        let told = told.join("\n");
        for (path, what) in [
            ("wrong.toml.http[0].url", "there is no argument `when`"),
            ("wrong.toml.http[1].url", "secrets stand in headers only"),
            (
                "wrong.toml.http[1].headers.Authorization",
                "ROOM_AGENT_SECRET_TOKEN",
            ),
            ("wrong.toml.http[1].headers.Host", "is set by the worker"),
            ("wrong.toml.http[1].rules[0].require", ""),
            ("wrong.toml.http[1].arguments", "numeral"),
            (
                "same.toml.http[0].name",
                "two tools are named `opening_hours`",
            ),
        ] {
            let line = told
                .lines()
                .find(|line| line.starts_with(&format!("{path}: ")));
            assert!(
                line.is_some_and(|line| line.contains(what)),
                "{path} {what}:\n{told}"
            );
        }
        assert!(!told.contains("s3cr3t"), "{told}");
    }
}
