//! Every limit of the node, with the reason for its size.

use std::time::Duration;

/// Largest serialized transaction, bytes: Solana's packet (IPv6 minimum MTU 1280, less headers).
pub const TRANSACTION_BYTES_MAX: usize = 1_232;

/// Largest base64 text of a transaction: `ceil(1232 / 3) * 4`.
pub const TRANSACTION_BASE64_MAX: usize = 1_644;

/// Largest base58 text of a transaction, as Agave counts it.
pub const TRANSACTION_BASE58_MAX: usize = 1_683;

/// Accounts that one transaction may lock. Solana's limit while
/// `increase_tx_account_lock_limit` is off.
pub const ACCOUNT_LOCKS_MAX: usize = 64;

/// Blocks for which a blockhash stays usable, as on Solana.
pub const BLOCKHASH_AGE_MAX: u64 = 150;

/// Lamports for each signature, as on Solana.
pub const LAMPORTS_PER_SIGNATURE: u64 = 5_000;

/// Entries of the `SlotHashes` sysvar, as on Solana (lookup tables rely on them).
pub const SLOT_HASHES: u64 = 512;

/// Slots in an epoch, as on Solana.
pub const SLOTS_PER_EPOCH: u64 = 432_000;

/// Log bytes kept of one transaction, as on Solana.
pub const LOG_BYTES_MAX: usize = 10_000;

/// Empty slots that may pass between two writes: an idle chain then writes every 13 s at the
/// default slot time, and a crash skips at most this many slots.
pub const SLOTS_RESERVED: u64 = 32;

/// Transactions put into one commit: bounds how long readers of the queue wait for one fsync.
pub const BATCH_MAX: usize = 64;

/// Commands that may wait for the node: more are refused, so that memory stays bounded.
pub const QUEUE_MAX: usize = 4_096;

/// Largest body of one HTTP request, bytes: a full batch of transactions fits several times.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Calls in one JSON-RPC batch.
pub const BATCH_CALLS_MAX: usize = 256;

/// Largest message that a WebSocket client may send, bytes: a subscription needs a few hundred.
pub const WS_MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Open WebSocket connections.
pub const WS_CONNECTIONS_MAX: usize = 1_024;

/// Subscriptions on one WebSocket connection.
pub const WS_SUBSCRIPTIONS_MAX: usize = 512;

/// Events that a slow WebSocket reader may fall behind before it is cut off.
pub const WS_EVENTS_BEHIND_MAX: usize = 4_096;

/// Addresses in one `getMultipleAccounts`, as on Solana.
pub const MULTIPLE_ACCOUNTS_MAX: usize = 100;

/// Signatures in one `getSignatureStatuses`, as on Solana.
pub const SIGNATURE_STATUSES_MAX: usize = 256;

/// Rows of one `getSignaturesForAddress`, as on Solana.
pub const SIGNATURES_FOR_ADDRESS_MAX: usize = 1_000;

/// Slots in one `getBlocks`, as on Solana.
pub const BLOCKS_RANGE_MAX: u64 = 500_000;

/// How long a call waits for the open block to be closed: two slots and a half by default.
pub const OPEN_BLOCK_WAIT_MAX: Duration = Duration::from_secs(1);

/// Filters in one `getProgramAccounts`, as on Solana.
pub const PROGRAM_ACCOUNTS_FILTERS_MAX: usize = 4;

/// Account bytes that one `getProgramAccounts` may return: its answer is built in memory.
pub const PROGRAM_ACCOUNTS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What is counted for each account of an answer beside its data: address, owner, lamports and
/// names in JSON. Without it, a slice of no bytes would make the answer unbounded.
pub const PROGRAM_ACCOUNT_ROW_BYTES: usize = 256;

/// Largest account whose data may be asked for in base58 (its cost is quadratic), as on Solana.
pub const BASE58_DATA_MAX: usize = 128;

/// Slots in one `getSlotLeaders`, as on Solana.
pub const SLOT_LEADERS_MAX: u64 = 5_000;
