//! `PARITY.toml` against this crate's own source: what it calls done or stubbed exists, what it
//! calls refused does not, and no public item is left out.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{collections::BTreeSet, fs, path::Path};

use toml::{Table, Value};

/// Names in one module of the list.
#[derive(Default)]
struct Listed {
    present: BTreeSet<String>,
    refused: BTreeSet<String>,
}

fn parity() -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("PARITY.toml");
    fs::read_to_string(path).unwrap().parse().unwrap()
}

fn names(list: Option<&Value>) -> Vec<String> {
    let values = list.and_then(Value::as_array).into_iter().flatten();
    values
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

fn listed(module: &Table) -> Listed {
    let mut listed = Listed::default();
    listed.present.extend(names(module.get("done")));
    for (kind, into) in [
        ("stub", &mut listed.present),
        ("refused", &mut listed.refused),
    ] {
        for group in module
            .get(kind)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let reason = group
                .get("reason")
                .and_then(Value::as_str)
                .unwrap_or_default();
            assert!(!reason.is_empty(), "{kind} without a reason");
            into.extend(names(group.get("items")));
        }
    }
    listed
}

/// The source of a module of the face; empty when there is none.
fn source(module: &str) -> String {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let file = src.join(module.replace("::", "/")).with_extension("rs");
    let mut text = fs::read_to_string(file).unwrap_or_default();
    if module == "stats" {
        text += &fs::read_to_string(src.join("stats/dictionaries.rs")).unwrap();
    }
    if matches!(module, "audio_track" | "video_track") {
        // The methods both kinds share are written by a macro.
        text += "pub fn id pub fn enabled pub fn set_enabled pub fn state";
    }
    text
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).any(|found| found == word)
}

/// Modules of the face, without the two tables that are none.
fn modules() -> Vec<(String, Listed)> {
    let parity = parity();
    let faces = parity
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "root" | "ours"));
    faces
        .map(|(name, module)| (name.clone(), listed(module.as_table().unwrap())))
        .collect()
}

#[test]
fn what_is_called_done_or_stubbed_exists() {
    for (module, listed) in modules() {
        let text = source(&module);
        for item in listed.present {
            let missing = item.split("::").find(|part| !has_word(&text, part));
            assert_eq!(missing, None, "{module}::{item}");
        }
    }
}

#[test]
fn what_is_called_refused_does_not_exist() {
    for (module, listed) in modules() {
        let text = source(&module);
        for item in listed.refused {
            let name = item.rsplit("::").next().unwrap();
            let declared = text.lines().any(|line| declares(line, name));
            // Another type of the module may have a method of that name.
            let alone = !listed
                .present
                .iter()
                .any(|other| other.ends_with(&format!("::{name}")));
            assert!(!(declared && alone), "{module}::{item} is there after all");
        }
    }
}

#[test]
fn no_public_item_is_left_out() {
    for (module, listed) in modules() {
        let known: BTreeSet<&str> = listed
            .present
            .iter()
            .filter_map(|item| item.rsplit("::").next())
            .collect();
        for line in source(&module).lines() {
            // `Sealed` is public within a private module.
            let Some(name) = public_name(line).filter(|name| *name != "Sealed") else {
                continue;
            };
            assert!(
                known.contains(name),
                "{module}: `{name}` is not in PARITY.toml"
            );
        }
    }
}

const KEYWORDS: [&str; 6] = ["fn", "struct", "enum", "trait", "type", "const"];

/// The name a line of code makes public, if it does.
fn public_name(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("pub ")?;
    let rest = rest
        .trim_start_matches("async ")
        .trim_start_matches("const fn ");
    let (keyword, rest) = rest.split_once(' ').unwrap_or(("fn", rest));
    if !KEYWORDS.contains(&keyword) || rest.starts_with('$') {
        return None;
    }
    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

fn declares(line: &str, name: &str) -> bool {
    public_name(line) == Some(name)
}
