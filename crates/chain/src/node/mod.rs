//! The node: one thread that owns the virtual machine and the store's writer.
//!
//! Commands come over a bounded channel. Transactions that wait together are executed in order
//! and made durable in one commit; only then are they shown and their senders answered.

mod build;
mod command;
mod execute;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant as Monotonic};

use solana_keypair::Keypair;
use tokio::sync::broadcast;

pub(crate) use command::{
    Command, NodeHandle, Refusal, Rehearsal, SendError, SimulationReport, Work,
};

use crate::blockhash::Window;
use crate::error::ChainError;
use crate::events::Event;
use crate::genesis::unix_now;
use crate::limits::{BATCH_MAX, QUEUE_MAX, SLOTS_PER_EPOCH, SLOTS_RESERVED};
use crate::metrics::Metrics;
use crate::store::{Batch, ChainState, Store};
use crate::svm::{DERIVED_SYSVARS, Instant, Svm};
use crate::view::{Accounts, Shared, View};

/// What the node needs beside its store.
pub(crate) struct NodeParts {
    pub(crate) state: ChainState,
    pub(crate) store: Store,
    pub(crate) faucet: Keypair,
    pub(crate) slot_ms: u64,
    pub(crate) blockhash_age_max: u64,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) metrics: Arc<Metrics>,
}

/// The single owner of the virtual machine.
pub(crate) struct Node {
    svm: Svm,
    store: Store,
    shared: Arc<Shared>,
    events: broadcast::Sender<Event>,
    metrics: Arc<Metrics>,
    faucet: Keypair,
    airdrops: u32,
    now: Instant,
    reserved_slot: u64,
    /// Transactions of the open slot so far.
    block_len: u32,
    slot_length: Duration,
    next_tick: Monotonic,
    receiver: Receiver<Command>,
}

impl Node {
    /// Loads the stored accounts and opens the first slot that was never open before.
    pub(crate) fn start(
        parts: NodeParts,
    ) -> Result<(Self, SyncSender<Command>, Arc<Shared>), ChainError> {
        let NodeParts { state, store, faucet, slot_ms, blockhash_age_max, events, metrics } = parts;
        let accounts = store.load_accounts()?;
        let svm = Svm::from_accounts(accounts.map())?;
        let blockhashes = crate::blockhash::Blockhashes::new(state.seed);
        let closed = state.reserved_slot;
        let view = View {
            slot: closed,
            unix_timestamp: state.unix_timestamp,
            window: Window::at(&blockhashes, closed, blockhash_age_max),
            accounts,
            transaction_count: state.transaction_count,
            healthy: true,
        };
        let shared = Arc::new(Shared::new(view, blockhashes, state.genesis_hash, state.identity));
        let (sender, receiver) = sync_channel(QUEUE_MAX);
        let slot_length = Duration::from_millis(slot_ms);
        let mut node = Self {
            svm,
            store,
            shared: Arc::clone(&shared),
            events,
            metrics,
            faucet,
            airdrops: rand::random(),
            now: Instant {
                slot: closed,
                unix_timestamp: state.unix_timestamp,
                epoch_start_timestamp: state.epoch_start_timestamp,
            },
            reserved_slot: state.reserved_slot,
            block_len: 0,
            slot_length,
            next_tick: Monotonic::now() + slot_length,
            receiver,
        };
        node.open_slot()?;
        Ok((node, sender, shared))
    }

