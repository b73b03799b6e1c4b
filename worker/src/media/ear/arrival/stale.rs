//! Core: when packets that look old are another stream whose numbers happen to lie behind ours.
//!
//! Late and repeated packets are dropped. A stream that sends nothing else for a second is not late:
//! without this rule it would stay unheard until its numbers have caught up.

use std::time::{Duration, Instant};

/// This long nothing but old packets …
const SPELL: Duration = Duration::from_secs(1);
/// … and this many of them.
const PACKETS: u32 = 25;

/// Old packets since the last fresh one.
#[derive(Debug, Default)]
pub(super) struct Stale {
    since: Option<Instant>,
    packets: u32,
}

impl Stale {
    /// An old packet came.
    pub(super) fn is_another_stream(&mut self, arrival: Instant) -> bool {
        let since = *self.since.get_or_insert(arrival);
        self.packets += 1;
        self.packets >= PACKETS && arrival.saturating_duration_since(since) >= SPELL
    }

    /// A fresh packet came.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
