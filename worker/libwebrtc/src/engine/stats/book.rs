//! What one connection counted so far: packets, bytes, gaps, reports, datagrams.
//!
//! Counts what passes through the connection itself, at once; what only str0m sees (reports, round
//! trips, jitter) it takes over whenever str0m counts, every two seconds. Adds to the facts of the
//! process too. Does not know the shapes of `get_stats`.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::atomic::Ordering,
    time::{Duration, SystemTime},
};

use str0m::{
    Candidate, CandidateKind,
    media::Mid,
    stats::{MediaEgressStats, MediaIngressStats, PeerStats},
};

use crate::{
    audio::{opus, rtp::AudioPacket},
    engine::{
        channels::ChannelShared,
        facts::{Existing, FACTS},
        wire::{self, RtpHead},
    },
    stats::IceCandidateType,
};

/// Candidates of the peer that are remembered; a peer that sends more is not described further.
const REMOTE_CANDIDATES: usize = 32;
/// A jump of the sequence that begins another stream: more than a minute of packets.
const NEW_STREAM: u64 = 3_000;
/// Losses a peer can report are signed 24-bit numbers; from here on they are negative: copies.
const NEGATIVE: u64 = 1 << 23;

/// What was counted so far.
pub(crate) struct StatsBook {
    pub(super) peer: Option<PeerStats>,
    pub(super) ingress: HashMap<Mid, MediaIngressStats>,
    pub(super) egress: HashMap<Mid, Egress>,
    pub(super) sent: HashMap<Mid, Sent>,
    pub(super) received: HashMap<Mid, Received>,
    pub(super) datagrams_in: Traffic,
    pub(super) datagrams_out: Traffic,
    /// Datagrams the system did not take. UDP may lose them.
    pub(super) unsent: Traffic,
    remote_candidates: Vec<RemoteCandidate>,
    /// RTP datagrams that came, packets that str0m made of them, and those it made nothing of.
    rtp_in: u64,
    accepted: u64,
    discarded: u64,
    /// SRTP and SRTCP packets that failed their authentication.
    pub(crate) refused_packets: u64,
    /// str0m has counted since the last look.
    is_fresh: bool,
    _existing: Existing,
}

/// Datagrams and their bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

impl Traffic {
    fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes as u64;
    }
}

/// A candidate as the peer announced it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RemoteCandidate {
    pub(super) address: SocketAddr,
    pub(super) kind: IceCandidateType,
    pub(super) priority: u32,
}

/// What went out in one section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) ssrc: u32,
    pub(super) packets: u64,
    /// Of payloads.
    pub(super) bytes: u64,
}

/// What the peer reported about one section.
pub(super) struct Egress {
    pub(super) stats: MediaEgressStats,
    /// 0–1, as of the last report.
    pub(super) fraction_lost: f32,
    pub(super) lost: u64,
    pub(super) round_trips: u64,
    pub(super) round_trip_sum: Duration,
}

/// What came in in one section.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) last: SystemTime,
    /// As the sender measured it: 1 is full scale.
    pub(super) level: f64,
    /// Squared level times seconds.
    pub(super) energy: f64,
    pub(super) duration: Duration,
    first_sequence: u64,
    last_sequence: u64,
    /// Packets since `first_sequence`, and losses before it.
    in_stream: u64,
    lost_before: i64,
    /// The most that was lost at any time; late packets take losses back.
    most_lost: u64,
}

impl Received {
    fn new(sequence: u64) -> Self {
        Self {
            packets: 0,
            bytes: 0,
            last: SystemTime::UNIX_EPOCH,
            level: 0.0,
            energy: 0.0,
            duration: Duration::ZERO,
            first_sequence: sequence,
            last_sequence: sequence,
            in_stream: 0,
            lost_before: 0,
            most_lost: 0,
        }
    }

    /// Expected minus received (RFC 3550, A.3).
    pub(super) fn lost(&self) -> i64 {
        let expected = self.last_sequence - self.first_sequence + 1;
        self.lost_before + expected.cast_signed() - self.in_stream.cast_signed()
    }

