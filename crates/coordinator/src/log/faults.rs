//! Storage faults on demand, so that tests can fail every write once.

use super::LogError;
use std::sync::atomic::{AtomicI64, Ordering};

/// Counts writes down to the one that fails.
#[derive(Debug)]
pub struct Faults {
    left: AtomicI64,
}

impl Faults {
    /// No write fails.
    pub fn none() -> Self {
        Self { left: AtomicI64::new(-1) }
    }

    /// The write after the next `count` fails, and that one only.
    pub fn fail_after(&self, count: u32) {
        self.left.store(i64::from(count), Ordering::SeqCst);
    }

    /// Whether the fault that was asked for has happened.
    pub fn has_failed(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    pub(super) fn check(&self) -> Result<(), LogError> {
        let step = |left| (left >= 0).then_some(left - 1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step) {
            Ok(0) => Err(LogError::Injected),
            _ => Ok(()),
        }
    }
}
