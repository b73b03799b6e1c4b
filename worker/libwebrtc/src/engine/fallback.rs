//! Core: the ways that are tried last: the peer's TCP candidates and relays, kept until UDP had its
//! chance.
//!
//! A TCP connection costs both ends a socket, and loss on it stops the sound; so the peer is
//! called over TCP (RFC 6544, we take the active role) only while no path works.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::{
    Candidate,
    net::{Protocol, TcpType},
};

/// What UDP gets: a check takes one round trip, and a lost one is repeated after half a second.
const PATIENCE: Duration = Duration::from_secs(1);
/// Addresses that are called. A server has one or two; more would be a request to scan a network.
const ADDRESSES: usize = 4;

/// When addresses on relays are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RelayWish {
    /// There is no relay.
    #[default]
    Never,
    /// While no other path works.
    WhenNothingElse,
    /// Nothing else may be used.
    AtOnce,
}

/// The candidates that may be called.
#[derive(Default)]
pub(crate) struct Fallback {
    waiting: Vec<Candidate>,
    /// In this search; the newest ones.
    called: Vec<Candidate>,
    /// When the search for a path began.
    since: Option<Instant>,
    /// When a call was lost.
    lost: Option<Instant>,
    relays: RelayWish,
    /// In this search.
    has_asked_for_relays: bool,
}

impl Fallback {
    /// A search begins, for the first time or anew.
    pub(crate) fn search(&mut self, now: Instant) {
        self.since = Some(now);
        self.called.clear();
        self.has_asked_for_relays = false;
    }

    /// When relays are wanted, from now on.
    pub(crate) fn set_relays(&mut self, wish: RelayWish) {
        if self.relays != wish {
            self.relays = wish;
            self.has_asked_for_relays = false;
        }
    }

    /// A path that worked does not any more: relays may help, though they did not before.
    pub(crate) fn path_lost(&mut self) {
        self.has_asked_for_relays = false;
    }

    /// When relays are to be asked for, if no path works until then.
    pub(crate) fn relay_deadline(&self) -> Option<Instant> {
        let since = self.since.filter(|_| !self.has_asked_for_relays)?;
        match self.relays {
            RelayWish::Never => None,
            RelayWish::WhenNothingElse => Some(since + PATIENCE),
            RelayWish::AtOnce => Some(since),
        }
    }

    /// Whether relays are to be asked for now; once in a search.
    pub(crate) fn relays_due(&mut self, now: Instant) -> bool {
        let is_due = self
            .relay_deadline()
            .is_some_and(|deadline| deadline <= now);
        self.has_asked_for_relays |= is_due;
        is_due
    }

    /// Takes a candidate that accepts TCP connections; others are passed over. The newer one of an
    /// address counts: after a restart the same address comes under another name.
    pub(crate) fn offer(&mut self, candidate: Candidate) {
        let passive = candidate.tcptype() == Some(TcpType::Passive);
        if candidate.proto() != Protocol::Tcp || !passive {
            return;
        }
        self.called.retain(|known| known.addr() != candidate.addr());
        let mut waiting = self.waiting.iter();
        match waiting.position(|known| known.addr() == candidate.addr()) {
            Some(place) => self.waiting[place] = candidate,
            None if self.waiting.len() < ADDRESSES => self.waiting.push(candidate),
            None => {}
        }
    }

    /// A call to this address has ended, or came to nothing: it is made again when it is due.
    pub(crate) fn call_lost(&mut self, now: Instant, address: SocketAddr) {
        self.lost = Some(now);
        let mut called = self.called.iter();
        if let Some(place) = called.position(|candidate| candidate.addr() == address) {
            let candidate = self.called.remove(place);
            self.offer(candidate);
        }
    }

