//! From what str0m and the connection count to the shapes of `get_stats`.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use str0m::{
    media::Mid,
    stats::{MediaEgressStats, MediaIngressStats, PeerStats},
};

use super::{channels::ChannelShared, connection::Connection, transceivers::TransceiverShared};
use crate::{
    MediaType,
    media_stream_track::MediaStreamTrack,
    peer_connection::PeerConnectionState,
    stats::{
        CandidatePairStats, CodecStats, DataChannelStats, DtlsTransportState,
        IceCandidatePairState, IceCandidateType, InboundRtpStats, LocalCandidateStats,
        OutboundRtpStats, PeerConnectionStats, RemoteCandidateStats, RemoteInboundRtpStats,
        RtcStats, TransportStats, dictionaries,
    },
};

const TRANSPORT: &str = "T";
const CODEC: &str = "C-opus";
/// RTP clock of Opus in Hz.
const CLOCK: f64 = 48_000.0;

/// Which half of a section is asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Sender,
    Receiver,
}

/// What was counted so far. str0m counts every two seconds.
#[derive(Default)]
pub(crate) struct StatsBook {
    peer: Option<PeerStats>,
    ingress: HashMap<Mid, MediaIngressStats>,
    egress: HashMap<Mid, MediaEgressStats>,
    pub(crate) datagrams_received: u64,
    /// Datagrams the system did not take. UDP may lose them.
    pub(crate) unsent: u64,
    /// SRTP and SRTCP packets that failed their authentication.
    pub(crate) refused_packets: u64,
}

/// What all connections of the process refused so far.
static REFUSED_PACKETS: AtomicU64 = AtomicU64::new(0);
static REFUSED_PEERS: AtomicU64 = AtomicU64::new(0);

/// Packets that failed their authentication, and peers whose certificate was not the announced one.
pub(crate) fn refused() -> (u64, u64) {
    (
        REFUSED_PACKETS.load(Ordering::Relaxed),
        REFUSED_PEERS.load(Ordering::Relaxed),
    )
}

impl StatsBook {
    pub(crate) fn on_peer(&mut self, stats: PeerStats) {
        self.peer = Some(stats);
    }

    pub(crate) fn on_ingress(&mut self, stats: MediaIngressStats) {
        self.ingress.insert(stats.mid, stats);
    }

    pub(crate) fn on_egress(&mut self, stats: MediaEgressStats) {
        self.egress.insert(stats.mid, stats);
    }

    /// A packet failed its authentication: forged, damaged or of an earlier association.
    pub(crate) fn on_refused_packet(&mut self) {
        REFUSED_PACKETS.fetch_add(1, Ordering::Relaxed);
        if self.refused_packets == 0 {
            tracing::warn!("a packet failed its authentication; more of them are only counted");
        }
        self.refused_packets += 1;
    }

