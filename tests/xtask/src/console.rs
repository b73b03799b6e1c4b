//! The web page: installed, checked and built with npm.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    paths,
    run::{Failure, long},
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
pub(crate) fn install(folder: &Path) -> Result<(), Failure> {
    setup::ensure_toolchains(&["node"])?;
    let lock = std::fs::read_to_string(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed-lock");
    if std::fs::read_to_string(&stamp).is_ok_and(|last| last == lock) {
        return Ok(());
    }
    let mut command = npm(folder);
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    let shown = folder.strip_prefix(paths::root()).unwrap_or(folder);
    long(
        &format!("npm packages of {}", shown.display()),
        &mut command,
    )?;
    std::fs::write(stamp, lock)?;
    Ok(())
}

fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder);
    command
}

fn folder() -> PathBuf {
    paths::root().join("worker/console")
}

/// A hash over names and contents of all sources.
fn state() -> Result<String, Failure> {
    let mut hasher = DefaultHasher::new();
    hash_folder(&folder(), &mut hasher)?;
    Ok(format!("{:016x}", hasher.finish()))
}

fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) -> Result<(), Failure> {
    let mut entries: Vec<PathBuf> = folder
        .read_dir()?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    entries.sort();
    for path in entries {
        if path.ends_with("node_modules") || path.ends_with("dist") {
            continue;
        }
        if path.is_dir() {
            hash_folder(&path, hasher)?;
            continue;
        }
        path.hash(hasher);
        std::fs::read(&path)?.hash(hasher);
    }
    Ok(())
}