    /// When the peer is to be called, if no path works until then.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let since = self.since.filter(|_| !self.waiting.is_empty())?;
        // UDP has its chance again, and nobody is called in a loop.
        Some(self.lost.map_or(since, |lost| lost.max(since)) + PATIENCE)
    }

    /// Who is to be called now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Candidate> {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        let due = std::mem::take(&mut self.waiting);
        self.called.extend(due.iter().cloned());
        let too_many = self.called.len().saturating_sub(ADDRESSES);
        self.called.drain(..too_many);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(text: &str) -> Candidate {
        Candidate::from_sdp_string(text).expect("a candidate")
    }

    fn line(port: u16) -> String {
        format!("candidate:1 1 tcp 1671430143 10.0.0.1 {port} typ host tcptype passive")
    }

    fn passive(port: u16) -> Candidate {
        candidate(&line(port))
    }

    #[test]
    fn udp_has_a_second_and_then_each_address_is_called_once() {
        let start = Instant::now();
        let mut fallback = Fallback::default();
        fallback.offer(passive(7_881));
        fallback.offer(passive(7_881));
        assert_eq!(fallback.deadline(), None, "nothing is searched yet");
        fallback.search(start);
        assert_eq!(fallback.due(start + PATIENCE / 2), []);
        assert_eq!(fallback.due(start + PATIENCE), [passive(7_881)]);
        assert_eq!(fallback.due(start + PATIENCE * 2), []);
    }

    #[test]
    fn relays_are_asked_for_once_in_a_search_and_again_when_a_path_is_lost() {
        let start = Instant::now();
        let mut fallback = Fallback::default();
        fallback.search(start);
        assert_eq!(fallback.relay_deadline(), None, "there is none");
        fallback.set_relays(RelayWish::WhenNothingElse);
        assert!(!fallback.relays_due(start + PATIENCE / 2));
        assert!(fallback.relays_due(start + PATIENCE));
        assert!(!fallback.relays_due(start + PATIENCE * 2));
        fallback.path_lost();
        assert!(fallback.relays_due(start + PATIENCE * 3));
        fallback.set_relays(RelayWish::AtOnce);
        assert!(fallback.relays_due(start), "nothing else may be used");
    }

    #[test]
    fn a_candidate_that_comes_late_is_called_at_once() {
        let start = Instant::now();
        let mut fallback = Fallback::default();
        fallback.search(start);
        fallback.offer(passive(7_881));
        assert_eq!(fallback.due(start + PATIENCE * 3), [passive(7_881)]);
    }

    #[test]
    fn a_lost_call_is_made_again_a_second_later_unless_another_search_began() {
        let start = Instant::now();
        let mut fallback = Fallback::default();
        let address = passive(7_881).addr();
        fallback.offer(passive(7_881));
        fallback.search(start);
        assert_eq!(fallback.due(start + PATIENCE).len(), 1);
        let mut lost = start + PATIENCE * 9;
        for _ in 0..3 {
            fallback.call_lost(lost, address);
            assert_eq!(fallback.due(lost + PATIENCE / 2), []);
            lost += PATIENCE;
            assert_eq!(fallback.due(lost), [passive(7_881)]);
        }
        fallback.search(lost);
        fallback.call_lost(lost, address);
        assert_eq!(
            fallback.deadline(),
            None,
            "its name is not in force any more"
        );
    }

    #[test]
    fn an_address_is_called_under_its_newest_name() {
        let start = Instant::now();
        let named = |name: &str| candidate(&format!("{} ufrag {name}", line(7_881)));
        let mut fallback = Fallback::default();
        fallback.offer(named("a"));
        fallback.search(start);
        fallback.offer(named("b"));
        let due = fallback.due(start + PATIENCE);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].ufrag(), Some("b"));
    }

    #[test]
    fn only_those_that_accept_tcp_are_called_and_not_many() {
        let start = Instant::now();
        let mut fallback = Fallback::default();
        fallback.search(start);
        fallback.offer(candidate("candidate:1 1 udp 1 10.0.0.1 7882 typ host"));
        let active = "candidate:1 1 tcp 1 10.0.0.1 9 typ host tcptype active";
        fallback.offer(candidate(active));
        (1..100).for_each(|port| fallback.offer(passive(port)));
        assert_eq!(fallback.due(start + PATIENCE).len(), ADDRESSES);
    }
}
