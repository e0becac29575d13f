//! The session key of a lease: made when the cluster is, kept in the renter's home.

use crate::failure::Result;
use crate::home::private_folder;
use ionet_ledger::KeypairFile;
use std::path::{Path, PathBuf};

/// What a session key gets for the fees of its own transactions, in lamports: what the chain asks
/// an account to hold, and some 800 signatures. The rest comes back at the end.
pub(crate) const SESSION_LAMPORTS: u64 = 5_000_000;

fn path(folder: &Path) -> PathBuf {
    folder.join("session.json")
}

/// The key of the cluster in `folder`, made if it is not there; readable by its owner only.
pub(crate) fn load_or_create(folder: &Path) -> Result<KeypairFile> {
    private_folder(folder)?;
    Ok(KeypairFile::load_or_create(&path(folder))?)
}

/// The key of the cluster in `folder`, if it has one.
pub(crate) fn load(folder: &Path) -> Result<Option<KeypairFile>> {
    match KeypairFile::load(&path(folder)) {
        Ok(key) => Ok(Some(key)),
        Err(ionet_ledger::SignerError::Missing { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}
