//! From what was counted to the shapes of `get_stats`, under the names of `webrtc-stats`.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use str0m::{media::Mid, net::Protocol};

use super::{
    candidates, channels::ChannelShared, connection::Connection, transceivers::TransceiverShared,
};
use crate::{
    MediaType,
    media_stream_track::MediaStreamTrack,
    peer_connection::PeerConnectionState,
    stats::{
        CandidatePairStats, CodecStats, DataChannelStats, DtlsTransportState,
        IceCandidatePairState, IceCandidateType, InboundRtpStats, LocalCandidateStats,
        MediaSourceStats, OutboundRtpStats, PeerConnectionStats, RemoteCandidateStats,
        RemoteInboundRtpStats, RemoteOutboundRtpStats, RtcStats, TransportStats, dictionaries,
    },
};

mod book;

pub(crate) use book::StatsBook;

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

impl StatsBook {
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
        let Some(received) = self.received.get(&mid) else {
            return;
        };
        let counted = self.ingress.get(&mid);
        let remote = counted.and_then(|counted| counted.remote.as_ref());
        let remote_id = format!("RO-{mid}");
        report.push(RtcStats::InboundRtp(InboundRtpStats {
            rtc: entry(format!("I-{mid}")),
            stream: stream(section, 0),
            received: dictionaries::ReceivedRtpStreamStats {
                packets_received: received.packets,
                packets_lost: received.lost(),
                jitter: counted.map_or(0.0, |counted| f64::from(counted.jitter) / CLOCK),
            },
            inbound: dictionaries::InboundRtpStreamStats {
                track_identifier: section.remote_track().id(),
                mid: mid.to_string(),
                remote_id: remote.map_or(String::new(), |_| remote_id.clone()),
                bytes_received: received.bytes,
                last_packet_received_timestamp: since_epoch(received.last),
                audio_level: received.level,
                total_audio_energy: received.energy,
                total_samples_duration: received.duration.as_secs_f64(),
                nack_count: counted.map_or(0, |counted| counted.nacks as u32),
                ..playout(section)
            },
        }));
        let Some(remote) = remote else { return };
        report.push(RtcStats::RemoteOutboundRtp(RemoteOutboundRtpStats {
            rtc: entry(remote_id),
            stream: stream(section, 0),
            sent: dictionaries::SentRtpStreamStats {
                packets_sent: remote.packets,
                bytes_sent: remote.bytes,
            },
            remote_outbound: dictionaries::RemoteOutboundRtpStreamStats {
                local_id: format!("I-{mid}"),
                round_trip_time: seconds(counted.and_then(|counted| counted.rtt)),
                ..Default::default()
            },
        }));
    }

    fn outbound(&self, section: &TransceiverShared, mid: Mid, report: &mut Vec<RtcStats>) {
        let Some(sent) = self.sent.get(&mid) else {
            return;
        };
        let source_id = format!("S-{mid}");
        let remote_id = format!("RI-{mid}");
        let sink = section.sink();
        let egress = self.egress.get(&mid);
        report.push(RtcStats::OutboundRtp(OutboundRtpStats {
            rtc: entry(format!("O-{mid}")),
            stream: stream(section, sent.ssrc),
            sent: dictionaries::SentRtpStreamStats {
                packets_sent: sent.packets,
                bytes_sent: sent.bytes,
            },
            outbound: dictionaries::OutboundRtpStreamStats {
                mid: mid.to_string(),
                media_source_id: sink.as_ref().map_or(String::new(), |_| source_id.clone()),
                remote_id: remote_id.clone(),
                target_bitrate: sink.as_ref().map_or(0.0, |sink| f64::from(sink.bitrate())),
                nack_count: egress.map_or(0, |egress| egress.stats.nacks as u32),
                active: sink.as_ref().is_some_and(|sink| sink.is_active()),
                ..Default::default()
            },
        }));
        if let Some(sink) = sink {
            report.push(source(source_id, section, sink.loudness()));
        }
        let Some((egress, remote)) = egress.and_then(|egress| {
            let remote = egress.stats.remote.as_ref()?;
            Some((egress, remote))
        }) else {
            return;
        };
        report.push(RtcStats::RemoteInboundRtp(RemoteInboundRtpStats {
            rtc: entry(remote_id),
            stream: stream(section, sent.ssrc),
            received: dictionaries::ReceivedRtpStreamStats {
                packets_lost: egress.lost.cast_signed(),
                packets_received: sent.packets.saturating_sub(egress.lost),
                jitter: f64::from(remote.jitter) / CLOCK,
            },
            remote_inbound: dictionaries::RemoteInboundRtpStreamStats {
                local_id: format!("O-{mid}"),
                round_trip_time: seconds(egress.stats.rtt),
                total_round_trip_time: egress.round_trip_sum.as_secs_f64(),
                round_trip_time_measurements: egress.round_trips,
                fraction_lost: f64::from(egress.fraction_lost),
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
                packets_sent: self.datagrams_out.count,
                packets_received: self.datagrams_in.count,
                bytes_sent: self.datagrams_out.bytes,
                bytes_received: self.datagrams_in.bytes,
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
                packets_sent: self.datagrams_out.count,
                packets_received: self.datagrams_in.count,
                bytes_sent: self.datagrams_out.bytes,
                bytes_received: self.datagrams_in.bytes,
                packets_discarded_on_send: self.unsent.count as u32,
                bytes_discarded_on_send: self.unsent.bytes,
                current_round_trip_time: seconds(pair.current_round_trip_time),
                total_round_trip_time: pair.total_round_trip_time.as_secs_f64(),
                responses_received: pair.responses_received,
                ..Default::default()
            },
        }));
        report.push(RtcStats::LocalCandidate(LocalCandidateStats {
            rtc: entry("CL".to_owned()),
            local_candidate: local_candidate(connection, pair.protocol, pair.local.addr),
        }));
        let remote = self.remote_candidate(pair.remote.addr);
        report.push(RtcStats::RemoteCandidate(RemoteCandidateStats {
            rtc: entry("CR".to_owned()),
            remote_candidate: candidate(
                pair.protocol,
                remote.address,
                remote.kind,
                remote.priority,
            ),
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

fn local_candidate(
    connection: &Connection,
    protocol: Protocol,
    address: SocketAddr,
) -> dictionaries::IceCandidateStats {
    // Our ends of calls over TCP are told to nobody.
    let over_tcp = (protocol == Protocol::Tcp).then(|| candidates::tcp_candidate(address));
    let mut known = connection.local_candidates.iter();
    let known = match &over_tcp {
        Some(ours) => ours.as_ref(),
        None => known.find(|known| known.addr() == address),
    };
    let (kind, priority) = known.map_or((IceCandidateType::Prflx, 0), |known| {
        (book::candidate_type(known.kind()), known.prio())
    });
    candidate(protocol, address, kind, priority)
}

fn source(id: String, section: &TransceiverShared, loudness: super::sender::Loudness) -> RtcStats {
    let track = section.local_track();
    RtcStats::MediaSource(MediaSourceStats {
        rtc: entry(id),
        source: dictionaries::MediaSourceStats {
            track_identifier: track.map_or(String::new(), |track| track.id()),
            kind: "audio".to_owned(),
        },
        audio: dictionaries::AudioSourceStats {
            audio_level: loudness.level,
            total_audio_energy: loudness.energy,
            total_samples_duration: loudness.duration.as_secs_f64(),
            total_samples_captured: loudness.samples,
            ..Default::default()
        },
        video: dictionaries::VideoSourceStats::default(),
    })
}

fn of_channel(channel: &ChannelShared) -> RtcStats {
    let counters = &channel.counters;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
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
    protocol: Protocol,
    address: SocketAddr,
    kind: IceCandidateType,
    priority: u32,
) -> dictionaries::IceCandidateStats {
    dictionaries::IceCandidateStats {
        transport_id: TRANSPORT.to_owned(),
        address: address.ip().to_string(),
        port: i32::from(address.port()),
        protocol: protocol.to_string(),
        candidate_type: Some(kind),
        priority: priority.cast_signed(),
        ..Default::default()
    }
}

/// `ssrc` 0 = not known.
fn stream(section: &TransceiverShared, ssrc: u32) -> dictionaries::RtpStreamStats {
    let (kind, codec_id) = match section.kind() {
        MediaType::Video => ("video", ""),
        _ => ("audio", CODEC),
    };
    dictionaries::RtpStreamStats {
        kind: kind.to_owned(),
        transport_id: TRANSPORT.to_owned(),
        codec_id: codec_id.to_owned(),
        ssrc,
    }
}

/// Id and present time in milliseconds since the Unix epoch.
fn entry(id: String) -> dictionaries::RtcStats {
    dictionaries::RtcStats {
        id,
        timestamp: since_epoch(SystemTime::now()) as i64,
    }
}

/// In milliseconds.
fn since_epoch(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64() * 1_000.0
}

fn seconds(duration: Option<Duration>) -> f64 {
    duration.map_or(0.0, |duration| duration.as_secs_f64())
}
