//! Receipts: checked before they are kept, because they are what the supplier is paid for.

use ionet_core::{ChainRef, ClusterId, Wallet, verify};
use ionet_market_interface::statement::Receipt;
use ionet_wire::message::SignedReceipt;

/// Why a receipt is worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReceiptError {
    /// Signed by somebody else.
    #[error("the receipt's signer is none of those who may vouch for its lease")]
    Signer,
    /// The cluster is not the lease's.
    #[error("the receipt's lease does not pay for its cluster")]
    Cluster,
    /// No part of that lease ever ran here.
    #[error("the receipt is for a lease that this device never served")]
    NotOurs,
    /// It says more than can have passed: the program would refuse it.
    #[error("the receipt is over more seconds than the cluster was served here")]
    Beyond,
    /// The signature does not hold on this chain.
    #[error("the receipt's signature does not hold")]
    Signature,
}

/// Seconds by which this machine's clock may be wrong, or was set since the part was wanted.
const CLOCK_SLACK_S: u64 = 120;

/// The most that a line can have served at `now` of a cluster that was wanted here at `since`.
pub(crate) fn served_max(since: i64, now: i64) -> u64 {
    u64::try_from(now.saturating_sub(since)).unwrap_or(0).saturating_add(CLOCK_SLACK_S)
}

/// What this device knows of a receipt's cluster.
pub(crate) struct Known<'a> {
    /// Keys whose word counts for its lease.
    pub(crate) vouchers: &'a [Wallet],
    /// Its lease.
    pub(crate) lease: Option<Wallet>,
    /// The most seconds that can have been served; none: not known.
    pub(crate) served_max: Option<u64>,
}

/// Whether `receipt` would be accepted by the market program of `chain`, as far as can be told
/// here.
pub(crate) fn check(
    receipt: &SignedReceipt,
    chain: &ChainRef,
    known: &Known<'_>,
) -> Result<(), ReceiptError> {
    if !known.vouchers.contains(&receipt.signer) {
        return Err(ReceiptError::Signer);
    }
    if ClusterId::of_lease(&receipt.lease) != receipt.cluster {
        return Err(ReceiptError::Cluster);
    }
    if known.lease != Some(receipt.lease) {
        return Err(ReceiptError::NotOurs);
    }
    if known.served_max.is_some_and(|most| receipt.served_s > most) {
        return Err(ReceiptError::Beyond);
    }
    let statement = Receipt {
        lease: receipt.lease.0,
        page: receipt.page,
        index: receipt.line,
        generation: receipt.generation,
        served_s: receipt.served_s,
    };
    let bytes = statement.signing_bytes(&chain.genesis.0, &chain.program.0);
    verify(&receipt.signer.0, &bytes, &receipt.signature).map_err(|_| ReceiptError::Signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{chain, coordinator_wallet, signed_receipt};

    #[test]
    fn each_lie_is_seen() {
        let good = signed_receipt(Wallet([7; 32]), 60);
        let signer = [coordinator_wallet()];
        let known = || Known { vouchers: &signer, lease: Some(good.lease), served_max: Some(60) };
        let check_here = |r: &SignedReceipt| check(r, &chain(), &known());
        assert_eq!(check_here(&good), Ok(()));
        let less = SignedReceipt { served_s: 59, ..good.clone() };
        assert_eq!(check_here(&less), Err(ReceiptError::Signature));
        let page = SignedReceipt { page: 1, ..good.clone() };
        assert_eq!(check_here(&page), Err(ReceiptError::Signature));
        let mut elsewhere = chain();
        elsewhere.genesis.0[0] ^= 1;
        assert_eq!(check(&good, &elsewhere, &known()), Err(ReceiptError::Signature));
        for vouchers in [&[Wallet([1; 32])][..], &[]] {
            let others = Known { vouchers, ..known() };
            assert_eq!(check(&good, &chain(), &others), Err(ReceiptError::Signer));
        }
        let never = Known { lease: None, ..known() };
        assert_eq!(check(&good, &chain(), &never), Err(ReceiptError::NotOurs));
        let other = SignedReceipt { lease: Wallet([8; 32]), ..good.clone() };
        assert_eq!(check_here(&other), Err(ReceiptError::Cluster));
        let beyond = signed_receipt(good.lease, 61);
        assert_eq!(check_here(&beyond), Err(ReceiptError::Beyond));
        let unknown = Known { served_max: None, ..known() };
        assert_eq!(check(&beyond, &chain(), &unknown), Ok(()));
    }

    #[test]
    fn time_bounds_what_can_have_been_served() {
        assert_eq!(served_max(1_000, 1_000), CLOCK_SLACK_S);
        assert_eq!(served_max(1_000, 4_600), 3_600 + CLOCK_SLACK_S);
        assert_eq!(served_max(1_000, 0), CLOCK_SLACK_S, "a clock that was set back");
        assert_eq!(
            served_max(i64::MIN, i64::MAX),
            u64::try_from(i64::MAX).unwrap() + CLOCK_SLACK_S
        );
    }
}
