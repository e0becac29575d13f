//! A check as a file ([`Paper`]): anybody can compute its findings again.
//!
//! It is the renter's word: that challenges were drawn after the commitments, and how long
//! answers took, nobody else has seen.

use crate::context::{Context, wallet_of};
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::home::{private_folder, write_atomic};
use ionet_core::{ChainRef, SignatureBytes};
use ionet_inside::Check;
use ionet_ledger::{KeypairFile, Signer as _};
use ionet_trust::inside::{PAPER_BYTES_MAX, Paper, Unreadable};
use std::path::{Path, PathBuf};

/// Signs a record and keeps it. Returns where, too.
pub(super) async fn write(
    context: &Context,
    key: &KeypairFile,
    chain: ChainRef,
    check: &Check,
) -> Result<(Paper, PathBuf)> {
    debug_assert_eq!(check.renter, wallet_of(key));
    let record = serde_json::to_string(check).expect("plain data");
    let message = Paper::signing_bytes(&record, &chain);
    let signature = key.sign(&message).await.or_fail(Kind::Auth, "signing the check")?;
    let paper = Paper { record, chain, signature: SignatureBytes(*signature.as_array()) };
    let path = path_of(context, check)?;
    write_atomic(&path, paper.text().as_bytes(), 0o600)?;
    Ok((paper, path))
}

/// Where a check is kept.
fn path_of(context: &Context, check: &Check) -> Result<PathBuf> {
    let folder = context.home.checks();
    private_folder(&folder)?;
    Ok(folder.join(format!("{}-{}.check", check.cluster, check.at_ms)))
}

/// A file's record, if its renter signed it.
pub(super) fn read(path: &Path) -> Result<Check> {
    let what = path.display();
    let meta = std::fs::metadata(path).or_fail(Kind::NotFound, &what)?;
    if meta.len() > PAPER_BYTES_MAX as u64 {
        return Err(Failure::usage(format!("{what}: more than {PAPER_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).or_fail(Kind::Usage, &what)?;
    parsed(&text, &what)
}

/// The same of text that came from elsewhere.
pub(super) fn parsed(text: &str, what: &dyn std::fmt::Display) -> Result<Check> {
    let check = Paper::from_text(text).and_then(|paper| paper.check());
    check.map_err(|error| {
        let kind = match error {
            Unreadable::Signature(_) => Kind::Auth,
            Unreadable::Long
            | Unreadable::Lines
            | Unreadable::Record(_)
            | Unreadable::Signed(_) => Kind::Usage,
        };
        Failure::new(kind, format!("{what}: {error}"))
    })
}
