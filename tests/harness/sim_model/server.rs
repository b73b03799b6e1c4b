//! Task: the WebSocket front of the simulated model.
//!
//! One task accepts, one task per connection owns its rules and its socket. Owns the record of
//! everything that was said on the wire. Knows no rule of the protocol beyond the handshake.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::script::{Fault, Script};

mod connection;
mod handshake;

/// A running simulated model; dropping it ends every connection.
pub struct SimModel {
    address: SocketAddr,
    shared: Arc<Shared>,
    _accepting: JoinSet<()>,
}

/// Who sent an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The worker.
    Client,
    /// The simulated model.
    Server,
}

/// Type of a record that tells how a connection was broken, as its `fault`.
pub const FAULT: &str = "simulated.fault";

/// An event as it went over the wire; audio is replaced by its length.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Connections are counted from 1.
    pub connection: u64,
    /// When it was read or written.
    pub at: Instant,
    /// Who sent it.
    pub side: Side,
    /// Its `type`.
    pub kind: String,
    /// The whole event. What was no JSON stands here as a string.
    pub event: Value,
}

/// Older records are dropped: about half an hour of audio appends.
const LONGEST_RECORD: usize = 100_000;

impl SimModel {
    /// Listens there (port 0 = any free port) and serves until dropped. The connections are
    /// recorded for tests.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(listen: SocketAddr, script: Script) -> io::Result<Self> {
        Self::serve(listen, script, true).await
    }

    /// The same without a record, for long runs.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_unrecorded(listen: SocketAddr, script: Script) -> io::Result<Self> {
        Self::serve(listen, script, false).await
    }

    async fn serve(listen: SocketAddr, script: Script, records: bool) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(script, records));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, shared.clone()));
        Ok(Self {
            address,
            shared,
            _accepting: accepting,
        })
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("ws://{}/v1/realtime", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how it behaves from now on.
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut lock(&self.shared.script));
        self.shared.wake();
    }

    /// The next response, on whatever connection, goes wrong like this; once.
    pub fn arm(&self, fault: Fault) {
        lock(&self.shared.armed).push_back(fault);
        self.shared.wake();
    }

    /// Nothing waits to go wrong.
    pub fn is_disarmed(&self) -> bool {
        lock(&self.shared.armed).is_empty()
    }

    /// Ends every open connection at once, without a close frame.
    pub fn drop_links(&self) {
        self.shared.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Everything that one side sent so far, oldest first.
    pub fn sent_by(&self, side: Side) -> Vec<Recorded> {
        lock(&self.shared.record)
            .iter()
            .filter(|record| record.side == side)
            .cloned()
            .collect()
    }

    /// Every event of this type that one side sent so far.
    pub fn events(&self, side: Side, kind: &str) -> Vec<Recorded> {
        let is_wanted = |record: &&Recorded| record.side == side && record.kind == kind;
        lock(&self.shared.record)
            .iter()
            .filter(is_wanted)
            .cloned()
            .collect()
    }

    /// When the first event of this type after that moment went over the wire. Copies nothing, so
    /// that it can be asked often during a long run.
    pub fn first_since(&self, side: Side, kind: &str, moment: Instant) -> Option<Instant> {
        let record = lock(&self.shared.record);
        let is_wanted = |record: &&Recorded| record.side == side && record.kind == kind;
        let recent = record.iter().rev().take_while(|record| record.at >= moment);
        recent.filter(is_wanted).last().map(|record| record.at)
    }

    /// The same of one connection: where several sessions talk.
    pub fn first_on(
        &self,
        connection: u64,
        side: Side,
        kind: &str,
        moment: Instant,
    ) -> Option<Recorded> {
        let record = lock(&self.shared.record);
        let is_wanted = |record: &&Recorded| {
            record.connection == connection && record.side == side && record.kind == kind
        };
        let recent = record.iter().rev().take_while(|record| record.at >= moment);
        recent.filter(is_wanted).last().cloned()
    }

    /// What happened after that moment and is wanted, oldest first. How a connection was broken stands
    /// there as an event of our own: [`FAULT`].
    pub fn since(&self, moment: Instant, is_wanted: impl Fn(&Recorded) -> bool) -> Vec<Recorded> {
        let record = lock(&self.shared.record);
        let recent = record.iter().rev().take_while(|record| record.at > moment);
        let mut found: Vec<_> = recent.filter(|record| is_wanted(record)).cloned().collect();
        found.reverse();
        found
    }

    /// When the first event of this type went over the newest connection.
    pub fn first_of_newest(&self, side: Side, kind: &str) -> Option<Instant> {
        let newest = self.connections();
        let is_wanted = |record: &&Recorded| {
            record.connection == newest && record.side == side && record.kind == kind
        };
        let record = lock(&self.shared.record);
        record.iter().find(is_wanted).map(|record| record.at)
    }

    /// Sockets that were upgraded so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Upgrades that were refused so far.
    pub fn refusals(&self) -> u64 {
        self.shared.refusals.load(Ordering::Relaxed)
    }
}

/// What the handle and all connections know together.
struct Shared {
    script: Mutex<Script>,
    armed: Mutex<VecDeque<Fault>>,
    /// Counts changes of the two above.
    changed: watch::Sender<u64>,
    /// Counts orders to cut every link.
    cut: watch::Sender<u64>,
    records: bool,
    record: Mutex<VecDeque<Recorded>>,
    connections: AtomicU64,
    refusals: AtomicU64,
}

impl Shared {
    fn new(script: Script, records: bool) -> Self {
        Self {
            script: Mutex::new(script),
            armed: Mutex::default(),
            changed: watch::Sender::new(0),
            cut: watch::Sender::new(0),
            records,
            record: Mutex::default(),
            connections: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
        }
    }

    fn wake(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }

    fn note(&self, connection: u64, side: Side, event: &Value) {
        if !self.records {
            return;
        }
        let mut event = event.clone();
        for key in ["audio", "delta"] {
            if let Some(Value::String(text)) = event.get_mut(key)
                && text.len() > 400
            {
                let unpadded = text.trim_end_matches('=');
                *text = format!("({} characters)", unpadded.len());
            }
        }
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        let mut record = lock(&self.record);
        if record.len() == LONGEST_RECORD {
            record.pop_front();
        }
        record.push_back(Recorded {
            connection,
            at: Instant::now(),
            side,
            kind,
            event,
        });
    }
}

/// A panicking test must not hide what others recorded.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(stream, shared.clone()));
                }
                // Out of descriptors, for example: others may close soon.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::task::yield_now().await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
mod tests;
