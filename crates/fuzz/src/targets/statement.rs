//! Signed statements as JSON: scores of wallets, enrolments of devices.

use crate::heap::bounded;
use crate::honest::{CHAIN, NOW, key, sign, wallet};
use ionet_core::{
    DeviceGrant, DeviceId, DeviceRequest, Enrolment, SignedGrant, SignedRequest, Wallet,
};
use ionet_trust::wallets::{HumanScore, SignedScore, Statements};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// Who speaks, and of whom.
const ISSUER: u8 = 5;
const SUBJECT: u8 = 6;
/// Of an enrolment.
const DEVICE: u8 = 3;
const SUPPLIER: u8 = 4;

fn read<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let read = bounded(bytes.len(), 8, 8 << 10, || serde_json::from_slice::<T>(bytes)).ok()?;
    let again = serde_json::to_vec(&read).expect("plain data");
    assert_eq!(serde_json::from_slice::<T>(&again).ok().as_ref(), Some(&read));
    Some(read)
}

fn said() -> SignedScore {
    let (issued, expires) = (NOW - 10, NOW + 1_000);
    let (issuer, wallet) = (wallet(ISSUER), wallet(SUBJECT));
    let score = HumanScore { issuer, wallet, score: 900, chain: CHAIN, issued, expires };
    SignedScore { score, signature: sign(ISSUER, &score.signing_bytes()) }
}

/// Of all statements those that the issuer signed count, and no other.
pub(crate) fn score(bytes: &[u8]) {
    let Some(statement) = read::<SignedScore>(bytes) else { return };
    let mut statements = Statements::new(CHAIN, [wallet(ISSUER)]);
    let taken = statements.accept(&statement, NOW);
    assert_eq!(taken.is_ok(), statement == said(), "{taken:?}");
    let known = statements.score(&statement.score.wallet, NOW);
    assert_eq!(known, if taken.is_ok() { statement.score.score } else { 0 });
    assert!(statements.accept(&statement, NOW).is_err(), "replayed");
    // Any instant will do: none may break the arithmetic.
    for now in [i64::MIN, 0, i64::MAX] {
        let mut others = Statements::new(CHAIN, [statement.score.issuer]);
        assert!(others.accept(&statement, now).is_err());
    }
}

pub(crate) fn score_seeds() -> Vec<Vec<u8>> {
    vec![serde_json::to_vec(&said()).expect("plain data")]
}

pub(super) fn enrolled() -> Enrolment {
    let device = DeviceId(key(DEVICE).verifying_key().to_bytes());
    let supplier: Wallet = wallet(SUPPLIER);
    let request = DeviceRequest { device, supplier, chain: CHAIN, expires: NOW + 60 };
    let (granted, expires) = (NOW, NOW + 3_600);
    let grant = DeviceGrant { device, supplier, chain: CHAIN, granted, expires };
    Enrolment {
        request: SignedRequest { signature: sign(DEVICE, &request.signing_bytes()), request },
        grant: SignedGrant { signature: sign(SUPPLIER, &grant.signing_bytes()), grant },
    }
}

/// Of all enrolments the one that both signed counts, and no other.
pub(crate) fn enrolment(bytes: &[u8]) {
    let Some(enrolment) = read::<Enrolment>(bytes) else { return };
    let honest = enrolled();
    let device = enrolment.request.request.device;
    let found = enrolment.verify(&CHAIN, device, NOW);
    assert_eq!(found.is_ok(), enrolment == honest, "{found:?}");
    if let Ok(owner) = found {
        assert_eq!(owner, honest.grant.grant.supplier);
    }
    let asked = enrolment.request.verify(&CHAIN, NOW);
    assert_eq!(asked.is_ok(), enrolment.request == honest.request, "{asked:?}");
    for now in [i64::MIN, 0, i64::MAX] {
        assert!(enrolment.request.verify(&CHAIN, now).is_err());
        let _ = enrolment.verify(&CHAIN, device, now);
    }
}

pub(crate) fn enrolment_seeds() -> Vec<Vec<u8>> {
    vec![serde_json::to_vec(&enrolled()).expect("plain data")]
}
