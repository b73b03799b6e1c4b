//! Core: how many bits a voice may cost on its way to the server, and whether it carries redundancy.
//!
//! One hop only: the reports come from whoever receives our packets, and behind a server that is
//! the server. Steps of 32, 24 and 16 kbit/s: 24 on a clean path; 32 while packets carry in-band FEC,
//! because below that the codec pays for the redundancy with the upper half of the voice; 16, in
//! packets of 60 ms, while delay builds up, because then the hop is narrower than what we send. Does
//! not encode, measure or know the application's upper bound.

use std::time::{Duration, Instant};

/// When packets carry in-band FEC, from which the receiver rebuilds a lost predecessor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fec {
    /// Always: costs 25–35 % more encoding and a higher bitrate also when nothing is lost.
    Always,
    /// While reports show loss on the hop to the peer, which is the server when there is one.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// What one round of receiver reports says about the hop (RFC 3550, 6.4.1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HopReport {
    /// 0–1; `None` = no report came, or nothing was sent that could have been lost.
    pub(crate) lost: Option<f32>,
    /// From our sender report to its echo.
    pub(crate) round_trip: Option<Duration>,
}

/// How to encode from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RatePlan {
    /// For one voice, bits per second.
    pub(crate) bitrate: u32,
    /// Loss the codec prepares for, in percent; 0 = no redundancy.
    pub(crate) loss_percent: u8,
    /// How long a packet is, in milliseconds: 20 or 60.
    pub(crate) packet_millis: u32,
}

impl Default for RatePlan {
    fn default() -> Self {
        RateControl::new(Fec::Auto).plan()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The hop is too narrow for more.
    Low,
    Normal,
    /// Redundancy on top.
    High,
}

/// From here on packets carry redundancy: less is concealed without being noticed.
const LOSSY: f32 = 0.02;
/// Below this the path counts as clean.
const CLEAN: f32 = 0.01;
/// Clean reports in a row before redundancy goes; reports come about every two seconds.
const CLEAN_REPORTS: u32 = 5;
/// Loss the codec is told at least and at most, and in which steps, in percent. Below 5 it leaves the
/// redundancy out of many packets; beyond 25 it changes nothing more.
const TOLD_LOSS: (u8, u8, u8) = (5, 25, 5);
/// What it is told under [`Fec::Always`] while nothing is lost.
const PRECAUTION: u8 = 10;

/// Delay above the best one seen that means a queue in front of the hop; a third of a busy radio
/// link's jitter would be less.
const QUEUE: Duration = Duration::from_millis(60);
/// This much is believed at once; less must be seen in two reports in a row.
const LONG_QUEUE: Duration = Duration::from_millis(250);
/// The best delay is that of the last one to two of these: routes change.
const MEMORY: Duration = Duration::from_secs(120);
/// If loss grows by half and this much, this soon after the bitrate rose, it is our own.
const OWN_LOSS: f32 = 0.05;
const OWN_LOSS_SHOWS: Duration = Duration::from_secs(10);
/// After the low step packets stay long for a while: should the hop still be too narrow, a queue that
/// builds up slowly says so before anything is lost.
const TRIAL: Duration = Duration::from_secs(20);
/// How long the low step lasts at least; doubled, up to the second one, whenever leaving it was wrong.
const NARROW: (Duration, Duration) = (Duration::from_secs(16), Duration::from_secs(128));
/// Trouble this soon after leaving the low step means that leaving was wrong.
const RELAPSE: Duration = Duration::from_secs(30);

/// Judges the reports of one hop.
#[derive(Debug)]
pub(crate) struct RateControl {
    fec: Fec,
    step: Step,
    /// Recent loss, the last report weighing half.
    loss: f32,
    is_lossy: bool,
    clean_reports: u32,
    base: Base,
    queued_reports: u32,
    /// When the low step may be left.
    narrow_until: Option<Instant>,
    narrow_for: Duration,
    left_narrow: Option<Instant>,
    is_trial: bool,
    /// When the high step was taken, and the loss it was taken for; `None` = it was the first one.
    raised: Option<(Instant, f32)>,
}

impl RateControl {
    pub(crate) fn new(fec: Fec) -> Self {
        let mut control = Self {
            fec,
            step: Step::Normal,
            loss: 0.0,
            is_lossy: false,
            clean_reports: 0,
            base: Base::default(),
            queued_reports: 0,
            narrow_until: None,
            narrow_for: NARROW.0,
            left_narrow: None,
            is_trial: false,
            raised: None,
        };
        control.step = control.roomy_step();
        control
    }

