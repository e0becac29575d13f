//! How much memory a parser takes. A length that somebody else wrote must not reserve what the
//! bytes cannot hold; to see that, everything that this thread takes from the heap is counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static HEAP: Counting = Counting;

// Neither needs memory of its own, at its beginning or its end: the allocator may use them.
thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn note(change: isize) {
    let live = LIVE.get().wrapping_add(change);
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
}

// SAFETY: the system's own allocator does everything; counting changes no pointer and no layout.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// What `work` gives, and the most bytes that it held at once beyond what was held before.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let given = work();
    (given, PEAK.get().wrapping_sub(before).max(0) as usize)
}

/// What `parse` gives. It may hold `times` bytes for each byte that it reads, and `fixed` besides.
pub fn bounded<T>(read: usize, times: usize, fixed: usize, parse: impl FnOnce() -> T) -> T {
    let (given, peak) = peak(parse);
    let most = read * times + fixed;
    assert!(peak <= most, "{read} bytes took {peak} bytes of memory, not up to {most}");
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_at_once_is_counted() {
        let (kept, most) = peak(|| {
            drop(vec![1u8; 1 << 20]);
            vec![1u8; 1 << 10]
        });
        assert!(((1 << 20)..(1 << 21)).contains(&most), "{most}");
        let (_, more) = peak(|| drop(kept));
        assert_eq!(more, 0);
    }

    #[test]
    #[should_panic(expected = "took")]
    fn a_length_that_is_believed_is_found() {
        bounded(4, 16, 1 << 10, || Vec::<u8>::with_capacity(1 << 20));
    }
}
