//! A connection to a Solana endpoint: reading accounts, sending transactions.

use crate::error::LedgerError;
use crate::signer::Signer;
use crate::transport::BoundedSender;
use ionet_market_interface::MarketError;
use ionet_market_interface::limits::TRANSACTION_ACCOUNTS_MAX;
use solana_address::Address;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_message::{Hash, Message, VersionedMessage};
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client::rpc_client::RpcClientConfig;
use solana_rpc_client_api::client_error::{Error as RpcError, ErrorKind, TransactionError};
use solana_rpc_client_api::config::{
    RpcAccountInfoConfig, RpcSendTransactionConfig, UiAccountEncoding,
};
use solana_rpc_client_api::request::{RpcError as RequestError, RpcResponseErrorData};
use solana_rpc_client_api::response::{UiAccount, UiAccountData};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use std::time::{Duration, Instant};

/// The largest transaction that Solana's network carries: a packet of 1,280 bytes less headers.
pub const TRANSACTION_BYTES_MAX: usize = 1_232;
/// A blockhash lives for 150 slots, a minute on Solana. Past this nothing can come of it.
const CONFIRM_SECONDS_MAX: u64 = 90;
/// Between two looks at a transaction that was sent.
const CONFIRM_POLL_MS: u64 = 100;
/// One HTTP request.
const REQUEST_SECONDS_MAX: u64 = 10;
/// The most accounts that one `getMultipleAccounts` may name.
const ACCOUNTS_PER_READ: usize = 100;

/// A connection to any Solana endpoint.
pub struct Connection {
    rpc: RpcClient,
    url: String,
    market: Address,
}

/// An account as an endpoint shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The program that it belongs to.
    pub owner: Address,
    /// Its data.
    pub data: Vec<u8>,
}

impl Connection {
    /// To the JSON-RPC endpoint at `url`. Nothing is sent yet.
    pub fn new(url: &str) -> Self {
        Self::with_market(url, Address::from(ionet_market_interface::PROGRAM_ID))
    }

    /// The same, taking error numbers of the program `market` for the market's.
    pub(crate) fn with_market(url: &str, market: Address) -> Self {
        let sender = BoundedSender::new(url, Duration::from_secs(REQUEST_SECONDS_MAX));
        let config = RpcClientConfig::with_commitment(CommitmentConfig::confirmed());
        Self { rpc: RpcClient::new_sender(sender, config), url: url.to_owned(), market }
    }

    /// The endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The client underneath, for calls that have no name here.
    pub fn rpc(&self) -> &RpcClient {
        &self.rpc
    }

    /// The typed form of an RPC failure.
    pub(crate) fn failed(&self, error: RpcError) -> LedgerError {
        if let Some(refusal) = self.refusal(&error) {
            return refusal;
        }
        LedgerError::Unavailable { url: self.url.clone(), source: Box::new(error) }
    }

    /// Hash of the chain's first block.
    pub async fn genesis_hash(&self) -> Result<[u8; 32], LedgerError> {
        let hash = self.rpc.get_genesis_hash().await.map_err(|e| self.failed(e))?;
        Ok(hash.to_bytes())
    }

    /// The chain's own clock, in Unix seconds.
    pub async fn clock(&self) -> Result<i64, LedgerError> {
        const CLOCK: Address =
            solana_address::address!("SysvarC1ock11111111111111111111111111111111");
        let account = self.account(&CLOCK).await?;
        let malformed = || LedgerError::Malformed {
            kind: "clock",
            address: CLOCK,
            why: "shorter than 40 bytes".into(),
        };
        let data = account.ok_or_else(malformed)?;
        // slot, epoch start, epoch, leader schedule epoch, unix timestamp: eight bytes each.
        let bytes = data.get(32..40).ok_or_else(malformed)?;
        Ok(i64::from_le_bytes(bytes.try_into().expect("eight bytes were taken")))
    }

