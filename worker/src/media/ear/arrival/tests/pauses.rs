//! Pauses on a path whose queue holds packets for different times: what they do to turns.

use super::*;

/// What a sender does while nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// Packets of silence, on and on.
    SendsOn,
    /// Packets of silence for 200 ms, then one each 400 ms: what Opus does.
    Thins,
    /// Nothing.
    Stops,
    /// Nothing, and its RTP clock stands still: nobody feeds its encoder.
    StandsStill,
}

/// How long a queue holds a packet, in milliseconds.
#[derive(Clone, Copy, Debug)]
enum Holds {
    /// Any time up to this.
    Evenly(u64),
    /// Nothing; one packet in 32 is held this long.
    Spikes(u64),
}

/// One queue whose length varies: nothing is overtaken.
struct Queue {
    holds: Holds,
    seed: u64,
    last: Duration,
}

impl Queue {
    fn arrival(&mut self, sent: Duration) -> Duration {
        let dice = dice(&mut self.seed);
        let held = match self.holds {
            Holds::Evenly(most) => dice % (most + 1),
            Holds::Spikes(most) => most * u64::from(dice.is_multiple_of(32)),
        };
        self.last = self.last.max(sent + millis(held));
        self.last
    }
}

/// A talk on one track: packets of speech, and pauses in the way of its sender.
struct Talk {
    track: Track,
    queue: Queue,
    sender: Sender,
    /// Packets sent or left out.
    n: u32,
    sequence: u64,
    timestamp: u32,
}

impl Talk {
    fn new(sender: Sender, holds: Holds, seed: u64) -> Self {
        Self {
            track: Track::new(),
            queue: Queue {
                holds,
                seed,
                last: Duration::ZERO,
            },
            sender,
            n: 0,
            sequence: 1_000,
            timestamp: 0,
        }
    }

    fn length(&self) -> Duration {
        Duration::from_micros(u64::from(self.track.ticks) * 1_000 / 48)
    }

    fn packet(&mut self, payload: &'static [u8]) {
        let arrival = self.queue.arrival(self.now());
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        self.track.feed(arrival, sequence, timestamp, payload);
        self.sequence += 1;
    }

    fn tick(&mut self) {
        self.n += 1;
        self.timestamp += self.track.ticks;
    }

    fn speech(&mut self, packets: u32) {
        for _ in 0..packets {
            self.tick();
            self.packet(SPEECH);
        }
    }

    fn pause(&mut self, packets: u32) {
        for quiet in 0..packets {
            match self.sender {
                Sender::StandsStill => self.n += 1,
                _ => self.tick(),
            }
            let sends = match self.sender {
                Sender::SendsOn => true,
                Sender::Thins => quiet < 10 || quiet % 20 == 10,
                Sender::Stops | Sender::StandsStill => false,
            };
            if sends {
                self.packet(DTX);
            }
        }
    }

    /// Until now, unless something arrived later.
    fn wait(&mut self) {
        let heard = self.track.now - self.track.start;
        self.track.run_to(self.now().max(heard));
    }

    /// When the last packet was ready to be sent.
    fn now(&self) -> Duration {
        self.length() * self.n
    }

    /// Pauses written since then.
    fn pauses_since(&self, first: usize) -> usize {
        let is_silence =
            |(_, action): &(Duration, Action)| matches!(action, Action::Silence { .. });
        let pairs = self.track.out[first..].windows(2);
        pairs
            .filter(|pair| !is_silence(&pair[0]) && is_silence(&pair[1]))
            .count()
    }
}

/// How long after the speaker stopped each of a hundred turns ends, sorted. `pieces` of speech in
/// each, with pauses of 140 ms.
fn turn_ends(mut talk: Talk, window: Duration, pieces: u32) -> Vec<Duration> {
    let mut waits = Vec::new();
    for _ in 0..100 {
        for piece in 0..pieces {
            if piece > 0 {
                talk.pause(7);
            }
            talk.speech(60 / pieces);
        }
        let stopped = talk.now();
        talk.pause(80);
        talk.wait();
        waits.push(talk.track.turn_ends(window).unwrap() - stopped);
    }
    waits.sort_unstable();
    waits
}

