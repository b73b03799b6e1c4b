//! Core: a service that fails again and again is left alone for a while.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Failures in a row until it is left alone.
const FAILURES: u32 = 5;
/// For so long.
const REST: Duration = Duration::from_secs(10);

/// The breakers of all services, by host and port: tools that ask the same one share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Breakers(Arc<Mutex<BTreeMap<String, Shared>>>);

/// The breaker of one service.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<Mutex<Breaker>>);

impl Breakers {
    pub(super) fn of(&self, host: &str) -> Shared {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(host.to_owned()).or_default().clone()
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Breaker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether one service may be asked.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    opened: Option<Instant>,
    /// Since when one call tries again.
    probing: Option<Instant>,
}

impl Breaker {
    /// Whether it may be asked now. After a rest one call may try; the next wait for what it finds.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        match self.opened {
            Some(opened) if is_recent(now, opened) => false,
            Some(_) if self.probing.is_some_and(|began| is_recent(now, began)) => false,
            Some(_) => {
                self.probing = Some(now);
                true
            }
            None => true,
        }
    }

    /// A call ended without a word about the service: the next one may try.
    pub(super) fn learned_nothing(&mut self) {
        self.probing = None;
    }

    pub(super) fn worked(&mut self) {
        *self = Self::default();
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.failures += 1;
        self.probing = None;
        if self.failures >= FAILURES {
            self.opened = Some(now);
        }
    }
}

fn is_recent(now: Instant, then: Instant) -> bool {
    now.saturating_duration_since(then) < REST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_five_failures_in_a_row_it_rests_and_then_one_may_try() {
        let begin = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(begin);
        }
        breaker.worked();
        for _ in 0..5 {
            assert!(breaker.admits(begin));
            breaker.failed(begin);
        }
        assert!(!breaker.admits(begin + Duration::from_secs(9)));
        let later = begin + Duration::from_secs(11);
        assert!(breaker.admits(later), "one tries");
        assert!(!breaker.admits(later), "the next wait");
        breaker.learned_nothing();
        assert!(breaker.admits(later), "another one tries");
        breaker.worked();
        assert!(breaker.admits(later));
    }
}
