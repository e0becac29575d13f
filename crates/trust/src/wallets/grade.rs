//! From links to a grade: how much of a wallet counts as a hand of its own.
//!
//! If a wallet is with probability `c` one of `k` of one hand, and else its own, what it should
//! count for is `(1 - c) + c / k`. The confidences `c` below are judgements, not measurements:
//! nobody has published labelled clusters of GPU suppliers. They are named so that they can be
//! argued about.

use super::graph::{Graph, Link};
use super::human::SCORE_MAX;
use super::timing::{Batch, Timing};
use ionet_core::Wallet;

/// Thousandths. Money that goes to one address: whoever shares that shares all.
const PAYOUT_CONFIDENCE: u32 = 900;
/// Fed by one source: also families and small firms.
const FED_CONFIDENCE: u32 = 700;
/// One machine: a device says what it is, so it can be made up, and rooms are shared.
const MACHINE_CONFIDENCE: u32 = 600;
/// Linked by a longer chain than [`NEAR_STEPS`], of whatever kind. Money goes from hand to hand, so
/// large clusters hold strangers; but a chain of empty wallets costs only a fee each.
const FAR_CONFIDENCE: u32 = 300;
/// Links between two owners that are one hand's rather than hearsay: a common feeder is two away,
/// one with a wallet in between for each is four.
const NEAR_STEPS: u32 = 4;
/// Nodes that are looked at for one grade. Beyond, what was counted so far stands.
const NODES_MAX: usize = 1 << 16;
/// Paid in one batch by an exchange: strangers can be.
const BATCH_CONFIDENCE: u32 = 300;
/// The least grade: doubt lowers what a wallet counts for and never takes it all.
const GRADE_MIN: u16 = 100;
/// The grade of a wallet that nothing is known against.
const GRADE_MAX: u16 = 1_000;

/// How much of a wallet counts as a hand of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grade {
    /// Thousandths, from 100 to 1,000.
    pub factor: u16,
    /// Owners of devices that it is counted among, itself included.
    pub owners: u32,
    /// Why, strongest first. Empty for 1,000.
    pub reasons: Vec<Reason>,
}

/// Why a grade is below 1,000, or above what the links alone would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The strongest link that ties it to a cluster with other owners.
    Linked {
        /// Its kind.
        link: Link,
        /// Owners beside this one within four links.
        near: u32,
        /// Owners beside this one in all of the cluster.
        others: u32,
    },
    /// Who fed it fed others like a machine.
    Timing {
        /// The feeder.
        feeder: Wallet,
        /// Its pattern.
        timing: Timing,
    },
    /// A hub paid it in one batch with others.
    Batch(Batch),
    /// Somebody whom the reader trusts says that this is a person: thousandths.
    Human(u16),
}

impl Graph {
    /// The grade of a wallet, where `human` is what trusted statements say (thousandths; 0 for
    /// none). A wallet that was never seen, or is alone, has the full grade.
    pub fn grade(&self, wallet: &Wallet, human: u16) -> Grade {
        let full = Grade { factor: GRADE_MAX, owners: 1, reasons: Vec::new() };
        let Some(number) = self.number(wallet) else { return full };
        let others = self.owners_beside(number);
        let tied = self.tied(number).filter(|_| others > 0);
        let batch = self.batch(wallet).filter(|batch| batch.owners > 1);
        let mut reasons = Vec::new();
        let near = if tied.is_some() { self.owners_near(number, NEAR_STEPS, NODES_MAX) } else { 0 };
        let (mut confidence, owners) = match (tied, batch) {
            (Some((link, sure)), _) => {
                reasons.push(Reason::Linked { link, near, others });
                if near > 0 { (sure, near + 1) } else { (FAR_CONFIDENCE, others + 1) }
            }
            (None, Some(batch)) => {
                reasons.push(Reason::Batch(batch));
                (BATCH_CONFIDENCE, batch.owners)
            }
            (None, None) => return full,
        };
        let feeders =
            self.ties(number).filter(|(link, tie)| *link == Link::Fed && tie.to == number);
        let mut feeders = feeders.map(|(_, tie)| tie.from);
        let timed = feeders.find_map(|feeder| Some((feeder, self.timing_of(feeder)?)));
        if let Some((feeder, timing)) = timed.filter(|_| near > 0) {
            // Half of the doubt that is left, rounded down.
            confidence += (1_000 - confidence) / 2;
            let feeder = self.wallet(feeder).expect("only wallets feed");
            reasons.push(Reason::Timing { feeder, timing });
        }
        if human > 0 {
            let human = human.min(SCORE_MAX);
            confidence = confidence * (1_000 - u32::from(human)) / 1_000;
            reasons.push(Reason::Human(human));
        }
        // Thousandths, rounded down: in doubt against whoever asks for more.
        let factor = 1_000 - confidence + confidence / owners;
        Grade { factor: (factor as u16).max(GRADE_MIN), owners, reasons }
    }

    /// The strongest of a wallet's links, and how sure it is.
    fn tied(&self, wallet: u32) -> Option<(Link, u32)> {
        let sure = |link: Link| match link {
            Link::Payout => PAYOUT_CONFIDENCE,
            Link::Fed => FED_CONFIDENCE,
            Link::Machine => MACHINE_CONFIDENCE,
        };
        self.ties(wallet).map(|(link, _)| (link, sure(link))).max_by_key(|(_, sure)| *sure)
    }
}
