//! A talking room on this machine: server, model, worker and page, and one link.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use crate::{
    browser,
    cargo::{self, Profile},
    children::{Children, answers_http},
    console, paths, ports,
    run::{Failure, note, output, run, say},
    servers, setup,
};

mod example;

use example::{Example, Running};

/// Development keys of the server that the demo starts; never used for a server of yours.
const KEY: &str = "devkey";
const SECRET: &str = "development-only-secret-of-the-demo";
/// The name under which the demo's worker registers; the README's examples call it.
const AGENT: &str = "room-agent";
const READY: Duration = Duration::from_secs(30);

/// Variables for a program we start.
type Environment = Vec<(&'static str, String)>;

/// How the stack is started.
#[derive(Debug)]
pub(crate) struct Options {
    profile: Profile,
    room: String,
    /// Nobody talks to it but a script: always the simulated model, whatever keys the environment holds.
    is_check: bool,
    example: Option<Example>,
    /// The address of this machine that visitors on others reach; none: only this machine does.
    host: Option<IpAddr>,
}

impl Options {
    fn for_people(profile: Profile) -> Self {
        Self {
            profile,
            room: "demo".to_owned(),
            is_check: false,
            example: None,
            host: None,
        }
    }

    /// For a scripted caller on another machine, which reaches this one at `host`.
    pub(crate) fn for_visitors(host: IpAddr) -> Self {
        Self {
            host: Some(host),
            ..Self::for_tests()
        }
    }

    /// For a scripted caller.
    pub(crate) fn for_tests() -> Self {
        Self {
            profile: Profile::Dev,
            room: "check".to_owned(),
            is_check: true,
            example: None,
            host: None,
        }
    }
}

/// `cargo xtask demo [--example NAME] [--host ADDRESS] [--check] [--release]`.
pub(crate) fn demo(args: &[String]) -> Result<(), Failure> {
    let mut check = false;
    let mut profile = Profile::Dev;
    let mut example = None;
    let mut host = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--check" => check = true,
            "--release" => profile = Profile::Release,
            "--host" => host = Some(address(args.next())?),
            "--example" => example = Some(Example::find(args.next().map_or("", String::as_str))?),
            other => return Err(Failure::new(format!("there is no option `{other}`"))),
        }
    }
    if check {
        return checked(Options {
            profile,
            example,
            host,
            ..Options::for_tests()
        });
    }
    let mut stack = Stack::start(Options {
        example,
        host,
        ..Options::for_people(profile)
    })?;
    say(format_args!(
        "\n  Open this link, click Join and speak:\n\n    {}\n",
        stack.link()
    ));
    if let Some(host) = host {
        tell_visitors(host, stack.link());
    }
    say(format_args!("  model   {}", stack.model));
    say(format_args!("  server  {}", stack.livekit_url));
    if stack.is_ours {
        say(format_args!(
            "  keys    export LIVEKIT_URL={} LIVEKIT_API_KEY={KEY} LIVEKIT_API_SECRET={SECRET}",
            stack.livekit_url
        ));
    }
    say(format_args!("  worker  {}", stack.program.display()));
    say(format_args!("  logs    {}", stack.logs().display()));
    if let Some(example) = &stack.example {
        example.tell();
    }
    say("\n  Ctrl-C stops everything.");
    let result = stack.children.wait_for_interrupt();
    note("\n  stopping");
    result
}

fn address(word: Option<&String>) -> Result<IpAddr, Failure> {
    let word = word.map_or("", String::as_str);
    let address: IpAddr = word.parse().map_err(|_| {
        Failure::new(format!(
            "--host takes an address of this machine, such as 192.168.1.7, not `{word}`"
        ))
    })?;
    match address.is_unspecified() {
        true => Err(Failure::new(
            "--host takes the one address that visitors reach, not all of them",
        )),
        false => Ok(address),
    }
}

/// Browsers give a microphone to pages over HTTPS and of their own machine only.
fn tell_visitors(host: IpAddr, link: &str) {
    let origin = link.split('/').take(3).collect::<Vec<_>>().join("/");
    say(format_args!(
        "  The page comes without HTTPS, so a browser on another machine lets nobody speak there. To try it, start\n  \
         Chromium there with:\n\n    --unsafely-treat-insecure-origin-as-secure={origin}\n\n  \
         Visitors need TCP to the ports of the page and of the server at {host}; sound takes UDP, and TCP where\n  \
         UDP does not pass (docs: README, Which networks it gets through).\n"
    ));
}

/// `demo --check` as a step of the tests.
pub(crate) fn check() -> Result<(), Failure> {
    checked(Options::for_tests())
}

