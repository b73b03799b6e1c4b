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
pub(crate) fn call(mut node: Command, link: &str) -> Result<Value, Failure> {
    node.current_dir(folder())
        .args(["check.mjs", "--json", "--link", link])
        .stderr(Stdio::inherit());
    // It tells what went wrong in its object, too.
    let told = node.output()?.stdout;
    serde_json::from_slice(&told)
        .map_err(|error| Failure::new(format!("check.mjs told no JSON object: {error}")))
}

/// The scripted caller of the receptionist example: what they were told.
pub(crate) fn receptionist(link: &str) -> Result<Value, Failure> {
    let mut caller = Command::new("node");
    caller
        .current_dir(folder())
        .args(["receptionist.mjs", "--link", link])
        .stderr(Stdio::inherit());
    // It tells what went wrong in its object, too.
    let told = caller.output()?.stdout;
    serde_json::from_slice(&told)
        .map_err(|error| Failure::new(format!("receptionist.mjs told no JSON object: {error}")))
}

/// Chromium and the packages of the tests.
pub(crate) fn prepare() -> Result<(), Failure> {
    setup::ensure(setup::BROWSER)?;
    console::install(&folder())
}

fn folder() -> std::path::PathBuf {
    paths::root().join("tests/browser")
}