    fn on_packet(&mut self, packet: &AudioPacket, bytes: usize) {
        if packet.sequence.abs_diff(self.last_sequence) > NEW_STREAM {
            self.lost_before = self.lost();
            (self.first_sequence, self.last_sequence) = (packet.sequence, packet.sequence);
            self.in_stream = 0;
        }
        self.first_sequence = self.first_sequence.min(packet.sequence);
        self.last_sequence = self.last_sequence.max(packet.sequence);
        self.in_stream += 1;
        self.packets += 1;
        self.bytes += bytes as u64;
        self.last = SystemTime::now();
        let ticks = opus::duration_ticks(&packet.payload).unwrap_or(0);
        let duration = Duration::from_micros(u64::from(ticks) * 1_000 / 48);
        self.duration += duration;
        if let Some(level) = packet.audio_level {
            // 127 below full scale stands for silence (RFC 6464, 3).
            self.level = match level {
                ..=-127 => 0.0,
                level => 10f64.powf(f64::from(level) / 20.0).min(1.0),
            };
        }
        self.energy += self.level * self.level * duration.as_secs_f64();
    }
}

impl Default for StatsBook {
    fn default() -> Self {
        Self {
            peer: None,
            ingress: HashMap::new(),
            egress: HashMap::new(),
            sent: HashMap::new(),
            received: HashMap::new(),
            datagrams_in: Traffic::default(),
            datagrams_out: Traffic::default(),
            unsent: Traffic::default(),
            remote_candidates: Vec::new(),
            rtp_in: 0,
            accepted: 0,
            discarded: 0,
            refused_packets: 0,
            is_fresh: false,
            _existing: Existing::connection(),
        }
    }
}

impl StatsBook {
    // --- datagrams

    /// A datagram came that belongs to this connection.
    pub(crate) fn on_datagram(&mut self, datagram: &[u8]) {
        self.datagrams_in.add(datagram.len());
        if wire::rtp_head(datagram).is_some() {
            self.rtp_in += 1;
        }
    }

    /// A datagram is to be sent.
    pub(crate) fn on_transmit(&mut self, datagram: &[u8]) {
        self.datagrams_out.add(datagram.len());
    }

    /// The system did not take a datagram.
    pub(crate) fn on_unsent(&mut self, datagram: &[u8]) {
        self.unsent.add(datagram.len());
        FACTS.unsent_datagrams.add(1);
    }

    /// A packet failed its authentication: forged, damaged or of an earlier association.
    pub(crate) fn on_refused_packet(&mut self) {
        FACTS.refused_packets.add(1);
        if self.refused_packets == 0 {
            tracing::warn!("a packet failed its authentication; more of them are only counted");
        }
        self.refused_packets += 1;
    }

    /// The peer's certificate is not the one its description announced.
    pub(crate) fn on_refused_peer() {
        FACTS.refused_peers.add(1);
    }

    // --- packets

    /// A packet of a local track went out.
    pub(crate) fn on_sent(&mut self, mid: Mid, head: RtpHead, bytes: usize) {
        let sent = self.sent.entry(mid).or_insert(Sent {
            ssrc: head.ssrc,
            packets: 0,
            bytes: 0,
        });
        sent.ssrc = head.ssrc;
        sent.packets += 1;
        sent.bytes += bytes as u64;
        FACTS.packets_sent.add(1);
    }

    /// A packet of a remote track came.
    /// `bytes` = of its payload as it came, perhaps sealed.
    pub(crate) fn on_packet(&mut self, mid: Mid, packet: &AudioPacket, bytes: usize) {
        let fresh = || Received::new(packet.sequence);
        self.received
            .entry(mid)
            .or_insert_with(fresh)
            .on_packet(packet, bytes);
        FACTS.packets_received.add(1);
    }

    // --- what str0m counted

    pub(crate) fn on_peer(&mut self, stats: PeerStats) {
        self.peer = Some(stats);
        self.is_fresh = true;
    }

    pub(crate) fn on_ingress(&mut self, stats: MediaIngressStats) {
        let now = stats.packets;
        let before = self.ingress.insert(stats.mid, stats);
        let before = before.map_or(0, |before| before.packets);
        // It counts from zero again when a stream is replaced.
        self.accepted += if now >= before { now - before } else { now };
    }

