//! Calls cargo, always on the committed lock file.

use std::{path::PathBuf, process::Command};

use crate::{
    paths,
    run::{Failure, long},
};

/// How programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
    /// As [`Self::Dev`], with the tests that need the programs.
    Test,
}

/// `cargo <subcommand> --locked …` in the root.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command
        .current_dir(paths::root())
        .arg(subcommand)
        .arg("--locked");
    command
}

/// `cargo <subcommand> --locked --workspace …`, with the features that tests ask of everything.
///
/// Another choice of packages or features means that their dependencies are compiled again, and lie
/// in the target folder twice.
pub(crate) fn workspace(subcommand: &str) -> Command {
    let mut command = cargo(subcommand);
    command.args(["--workspace", "--features", "tests/test-clock"]);
    command
}

/// Builds the worker, the simulated model and everything else that a demo or a test starts.
pub(crate) fn build_programs(profile: Profile) -> Result<(), Failure> {
    if profile == Profile::Release {
        return build_for_release(&["booking-service"]);
    }
    let mut command = workspace("build");
    command.arg("--bins");
    if profile == Profile::Test {
        command.arg("--tests");
    }
    build(&mut command)
}

/// Builds the worker, the simulated model and these programs for release. No others: each is optimised
/// across its crates, which takes a minute or two.
pub(crate) fn build_for_release(names: &[&str]) -> Result<(), Failure> {
    let mut command = cargo("build");
    command.args(["--workspace", "--release"]);
    for name in ["room-agent", "sim-model"].iter().chain(names) {
        command.args(["--bin", name]);
    }
    build(&mut command)
}

fn build(command: &mut Command) -> Result<(), Failure> {
    long("the worker and the simulated model", command)
}

/// A program that [`build_programs`] made.
pub(crate) fn program(profile: Profile, name: &str) -> PathBuf {
    let folder = match profile {
        Profile::Dev | Profile::Test => "debug",
        Profile::Release => "release",
    };
    paths::target().join(folder).join(name)
}
