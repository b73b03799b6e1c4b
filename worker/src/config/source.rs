//! Adapter: where settings come from, and who wins.
//!
//! Flag > `ROOM_AGENT__…` > conventional environment (`LIVEKIT_URL`, …) > file > default. Each
//! layer is laid over the one below, value by value; the tree it makes is untyped. Types, ranges
//! and unknown keys are judged in [`super::parse`].

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::parse::Problem;

/// What a process can read its settings from; a map in tests.
pub trait Source {
    /// All environment variables.
    fn vars(&self) -> Vec<(String, String)>;

    /// The text of a file.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// The bytes of a file that holds no text.
    ///
    /// # Errors
    /// What the system says.
    fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files of a directory, sorted.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;
}

/// A file and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TomlFile {
    /// Without its directory.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// Every `*.toml` of a directory, which stands in the settings under `key`. What cannot be read is a
/// problem.
pub fn toml_files(
    source: &dyn Source,
    directory: Option<&Path>,
    key: &str,
    problems: &mut Vec<Problem>,
) -> Vec<TomlFile> {
    let Some(directory) = directory else {
        return Vec::new();
    };
    let files = match source.list(directory) {
        Ok(files) => files,
        Err(error) => {
            problems.push(Problem::new(key, error.kind().to_string()));
            return Vec::new();
        }
    };
    let mut texts = Vec::new();
    for path in files
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
    {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        match source.read(path) {
            Ok(text) => texts.push(TomlFile { name, text }),
            Err(error) => problems.push(Problem::new(name, error.kind().to_string())),
        }
    }
    texts
}

/// The real environment and file system.
#[derive(Debug, Default)]
pub struct ProcessSource;

impl Source for ProcessSource {
    fn vars(&self) -> Vec<(String, String)> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(text).collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(directory)?;
        let mut files: Vec<PathBuf> = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        files.sort();
        Ok(files)
    }
}

/// A source made of maps; for tests.
#[derive(Clone, Debug, Default)]
pub struct MapSource {
    /// Environment variables.
    pub vars: HashMap<String, String>,
    /// Files by path.
    pub files: HashMap<String, String>,
    /// Files without text, by path.
    pub bytes: HashMap<String, Vec<u8>>,
}

impl MapSource {
    /// The same source with one more variable.
    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same source with one more file.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    /// The same source with one more file that holds no text.
    pub fn bytes(mut self, path: &str, bytes: Vec<u8>) -> Self {
        self.bytes.insert(path.to_owned(), bytes);
        self
    }
}

impl Source for MapSource {
    fn vars(&self) -> Vec<(String, String)> {
        self.vars
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.files.get(&path.display().to_string());
        text.cloned()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.bytes.get(&path.display().to_string());
        bytes
            .cloned()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut files: Vec<PathBuf> = self.files.keys().map(PathBuf::from).collect();
        files.retain(|file| file.parent() == Some(directory));
        files.sort();
        Ok(files)
    }
}

/// Names that everybody's tools use already, and what they mean here.
const CONVENTIONAL: &[(&str, &str)] = &[
    ("LIVEKIT_AGENT_NAME", "worker.agent_names"),
    ("LIVEKIT_API_KEY", "livekit.api_key"),
    ("LIVEKIT_API_SECRET", "livekit.api_secret"),
    ("LIVEKIT_URL", "livekit.url"),
    ("OPENAI_API_KEY", "model.api_key"),
];

const PREFIX: &str = "ROOM_AGENT__";

/// A setting given on the command line: dotted path and text.
pub type Flag = (String, String);

/// Lays all layers over each other. Whatever cannot be read is a problem; the rest goes on, so
/// that everything is reported together.
pub(super) fn merge(
    source: &dyn Source,
    schema: &Value,
    file: Option<&Path>,
    flags: &[Flag],
    problems: &mut Vec<Problem>,
) -> Value {
    let mut tree = file.map_or_else(Map::new, |path| read_file(source, path, problems));
    let mut vars = source.vars();
    vars.sort();
    for (name, path) in CONVENTIONAL {
        if let Some((_, text)) = vars
            .iter()
            .find(|(var, text)| var == name && !text.is_empty())
        {
            set(&mut tree, schema, path, text);
        }
    }
    for (name, text) in &vars {
        if let Some(path) = mirrored(name) {
            set(&mut tree, schema, &path, text);
        }
    }
    for (path, text) in flags {
        set(&mut tree, schema, path, text);
    }
    let mut tree = Value::Object(tree);
    read_secret_files(source, &mut tree, schema, "", problems);
    tree
}

