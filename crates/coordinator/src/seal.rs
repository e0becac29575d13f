//! Seals of quotes: proof that this coordinator made a quote, so that it need not keep it.
//!
//! A seal is the core's terms and a signature over them and the quote, by the coordinator's
//! on-chain key. Its first bytes name purpose and chain: it can be used for nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ionet_api::Quote;
use ionet_core::{ChainRef, SignatureBytes, verify};
use ionet_ledger::{KeypairFile, Signer as _};
use ionet_network::QuoteTerms;
use sha2::{Digest, Sha256};

const DOMAIN: &[u8] = b"ionet:quote:v1\0";
/// Bytes of a seal's text: terms are some 400 bytes.
const SEAL_BYTES_MAX: usize = 4 * 1024;

/// Who seals, for which market.
pub(crate) struct SealKey<'a> {
    pub(crate) key: &'a KeypairFile,
    pub(crate) chain: ChainRef,
}

/// The quote is not ours, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the quote was not made by this coordinator, or was changed; ask for a new one")]
pub(crate) struct SealError;

fn message(chain: &ChainRef, quote: &Quote, terms: &[u8]) -> Vec<u8> {
    let plain = Quote { seal: String::new(), ..quote.clone() };
    let json = serde_json::to_vec(&plain).expect("a quote has no map with odd keys");
    let hash = |bytes: &[u8]| <[u8; 32]>::from(Sha256::digest(bytes));
    let parts = [DOMAIN, &chain.genesis.0, &chain.program.0, &hash(&json), &hash(terms)];
    parts.concat()
}

/// The seal of a quote.
pub(crate) fn seal(by: &SealKey<'_>, quote: &Quote, terms: &QuoteTerms) -> String {
    let terms = serde_json::to_vec(terms).expect("terms have no map with odd keys");
    let signature = by.key.sign_now(&message(&by.chain, quote, &terms));
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}", text(&terms), text(signature.as_ref()))
}

/// The core's terms of a sealed quote.
pub(crate) fn open(by: &SealKey<'_>, quote: &Quote) -> Result<QuoteTerms, SealError> {
    if quote.seal.len() > SEAL_BYTES_MAX {
        return Err(SealError);
    }
    let (terms, signature) = quote.seal.split_once('.').ok_or(SealError)?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError);
    let (terms, signature) = (bytes(terms)?, bytes(signature)?);
    let signature = SignatureBytes(signature.try_into().map_err(|_| SealError)?);
    let key = by.key.address().to_bytes();
    verify(&key, &message(&by.chain, quote, &terms), &signature).map_err(|_| SealError)?;
    serde_json::from_slice(&terms).map_err(|_| SealError)
}
