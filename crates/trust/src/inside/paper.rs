//! A check on paper: the record in one line, exactly as it was signed, and in the next on which
//! chain and by which signature.

use super::record::{Check, Word};
use ionet_core::{ChainRef, Domain, SignatureBytes, StatementError, signing_bytes, verify};
use serde::{Deserialize, Serialize};

/// Most bytes of a paper: a hundred members with 150 kB of proofs each.
pub const PAPER_BYTES_MAX: usize = 32 << 20;

/// Names a paper: the hash of its record, in hex.
pub type PaperId = Word;

/// Why a text is no signed check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Longer than any.
    #[error("a check has at most {PAPER_BYTES_MAX} bytes")]
    Long,
    /// Not in two lines.
    #[error("a check has two lines")]
    Lines,
    /// The first line is no record.
    #[error("the record: {0}")]
    Record(String),
    /// The second line names no chain and signature.
    #[error("the signature: {0}")]
    Signed(String),
    /// Somebody else's, or of another text.
    #[error("the renter did not sign it: {0}")]
    Signature(#[from] StatementError),
}

/// The second line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    chain: ChainRef,
    signature: SignatureBytes,
}

/// A record and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// The record as it was signed.
    pub record: String,
    /// For which market on which chain.
    pub chain: ChainRef,
    /// The renter's.
    pub signature: SignatureBytes,
}

impl Paper {
    /// What a renter signs.
    pub fn signing_bytes(record: &str, chain: &ChainRef) -> Vec<u8> {
        signing_bytes(Domain::InsideCheck, chain, record.as_bytes())
    }

    /// Reads two lines.
    pub fn from_text(text: &str) -> Result<Self, Unreadable> {
        if text.len() > PAPER_BYTES_MAX {
            return Err(Unreadable::Long);
        }
        let mut lines = text.lines();
        let (Some(record), Some(signed), None) = (lines.next(), lines.next(), lines.next()) else {
            return Err(Unreadable::Lines);
        };
        let Signed { chain, signature } =
            serde_json::from_str(signed).map_err(|e| Unreadable::Signed(e.to_string()))?;
        Ok(Self { record: record.to_owned(), chain, signature })
    }

    /// As two lines.
    pub fn text(&self) -> String {
        let signed = Signed { chain: self.chain, signature: self.signature };
        let signed = serde_json::to_string(&signed).expect("plain data");
        format!("{}\n{signed}\n", self.record)
    }

    /// The record, if its renter signed it.
    pub fn check(&self) -> Result<Check, Unreadable> {
        let check: Check =
            serde_json::from_str(&self.record).map_err(|e| Unreadable::Record(e.to_string()))?;
        verify(&check.renter.0, &Self::signing_bytes(&self.record, &self.chain), &self.signature)?;
        Ok(check)
    }

    /// Its name.
    pub fn id(&self) -> PaperId {
        Word(*blake3::hash(self.record.as_bytes()).as_bytes())
    }
}
