//! Through which networks a participant gets, as JSON and as a table.

use std::process::Command;

use crate::{
    cargo::{self, Profile},
    run::{Failure, note, run},
    servers, setup,
};

/// Builds and runs the measuring program.
pub(crate) fn reach(args: &[String]) -> Result<(), Failure> {
    setup::ensure(setup::BUILD)?;
    setup::ensure(setup::NETWORKS)?;
    let server = servers::livekit_server()?;
    cargo::build_programs(Profile::Test)?;
    let mut command = Command::new(cargo::program(Profile::Test, "bench-reach"));
    command.args(args).env("LIVEKIT_SERVER_BIN", server);
    run(&mut command)
}

/// One call per network, as far as this user may: a network namespace needs root.
pub(crate) fn quick() -> Result<(), Failure> {
    if !setup::is_root() {
        note("  not root: the calls through other networks, which need namespaces, are left out");
        return Ok(());
    }
    reach(&["--runs".to_owned(), "1".to_owned()])
}
