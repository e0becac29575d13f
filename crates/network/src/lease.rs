//! What the chain says of a lease.

use crate::At;
use crate::limits::VOUCH_S_MIN;
use ionet_core::{Asset, Vouch, Wallet};
use ionet_units::{BaseUnits, Bps, Rate};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The ceilings that the renter signed on the chain: what binds everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseTerms {
    /// All that was paid in.
    pub deposit: BaseUnits,
    /// Most live lines at once.
    pub slots_max: u16,
    /// Ceiling on a line's rate, without the fee.
    pub rate_per_slot_max: Rate,
    /// Ceiling on the sum of live lines' rates, with the fee.
    pub rate_total_max: Rate,
    /// The fee as it was at opening.
    pub fee: Bps,
    /// Whose word about served seconds counts.
    pub vouch: Vouch,
    /// When its clock stops for good.
    pub expires_at: At,
    /// A key that acts for the renter, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Wallet>,
    /// Seconds after a line's start in which the renter may refuse it. The program takes no
    /// word about its seconds meanwhile.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub accept_s: u8,
}

fn is_zero(n: &u8) -> bool {
    *n == 0
}

impl LeaseTerms {
    /// Whose receipts the program takes for this lease: `coordinator`'s, or the session key's
    /// and the renter's own.
    pub fn vouchers(&self, coordinator: Wallet, renter: Wallet) -> Vec<Wallet> {
        let ours = match self.vouch {
            Vouch::Coordinator | Vouch::Either => Some(coordinator),
            Vouch::Session => None,
        };
        let renters = match self.vouch {
            Vouch::Session | Vouch::Either => [self.session, Some(renter)],
            Vouch::Coordinator => [None, None],
        };
        ours.into_iter().chain(renters.into_iter().flatten()).collect()
    }

    /// The first instant at which the program takes a word about a line that began at `started`.
    pub fn vouched_from(&self, started: At) -> At {
        // Its acceptance window includes its last second.
        let window_s = if self.accept_s == 0 { 0 } else { u64::from(self.accept_s) + 1 };
        started.plus_ms(window_s * 1_000)
    }
}

/// The longest acceptance window of a lease whose suppliers may claim for so long once it is
/// closed. Nobody may vouch inside the acceptance window, and a renter may close at any moment:
/// one that outlived the claim window would be use for free. The program's own limit is beside it.
pub fn accept_s_max(claim_window_s: u64) -> u8 {
    let most = claim_window_s.saturating_sub(VOUCH_S_MIN);
    u8::try_from(most).unwrap_or(u8::MAX)
}

/// Where a lease stands on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum LeaseStatus {
    /// Lines can be bound and earn.
    Open,
    /// Nothing runs; served seconds may be claimed until the window ends.
    Closed {
        /// When it closed.
        closed_at: At,
        /// End of the claim window.
        claims_until: At,
        /// What went back to the renter.
        refunded: BaseUnits,
    },
    /// What nobody claimed went back.
    Finalized {
        /// What went back to the renter in all.
        refunded: BaseUnits,
    },
}

/// A lease as the coordinator reads it from the chain. Not trusted to be as quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseView {
    /// Its address.
    pub lease: Wallet,
    /// Who rents.
    pub renter: Wallet,
    /// Who binds and starts.
    pub coordinator: Wallet,
    /// What it is paid in.
    pub asset: Asset,
    /// Hash of the terms that renter and coordinator agreed on.
    pub policy_hash: [u8; 32],
    /// Its ceilings.
    pub terms: LeaseTerms,
    /// Seconds for claims once it is closed, as they were at its opening.
    pub claim_window_s: u64,
    /// Where it stands.
    pub status: LeaseStatus,
}

