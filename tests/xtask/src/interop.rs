//! Calls between our engine and others, through the real server. Prints one JSON object.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    browser, cargo, paths,
    run::{Failure, long, note, output, run},
    servers, setup,
};

/// Prepares whom we talk with and lets the calls happen. `--quick` leaves the browser out, and the
/// calls between one connection here and two there; `--skip-netns` leaves Google's engine out, which
/// needs root; a filter picks calls by name, such as `google` or `chromium-dual`.
pub(crate) fn interop(args: &[String]) -> Result<(), Failure> {
    setup::ensure(setup::BUILD)?;
    let wants = |flag: &str| args.iter().any(|arg| arg == flag);
    let mut calls = cargo::workspace("test");
    calls.args(["--test", "interop", "--"]);
    calls.args(args).current_dir(paths::root());
    calls.env("LIVEKIT_SERVER_BIN", servers::livekit_server()?);
    if picks(args, "google") && !wants("--skip-netns") {
        calls.env("INTEROP_PYTHON", python()?);
    }
    if picks(args, "chromium") && !wants("--quick") {
        browser::prepare()?;
    }
    calls.env("INTEROP_RECORDINGS", paths::scratch("interop"));
    run(&mut calls)
}

/// The quick part, as far as this user may: a network namespace needs root.
pub(crate) fn quick() -> Result<(), Failure> {
    let mut args = vec!["--quick".to_owned()];
    if !setup::is_root() {
        note(
            "  not root: the calls with Google's engine, which need a network namespace, are left out",
        );
        args.push("--skip-netns".to_owned());
    }
    interop(&args)
}

/// Whom calls are named after.
const PEERS: [&str; 3] = ["own", "google", "chromium"];

/// Could the filters pick calls with this one?
fn picks(args: &[String], peer: &str) -> bool {
    let mut filters = args.iter().filter(|arg| !arg.starts_with("--")).peekable();
    let names_others = |word: &str| PEERS.iter().any(|peer| word.contains(peer));
    filters.peek().is_none() || filters.any(|word| word.contains(peer) || !names_others(word))
}

/// A Python with Google's engine, installed once from pinned wheels into a place of its own.
pub(crate) fn python() -> Result<PathBuf, Failure> {
    setup::ensure(setup::INTEROP)?;
    let folder = paths::scratch("interop-venv");
    let python = folder.join("bin/python");
    let list = paths::root().join("tests/interop/requirements.txt");
    let version = output(Command::new("python3").arg("--version"))?;
    let state = format!("{version}{}", std::fs::read_to_string(&list)?);
    let stamp = folder.join("installed");
    if python.exists() && std::fs::read_to_string(&stamp).is_ok_and(|last| last == state) {
        return Ok(python);
    }
    let mut create = Command::new("python3");
    create.args(["-m", "venv", "--clear"]).arg(&folder);
    long("a Python of its own", &mut create)?;
    long("Google's engine", &mut install(&python, &list))?;
    std::fs::write(stamp, state)?;
    Ok(python)
}

/// Exactly what the list says: nothing else, nothing built.
fn install(python: &Path, list: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--no-deps"]);
    command.args(["--only-binary=:all:", "--require-hashes", "--requirement"]);
    command.arg(list);
    command
}

#[cfg(test)]
mod tests {
    use super::picks;

    #[test]
    fn a_filter_that_names_nobody_may_pick_anybody() {
        for (filter, google, chromium) in [
            ("", true, true),
            ("google-dual", true, false),
            ("dual", true, true),
            ("own", false, false),
        ] {
            let args: Vec<_> = ["--quick", filter].map(str::to_owned).to_vec();
            let args = if filter.is_empty() { &args[..1] } else { &args };
            assert_eq!(picks(args, "google"), google, "{filter}");
            assert_eq!(picks(args, "chromium"), chromium, "{filter}");
        }
    }
}
