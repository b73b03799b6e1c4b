//! The audit journal: what was about to be done, and what became of it, on disk before anybody acts on it.
//!
//! Append-only JSON Lines, in segments; each record carries its number within its session, a checksum and
//! the hash of the record before it, so that a flipped bit, a missing line or a changed one shows
//! ([`reader`]). One thread writes (`writer.rs`). It fails closed: after an error of the disk nothing is
//! acknowledged any more until the process starts anew.
//!
//! What people said, what a tool was asked and what it answered went through [`crate::redaction`] before
//! it stands in it.

mod chain;
pub mod reader;
pub mod record;
pub mod recovery;
mod segment;
#[cfg(test)]
mod tests;
mod tool_record;
mod writer;

use std::{
    collections::HashSet,
    fmt,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

pub use record::{Kind, Record};
pub use tool_record::ToolRecord;

use recovery::Recovery;
use segment::Directory;

/// Records on their way to the writer. Who commits waits when it is full; what is only submitted is
/// dropped and counted.
const ORDERS: usize = 1_024;

/// The `[audit]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directory of the journal. It must exist. Default: no journal, and tools that write run unrecorded.
    pub dir: Option<PathBuf>,
}

/// A record is not on disk, and must be taken for lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit journal does not take records")]
pub struct NotWritten;

/// A way into the journal; cheap to clone.
#[derive(Clone, Default)]
pub struct Audit {
    /// `None` = there is no journal.
    orders: Option<mpsc::Sender<Order>>,
    /// Wishes of an earlier life whose effect nobody knows.
    unsettled: Arc<HashSet<String>>,
    lost: Arc<AtomicU64>,
}

struct Order {
    record: Record,
    written: Option<oneshot::Sender<Result<(), NotWritten>>>,
}

impl Audit {
    /// Opens a new segment and starts the writer.
    ///
    /// # Errors
    /// What the system says about the directory.
    pub fn start(config: &Config) -> std::io::Result<Self> {
        let Some(dir) = &config.dir else {
            return Ok(Self::default());
        };
        let disk = Directory::open(dir)?;
        let recovery = Recovery::of(dir)?;
        let unsettled = Arc::clone(&recovery.unsettled);
        let (orders, inbox) = mpsc::channel(ORDERS);
        writer::start(disk, recovery, inbox)?;
        Ok(Self {
            orders: Some(orders),
            unsettled,
            lost: Arc::default(),
        })
    }

    /// Nobody knows whether this wish was fulfilled before the worker was lost.
    pub fn is_unsettled(&self, wish: &str) -> bool {
        self.unsettled.contains(wish)
    }

    /// Returns when the record is on disk. Without a journal at once.
    ///
    /// # Errors
    /// When it is not, whatever was tried.
    pub async fn commit(&self, record: Record) -> Result<(), NotWritten> {
        let Some(orders) = &self.orders else {
            return Ok(());
        };
        let (written, is_written) = oneshot::channel();
        let order = Order {
            record,
            written: Some(written),
        };
        orders.send(order).await.map_err(|_| NotWritten)?;
        is_written.await.unwrap_or(Err(NotWritten))
    }

    /// Leaves a record that nobody waits for.
    pub fn submit(&self, record: Record) {
        let Some(orders) = &self.orders else {
            return;
        };
        let order = Order {
            record,
            written: None,
        };
        if orders.try_send(order).is_err() {
            let lost = self.lost.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            tracing::error!(lost, "an audit record was lost");
        }
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_kept = if self.orders.is_some() { "on" } else { "off" };
        write!(f, "Audit({is_kept})")
    }
}
