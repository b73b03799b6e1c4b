//! Makes an empty `console/dist` exist, so that a plain `cargo build` needs no Node.

use std::{fs, path::Path};

fn main() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("console/dist");
    if let Err(error) = fs::create_dir_all(&dist) {
        println!("cargo::warning=console/dist cannot be created: {error}");
    }
    println!("cargo::rerun-if-changed=console/dist");
}
