//! Time: this machine's, and the chain's as last seen.

use ionet_network::At;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds; tests pass their own.
pub type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Both clocks. Cheap to clone.
#[derive(Clone)]
pub struct Clock {
    now: NowMs,
    /// Milliseconds that the chain's clock is ahead of ours; what was seen last.
    chain_ahead: Arc<AtomicI64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(Arc::new(unix_ms))
    }
}

impl Clock {
    /// Reads time through `now`.
    pub fn new(now: NowMs) -> Self {
        Self { now, chain_ahead: Arc::default() }
    }

    /// This machine's time.
    pub fn now(&self) -> At {
        At((self.now)())
    }

    /// The chain's time, as far as known here.
    pub fn chain(&self) -> At {
        At(self.now().0.saturating_add(self.chain_ahead.load(Ordering::Relaxed)))
    }

    /// The chain's clock was just read.
    pub fn saw_chain(&self, unix_seconds: i64) {
        let ahead = At::from_seconds(unix_seconds).0.saturating_sub(self.now().0);
        self.chain_ahead.store(ahead, Ordering::Relaxed);
    }
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
