//! Core: one stream of speech through a bad network, as the engine hands its packets out.
//!
//! With redundant coding (RFC 2198) a packet brings copies of those before it; the engine hands out
//! what is missing in front of the packet, once, as if it had been reordered. The pair tests of the
//! engine prove that.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use bytes::Bytes;
use libwebrtc::ext::Packet;

use crate::network::{Network, Run};

/// RTP time of a packet.
pub(crate) const TICKS: u32 = 960;
/// How long a packet sounds.
pub(crate) const PACKET: Duration = Duration::from_millis(20);
/// The first sequence number: it passes the sixteenth bit early.
pub(crate) const FIRST: u64 = 65_000;
/// The first timestamp: it wraps early.
const ORIGIN: u32 = u32::MAX - 480_000;

/// What protects a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// In-band FEC alone.
    Fec,
    /// In-band FEC, and each packet carries this many of those before it.
    Copies(u64),
}

/// One packet as the engine hands it out.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) at: Duration,
    pub(crate) number: u64,
    /// It is a copy that came with a later packet.
    pub(crate) is_copy: bool,
}

/// A stream of `count` packets, in order of arrival.
pub(crate) fn through(
    network: Network,
    protection: Protection,
    count: u64,
    seed: u64,
) -> Vec<Given> {
    let mut run = Run::new(network, seed);
    let mut arrivals = Vec::new();
    for number in 0..count {
        let sent = PACKET * number as u32;
        arrivals.extend(run.arrivals(sent).into_iter().map(|at| (at, number)));
    }
    arrivals.sort_unstable();
    let Protection::Copies(copies) = protection else {
        let given = |(at, number)| Given {
            at,
            number,
            is_copy: false,
        };
        return arrivals.into_iter().map(given).collect();
    };
    let mut known = HashSet::new();
    let mut given = Vec::new();
    for (at, carrier) in arrivals {
        let oldest = carrier.saturating_sub(copies);
        for number in oldest..=carrier {
            // Nothing is known before the first packet that came.
            let is_copy = number < carrier;
            if (!is_copy || !known.is_empty()) && known.insert(number) {
                given.push(Given {
                    at,
                    number,
                    is_copy,
                });
            }
        }
    }
    given
}

/// The packet of that number as the engine would hand it out.
pub(crate) fn packet(given: &Given, start: Instant, speech: &[Bytes]) -> Packet {
    Packet {
        sequence: FIRST + given.number,
        timestamp: timestamp(given.number),
        arrival: start + given.at,
        marker: false,
        audio_level: None,
        payload: speech[given.number as usize % speech.len()].clone(),
    }
}

/// RTP time of that packet.
pub(crate) fn timestamp(number: u64) -> u32 {
    ORIGIN.wrapping_add((number as u32).wrapping_mul(TICKS))
}
