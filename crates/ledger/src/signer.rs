//! Who signs. Today a Solana keypair file; a hardware or browser wallet implements the same
//! trait.

use crate::error::LedgerError;
use solana_address::Address;
use solana_keypair::Keypair;
use solana_signature::Signature;
use solana_signer::Signer as _;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A key that can sign transactions and statements, wherever it lives.
#[async_trait::async_trait]
pub trait Signer: Send + Sync {
    /// The public key.
    fn address(&self) -> Address;
    /// The signature over exactly these bytes.
    async fn sign(&self, message: &[u8]) -> Result<Signature, SignerError>;
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file is not there.
    #[error("no wallet at {path}; make one with `ionet wallet new`")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A new wallet would overwrite one.
    #[error("there is a wallet at {path} already; it is never overwritten")]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a Solana keypair.
    #[error("{path} is not a Solana keypair file (a JSON list of 64 numbers)")]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// The wallet said no.
    #[error("the wallet refused to sign: {0}")]
    Refused(String),
}

/// A Solana keypair file, as `solana-keygen` writes it.
pub struct KeypairFile {
    keypair: Keypair,
    path: PathBuf,
}

/// A keypair file has 64 numbers of at most three digits: anything longer is not one.
const KEYPAIR_FILE_BYTES_MAX: u64 = 1_024;

impl KeypairFile {
    /// Reads a keypair file.
    pub fn load(path: &Path) -> Result<Self, SignerError> {
        let io = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => SignerError::Missing { path: path.to_owned() },
            _ => SignerError::Io { path: path.to_owned(), source },
        };
        let malformed = || SignerError::Malformed { path: path.to_owned() };
        if std::fs::metadata(path).map_err(io)?.len() > KEYPAIR_FILE_BYTES_MAX {
            return Err(malformed());
        }
        let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(io)?);
        let bytes: zeroize::Zeroizing<Vec<u8>> =
            zeroize::Zeroizing::new(serde_json::from_str(&text).map_err(|_| malformed())?);
        let keypair = Keypair::try_from(&bytes[..]).map_err(|_| malformed())?;
        Ok(Self { keypair, path: path.to_owned() })
    }

    /// Makes a new key from the system's entropy and writes it, readable by its owner only.
    /// Never overwrites.
    pub fn create(path: &Path) -> Result<Self, SignerError> {
        let io = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::AlreadyExists => SignerError::Exists { path: path.to_owned() },
            _ => SignerError::Io { path: path.to_owned(), source },
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let keypair = Keypair::new();
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(io)?;
        let numbers: Vec<String> = keypair.to_bytes().iter().map(u8::to_string).collect();
        let text = zeroize::Zeroizing::new(format!("[{}]", numbers.join(",")));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        Ok(Self { keypair, path: path.to_owned() })
    }

    /// Reads the file, or makes it where there is none.
    pub fn load_or_create(path: &Path) -> Result<Self, SignerError> {
        match Self::load(path) {
            Err(SignerError::Missing { .. }) => Self::create(path),
            other => other,
        }
    }

    /// A key that lives in memory only.
    pub fn in_memory(keypair: Keypair) -> Self {
        Self { keypair, path: PathBuf::new() }
    }

    /// Where it is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The signature over exactly these bytes. A file's key signs at once.
    pub fn sign_now(&self, message: &[u8]) -> Signature {
        self.keypair.sign_message(message)
    }
}

impl fmt::Debug for KeypairFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeypairFile({})", self.keypair.pubkey())
    }
}

#[async_trait::async_trait]
impl Signer for KeypairFile {
    fn address(&self) -> Address {
        self.keypair.pubkey()
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        Ok(self.sign_now(message))
    }
}

impl From<SignerError> for LedgerError {
    fn from(error: SignerError) -> Self {
        LedgerError::Signer(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/wallet.json");
        assert!(matches!(KeypairFile::load(&path), Err(SignerError::Missing { .. })));
        let made = KeypairFile::create(&path).unwrap();
        assert_eq!(KeypairFile::load(&path).unwrap().address(), made.address());
        assert!(matches!(KeypairFile::create(&path), Err(SignerError::Exists { .. })));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        for bad in ["", "[1,2]", "{}", "[256]", &"9".repeat(5_000)] {
            std::fs::write(&path, bad).unwrap();
            assert!(
                matches!(KeypairFile::load(&path), Err(SignerError::Malformed { .. })),
                "{bad}"
            );
        }
    }
}
