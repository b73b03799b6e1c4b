//! Core: our `values.yaml`, read line by line. It knows only the plain YAML that this one file uses:
//! a comment line, then `key: value`, two spaces per level.

use std::{collections::BTreeSet, path::Path};

/// One value that a customer can set.
pub(crate) struct Value {
    /// Its path, with dots.
    pub(crate) path: String,
    /// As it stands in the file.
    pub(crate) default: String,
    /// The comment line above it.
    pub(crate) comment: String,
}

/// All values of the file, in order.
pub(crate) fn read(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("values.yaml is there");
    let mut parents: Vec<&str> = Vec::new();
    let mut comment = "";
    let mut values = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let inner = line.trim_start();
        if let Some(words) = inner.strip_prefix("# ") {
            comment = words;
            continue;
        }
        let (key, default) = inner
            .split_once(':')
            .unwrap_or_else(|| panic!("not a value: {line}"));
        parents.truncate((line.len() - inner.len()) / 2);
        parents.push(key);
        if !default.is_empty() {
            let (path, default) = (parents.join("."), default.trim().to_owned());
            values.push(Value {
                path,
                default,
                comment: comment.to_owned(),
            });
        }
        comment = "";
    }
    values
}

/// Every `.Values.…` that the templates name, without the prefix.
pub(crate) fn used_in(templates: &Path) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for entry in std::fs::read_dir(templates).expect("the templates are there") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            used.extend(used_in(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a template is text");
        for after in text.split(".Values.").skip(1) {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
            let name = &after[..end.unwrap_or(after.len())];
            used.insert(name.trim_end_matches('.').to_owned());
        }
    }
    used
}

/// The values as a Markdown table.
pub(crate) fn table(values: &[Value]) -> String {
    let rows = values.iter().map(
        |Value {
             path,
             default,
             comment,
         }| {
            format!(
                "| `{path}` | `{default}` | {} |\n",
                comment.replace('|', "\\|")
            )
        },
    );
    ["| value | default | meaning |\n|---|---|---|\n".to_owned()]
        .into_iter()
        .chain(rows)
        .collect()
}
