//! What a paced stream does with badly delivered packets, in virtual time.

use super::*;

/// 20 ms of speech whose in-band FEC holds the packet before it; `n` as its content.
fn with_fec(n: u64) -> Bytes {
    Bytes::copy_from_slice(&[0x48, 0xc0, n as u8, (n >> 8) as u8, 3])
}

/// The same without FEC.
fn without_fec(n: u64) -> Bytes {
    Bytes::copy_from_slice(&[0x48, 0x80, n as u8, (n >> 8) as u8, 3])
}

/// 20 ms of silence: a table of contents and nothing more.
fn dtx() -> Bytes {
    Bytes::copy_from_slice(&[0x48])
}

/// One track and a loudspeaker that takes 10 ms every 10 ms.
struct Bench {
    buffer: JitterBuffer,
    start: Instant,
    played: Vec<Play>,
    /// Ticks taken from the buffer beyond what was played.
    ahead: u32,
    /// Virtual milliseconds played so far.
    at: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            buffer: JitterBuffer::new(),
            start: Instant::now(),
            played: Vec::new(),
            ahead: 0,
            at: 0,
        }
    }

    fn put(&mut self, sequence: u64, timestamp: u32, arrival: u64, payload: Bytes) {
        self.buffer.insert(AudioPacket {
            sequence,
            timestamp,
            arrival: self.start + Duration::from_millis(arrival),
            marker: false,
            audio_level: None,
            payload,
        });
    }

    /// Packet `n` of an even stream whose timestamps wrap with the fifth and whose sequence numbers
    /// pass 65,535 with the tenth.
    fn insert(&mut self, n: u64, arrival: u64) {
        let timestamp = (u32::MAX - 4_000).wrapping_add(n as u32 * 960);
        self.put(65_526 + n, timestamp, arrival, with_fec(n));
    }

    /// Plays 10 ms at each tick.
    fn play(&mut self, from: u64, to: u64) {
        for at in (from..to).step_by(10) {
            self.pull(Duration::from_millis(at));
        }
        self.at = to;
    }

    fn play_to(&mut self, to: u64) {
        self.play(self.at, to);
    }

    fn pull(&mut self, at: Duration) {
        let wanted = if self.buffer.sheds() { 2 } else { 1 } * FRAME_TICKS;
        while self.ahead < wanted {
            let play = self.buffer.next(self.start + at);
            self.ahead += length(&play);
            self.played.push(play);
        }
        self.ahead -= wanted;
    }

    /// Packets played, by their number.
    fn packets(&self) -> Vec<u64> {
        let number = |play: &Play| match play {
            Play::Packet(packet) => Some(packet.sequence - 65_526),
            _ => None,
        };
        self.played.iter().filter_map(number).collect()
    }

    fn made_up(&self) -> Vec<&Play> {
        let is_made_up = |play: &&Play| matches!(play, Play::Conceal { .. } | Play::Rebuild { .. });
        self.played.iter().filter(is_made_up).collect()
    }
}

/// Ticks of what is played.
pub(super) fn length(play: &Play) -> u32 {
    match play {
        Play::Packet(packet) => opus::duration_ticks(&packet.payload).unwrap_or_default(),
        Play::Reset => 0,
        Play::Conceal { ticks } | Play::Silence { ticks } | Play::Rebuild { ticks, .. } => *ticks,
    }
}

