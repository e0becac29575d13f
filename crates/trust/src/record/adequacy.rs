//! Whether a record opened enough. That it follows says nothing of that: a record of one opening
//! follows, too, and shows next to nothing.

use ionet_core::Task;

/// Fewest leaves that a proof of rounds opens, or it is weak: whoever leaves out a tenth of the
/// work then passes one trial in 29, and one in 29 is too seldom to hold a verdict that ends with
/// each wrong answer. Of half as many openings a fifth would pass that often.
pub const OPENINGS_MIN: u16 = 32;
/// The same for pairs of pages: each shows two pages, so half as many show as much.
pub const PAIRS_MIN: u16 = OPENINGS_MIN / 2;
/// A certainty, in the unit of [`slips`].
pub const CERTAIN: u64 = 1_000_000_000_000;

/// Pieces of the work that a proof of this task shows.
pub const fn pieces(task: &Task) -> u32 {
    match task {
        Task::Multiply { openings, .. } => *openings as u32,
        Task::Stream { openings, .. } => 2 * *openings as u32,
    }
}

/// Whether a proof of this task shows too little to count.
pub const fn is_weak(task: &Task) -> bool {
    pieces(task) < OPENINGS_MIN as u32
}

/// How likely a proof of this task finds nothing of `per_mille` thousandths of the work that were
/// left out: `(1 - e)^k`, in parts of [`CERTAIN`].
///
/// Rounded up at each of the `k` steps: never less than what is true, and more by less than `k`
/// parts. So nothing looks safer than it is.
pub fn slips(task: &Task, per_mille: u16) -> u64 {
    let left = 1_000 - u64::from(per_mille.min(1_000));
    // Below 2^50: no overflow.
    (0..pieces(task)).fold(CERTAIN, |chance, _| (chance * left).div_ceil(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::Units;

    fn rounds(openings: u16) -> Task {
        Task::Multiply { units: Units::Integer, side: 64, width: 16, openings, time_ms: 1 }
    }

    fn passes(openings: u16) -> Task {
        Task::Stream { bytes: 1 << 20, openings, time_ms: 1 }
    }

    #[test]
    fn chances_are_those_of_the_formula_and_never_too_small() {
        // 0.9^64 = 0.001179..., 0.99^64 = 0.525596..., to twelve digits.
        assert!((1_179_018_457..1_179_018_457 + 65).contains(&slips(&rounds(64), 100)));
        assert!((525_596_487_525..525_596_487_525 + 65).contains(&slips(&rounds(64), 10)));
        assert_eq!(slips(&passes(32), 100), slips(&rounds(64), 100), "a pair shows two pages");
        assert_eq!((slips(&rounds(0), 500), slips(&rounds(64), 0)), (CERTAIN, CERTAIN));
        assert_eq!((slips(&rounds(1), 1_000), slips(&rounds(1), u16::MAX)), (0, 0));
        // Exact where the numbers are small: (1/2)^10.
        assert_eq!(slips(&rounds(10), 500), CERTAIN.div_ceil(1_024));
        assert!(slips(&rounds(u16::MAX), 1) > 0, "rounded up to the end");
    }

    #[test]
    fn the_minimum_is_what_its_reason_says() {
        for (enough, few) in [
            (rounds(OPENINGS_MIN), rounds(OPENINGS_MIN - 1)),
            (passes(PAIRS_MIN), passes(PAIRS_MIN - 1)),
        ] {
            assert!(!is_weak(&enough) && is_weak(&few));
            assert_eq!(CERTAIN / slips(&enough, 100), 29);
        }
        assert!(is_weak(&rounds(1)) && is_weak(&rounds(0)));
    }
}
