//! What a receipt is worth on this chain, now: decided from what is known, before anything is
//! sent.

use super::book::Book;
use ionet_core::{ChainRef, verify};
use ionet_ledger::interface::Seconds;
use ionet_ledger::interface::account::{LeaseState, LineState, Vouch};
use ionet_ledger::interface::statement::Receipt;
use ionet_ledger::{Page, PlacedLine, SignedReceipt};
use ionet_wire::message;

/// Why a receipt brings nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Useless {
    /// Signed for another chain or program, as its file says too.
    #[error("it is for another chain or program: {0}")]
    OtherChain(String),
    /// Altered, or for a chain that its file does not name.
    #[error("its signature does not hold on this chain: altered, or for another chain or program")]
    Signature,
    /// No such lease.
    #[error(
        "there is no such lease on this chain: never opened, or reclaimed because all was paid"
    )]
    NoLease,
    /// Someone whose word does not count.
    #[error("it is signed by {signer}, but this lease takes the word of {wanted} only")]
    Signer {
        /// Who signed.
        signer: String,
        /// Whose word counts.
        wanted: &'static str,
    },
    /// The claim window is over.
    #[error("the lease's claim window ended at {0}")]
    WindowOver(String),
    /// No such line.
    #[error("the lease has no such line")]
    NoLine,
    /// Another generation: of a line that this lease does not have.
    #[error("it is of the device's generation {receipt}, the line is of {line}")]
    Generation {
        /// The receipt's.
        receipt: u64,
        /// The line's.
        line: u64,
    },
    /// The line owes nothing.
    #[error("the renter rejected the line in its acceptance window: it owes nothing")]
    Rejected,
    /// The meter never ran.
    #[error("the line was never started")]
    NotStarted,
    /// As much is known already.
    #[error("it adds nothing: {known} s are vouched for already")]
    Older {
        /// Seconds.
        known: u64,
    },
    /// More than the lease's clock allows.
    #[error("it says {served} s, but the lease's clock allows {most} s for this line")]
    TooLong {
        /// What it says.
        served: u64,
        /// What can be claimed at most.
        most: u64,
    },
    /// The renter can still reject the line.
    #[error("the renter can still reject the line: claim it after {0}")]
    Acceptance(String),
}

/// What a receipt would add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gain {
    /// As the program takes it.
    pub(crate) receipt: SignedReceipt,
    /// The line as it would stand.
    pub(crate) line: PlacedLine,
    /// Seconds more than are vouched for.
    pub(crate) seconds: u64,
    /// Base units more that the line has earned.
    pub(crate) units: u64,
}

/// Whether the signature holds on `chain`. `named` is the chain that the receipt's file names.
pub(crate) fn check_signature(
    receipt: &message::SignedReceipt,
    chain: &ChainRef,
    named: Option<&ChainRef>,
) -> Result<SignedReceipt, Useless> {
    let statement = Receipt {
        lease: receipt.lease.0,
        page: receipt.page,
        index: receipt.line,
        generation: receipt.generation,
        served_s: receipt.served_s,
    };
    let holds = |chain: &ChainRef| {
        let bytes = statement.signing_bytes(&chain.genesis.0, &chain.program.0);
        verify(&receipt.signer.0, &bytes, &receipt.signature).is_ok()
    };
    if holds(chain) {
        let signature = receipt.signature.0;
        return Ok(SignedReceipt { receipt: statement, signer: receipt.signer.0, signature });
    }
    Err(match named.filter(|named| *named != chain && holds(named)) {
        Some(named) => {
            Useless::OtherChain(format!("chain {}, program {}", named.genesis, named.program))
        }
        None => Useless::Signature,
    })
}

/// What a receipt whose signature holds would add to its lease.
pub(crate) fn judge(book: &Book, signed: &SignedReceipt) -> Result<Gain, Useless> {
    let lease = &book.lease;
    may_sign(book, &signed.signer)?;
    let open = lease.state == LeaseState::Open;
    if lease.state == LeaseState::Finalized || !open && book.window_over() {
        return Err(Useless::WindowOver(ionet_core::rfc3339(lease.claims_until().0)));
    }
    let wanted = &signed.receipt;
    let page = page_of(book, wanted.page).ok_or(Useless::NoLine)?;
    let found = page.lines.iter().find(|l| l.index == wanted.index).ok_or(Useless::NoLine)?;
    if found.line.generation != wanted.generation {
        let (receipt, line) = (wanted.generation, found.line.generation);
        return Err(Useless::Generation { receipt, line });
    }
    match found.line.state {
        LineState::Bound => return Err(Useless::NotStarted),
        LineState::Rejected => return Err(Useless::Rejected),
        LineState::Started | LineState::Ended => (),
    }
    let (served, known) = (wanted.served_s, found.line.served.get());
    if served <= known {
        return Err(Useless::Older { known });
    }
    let most = found.line.served_max(lease.v_at(book.now)).get();
    if served > most {
        return Err(Useless::TooLong { served, most });
    }
    let accept_until = found.line.accept_until(lease.accept_s);
    if lease.accept_s > 0 && book.now <= accept_until {
        return Err(Useless::Acceptance(ionet_core::rfc3339(accept_until.0)));
    }
    let owed = |line: &PlacedLine| line.line.owed().map_or(0, |owed| owed.get());
    let mut line = found.clone();
    line.line.served = Seconds(served);
    let units = owed(&line).saturating_sub(owed(found));
    Ok(Gain { receipt: *signed, line, seconds: served - known, units })
}

/// The page of this number.
pub(crate) fn page_of(book: &Book, number: u16) -> Option<&Page> {
    book.pages.iter().find(|page| page.number == number)
}

fn may_sign(book: &Book, signer: &[u8; 32]) -> Result<(), Useless> {
    let lease = &book.lease;
    let coordinator = lease.coordinator == *signer;
    let session = lease.session != [0; 32] && lease.session == *signer;
    let renter = session || lease.renter == *signer;
    let (counts, wanted) = match lease.vouch {
        Vouch::Coordinator => (coordinator, "its coordinator"),
        Vouch::Session => (renter, "its renter or session key"),
        Vouch::Either => (coordinator || renter, "its coordinator, renter or session key"),
    };
    if counts {
        return Ok(());
    }
    Err(Useless::Signer { signer: ionet_ledger::Address::from(*signer).to_string(), wanted })
}
