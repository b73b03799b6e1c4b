//! What a hop does to what is sent over it: bitrate, redundancy, statistics, counters.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use str0m_netem::NetemConfig;

use super::{
    pair::{Pair, SECOND},
    sender::Outgoing,
    transceivers::TransceiverShared,
};
use crate::{
    audio::{
        encode::{EncodedPacket, EncoderSettings, TrackEncoder},
        opus::{self, Decoder, Format},
        rtp::AudioPacket,
    },
    media_stream_track::MediaStreamTrack,
    rtp_transceiver::RtpTransceiverDirection,
    stats::{IceCandidatePairState, IceCandidateType, RtcStats},
};

const FRAME: Duration = Duration::from_millis(20);

/// A voice of sorts: a gliding tone with overtones, loud and soft in turns like syllables.
fn voice(number: usize) -> Vec<i16> {
    let sample = |n: usize| {
        let t = (number * 480 + n) as f64 / 24_000.0;
        let glide = 150.0 * t + 8.0 * (t * 2.3).sin();
        let loudness = 0.55 + 0.45 * (t * 3.1 * std::f64::consts::TAU).sin();
        let overtone = |k: usize| (glide * k as f64 * std::f64::consts::TAU).sin() / k as f64;
        ((1..12).map(overtone).sum::<f64>() * loudness * 5_000.0) as i16
    };
    (0..480).map(sample).collect()
}

/// What was said and what came of it.
#[derive(Default)]
struct Talk {
    /// By RTP time.
    sent: BTreeMap<u32, EncodedPacket>,
    heard: Vec<AudioPacket>,
}

impl Talk {
    fn bits_per_second(&self, time: Duration) -> f64 {
        let bytes: usize = self.sent.values().map(|packet| packet.payload.len()).sum();
        bytes as f64 * 8.0 / time.as_secs_f64()
    }
}

/// One who speaks over the caller's section the way the section's own sender would.
struct Talker {
    section: Arc<TransceiverShared>,
    encoder: TrackEncoder,
    tap: crate::ext::Tap,
    frames: usize,
}

impl Talker {
    fn new(pair: &Pair, section: &Arc<TransceiverShared>) -> Self {
        let MediaStreamTrack::Audio(track) = pair.callee.tracks[0].remote_track() else {
            panic!("not audio")
        };
        let settings = EncoderSettings {
            first_timestamp: 0,
            ..EncoderSettings::default()
        };
        Self {
            section: section.clone(),
            encoder: TrackEncoder::new(settings),
            tap: crate::ext::tap_remote(&track, 65_536).unwrap(),
            frames: 0,
        }
    }

    fn speak(&mut self, pair: &mut Pair, time: Duration) -> Talk {
        let mut talk = Talk::default();
        let mid = self.section.str0m_mid().unwrap();
        for _ in 0..time.as_millis() / FRAME.as_millis() {
            self.encoder.set_plan(self.section.sink().unwrap().plan());
            let mut packets = Vec::new();
            let pcm = voice(self.frames);
            self.frames += 1;
            self.encoder.push(pair.now, &pcm, 24_000, 1, &mut packets);
            for packet in packets {
                let out = Outgoing {
                    time: u64::from(packet.timestamp),
                    marker: packet.marker,
                    level: -20,
                    payload: &packet.payload,
                };
                let head = pair.caller.connection.write_audio(pair.now, mid, &out);
                assert_eq!(head.unwrap().timestamp, packet.timestamp);
                pair.caller.flush(pair.now);
                talk.sent.insert(packet.timestamp, packet);
            }
            pair.run(FRAME);
        }
        talk.heard = std::iter::from_fn(|| self.tap.try_recv()).collect();
        talk
    }
}

fn on_the_air(mut pair: Pair) -> (Pair, Arc<TransceiverShared>) {
    let section = pair
        .caller
        .add_audio(Some("TR_mic"), RtpTransceiverDirection::SendOnly);
    pair.connect();
    // Long enough for the connectivity checks to know the hop.
    pair.run(5 * SECOND);
    (pair, section)
}

