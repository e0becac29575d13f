//! A check as a file: the record in one line, exactly as it was signed, and in the next who
//! signed it. Anybody can compute its findings again.
//!
//! It is the renter's word: that challenges were drawn after the commitments, and how long
//! answers took, nobody else has seen.

use crate::context::{Context, wallet_of};
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::home::{private_folder, write_atomic};
use ionet_core::{ChainRef, Domain, SignatureBytes, signing_bytes, verify};
use ionet_inside::Check;
use ionet_ledger::{KeypairFile, Signer as _};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Most bytes of a file: a hundred members with 150 kB of proofs each.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// Who signed the line before.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    chain: ChainRef,
    signature: SignatureBytes,
}

/// Signs a record and keeps it. Returns where.
pub(super) async fn write(
    context: &Context,
    key: &KeypairFile,
    chain: ChainRef,
    check: &Check,
) -> Result<PathBuf> {
    debug_assert_eq!(check.renter, wallet_of(key));
    let body = serde_json::to_string(check).expect("plain data");
    let message = signing_bytes(Domain::InsideCheck, &chain, body.as_bytes());
    let signature = key.sign(&message).await.or_fail(Kind::Auth, "signing the check")?;
    let signed = Signed { chain, signature: SignatureBytes(*signature.as_array()) };
    let signed = serde_json::to_string(&signed).expect("plain data");
    let folder = context.home.checks();
    private_folder(&folder)?;
    let path = folder.join(format!("{}-{}.check", check.cluster, check.at_ms));
    write_atomic(&path, format!("{body}\n{signed}\n").as_bytes(), 0o600)?;
    Ok(path)
}

/// A file's record, if its renter signed it.
pub(super) fn read(path: &Path) -> Result<(Check, ChainRef)> {
    let what = path.display();
    let meta = std::fs::metadata(path).or_fail(Kind::NotFound, &what)?;
    if meta.len() > FILE_BYTES_MAX {
        return Err(Failure::usage(format!("{what}: more than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).or_fail(Kind::Usage, &what)?;
    parsed(&text).map_err(|mut failure| {
        failure.message = format!("{what}: {}", failure.message);
        failure
    })
}

fn parsed(text: &str) -> Result<(Check, ChainRef)> {
    let mut lines = text.lines();
    let (Some(body), Some(signed), None) = (lines.next(), lines.next(), lines.next()) else {
        return Err(Failure::usage("a check has two lines"));
    };
    let check: Check = serde_json::from_str(body).or_fail(Kind::Usage, "the record")?;
    let signed: Signed = serde_json::from_str(signed).or_fail(Kind::Usage, "the signature")?;
    let message = signing_bytes(Domain::InsideCheck, &signed.chain, body.as_bytes());
    verify(&check.renter.0, &message, &signed.signature)
        .or_fail(Kind::Auth, "the renter did not sign it")?;
    Ok((check, signed.chain))
}
