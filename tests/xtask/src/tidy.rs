//! The house rules as checks: what must never enter the graph, which names stay in their adapter,
//! what a core may not do.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    cargo, paths,
    run::{Failure, note, output},
};

/// Crates that would mean a prebuilt or system-wide engine, or a second TLS.
const BANNED: &[&str] = &[
    "webrtc-sys",
    "webrtc-sys-build",
    "openssl",
    "openssl-sys",
    "native-tls",
];
/// What may stand at the top of the repository.
const TOP: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "charts",
    "docker-compose.yml",
    "tests",
    "tools",
    "worker",
];
/// A name, and the only files that may use it (a file or a folder, as a prefix).
const FOREIGN: &[(&str, &[&str])] = &[
    (
        "str0m::",
        &["worker/libwebrtc/src/engine", "worker/libwebrtc/tests"],
    ),
    (
        "use opus::",
        &[
            "worker/libwebrtc/src/audio/opus.rs",
            "worker/src/media/opus.rs",
            "tests/harness",
        ],
    ),
    // Without it neither an encoder nor a decoder can be made, however the crate is named.
    (
        "opus::Channels",
        &[
            "worker/libwebrtc/src/audio/opus.rs",
            "worker/src/media/opus.rs",
            "worker/src/media/test_voice.rs",
            "tests/",
        ],
    ),
    (
        "livekit_api::",
        &[
            "worker/src/server_api",
            "worker/src/console/tokens",
            "worker/src/dispatch/agent_protocol.rs",
            "tests/",
        ],
    ),
    (
        "livekit_protocol::",
        &[
            "worker/src/dispatch/agent_protocol",
            "worker/src/server_api",
            "worker/src/console/tokens",
            "worker/src/room",
            "tests/",
        ],
    ),
    (
        "tokio_tungstenite::",
        &[
            "worker/src/dispatch/connection",
            "worker/src/dispatch/agent_protocol",
            "worker/src/model/openai_realtime",
            "tests/",
        ],
    ),
    ("cel::", &["tools/src/policy/expression.rs"]),
    ("rusqlite::", &["tests/examples/receptionist/src/book"]),
    ("earshot::", &["worker/src/media/vad_model.rs"]),
    (
        "libwebrtc::ext",
        &[
            "worker/src/media/tap.rs",
            "worker/src/telemetry/engine.rs",
            "worker/src/app.rs",
            "worker/src/telemetry/metrics.rs",
            "worker/libwebrtc",
            "tests/",
        ],
    ),
];
/// What a core must not contain: it has no clock, no task and no log.
const NOT_IN_A_CORE: &[&str] = &[
    ".await",
    "tokio::",
    "Instant::now",
    "SystemTime::now",
    "tracing::",
    "rand::rng",
];

/// Runs all rules and lists every breach at once.
pub(crate) fn tidy() -> Result<(), Failure> {
    let mut breaches = Vec::new();
    graph(&mut breaches)?;
    top_level(&mut breaches)?;
    for file in sources()? {
        let path = paths::root().join(&file);
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        check_source(&file, &text, &mut breaches);
    }
    if breaches.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "house rules are broken:\n  {}",
        breaches.join("\n  ")
    )))
}

fn graph(breaches: &mut Vec<String>) -> Result<(), Failure> {
    let metadata = json(&output(
        cargo::cargo("metadata").args(["--format-version", "1"]),
    )?)?;
    for package in packages(&metadata) {
        let name = package["name"].as_str().unwrap_or_default();
        if BANNED.contains(&name) {
            breaches.push(format!("{name} is in the dependency graph"));
        }
    }
    let lock = std::fs::read_to_string(paths::root().join("Cargo.lock"))?;
    engine(&metadata, &lock, breaches);
    Ok(())
}

