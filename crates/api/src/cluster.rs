use ionet_core::{
    Amount, Asset, ClusterId, ClusterSpec, DeviceId, Role, SignatureBytes, Tier, Wallet,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount, with its text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// `usdc` or `io`.
    #[schema(value_type = String)]
    pub asset: Asset,
    /// Base units.
    pub base_units: u64,
    /// For people, such as `0.050000 USDC`.
    pub text: String,
}

impl From<Amount> for Money {
    fn from(amount: Amount) -> Self {
        Self { asset: amount.asset, base_units: amount.base_units, text: amount.to_string() }
    }
}

/// A device that a quote expects to be hired. It is not held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotedDevice {
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// What it would run.
    #[schema(value_type = String)]
    pub role: Role,
    /// Where it stands.
    pub region: String,
    /// How far its chips are known: `claimed`, `measured` or `proven`.
    #[serde(default)]
    #[schema(value_type = String)]
    pub tier: Tier,
    /// What it asks per chip and hour.
    pub rate: Money,
    /// Why it was chosen.
    pub reason: String,
}

/// What the renter's wallet signs on-chain: the arguments of `open_lease`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseTerms {
    /// The coordinator's on-chain key.
    #[schema(value_type = String)]
    pub coordinator: Wallet,
    /// What the lease is paid in.
    #[schema(value_type = String)]
    pub asset: Asset,
    /// Its mint.
    #[schema(value_type = String)]
    pub mint: Wallet,
    /// Most lines at one time.
    pub slots: u32,
    /// Chips of each slot.
    pub chips_per_slot: u8,
    /// Most that one chip may cost per hour, in base units.
    pub rate_per_chip_max: u64,
    /// Most that all lines may cost per hour before the fee, in base units.
    pub rate_total_max: u64,
    /// What to lock, in base units, fee included.
    pub deposit: u64,
    /// Unix seconds when the lease ends by itself.
    pub expires_at: i64,
    /// SHA-256 of the spec, in hex.
    pub policy_hash: String,
    /// Fee in basis points as of now.
    pub fee_bps: u16,
}

/// Price and terms, signed by the coordinator. It holds nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quote {
    /// The spec, with every default filled in.
    #[schema(value_type = Object)]
    pub spec: ClusterSpec,
    /// Devices that would be hired now, head first.
    pub devices: Vec<QuotedDevice>,
    /// What all of them cost per hour, without the fee.
    pub rate: Money,
    /// The most that the lease can cost, fee included.
    pub cost_max: Money,
    /// What the wallet shall sign.
    pub terms: LeaseTerms,
    /// Unix seconds after which the coordinator no longer keeps the quote.
    pub expires_at: i64,
    /// The coordinator's proof that it made the quote: opaque to clients.
    pub seal: String,
}

/// Open a cluster on a quote. The lease need not exist yet: the cluster waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCluster {
    /// The quote as it was given.
    pub quote: Quote,
    /// Address of the lease that will pay: derived from the renter's wallet and counter.
    #[schema(value_type = String)]
    pub lease: Wallet,
}

/// Where a cluster is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StateName {
    /// Waits for its lease.
    Quoted,
    /// The lease is there; devices are being bound.
    Funded,
    /// Devices start their parts.
    Starting,
    /// All parts serve.
    Ready,
    /// Some part does not serve.
    Degraded,
    /// Parts are being stopped and accounts settled.
    Stopping,
    /// Over.
    Closed,
    /// Never served; refunded.
    Failed,
}

impl StateName {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, StateName::Closed | StateName::Failed)
    }
}

/// One device in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberView {
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Who is paid.
    #[schema(value_type = String)]
    pub supplier: Wallet,
    /// What it runs.
    #[schema(value_type = String)]
    pub role: Role,
    /// `pulling`, `starting`, `running`, `ready`, `exited`, `failed`, `stopped`, `lost`, ...
    pub state: String,
    /// Detail of the state.
    pub detail: Option<String>,
    /// How far its chips are known: `claimed`, `measured` or `proven`.
    #[serde(default)]
    #[schema(value_type = String)]
    pub tier: Tier,
    /// Address inside the cluster.
    pub ip: String,
    /// Rate per chip and hour.
    pub rate: Money,
    /// Page and line in the lease, once bound.
    pub line: Option<(u32, u8)>,
    /// Seconds served so far.
    pub served_s: u64,
}

