//! Makes an empty `console/dist` exist, so that a plain `cargo build` needs no Node.

use std::{fs, path::Path};

fn main() {
    // Cargo runs this in the package's folder.
    let dist = Path::new("console/dist");
    if let Err(error) = fs::create_dir_all(dist) {
        println!("cargo::warning=console/dist cannot be created: {error}");
    }
    println!("cargo::rerun-if-changed=console/dist");
}
