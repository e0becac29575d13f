//! Signed statements. Each names its purpose and its chain, so that none can be used for
//! another purpose or on another chain.

use crate::{GenesisHash, ProgramId};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

/// What a statement is for. The text stands in front of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// A device asks to be enrolled under a wallet.
    DeviceRequest,
    /// A wallet takes a device as its own.
    DeviceGrant,
    /// Somebody says that a person stands behind a wallet.
    HumanScore,
    /// A renter says what it saw from inside its containers.
    InsideCheck,
}

impl Domain {
    fn as_bytes(self) -> &'static [u8] {
        match self {
            Domain::DeviceRequest => b"ionet:device-request:v1\0",
            Domain::DeviceGrant => b"ionet:device-grant:v1\0",
            Domain::HumanScore => b"ionet:human-score:v1\0",
            Domain::InsideCheck => b"ionet:inside-check:v1\0",
        }
    }
}

/// Which market on which chain: the program and the chain's first hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChainRef {
    /// The chain.
    pub genesis: GenesisHash,
    /// The market program on it.
    pub program: ProgramId,
}

/// A signature in base58 when it is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureBytes(pub [u8; 64]);

impl Serialize for SignatureBytes {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&bs58::encode(self.0).into_string())
    }
}

impl<'de> Deserialize<'de> for SignatureBytes {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        let wrong = || serde::de::Error::custom("a signature is 64 bytes in base58");
        let mut bytes = [0u8; 64];
        // 64 bytes are at most 88 characters of base58; longer text is not decoded at all.
        if text.len() > 88 || bs58::decode(&*text).onto(&mut bytes) != Ok(64) {
            return Err(wrong());
        }
        Ok(Self(bytes))
    }
}

/// Why a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The key is not a point of the curve.
    #[error("the signer's key is not a valid ed25519 key")]
    Key,
    /// The signature is not this key's over these bytes.
    #[error("the signature does not match the statement and its signer")]
    Signature,
}

/// The bytes to sign for `body`: domain, genesis hash, program, body.
pub fn signing_bytes(domain: Domain, chain: &ChainRef, body: &[u8]) -> Vec<u8> {
    [domain.as_bytes(), &chain.genesis.0, &chain.program.0, body].concat()
}

/// Whether `signature` is `key`'s over `message`, by the strict rules (no small-order keys, no
/// second encoding of the same signature).
pub fn verify(
    key: &[u8; 32],
    message: &[u8],
    signature: &SignatureBytes,
) -> Result<(), StatementError> {
    let key = VerifyingKey::from_bytes(key).map_err(|_| StatementError::Key)?;
    key.verify_strict(message, &Signature::from_bytes(&signature.0))
        .map_err(|_| StatementError::Signature)
}
