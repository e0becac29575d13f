//! Limits of the REST interface, each with its reason.

/// Seconds that a sign-in challenge waits for its signature: enough to look at a hardware
/// wallet, and SIWS advises minutes.
pub const CHALLENGE_SECONDS: i64 = 300;
/// Challenges that may be outstanding: 64 MiB of memory at the most.
pub const CHALLENGES_MAX: usize = 65_536;
/// Challenges that one wallet may have outstanding. The oldest gives way.
pub const CHALLENGES_PER_WALLET_MAX: usize = 16;
/// Life of a bearer token in seconds. Signing in again costs a client one signature.
pub const TOKEN_SECONDS: i64 = 3_600;
/// Tokens of one wallet at a time. The oldest gives way.
pub const TOKENS_PER_WALLET_MAX: usize = 64;
/// Tokens in all: 16 MiB of memory at the most. Beyond, the one that ends first gives way.
pub const TOKENS_MAX: usize = 65_536;
/// Hours that the answer to a mutation is kept for whoever repeats it: a client that was off
/// over night still gets it.
pub const IDEMPOTENCY_HOURS: i64 = 24;
/// Answers that are kept for one wallet. The oldest gives way.
pub const IDEMPOTENCY_PER_WALLET_MAX: u32 = 1_000;
/// Answers that are kept in all: about 1 GiB of disk at 10 KiB each.
pub const IDEMPOTENCY_MAX: u32 = 100_000;
/// Longest idempotency key in characters.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 64;
/// Longest request id in characters: it goes to every device and log line.
pub const REQUEST_ID_CHARS_MAX: usize = 64;
/// Seconds from a request's head to its answer's head.
pub const REQUEST_SECONDS_MAX: u64 = 30;
/// Seconds that a mutation may go on after its client lost patience. Then its key is free again.
pub const MUTATION_SECONDS_MAX: u64 = 120;
/// What is read and thrown away of a body that is too large, so that its sender gets to see
/// the answer rather than a reset connection.
pub const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Checks of renters that are read or wait to be computed at a time: 128 MiB at the most. One of
/// a wallet, and one is computed at a time.
pub const CHECKS_READ_MAX: usize = 16;
/// Characters of a message that may quote the client's own input.
pub const MESSAGE_CHARS_MAX: usize = 400;
/// Connections at a time. Each has at least one file descriptor of the usual 20,000.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Seconds for a connection to send a request's head: a slow sender holds a connection.
pub const HEAD_SECONDS_MAX: u64 = 15;
/// Seconds that open streams get to end when the server stops.
pub const DRAIN_SECONDS_MAX: u64 = 5;
/// Followers of events at a time.
pub const SUBSCRIBERS_MAX: usize = 1_024;
/// Followers of events per wallet.
pub const SUBSCRIBERS_PER_WALLET_MAX: usize = 32;
/// Seconds between comments on a quiet event stream: proxies cut at sixty.
pub const HEARTBEAT_SECONDS: u64 = 15;
/// Tunnels, logs and execs at a time.
pub const STREAMS_MAX: usize = 2_048;
/// Tunnels, logs and execs per cluster: a browser opens six, a Ray client a handful.
pub const STREAMS_PER_CLUSTER_MAX: usize = 128;
/// Bytes of one WebSocket message. Tunnels send what one read gave, execs a screenful.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Bytes read from a device at a time.
pub const CHUNK_BYTES: usize = 32 * 1024;
/// Seconds between pings on a WebSocket.
pub const PING_SECONDS: u64 = 20;
/// Seconds without a sign from a WebSocket's client, after which it is taken for dead.
pub const SILENCE_SECONDS_MAX: u64 = 75;
/// Most lines of a log that are asked of a device before it follows.
pub const LOG_TAIL_MAX: u32 = 100_000;
/// Devices in one answer.
pub const DEVICES_PAGE_MAX: usize = 1_000;
/// Callers that are remembered for rate limits: 4 MiB.
pub const CALLERS_MAX: usize = 65_536;
