//! Core: a bad network, the same in every run. Says when each packet of a stream arrives, if at all.
//!
//! Knows sending times and sequence numbers only. Does not know what is in a packet.

use std::time::Duration;

/// What a network does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Network {
    /// Share of packets that never arrive, 0–1.
    pub(crate) loss: f64,
    /// How losses follow each other.
    pub(crate) pattern: Pattern,
    /// Delays vary by plus and minus this.
    pub(crate) jitter: Duration,
    /// Whether packets overtake each other because of that.
    pub(crate) order: Order,
    /// Share of packets that are overtaken: they come 5–45 ms later than their delay says.
    pub(crate) reordered: f64,
    /// Share of packets that come twice, 1–30 ms apart.
    pub(crate) duplicated: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Each packet on its own.
    #[default]
    Random,
    /// Two states; in the bad one, of three packets on average, all are lost.
    Bursty,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// One queue whose length varies: nothing is overtaken.
    #[default]
    Queue,
    /// Every packet has its own delay.
    OwnWays,
}

/// Packets in a burst of losses, on average.
const BURST: f64 = 3.0;
/// How often the length of the queue changes its course.
const COURSE: Duration = Duration::from_millis(200);

/// One run through a network.
pub(crate) struct Run {
    network: Network,
    dice: Dice,
    is_bad: bool,
    last: Duration,
    /// Length of the queue: since when, from where, to where.
    course: (Duration, f64, f64),
}

impl Run {
    pub(crate) fn new(network: Network, seed: u64) -> Self {
        Self {
            network,
            dice: Dice(seed),
            is_bad: false,
            last: Duration::ZERO,
            course: (Duration::ZERO, 0.5, 0.5),
        }
    }

    /// When a packet sent at `sent` arrives: never, once or twice. Calls go by sending time.
    pub(crate) fn arrivals(&mut self, sent: Duration) -> Vec<Duration> {
        let is_lost = self.is_lost();
        let mut at = sent + self.delay(sent);
        if self.network.order == Order::Queue {
            at = at.max(self.last);
            self.last = at;
        }
        if self.dice.roll() < self.network.reordered {
            at += Duration::from_secs_f64(0.005 + 0.04 * self.dice.roll());
        }
        if is_lost {
            return Vec::new();
        }
        let mut arrivals = vec![at];
        if self.dice.roll() < self.network.duplicated {
            arrivals.push(at + Duration::from_secs_f64(0.001 + 0.029 * self.dice.roll()));
        }
        arrivals
    }

    fn is_lost(&mut self) -> bool {
        let loss = self.network.loss;
        match self.network.pattern {
            Pattern::Random => self.dice.roll() < loss,
            Pattern::Bursty => {
                let changes = if self.is_bad {
                    1.0 / BURST
                } else {
                    loss / (1.0 - loss) / BURST
                };
                self.is_bad ^= self.dice.roll() < changes;
                self.is_bad
            }
        }
    }

    fn delay(&mut self, sent: Duration) -> Duration {
        let range = 2.0 * self.network.jitter.as_secs_f64();
        let place = match self.network.order {
            Order::OwnWays => self.dice.roll(),
            Order::Queue => self.queue(sent),
        };
        Duration::from_secs_f64(range * place)
    }

    /// Length of the queue, 0–1.
    fn queue(&mut self, sent: Duration) -> f64 {
        let (since, from, to) = self.course;
        let passed = sent.saturating_sub(since).as_secs_f64() / COURSE.as_secs_f64();
        if passed >= 1.0 {
            self.course = (sent, to, self.dice.roll());
            return to;
        }
        from + (to - from) * passed
    }
}

/// Dice that fall the same in every run and on every machine.
struct Dice(u64);

impl Dice {
    /// 0 (inclusive) to 1 (exclusive).
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}
