//! Enrolment: a device asks, a wallet grants; both sign, and neither key visits the other's
//! machine.

use crate::statement::{ChainRef, Domain, SignatureBytes, StatementError, signing_bytes, verify};
use crate::{DeviceId, Wallet};
use serde::{Deserialize, Serialize};

/// What a device signs: "I want to work for this wallet, on this chain, asked before `expires`".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// The device.
    pub device: DeviceId,
    /// The wallet that shall own it.
    pub supplier: Wallet,
    /// The market that it joins.
    pub chain: ChainRef,
    /// Unix seconds after which no grant may be made from it.
    pub expires: i64,
}

/// A request with the device's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRequest {
    /// What was asked.
    pub request: DeviceRequest,
    /// The device's signature.
    pub signature: SignatureBytes,
}

/// What a wallet signs: "this request is mine, and the device may use it until `expires`".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceGrant {
    /// The device.
    pub device: DeviceId,
    /// The wallet.
    pub supplier: Wallet,
    /// The market.
    pub chain: ChainRef,
    /// Unix seconds when the grant was made.
    pub granted: i64,
    /// Unix seconds after which a coordinator no longer accepts it.
    pub expires: i64,
}

/// A grant with the wallet's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedGrant {
    /// What was granted.
    pub grant: DeviceGrant,
    /// The wallet's signature.
    pub signature: SignatureBytes,
}

/// Both halves: what a device shows a coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The device's half.
    pub request: SignedRequest,
    /// The wallet's half.
    pub grant: SignedGrant,
}

/// Why an enrolment is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// It names another device than the one that shows it.
    #[error("the enrolment is for device {named}, but {shown_by} showed it")]
    OtherDevice {
        /// The device in the enrolment.
        named: DeviceId,
        /// The device of the connection.
        shown_by: DeviceId,
    },
    /// It is for another chain or program.
    #[error("the enrolment is for another chain; ask for a new grant on this one")]
    OtherChain,
    /// The halves do not name the same device and wallet.
    #[error("the wallet's grant is not for the device's request")]
    Mismatch,
    /// The grant came after the request had expired.
    #[error("the request had expired when it was granted; run `ionet device request` again")]
    RequestExpired,
    /// The grant is over.
    #[error("the grant has expired; run `ionet device grant` again")]
    GrantExpired,
    /// A signature does not hold.
    #[error("{side}: {source}")]
    Signature {
        /// Whose.
        side: &'static str,
        /// Why.
        source: StatementError,
    },
}

/// Longest that a request may wait for its grant, in seconds: a week.
pub const REQUEST_SECONDS_MAX: i64 = 7 * 86_400;
/// Longest life of a grant, in seconds: five years.
pub const GRANT_SECONDS_MAX: i64 = 5 * 365 * 86_400;

impl DeviceRequest {
    /// What the device signs.
    pub fn signing_bytes(&self) -> Vec<u8> {
        let body = [&self.device.0[..], &self.supplier.0, &self.expires.to_le_bytes()].concat();
        signing_bytes(Domain::DeviceRequest, &self.chain, &body)
    }
}

impl DeviceGrant {
    /// What the wallet signs.
    pub fn signing_bytes(&self) -> Vec<u8> {
        let times = [self.granted.to_le_bytes(), self.expires.to_le_bytes()].concat();
        let body = [&self.device.0[..], &self.supplier.0, &times].concat();
        signing_bytes(Domain::DeviceGrant, &self.chain, &body)
    }
}

impl SignedRequest {
    /// Whether a wallet may grant this at `now` (unix seconds) on `chain`.
    pub fn verify(&self, chain: &ChainRef, now: i64) -> Result<(), EnrolmentError> {
        let request = &self.request;
        if request.chain != *chain {
            return Err(EnrolmentError::OtherChain);
        }
        if now > request.expires || request.expires > now.saturating_add(REQUEST_SECONDS_MAX) {
            return Err(EnrolmentError::RequestExpired);
        }
        self.verify_signature()
    }

    fn verify_signature(&self) -> Result<(), EnrolmentError> {
        verify(&self.request.device.0, &self.request.signing_bytes(), &self.signature)
            .map_err(|source| EnrolmentError::Signature { side: "the device's request", source })
    }
}

