use super::*;

const TICK: Duration = Duration::from_millis(10);

fn encoder() -> TrackEncoder {
    TrackEncoder::new(EncoderSettings {
        first_timestamp: 1_000,
        ..Default::default()
    })
}

fn tone(millis: u32) -> Vec<i16> {
    (0..24 * millis)
        .map(|n| ((f64::from(n) * 440.0 * std::f64::consts::TAU / 24_000.0).sin() * 8e3) as i16)
        .collect()
}

fn push(encoder: &mut TrackEncoder, now: Instant, pcm: &[i16]) -> Vec<EncodedPacket> {
    let mut out = Vec::new();
    encoder.push(now, pcm, 24_000, 1, &mut out);
    out
}

#[test]
fn packet_leaves_the_moment_twenty_milliseconds_are_there() {
    let (mut encoder, start) = (encoder(), Instant::now());
    assert!(push(&mut encoder, start, &tone(10)).is_empty());
    let packets = push(&mut encoder, start, &tone(10));
    assert_eq!(packets.len(), 1);
    assert!(packets[0].marker);
    assert_eq!(packets[0].timestamp, 1_000);
}

#[test]
fn continuous_frames_have_contiguous_timestamps_and_one_marker() {
    let (mut encoder, start) = (encoder(), Instant::now());
    let mut packets = push(&mut encoder, start, &tone(20));
    for n in 1..=20 {
        packets.extend(push(&mut encoder, start + TICK * n, &tone(10)));
    }
    let timestamps: Vec<_> = packets.iter().map(|p| p.timestamp).collect();
    let expected: Vec<_> = (0..11).map(|n| 1_000 + n * 960).collect();
    assert_eq!(timestamps, expected);
    assert_eq!(packets.iter().filter(|p| p.marker).count(), 1);
}

#[test]
fn recorded_packets_follow_each_other_on_the_same_time_line() {
    let (mut encoder, start) = (encoder(), Instant::now());
    push(&mut encoder, start, &tone(20));
    let placed: Vec<_> = (1..4)
        .map(|n| encoder.place(start + 2 * TICK * n, &[8, 1], 960))
        .collect();
    let timestamps: Vec<_> = placed.iter().map(|p| p.timestamp).collect();
    assert_eq!(timestamps, [1_960, 2_920, 3_880]);
    assert!(placed.iter().all(|packet| !packet.marker));
    let later = encoder.place(start + Duration::from_millis(80 + 400), &[8, 1], 960);
    assert!(later.marker);
    assert_eq!(later.timestamp, 4_840 + 20 * 960);
}

#[test]
fn pause_moves_the_timestamp_by_real_time_in_whole_packets() {
    let (mut encoder, start) = (encoder(), Instant::now());
    push(&mut encoder, start, &tone(20));
    // 1.02 s after the end of the first packet, plus a bit.
    let later = start + Duration::from_millis(20 + 1_020 + 7);
    let packets = push(&mut encoder, later, &tone(20));
    assert!(packets[0].marker);
    assert_eq!(packets[0].timestamp, 1_000 + 960 + 51 * 960);
}

#[test]
fn late_tick_does_not_tear_the_time_line() {
    let (mut encoder, start) = (encoder(), Instant::now());
    push(&mut encoder, start, &tone(20));
    let packets = push(&mut encoder, start + Duration::from_millis(70), &tone(20));
    assert!(!packets[0].marker);
    assert_eq!(packets[0].timestamp, 1_960);
}

#[test]
fn half_frame_from_before_a_pause_stays_before_it() {
    let (mut encoder, start) = (encoder(), Instant::now());
    push(&mut encoder, start, &tone(30));
    let packets = push(
        &mut encoder,
        start + Duration::from_millis(1_040),
        &tone(20),
    );
    let sent: Vec<_> = packets.iter().map(|p| (p.timestamp, p.marker)).collect();
    assert_eq!(sent, [(1_000 + 960, false), (1_000 + 52 * 960, true)]);
}

#[test]
fn flushed_half_frame_never_leaves() {
    let (mut encoder, start) = (encoder(), Instant::now());
    push(&mut encoder, start, &tone(10));
    encoder.flush();
    assert!(push(&mut encoder, start + TICK, &tone(10)).is_empty());
}

#[test]
fn muted_track_sends_silence() {
    let (mut encoder, start) = (encoder(), Instant::now());
    encoder.set_muted(true);
    let mut packets = Vec::new();
    for n in 0..10 {
        encoder.push(start + PACKET * n, &tone(20), 24_000, 1, &mut packets);
    }
    let format = Format {
        sample_rate: 24_000,
        channels: 1,
    };
    let mut decoder = opus::Decoder::new(format).unwrap();
    let mut pcm = Vec::new();
    for packet in &packets {
        decoder.decode(&packet.payload, &mut pcm).unwrap();
    }
    assert_eq!(pcm.len(), 4_800);
    assert!(pcm.iter().all(|sample| sample.abs() < 4));
}