/// Whether the packet carries its predecessor once more (RFC 6716, 4.2.4). One 20 ms frame.
fn has_redundancy(payload: &[u8]) -> bool {
    let is_celt = payload[0] & 0x80 != 0;
    !is_celt && payload.len() > 1 && payload[1] & 0x40 != 0
}

fn squared_distance(a: &[i16], b: &[i16]) -> f64 {
    let pairs = a.iter().zip(b);
    pairs
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum()
}

#[test]
fn a_clean_hop_carries_about_24_kbit_per_second_without_redundancy() {
    let (mut pair, section) = on_the_air(Pair::new());
    let talk = Talker::new(&pair, &section).speak(&mut pair, 20 * SECOND);
    assert_eq!(talk.heard.len(), 1_000);
    let rate = talk.bits_per_second(20 * SECOND);
    assert!((14_000.0..26_000.0).contains(&rate), "{rate} bit/s");
    let redundant = |packet: &AudioPacket| has_redundancy(&packet.payload);
    assert!(!talk.heard.iter().any(redundant));
}

#[test]
fn loss_switches_redundancy_on_and_the_far_end_rebuilds_from_it() {
    let (mut pair, section) = on_the_air(Pair::lossy(0.1));
    let mut talker = Talker::new(&pair, &section);
    talker.speak(&mut pair, 20 * SECOND);
    let plan = section.sink().unwrap().plan();
    assert_eq!(plan.bitrate, 32_000);
    assert!((5..=25).contains(&plan.loss_percent), "{plan:?}");
    let talk = talker.speak(&mut pair, 20 * SECOND);
    let redundant = talk.heard.iter().filter(|p| has_redundancy(&p.payload));
    let share = redundant.count() as f64 / talk.heard.len() as f64;
    assert!(share > 0.8, "only {share} of the packets carry redundancy");

    let (rebuilt, concealed) = distances(&talk);
    assert!(
        rebuilt < concealed * 0.6,
        "rebuilt {rebuilt}, concealed {concealed}"
    );
}

/// How far from the sound itself gaps of one packet are when rebuilt and when concealed.
fn distances(talk: &Talk) -> (f64, f64) {
    let format = Format {
        sample_rate: 24_000,
        channels: 1,
    };
    let decoder = || Decoder::new(format).unwrap();
    let (mut whole, mut rebuilding, mut concealing) = (decoder(), decoder(), decoder());
    let heard: BTreeSet<u32> = talk.heard.iter().map(|packet| packet.timestamp).collect();
    let (mut rebuilt, mut concealed, mut gaps) = (0.0, 0.0, 0);
    for (time, packet) in &talk.sent {
        let (mut truth, mut guess, mut blind) = (Vec::new(), Vec::new(), Vec::new());
        whole.decode(&packet.payload, &mut truth).unwrap();
        let next = talk.sent.get(&(time + 960));
        if heard.contains(time) {
            rebuilding.decode(&packet.payload, &mut guess).unwrap();
            concealing.decode(&packet.payload, &mut blind).unwrap();
            continue;
        }
        concealing.conceal(960, &mut blind).unwrap();
        match next.filter(|next| heard.contains(&next.timestamp)) {
            None => rebuilding.conceal(960, &mut guess).unwrap(),
            Some(next) => {
                rebuilding.rebuild(&next.payload, 960, &mut guess).unwrap();
                rebuilt += squared_distance(&truth, &guess);
                concealed += squared_distance(&truth, &blind);
                gaps += 1;
            }
        }
    }
    assert!(gaps > 30, "{gaps} gaps");
    (rebuilt, concealed)
}

#[test]
fn redundancy_goes_when_the_hop_has_healed() {
    let (mut pair, section) = on_the_air(Pair::lossy(0.1));
    let mut talker = Talker::new(&pair, &section);
    talker.speak(&mut pair, 20 * SECOND);
    assert!(section.sink().unwrap().plan().loss_percent > 0);
    let clean = NetemConfig::new().latency(FRAME).seed(7);
    pair.caller.network.set_config(clean);
    pair.callee.network.set_config(clean);
    talker.speak(&mut pair, 60 * SECOND);
    let plan = section.sink().unwrap().plan();
    assert_eq!((plan.bitrate, plan.loss_percent), (24_000, 0));
}