/// Why a funded lease is not the one that was quoted. It is closed and refunded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "mismatch", rename_all = "kebab-case")]
pub enum LeaseMismatch {
    /// Another wallet opened it.
    #[error("the lease belongs to {renter}, not to the wallet that asked for the cluster")]
    Renter {
        /// Whose it is.
        renter: Wallet,
    },
    /// Another asset.
    #[error("the lease is paid in {found}, the quote was in {quoted}")]
    Asset {
        /// Quoted.
        quoted: Asset,
        /// On the chain.
        found: Asset,
    },
    /// Another policy.
    #[error("the lease's policy hash is not that of the cluster's spec")]
    Policy,
    /// Too few or too many slots.
    #[error("the lease has {found} slots, the cluster needs {needed}")]
    Slots {
        /// On the chain.
        found: u16,
        /// Devices of the spec.
        needed: u16,
    },
    /// Someone else vouches.
    #[error("the lease lets another party vouch than the spec says")]
    Vouch,
    /// Its renter could leave before anybody may vouch for what was served.
    #[error(
        "the lease can be refused for {found_s} s after its start, and claims end {claim_window_s} \
         s after it closes: who leaves at once would pay nobody. Open it with an acceptance window \
         of at most {most_s} s"
    )]
    Acceptance {
        /// Its acceptance window.
        found_s: u8,
        /// The longest that suppliers are given work under.
        most_s: u8,
        /// Its claim window.
        claim_window_s: u64,
    },
    /// Too little money.
    #[error("the deposit of {found} base units is below the {needed} that the terms need")]
    Deposit {
        /// On the chain.
        found: BaseUnits,
        /// Needed at these ceilings for the spec's time.
        needed: BaseUnits,
    },
    /// It ends before it can start.
    #[error("the lease expires at {expires_at}")]
    Expired {
        /// When.
        expires_at: At,
    },
}

/// The lease's clock as last read from the chain: soft state, for warnings and the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseClockView {
    /// All that was paid in.
    pub deposit: BaseUnits,
    /// The most that lines can claim by now.
    pub committed: BaseUnits,
    /// When the money or the time ends, whichever is first, if nothing changes.
    pub runs_until: At,
    /// Seconds that it stood before, from its opening on; where it stands now, without that.
    pub stood_s: u64,
}

/// How near a deposit's end is. Later ones are more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DepositLevel {
    /// Less than a fifth of it is left.
    #[default]
    Fifth,
    /// It lasts for less than five minutes.
    FiveMinutes,
    /// It lasts for less than a minute.
    OneMinute,
    /// It is used up: parts go on for the grace period, unpaid.
    Spent,
}

/// A deposit that is low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepositLow {
    /// The deposit.
    pub deposit: BaseUnits,
    /// Until when it lasts.
    pub runs_until: At,
    /// How low.
    pub level: DepositLevel,
    /// When parts stop if nothing is added.
    pub stops_at: At,
}

/// The money side of a cluster, as far as the chain confirmed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "money", rename_all = "kebab-case")]
pub enum Money {
    /// No lease was seen.
    Unfunded,
    /// The lease is open.
    Open {
        /// Since when it is known.
        since: At,
    },
    /// The lease is closed; claims may still be made.
    Closed {
        /// When it closed.
        closed_at: At,
        /// End of the claim window.
        claims_until: At,
        /// What went back to the renter.
        refunded: BaseUnits,
    },
    /// What nobody claimed went back to the renter.
    Finalized {
        /// When.
        at: At,
        /// What went back to the renter in all.
        refunded: BaseUnits,
    },
    /// The accounts are gone, their rent is back.
    Reclaimed {
        /// When.
        at: At,
        /// What went back to the renter in all.
        refunded: BaseUnits,
    },
}

/// Names a line of a lease: page and index in it. Never reused within a lease. Prints and
/// parses as `page/index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineRef {
    /// The page.
    pub page: u16,
    /// The line in it.
    pub index: u8,
}

impl fmt::Display for LineRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.page, self.index)
    }
}

/// Not `page/index`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a line is named by page/index, such as 0/3")]
pub struct LineRefError;

impl FromStr for LineRef {
    type Err = LineRefError;
    fn from_str(text: &str) -> Result<Self, LineRefError> {
        let (page, index) = text.split_once('/').ok_or(LineRefError)?;
        let page = page.parse().map_err(|_| LineRefError)?;
        let index = index.parse().map_err(|_| LineRefError)?;
        Ok(Self { page, index })
    }
}

impl Serialize for LineRef {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LineRef {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
