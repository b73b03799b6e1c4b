//! Adapter: what an earlier life of this worker left unfinished, and how the next one answers for it.
//!
//! An intent without an outcome was cut off: nobody knows whether it had its effect. Such a call gets the
//! outcome `unknown`, its session an end, and the same wish in the same room is not run again by itself.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs, io,
    path::Path,
    sync::Arc,
};

use serde_json::json;

use super::{
    reader::{self, Entry, File, Journal},
    record::{Kind, Record},
};

/// Why a call or a session has no other end.
const LOST: &str = "worker_lost";

/// What is written at the start, and what is known after it.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// Outcomes and ends that are missing.
    pub(super) records: Vec<Record>,
    /// The next number of each session that gets one.
    pub(super) next: HashMap<String, u64>,
    /// Wishes whose effect nobody knows.
    pub(super) unsettled: Arc<HashSet<String>>,
    /// The file that was written last, and the hash of its last line.
    pub(super) last: Option<(String, String)>,
}

/// All files of a journal, sorted by name.
///
/// # Errors
/// What the system says about the directory or one of them.
pub fn files(dir: &Path) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("audit-") && name.ends_with(".jsonl") {
            let bytes = fs::read(entry.path())?;
            files.push(File { name, bytes });
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

impl Recovery {
    /// Reads what is there.
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let journal = reader::read(&files(dir)?);
        for fault in &journal.faults {
            tracing::error!(file = fault.file, line = fault.line, what = %fault.what, "the audit journal does not hold");
        }
        if let Some((name, _)) = &journal.last {
            // What the next file will name must not be lost with power any more.
            fs::File::open(dir.join(name))?.sync_data()?;
        }
        Ok(Self::from(&journal))
    }
}

impl From<&Journal> for Recovery {
    fn from(journal: &Journal) -> Self {
        let mut records = Vec::new();
        let unfinished: HashSet<&(String, String)> = journal.unfinished.iter().collect();
        for (session, call) in &journal.unfinished {
            let data = json!({"call": call, "outcome": "unknown", "reason": LOST});
            records.push(Record {
                session: session.clone(),
                kind: Kind::ToolOutcome,
                data,
            });
        }
        for session in open_sessions(journal) {
            records.push(Record {
                session: session.to_owned(),
                kind: Kind::SessionEnded,
                data: json!({"reason": LOST}),
            });
        }
        let answered: HashSet<(String, String)> = journal
            .entries
            .iter()
            .filter(|entry| entry.kind == "tool.outcome" && entry.data["reason"] == LOST)
            .map(key)
            .collect();
        let mut next = HashMap::new();
        let mut unsettled = HashSet::new();
        for entry in &journal.entries {
            next.insert(entry.session.clone(), entry.seq + 1);
            let is_open = unfinished.contains(&key(entry));
            let is_unsettled = is_open || answered.contains(&key(entry));
            unsettled.extend(wish(entry).filter(|_| is_unsettled));
        }
        next.retain(|session, _| records.iter().any(|record| record.session == *session));
        Self {
            records,
            next,
            unsettled: Arc::new(unsettled),
            last: journal.last.clone(),
        }
    }
}

fn wish(entry: &Entry) -> Option<String> {
    let is_write = entry.kind == "tool.intent" && entry.data["writes"] == true;
    let wish = entry.data["wish"].as_str().filter(|_| is_write)?;
    Some(wish.to_owned())
}

fn key(entry: &Entry) -> (String, String) {
    let call = entry.data["call"].as_str().unwrap_or_default();
    (entry.session.clone(), call.to_owned())
}

fn open_sessions(journal: &Journal) -> BTreeSet<&str> {
    let mut open = BTreeSet::new();
    for entry in &journal.entries {
        match entry.kind.as_str() {
            "session.ended" => {
                open.remove(entry.session.as_str());
            }
            _ if entry.session.is_empty() => {}
            _ => {
                open.insert(entry.session.as_str());
            }
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(session: &str, seq: u64, kind: &str, data: serde_json::Value) -> String {
        json!({"session": session, "seq": seq, "at_ms": 0, "kind": kind, "data": data,
            "prev": "", "crc": ""})
        .to_string()
    }

    fn read(lines: &[String]) -> Recovery {
        let bytes = lines.join("\n") + "\n";
        let file = File {
            name: "audit-1.jsonl".to_owned(),
            bytes: bytes.into_bytes(),
        };
        Recovery::from(&reader::read(&[file]))
    }

    #[test]
    fn what_was_cut_off_gets_an_end_and_its_wish_is_known() {
        let intent =
            |call: &str, writes: bool| json!({"call": call, "writes": writes, "wish": call});
        let mut lines = vec![
            entry("a", 0, "session.started", json!({})),
            entry("a", 1, "tool.intent", intent("c1", true)),
            entry(
                "a",
                2,
                "tool.outcome",
                json!({"call": "c1", "outcome": "completed"}),
            ),
            entry("a", 3, "tool.intent", intent("c2", true)),
            entry("a", 4, "tool.intent", intent("c3", false)),
            entry("b", 0, "session.started", json!({})),
            entry("b", 1, "session.ended", json!({})),
        ];
        let found = read(&lines);
        let ends: Vec<String> = found
            .records
            .iter()
            .map(|record| {
                format!(
                    "{} {:?} {}",
                    record.session, record.kind, record.data["call"]
                )
            })
            .collect();
        assert_eq!(
            ends,
            [
                r#"a ToolOutcome "c2""#,
                r#"a ToolOutcome "c3""#,
                "a SessionEnded null"
            ]
        );
        assert_eq!(found.next, HashMap::from([("a".to_owned(), 5)]));
        assert_eq!(*found.unsettled, HashSet::from(["c2".to_owned()]));

        // The next start finds it answered for, and still knows that nobody knows.
        for (seq, record) in (5..).zip(&found.records) {
            let kind = serde_json::to_value(record.kind).unwrap();
            lines.push(entry("a", seq, kind.as_str().unwrap(), record.data.clone()));
        }
        let again = read(&lines);
        assert_eq!(again.records, []);
        assert_eq!(again.unsettled, found.unsettled);
    }
}
