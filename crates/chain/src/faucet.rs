//! The faucet's key: it holds the supply at creation and signs airdrops.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use solana_keypair::Keypair;

use crate::error::ChainError;

const FILE: &str = "faucet.json";
const KEY_BYTES: usize = 64;

/// Loads the faucet's key from the data directory, or draws one (mode 0600).
pub(crate) fn load_or_create(data_dir: &Path) -> Result<Keypair, ChainError> {
    let path = data_dir.join(FILE);
    let file_error = |source| ChainError::File { path: path.clone(), source };
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text).ok_or(ChainError::FaucetKey { path: path.clone() }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let keypair = Keypair::new();
            write_private(&path, &to_json(&keypair)).map_err(file_error)?;
            Ok(keypair)
        }
        Err(error) => Err(file_error(error)),
    }
}

fn to_json(keypair: &Keypair) -> String {
    let numbers: Vec<String> = keypair.to_bytes().iter().map(u8::to_string).collect();
    format!("[{}]", numbers.join(","))
}

fn parse(text: &str) -> Option<Keypair> {
    let bytes: Vec<u8> = serde_json::from_str(text).ok()?;
    if bytes.len() != KEY_BYTES {
        return None;
    }
    Keypair::try_from(bytes.as_slice()).ok()
}

/// Writes under another name first: a crash leaves no half key.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = path.with_extension("json.new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    match path.parent() {
        Some(parent) => fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use solana_signer::Signer;

    use super::*;

    #[test]
    fn the_key_is_drawn_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_or_create(dir.path()).unwrap();
        let again = load_or_create(dir.path()).unwrap();
        assert_eq!(first.pubkey(), again.pubkey());
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "[1,2,3]").unwrap();
        assert!(matches!(load_or_create(dir.path()), Err(ChainError::FaucetKey { .. })));
        assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), "[1,2,3]");
    }
}
