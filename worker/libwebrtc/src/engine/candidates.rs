//! Candidates: those of our own addresses, which the application and the peer are told, and the peer's.
//! What lies beyond our own addresses is `reached.rs`.

use std::{net::SocketAddr, time::Instant};

use str0m::{Candidate, net::TcpType};

use super::{connection::Connection, events::Event};
use crate::{
    RtcError,
    ice_candidate::IceCandidate,
    peer_connection::{IceConnectionState, IceGatheringState},
};

impl Connection {
    /// One of our addresses is gone, and every path from it.
    pub(crate) fn remove_local(&mut self, address: SocketAddr) {
        self.withdraw(|candidate| candidate.local() == address);
        self.path.forget_ours(address);
    }

    /// One of our addresses. The peer is told with the next description.
    pub(crate) fn add_local(&mut self, address: SocketAddr) {
        if self.local_candidates.iter().any(|c| c.addr() == address) {
            return;
        }
        match Candidate::host(address, "udp") {
            Ok(candidate) => {
                self.rtc.add_local_candidate(candidate.clone());
                self.local_candidates.push(candidate);
            }
            Err(error) => tracing::debug!(%error, "address not usable"),
        }
    }

    /// The peer took our call: one more path to try.
    pub(crate) fn add_tcp(&mut self, local: SocketAddr) {
        if let Some(candidate) = tcp_candidate(local) {
            self.rtc.add_local_candidate(candidate);
        }
    }

    /// A call over TCP has ended, or came to nothing before we had an address.
    pub(crate) fn lose_tcp(&mut self, now: Instant, local: Option<SocketAddr>, remote: SocketAddr) {
        self.fallback.call_lost(now, remote);
        let Some(local) = local else {
            return;
        };
        self.remove_tcp(local);
        // str0m sees what is left when it is told the time.
        self.on_time(now);
        self.drain_due(now);
        // While it looks for a path anew it does not say that the old one is lost.
        let has_path = matches!(
            *self.status.ice.get(),
            IceConnectionState::Connected | IceConnectionState::Completed
        );
        if self.path.is_over_tcp(local) && !has_path {
            self.liveness.path(now, false);
        }
    }

    /// A TCP connection is gone, and the paths over it.
    pub(crate) fn remove_tcp(&mut self, local: SocketAddr) {
        if let Some(candidate) = tcp_candidate(local) {
            self.rtc.direct_api().invalidate_candidate(&candidate);
        }
    }

    /// Tells the application our candidates, once.
    pub(super) fn publish_candidates(&mut self) {
        if !self.status.gathering.replace(IceGatheringState::Gathering) {
            return;
        }
        let mid = self.first_mid();
        self.out
            .events
            .push(Event::GatheringState(IceGatheringState::Gathering));
        for candidate in &self.local_candidates {
            let line = candidate.to_sdp_string();
            self.out
                .events
                .push(Event::Candidate(IceCandidate::new(mid.clone(), 0, line)));
        }
        self.status.gathering.replace(IceGatheringState::Complete);
        self.out
            .events
            .push(Event::GatheringState(IceGatheringState::Complete));
    }

    /// A candidate of the peer. Names are passed over; TCP ones are kept for when UDP fails.
    pub(crate) fn add_remote_candidate(
        &mut self,
        candidate: &IceCandidate,
    ) -> Result<(), RtcError> {
        if !self.negotiation.has_remote() {
            return Err(RtcError::invalid_state(
                "a candidate before any remote description",
            ));
        }
        let line = candidate.candidate();
        if line.is_empty() || line.starts_with("end-of-candidates") {
            return Ok(());
        }
        let mut fields = line.split_ascii_whitespace().skip(2);
        let protocol = fields.next().unwrap_or_default().to_ascii_lowercase();
        let name = fields
            .nth(1)
            .is_some_and(|field| field.parse::<std::net::IpAddr>().is_err());
        if name || !matches!(protocol.as_str(), "udp" | "tcp") {
            return Ok(());
        }
        let candidate = Candidate::from_sdp_string(&line)
            .map_err(|error| RtcError::invalid_sdp(format!("not a candidate: {error}")))?;
        self.stats.on_remote_candidate(&candidate);
        match protocol.as_str() {
            "tcp" => self.fallback.offer(candidate),
            _ => self.rtc.add_remote_candidate(candidate),
        }
        Ok(())
    }
}

/// Our end of a call over TCP.
pub(super) fn tcp_candidate(local: SocketAddr) -> Option<Candidate> {
    let candidate = Candidate::builder().tcp().host(local);
    candidate.tcptype(TcpType::Active).build().ok()
}
