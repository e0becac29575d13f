//! Statements about wallets: only a listed issuer's, on this chain, in time, and the newest.

use ed25519_dalek::{Signer as _, SigningKey};
use ionet_core::{ChainRef, GenesisHash, ProgramId, SignatureBytes, StatementError, Wallet};
use ionet_trust::wallets::{
    HumanScore, STATEMENT_SECONDS_MAX, SignedScore, StatementRefusal, Statements,
};

const NOW: i64 = 1_800_000_000;

fn chain(id: u8) -> ChainRef {
    ChainRef { genesis: GenesisHash([id; 32]), program: ProgramId([9; 32]) }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn issuer() -> Wallet {
    Wallet(key().verifying_key().to_bytes())
}

fn said(score: u16) -> HumanScore {
    let (issuer, chain) = (issuer(), chain(1));
    HumanScore { issuer, wallet: Wallet([2; 32]), score, chain, issued: NOW, expires: NOW + 1_000 }
}

fn signed(score: HumanScore) -> SignedScore {
    let signature = SignatureBytes(key().sign(&score.signing_bytes()).to_bytes());
    SignedScore { score, signature }
}

fn reader() -> Statements {
    Statements::new(chain(1), [issuer()])
}

#[test]
fn the_newest_word_of_a_listed_issuer_counts_until_it_expires() {
    let mut reader = reader();
    let first = signed(said(900));
    reader.accept(&first, NOW).unwrap();
    assert_eq!(reader.score(&Wallet([2; 32]), NOW + 1_000), 900);
    assert_eq!(reader.score(&Wallet([2; 32]), NOW + 1_001), 0);
    assert_eq!(reader.score(&Wallet([3; 32]), NOW), 0);
    // The issuer thinks better of it, and the old word does not come back.
    reader.accept(&signed(HumanScore { issued: NOW + 1, ..said(100) }), NOW + 1).unwrap();
    assert_eq!(reader.accept(&first, NOW + 2), Err(StatementRefusal::Replayed));
    assert_eq!(reader.score(&Wallet([2; 32]), NOW + 2), 100);
}

#[test]
fn what_is_forged_foreign_or_out_of_time_is_refused() {
    let refusal = |signed: SignedScore| reader().accept(&signed, NOW).unwrap_err();
    let base = said(900);
    let other_chain = HumanScore { chain: chain(2), ..base };
    assert_eq!(refusal(signed(other_chain)), StatementRefusal::OtherChain);
    // The other chain's signature under this chain's name.
    let moved = SignedScore { score: base, signature: signed(other_chain).signature };
    let forged = StatementRefusal::Signature(StatementError::Signature);
    assert_eq!(refusal(moved), forged);
    let raised = SignedScore { score: said(901), signature: signed(base).signature };
    assert_eq!(refusal(raised), forged);
    let elsewhere = HumanScore { wallet: Wallet([3; 32]), ..base };
    assert_eq!(refusal(SignedScore { score: elsewhere, ..signed(base) }), forged);
    let stranger = HumanScore { issuer: Wallet([7; 32]), ..base };
    assert_eq!(refusal(signed(stranger)), StatementRefusal::Issuer(Wallet([7; 32])));
    assert_eq!(refusal(signed(said(1_001))), StatementRefusal::Score(1_001));
    let early = HumanScore { issued: NOW + 301, ..base };
    assert_eq!(refusal(signed(early)), StatementRefusal::Early);
    let over = HumanScore { issued: NOW - 10, expires: NOW - 1, ..base };
    assert_eq!(refusal(signed(over)), StatementRefusal::Expired);
    let lives = [NOW, NOW - 1, NOW + STATEMENT_SECONDS_MAX + 1, i64::MIN, i64::MAX];
    for expires in lives {
        assert_eq!(refusal(signed(HumanScore { expires, ..base })), StatementRefusal::Life);
    }
    let wraps = HumanScore { issued: i64::MIN, expires: i64::MAX, ..base };
    assert_eq!(refusal(signed(wraps)), StatementRefusal::Life);
}
