//! Subscriptions of one connection, and which event each is told.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use solana_account::{AccountSharedData, ReadableAccount};
use solana_account_decoder::{UiAccountEncoding, UiDataSliceConfig};
use solana_address::Address;
use solana_rpc_client_types::config::{
    RpcAccountInfoConfig, RpcProgramAccountsConfig, RpcTransactionLogsFilter,
};
use solana_rpc_client_types::filter::RpcFilterType;
use solana_rpc_client_types::response::{RpcKeyedAccount, RpcLogsResponse, SlotInfo};
use solana_signature::Signature;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::UiTransactionError;

use crate::chain::Services;
use crate::events::{Committed, Event};
use crate::rpc::{Params, RpcError, check_filters, encode_account, matches, to_json, with_context};

/// How an account is shown to a subscriber.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    encoding: UiAccountEncoding,
    slice: Option<UiDataSliceConfig>,
}

impl Shown {
    fn new(config: &RpcAccountInfoConfig) -> Self {
        Self {
            encoding: config.encoding.unwrap_or(UiAccountEncoding::Binary),
            slice: config.data_slice,
        }
    }
}

/// What a client wants to be told.
pub(super) enum Subscription {
    Signature(Signature),
    Account {
        address: Address,
        shown: Shown,
    },
    Program {
        program: Address,
        shown: Shown,
        filters: Vec<RpcFilterType>,
    },
    /// `None` for all transactions.
    Logs {
        mentions: Option<Address>,
    },
    Slot,
    Root,
}

impl Subscription {
    pub(super) fn parse(method: &str, params: &Params) -> Result<Self, RpcError> {
        Ok(match method {
            "signatureSubscribe" => Self::Signature(params.signature(0)?),
            "accountSubscribe" => {
                let config: RpcAccountInfoConfig = params.optional(1)?;
                Self::Account { address: params.address(0)?, shown: Shown::new(&config) }
            }
            "programSubscribe" => {
                let config: RpcProgramAccountsConfig = params.optional(1)?;
                Self::Program {
                    program: params.address(0)?,
                    shown: Shown::new(&config.account_config),
                    filters: check_filters(config.filters)?,
                }
            }
            "logsSubscribe" => Self::Logs { mentions: parse_logs(params)? },
            "slotSubscribe" => Self::Slot,
            "rootSubscribe" => Self::Root,
            _ => return Err(RpcError::method_not_found()),
        })
    }

    pub(super) fn signature(&self) -> Option<Signature> {
        match self {
            Self::Signature(signature) => Some(*signature),
            Self::Account { .. }
            | Self::Program { .. }
            | Self::Logs { .. }
            | Self::Slot
            | Self::Root => None,
        }
    }

    /// What the client is told of an event, each without its frame.
    fn told(&self, services: &Services, event: &Event) -> Result<Vec<Value>, RpcError> {
        Ok(match (self, event) {
            (Self::Slot, Event::Slot { slot }) => {
                let before = slot.saturating_sub(1);
                vec![to_json(&SlotInfo { slot: *slot, parent: before, root: before })?]
            }
            (Self::Root, Event::Slot { slot }) => vec![slot.saturating_sub(1).into()],
            (Self::Account { address, shown }, Event::Committed(committed)) => {
                account_told(services, committed, address, *shown)?
            }
            (Self::Program { program, shown, filters }, Event::Committed(committed)) => {
                program_told(services, committed, program, *shown, filters)?
            }
            (Self::Logs { mentions }, Event::Committed(committed)) => {
                logs_told(committed, mentions.as_ref())?
            }
            _ => Vec::new(),
        })
    }

    fn notification(&self) -> &'static str {
        match self {
            Self::Signature(_) => "signatureNotification",
            Self::Account { .. } => "accountNotification",
            Self::Program { .. } => "programNotification",
            Self::Logs { .. } => "logsNotification",
            Self::Slot => "slotNotification",
            Self::Root => "rootNotification",
        }
    }
}

fn parse_logs(params: &Params) -> Result<Option<Address>, RpcError> {
    match params.required::<RpcTransactionLogsFilter>(0)? {
        RpcTransactionLogsFilter::All | RpcTransactionLogsFilter::AllWithVotes => Ok(None),
        RpcTransactionLogsFilter::Mentions(addresses) => match addresses.as_slice() {
            [address] => crate::rpc::parse_address(address).map(Some),
            _ => Err(RpcError::invalid_params("Invalid Request: Only 1 address supported")),
        },
    }
}

