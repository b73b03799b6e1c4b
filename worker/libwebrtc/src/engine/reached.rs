//! Candidates beyond our own addresses: how others see us, and where relays take packets for us.

use std::net::SocketAddr;

use str0m::{Candidate, CandidateKind};

use super::{connection::Connection, events::Event, reach::InUse};
use crate::{
    ice_candidate::IceCandidate,
    peer_connection::{IceCandidateError, IceGatheringState},
    peer_connection_factory::IceTransportsType,
};

/// No answer from the server (WebRTC 1.0 section 4.8.3).
const UNREACHABLE: i32 = 701;

/// Our addresses on relays, and whether the peer was heard on one.
#[derive(Debug, Default)]
pub(super) struct Reached {
    relayed: Vec<SocketAddr>,
    last: Option<SocketAddr>,
}

impl Reached {
    pub(super) fn is_relayed(&self, address: SocketAddr) -> bool {
        self.relayed.contains(&address)
    }

    /// Something came to this address.
    pub(super) fn heard_at(&mut self, address: SocketAddr) {
        self.last = self.is_relayed(address).then_some(address);
    }
}

impl Connection {
    /// Others see a socket of ours at this address.
    pub(crate) fn add_reflexive(&mut self, address: SocketAddr, base: SocketAddr) {
        if address != base {
            self.add_late(Candidate::server_reflexive(address, base, "udp"));
        }
    }

    /// A relay takes packets for us at this address.
    pub(crate) fn add_relayed(&mut self, address: SocketAddr, local: SocketAddr) {
        if !self.reached.is_relayed(address) {
            self.reached.relayed.push(address);
        }
        self.add_late(Candidate::relayed(address, local, "udp"));
    }

    /// It does so no more.
    pub(crate) fn remove_relayed(&mut self, address: SocketAddr) {
        self.reached.relayed.retain(|known| *known != address);
        self.withdraw(|candidate| {
            candidate.kind() == CandidateKind::Relayed && candidate.addr() == address
        });
    }

    /// Lets go of the candidates that may not be used.
    pub(crate) fn limit(&mut self, policy: IceTransportsType) {
        if policy != IceTransportsType::All {
            self.withdraw(|candidate| candidate.kind() != CandidateKind::Relayed);
        }
    }

    /// What the connection talks over.
    pub(crate) fn in_use(&self) -> InUse {
        match self.reached.last {
            _ if !self.liveness.is_connected() || self.liveness.has_lost_path() => InUse::NoPath,
            Some(relayed) => InUse::Relay(relayed),
            None => InUse::Direct,
        }
    }

    /// A STUN or TURN server was of no use.
    pub(crate) fn server_failed(&mut self, url: String) {
        let error = IceCandidateError {
            address: String::new(),
            port: 0,
            url,
            error_code: UNREACHABLE,
            error_text: "the server gave no address".to_owned(),
        };
        self.out.events.push(Event::CandidateError(error));
    }

    pub(super) fn withdraw(&mut self, gone: impl Fn(&Candidate) -> bool) {
        let gone = |candidate: &mut Candidate| gone(candidate);
        for candidate in self.local_candidates.extract_if(.., gone) {
            self.rtc.direct_api().invalidate_candidate(&candidate);
        }
    }

    /// The peer is told at once when it was told the others already.
    fn add_late(&mut self, candidate: Result<Candidate, str0m::error::IceError>) {
        let candidate = match candidate {
            Ok(candidate) => candidate,
            Err(error) => {
                tracing::debug!(%error, "address not usable");
                return;
            }
        };
        let same = |known: &Candidate| {
            known.addr() == candidate.addr() && known.local() == candidate.local()
        };
        if self.local_candidates.iter().any(same) {
            return;
        }
        self.rtc.add_local_candidate(candidate.clone());
        if *self.status.gathering.get() != IceGatheringState::New {
            let (mid, line) = (self.first_mid(), candidate.to_sdp_string());
            let told = IceCandidate::new(mid, 0, line);
            self.out.events.push(Event::Candidate(told));
        }
        self.local_candidates.push(candidate);
    }
}