    /// Works until it is told to stop, or until the store cannot be read any more.
    pub(crate) fn run(mut self) -> Result<(), ChainError> {
        let mut held_back = None;
        loop {
            let now = Monotonic::now();
            if now >= self.next_tick {
                self.tick();
                // A late tick (a slow commit, a suspended laptop) is not made up for.
                self.next_tick = (self.next_tick + self.slot_length).max(now);
            }
            let command = match held_back.take() {
                Some(command) => command,
                None => {
                    let wait = self.next_tick.saturating_duration_since(Monotonic::now());
                    match self.receiver.recv_timeout(wait) {
                        Ok(command) => command,
                        Err(RecvTimeoutError::Timeout) => continue,
                        Err(RecvTimeoutError::Disconnected) => return self.finish(),
                    }
                }
            };
            match command {
                Command::Stop => return self.finish(),
                Command::Execute(first) => {
                    let mut works = VecDeque::from([first]);
                    while works.len() < BATCH_MAX {
                        match self.receiver.try_recv() {
                            Ok(Command::Execute(work)) => works.push_back(work),
                            Ok(other) => {
                                held_back = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.execute_all(works)?;
                }
                Command::Simulate { rehearsal, reply } => {
                    let report = self.simulate(*rehearsal)?;
                    let _ = reply.send(report);
                }
                Command::AdvanceSlots { count, reply } => {
                    for _ in 0..count {
                        self.tick();
                    }
                    let _ = reply.send(self.now.slot);
                }
            }
        }
    }

    /// Closes the open slot and opens the next, unless the store refuses to reserve it.
    fn tick(&mut self) {
        match self.open_slot() {
            Ok(()) => self.shared.view_mut().healthy = true,
            Err(error) => {
                tracing::error!(%error, slot = self.now.slot, "the next slot cannot be opened");
                Metrics::count(&self.metrics.commit_failures, 1);
                self.shared.view_mut().healthy = false;
                if let Err(error) = self.store.reopen() {
                    tracing::error!(%error, "the store cannot be opened again");
                }
            }
        }
    }

    fn open_slot(&mut self) -> Result<(), ChainError> {
        let slot = self.now.slot.saturating_add(1);
        let unix_timestamp = unix_now().max(self.now.unix_timestamp);
        let first_of_epoch = slot.is_multiple_of(SLOTS_PER_EPOCH);
        let next = Instant {
            slot,
            unix_timestamp,
            epoch_start_timestamp: if first_of_epoch {
                unix_timestamp
            } else {
                self.now.epoch_start_timestamp
            },
        };
        if slot > self.reserved_slot {
            let reserved_slot = slot.saturating_add(SLOTS_RESERVED);
            self.store.commit(&Batch { reserved_slot, ..batch_at(next) })?;
            self.reserved_slot = reserved_slot;
        }
        let closed = self.now.slot;
        self.now = next;
        self.block_len = 0;
        let mut view = self.shared.view_mut();
        view.slot = slot;
        view.unix_timestamp = unix_timestamp;
        view.window.push(closed, self.shared.blockhashes.at(closed));
        self.svm.set_instant(next, &self.shared.blockhashes, &view.window);
        show_sysvars(&self.svm, &mut view.accounts);
        drop(view);
        // Nobody may be listening; that is no error.
        let _ = self.events.send(Event::Slot { slot });
        Ok(())
    }

    /// Takes everything anew from the store, after a failed commit or a broken machine.
    fn recover(&mut self) -> Result<(), ChainError> {
        self.store.reopen()?;
        let mut accounts = self.store.load_accounts()?;
        let state = self.store.load_state()?.ok_or(ChainError::NodeStopped)?;
        self.svm = Svm::from_accounts(accounts.map())?;
        self.reserved_slot = state.reserved_slot;
        // What a failed commit had numbered is gone: the block goes on after what it really has.
        self.block_len = self.store.block_len(self.now.slot)?;
        let mut view = self.shared.view_mut();
        self.svm.set_instant(self.now, &self.shared.blockhashes, &view.window);
        show_sysvars(&self.svm, &mut accounts);
        view.accounts = accounts;
        view.transaction_count = state.transaction_count;
        Ok(())
    }

    /// Leaves no gap of slots behind: the next start goes on with the slot after this one.
    fn finish(mut self) -> Result<(), ChainError> {
        let reserved_slot = self.now.slot;
        self.store.commit(&Batch { reserved_slot, ..batch_at(self.now) })?;
        Ok(())
    }
}

/// An empty batch of an instant.
fn batch_at(now: Instant) -> Batch {
    Batch {
        slot: now.slot,
        unix_timestamp: now.unix_timestamp,
        epoch_start_timestamp: now.epoch_start_timestamp,
        ..Batch::default()
    }
}

fn show_sysvars(svm: &Svm, accounts: &mut Accounts) {
    for address in DERIVED_SYSVARS {
        accounts.set(address, svm.get(&address));
    }
}
