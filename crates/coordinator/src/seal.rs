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
    /// The coordinator's on-chain key.
    pub(crate) key: &'a KeypairFile,
    /// The market.
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

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_api::{LeaseTerms, Money};
    use ionet_core::{Amount, Asset, ClusterSpec, GenesisHash, ProgramId, Wallet};
    use ionet_ledger::Keypair;
    use ionet_network::At;
    use ionet_units::{BaseUnits, Bps, Rate, Seconds};

    fn quote() -> (Quote, QuoteTerms) {
        let spec = ClusterSpec::from_json(br#"{"devices":1,"chip":"cpu"}"#).unwrap();
        let none: Money = Amount::new(Asset::Usdc, 1).into();
        let terms = QuoteTerms {
            asset: Asset::Usdc,
            slots: 1,
            rate_per_slot_max: Rate(1),
            rate_total_max: Rate(2),
            fee: Bps(0),
            ttl: Seconds(3_600),
            cost_max: BaseUnits(2),
            deposit: BaseUnits(3),
            quoted_at: At(0),
            until: At(60_000),
        };
        let shown = LeaseTerms {
            coordinator: Wallet([1; 32]),
            asset: Asset::Usdc,
            mint: Wallet([2; 32]),
            slots: 1,
            chips_per_slot: 1,
            rate_per_chip_max: 1,
            rate_total_max: 2,
            deposit: 3,
            expires_at: 4,
            policy_hash: String::new(),
            fee_bps: 0,
        };
        let quote = Quote {
            spec,
            devices: Vec::new(),
            rate: none.clone(),
            cost_max: none,
            terms: shown,
            expires_at: 60,
            seal: String::new(),
        };
        (quote, terms)
    }

    #[test]
    fn a_seal_holds_for_its_quote_its_key_and_its_chain() {
        let (key, other) =
            (KeypairFile::in_memory(Keypair::new()), KeypairFile::in_memory(Keypair::new()));
        let chain = ChainRef { genesis: GenesisHash([1; 32]), program: ProgramId([2; 32]) };
        let by = SealKey { key: &key, chain };
        let (mut quote, terms) = quote();
        quote.seal = seal(&by, &quote, &terms);
        // Through the client's JSON and back.
        let json = serde_json::to_string(&quote).unwrap();
        let quote: Quote = serde_json::from_str(&json).unwrap();
        assert_eq!(open(&by, &quote), Ok(terms.clone()));
        assert_eq!(open(&SealKey { key: &other, chain }, &quote), Err(SealError));
        let elsewhere = ChainRef { genesis: GenesisHash([9; 32]), ..chain };
        assert_eq!(open(&SealKey { key: &key, chain: elsewhere }, &quote), Err(SealError));
        let mut cheaper = quote.clone();
        cheaper.terms.deposit -= 1;
        assert_eq!(open(&by, &cheaper), Err(SealError));
        let longer = QuoteTerms { until: At(i64::MAX), ..terms };
        let (_, signature) = quote.seal.split_once('.').unwrap();
        let forged = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&longer).unwrap());
        let forged = Quote { seal: format!("{forged}.{signature}"), ..quote.clone() };
        assert_eq!(open(&by, &forged), Err(SealError));
        for bad in ["", ".", "a.b", &"x".repeat(SEAL_BYTES_MAX + 1)] {
            assert_eq!(open(&by, &Quote { seal: bad.into(), ..quote.clone() }), Err(SealError));
        }
    }
}
