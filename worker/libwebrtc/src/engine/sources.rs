//! Who speaks in which section, kept against forgery.
//!
//! str0m believes a packet's header before it has authenticated the packet: one forged packet that names a
//! section gives the section another source (SSRC), and the real one, being the former, is not
//! taken back. So what an unproven packet changed is changed back. Decides nothing else.

use std::sync::Arc;

use str0m::{Rtc, media::Mid, rtp::Ssrc};

use super::{transceivers::TransceiverShared, wire::rtp_head};

/// A packet of a source that nobody knows yet, and who spoke where before it came.
pub(super) struct Claim {
    source: Ssrc,
    before: Vec<(Mid, Ssrc)>,
}

impl Claim {
    /// `None` when the datagram claims nothing: it is no RTP, or its source is known.
    pub(super) fn of(
        datagram: &[u8],
        rtc: &mut Rtc,
        sections: &[Arc<TransceiverShared>],
    ) -> Option<Self> {
        let source = Ssrc::from(rtp_head(datagram)?.ssrc);
        if rtc.direct_api().stream_rx(&source).is_some() {
            return None;
        }
        let mids = sections.iter().filter_map(|section| section.str0m_mid());
        let before = mids.filter_map(|mid| Some((mid, source_of(rtc, mid)?)));
        Some(Self {
            source,
            before: before.collect(),
        })
    }

    /// The packet was not proven: it never came, and whoever spoke before, speaks.
    pub(super) fn withdraw(self, rtc: &mut Rtc) {
        let mut streams = rtc.direct_api();
        streams.remove_stream_rx(self.source);
        for (mid, source) in self.before {
            if streams.stream_rx(&source).is_none() {
                let stream = streams.expect_stream_rx(source, None, mid, None);
                stream.suppress_nack(true);
            }
        }
    }
}

fn source_of(rtc: &mut Rtc, mid: Mid) -> Option<Ssrc> {
    let mut streams = rtc.direct_api();
    let stream = streams.stream_rx_by_mid(mid, None)?;
    Some(stream.ssrc())
}
