//! Wallet sign-in, in the Sign-In-With-Solana text form: what a wallet shows its owner is what
//! is signed. <https://github.com/phantom/sign-in-with-solana>

use crate::statement::{SignatureBytes, StatementError, verify};
use crate::{GenesisHash, Wallet};

/// The fields of a sign-in message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Who asks: host and port of the coordinator.
    pub domain: String,
    /// Who signs in.
    pub wallet: Wallet,
    /// The chain that the session is for.
    pub genesis: GenesisHash,
    /// What can never be used twice: at least eight letters or digits.
    pub nonce: String,
    /// Unix seconds.
    pub issued_at: i64,
    /// Unix seconds.
    pub expires_at: i64,
    /// What the session may do, as `urn:ionet:scope:...` resources.
    pub scopes: Vec<String>,
}

/// Why a sign-in is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The wallet's signature does not hold.
    #[error("sign-in: {0}")]
    Signature(#[from] StatementError),
    /// Too late.
    #[error("sign-in: the challenge has expired; ask for a new one")]
    Expired,
}

impl SignIn {
    /// The text that the wallet shows and signs.
    pub fn message(&self) -> String {
        let scopes: String =
            self.scopes.iter().map(|s| format!("\n- urn:ionet:scope:{s}")).collect();
        format!(
            "{} wants you to sign in with your Solana account:\n{}\n\nSign in to ionet. This \
             moves no money.\n\nURI: http://{}\nVersion: 1\nChain ID: {}\nNonce: {}\nIssued At: \
             {}\nExpiration Time: {}\nResources:{}",
            self.domain,
            self.wallet,
            self.domain,
            self.genesis,
            self.nonce,
            rfc3339(self.issued_at),
            rfc3339(self.expires_at),
            scopes
        )
    }

    /// Whether `signature` is the wallet's over this message and it is still time.
    pub fn verify(&self, signature: &SignatureBytes, now: i64) -> Result<(), SignInError> {
        if now > self.expires_at {
            return Err(SignInError::Expired);
        }
        Ok(verify(&self.wallet.0, self.message().as_bytes(), signature)?)
    }
}

/// Unix seconds as `2026-11-23T22:00:00Z`. Civil-from-days after Howard Hinnant,
/// "chrono-compatible low-level date algorithms".
pub fn rfc3339(unix_seconds: i64) -> String {
    let (days, second) = (unix_seconds.div_euclid(86_400), unix_seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (h, m, s) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    #[test]
    fn dates() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_795_471_248), "2026-11-23T22:00:48Z");
    }

    #[test]
    fn another_wallet_cannot_sign_in() {
        let key = SigningKey::from_bytes(&[6; 32]);
        let sign_in = SignIn {
            domain: "localhost:8080".into(),
            wallet: Wallet(key.verifying_key().to_bytes()),
            genesis: GenesisHash([1; 32]),
            nonce: "abcdefgh".into(),
            issued_at: 10,
            expires_at: 20,
            scopes: vec!["clusters".into()],
        };
        let signature = SignatureBytes(key.sign(sign_in.message().as_bytes()).to_bytes());
        assert_eq!(sign_in.verify(&signature, 20), Ok(()));
        assert_eq!(sign_in.verify(&signature, 21), Err(SignInError::Expired));
        let other = SignIn { nonce: "abcdefgi".into(), ..sign_in };
        assert!(matches!(other.verify(&signature, 20), Err(SignInError::Signature(_))));
    }
}
