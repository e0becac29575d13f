//! Identities. Each is its own type and prints with its own prefix, so that one cannot be
//! given where another is wanted.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Why a text is not an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text lacks the prefix of its kind.
    #[error("expected an id that starts with `{expected}`")]
    Prefix {
        /// The prefix of the wanted kind.
        expected: &'static str,
    },
    /// The part after the prefix does not decode to the right number of bytes.
    #[error("not a valid {kind}: expected {bytes} bytes in {encoding}")]
    Encoding {
        /// What was wanted.
        kind: &'static str,
        /// Decoded length.
        bytes: usize,
        /// Name of the encoding.
        encoding: &'static str,
    },
}

/// The longest text that is looked at: a prefix and 32 bytes in base58.
const ID_TEXT_MAX: usize = 64;

/// An identity that is 32 bytes: an ed25519 public key, a Solana address or a hash.
pub trait Key32: Sized + Copy {
    /// From its bytes.
    fn from_bytes(bytes: [u8; 32]) -> Self;
    /// Its bytes.
    fn to_bytes(self) -> [u8; 32];
}

macro_rules! key32 {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl Key32 for $name {
            fn from_bytes(bytes: [u8; 32]) -> Self { Self(bytes) }
            fn to_bytes(self) -> [u8; 32] { self.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, bs58::encode(self.0).into_string())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = IdError::Encoding { kind: $kind, bytes: 32, encoding: "base58" };
                if text.len() > ID_TEXT_MAX {
                    return Err(wrong);
                }
                let rest = text.strip_prefix($prefix)
                    .ok_or(IdError::Prefix { expected: $prefix })?;
                let mut bytes = [0u8; 32];
                match bs58::decode(rest).onto(&mut bytes) {
                    Ok(32) => Ok(Self(bytes)),
                    _ => Err(wrong),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

key32!(
    /// A device: the ed25519 public key that is also its QUIC identity.
    DeviceId, "dev_", "device id"
);
key32!(
    /// A wallet, or any other address on the chain. Prints as Solana prints it.
    Wallet, "", "wallet address"
);
key32!(
    /// The hash of a chain's first block: names the chain in every signed statement.
    GenesisHash, "", "genesis hash"
);
key32!(
    /// The address of an on-chain program.
    ProgramId, "", "program id"
);

/// A cluster. Ten bytes, printed as `clu_` and sixteen characters of base32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId([u8; 10]);

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const CLUSTER_PREFIX: &str = "clu_";

impl ClusterId {
    /// The cluster of a lease. One lease pays for one cluster, so its address names both, and
    /// a client that lost the coordinator's answer can compute the id anew.
    pub fn of_lease(lease: &Wallet) -> Self {
        let hash = Sha256::new().chain_update(b"ionet:cluster-id:v1").chain_update(lease.0);
        let mut id = [0u8; 10];
        id.copy_from_slice(&hash.finalize()[..10]);
        Self(id)
    }

    /// The sixteen characters after the prefix: lower-case letters and digits only, safe in
    /// names of containers, networks and files.
    pub fn short(&self) -> String {
        let mut out = String::with_capacity(16);
        for chunk in self.0.chunks(5) {
            let mut word = [0u8; 8];
            word[3..].copy_from_slice(chunk);
            let word = u64::from_be_bytes(word);
            for i in (0..8).rev() {
                out.push(BASE32[(word >> (5 * i)) as usize & 31] as char);
            }
        }
        out
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{CLUSTER_PREFIX}{}", self.short())
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ClusterId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let rest = text
            .strip_prefix(CLUSTER_PREFIX)
            .ok_or(IdError::Prefix { expected: CLUSTER_PREFIX })?;
        let wrong = IdError::Encoding { kind: "cluster id", bytes: 10, encoding: "base32" };
        if rest.len() != 16 {
            return Err(wrong);
        }
        let mut id = [0u8; 10];
        for (half, text) in rest.as_bytes().chunks(8).enumerate() {
            let mut word = 0u64;
            for c in text {
                let digit = BASE32.iter().position(|b| b == c).ok_or(wrong.clone())?;
                word = word << 5 | digit as u64;
            }
            id[half * 5..half * 5 + 5].copy_from_slice(&word.to_be_bytes()[3..]);
        }
        Ok(Self(id))
    }
}

impl Serialize for ClusterId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClusterId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_survive_text(bytes: [u8; 32]) {
            let device = DeviceId(bytes);
            prop_assert_eq!(device.to_string().parse::<DeviceId>().unwrap(), device);
            let cluster = ClusterId::of_lease(&Wallet(bytes));
            prop_assert_eq!(cluster.to_string().parse::<ClusterId>().unwrap(), cluster);
            prop_assert_eq!(cluster.short().len(), 16);
        }

        #[test]
        fn any_text_is_refused_or_prints_back(text in ".{0,80}") {
            if let Ok(id) = text.parse::<ClusterId>() {
                prop_assert_eq!(id.to_string(), text.clone());
            }
            let _ = text.parse::<Wallet>();
        }
    }

    #[test]
    fn a_device_id_is_not_a_wallet() {
        let device = DeviceId([7; 32]);
        assert!(device.to_string().parse::<Wallet>().is_err());
        assert!(Wallet([7; 32]).to_string().parse::<DeviceId>().is_err());
    }
}
