//! Core: process-wide settings of the WebRTC engine, as the operator writes them.

use std::{ops::RangeInclusive, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `[engine]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Offer loopback addresses too: for a LiveKit server on this machine. Default: false.
    pub loopback: bool,
    /// UDP ports for media, first to last, such as `40000-40999`; every session takes two.
    /// Default: the system's choice.
    #[schemars(extend("format" = "port-range"))]
    pub udp_ports: Option<String>,
    /// Names of the network interfaces to use. Default: all.
    pub interfaces: Vec<String>,
    /// A file of certificate authorities (PEM) that LiveKit's relays over TLS may be known to, besides the
    /// public ones. Default: none.
    pub ca_file: Option<PathBuf>,
    /// Threads for sockets, 1 to 64. Default: one for each processor.
    #[schemars(range(min = 1, max = 64))]
    pub io_threads: Option<usize>,
    /// When the agent's packets carry in-band FEC, from which a lost predecessor is rebuilt:
    /// `auto` (while the LiveKit server reports loss of what it gets from this worker), `always` or
    /// `off`. The reports say nothing about the way from the server to the people in the room: where
    /// that is lossy, use `always`. Costs up to a third more CPU per speaking agent. Default: `auto`.
    pub fec: Fec,
}

/// When the agent's packets carry in-band FEC.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fec {
    /// In every packet.
    Always,
    /// While the server reports loss.
    #[default]
    Auto,
    /// Never.
    Off,
}

impl Config {
    /// The ports as a range; `None` = the system's choice.
    pub fn ports(&self) -> Option<RangeInclusive<u16>> {
        self.udp_ports.as_deref().and_then(port_range)
    }
}

/// Reads `first-last`; both at least 1, in order.
pub(super) fn port_range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first > 0 && first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_a_range_in_order() {
        assert_eq!(port_range("40000-40999"), Some(40000..=40999));
        assert_eq!(port_range("7-7"), Some(7..=7));
        for nonsense in ["", "40000", "2-1", "0-5", "1-70000", "a-b"] {
            assert_eq!(port_range(nonsense), None, "{nonsense}");
        }
    }
}
