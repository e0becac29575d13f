//! Bounded numbers of long-lived things, in all and for each owner.

use super::problem::ApiError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts what is open.
pub(super) struct Slots<K> {
    open: Arc<Mutex<BTreeMap<K, usize>>>,
    all_max: usize,
    each_max: usize,
}

/// One open thing: dropping it frees its place.
pub(super) struct Slot<K: Ord> {
    open: Arc<Mutex<BTreeMap<K, usize>>>,
    key: K,
}

fn locked<K>(open: &Mutex<BTreeMap<K, usize>>) -> MutexGuard<'_, BTreeMap<K, usize>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Ord + Copy> Slots<K> {
    pub(super) fn new(all_max: usize, each_max: usize) -> Self {
        Self { open: Arc::default(), all_max, each_max }
    }

    /// A place for one more, of a kind that `what` names.
    pub(super) fn take(&self, key: K, what: &str) -> Result<Slot<K>, ApiError> {
        let mut open = locked(&self.open);
        let all: usize = open.values().sum();
        let each = open.get(&key).copied().unwrap_or(0);
        if all >= self.all_max || each >= self.each_max {
            return Err(ApiError::too_many(what));
        }
        open.insert(key, each + 1);
        Ok(Slot { open: self.open.clone(), key })
    }
}

impl<K: Ord> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut open = locked(&self.open);
        match open.get_mut(&self.key) {
            Some(each) if *each > 1 => *each -= 1,
            _ => {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let slots = Slots::new(3, 2);
        let first = slots.take("a", "streams").unwrap();
        let _second = slots.take("a", "streams").unwrap();
        assert!(slots.take("a", "streams").is_err(), "a has its two");
        let _third = slots.take("b", "streams").unwrap();
        assert!(slots.take("c", "streams").is_err(), "three in all");
        drop(first);
        assert!(slots.take("a", "streams").is_ok());
        assert_eq!(locked(&slots.open).len(), 2);
    }
}
