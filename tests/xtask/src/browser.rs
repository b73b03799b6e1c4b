//! People in Chromium: the page, the agent, and what was heard.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    console, demo, paths,
    run::{Failure, run},
    servers, setup,
};

/// Starts the stack as the demo does and runs the browser tests against it.
pub(crate) fn browser() -> Result<(), Failure> {
    prepare()?;
    let stack = demo::Stack::start(demo::Options::for_tests())?;
    let mut tests = Command::new("npm");
    tests
        .current_dir(folder())
        .args(["run", "--silent", "test"]);
    tests.env("ROOM_AGENT_LINK", stack.link());
    // Tests of the page alone bring their own room with a stand-in agent.
    tests.env("LIVEKIT_SERVER_BIN", servers::livekit_server()?);
    let result = run(&mut tests);
    if result.is_err() {
        let log = stack.logs().join("worker.log");
        crate::run::note(format_args!("the worker said ({}):", log.display()));
        crate::run::note(last_lines(&log, 60)?);
    }
    result
}

fn last_lines(log: &Path, count: usize) -> Result<String, Failure> {
    let text = std::fs::read_to_string(log)?;
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(count)..].join("\n"))
}

/// The scripted caller of `demo --check`: prints one JSON object on stdout.
pub(crate) fn check(link: &str) -> Result<(), Failure> {
    let mut caller = Command::new("node");
    caller
        .current_dir(folder())
        .args(["check.mjs", "--json", "--link", link]);
    run(&mut caller)
}

/// The same with a Node elsewhere: what the caller tells.
pub(crate) fn call(node: Command, link: &str) -> Result<Value, Failure> {
    told(node, &["check.mjs", "--json", "--link", link])
}

/// The scripted caller of the receptionist example: what they were told.
pub(crate) fn receptionist(link: &str) -> Result<Value, Failure> {
    told(Command::new("node"), &["receptionist.mjs", "--link", link])
}

/// What a scripted caller tells; of what went wrong, too.
fn told(mut node: Command, script: &[&str]) -> Result<Value, Failure> {
    node.current_dir(folder())
        .args(script)
        .stderr(Stdio::inherit());
    let told = node.output()?.stdout;
    serde_json::from_slice(&told)
        .map_err(|error| Failure::new(format!("{} told no JSON object: {error}", script[0])))
}

/// Chromium and the packages of the tests.
pub(crate) fn prepare() -> Result<(), Failure> {
    setup::ensure(setup::BROWSER)?;
    console::install(&folder())
}

fn folder() -> std::path::PathBuf {
    paths::root().join("tests/browser")
}
