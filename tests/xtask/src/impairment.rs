//! What both receivers make of badly delivered audio: figures and the table of them.

use std::process::Command;

use crate::{
    cargo::{self, Profile},
    run::{Failure, run},
    servers, setup,
};

/// Builds and runs the program, which prints JSON. `--check` and `--write` are about the table in
/// the repository, `--real` measures real packets through a real server.
pub(crate) fn impairment(args: &[String]) -> Result<(), Failure> {
    setup::ensure(setup::BUILD)?;
    let is_real = args.iter().any(|arg| arg == "--real");
    let server = is_real.then(servers::livekit_server).transpose()?;
    cargo::build_programs(Profile::Test)?;
    let mut command = Command::new(cargo::program(Profile::Test, "bench-impairment"));
    command.args(args);
    if let Some(server) = server {
        command.env("LIVEKIT_SERVER_BIN", server);
    }
    run(&mut command)
}

/// The table in the repository is that of this code.
pub(crate) fn check() -> Result<(), Failure> {
    impairment(&["--check".to_owned()])
}

/// The same figures from real packets.
pub(crate) fn real() -> Result<(), Failure> {
    impairment(&["--real".to_owned()])
}
