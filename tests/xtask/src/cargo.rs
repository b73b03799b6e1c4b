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

/// Builds the worker, the simulated model and the benchmark.
pub(crate) fn build_programs(profile: Profile) -> Result<(), Failure> {
    let mut command = match profile {
        Profile::Dev | Profile::Test => workspace("build"),
        Profile::Release => {
            let mut command = cargo("build");
            command.args(["--workspace", "--release"]);
            command
        }
    };
    command.arg("--bins");
    if profile == Profile::Test {
        command.arg("--tests");
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
