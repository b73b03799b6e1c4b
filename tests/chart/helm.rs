//! Adapter: the helm program.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// What helm made of the values.
pub(crate) enum Rendered {
    /// The manifests.
    Manifests(String),
    /// Why it refused.
    Refused(String),
}

/// The chart's folder.
pub(crate) fn chart() -> PathBuf {
    root().join("charts/room-agent")
}

/// Renders the chart with one of its examples and further arguments.
pub(crate) fn render(example: &str, more: &[&str]) -> Rendered {
    let mut args = vec![
        "template",
        "talk",
        ".",
        "--namespace",
        "voice",
        "--values",
        example,
    ];
    args.extend(more);
    match helm(&args) {
        (true, text) => Rendered::Manifests(text),
        (false, text) => Rendered::Refused(text),
    }
}

/// Renders the chart with one of its examples and single values changed, as `path=value`.
pub(crate) fn render_with(example: &str, set: &[&str]) -> Rendered {
    let set: Vec<String> = set.iter().map(|value| format!("--set={value}")).collect();
    render(example, &set.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Runs helm in the chart's folder: did it succeed, and what did it say (stdout if it did).
pub(crate) fn helm(args: &[&str]) -> (bool, String) {
    let output = Command::new(program())
        .current_dir(chart())
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("no helm ({error}): run `cargo xtask chart`"));
    let text = if output.status.success() {
        output.stdout
    } else {
        [output.stderr, output.stdout].concat()
    };
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("HELM_BIN") {
        return named.into();
    }
    let on_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path)
            .map(|folder| folder.join("helm"))
            .find(|file| file.is_file())
    });
    on_path.unwrap_or_else(|| root().join("target/xtask/bin/helm"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are in the workspace")
}
