//! How much of a pass over memory has to come in over a chip's ports.

/// Bytes that a chip takes in during one pass over `all` bytes, at the least, so that it holds
/// `held` of them after it as before: `held (all - held) / (2 all)`, rounded down. Between `k`
/// chips that hold equal parts, `all (1 - 1/k) / 2` cross in all.
///
/// Why ([`crate::memory`] has the pass): the pairs of a pass follow from the root over all pages of
/// the pass before, so which pages a chip keeps, and of which it keeps copies, is settled before
/// anybody knows a pair. Of the `n / 2` pairs, about `h^2 n / 2` then have both pages at a chip
/// that holds a share `h`: these it mixes by itself, to `h^2 n` new pages. Every other new page
/// that it holds came in, or was mixed with a page that came in; and one page that comes in makes
/// two new ones at most. So at least `(h - h^2) n / 2` pages come in, whoever sends them, whether
/// or not others hold copies. With copies (shares that add up to more than one) less crosses and
/// more is streamed; the bound stands for each chip.
///
/// That a page comes in as 512 bytes: pages grow from a cipher and are mixed by an invertible
/// function, so there is nothing to compress. That half of a pair cannot be told in fewer bytes is
/// an assumption on the mixing: sixteen words of each page meet in four half rounds, and to
/// exchange what these need of each other takes more words than to send the sixteen.
///
/// Not in it: digests of leaves that others hash further (a sixteenth at most). Nor the first
/// passes of a trial, in which copies that grew from the seed for nothing thin out: of a share `h`
/// of all, `h^2` is left after a pass in which nothing comes in.
pub const fn crossing(all: u64, held: u64) -> u64 {
    if all == 0 || held >= all {
        return 0;
    }
    let (all, held) = (all as u128, held as u128);
    (held * (all - held) / (2 * all)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expand::Seed;
    use crate::memory::{Memory, PAGE_BYTES, Pairing};

    /// Pages that come in at the least, by the pairs that a pass really has: chip `n` of `k` keeps
    /// the pages from `n / k` on, and copies of `copies` after them.
    fn counted(memory: Memory, pairing: &Pairing, k: usize, copies: usize) -> Vec<usize> {
        let pages = memory.pages();
        let first = |n: usize| pages * n / k;
        let held = |n: usize| first(n + 1) - first(n) + copies;
        let holds = |n: usize, page: usize| (page + pages - first(n)) % pages < held(n);
        let place = |leaf: usize| pairing.place(leaf as u32) as usize;
        let own = |n: usize| {
            let both = |pair: &usize| holds(n, place(2 * pair)) && holds(n, place(2 * pair + 1));
            (0..pages / 2).filter(both).count()
        };
        // It mixes its own; each other page that it is to hold is half of what one that came in
        // made.
        (0..k).map(|n| held(n).saturating_sub(2 * own(n)).div_ceil(2)).collect()
    }

    #[test]
    fn pairs_cross_as_often_as_the_formula_says() {
        let memory = Memory::new(15 << 20).unwrap();
        let near = |found: u64, expected: u64| found.abs_diff(expected) * 20 <= expected;
        for (k, copies) in [(2, 0), (3, 0), (12, 0), (2, 3_000), (4, 5_000)] {
            for seed in 1..4 {
                let pairing = Pairing::new(memory, &Seed([seed; 32]));
                let found = counted(memory, &pairing, k, copies);
                let held = (memory.pages() / k + copies) * PAGE_BYTES;
                let expected = crossing(memory.bytes(), held as u64);
                for pages in &found {
                    let bytes = (pages * PAGE_BYTES) as u64;
                    assert!(near(bytes, expected), "{k} {copies}: {bytes} {expected}");
                }
                let all: usize = found.iter().sum();
                let half = memory.bytes() * (k as u64 - 1) / k as u64 / 2;
                assert!(copies > 0 || near((all * PAGE_BYTES) as u64, half), "{k}: {all} {half}");
            }
        }
    }

    #[test]
    fn who_holds_all_or_nothing_takes_nothing_in() {
        assert_eq!((crossing(0, 0), crossing(100, 0), crossing(100, 100)), (0, 0, 0));
        assert_eq!((crossing(100, 200), crossing(100, 50)), (0, 12));
        assert_eq!(crossing(u64::MAX, u64::MAX / 2), u64::MAX / 8);
    }
}
