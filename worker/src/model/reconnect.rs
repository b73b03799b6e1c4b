//! Core: when to try the model again, and when to stop.
//!
//! Backoff with full jitter, a bounded outage, and a closed set of provider codes that never heal.
//! It reads no clock and rolls no dice: `now` and a random number in 0..1 come in as arguments.

use std::time::{Duration, Instant};

use super::Blame;

/// First upper bound of a wait. 250 ms: a dropped TCP connection is usually back at once, and the
/// caller is waiting in silence.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Highest upper bound of a wait. 5 s: longer pauses only lengthen the outage people hear.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A connection that lasted this long ends the outage before it. Shorter ones count as failed
/// attempts, so that a provider that accepts and drops is not hammered.
const STABLE: Duration = Duration::from_secs(10);

/// Provider codes after which another attempt is pointless: account, key or configuration have to
/// change first.
const FATAL_CODES: &[&str] = &[
    "account_deactivated",
    "authentication_error",
    "billing_hard_limit_reached",
    "insufficient_quota",
    "invalid_api_key",
    "model_not_found",
    "permission_error",
];

/// Whether this provider code can never heal by itself.
pub fn is_fatal(code: &str) -> bool {
    FATAL_CODES.contains(&code)
}

/// Whether trying again can help without somebody changing something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// At once.
    AtOnce,
    /// After a wait.
    Backoff,
    /// Never.
    Never,
}

/// A failed attempt or a lost connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// A short code: the provider's, or one of ours. Never personal, never secret.
    pub(super) reason: String,
    pub(super) blame: Blame,
    pub(super) retry: Retry,
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>, blame: Blame, retry: Retry) -> Self {
        Self {
            reason: reason.into(),
            blame,
            retry,
        }
    }

    /// A failure the provider named by a code.
    pub(super) fn from_code(code: &str) -> Self {
        match code {
            code if is_fatal(code) => Self::new(code, Blame::Config, Retry::Never),
            "session_expired" => Self::new(code, Blame::Peer, Retry::AtOnce),
            code => Self::new(code, Blame::Peer, Retry::Backoff),
        }
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Try now.
    Connect,
    /// Stop for good.
    GiveUp(Failure),
    /// Try at this instant.
    Wait(Instant),
}

/// The outage of one link.
#[derive(Debug)]
pub(super) struct Reconnect {
    give_up_after: Duration,
    /// Attempts that failed in this outage.
    failures: u32,
    /// Start of this outage; `None` = the link is up, or has not been tried.
    since: Option<Instant>,
    /// When the current connection came up; `None` = there is none.
    up_since: Option<Instant>,
}

impl Reconnect {
    /// A link that begins to connect at `now` and gives up after this long without a connection.
    pub(super) fn new(now: Instant, give_up_after: Duration) -> Self {
        Self {
            give_up_after,
            failures: 0,
            since: Some(now),
            up_since: None,
        }
    }

    /// A configured connection is there.
    pub(super) fn on_up(&mut self, now: Instant) {
        self.up_since = Some(now);
    }

    /// An attempt failed or the connection was lost. `random` is in 0..1.
    pub(super) fn on_failure(&mut self, now: Instant, failure: Failure, random: f64) -> Step {
        let was_stable = self
            .up_since
            .take()
            .is_some_and(|up| now.saturating_duration_since(up) >= STABLE);
        if was_stable {
            self.failures = 0;
            self.since = Some(now);
        }
        let since = *self.since.get_or_insert(now);
        if failure.retry == Retry::Never {
            return Step::GiveUp(failure);
        }
        let first = self.failures == 0;
        self.failures = self.failures.saturating_add(1);
        if first && failure.retry == Retry::AtOnce {
            return Step::Connect;
        }
        let at = now + self.wait(random);
        if at.saturating_duration_since(since) > self.give_up_after {
            return Step::GiveUp(Failure {
                retry: Retry::Never,
                ..failure
            });
        }
        Step::Wait(at)
    }

