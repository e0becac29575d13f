//! The device's key: made on its own disk at the first start, never shown.

use ed25519_dalek::{Signer, SigningKey};
use ionet_core::{ChainRef, DeviceId, DeviceRequest, SignatureBytes, SignedRequest, Wallet};
use std::fmt;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const KEY_FILE: &str = "device.key";
/// Anyone but the owner.
const OTHERS: u32 = 0o077;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The disk.
    #[error("device key {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not ours.
    #[error("device key {0}: expected 64 hex digits")]
    Content(PathBuf),
    /// Others on the machine can read it.
    #[error("device key {0}: others can read it; run chmod 600 on it")]
    Mode(PathBuf),
}

/// The device's ed25519 key, which is also its QUIC identity. Prints as its public half.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.id())
    }
}

impl DeviceKey {
    /// The key in `state_dir`; a new one if there is none.
    pub fn load_or_create(state_dir: &Path) -> Result<Self, KeyError> {
        let path = state_dir.join(KEY_FILE);
        let failed = |source| KeyError::Io { path: path.clone(), source };
        if !state_dir.exists() {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(state_dir).map_err(failed)?;
        }
        match Self::load(state_dir) {
            Err(KeyError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => (),
            found => return found,
        }
        let seed = Zeroizing::new(rand::random::<[u8; 32]>());
        let text = Zeroizing::new(hex::encode(*seed));
        // Written beside and linked: two starts at once agree on one key, and a crash leaves
        // none or a whole one.
        let draft = state_dir.join(format!("{KEY_FILE}.{:08x}", rand::random::<u32>()));
        let written = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| std::fs::hard_link(&draft, &path))
            .and_then(|()| std::fs::File::open(state_dir)?.sync_all());
        let _ = std::fs::remove_file(&draft);
        match written {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(e)),
            _ => Self::load(state_dir),
        }
    }

    /// The key in `state_dir`.
    pub fn load(state_dir: &Path) -> Result<Self, KeyError> {
        let path = state_dir.join(KEY_FILE);
        let failed = |source| KeyError::Io { path: path.clone(), source };
        let mode = std::fs::metadata(&path).map_err(failed)?.permissions().mode();
        if mode & OTHERS != 0 {
            return Err(KeyError::Mode(path));
        }
        let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(failed)?);
        let mut seed = Zeroizing::new([0u8; 32]);
        hex::decode_to_slice(text.trim(), seed.as_mut_slice())
            .map_err(|_| KeyError::Content(path.clone()))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// The device.
    pub fn id(&self) -> DeviceId {
        DeviceId(self.0.verifying_key().to_bytes())
    }

    /// Signs `bytes`. Whoever calls this must know that they name their own purpose.
    pub fn sign(&self, bytes: &[u8]) -> SignatureBytes {
        SignatureBytes(self.0.sign(bytes).to_bytes())
    }

    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

/// "I want to work for `supplier` on `chain`, asked before `expires`" (unix seconds). The signed
/// bytes are also those of the market program's registration statement, so this one signature
/// enrols the device with a coordinator and registers it on-chain.
pub fn request(key: &DeviceKey, supplier: Wallet, chain: ChainRef, expires: i64) -> SignedRequest {
    let request = DeviceRequest { device: key.id(), supplier, chain, expires };
    let signature = key.sign(&request.signing_bytes());
    SignedRequest { request, signature }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::{GenesisHash, ProgramId};

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let first = DeviceKey::load_or_create(&state).unwrap();
        assert_eq!(DeviceKey::load_or_create(&state).unwrap().id(), first.id());
        let path = state.join(KEY_FILE);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&state).unwrap().count(), 1, "no draft is left");
        assert!(!format!("{first:?}").contains(&hex::encode(*first.seed())));

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(DeviceKey::load_or_create(&state), Err(KeyError::Mode(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "abc").unwrap();
        assert!(matches!(DeviceKey::load_or_create(&state), Err(KeyError::Content(_))));
    }

    #[test]
    fn one_signature_serves_the_coordinator_and_the_chain() {
        let folder = tempfile::tempdir().unwrap();
        let key = DeviceKey::load_or_create(folder.path()).unwrap();
        let chain = ChainRef { genesis: GenesisHash([1; 32]), program: ProgramId([2; 32]) };
        let signed = request(&key, Wallet([3; 32]), chain, 1_000);
        assert_eq!(signed.verify(&chain, 999), Ok(()));
        let on_chain = ionet_market_interface::statement::registration(
            &chain.genesis.0,
            &chain.program.0,
            &key.id().0,
            &[3; 32],
            ionet_market_interface::Timestamp(1_000),
        );
        ionet_core::verify(&key.id().0, &on_chain, &signed.signature).unwrap();
    }
}