    pub(crate) fn on_egress(&mut self, stats: MediaEgressStats) {
        let (mid, fraction) = (stats.mid, stats.loss);
        let (round_trip, lost) = (stats.rtt, stats.remote.as_ref().map(|r| r.packets_lost));
        let known = self.egress.remove(&mid);
        let mut egress = Egress {
            stats,
            fraction_lost: fraction
                .or_else(|| known.as_ref().map(|known| known.fraction_lost))
                .unwrap_or(0.0),
            lost: known.as_ref().map_or(0, |known| known.lost),
            round_trips: known.as_ref().map_or(0, |known| known.round_trips),
            round_trip_sum: known.map_or(Duration::ZERO, |known| known.round_trip_sum),
        };
        if let Some(round_trip) = round_trip.filter(|_| fraction.is_some()) {
            egress.round_trips += 1;
            egress.round_trip_sum += round_trip;
            FACTS.on_round_trip(round_trip);
        }
        if let Some(lost) = lost.filter(|lost| *lost < NEGATIVE) {
            FACTS.lost_outbound.add(lost.saturating_sub(egress.lost));
            egress.lost = egress.lost.max(lost);
        }
        self.egress.insert(mid, egress);
    }

    /// To be called when str0m has told all it had to tell.
    pub(crate) fn settle(&mut self) {
        if !std::mem::take(&mut self.is_fresh) {
            return;
        }
        let discarded = self.rtp_in.saturating_sub(self.accepted);
        FACTS
            .discarded_datagrams
            .add(discarded.saturating_sub(self.discarded));
        self.discarded = self.discarded.max(discarded);
        for received in self.received.values_mut() {
            let lost = u64::try_from(received.lost()).unwrap_or(0);
            FACTS
                .lost_inbound
                .add(lost.saturating_sub(received.most_lost));
            received.most_lost = received.most_lost.max(lost);
        }
    }

    /// RTP datagrams that became no packet, as of the last time str0m counted.
    #[cfg(test)]
    pub(crate) fn discarded(&self) -> u64 {
        self.discarded
    }

    // --- candidates

    /// The peer announced a candidate.
    pub(crate) fn on_remote_candidate(&mut self, candidate: &Candidate) {
        if self.remote_candidates.len() == REMOTE_CANDIDATES {
            return;
        }
        self.remote_candidates.push(RemoteCandidate {
            address: candidate.addr(),
            kind: candidate_type(candidate.kind()),
            priority: candidate.prio(),
        });
    }

    /// What is known of the candidate with this address; one that was never announced was found by
    /// a check of the peer's.
    pub(super) fn remote_candidate(&self, address: SocketAddr) -> RemoteCandidate {
        let known = self.remote_candidates.iter().rev();
        let found = known.copied().find(|known| known.address == address);
        found.unwrap_or(RemoteCandidate {
            address,
            kind: IceCandidateType::Prflx,
            priority: 0,
        })
    }

    // --- data channels

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
}

pub(super) fn candidate_type(kind: CandidateKind) -> IceCandidateType {
    match kind {
        CandidateKind::Host => IceCandidateType::Host,
        CandidateKind::PeerReflexive => IceCandidateType::Prflx,
        CandidateKind::ServerReflexive => IceCandidateType::Srflx,
        CandidateKind::Relayed => IceCandidateType::Relay,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn receive(sequences: impl IntoIterator<Item = u64>) -> Received {
        let mut received = None;
        for sequence in sequences {
            let packet = AudioPacket {
                sequence,
                timestamp: 0,
                arrival: Instant::now(),
                marker: false,
                audio_level: Some(-20),
                // 20 ms of wideband silence: nothing but a table of contents.
                payload: bytes::Bytes::from_static(&[0x48]),
            };
            let received = received.get_or_insert_with(|| Received::new(sequence));
            received.on_packet(&packet, packet.payload.len());
        }
        received.unwrap()
    }

    #[test]
    fn gaps_are_lost_until_the_late_packet_comes() {
        assert_eq!(receive(10..20).lost(), 0);
        assert_eq!(receive([10, 11, 14, 15]).lost(), 2);
        assert_eq!(receive([10, 11, 14, 12, 15, 13]).lost(), 0);
        assert_eq!(receive([11, 10, 12]).lost(), 0, "the first one was late");
    }

    #[test]
    fn another_stream_adds_its_losses_to_those_of_the_one_before() {
        assert_eq!(receive([1, 3, 90_000, 90_001, 90_004]).lost(), 3);
    }

    #[test]
    fn levels_add_up_to_energy_over_the_time_they_stand_for() {
        let received = receive(0..50);
        assert!((received.level - 0.1).abs() < 1e-9);
        assert_eq!(received.duration, Duration::from_secs(1));
        assert!((received.energy - 0.01).abs() < 1e-9);
    }
}