    /// The peer's certificate is not the one its description announced.
    pub(crate) fn on_refused_peer() {
        REFUSED_PEERS.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn on_message(&self, channel: &ChannelShared, bytes: usize) {
        channel
            .counters
            .messages_received
            .fetch_add(1, Ordering::Relaxed);
        channel
            .counters
            .bytes_received
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn on_sent_message(&self, channel: &ChannelShared, bytes: usize) {
        channel
            .counters
            .messages_sent
            .fetch_add(1, Ordering::Relaxed);
        channel
            .counters
            .bytes_sent
            .fetch_add(bytes as u64, Ordering::Release);
    }

    /// One side of some sections.
    pub(crate) fn sections<'a>(
        &self,
        sections: impl Iterator<Item = &'a Arc<TransceiverShared>>,
        side: Side,
    ) -> Vec<RtcStats> {
        let mut report = Vec::new();
        for section in sections {
            let Some(mid) = section.str0m_mid() else {
                continue;
            };
            match side {
                Side::Sender => self.outbound(section, mid, &mut report),
                Side::Receiver => self.inbound(section, mid, &mut report),
            }
        }
        report
    }

    fn inbound(&self, section: &TransceiverShared, mid: Mid, report: &mut Vec<RtcStats>) {
        let Some(stats) = self.ingress.get(&mid) else {
            return;
        };
        let packets = stats.packets as f64;
        let loss = f64::from(stats.loss.unwrap_or(0.0)).clamp(0.0, 0.99);
        report.push(RtcStats::InboundRtp(InboundRtpStats {
            rtc: entry(format!("I-{mid}")),
            stream: stream(section),
            received: dictionaries::ReceivedRtpStreamStats {
                packets_received: stats.packets,
                packets_lost: (packets * loss / (1.0 - loss)) as i64,
                jitter: f64::from(stats.jitter) / CLOCK,
            },
            inbound: dictionaries::InboundRtpStreamStats {
                track_identifier: section.remote_track().id(),
                mid: mid.to_string(),
                bytes_received: stats.bytes,
                nack_count: stats.nacks as u32,
                pli_count: stats.plis as u32,
                fir_count: stats.firs as u32,
                ..playout(section)
            },
        }));
    }

    fn outbound(&self, section: &TransceiverShared, mid: Mid, report: &mut Vec<RtcStats>) {
        let Some(stats) = self.egress.get(&mid) else {
            return;
        };
        let remote_id = format!("RI-{mid}");
        report.push(RtcStats::OutboundRtp(OutboundRtpStats {
            rtc: entry(format!("O-{mid}")),
            stream: stream(section),
            sent: dictionaries::SentRtpStreamStats {
                packets_sent: stats.packets,
                bytes_sent: stats.bytes,
            },
            outbound: dictionaries::OutboundRtpStreamStats {
                mid: mid.to_string(),
                remote_id: remote_id.clone(),
                nack_count: stats.nacks as u32,
                active: true,
                ..Default::default()
            },
        }));
        let Some(remote) = &stats.remote else { return };
        report.push(RtcStats::RemoteInboundRtp(RemoteInboundRtpStats {
            rtc: entry(remote_id),
            stream: stream(section),
            received: dictionaries::ReceivedRtpStreamStats {
                packets_lost: remote.packets_lost as i64,
                jitter: f64::from(remote.jitter) / CLOCK,
                ..Default::default()
            },
            remote_inbound: dictionaries::RemoteInboundRtpStreamStats {
                local_id: format!("O-{mid}"),
                round_trip_time: seconds(stats.rtt),
                fraction_lost: f64::from(stats.loss.unwrap_or(0.0)),
                ..Default::default()
            },
        }));
    }

    /// The whole connection.
    pub(crate) fn everything(&self, connection: &Connection) -> Vec<RtcStats> {
        let mut report = self.sections(connection.transceivers.iter(), Side::Sender);
        report.extend(self.sections(connection.transceivers.iter(), Side::Receiver));
        report.push(codec());
        report.push(RtcStats::PeerConnection(PeerConnectionStats {
            rtc: entry("P".to_owned()),
            pc: dictionaries::PeerConnectionStats {
                data_channels_opened: connection.channels.opened,
                data_channels_closed: connection.channels.closed,
            },
        }));
        report.extend(connection.channels.all().map(|channel| of_channel(channel)));
        self.transport(connection, &mut report);
        report
    }

    fn transport(&self, connection: &Connection, report: &mut Vec<RtcStats>) {
        let connected = *connection.status.connection.get() == PeerConnectionState::Connected;
        let pair = self
            .peer
            .as_ref()
            .and_then(|peer| peer.selected_candidate_pair.as_ref());
        report.push(RtcStats::Transport(TransportStats {
            rtc: entry(TRANSPORT.to_owned()),
            transport: dictionaries::TransportStats {
                packets_received: self.datagrams_received,
                bytes_sent: self.peer.as_ref().map_or(0, |peer| peer.peer_bytes_tx),
                bytes_received: self.peer.as_ref().map_or(0, |peer| peer.peer_bytes_rx),
                dtls_state: Some(match connected {
                    true => DtlsTransportState::Connected,
                    false => DtlsTransportState::New,
                }),
                selected_candidate_pair_id: pair.map_or(String::new(), |_| "CP".to_owned()),
                ..Default::default()
            },
        }));
        let Some(pair) = pair else { return };
        report.push(RtcStats::CandidatePair(CandidatePairStats {
            rtc: entry("CP".to_owned()),
            candidate_pair: dictionaries::CandidatePairStats {
                transport_id: TRANSPORT.to_owned(),
                local_candidate_id: "CL".to_owned(),
                remote_candidate_id: "CR".to_owned(),
                state: Some(IceCandidatePairState::Succeeded),
                nominated: true,
                packets_received: self.datagrams_received,
                packets_discarded_on_send: self.unsent as u32,
                current_round_trip_time: seconds(pair.current_round_trip_time),
                total_round_trip_time: pair.total_round_trip_time.as_secs_f64(),
                responses_received: pair.responses_received,
                ..Default::default()
            },
        }));
        report.push(RtcStats::LocalCandidate(LocalCandidateStats {
            rtc: entry("CL".to_owned()),
            local_candidate: candidate(pair.local.addr, IceCandidateType::Host),
        }));
        report.push(RtcStats::RemoteCandidate(RemoteCandidateStats {
            rtc: entry("CR".to_owned()),
            remote_candidate: candidate(pair.remote.addr, IceCandidateType::Host),
        }));
    }
}

/// What paced streams of the track did. Samples are those of the 48 kHz clock at any rate.
fn playout(section: &TransceiverShared) -> dictionaries::InboundRtpStreamStats {
    let MediaStreamTrack::Audio(track) = section.remote_track() else {
        return dictionaries::InboundRtpStreamStats::default();
    };
    let counts = track.inner.remote().map(|remote| remote.paced().counts());
    let counts = counts.unwrap_or_default();
    dictionaries::InboundRtpStreamStats {
        jitter_buffer_delay: counts.held_nanos as f64 / 1e9 * CLOCK,
        jitter_buffer_emitted_count: counts.emitted,
        total_samples_received: counts.emitted + counts.rebuilt + counts.concealed + counts.silent,
        concealed_samples: counts.concealed + counts.silent,
        silent_concealed_samples: counts.silent,
        concealment_events: counts.concealments,
        removed_samples_for_acceleration: counts.shed,
        packets_discarded: counts.late + counts.overflowed,
        ..Default::default()
    }
}

fn of_channel(channel: &ChannelShared) -> RtcStats {
    let counters = &channel.counters;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    RtcStats::DataChannel(DataChannelStats {
        rtc: entry(format!("D-{}", channel.id())),
        dc: dictionaries::DataChannelStats {
            label: channel.label().to_owned(),
            protocol: channel.protocol().to_owned(),
            data_channel_identifier: channel.id(),
            state: Some(channel.state()),
            messages_sent: count(&counters.messages_sent) as u32,
            bytes_sent: count(&counters.bytes_sent),
            messages_received: count(&counters.messages_received) as u32,
            bytes_received: count(&counters.bytes_received),
        },
    })
}

fn codec() -> RtcStats {
    RtcStats::Codec(CodecStats {
        rtc: entry(CODEC.to_owned()),
        codec: dictionaries::CodecStats {
            payload_type: 111,
            transport_id: TRANSPORT.to_owned(),
            mime_type: "audio/opus".to_owned(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        },
    })
}

fn candidate(
    address: std::net::SocketAddr,
    kind: IceCandidateType,
) -> dictionaries::IceCandidateStats {
    dictionaries::IceCandidateStats {
        transport_id: TRANSPORT.to_owned(),
        address: address.ip().to_string(),
        port: i32::from(address.port()),
        protocol: "udp".to_owned(),
        candidate_type: Some(kind),
        ..Default::default()
    }
}

fn stream(section: &TransceiverShared) -> dictionaries::RtpStreamStats {
    let (kind, codec_id) = match section.kind() {
        MediaType::Video => ("video", ""),
        _ => ("audio", CODEC),
    };
    dictionaries::RtpStreamStats {
        kind: kind.to_owned(),
        transport_id: TRANSPORT.to_owned(),
        codec_id: codec_id.to_owned(),
        ..Default::default()
    }
}

/// Id and present time in milliseconds since the Unix epoch.
fn entry(id: String) -> dictionaries::RtcStats {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    dictionaries::RtcStats {
        id,
        timestamp: since.as_millis() as i64,
    }
}

fn seconds(duration: Option<Duration>) -> f64 {
    duration.map_or(0.0, |duration| duration.as_secs_f64())
}