#[test]
fn a_hop_of_24_kbit_per_second_in_all_is_adapted_to_without_a_stall() {
    let (mut pair, section) = on_the_air(Pair::new());
    let narrow = NetemConfig::new()
        .latency(FRAME)
        .link(24_000_u64.into(), 6_000_usize.into())
        .seed(7);
    pair.caller.network.set_config(narrow);
    let mut talker = Talker::new(&pair, &section);
    let begin = talker.speak(&mut pair, 30 * SECOND);
    assert!(!begin.heard.is_empty());
    let plan = section.sink().unwrap().plan();
    assert_eq!((plan.bitrate, plan.packet_millis), (16_000, 60));
    let rest = talker.speak(&mut pair, 90 * SECOND);
    let millis = |payload: &[u8]| opus::duration_ticks(payload).unwrap() / 48;
    let sent: u32 = rest
        .sent
        .values()
        .map(|packet| millis(&packet.payload))
        .sum();
    let heard: u32 = rest
        .heard
        .iter()
        .map(|packet| millis(&packet.payload))
        .sum();
    let share = f64::from(heard) / f64::from(sent);
    assert!(share > 0.95, "{share} of the sound arrived");
    let pauses = rest
        .heard
        .windows(2)
        .map(|two| two[1].arrival - two[0].arrival);
    let longest = pauses.max().unwrap();
    assert!(longest < SECOND, "nothing was heard for {longest:?}");
    assert!(pair.connected());
}

#[test]
fn forged_and_repeated_datagrams_are_refused_and_counted() {
    let (mut pair, section) = on_the_air(Pair::new());
    let mut talker = Talker::new(&pair, &section);
    talker.speak(&mut pair, SECOND);
    pair.run(3 * SECOND);
    assert_eq!(
        pair.callee.connection.stats.discarded(),
        0,
        "nothing but good ones"
    );
    let before = crate::ext::counters();

    let mid = section.str0m_mid().unwrap();
    let out = Outgoing {
        time: 10_000_000,
        marker: true,
        level: -20,
        payload: &voice_packet(),
    };
    pair.caller
        .connection
        .write_audio(pair.now, mid, &out)
        .unwrap();
    let good = pair
        .caller
        .connection
        .out
        .transmits
        .last()
        .unwrap()
        .contents
        .to_vec();
    pair.caller.flush(pair.now);
    pair.run(SECOND);
    let mut attack = vec![good.clone(); 3];
    for number in 1..=7 {
        let mut forged = good.clone();
        let sequence = u16::from_be_bytes([good[2], good[3]]) + number;
        forged[2..4].copy_from_slice(&sequence.to_be_bytes());
        attack.push(forged);
    }
    let (from, to) = (pair.caller.address, pair.callee.address);
    for datagram in attack {
        pair.callee
            .connection
            .on_datagram(pair.now, from, to, &datagram);
        pair.callee.flush(pair.now);
    }
    pair.run(3 * SECOND);
    assert_eq!(pair.callee.connection.stats.discarded(), 10);
    assert_eq!(pair.callee.connection.stats.refused_packets, 7);
    let after = crate::ext::counters();
    assert!(after.discarded_datagrams >= before.discarded_datagrams + 10);
    assert!(after.refused.packets >= before.refused.packets + 7);
    let talk = talker.speak(&mut pair, SECOND);
    assert_eq!(talk.heard.len(), 50 + 1, "the call goes on");
}

fn voice_packet() -> Vec<u8> {
    let (mut encoder, mut packets) = (TrackEncoder::new(EncoderSettings::default()), Vec::new());
    encoder.push(Instant::now(), &voice(0), 24_000, 1, &mut packets);
    packets[0].payload.to_vec()
}

