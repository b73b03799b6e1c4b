//! Core: silence that stands for packets that did not come.
//!
//! Owns up to where the time line is covered, and since when there was nothing to hear. It does not
//! know how far the time line is off real time: that is `Arrival`.

use std::time::{Duration, Instant};

use super::{MILLI, ticks};

/// Silence is written in steps of 20 ms, as sound would come.
pub(super) const STEP: Duration = Duration::from_millis(20);
/// In a rest, when nobody waits for the next piece of silence any more, one step of 100 ms costs a
/// fifth. Sound that comes within a step goes on at once, with the silence before it.
pub(super) const REST_STEP: Duration = Duration::from_millis(100);
/// A pause is a rest from here on: every turn detector that counts silence has made up its mind.
const REST: Duration = Duration::from_secs(2);
/// What nobody hears is kept on its time line once a second.
const UNHEARD_STEP: Duration = Duration::from_secs(1);
/// After a packet of silence the next one may be 400 ms away: silence begins one packet later.
const HANG_QUIET: Duration = Duration::from_millis(20);
/// After speech three packets may be missing before it counts as a pause.
const HANG_SPEECH: Duration = Duration::from_millis(60);
/// From here on a pause is so long that its length may be corrected: every turn has ended.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// What was delivered last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// No packet yet.
    Nothing,
    Quiet,
    Speech,
}

/// Silence on one time line.
#[derive(Debug)]
pub(super) struct Silence {
    /// Up to here the time line is covered.
    covered: Instant,
    /// When the running silence began; `None` = packets are coming.
    since: Option<Instant>,
    /// Ticks covered by silence since the last packet.
    ticks: u64,
    /// Since when nothing but silence came, in packets or without; `None` = the last packet was sound.
    quiet: Option<Instant>,
}

impl Silence {
    /// Until the first packet there is nothing else.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            covered: now,
            since: Some(now),
            ticks: 0,
            quiet: Some(now),
        }
    }

    /// A packet is delivered.
    pub(super) fn on_packet(&mut self, arrival: Instant, is_quiet: bool) {
        self.covered = self.covered.max(arrival);
        self.since = None;
        self.ticks = 0;
        self.quiet = self.quiet.or(Some(arrival)).filter(|_| is_quiet);
    }

    /// Covers the time since the last packet or the last step: how many ticks that are.
    pub(super) fn cover(&mut self, now: Instant) -> u64 {
        let elapsed = ticks(now.saturating_duration_since(self.covered)) & !1;
        let since = *self.since.get_or_insert(self.covered);
        self.quiet.get_or_insert(since);
        self.covered += Duration::from_nanos((elapsed * 1_000_000).div_ceil(u64::from(MILLI)));
        self.ticks += elapsed;
        elapsed
    }

    /// When more of it is due if no packet comes. `jitter` is how late a packet may be.
    pub(super) fn due(&self, is_unheard: bool, last: Last, jitter: Duration) -> Instant {
        let hang = match last {
            _ if is_unheard => UNHEARD_STEP,
            _ if self.rests() => REST_STEP,
            _ if self.since.is_some() => STEP,
            Last::Nothing => STEP,
            Last::Quiet => HANG_QUIET + jitter,
            Last::Speech => HANG_SPEECH + jitter,
        };
        self.covered + hang
    }

    /// The pause is so long that its length may be corrected.
    pub(super) fn is_long(&self, now: Instant) -> bool {
        self.since
            .is_some_and(|since| now.saturating_duration_since(since) >= LONG_PAUSE)
    }

    /// What is covered since the last packet, in ticks.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Nothing but silence came for so long that nobody waits for the next piece of it.
    fn rests(&self) -> bool {
        self.quiet
            .is_some_and(|since| self.covered.duration_since(since) >= REST)
    }

    /// As if the time line were covered that much further.
    #[cfg(test)]
    pub(super) fn cover_ahead(&mut self, time: Duration) {
        self.covered += time;
    }
}
