//! The rules of the arrival path in virtual time.

use super::*;

mod orders;
mod pauses;
mod time_line;

const PACKET: u32 = 960;
const SPEECH: &[u8] = &[1; 60];
const DTX: &[u8] = &[1; 1];

/// One track: packets are fed at their arrival, timeouts fire exactly when they are due.
struct Track {
    arrival: Arrival,
    start: Instant,
    now: Instant,
    out: Vec<(Duration, Action)>,
    /// Ticks of everything in `out`.
    total: u64,
    counts: Counts,
    /// Speech carries a copy of what was before it.
    fec: bool,
    /// Length of a packet.
    ticks: u32,
}

impl Track {
    fn new() -> Self {
        let start = Instant::now();
        let counts = Counts::default();
        Self {
            arrival: Arrival::new(start),
            start,
            now: start,
            out: Vec::new(),
            total: 0,
            counts,
            fec: true,
            ticks: PACKET,
        }
    }

    fn drain(&mut self) {
        while let Some(action) = self.arrival.poll_action() {
            self.total += u64::from(length(&action));
            self.out.push((self.now - self.start, action));
        }
        let counts = self.arrival.take_counts();
        self.counts.dropped += counts.dropped;
        self.counts.concealed += counts.concealed;
        self.counts.rebuilt += counts.rebuilt;
        self.counts.waited = self.counts.waited.max(counts.waited);
    }

    fn run_to(&mut self, at: Duration) {
        let end = self.start + at;
        while let Some(due) = self.arrival.deadline(self.now).filter(|due| *due < end) {
            self.now = due.max(self.now);
            self.arrival.on_timeout(self.now);
            self.drain();
            let next = self.arrival.deadline(self.now);
            assert!(
                next.is_none_or(|next| next > due),
                "the deadline was served"
            );
        }
        self.now = end;
    }

    fn feed(&mut self, at: Duration, sequence: u64, timestamp: u32, payload: &'static [u8]) {
        self.run_to(at);
        self.arrival.on_packet(Packet {
            sequence,
            timestamp,
            arrival: self.now,
            audio_level: None,
            ticks: self.ticks,
            has_fec: payload.len() > DTX_BYTES && self.fec,
            payload: Bytes::from_static(payload),
        });
        self.drain();
    }

    /// Packet `n` of an even stream, `late` behind its time.
    fn even(&mut self, n: u32, late: u64, payload: &'static [u8]) {
        let at = millis(u64::from(n) * 20 + 20 + late);
        self.feed(
            at,
            1_000 + u64::from(n),
            n.wrapping_mul(PACKET).wrapping_sub(9_600),
            payload,
        );
    }

    fn decoded(&self) -> Vec<u64> {
        let sequence = |(_, action): &(Duration, Action)| match action {
            Action::Decode(packet) => Some(packet.sequence - 1_000),
            _ => None,
        };
        self.out.iter().filter_map(sequence).collect()
    }

    /// Sequence numbers decoded since the last change of the stream.
    fn decoded_since_reset(&self) -> Vec<u64> {
        let reset = self
            .out
            .iter()
            .rposition(|(_, action)| *action == Action::Reset);
        let sequence = |(_, action): &(Duration, Action)| match action {
            Action::Decode(packet) => Some(packet.sequence),
            _ => None,
        };
        self.out[reset.unwrap_or(0)..]
            .iter()
            .filter_map(sequence)
            .collect()
    }

    /// Everything but packets and the silence before the first one.
    fn repairs(&self) -> Vec<Action> {
        let first = self
            .out
            .iter()
            .position(|(_, action)| matches!(action, Action::Decode(_)));
        self.out[first.unwrap_or(0)..]
            .iter()
            .map(|(_, action)| action.clone())
            .filter(|action| !matches!(action, Action::Decode(_)))
            .collect()
    }

    fn delivered(&self) -> Duration {
        Duration::from_micros(self.total * 1_000 / 48)
    }