    /// An account's data; `None` where there is no account.
    pub async fn account(&self, address: &Address) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.accounts(std::slice::from_ref(address)).await?.pop().flatten())
    }

    /// The data of many accounts, in the order asked, whoever they belong to.
    pub async fn accounts(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<Option<Vec<u8>>>, LedgerError> {
        let found = self.found(addresses).await?;
        Ok(found.into_iter().map(|account| account.map(|account| account.data)).collect())
    }

    /// Many accounts with their owners, in the order asked.
    pub async fn found(&self, addresses: &[Address]) -> Result<Vec<Option<Found>>, LedgerError> {
        let mut all = Vec::with_capacity(addresses.len());
        for some in addresses.chunks(ACCOUNTS_PER_READ) {
            // Never compressed: a small answer must not unpack into a large one.
            let config = RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                commitment: Some(CommitmentConfig::confirmed()),
                ..RpcAccountInfoConfig::default()
            };
            let answer = self.rpc.get_multiple_ui_accounts_with_config(some, config).await;
            let rows = answer.map_err(|e| self.failed(e))?.value;
            if rows.len() != some.len() {
                let why = format!("{} rows for {} accounts", rows.len(), some.len());
                return Err(LedgerError::Malformed { kind: "account", address: some[0], why });
            }
            for (address, row) in some.iter().zip(rows) {
                all.push(row.map(|account| decoded(*address, &account)).transpose()?);
            }
        }
        Ok(all)
    }

    /// Lamports of `address`; 0 where there is no account.
    pub async fn lamports(&self, address: &Address) -> Result<u64, LedgerError> {
        self.rpc.get_balance(address).await.map_err(|e| self.failed(e))
    }

    /// A test network's gift of lamports, confirmed.
    pub async fn airdrop(&self, to: &Address, lamports: u64) -> Result<Signature, LedgerError> {
        let signature = self.rpc.request_airdrop(to, lamports).await.map_err(|e| self.failed(e))?;
        self.confirm(&signature).await?;
        Ok(signature)
    }

    /// Signs and sends `instructions` in one transaction paid by the first signer, and waits
    /// until it is confirmed.
    pub async fn send(
        &self,
        instructions: &[Instruction],
        signers: &[&dyn Signer],
    ) -> Result<Signature, LedgerError> {
        let payer = signers.first().expect("a transaction has a payer").address();
        let blockhash = self.rpc.get_latest_blockhash().await.map_err(|e| self.failed(e))?;
        let transaction = sign(instructions, &payer, blockhash, signers).await?;
        let config = RpcSendTransactionConfig {
            preflight_commitment: Some(CommitmentConfig::confirmed().commitment),
            ..RpcSendTransactionConfig::default()
        };
        let signature = self
            .rpc
            .send_transaction_with_config(&transaction, config)
            .await
            .map_err(|e| self.failed(e))?;
        self.confirm(&signature).await?;
        Ok(signature)
    }

    /// Waits until `signature` is confirmed, refused or can no longer come.
    pub async fn confirm(&self, signature: &Signature) -> Result<(), LedgerError> {
        let started = Instant::now();
        loop {
            match self.rpc.get_signature_statuses(&[*signature]).await {
                Ok(answer) => match answer.value.into_iter().next().flatten() {
                    Some(status) if status.err.is_some() => {
                        let error = status.err.expect("it was just seen");
                        return Err(self.transaction_refusal(&error, Vec::new()));
                    }
                    Some(status) if status.satisfies_commitment(CommitmentConfig::confirmed()) => {
                        return Ok(());
                    }
                    _ => (),
                },
                Err(e) if started.elapsed().as_secs() > CONFIRM_SECONDS_MAX => {
                    return Err(self.failed(e));
                }
                Err(_) => (),
            }
            if started.elapsed().as_secs() > CONFIRM_SECONDS_MAX {
                return Err(LedgerError::Expired { signature: *signature });
            }
            tokio::time::sleep(Duration::from_millis(CONFIRM_POLL_MS)).await;
        }
    }
}

