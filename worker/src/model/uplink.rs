//! Handle: the audio lane from the ears to the model.
//!
//! A ring that is bounded by duration and drops its oldest audio when it is full: 1 s while the
//! link is up, the last 10 s while it is down. Appending never waits. It does not encode anything:
//! the connection's writer takes out all that has come together, so frames merge only when the
//! socket is behind.

mod ring;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use dialog::model::ItemId;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    media::Pcm,
    telemetry::event::{AudioAppended, AudioDropped, AudioStage},
};
use ring::Ring;

/// Takes audio for the model. Clones share one ring.
#[derive(Clone)]
pub struct Uplink {
    shared: Arc<Shared>,
}

struct Shared {
    ring: Mutex<Ring>,
    /// Since when there has been something to take; `None` = there is nothing.
    waiting: Mutex<Option<Instant>>,
    ready: Notify,
}

impl Uplink {
    /// A lane whose link is not up yet.
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                ring: Mutex::new(Ring::new()),
                waiting: Mutex::new(None),
                ready: Notify::new(),
            }),
        }
    }

    /// Adds audio at the end; never waits. When the ring is full the oldest audio goes, counted. Returns
    /// a piece that is not needed any more, for its memory.
    pub fn append(&self, pcm: Pcm) -> Option<Pcm> {
        let (dropped, spare) = {
            let mut ring = self.shared.ring.lock();
            (ring.push(pcm), ring.spare())
        };
        self.shared.waiting.lock().get_or_insert_with(Instant::now);
        self.shared.ready.notify_one();
        if dropped > 0 {
            AudioDropped {
                stage: AudioStage::Uplink,
                frames: dropped,
            }
            .emit();
        }
        spare
    }

    /// Frames dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.shared.ring.lock().dropped()
    }

    /// Returns when there is audio to take. Cancel-safe.
    pub(super) async fn ready(&self) {
        loop {
            // Registered before the look, so that no append in between is missed.
            let notified = self.shared.ready.notified();
            if !self.shared.ring.lock().is_empty() {
                return;
            }
            notified.await;
        }
    }

    /// Moves the oldest frames into `frames`, at most this much audio (and at least one frame).
    pub(super) fn take(&self, at_most: Duration, frames: &mut Vec<Pcm>) {
        let before = frames.len();
        self.shared.ring.lock().take(at_most, frames);
        let since = self.shared.waiting.lock().take();
        if let Some(since) = since.filter(|_| frames.len() > before) {
            let waited = since.elapsed();
            AudioAppended { waited }.emit();
        }
    }

    /// What was taken has been written.
    pub(super) fn told(&self, frames: impl Iterator<Item = Pcm>) {
        self.shared.ring.lock().told(frames);
    }

    /// The model hears somebody, since this moment of what the connection was told: until that is an item,
    /// the next connection is told it again.
    pub(super) fn turn_begins(&self, at: Option<Duration>) {
        self.shared.ring.lock().owed().turn_begins(at);
    }

    /// What was told was forgotten, or belongs to a connection that has ended well.
    pub(super) fn turn_is_over(&self) {
        self.shared.ring.lock().owed().turn_is_over();
    }

    /// What was told is this item now. It is kept until somebody knows its words.
    pub(super) fn turn_is_item(&self, item: ItemId) {
        self.shared.ring.lock().owed().turn_is_item(item);
    }

    /// The words of this item are known.
    pub(super) fn item_is_known(&self, item: &ItemId) {
        self.shared.ring.lock().owed().item_is_known(item);
    }

    /// These items of the connection before wait again, before everything else.
    pub(super) fn hear_again(&self, items: &[ItemId]) {
        self.shared.ring.lock().hear_again(items);
        self.shared.ready.notify_one();
    }

    /// Another connection serves; the one before has ended well.
    pub(super) fn set_moved(&self) {
        self.shared.ring.lock().set_moved();
    }

    /// A connection is there: what was kept will be taken, new audio is bounded tightly.
    pub(super) fn set_up(&self) {
        self.shared.ring.lock().set_up();
    }

    /// The connection is gone: what it was told of a turn that is no item waits again, and so do the
    /// next seconds.
    pub(super) fn set_down(&self) {
        self.shared.ring.lock().set_down();
    }

    /// Nobody will take anything any more.
    pub(super) fn close(&self) {
        self.shared.ring.lock().close();
    }
}

impl fmt::Debug for Uplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uplink(..)")
    }
}