/// The one engine of a graph is ours.
pub(crate) fn engine(metadata: &Value, lock: &str, breaches: &mut Vec<String>) {
    let engines: Vec<_> = packages(metadata)
        .filter(|package| package["name"] == "libwebrtc")
        .collect();
    let ours = |package: &Value| {
        package["version"]
            .as_str()
            .is_some_and(|v| v.contains("+str0m"))
    };
    if engines.len() != 1 || !engines.iter().all(|package| ours(package)) {
        breaches.push("libwebrtc is not ours alone: the patch is not applied".to_owned());
    }
    if lock.contains("[[patch.unused]]") {
        breaches.push("Cargo.lock holds an unused patch".to_owned());
    }
}

/// Reads what `cargo metadata` printed.
pub(crate) fn json(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("cargo metadata is not JSON: {error}")))
}

/// Where a package of the graph lies.
pub(crate) fn folder_of(metadata: &Value, name: &str) -> Option<PathBuf> {
    let package = packages(metadata).find(|package| package["name"] == name)?;
    let manifest = Path::new(package["manifest_path"].as_str()?);
    Some(manifest.parent()?.to_path_buf())
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

fn top_level(breaches: &mut Vec<String>) -> Result<(), Failure> {
    let listed = output(
        Command::new("git")
            .current_dir(paths::root())
            .arg("ls-files"),
    )?;
    let mut entries: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split('/').next())
        .collect();
    entries.dedup();
    for entry in &entries {
        if !entry.starts_with('.') && !TOP.contains(entry) {
            breaches.push(format!("{entry} does not belong at the top"));
        }
    }
    for wanted in TOP {
        if !entries.contains(wanted) {
            breaches.push(format!("{wanted} is missing at the top"));
        }
    }
    Ok(())
}

fn sources() -> Result<Vec<String>, Failure> {
    let listed = output(
        Command::new("git")
            .current_dir(paths::root())
            .args(["ls-files", "*.rs"]),
    )?;
    Ok(listed.lines().map(str::to_owned).collect())
}

fn check_source(file: &str, text: &str, breaches: &mut Vec<String>) {
    let product = text.split("#[cfg(test)]").next().unwrap_or(text);
    if product.starts_with("//! Core") {
        for banned in NOT_IN_A_CORE {
            if code_lines(product).any(|line| line.contains(banned)) {
                breaches.push(format!("{file}: a core must not contain `{banned}`"));
            }
        }
    }
    for (name, homes) in FOREIGN {
        let is_test = file.contains("xtask/") || file.contains("/tests/");
        let at_home = is_test || homes.iter().any(|home| file.starts_with(home));
        if !at_home && code_lines(product).any(|line| names(line, name)) {
            breaches.push(format!("{file}: `{name}` belongs to its adapter"));
        }
    }
    if Path::new(file)
        .file_name()
        .is_some_and(|name| name == "mod.rs")
    {
        breaches.push(format!("{file}: modules are foo.rs beside foo/"));
    }
    let lines = product.lines().count();
    if lines > 500 {
        note(format_args!(
            "  {file} has {lines} lines: is there a second noun in it?"
        ));
    }
}

/// Does the line name this crate, and not one whose name only ends the same way?
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::check_source;

    #[test]
    fn a_core_that_reads_the_clock_is_reported() {
        let mut breaches = Vec::new();
        check_source(
            "worker/src/x.rs",
            "//! Core: x\nlet t = Instant::now();\n",
            &mut breaches,
        );
        assert_eq!(breaches.len(), 1, "{breaches:?}");
    }

    #[test]
    fn a_foreign_name_outside_its_adapter_is_reported_and_a_longer_name_is_not() {
        let mut breaches = Vec::new();
        check_source(
            "worker/src/x.rs",
            "use str0m::Rtc;\nuse my_str0m::Rtc;\n",
            &mut breaches,
        );
        assert_eq!(
            breaches,
            ["worker/src/x.rs: `str0m::` belongs to its adapter"]
        );
    }
}
