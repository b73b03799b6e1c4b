//! Core: reads a journal and tells what is wrong with it; shares no code with what writes it.
//!
//! A flipped bit breaks a checksum, a changed line the link of the next one, a missing line both the link
//! and the numbers of its session. A file that ends in the middle of a line was torn by a crash, and lost
//! at most what nobody was told is safe. Who can write the files can make a chain anew, but sign no heads;
//! that whole lines are missing at the very end only a head shows that was kept elsewhere.

mod heads;

use std::{collections::HashMap, fmt};

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use heads::{Head, PublicKey};

/// One file, by its name.
#[derive(Clone, Debug)]
pub struct File {
    /// Sorted by name, segments are in the order in which they were begun.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A record as it was read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Id of the job; empty = of the journal itself.
    pub session: String,
    /// Number within the session, from 0.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    pub kind: String,
    /// More about it.
    pub data: Value,
    prev: String,
    crc: String,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file's name; empty = of the whole journal.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file.is_empty() {
            return f.write_str(&self.what);
        }
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// What a journal says.
#[derive(Debug, Default)]
pub struct Journal {
    /// Every record that could be read, in order.
    pub entries: Vec<Entry>,
    /// Heads that say what stands before them, in order.
    pub heads: Vec<Head>,
    /// The newest file, and the hash of its last line.
    pub last: Option<(String, String)>,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
    /// Files that end in the middle of a line, which is what a crash leaves.
    pub torn: Vec<String>,
    /// Calls whose intent is there and whose outcome is not: session and call.
    pub unfinished: Vec<(String, String)>,
}

/// Reads all files of a journal, in the order of their names.
pub fn read(files: &[File]) -> Journal {
    let mut journal = Journal::default();
    let mut next: HashMap<String, u64> = HashMap::new();
    for file in files {
        let before = journal.last.take();
        let hash = read_file(file, before.as_ref(), &mut next, &mut journal);
        journal.last = Some((file.name.clone(), hash));
    }
    journal.unfinished = unfinished(&journal.entries);
    journal
}

/// Returns the hash of its last line.
fn read_file(
    file: &File,
    before: Option<&(String, String)>,
    next: &mut HashMap<String, u64>,
    journal: &mut Journal,
) -> String {
    let mut previous = "0".repeat(64);
    let mut lines: Vec<&[u8]> = file.bytes.split(|byte| *byte == b'\n').collect();
    // After the last line end nothing follows, unless the file was torn.
    if lines.pop().is_some_and(|rest| !rest.is_empty()) {
        journal.torn.push(file.name.clone());
    }
    for (index, line) in lines.into_iter().enumerate() {
        let fault = |what: &str| Fault {
            file: file.name.clone(),
            line: index + 1,
            what: what.to_owned(),
        };
        let hash = hex(&Sha256::digest(line));
        let link = std::mem::replace(&mut previous, hash);
        let Ok(entry) = serde_json::from_slice::<Entry>(line) else {
            journal.faults.push(fault("is no record"));
            continue;
        };
        if !is_whole(line, &entry.crc) {
            journal.faults.push(fault("its checksum is wrong"));
        }
        if entry.prev != link {
            journal
                .faults
                .push(fault("does not follow the line before it"));
        }
        if (entry.kind == "segment.opened") != (index == 0) {
            journal
                .faults
                .push(fault("a file begins with a line that says so, and has one"));
        }
        if let Some(what) = broken_link(&entry, before) {
            journal.faults.push(fault(what));
        }
        if entry.kind == "segment.head" {
            match heads::check(&entry.data, &file.name, index, &link) {
                Ok(key) => journal.heads.push(Head {
                    file: file.name.clone(),
                    line: index + 1,
                    says: entry.data.clone(),
                    key,
                    entry: journal.entries.len(),
                }),
                Err(what) => journal.faults.push(fault(what)),
            }
        }
        if !entry.session.is_empty() {
            let expected = next.entry(entry.session.clone()).or_default();
            if *expected != entry.seq {
                let what = format!("number {} of its session, not {expected}", entry.seq);
                journal.faults.push(fault(&what));
            }
            *expected = entry.seq + 1;
        }
        journal.entries.push(entry);
    }
    previous
}

/// What is wrong with what a first line says of the file before its own.
fn broken_link(entry: &Entry, before: Option<&(String, String)>) -> Option<&'static str> {
    let named = entry.data["after"].as_str()?;
    match before {
        Some((name, _)) if name != named => Some("the file before it is another"),
        Some((_, hash)) if entry.data["head"] != hash.as_str() => {
            Some("the file before it ends otherwise")
        }
        Some(_) => None,
        None => Some("the file before it is missing"),
    }
}

/// The checksum is over everything before itself.
fn is_whole(line: &[u8], crc: &str) -> bool {
    let tail = format!(",\"crc\":\"{crc}\"}}");
    let Some(body) = line.strip_suffix(tail.as_bytes()) else {
        return false;
    };
    format!("{:08x}", castagnoli(body)) == crc
}

/// CRC-32C (RFC 3720, appendix B.4), bit by bit: it is read seldom.
fn castagnoli(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), step)
    });
    !crc
}

fn unfinished(entries: &[Entry]) -> Vec<(String, String)> {
    let mut open = Vec::new();
    for entry in entries {
        let call = entry.data["call"].as_str().unwrap_or_default();
        let call = (entry.session.clone(), call.to_owned());
        match entry.kind.as_str() {
            "tool.intent" => open.push(call),
            "tool.outcome" => open.retain(|one| *one != call),
            _ => {}
        }
    }
    open
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        assert_eq!(castagnoli(b"123456789"), 0xe306_9283);
        assert_eq!(castagnoli(&[0; 32]), 0x8a91_36aa);
    }
}
