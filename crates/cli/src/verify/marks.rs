//! A record's public marks, against a chain: what no coordinator can change.

use ionet_ledger::beacon::Mark;
use ionet_ledger::{Connection, LedgerError, Signature};
use ionet_trust::record::{Record, anchor_text, promise_in};

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
    for start in &record.starts {
        if !stands(&start.mark).await? {
            wrong.push("the block of a task's start is another one");
        }
    }
    let basis = Mark { slot: record.basis.slot, hash: record.basis.hash };
    if chain.block_after(record.promise_slot).await? != Some(basis) {
        wrong.push("the block that the moment follows from is not the first one after the promise");
    }
    match chain.published(&Signature::from(record.promise)).await? {
        None => wrong.push("the promise's transaction is not there"),
        Some(found) => {
            if found.slot != record.promise_slot {
                wrong.push("the promise landed in another slot");
            }
            if found.payer.to_bytes() != record.coordinator.0 {
                wrong.push("the promise is not the coordinator's");
            }
            let promises = |text: &String| promise_in(text, record.lane) == Some(record.promised);
            if !found.texts.iter().any(promises) {
                wrong.push("the secret was not promised there");
            }
        }
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
    let Some(next) = promise_in(text, record.lane) else { return false };
    let root = record.entries_root();
    text == anchor_text(record.lane, record.trial, &root, &next, &record.previous)
}
