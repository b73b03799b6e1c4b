//! Core: silence that stands for packets that did not come.
//!
//! Owns up to where the time line is covered, and since when there was nothing to hear. It does not
//! know how far the time line is off real time: that is `Arrival`.

use std::time::{Duration, Instant};

use super::{MILLI, ticks};

/// Silence is written in steps of 20 ms, as sound would come.
pub(super) const STEP: Duration = Duration::from_millis(20);
/// In a pause that may end a turn it is written in finer ones: somebody waits for the very step with
/// which it does.
const FINE_STEP: Duration = Duration::from_millis(10);
/// In a rest, when nobody waits for the next piece of silence any more, one step of 100 ms costs a
/// fifth. Sound that comes within a step goes on at once, with the silence before it.
pub(super) const REST_STEP: Duration = Duration::from_millis(100);
/// A pause is a rest from here on: every turn detector that counts silence has made up its mind.
const REST: Duration = Duration::from_secs(2);
/// What nobody hears is kept on its time line once a second.
const UNHEARD_STEP: Duration = Duration::from_secs(1);
/// After speech, beyond the jitter: three packets of 20 ms may be missing before it counts as a pause.
const HANG_SPEECH: Duration = Duration::from_millis(60);
/// From here on a pause is so long that its length may be corrected: every turn has ended.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// What was delivered last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// No packet yet.
    Nothing,
    /// A packet of silence, this long.
    Quiet(Duration),
    /// A packet of sound, this long.
    Speech(Duration),
}

/// Silence on one time line.
#[derive(Debug)]
pub(super) struct Silence {
    /// Up to here the time line is covered, by the sender's clock.
    covered: Instant,
    /// When the last packet came.
    arrival: Instant,
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
            arrival: now,
            since: Some(now),
            ticks: 0,
            quiet: Some(now),
        }
    }

    /// A packet is delivered that came this late. The pause behind it began when it was due: what
    /// the network held back makes no turn longer.
    pub(super) fn on_packet(&mut self, arrival: Instant, late: Duration, is_quiet: bool) {
        let due = arrival.checked_sub(late).unwrap_or(arrival);
        self.covered = self.covered.max(due);
        self.arrival = self.arrival.max(arrival);
        self.since = None;
        self.ticks = 0;
        self.quiet = self.quiet.or(Some(due)).filter(|_| is_quiet);
    }

    /// Covers the time since the last packet or the last step, in whole steps, so that a timer that
    /// is late once does not make all that follow late: how many ticks that are.
    pub(super) fn cover(&mut self, now: Instant) -> u64 {
        let elapsed = ticks(now.saturating_duration_since(self.covered));
        let elapsed = elapsed - elapsed % ticks(FINE_STEP);
        let since = *self.since.get_or_insert(self.covered);
        self.quiet.get_or_insert(since);
        self.covered += Duration::from_micros(elapsed * 1_000 / u64::from(MILLI));
        self.ticks += elapsed;
        elapsed
    }

    /// When more of it is due if no packet comes. `jitter` is how late 95 % of them are at most; one
    /// and a half times that is allowed for.
    pub(super) fn due(&self, is_unheard: bool, last: Last, jitter: Duration) -> Instant {
        let jitter = jitter * 3 / 2;
        match last {
            _ if is_unheard => self.covered + UNHEARD_STEP,
            _ if self.rests() => self.covered + REST_STEP,
            Last::Nothing => self.covered + STEP,
            _ if self.since.is_some() && self.ends_turns() => self.covered + STEP,
            _ if self.since.is_some() => self.covered + FINE_STEP,
            // Nothing is won by being early: packets of silence count as silence, too.
            Last::Quiet(length) => self.covered.max(self.arrival) + length + jitter,
            Last::Speech(length) => self.covered + length.max(HANG_SPEECH) + jitter,
        }
    }

    /// It stands for packets since the last one.
    pub(super) fn is_running(&self) -> bool {
        self.since.is_some()
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

    /// The pause is so long that every turn has ended.
    pub(super) fn ends_turns(&self) -> bool {
        self.quiet_for() >= LONG_PAUSE
    }

    /// Nothing but silence came for so long that nobody waits for the next piece of it.
    fn rests(&self) -> bool {
        self.quiet_for() >= REST
    }

    /// How long nothing but silence came.
    fn quiet_for(&self) -> Duration {
        self.quiet
            .map_or(Duration::ZERO, |since| self.covered.duration_since(since))
    }

    /// As if the time line were covered that much further.
    #[cfg(test)]
    pub(super) fn cover_ahead(&mut self, time: Duration) {
        self.covered += time;
    }
}
