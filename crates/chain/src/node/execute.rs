//! Executing batches and simulating.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use solana_account::ReadableAccount;
use solana_signature::Signature;
use solana_transaction::sanitized::SanitizedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::option_serializer::OptionSerializer;
use tokio::sync::oneshot;

use super::build::{self, Balances};
use super::command::{Rehearsal, SendError, SimulationReport, Work};
use super::{Node, batch_at};
use crate::error::ChainError;
use crate::events::{Committed, CommittedTransaction, Event};
use crate::limits::SLOTS_RESERVED;
use crate::metrics::Metrics;
use crate::record::{self, TransactionRecord};
use crate::store::Batch;
use crate::svm::{Broken, Outcome, was_charged};
use crate::transaction::{VerifiedTransaction, WireTransaction};

type Reply = oneshot::Sender<Result<Signature, SendError>>;

/// What is executed but not yet durable.
struct Open {
    batch: Batch,
    signatures: HashSet<Signature>,
    answers: Vec<(Reply, Result<Signature, SendError>)>,
}

impl Node {
    /// Executes in order, makes all of it durable in one commit, shows it, answers.
    ///
    /// # Errors
    /// Only if the store can no longer be read.
    pub(super) fn execute_all(&mut self, mut works: VecDeque<Work>) -> Result<(), ChainError> {
        while !works.is_empty() {
            let mut open =
                Open { batch: batch_at(self.now), signatures: HashSet::new(), answers: Vec::new() };
            let mut broken = false;
            while let Some(work) = works.pop_front() {
                let (reply, result) = self.execute_work(work, &mut open);
                let answer = match result {
                    Ok(answer) => answer,
                    Err(Broken) => {
                        broken = true;
                        Err(SendError::Broken)
                    }
                };
                open.answers.push((reply, answer));
                if broken {
                    break;
                }
            }
            self.commit(open)?;
            if broken {
                tracing::error!("the virtual machine broke down: its state is loaded anew");
                self.recover()?;
            }
        }
        Ok(())
    }

    fn execute_work(
        &mut self,
        work: Work,
        open: &mut Open,
    ) -> (Reply, Result<Result<Signature, SendError>, Broken>) {
        match work {
            Work::Transaction { transaction, preflight, reply } => {
                (reply, self.execute_one(&transaction, preflight, open))
            }
            Work::Airdrop { to, lamports, blockhash, reply } => {
                let blockhash = blockhash.unwrap_or_else(|| self.shared.view().window.latest().0);
                self.airdrops = self.airdrops.wrapping_add(1);
                let transaction =
                    build::airdrop(&self.faucet, &to, lamports, &blockhash, self.airdrops)
                        .and_then(|transaction| WireTransaction::encode(transaction).ok())
                        .and_then(WireTransaction::verify);
                let result = match transaction {
                    Some(transaction) => self.execute_one(&transaction, true, open),
                    None => Ok(Err(SendError::Dropped(TransactionError::SanitizeFailure))),
                };
                (reply, result)
            }
        }
    }