    pub(crate) fn plan(&self) -> RatePlan {
        RatePlan {
            bitrate: match self.step {
                Step::Low => 16_000,
                Step::Normal => 24_000,
                Step::High => 32_000,
            },
            loss_percent: self.told_loss(),
            packet_millis: match self.step {
                Step::Low => 60,
                _ if self.is_trial => 60,
                _ => 20,
            },
        }
    }

    /// Takes in the round trip of a connectivity check: how fast the hop is when it is not busy.
    pub(crate) fn on_check(&mut self, now: Instant, round_trip: Duration) {
        self.base.learn(now, round_trip);
    }

    /// Takes in one round of reports and answers what follows from it.
    pub(crate) fn on_report(&mut self, now: Instant, report: HopReport) -> RatePlan {
        if let Some(lost) = report.lost {
            self.learn_loss(lost.clamp(0.0, 1.0));
        }
        if let Some(round_trip) = report.round_trip {
            self.learn_delay(now, round_trip);
        }
        let is_narrow = self.queued_reports >= 2 || self.is_own_loss(now);
        match self.step {
            Step::Low => self.leave_low(now, is_narrow),
            _ if is_narrow => self.enter_low(now),
            _ => self.take(now, self.roomy_step()),
        }
        self.is_trial = self
            .left_narrow
            .is_some_and(|left| now.saturating_duration_since(left) < TRIAL);
        self.plan()
    }

    fn learn_loss(&mut self, lost: f32) {
        self.loss = (self.loss + lost) / 2.0;
        if lost >= LOSSY {
            self.is_lossy = true;
        }
        self.clean_reports = if lost < CLEAN {
            self.clean_reports + 1
        } else {
            0
        };
        if self.clean_reports >= CLEAN_REPORTS {
            self.is_lossy = false;
        }
    }

    fn learn_delay(&mut self, now: Instant, round_trip: Duration) {
        let queue = round_trip.saturating_sub(self.base.learn(now, round_trip));
        self.queued_reports = match queue {
            queue if queue >= LONG_QUEUE => 2,
            queue if queue >= QUEUE => self.queued_reports + 1,
            _ => 0,
        };
    }

    /// More bits made it worse.
    fn is_own_loss(&self, now: Instant) -> bool {
        self.raised.is_some_and(|(since, before)| {
            self.step == Step::High
                && now.saturating_duration_since(since) <= OWN_LOSS_SHOWS
                && self.loss > before * 1.5 + OWN_LOSS
        })
    }

    /// The step of a hop that is wide enough.
    fn roomy_step(&self) -> Step {
        match self.fec {
            Fec::Always => Step::High,
            Fec::Auto if self.is_lossy => Step::High,
            Fec::Auto | Fec::Off => Step::Normal,
        }
    }

    fn take(&mut self, now: Instant, step: Step) {
        if step == Step::High && self.step != Step::High {
            // The average has seen half of a loss that has just begun.
            self.raised = Some((now, self.loss.max(LOSSY) * 2.0));
        }
        self.step = step;
    }

    fn enter_low(&mut self, now: Instant) {
        let relapsed = self
            .left_narrow
            .is_some_and(|left| now.saturating_duration_since(left) < RELAPSE);
        self.narrow_for = match relapsed {
            true => (self.narrow_for * 2).min(NARROW.1),
            false => NARROW.0,
        };
        self.narrow_until = Some(now + self.narrow_for);
        self.queued_reports = 0;
        self.take(now, Step::Low);
    }

    fn leave_low(&mut self, now: Instant, is_narrow: bool) {
        if is_narrow {
            self.narrow_until = self.narrow_until.max(Some(now + NARROW.0));
            return;
        }
        if self.narrow_until.is_some_and(|until| now < until) {
            return;
        }
        self.narrow_until = None;
        self.left_narrow = Some(now);
        self.take(now, self.roomy_step());
    }