#[test]
fn turn_ends_by_the_senders_clock_and_not_by_the_delay_of_its_last_packet() {
    let cases = [
        (Sender::Stops, 200),
        (Sender::Stops, 500),
        (Sender::StandsStill, 200),
        (Sender::StandsStill, 500),
        // Its packets of silence come when they come, for 200 ms.
        (Sender::Thins, 500),
    ];
    for (sender, window) in cases {
        let stands_still = sender == Sender::StandsStill;
        for (seed, pieces) in [(7, 1), (8, 1), (9, 3)] {
            // A pause of 140 ms in a clock that stands still looks like lateness.
            if stands_still && pieces > 1 {
                continue;
            }
            let window = millis(window);
            let waits = turn_ends(Talk::new(sender, Holds::Evenly(100), seed), window, pieces);
            let (least, median) = (waits[0], waits[50]);
            let case = format!("{sender:?} {window:?} {pieces}: {least:?} {median:?}");
            assert!(least >= window, "too early: {case}");
            assert!(median <= window + millis(25), "too late: {case}");
        }
    }
}

#[test]
fn who_sends_silence_is_heard_as_it_comes() {
    for seed in 0..5 {
        let mut talk = Talk::new(Sender::SendsOn, Holds::Evenly(100), seed);
        talk.speech(500);
        let warm = talk.track.out.len();
        for _ in 0..50 {
            talk.speech(60);
            talk.pause(30);
        }
        assert_eq!(talk.pauses_since(warm), 0);
    }
}

#[test]
fn packets_that_are_late_are_not_taken_for_pauses() {
    let paths = [
        (Holds::Evenly(100), 0),
        (Holds::Evenly(150), 1),
        (Holds::Evenly(200), 0),
        // Those that come after ten seconds without any.
        (Holds::Spikes(90), 3),
    ];
    for (holds, most) in paths {
        for packet in [PACKET, 3 * PACKET] {
            let mut talk = Talk::new(Sender::Stops, holds, 7);
            talk.track.ticks = packet;
            talk.speech(500);
            let warm = talk.track.out.len();
            talk.speech(3_000);
            let pauses = talk.pauses_since(warm);
            assert!(
                pauses <= most,
                "{holds:?} {packet}: {pauses} pauses in mid-speech"
            );
        }
    }
}

#[test]
fn what_was_learned_of_a_path_outlasts_a_pause_in_which_the_clock_stands_still() {
    for holds in [Holds::Evenly(100), Holds::Spikes(80)] {
        let mut talk = Talk::new(Sender::StandsStill, holds, 7);
        talk.speech(500);
        let mut pauses = 0;
        for _ in 0..50 {
            talk.pause(100);
            // What an encoder kept goes first.
            talk.speech(2);
            let first = talk.track.out.len();
            talk.speech(50);
            pauses += talk.pauses_since(first);
        }
        // Eighty spikes, which are too seldom to count as jitter.
        assert!(pauses <= 20, "{holds:?}: {pauses} pauses in mid-speech");
    }
}

#[test]
fn all_that_jitter_added_is_paid_back_in_long_pauses() {
    // Decoded silence is left out by the ear.
    for sender in [Sender::Thins, Sender::Stops, Sender::StandsStill] {
        let mut talk = Talk::new(sender, Holds::Evenly(100), 7);
        for _ in 0..50 {
            for _ in 0..4 {
                talk.speech(30);
                talk.pause(10);
            }
            talk.speech(30);
            talk.pause(150);
            talk.wait();
            let real = talk.track.now - talk.track.start;
            let ahead = talk.track.delivered().saturating_sub(real);
            assert!(ahead <= millis(40), "{sender:?}: {ahead:?} at {real:?}");
        }
    }
}
