//! Quick figures of one machine: start, dispatch, latency per turn, memory and CPU per session.

use std::process::Command;

use crate::{
    cargo::{self, Profile},
    run::{Failure, run},
    servers, setup,
};

/// Builds in release mode and runs the benchmark program, which prints JSON.
pub(crate) fn bench(args: &[String]) -> Result<(), Failure> {
    setup::ensure(setup::BUILD)?;
    let server = servers::livekit_server()?;
    cargo::build_programs(Profile::Release)?;
    let mut command = Command::new(cargo::program(Profile::Release, "bench-conversation"));
    command.args(args).env("LIVEKIT_SERVER_BIN", server);
    command.env(
        "ROOM_AGENT_BIN",
        cargo::program(Profile::Release, "room-agent"),
    );
    run(&mut command)
}
