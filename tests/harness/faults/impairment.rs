//! Core: what a bad network does to packets on their way in one direction.
//!
//! A [`Lane`] takes packets, forgets, delays, overtakes or doubles some, and hands them out when
//! they are due. Every choice comes from its seed and the order of packets, so a run can be
//! repeated. It knows no sockets and no clock: `now` comes in.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};

/// What happens in each direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Impairment {
    /// From the participants to the server.
    pub to_server: Conditions,
    /// From the server to the participants.
    pub from_server: Conditions,
    /// Where all chance comes from.
    pub seed: u64,
}

impl Impairment {
    /// The same in both directions.
    pub fn both(conditions: Conditions, seed: u64) -> Self {
        Self {
            to_server: conditions.clone(),
            from_server: conditions,
            seed,
        }
    }
}

/// What one direction does to its packets. The default does nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Which packets never arrive.
    pub loss: Loss,
    /// How long every packet takes.
    pub delay: Duration,
    /// How far each packet may be off that delay, evenly, both ways. Jitter alone keeps the order,
    /// as a queue does.
    pub jitter: Duration,
    /// Share of packets, 0 to 1, that are held back by [`Self::reorder_by`] while others overtake.
    pub reorder: f64,
    /// How long those are held back.
    pub reorder_by: Duration,
    /// Share of packets, 0 to 1, that arrive twice.
    pub duplicate: f64,
}

/// Which packets are lost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loss {
    /// None.
    #[default]
    Never,
    /// Each with this chance, 0 to 1.
    Random(f64),
    /// Whole runs of packets: everything is lost while the path is in its bad state.
    Bursts {
        /// Share of all packets, 0 to less than 1.
        share: f64,
        /// Mean length of a run, in packets, at least 1.
        mean: f64,
    },
}

/// What became of the packets so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Came in.
    pub seen: u64,
    /// Went out, copies included.
    pub delivered: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Swallowed by a cut.
    pub cut: u64,
    /// Held back so that others overtake.
    pub reordered: u64,
    /// Sent twice.
    pub duplicated: u64,
    /// Dropped because too many were under way.
    pub overflowed: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.seen += other.seen;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.cut += other.cut;
        self.reordered += other.reordered;
        self.duplicated += other.duplicated;
        self.overflowed += other.overflowed;
    }
}

/// Packets under way in one lane: more than ten seconds of several tracks. The newest goes when
/// it is full.
const UNDER_WAY: usize = 8_192;

/// One direction of one flow.
#[derive(Debug)]
pub struct Lane<P> {
    conditions: Conditions,
    chance: StdRng,
    /// In the bad state of [`Loss::Bursts`].
    is_bad: bool,
    is_cut: bool,
    under_way: BinaryHeap<Reverse<UnderWay<P>>>,
    /// When the last packet that keeps its place is due.
    last_due: Option<Instant>,
    /// Counts packets taken, so that equal times keep their order.
    taken: u64,
    counts: Counts,
}

#[derive(Debug)]
struct UnderWay<P> {
    due: Instant,
    number: u64,
    packet: P,
}

impl<P> PartialEq for UnderWay<P> {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.number) == (other.due, other.number)
    }
}

impl<P> Eq for UnderWay<P> {}