fn account_told(
    services: &Services,
    committed: &Committed,
    address: &Address,
    shown: Shown,
) -> Result<Vec<Value>, RpcError> {
    let changed = committed.accounts.iter().find(|(changed, ..)| changed == address);
    let Some((_, account, _)) = changed else { return Ok(Vec::new()) };
    // An account that is gone is shown as an empty one of the system program, as on Solana.
    let account = account.clone().unwrap_or_default();
    let view = services.shared.view();
    let account = encode_account(address, &account, shown.encoding, shown.slice, &view.accounts)?;
    Ok(vec![with_context(committed.slot, account)?])
}

fn program_told(
    services: &Services,
    committed: &Committed,
    program: &Address,
    shown: Shown,
    filters: &[RpcFilterType],
) -> Result<Vec<Value>, RpcError> {
    let view = services.shared.view();
    let mut told = Vec::new();
    for (address, account, old_owner) in &committed.accounts {
        let owned = account.as_ref().is_some_and(|account| account.owner() == program);
        let left = !owned && old_owner.as_ref() == Some(program);
        let account: AccountSharedData = account.clone().unwrap_or_default();
        if !(left || owned && filters.iter().all(|filter| matches(filter, &account))) {
            continue;
        }
        let account =
            encode_account(address, &account, shown.encoding, shown.slice, &view.accounts)?;
        let row = RpcKeyedAccount { pubkey: address.to_string(), account };
        told.push(with_context(committed.slot, row)?);
    }
    Ok(told)
}

fn logs_told(committed: &Committed, mentions: Option<&Address>) -> Result<Vec<Value>, RpcError> {
    committed
        .transactions
        .iter()
        .filter(|transaction| mentions.is_none_or(|key| transaction.mentions.contains(key)))
        .map(|transaction| {
            let row = RpcLogsResponse {
                signature: transaction.signature.to_string(),
                err: transaction.err.clone().map(Into::into),
                logs: transaction.logs.clone(),
            };
            with_context(committed.slot, row)
        })
        .collect()
}

/// The subscriptions of one connection.
#[derive(Default)]
pub(super) struct Subscriptions {
    next_id: u64,
    by_id: BTreeMap<u64, Subscription>,
}

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn add(&mut self, subscription: Subscription) -> u64 {
        self.next_id += 1;
        self.by_id.insert(self.next_id, subscription);
        self.next_id
    }

    pub(super) fn remove(&mut self, id: u64) -> bool {
        self.by_id.remove(&id).is_some()
    }

    /// Tells a signature's end and drops its subscription; `None` if it was told before.
    pub(super) fn finish_signature(
        &mut self,
        id: u64,
        slot: u64,
        err: Option<TransactionError>,
    ) -> Option<Value> {
        let subscription = self.by_id.remove(&id)?;
        let err: Option<UiTransactionError> = err.map(Into::into);
        let result = with_context(slot, json!({ "err": err })).ok()?;
        Some(frame(subscription.notification(), id, result))
    }

    /// Everything that this connection is told of an event.
    pub(super) fn notify(&mut self, services: &Services, event: &Event) -> Vec<Value> {
        let mut frames = Vec::new();
        if let Event::Committed(committed) = event {
            frames.extend(self.finish_signatures(committed));
        }
        for (id, subscription) in &self.by_id {
            match subscription.told(services, event) {
                Ok(told) => {
                    let method = subscription.notification();
                    frames.extend(told.into_iter().map(|result| frame(method, *id, result)));
                }
                // An account too large for the encoding asked for: there is nothing to show.
                Err(error) => tracing::debug!(?error, id, "a subscriber is not told"),
            }
        }
        frames
    }

    fn finish_signatures(&mut self, committed: &Committed) -> Vec<Value> {
        let mut ended = Vec::new();
        for (id, subscription) in &self.by_id {
            let Some(signature) = subscription.signature() else { continue };
            let found = committed.transactions.iter().find(|t| t.signature == signature);
            if let Some(transaction) = found {
                ended.push((*id, transaction.err.clone()));
            }
        }
        ended
            .into_iter()
            .filter_map(|(id, err)| self.finish_signature(id, committed.slot, err))
            .collect()
    }
}

fn frame(method: &str, id: u64, result: Value) -> Value {
    json!({
        "jsonrpc": "2.0",
        "method": method,
        "params": { "result": result, "subscription": id },
    })
}
