//! Core: is the peer still there? str0m has no "failed", and a peer that vanished says nothing, so
//! the time since anything was heard decides. Google's engine takes about the same times.

use std::time::{Duration, Instant};

use super::reason::StateReason;

/// Silence after which the connection counts as disconnected. Peers check the path every 2–3 s,
/// so two checks in a row were lost.
pub(crate) const SILENT: Duration = Duration::from_secs(5);
/// Silence after which the connection has failed.
pub(crate) const DEAD: Duration = Duration::from_secs(15);
/// A peer that talks but never finishes the handshake has failed after this time.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(30);
/// From the peer's goodbye to the failure. A server that ends a call says goodbye here and why on
/// the signal connection; whoever reconnects before the why has come walks into a call that is over,
/// or into the place of somebody else. Google's engine does not fail on a goodbye at all.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// What the clock says about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Both descriptions are not there yet.
    Idle,
    /// Under way, not connected yet.
    Connecting,
    /// Heard lately.
    Alive,
    /// Not heard for [`SILENT`], or the peer has just said goodbye.
    Silent,
    /// Not heard for [`DEAD`], or never finished the handshake, or [`FAREWELL`] after the goodbye.
    Dead,
}

/// When what was heard.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    /// When looking for a path began, or began anew.
    started: Option<Instant>,
    heard: Option<Instant>,
    connected: bool,
    /// Since when str0m has no working path although something is heard.
    path_lost: Option<Instant>,
    /// Our address on the path is gone: waiting is of no use.
    address_gone: bool,
    /// Restarted without a working path, and none was found since.
    is_unproven: bool,
    /// The peer said goodbye; nothing takes that back.
    goodbye: Option<Instant>,
}

impl Liveness {
    /// Both descriptions are there: the search for a path begins (again). A restart of a path that
    /// works goes unseen; one that does not must be found anew before anybody may call it connected,
    /// or the room library would take the restart itself for the cure.
    pub(crate) fn start(&mut self, now: Instant) {
        self.is_unproven |= self.connected && self.verdict(now) != Verdict::Alive;
        self.started = Some(now);
        self.path_lost = None;
        self.address_gone = false;
    }

