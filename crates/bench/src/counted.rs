//! The system's allocator, which counts live bytes while it is asked to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

static COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

/// Counts only while [`grown`] or [`peaked`] runs, so that timed code pays one relaxed load.
pub(crate) struct Counted;

fn note(bytes: i64) {
    if COUNTING.load(Relaxed) {
        let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
        PEAK.fetch_max(live, Relaxed);
    }
}

/// A layout is at most `isize::MAX` bytes.
fn signed(bytes: usize) -> i64 {
    bytes as i64
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of
// the caller.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(signed(layout.size()));
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note(-signed(layout.size()));
        // SAFETY: `at` came from `System` with this layout, for all of ours do.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(signed(layout.size()));
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(signed(size) - signed(layout.size()));
        // SAFETY: as in `dealloc`; the caller's promise about `size` is passed on.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// What `make` makes, and how many bytes more are live after it than before: as asked for, the
/// allocator's own overhead not included. Nothing else may run meanwhile.
pub(crate) fn grown<T>(make: impl FnOnce() -> T) -> (T, i64) {
    LIVE.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
    let made = make();
    COUNTING.store(false, Relaxed);
    (made, LIVE.load(Relaxed))
}

/// The same with the most bytes that were live at once meanwhile. A block that grows counts with
/// its new size alone: where the system has to copy it, both are there for a moment.
pub(crate) fn peaked<T>(make: impl FnOnce() -> T) -> (T, i64) {
    PEAK.store(0, Relaxed);
    let (made, _) = grown(make);
    (made, PEAK.load(Relaxed))
}