    fn told_loss(&self) -> u8 {
        let (least, most, round) = TOLD_LOSS;
        let seen = (self.loss * 100.0).ceil() as u8;
        let told = seen
            .div_ceil(round)
            .saturating_mul(round)
            .clamp(least, most);
        match self.fec {
            Fec::Off => 0,
            Fec::Always => told.max(PRECAUTION),
            // Without room for it, redundancy would take from the voice itself.
            Fec::Auto if self.is_lossy && self.step == Step::High => told,
            Fec::Auto => 0,
        }
    }
}

/// The smallest delay of the last one to two [`MEMORY`]s.
#[derive(Debug, Default)]
struct Base {
    current: Option<Duration>,
    previous: Option<Duration>,
    since: Option<Instant>,
}

impl Base {
    fn learn(&mut self, now: Instant, round_trip: Duration) -> Duration {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= MEMORY {
            self.previous = self.current.take();
            self.since = Some(now);
        }
        let current = self.current.map_or(round_trip, |best| best.min(round_trip));
        self.current = Some(current);
        self.previous.map_or(current, |best| best.min(current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(2);

    /// A hop that reports every two seconds.
    struct Hop {
        control: RateControl,
        now: Instant,
    }

    impl Hop {
        fn new(fec: Fec) -> Self {
            Self {
                control: RateControl::new(fec),
                now: Instant::now(),
            }
        }

        /// `rounds` reports of this loss (percent) and round trip (ms); the bitrate and told loss
        /// after each.
        fn report(&mut self, rounds: u32, lost: f32, millis: u64) -> Vec<(u32, u8)> {
            let mut plans = Vec::new();
            for _ in 0..rounds {
                self.now += INTERVAL;
                let report = HopReport {
                    lost: Some(lost / 100.0),
                    round_trip: Some(Duration::from_millis(millis)),
                };
                let plan = self.control.on_report(self.now, report);
                plans.push((plan.bitrate / 1_000, plan.loss_percent));
            }
            plans
        }

        fn step(&self) -> u32 {
            self.control.plan().bitrate / 1_000
        }
    }

    #[test]
    fn a_clean_hop_stays_at_24_kbit_per_second_without_redundancy() {
        let mut hop = Hop::new(Fec::Auto);
        assert!(hop.report(100, 0.0, 30).iter().all(|plan| *plan == (24, 0)));
        assert_eq!(hop.control.plan().packet_millis, 20);
    }

    #[test]
    fn loss_switches_redundancy_on_at_once_and_off_after_ten_clean_seconds() {
        let mut hop = Hop::new(Fec::Auto);
        hop.report(5, 0.0, 30);
        assert_eq!(hop.report(1, 5.0, 30), [(32, 5)]);
        assert_eq!(hop.report(4, 0.0, 30), [(32, 5); 4]);
        assert_eq!(hop.report(1, 0.0, 30), [(24, 0)]);
    }

    #[test]
    fn a_little_loss_now_and_then_keeps_redundancy_as_it_is() {
        let mut hop = Hop::new(Fec::Auto);
        assert!(hop.report(20, 1.5, 30).iter().all(|plan| *plan == (24, 0)));
        hop.report(1, 3.0, 30);
        for _ in 0..10 {
            assert_eq!(hop.report(4, 0.0, 30).last(), Some(&(32, 5)));
            assert_eq!(hop.report(1, 1.5, 30), [(32, 5)]);
        }
    }

    #[test]
    fn the_codec_is_told_the_loss_in_steps_of_five_percent() {
        let mut hop = Hop::new(Fec::Auto);
        assert_eq!(hop.report(8, 12.0, 30).last(), Some(&(32, 15)));
        assert_eq!(hop.report(8, 60.0, 30).last(), Some(&(32, 25)));
    }

    #[test]
    fn silence_of_the_reports_changes_nothing() {
        let mut hop = Hop::new(Fec::Auto);
        hop.report(3, 6.0, 30);
        let before = hop.control.plan();
        for _ in 0..100 {
            hop.now += INTERVAL;
            let plan = hop.control.on_report(hop.now, HopReport::default());
            assert_eq!(plan, before);
        }
    }

    #[test]
    fn delay_that_builds_up_halves_the_rate_and_lengthens_packets() {
        let mut hop = Hop::new(Fec::Auto);
        hop.report(5, 0.0, 40);
        assert_eq!(
            hop.report(1, 0.0, 120),
            [(24, 0)],
            "one report may be an accident"
        );
        assert_eq!(hop.report(1, 0.0, 130), [(16, 0)]);
        assert_eq!(hop.control.plan().packet_millis, 60);
        let mut steep = Hop::new(Fec::Auto);
        steep.report(5, 0.0, 40);
        assert_eq!(steep.report(1, 0.0, 900), [(16, 0)], "this is no accident");
    }

    #[test]
    fn a_queue_that_stood_before_the_first_report_is_known_by_the_checks() {
        let mut hop = Hop::new(Fec::Auto);
        hop.control.on_check(hop.now, Duration::from_millis(40));
        assert_eq!(hop.report(2, 30.0, 350).last(), Some(&(16, 0)));
    }

    #[test]
    fn jitter_of_the_round_trip_is_no_queue() {
        let mut hop = Hop::new(Fec::Auto);
        for millis in [40, 95, 60, 90, 45, 80, 97, 41, 85]
            .iter()
            .cycle()
            .take(300)
        {
            hop.report(1, 0.0, *millis);
            assert_eq!(hop.step(), 24);
        }
    }

    #[test]
    fn a_hop_that_stays_narrow_is_tried_again_ever_more_rarely() {
        let mut hop = Hop::new(Fec::Auto);
        hop.report(3, 0.0, 40);
        let mut tries = Vec::new();
        for second in (0..600).step_by(2) {
            // The queue grows whenever more than 16 kbit/s are sent, and drains below.
            let wide = hop.step() > 16;
            hop.report(1, 0.0, if wide { 500 } else { 45 });
            if wide {
                tries.push(second);
            }
        }
        assert!((4..=8).contains(&tries.len()), "{tries:?}");
        let pauses: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            pauses.windows(2).all(|pair| pair[1] >= pair[0]),
            "{pauses:?}"
        );
    }

    #[test]
    fn a_hop_that_became_wide_again_gets_its_bits_back() {
        let mut hop = Hop::new(Fec::Auto);
        hop.report(3, 0.0, 40);
        hop.report(3, 0.0, 600);
        assert_eq!(hop.step(), 16);
        hop.report(10, 0.0, 40);
        assert_eq!(hop.step(), 24);
        assert_eq!(hop.control.plan().packet_millis, 60, "on trial");
        hop.report(12, 0.0, 40);
        assert_eq!(hop.control.plan().packet_millis, 20);
    }

    #[test]
    fn loss_that_grows_with_the_bitrate_is_our_own() {
        let mut hop = Hop::new(Fec::Auto);
        hop.report(2, 3.0, 30);
        assert_eq!(hop.step(), 32);
        hop.report(4, 30.0, 30);
        assert_eq!(hop.step(), 16);
    }

    #[test]
    fn heavy_loss_from_the_start_is_met_with_redundancy() {
        let mut hop = Hop::new(Fec::Auto);
        assert_eq!(hop.report(20, 20.0, 30).last(), Some(&(32, 20)));
    }

    #[test]
    fn a_longer_route_is_the_new_normal_after_some_minutes() {
        let mut hop = Hop::new(Fec::Auto);
        hop.report(10, 0.0, 20);
        hop.report(300, 0.0, 150);
        assert_eq!(hop.step(), 24);
    }

    #[test]
    fn always_and_off_are_what_they_say() {
        let mut always = Hop::new(Fec::Always);
        assert_eq!(always.control.plan().loss_percent, 10);
        assert_eq!(always.report(30, 0.0, 30).last(), Some(&(32, 10)));
        assert_eq!(always.report(9, 14.0, 30).last(), Some(&(32, 15)));
        assert!(always.report(3, 0.0, 900).iter().all(|plan| plan.1 >= 10));
        let mut off = Hop::new(Fec::Off);
        assert!(off.report(30, 20.0, 30).iter().all(|plan| *plan == (24, 0)));
        assert_eq!(off.report(1, 0.0, 900), [(16, 0)]);
    }

    #[test]
    fn no_sequence_of_reports_leaves_the_three_steps() {
        let mut state = 7_u64;
        let mut dice = move |sides: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(9);
            (state >> 33) % sides
        };
        let mut hop = Hop::new(Fec::Auto);
        for _ in 0..20_000 {
            hop.now += Duration::from_millis(dice(9_000));
            let report = HopReport {
                lost: (dice(4) > 0).then(|| dice(130) as f32 / 100.0),
                round_trip: (dice(4) > 0).then(|| Duration::from_millis(dice(3_000))),
            };
            let plan = hop.control.on_report(hop.now, report);
            assert!([16_000, 24_000, 32_000].contains(&plan.bitrate));
            assert!(plan.loss_percent <= 25);
            assert!(plan.bitrate > 16_000 || plan.packet_millis == 60);
            assert!([20, 60].contains(&plan.packet_millis));
        }
    }
}
