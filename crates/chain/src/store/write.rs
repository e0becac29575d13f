//! Writing: genesis, batches of transactions, slot reservations.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use solana_account::{AccountSharedData, ReadableAccount};
use solana_address::Address;

use super::{ChainState, Store, StoreError, WriteStep};
use crate::record::TransactionRecord;

/// Everything that becomes durable together.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) slot: u64,
    pub(crate) unix_timestamp: i64,
    pub(crate) epoch_start_timestamp: i64,
    pub(crate) reserved_slot: u64,
    pub(crate) records: Vec<TransactionRecord>,
    /// Accounts after the batch; `None` for one that is gone.
    pub(crate) accounts: BTreeMap<Address, Option<AccountSharedData>>,
}

impl Store {
    /// Writes the first block. It is there whole, or the chain does not exist.
    pub(crate) fn create(
        &mut self,
        state: &ChainState,
        accounts: &[(Address, AccountSharedData)],
    ) -> Result<(), StoreError> {
        self.atomically(|store| {
            for (address, account) in accounts {
                store.put_account(address, account)?;
            }
            store.put_block(0, state.unix_timestamp)?;
            store.step(WriteStep::Meta)?;
            store.connection.execute(
                "INSERT INTO chain VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    state.genesis_hash.to_bytes(),
                    state.seed,
                    state.identity.to_bytes(),
                    state.reserved_slot.cast_signed(),
                    state.unix_timestamp,
                    state.epoch_start_timestamp,
                    state.transaction_count.cast_signed(),
                ],
            )?;
            Ok(())
        })
    }

    /// Makes a batch durable, all or nothing.
    pub(crate) fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.atomically(|store| {
            for (address, account) in &batch.accounts {
                match account {
                    Some(account) => store.put_account(address, account)?,
                    None => store.remove_account(address)?,
                }
            }
            if !batch.records.is_empty() {
                store.put_block(batch.slot, batch.unix_timestamp)?;
            }
            for record in &batch.records {
                store.put_transaction(record)?;
            }
            store.put_progress(batch)
        })
    }

    fn atomically(
        &mut self,
        work: impl FnOnce(&Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.step(WriteStep::Begin)?;
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let done = work(self).and_then(|()| {
            self.step(WriteStep::Commit)?;
            self.connection.execute_batch("COMMIT").map_err(StoreError::from)
        });
        if done.is_err() && !self.connection.is_autocommit() {
            // If this fails too, reopening the connection rolls back.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        done
    }

    fn put_account(
        &self,
        address: &Address,
        account: &AccountSharedData,
    ) -> Result<(), StoreError> {
        self.step(WriteStep::Account)?;
        cached(
            &self.connection,
            "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?, ?)",
            params![
                address.as_ref(),
                account.lamports().cast_signed(),
                account.owner().as_ref(),
                account.executable(),
                account.rent_epoch().cast_signed(),
                account.data(),
            ],
        )
    }

    fn remove_account(&self, address: &Address) -> Result<(), StoreError> {
        self.step(WriteStep::Account)?;
        cached(&self.connection, "DELETE FROM accounts WHERE address = ?", [address.as_ref()])
    }

    fn put_block(&self, slot: u64, block_time: i64) -> Result<(), StoreError> {
        self.step(WriteStep::Block)?;
        cached(
            &self.connection,
            "INSERT OR IGNORE INTO blocks VALUES (?, ?)",
            params![slot.cast_signed(), block_time],
        )
    }

    fn put_transaction(&self, record: &TransactionRecord) -> Result<(), StoreError> {
        self.step(WriteStep::Transaction)?;
        cached(
            &self.connection,
            "INSERT INTO transactions (signature, slot, block_index, err, memo, wire, meta)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                record.signature.as_ref(),
                record.slot.cast_signed(),
                record.index,
                record.err.as_ref().map(to_json).transpose()?,
                record.memo,
                record.wire,
                to_json(&record.meta)?,
            ],
        )?;
        let id = self.connection.last_insert_rowid();
        for address in &record.mentions {
            self.step(WriteStep::AddressIndex)?;
            cached(
                &self.connection,
                "INSERT OR IGNORE INTO address_transactions VALUES (?, ?)",
                params![address.as_ref(), id],
            )?;
        }
        Ok(())
    }

    fn put_progress(&self, batch: &Batch) -> Result<(), StoreError> {
        self.step(WriteStep::Meta)?;
        cached(
            &self.connection,
            "UPDATE chain SET reserved_slot = ?, unix_timestamp = ?, epoch_start_timestamp = ?,
             transaction_count = transaction_count + ?",
            params![
                batch.reserved_slot.cast_signed(),
                batch.unix_timestamp,
                batch.epoch_start_timestamp,
                batch.records.len() as u64,
            ],
        )
    }
}

fn cached(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn to_json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Damaged { table: "transactions", reason: error.to_string() })
}
