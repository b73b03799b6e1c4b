//! Adapter: the command line.
//!
//! Turns words into settings and calls one function per command. Only here does anything go to
//! standard output; problems go to standard error, and [`Exit`] tells the rest.

mod audit;
mod tools;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clap::{Args, Parser, Subcommand};
use serde_json::Value;

use crate::{
    agents::Definition,
    app,
    config::{Config, Flag, Problems, ProcessSource, Purpose, parse},
    console::tokens::Tokens,
    exit::Exit,
    server_api,
    supervision::{command::Verb, grant::Grants},
    tooling::files::ToolFile,
};

/// A worker that puts a speech-to-speech AI into LiveKit rooms.
#[derive(Debug, Parser)]
#[command(name = "room-agent", version)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args, Debug)]
struct Settings {
    /// Configuration file (TOML).
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "ROOM_AGENT_CONFIG"
    )]
    config: Option<PathBuf>,
    /// One setting, which wins over file and environment: `--set worker.slots=4`.
    #[arg(long = "set", global = true, value_name = "PATH=VALUE", value_parser = flag)]
    flags: Vec<Flag>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read an audit journal.
    Audit {
        /// What to do with it.
        #[command(subcommand)]
        verb: audit::Verb,
    },
    /// Print the effective settings without secrets, or everything that is wrong with them.
    CheckConfig,
    /// Ask the worker on this machine whether it lives; for container health checks.
    Healthcheck {
        /// Ask whether it takes jobs instead.
        #[arg(long)]
        ready: bool,
        /// Ask the worker there instead of the one on this machine.
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
    },
    /// Print a link to the talk page of one room.
    Invite {
        /// Name of the room.
        #[arg(long)]
        room: String,
        /// Where the page is reached; absent = where `console.listen` says.
        #[arg(long, value_name = "URL")]
        console_url: Option<String>,
    },
    /// Put the agent into one room now, without waiting for a job; for debugging.
    Join {
        /// Name of the room.
        room: String,
        /// Job metadata: `{"agent": "…", "variables": {…}}`.
        #[arg(long, default_value = "")]
        metadata: String,
    },
    /// Register at the server and take jobs (the default).
    Run,
    /// Print the JSON schema of the configuration file.
    Schema {
        /// Print the schema of agent definitions instead.
        #[arg(long, conflicts_with = "tools")]
        agent: bool,
        /// Print the schema of tool files instead.
        #[arg(long)]
        tools: bool,
        /// Write all schemas into this directory.
        #[arg(long, value_name = "DIR")]
        write: Option<PathBuf>,
    },
    /// Look after the tools of MCP servers.
    Tools {
        /// What to do.
        verb: tools::Verb,
    },
    /// Print a token for one room: without an identity one that may call agents into it through the
    /// server's HTTP API (ten minutes), with one it lets that person in (one hour).
    Token {
        /// Name of the room.
        #[arg(long)]
        room: String,
        /// Identity of the person.
        #[arg(long)]
        identity: Option<String>,
        /// Print a grant instead: what its holder may ask of the agents in the room, as a list of
        /// end, ptt, resume, rotate, say, silence, update.
        #[arg(
            long,
            value_name = "COMMANDS",
            value_delimiter = ',',
            conflicts_with = "identity"
        )]
        grant: Vec<Verb>,
        /// How long the grant holds.
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1h")]
        lifetime: Duration,
    },
}

/// Reads the command line and carries it out.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
        }
    };
    let done = match cli.command.unwrap_or(Command::Run) {
        Command::Audit { verb } => audit::audit(&verb),
        Command::CheckConfig => check_config(&cli.settings),
        Command::Healthcheck { ready, address } => {
            healthcheck(&cli.settings, ready, address.as_deref())
        }
        Command::Invite { room, console_url } => invite(&cli.settings, &room, console_url),
        Command::Join { room, metadata } => {
            load(&cli.settings, Purpose::Work).map(|config| app::join(config, room, &metadata))
        }
        Command::Run => load(&cli.settings, Purpose::Work).map(app::run),
        Command::Schema {
            agent,
            tools,
            write,
        } => schema(agent, tools, write.as_deref()),
        Command::Tools { verb } => {
            load(&cli.settings, Purpose::Local).and_then(|config| tools::tools(verb, &config))
        }
        Command::Token {
            room,
            grant: commands,
            lifetime,
            ..
        } if !commands.is_empty() => grant(&cli.settings, &room, &commands, lifetime),
        Command::Token { room, identity, .. } => token(&cli.settings, &room, identity.as_deref()),
    };
    let exit = done.unwrap_or_else(|exit| exit);
    let words = exit.to_string();
    if !words.is_empty() {
        complain(&words);
    }
    exit
}

fn load(settings: &Settings, purpose: Purpose) -> Result<Config, Exit> {
    Config::load(
        &ProcessSource,
        settings.config.as_deref(),
        &settings.flags,
        purpose,
    )
    .map_err(|problems| wrong_settings(&problems))
}

fn wrong_settings(problems: &Problems) -> Exit {
    Exit::Config(format!("the configuration is not usable:\n{problems}"))
}

fn check_config(settings: &Settings) -> Result<Exit, Exit> {
    let config = load(settings, Purpose::Work)?;
    app::load_agents(&config)?;
    say(config.to_toml().trim_end());
    Ok(Exit::Done)
}

