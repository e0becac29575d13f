//! Rate limits: a token bucket for each caller, in whole thousandths of a request.

use super::limits::CALLERS_MAX;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// How much a caller may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests at once after a rest.
    pub burst: u32,
    /// Requests per second from then on.
    pub per_second: u32,
}

/// The limits of all kinds of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// All requests of one address.
    pub address: Rate,
    /// Sign-ins of one address: each costs a signature check.
    pub sign_in: Rate,
    /// Authenticated requests of one wallet.
    pub wallet: Rate,
    /// Mutations of one wallet: each is written to disk.
    pub mutation: Rate,
}

impl Default for Rates {
    /// Far above what a person's tools need, far below what would hurt a coordinator.
    fn default() -> Self {
        Self {
            address: Rate { burst: 2_000, per_second: 200 },
            sign_in: Rate { burst: 60, per_second: 2 },
            wallet: Rate { burst: 1_000, per_second: 100 },
            mutation: Rate { burst: 100, per_second: 5 },
        }
    }
}

/// One request, in the buckets' unit.
const REQUEST: u64 = 1_000;

struct Bucket {
    left: u64,
    at_ms: i64,
}

/// Buckets of one kind of caller.
pub(super) struct Buckets<K> {
    rate: Rate,
    of: Mutex<BTreeMap<K, Bucket>>,
}

impl<K: Ord> Buckets<K> {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, of: Mutex::new(BTreeMap::new()) }
    }

    fn full(&self) -> u64 {
        u64::from(self.rate.burst) * REQUEST
    }

    /// What a bucket holds at `now_ms`. A clock that runs backwards refills nothing.
    fn level(&self, bucket: &Bucket, now_ms: i64) -> u64 {
        let elapsed_ms = u64::try_from(now_ms.saturating_sub(bucket.at_ms)).unwrap_or(0);
        // Per millisecond a thousandth of the requests per second: the units cancel.
        let refill = elapsed_ms.saturating_mul(u64::from(self.rate.per_second));
        bucket.left.saturating_add(refill).min(self.full())
    }

    /// Takes one request from the caller's bucket; an error says after how many seconds there
    /// will be one.
    pub(super) fn take(&self, caller: K, now_ms: i64) -> Result<(), u64> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if of.len() >= CALLERS_MAX && !of.contains_key(&caller) {
            of.retain(|_, bucket| self.level(bucket, now_ms) < self.full());
            // All of them busy: forgiving everyone is kinder than shutting newcomers out.
            if of.len() >= CALLERS_MAX {
                of.clear();
            }
        }
        let fresh = Bucket { left: self.full(), at_ms: now_ms };
        let bucket = of.entry(caller).or_insert(fresh);
        bucket.left = self.level(bucket, now_ms);
        bucket.at_ms = now_ms;
        match bucket.left.checked_sub(REQUEST) {
            Some(left) => {
                bucket.left = left;
                Ok(())
            }
            None => {
                let missing = REQUEST - bucket.left;
                let per_second = u64::from(self.rate.per_second.max(1)) * REQUEST;
                Err(missing.div_ceil(per_second))
            }
        }
    }
}

/// Whom an address stands for: one customer commands a whole IPv6 /64.
pub(super) fn caller(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let buckets = Buckets::new(Rate { burst: 3, per_second: 2 });
        for _ in 0..3 {
            assert_eq!(buckets.take("a", 0), Ok(()));
        }
        assert_eq!(buckets.take("a", 0), Err(1));
        assert_eq!(buckets.take("b", 0), Ok(()), "another caller has a bucket of its own");
        assert_eq!(buckets.take("a", 499), Err(1));
        assert_eq!(buckets.take("a", 500), Ok(()));
        assert_eq!(buckets.take("a", -1_000_000), Err(1), "a clock that ran backwards");
        let rested = (0..10).filter(|_| buckets.take("a", 60_000).is_ok()).count();
        assert_eq!(rested, 3);
    }

    #[test]
    fn memory_is_bounded() {
        let buckets = Buckets::new(Rate { burst: 1, per_second: 1 });
        for caller in 0..2 * CALLERS_MAX {
            let _ = buckets.take(caller, 0);
            assert!(buckets.of.lock().unwrap().len() <= CALLERS_MAX);
        }
    }

    #[test]
    fn one_caller_per_customer() {
        let of = |text: &str| caller(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::9"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::9"), of("2001:db8:1:3::9"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