/// A caller books an appointment in the example of a practice, as a step of the tests.
pub(crate) fn receptionist() -> Result<(), Failure> {
    checked(Options {
        example: Some(Example::find("receptionist")?),
        ..Options::for_tests()
    })
}

/// The steps that README tells somebody who adds a tool.
pub(crate) fn newcomer() -> Result<(), Failure> {
    browser::prepare()?;
    cargo::build_programs(Profile::Dev)?;
    let program = cargo::program(Profile::Dev, "room-agent");
    let steps = paths::root().join("tests/examples/newcomer.sh");
    run(Command::new(steps).env("ROOM_AGENT_BIN", program))
}

fn checked(options: Options) -> Result<(), Failure> {
    browser::prepare()?;
    let stack = Stack::start(options)?;
    match &stack.example {
        Some(example) => example.check(stack.link(), &stack.program),
        None => browser::check(stack.link()),
    }
}

/// Everything that runs; stops when dropped.
pub(crate) struct Stack {
    children: Children,
    link: String,
    livekit_url: String,
    /// The LiveKit server is one that was started here.
    is_ours: bool,
    model: String,
    /// The worker's binary.
    program: PathBuf,
    example: Option<Running>,
}

impl Stack {
    /// Builds what is missing, starts all parts and waits until each is ready.
    pub(crate) fn start(options: Options) -> Result<Self, Failure> {
        setup::ensure_toolchains(&["cargo", "go", "node"])?;
        setup::ensure(setup::BUILD)?;
        console::build()?;
        cargo::build_programs(options.profile)?;
        let mut children = Children::new(paths::scratch("demo"))?;
        let server = LiveKit::start(&mut children, options.host)?;
        let (model, model_env) = model(&mut children, &options)?;
        let example = options
            .example
            .map(|example| example.start(&mut children, options.profile, options.is_check))
            .transpose()?;
        let told = example.as_ref().map(Running::environment);
        let more: Environment = model_env
            .into_iter()
            .chain(told.unwrap_or_default())
            .collect();
        let link = worker(&mut children, &options, &server, &more)?;
        Ok(Self {
            children,
            link,
            livekit_url: server.url,
            is_ours: server.ours,
            model,
            program: cargo::program(options.profile, "room-agent"),
            example,
        })
    }

    /// The page's address with its signed key.
    pub(crate) fn link(&self) -> &str {
        &self.link
    }

    /// Where the logs of all parts lie.
    pub(crate) fn logs(&self) -> PathBuf {
        paths::scratch("demo")
    }
}

/// A LiveKit server and the keys to it.
struct LiveKit {
    url: String,
    key: String,
    secret: String,
    ours: bool,
}

impl LiveKit {
    /// The server named by `LIVEKIT_URL`, or one of our own: on loopback, or where visitors reach it.
    fn start(children: &mut Children, host: Option<IpAddr>) -> Result<Self, Failure> {
        if host.is_none()
            && let Ok(url) = std::env::var("LIVEKIT_URL")
        {
            return Ok(Self {
                url,
                key: required("LIVEKIT_API_KEY")?,
                secret: required("LIVEKIT_API_SECRET")?,
                ours: false,
            });
        }
        let binary = servers::livekit_server()?;
        let [port, tcp, udp] = ports::free_all([7880, 7881, 7882])?;
        let config = paths::scratch("demo").join("livekit.yaml");
        let text = match host {
            Some(host) => server_config_for_visitors(host, port, tcp, udp),
            None => server_config(port, tcp, udp),
        };
        std::fs::write(&config, text)?;
        children.start(
            "livekit-server",
            Command::new(binary).arg("--config").arg(&config),
        )?;
        children.wait_for("livekit-server", READY, |_| {
            answers_http(port, "/").then_some(())
        })?;
        note(format_args!("  ✓ livekit-server on port {port}"));
        let seen = host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let url = format!("ws://{}", SocketAddr::new(seen, port));
        Ok(Self {
            url,
            key: KEY.to_owned(),
            secret: SECRET.to_owned(),
            ours: true,
        })
    }
}

