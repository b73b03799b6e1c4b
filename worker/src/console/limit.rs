//! Core: how often somebody may ask.
//!
//! One bucket per address and one for all of them; what is asked for is not looked at. Memory is
//! bounded: when too many addresses are known, those with full buckets are forgotten.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// A person joins once, reloads a few times, opens a second tab.
const PER_ADDRESS: f64 = 20.0;
/// Everybody together: a demo, not a service.
const ALTOGETHER: f64 = 200.0;
/// An empty bucket is full again after this long.
const REFILL: Duration = Duration::from_secs(60);
const MOST_ADDRESSES: usize = 4096;

/// The buckets.
#[derive(Debug, Default)]
pub struct Limit {
    by_address: HashMap<IpAddr, Bucket>,
    everybody: Option<Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    seen: Instant,
}

impl Limit {
    /// Takes one request; false = too many.
    pub fn allow(&mut self, now: Instant, address: IpAddr) -> bool {
        if self.by_address.len() >= MOST_ADDRESSES {
            self.by_address
                .retain(|_, bucket| now.duration_since(bucket.seen) < REFILL);
        }
        if self.by_address.len() >= MOST_ADDRESSES && !self.by_address.contains_key(&address) {
            return false;
        }
        let full = |size| Bucket {
            left: size,
            seen: now,
        };
        let everybody = self.everybody.get_or_insert_with(|| full(ALTOGETHER));
        let own = self
            .by_address
            .entry(address)
            .or_insert_with(|| full(PER_ADDRESS));
        own.take(now, PER_ADDRESS) && everybody.take(now, ALTOGETHER)
    }
}

impl Bucket {
    fn take(&mut self, now: Instant, size: f64) -> bool {
        let share = now.duration_since(self.seen).as_secs_f64() / REFILL.as_secs_f64();
        self.left = (self.left + share * size).min(size);
        self.seen = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + last).into()
    }

    #[test]
    fn one_address_is_stopped_and_others_are_not() {
        let now = Instant::now();
        let mut limit = Limit::default();
        let allowed = (0..50).filter(|_| limit.allow(now, address(1))).count();
        assert_eq!(allowed, 20);
        assert!(limit.allow(now, address(2)));
        assert!(
            limit.allow(now + Duration::from_secs(3), address(1)),
            "one drop every 3 s"
        );
        assert!(!limit.allow(now + Duration::from_secs(3), address(1)));
    }

    #[test]
    fn many_addresses_share_one_limit_and_little_memory() {
        let now = Instant::now();
        let mut limit = Limit::default();
        let allowed = (0..10_000)
            .filter(|n| limit.allow(now, address(*n)))
            .count();
        assert_eq!(allowed, 200);
        assert!(limit.by_address.len() <= MOST_ADDRESSES);
        assert!(
            limit.allow(now + REFILL, address(77_777)),
            "old addresses are forgotten"
        );
    }
}
