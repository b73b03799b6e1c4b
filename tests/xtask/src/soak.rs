//! One long call over a lossy network: the nightly part that takes an hour.

use std::process::Command;

use crate::{
    cargo::{self, Profile},
    run::{Failure, run},
    servers, setup,
};

/// Builds in release mode and runs the call, which prints JSON. `--minutes N`, `--loss PERCENT`.
pub(crate) fn soak(args: &[String]) -> Result<(), Failure> {
    setup::ensure(setup::BUILD)?;
    let server = servers::livekit_server()?;
    cargo::build_for_release(&["long-call"])?;
    let mut command = Command::new(cargo::program(Profile::Release, "long-call"));
    command.args(args).env("LIVEKIT_SERVER_BIN", server);
    command.env(
        "ROOM_AGENT_BIN",
        cargo::program(Profile::Release, "room-agent"),
    );
    run(&mut command)
}
