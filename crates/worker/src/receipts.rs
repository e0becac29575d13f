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
    /// The signature does not hold on this chain.
    #[error("the receipt's signature does not hold")]
    Signature,
}

/// Whether `receipt` would be accepted by the market program of `chain`. `vouchers` are the keys
/// whose word counts for its lease, `lease` is what the store knows of the cluster.
pub(crate) fn check(
    receipt: &SignedReceipt,
    chain: &ChainRef,
    vouchers: &[Wallet],
    lease: Option<Wallet>,
) -> Result<(), ReceiptError> {
    if !vouchers.contains(&receipt.signer) {
        return Err(ReceiptError::Signer);
    }
    if ClusterId::of_lease(&receipt.lease) != receipt.cluster {
        return Err(ReceiptError::Cluster);
    }
    if lease != Some(receipt.lease) {
        return Err(ReceiptError::NotOurs);
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
        let (chain, ours) = (chain(), Some(good.lease));
        let signer = &[coordinator_wallet()][..];
        assert_eq!(check(&good, &chain, signer, ours), Ok(()));
        let more = SignedReceipt { served_s: 61, ..good };
        assert_eq!(check(&more, &chain, signer, ours), Err(ReceiptError::Signature));
        let page = SignedReceipt { page: 1, ..good };
        assert_eq!(check(&page, &chain, signer, ours), Err(ReceiptError::Signature));
        let mut elsewhere = chain;
        elsewhere.genesis.0[0] ^= 1;
        assert_eq!(check(&good, &elsewhere, signer, ours), Err(ReceiptError::Signature));
        assert_eq!(check(&good, &chain, &[Wallet([1; 32])], ours), Err(ReceiptError::Signer));
        assert_eq!(check(&good, &chain, &[], ours), Err(ReceiptError::Signer));
        assert_eq!(check(&good, &chain, signer, None), Err(ReceiptError::NotOurs));
        let other = SignedReceipt { lease: Wallet([8; 32]), ..good };
        assert_eq!(check(&other, &chain, signer, ours), Err(ReceiptError::Cluster));
    }
}
