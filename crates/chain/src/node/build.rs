//! Building records, reports and airdrops.

use litesvm::types::TransactionMetadata;
use solana_account::{AccountSharedData, ReadableAccount};
use solana_address::{Address, address};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{Message, SanitizedMessage, VersionedMessage, v0::LoadedAddresses};
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::{
    InnerInstruction, InnerInstructions, UiInnerInstructions, UiLoadedAddresses,
    UiTransactionStatusMeta, UiTransactionTokenBalance, option_serializer::OptionSerializer,
};

use crate::tokens;

const COMPUTE_BUDGET: Address = address!("ComputeBudget111111111111111111111111111111");
const SET_COMPUTE_UNIT_LIMIT: u8 = 2;
/// Enough for the two built-in instructions of an airdrop (150 each).
const AIRDROP_COMPUTE_UNITS: u32 = 10_000;
/// Airdrops of one blockhash that differ.
const AIRDROPS_APART: u32 = 1_000_000;

/// Balances of a transaction's accounts at one instant.
pub(super) struct Balances {
    lamports: Vec<u64>,
    tokens: Vec<UiTransactionTokenBalance>,
}

impl Balances {
    pub(super) fn of(
        message: &SanitizedMessage,
        lookup: impl Fn(&Address) -> Option<AccountSharedData>,
    ) -> Self {
        let keys = message.account_keys();
        Self {
            lamports: keys
                .iter()
                .map(|key| lookup(key).map_or(0, |account| account.lamports()))
                .collect(),
            tokens: tokens::balances(keys.iter(), lookup),
        }
    }
}

/// The status meta that history keeps and RPC shows.
pub(super) fn status_meta(
    message: &SanitizedMessage,
    result: &Result<(), TransactionError>,
    meta: &TransactionMetadata,
    before: Balances,
    after: Balances,
) -> UiTransactionStatusMeta {
    let inner = meta.inner_instructions.iter().zip(0u8..).filter(|(inner, _)| !inner.is_empty());
    let inner: Vec<UiInnerInstructions> = inner
        .map(|(instructions, index)| {
            let instructions = instructions
                .iter()
                .map(|inner| InnerInstruction {
                    instruction: inner.instruction.clone(),
                    stack_height: Some(u32::from(inner.stack_height)),
                })
                .collect();
            InnerInstructions { index, instructions }.into()
        })
        .collect();
    let return_data = (!meta.return_data.data.is_empty()).then(|| meta.return_data.clone().into());
    UiTransactionStatusMeta {
        err: result.clone().err().map(Into::into),
        status: result.clone().map_err(Into::into),
        fee: meta.fee,
        pre_balances: before.lamports,
        post_balances: after.lamports,
        inner_instructions: OptionSerializer::Some(inner),
        log_messages: OptionSerializer::Some(meta.logs.clone()),
        pre_token_balances: OptionSerializer::Some(before.tokens),
        post_token_balances: OptionSerializer::Some(after.tokens),
        rewards: OptionSerializer::Some(Vec::new()),
        loaded_addresses: OptionSerializer::Some(UiLoadedAddresses::from(&loaded(message))),
        return_data: OptionSerializer::or_skip(return_data),
        compute_units_consumed: OptionSerializer::Some(meta.compute_units_consumed),
        cost_units: OptionSerializer::Skip,
    }
}

fn loaded(message: &SanitizedMessage) -> LoadedAddresses {
    match message {
        SanitizedMessage::V0(message) => message.loaded_addresses.as_ref().clone(),
        SanitizedMessage::Legacy(_) | SanitizedMessage::V1(_) => LoadedAddresses::default(),
    }
}

/// A transfer from the faucet. `counter` keeps equal airdrops of one blockhash apart: it goes
/// into the compute-unit limit, which costs nothing.
pub(super) fn airdrop(
    faucet: &Keypair,
    to: &Address,
    lamports: u64,
    blockhash: &Hash,
    counter: u32,
) -> Option<VersionedTransaction> {
    let limit = AIRDROP_COMPUTE_UNITS + counter % AIRDROPS_APART;
    let mut data = vec![SET_COMPUTE_UNIT_LIMIT];
    data.extend_from_slice(&limit.to_le_bytes());
    let instructions = [
        Instruction { program_id: COMPUTE_BUDGET, accounts: Vec::new(), data },
        solana_system_interface::instruction::transfer(&faucet.pubkey(), to, lamports),
    ];
    let message = Message::new_with_blockhash(&instructions, Some(&faucet.pubkey()), blockhash);
    VersionedTransaction::try_new(VersionedMessage::Legacy(message), &[faucet]).ok()
}