fn read_file(source: &dyn Source, path: &Path, problems: &mut Vec<Problem>) -> Map<String, Value> {
    let text = match source.read(path) {
        Ok(text) => text,
        Err(error) => {
            problems.push(Problem::new(
                "",
                format!("{}: {}", path.display(), error.kind()),
            ));
            return Map::new();
        }
    };
    match from_toml(&text) {
        Ok(table) => table,
        Err(what) => {
            problems.push(Problem::new("", format!("{}: {what}", path.display())));
            Map::new()
        }
    }
}

/// Parses TOML into the tree form.
///
/// # Errors
/// Line, column and what was expected; never the text itself, which may hold a secret.
pub(crate) fn from_toml(text: &str) -> Result<Map<String, Value>, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        format!("line {line}: {}", error.message())
    })?;
    match serde_json::to_value(table) {
        Ok(Value::Object(table)) => Ok(table),
        _ => Err("a value that no setting can have".to_owned()),
    }
}

/// `ROOM_AGENT__MODEL__URL` → `model.url`.
fn mirrored(name: &str) -> Option<String> {
    let path = name.strip_prefix(PREFIX)?;
    Some(path.to_ascii_lowercase().replace("__", "."))
}

/// Puts a text into the tree, as the type its place asks for.
fn set(tree: &mut Map<String, Value>, schema: &Value, path: &str, text: &str) {
    let segments: Vec<&str> = path.split('.').collect();
    let Some((last, tables)) = segments.split_last() else {
        return;
    };
    let mut schema = Some(schema);
    let mut table = tree;
    for segment in tables {
        schema = property(schema, segment);
        let entry = table
            .entry((*segment).to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        if !entry.is_object() {
            *entry = Value::Object(Map::new());
        }
        let Value::Object(next) = entry else { return };
        table = next;
    }
    let value = coerce(property(schema, last), text);
    // A secret and its file are two ways to say one thing: the later layer wins.
    match last.strip_suffix("_file") {
        Some(secret) => table.remove(secret),
        None => table.remove(&format!("{last}_file")),
    };
    table.insert((*last).to_owned(), value);
}

fn property<'a>(schema: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    schema?.get("properties")?.get(name)
}

/// Text stays text where text is allowed; a list may be given as one bare word; everything else
/// is read as TOML would. What cannot be read stays text, and the schema will complain.
fn coerce(schema: Option<&Value>, text: &str) -> Value {
    let as_text = Value::String(text.to_owned());
    let Some(schema) = schema else { return as_text };
    let allowed = |name: &str| match schema.get("type") {
        Some(Value::String(kind)) => kind == name,
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == name),
        _ => false,
    };
    let is_choice = schema.get("oneOf").is_some() || schema.get("enum").is_some();
    if allowed("string") || is_choice {
        return as_text;
    }
    let read = from_toml(&format!("value = {text}"))
        .ok()
        .and_then(|mut t| t.remove("value"));
    match read {
        Some(value) if !allowed("array") || value.is_array() => value,
        _ if allowed("array") => Value::Array(vec![as_text]),
        _ => as_text,
    }
}

/// Puts the content of each `x_file` beside it as `x`, unless `x` was given.
fn read_secret_files(
    source: &dyn Source,
    tree: &mut Value,
    schema: &Value,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return;
    };
    let Value::Object(table) = tree else { return };
    for (name, property) in properties {
        let here = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if let Some(inner) = table.get_mut(name) {
            read_secret_files(source, inner, property, &here, problems);
        }
        if property.get("format").and_then(Value::as_str) != Some("secret") {
            continue;
        }
        let Some(Value::String(file)) = table.get(&format!("{name}_file")).cloned() else {
            continue;
        };
        match source.read(Path::new(&file)) {
            Ok(text) => {
                table
                    .entry(name.clone())
                    .or_insert(Value::String(text.trim().to_owned()));
            }
            Err(error) => {
                problems.push(Problem::new(
                    format!("{here}_file"),
                    error.kind().to_string(),
                ));
            }
        }
    }
}