    /// A packet of the peer came.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = self.heard.max(Some(now));
    }

    /// The address of ours on which the peer was heard does not exist any more.
    pub(crate) fn address_gone(&mut self) {
        self.address_gone = true;
    }

    /// The peer said goodbye.
    pub(crate) fn goodbye(&mut self, now: Instant) {
        self.goodbye.get_or_insert(now);
    }

    pub(crate) fn has_said_goodbye(&self) -> bool {
        self.goodbye.is_some()
    }

    /// ICE and DTLS are through.
    pub(crate) fn connected(&mut self) {
        self.connected = true;
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    /// str0m found a path, or lost it.
    pub(crate) fn path(&mut self, now: Instant, works: bool) {
        self.is_unproven &= !works;
        self.path_lost = match works {
            true => None,
            false => self.path_lost.or(Some(now)),
        };
    }

    pub(crate) fn verdict(&self, now: Instant) -> Verdict {
        let Some(started) = self.started else {
            return Verdict::Idle;
        };
        let quiet = now.saturating_duration_since(self.last_sign(started));
        let is_over = |goodbye: Instant| now.saturating_duration_since(goodbye) >= FAREWELL;
        if quiet >= DEAD || self.address_gone || self.goodbye.is_some_and(is_over) {
            return Verdict::Dead;
        }
        if self.goodbye.is_some() {
            return Verdict::Silent;
        }
        if !self.connected || self.is_unproven {
            let late = now.saturating_duration_since(started) >= HANDSHAKE;
            return if late {
                Verdict::Dead
            } else {
                Verdict::Connecting
            };
        }
        if quiet >= SILENT || self.path_lost.is_some() {
            Verdict::Silent
        } else {
            Verdict::Alive
        }
    }

    /// What the verdict rests on.
    pub(crate) fn reason(&self, now: Instant) -> StateReason {
        match self.verdict(now) {
            Verdict::Idle | Verdict::Connecting => StateReason::Negotiated,
            Verdict::Alive => StateReason::Heard,
            Verdict::Silent | Verdict::Dead => self.what_is_wrong(now),
        }
    }

    fn what_is_wrong(&self, now: Instant) -> StateReason {
        let quiet = |heard: Instant| now.saturating_duration_since(heard) >= SILENT;
        match self.heard {
            _ if self.goodbye.is_some() => StateReason::PeerClosed,
            _ if self.address_gone => StateReason::AddressGone,
            None => StateReason::Unreachable,
            Some(heard) if quiet(heard) => StateReason::Silent,
            Some(_) if self.path_lost.is_some() => StateReason::PathLost,
            Some(_) => StateReason::HandshakeTimeout,
        }
    }

    /// str0m has no working path, although the connection stood.
    pub(crate) fn has_lost_path(&self) -> bool {
        self.path_lost.is_some()
    }

    /// When the verdict may change without anything happening.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let started = self.started?;
        let sign = self.last_sign(started);
        match self.verdict(now) {
            Verdict::Idle | Verdict::Dead => None,
            Verdict::Connecting => Some((sign + DEAD).min(started + HANDSHAKE)),
            Verdict::Alive => Some(sign + SILENT),
            Verdict::Silent => {
                let farewell = self.goodbye.map(|goodbye| goodbye + FAREWELL);
                Some(farewell.unwrap_or(sign + DEAD))
            }
        }
    }

    /// The last sign of a working path: of what was heard and what was found, the older one.
    fn last_sign(&self, started: Instant) -> Instant {
        let heard = self.heard.map_or(started, |heard| heard.max(started));
        self.path_lost.map_or(heard, |lost| lost.min(heard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(start: Instant) -> Liveness {
        let mut liveness = Liveness::default();
        liveness.start(start);
        liveness.heard(start);
        liveness.connected();
        liveness
    }

    #[test]
    fn silence_disconnects_after_five_seconds_and_fails_after_fifteen() {
        let start = Instant::now();
        let liveness = connected(start);
        let cases = [
            (4, Verdict::Alive),
            (5, Verdict::Silent),
            (14, Verdict::Silent),
        ];
        for (seconds, verdict) in cases {
            assert_eq!(
                liveness.verdict(start + Duration::from_secs(seconds)),
                verdict
            );
        }
        assert_eq!(liveness.verdict(start + DEAD), Verdict::Dead);
        assert_eq!(liveness.deadline(start), Some(start + SILENT));
        assert_eq!(liveness.deadline(start + SILENT), Some(start + DEAD));
    }

    #[test]
    fn one_packet_revives_a_silent_connection() {
        let start = Instant::now();
        let mut liveness = connected(start);
        liveness.heard(start + Duration::from_secs(9));
        assert_eq!(
            liveness.verdict(start + Duration::from_secs(10)),
            Verdict::Alive
        );
    }

    #[test]
    fn a_peer_that_talks_without_a_working_path_fails_too() {
        let start = Instant::now();
        let mut liveness = connected(start);
        liveness.path(start, false);
        liveness.heard(start + DEAD);
        assert_eq!(liveness.verdict(start + DEAD), Verdict::Dead);
    }

    #[test]
    fn an_ice_restart_gives_a_dead_connection_another_chance() {
        let start = Instant::now();
        let mut liveness = connected(start);
        let later = start + Duration::from_secs(20);
        liveness.start(later);
        assert_eq!(liveness.verdict(later), Verdict::Connecting);
        assert_eq!(liveness.verdict(later + DEAD), Verdict::Dead);
        liveness.start(later + DEAD);
        liveness.heard(later + DEAD);
        liveness.path(later + DEAD, true);
        assert_eq!(liveness.verdict(later + DEAD), Verdict::Alive);
    }

    #[test]
    fn a_restart_of_a_path_that_works_goes_unseen() {
        let start = Instant::now();
        let mut liveness = connected(start);
        let soon = start + Duration::from_secs(2);
        liveness.start(soon);
        assert_eq!(liveness.verdict(soon), Verdict::Alive);
    }

    #[test]
    fn every_verdict_has_its_reason() {
        let start = Instant::now();
        let mut fresh = Liveness::default();
        fresh.start(start);
        assert_eq!(fresh.reason(start), StateReason::Negotiated);
        assert_eq!(fresh.reason(start + DEAD), StateReason::Unreachable);
        fresh.heard(start + HANDSHAKE);
        assert_eq!(
            fresh.reason(start + HANDSHAKE),
            StateReason::HandshakeTimeout
        );

        let mut stood = connected(start);
        assert_eq!(stood.reason(start), StateReason::Heard);
        assert_eq!(stood.reason(start + SILENT), StateReason::Silent);
        assert_eq!(stood.reason(start + DEAD), StateReason::Silent);
        stood.path(start, false);
        stood.heard(start + DEAD);
        assert_eq!(stood.reason(start + DEAD), StateReason::PathLost);
    }

    #[test]
    fn an_endless_handshake_fails() {
        let start = Instant::now();
        let mut liveness = Liveness::default();
        liveness.start(start);
        liveness.heard(start + HANDSHAKE);
        assert_eq!(liveness.verdict(start + HANDSHAKE), Verdict::Dead);
    }

    #[test]
    fn a_goodbye_disconnects_at_once_and_fails_a_second_later_for_good() {
        let start = Instant::now();
        let mut liveness = connected(start);
        liveness.goodbye(start);
        assert_eq!(liveness.verdict(start), Verdict::Silent);
        assert_eq!(liveness.reason(start), StateReason::PeerClosed);
        let over = start + FAREWELL;
        assert_eq!(liveness.deadline(start), Some(over));
        liveness.goodbye(over);
        liveness.start(over);
        liveness.heard(over);
        assert_eq!(liveness.verdict(over), Verdict::Dead);
        assert_eq!(liveness.reason(over), StateReason::PeerClosed);
    }

    #[test]
    fn an_address_that_is_gone_is_not_waited_for_and_a_restart_forgets_it() {
        let start = Instant::now();
        let mut liveness = connected(start);
        liveness.address_gone();
        assert_eq!(liveness.verdict(start), Verdict::Dead);
        assert_eq!(liveness.reason(start), StateReason::AddressGone);
        liveness.start(start);
        assert_eq!(liveness.verdict(start), Verdict::Connecting);
    }
}
