//! What a day with a thief came to, beside what was agreed.

use crate::day::{AGREED_RATE, Day, FEE_BPS, MINT};
use ionet_program_tests::Key;

/// What a line earns, rounded down.
pub(crate) fn earned(rate: u64, seconds: u64) -> u64 {
    narrow(u128::from(rate) * u128::from(seconds) / 3_600)
}

/// The fee on it, rounded up.
pub(crate) fn fee(earned: u64, bps: u64) -> u64 {
    narrow((u128::from(earned) * u128::from(bps)).div_ceil(10_000))
}

/// The most that a rate takes in so many seconds: rounded up.
pub(crate) fn at_most(rate: u64, seconds: i64) -> u64 {
    narrow((u128::from(rate) * u128::from(seconds.unsigned_abs())).div_ceil(3_600))
}

fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).expect("an amount")
}

/// Balances in the lease's mint, of everyone who could win or lose.
#[derive(Clone, Debug)]
pub(crate) struct Balances {
    renter: u64,
    suppliers: Vec<u64>,
    fees: u64,
    thief: u64,
}

impl Balances {
    pub(crate) fn of(day: &Day) -> Self {
        let held = |account: &Key| day.market.balance(account);
        Self {
            renter: held(&day.renter.tokens[MINT]),
            suppliers: day.suppliers.iter().map(|s| held(&s.tokens[MINT])).collect(),
            fees: held(&day.market.fee_owner.tokens[MINT]),
            thief: held(&day.thief.tokens[MINT]),
        }
    }
}

/// What each lost, and what the thief has more, in base units.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) renter: u64,
    pub(crate) suppliers: u64,
    pub(crate) fees: u64,
    pub(crate) thief: u64,
    /// From the theft until the lease's clock stopped for good.
    pub(crate) open_s: i64,
}

impl Outcome {
    /// The renter owes for what honest devices really served, at the agreed rate; they and the
    /// fee owner are due that.
    pub(crate) fn of(day: &Day, before: &Balances) -> Self {
        let now = Balances::of(day);
        let mut due = vec![0; day.suppliers.len()];
        let mut fees = 0;
        for stint in &day.stints {
            let Some(supplier) = stint.supplier else { continue };
            let worth = earned(AGREED_RATE, stint.served_s);
            due[supplier] += worth;
            fees += fee(worth, FEE_BPS);
        }
        let spent = before.renter - now.renter;
        // A new key of a supplier's had nothing before.
        let had = before.suppliers.iter().chain(std::iter::repeat(&0));
        let got = now.suppliers.iter().zip(had).map(|(now, had)| now - had);
        Self {
            renter: spent.saturating_sub(due.iter().sum::<u64>() + fees),
            suppliers: due.iter().zip(got).map(|(due, got)| due.saturating_sub(got)).sum(),
            fees: fees.saturating_sub(now.fees - before.fees),
            thief: now.thief.saturating_sub(before.thief),
            open_s: day.stopped_at - day.began_at,
        }
    }
}

/// Somebody's loss beside its bound.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub(crate) who: &'static str,
    pub(crate) lost: u64,
    pub(crate) bound: u64,
    pub(crate) by: &'static str,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) key: &'static str,
    pub(crate) does: &'static str,
    pub(crate) when: &'static str,
    pub(crate) thief: u64,
    pub(crate) losses: Vec<Loss>,
    left: Vec<(&'static str, u64)>,
}

impl Row {
    /// A play of the thief with `key`, who `does` this.
    pub(crate) fn new(
        key: &'static str,
        does: &'static str,
        when: &'static str,
        outcome: &Outcome,
    ) -> Self {
        let left = vec![
            ("renter", outcome.renter),
            ("suppliers", outcome.suppliers),
            ("fee owner", outcome.fees),
        ];
        Self { key, does, when, thief: outcome.thief, losses: Vec::new(), left }
    }

    /// A play whose losses are only those that are stated one by one.
    pub(crate) fn locked(key: &'static str, does: &'static str, when: &'static str) -> Self {
        Self { key, does, when, thief: 0, losses: Vec::new(), left: Vec::new() }
    }

    /// States what bounds somebody's loss.
    #[track_caller]
    pub(crate) fn bound(mut self, who: &'static str, bound: u64, by: &'static str) -> Self {
        let at = self.left.iter().position(|left| left.0 == who).expect("who");
        let (who, lost) = self.left.remove(at);
        assert!(lost <= bound, "{who} lost {lost} of at most {bound}: {}", self.does);
        self.losses.push(Loss { who, lost, bound, by });
        self
    }

    /// A loss that is no missing tokens.
    #[track_caller]
    pub(crate) fn beside(mut self, loss: Loss) -> Self {
        assert!(loss.lost <= loss.bound, "{loss:?}");
        self.losses.push(loss);
        self
    }

    /// Nobody else lost a base unit, and what is said to be lost really is: at least this part
    /// of the bound, in percent.
    #[track_caller]
    pub(crate) fn tight(self, percent: u64) -> Self {
        for (who, lost) in &self.left {
            assert_eq!(*lost, 0, "{who} lost without a bound: {}", self.does);
        }
        for loss in &self.losses {
            let (lost, bound) = (u128::from(loss.lost), u128::from(loss.bound));
            assert!(lost * 100 >= bound * u128::from(percent), "{} : {loss:?}", self.does);
        }
        self
    }

    /// Nobody lost a base unit and the thief won none.
    #[track_caller]
    pub(crate) fn harmless(self) -> Self {
        assert_eq!(self.thief, 0, "the thief got something: {}", self.does);
        assert!(self.losses.iter().all(|loss| loss.lost == 0), "{:?}", self.losses);
        self.tight(0)
    }
}
