//! Type-checks the worker against Google's engine: proof that it leans on nothing that upstream
//! does not have.

use std::process::Command;

use crate::{
    paths,
    run::{Failure, long},
};

/// Copies the manifests without the patch and checks the worker there; nothing is linked.
pub(crate) fn unpatched() -> Result<(), Failure> {
    let folder = paths::scratch("unpatched");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let mut copy = Command::new("sh");
    copy.current_dir(paths::root());
    copy.args([
        "-c",
        "git ls-files -z -- Cargo.toml Cargo.lock worker tools tests | \
        xargs -0 cp --parents -t \"$1\"",
        "sh",
    ]);
    long("a copy without the patch", copy.arg(&folder))?;
    let manifest = folder.join("Cargo.toml");
    std::fs::write(
        &manifest,
        without_patch(&std::fs::read_to_string(&manifest)?),
    )?;
    let mut check = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    check.current_dir(&folder).env("DOCS_RS", "1");
    check.env("CARGO_TARGET_DIR", paths::target().join("unpatched"));
    check.args(["check", "-p", "room-agent", "--no-default-features"]);
    long(
        "the worker against Google's engine (about 5 minutes the first time)",
        &mut check,
    )
}

/// Drops the patch, and our engine from the members and shared dependencies.
fn without_patch(manifest: &str) -> String {
    let mut kept = String::new();
    let mut in_patch = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_patch = line.starts_with("[patch");
        }
        if in_patch {
            continue;
        }
        let line = line.replace("\"worker/libwebrtc\", ", "");
        let line = line.replace(
            "libwebrtc = { path = \"worker/libwebrtc\" }",
            "libwebrtc = \"0.3.55\"",
        );
        kept.push_str(&line);
        kept.push('\n');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::without_patch;

    #[test]
    fn the_patch_and_our_engine_are_gone_and_the_rest_stays() {
        let manifest = "[workspace]\nmembers = [\"worker\", \"worker/libwebrtc\", \"tools\"]\n\
            [workspace.dependencies]\nlibwebrtc = { path = \"worker/libwebrtc\" }\n\
            [patch.crates-io]\nlibwebrtc = { path = \"worker/libwebrtc\" }\n\
            [profile.dev]\ndebug = 1\n";
        assert_eq!(
            without_patch(manifest),
            "[workspace]\nmembers = [\"worker\", \"tools\"]\n[workspace.dependencies]\n\
             libwebrtc = \"0.3.55\"\n[profile.dev]\ndebug = 1\n"
        );
    }
}
