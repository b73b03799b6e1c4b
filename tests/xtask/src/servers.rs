//! Programs of other projects, built from pinned Go modules: livekit-server and helm.

use std::{path::PathBuf, process::Command};

use crate::{
    paths,
    run::{Failure, long, on_path, output},
    setup,
};

/// The version the worker is tested with; `tests/servers/go.mod` pins it.
pub(crate) const LIVEKIT_VERSION: &str = "1.13.5";

/// livekit-server of the right version: the one on the PATH, or built once.
pub(crate) fn livekit_server() -> Result<PathBuf, Failure> {
    if let Some(found) = on_path("livekit-server").filter(is_right_version) {
        return Ok(found);
    }
    build(
        "livekit-server",
        "tests/servers",
        "github.com/livekit/livekit-server/cmd/server",
    )
}

/// helm, for the chart's tests.
pub(crate) fn helm() -> Result<PathBuf, Failure> {
    if let Some(found) = on_path("helm") {
        return Ok(found);
    }
    build("helm", "tests/chart", crate::chart::HELM_PACKAGE)
}

fn is_right_version(program: &PathBuf) -> bool {
    output(Command::new(program).arg("--version"))
        .is_ok_and(|text| text.split_whitespace().any(|word| word == LIVEKIT_VERSION))
}

/// Built once: a stamp beside the binary holds the go.sum it was built from.
fn build(name: &str, module: &str, package: &str) -> Result<PathBuf, Failure> {
    let folder = paths::scratch("bin");
    let binary = folder.join(name);
    let stamp = folder.join(format!("{name}.go.sum"));
    let module = paths::root().join(module);
    let sum = std::fs::read_to_string(module.join("go.sum"))?;
    if binary.exists() && std::fs::read_to_string(&stamp).is_ok_and(|built| built == sum) {
        return Ok(binary);
    }
    setup::ensure_toolchains(&["go"])?;
    std::fs::create_dir_all(&folder)?;
    let mut command = Command::new("go");
    command
        .current_dir(&module)
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0");
    command
        .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(&binary)
        .arg(package);
    long(
        &format!("{name} (about 2 minutes the first time)"),
        &mut command,
    )?;
    std::fs::write(stamp, sum)?;
    Ok(binary)
}
