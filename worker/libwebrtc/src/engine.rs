//! The engine below the façade: connections on str0m, their sockets, threads and timers.
//!
//! One engine per process, made with the first connection. Types of str0m are named only here and
//! below. Nothing in it knows rooms, agents or the model.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    RtcError,
    ext::{Fec, Settings},
};

#[cfg(test)]
mod address_tests;
pub(crate) mod callbacks;
mod candidates;
pub(crate) mod capabilities;
pub(crate) mod channels;
mod connection;
mod crypto;
pub(crate) mod cryptor;
mod events;
pub(crate) mod facts;
mod fallback;
#[cfg(test)]
mod fuzz;
mod gather;
#[cfg(test)]
mod hop_tests;
mod link;
mod liveness;
mod media;
mod messages;
mod negotiation;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod pair_tests;
mod path;
pub(crate) mod peer;
mod reach;
mod reached;
pub(crate) mod reason;
#[cfg(test)]
mod refused_tests;
mod sdp_text;
mod sender;
mod shard;
mod sources;
mod stats;
pub(crate) mod status;
mod stream;
pub(crate) mod tap;
#[cfg(test)]
mod tcp_tests;
pub(crate) mod track;
pub(crate) mod transceivers;
mod wire;

use link::Link;
use reach::Trust;
use shard::Shard;

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Keeps the settings unless some are in force.
pub(crate) fn configure(settings: Settings) -> Result<(), Settings> {
    SETTINGS.set(settings)
}

/// When packets carry redundancy.
fn fec() -> Fec {
    SETTINGS
        .get()
        .map(|settings| settings.fec)
        .unwrap_or_default()
}

/// The I/O threads of the process.
pub(crate) struct Engine {
    settings: &'static Settings,
    shards: Vec<Arc<Shard>>,
    /// Whom relays over TLS must be known to.
    trust: Arc<Trust>,
    /// Number of the next connection.
    next: AtomicU64,
}

impl Engine {
    /// The engine; the first call makes it and fixes the settings.
    pub(crate) fn get() -> Result<&'static Self, RtcError> {
        static ENGINE: OnceLock<Option<Engine>> = OnceLock::new();
        let engine = ENGINE.get_or_init(|| match Self::start() {
            Ok(engine) => Some(engine),
            Err(error) => {
                tracing::error!(%error, "no I/O threads");
                None
            }
        });
        engine
            .as_ref()
            .ok_or_else(|| RtcError::internal("the engine has no I/O threads"))
    }

    fn start() -> std::io::Result<Self> {
        let settings = SETTINGS.get_or_init(Settings::default);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let threads = settings.io_threads.unwrap_or(processors).max(1);
        let shards = (0..threads).map(Shard::start).collect::<Result<_, _>>()?;
        Ok(Self {
            settings,
            shards,
            trust: Arc::new(Trust::new(settings.ca_file.clone())),
            next: AtomicU64::new(0),
        })
    }

    /// Gives a connection the addresses this machine has now.
    fn regather(&self, link: &Link) {
        match gather::addresses(self.settings) {
            Ok(addresses) => {
                link.regather(&addresses, |address| gather::open(address, self.settings));
            }
            Err(error) => tracing::debug!(%error, "the addresses of this machine are not known"),
        }
    }

    /// Makes a connection. With `is_hidden` our own addresses are not told.
    fn open(&self, is_hidden: bool) -> Result<Arc<Link>, RtcError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let shard = self.shards[id as usize % self.shards.len()].clone();
        let mut sockets = gather::sockets(self.settings)
            .map_err(|error| RtcError::internal(format!("no socket: {error}")))?;
        shard
            .register(id, &mut sockets)
            .map_err(|error| RtcError::internal(format!("no socket: {error}")))?;
        Ok(Link::open(
            id,
            shard,
            sockets,
            self.trust.clone(),
            is_hidden,
        ))
    }
}
