//! Transactions as they come in: bounded, decoded, sanitized, their signatures checked.

use bincode::Options;
use solana_message::VersionedMessage;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

use crate::limits::TRANSACTION_BYTES_MAX;

/// Why bytes are not a transaction that this chain takes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum DecodeError {
    #[error(
        "decoded solana_transaction::versioned::VersionedTransaction too large: {0} bytes (max: \
         {TRANSACTION_BYTES_MAX} bytes)"
    )]
    TooLarge(usize),
    #[error("failed to deserialize solana_transaction::versioned::VersionedTransaction: {0}")]
    Malformed(String),
    #[error("invalid transaction: Transaction failed to sanitize accounts offsets correctly")]
    Unsound,
    #[error("invalid transaction: Transaction version is unsupported")]
    UnsupportedVersion,
}

/// A decoded, sanitized transaction with the bytes it came in. Signatures may still be wrong.
#[derive(Clone, Debug)]
pub(crate) struct WireTransaction {
    pub(crate) transaction: VersionedTransaction,
    pub(crate) wire: Vec<u8>,
}

/// A transaction all of whose signatures are right.
#[derive(Clone, Debug)]
pub(crate) struct VerifiedTransaction(WireTransaction);

impl WireTransaction {
    pub(crate) fn decode(wire: Vec<u8>) -> Result<Self, DecodeError> {
        if wire.len() > TRANSACTION_BYTES_MAX {
            return Err(DecodeError::TooLarge(wire.len()));
        }
        let transaction: VersionedTransaction = bincode::options()
            .with_limit(TRANSACTION_BYTES_MAX as u64)
            .with_fixint_encoding()
            .reject_trailing_bytes()
            .deserialize(&wire)
            .map_err(|error| DecodeError::Malformed(error.to_string()))?;
        if !matches!(transaction.message, VersionedMessage::Legacy(_) | VersionedMessage::V0(_)) {
            return Err(DecodeError::UnsupportedVersion);
        }
        transaction.sanitize().map_err(|_| DecodeError::Unsound)?;
        Ok(Self { transaction, wire })
    }

    pub(crate) fn encode(transaction: VersionedTransaction) -> Result<Self, DecodeError> {
        let wire = bincode::serialize(&transaction)
            .map_err(|error| DecodeError::Malformed(error.to_string()))?;
        Self::decode(wire)
    }

    /// Checks every signature; gives `None` if one is wrong.
    pub(crate) fn verify(self) -> Option<VerifiedTransaction> {
        let message = self.transaction.message.serialize();
        let keys = self.transaction.message.static_account_keys();
        let right = self
            .transaction
            .signatures
            .iter()
            .zip(keys)
            .all(|(signature, key)| signature.verify(key.as_ref(), &message));
        // Sanitizing has made sure of one signature for each required signer, and of at least one.
        right.then_some(VerifiedTransaction(self))
    }
}

impl VerifiedTransaction {
    pub(crate) fn signature(&self) -> Signature {
        self.0.transaction.signatures.first().copied().unwrap_or_default()
    }

    pub(crate) fn transaction(&self) -> &VersionedTransaction {
        &self.0.transaction
    }

    pub(crate) fn wire(&self) -> &[u8] {
        &self.0.wire
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use solana_address::Address;
    use solana_keypair::Keypair;
    use solana_message::Message;
    use solana_signer::Signer;

    use super::*;

    fn transfer() -> VersionedTransaction {
        let payer = Keypair::new();
        let instruction = solana_system_interface::instruction::transfer(
            &payer.pubkey(),
            &Address::new_unique(),
            1,
        );
        let message = Message::new(&[instruction], Some(&payer.pubkey()));
        VersionedTransaction::try_new(VersionedMessage::Legacy(message), &[payer]).unwrap()
    }

    #[test]
    fn a_right_transaction_passes_and_a_changed_byte_does_not() {
        let wire = WireTransaction::encode(transfer()).unwrap();
        assert!(wire.clone().verify().is_some());
        let mut bytes = wire.wire;
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert!(WireTransaction::decode(bytes).unwrap().verify().is_none());
    }

    #[test]
    fn trailing_bytes_and_oversize_are_refused() {
        let mut bytes = WireTransaction::encode(transfer()).unwrap().wire;
        bytes.push(0);
        assert!(matches!(WireTransaction::decode(bytes), Err(DecodeError::Malformed(_))));
        assert_eq!(
            WireTransaction::decode(vec![0; 1_233]).unwrap_err(),
            DecodeError::TooLarge(1_233)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..1300)
        ) {
            if let Ok(wire) = WireTransaction::decode(bytes) {
                prop_assert!(wire.verify().is_none());
            }
        }
    }
}
