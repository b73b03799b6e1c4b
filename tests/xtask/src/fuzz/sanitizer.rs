//! libopus under AddressSanitizer: compiled with it, linked with it, and seen to be so.

use std::{path::Path, process::Command};

use super::{Outcome, Target, campaign, executables};
use crate::{
    cargo, paths,
    run::{Failure, note, on_path, output},
};

/// What only code that was compiled with the sanitizer calls, when it finds something.
const MARK: &str = "__asan_report";

/// Builds the target with the sanitizer in a target folder of its own, and runs it.
pub(super) fn run(target: Target, name: String, seconds: u64) -> Result<Outcome, Failure> {
    if on_path("gcc").is_none() || on_path("nm").is_none() {
        return Ok(Outcome::skipped(name, "no gcc and nm here"));
    }
    note("  … libopus with AddressSanitizer");
    let triple = host()?;
    let flags = "-fsanitize=address -fno-omit-frame-pointer -g";
    let mut build = cargo::cargo("test");
    // With a target named, flags do not reach build scripts and macros, which run inside rustc.
    build
        .args([
            "-p",
            "libwebrtc",
            "--lib",
            "--no-run",
            "--message-format=json",
        ])
        .args(["--target", &triple])
        .env("CARGO_TARGET_DIR", paths::target().join("asan"))
        .env("CC", "gcc")
        .env("CFLAGS", flags)
        // rustc links without the compiler's default libraries, so the runtime is named.
        .env("RUSTFLAGS", "-Clink-arg=-lasan");
    let binaries = executables(&output(&mut build)?);
    let folder = paths::root().join(target.package);
    let binary = binaries
        .get(&(folder, target.binary.to_owned()))
        .ok_or_else(|| Failure::new("the sanitized test binary was not built"))?;
    if !is_sanitized(binary)? {
        return Err(Failure::new("the sanitizer is not in the test binary"));
    }
    let runtime = runtime()?;
    let env = [
        ("ASAN_OPTIONS", "abort_on_error=1:detect_leaks=0"),
        // Before libc, or it would not see what is allocated.
        ("LD_PRELOAD", runtime.as_str()),
    ];
    campaign::run(target, name, binary, seconds, &env)
}

/// Where the compiler keeps the sanitizer's shared library.
fn runtime() -> Result<String, Failure> {
    let path = output(Command::new("gcc").arg("-print-file-name=libasan.so"))?;
    Ok(path.trim().to_owned())
}

fn is_sanitized(binary: &Path) -> Result<bool, Failure> {
    Ok(output(Command::new("nm").arg(binary))?.contains(MARK))
}

/// The triple this machine compiles for.
fn host() -> Result<String, Failure> {
    let about = output(Command::new("rustc").arg("-vV"))?;
    let triple = about.lines().find_map(|line| line.strip_prefix("host: "));
    triple
        .map(str::to_owned)
        .ok_or_else(|| Failure::new("rustc does not say what it compiles for"))
}