#[test]
fn silence_under_dtx_is_left_out_and_speech_after_it_is_marked() {
    let settings = EncoderSettings {
        dtx: true,
        first_timestamp: 0,
        ..Default::default()
    };
    let (mut encoder, start) = (TrackEncoder::new(settings), Instant::now());
    let mut packets = Vec::new();
    for n in 0..200 {
        encoder.push(start + PACKET * n, &[0; 480], 24_000, 1, &mut packets);
    }
    assert!(
        packets.len() < 60,
        "{} packets for 4 s of silence",
        packets.len()
    );
    let at = start + PACKET * 200;
    let speech = push(&mut encoder, at, &tone(20));
    assert_eq!(speech[0].timestamp, 200 * 960);
    assert!(speech[0].marker);
}

/// Bits per second of a voice-like sound.
fn rate_of(encoder: &mut TrackEncoder, sample_rate: u32, channels: u32) -> f64 {
    let (start, mut packets) = (Instant::now(), Vec::new());
    let step = 180.0 * std::f64::consts::TAU / f64::from(sample_rate);
    let frame = (sample_rate / 100) as usize;
    for number in 0..500 {
        let sample = |n: usize| {
            let t = (number as usize * frame + n) as f64 * step;
            ((1..10)
                .map(|k| (t * f64::from(k)).sin() / f64::from(k))
                .sum::<f64>()
                * 5e3) as i16
        };
        let pcm: Vec<i16> = (0..frame)
            .flat_map(|n| std::iter::repeat_n(sample(n), channels as usize))
            .collect();
        encoder.push(
            start + TICK * number,
            &pcm,
            sample_rate,
            channels,
            &mut packets,
        );
    }
    let bytes: usize = packets.iter().map(|packet| packet.payload.len()).sum();
    bytes as f64 * 8.0 / 5.0
}

#[test]
fn a_voice_gets_24_kbit_per_second_unless_the_application_allows_less() {
    let mut free = encoder();
    let rate = rate_of(&mut free, 24_000, 1);
    assert_eq!(free.bitrate(), Some(24_000));
    assert!(rate < 26_000.0, "{rate}");
    let mut bounded = encoder();
    bounded.set_max_bitrate(Some(12_000));
    let rate = rate_of(&mut bounded, 24_000, 1);
    assert_eq!(bounded.bitrate(), Some(12_000));
    assert!(rate < 14_000.0, "{rate}");
    bounded.set_max_bitrate(Some(64_000));
    rate_of(&mut bounded, 24_000, 1);
    assert_eq!(bounded.bitrate(), Some(24_000));
}

#[test]
fn what_may_be_music_gets_what_the_application_says() {
    let mut encoder = encoder();
    encoder.set_max_bitrate(Some(64_000));
    rate_of(&mut encoder, 48_000, 2);
    assert_eq!(encoder.bitrate(), Some(64_000));
    encoder.set_max_bitrate(None);
    rate_of(&mut encoder, 48_000, 2);
    assert_eq!(encoder.bitrate(), None);
}

#[test]
fn a_narrow_hop_gets_three_times_longer_packets_on_the_same_time_line() {
    let (mut encoder, start) = (encoder(), Instant::now());
    let mut packets = Vec::new();
    for n in 0..120 {
        if n == 60 {
            encoder.set_plan(RatePlan {
                bitrate: 16_000,
                loss_percent: 0,
                packet_millis: 60,
            });
        }
        packets.extend(push(&mut encoder, start + TICK * n, &tone(10)));
    }
    assert_eq!(packets.len(), 30 + 10);
    let steps: Vec<_> = packets
        .windows(2)
        .map(|pair| pair[1].timestamp - pair[0].timestamp)
        .collect();
    assert!(steps[..30].iter().all(|step| *step == 960), "{steps:?}");
    assert!(steps[30..].iter().all(|step| *step == 2_880), "{steps:?}");
    assert_eq!(packets.iter().filter(|p| p.marker).count(), 1);
    encoder.set_plan(RatePlan::default());
    let later = push(&mut encoder, start + TICK * 120, &tone(20));
    assert_eq!(later.len(), 1, "and back");
}

#[test]
fn odd_rate_is_resampled_to_a_rate_of_the_codec() {
    let (mut encoder, start) = (encoder(), Instant::now());
    let mut packets = Vec::new();
    for n in 0..100 {
        encoder.push(start + TICK * n, &[100; 882], 44_100, 2, &mut packets);
    }
    assert!((48..=50).contains(&packets.len()), "{}", packets.len());
}
