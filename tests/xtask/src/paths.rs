//! Where things lie in this repository.

use std::path::PathBuf;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("xtask lies two folders below the root")
        .to_path_buf()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// What xtask itself builds and writes: below the target folder, so that it is never committed.
pub(crate) fn scratch(name: &str) -> PathBuf {
    target().join("xtask").join(name)
}
