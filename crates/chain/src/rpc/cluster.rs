//! The chain as a whole: slots, epochs, blockhashes, health and the node itself.

use std::sync::LazyLock;

use serde_json::{Value, json};
use solana_account::ReadableAccount;
use solana_epoch_schedule::EpochSchedule;
use solana_rpc_client_types::config::{RpcContextConfig, RpcSupplyConfig};
use solana_rpc_client_types::response::{
    RpcBlockhash, RpcContactInfo, RpcIdentity, RpcPrioritizationFee, RpcSupply, RpcVersionInfo,
    RpcVoteAccountStatus,
};
use solana_version::Version;

use super::{Params, RpcError, context_slot, params, to_json, with_context};
use crate::chain::Services;
use crate::limits::{SLOT_LEADERS_MAX, SLOTS_PER_EPOCH};

/// The Agave version whose virtual machine runs here: clients decide by it.
static VERSION: LazyLock<Version> = LazyLock::new(Version::default);

fn solana_core() -> String {
    VERSION.as_semver_version().to_string()
}

fn get_version() -> Result<Value, RpcError> {
    // web3.js wants a number.
    let feature_set = Some(VERSION.feature_set());
    to_json(&RpcVersionInfo { solana_core: solana_core(), feature_set })
}

pub(super) fn call(
    services: &Services,
    method: &str,
    params: &Params,
) -> Option<Result<Value, RpcError>> {
    Some(match method {
        "getHealth" => get_health(services),
        "getVersion" => get_version(),
        "getIdentity" => to_json(&RpcIdentity { identity: services.shared.identity.to_string() }),
        "getGenesisHash" => Ok(services.shared.genesis_hash.to_string().into()),
        "getSlot" | "getBlockHeight" => get_slot(services, params),
        "getTransactionCount" => Ok(services.shared.view().transaction_count.into()),
        "getEpochInfo" => get_epoch_info(services, params),
        "getEpochSchedule" => {
            to_json(&EpochSchedule::custom(SLOTS_PER_EPOCH, SLOTS_PER_EPOCH, false))
        }
        "getLatestBlockhash" => get_latest_blockhash(services, params),
        "isBlockhashValid" => is_blockhash_valid(services, params),
        "getRecentPrioritizationFees" => {
            let slot = services.shared.view().closed_slot();
            to_json(&[RpcPrioritizationFee { slot, prioritization_fee: 0 }])
        }
        "getClusterNodes" => get_cluster_nodes(services),
        "getVoteAccounts" => {
            // Nobody votes here: the one node is the chain.
            to_json(&RpcVoteAccountStatus { current: Vec::new(), delinquent: Vec::new() })
        }
        "getSlotLeader" => Ok(services.shared.identity.to_string().into()),
        "getSlotLeaders" => get_slot_leaders(services, params),
        "getSupply" => get_supply(services, params),
        _ => return None,
    })
}

fn get_health(services: &Services) -> Result<Value, RpcError> {
    if services.shared.view().healthy { Ok("ok".into()) } else { Err(RpcError::unhealthy()) }
}

/// The last closed slot; the open one for `processed`.
fn get_slot(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let config: RpcContextConfig = params.optional(0)?;
    let open = context_slot(services, config.min_context_slot)?;
    Ok(height(open, &config).into())
}

fn height(open: u64, config: &RpcContextConfig) -> u64 {
    let processed = config.commitment.is_some_and(|commitment| commitment.is_processed());
    if processed { open } else { open.saturating_sub(1) }
}

fn get_epoch_info(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let config: RpcContextConfig = params.optional(0)?;
    let open = context_slot(services, config.min_context_slot)?;
    let slot = height(open, &config);
    Ok(json!({
        "absoluteSlot": slot,
        "blockHeight": slot,
        "epoch": slot / SLOTS_PER_EPOCH,
        "slotIndex": slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": services.shared.view().transaction_count,
    }))
}

fn get_latest_blockhash(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let config: RpcContextConfig = params.optional(0)?;
    let slot = context_slot(services, config.min_context_slot)?;
    let (hash, last_valid_block_height) = services.shared.view().window.latest();
    with_context(slot, RpcBlockhash { blockhash: hash.to_string(), last_valid_block_height })
}

fn is_blockhash_valid(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let hash = params::hash(&params.required::<String>(0)?)?;
    let config: RpcContextConfig = params.optional(1)?;
    let slot = context_slot(services, config.min_context_slot)?;
    let valid = services.shared.view().window.slot_of(&hash).is_some();
    with_context(slot, valid)
}

fn get_cluster_nodes(services: &Services) -> Result<Value, RpcError> {
    to_json(&[RpcContactInfo {
        pubkey: services.shared.identity.to_string(),
        gossip: None,
        tvu: None,
        tpu: None,
        tpu_quic: None,
        tpu_forwards: None,
        tpu_forwards_quic: None,
        tpu_vote: None,
        serve_repair: None,
        rpc: Some(services.rpc_addr),
        pubsub: Some(services.ws_addr),
        version: Some(solana_core()),
        client_id: None,
        feature_set: Some(VERSION.feature_set()),
        shred_version: None,
    }])
}

fn get_slot_leaders(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let _start: u64 = params.required(0)?;
    let limit: u64 = params.required(1)?;
    if limit > SLOT_LEADERS_MAX {
        return Err(RpcError::invalid_params(format!("Invalid limit; max {SLOT_LEADERS_MAX}")));
    }
    let leader = services.shared.identity.to_string();
    Ok(Value::Array((0..limit).map(|_| Value::String(leader.clone())).collect()))
}

fn get_supply(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let config: RpcSupplyConfig = params.optional(0)?;
    let view = services.shared.view();
    // Amounts on this chain add up to what genesis made, far below u64::MAX.
    let total = view.accounts.iter().fold(0u64, |sum, (_, a)| sum.saturating_add(a.lamports()));
    let faucet = view.accounts.get(&services.faucet).map_or(0, |account| account.lamports());
    let listed = !config.exclude_non_circulating_accounts_list;
    with_context(
        view.slot,
        RpcSupply {
            total,
            circulating: total.saturating_sub(faucet),
            non_circulating: faucet,
            non_circulating_accounts: if listed {
                vec![services.faucet.to_string()]
            } else {
                Vec::new()
            },
        },
    )
}
