//! `docker-compose.yml` and the Dockerfile, as far as a machine without a container engine can
//! check them.

use std::process::Command;

use crate::{
    paths,
    run::{Failure, run},
    setup,
};

/// Checks the compose file against its schema, and that the Dockerfile's paths exist.
pub(crate) fn compose() -> Result<(), Failure> {
    setup::ensure_toolchains(&["node"])?;
    let folder = paths::root().join("tests/browser");
    crate::console::install(&folder)?;
    run(Command::new("npm")
        .current_dir(&folder)
        .args(["run", "--silent", "compose"]))
}
