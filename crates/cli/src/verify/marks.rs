//! A record's public marks, against a chain: what no coordinator can change.

use ionet_ledger::beacon::Mark;
use ionet_ledger::{Connection, LedgerError, Signature};
use ionet_trust::record::{Record, anchor_text};

/// What does not stand on the chain as the record says; none: all of it does.
pub(super) async fn check(
    chain: &Connection,
    record: &Record,
) -> Result<Vec<&'static str>, LedgerError> {
    let mut wrong = Vec::new();
    if chain.genesis_hash().await? != record.genesis {
        // Nothing else can be looked up there.
        return Ok(vec!["the record is of another chain than this one"]);
    }
    let stands = async |mark: &ionet_trust::record::Mark| {
        let found = chain.block_at(mark.slot).await?;
        Ok::<_, LedgerError>(found == Some(Mark { slot: mark.slot, hash: mark.hash }))
    };
    if !stands(&record.start).await? {
        wrong.push("the block of the start is another one");
    }
    if !stands(&record.basis).await? {
        wrong.push("the block that the moment follows from is another one");
    }
    let after = chain.block_after(record.anchor_slot).await?;
    let late = Mark { slot: record.late.slot, hash: record.late.hash };
    if after != Some(late) {
        wrong.push("the late block is not the first one after the anchor");
    }
    match chain.published(&Signature::from(record.anchor)).await? {
        None => wrong.push("the anchor's transaction is not there"),
        Some(found) => {
            if found.slot != record.anchor_slot {
                wrong.push("the anchor landed in another slot");
            }
            if found.payer.to_bytes() != record.coordinator.0 {
                wrong.push("the anchor is not the coordinator's");
            }
            if !found.texts.iter().any(|text| is_anchor_of(text, record)) {
                wrong.push("the anchor does not hold these commitments");
            }
        }
    }
    Ok(wrong)
}

/// Whether an anchor's words are those of this record. What it promises for the next trial is
/// that one's to check.
fn is_anchor_of(text: &str, record: &Record) -> bool {
    let words: Vec<_> = text.split(' ').collect();
    let Some(next) = words.iter().position(|w| *w == "next").and_then(|i| words.get(i + 1)) else {
        return false;
    };
    let mut promise = [0; 32];
    if hex::decode_to_slice(next, &mut promise).is_err() {
        return false;
    }
    let promise = ionet_trust::Precommitment(promise);
    let root = record.entries_root();
    text == anchor_text(record.lane, record.trial, &root, &promise, &record.previous)
}
