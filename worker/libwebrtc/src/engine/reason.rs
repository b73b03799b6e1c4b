//! Core: why a connection is in the state it is in.
//!
//! Owns the closed list of reasons. It decides nothing: verdicts are in `liveness`, what a panic or
//! another certificate means is said where it is noticed.

/// Why a connection entered its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StateReason {
    /// None of our addresses that the connection used exists any more.
    AddressGone,
    /// We closed it.
    Closed,
    /// The peer is heard, on a path that was checked.
    Heard,
    /// The peer showed another certificate: it is somebody else, or it forgot us.
    FingerprintChanged,
    /// The peer talks, but encryption was never agreed on.
    HandshakeTimeout,
    /// Both descriptions are there: a path is looked for.
    Negotiated,
    /// The application does not read its messages.
    Overrun,
    /// A bug of ours.
    Panic,
    /// Our checks get no answer, although something may be heard.
    PathLost,
    /// The peer said goodbye.
    PeerClosed,
    /// The engine below could not go on.
    Protocol,
    /// Nothing was heard for a while.
    Silent,
    /// Nothing was ever heard.
    Unreachable,
}

impl StateReason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::AddressGone,
        Self::Closed,
        Self::Heard,
        Self::FingerprintChanged,
        Self::HandshakeTimeout,
        Self::Negotiated,
        Self::Overrun,
        Self::Panic,
        Self::PathLost,
        Self::PeerClosed,
        Self::Protocol,
        Self::Silent,
        Self::Unreachable,
    ];

    /// In a word, for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddressGone => "address_gone",
            Self::Closed => "closed",
            Self::Heard => "heard",
            Self::FingerprintChanged => "fingerprint_changed",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::Negotiated => "negotiated",
            Self::Overrun => "overrun",
            Self::Panic => "panic",
            Self::PathLost => "path_lost",
            Self::PeerClosed => "peer_closed",
            Self::Protocol => "protocol",
            Self::Silent => "silent",
            Self::Unreachable => "unreachable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let mut words = StateReason::ALL.map(StateReason::as_str).to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), StateReason::ALL.len());
    }
}
