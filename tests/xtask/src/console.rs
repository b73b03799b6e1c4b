//! The web page: installed, checked and built with npm.

use std::{path::PathBuf, process::Command};

use crate::{
    paths,
    run::{Failure, long, output},
    setup,
};

/// Builds the page if its sources changed since the last time.
pub(crate) fn build() -> Result<(), Failure> {
    let state = state()?;
    let stamp = paths::scratch("console.stamp");
    let built = folder().join("dist/index.html").exists();
    if built && std::fs::read_to_string(&stamp).is_ok_and(|last| last == state) {
        return Ok(());
    }
    install(&folder())?;
    long(
        "the web page",
        npm(&folder()).args(["run", "--silent", "build"]),
    )?;
    std::fs::create_dir_all(paths::scratch(""))?;
    std::fs::write(stamp, state)?;
    Ok(())
}

/// Type check and unit tests of the page, then its build.
pub(crate) fn test() -> Result<(), Failure> {
    install(&folder())?;
    long(
        "types of the page",
        npm(&folder()).args(["run", "--silent", "lint"]),
    )?;
    crate::run::run(npm(&folder()).args(["run", "--silent", "test"]))?;
    build()
}

/// Installs exactly what the lock file says, and runs no script of a package.
pub(crate) fn install(folder: &PathBuf) -> Result<(), Failure> {
    setup::ensure_toolchains(&["node"])?;
    let lock = std::fs::read_to_string(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed-lock");
    if std::fs::read_to_string(&stamp).is_ok_and(|last| last == lock) {
        return Ok(());
    }
    let mut command = npm(folder);
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    long("packages of the page", &mut command)?;
    std::fs::write(stamp, lock)?;
    Ok(())
}

fn npm(folder: &PathBuf) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder);
    command
}

fn folder() -> PathBuf {
    paths::root().join("worker/console")
}

/// Names and contents of all sources, as git hashes them.
fn state() -> Result<String, Failure> {
    let mut list = Command::new("sh");
    list.current_dir(folder()).args([
        "-c",
        "find . -path ./node_modules -prune -o -path ./dist -prune -o -type f -print | sort | \
         tee /dev/stderr 2>/dev/null | git hash-object --stdin-paths --no-filters",
    ]);
    output(&mut list)
}
