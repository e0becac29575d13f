//! Signing receipts: what a supplier can cash without us.

use ionet_core::{ChainRef, ClusterId, SignatureBytes, Wallet};
use ionet_ledger::interface::statement::Receipt;
use ionet_ledger::{KeypairFile, Signer as _};
use ionet_network::LineRef;
use ionet_wire::message::SignedReceipt;
use std::fmt;
use std::sync::Arc;

/// Signs receipts with the coordinator's on-chain key.
#[derive(Clone)]
pub struct ReceiptSigner {
    key: Arc<KeypairFile>,
    chain: ChainRef,
}

impl fmt::Debug for ReceiptSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptSigner").field("chain", &self.chain).finish_non_exhaustive()
    }
}

impl ReceiptSigner {
    /// Signs with `key` for leases on `chain`.
    pub fn new(key: Arc<KeypairFile>, chain: ChainRef) -> Self {
        Self { key, chain }
    }

    /// A receipt for `served_s` seconds since the start of `line`, whose device had
    /// `generation` when it was bound.
    pub fn sign(
        &self,
        cluster: ClusterId,
        lease: Wallet,
        line: LineRef,
        generation: u64,
        served_s: u64,
    ) -> SignedReceipt {
        let LineRef { page, index } = line;
        let receipt = Receipt { lease: lease.0, page, index, generation, served_s };
        let bytes = receipt.signing_bytes(&self.chain.genesis.0, &self.chain.program.0);
        SignedReceipt {
            cluster,
            lease,
            page,
            line: index,
            generation,
            served_s,
            signer: Wallet(self.key.address().to_bytes()),
            signature: SignatureBytes(self.key.sign_now(&bytes).into()),
        }
    }

    /// Whether a receipt that a device shows is one of ours, on this chain.
    pub fn is_ours(&self, receipt: &SignedReceipt) -> bool {
        receipt.signer.0 == self.key.address().to_bytes() && holds(&self.chain, receipt)
    }

    /// Whether it is a receipt of one of `vouchers`, on this chain.
    pub fn is_of(&self, vouchers: &[Wallet], receipt: &SignedReceipt) -> bool {
        vouchers.contains(&receipt.signer) && holds(&self.chain, receipt)
    }
}

/// Whether a receipt's signature is its signer's, on this chain.
pub(crate) fn holds(chain: &ChainRef, receipt: &SignedReceipt) -> bool {
    let bytes = plain(receipt).signing_bytes(&chain.genesis.0, &chain.program.0);
    ionet_core::verify(&receipt.signer.0, &bytes, &receipt.signature).is_ok()
}

fn plain(receipt: &SignedReceipt) -> Receipt {
    Receipt {
        lease: receipt.lease.0,
        page: receipt.page,
        index: receipt.line,
        generation: receipt.generation,
        served_s: receipt.served_s,
    }
}

/// The same as the program's client has it.
pub(super) fn for_the_chain(receipt: &SignedReceipt) -> ionet_ledger::SignedReceipt {
    ionet_ledger::SignedReceipt {
        receipt: plain(receipt),
        signer: receipt.signer.0,
        signature: receipt.signature.0,
    }
}
