//! What others say of a wallet: that a person stands behind it. Anybody can issue such
//! statements; whose count, the reader lists. They never leave their chain and do not last.

use ionet_core::{ChainRef, Domain, SignatureBytes, StatementError, Wallet, signing_bytes, verify};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A score that leaves no doubt, in thousandths.
pub(super) const SCORE_MAX: u16 = 1_000;
/// The longest life of a statement: a year. People sell wallets.
pub const STATEMENT_SECONDS_MAX: i64 = 365 * 86_400;
/// Clocks of issuer and reader may differ by so many seconds.
const SKEW_SECONDS_MAX: i64 = 300;
/// The most statements that a reader keeps: tens of megabytes.
const STATEMENTS_MAX: usize = 1 << 18;

/// What an issuer signs: "to my knowledge a person of their own stands behind this wallet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HumanScore {
    /// Who says so.
    pub issuer: Wallet,
    /// Of whom.
    pub wallet: Wallet,
    /// How sure, in thousandths.
    pub score: u16,
    /// The market that it is for.
    pub chain: ChainRef,
    /// Unix seconds.
    pub issued: i64,
    /// Unix seconds after which it counts for nothing.
    pub expires: i64,
}

/// With the issuer's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedScore {
    /// What is said.
    pub score: HumanScore,
    /// The issuer's signature over [`HumanScore::signing_bytes`].
    pub signature: SignatureBytes,
}

/// Why a statement does not count. What was known before still does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementRefusal {
    /// The reader does not list this issuer.
    #[error("{0} is not among the issuers that are listed here")]
    Issuer(Wallet),
    /// It is for another chain or program.
    #[error("the statement is for another chain")]
    OtherChain,
    /// A score above 1,000.
    #[error("a score is at most {SCORE_MAX} thousandths, not {0}")]
    Score(u16),
    /// It would live too long, or ends before it begins.
    #[error("a statement lives for up to {STATEMENT_SECONDS_MAX} seconds")]
    Life,
    /// It is from the future.
    #[error("the statement is of a later time than now")]
    Early,
    /// It is over.
    #[error("the statement has expired")]
    Expired,
    /// A newer one of this issuer about this wallet is known, or this very one.
    #[error("the issuer has said something newer about this wallet, or just this")]
    Replayed,
    /// The signature does not hold.
    #[error("the issuer's statement: {0}")]
    Signature(#[from] StatementError),
    /// There are too many.
    #[error("more than {STATEMENTS_MAX} statements")]
    TooMany,
}

impl HumanScore {
    /// What the issuer signs.
    pub fn signing_bytes(&self) -> Vec<u8> {
        let times = [self.issued.to_le_bytes(), self.expires.to_le_bytes()].concat();
        let body = [&self.issuer.0[..], &self.wallet.0, &self.score.to_le_bytes(), &times].concat();
        signing_bytes(Domain::HumanScore, &self.chain, &body)
    }
}

/// The statements that a reader believes: the newest of each listed issuer about each wallet.
pub struct Statements {
    chain: ChainRef,
    issuers: BTreeSet<Wallet>,
    known: BTreeMap<(Wallet, Wallet), HumanScore>,
}

impl Statements {
    /// None yet, on this chain, from these issuers.
    pub fn new(chain: ChainRef, issuers: impl IntoIterator<Item = Wallet>) -> Self {
        Self { chain, issuers: issuers.into_iter().collect(), known: BTreeMap::new() }
    }

    /// Takes a statement at `now` (unix seconds).
    pub fn accept(&mut self, signed: &SignedScore, now: i64) -> Result<(), StatementRefusal> {
        let said = &signed.score;
        if !self.issuers.contains(&said.issuer) {
            return Err(StatementRefusal::Issuer(said.issuer));
        }
        if said.chain != self.chain {
            return Err(StatementRefusal::OtherChain);
        }
        if said.score > SCORE_MAX {
            return Err(StatementRefusal::Score(said.score));
        }
        let life = said.expires.checked_sub(said.issued);
        if !life.is_some_and(|life| (1..=STATEMENT_SECONDS_MAX).contains(&life)) {
            return Err(StatementRefusal::Life);
        }
        if said.issued > now.saturating_add(SKEW_SECONDS_MAX) {
            return Err(StatementRefusal::Early);
        }
        if said.expires < now {
            return Err(StatementRefusal::Expired);
        }
        let key = (said.wallet, said.issuer);
        if self.known.get(&key).is_some_and(|known| known.issued >= said.issued) {
            return Err(StatementRefusal::Replayed);
        }
        verify(&said.issuer.0, &said.signing_bytes(), &signed.signature)?;
        if self.known.len() >= STATEMENTS_MAX && !self.known.contains_key(&key) {
            return Err(StatementRefusal::TooMany);
        }
        self.known.insert(key, *said);
        Ok(())
    }

    /// The best that a listed issuer says of a wallet at `now`, in thousandths; 0 for nothing. A
    /// newer, worse word of the same issuer takes the place of its better one.
    pub fn score(&self, wallet: &Wallet, now: i64) -> u16 {
        let of_it = self.known.range((*wallet, Wallet([0; 32]))..=(*wallet, Wallet([255; 32])));
        of_it.filter(|(_, said)| said.expires >= now).map(|(_, s)| s.score).max().unwrap_or(0)
    }
}