impl<P> PartialOrd for UnderWay<P> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> Ord for UnderWay<P> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl<P: Clone> Lane<P> {
    /// An empty lane.
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            chance: StdRng::seed_from_u64(seed),
            is_bad: false,
            is_cut: false,
            under_way: BinaryHeap::new(),
            last_due: None,
            taken: 0,
            counts: Counts::default(),
        }
    }

    /// Other conditions from now on. What is under way keeps its time.
    pub fn set(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Nothing passes any more, also nothing that is under way; or everything passes again.
    pub fn set_cut(&mut self, is_cut: bool) {
        self.is_cut = is_cut;
        if is_cut {
            self.counts.cut += self.under_way.len() as u64;
            self.under_way.clear();
        }
    }

    /// A packet begins its way.
    pub fn offer(&mut self, now: Instant, packet: P) {
        self.counts.seen += 1;
        if self.is_cut {
            self.counts.cut += 1;
            return;
        }
        if self.is_lost() {
            self.counts.lost += 1;
            return;
        }
        let due = self.due(now);
        if self.happens(self.conditions.duplicate) {
            self.counts.duplicated += 1;
            self.put(due, packet.clone());
        }
        self.put(due, packet);
    }

    /// The next packet that has arrived by now.
    pub fn pop_due(&mut self, now: Instant) -> Option<P> {
        if self.next_due()? > now {
            return None;
        }
        self.counts.delivered += 1;
        self.under_way.pop().map(|Reverse(next)| next.packet)
    }

    /// When the next packet arrives.
    pub fn next_due(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse(next)| next.due)
    }

    /// What became of the packets so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn is_lost(&mut self) -> bool {
        match self.conditions.loss {
            Loss::Never => false,
            Loss::Random(share) => self.happens(share),
            Loss::Bursts { share, mean } => {
                let mean = mean.max(1.0);
                let turns = match self.is_bad {
                    true => 1.0 / mean,
                    false => share / (mean * (1.0 - share).max(f64::EPSILON)),
                };
                self.is_bad ^= self.happens(turns);
                self.is_bad
            }
        }
    }

    fn due(&mut self, now: Instant) -> Instant {
        let Conditions {
            delay,
            jitter,
            reorder,
            reorder_by,
            ..
        } = self.conditions;
        let (least, most) = (delay.saturating_sub(jitter), delay + jitter);
        let takes = match least < most {
            true => self.chance.random_range(least..=most),
            false => delay,
        };
        if self.happens(reorder) {
            self.counts.reordered += 1;
            return now + takes + reorder_by;
        }
        let due = self
            .last_due
            .map_or(now + takes, |last| last.max(now + takes));
        *self.last_due.insert(due)
    }

    fn put(&mut self, due: Instant, packet: P) {
        if self.under_way.len() >= UNDER_WAY {
            self.counts.overflowed += 1;
            return;
        }
        self.taken += 1;
        let number = self.taken;
        self.under_way.push(Reverse(UnderWay {
            due,
            number,
            packet,
        }));
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.chance.random_bool(share.min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(20);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Sends that many packets, one each 20 ms; what arrives, and how long after the first began.
    fn sent(lane: &mut Lane<u32>, count: u32) -> Vec<(u32, Duration)> {
        let start = Instant::now();
        let mut arrived = Vec::new();
        for number in 0..count {
            lane.offer(start + EVERY * number, number);
            collect(lane, start, EVERY * number, &mut arrived);
        }
        let long_after = EVERY * count + Duration::from_secs(10);
        collect(lane, start, long_after, &mut arrived);
        arrived
    }

    fn collect(
        lane: &mut Lane<u32>,
        start: Instant,
        until: Duration,
        arrived: &mut Vec<(u32, Duration)>,
    ) {
        while let Some(due) = lane.next_due().filter(|due| *due <= start + until) {
            arrived.extend(lane.pop_due(due).map(|number| (number, due - start)));
        }
    }

    fn numbers(arrived: &[(u32, Duration)]) -> Vec<u32> {
        arrived.iter().map(|(number, _)| *number).collect()
    }

    /// Lengths of the runs of missing numbers.
    fn runs(arrived: &[u32]) -> Vec<u32> {
        let gaps = arrived.windows(2).map(|pair| pair[1] - pair[0] - 1);
        gaps.filter(|gap| *gap > 0).collect()
    }

    #[test]
    fn a_good_network_delivers_everything_at_once_and_in_order() {
        let mut lane = Lane::new(Conditions::default(), 1);
        let arrived = sent(&mut lane, 100);
        assert_eq!(numbers(&arrived), (0..100).collect::<Vec<_>>());
        assert!(arrived.iter().all(|(n, after)| *after == EVERY * *n));
    }

    #[test]
    fn random_loss_takes_its_share_and_the_same_seed_takes_the_same_packets() {
        let conditions = Conditions {
            loss: Loss::Random(0.2),
            ..Conditions::default()
        };
        let first = sent(&mut Lane::new(conditions.clone(), 7), 10_000);
        let lost = 10_000 - first.len();
        assert!((1_800..2_200).contains(&lost), "{lost}");
        let again = sent(&mut Lane::new(conditions.clone(), 7), 10_000);
        assert_eq!(numbers(&first), numbers(&again));
        let other = sent(&mut Lane::new(conditions, 8), 10_000);
        assert_ne!(numbers(&first), numbers(&other));
    }

    #[test]
    fn bursts_take_their_share_in_runs_of_their_length() {
        let loss = Loss::Bursts {
            share: 0.1,
            mean: 3.0,
        };
        let conditions = Conditions {
            loss,
            ..Conditions::default()
        };
        let arrived = numbers(&sent(&mut Lane::new(conditions, 7), 50_000));
        let lost = 50_000 - arrived.len();
        assert!((4_300..5_700).contains(&lost), "{lost}");
        let runs = runs(&arrived);
        let mean = f64::from(runs.iter().sum::<u32>()) / runs.len() as f64;
        assert!((2.7..3.3).contains(&mean), "{mean}");
    }

    #[test]
    fn jitter_stays_in_its_range_and_keeps_the_order() {
        let conditions = Conditions {
            delay: ms(100),
            jitter: ms(50),
            ..Conditions::default()
        };
        let arrived = sent(&mut Lane::new(conditions, 7), 1_000);
        assert_eq!(numbers(&arrived), (0..1_000).collect::<Vec<_>>());
        let took = |(n, after): &(u32, Duration)| *after - EVERY * *n;
        assert!(arrived.iter().all(|one| took(one) >= ms(50)));
        assert!(arrived.iter().all(|one| took(one) <= ms(150)));
        assert!(arrived.iter().any(|one| took(one) < ms(80)));
        assert!(arrived.iter().any(|one| took(one) > ms(120)));
    }

    #[test]
    fn who_is_held_back_is_overtaken_and_nobody_else_waits() {
        let conditions = Conditions {
            reorder: 0.05,
            reorder_by: ms(50),
            ..Conditions::default()
        };
        let mut lane = Lane::new(conditions, 7);
        let arrived = sent(&mut lane, 2_000);
        let late = arrived.iter().filter(|(n, after)| *after > EVERY * *n);
        assert_eq!(late.count() as u64, lane.counts().reordered);
        assert!((60..140).contains(&lane.counts().reordered));
        assert!(!numbers(&arrived).is_sorted());
    }

    #[test]
    fn duplicates_are_counted_and_arrive_beside_their_original() {
        let conditions = Conditions {
            duplicate: 0.02,
            ..Conditions::default()
        };
        let mut lane = Lane::new(conditions, 7);
        let arrived = sent(&mut lane, 5_000);
        let twice = arrived.windows(2).filter(|pair| pair[0] == pair[1]);
        assert_eq!(twice.count() as u64, lane.counts().duplicated);
        assert!((60..140).contains(&lane.counts().duplicated));
    }

    #[test]
    fn a_cut_swallows_what_is_under_way_and_what_comes() {
        let conditions = Conditions {
            delay: ms(100),
            ..Conditions::default()
        };
        let mut lane = Lane::new(conditions, 7);
        let now = Instant::now();
        lane.offer(now, 1);
        lane.set_cut(true);
        lane.offer(now, 2);
        assert_eq!(lane.next_due(), None);
        lane.set_cut(false);
        lane.offer(now, 3);
        assert_eq!(lane.pop_due(now + ms(100)), Some(3));
        assert_eq!(lane.counts().cut, 2);
    }

    #[test]
    fn a_lane_that_nobody_drains_stays_bounded() {
        let mut lane = Lane::new(Conditions::default(), 7);
        let now = Instant::now();
        (0..20_000).for_each(|number| lane.offer(now, number));
        assert_eq!(lane.under_way.len(), UNDER_WAY);
        assert_eq!(lane.counts().overflowed, 20_000 - UNDER_WAY as u64);
    }
}
