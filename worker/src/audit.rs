//! The audit journal: what was about to be done, and what became of it, on disk before anybody acts on it.
//!
//! Append-only JSON Lines, in segments; each record carries its number within its session, a checksum and
//! the hash of the record before it, so that a flipped bit, a missing line or a changed one shows
//! ([`reader`]). A signed head every minute says how far it had come (`signing.rs`); it goes into the log, too,
//! and whoever has kept it sees that lines were cut off. One thread writes (`writer.rs`). It fails closed: after
//! an error of the disk nothing is acknowledged any more until the process starts anew.
//!
//! What people said, what a tool was asked and what it answered went through [`crate::redaction`] before
//! it stands in it.

mod chain;
pub mod reader;
pub mod record;
pub mod recovery;
mod segment;
mod signing;
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
pub use signing::KeyError;
pub use tool_record::ToolRecord;

use recovery::Recovery;
use segment::Directory;
use signing::SigningKey;

use crate::config::Secret;

/// Records on their way to the writer. Who commits waits when it is full; what is only submitted is
/// dropped and counted.
const ORDERS: usize = 1_024;

/// The `[audit]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directory of the journal. It must exist. Default: no journal, and tools that write run unrecorded.
    pub dir: Option<PathBuf>,
    /// Ed25519 key that signs how far the journal has come: PKCS#8 in PEM, as `openssl genpkey -algorithm
    /// ed25519` writes it. It is read at the start only. Default: none, and heads are not signed.
    pub signing_key: Secret,
}

impl Config {
    /// Whether the key is one.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self) -> Result<(), KeyError> {
        SigningKey::read(&self.signing_key).map(drop)
    }
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

/// Knows whether one record is on disk; without a journal it always is.
#[derive(Debug)]
pub struct Receipt(Option<oneshot::Receiver<Result<(), NotWritten>>>);

impl Receipt {
    /// There is nothing to wait for.
    pub fn none() -> Self {
        Self(None)
    }

    /// Returns when the record is on disk.
    ///
    /// # Errors
    /// When it is not, whatever was tried.
    pub async fn written(self) -> Result<(), NotWritten> {
        match self.0 {
            Some(is_written) => is_written.await.unwrap_or(Err(NotWritten)),
            None => Ok(()),
        }
    }
}

struct Order {
    what: What,
    written: Option<oneshot::Sender<Result<(), NotWritten>>>,
}

enum What {
    /// A head, unless nothing stands behind the last one.
    Head,
    Record(Record),
}

impl Audit {
    /// Opens a new segment and starts the writer.
    ///
    /// # Errors
    /// What the system says about the directory, or that the key is none.
    pub fn start(config: &Config) -> std::io::Result<Self> {
        let Some(dir) = &config.dir else {
            return Ok(Self::default());
        };
        let key = SigningKey::read(&config.signing_key)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
        if key.is_none() {
            tracing::warn!(
                "heads of the audit journal are not signed: there is no audit.signing_key_file"
            );
        }
        let disk = Directory::open(dir)?;
        let recovery = Recovery::of(dir)?;
        let unsettled = Arc::clone(&recovery.unsettled);
        let (orders, inbox) = mpsc::channel(ORDERS);
        writer::start(disk, recovery, key, inbox)?;
        Ok(Self {
            orders: Some(orders),
            unsettled,
            lost: Arc::default(),
        })
    }

    /// One that takes nothing, as after an error of the disk.
    #[cfg(test)]
    pub(crate) fn broken() -> Self {
        let (orders, _) = mpsc::channel(1);
        Self {
            orders: Some(orders),
            ..Self::default()
        }
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
        self.order(What::Record(record)).await
    }

    /// Puts a record behind those that are on their way, now; the receipt tells when it is on disk.
    pub fn enqueue(&self, record: Record) -> Receipt {
        let Some(orders) = &self.orders else {
            return Receipt(None);
        };
        let (written, is_written) = oneshot::channel();
        let order = Order {
            what: What::Record(record),
            written: Some(written),
        };
        if orders.try_send(order).is_err() {
            // The receipt finds out.
            tracing::error!("the audit journal takes no more records for now");
        }
        Receipt(Some(is_written))
    }

    /// Returns when a head covers everything that came before. Without a journal at once.
    ///
    /// # Errors
    /// When it is not on disk.
    pub async fn seal(&self) -> Result<(), NotWritten> {
        self.order(What::Head).await
    }

    async fn order(&self, what: What) -> Result<(), NotWritten> {
        let Some(orders) = &self.orders else {
            return Ok(());
        };
        let (written, is_written) = oneshot::channel();
        let order = Order {
            what,
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
            what: What::Record(record),
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
