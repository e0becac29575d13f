//! What sessions share.

use crate::key::DeviceKey;
use crate::metrics::Metrics;
use crate::parts::Parts;
use crate::proving::Proving;
use crate::receipts;
use crate::receipts::Known;
use crate::store::{Kept, Number, RECEIPTS_SHOWN, Store, StoreError, now_unix};
use ionet_core::{Enrolment, Inventory};
use ionet_wire::message::{Hello, SignedReceipt, Welcome};
use std::sync::Arc;

/// Receipts of one answer that are looked at: twice as many as a device can hold parts.
const RECEIPTS_PER_ANSWER_MAX: usize = 2 * crate::parts::PARTS_MAX;

pub(crate) struct Agent {
    pub(crate) key: DeviceKey,
    pub(crate) enrolment: Enrolment,
    pub(crate) inventory: Inventory,
    pub(crate) boot: u64,
    pub(crate) store: Store,
    pub(crate) parts: Arc<Parts>,
    pub(crate) metrics: Metrics,
    pub(crate) proving: Proving,
}

impl Agent {
    pub(crate) async fn hello(&self) -> Result<Hello, StoreError> {
        let (last_session, receipts) = self
            .store
            .call(|s| Ok((s.number(Number::Session)?, s.receipts(RECEIPTS_SHOWN)?)))
            .await?;
        Ok(Hello {
            software: format!("ionet-worker/{}", env!("CARGO_PKG_VERSION")),
            features: self.proving.features(),
            enrolment: self.enrolment.clone(),
            last_session,
            boot: self.boot,
            inventory: self.inventory.clone(),
            parts: self.parts.board().all(),
            receipts,
            draining: self.parts.is_draining(),
        })
    }

    /// Checks and keeps receipts. What does not hold is counted and dropped: a coordinator that
    /// signs wrongly harms only itself until the supplier stops.
    pub(crate) async fn take_receipts(
        &self,
        welcome: &Welcome,
        mut receipts: Vec<SignedReceipt>,
    ) -> Result<(), StoreError> {
        if receipts.is_empty() {
            return Ok(());
        }
        receipts.truncate(RECEIPTS_PER_ANSWER_MAX);
        let (chain, coordinator) = (welcome.chain, welcome.coordinator);
        let counter = self.metrics.receipts.clone();
        let take = move |store: &Store| {
            for receipt in &receipts {
                let lease = store.seen(receipt.cluster)?.and_then(|(_, lease)| lease);
                let kept = store.vouchers(receipt.cluster)?;
                let (vouchers, since) = kept.unzip();
                let mut vouchers = vouchers.unwrap_or_default();
                if vouchers.is_empty() {
                    vouchers.push(coordinator);
                }
                let served_max = since.map(|since| receipts::served_max(since, now_unix()));
                let known = Known { vouchers: &vouchers, lease, served_max };
                let outcome = match receipts::check(receipt, &chain, &known) {
                    Ok(()) => match store.keep_receipt(receipt)? {
                        Kept::Newer => "kept",
                        Kept::Same => "same",
                        Kept::Older => "older",
                    },
                    Err(e) => {
                        tracing::warn!(cluster = %receipt.cluster, error = %e, "receipt dropped");
                        "refused"
                    }
                };
                counter.with_label_values(&[outcome]).inc();
            }
            Ok(())
        };
        self.store.call(take).await
    }
}
