//! Upstream's package in a scratch folder, with our engine patched in below it, and its test
//! binaries.
//!
//! The source comes from cargo's own registry folder, found through `cargo metadata`, so it is the
//! version the worker is built with. The target folder and the lock file are the workspace's:
//! dependencies are compiled once.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    cargo, paths,
    run::{Failure, note, output, run},
    tidy,
};

/// The switch of upstream's end-to-end tests, and the TLS that the worker chooses.
const FEATURES: [&str; 2] = ["--features", "rustls-tls-webpki-roots,__lk-e2e-test"];

/// The package, ready to build.
pub(super) struct Upstream {
    pub(super) folder: PathBuf,
}

/// Copies the package if that was not done yet, and proves that it stands on our engine.
/// `decided` are the test files somebody has decided about: another one is a failure.
pub(super) fn prepare(decided: &[&str]) -> Result<Upstream, Failure> {
    let source = registry_folder("livekit")?;
    let folder = paths::scratch("conformance").join("livekit");
    let root = fs::read_to_string(paths::root().join("Cargo.toml"))?;
    let theirs = fs::read_to_string(source.join("Cargo.toml"))?;
    let manifest = manifest(&theirs, &root, &paths::root().join("worker/libwebrtc"));
    let lock = fs::read_to_string(paths::root().join("Cargo.lock"))?;
    let upstream = Upstream { folder };
    let folder = &upstream.folder;
    let stamp = paths::scratch("conformance").join("made-from");
    let made_from = format!("{}\n{manifest}\n{lock}", source.display());
    if fs::read_to_string(&stamp).is_ok_and(|before| before == made_from) {
        note(format_args!("  upstream's package: as before"));
    } else {
        copy(&source, folder)?;
        write_as_old(&folder.join("Cargo.toml"), &manifest, &source)?;
        write_as_old(&folder.join("Cargo.lock"), &lock, &source)?;
        fs::write(stamp, made_from)?;
    }
    upstream.check(decided)?;
    Ok(upstream)
}

impl Upstream {
    fn check(&self, decided: &[&str]) -> Result<(), Failure> {
        let metadata = output(
            self.cargo("metadata")
                .args(["--format-version", "1"])
                .args(FEATURES),
        )?;
        let metadata = tidy::json(&metadata)?;
        let lock = fs::read_to_string(self.folder.join("Cargo.lock"))?;
        let mut breaches = Vec::new();
        tidy::engine(&metadata, &lock, &mut breaches);
        for file in test_files(&metadata) {
            if !decided.contains(&file.as_str()) {
                breaches.push(format!("{file} is new upstream: run it or skip it"));
            }
        }
        if breaches.is_empty() {
            return Ok(());
        }
        Err(Failure::new(breaches.join("\n  ")))
    }

    /// Builds the test binaries of these files, by file.
    pub(super) fn build(&self, files: &[String]) -> Result<BTreeMap<String, PathBuf>, Failure> {
        let mut command = self.cargo("test");
        command.arg("--no-run").args(FEATURES);
        // As JSON, warnings about upstream's code stay out of the way.
        command.args(["--message-format", "json"]);
        for file in files {
            match file.as_str() {
                "lib" => command.arg("--lib"),
                file => command.args(["--test", file]),
            };
        }
        let built = command.stderr(Stdio::inherit()).output()?;
        let messages = String::from_utf8_lossy(&built.stdout);
        if !built.status.success() {
            return Err(Failure::new(errors(&messages)));
        }
        Ok(executables(&messages))
    }

    /// The tests of a file that is not built, read from its source.
    pub(super) fn tests_in(&self, file: &str) -> Result<Vec<String>, Failure> {
        let path = self.folder.join("tests").join(file).with_extension("rs");
        let source = syn::parse_file(&fs::read_to_string(path)?)
            .map_err(|error| Failure::new(format!("{file}: {error}")))?;
        Ok(test_functions(&source))
    }

    fn cargo(&self, subcommand: &str) -> Command {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        command
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", paths::target())
            .arg(subcommand);
        command
    }
}

/// Where cargo keeps the source of a package of our graph.
fn registry_folder(name: &str) -> Result<PathBuf, Failure> {
    let metadata = output(cargo::cargo("metadata").args(["--format-version", "1"]))?;
    tidy::folder_of(&tidy::json(&metadata)?, name)
        .ok_or_else(|| Failure::new(format!("{name} is not in the dependency graph")))
}

/// A copy that keeps the times of the files: cargo compiles again what looks newer.
fn copy(source: &Path, folder: &Path) -> Result<(), Failure> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    run(Command::new("cp")
        .args(["-R", "-p"])
        .arg(source.join("."))
        .arg(folder))
}

