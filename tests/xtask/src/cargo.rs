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
    /// As [`Self::Dev`], sharing everything with `cargo test`: development dependencies change the
    /// features of others, and nothing should be compiled twice.
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

/// Builds the worker, the simulated model and the benchmark.
pub(crate) fn build_programs(profile: Profile) -> Result<(), Failure> {
    let mut command = cargo("build");
    // Always the whole workspace: another choice of packages means other features of their
    // dependencies, and these compiled again.
    command.args(["--workspace", "--bins"]);
    match profile {
        Profile::Dev => {}
        Profile::Release => drop(command.arg("--release")),
        Profile::Test => drop(command.arg("--tests")),
    }
    long("the worker and the simulated model", &mut command)
}

/// A program that [`build_programs`] made.
pub(crate) fn program(profile: Profile, name: &str) -> PathBuf {
    let folder = match profile {
        Profile::Dev | Profile::Test => "debug",
        Profile::Release => "release",
    };
    paths::target().join(folder).join(name)
}