/// Builds and signs a legacy transaction, and refuses one that the network would not carry.
pub async fn sign(
    instructions: &[Instruction],
    payer: &Address,
    blockhash: Hash,
    signers: &[&dyn Signer],
) -> Result<VersionedTransaction, LedgerError> {
    let message = Message::new_with_blockhash(instructions, Some(payer), &blockhash);
    let required = usize::from(message.header.num_required_signatures);
    let keys: Vec<Address> = message.account_keys[..required].to_vec();
    let message = VersionedMessage::Legacy(message);
    let bytes = message.serialize();
    let mut signatures = Vec::with_capacity(required);
    for key in keys {
        let signer = signers.iter().find(|s| s.address() == key).ok_or_else(|| {
            LedgerError::Signer(crate::signer::SignerError::Refused(format!("{key} is not here")))
        })?;
        signatures.push(signer.sign(&bytes).await?);
    }
    // One byte counts the signatures; there are never more than 127.
    let size = 1 + 64 * signatures.len() + bytes.len();
    if size > TRANSACTION_BYTES_MAX {
        return Err(LedgerError::TooLong { bytes: size });
    }
    Ok(VersionedTransaction { signatures, message })
}

/// What instructions come to in one transaction, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// Its message, with a blockhash of zeros.
    pub message: Vec<u8>,
    /// How many sign.
    pub signatures: usize,
    /// Bytes of the whole transaction.
    pub bytes: usize,
    /// Accounts that it locks.
    pub accounts: usize,
}

impl Wire {
    /// Whether Solana's network carries it.
    pub fn fits(&self) -> bool {
        self.bytes <= TRANSACTION_BYTES_MAX && self.accounts <= TRANSACTION_ACCOUNTS_MAX
    }
}

/// What `instructions` come to in one transaction that `payer` pays.
pub fn wire(instructions: &[Instruction], payer: &Address) -> Wire {
    let message = Message::new(instructions, Some(payer));
    let signatures = usize::from(message.header.num_required_signatures);
    let accounts = message.account_keys.len();
    let message = VersionedMessage::Legacy(message).serialize();
    // One byte counts the signatures; there are never more than 127.
    Wire { signatures, accounts, bytes: 1 + 64 * signatures + message.len(), message }
}

/// What an endpoint answers for an account.
pub(crate) fn decoded(address: Address, account: &UiAccount) -> Result<Found, LedgerError> {
    let malformed = |why: &str| LedgerError::Malformed {
        kind: "account",
        address,
        why: format!("the endpoint's {why} cannot be read"),
    };
    let owner = account.owner.parse().map_err(|_| malformed("owner"))?;
    // What was asked for, and nothing that would unpack into more.
    let plain = matches!(account.data, UiAccountData::Binary(_, UiAccountEncoding::Base64));
    let data = account.data.decode().filter(|_| plain).ok_or_else(|| malformed("encoding"))?;
    Ok(Found { owner, data })
}

impl Connection {
    /// The refusal inside an RPC failure, where it is one.
    fn refusal(&self, error: &RpcError) -> Option<LedgerError> {
        match error.kind() {
            ErrorKind::TransactionError(e) => Some(self.transaction_refusal(e, Vec::new())),
            ErrorKind::RpcError(RequestError::RpcResponseError { data, message, .. }) => match data
            {
                RpcResponseErrorData::SendTransactionPreflightFailure(simulated) => {
                    let logs = simulated.logs.clone().unwrap_or_default();
                    Some(match &simulated.err {
                        Some(e) => self.transaction_refusal(&e.clone().into(), logs),
                        None => LedgerError::Refused { message: message.clone(), logs },
                    })
                }
                RpcResponseErrorData::Empty => {
                    Some(LedgerError::Refused { message: message.clone(), logs: Vec::new() })
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn transaction_refusal(&self, error: &TransactionError, logs: Vec<String>) -> LedgerError {
        use solana_instruction::error::InstructionError;
        if let TransactionError::InstructionError(_, InstructionError::Custom(code)) = error {
            // Another program's number may look like ours: its log says whose it is.
            let line = format!("Program {} failed: custom program error: {code:#x}", self.market);
            let ours = logs.is_empty() || logs.iter().any(|l| l.contains(&line));
            if let (true, Some(error)) = (ours, MarketError::from_code(*code)) {
                return LedgerError::Market(error);
            }
        }
        LedgerError::Refused { message: error.to_string(), logs }
    }
}
