//! Intervals, patience and caps, each with its reason.

/// Milliseconds between heartbeats of a device that serves no cluster: 190,000 devices are
/// 9,500 a second.
pub const IDLE_INTERVAL_MS: u64 = 20_000;
/// Milliseconds between heartbeats of a hired device: each carries a receipt, so this is what
/// a supplier risks.
pub const HIRED_INTERVAL_MS: u64 = 2_000;
/// Heartbeats that may be missing before a device is suspected. Two are lost together on a
/// bad link every few hours; three hardly ever.
pub const SUSPECT_INTERVALS: u64 = 3;
/// Milliseconds of silence after which a hired device is lost: longer than a router's restart
/// is not worth waiting for, shorter than a QUIC reconnect through a new address would replace
/// devices that come back by themselves.
pub const LOST_HIRED_MS: u64 = 60_000;
/// The same for an idle device: nobody waits for it, six of its intervals may pass.
pub const LOST_IDLE_MS: u64 = 120_000;
/// Milliseconds after the coordinator's own start in which nothing is declared lost: its
/// outage is not the devices' silence, and they need time to dial again.
pub const START_GRACE_MS: u64 = 60_000;
/// Percentage of a region's connected devices that, silent at once, are a broken link of ours
/// rather than broken devices.
pub const REGION_SILENT_PERCENT: u64 = 30;
/// A region's silence counts as one only beyond this many devices: three machines behind one
/// switch are no region.
pub const REGION_SILENT_DEVICES: u64 = 3;
/// Hired devices that may be declared lost within a minute, in the whole network: a wrong
/// verdict must not restart everything at once.
pub const REPLACEMENTS_PER_MINUTE_MAX: usize = 20;

/// Milliseconds that a cluster may wait for its lease after its quote expired: a transaction
/// that was signed in the last second still lands.
pub const FUNDING_GRACE_MS: u64 = 60_000;
/// Milliseconds a quote is good for: prices change by the minute, wallets need some seconds.
pub const QUOTE_LIFE_MS: u64 = 300_000;
/// Quoted clusters that one renter may have waiting for their leases.
pub const QUOTED_PER_RENTER_MAX: usize = 16;
/// Milliseconds for pulling images, the devices' own time.
pub const PULL_MS_MAX: u64 = 600_000;
/// Milliseconds for everything else between funded and ready.
pub const START_MS_MAX: u64 = 180_000;
/// Milliseconds that parts get to stop before the cluster is closed without their word.
pub const STOP_MS_MAX: u64 = 60_000;
/// Restarts of a part on one device before the device is replaced.
pub const PART_RESTARTS_MAX: u8 = 3;
/// A part that served this many milliseconds has its restarts forgiven.
pub const RESTARTS_FORGIVEN_MS: u64 = 600_000;
/// Parts that could not be made at all before a start is given up: the third device that says
/// the same is not at fault.
pub const START_FAILURES_MAX: u8 = 3;
/// Milliseconds between looks for a substitute while none is free.
pub const SUBSTITUTE_RETRY_MS: u64 = 10_000;
/// Milliseconds for which a device whose binding failed is left alone: its record on the chain
/// is read anew in the meantime.
pub const BIND_FAILED_REST_MS: u64 = 60_000;
/// Sessions in a row that began with an old session number before the key counts as cloned. A
/// worker that dies while it writes its number down does that once.
pub const STALE_HELLOS_MAX: u8 = 3;

/// Milliseconds between attestations on the chain: a supplier waits 600 s for a receipt, and a
/// transaction for each page costs its fee.
pub const ATTEST_INTERVAL_MS: u64 = 600_000;
/// The first warning comes when less than this percentage of a deposit is left: the one that
/// grows with the lease, so that nobody has to hurry.
pub const DEPOSIT_LOW_PERCENT: u64 = 20;
/// The next when it lasts for less than this many milliseconds: time to find one's wallet ...
pub const DEPOSIT_LOW_MS: u64 = 300_000;
/// ... and the last: time to sign.
pub const DEPOSIT_LAST_MS: u64 = 60_000;
/// Milliseconds that parts go on after their deposit is used up: whoever signs a top-up at the
/// last warning has as long again for it to land. Nobody pays for them, so it is short.
pub const DEPOSIT_GRACE_MS: u64 = 120_000;
/// Seconds between the end of a line's acceptance window and that of the claim window, had its
/// lease been closed as soon as the line began: for the last word about it to be said and to land.
pub const VOUCH_S_MIN: u64 = 15;
/// Seconds that a lease's first deposit must pay for at least, or its whole time if that is
/// less: no shorter than the shortest lease, which suppliers must take too.
pub const FIRST_DEPOSIT_S_MIN: u64 = 60;
/// Milliseconds without a word of the only ones who may vouch before a cluster ends: what a
/// supplier is asked to serve without a receipt.
pub const VOUCH_GRACE_MS: u64 = 600_000;
/// The renter is told after this part of that time.
pub const VOUCH_TOLD_PART: u64 = 10;
/// Served milliseconds that one gap between heartbeats can count for, in intervals.
pub const METER_GAP_INTERVALS: u64 = 3;
/// Seconds of the coordinator's own outage that a part which ran on is credited for: as long
/// as a supplier is asked to serve without a receipt.
pub const OUTAGE_CREDIT_S_MAX: u64 = 600;

/// Lines that a quote allows for beyond the first of each slot: substitutes. Each costs at
/// most three base units of rounding.
pub const SUBSTITUTE_LINES_ALLOWED: u64 = 64;
/// Milliseconds that an ended cluster stays among the facts: what the console lists.
pub const FORGET_MS: u64 = 30 * 86_400_000;
/// Milliseconds that a quote nobody funded stays: its lease may still turn up.
pub const FORGET_QUOTE_MS: u64 = 86_400_000;
/// Bytes of a text from outside that an event keeps: reasons, log tails.
pub const TEXT_BYTES_MAX: usize = 2_048;
