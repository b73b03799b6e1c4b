//! Quick figures of one machine: start, dispatch, latency per turn, memory and CPU per session.

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
    let mut command = cargo::cargo("bench");
    command
        .args(["-p", "tests", "--bench", "conversation", "--"])
        .args(args);
    command.env("LIVEKIT_SERVER_BIN", server);
    command.env(
        "ROOM_AGENT_BIN",
        cargo::program(Profile::Release, "room-agent"),
    );
    command.env(
        "SIM_MODEL_BIN",
        cargo::program(Profile::Release, "sim-model"),
    );
    run(&mut command)
}
