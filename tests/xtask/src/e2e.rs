//! People, a real server and the worker: tests that listen.

use std::process::Command;

use crate::{
    cargo::{self, Profile},
    console, paths,
    run::{Failure, run},
    servers, setup,
};

/// Stories told at once. They wait more than they compute: together they take four fifths of one
/// core.
const TOLD_AT_ONCE: &str = "--test-threads=2";

/// Builds what the tests need and runs them; `filter` picks some by name.
pub(crate) fn e2e(filter: &[String]) -> Result<(), Failure> {
    prepare()?;
    run(harness("e2e").args(filter))
}

/// Everything that an end-to-end test starts.
pub(crate) fn prepare() -> Result<(), Failure> {
    setup::ensure(setup::BUILD)?;
    servers::livekit_server()?;
    console::build()?;
    cargo::build_programs(Profile::Test)
}

/// `cargo test` of one target of the package `tests`, told where the programs are.
pub(crate) fn harness(target: &str) -> Command {
    told(target, TOLD_AT_ONCE)
}

/// The same for stories that load the machine.
pub(crate) fn one_at_a_time(target: &str) -> Command {
    told(target, "--test-threads=1")
}

fn told(target: &str, at_once: &str) -> Command {
    let mut command = cargo::workspace("test");
    command.args(["--test", target]);
    if let Ok(server) = servers::livekit_server() {
        command.env("LIVEKIT_SERVER_BIN", server);
    }
    command.env(
        "ROOM_AGENT_BIN",
        cargo::program(Profile::Test, "room-agent"),
    );
    command.env("SIM_MODEL_BIN", cargo::program(Profile::Test, "sim-model"));
    command.current_dir(paths::root());
    command.args(["--", at_once]);
    command
}
