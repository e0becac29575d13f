//! Public moments, as a chain shows them.

use crate::network::{Network, USDC};
use ionet_ledger::beacon::{MEMO_BYTES_MAX, Published};
use ionet_ledger::{LedgerError, Signature, Signer as _};
use std::time::{Duration, Instant};

/// A memo lands between a block that was known before and one that nobody knew.
pub(crate) async fn a_memo_stands_between_two_blocks(n: &Network) {
    let chain = n.ledger.connection();
    let signer = n.wallet(USDC).await;
    let before = chain.newest_block().await.unwrap();
    assert_eq!(chain.block_at(before.slot).await.unwrap(), Some(before));
    let (signature, slot) = chain.publish("ionet: a text", &signer).await.unwrap();
    let shown = chain.published(&signature).await.unwrap().unwrap();
    let texts = vec!["ionet: a text".to_owned()];
    assert_eq!(shown, Published { slot, payer: signer.address(), texts });
    assert_eq!(chain.published(&Signature::from([1; 64])).await.unwrap(), None);
    assert!(slot > before.slot);
    let until = Instant::now() + Duration::from_secs(60);
    let after = loop {
        if let Some(after) = chain.block_after(slot).await.unwrap() {
            break after;
        }
        assert!(Instant::now() < until, "the chain stands still");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(after.slot > slot && after.hash != before.hash);
    assert_eq!(chain.block_at(u64::from(u32::MAX)).await.unwrap(), None, "not there yet");
    let long = "x".repeat(MEMO_BYTES_MAX + 1);
    let refused = chain.publish(&long, &signer).await;
    assert!(matches!(refused, Err(LedgerError::TooLong { .. })), "{refused:?}");
}