/// Everything on loopback: no address of this machine is offered and no public STUN is asked.
fn server_config(port: u16, tcp: u16, udp: u16) -> String {
    format!(
        "port: {port}
bind_addresses: [\"127.0.0.1\"]
rtc:
  node_ip: 127.0.0.1
  use_external_ip: false
  udp_port: {udp}
  tcp_port: {tcp}
  enable_loopback_candidate: true
  interfaces: {{ includes: [lo] }}
  stun_servers: [\"127.0.0.1:3478\"]
keys: {{ {KEY}: \"{SECRET}\" }}
logging: {{ level: info, json: true, pion_level: error }}
room: {{ auto_create: true, empty_timeout: 10, departure_timeout: 5 }}
"
    )
}

/// On one address of this machine and on loopback; no public STUN is asked.
fn server_config_for_visitors(host: IpAddr, port: u16, tcp: u16, udp: u16) -> String {
    let bits = if host.is_ipv4() { 32 } else { 128 };
    format!(
        "port: {port}
bind_addresses: [\"127.0.0.1\", \"{host}\"]
rtc:
  node_ip: {host}
  use_external_ip: false
  udp_port: {udp}
  tcp_port: {tcp}
  ips: {{ includes: [\"{host}/{bits}\"] }}
  stun_servers: [\"127.0.0.1:3478\"]
keys: {{ {KEY}: \"{SECRET}\" }}
logging: {{ level: info, json: true, pion_level: error }}
room: {{ auto_create: true, empty_timeout: 10, departure_timeout: 5 }}
"
    )
}

/// Starts the simulated model unless a key for the real one is there.
fn model(children: &mut Children, options: &Options) -> Result<(String, Environment), Failure> {
    let real = std::env::var("OPENAI_API_KEY").is_ok_and(|key| !key.is_empty());
    if real && !options.is_check {
        return Ok(("OpenAI Realtime".to_owned(), Vec::new()));
    }
    let binary = cargo::program(options.profile, "sim-model");
    children.start(
        "sim-model",
        Command::new(binary).args(["--listen", "127.0.0.1:0"]),
    )?;
    let url = children.wait_for("sim-model", READY, |children| {
        let log = children.log("sim-model");
        let line = log
            .lines()
            .find_map(|line| line.split("listening on ").nth(1))?;
        Some(line.trim().to_owned())
    })?;
    note("  ✓ simulated model");
    let environment = vec![
        ("ROOM_AGENT__MODEL__URL", url.clone()),
        ("OPENAI_API_KEY", "simulated".to_owned()),
    ];
    Ok((format!("simulated, {url}"), environment))
}

/// Starts the worker and returns the link to its page. `more`: variables for the model and an example.
fn worker(
    children: &mut Children,
    options: &Options,
    server: &LiveKit,
    more: &Environment,
) -> Result<String, Failure> {
    let binary = cargo::program(options.profile, "room-agent");
    let [admin, console] = ports::free_all([8081, 8080])?;
    let environment: Environment = [
        ("LIVEKIT_URL", server.url.clone()),
        ("LIVEKIT_AGENT_NAME", AGENT.to_owned()),
        ("LIVEKIT_API_KEY", server.key.clone()),
        ("LIVEKIT_API_SECRET", server.secret.clone()),
        ("ROOM_AGENT__ADMIN__LISTEN", format!("127.0.0.1:{admin}")),
        (
            "ROOM_AGENT__CONSOLE__LISTEN",
            SocketAddr::new(
                options.host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                console,
            )
            .to_string(),
        ),
        (
            "ROOM_AGENT__ENGINE__LOOPBACK",
            is_local(&server.url).to_string(),
        ),
    ]
    .into_iter()
    .chain(more.iter().cloned())
    .collect();
    let mut run = Command::new(&binary);
    children.start("worker", run.arg("run").envs(environment.clone()))?;
    children.wait_for("worker", READY, |_| {
        answers_http(admin, "/ready").then_some(())
    })?;
    note("  ✓ worker registered");
    let mut invite = Command::new(&binary);
    invite
        .args(["invite", "--room", &options.room])
        .envs(environment);
    Ok(output(&mut invite)?.trim().to_owned())
}

/// A server on this machine may offer nothing but loopback addresses.
fn is_local(url: &str) -> bool {
    let host = url.split("://").last().unwrap_or_default();
    ["127.", "localhost", "[::1]"]
        .iter()
        .any(|local| host.starts_with(local))
}

fn required(name: &str) -> Result<String, Failure> {
    std::env::var(name)
        .map_err(|_| Failure::new(format!("LIVEKIT_URL is set, so {name} must be set too")))
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn a_server_on_this_machine_is_told_from_others() {
        for url in [
            "ws://127.0.0.1:7880",
            "http://localhost:7880",
            "ws://[::1]:7880",
        ] {
            assert!(is_local(url), "{url}");
        }
        assert!(!is_local("wss://livekit.example.com"));
        assert!(!is_local("ws://10.0.0.7:7880"));
    }
}