fn healthcheck(settings: &Settings, ready: bool, address: Option<&str>) -> Result<Exit, Exit> {
    let path = if ready { "/ready" } else { "/live" };
    let unavailable = |what: String| Exit::Unavailable(format!("no healthy worker: {what}"));
    let address = match address {
        Some(named) => resolve(named),
        None => resolve(&load(settings, Purpose::Local)?.admin.listen).map(here),
    };
    let address = address.ok_or_else(|| unavailable("no address".to_owned()))?;
    match ask(address, path) {
        Ok(status) if status.contains(" 200 ") => Ok(Exit::Done),
        Ok(status) => Err(unavailable(status)),
        Err(error) => Err(unavailable(error.kind().to_string())),
    }
}

fn resolve(named: &str) -> Option<SocketAddr> {
    named.to_socket_addrs().ok()?.next()
}

/// A listener on every address is asked on loopback.
fn here(listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => ([127, 0, 0, 1], v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            (std::net::Ipv6Addr::LOCALHOST, v6.port()).into()
        }
        other => other,
    }
}

/// The status line of one GET.
fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

fn invite(settings: &Settings, room: &str, console_url: Option<String>) -> Result<Exit, Exit> {
    let config = load(settings, Purpose::Server)?;
    let page = match (console_url, &config.console.listen) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Some(listen)) => listen.parse().map_or_else(
            |_| format!("http://{listen}"),
            |address| format!("http://{}", here(address)),
        ),
        (None, None) => {
            let what = "console.listen: missing; or say --console-url";
            return Err(Exit::Config(what.to_owned()));
        }
    };
    let key = Tokens::new(&config.livekit)
        .key(room, SystemTime::now(), config.console.link_lifetime)
        .map_err(|_| Exit::Config("livekit.api_secret: cannot sign a link".to_owned()))?;
    // Behind the #, so that no server on the way ever sees it.
    say(&format!("{page}/#key={}", key.expose()));
    Ok(Exit::Done)
}

fn token(settings: &Settings, room: &str, identity: Option<&str>) -> Result<Exit, Exit> {
    let config = load(settings, Purpose::Server)?;
    let Some(identity) = identity else {
        let token = server_api::admin_token(&config.livekit, room)
            .map_err(|error| Exit::Config(error.to_string()))?;
        say(token.expose());
        return Ok(Exit::Done);
    };
    let agent_name = config
        .worker
        .agent_names
        .first()
        .cloned()
        .unwrap_or_default();
    let token = Tokens::new(&config.livekit)
        .caller(room, identity, "", &agent_name)
        .map_err(|_| Exit::Config("livekit.api_secret: cannot sign a token".to_owned()))?;
    say(token.expose());
    Ok(Exit::Done)
}

fn grant(
    settings: &Settings,
    room: &str,
    commands: &[Verb],
    lifetime: Duration,
) -> Result<Exit, Exit> {
    let config = load(settings, Purpose::Server)?;
    let grant = Grants::new(&config.livekit)
        .mint(room, commands, SystemTime::now(), lifetime)
        .map_err(|error| Exit::Config(error.to_string()))?;
    say(grant.expose());
    Ok(Exit::Done)
}

fn schema(agent: bool, tools: bool, write: Option<&Path>) -> Result<Exit, Exit> {
    let agents = parse::schema::<Definition>();
    let files = parse::schema::<ToolFile>();
    let config = Config::schema();
    let Some(directory) = write else {
        let wanted = match (agent, tools) {
            (true, _) => &agents,
            (_, true) => &files,
            _ => &config,
        };
        say(pretty(wanted).trim_end());
        return Ok(Exit::Done);
    };
    for (name, schema) in [
        ("config.schema.json", &config),
        ("agent.schema.json", &agents),
        ("tools.schema.json", &files),
    ] {
        std::fs::write(directory.join(name), pretty(schema))
            .map_err(|error| Exit::Unavailable(format!("{name}: {}", error.kind())))?;
    }
    Ok(Exit::Done)
}

fn pretty(schema: &Value) -> String {
    format!("{schema:#}\n")
}

fn flag(text: &str) -> Result<Flag, String> {
    let (path, value) = text.split_once('=').ok_or("expected path=value")?;
    Ok((path.trim().to_owned(), value.to_owned()))
}

#[expect(
    clippy::print_stdout,
    reason = "the answer of a command is for standard output"
)]
fn say(text: &str) {
    println!("{text}");
}

fn complain(text: &str) {
    eprintln!("room-agent: {text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["room-agent", "--set", "worker.slots=4", "run"]).unwrap();
        assert_eq!(
            cli.settings.flags,
            [("worker.slots".to_owned(), "4".to_owned())]
        );
        assert!(Cli::try_parse_from(["room-agent", "--set", "slots", "run"]).is_err());
        assert!(
            Cli::try_parse_from(["room-agent"])
                .unwrap()
                .command
                .is_none()
        );
    }

    #[test]
    fn a_listener_on_every_address_is_asked_on_loopback() {
        let there = |text: &str| here(text.parse().unwrap()).to_string();
        assert_eq!(there("0.0.0.0:8081"), "127.0.0.1:8081");
        assert_eq!(there("[::]:8081"), "[::1]:8081");
        assert_eq!(there("10.0.0.1:8081"), "10.0.0.1:8081");
    }
}
