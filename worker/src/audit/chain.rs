//! Core: records → lines that hold on to each other.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::record::{Kind, Record};

/// What stands where the first line of a segment would name the one before it.
const NOTHING: [u8; 32] = [0; 32];

/// The lines of one segment.
pub(super) struct Chain {
    previous: [u8; 32],
    /// Of this segment.
    lines: u64,
    /// The next number of each session.
    next: HashMap<String, u64>,
}

/// A line as it is written, in this order; the checksum follows.
#[derive(Serialize)]
struct Line<'a> {
    session: &'a str,
    seq: u64,
    at_ms: u64,
    kind: Kind,
    data: &'a Value,
    prev: String,
}

impl Chain {
    /// `next`: the next number of sessions that an earlier life began.
    pub(super) fn resuming(next: HashMap<String, u64>) -> Self {
        Self {
            previous: NOTHING,
            lines: 0,
            next,
        }
    }

    /// Adds the line of a record, which is made now (milliseconds since 1970).
    pub(super) fn write(&mut self, record: &Record, at_ms: u64, text: &mut Vec<u8>) {
        let seq = self.next.entry(record.session.clone()).or_default();
        let line = Line {
            session: &record.session,
            seq: *seq,
            at_ms,
            kind: record.kind,
            data: &record.data,
            prev: hex(&self.previous),
        };
        *seq += 1;
        if record.kind == Kind::SessionEnded {
            self.next.remove(&record.session);
        }
        let mut json = serde_json::to_vec(&line).expect("a record is plain data");
        json.pop();
        let crc = crc32c::crc32c(&json);
        json.extend_from_slice(format!(",\"crc\":\"{crc:08x}\"}}").as_bytes());
        self.previous = Sha256::digest(&json).into();
        self.lines += 1;
        text.extend_from_slice(&json);
        text.push(b'\n');
    }

    /// The same sessions in a new file.
    pub(super) fn begin_segment(&mut self) -> String {
        self.lines = 0;
        hex(&std::mem::replace(&mut self.previous, NOTHING))
    }

    /// Where it stands: lines of the segment so far, and the hash of the last one.
    pub(super) fn head(&self) -> (u64, String) {
        (self.lines, hex(&self.previous))
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
