//! Which checks a coordinator takes from a renter. Pure: what is known of the cluster comes in.

use super::paper::{Paper, Unreadable};
use super::record::{Check, TooMuch, limits};
use ionet_core::{ChainRef, ClusterId, DeviceId, Wallet};
use std::collections::BTreeSet;

/// Milliseconds by which the clocks of renter, chain and coordinator may differ.
pub const CLOCKS_MS: i64 = 60_000;
/// Milliseconds from a check to its handing in: a client that was cut off comes back within
/// minutes, and what is older says little of now.
pub const AGE_MS_MAX: i64 = 3_600_000;
/// Members of a check that is taken: whoever takes it verifies them all.
pub const MEMBERS_HANDED_MAX: usize = 16;
/// Bytes that disks and links of a check that is taken may have carried: who takes it makes them
/// all again, in some seconds. Sixteen members' of `ionet cluster check` fit.
pub const TRANSFERS_HANDED_MAX: u64 = 3 << 30;

/// When a device served a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// The device.
    pub device: DeviceId,
    /// Unix milliseconds from which on.
    pub from_ms: i64,
    /// And until when; none: it still does.
    pub until_ms: Option<i64>,
}

/// What a coordinator knows of the cluster that a check names.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its own chain.
    pub chain: &'a ChainRef,
    /// The cluster.
    pub cluster: ClusterId,
    /// Its lease.
    pub lease: Wallet,
    /// Who rents it.
    pub renter: Wallet,
    /// Who served it when.
    pub served: &'a [Served],
    /// Unix milliseconds now.
    pub now_ms: i64,
}

/// Why a check is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Of another market or chain.
    #[error("it was signed for another chain or program")]
    Chain,
    /// No record, or not signed by the renter that it names.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Not written as a client writes it: one check would have many names.
    #[error("the record is not in the form in which clients write it")]
    Form,
    /// Beyond a limit of all checks.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// Beyond what is computed again for others.
    #[error(
        "of more than {MEMBERS_HANDED_MAX} members, or of more than {TRANSFERS_HANDED_MAX} bytes \
         on disks and links: that is too much to be computed again here"
    )]
    Costly,
    /// Of another cluster or lease.
    #[error("it is of another cluster")]
    Cluster,
    /// Of another wallet.
    #[error("the cluster's renter is another wallet")]
    Renter,
    /// It shows nothing.
    #[error("it asked nobody for anything")]
    Nothing,
    /// One device twice.
    #[error("device {0} is in it twice")]
    Doubled(DeviceId),
    /// A device that did not serve the cluster then.
    #[error("device {0} did not serve this cluster then")]
    Member(DeviceId),
    /// From the future.
    #[error("it is from a later time than now: look at this machine's clock")]
    Future,
    /// Old.
    #[error("it is more than an hour old")]
    Old,
}

/// The check on a paper, if it may be taken. What follows from it is to be computed yet, and
/// whether it was taken before is the caller's to know.
pub fn admit(paper: &Paper, known: &Known<'_>) -> Result<Check, Refused> {
    if paper.chain != *known.chain {
        return Err(Refused::Chain);
    }
    let check = paper.check()?;
    if serde_json::to_string(&check).ok().as_deref() != Some(paper.record.as_str()) {
        return Err(Refused::Form);
    }
    if check.cluster != known.cluster || check.lease != known.lease {
        return Err(Refused::Cluster);
    }
    if check.renter != known.renter {
        return Err(Refused::Renter);
    }
    check.bounded()?;
    if is_costly(&check) {
        return Err(Refused::Costly);
    }
    let plan = &check.plan;
    let asked = plan.multiply.is_some()
        || plan.hold.is_some()
        || plan.disk_bytes.is_some()
        || plan.link_bytes.is_some();
    if check.members.is_empty() || !asked {
        return Err(Refused::Nothing);
    }
    if check.at_ms > known.now_ms.saturating_add(CLOCKS_MS) {
        return Err(Refused::Future);
    }
    if check.at_ms < known.now_ms.saturating_sub(AGE_MS_MAX) {
        return Err(Refused::Old);
    }
    members(&check, known)?;
    Ok(check)
}

fn is_costly(check: &Check) -> bool {
    let disks = check.plan.disk_bytes.unwrap_or(0) * check.members.len() as u64;
    let links = check.plan.link_bytes.unwrap_or(0) * check.links.len() as u64;
    // The limits of all checks are checked before: no overflow.
    debug_assert!(disks + links <= limits::TRANSFERS_BYTES_MAX);
    check.members.len() > MEMBERS_HANDED_MAX || disks + links > TRANSFERS_HANDED_MAX
}

fn members(check: &Check, known: &Known<'_>) -> Result<(), Refused> {
    let mut seen = BTreeSet::new();
    for member in &check.members {
        if !seen.insert(member.device) {
            return Err(Refused::Doubled(member.device));
        }
        let then = |s: &&Served| {
            s.device == member.device
                && s.from_ms <= check.at_ms.saturating_add(CLOCKS_MS)
                && s.until_ms.is_none_or(|end| check.at_ms <= end.saturating_add(CLOCKS_MS))
        };
        if !known.served.iter().any(|s| then(&s)) {
            return Err(Refused::Member(member.device));
        }
    }
    Ok(())
}