    fn execute_one(
        &mut self,
        transaction: &VerifiedTransaction,
        preflight: bool,
        open: &mut Open,
    ) -> Result<Result<Signature, SendError>, Broken> {
        let signature = transaction.signature();
        let refuse = |err: TransactionError| {
            Ok(Err(if preflight {
                let report = SimulationReport { err: Some(err), ..SimulationReport::default() };
                SendError::Preflight(Box::new(report))
            } else {
                SendError::Dropped(err)
            }))
        };
        let sanitized = match self.svm.sanitize(transaction.transaction().clone()) {
            Ok(sanitized) => sanitized,
            Err(err) => return refuse(err),
        };
        let age = match self.svm.age(sanitized.message(), &self.shared.view().window) {
            Ok(age) => age,
            Err(err) => return refuse(err),
        };
        match self.store.has_signature(&signature) {
            Ok(seen) if seen || open.signatures.contains(&signature) => {
                return refuse(TransactionError::AlreadyProcessed);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "history cannot be read");
                return Ok(Err(SendError::Storage));
            }
        }
        if preflight {
            let report = self.rehearse(&sanitized)?;
            if report.err.is_some() {
                return Ok(Err(SendError::Preflight(Box::new(report))));
            }
        }
        let before = Balances::of(sanitized.message(), |key| self.svm.get(key));
        let outcome = self.svm.execute(&sanitized, transaction.transaction().clone(), &age)?;
        if let Err(err) = &outcome.result
            && (!was_charged(&outcome.meta) || outcome.changes.is_empty())
        {
            return refuse(err.clone());
        }
        self.keep(transaction, &sanitized, outcome, before, open);
        Ok(Ok(signature))
    }

    /// Puts an executed transaction and its effects into the open batch.
    fn keep(
        &mut self,
        transaction: &VerifiedTransaction,
        sanitized: &SanitizedTransaction,
        outcome: Outcome,
        before: Balances,
        open: &mut Open,
    ) {
        let message = sanitized.message();
        let keys = message.account_keys();
        let after = Balances::of(message, |key| self.svm.get(key));
        let meta = build::status_meta(message, &outcome.result, &outcome.meta, before, after);
        open.batch.records.push(TransactionRecord {
            signature: transaction.signature(),
            slot: self.now.slot,
            index: self.block_len,
            block_time: self.now.unix_timestamp,
            wire: transaction.wire().to_vec(),
            err: outcome.result.err(),
            memo: record::memo(&keys, message.instructions()),
            meta,
            mentions: keys.iter().copied().collect(),
        });
        self.block_len = self.block_len.saturating_add(1);
        open.signatures.insert(transaction.signature());
        for change in outcome.changes {
            open.batch.accounts.insert(change.address, change.after);
        }
    }

    /// Makes the batch durable and shows it, or takes everything back.
    fn commit(&mut self, open: Open) -> Result<(), ChainError> {
        let Open { mut batch, mut answers, .. } = open;
        if !batch.records.is_empty() {
            batch.reserved_slot = self.now.slot.saturating_add(SLOTS_RESERVED);
            match self.store.commit(&batch) {
                Ok(()) => {
                    self.reserved_slot = batch.reserved_slot;
                    Metrics::count(&self.metrics.commits, 1);
                    Metrics::count(&self.metrics.committed, batch.records.len() as u64);
                    self.show(batch);
                }
                Err(error) => {
                    tracing::error!(%error, slot = self.now.slot, "a commit failed");
                    Metrics::count(&self.metrics.commit_failures, 1);
                    self.recover()?;
                    self.shared.view_mut().healthy = false;
                    // A refusal was decided on effects that are gone now: it is withdrawn too.
                    for (_, answer) in &mut answers {
                        *answer = Err(SendError::Storage);
                    }
                }
            }
        }
        for (reply, answer) in answers {
            Metrics::count(&self.metrics.dropped, u64::from(answer.is_err()));
            // The client may have gone; the transaction stands all the same.
            let _ = reply.send(answer);
        }
        Ok(())
    }

    fn show(&mut self, batch: Batch) {
        let mut view = self.shared.view_mut();
        view.healthy = true;
        view.transaction_count = view.transaction_count.saturating_add(batch.records.len() as u64);
        let mut accounts = Vec::with_capacity(batch.accounts.len());
        for (address, account) in batch.accounts {
            let old_owner = view.accounts.get(&address).map(|account| *account.owner());
            view.accounts.set(address, account.clone());
            accounts.push((address, account, old_owner));
        }
        drop(view);
        let transactions = batch
            .records
            .into_iter()
            .map(|record| CommittedTransaction {
                signature: record.signature,
                err: record.err,
                logs: match record.meta.log_messages {
                    OptionSerializer::Some(logs) => logs,
                    OptionSerializer::None | OptionSerializer::Skip => Vec::new(),
                },
                mentions: record.mentions,
            })
            .collect();
        let committed = Committed { slot: self.now.slot, transactions, accounts };
        // Nobody may be listening; that is no error.
        let _ = self.events.send(Event::Committed(Arc::new(committed)));
    }

    /// Tries a transaction that need not be signed.
    ///
    /// # Errors
    /// Only if the machine broke and the store can no longer be read.
    pub(super) fn simulate(
        &mut self,
        rehearsal: Rehearsal,
    ) -> Result<SimulationReport, ChainError> {
        let Rehearsal { mut transaction, replace_blockhash } = rehearsal;
        let failed = |err| SimulationReport { err: Some(err), ..SimulationReport::default() };
        let mut replacement = None;
        if replace_blockhash {
            let latest = self.shared.view().window.latest();
            transaction.message.set_recent_blockhash(latest.0);
            replacement = Some(latest);
        }
        let signature = transaction.signatures.first().copied().unwrap_or_default();
        let sanitized = match self.svm.sanitize(transaction) {
            Ok(sanitized) => sanitized,
            Err(err) => return Ok(failed(err)),
        };
        if !replace_blockhash {
            if let Err(err) = self.svm.age(sanitized.message(), &self.shared.view().window) {
                return Ok(failed(err));
            }
            if self.store.has_signature(&signature)? {
                return Ok(failed(TransactionError::AlreadyProcessed));
            }
        }
        match self.rehearse(&sanitized) {
            Ok(report) => Ok(SimulationReport { replacement, ..report }),
            Err(Broken) => {
                // Simulation only reads: the machine's state is as it was.
                tracing::error!("the virtual machine broke down in a simulation");
                Ok(failed(TransactionError::ClusterMaintenance))
            }
        }
    }

    fn rehearse(&self, sanitized: &SanitizedTransaction) -> Result<SimulationReport, Broken> {
        let message = sanitized.message();
        let simulation = self.svm.simulate(sanitized.to_versioned_transaction())?;
        let before = Balances::of(message, |key| self.svm.get(key));
        let post: HashMap<_, _> = simulation.post_accounts.iter().cloned().collect();
        let after =
            Balances::of(message, |key| post.get(key).cloned().or_else(|| self.svm.get(key)));
        let loaded: usize = message
            .account_keys()
            .iter()
            .filter_map(|key| self.svm.get(key))
            .map(|account| account.data().len())
            .sum();
        let meta = build::status_meta(message, &simulation.result, &simulation.meta, before, after);
        Ok(SimulationReport {
            err: simulation.result.err(),
            meta: Some(meta),
            post_accounts: simulation.post_accounts,
            replacement: None,
            loaded_accounts_bytes: u32::try_from(loaded).unwrap_or(u32::MAX),
        })
    }
}