/// A fair coin without a dependency, the same in every run.
fn dice(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn even_stream_plays_after_the_smallest_delay_without_repairs() {
    let mut bench = Bench::new();
    for n in 0..100 {
        bench.insert(n, n * 20);
        bench.play(n * 20, n * 20 + 20);
    }
    let delay = Play::Silence { ticks: 480 };
    assert_eq!(bench.played[..3], [delay.clone(), delay, Play::Reset]);
    assert!(bench.made_up().is_empty());
    assert!(
        bench.packets().len() >= 98,
        "sequence and timestamp wrapped"
    );
}

#[test]
fn lost_packet_is_rebuilt_when_the_next_one_carries_it() {
    let mut bench = Bench::new();
    [0, 1, 3, 4].into_iter().for_each(|n| bench.insert(n, 0));
    bench.play(30, 130);
    let next = with_fec(3);
    assert_eq!(bench.made_up(), [&Play::Rebuild { next, ticks: 960 }]);
    assert_eq!(bench.packets(), [0, 1, 3, 4]);
    assert_eq!(bench.buffer.counts().rebuilt, 960);
}

#[test]
fn lost_packet_without_a_copy_is_concealed() {
    let mut bench = Bench::new();
    for n in [0, 1, 3, 4] {
        bench.put(n, n as u32 * 960, 0, without_fec(n));
    }
    bench.play(30, 130);
    assert_eq!(bench.made_up(), [&Play::Conceal { ticks: 960 }]);
    assert_eq!(bench.buffer.counts().concealments, 1);
}

#[test]
fn copy_of_a_lost_packet_from_redundant_coding_is_played_like_the_packet() {
    let mut bench = Bench::new();
    for n in 0..50 {
        // Every fifth packet is lost; the next one brings its copy.
        if n % 5 == 3 {
            bench.insert(n - 1, n * 20);
        }
        if n % 5 != 2 {
            bench.insert(n, n * 20);
        }
        bench.play_to(n * 20 + 20);
    }
    bench.play_to(1_040);
    assert_eq!(bench.packets()[..49], (0..49).collect::<Vec<_>>());
    let made_up = bench.buffer.counts().concealed + bench.buffer.counts().rebuilt;
    assert!(
        made_up <= 960,
        "at most while the delay is learned: {made_up}"
    );
}

#[test]
fn reordered_packets_play_in_order() {
    let mut bench = Bench::new();
    [2, 0, 3, 1].into_iter().for_each(|n| bench.insert(n, 0));
    bench.play(30, 110);
    assert_eq!(bench.packets(), [0, 1, 2, 3]);
}

#[test]
fn duplicates_are_played_once_and_counted() {
    let mut bench = Bench::new();
    for n in 0..50 {
        bench.insert(n, n * 20);
        bench.insert(n, n * 20 + 1);
        bench.play_to(n * 20 + 20);
        bench.insert(n.saturating_sub(5), n * 20 + 19);
    }
    let played = bench.packets();
    assert_eq!(played, (0..played.len() as u64).collect::<Vec<_>>());
    let counts = bench.buffer.counts();
    assert!(counts.duplicates >= 50 && counts.duplicates + counts.late == 100);
    assert!(bench.made_up().is_empty());
}

#[test]
fn stream_that_stops_is_concealed_for_a_tenth_of_a_second_and_then_silent() {
    let mut bench = Bench::new();
    (0..3).for_each(|n| bench.insert(n, 0));
    bench.play(30, 1_000);
    assert_eq!(bench.made_up().len(), 10);
    assert_eq!(bench.played.last(), Some(&Play::Silence { ticks: 480 }));
    bench.insert(60, 1_200);
    bench.insert(61, 1_210);
    bench.play(1_220, 1_260);
    assert_eq!(
        bench.packets(),
        [0, 1, 2, 60, 61],
        "a new stretch plays without filling the pause"
    );
}

#[test]
fn what_was_made_up_while_waiting_is_not_made_up_again() {
    let mut bench = Bench::new();
    (0..3).for_each(|n| bench.insert(n, n * 20));
    // The fourth is lost, the fifth comes 20 ms after the loudspeaker asked for the fourth.
    bench.play(20, 100);
    bench.insert(4, 100);
    bench.play(100, 120);
    assert_eq!(bench.packets(), [0, 1, 2, 4]);
    let made_up: u32 = bench.made_up().into_iter().map(length).sum();
    assert_eq!(made_up, 960, "{:?}", bench.played);
}

#[test]
fn packet_that_comes_while_its_time_is_being_filled_is_not_played_behind_its_copy() {
    let mut bench = Bench::new();
    for n in [0, 1, 4, 5] {
        bench.put(65_526 + n, n as u32 * 960, 0, without_fec(n));
    }
    // 0, 1, and half of what stands for 2.
    bench.play(30, 80);
    bench.put(65_528, 2 * 960, 80, without_fec(2));
    bench.put(65_529, 3 * 960, 80, without_fec(3));
    bench.play(80, 200);
    assert_eq!(bench.packets(), [0, 1, 3, 4, 5]);
    assert_eq!(bench.buffer.counts().late, 1);
}

#[test]
fn delay_follows_the_jitter_of_the_path_within_its_bounds() {
    for (jitter, expected) in [(0, 20), (50, 70), (900, 120)] {
        let mut bench = Bench::new();
        (0..256).for_each(|n| bench.insert(n, 1_000 + n * 20 + (n % 4) / 3 * jitter));
        assert_eq!(bench.buffer.target(), Duration::from_millis(expected));
    }
}

#[test]
fn delay_is_learned_for_longer_than_half_the_rtp_clock() {
    let mut bench = Bench::new();
    // Packets of a whole day, one a minute: timestamps wrap at 24.9 hours, and their distance from
    // the first one changes its sign at 12.4 hours.
    for minute in 0..1_500_u64 {
        let at = minute * 60_000;
        bench.put(minute, (at as u32).wrapping_mul(48), at, with_fec(minute));
        assert_eq!(bench.buffer.target(), Duration::from_millis(20), "{minute}");
    }
}

#[test]
fn late_packet_is_dropped_and_counted() {
    let mut bench = Bench::new();
    [0, 1, 3].into_iter().for_each(|n| bench.insert(n, 0));
    bench.play(30, 110);
    bench.insert(2, 110);
    bench.play(110, 200);
    assert_eq!(bench.packets(), [0, 1, 3]);
    assert_eq!(bench.buffer.counts().late, 1);
}

#[test]
fn what_is_held_back_without_need_is_shed() {
    let mut bench = Bench::new();
    (0..15).for_each(|n| bench.insert(n, 0));
    bench.at = 30;
    for n in 0..600 {
        bench.insert(15 + n, 20 + n * 20);
        bench.play_to(50 + n * 20);
    }
    let level = bench.buffer.level();
    assert!(level <= 60 * MILLI, "{level}");
    let played = bench.packets();
    assert_eq!(played, (0..played.len() as u64).collect::<Vec<_>>());
}

#[test]
fn pause_of_the_sender_is_silence_and_not_loss() {
    let mut bench = Bench::new();
    let mut sequence = 0;
    for n in 0..500_u64 {
        // A second of speech, a second of one packet every 400 ms.
        let is_speech = n % 100 < 50;
        if is_speech || n % 20 == 10 {
            let payload = if is_speech { with_fec(n) } else { dtx() };
            bench.put(sequence, n as u32 * 960, n * 20, payload);
            sequence += 1;
        }
        bench.play_to(n * 20 + 20);
    }
    bench.play_to(10_100);
    assert_eq!(bench.made_up(), Vec::<&Play>::new());
    assert_eq!(bench.buffer.counts().played, sequence);
}

#[test]
fn packet_of_another_stream_that_was_never_played_disturbs_nothing() {
    let mut bench = Bench::new();
    bench.put(900_000, 77, 0, with_fec(0));
    (0..50).for_each(|n| bench.insert(n, n * 20));
    assert_eq!(bench.buffer.packets.len(), 50);
    assert_eq!(bench.buffer.level(), 50 * 960);
}

#[test]
fn muted_track_is_silent_and_heard_again_at_once() {
    let mut bench = Bench::new();
    for n in 0..50 {
        bench.insert(n, n * 20);
        bench.play_to(n * 20 + 20);
    }
    bench.play_to(61_000);
    let silent = bench.played.iter().rev();
    let silent = silent.take_while(|play| matches!(play, Play::Silence { .. }));
    assert!(silent.count() >= 5_980);
    // Timestamps went on with real time.
    for n in 3_050..3_055 {
        bench.insert(n, n * 20);
        bench.play_to(n * 20 + 20);
    }
    bench.play_to(61_140);
    assert_eq!(bench.packets()[50..], (3_050..3_055).collect::<Vec<_>>());
}

#[test]
fn senders_clock_may_be_wrong_for_half_an_hour() {
    for ppm in [-200_i64, 200] {
        let mut bench = Bench::new();
        let mut next = 0_u64;
        let mut highest = 0;
        // Half an hour of speech without a pause.
        for tick in 0..180_000_u64 {
            let real = tick * 10_000;
            while next * 20_000 <= (real as i64 + real as i64 * ppm / 1_000_000) as u64 {
                let arrival = bench.start + Duration::from_micros(real);
                bench.buffer.insert(AudioPacket {
                    sequence: 65_526 + next,
                    timestamp: (next as u32).wrapping_mul(960),
                    arrival,
                    marker: false,
                    audio_level: None,
                    payload: without_fec(next),
                });
                next += 1;
            }
            bench.pull(Duration::from_micros(real));
            highest = highest.max(bench.buffer.level());
        }
        let counts = bench.buffer.counts();
        // 200 ppm of half an hour are 360 ms.
        let repaired = counts.concealed + counts.shed + counts.silent;
        assert!(repaired <= u64::from(500 * MILLI), "{ppm} ppm: {counts:?}");
        assert!(highest <= 100 * MILLI, "{ppm} ppm: {highest}");
        let played = bench.packets();
        assert_eq!(
            played,
            (0..played.len() as u64).collect::<Vec<_>>(),
            "{ppm} ppm"
        );
    }
}

#[test]
fn another_stream_is_played_at_once() {
    let mut bench = Bench::new();
    for n in 0..20 {
        bench.insert(n, n * 20);
        bench.play_to(n * 20 + 20);
    }
    for n in 0..20_u64 {
        let at = 400 + n * 20;
        bench.put(
            65_526 + 100_000 + n,
            3_000_000_000 + n as u32 * 960,
            at,
            with_fec(n),
        );
        bench.play_to(at + 20);
    }
    let resets = bench
        .played
        .iter()
        .filter(|play| **play == Play::Reset)
        .count();
    assert_eq!(resets, 2, "one for each stream");
    let of_second = bench.packets().iter().filter(|n| **n >= 100_000).count();
    assert!(of_second >= 18, "{of_second}");
}

#[test]
fn another_stream_whose_numbers_lie_behind_ours_is_heard_after_a_second() {
    let mut bench = Bench::new();
    for n in 300..350 {
        bench.insert(n, n * 20);
        bench.play(n * 20, n * 20 + 20);
    }
    for n in 0..100_u64 {
        let at = 7_000 + n * 20;
        bench.put(65_526 + n, 320 * 960 + n as u32 * 960, at, with_fec(n));
        bench.play(at, at + 20);
    }
    let heard = bench.packets().iter().filter(|n| **n < 300).count();
    assert!((40..=60).contains(&heard), "{heard}");
}

#[test]
fn any_order_within_the_delay_plays_the_ordered_stream() {
    for seed in 1..200 {
        let mut state = seed;
        let mut arrivals: Vec<(u64, u64)> = (0..120_u64)
            .map(|n| (n * 20 + dice(&mut state) % 19, n))
            .collect();
        arrivals.sort_unstable();
        let mut bench = Bench::new();
        for (at, n) in arrivals {
            bench.play_to(at / 10 * 10);
            bench.insert(n, at);
        }
        bench.play_to(2_500);
        assert_eq!(bench.packets(), (0..120).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn no_more_is_held_than_five_seconds() {
    let mut bench = Bench::new();
    for n in 0..10_000 {
        bench.insert(n % 400, 0);
        assert!(bench.buffer.packets.len() <= MAX_PACKETS);
    }
    assert!(bench.buffer.counts().overflowed > 0);
}