    /// Full jitter: anything between nothing and the doubled bound, so that the sessions of a
    /// worker do not come back in step.
    fn wait(&self, random: f64) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        let bound = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
        bound.mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Failure {
        Failure::new("network", Blame::Network, Retry::Backoff)
    }

    fn link(now: Instant) -> Reconnect {
        Reconnect::new(now, Duration::from_secs(30))
    }

    fn millis(step: &Step, now: Instant) -> u128 {
        match step {
            Step::Connect => 0,
            Step::Wait(at) => (*at - now).as_millis(),
            Step::GiveUp(failure) => panic!("gave up: {failure:?}"),
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_one() {
        let now = Instant::now();
        let mut link = Reconnect::new(now, Duration::from_secs(600));
        let waits: Vec<_> = (0..7)
            .map(|_| millis(&link.on_failure(now, lost(), 1.0), now))
            .collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 5000, 5000]);
    }

    #[test]
    fn jitter_covers_the_whole_range() {
        let now = Instant::now();
        assert_eq!(millis(&link(now).on_failure(now, lost(), 0.0), now), 0);
        assert_eq!(millis(&link(now).on_failure(now, lost(), 0.5), now), 125);
    }

    #[test]
    fn an_outage_ends_after_the_agreed_time_with_its_last_reason() {
        let start = Instant::now();
        let mut link = link(start);
        let mut now = start;
        let mut attempts = 0;
        let failure = loop {
            match link.on_failure(now, lost(), 1.0) {
                Step::Wait(at) => now = at,
                Step::GiveUp(failure) => break failure,
                Step::Connect => panic!("a network failure is never retried at once"),
            }
            attempts += 1;
            assert!(attempts < 1000, "it has to end");
        };
        assert_eq!(failure.reason, "network");
        assert!(now - start <= Duration::from_secs(30));
        assert!(attempts > 5);
    }

    #[test]
    fn codes_that_never_heal_stop_at_once() {
        let now = Instant::now();
        for code in FATAL_CODES {
            let step = link(now).on_failure(now, Failure::from_code(code), 0.5);
            let Step::GiveUp(failure) = step else {
                panic!("{code} must not be retried");
            };
            assert_eq!(
                (failure.reason.as_str(), failure.blame),
                (*code, Blame::Config)
            );
        }
        assert!(!is_fatal("server_error"));
        assert!(!is_fatal("rate_limit_exceeded"));
    }

    #[test]
    fn an_expired_connection_is_replaced_at_once() {
        let start = Instant::now();
        let mut link = link(start);
        link.on_up(start);
        let hour = start + Duration::from_secs(3600);
        let step = link.on_failure(hour, Failure::from_code("session_expired"), 1.0);
        assert_eq!(step, Step::Connect);
    }

    #[test]
    fn connections_that_expire_as_soon_as_they_open_are_not_hammered() {
        let start = Instant::now();
        let mut link = link(start);
        link.on_up(start);
        assert_eq!(
            link.on_failure(start, Failure::from_code("session_expired"), 1.0),
            Step::Connect
        );
        link.on_up(start);
        let step = link.on_failure(start, Failure::from_code("session_expired"), 1.0);
        assert_eq!(millis(&step, start), 500);
    }

    #[test]
    fn a_stable_connection_ends_the_outage_a_brief_one_does_not() {
        let start = Instant::now();
        let mut link = link(start);
        for _ in 0..4 {
            link.on_failure(start, lost(), 1.0);
        }
        link.on_up(start);
        let brief = start + Duration::from_secs(1);
        assert_eq!(millis(&link.on_failure(brief, lost(), 1.0), brief), 4000);
        link.on_up(brief);
        let long = brief + Duration::from_secs(3600);
        assert_eq!(millis(&link.on_failure(long, lost(), 1.0), long), 250);
    }
}