/// Writes a file that looks as old as the package.
fn write_as_old(path: &Path, text: &str, source: &Path) -> Result<(), Failure> {
    fs::write(path, text)?;
    let age = fs::metadata(source.join("Cargo.toml"))?.modified()?;
    fs::File::options()
        .write(true)
        .open(path)?
        .set_modified(age)?;
    Ok(())
}

/// Upstream's manifest, a workspace of its own, on our engine and with our profiles.
fn manifest(theirs: &str, root: &str, engine: &Path) -> String {
    format!(
        "{theirs}\n[workspace]\n\n[patch.crates-io]\nlibwebrtc = {{ path = {engine:?} }}\n\n{}",
        profiles(root)
    )
}

/// The sections of the root manifest that say how development builds are compiled.
fn profiles(root: &str) -> String {
    let mut kept = String::new();
    let mut wanted = false;
    for line in root.lines() {
        if line.starts_with('[') {
            // Our own test package is not in upstream's graph.
            wanted = line.starts_with("[profile.dev") && line != "[profile.dev.package.tests]";
        }
        if wanted {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The test targets of the package itself.
fn test_files(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let livekit = packages.filter(|package| package["name"] == "livekit");
    let targets = livekit.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    targets
        .filter(|target| target["kind"][0] == "test")
        .filter_map(|target| Some(target["name"].as_str()?.to_owned()))
        .collect()
}

fn parsed(messages: &str) -> impl Iterator<Item = Value> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
}

/// What the compiler says about a build that failed, as it would print it.
fn errors(messages: &str) -> String {
    let errors = parsed(messages).filter(|message| message["message"]["level"] == "error");
    let texts = errors.filter_map(|error| Some(error["message"]["rendered"].as_str()?.to_owned()));
    texts.collect::<Vec<_>>().join("\n")
}

/// Functions with an attribute called `test`, whichever crate gives it.
fn test_functions(source: &syn::File) -> Vec<String> {
    let is_test = |attribute: &syn::Attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|last| last.ident == "test")
    };
    let functions = source.items.iter().filter_map(|item| match item {
        syn::Item::Fn(function) if function.attrs.iter().any(is_test) => Some(function),
        _ => None,
    });
    functions
        .map(|function| function.sig.ident.to_string())
        .collect()
}

/// The test binaries that cargo's messages name.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for message in parsed(messages) {
        let Some(path) = message["executable"].as_str() else {
            continue;
        };
        let target = &message["target"];
        let file = match target["kind"][0].as_str() {
            Some("test") => target["name"].as_str().unwrap_or_default(),
            _ => "lib",
        };
        found.insert(file.to_owned(), PathBuf::from(path));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{executables, manifest, test_functions};

    #[test]
    fn the_copy_stands_on_our_engine_and_is_compiled_as_we_are() {
        let root = "[workspace]\nmembers = []\n[profile.dev]\ndebug = 1\n\
            [profile.dev.package.tests]\nopt-level = 1\n\
            [profile.dev.package.str0m]\nopt-level = 1\n[profile.release]\ndebug = 1\n";
        assert_eq!(
            manifest("[package]\nname = \"livekit\"\n", root, Path::new("/ours")),
            "[package]\nname = \"livekit\"\n\n[workspace]\n\n[patch.crates-io]\n\
             libwebrtc = { path = \"/ours\" }\n\n[profile.dev]\ndebug = 1\n\
             [profile.dev.package.str0m]\nopt-level = 1\n"
        );
    }

    #[test]
    fn the_tests_of_a_file_are_read_from_its_source() {
        let source =
            "#[test]\nfn a() {}\n#[test_log::test(tokio::test)]\nasync fn b() {}\nfn c() {}";
        let source = syn::parse_file(source).expect("it is Rust");
        assert_eq!(test_functions(&source), ["a", "b"]);
    }

    #[test]
    fn cargo_tells_where_the_binaries_are() {
        let messages = "\
            {\"reason\":\"compiler-artifact\",\"target\":{\"kind\":[\"lib\"],\"name\":\"livekit\"},\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"kind\":[\"lib\"],\"name\":\"livekit\"},\"executable\":\"/t/livekit-1\"}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"kind\":[\"test\"],\"name\":\"room_test\"},\"executable\":\"/t/room_test-1\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
        let found = executables(messages);
        assert_eq!(found["lib"], PathBuf::from("/t/livekit-1"));
        assert_eq!(found["room_test"], PathBuf::from("/t/room_test-1"));
        assert_eq!(found.len(), 2);
    }
}
