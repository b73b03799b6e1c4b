//! Task, on a thread of its own because a disk blocks: appends, flushes, acknowledges.
//!
//! A record that comes while nothing is flushed is flushed at once; those that come meanwhile share the next
//! flush. Nothing is acknowledged that was not flushed, and a flush that failed is never tried again: what
//! the system then has on disk nobody knows.

use std::{
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use tokio::sync::mpsc;

use super::{
    NotWritten, Order,
    chain::Chain,
    record::{Kind, Record},
    recovery::Recovery,
    segment::{Disk, Segment},
};

/// Records that share a flush.
const GROUP: usize = 256;
/// A segment is followed by another when it has grown so large, in bytes.
const LONGEST_SEGMENT: u64 = 64 * 1024 * 1024;

struct Writer<D> {
    disk: D,
    segment: Box<dyn Segment>,
    name: String,
    length: u64,
    chain: Chain,
}

/// Opens the first segment and starts the thread; it ends with the last sender.
pub(super) fn start<D: Disk + 'static>(
    disk: D,
    recovery: Recovery,
    inbox: mpsc::Receiver<Order>,
) -> io::Result<()> {
    let writer = Writer::open(disk, recovery)?;
    let thread = std::thread::Builder::new().name("audit".to_owned());
    thread.spawn(move || run(writer, inbox)).map(drop)
}

fn run<D: Disk>(writer: Writer<D>, mut inbox: mpsc::Receiver<Order>) {
    // `None` = the disk failed.
    let mut writer = Some(writer);
    let mut group = Vec::with_capacity(GROUP);
    while let Some(first) = inbox.blocking_recv() {
        group.push(first);
        while group.len() < GROUP
            && let Ok(next) = inbox.try_recv()
        {
            group.push(next);
        }
        let written = match writer.as_mut().map(|writer| writer.write(&group)) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                tracing::error!(%error, "the audit journal cannot be written; nothing is recorded any more");
                writer = None;
                Err(NotWritten)
            }
            None => Err(NotWritten),
        };
        for order in group.drain(..) {
            if let Some(waiting) = order.written {
                // Who does not wait any more does not act on it either.
                let _ = waiting.send(written);
            }
        }
    }
}

impl<D: Disk> Writer<D> {
    /// What an earlier life left unfinished is answered for before anything else is written.
    fn open(mut disk: D, recovery: Recovery) -> io::Result<Self> {
        let (name, segment) = disk.create()?;
        let mut writer = Self {
            disk,
            segment,
            name,
            length: 0,
            chain: Chain::resuming(recovery.next),
        };
        writer.head(None)?;
        let mut text = Vec::new();
        for record in &recovery.records {
            writer.chain.write(record, now_ms(), &mut text);
        }
        if !text.is_empty() {
            writer.put(&text)?;
        }
        Ok(writer)
    }

    fn write(&mut self, group: &[Order]) -> io::Result<()> {
        if self.length >= LONGEST_SEGMENT {
            self.begin_segment()?;
        }
        let mut text = Vec::new();
        for order in group {
            self.chain.write(&order.record, now_ms(), &mut text);
        }
        self.put(&text)
    }

    fn put(&mut self, text: &[u8]) -> io::Result<()> {
        self.segment.append(text)?;
        self.segment.sync()?;
        self.length += text.len() as u64;
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let (name, segment) = self.disk.create()?;
        self.segment = segment;
        self.length = 0;
        let before = std::mem::replace(&mut self.name, name);
        let head = self.chain.begin_segment();
        self.head(Some((before, head)))
    }

    /// The first line of a segment names the one before it and its last hash.
    fn head(&mut self, before: Option<(String, String)>) -> io::Result<()> {
        let record = Record {
            session: String::new(),
            kind: Kind::SegmentOpened,
            data: match before {
                Some((name, head)) => json!({"version": 1, "after": name, "head": head}),
                None => json!({"version": 1}),
            },
        };
        let mut text = Vec::new();
        self.chain.write(&record, now_ms(), &mut text);
        self.put(&text)
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