impl Enrolment {
    /// Whether a coordinator of `chain` may admit `shown_by` at `now` (unix seconds). Returns
    /// the wallet that owns the device.
    pub fn verify(
        &self,
        chain: &ChainRef,
        shown_by: DeviceId,
        now: i64,
    ) -> Result<Wallet, EnrolmentError> {
        let (request, grant) = (&self.request.request, &self.grant.grant);
        if request.device != shown_by {
            return Err(EnrolmentError::OtherDevice { named: request.device, shown_by });
        }
        if request.chain != *chain || grant.chain != *chain {
            return Err(EnrolmentError::OtherChain);
        }
        if grant.device != request.device || grant.supplier != request.supplier {
            return Err(EnrolmentError::Mismatch);
        }
        if grant.granted > request.expires {
            return Err(EnrolmentError::RequestExpired);
        }
        let life = grant.expires.saturating_sub(grant.granted);
        if now > grant.expires || !(0..=GRANT_SECONDS_MAX).contains(&life) {
            return Err(EnrolmentError::GrantExpired);
        }
        self.request.verify_signature()?;
        verify(&grant.supplier.0, &grant.signing_bytes(), &self.grant.signature)
            .map_err(|source| EnrolmentError::Signature { side: "the wallet's grant", source })?;
        Ok(grant.supplier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GenesisHash, ProgramId};
    use ed25519_dalek::{Signer, SigningKey};

    const NOW: i64 = 1_800_000_000;

    fn chain() -> ChainRef {
        ChainRef { genesis: GenesisHash([1; 32]), program: ProgramId([2; 32]) }
    }

    fn make(edit: impl FnOnce(&mut DeviceRequest, &mut DeviceGrant)) -> Enrolment {
        make_signed_by(edit, &SigningKey::from_bytes(&[4; 32]))
    }

    fn make_signed_by(
        edit: impl FnOnce(&mut DeviceRequest, &mut DeviceGrant),
        wallet_key: &SigningKey,
    ) -> Enrolment {
        let device_key = SigningKey::from_bytes(&[3; 32]);
        let supplier = Wallet(SigningKey::from_bytes(&[4; 32]).verifying_key().to_bytes());
        let device = DeviceId(device_key.verifying_key().to_bytes());
        let mut request = DeviceRequest { device, supplier, chain: chain(), expires: NOW + 60 };
        let mut grant =
            DeviceGrant { device, supplier, chain: chain(), granted: NOW, expires: NOW + 3_600 };
        edit(&mut request, &mut grant);
        let signature = SignatureBytes(device_key.sign(&request.signing_bytes()).to_bytes());
        let request = SignedRequest { request, signature };
        let signature = SignatureBytes(wallet_key.sign(&grant.signing_bytes()).to_bytes());
        Enrolment { request, grant: SignedGrant { grant, signature } }
    }

    #[test]
    fn a_whole_enrolment_names_its_wallet() {
        let enrolment = make(|_, _| ());
        let device = enrolment.request.request.device;
        let wallet = enrolment.verify(&chain(), device, NOW).unwrap();
        assert_eq!(wallet, enrolment.grant.grant.supplier);
        let json = serde_json::to_string(&enrolment).unwrap();
        assert_eq!(serde_json::from_str::<Enrolment>(&json).unwrap(), enrolment);
    }

    #[test]
    fn each_lie_has_its_answer() {
        let device = make(|_, _| ()).request.request.device;
        let check = |e: Enrolment| e.verify(&chain(), device, NOW).unwrap_err();
        let other = DeviceId([9; 32]);
        let shown = make(|_, _| ()).verify(&chain(), other, NOW).unwrap_err();
        assert!(matches!(shown, EnrolmentError::OtherDevice { .. }));
        let elsewhere = |c: &mut ChainRef| c.genesis = GenesisHash([9; 32]);
        assert_eq!(check(make(|r, _| elsewhere(&mut r.chain))), EnrolmentError::OtherChain);
        assert_eq!(check(make(|_, g| elsewhere(&mut g.chain))), EnrolmentError::OtherChain);
        let program = |c: &mut ChainRef| c.program = ProgramId([9; 32]);
        assert_eq!(check(make(|_, g| program(&mut g.chain))), EnrolmentError::OtherChain);
        assert_eq!(check(make(|_, g| g.device = other)), EnrolmentError::Mismatch);
        assert_eq!(check(make(|_, g| g.supplier = Wallet([9; 32]))), EnrolmentError::Mismatch);
        assert_eq!(check(make(|r, _| r.expires = NOW - 1)), EnrolmentError::RequestExpired);
        assert_eq!(
            check(make(|_, g| (g.granted, g.expires) = (NOW - 9, NOW - 1))),
            EnrolmentError::GrantExpired
        );
        assert_eq!(check(make(|_, g| g.expires = i64::MAX)), EnrolmentError::GrantExpired);
        let thief = SigningKey::from_bytes(&[5; 32]);
        let stolen = check(make_signed_by(|_, _| (), &thief));
        assert!(matches!(stolen, EnrolmentError::Signature { side: "the wallet's grant", .. }));
        let mut forged = make(|_, _| ());
        forged.request.signature = forged.grant.signature;
        assert!(matches!(check(forged), EnrolmentError::Signature { .. }));
    }
}