    /// Silence after the last speech packet reaches `window` at this time: when a model would end
    /// the turn.
    fn turn_ends(&self, window: Duration) -> Option<Duration> {
        let is_speech = |action: &Action| matches!(action, Action::Decode(packet) if packet.payload.len() > DTX_BYTES);
        let last = self.out.iter().rposition(|(_, action)| is_speech(action))?;
        let mut silent = 0;
        for (at, action) in &self.out[last + 1..] {
            silent += length(action);
            if ticks(window) <= u64::from(silent) {
                return Some(*at);
            }
        }
        None
    }
}

fn length(action: &Action) -> u32 {
    match action {
        Action::Decode(packet) => packet.ticks,
        Action::Conceal { ticks } | Action::Silence { ticks } => *ticks,
        Action::Rebuild { ticks, .. } => *ticks,
        Action::Reset => 0,
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A fair coin without a dependency, the same in every run.
fn dice(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn packets_in_order_are_delivered_on_arrival() {
    let mut track = Track::new();
    for n in 0..500 {
        track.even(n, 0, SPEECH);
        let (at, action) = track.out.last().cloned().unwrap();
        assert!(matches!(action, Action::Decode(_)));
        assert_eq!(at, millis(u64::from(n) * 20 + 20));
    }
    assert_eq!(track.repairs(), []);
    assert!(track.delivered().abs_diff(millis(500 * 20)) <= millis(20));
}

#[test]
fn jitter_alone_changes_nothing() {
    let mut track = Track::new();
    let mut seed = 7;
    for n in 0..500 {
        // Never out of order: less than a packet.
        track.even(n, dice(&mut seed) % 20, SPEECH);
    }
    assert_eq!(track.repairs(), []);
}

#[test]
fn packet_that_comes_within_the_wait_is_put_in_its_place() {
    let mut track = Track::new();
    (0..10).for_each(|n| track.even(n, 0, SPEECH));
    track.even(11, 0, SPEECH);
    assert_eq!(
        track.decoded().last(),
        Some(&9),
        "what is behind the gap waits"
    );
    track.even(10, 25, SPEECH);
    assert_eq!(track.decoded(), (0..12).collect::<Vec<_>>());
    assert_eq!(track.repairs(), []);
}

#[test]
fn wait_converges_on_a_path_that_reorders() {
    let mut track = Track::new();
    for n in 0..1_000 {
        // Every twentieth packet is overtaken by the next one and comes 5 ms behind it.
        match n % 20 {
            10 => {}
            11 => {
                track.even(11 + n - n % 20, 0, SPEECH);
                track.even(10 + n - n % 20, 25, SPEECH);
            }
            _ => track.even(n, if n % 20 == 12 { 6 } else { 0 }, SPEECH),
        }
    }
    assert_eq!(track.decoded(), (0..1_000).collect::<Vec<_>>());
    assert_eq!(track.repairs(), []);
    assert_eq!(track.arrival.wait.duration(track.now), millis(10));
}

#[test]
fn lost_packet_is_rebuilt_from_the_next_one_after_the_wait() {
    let mut track = Track::new();
    (0..10).for_each(|n| track.even(n, 0, SPEECH));
    track.even(11, 0, SPEECH);
    track.run_to(millis(11 * 20 + 20 + 31));
    let next = Bytes::from_static(SPEECH);
    assert_eq!(
        track.repairs(),
        [Action::Rebuild {
            next,
            ticks: PACKET
        }]
    );
    assert_eq!(track.decoded().last(), Some(&11));
    assert_eq!(track.counts.waited, Some(millis(30)));
    track.even(10, 60, SPEECH);
    assert_eq!(track.counts.dropped, 1, "its hole is filled");
}

#[test]
fn lost_packet_without_a_copy_is_concealed_after_the_wait() {
    let mut track = Track::new();
    track.fec = false;
    (0..10).for_each(|n| track.even(n, 0, SPEECH));
    track.even(11, 0, SPEECH);
    track.run_to(millis(11 * 20 + 20 + 31));
    assert_eq!(track.repairs(), [Action::Conceal { ticks: PACKET }]);
    assert_eq!((track.counts.concealed, track.counts.rebuilt), (1, 0));
}

#[test]
fn burst_of_loss_without_a_copy_ends_in_silence_and_not_in_a_buzz() {
    let mut track = Track::new();
    track.fec = false;
    (0..10).for_each(|n| track.even(n, 0, SPEECH));
    // Silence not yet begun: the packets come as one late bunch.
    track.arrival.silence.cover_ahead(millis(300));
    track.even(20, 0, SPEECH);
    track.run_to(millis(20 * 20 + 20 + 31));
    let expected = [
        Action::Conceal { ticks: 100 * 48 },
        Action::Silence { ticks: 100 * 48 },
    ];
    assert_eq!(track.repairs(), expected);
}

#[test]
fn copy_of_a_lost_packet_from_redundant_coding_is_heard_like_the_packet() {
    let mut track = Track::new();
    for n in 0..100 {
        // Every fifth packet is lost; the next one brings its copy, on either side of itself.
        match n % 10 {
            2 | 7 => {}
            3 => {
                track.even(n - 1, 20, SPEECH);
                track.even(n, 0, SPEECH);
            }
            8 => {
                track.even(n, 0, SPEECH);
                track.even(n - 1, 20, SPEECH);
            }
            _ => track.even(n, 0, SPEECH),
        }
    }
    assert_eq!(track.decoded(), (0..100).collect::<Vec<_>>());
    assert_eq!(track.repairs(), []);
    assert_eq!(track.counts.waited, Some(Duration::ZERO));
}

#[test]
fn gap_that_closes_in_time_says_how_long_it_waited() {
    let mut track = Track::new();
    (0..10).for_each(|n| track.even(n, 0, SPEECH));
    track.even(11, 0, SPEECH);
    track.even(10, 25, SPEECH);
    assert_eq!(track.counts.waited, Some(millis(5)));
}

#[test]
fn sequence_numbers_may_pass_the_sixteenth_bit_in_mid_speech() {
    let mut track = Track::new();
    for n in 0..40_u32 {
        // The packet before the wrap comes behind the one after it.
        let n = match n {
            10 => 11,
            11 => 10,
            n => n,
        };
        let at = millis(u64::from(n.max(11)) * 20 + 20 + u64::from(n == 10) * 5);
        let at = if n < 10 {
            millis(u64::from(n) * 20 + 20)
        } else {
            at
        };
        track.feed(at, 65_525 + u64::from(n), n * PACKET, SPEECH);
    }
    let heard: Vec<u64> = track.decoded().iter().map(|n| n + 1_000).collect();
    assert_eq!(heard, (65_525..65_565).collect::<Vec<_>>());
    assert_eq!(track.repairs(), []);
}

#[test]
fn what_waits_behind_a_gap_is_heard_before_another_stream() {
    let mut track = Track::new();
    (0..10).for_each(|n| track.even(n, 0, SPEECH));
    track.even(11, 0, SPEECH);
    track.even(12, 0, SPEECH);
    track.feed(millis(265), 90_000, 3_000_000_000, SPEECH);
    let decoded = track.decoded();
    assert_eq!(decoded[10..], [11, 12, 89_000]);
}

#[test]
fn another_stream_whose_numbers_lie_behind_ours_is_heard_after_a_second() {
    let mut track = Track::new();
    (0..200).for_each(|n| track.even(n, 0, SPEECH));
    // Sequence 300 below, RTP time 5 s below: it looks like old packets.
    for n in 0..100_u64 {
        let at = millis(4_100 + n * 20);
        track.feed(at, 900 + n, (n as u32 * PACKET).wrapping_sub(9_600), SPEECH);
    }
    let heard = track.decoded_since_reset().len();
    assert!((40..=60).contains(&heard), "{heard}");
}

#[test]
fn storm_of_duplicates_changes_nothing() {
    let mut track = Track::new();
    for n in 0..200 {
        track.even(n, 0, SPEECH);
        for back in 0..20 {
            track.even(
                n.saturating_sub(back),
                u64::from(back.min(n)) * 20 + 1,
                SPEECH,
            );
        }
    }
    assert_eq!(track.decoded(), (0..200).collect::<Vec<_>>());
    assert_eq!(track.repairs(), []);
    assert_eq!(track.counts.dropped, 200 * 20);
}

#[test]
fn long_burst_of_loss_is_concealed_then_silent_then_rebuilt() {
    let mut track = Track::new();
    (0..10).for_each(|n| track.even(n, 0, SPEECH));
    // Nothing for 200 ms, and silence not yet begun: the packets come as one late bunch.
    track.arrival.silence.cover_ahead(millis(300));
    track.even(20, 0, SPEECH);
    track.run_to(millis(20 * 20 + 20 + 31));
    let next = Bytes::from_static(SPEECH);
    let expected = [
        Action::Conceal { ticks: 100 * 48 },
        Action::Silence { ticks: 80 * 48 },
        Action::Rebuild {
            next,
            ticks: PACKET,
        },
    ];
    assert_eq!(track.repairs(), expected);
}

#[test]
fn hole_is_filled_only_as_far_as_silence_did_not_do_it() {
    let mut track = Track::new();
    (0..10).for_each(|n| track.even(n, 0, SPEECH));
    track.even(20, 0, SPEECH);
    track.run_to(millis(1_000));
    let total: u32 = track.repairs().iter().map(length).sum();
    let real = ticks(millis(1_000 - 200)) as u32;
    assert!(
        total.abs_diff(real - PACKET) <= 20 * MILLI,
        "{total} for {real}"
    );
}

#[test]
fn timestamps_may_wrap_in_mid_speech() {
    let mut track = Track::new();
    (0..40).for_each(|n| track.even(n, 0, SPEECH));
    assert_eq!(track.repairs(), [], "the tenth packet has RTP time zero");
}

#[test]
fn duplicates_are_dropped_and_counted() {
    let mut track = Track::new();
    for n in 0..50 {
        track.even(n, 0, SPEECH);
        track.even(n, 1, SPEECH);
        track.even(n.saturating_sub(5), 101, SPEECH);
    }
    assert_eq!(track.decoded(), (0..50).collect::<Vec<_>>());
    assert_eq!(track.counts.dropped, 100);
}

#[test]
fn another_stream_is_followed_at_once() {
    let mut track = Track::new();
    (0..10).for_each(|n| track.even(n, 0, SPEECH));
    for (n, sequence) in [1_003_u64, 90_000, 5].into_iter().enumerate() {
        let timestamp = 3_000_000_000_u32.wrapping_mul(n as u32 + 1);
        track.feed(millis(220 + n as u64 * 20), sequence, timestamp, SPEECH);
        assert!(matches!(track.out.last(), Some((_, Action::Decode(_)))));
    }
    assert_eq!(
        track.repairs(),
        [Action::Reset, Action::Reset, Action::Reset]
    );
}

#[test]
fn more_than_a_second_of_loss_is_not_concealed() {
    let mut track = Track::new();
    (0..10).for_each(|n| track.even(n, 0, SPEECH));
    track.even(10 + 60, 0, SPEECH);
    track.run_to(millis(10 * 20 + 60 * 20 + 100));
    let repairs = track.repairs();
    assert!(repairs.contains(&Action::Reset));
    assert!(
        !repairs
            .iter()
            .any(|a| matches!(a, Action::Conceal { .. } | Action::Rebuild { .. }))
    );
}
