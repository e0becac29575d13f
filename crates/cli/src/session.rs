//! Signing in: a wallet signs the coordinator's challenge, a short-lived token comes back and is
//! kept until it is nearly over.

use crate::context::{now_unix, wallet_of};
use crate::failure::{Failure, Kind, Result};
use crate::home::{Home, private_folder, read_json, write_atomic};
use crate::rest::Rest;
use ionet_api::{Challenge, ChallengeRequest, Token, TokenRequest};
use ionet_core::{SignatureBytes, Wallet};
use ionet_ledger::KeypairFile;
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;

/// A token this near to its end is not used any more.
const TOKEN_SPARE_SECONDS: i64 = 60;
/// A challenge is a dozen short lines.
const MESSAGE_BYTES_MAX: usize = 2_048;

/// The client with a token of this key's wallet.
pub(crate) async fn sign_in(rest: Rest, key: &KeypairFile, home: &Home) -> Result<Rest> {
    let wallet = wallet_of(key);
    let kept = kept_at(home, &rest, &wallet);
    if let Ok(Some(token)) = read_json::<Token>(&kept)
        && token.expires_at > now_unix() + TOKEN_SPARE_SECONDS
    {
        let tried = rest.clone().with_token(token.token);
        // A coordinator that was set up anew does not know old tokens.
        match tried.get::<serde_json::Value>("/v1/clusters").await {
            Err(f) if f.kind == Kind::Auth => (),
            Err(f) => return Err(f),
            Ok(_) => return Ok(tried),
        }
    }
    let wanted = ChallengeRequest { wallet, scopes: Vec::new() };
    let challenge: Challenge = rest.post("/v1/auth/challenge", &wanted).await?;
    check(&challenge.message, &rest.authority(), &wallet)?;
    let signature = key.sign_now(challenge.message.as_bytes());
    let signed =
        TokenRequest { message: challenge.message, signature: SignatureBytes(signature.into()) };
    let token: Token = rest.post("/v1/auth/token", &signed).await?;
    private_folder(&home.sessions())?;
    let text = serde_json::to_vec(&token).expect("a token is plain data");
    write_atomic(&kept, &text, 0o600)?;
    Ok(rest.with_token(token.token))
}

fn kept_at(home: &Home, rest: &Rest, wallet: &Wallet) -> PathBuf {
    let hash = Sha256::new().chain_update(rest.base()).chain_update(wallet.0).finalize();
    home.sessions().join(format!("{}.json", hex::encode(&hash[..8])))
}

/// Whether the text may be signed: a sign-in of this wallet with this coordinator, and nothing
/// that could be taken for a transaction (those hold bytes that no text has).
fn check(message: &str, authority: &str, wallet: &Wallet) -> Result<()> {
    let start = format!(
        "{authority} wants you to sign in with your Solana account:\n{wallet}\n\nSign in to ionet."
    );
    let printable = message.chars().all(|c| c == '\n' || (' '..='~').contains(&c));
    if message.len() > MESSAGE_BYTES_MAX || !printable || !message.starts_with(&start) {
        return Err(Failure::new(
            Kind::Auth,
            "the coordinator asked the wallet to sign something that is not a sign-in to it; \
             nothing was signed",
        )
        .hint("check the coordinator's address (--coordinator)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::{GenesisHash, SignIn};

    fn message(domain: &str) -> String {
        SignIn {
            domain: domain.into(),
            wallet: Wallet([3; 32]),
            genesis: GenesisHash([1; 32]),
            nonce: "abcdefgh".into(),
            issued_at: 10,
            expires_at: 20,
            scopes: vec!["clusters".into()],
        }
        .message()
    }

    #[test]
    fn only_a_sign_in_to_this_coordinator_is_signed() {
        let wallet = Wallet([3; 32]);
        check(&message("127.0.0.1:1"), "127.0.0.1:1", &wallet).unwrap();
        for bad in [
            message("elsewhere:1"),
            message("127.0.0.1:1") + "\u{1}",
            message("127.0.0.1:1") + &"x".repeat(4_096),
            "\u{1}\u{0}\u{3}".into(),
        ] {
            assert_eq!(check(&bad, "127.0.0.1:1", &wallet).unwrap_err().exit_code(), 8);
        }
        assert!(check(&message("127.0.0.1:1"), "127.0.0.1:1", &Wallet([4; 32])).is_err());
    }
}
