//! Core: the path the peer was heard on last: when it is tried again, and when our end is in doubt.
//!
//! Owns both addresses of it. Whether an address still exists is found out by whoever asks.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// How often a path that was given up is tried again, until the connection fails. str0m tries a
/// path no more once it gave it up, and a server may never check by itself.
const RECHECK: Duration = Duration::from_secs(1);
/// How often our address is looked for while there is doubt.
const LOOK: Duration = Duration::from_secs(1);

/// The path heard last.
#[derive(Debug, Default)]
pub(crate) struct LastPath {
    peer: Option<SocketAddr>,
    ours: Option<SocketAddr>,
    /// Our end of the TCP connection, when it was heard on one.
    over_tcp: Option<SocketAddr>,
    recheck_at: Option<Instant>,
    doubted_at: Option<Instant>,
    in_doubt: bool,
}

impl LastPath {
    /// Something came; `ours` is none when it came over a relay.
    pub(crate) fn heard(&mut self, peer: SocketAddr, ours: Option<SocketAddr>) {
        self.peer = Some(peer);
        self.ours = ours;
        self.over_tcp = None;
    }

    /// Something came over a TCP connection. It is not tried again like other paths: the peer is
    /// called anew.
    pub(crate) fn heard_over_tcp(&mut self, ours: SocketAddr) {
        self.over_tcp = Some(ours);
    }

    /// Whether the peer was heard last over the TCP connection with this end.
    pub(crate) fn is_over_tcp(&self, ours: SocketAddr) -> bool {
        self.over_tcp == Some(ours)
    }

    /// The peer's address to be tried again now, if the path is lost.
    pub(crate) fn recheck(&mut self, now: Instant, is_lost: bool) -> Option<SocketAddr> {
        let Some(peer) = self.peer.filter(|_| is_lost) else {
            self.recheck_at = None;
            return None;
        };
        if self.recheck_at.is_some_and(|at| at > now) {
            return None;
        }
        self.recheck_at = Some(now + RECHECK);
        Some(peer)
    }

    /// When the path is to be tried again.
    pub(crate) fn recheck_at(&self) -> Option<Instant> {
        self.recheck_at
    }

    /// The system refused to send from it, or the peer fell silent.
    pub(crate) fn doubt(&mut self, now: Instant) {
        let lately = |at: Instant| now.saturating_duration_since(at) < LOOK;
        if !self.doubted_at.is_some_and(lately) {
            self.doubted_at = Some(now);
            self.in_doubt = true;
        }
    }

    /// The address of ours that is in doubt; once.
    pub(crate) fn take_doubt(&mut self) -> Option<SocketAddr> {
        let in_doubt = std::mem::take(&mut self.in_doubt);
        self.ours.filter(|_| in_doubt)
    }

    /// This address is ours no more.
    pub(crate) fn forget_ours(&mut self, address: SocketAddr) {
        self.ours = self.ours.filter(|ours| *ours != address);
    }

    /// Where the peer was heard last.
    #[cfg(test)]
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> LastPath {
        let mut path = LastPath::default();
        path.heard(address(1), Some(address(2)));
        path
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    #[test]
    fn a_lost_path_is_tried_once_a_second_and_a_sound_one_never() {
        let start = Instant::now();
        let mut path = path();
        assert_eq!(path.recheck(start, false), None);
        assert_eq!(path.recheck(start, true), Some(address(1)));
        assert_eq!(path.recheck(start + RECHECK / 2, true), None);
        assert_eq!(path.recheck_at(), Some(start + RECHECK));
        assert_eq!(path.recheck(start + RECHECK, true), Some(address(1)));
        assert_eq!(path.recheck(start + RECHECK, false), None);
        assert_eq!(path.recheck_at(), None);
    }

    #[test]
    fn the_last_packet_says_whether_the_path_is_a_tcp_connection() {
        let mut path = path();
        path.heard_over_tcp(address(3));
        assert!(path.is_over_tcp(address(3)) && !path.is_over_tcp(address(2)));
        path.heard(address(1), Some(address(2)));
        assert!(!path.is_over_tcp(address(3)));
    }

    #[test]
    fn a_doubt_is_looked_into_once_a_second_however_often_it_is_raised() {
        let start = Instant::now();
        let mut path = path();
        assert_eq!(path.take_doubt(), None);
        path.doubt(start);
        assert_eq!(path.take_doubt(), Some(address(2)));
        path.doubt(start + LOOK / 2);
        assert_eq!(path.take_doubt(), None);
        path.doubt(start + LOOK);
        assert_eq!(path.take_doubt(), Some(address(2)));
        assert_eq!(path.take_doubt(), None);
    }
}
