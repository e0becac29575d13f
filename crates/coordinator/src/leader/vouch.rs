//! Receipts of the renter's side: checked as the market program would, kept, handed to devices.

use super::{Leader, publish::key_of};
use crate::control::ControlError;
use ionet_api::{RefusedReceipt, Vouched};
use ionet_core::{ClusterId, Vouch, Wallet};
use ionet_network::{Cluster, LineRef, Money};
use ionet_wire::message::SignedReceipt;

impl Leader {
    /// Takes receipts whose signatures were checked. A receipt that is not taken keeps no other
    /// from being taken.
    pub(super) fn vouch(
        &mut self,
        renter: Wallet,
        id: ClusterId,
        receipts: &[SignedReceipt],
    ) -> Result<Vouched, ControlError> {
        may_vouch(self.own(renter, id)?)?;
        let mut vouched = Vouched { taken: 0, refused: Vec::new() };
        for receipt in receipts {
            match self.take_receipt(id, receipt) {
                Ok(()) => vouched.taken += 1,
                Err(reason) => {
                    let (page, line) = (receipt.page, receipt.line);
                    vouched.refused.push(RefusedReceipt { page, line, reason });
                }
            }
        }
        if vouched.taken > 0 {
            self.soft.vouched.insert(id, self.clock.now());
        }
        Ok(vouched)
    }

    fn take_receipt(&self, id: ClusterId, receipt: &SignedReceipt) -> Result<(), String> {
        let cluster = self.facts.clusters.get(&id).ok_or("no such cluster")?;
        let at = LineRef { page: receipt.page, index: receipt.line };
        let line = cluster.lines.get(&at).ok_or("the lease has no such line")?;
        if receipt.lease != cluster.lease || receipt.generation != line.generation {
            return Err("it is about another line of that name".to_owned());
        }
        if cluster.attested.get(&at.page).is_some_and(|(_, last)| *last) {
            return Err("the line is settled".to_owned());
        }
        let mut table = self.sessions.table();
        let (key, clock) = (key_of(cluster, at, line), self.clock.chain());
        let mut outcome = Err("the line did not start".to_owned());
        table.each_meter(line.device, |metered| {
            if metered.key != key {
                return;
            }
            outcome = if metered.word.renters.contains(&receipt.signer) {
                metered.take(receipt, clock).map_err(|why| why.to_string())
            } else {
                Err("its signer is neither the lease's session key nor its renter".to_owned())
            };
        });
        outcome
    }
}

/// Whether the renter's side may vouch for this cluster now.
fn may_vouch(cluster: &Cluster) -> Result<(), ControlError> {
    let conflict = |reason: &str| Err(ControlError::Conflict { reason: reason.to_owned() });
    match cluster.money {
        Money::Open { .. } | Money::Closed { .. } => (),
        Money::Unfunded => return conflict("the cluster's lease was not seen yet"),
        Money::Finalized { .. } | Money::Reclaimed { .. } => {
            return conflict("the cluster's lease is settled");
        }
    }
    match cluster.terms.as_ref().map(|terms| terms.vouch) {
        Some(Vouch::Session | Vouch::Either) => Ok(()),
        Some(Vouch::Coordinator) | None => {
            conflict("the cluster's lease lets only the coordinator vouch")
        }
    }
}