/// A step of a cluster's start, for progress bars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// `lease`, `devices`, `image`, `containers`, `ray`.
    pub name: String,
    /// Done so far.
    pub done: u64,
    /// In all; 0: unknown.
    pub total: u64,
}

/// A cluster as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    /// The cluster.
    #[schema(value_type = String)]
    pub id: ClusterId,
    /// Who pays.
    #[schema(value_type = String)]
    pub renter: Wallet,
    /// Where it is in its life.
    pub state: StateName,
    /// Why it is so: what failed, what is missing, who closed it.
    pub reason: Option<String>,
    /// What was asked for.
    #[schema(value_type = Object)]
    pub spec: ClusterSpec,
    /// The lease that pays.
    #[schema(value_type = String)]
    pub lease: Wallet,
    /// What was signed.
    pub terms: LeaseTerms,
    /// Its devices, head first.
    pub members: Vec<MemberView>,
    /// How far the start is.
    pub steps: Vec<Step>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds when it was ready first.
    pub ready_at_ms: Option<i64>,
    /// Owed to suppliers so far by served seconds, without the fee.
    pub owed: Option<Money>,
    /// Unix seconds until which the deposit pays, while lines run.
    pub paid_until: Option<i64>,
    /// Number of the newest event.
    pub last_event: u64,
}

/// One line of a cluster's time line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClusterEvent {
    /// Counts up; give it as `after` to go on from here.
    pub seq: u64,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Kind, for programs.
    pub kind: String,
    /// One sentence for people.
    pub text: String,
    /// State of the cluster after it.
    pub state: StateName,
    /// The request that caused it, where one did.
    pub request_id: Option<String>,
}

/// One signed count of a line's served seconds: a receipt of the market program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Page of the lease.
    pub page: u16,
    /// Line of the page.
    pub line: u8,
    /// Generation of the line on the chain.
    pub generation: u64,
    /// Seconds served since the line's start.
    pub served_s: u64,
    /// Who signed: the lease's session key, or the renter.
    #[schema(value_type = String)]
    pub signer: Wallet,
    /// The signature over the receipt's bytes, in base58.
    #[schema(value_type = String)]
    pub signature: SignatureBytes,
}

/// The renter's side vouches for served seconds. Counts only grow, so repeating it is harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Vouch {
    /// At most [`RECEIPTS_MAX`].
    pub receipts: Vec<Receipt>,
}

/// Receipts in one request: a cluster has at most so many lines at once, and a request's body
/// holds them.
pub const RECEIPTS_MAX: usize = 128;

/// What became of receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Vouched {
    /// So many said something new and are handed to their devices.
    pub taken: u32,
    /// Those that were not taken.
    pub refused: Vec<RefusedReceipt>,
}

/// A receipt that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedReceipt {
    /// Page of the lease.
    pub page: u16,
    /// Line of the page.
    pub line: u8,
    /// Why, for people.
    pub reason: String,
}

/// How to reach a cluster's Ray, through the tunnel.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Access {
    /// Ray's own token.
    pub ray_token: String,
    /// Port of the dashboard and jobs API, inside the cluster.
    pub dashboard_port: u16,
    /// Port of the Ray client's server, inside the cluster.
    pub client_port: u16,
    /// Version of Ray that runs.
    pub ray_version: String,
    /// Version of Python that runs.
    pub python_version: String,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("ray_version", &self.ray_version).finish_non_exhaustive()
    }
}

/// One message of an exec session, as JSON text in a WebSocket frame. Bytes are base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ExecMessage {
    /// To the program; empty: end of input.
    Stdin {
        /// Base64.
        data: String,
    },
    /// From the program.
    Stdout {
        /// Base64.
        data: String,
    },
    /// From the program.
    Stderr {
        /// Base64.
        data: String,
    },
    /// The program ended.
    Exit {
        /// Its code.
        code: i64,
    },
    /// It could not be run.
    Error {
        /// Why.
        message: String,
    },
}