#[test]
fn statistics_of_both_ends_tell_the_same_story() {
    let (mut pair, section) = on_the_air(Pair::lossy(0.1));
    let mut talker = Talker::new(&pair, &section);
    let talk = talker.speak(&mut pair, 30 * SECOND);
    let (ours, theirs) = (
        pair.caller.connection.all_stats(),
        pair.callee.connection.all_stats(),
    );
    let sent = ours.iter().find_map(|entry| match entry {
        RtcStats::OutboundRtp(stats) => Some(stats),
        _ => None,
    });
    let sent = sent.expect("outbound-rtp");
    assert_eq!(sent.sent.packets_sent, talk.sent.len() as u64);
    let bytes: usize = talk.sent.values().map(|packet| packet.payload.len()).sum();
    assert_eq!(sent.sent.bytes_sent, bytes as u64);
    assert_ne!(sent.stream.ssrc, 0);

    let received = theirs.iter().find_map(|entry| match entry {
        RtcStats::InboundRtp(stats) => Some(stats),
        _ => None,
    });
    let received = received.expect("inbound-rtp");
    assert_eq!(received.received.packets_received, talk.heard.len() as u64);
    let lost = talk.sent.len() as i64 - talk.heard.len() as i64;
    assert!((lost - 3..=lost).contains(&received.received.packets_lost));
    assert!(
        (received.inbound.audio_level - 0.1).abs() < 1e-6,
        "−20 dBov"
    );
    assert!(received.inbound.total_audio_energy > 0.2);
    assert!(received.inbound.last_packet_received_timestamp > 1e12);

    let reported = ours.iter().find_map(|entry| match entry {
        RtcStats::RemoteInboundRtp(stats) => Some(stats),
        _ => None,
    });
    let reported = reported.expect("remote-inbound-rtp");
    assert_eq!(sent.outbound.remote_id, reported.rtc.id);
    let round_trip = reported.remote_inbound.round_trip_time;
    assert!((0.035..0.06).contains(&round_trip), "{round_trip} s");
    assert!(reported.remote_inbound.round_trip_time_measurements > 1);
    assert!(reported.received.packets_lost > 50);
    let fraction = reported.remote_inbound.fraction_lost;
    assert!((0.02..0.25).contains(&fraction), "{fraction}");
    assert!(crate::ext::counters().round_trip.counts.iter().sum::<u64>() > 1);
}

#[test]
fn statistics_name_the_path_and_what_it_did_not_take() {
    let (mut pair, section) = on_the_air(Pair::new());
    Talker::new(&pair, &section).speak(&mut pair, 3 * SECOND);
    pair.caller.connection.stats.on_unsent(&[0; 33]);
    let report = pair.caller.connection.all_stats();
    let path = report.iter().find_map(|entry| match entry {
        RtcStats::CandidatePair(stats) => Some(&stats.candidate_pair),
        _ => None,
    });
    let path = path.expect("candidate-pair");
    assert_eq!(path.state, Some(IceCandidatePairState::Succeeded));
    assert!(path.nominated);
    assert!((0.035..0.06).contains(&path.current_round_trip_time));
    assert_eq!(
        (path.packets_discarded_on_send, path.bytes_discarded_on_send),
        (1, 33)
    );
    assert!(path.packets_sent >= 150 && path.bytes_sent > 150 * 60);
    assert!(path.packets_received > 0 && path.bytes_received > 0);
    let address = |id: &str| {
        report.iter().find_map(|entry| match entry {
            RtcStats::LocalCandidate(stats) if stats.rtc.id == id => Some((
                stats.local_candidate.port,
                stats.local_candidate.candidate_type,
            )),
            RtcStats::RemoteCandidate(stats) if stats.rtc.id == id => Some((
                stats.remote_candidate.port,
                stats.remote_candidate.candidate_type,
            )),
            _ => None,
        })
    };
    let host = Some(IceCandidateType::Host);
    assert_eq!(address(&path.local_candidate_id), Some((1_001, host)));
    let remote = address(&path.remote_candidate_id).expect("remote-candidate");
    assert_eq!(remote.0, 1_002);
}
