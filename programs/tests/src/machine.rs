//! Solana's virtual machine with the program, and the limits that it does not check itself.

use crate::Key;
use ionet_market_interface::limits::{TRANSACTION_ACCOUNTS_MAX, TRANSACTION_BYTES_MAX};
use ionet_market_interface::{MarketError, PROGRAM_ID};
use litesvm::LiteSVM;
use litesvm::types::TransactionMetadata;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_instruction::error::InstructionError;
use solana_keypair::Keypair;
use solana_message::{VersionedMessage, v0};
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

/// The committed bytecode.
const SO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../market/market.so");

/// Where the runtime cuts a transaction's log, in bytes: as validators do.
pub(crate) const LOG_BYTES_MAX: usize = 10_000;

/// Which of Solana's features are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Features {
    /// Those of the main network.
    Mainnet,
    /// All that this version knows.
    All,
}

impl Features {
    /// As `IONET_FEATURES` says.
    pub fn from_env() -> Self {
        match std::env::var("IONET_FEATURES").as_deref() {
            Err(_) | Ok("mainnet" | "") => Self::Mainnet,
            Ok("all") => Self::All,
            Ok(other) => panic!("IONET_FEATURES={other}: mainnet or all"),
        }
    }
}

/// Why a transaction failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The market program said no.
    Market(MarketError),
    /// Another program or the runtime did.
    Other(TransactionError),
}

/// The bytecode under test: the committed file, or the one that `IONET_MARKET_SO` names.
pub fn bytecode() -> Vec<u8> {
    let file = std::env::var("IONET_MARKET_SO").unwrap_or_else(|_| SO.to_owned());
    std::fs::read(&file).unwrap_or_else(|why| panic!("{file}: {why}"))
}

/// A machine with the program loaded, upgradeable by `authority`.
pub(crate) fn start(features: Features, authority: &Key) -> LiteSVM {
    let mut set = LiteSVM::mainnet_feature_set();
    if features == Features::All {
        let off: Vec<Address> = set.inactive().iter().copied().collect();
        for feature in &off {
            set.activate(feature, 0);
        }
    }
    // Else a run with all of them would be the main network's again.
    assert_eq!(set.inactive().is_empty(), features == Features::All, "features of Solana");
    let mut svm = LiteSVM::default()
        .with_feature_set(set)
        .with_builtins()
        .with_lamports(u64::MAX / 2)
        .with_sysvars()
        .with_feature_accounts()
        .with_default_programs()
        .with_sigverify(true)
        .with_blockhash_check(true)
        .with_precompiles()
        .with_log_bytes_limit(Some(LOG_BYTES_MAX));
    let elf = bytecode();
    svm.add_program(Address::from(PROGRAM_ID), &elf).expect("the program loads");
    let at = Address::from(program_data());
    let mut record = svm.get_account(&at).expect("the loader's record of the program");
    // ProgramData: tag u32, slot u64, option tag u8, authority.
    record.data[12] = 1;
    record.data[13..45].copy_from_slice(authority);
    svm.set_account(at, record).expect("the loader's record");
    svm
}

/// The upgradeable loader's account of the program.
pub(crate) fn program_data() -> Key {
    let loader = Address::from(ionet_market_interface::UPGRADEABLE_LOADER);
    Address::find_program_address(&[&PROGRAM_ID], &loader).0.to_bytes()
}

/// Sends one transaction with a blockhash of its own. Panics when Solana would not even take it.
#[track_caller]
pub(crate) fn send(
    svm: &mut LiteSVM,
    payer: &Keypair,
    instructions: &[Instruction],
    signers: &[&Keypair],
) -> Result<TransactionMetadata, Refusal> {
    svm.expire_blockhash();
    let message =
        v0::Message::try_compile(&payer.pubkey(), instructions, &[], svm.latest_blockhash())
            .expect("a message");
    let accounts = message.account_keys.len();
    assert!(accounts <= TRANSACTION_ACCOUNTS_MAX, "{accounts} accounts in one transaction");
    let mut all = vec![payer];
    for signer in signers {
        if !all.iter().any(|known| known.pubkey() == signer.pubkey()) {
            all.push(signer);
        }
    }
    let message = VersionedMessage::V0(message);
    let bytes = 1 + 64 * all.len() + message.serialize().len();
    assert!(bytes <= TRANSACTION_BYTES_MAX, "a transaction of {bytes} bytes");
    let transaction = VersionedTransaction::try_new(message, &all).expect("every signer's key");
    svm.send_transaction(transaction).map_err(|failed| refusal(failed.err))
}

pub(crate) fn refusal(error: TransactionError) -> Refusal {
    if let TransactionError::InstructionError(_, InstructionError::Custom(code)) = error
        && let Some(market) = MarketError::from_code(code)
    {
        return Refusal::Market(market);
    }
    Refusal::Other(error)
}
