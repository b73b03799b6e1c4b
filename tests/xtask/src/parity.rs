//! `PARITY.toml` against the published crate's own source: every public item is named there, with
//! what became of it, and nothing is named that upstream does not have.
//!
//! The published crate is in nobody's dependency graph, because ours stands in its place; so a
//! scratch package asks cargo for its source. Nothing of it is compiled.

mod face;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use self::face::Face;
use crate::{
    paths,
    run::{Failure, note, output, say},
    tidy,
};

/// What `PARITY.toml` says about an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    Stub,
    Refused,
}

type List = BTreeMap<String, Fate>;

/// `cargo xtask parity`
pub(crate) fn parity() -> Result<(), Failure> {
    let engine = paths::root().join("worker/libwebrtc");
    let list = parse(&fs::read_to_string(engine.join("PARITY.toml"))?)?;
    let theirs = Face::read(&upstream(&version(&engine)?)?.join("src"))?;
    let ours = Face::read(&engine.join("src"))?;
    let failures = differences(&list, &theirs, &ours);
    let count = |fate| list.values().filter(|&&found| found == fate).count();
    say(json!({
        "part": "parity",
        "passed": theirs.items.len().saturating_sub(failures.len()),
        "failed": failures.len(),
        "skipped": 0,
        "done": count(Fate::Done),
        "stub": count(Fate::Stub),
        "refused": count(Fate::Refused),
        "failures": failures,
    }));
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("\n  {}", failures.join("\n  "))))
}

/// Every item with its fate, by its path in the crate.
fn parse(text: &str) -> Result<List, Failure> {
    let table: toml::Table = text
        .parse()
        .map_err(|error| Failure::new(format!("PARITY.toml: {error}")))?;
    let mut list = List::new();
    for (module, entries) in table.iter().filter(|(module, _)| *module != "ours") {
        let path = |item: &str| match module.as_str() {
            "root" => item.to_owned(),
            module => format!("{module}::{item}"),
        };
        let mut add = |items: Option<&toml::Value>, fate| {
            let names = items.and_then(toml::Value::as_array).into_iter().flatten();
            list.extend(
                names
                    .filter_map(toml::Value::as_str)
                    .map(|item| (path(item), fate)),
            );
        };
        add(entries.get("done"), Fate::Done);
        for (key, fate) in [("stub", Fate::Stub), ("refused", Fate::Refused)] {
            let groups = entries.get(key).and_then(toml::Value::as_array);
            for group in groups.into_iter().flatten() {
                add(group.get("items"), fate);
            }
        }
    }
    Ok(list)
}

fn differences(list: &List, theirs: &Face, ours: &Face) -> Vec<String> {
    let mut told = Vec::new();
    for item in &theirs.items {
        match list.get(item) {
            None => told.push(format!("{item}: public upstream, not in PARITY.toml")),
            Some(Fate::Refused) => {}
            Some(_) => compare_parts(item, theirs, ours, &mut told),
        }
    }
    let gone = list.keys().filter(|item| !theirs.items.contains(*item));
    told.extend(gone.map(|item| format!("{item}: in PARITY.toml, not upstream")));
    let more_or_less = theirs.prelude.symmetric_difference(&ours.prelude);
    told.extend(more_or_less.map(|name| format!("prelude::{name}: on one side only")));
    told
}

/// Public fields and variants are the same on both sides.
fn compare_parts(item: &str, theirs: &Face, ours: &Face, told: &mut Vec<String>) {
    let none = BTreeSet::new();
    let theirs = theirs.parts.get(item).unwrap_or(&none);
    let ours = ours.parts.get(item).unwrap_or(&none);
    let missing = theirs.difference(ours);
    told.extend(missing.map(|part| format!("{item}: `{part}` is missing here")));
    let extra = ours.difference(theirs);
    told.extend(extra.map(|part| format!("{item}: `{part}` is not upstream's")));
}

/// The upstream version ours stands for: what is before the `+` of our own.
fn version(engine: &Path) -> Result<String, Failure> {
    let manifest = fs::read_to_string(engine.join("Cargo.toml"))?;
    let line = manifest.lines().find(|line| line.starts_with("version = "));
    let version = line.and_then(|line| line.split(['"', '+']).nth(1));
    version
        .map(str::to_owned)
        .ok_or_else(|| Failure::new("libwebrtc's manifest has no version"))
}

/// The published crate's folder; cargo fetches it.
fn upstream(version: &str) -> Result<PathBuf, Failure> {
    let folder = paths::scratch("parity");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    fs::write(folder.join("Cargo.toml"), manifest(version))?;
    note(format_args!("  libwebrtc {version}, from cargo's registry"));
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut metadata = Command::new(program);
    metadata
        .current_dir(&folder)
        .args(["metadata", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let metadata = tidy::json(&output(&mut metadata)?)?;
    tidy::folder_of(&metadata, "libwebrtc")
        .ok_or_else(|| Failure::new("cargo did not fetch libwebrtc"))
}

fn manifest(version: &str) -> String {
    format!(
        "[package]\nname = \"parity\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [workspace]\n\n[dependencies]\nlibwebrtc = \"={version}\"\n"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Face, differences, parse};

    const LIST: &str = "[root]\ndone = [\"Kind\"]\n[sound]\ndone = [\"Frame\"]\n\
        [[sound.refused]]\nreason = \"none\"\nitems = [\"Mixer\"]\n[ours]\next = [\"Tap\"]\n";

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.into()).collect()
    }

    fn face(items: &[&str], frame: &[&str]) -> Face {
        let parts = [("sound::Frame".to_owned(), set(frame))];
        Face {
            items: set(items),
            parts: parts.into(),
            prelude: BTreeSet::new(),
        }
    }

    #[test]
    fn a_list_that_names_everything_is_good() {
        let list = parse(LIST).expect("it is well formed");
        let theirs = face(&["Kind", "sound::Frame", "sound::Mixer"], &["data"]);
        let ours = face(&["Kind", "sound::Frame"], &["data"]);
        assert_eq!(differences(&list, &theirs, &ours), [""; 0]);
    }

    #[test]
    fn what_is_unlisted_invented_or_of_another_shape_is_told() {
        let list = parse(LIST).expect("it is well formed");
        let theirs = face(&["Kind", "sound::Frame", "sound::Pump"], &["data", "rate"]);
        let ours = face(&["Kind", "sound::Frame"], &["data", "pace"]);
        assert_eq!(
            differences(&list, &theirs, &ours),
            [
                "sound::Frame: `rate` is missing here",
                "sound::Frame: `pace` is not upstream's",
                "sound::Pump: public upstream, not in PARITY.toml",
                "sound::Mixer: in PARITY.toml, not upstream",
            ]
        );
    }
}
