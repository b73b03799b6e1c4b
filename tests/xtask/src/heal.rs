//! How long sound is away after faults of the network, as JSON.

use std::process::Command;

use crate::{
    cargo::{self, Profile},
    run::{Failure, run},
    servers, setup,
};

/// Builds and runs the measuring program, which prints JSON.
pub(crate) fn heal(args: &[String]) -> Result<(), Failure> {
    setup::ensure(setup::BUILD)?;
    let server = servers::livekit_server()?;
    cargo::build_programs(Profile::Test)?;
    let mut command = Command::new(cargo::program(Profile::Test, "bench-heal"));
    command.args(args).env("LIVEKIT_SERVER_BIN", server);
    run(&mut command)
}
