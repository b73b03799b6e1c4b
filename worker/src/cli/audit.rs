//! Adapter: `room-agent audit`: reads a journal for people.

use std::path::Path;

use serde_json::Value;

use super::say;
use crate::{
    audit::{
        reader::{self, Entry, File, Journal},
        recovery::files,
    },
    exit::Exit,
};

/// What is done with a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Verb {
    /// Check every link and checksum; the exit code says whether all of it holds.
    Verify,
    /// Print what happened, line by line.
    Show,
    /// Print the records as JSON Lines, without what the journal needs for itself.
    Export,
}

pub(super) fn audit(verb: Verb, dir: &Path, session: Option<&str>) -> Result<Exit, Exit> {
    let files = files(dir)
        .map_err(|error| Exit::Unavailable(format!("{}: {}", dir.display(), error.kind())))?;
    let journal = reader::read(&files);
    let wanted = |entry: &&Entry| session.is_none_or(|session| entry.session == session);
    let entries = journal.entries.iter().filter(wanted);
    match verb {
        Verb::Verify => say(&summary(&files, &journal)),
        Verb::Show => entries.for_each(|entry| say(&line(entry))),
        Verb::Export => entries.for_each(|entry| say(&json(entry).to_string())),
    }
    if journal.faults.is_empty() {
        return Ok(Exit::Done);
    }
    let faults = journal.faults.iter();
    let faults: Vec<String> = faults
        .map(|fault| format!("{}:{}: {}", fault.file, fault.line, fault.what))
        .collect();
    Err(Exit::Data(format!(
        "the journal does not hold:\n{}",
        faults.join("\n")
    )))
}

fn summary(files: &[File], journal: &Journal) -> String {
    let mut lines = vec![format!(
        "{} files, {} records, {} faults",
        files.len(),
        journal.entries.len(),
        journal.faults.len()
    )];
    for file in &journal.torn {
        lines.push(format!(
            "{file} ends in the middle of a line: what nobody was told is safe is lost"
        ));
    }
    for (session, call) in &journal.unfinished {
        lines.push(format!(
            "{session}: call {call} began and its end is not known"
        ));
    }
    lines.join("\n")
}

/// `2026-11-22 20:00:00.123  AJ_x  tool.outcome  book_appointment  completed  12.3 ms`.
fn line(entry: &Entry) -> String {
    let data = &entry.data;
    let word = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let took = data["took_us"].as_u64();
    let took = took.map(|us| format!("{}.{} ms", us / 1_000, us % 1_000 / 100));
    let parts = [
        time(entry.at_ms),
        entry.session.clone(),
        entry.kind.clone(),
        word("tool"),
        word("agent"),
        word("outcome"),
        word("reason"),
        took.unwrap_or_default(),
    ];
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("  ")
}

fn time(at_ms: u64) -> String {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(at_ms);
    humantime::format_rfc3339_millis(at).to_string()
}

fn json(entry: &Entry) -> Value {
    serde_json::json!({
        "session": entry.session,
        "seq": entry.seq,
        "at": time(entry.at_ms),
        "kind": entry.kind,
        "data": entry.data,
    })
}
