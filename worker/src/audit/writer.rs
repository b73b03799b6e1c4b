//! Task, on a thread of its own because a disk blocks: appends, flushes, acknowledges.
//!
//! A record that comes while nothing is flushed is flushed at once; those that come meanwhile share the next
//! flush. Nothing is acknowledged that was not flushed, and a flush that failed is never tried again: what
//! the system then has on disk nobody knows. A minute after something was written, at the end of a session
//! and at its own end it writes how far it has come, signed, and says so in the log.

use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use tokio::{runtime, sync::mpsc, time::Instant};

use super::{
    NotWritten, Order, What,
    chain::Chain,
    record::{Kind, Record},
    recovery::Recovery,
    segment::{Disk, Segment},
    signing::{Head, SigningKey},
};

/// Records that share a flush.
const GROUP: usize = 256;
/// A segment is followed by another when it has grown so large, in bytes.
const LONGEST_SEGMENT: u64 = 64 * 1024 * 1024;
/// How long a line may stand without a head behind it: what is cut off within that time shows nowhere.
pub(super) const HEAD_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Writer<D> {
    disk: D,
    segment: Box<dyn Segment>,
    name: String,
    length: u64,
    chain: Chain,
    key: Option<SigningKey>,
    /// No line stands behind the last head.
    is_covered: bool,
}

/// Opens the first segment and starts the thread; it ends with the last sender.
pub(super) fn start<D: Disk + 'static>(
    disk: D,
    recovery: Recovery,
    key: Option<SigningKey>,
    inbox: mpsc::Receiver<Order>,
) -> io::Result<()> {
    let writer = Writer::open(disk, recovery, key)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let thread = std::thread::Builder::new().name("audit".to_owned());
    let work = move || runtime.block_on(writer.run(inbox));
    thread.spawn(work).map(drop)
}

/// Waits for orders, or until a head is due: `false` = no more will come.
async fn gather(
    inbox: &mut mpsc::Receiver<Order>,
    group: &mut Vec<Order>,
    head_due: Option<Instant>,
) -> bool {
    tokio::select! {
        biased;
        found = inbox.recv_many(group, GROUP) => found > 0,
        () = until(head_due) => true,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl<D: Disk> Writer<D> {
    /// What an earlier life left unfinished is answered for before anything else is written.
    pub(super) fn open(
        mut disk: D,
        recovery: Recovery,
        key: Option<SigningKey>,
    ) -> io::Result<Self> {
        let (name, segment) = disk.create()?;
        let mut writer = Self {
            disk,
            segment,
            name,
            length: 0,
            chain: Chain::resuming(recovery.next),
            key,
            is_covered: true,
        };
        writer.begin(recovery.last)?;
        let mut text = Vec::new();
        for record in &recovery.records {
            writer.chain.write(record, now_ms(), &mut text);
        }
        writer.put(&text)?;
        Ok(writer)
    }

    pub(super) async fn run(self, mut inbox: mpsc::Receiver<Order>) {
        // `None` = the disk failed.
        let mut writer = Some(self);
        let mut group = Vec::with_capacity(GROUP);
        let mut head_due = Some(Instant::now() + HEAD_EVERY);
        let mut is_open = true;
        while is_open {
            is_open = gather(&mut inbox, &mut group, head_due).await;
            let is_due = head_due.is_some_and(|due| due <= Instant::now());
            let with_head = is_due || !is_open || group.iter().any(Order::ends_something);
            let written = match writer
                .as_mut()
                .map(|writer| writer.write(&group, with_head))
            {
                Some(Ok(())) => Ok(()),
                Some(Err(error)) => {
                    tracing::error!(%error, "the audit journal cannot be written; nothing is recorded any more");
                    writer = None;
                    Err(NotWritten)
                }
                None => Err(NotWritten),
            };
            let is_covered = writer.as_ref().is_none_or(|writer| writer.is_covered);
            let soon = || head_due.unwrap_or_else(|| Instant::now() + HEAD_EVERY);
            head_due = (!is_covered).then(soon);
            for order in group.drain(..) {
                if let Some(waiting) = order.written {
                    // Who does not wait any more does not act on it either.
                    let _ = waiting.send(written);
                }
            }
        }
    }

    fn write(&mut self, group: &[Order], with_head: bool) -> io::Result<()> {
        if self.length >= LONGEST_SEGMENT {
            self.begin_segment()?;
        }
        let mut text = Vec::new();
        for order in group {
            if let What::Record(record) = &order.what {
                self.chain.write(record, now_ms(), &mut text);
                self.is_covered = false;
            }
        }
        let head = (with_head && !self.is_covered).then(|| self.head(&mut text));
        self.put(&text)?;
        if let Some(head) = head {
            tracing::info!(%head, "the audit journal has come so far");
        }
        Ok(())
    }

    /// Adds the line that says how far the journal has come; returns what it says.
    fn head(&mut self, text: &mut Vec<u8>) -> String {
        let (lines, hash) = self.chain.head();
        let at_ms = now_ms();
        let head = Head {
            segment: &self.name,
            lines,
            hash,
            at_ms,
        };
        let data = head.to_json(self.key.as_ref());
        let told = data.to_string();
        let record = Record {
            session: String::new(),
            kind: Kind::SegmentHead,
            data,
        };
        self.chain.write(&record, at_ms, text);
        self.is_covered = true;
        told
    }

    fn put(&mut self, text: &[u8]) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
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
        let hash = self.chain.begin_segment();
        self.begin(Some((before, hash)))
    }

    /// The first line of a segment names the one before it and its last hash.
    fn begin(&mut self, before: Option<(String, String)>) -> io::Result<()> {
        let record = Record {
            session: String::new(),
            kind: Kind::SegmentOpened,
            data: match before {
                Some((name, hash)) => json!({"version": 1, "after": name, "head": hash}),
                None => json!({"version": 1}),
            },
        };
        let mut text = Vec::new();
        self.chain.write(&record, now_ms(), &mut text);
        self.is_covered = false;
        self.put(&text)
    }
}

impl Order {
    /// Whether a head is to follow at once: somebody asks for it, or a session is over.
    fn ends_something(&self) -> bool {
        match &self.what {
            What::Head => true,
            What::Record(record) => record.kind == Kind::SessionEnded,
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
